# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.structured.tools import pydantic_function_tool as pydantic_function_tool
from chatlib.lib import _parsing as _parsing
from chatlib.lib import _pydantic as _pydantic
from chatlib.lib import _tools as _tools
from chatlib.lib import azure as azure
from chatlib.lib import streaming as streaming
