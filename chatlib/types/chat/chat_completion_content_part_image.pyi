# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletionContentPartImage as ChatCompletionContentPartImage
from chatlib.types import ImageURL as ImageURL
from chatlib.types import PromptCacheBreakpoint as PromptCacheBreakpoint
