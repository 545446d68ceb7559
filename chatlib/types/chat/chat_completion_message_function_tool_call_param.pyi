# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletionMessageFunctionToolCallParam as ChatCompletionMessageFunctionToolCallParam
from chatlib.types import FunctionParam as _Function
Function = _Function
