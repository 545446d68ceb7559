"""HTTP as values: requests, responses, timeouts, and the protocols of transports.

Nothing here does I/O. A transport is any object with ``send(request) -> response``, or a coroutine
method ``asend(request)``. It raises :class:`TransportError` (or :class:`TransportTimeout`) if no
response was received. To write one, nothing else of the library needs to be known::

    class CurlTransport:
        def send(self, request: HttpRequest) -> HttpResponse:
            status, headers, body = my_http_function(
                request.method, request.url, request.headers.reveal(), request.content
            )
            return HttpResponse(status, headers, body)

Retries, redirects and errors are handled above it, once for all transports.
"""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from chatlib.headers import Headers as Headers
from chatlib.headers import RateLimits, as_headers, redact_url
from chatlib.sentinels import NOT_GIVEN as NOT_GIVEN
from chatlib.sentinels import NotGiven as NotGiven
from chatlib.sentinels import Omit as Omit
from chatlib.sentinels import is_omitted as is_omitted
from chatlib.sentinels import not_given as not_given
from chatlib.sentinels import omit as omit
from chatlib.size_limits import DEFAULT_SIZE_LIMITS, BoundedBody
from chatlib.size_limits import SizeLimits as SizeLimits
from chatlib.timeouts import LONGEST as LONGEST
from chatlib.timeouts import Timeout as Timeout
from chatlib.url_text import UrlText

if TYPE_CHECKING:
    import asyncio

    from typing_extensions import Self


def sized(content: bytes) -> str:
    """Return the size of a body for display.

    Args:
        content: The body.
    """
    return f"<{len(content)} bytes>"


@attrs.frozen
class HttpRequest:
    """An HTTP request.

    Args:
        method: The HTTP method.
        url: The URL.
        headers: The headers.
        content: The body.
        timeout: The timeouts.
        size_limits: How much of the response is read into memory.
    """

    method: str
    url: UrlText = attrs.field(converter=UrlText)
    headers: Headers = attrs.field(factory=Headers, converter=as_headers)
    content: bytes = attrs.field(default=b"", repr=sized)
    timeout: Timeout = attrs.field(factory=Timeout)
    size_limits: SizeLimits = DEFAULT_SIZE_LIMITS

    def __repr__(self) -> str:
        # Only the size of the body: it is private, and may be large.
        shown = f"{self.method!r}, {redact_url(self.url)!r}, {self.headers!r}"
        return f"HttpRequest({shown}, {sized(self.content)})"

    def json(self) -> Any:
        """Return the body as decoded JSON."""
        return json.loads(self.content)


