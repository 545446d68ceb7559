# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletionMessageCustomToolCallParam as ChatCompletionMessageCustomToolCallParam
from chatlib.types import CustomParam as _Custom
Custom = _Custom
