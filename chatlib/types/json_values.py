"""Read JSON text that a server sent, whatever it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MOST_DEPTH = 200
"""How many levels deep JSON may be nested. What is no deeper can be copied, pickled, shown, dumped
and sent back, below a deep stack too. No server nests half as deep on purpose."""


def read_json(text: str | bytes, *, depth: int = MOST_DEPTH) -> Any:
    """Return the value of a JSON text. ``NaN``, ``Infinity`` and control characters are read.

    Args:
        text: The JSON text.
        depth: How many levels deep it may be nested.

    Raises:
        ValueError: It is not JSON, or nested too deeply.
    """
    try:
        try:
            value = json.loads(text)
        except UnicodeDecodeError:
            raise
        except ValueError:
            value = json.loads(text, parse_int=_integer, strict=False)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    if isinstance(text, bytes):
        _check_depth(value, depth, text.count(b"{") + text.count(b"["))
    else:
        _check_depth(value, depth, text.count("{") + text.count("["))
    return value


def read_first_json(text: str, start: int = 0) -> tuple[Any, int]:
    """Return the JSON value that begins at ``start``, and where it ends.

    Raises:
        ValueError: There is none, or it is nested too deeply.
    """
    try:
        try:
            value, end = _DECODER.raw_decode(text, start)
        except ValueError:
            value, end = _LENIENT.raw_decode(text, start)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    _check_depth(value, MOST_DEPTH, text.count("{") + text.count("["))
    return value, end


def _check_depth(value: Any, most: int, opened: int) -> None:
    """Refuse plain JSON values that are nested more than ``most`` levels deep.

    Args:
        value: The values.
        most: The maximum depth.
        opened: How many brackets the text has: no more containers can be in the value.
    """
    level: list[Any] = [value] if value.__class__ in _CONTAINERS else []
    for depth in range(1, most + 1):
        opened -= len(level)
        if not level or depth + opened <= most:
            return
        level = [
            item
            for outer in level
            for item in (outer.values() if outer.__class__ is dict else outer)
            if item.__class__ in _CONTAINERS
        ]
    if level:
        raise ValueError(TOO_DEEP)


_CONTAINERS = frozenset({dict, list})


def _integer(digits: str) -> int | float:
    """Convert an integer; one of thousands of digits is infinite, as ``1e999`` is."""
    try:
        return int(digits)
    except ValueError:
        return float(digits)


_DECODER = json.JSONDecoder()
_LENIENT = json.JSONDecoder(parse_int=_integer, strict=False)
TOO_DEEP = "it is nested too deeply"


def copied(value: Any, depth: int = MOST_DEPTH) -> Any:
    """Return plain JSON values with their dicts and lists copied.

    Raises:
        ValueError: They are nested more than ``depth`` levels deep.
    """
    if depth < 0:
        raise ValueError("the value is nested too deeply")
    if isinstance(value, Mapping):
        return {name: copied(item, depth - 1) for name, item in value.items()}
    return [copied(item, depth - 1) for item in value] if isinstance(value, list) else value
