# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletionNamedToolChoiceCustomParam as ChatCompletionNamedToolChoiceCustomParam
from chatlib.types import ChatCompletionNamedToolChoiceCustomParamCustom as _Custom
Custom = _Custom
