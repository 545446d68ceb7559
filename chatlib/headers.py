"""HTTP headers that hide secrets in their repr, and the headers about retries and rate limits."""

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

# Headers whose names contain one of these words are never shown: Authorization, Api-Key,
# Proxy-Authorization, Cookie, Set-Cookie, X-Auth-Token, X-Client-Secret, ...
_SECRET_NAME = re.compile(
    r"auth|key|token|secret|cookie|passw|credential|signature|jwt|bearer|dpop|^sig$", re.IGNORECASE
)
_NOT_SECRET = re.compile(r"idempotency-key|x-ratelimit-.*")
_URLS = frozenset({"location", "content-location"})

HIDDEN = "***"
"""The text shown in place of a secret."""


def is_secret(name: str) -> bool:
    """Return whether a header, query parameter or field with this name contains a secret.

    Args:
        name: The name.
    """
    return bool(_SECRET_NAME.search(name)) and not _NOT_SECRET.fullmatch(name.lower())


class Headers(Mapping[str, str]):
    """HTTP headers: an immutable mapping with case-insensitive names.

    Repeated headers are joined by ``", "``. The values of headers that contain secrets
    (Authorization, Api-Key, cookies, ...) are not part of the ``repr``; :meth:`reveal` returns
    them.

    Args:
        headers: A mapping, or pairs of names and values.
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
        """Return a copy with some headers replaced or removed.

        Args:
            changes: The new values; None removes a header.
        """
        items = dict(self._items)
        for name, value in changes.items():
            if value is None:
                items.pop(name.lower(), None)
            else:
                items[name.lower()] = (name, value)
        merged = Headers.__new__(Headers)
        merged._items = items
        return merged

    def multi_items(self) -> list[tuple[str, str]]:
        """Return the names and values, with each repeated header once."""
        return [(name.lower(), value) for name, value in self._items.values()]

    def get_list(self, name: str, split_commas: bool = False) -> list[str]:
        """Return the values of a header.

        Args:
            name: The name of the header.
            split_commas: Return the parts between commas, of which a repeated header consists.
        """
        if name not in self:
            return []
        return [part.strip() for part in self[name].split(",")] if split_commas else [self[name]]

    def reveal(self) -> dict[str, str]:
        """Return all headers as a dict, including secrets: for sending, not for display."""
        return dict(self._items.values())

    def redacted(self) -> dict[str, str]:
        """Return all headers as a dict with secrets redacted."""
        return {
            name: HIDDEN if is_secret(lower) else redact_url(value) if lower in _URLS else value
            for lower, (name, value) in self._items.items()
        }


def as_headers(headers: HeadersLike) -> Headers:
    """Convert a mapping or pairs to headers.

    Args:
        headers: The headers.
    """
    return headers if isinstance(headers, Headers) else Headers(headers)


def retry_after(headers: Headers, now: Callable[[], float] = time.time) -> float | None:
    """Return the delay that the server requests before a retry.

    ``retry-after-ms`` (milliseconds) takes precedence over ``retry-after``: seconds, possibly
    fractional, or an HTTP date (https://www.rfc-editor.org/rfc/rfc9110#field.retry-after). Some
    servers send ``5s``, or the header twice, of which the first counts. Invalid values and times in
    the past are ignored.

    Args:
        headers: The response headers.
        now: Returns the current time in seconds since the epoch.

    Returns:
        The delay in seconds; None if there is none.
    """
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        first = value.partition(",")[0].strip()
        try:
            seconds = float(first) * scale
        except ValueError:
            duration = _parse_duration(first)
            seconds = _seconds_until(value, now) if duration is None else duration
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    return None


def _seconds_until(date: str, now: Callable[[], float]) -> float:
    from email.utils import parsedate_to_datetime  # lazily, since it imports socket

    try:
        at = parsedate_to_datetime(date[:_MAX_VALUE_LENGTH])
        if at.tzinfo is None:  # HTTP dates are in GMT, even without a time zone
            at = at.replace(tzinfo=timezone.utc)
        return at.timestamp() - now()
    except (ValueError, TypeError, OverflowError, LookupError, AttributeError):
        return math.nan


@attrs.frozen(kw_only=True)
class RateLimits:
    """The rate limits in the ``x-ratelimit-*`` headers of a response; None for missing ones.

    See https://platform.openai.com/docs/guides/rate-limits.
    """

    limit_requests: int | None = None
    """The maximum number of requests."""
    limit_tokens: int | None = None
    """The maximum number of tokens."""
    remaining_requests: int | None = None
    """The number of remaining requests."""
    remaining_tokens: int | None = None
    """The number of remaining tokens."""
    reset_requests: float | None = None
    """The time in seconds until the limit of requests is reset."""
    reset_tokens: float | None = None
    """The time in seconds until the limit of tokens is reset."""

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> RateLimits:
        """Return the rate limits in response headers.

        Args:
            headers: The response headers.

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
"""The maximum length of a date or duration in a header; longer values are ignored."""

_DURATION = re.compile(
    r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d*)?)s)?(?:(\d+(?:\.\d*)?)ms)?"
)
_IN_SECONDS = (86400, 3600, 60, 1, 0.001)


def _parse_duration(text: str) -> float | None:
    """Return a duration, such as ``1h2m3.5s``, ``20ms`` or a number of seconds, in seconds."""
    if len(text) > _MAX_VALUE_LENGTH:
        return None
    if re.fullmatch(r"\d+(\.\d*)?", text):
        return float(text)
    found = _DURATION.fullmatch(text)
    if found is None or not text:
        return None
    return sum(float(n) * unit for n, unit in zip(found.groups(0), _IN_SECONDS, strict=True))


def redact_url(url: str) -> str:
    """Return a URL for display: without the password and the secrets in its query.

    Args:
        url: The URL.
    """
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
