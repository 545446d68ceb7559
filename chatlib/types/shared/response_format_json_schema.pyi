# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.types import JSONSchema as JSONSchema
from chatlib.types import ResponseFormatJSONSchema as ResponseFormatJSONSchema
