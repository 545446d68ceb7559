# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.client.pagination import AsyncCursorPage as AsyncCursorPage
from chatlib.client.pagination import SyncCursorPage as SyncCursorPage
