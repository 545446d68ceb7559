# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import CompletionListParams as CompletionListParams
from chatlib.types import Metadata as Metadata
