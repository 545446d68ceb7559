"""HTTP as values: what a call sends, what comes back, and the protocol of whoever carries it.

Nothing here opens a socket. A transport is any object with ``send(request) -> response``; it raises
:class:`TransportError` (or :class:`TransportTimeout`) when no answer came, and nothing else needs
to be known about the rest of the library to write one::

    class CurlTransport:
        def send(self, request: HttpRequest) -> HttpResponse:
            status, headers, body = my_http_function(
                request.method, request.url, request.headers.reveal(), request.content
            )
            return HttpResponse(status, headers, body)

Whether to retry, to follow a redirect or to raise is decided above it, once for all transports.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timezone
from typing import Any, Protocol, TypeAlias, TypeGuard, cast
from urllib.parse import urlsplit, urlunsplit

import attrs

from chatlib._omit import Omit, omit

HeadersLike: TypeAlias = "Mapping[str, str] | Iterable[tuple[str, str]]"

# A header whose name has one of these words in it is never shown: Authorization, Api-Key,
# Proxy-Authorization, Cookie, Set-Cookie, X-Auth-Token, X-Client-Secret, ...
_SECRET_NAME = re.compile(r"auth|key|token|secret|cookie|password|credential", re.IGNORECASE)
_NOT_SECRET = {"idempotency-key", "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens"} | {
    "x-ratelimit-reset-tokens",
}

LONGEST = 10 * 365 * 86400
"""The longest time limit in seconds: clocks and sockets can't count for ever."""

HIDDEN = "***"
"""What is shown in place of a secret."""


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
            name: HIDDEN if _SECRET_NAME.search(lower) and lower not in _NOT_SECRET else value
            for lower, (name, value) in self._items.items()
        }


def _headers(headers: HeadersLike) -> Headers:
    return headers if isinstance(headers, Headers) else Headers(headers)


def retry_after(headers: Headers, now: Callable[[], float] = time.time) -> float | None:
    """How many seconds the server asks to wait; None where it does not say, or not sensibly.

    ``retry-after-ms`` (milliseconds) goes before ``retry-after``: seconds, fractions allowed, or an
    HTTP date (https://www.rfc-editor.org/rfc/rfc9110#field.retry-after). A time in the past is no
    answer.
    """
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        said = headers.get(name)
        if said is None:
            continue
        try:
            seconds = float(said) * scale
        except ValueError:
            seconds = _until(said, now)
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    return None


def _until(date: str, now: Callable[[], float]) -> float:
    from email.utils import parsedate_to_datetime  # here, as it loads socket

    try:
        at = parsedate_to_datetime(date)
        if at.tzinfo is None:  # a date of HTTP is in GMT, whether it says so or not
            at = at.replace(tzinfo=timezone.utc)
        return at.timestamp() - now()
    except (ValueError, TypeError, OverflowError):
        return math.nan


@attrs.frozen(init=False)
class Timeout:
    """How long to wait, in seconds; None means without limit.

    ``Timeout(30)`` sets connect, read, write and pool alike (``pool`` is for transports that make
    calls wait for a free connection; those of this library open another one). ``total`` bounds
    the whole call: all attempts, the waits between them and the stream to its end. A read timeout
    alone bounds only the wait for the next bytes, which a server's heartbeats defeat.
    """

    connect: float | None
    read: float | None
    write: float | None
    pool: float | None
    total: float | None

    def __init__(
        self,
        timeout: float | None = None,
        *,
        connect: float | Omit | None = omit,
        read: float | Omit | None = omit,
        write: float | Omit | None = omit,
        pool: float | Omit | None = omit,
        total: float | None = None,
    ) -> None:
        given = {"connect": connect, "read": read, "write": write, "pool": pool}
        limits = {name: timeout if value is omit else value for name, value in given.items()}
        self.__attrs_init__(**limits, total=total)  # pyright: ignore[reportAttributeAccessIssue]
        for name, value in attrs.asdict(self).items():
            if value is not None and not (_is_number(value) and 0 < value <= LONGEST):
                raise ValueError(
                    f"timeout: {name} is {value!r}; it must be a number of seconds above 0, "
                    "or None for no limit"
                )

    def within(self, seconds: float) -> Timeout:
        """This timeout with no wait longer than ``seconds``: what is left of a total."""
        waits = {
            name: seconds if limit is None else min(limit, seconds)
            for name, limit in attrs.asdict(self).items()
        }
        return Timeout(**waits)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@attrs.frozen
