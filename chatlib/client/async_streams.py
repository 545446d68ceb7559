"""Streams of chunks, awaited; the state is :class:`chatlib.client.streams.StreamProgress`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from chatlib.client.async_call import aread_body, wait_for
from chatlib.client.call import Call
from chatlib.client.closing import AsyncClosing
from chatlib.client.failures import to_connection_error
from chatlib.client.streams import DRAIN_BYTES, DRAIN_SECONDS, StreamProgress
from chatlib.http import HttpResponse, TransportError
from chatlib.types.chunk import ChatCompletionChunk
from chatlib.types.completion import ChatCompletion

if TYPE_CHECKING:
    from typing_extensions import Self

T_co = TypeVar("T_co", covariant=True)


class AsyncStream(AsyncClosing, Generic[T_co]):
    """The result of an awaited ``create(stream=True)``: an asynchronous iterator over the chunks.

    The connection is released at the end of the stream, by :meth:`close`, at the end of an
    ``async with`` block, and when the stream is garbage collected.

    Args:
        response: The response.
        progress: The state of the stream.
    """

    # Not a generator: asyncio closes an abandoned one in a task that nobody awaits.
    def __init__(self, response: HttpResponse, progress: StreamProgress) -> None:
        self.response = response
        """The HTTP response, for its status and headers."""
        self._progress = progress
        self._body = aiter(response)
        self._ready: Iterator[Any] = iter(())
        self._interrupted = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        progress = self._progress
        if self._interrupted:  # StopAsyncIteration would look like the end of the answer
            raise progress.cut_off("the stream was closed when the wait for it was cancelled")
        try:
            while True:
                for chunk in self._ready:
                    return cast("T_co", chunk)
                if progress.is_over:
                    break
                try:
                    self._ready = progress.feed(await self._read_body_chunk())
                except TransportError as error:
                    self._ready = progress.on_body_error(error)
        except BaseException as error:
            self._interrupted = not isinstance(error, Exception)
            await self.close()
            raise
        try:
            if progress.is_done:
                await self._drain()
        finally:
            await self.close()
        raise StopAsyncIteration

    @property
    def completion(self) -> ChatCompletion:
        """The completion received so far."""
        return self._progress.completion()

    async def get_final_completion(self) -> ChatCompletion:
        """Read the stream to its end and return the complete answer.

        Returns:
            The completion, including the chunks that were read before.

        Raises:
            IncompleteStreamError: The stream was closed before its end.
            APIError: The stream failed; each further call raises the same error.
        """
        if self._progress.failure is None:
            async for _ in self:
                pass
        return self._progress.final_completion()

    async def _read_body_chunk(self) -> bytes | None:
        limit = self._progress.limit
        left = limit.left() if limit.is_set else None
        return await wait_for(left, anext(self._body, None))

    async def _begin(self) -> None:
        """Wait for the first bytes; until they arrive, the call may be retried."""
        data = await self._read_body_chunk()
        while data is not None and not data:
            data = await self._read_body_chunk()
        if data is None:
            raise self._progress.cut_off("the stream ended without an answer")
        self._ready = self._progress.feed(data)

    async def _drain(self) -> None:
        """Read the rest of the body after ``[DONE]``, so that the connection can be reused."""
        self._progress.limit.shorten(DRAIN_SECONDS)
        size = 0
        try:
            while size <= DRAIN_BYTES and (data := await self._read_body_chunk()) is not None:
                size += len(data)
        except TransportError:
            pass

    async def close(self) -> None:
        """Close the stream and release its connection."""
        self._ready, self._progress.is_over = iter(()), True
        try:
            await self.response.aclose()
        finally:
            await close_generator(self._body)

    def __del__(self) -> None:
        if hasattr(self, "_ready"):
            self.response.close()

    def __repr__(self) -> str:
        return f"AsyncStream({self.response!r})"


async def close_generator(body: object) -> None:
    """Close an asynchronous generator that is no longer needed; ignore other iterators.

    Args:
        body: The iterator over the body of a response.
    """
    if isinstance(body, AsyncGenerator):
        with suppress(RuntimeError):  # another task waits for the next item
            await body.aclose()


async def aopen_stream(response: HttpResponse, call: Call[Any]) -> AsyncStream[ChatCompletionChunk]:
    """Open a stream once its first bytes have arrived; until then, the call may be retried.

    Args:
        response: The response, whose body has not been read.
        call: The call that the response belongs to.

    Returns:
        The stream.

    Raises:
        APIStatusError: The status is an error.
        APIConnectionError: The connection failed before the first bytes.
    """
    if not 200 <= response.status <= 299:
        await aread_body(response, call)
    stream: AsyncStream[ChatCompletionChunk] = AsyncStream(response, StreamProgress(response, call))
    try:
        await stream._begin()
    except TransportError as error:
        await stream.close()
        raise to_connection_error(error, response.request, response) from error.__cause__
    except BaseException:
        await stream.close()
        raise
    return stream
