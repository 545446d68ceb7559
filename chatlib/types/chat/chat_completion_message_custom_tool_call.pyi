# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletionMessageCustomToolCall as ChatCompletionMessageCustomToolCall
from chatlib.types import Custom as Custom
