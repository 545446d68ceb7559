"""An asynchronous transport: HTTP by ``aiohttp`` (``pip install "chatlib[async]"``).

aiohttp opens, keeps and reads the connections; what it would decide by itself (cookies, redirects,
``.netrc``, its own idea of the environment) is switched off. Its sessions belong to one event loop
each, so there is one for each loop that the transport is used from, made when it is first needed.
A session whose loop has been closed is disposed of when the next one is made.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import warnings
from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

import aiohttp
from aiohttp import hdrs
from yarl import URL

from chatlib.headers import Headers
from chatlib.http import HttpRequest, HttpResponse, TransportError, running_loop
from chatlib.redaction import concealed_urls, private_frames
from chatlib.transports._aiohttp_bodies import AT_ONCE, Body, Upload, drop
from chatlib.transports._aiohttp_connections import (
    Connector,
    Used,
    dispose,
    transports_of,
    used_now,
)
from chatlib.transports._aiohttp_errors import FAILURES, chain_of, showable, transport_error
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
from chatlib.transports._http1 import Head
from chatlib.transports._wire import Decoder, codings_of, sent_headers, undecodable

ENCODINGS = "gzip, deflate"
"""What is decoded, and so the only encodings to ask for."""

IDLE_SECONDS = 60.0
"""How long a connection is kept for the next call."""

_OWN_HEADERS = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE, hdrs.USER_AGENT)


async def _decoded(content: bytes, codings: list[str]) -> AsyncIterator[bytes]:
    for piece in Decoder(codings).decode(content):
        yield piece


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
        except FAILURES as error:
            raise transport_error(error, request.url) from showable(error, request.url)
        came = Headers(raw.headers.items() if head is None else head.headers)
        codings = codings_of(came)
        refused = undecodable(codings, headers["Accept-Encoding"], ENCODINGS)
        if refused is not None:
            drop(raw)
            raise refused
        if head is None or raw.content.at_eof():
            # A tool that replaces sessions, such as aioresponses, has made it, or has read it.
            content = await raw.read()
            if not codings:
                return HttpResponse(raw.status, came, content)
            return HttpResponse(raw.status, came, _decoded(content, codings))
        body = Body(self, raw, request, codings)
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
            used = Used()
            using = used_now.set(used)
            try:
                raw = await session.request(
                    request.method,
                    URL(request.url, encoded=True),
                    headers=way.headers(headers),
                    data=Upload(content, timeout.write) if len(content) > AT_ONCE else content,
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
                for link in chain_of(error):  # or else the frames would outlive the call
                    link.__traceback__ = None
            finally:
                used_now.reset(using)

    async def aclose(self) -> None:
        """Close the connections of the running loop. A later call opens new ones.

        Those of other loops are closed by the loops, or with them.
        """
        self.in_this_process()
        with self._lock:
            session = self._sessions.pop(running_loop(), None) if self._sessions else None
            self._sweep()
        if session is not None and session.connector is not None:
            for transport in list(transports_of(session.connector)):
                transport.abort()  # TLS would first take leave, and take its time
            await asyncio.sleep(0)  # who still reads is told now; afterwards nobody would be
            await session.close()
            await asyncio.sleep(0)  # after which they are closed

    def __del__(self) -> None:
        sessions = getattr(self, "_sessions", {})
        if sessions and self.is_of_this_process:
            for loop, session in sessions.items():
                dispose(loop, session)
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
                connector=Connector(limit=0, keepalive_timeout=IDLE_SECONDS),
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
            dispose(loop, self._sessions.pop(loop))

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
