# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import CompletionUpdateParams as CompletionUpdateParams
from chatlib.types import Metadata as Metadata
