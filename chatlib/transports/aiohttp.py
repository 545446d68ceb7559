"""An asynchronous transport: HTTP by ``aiohttp`` (``pip install "chatlib[async]"``).

aiohttp opens, keeps and reads the connections; what it would decide by itself (cookies, redirects,
``.netrc``, its own idea of the environment) is switched off. Heads of responses are read as by all
transports (:mod:`chatlib.transports._http1`), and so are chunks: its own parser, which refuses a
length beside chunks among others, gets them spelled strictly. Its sessions belong to one event loop
each, so there is one for each loop that the transport is used from, made when it is first needed.
A session whose loop has been closed is disposed of when the next one is made.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from http.client import HTTPException, IncompleteRead
from typing import Any, NamedTuple

import aiohttp
from aiohttp import hdrs
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from yarl import URL

from chatlib.headers import Headers, redact_url
from chatlib.http import HttpRequest, HttpResponse, TransportError, TransportTimeout, running_loop
from chatlib.redaction import concealed_urls, forget_frames, private_frames
from chatlib.transports._configured import Configured
from chatlib.transports._environment import (
    Certificate,
    authorities,
    connectable,
    origin_of,
    proxy_for,
    tls_context,
    without_credentials,
)
from chatlib.transports._http1 import ChunkDecoder, Head, HeadReader, MalformedResponse
from chatlib.transports._wire import (
    CUT_SHORT,
    STALE_SECONDS,
    Decoder,
    codings_of,
    sent_headers,
    undecodable,
)
from chatlib.urls import host_of

ENCODINGS = "gzip, deflate"
"""What is decoded, and so the only encodings to ask for."""

AT_ONCE = 65536
"""Up to how many bytes of a request are sent without a look at the clock."""

LONGEST_WORDS = 1000
"""How much of an exception's text is shown."""

IDLE_SECONDS = 60.0
"""How long a connection is kept for the next call."""

_OWN_HEADERS = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE, hdrs.USER_AGENT)
_FAILURES = (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError, HTTPException)


