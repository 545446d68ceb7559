# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletionContentPartImageParam as ChatCompletionContentPartImageParam
from chatlib.types import ImageURLParam as _ImageURL
ImageURL = _ImageURL
from chatlib.types import PromptCacheBreakpointParam as _PromptCacheBreakpoint
PromptCacheBreakpoint = _PromptCacheBreakpoint
