"""Streams of chunks: an iterator and context manager that owns its connection.

:class:`StreamProgress` holds the state of a stream, without I/O; :func:`open_stream` and
:class:`Stream` read the body. Their asynchronous counterparts are in
:mod:`chatlib.client.async_streams`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from chatlib.client.call import Call, ReadDeadline, TimedBody, read_body
from chatlib.client.closing import Closing
from chatlib.client.failures import to_connection_error
from chatlib.errors import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APITimeoutError,
)
from chatlib.http import HttpResponse, TransportError
from chatlib.streaming.accumulator import Accumulator
from chatlib.streaming.chunk_reader import ChunkReader
from chatlib.timeouts import STREAM_END
from chatlib.types.chunk import ChatCompletionChunk
from chatlib.types.completion import ChatCompletion
from chatlib.urls import with_host

if TYPE_CHECKING:
    from typing_extensions import Self

T_co = TypeVar("T_co", covariant=True)

DRAIN_SECONDS = 0.2
DRAIN_BYTES = 65536
"""The maximum number of bytes read after ``[DONE]`` so that the connection can be reused."""


class StreamProgress:
    """The state of a stream: decodes the body and limits the wait for the next bytes.

    Args:
        response: The response, whose body has not been read.
        call: The call that the response belongs to.
    """

    def __init__(self, response: HttpResponse, call: Call[Any]) -> None:
        self.limit = ReadDeadline(call.deadline)
        """The time limit for the next bytes."""
        self.is_over = False
        """Whether the rest of the body is not needed."""
        self.failure: Exception | None = None
        """The error that ended the stream early."""
        self._response = response
        self._reader = ChunkReader(response)
        request = response.request
        self._stream_end = request.timeout.stream_end if request is not None else STREAM_END

    @property
    def accumulator(self) -> Accumulator:
        """The accumulator of the chunks so far."""
        return self._reader.joined

    @property
    def is_done(self) -> bool:
        """Whether ``[DONE]`` was received; the rest of the body is ignored."""
        return self._reader.done

    def feed(self, data: bytes | None) -> Iterator[ChatCompletionChunk]:
        """Decode the next bytes of the body.

        Args:
            data: The bytes; None at the end of the body.

        Yields:
            The chunks that are complete with these bytes.

        Raises:
            APIError: The stream contains an error, is invalid, or ended too early.
        """
        try:
            if data is None:
                yield from self._reader.end()
                self.is_over = True
                return
            yield from self._reader.feed(data)
        except APIError as error:
            self.failure = error
            raise
        self.is_over = self._reader.done
        self._limit_wait_for_end()

    def on_body_error(self, error: TransportError) -> Iterator[ChatCompletionChunk]:
        """Finish the stream after an error of the connection.

        Args:
            error: The exception of the transport.

        Yields:
            The chunks that were received but not yet decoded.

        Raises:
            APIConnectionError: The answer is incomplete.
            APIError: The last chunk contains an error.
        """
        self.is_over = True
        try:
            yield from self._reader.rest()
        except APIResponseValidationError:
            pass  # a body that is not an event stream is incomplete, too
        except APIError as found:
            self.failure = found
            raise
        if self.is_whole:
            return
        made = to_connection_error(error, self._response.request, self._response)
        if not isinstance(made, APITimeoutError):
            made = self.cut_off(with_host(str(error).rstrip("."), self._response.url))
        made.completion = self._reader.joined.completion()
        self.failure = made
        raise made from error.__cause__

    def completion(self) -> ChatCompletion:
        """Return the completion received so far."""
        return self._reader.joined.completion()

    @property
    def is_whole(self) -> bool:
        """Whether the answer is complete."""
        return self._reader.done or self._reader.finished

    def final_completion(self) -> ChatCompletion:
        """Return the complete answer, after the stream was read to its end.

        Raises:
            APIError: The stream failed, or was closed before its end.
        """
        if self.failure is not None:
            raise self.failure
        if not self.is_whole:
            raise self.cut_off("the stream was closed before its end")
        return self.completion()

    def cut_off(self, why: str) -> APIConnectionError:
        """Return the error for a stream that ends here.

        Args:
            why: The reason, for the message.
        """
        return self._reader.cut_off(why)

    def _limit_wait_for_end(self) -> None:
        """Limit the wait for the next bytes if only the end of the stream is expected."""
        if self._stream_end is not None and self._reader.expects_only_the_end:
            self.limit.shorten(self._stream_end)
        elif self.limit.is_shortened:
            self.limit.lift()


class Stream(Closing, Generic[T_co]):
    """The result of ``create(stream=True)``: an iterator over the chunks.

    The connection is released at the end of the stream, by :meth:`close`, at the end of a ``with``
    block, and when the stream is garbage collected.

    Args:
        response: The response.
        items: The decoded chunks.
        progress: The state of the stream.
    """

    def __init__(
        self, response: HttpResponse, items: Iterator[T_co], progress: StreamProgress
    ) -> None:
        self.response = response
        """The HTTP response, for its status and headers."""
        self.is_closed = False
        """Whether the stream was closed."""
        self._items = items
        self._progress = progress

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T_co:
        return next(self._items)

    @property
    def completion(self) -> ChatCompletion:
        """The completion received so far."""
        return self._progress.completion()

    def get_final_completion(self) -> ChatCompletion:
        """Read the stream to its end and return the complete answer.

        Returns:
            The completion, including the chunks that were read before.

        Raises:
            IncompleteStreamError: The stream was closed before its end.
            APIError: The stream failed; each further call raises the same error.
        """
        if self._progress.failure is None:
            for _ in self:
                pass
        return self._progress.final_completion()

    def close(self) -> None:
        """Close the stream and release its connection."""
        self.is_closed = True
        close = getattr(self._items, "close", None)
        try:
            if close is not None:
                close()
        except ValueError:  # another thread waits for the next item; closing the response wakes it
            pass
        finally:
            self.response.close()

    def __del__(self) -> None:
        if hasattr(self, "_items"):
            self.close()

    def __repr__(self) -> str:
        return f"Stream({self.response!r})"


def open_stream(response: HttpResponse, call: Call[Any]) -> Stream[ChatCompletionChunk]:
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
        read_body(response, call)
    progress = StreamProgress(response, call)
    try:
        body = TimedBody(response, progress.limit)
        first = next(filter(None, body), None)
        if first is None:
            raise progress.cut_off("the stream ended without an answer")
    except TransportError as error:
        response.close()
        raise to_connection_error(error, response.request, response) from error.__cause__
    except BaseException:
        response.close()
        raise
    return Stream(response, _iterate_chunks(response, progress, first, body), progress)


def _iterate_chunks(
    response: HttpResponse, progress: StreamProgress, data: bytes | None, body: TimedBody
) -> Iterator[ChatCompletionChunk]:
    try:
        while True:
            yield from progress.feed(data)
            if progress.is_over:
                # Not when the stream is closed or garbage collected, which must not block.
                if progress.is_done and response.limit_wait is not None:
                    _drain(progress, body)
                return
            try:
                data = next(body, None)
            except TransportError as error:
                broken = error
                break
        yield from progress.on_body_error(broken)
    finally:
        response.close()


def _drain(progress: StreamProgress, body: TimedBody) -> None:
    """Read the rest of the body after ``[DONE]``, so that the connection can be reused."""
    progress.limit.shorten(DRAIN_SECONDS)
    size = 0
    try:
        for data in body:
            size += len(data)
            if size > DRAIN_BYTES:
                return
    except TransportError:
        pass
