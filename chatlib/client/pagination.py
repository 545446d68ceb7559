"""Pages of a list, and the way from one to the next: one rule, and a walk for each colour.

A page ends the list where it says so (``has_more`` is false), and where it is empty, whatever it
says. The next one is asked for with ``after``: the page's ``last_id``, or the id of its last item.
A server that comes back to a cursor it has given before would be asked for ever; that is an error.

Nothing here sends anything: a page is given a function that fetches the page after a cursor.
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
    """The operation that asks for the page after a cursor, all else as it was."""
    options, extra = operation.options, operation.options.get("extra_query")
    if extra and "after" in extra:  # it would win over the cursor
        options = {**options, "extra_query": {k: v for k, v in extra.items() if k != "after"}}
    return attrs.evolve(
        operation, query={**(operation.query or {}), "after": cursor}, options=options
    )


@attrs.frozen
class CursorHistory:
    """The cursors that led to a page, as far as they are needed to notice a circle.

    Beside the last one, it keeps the one at each power of two: a walk that goes round meets it
    again (https://en.wikipedia.org/wiki/Cycle_detection#Brent's_algorithm).
    """

    last: object = None
    mark: str | None = None
    steps: int = 0

    def to(self, cursor: str) -> CursorHistory:
        """The trail that leads on to a cursor."""
        steps = self.steps + 1
        return CursorHistory(cursor, cursor if steps & (steps - 1) == 0 else self.mark, steps)

    def check(self, page: CursorPage[Any]) -> None:
        """Look where a page leads.

        Raises:
            APIResponseValidationError: to where the walk has been; or further, but it says not
                where.
        """
        cursor = next_cursor(page)
        if cursor is not None and cursor in (self.last, self.mark):
            raise _pagination_error(
                page, f"The pages go in a circle: after {cursor!r} comes {cursor!r} again"
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
    """A page that knows how to get what comes after it."""

    __slots__ = ("_fetch", "_trail")
    _fetch: Callable[[str, CursorHistory], Any]
    _history: CursorHistory

    def has_next_page(self) -> bool:
        """Whether there is a page after this one, as far as this one says."""
        more = bool(self.data and self.has_more) and not says_no(self.has_more)
        return more or next_cursor(self) is not None

    def _next(self) -> Any:
        self._history.check(self)
        cursor = next_cursor(self)
        if cursor is None:
            raise RuntimeError("there is no page after this one; has_next_page() tells")
        return self._fetch(cursor, self._history.to(cursor))


def paginate(
    cls: type[P],
    operation: Operation[Any],
    perform: Callable[[Any], Any],
    history: CursorHistory | None = None,
) -> Operation[P]:
    """An operation for a page, as one for a page that can fetch what comes after it.

    Args:
        cls: :class:`SyncCursorPage`, or :class:`AsyncCursorPage`.
        operation: Reads a :class:`CursorPage`.
        perform: Performs an operation; for an asynchronous page, awaited.
        trail: The way that led to it; None for the first page.
    """

    def fetch(cursor: str, beyond: CursorHistory) -> Any:
        return perform(paginate(cls, after_cursor(operation, cursor), perform, beyond))

    def read(response: HttpResponse) -> P:
        page = operation.read(response)
        if history is not None and next_cursor(page) is not None:
            history.check(page)  # before its items, which came before, are given again
        made: Any = page._as(cls)
        made._fetch, made._history = (
            fetch,
            history or CursorHistory((operation.query or {}).get("after")),
        )
        return cast("P", made)

    return operation.reading(read)


class SyncCursorPage(_LinkedPage[T]):
    """A page of a list. Iterating it gives its items, and then those of all pages after it.

    The page after it is asked for when its items are needed, never before.
    """

    __slots__ = ()

    def get_next_page(self) -> Self:
        """Fetch the page after this one.

        Raises:
            RuntimeError: there is none; :meth:`has_next_page` tells.
            APIError: it did not come, or leads back to where the walk has been.
        """
        return self._next()  # type: ignore[no-any-return]

    def iter_pages(self) -> Iterator[Self]:
        """This page, and all pages after it."""
        page = self
        while True:
            yield page
            if not page.has_next_page():
                return
            page = page.get_next_page()

    def __iter__(self) -> Iterator[T]:
        for page in self.iter_pages():
            yield from page.data


class AsyncCursorPage(_LinkedPage[T]):
    """As :class:`SyncCursorPage`, for ``async for``."""

    __slots__ = ()

    async def get_next_page(self) -> Self:
        """Fetch the page after this one; raises as :meth:`SyncCursorPage.get_next_page`."""
        return await self._next()  # type: ignore[no-any-return]

    def iter_pages(self) -> AsyncIterator[Self]:
        """This page, and all pages after it."""

        async def first() -> Self:
            return self

        return _Pages(first)

    def __aiter__(self) -> AsyncIterator[T]:
        return _Items(self.iter_pages())


class _Pages(AsyncIterator[Any]):
    # No generator: one that is left early is closed by a task that nobody waits for.
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
    """What an asynchronous ``list()`` returns: await it for a page, or ``async for`` all items."""

    def __init__(self, fetch: Callable[[], Awaitable[AsyncCursorPage[T]]]) -> None:
        self._fetch = fetch

    def __await__(self) -> Generator[Any, None, AsyncCursorPage[T]]:
        return self._fetch().__await__()

    def __aiter__(self) -> AsyncIterator[T]:
        return _Items(_Pages(self._fetch))
