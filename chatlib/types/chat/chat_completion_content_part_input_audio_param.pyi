# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletionContentPartInputAudioParam as ChatCompletionContentPartInputAudioParam
from chatlib.types import InputAudio as InputAudio
from chatlib.types import PromptCacheBreakpointParam as _PromptCacheBreakpoint
PromptCacheBreakpoint = _PromptCacheBreakpoint
