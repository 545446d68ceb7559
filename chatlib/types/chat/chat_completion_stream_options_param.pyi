# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletionStreamOptionsParam as ChatCompletionStreamOptionsParam
