# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.config import DEFAULT_MAX_RETRIES as DEFAULT_MAX_RETRIES
from chatlib.config import DEFAULT_TIMEOUT as DEFAULT_TIMEOUT
