# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletionMessageFunctionToolCall as ChatCompletionMessageFunctionToolCall
from chatlib.types import Function as Function
from chatlib.types import ParsedFunction as ParsedFunction
from chatlib.types import ParsedFunctionToolCall as ParsedFunctionToolCall
