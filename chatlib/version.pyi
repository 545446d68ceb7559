# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib._version import __version__ as _VERSION
VERSION = _VERSION
