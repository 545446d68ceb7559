# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types.base import JsonObject as _BaseModel
BaseModel = _BaseModel
