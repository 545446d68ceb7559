"""Rate limits of the in-memory server: fixed windows for requests and tokens."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Literal

import attrs

from chatlib.headers import RateLimits

DEFAULT_WINDOW = 60.0

DEFAULT_LIMITS = RateLimits(limit_requests=10_000, limit_tokens=2_000_000)
"""The limits in the headers if none are configured; they are counted and not enforced."""

Kind = Literal["requests", "tokens"]


class RateLimiter:
    """Counts requests and tokens against limits.

    The window of a limit starts with its first use and lasts ``reset_requests`` or
    ``reset_tokens`` seconds (60 by default). After it, the whole limit is available again.

    Args:
        limits: The requests and tokens for each window. ``remaining_*`` is what is available at
            the start (by default all). None means no limit.
        clock: Returns the time in seconds.
    """

    def __init__(self, limits: RateLimits | None, clock: Callable[[], float]) -> None:
        self._enforced = limits is not None
        of = limits or DEFAULT_LIMITS
        given = {
            "requests": (of.limit_requests, of.remaining_requests, of.reset_requests),
            "tokens": (of.limit_tokens, of.remaining_tokens, of.reset_tokens),
        }
        self._windows = {
            kind: _Window(
                limit, DEFAULT_WINDOW if lasts is None else lasts, limit - _left(limit, left)
            )
            for kind, (limit, left, lasts) in given.items()
            if limit is not None
        }
        self._clock = clock
        for window in self._windows.values():
            if window.used:
                window.since = clock()

    def consume(self, kind: Kind, count: int) -> None:
        """Consume requests or tokens."""
        if kind in self._windows and count:
            self._windows[kind].use(count, self._clock())

    def exceeded(self) -> tuple[str, float, int] | None:
        """Return the exceeded limit, or None.

        Returns:
            The kind, the seconds until the window ends, and the limit.
        """
        now = self._clock()
        for kind, window in self._windows.items():
            if self._enforced and window.left(now) == 0:
                return kind, window.reset(now), window.limit
        return None

    def headers(self) -> dict[str, str]:
        """Return the ``x-ratelimit-*`` headers for a response at this time."""
        now = self._clock()
        return dict(self._headers(now))

    def _headers(self, now: float) -> Iterator[tuple[str, str]]:
        for kind, window in self._windows.items():
            yield f"x-ratelimit-limit-{kind}", str(window.limit)
            yield f"x-ratelimit-remaining-{kind}", str(window.left(now))
            yield f"x-ratelimit-reset-{kind}", format_duration(window.reset(now))


def _left(limit: int, left: int | None) -> int:
    return limit if left is None else left


@attrs.define
class _Window:
    limit: int
    lasts: float
    used: int
    since: float | None = None

    def use(self, count: int, now: float) -> None:
        self._renew(now)
        if self.since is None:
            self.since = now
        self.used += count

    def left(self, now: float) -> int:
        self._renew(now)
        return max(self.limit - self.used, 0)

    def reset(self, now: float) -> float:
        self._renew(now)
        return 0.0 if self.since is None else self.since + self.lasts - now

    def _renew(self, now: float) -> None:
        if self.since is not None and now >= self.since + self.lasts:
            self.since, self.used = None, 0


def format_duration(seconds: float) -> str:
    """Format seconds as in OpenAI's headers, rounded up; from 1 s to whole seconds.

    >>> [format_duration(n) for n in (0, 0.02, 1.5, 60, 360, 3600)]
    ['0s', '20ms', '2s', '1m0s', '6m0s', '1h0m0s']
    """
    if 0 < seconds <= 0.999:
        return f"{math.ceil(round(seconds * 1000, 3))}ms"
    minutes, rest = divmod(math.ceil(round(seconds, 3)), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"
    )


_TOTAL = re.compile(rb'"total_tokens"\s*:\s*(\d+)\s*[,}]')
_OVERLAP = 64


class TokenCounter:
    """Finds ``total_tokens`` of the usage in a body, piece by piece.

    >>> counter = TokenCounter()
    >>> [counter.feed(piece) for piece in (b'{"usage": {"total_tokens": 2', b"1}}", b"")]
    [0, 21, 0]
    """

    def __init__(self) -> None:
        self._tail = b""
        self._counted = 0

    def feed(self, piece: bytes) -> int:
        """Return the increase of ``total_tokens`` by this piece; the last value counts."""
        seen = self._tail + piece
        self._tail = seen[-_OVERLAP:]
        more = 0
        if b'"total_tokens"' in seen:
            for found in _TOTAL.finditer(seen):
                more = max(int(found[1]) - self._counted, more)
        self._counted += more
        return more
