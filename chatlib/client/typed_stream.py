"""The result of ``stream()``: a stream of events and the context manager that opens it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

from chatlib.client.closing import Closing, Opening
from chatlib.client.streams import Stream, StreamProgress
from chatlib.http import HttpResponse
from chatlib.streaming.events import ChatCompletionStreamState
from chatlib.types.chunk import ChatCompletionChunk
from chatlib.types.events import ChatCompletionStreamEvent
from chatlib.types.parsed import ParsedChatCompletion

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")


class EventStreamBase(Generic[T]):
    """The base of the synchronous and asynchronous streams of events.

    Args:
        response: The response.
        progress: The state of the stream of chunks.
        state: Converts chunks into events.
    """

    def __init__(
        self, response: HttpResponse, progress: StreamProgress, state: ChatCompletionStreamState[T]
    ) -> None:
        self.http_response = response
        """The HTTP response, for its status and headers."""
        self._progress = progress
        self._state = state
        state.share(progress.accumulator)
        state.expects_end = True
        self._failure: Exception | None = None

    def _final(self) -> ParsedChatCompletion[T]:
        """Return the complete answer; raise the error of the stream if it failed."""
        if self._failure is not None:
            raise self._failure
        return self._state.parse(self._progress.final_completion())

    @property
    def current_completion_snapshot(self) -> ParsedChatCompletion[T]:
        """The completion received so far; its JSON is decoded as far as it has arrived."""
        return self._state.current_completion_snapshot

    @property
    def response(self) -> ParsedChatCompletion[T]:
        """The completion received so far, by its name in the API reference."""
        return self.current_completion_snapshot


class ChatCompletionStream(EventStreamBase[T], Closing):
    """A stream of events, which also accumulates the completion.

    Args:
        chunks: The stream of chunks.
        state: Converts chunks into events.
    """

    def __init__(
        self, chunks: Stream[ChatCompletionChunk], state: ChatCompletionStreamState[T]
    ) -> None:
        super().__init__(chunks.response, chunks._progress, state)
        self._chunks = chunks
        self._events = self._iterate()

    def __iter__(self) -> Iterator[ChatCompletionStreamEvent[T]]:
        return self._events

    def __next__(self) -> ChatCompletionStreamEvent[T]:
        return next(self._events)

    def get_final_completion(self) -> ParsedChatCompletion[T]:
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
            self.until_done()
        return self._final()

    def until_done(self) -> Self:
        """Read the stream to its end and discard the events."""
        for _ in self._events:
            pass
        return self

    def close(self) -> None:
        """Close the stream and release its connection."""
        self._chunks.close()

    def _iterate(self) -> Iterator[ChatCompletionStreamEvent[T]]:
        try:
            for chunk in self._chunks:
                yield from self._state.handle_chunk(chunk)
            if self._progress.is_whole:
                yield from self._state.end()
        except Exception as error:
            self._failure = error
            raise


class ChatCompletionStreamManager(Opening[ChatCompletionStream[T]]):
    """Open the stream of events on entering a ``with`` block and close it on leaving."""
