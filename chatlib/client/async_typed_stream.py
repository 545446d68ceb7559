"""The result of an asynchronous ``stream()``: a stream of events and its context manager."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

from chatlib.client.async_streams import AsyncStream
from chatlib.client.closing import AsyncClosing, AsyncOpening
from chatlib.client.typed_stream import EventStreamBase
from chatlib.streaming.events import ChatCompletionStreamState
from chatlib.types.chunk import ChatCompletionChunk
from chatlib.types.events import ChatCompletionStreamEvent
from chatlib.types.parsed import ParsedChatCompletion

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")


class AsyncChatCompletionStream(EventStreamBase[T], AsyncClosing):
    """A stream of events for ``async for``, which also accumulates the completion.

    Args:
        chunks: The stream of chunks.
        state: Converts chunks into events.
    """

    def __init__(
        self, chunks: AsyncStream[ChatCompletionChunk], state: ChatCompletionStreamState[T]
    ) -> None:
        super().__init__(chunks.response, chunks._progress, state)
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
                elif self._progress.is_whole and not self._state.is_over:
                    self._ready = iter(self._state.end())
                else:
                    raise StopAsyncIteration
        except StopAsyncIteration:
            raise
        except Exception as error:
            self._failure = error
            raise

    async def get_final_completion(self) -> ParsedChatCompletion[T]:
        """Read the stream to its end and return the complete answer, parsed.

        Returns:
            The completion.

        Raises:
            LengthFinishReasonError: The answer was cut off at the token limit.
            ContentFilterFinishReasonError: The answer was blocked by the content filter.
            ParseError: The answer does not match the type.
            APIError: The stream failed.
        """
        if self._failure is None:
            await self.until_done()
        return self._final()

    async def until_done(self) -> Self:
        """Read the stream to its end and discard the events."""
        async for _ in self:
            pass
        return self

    async def close(self) -> None:
        """Close the stream and release its connection."""
        await self._chunks.close()


class AsyncChatCompletionStreamManager(AsyncOpening[AsyncChatCompletionStream[T]]):
    """Open the stream of events on entering an ``async with`` block and close it on leaving."""
