"""A stream of chunks, awaited: the reading of :mod:`chatlib.client.streams`, whose flow decides."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from chatlib.client.async_call import awhole, within
from chatlib.client.call import Call, lost
from chatlib.client.closing import AsyncClosing
from chatlib.client.streams import DRAIN_BYTES, DRAIN_SECONDS, Flow
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
    def __init__(self, response: HttpResponse, flow: Flow) -> None:
        self.response = response
        """The response, for its status and headers."""
        self._flow = flow
        self._pieces = aiter(response)
        self._ready: Iterator[Any] = iter(())
        self._interrupted = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        flow = self._flow
        if self._interrupted:  # to end here would look like the end of the answer
            raise flow.cut_off("the stream was closed when the wait for it was cancelled")
        try:
            while True:
                for chunk in self._ready:
                    return cast("T_co", chunk)
                if flow.over:
                    break
                try:
                    self._ready = flow.feed(await self._next_piece())
                except TransportError as error:
                    self._ready = flow.broke(error)
        except BaseException as error:
            self._interrupted = not isinstance(error, Exception)
            await self.close()
            raise
        try:
            if flow.is_done:
                await self._drain()
        finally:
            await self.close()
        raise StopAsyncIteration

    @property
    def completion(self) -> ChatCompletion:
        """What has come so far, joined to a completion."""
        return self._flow.completion()

    async def get_final_completion(self) -> ChatCompletion:
        """Read to the end and return the whole answer; raises as the synchronous one."""
        if self._flow.failure is None:
            async for _ in self:
                pass
        return self._flow.final_completion()

    async def _next_piece(self) -> bytes | None:
        limit = self._flow.limit
        left = limit.left() if limit.is_set else None
        return await within(left, anext(self._pieces, None))

    async def _begin(self) -> None:
        """Wait for the first bytes: until they have come, a call may be retried."""
        piece = await self._next_piece()
        while piece is not None and not piece:
            piece = await self._next_piece()
        if piece is None:
            raise self._flow.cut_off("the stream ended without an answer")
        self._ready = self._flow.feed(piece)

    async def _drain(self) -> None:
        """Read the little that may follow ``[DONE]``, so that the connection can be used again."""
        self._flow.limit.shorten(DRAIN_SECONDS)
        size = 0
        try:
            while size <= DRAIN_BYTES and (piece := await self._next_piece()) is not None:
                size += len(piece)
        except TransportError:
            pass

    async def close(self) -> None:
        """Give the connection back; what has not come yet will not come."""
        self._ready, self._flow.over = iter(()), True
        try:
            await self.response.aclose()
        finally:
            await finish(self._pieces)

    def __del__(self) -> None:
        if hasattr(self, "_ready"):
            self.response.close()

    def __repr__(self) -> str:
        return f"AsyncStream({self.response!r})"


async def finish(pieces: object) -> None:
    """End an asynchronous generator that is not used any more; whatever else is left alone."""
    if isinstance(pieces, AsyncGenerator):
        with suppress(RuntimeError):  # another task waits for its next item, and is about to end
            await pieces.aclose()


async def aopen_stream(response: HttpResponse, call: Call[Any]) -> AsyncStream[ChatCompletionChunk]:
    """As :func:`chatlib.client.streams.open_stream`."""
    if not 200 <= response.status <= 299:
        await awhole(response, call)
    stream: AsyncStream[ChatCompletionChunk] = AsyncStream(response, Flow(response, call))
    try:
        await stream._begin()
    except TransportError as error:
        await stream.close()
        raise lost(error, response) from error.__cause__
    except BaseException:
        await stream.close()
        raise
    return stream
