# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.client.raw import RawResponse as _LegacyAPIResponse
LegacyAPIResponse = _LegacyAPIResponse
