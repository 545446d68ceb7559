"""A stream of chunks, awaited: the reading of :mod:`chatlib.client.streams`, whose flow decides."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from chatlib.client.async_call import aread_body, wait_for
from chatlib.client.call import Call, to_connection_error
from chatlib.client.closing import AsyncClosing
from chatlib.client.streams import DRAIN_BYTES, DRAIN_SECONDS, StreamProgress
from chatlib.http import HttpResponse, TransportError
from chatlib.types.chunk import ChatCompletionChunk
from chatlib.types.completion import ChatCompletion

if TYPE_CHECKING:
    from typing_extensions import Self

T_co = TypeVar("T_co", covariant=True)


class AsyncStream(AsyncClosing, Generic[T_co]):
    """What an awaited ``create(stream=True)`` returns: chunks as they come, by ``async for``.

    The connection is given back when the stream ends, when it is closed, at the end of an ``async
    with`` and when the stream is dropped.
    """

    # No generator: one that is left early is closed by a task that nobody waits for.
    def __init__(self, response: HttpResponse, progress: StreamProgress) -> None:
        self.response = response
        """The response, for its status and headers."""
        self._progress = progress
        self._body = aiter(response)
        self._ready: Iterator[Any] = iter(())
        self._interrupted = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        progress = self._progress
        if self._interrupted:  # to end here would look like the end of the answer
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
        """What has come so far, joined to a completion."""
        return self._progress.completion()

    async def get_final_completion(self) -> ChatCompletion:
        """Read to the end and return the whole answer; raises as the synchronous one."""
        if self._progress.failure is None:
            async for _ in self:
                pass
        return self._progress.final_completion()

    async def _read_body_chunk(self) -> bytes | None:
        limit = self._progress.limit
        left = limit.left() if limit.is_set else None
        return await wait_for(left, anext(self._body, None))

    async def _begin(self) -> None:
        """Wait for the first bytes: until they have come, a call may be retried."""
        data = await self._read_body_chunk()
        while data is not None and not data:
            data = await self._read_body_chunk()
        if data is None:
            raise self._progress.cut_off("the stream ended without an answer")
        self._ready = self._progress.feed(data)

    async def _drain(self) -> None:
        """Read the little that may follow ``[DONE]``, so that the connection can be used again."""
        self._progress.limit.shorten(DRAIN_SECONDS)
        size = 0
        try:
            while size <= DRAIN_BYTES and (data := await self._read_body_chunk()) is not None:
                size += len(data)
        except TransportError:
            pass

    async def close(self) -> None:
        """Give the connection back; what has not come yet will not come."""
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
    """End an asynchronous generator that is not used any more; whatever else is left alone."""
    if isinstance(body, AsyncGenerator):
        with suppress(RuntimeError):  # another task waits for its next item, and is about to end
            await body.aclose()


async def aopen_stream(response: HttpResponse, call: Call[Any]) -> AsyncStream[ChatCompletionChunk]:
    """As :func:`chatlib.client.streams.open_stream`."""
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
