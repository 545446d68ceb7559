# Written by scripts/write_stubs.py from chatlib/official_paths.py.
from chatlib.structured.tools import pydantic_function_tool as pydantic_function_tool
