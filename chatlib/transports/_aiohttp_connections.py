"""Connections of aiohttp that read responses as all transports do, and their pool.

Heads of responses are read as by all transports (:mod:`chatlib.transports._http1`), and so are
chunks: aiohttp's own parser, which refuses a length beside chunks among others, gets them spelled
strictly.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from contextvars import ContextVar
from http.client import IncompleteRead
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection

from chatlib.transports._aiohttp_errors import FAILURES
from chatlib.transports._http1 import ChunkDecoder, Head, HeadReader, MalformedResponse
from chatlib.transports._wire import STALE_SECONDS


class Used:
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


used_now: ContextVar[Used] = ContextVar("used")
"""What is told of the request that is being sent."""


class _Protocol(ResponseHandler):
    """Reads responses as all transports do, and gives aiohttp's strict parser strict HTTP."""

    used_before = False
    used: Used | None = None
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
                self._should_close = True  # force_close(), which aiohttp 3.11 lacks
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
            if not isinstance(exc, FAILURES):  # what the parser says
                exc = aiohttp.ClientPayloadError(getattr(exc, "message", None) or str(exc))
            body.set_exception(exc)


class Connector(aiohttp.TCPConnector):
    """A pool of such connections, that says whether one was used before."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        made: Any = functools.partial(_Protocol, loop=self._loop)
        self._factory = made

    async def connect(self, req: ClientRequest, *args: Any, **kwargs: Any) -> Connection:
        connection = await super().connect(req, *args, **kwargs)
        used, protocol = used_now.get(), connection.protocol
        assert isinstance(protocol, _Protocol)
        used.before, protocol.used_before = protocol.used_before, True
        used.since = time.monotonic()
        used.transport = connection.transport
        protocol.used = used
        return connection


def dispose(loop: asyncio.AbstractEventLoop, session: aiohttp.ClientSession) -> None:
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
        transports = list(transports_of(connector))
        connector._close()
        for transport in transports:
            close_socket(transport)
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


def transports_of(connector: aiohttp.BaseConnector) -> Iterator[Any]:
    """Yield the transports of a pool's connections, idle and in use."""
    idle = [protocol for kept in connector._conns.values() for protocol, _ in kept]
    for protocol in (*idle, *connector._acquired):
        if protocol.transport is not None:
            yield protocol.transport


def close_socket(transport: Any) -> None:
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
