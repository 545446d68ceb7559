"""A page of a list."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

from chatlib.types.base import JsonObject, json_object

T = TypeVar("T")


@json_object
class CursorPage(JsonObject, Generic[T]):
    """One page of a list, as it came. The ``limit`` of the call says how long it is at most."""

    data: list[T]
    """The items of this page."""
    object: Literal["list"] = "list"
    has_more: bool | None = None
    """Whether the server says that there are more items after these."""
    first_id: str | None = None
    last_id: str | None = None


def next_cursor(page: CursorPage[Any]) -> str | None:
    """What to send as ``after`` for the page that follows; None where this one is the last."""
    if not page.data or says_no(page.has_more):
        return None
    last = page.last_id or getattr(page.data[-1], "id", None)
    return last if isinstance(last, str) and last else None


def says_no(has_more: object) -> bool:
    """Return whether a server says that there are no more items, in whatever form."""
    return has_more is not None and str(has_more).lower() in ("false", "0", "no")
