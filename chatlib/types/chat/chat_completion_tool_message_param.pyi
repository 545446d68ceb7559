# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletionContentPartTextParam as ChatCompletionContentPartTextParam
from chatlib.types import ChatCompletionToolMessageParam as ChatCompletionToolMessageParam
