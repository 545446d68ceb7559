"""Context managers: objects that close themselves, and managers that open one on entry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Self


class Closing:
    """Close the object at the end of a ``with`` block."""

    def close(self) -> None:
        """Release the resources of this object."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class AsyncClosing:
    """Close the object at the end of an ``async with`` block."""

    async def close(self) -> None:
        """Release the resources of this object."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


C = TypeVar("C", bound=Closing)
AC = TypeVar("AC", bound=AsyncClosing)


class Opening(Generic[C]):
    """Open an object on entering a ``with`` block and close it on leaving.

    Args:
        start: Opens the object.
    """

    def __init__(self, start: Callable[[], C]) -> None:
        self._start = start
        self._opened: C | None = None

    def __enter__(self) -> C:
        self._opened = self._start()
        return self._opened

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            self._opened.close()


class AsyncOpening(Generic[AC]):
    """Open an object on entering an ``async with`` block and close it on leaving.

    Args:
        start: Opens the object; awaited.
    """

    def __init__(self, start: Callable[[], Awaitable[AC]]) -> None:
        self._start = start
        self._opened: AC | None = None

    async def __aenter__(self) -> AC:
        self._opened = await self._start()
        return self._opened

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            await self._opened.close()