@attrs.define(repr=False)
class HttpResponse:
    """An HTTP response; the body is bytes or an iterable of chunks.

    Args:
        status: The HTTP status code.
        headers: The headers, as a mapping or pairs.
        body: The whole body, or an iterable of its chunks as they arrive; an asynchronous one from
            an :class:`AsyncTransport`. Iterating over it may raise :class:`TransportError`.
        request: The request; set by the caller of the transport, as are the next three.
        attempts: The number of attempts until this response.
        asked_to_wait: The delay in seconds that the server requested at the last failed attempt.
        elapsed: The time in seconds between sending the request and receiving the headers.
        on_close: Releases the connection, or closes it if the body was not read to its end. Called
            once; the result is awaited if it is awaitable.
        limit_wait: Sets the timeout in seconds for the next chunk; None if the transport does not
            support it. Without it, a deadline is only checked between two chunks.
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
        """The HTTP status code, by the name that other HTTP libraries use."""
        return self.status

    @property
    def reason_phrase(self) -> str:
        """The text that HTTP has for the status, such as "Too Many Requests"."""
        from http import HTTPStatus  # lazily: few programs ask

        try:
            return HTTPStatus(self.status).phrase
        except ValueError:
            return ""

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status <= 299

    @property
    def is_error(self) -> bool:
        """Whether the status is 4xx or 5xx."""
        return 400 <= self.status <= 599

    @property
    def url(self) -> UrlText:
        """The URL of the request."""
        return self.request.url if self.request is not None else UrlText("")

    @property
    def content(self) -> bytes:
        """The whole body."""
        return self.read()

    def raise_for_status(self) -> Self:
        """Return the response itself.

        Raises:
            HTTPStatusError: The status is not 2xx.
        """
        if self.is_success:
            return self
        raise HTTPStatusError(
            f"{self.status} {self.reason_phrase} for url {redact_url(self.url)}", self
        )

    @property
    def request_id(self) -> str | None:
        """The ``x-request-id`` header, which support teams ask for."""
        return self.headers.get("x-request-id")

    def info(self) -> ResponseInfo:
        """Return the metadata that is kept after the body was read."""
        return ResponseInfo(self.status, self.headers, self.attempts, self.asked_to_wait)

    @property
    def size_limits(self) -> SizeLimits:
        """The limits of the request."""
        return DEFAULT_SIZE_LIMITS if self.request is None else self.request.size_limits

    def _collected(self) -> BoundedBody:
        name = "max_response_bytes" if self.is_success else "max_error_bytes"
        return BoundedBody(name, getattr(self.size_limits, name))

    def read(self) -> bytes:
        """Read the whole body and release the connection. It may be called repeatedly.

        If the body breaks off or is too large, :attr:`body` is what was received.

        Raises:
            ResponseTooLarge: It is larger than ``max_response_bytes``, or than ``max_error_bytes``
                if the status is an error.
        """
        if not isinstance(self.body, bytes):
            collected = self._collected()
            try:
                for piece in self:
                    if not collected.add(piece):
                        raise ResponseTooLarge(collected.name, collected.limit)
            finally:
                self.close()
                self.body = collected.joined()
        return self.body

    async def aread(self) -> bytes:
        """Read the whole body asynchronously and release the connection.

        It is for the responses of an :class:`AsyncTransport` and may be called repeatedly.

        Raises:
            ResponseTooLarge: As for :meth:`read`.
        """
        if not isinstance(self.body, bytes):
            collected = self._collected()
            try:
                async for piece in self:
                    if not collected.add(piece):
                        raise ResponseTooLarge(collected.name, collected.limit)
            finally:
                await self.aclose()
                self.body = collected.joined()
        return self.body

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the chunks of the body. This does not close the response."""
        if isinstance(self.body, bytes):
            return iter((self.body,))
        if not isinstance(self.body, Iterable):
            raise TypeError("the body is asynchronous: iterate over it with `async for`")
        return iter(self.body)

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the chunks of the body. This does not close the response."""
        if isinstance(self.body, AsyncIterable):
            return aiter(self.body)
        return _as_async(self)

    @property
    def text(self) -> str:
        """The whole body as text: as UTF-8, or else in the charset that its Content-Type names."""
        content = self.read()
        if len(content) > 2 and content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return content.decode("utf-16", "replace")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            named = _CHARSET.search(self.headers.get("content-type", "")[:1000])
        try:
            return content.decode(named[1] if named else "utf-8-sig", "replace")
        except (LookupError, ValueError):  # there is no such encoding, or it is none for text
            return content.decode("utf-8-sig", "replace")

    def json(self) -> Any:
        """Return the whole body as decoded JSON."""
        return json.loads(self.read())

    def close(self) -> None:
        """Release the connection. It may be called repeatedly."""
        on_close, self.on_close, self.limit_wait = self.on_close, None, None
        if not isinstance(self.body, bytes):
            self.body = b""  # the rest of the body is discarded
        if on_close is not None:
            on_close()

    async def aclose(self) -> None:
        """Release the connection, for responses of an :class:`AsyncTransport`."""
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


class HTTPStatusError(Exception):
    """A response whose status is not 2xx, raised by :meth:`HttpResponse.raise_for_status`."""

    def __init__(self, message: str, response: HttpResponse) -> None:
        super().__init__(message)
        self.response = response
        self.request = response.request


_CHARSET = re.compile(r"charset=[\"']?([A-Za-z0-9._-]{1,40})", re.IGNORECASE)


async def _as_async(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@attrs.frozen
class ResponseInfo:
    """The metadata of a response, kept after its body was read.

    Args:
        status: The HTTP status code.
        headers: The headers.
        attempts: The number of attempts until this response.
        retry_after: The delay in seconds that the server requested at the last failed attempt.
    """

    status: int
    headers: Headers
    attempts: int = 1
    """The number of attempts until this response."""
    retry_after: float | None = None
    """The delay in seconds that the server requested at the last failed attempt."""

    @property
    def request_id(self) -> str | None:
        """The ``x-request-id`` header, which support teams ask for."""
        return self.headers.get("x-request-id")

    @property
    def rate_limits(self) -> RateLimits:
        """The rate limits in the ``x-ratelimit-*`` headers."""
        return RateLimits.from_headers(self.headers)


class Transport(Protocol):
    """Send a request and return its response.

    A ``close()`` method, if there is one, is called when the client is closed.
    """

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send a request and return the response when its headers have arrived.

        Redirects are returned like any other response, not followed. No status is an error.

        Args:
            request: The request.

        Returns:
            The response.

        Raises:
            TransportTimeout: One of the timeouts of the request expired.
            TransportError: The connection failed otherwise. The original exception is the
                ``__cause__``.
        """
        ...


class AsyncTransport(Protocol):
    """Send a request and return its response, asynchronously.

    The bodies of its responses are bytes or asynchronous iterables of bytes. Cancelling
    :meth:`asend`, or the wait for a chunk of the body, must close the connection. An ``aclose()``
    or ``close()`` method, if there is one, is called when the client is closed.
    """

    def asend(self, request: HttpRequest) -> Awaitable[HttpResponse]:
        """Send a request and return the response; see :meth:`Transport.send`.

        It is awaited, and usually declared with ``async def``.

        Args:
            request: The request.

        Returns:
            The response.
        """
        ...


class TransportError(Exception):
    """No response was received, or an incomplete one.

    Args:
        message: A description of the problem.
        retryable: Whether a retry may succeed; False, for example, if a certificate is invalid.
    """

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class TransportTimeout(TransportError):
    """One of the timeouts of a request expired.

    Args:
        message: A description of the problem.
        retryable: Whether a retry may succeed.
        limit: Which one: ``connect``, ``read``, ``write``, ``pool`` or ``total``; "" if the message
            says it.
    """

    def __init__(self, message: str, *, retryable: bool = True, limit: str = "") -> None:
        super().__init__(message, retryable=retryable)
        self.limit = limit


class ResponseTooLarge(TransportError):
    """A response is larger than its :class:`SizeLimits`; the rest of it was not read.

    Args:
        name: The name of the limit.
        limit: The limit in bytes.
        what: What is larger than that.
    """

    def __init__(self, name: str, limit: int, what: str = "the response") -> None:
        super().__init__(f"{what} is larger than {name}={limit}", retryable=False)


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the running event loop.

    Raises:
        RuntimeError: No asyncio event loop is running.
    """
    import asyncio  # lazily: synchronous programs do not need it

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
