# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletionContentPartParam as ChatCompletionContentPartParam
from chatlib.types import ChatCompletionUserMessageParam as ChatCompletionUserMessageParam
