"""Raw access to responses, awaited; see :mod:`chatlib.client.raw`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, TypeVar, overload

from chatlib.client.async_call import aread_body, wait_for
from chatlib.client.async_streams import aopen_stream, close_generator
from chatlib.client.call import Call, ReadDeadline
from chatlib.client.casting import cast
from chatlib.client.closing import AsyncClosing, AsyncOpening
from chatlib.client.failures import to_connection_error
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
    """Return the response with a parser for its content.

    Args:
        response: The response, whose body has not been read.
        call: The call that the response belongs to.

    Returns:
        The raw response.
    """
    if call.operation.is_stream:
        stream: Any = await aopen_stream(response, call)
        return RawResponse(response, call, lambda: stream)
    response = await aread_body(response, call)
    return RawResponse(response, call, lambda: call.operation.read(response))


async def astreamed_response(response: HttpResponse, call: Call[T]) -> AsyncStreamedResponse[T]:
    """Return the response with its body still to be read.

    Args:
        response: The response, whose body has not been read.
        call: The call that the response belongs to.

    Returns:
        The response.

    Raises:
        APIStatusError: The status is an error.
    """
    if not 200 <= response.status <= 299:
        await aread_body(response, call)
    return AsyncStreamedResponse(response, call)


class AsyncStreamedResponse(UnreadResponse[T], AsyncClosing):
    """A response whose body is read asynchronously; see :class:`.StreamedResponse`."""

    async def read(self) -> bytes:
        """Read the whole body, or the rest of it. It may be called repeatedly.

        Returns:
            The body.

        Raises:
            APIConnectionError: The body could not be read, or the response was closed before.
        """
        self._check()
        try:
            return (await aread_body(self.http_response, self._call)).read()
        except APIConnectionError:
            self._is_incomplete = True
            raise

    async def text(self) -> str:
        """Read the whole body and return it as text."""
        await self.read()
        return self.http_response.text

    async def json(self) -> Any:
        """Read the whole body and return it as decoded JSON."""
        return json.loads(await self.read())

    @overload
    async def parse(self) -> T: ...

    @overload
    async def parse(self, *, to: type[S]) -> S: ...

    async def parse(self, *, to: Any = None) -> Any:
        """Return what the call returns without raw access: a completion, a page, a stream.

        Args:
            to: A type to return the body as, in place of that, see
                :func:`chatlib.client.casting.cast`.

        Raises:
            APIError: The body could not be read, contains an error or is invalid.
        """
        if to is not None:
            await self.read()
            return cast(self.http_response, to)
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
        """Iterate over the decompressed body.

        Args:
            chunk_size: The size of the chunks in bytes; None for chunks as they arrive.
        """
        return self._decode_body(ByteChunks(chunk_size))

    def iter_text(self, chunk_size: int | None = None) -> AsyncIterator[str]:
        """Iterate over the body as text.

        Args:
            chunk_size: The size of the chunks in bytes; None for chunks as they arrive.
        """
        return self._decode_body(TextChunks(chunk_size))

    def iter_lines(self) -> AsyncIterator[str]:
        """Iterate over the lines of the body, without line endings."""
        limits = self.http_response.size_limits
        return self._decode_body(TextLines(limits.max_event_bytes))

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
        """Write the body to a file, chunk by chunk.

        Args:
            file: The path of the file.
        """
        with open(file, "wb") as target:
            async for chunk in self.iter_bytes():
                target.write(chunk)

    async def close(self) -> None:
        """Close the response and release its connection."""
        self._note_end()
        await self.http_response.aclose()


class AsyncResponseManager(AsyncOpening[AsyncStreamedResponse[T]]):
    """Make the call on entering an ``async with`` block and close the response on leaving."""
