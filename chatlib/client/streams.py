"""A stream of chunks in the caller's hands: an iterator, a context manager, a connection.

:class:`Flow` is all of it but the reading; :func:`open_stream` and :class:`Stream` read. Their
asynchronous twins are in :mod:`chatlib.client.async_streams`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from chatlib.client.call import Call, Limit, Pieces, lost, whole
from chatlib.client.closing import Closing
from chatlib.errors import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APITimeoutError,
)
from chatlib.http import STREAM_END, HttpResponse, TransportError
from chatlib.streaming.accumulator import Accumulator
from chatlib.streaming.chunk_reader import ChunkReader
from chatlib.types.chunk import ChatCompletionChunk
from chatlib.types.completion import ChatCompletion

if TYPE_CHECKING:
    from typing_extensions import Self

T_co = TypeVar("T_co", covariant=True)

DRAIN_SECONDS = 0.2
DRAIN_BYTES = 65536
"""How much of a body is read after ``[DONE]`` so that its connection can be used again."""


class Flow:
    """A stream on its way, without I/O: pieces to chunks, and how long the next piece may take."""

    def __init__(self, response: HttpResponse, call: Call[Any]) -> None:
        self.limit = Limit(call.deadline)
        """How long the next piece may take."""
        self.over = False
        """No further piece is wanted."""
        self.failure: Exception | None = None
        """What ended the stream early."""
        self._response = response
        self._reader = ChunkReader(response)
        request = response.request
        self._longest_silence = request.timeout.stream_end if request is not None else STREAM_END

    @property
    def accumulator(self) -> Accumulator:
        """The accumulator of the chunks so far."""
        return self._reader.joined

    @property
    def is_done(self) -> bool:
        """``[DONE]`` has come: of the little that may follow, nothing matters."""
        return self._reader.done

    def feed(self, piece: bytes | None) -> Iterator[ChatCompletionChunk]:
        """The chunks that a piece completes; None is the end of the body.

        Raises:
            APIError: the stream speaks of an error, is not what it should be, or was cut off.
        """
        try:
            if piece is None:
                yield from self._reader.end()
                self.over = True
                return
            yield from self._reader.feed(piece)
        except APIError as error:
            self.failure = error
            raise
        self.over = self._reader.done
        self._limit_silence()

    def broke(self, error: TransportError) -> Iterator[ChatCompletionChunk]:
        """The chunks that were still open when the body broke off.

        Raises:
            APIConnectionError: more than the end of the body was missing.
            APIError: the last of them speaks of an error.
        """
        self.over = True
        try:
            yield from self._reader.rest()
        except APIResponseValidationError:
            pass  # a body that is no event stream is cut, too
        except APIError as found:
            self.failure = found
            raise
        if self.is_whole:
            return
        made = lost(error, self._response)
        if not isinstance(made, APITimeoutError):
            made = self.cut_off(str(error))
        made.completion = self._reader.joined.completion()
        self.failure = made
        raise made from error.__cause__

    def completion(self) -> ChatCompletion:
        """Return what has come so far."""
        return self._reader.joined.completion()

    @property
    def is_whole(self) -> bool:
        """Whether the whole answer has come."""
        return self._reader.done or self._reader.finished

    def final_completion(self) -> ChatCompletion:
        """Return the whole answer of a stream that was read to its end.

        Raises:
            APIError: the stream failed, or was closed before its end.
        """
        if self.failure is not None:
            raise self.failure
        if not self.is_whole:
            raise self.cut_off("the stream was closed before its end")
        return self.completion()

    def cut_off(self, why: str) -> APIConnectionError:
        """The exception for a stream that ends here."""
        return self._reader.cut_off(why)

    def _limit_silence(self) -> None:
        """Limit the wait for the next piece where nothing but the end is expected."""
        if self._longest_silence is not None and self._reader.expects_only_the_end:
            self.limit.shorten(self._longest_silence)
        elif self.limit.is_shortened:
            self.limit.lift()


class Stream(Closing, Generic[T_co]):
    """What ``create(stream=True)`` returns: iterate it for chunks as they come.

    The connection is given back when the stream ends, when it is closed, at the end of a ``with``
    and when the stream is dropped.
    """

    def __init__(self, response: HttpResponse, items: Iterator[T_co], flow: Flow) -> None:
        self.response = response
        """The response, for its status and headers."""
        self.is_closed = False
        """Whether it was closed, before its end or after it."""
        self._items = items
        self._flow = flow

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T_co:
        return next(self._items)

    @property
    def completion(self) -> ChatCompletion:
        """What has come so far, joined to a completion."""
        return self._flow.completion()

    def get_final_completion(self) -> ChatCompletion:
        """Read to the end and return the whole answer, with what was read before.

        Raises:
            IncompleteStreamError: the stream was closed before its end.
            APIError: the stream failed; the same error when it is asked for again.
        """
        if self._flow.failure is None:
            for _ in self:
                pass
        return self._flow.final_completion()

    def close(self) -> None:
        """Give the connection back; what has not come yet will not come."""
        self.is_closed = True
        close = getattr(self._items, "close", None)
        try:
            if close is not None:
                close()
        except ValueError:  # another thread waits for the next item, and is about to be woken
            pass
        finally:
            self.response.close()

    def __del__(self) -> None:
        if hasattr(self, "_items"):
            self.close()

    def __repr__(self) -> str:
        return f"Stream({self.response!r})"


def open_stream(response: HttpResponse, call: Call[Any]) -> Stream[ChatCompletionChunk]:
    """A stream over a response whose first bytes have come: until then, a call may be retried.

    Raises:
        APIStatusError: the server refused.
        APIConnectionError: they did not come.
    """
    if not 200 <= response.status <= 299:
        whole(response, call)
    flow = Flow(response, call)
    try:
        pieces = Pieces(response, flow.limit)
        first = next(filter(None, pieces), None)
        if first is None:
            raise flow.cut_off("the stream ended without an answer")
    except TransportError as error:
        response.close()
        raise lost(error, response) from error.__cause__
    except BaseException:
        response.close()
        raise
    return Stream(response, _chunks(response, flow, first, pieces), flow)


def _chunks(
    response: HttpResponse, flow: Flow, piece: bytes | None, pieces: Pieces
) -> Iterator[ChatCompletionChunk]:
    try:
        while True:
            yield from flow.feed(piece)
            if flow.over:
                # Not where the stream is closed or dropped: that waits for nothing.
                if flow.is_done and response.limit_wait is not None:
                    _drain(flow, pieces)
                return
            try:
                piece = next(pieces, None)
            except TransportError as error:
                broken = error
                break
        yield from flow.broke(broken)
    finally:
        response.close()


def _drain(flow: Flow, pieces: Pieces) -> None:
    """Read the little that may follow ``[DONE]``: a body read to its end frees its connection."""
    flow.limit.shorten(DRAIN_SECONDS)
    size = 0
    try:
        for piece in pieces:
            size += len(piece)
            if size > DRAIN_BYTES:
                return
    except TransportError:
        pass
