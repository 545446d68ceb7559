"""Pages of a list and how to get from one to the next.

A page is the last one if it says so (``has_more`` is false) or is empty. The next page is requested
with ``after``: the ``last_id`` of this page, or the ID of its last item. A cursor that repeats
would never end and is an error.

Nothing here does I/O: a page has a function that fetches the page after a cursor.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import attrs

from chatlib.errors import APIResponseValidationError
from chatlib.http import HttpResponse
from chatlib.types.page import CursorPage, next_cursor, says_no
from chatlib.wire.request import Operation

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")
P = TypeVar("P", bound="CursorPage[Any]")


def after_cursor(operation: Operation[T], cursor: str) -> Operation[T]:
    """Return the operation that requests the page after a cursor.

    Args:
        operation: The operation for a page of the list.
        cursor: The cursor.

    Returns:
        A copy of the operation.
    """
    options, extra = operation.options, operation.options.get("extra_query")
    if extra and "after" in extra:  # it would override the cursor
        options = {**options, "extra_query": {k: v for k, v in extra.items() if k != "after"}}
    return attrs.evolve(
        operation, query={**(operation.query or {}), "after": cursor}, options=options
    )


@attrs.frozen
class CursorHistory:
    """The cursors that led to a page, as far as they are needed to detect a loop.

    It keeps the last cursor and the one at the latest power of two, as Brent's algorithm does
    (https://en.wikipedia.org/wiki/Cycle_detection#Brent's_algorithm).
    """

    last: object = None
    mark: str | None = None
    steps: int = 0

    def to(self, cursor: str) -> CursorHistory:
        """Return the history with one more cursor.

        Args:
            cursor: The cursor of the next page.
        """
        steps = self.steps + 1
        return CursorHistory(cursor, cursor if steps & (steps - 1) == 0 else self.mark, steps)

    def check(self, page: CursorPage[Any]) -> None:
        """Check the cursor of a page.

        Args:
            page: The page.

        Raises:
            APIResponseValidationError: The cursor repeats, or there is none although there are more
                pages.
        """
        cursor = next_cursor(page)
        if cursor is not None and cursor in (self.last, self.mark):
            raise _pagination_error(
                page, f"Pagination loop, a circle: after {cursor!r} comes {cursor!r} again"
            )
        if cursor is None and page.data and page.has_more and not says_no(page.has_more):
            raise _pagination_error(
                page, "There are more pages, but this one has neither a last_id nor ids"
            )


def _pagination_error(page: CursorPage[Any], what: str) -> APIResponseValidationError:
    error = APIResponseValidationError(None, page.to_dict(), message=f"{what}.")
    if page.http is not None:
        error.status_code, error.request_id = page.http.status, page.http.request_id
    return error


class _LinkedPage(CursorPage[T]):
    """A page that can fetch the next one."""

    __slots__ = ("_fetch", "_history")
    _fetch: Callable[[str, CursorHistory], Any]
    _history: CursorHistory

    def has_next_page(self) -> bool:
        """Return whether there is a page after this one, as far as the server said."""
        more = bool(self.data and self.has_more) and not says_no(self.has_more)
        return more or next_cursor(self) is not None

    def _next(self) -> Any:
        self._history.check(self)
        cursor = next_cursor(self)
        if cursor is None:
            raise RuntimeError("there is no next page; check has_next_page() first")
        return self._fetch(cursor, self._history.to(cursor))


def paginate(
    cls: type[P],
    operation: Operation[Any],
    perform: Callable[[Any], Any],
    history: CursorHistory | None = None,
) -> Operation[P]:
    """Return an operation whose result is a page that can fetch the next one.

    Args:
        cls: :class:`SyncCursorPage` or :class:`AsyncCursorPage`.
        operation: An operation that returns a :class:`CursorPage`.
        perform: Executes an operation; awaited by asynchronous pages.
        history: The cursors that led to the page; None for the first page.

    Returns:
        The operation.
    """

    def fetch(cursor: str, beyond: CursorHistory) -> Any:
        return perform(paginate(cls, after_cursor(operation, cursor), perform, beyond))

    def read(response: HttpResponse) -> P:
        page = operation.read(response)
        if history is not None and next_cursor(page) is not None:
            history.check(page)  # before the items of a repeated page are yielded again
        made: Any = page._as(cls)
        made._fetch, made._history = (
            fetch,
            history or CursorHistory((operation.query or {}).get("after")),
        )
        return cast("P", made)

    return operation.reading(read)


class SyncCursorPage(_LinkedPage[T]):
    """A page of a list. Iterating over it yields its items and those of all following pages.

    The next page is fetched when its items are needed.
    """

    __slots__ = ()

    def get_next_page(self) -> Self:
        """Fetch the next page.

        Returns:
            The page.

        Raises:
            RuntimeError: There is no next page; see :meth:`has_next_page`.
            APIError: The request failed, or the pages form a loop.
        """
        return self._next()  # type: ignore[no-any-return]

    def iter_pages(self) -> Iterator[Self]:
        """Iterate over this page and all following pages."""
        page = self
        while True:
            yield page
            if not page.has_next_page():
                return
            page = page.get_next_page()

    def __iter__(self) -> Iterator[T]:  # type: ignore[override]
        for page in self.iter_pages():
            yield from page.data


class AsyncCursorPage(_LinkedPage[T]):
    """A page of a list. ``async for`` yields its items and those of all following pages.

    The next page is fetched when its items are needed.
    """

    __slots__ = ()

    async def get_next_page(self) -> Self:
        """Fetch the next page.

        Returns:
            The page.

        Raises:
            RuntimeError: There is no next page; see :meth:`has_next_page`.
            APIError: The request failed, or the pages form a loop.
        """
        return await self._next()  # type: ignore[no-any-return]

    def iter_pages(self) -> AsyncIterator[Self]:
        """Iterate over this page and all following pages."""

        async def first() -> Self:
            return self

        return _Pages(first)

    def __aiter__(self) -> AsyncIterator[T]:
        return _Items(self.iter_pages())


class _Pages(AsyncIterator[Any]):
    # Not a generator: asyncio closes an abandoned one in a task that nobody awaits.
    def __init__(self, first: Callable[[], Awaitable[AsyncCursorPage[Any]]]) -> None:
        self._fetch: Callable[[], Awaitable[AsyncCursorPage[Any]]] | None = first

    async def __anext__(self) -> AsyncCursorPage[Any]:
        if self._fetch is None:
            raise StopAsyncIteration
        page = await self._fetch()
        self._fetch = page.get_next_page if page.has_next_page() else None
        return page


class _Items(AsyncIterator[Any]):
    def __init__(self, pages: AsyncIterator[AsyncCursorPage[Any]]) -> None:
        self._pages = pages
        self._items: Iterator[Any] = iter(())

    async def __anext__(self) -> Any:
        while True:
            for item in self._items:
                return item
            self._items = iter((await anext(self._pages)).data)


class AsyncPaginator(Generic[T]):
    """The result of an asynchronous ``list()``.

    ``await`` it for the first page, or use ``async for`` for the items of all pages.

    Args:
        fetch: Fetches the first page.
    """

    def __init__(self, fetch: Callable[[], Awaitable[AsyncCursorPage[T]]]) -> None:
        self._fetch = fetch

    def __await__(self) -> Generator[Any, None, AsyncCursorPage[T]]:
        return self._fetch().__await__()

    def __aiter__(self) -> AsyncIterator[T]:
        return _Items(_Pages(self._fetch))
