"""The word for "leave this out", which ``None`` (JSON null, no limit) does not say."""

from __future__ import annotations

import enum


class Omit(enum.Enum):
    """The type of :data:`omit`."""

    OMIT = "omit"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "omit"


omit = Omit.OMIT
"""Leave a parameter out, as if it had not been given."""

NotGiven = Omit
"""The older name of :class:`Omit`, known from the official package."""

NOT_GIVEN = not_given = omit
"""The older names of :data:`omit`, known from the official package."""
