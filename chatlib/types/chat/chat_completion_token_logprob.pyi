# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import ChatCompletionTokenLogprob as ChatCompletionTokenLogprob
from chatlib.types import TopLogprob as TopLogprob
