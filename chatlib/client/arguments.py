"""The arguments of a call, of the methods that have each parameter by its name."""

from __future__ import annotations

from typing import Any

from chatlib.http import is_omitted, omit
from chatlib.redaction import conceal


def arguments(held: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that were passed, with their secrets concealed.

    Args:
        held: The local variables at the beginning of a method; what is ``omit``, as nearly all of
            them are, was not passed.
    """
    made = {
        name: value
        for name, value in held.items()
        if value is not omit and name != "self" and not is_omitted(value)
    }
    held.clear()
    conceal(made)
    return made
