"""What an asynchronous ``stream()`` returns: the manager and the stream of events, awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

from chatlib.client.async_streams import AsyncStream
from chatlib.client.closing import AsyncClosing
from chatlib.client.typed_stream import SoFar
from chatlib.streaming.events import ChatCompletionStreamState
from chatlib.types.chunk import ChatCompletionChunk
from chatlib.types.events import ChatCompletionStreamEvent
from chatlib.types.parsed import ParsedChatCompletion

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")


class AsyncChatCompletionStream(SoFar[T], AsyncClosing):
    """As :class:`~chatlib.client.typed_stream.ChatCompletionStream`, for ``async for``."""

    def __init__(
        self, chunks: AsyncStream[ChatCompletionChunk], state: ChatCompletionStreamState[T]
    ) -> None:
        super().__init__(chunks.response, chunks._flow, state)
        self._chunks = chunks
        self._ready: Iterator[ChatCompletionStreamEvent[T]] = iter(())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChatCompletionStreamEvent[T]:
        try:
            while True:
                for event in self._ready:
                    return event
                chunk = await anext(self._chunks, None)
                if chunk is not None:
                    self._ready = iter(self._state.handle_chunk(chunk))
                elif self._flow.is_whole and not self._state.is_over:
                    self._ready = iter(self._state.end())
                else:
                    raise StopAsyncIteration
        except StopAsyncIteration:
            raise
        except Exception as error:
            self._failure = error
            raise

    async def get_final_completion(self) -> ParsedChatCompletion[T]:
        """Read to the end: the whole answer, parsed. Raises as the synchronous one."""
        if self._failure is None:
            await self.until_done()
        return self._final()

    async def until_done(self) -> Self:
        """Read to the end and forget the events."""
        async for _ in self:
            pass
        return self

    async def close(self) -> None:
        """Give the connection back; what has not come yet will not come."""
        await self._chunks.close()


class AsyncChatCompletionStreamManager(Generic[T]):
    """Opens the stream when it is entered, and closes it when it is left."""

    def __init__(
        self,
        start: Callable[[], Awaitable[AsyncStream[ChatCompletionChunk]]],
        state: Callable[[], ChatCompletionStreamState[T]],
    ) -> None:
        self._start = start
        self._state = state
        self._stream: AsyncChatCompletionStream[T] | None = None

    async def __aenter__(self) -> AsyncChatCompletionStream[T]:
        self._stream = AsyncChatCompletionStream(await self._start(), self._state())
        return self._stream

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            await self._stream.close()
