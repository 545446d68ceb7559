# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.structured.completions import response_format_of as _type_to_response_format_param
type_to_response_format_param = _type_to_response_format_param
