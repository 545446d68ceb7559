# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletionNamedToolChoiceParam as ChatCompletionNamedToolChoiceParam
from chatlib.types import ChatCompletionNamedToolChoiceParamFunction as _Function
Function = _Function
