"""Decide when the next request may start and which result is next."""

from __future__ import annotations

from typing import Generic, TypeVar

R = TypeVar("R")

ORDERED_LOOKAHEAD = 8
UNORDERED_LOOKAHEAD = 2
"""The factor of the concurrency that bounds requests started and not yet returned.

In order, a slow request holds back the results of later ones, which go on running meanwhile. Out of
order, results only wait for the caller."""


class ResultWindow(Generic[R]):
    """Counts running requests and holds results until they are returned.

    Args:
        concurrency: The maximum number of concurrent requests.
        ordered: Whether results are returned in the order of the requests, or as they complete.

    >>> window = ResultWindow(2, ordered=True)
    >>> window.start(), window.start(), window.can_start()
    (None, None, False)
    >>> window.finish(1, "second")
    >>> window.pop(), window.can_start()
    (None, True)
    >>> window.finish(0, "first")
    >>> window.pop(), window.pop(), window.pop()
    ('first', 'second', None)
    """

    def __init__(self, concurrency: int, *, ordered: bool) -> None:
        self.running = 0
        """The number of running requests."""
        self.ended = False
        """Whether there are no more requests; set by the loop."""
        self._concurrency = concurrency
        self._window = concurrency * (ORDERED_LOOKAHEAD if ordered else UNORDERED_LOOKAHEAD)
        self._ordered = ordered
        self._ready: dict[int, R] = {}
        self._next = 0

    def can_start(self) -> bool:
        """Return whether another request may be started."""
        return (
            not self.ended
            and self.running < self._concurrency
            and self.running + len(self._ready) < self._window
        )

    def start(self) -> None:
        """Count a request that is started."""
        self.running += 1

    def finish(self, index: int, result: R) -> None:
        """Add the result of a request that was started."""
        self.running -= 1
        self._ready[index] = result

    def pop(self) -> R | None:
        """Remove and return the next result, or None if there is none yet."""
        if self._ordered:
            result = self._ready.pop(self._next, None)
            self._next += result is not None
            return result
        return self._ready.pop(next(iter(self._ready))) if self._ready else None