class AiohttpTransport(Configured):
    """Sends by ``aiohttp``; an :class:`~chatlib.http.AsyncTransport`.

    It can be made anywhere, and used from one event loop after another. It is pickled and copied as
    its configuration; the copy, and a child process after a fork, open connections of their own.

    Args:
        verify: False to trust any server, or the path of a file of CA certificates to trust.
        cert: The path of a client certificate, or a pair of the paths of certificate and key.
        ssl_context: A context of yours, in place of both; a transport that has one can't be
            pickled.
        proxies: As in requests: ``{"https": "http://proxy:3128"}``.
        trust_env: False to disregard the proxies and CA bundles that the environment names.
    """

    def __init__(
        self,
        *,
        verify: bool | str | None = None,
        cert: Certificate | None = None,
        ssl_context: ssl.SSLContext | None = None,
        proxies: Mapping[str, str] | None = None,
        trust_env: bool = True,
    ) -> None:
        proxies = concealed_urls(proxies)
        if ssl_context is not None and not (verify is None and cert is None):
            raise ValueError("ssl_context: it takes the place of verify and cert; give one of them")
        super().__init__(
            verify=verify, cert=cert, ssl_context=ssl_context, proxies=proxies, trust_env=trust_env
        )
        self._verify, self._cert, self._ssl_context = verify, cert, ssl_context
        self._proxies = proxies
        self._trust_env = trust_env
        self._made_context = ssl_context
        self._ways: dict[str, _Way] = {}
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}
        self._lock = threading.Lock()

    async def asend(self, request: HttpRequest) -> HttpResponse:
        """Send a request; see :meth:`chatlib.http.AsyncTransport.asend`."""
        with private_frames():
            return await self._send(request)

    async def _send(self, request: HttpRequest) -> HttpResponse:
        self.in_this_process()
        request = connectable(request)
        headers = sent_headers(request, ENCODINGS)
        try:
            raw, head = await self._open(request, headers)
        except _FAILURES as error:
            raise _transport_error(error, request.url) from _showable(error, request.url)
        came = Headers(raw.headers.items() if head is None else head.headers)
        codings = codings_of(came)
        refused = undecodable(codings, headers["Accept-Encoding"], ENCODINGS)
        if refused is not None:
            _drop(raw)
            raise refused
        if head is None or raw.content.at_eof():
            # A tool that replaces sessions, such as aioresponses, has made it, or has read it.
            content = b"".join(Decoder(codings).decode(await raw.read()))
            return HttpResponse(raw.status, came, content)
        body = _Body(self, raw, request, codings)
        return HttpResponse(
            head.status, came, body, on_close=body.close, limit_wait=body.limit_wait
        )

    async def _open(
        self, request: HttpRequest, headers: Headers
    ) -> tuple[aiohttp.ClientResponse, Head | None]:
        """Send, and again where an idle connection was closed just when it was to be used again."""
        way = self._way_to(request.url)
        timeout, content = request.timeout, request.content
        session = self._session()
        while True:
            used = _Used()
            using = _used.set(used)
            try:
                raw = await session.request(
                    request.method,
                    URL(request.url, encoded=True),
                    headers=way.headers(headers),
                    data=_Upload(content, timeout.write) if len(content) > AT_ONCE else content,
                    allow_redirects=False,
                    proxy=way.proxy,
                    proxy_headers=way.proxy_headers if way.secure else None,
                    ssl=self._tls() if way.speaks_tls else True,
                    timeout=aiohttp.ClientTimeout(
                        total=timeout.total,
                        connect=timeout.connect,
                        sock_read=timeout.read,
                        ceil_threshold=float("inf"),
                    ),
                )
                return raw, used.head
            except BaseException as error:
                used.abort()
                ended = isinstance(error, (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError))
                if not (ended and used.is_stale()):
                    # Without its frames, whose variables hold the headers with the key.
                    raise error.with_traceback(None) from error.__cause__
                for link in _chain(error):  # or else the frames would outlive the call
                    link.__traceback__ = None
            finally:
                _used.reset(using)

    async def aclose(self) -> None:
        """Close the connections of the running loop. A later call opens new ones.

        Those of other loops are closed by the loops, or with them.
        """
        self.in_this_process()
        with self._lock:
            session = self._sessions.pop(running_loop(), None) if self._sessions else None
            self._sweep()
        if session is not None and session.connector is not None:
            for transport in list(_transports_of(session.connector)):
                transport.abort()  # TLS would first take leave, and take its time
            await asyncio.sleep(0)  # who still reads is told now; afterwards nobody would be
            await session.close()
            await asyncio.sleep(0)  # after which they are closed

    def __del__(self) -> None:
        sessions = getattr(self, "_sessions", {})
        if sessions and self.is_of_this_process:
            for loop, session in sessions.items():
                _dispose(loop, session)
            # Last, since a filter may make an exception of it.
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)

    def _start_anew(self) -> None:
        # The parent's sessions are kept, as to forget them would be to close them.
        self._parents = self._sessions
        self._lock, self._sessions = threading.Lock(), {}

    def _session(self) -> aiohttp.ClientSession:
        """Return the session of the running event loop."""
        loop = running_loop()
        session = self._sessions.get(loop)
        if session is None or session.closed:
            session = aiohttp.ClientSession(
                connector=_Connector(limit=0, keepalive_timeout=IDLE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=_OWN_HEADERS,
                trust_env=False,
                auto_decompress=False,
            )
            with self._lock:
                self._sweep()
                self._sessions[loop] = session
        return session

    def _sweep(self) -> None:
        """Close the sessions whose event loops are closed."""
        for loop in [loop for loop in self._sessions if loop.is_closed()]:
            _dispose(loop, self._sessions.pop(loop))

    def _way_to(self, url: str) -> _Way:
        origin = origin_of(url)
        way = self._ways.get(origin)
        if way is None:
            way = _way_to(origin, proxy_for(origin, self._proxies, self._trust_env))
            self._ways[origin] = way
        return way

    def _tls(self) -> ssl.SSLContext:
        if self._made_context is None:  # which takes as long as a dozen calls
            self._made_context = tls_context(authorities(self._verify, self._trust_env), self._cert)
        return self._made_context


# How an origin is reached ---------------------------------------------------------------------


class _Way(NamedTuple):
    """How an origin is reached."""

    origin: str
    proxy: URL | None
    proxy_headers: dict[str, str]

    @property
    def secure(self) -> bool:
        return self.origin.startswith("https:")

    @property
    def speaks_tls(self) -> bool:
        return self.secure or (self.proxy is not None and self.proxy.scheme == "https")

    def headers(self, headers: Headers) -> dict[str, str]:
        """Return the headers to send, with those for a forwarding proxy."""
        shown = headers.reveal()
        return {**shown, **self.proxy_headers} if self.proxy and not self.secure else shown


def _way_to(origin: str, proxy: str | None) -> _Way:
    if proxy is None:
        return _Way(origin, None, {})
    where, authorization = without_credentials(proxy)
    if not where.startswith(("http://", "https://")):
        scheme = where.partition(":")[0]
        raise TransportError(
            f"aiohttp does not support {scheme} proxies; ThreadTransport(RequestsTransport()) does",
            retryable=False,
        )
    for_proxy = {"Proxy-Authorization": authorization} if authorization else {}
    return _Way(origin, URL(where), for_proxy)


# Connections ----------------------------------------------------------------------------------


class _Used:
    """What is known of the connection that a request is sent over, and of what comes over it."""

    before = False
    since = 0.0
    transport: asyncio.Transport | None = None
    came = False
    """Whether anything of an answer came."""
    head: Head | None = None

    def abort(self) -> None:
        """Close it now: aiohttp would first send what is left to be sent."""
        if self.transport is not None:
            self.transport.abort()

    def is_stale(self) -> bool:
        """Return whether a reused connection was closed before any response."""
        soon = time.monotonic() - self.since < STALE_SECONDS
        return self.before and soon and not self.came


_used: ContextVar[_Used] = ContextVar("used")


class _Protocol(ResponseHandler):
    """Reads responses as all transports do, and gives aiohttp's strict parser strict HTTP."""

    used_before = False
    used: _Used | None = None
    """What the request is told; None of a proxy's tunnel."""
    _heads: HeadReader | None = None
    _chunks: ChunkDecoder | None = None
    _left: int | None = None
    """How many bytes of the body are to come; None where its length is not known."""

    def set_response_params(self, **params: Any) -> None:
        self._heads = HeadReader("HEAD" if params.get("skip_payload") else None)
        self._chunks = self._left = None
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        if not data or (self._heads is None and self._chunks is None and self._left is None):
            super().data_received(data)
            return
        if self._left == 0:  # the response has ended, and nobody asked for another one
            self.close()
            return
        try:
            data = self._strict(data)
            if data:
                super().data_received(data)
            else:
                self.start_timeout()
            if self._chunks is not None and self._chunks.error is not None:
                raise self._chunks.error
        except MalformedResponse as error:
            self._heads = self._chunks = self._left = None
            self.set_exception(error)
            if self.transport is not None:
                self.transport.abort()

    def eof_received(self) -> None:
        chunks, self._chunks = self._chunks, None
        if chunks is not None:
            with suppress(IncompleteRead):
                chunks.feed_end()
                super().data_received(b"0\r\n\r\n")
        super().eof_received()

    def _strict(self, data: bytes) -> bytes:
        """Return what came as a strict parser takes it."""
        start = b""
        if self._heads is not None:
            if self.used is not None:
                self.used.came = True
            head = self._heads.feed(data)
            if head is None:
                return b""
            start, data, self._heads = head.canonical(), self._heads.rest, None
            if self.used is not None:
                self.used.head = head
            self._chunks, self._left = ChunkDecoder() if head.chunked else None, head.length
        if self._left is not None:
            if len(data) > self._left:  # more than was announced belongs to no response
                data = data[: self._left]
                self.force_close()
            self._left -= len(data)
        if self._chunks is None:
            return start + data
        piece = self._chunks.feed(data)
        chunk = b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
        if not self._chunks.done:
            return start + chunk
        self._chunks, self._left = None, 0
        return b"%b%b0\r\n\r\n" % (start, chunk)

    def set_exception(self, exc: Any, exc_cause: Any = None) -> None:
        """Tell also whoever reads the body, who would wait for it in vain."""
        body = self._payload
        super().set_exception(*filter(None, (exc, exc_cause)))
        if body is not None and body.exception() is None and not body.is_eof():
            if not isinstance(exc, _FAILURES):  # what the parser says
                exc = aiohttp.ClientPayloadError(getattr(exc, "message", None) or str(exc))
            body.set_exception(exc)


class _Connector(aiohttp.TCPConnector):
    """A pool of such connections, that says whether one was used before."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        made: Any = functools.partial(_Protocol, loop=self._loop)
        self._factory = made

    async def connect(self, req: ClientRequest, *args: Any, **kwargs: Any) -> Connection:
        connection = await super().connect(req, *args, **kwargs)
        used, protocol = _used.get(), connection.protocol
        assert isinstance(protocol, _Protocol)
        used.before, protocol.used_before = protocol.used_before, True
        used.since = time.monotonic()
        used.transport = connection.transport
        protocol.used = used
        return connection


def _dispose(loop: asyncio.AbstractEventLoop, session: aiohttp.ClientSession) -> None:
    """Close the connections of a session from outside its loop, or after that has been closed.

    It waits for nothing, since a finalizer may call it.
    """
    connector = session.connector
    if connector is None or connector.closed:
        return
    if sys.is_finalizing() and not loop.is_closed():
        # Nobody runs the loop any more. What aiohttp would log, if it were left to its finalizers,
        # waits for the lock of the log, which a stopped thread may hold.
        session.detach()
        connector._conns.clear()
        return
    if loop.is_closed():
        transports = list(_transports_of(connector))
        connector._close()
        for transport in transports:
            _close_socket(transport)
    elif loop is _running_loop():
        connector._close()
    else:
        with suppress(RuntimeError):  # it has been closed meanwhile
            loop.call_soon_threadsafe(connector._close)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _transports_of(connector: aiohttp.BaseConnector) -> Iterator[Any]:
    idle = [protocol for kept in connector._conns.values() for protocol, _ in kept]
    for protocol in (*idle, *connector._acquired):
        if protocol.transport is not None:
            yield protocol.transport


def _close_socket(transport: Any) -> None:
    """Close the socket of a transport whose loop is closed, and so can't do it."""
    with suppress(RuntimeError):
        transport.abort()  # fails at the end, when it has noted that it is closing
    held: Any = getattr(transport.get_extra_info("socket"), "_sock", None)
    if held is not None:
        held.close()
    inner = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
    for each in filter(None, (transport, inner)):
        if getattr(each, "_sock", None) is not None:
            each._sock = None  # or else it would warn that nobody had closed it


# Bodies ---------------------------------------------------------------------------------------


class _Upload(aiohttp.Payload):
    """A large body of a request: sent in steps, and within the write timeout."""

    def __init__(self, content: bytes, limit: float | None) -> None:
        super().__init__(content)
        self._content, self._limit = content, limit
        self._size = len(content)

    async def write(self, writer: Any) -> None:
        await asyncio.wait_for(self._write(writer), self._limit)

    async def write_with_length(self, writer: Any, content_length: int | None) -> None:
        await self.write(writer)

    async def _write(self, writer: Any) -> None:
        for start in range(0, len(self._content), AT_ONCE):
            await writer.write(self._content[start : start + AT_ONCE])

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._content.decode(encoding, errors)


class _Body:
    """The body of a response, in pieces as they come.

    The read timeout counts while a piece is waited for, not while the last one is dealt with.
    """

    def __init__(
        self,
        transport: AiohttpTransport,
        raw: aiohttp.ClientResponse,
        request: HttpRequest,
        codings: list[str],
    ) -> None:
        self._transport = transport  # which would close the connection if it were dropped
        self._raw, self._url = raw, request.url
        self._limit = request.timeout.read
        is_known = {"gzip", "x-gzip", "deflate"}.issuperset(codings)
        self._decoder = Decoder(codings) if codings and is_known else None
        self._decoded: Iterator[bytes] = iter(())
        self._protocol: Any = raw.connection.protocol if raw.connection is not None else None
        if self._protocol is not None:
            self._set_timer(None)

    def __aiter__(self) -> _Body:
        return self

    async def __anext__(self) -> bytes:
        if self._decoder is None:
            return await self._next()
        while True:
            try:
                for piece in self._decoded:
                    return piece
            except TransportError:
                self.close()
                raise
            self._decoded = self._decoder.decode(await self._next())

    async def _next(self) -> bytes:
        content = self._raw.content
        try:
            piece = content.read_nowait(-1)
            if not piece and not content.at_eof():
                self._set_timer(self._limit)
                piece = await content.readany()
                self._set_timer(None)
        except (*_FAILURES, RuntimeError) as error:
            with suppress(asyncio.TimeoutError, TimeoutError):
                # aiohttp puts an error before what it holds; but that came before the error.
                if piece := content._read_nowait(-1):
                    return piece
            self.close()
            raise _transport_error(error, self._url) from _showable(error, self._url)
        except BaseException as error:  # a cancellation
            forget_frames(error)
            self.close()
            raise
        if piece:
            return piece
        self.close()
        raise StopAsyncIteration

    def limit_wait(self, seconds: float | None) -> None:
        """Set how long the next piece may take."""
        self._limit = seconds

    def close(self) -> None:
        """Give the connection back; drop it where the body was not read to its end."""
        _drop(self._raw)

    def __del__(self) -> None:
        loop = self._raw._loop
        if loop.is_closed():
            _drop(self._raw)
        elif self._raw.connection is not None:
            with suppress(RuntimeError):  # it has been closed meanwhile
                loop.call_soon_threadsafe(_drop, self._raw)

    def _set_timer(self, seconds: float | None) -> None:
        # Where the body has ended, the connection may be in the hands of another call already.
        if self._raw.connection is not None:
            self._protocol.read_timeout = seconds
            self._protocol.start_timeout()


def _drop(raw: aiohttp.ClientResponse) -> None:
    connection = raw.connection  # None if it was given back at the end of the body
    if connection is not None and connection.transport is not None:
        if raw._loop.is_closed():
            _close_socket(connection.transport)
            with suppress(RuntimeError):
                connection.close()
        else:
            connection.transport.abort()
    raw.close()


# Failures -------------------------------------------------------------------------------------


def _transport_error(error: BaseException, url: str) -> TransportError:
    """Convert an exception of aiohttp or the socket; clear the frames of its traceback.

    Their variables hold the request with its key.
    """
    chain = list(_chain(error))
    for link in chain:
        link.__traceback__ = None
    host = host_of(url)
    if any(isinstance(link, (asyncio.TimeoutError, TimeoutError)) for link in chain):
        return TransportTimeout(f"{host}: {_lateness(error)}")
    why = _why(error)
    if host not in why:
        why = f"{host}: {why}"
    hopeless = any(isinstance(link, (ssl.SSLCertVerificationError, ValueError)) for link in chain)
    return TransportError(why, retryable=not hopeless)


def _lateness(error: BaseException) -> str:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "connecting took too long"
    if isinstance(error, aiohttp.SocketTimeoutError):
        return "nothing came for too long"
    return "it took too long"


def _why(error: BaseException) -> str:
    """Return the message of an exception, without quotes of the request."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        words = error.message[:LONGEST_WORDS]
        return f"the proxy refused the tunnel: {error.status} {words}".rstrip()
    if isinstance(error, aiohttp.ClientResponseError):
        return f"the answer is no HTTP: {error.message[:LONGEST_WORDS]}"
    if isinstance(error, aiohttp.ClientPayloadError) and "not completed" in str(error)[:99]:
        return CUT_SHORT
    if isinstance(error, aiohttp.InvalidURL):
        return "the URL can't be sent to"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"{error.host}:{error.port}: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        why = f"{error.host}:{error.port}: {error.os_error}"
        by_proxy = isinstance(error, aiohttp.ClientProxyConnectionError)
        return f"the proxy failed: {why}" if by_proxy else why
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server closed the connection"
    if isinstance(error, ValueError) and not isinstance(error, aiohttp.ClientError):
        return f"the request can't be sent: {type(error).__name__}"  # its words may quote a header
    return str(error)[:LONGEST_WORDS] or type(error).__name__


def _showable(error: BaseException, url: str) -> BaseException:
    """Return the exception, or a replacement if it quotes the request, which may have secrets."""
    if not isinstance(error, (aiohttp.ClientResponseError, ValueError)) and redact_url(url) == url:
        return error
    inner = list(_chain(error))[-1]
    return inner if type(inner) is OSError else aiohttp.ClientError(_why(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its causes, outermost first."""
    seen: list[BaseException] = []
    while error is not None and not any(error is known for known in seen):
        seen.append(error)
        yield error
        context = error.__context__
        # Further down the context leaves the network and reaches what the caller was handling.
        below = context if isinstance(context, (*_FAILURES, asyncio.CancelledError)) else None
        carried = getattr(error, "certificate_error", None) or getattr(error, "os_error", None)
        error = carried or error.__cause__ or below
