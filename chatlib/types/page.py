"""A page of a list."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

from chatlib.types.base import JsonObject
from chatlib.types.decoding import json_object

T = TypeVar("T")


@json_object
class CursorPage(JsonObject, Generic[T]):
    """One page of a list, of at most ``limit`` items."""

    data: list[T]
    """The items of this page."""
    object: Literal["list"] = "list"
    has_more: bool | None = None
    """Whether there are more items after these."""
    first_id: str | None = None
    last_id: str | None = None


def next_cursor(page: CursorPage[Any]) -> str | None:
    """Return the ``after`` cursor of the next page; None if this page is the last."""
    if not page.data or says_no(page.has_more):
        return None
    last = page.last_id or getattr(page.data[-1], "id", None)
    return last if isinstance(last, str) and last else None


def says_no(has_more: object) -> bool:
    """Return whether ``has_more`` means no, in any form that servers use."""
    return has_more is not None and str(has_more).lower() in ("false", "0", "no")
