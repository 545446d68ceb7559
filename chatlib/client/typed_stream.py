"""What ``stream()`` returns: a manager that opens a stream of events, and that stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

from chatlib.client.closing import Closing
from chatlib.client.streams import Flow, Stream
from chatlib.http import HttpResponse
from chatlib.streaming.events import ChatCompletionStreamState
from chatlib.types.chunk import ChatCompletionChunk
from chatlib.types.events import ChatCompletionStreamEvent
from chatlib.types.parsed import ParsedChatCompletion

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")


class SoFar(Generic[T]):
    """What a stream of events has, whichever way it is read."""

    def __init__(
        self, response: HttpResponse, flow: Flow, state: ChatCompletionStreamState[T]
    ) -> None:
        self.http_response = response
        """The HTTP response, for its status and headers."""
        self._flow = flow
        self._state = state
        state.share(flow.accumulator)
        state.expects_end = True
        self._failure: Exception | None = None

    def _final(self) -> ParsedChatCompletion[T]:
        """The whole answer; half of one is an error, also when it is asked for again."""
        if self._failure is not None:
            raise self._failure
        return self._state.parse(self._flow.final_completion())

    @property
    def current_completion_snapshot(self) -> ParsedChatCompletion[T]:
        """What has come so far, with the values so far of its JSON."""
        return self._state.current_completion_snapshot

    @property
    def response(self) -> ParsedChatCompletion[T]:
        """What has come so far, by the name that the reference gives it."""
        return self.current_completion_snapshot


class ChatCompletionStream(SoFar[T], Closing):
    """An answer that is coming, as events; and all of it that has come."""

    def __init__(
        self, chunks: Stream[ChatCompletionChunk], state: ChatCompletionStreamState[T]
    ) -> None:
        super().__init__(chunks.response, chunks._flow, state)
        self._chunks = chunks
        self._events = self._handled()

    def __iter__(self) -> Iterator[ChatCompletionStreamEvent[T]]:
        return self._events

    def __next__(self) -> ChatCompletionStreamEvent[T]:
        return next(self._events)

    def get_final_completion(self) -> ParsedChatCompletion[T]:
        """Read to the end: the whole answer, parsed.

        Raises:
            LengthFinishReasonError, ContentFilterFinishReasonError, ParseError: it can't be parsed.
            APIError: the stream failed.
        """
        if self._failure is None:
            self.until_done()
        return self._final()

    def until_done(self) -> Self:
        """Read to the end and forget the events."""
        for _ in self._events:
            pass
        return self

    def close(self) -> None:
        """Give the connection back; what has not come yet will not come."""
        self._chunks.close()

    def _handled(self) -> Iterator[ChatCompletionStreamEvent[T]]:
        try:
            for chunk in self._chunks:
                yield from self._state.handle_chunk(chunk)
            if self._flow.is_whole:
                yield from self._state.end()
        except Exception as error:
            self._failure = error
            raise


class ChatCompletionStreamManager(Generic[T]):
    """Opens the stream when it is entered, and closes it when it is left."""

    def __init__(
        self,
        start: Callable[[], Stream[ChatCompletionChunk]],
        state: Callable[[], ChatCompletionStreamState[T]],
    ) -> None:
        self._start = start
        self._state = state
        self._stream: ChatCompletionStream[T] | None = None

    def __enter__(self) -> ChatCompletionStream[T]:
        self._stream = ChatCompletionStream(self._start(), self._state())
        return self._stream

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            self._stream.close()
