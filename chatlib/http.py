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

import enum
import json
import sys
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

import attrs

from chatlib.headers import Headers as Headers
from chatlib.headers import RateLimits, as_headers, redact_url
from chatlib.redaction import concealed_url

if TYPE_CHECKING:
    import asyncio


class Omit(enum.Enum):
    """The type of :data:`omit`."""

    OMIT = "omit"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "omit"


omit = Omit.OMIT
"""Leave a parameter out, as if it had not been given."""

NotGiven = Omit
"""The older name of :class:`Omit`, known from the official package."""

NOT_GIVEN = not_given = omit
"""The older names of :data:`omit`, known from the official package."""


LONGEST = 10 * 365 * 86400
"""The longest time limit in seconds: clocks and sockets can't count for ever."""

STREAM_END = 15.0
"""How long a finished stream may be silent before it counts as ended, unless a timeout says so."""


@attrs.frozen(init=False)
class Timeout:
    """How long to wait, in seconds; None means without limit.

    ``Timeout(30)`` sets connect, read, write and pool alike (``pool`` is for transports that make
    calls wait for a free connection; those of this library open another one). ``total`` bounds
    the whole call: all attempts, the waits between them and the stream to its end. A read timeout
    alone bounds only the wait for the next bytes, which a server's heartbeats defeat.

    ``stream_end`` bounds the silence after a stream has its finish reasons: a server that then
    sends neither a byte nor ``[DONE]`` and keeps the connection open for so long has ended the
    stream. Each byte that comes restarts it. Unless given, it is 15 seconds; with None, ``read``
    and ``total`` are the only limits.
    """

    connect: float | None
    read: float | None
    write: float | None
    pool: float | None
    total: float | None
    stream_end: float | None

    def __init__(
        self,
        timeout: float | None = None,
        *,
        connect: float | Omit | None = omit,
        read: float | Omit | None = omit,
        write: float | Omit | None = omit,
        pool: float | Omit | None = omit,
        total: float | None = None,
        stream_end: float | None = STREAM_END,
    ) -> None:
        given = {"connect": connect, "read": read, "write": write, "pool": pool}
        limits = {name: timeout if value is omit else value for name, value in given.items()}
        limits |= {"total": total, "stream_end": stream_end}
        self.__attrs_init__(**limits)  # pyright: ignore[reportAttributeAccessIssue]
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


def _conceal_url_if_secret(url: str) -> str:
    return concealed_url(url) if "@" in url or "?" in url else url


def sized(content: bytes) -> str:
    """Return what is shown of a body: its size."""
    return f"<{len(content)} bytes>"


@attrs.frozen
class HttpRequest:
    """One HTTP request: what a transport is given to send."""

    method: str
    url: str = attrs.field(converter=_conceal_url_if_secret)
    headers: Headers = attrs.field(factory=Headers, converter=as_headers)
    content: bytes = attrs.field(default=b"", repr=sized)
    timeout: Timeout = attrs.field(factory=Timeout)

    def __repr__(self) -> str:
        # Of the body only the size: it is as private as the key, and can be megabytes.
        shown = f"{self.method!r}, {redact_url(self.url)!r}, {self.headers!r}"
        return f"HttpRequest({shown}, {sized(self.content)})"

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.content)


@attrs.define(repr=False)
class HttpResponse:
    """One HTTP response: a status, headers, and a body that is bytes or comes in pieces.

    Args:
        status: The status code.
        headers: Any mapping or pairs.
        body: The whole body, or an iterable of its pieces as they come; an asynchronous one from
            an :class:`AsyncTransport`. Iterating it may raise :class:`TransportError`.
        request: What it answers; the caller of the transport fills this in, and the next three.
        attempts: How many requests were made until it came.
        asked_to_wait: How many seconds the server asked to wait at the last failed attempt.
        elapsed: How many seconds passed between sending the request and these headers.
        on_close: Gives the connection back, or drops it where the body was not read to its end.
            Called once. What it returns is awaited, where it can be.
        limit_wait: Sets how many seconds the next piece may take from now on; None where the
            transport can't tell. Without it, a deadline is only noticed between two pieces.
    """

    status: int
    headers: Headers = attrs.field(factory=Headers, converter=as_headers)
    body: bytes | Iterable[bytes] | AsyncIterable[bytes] = b""
    request: HttpRequest | None = attrs.field(default=None, eq=False, kw_only=True)
    attempts: int = attrs.field(default=1, eq=False, kw_only=True)
    asked_to_wait: float | None = attrs.field(default=None, eq=False, kw_only=True)
    elapsed: float = attrs.field(default=0.0, eq=False, kw_only=True)
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
            pieces = iter(self)
            try:
                content = b"".join(pieces)
            finally:
                self.close()
            self.body = content
        return self.body

    async def aread(self) -> bytes:
        """:meth:`read`, awaited: for the responses of an :class:`AsyncTransport`."""
        if not isinstance(self.body, bytes):
            try:
                content = b"".join([piece async for piece in self])
            finally:
                await self.aclose()
            self.body = content
        return self.body

    def __iter__(self) -> Iterator[bytes]:
        """The body in pieces, as they come. Does not close the response."""
        if isinstance(self.body, bytes):
            return iter((self.body,))
        if not isinstance(self.body, Iterable):
            raise TypeError("the body comes asynchronously: iterate it by `async for`")
        return iter(self.body)

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body in pieces, as they come. Does not close the response."""
        if isinstance(self.body, AsyncIterable):
            return aiter(self.body)
        return _as_async(self)

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
        if not isinstance(self.body, bytes):
            self.body = b""  # what was not read will not be
        if on_close is not None:
            on_close()

    async def aclose(self) -> None:
        """:meth:`close`, awaited: for the responses of an :class:`AsyncTransport`."""
        on_close, self.on_close, self.limit_wait = self.on_close, None, None
        if not isinstance(self.body, bytes):
            self.body = b""
        if on_close is not None:
            done = on_close()
            if isinstance(done, Awaitable):
                await done

    def __repr__(self) -> str:
        shown = f"{len(self.body)} bytes" if isinstance(self.body, bytes) else "open"
        return f"HttpResponse({self.status}, {self.headers!r}, <{shown}>)"


async def _as_async(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


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

    @property
    def rate_limits(self) -> RateLimits:
        """What the ``x-ratelimit-*`` headers say, as numbers and seconds."""
        return RateLimits.from_headers(self.headers)


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


class AsyncTransport(Protocol):
    """Send a request and return its response, asynchronously.

    The bodies of its responses are bytes or asynchronous iterables of bytes. Cancelling
    :meth:`asend`, or the wait for a chunk of the body, must close the connection. An ``aclose()``
    or ``close()`` method, if there is one, is called when the client is closed.
    """

    def asend(self, request: HttpRequest) -> Awaitable[HttpResponse]:
        """Send a request as :meth:`Transport.send` does, but awaited; usually ``async def``."""
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


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the running event loop.

    Raises:
        RuntimeError: asyncio does not run here.
    """
    import asyncio  # here, as a program that awaits nothing does not load it

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(_no_loop_message()) from None


def _no_loop_message() -> str:
    found = "trio is running" if _in_trio() else "no event loop is running"
    return (
        f"chatlib's asynchronous calls need asyncio, and {found}: run them with asyncio.run(); "
        "under trio (or anyio on trio), use the synchronous client, by "
        "trio.to_thread.run_sync(), or trio-asyncio"
    )


def _in_trio() -> bool:
    trio: Any = sys.modules.get("trio")
    try:
        return trio is not None and bool(trio.lowlevel.in_trio_run())
    except AttributeError:  # an older trio
        return False
