# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletionFunctionToolParam as ChatCompletionFunctionToolParam
from chatlib.types import FunctionDefinition as FunctionDefinition
