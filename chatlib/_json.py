"""Read JSON text that a server sent, whatever it holds."""

from __future__ import annotations

import json
from typing import Any


def read_json(text: str | bytes) -> Any:
    """Return the value of a JSON text. ``NaN`` and ``Infinity``, which some servers send, are read.

    Raises:
        ValueError: It is not JSON, or nested too deeply to be read.
    """
    try:
        try:
            return json.loads(text)
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise
        except ValueError:  # an integer with more digits than Python converts
            return json.loads(text, parse_int=_integer)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_first_json(text: str, start: int = 0) -> tuple[Any, int]:
    """Return the JSON value that begins at ``start``, and where it ends.

    Raises:
        ValueError: There is none, or it is nested too deeply to be read.
    """
    try:
        try:
            return _DECODER.raw_decode(text, start)
        except json.JSONDecodeError:
            raise
        except ValueError:
            return _LENIENT.raw_decode(text, start)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _integer(digits: str) -> int | float:
    """Convert an integer; one of thousands of digits is infinite, as ``1e999`` is."""
    try:
        return int(digits)
    except ValueError:
        return float(digits)


_DECODER = json.JSONDecoder()
_LENIENT = json.JSONDecoder(parse_int=_integer)
