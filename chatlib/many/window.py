"""When the next request may begin, and which result is next: the rule for both forms."""

from __future__ import annotations

from typing import Generic, TypeVar

R = TypeVar("R")

ORDERED_LOOKAHEAD = 8
UNORDERED_LOOKAHEAD = 2
"""How many requests, for each that may run at once, are begun and not yet handed over.

In order, a slow request holds back the results of those after it, which must go on meanwhile.
Out of order, results only wait for whoever takes them."""


class ResultWindow(Generic[R]):
    """Counts what was begun, and holds what has come until it is its turn.

    Args:
        concurrency: How many requests may run at once.
        ordered: Whether results are handed over in the order of the requests, or as they come.

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
        """How many requests have begun and not finished."""
        self.ended = False
        """Whether there are no more requests; the loop sets it."""
        self._concurrency = concurrency
        self._window = concurrency * (ORDERED_LOOKAHEAD if ordered else UNORDERED_LOOKAHEAD)
        self._ordered = ordered
        self._ready: dict[int, R] = {}
        self._next = 0

    def can_start(self) -> bool:
        """Whether another request may be taken now."""
        return (
            not self.ended
            and self.running < self._concurrency
            and self.running + len(self._ready) < self._window
        )

    def start(self) -> None:
        """A request runs."""
        self.running += 1

    def finish(self, index: int, result: R) -> None:
        """A request that ran has a result."""
        self.running -= 1
        self._ready[index] = result

    def pop(self) -> R | None:
        """The result to hand over now; None where it has not come yet."""
        if self._ordered:
            result = self._ready.pop(self._next, None)
            self._next += result is not None
            return result
        return self._ready.pop(next(iter(self._ready))) if self._ready else None
