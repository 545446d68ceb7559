# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletionContentPartTextParam as ChatCompletionContentPartTextParam
from chatlib.types import PromptCacheBreakpointParam as _PromptCacheBreakpoint
PromptCacheBreakpoint = _PromptCacheBreakpoint
