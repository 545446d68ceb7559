# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import CompletionTokensDetails as CompletionTokensDetails
from chatlib.types import CompletionUsage as CompletionUsage
from chatlib.types import PromptTokensDetails as PromptTokensDetails
