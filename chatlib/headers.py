"""HTTP headers as a value that hides its secrets, and what servers say in them about waiting."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timezone
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit, urlunsplit

import attrs

HeadersLike: TypeAlias = "Mapping[str, str] | Iterable[tuple[str, str]]"

# A header whose name has one of these words in it is never shown: Authorization, Api-Key,
# Proxy-Authorization, Cookie, Set-Cookie, X-Auth-Token, X-Client-Secret, ...
_SECRET_NAME = re.compile(
    r"auth|key|token|secret|cookie|passw|credential|signature|jwt|bearer|dpop|^sig$", re.IGNORECASE
)
_NOT_SECRET = re.compile(r"idempotency-key|x-ratelimit-.*")

HIDDEN = "***"
"""What is shown in place of a secret."""


def is_secret(name: str) -> bool:
    """Whether a header, a parameter of a query or a field of this name carries a secret."""
    return bool(_SECRET_NAME.search(name)) and not _NOT_SECRET.fullmatch(name.lower())


class Headers(Mapping[str, str]):
    """HTTP headers: an immutable mapping whose names compare without regard to case.

    A header that came more than once is joined by ``", "``. The values of headers that carry
    secrets (Authorization, Api-Key, cookies, ...) are never part of the ``repr``;
    :meth:`reveal` gives them all to whoever must send them.
    """

    __slots__ = ("_items",)

    def __init__(self, headers: HeadersLike = ()) -> None:
        items: dict[str, tuple[str, str]] = {}
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        for name, value in cast("Iterable[tuple[str, str]]", pairs):
            held = items.get(name.lower())
            items[name.lower()] = (
                (name, value) if held is None else (held[0], f"{held[1]}, {value}")
            )
        self._items = items

    def __getitem__(self, name: str) -> str:
        return self._items[name.lower()][1]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._items

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        theirs = other if isinstance(other, Headers) else Headers(other)
        return {k: v for k, (_, v) in self._items.items()} == {
            k: v for k, (_, v) in theirs._items.items()
        }

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Headers({self.redacted()!r})"

    def merged(self, changes: Mapping[str, str | None]) -> Headers:
        """These headers with some replaced, and those given as None left out."""
        items = dict(self._items)
        for name, value in changes.items():
            if value is None:
                items.pop(name.lower(), None)
            else:
                items[name.lower()] = (name, value)
        merged = Headers.__new__(Headers)
        merged._items = items
        return merged

    def reveal(self) -> dict[str, str]:
        """All headers as a plain dict, secrets included: for sending, not for showing."""
        return dict(self._items.values())

    def redacted(self) -> dict[str, str]:
        """All headers as a plain dict that can be shown: secrets struck out."""
        return {
            name: HIDDEN if is_secret(lower) else value
            for lower, (name, value) in self._items.items()
        }


def as_headers(headers: HeadersLike) -> Headers:
    """Headers, of whatever they are given as."""
    return headers if isinstance(headers, Headers) else Headers(headers)


def retry_after(headers: Headers, now: Callable[[], float] = time.time) -> float | None:
    """How many seconds the server asks to wait; None where it does not say, or not sensibly.

    ``retry-after-ms`` (milliseconds) goes before ``retry-after``: seconds, fractions allowed, or an
    HTTP date (https://www.rfc-editor.org/rfc/rfc9110#field.retry-after). A time in the past is no
    answer.
    """
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * scale
        except ValueError:
            seconds = _seconds_until(value, now)
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    return None


def _seconds_until(date: str, now: Callable[[], float]) -> float:
    from email.utils import parsedate_to_datetime  # here, as it loads socket

    try:
        at = parsedate_to_datetime(date[:_MAX_VALUE_LENGTH])
        if at.tzinfo is None:  # a date of HTTP is in GMT, whether it says so or not
            at = at.replace(tzinfo=timezone.utc)
        return at.timestamp() - now()
    except (ValueError, TypeError, OverflowError, LookupError, AttributeError):
        return math.nan


@attrs.frozen(kw_only=True)
class RateLimits:
    """What the ``x-ratelimit-*`` headers of a response say; None for each that did not come.

    https://platform.openai.com/docs/guides/rate-limits
    """

    limit_requests: int | None = None
    """How many requests are allowed before the limit is reached."""
    limit_tokens: int | None = None
    """How many tokens are."""
    remaining_requests: int | None = None
    """How many requests are left."""
    remaining_tokens: int | None = None
    """How many tokens are."""
    reset_requests: float | None = None
    """Seconds until the requests are at their limit again."""
    reset_tokens: float | None = None
    """Seconds until the tokens are."""

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> RateLimits:
        """The limits in some headers.

        >>> headers = {"x-ratelimit-remaining-tokens": "59", "x-ratelimit-reset-tokens": "6m0s"}
        >>> limits = RateLimits.from_headers(headers)
        >>> limits.remaining_tokens, limits.reset_tokens, limits.limit_tokens
        (59, 360.0, None)
        """
        headers = as_headers(headers)
        found: dict[str, Any] = {}
        for of in ("requests", "tokens"):
            for what in ("limit", "remaining", "reset"):
                value = headers.get(f"x-ratelimit-{what}-{of}", "").strip()
                found[f"{what}_{of}"] = (
                    _parse_duration(value) if what == "reset" else _parse_count(value)
                )
        return cls(**found)


def _parse_count(text: str) -> int | None:
    try:
        return int(text) if len(text) <= _MAX_VALUE_LENGTH else None
    except ValueError:
        return None


_MAX_VALUE_LENGTH = 64
"""The longest header that can be a date or a duration: longer ones are not looked at."""

_DURATION = re.compile(
    r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d*)?)s)?(?:(\d+(?:\.\d*)?)ms)?"
)
_IN_SECONDS = (86400, 3600, 60, 1, 0.001)


def _parse_duration(text: str) -> float | None:
    """A duration, such as ``1h2m3.5s``, ``20ms`` or a plain number of seconds, in seconds."""
    if len(text) > _MAX_VALUE_LENGTH:
        return None
    if re.fullmatch(r"\d+(\.\d*)?", text):
        return float(text)
    found = _DURATION.fullmatch(text)
    if found is None or not text:
        return None
    return sum(float(n) * unit for n, unit in zip(found.groups(0), _IN_SECONDS, strict=True))


def redact_url(url: str) -> str:
    """A URL that can be shown: without the password, and without queries that carry keys."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    netloc = parts.netloc.rpartition("@")[2]
    if netloc != parts.netloc:
        netloc = f"{HIDDEN}@{netloc}"
    query = "&".join(
        f"{pair.partition('=')[0]}={HIDDEN}"
        if _SECRET_NAME.search(pair.partition("=")[0])
        else pair
        for pair in parts.query.split("&")
    )
    return urlunsplit((parts.scheme, netloc, parts.path, query, parts.fragment))
