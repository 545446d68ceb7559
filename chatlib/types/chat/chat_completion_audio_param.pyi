# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletionAudioParam as ChatCompletionAudioParam
from chatlib.types import Voice as Voice
from chatlib.types import VoiceID as VoiceID
