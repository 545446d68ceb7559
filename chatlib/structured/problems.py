"""Mismatches between JSON and a type, on their way to a :class:`DecodeError`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

Hook: TypeAlias = Callable[[Any, Any], Any]
"""A structure hook of cattrs: a JSON value (and a type, which is ignored) to a value."""
HookOf: TypeAlias = Callable[[Any], Hook]
"""Returns the hook of a type or shape."""
Problem: TypeAlias = tuple[str, str, Any, Exception | None]
"""A relative path, what is wrong, the value found there, and the cause."""

MAX_PROBLEMS = 5
"""The number of problems in an error."""
MAX_TEXT = 300
"""The length of the text of a problem, in characters."""


class Mismatch(Exception):
    """The problems found in a value, raised to the hook of the value around it."""

    def __init__(self, text: str, value: Any, cause: Exception | None = None) -> None:
        self.problems = [("", truncate(text), value, cause)]

    def below(self, step: str | int) -> list[Problem]:
        """Return the problems with a key or index in front of their paths."""
        step = path_step(step)
        return [(step + where, text, value, cause) for where, text, value, cause in self.problems]

    @classmethod
    def several(cls, problems: list[Problem]) -> Mismatch:
        """Return a mismatch with problems that were collected."""
        made = cls("", None)
        made.problems = problems
        return made


def path_step(key: str | int) -> str:
    """Return a key or index as a step of a path: ``.name`` or ``[0]``."""
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if key.isidentifier() else f"[{describe(key)}]"


def truncate(text: str, length: int = MAX_TEXT) -> str:
    """Return at most so many characters of a text, and dots for the rest."""
    return text if len(text) <= length else text[:length] + "..."


def describe(value: Any) -> str:
    """Return a short description of a JSON value of any size and depth."""
    if isinstance(value, dict):
        keys = truncate(", ".join(map(describe, list(value)[:4])), 60)
        return f"an object with {keys or 'no keys'}"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    if isinstance(value, bytes):
        return repr(value[:60]) + "..." * (len(value) > 60)
    if isinstance(value, str):
        start = value[:60].encode(errors="backslashreplace").decode()
        return json.dumps(start, ensure_ascii=False) + "..." * (len(value) > 60)
    plain = value is None or isinstance(value, (bool, float))
    return json.dumps(value) if plain else truncate(_number(value), 60)


def _number(value: Any) -> str:
    try:
        return repr(value)
    except ValueError:  # Python refuses to convert integers of thousands of digits
        return "a huge number"


def expected(what: str, value: Any) -> Mismatch:
    """Return the mismatch for a value of another type than expected."""
    return Mismatch(f"expected {what}, got {describe(value)}", value)
