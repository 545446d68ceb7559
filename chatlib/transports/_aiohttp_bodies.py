"""Bodies of requests and responses over aiohttp, within their timeouts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp

from chatlib.http import HttpRequest, TransportError
from chatlib.redaction import forget_frames
from chatlib.transports._aiohttp_connections import close_socket
from chatlib.transports._aiohttp_errors import FAILURES, showable, transport_error
from chatlib.transports._wire import OWN_CODINGS, Decoder

if TYPE_CHECKING:
    from chatlib.transports._configured import Configured

AT_ONCE = 65536
"""Up to how many bytes of a request are sent without a look at the clock."""


class Upload(aiohttp.Payload):
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


class Body:
    """The body of a response, in pieces as they come.

    The read timeout counts while a piece is waited for, not while the last one is dealt with.
    """

    def __init__(
        self,
        transport: Configured,
        raw: aiohttp.ClientResponse,
        request: HttpRequest,
        codings: list[str],
    ) -> None:
        self._transport = transport  # which would close the connection if it were dropped
        self._raw, self._url = raw, request.url
        self._limit = request.timeout.read
        is_known = OWN_CODINGS.issuperset(codings)
        self._decoder = Decoder(codings) if codings and is_known else None
        self._decoded: Iterator[bytes] = iter(())
        self._protocol: Any = raw.connection.protocol if raw.connection is not None else None
        if self._protocol is not None:
            self._set_timer(None)

    def __aiter__(self) -> Body:
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
        except (*FAILURES, RuntimeError) as error:
            with suppress(asyncio.TimeoutError, TimeoutError):
                # aiohttp puts an error before what it holds; but that came before the error.
                if piece := content._read_nowait(-1):
                    return piece
            self.close()
            raise transport_error(error, self._url) from showable(error, self._url)
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
        drop(self._raw)

    def __del__(self) -> None:
        loop = self._raw._loop
        if loop.is_closed():
            drop(self._raw)
        elif self._raw.connection is not None:
            with suppress(RuntimeError):  # it has been closed meanwhile
                loop.call_soon_threadsafe(drop, self._raw)

    def _set_timer(self, seconds: float | None) -> None:
        # Where the body has ended, the connection may be in the hands of another call already.
        if self._raw.connection is not None:
            self._protocol.read_timeout = seconds
            self._protocol.start_timeout()


def drop(raw: aiohttp.ClientResponse) -> None:
    """Close a response, and its connection unless that was given back."""
    connection = raw.connection  # None if it was given back at the end of the body
    if connection is not None and connection.transport is not None:
        if raw._loop.is_closed():
            close_socket(connection.transport)
            with suppress(RuntimeError):
                connection.close()
        else:
            connection.transport.abort()
    raw.close()
