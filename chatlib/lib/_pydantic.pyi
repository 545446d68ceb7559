# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.structured.json_schema import json_schema as _to_strict_json_schema
to_strict_json_schema = _to_strict_json_schema