class HttpRequest:
    """One HTTP request: what a transport is given to send."""

    method: str
    url: str
    headers: Headers = attrs.field(factory=Headers, converter=_headers)
    content: bytes = b""
    timeout: Timeout = attrs.field(factory=Timeout)

    def __repr__(self) -> str:
        # Of the body only the size: it is as private as the key, and can be megabytes.
        shown = f"{self.method!r}, {redact_url(self.url)!r}, {self.headers!r}"
        return f"HttpRequest({shown}, <{len(self.content)} bytes>)"

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.content)


@attrs.define(repr=False)
class HttpResponse:
    """One HTTP response: a status, headers, and a body that is bytes or comes in pieces.

    Args:
        status: The status code.
        headers: Any mapping or pairs.
        body: The whole body, or an iterable of its pieces as they come. Iterating it may raise
            :class:`TransportError`.
        request: What it answers; the caller of the transport fills this in, and the next two.
        attempts: How many requests were made until it came.
        asked_to_wait: How many seconds the server asked to wait at the last failed attempt.
        on_close: Gives the connection back, or drops it where the body was not read to its end.
            Called once.
        limit_wait: Sets how many seconds the next piece may take from now on; None where the
            transport can't tell. Without it, a deadline is only noticed between two pieces.
    """

    status: int
    headers: Headers = attrs.field(factory=Headers, converter=_headers)
    body: bytes | Iterable[bytes] = b""
    request: HttpRequest | None = attrs.field(default=None, eq=False, kw_only=True)
    attempts: int = attrs.field(default=1, eq=False, kw_only=True)
    asked_to_wait: float | None = attrs.field(default=None, eq=False, kw_only=True)
    on_close: Callable[[], object] | None = attrs.field(default=None, eq=False, kw_only=True)
    limit_wait: Callable[[float | None], object] | None = attrs.field(
        default=None, eq=False, kw_only=True
    )

    @property
    def status_code(self) -> int:
        """The status, by the name that other HTTP libraries use."""
        return self.status

    @property
    def request_id(self) -> str | None:
        """The ``x-request-id`` header: what a provider's support asks for."""
        return self.headers.get("x-request-id")

    def info(self) -> ResponseInfo:
        """What is worth keeping of it after its body was read."""
        return ResponseInfo(self.status, self.headers, self.attempts, self.asked_to_wait)

    def read(self) -> bytes:
        """The whole body; the connection is given back. May be called again."""
        if not isinstance(self.body, bytes):
            try:
                content = b"".join(self.body)
            finally:
                self.close()
            self.body = content
        return self.body

    def __iter__(self) -> Iterator[bytes]:
        """The body in pieces, as they come. Does not close the response."""
        return iter((self.body,) if isinstance(self.body, bytes) else self.body)

    @property
    def text(self) -> str:
        """The whole body as text."""
        return self.read().decode("utf-8-sig", "replace")

    def json(self) -> Any:
        """The whole body, read as JSON."""
        return json.loads(self.read())

    def close(self) -> None:
        """Give the connection back. Does no harm when called twice."""
        on_close, self.on_close, self.limit_wait = self.on_close, None, None
        if on_close is not None:
            on_close()
        if not isinstance(self.body, bytes):
            self.body = b""  # what was not read will not be

    def __repr__(self) -> str:
        shown = f"{len(self.body)} bytes" if isinstance(self.body, bytes) else "open"
        return f"HttpResponse({self.status}, {self.headers!r}, <{shown}>)"


@attrs.frozen
class ResponseInfo:
    """What is worth knowing about a response after its body was read."""

    status: int
    headers: Headers
    attempts: int = 1
    """How many requests were made until this answer came."""
    retry_after: float | None = None
    """How many seconds the server asked to wait, at the last attempt that failed."""

    @property
    def request_id(self) -> str | None:
        """The ``x-request-id`` header: what a provider's support asks for."""
        return self.headers.get("x-request-id")


class Transport(Protocol):
    """Whoever carries a request to a server and brings the response.

    A ``close()`` method, where there is one, is called when the client is closed.
    """

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send the request and give the response as soon as its headers are there.

        A redirect is given back like any other response, never followed. Whatever status came is
        an answer, not an error.

        Raises:
            TransportTimeout: a limit of ``request.timeout`` was reached.
            TransportError: the connection failed in another way. The exception below it belongs
                into ``__cause__``.
        """
        ...


class TransportError(Exception):
    """No answer, or only part of one, came over the connection.

    Args:
        message: What happened, for a person.
        retryable: False where trying again can't help: a certificate that does not verify, say.
    """

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class TransportTimeout(TransportError):
    """A limit of the request's timeout was reached."""


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
