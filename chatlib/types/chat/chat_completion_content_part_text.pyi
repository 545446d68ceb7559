# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletionContentPartText as ChatCompletionContentPartText
from chatlib.types import PromptCacheBreakpoint as PromptCacheBreakpoint
