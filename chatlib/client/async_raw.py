"""Raw access, awaited: what reads in :mod:`chatlib.client.raw`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, TypeVar

from chatlib.client.async_call import aread_body, wait_for
from chatlib.client.async_streams import aopen_stream, close_generator
from chatlib.client.call import Call, ReadDeadline, to_connection_error
from chatlib.client.closing import AsyncClosing, AsyncOpening
from chatlib.client.raw import (
    ByteChunks,
    ChunkDecoder,
    RawResponse,
    TextChunks,
    TextLines,
    UnreadResponse,
)
from chatlib.errors import APIConnectionError
from chatlib.http import HttpResponse, TransportError

if TYPE_CHECKING:
    import os

S = TypeVar("S")
T = TypeVar("T")


async def araw_response(response: HttpResponse, call: Call[T]) -> RawResponse[T]:
    """As :func:`chatlib.client.raw.raw_response`."""
    if call.operation.is_stream:
        stream: Any = await aopen_stream(response, call)
        return RawResponse(response, call, lambda: stream)
    response = await aread_body(response, call)
    return RawResponse(response, call, lambda: call.operation.read(response))


async def astreamed_response(response: HttpResponse, call: Call[T]) -> AsyncStreamedResponse[T]:
    """As :func:`chatlib.client.raw.streamed_response`."""
    if not 200 <= response.status <= 299:
        await aread_body(response, call)
    return AsyncStreamedResponse(response, call)


class AsyncStreamedResponse(UnreadResponse[T], AsyncClosing):
    """As :class:`~chatlib.client.raw.StreamedResponse`, awaited."""

    async def read(self) -> bytes:
        """The whole body, or what is left of it. May be called again.

        Raises:
            APIConnectionError: it does not come, or the response was closed before.
        """
        self._check()
        try:
            return (await aread_body(self.http_response, self._call)).read()
        except APIConnectionError:
            self._is_incomplete = True
            raise

    async def text(self) -> str:
        """The whole body as text."""
        await self.read()
        return self.http_response.text

    async def json(self) -> Any:
        """The whole body, read as JSON."""
        return json.loads(await self.read())

    async def parse(self) -> T:
        """What the call returns without raw access: a completion, a page, a stream, ...

        Raises:
            APIError: the body does not come, speaks of an error, or is not what it should be.
        """
        if not self._parsed:
            self._check()
            response, call = self.http_response, self._call
            made: Any = (
                await aopen_stream(response, call)
                if call.operation.is_stream
                else call.operation.read(await aread_body(response, call))
            )
            self._parsed.append(made)
        return self._parsed[0]

    def iter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """The body in pieces as they come, or in pieces of a size. Decompressed."""
        return self._decode_body(ByteChunks(chunk_size))

    def iter_text(self, chunk_size: int | None = None) -> AsyncIterator[str]:
        """The body as text, in pieces as they come, or of so many bytes."""
        return self._decode_body(TextChunks(chunk_size))

    def iter_lines(self) -> AsyncIterator[str]:
        """The lines of the body as they come, without their ends."""
        return self._decode_body(TextLines())

    async def _decode_body(self, decoder: ChunkDecoder[S]) -> AsyncIterator[S]:
        self._check()
        limit, chunks = ReadDeadline(self._call.deadline), aiter(self.http_response)
        try:
            while True:
                chunk = await wait_for(limit.left(), anext(chunks, None))
                for part in decoder.end() if chunk is None else decoder.feed(chunk):
                    yield part
                if chunk is None:
                    return
        except TransportError as error:
            raise to_connection_error(
                error, self.http_response.request, self.http_response
            ) from error.__cause__
        finally:
            await self.close()
            await close_generator(chunks)

    async def stream_to_file(self, file: str | os.PathLike[str]) -> None:
        """Write the body to a file, piece by piece."""
        with open(file, "wb") as target:
            async for chunk in self.iter_bytes():
                target.write(chunk)

    async def close(self) -> None:
        """Give the connection back; what has not come yet will not come."""
        self._note_end()
        await self.http_response.aclose()


class AsyncResponseManager(AsyncOpening[AsyncStreamedResponse[T]]):
    """Make the call on entering an ``async with`` block and close the response on leaving."""
