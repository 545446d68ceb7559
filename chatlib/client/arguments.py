"""The arguments of a call, of the methods that have each parameter by its name."""

from __future__ import annotations

from typing import Any

from chatlib.http import omit
from chatlib.redaction import conceal

_NOTHING_IF_NONE = frozenset(("extra_headers", "extra_query", "extra_body"))


def arguments(held: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that were passed, with their secrets concealed.

    Args:
        held: The local variables at the beginning of a method; those that are ``omit`` were not
            passed.
    """
    made = {
        name: value
        for name, value in held.items()
        if value is not omit and name != "self" and not (value is None and name in _NOTHING_IF_NONE)
    }
    held.clear()
    conceal(made)
    return made
