# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import FunctionTool as _ChatCompletionFunctionTool
ChatCompletionFunctionTool = _ChatCompletionFunctionTool
from chatlib.types import FunctionDefinition as FunctionDefinition
