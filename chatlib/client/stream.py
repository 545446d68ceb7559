"""A stream of chunks in the caller's hands: an iterator, a context manager, a connection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

from chatlib.client.calls import Deadline, Pieces, connection_error, whole
from chatlib.client.closing import Closing
from chatlib.errors import APIError, APITimeoutError
from chatlib.http import HttpRequest, HttpResponse, TransportError
from chatlib.streaming import ChunkReader
from chatlib.types.chunk import ChatCompletionChunk

if TYPE_CHECKING:
    from typing_extensions import Self

T_co = TypeVar("T_co", covariant=True)

GRACE = 2.0
"""Seconds to wait, after each choice has finished, for a usage report and ``[DONE]``."""

USAGE_GRACE = 15.0
"""The same, where a usage report was asked for."""

DRAIN_SECONDS = 0.2
DRAIN_BYTES = 65536
"""How much of a body is read after ``[DONE]`` so that its connection can be used again."""


class Stream(Closing, Generic[T_co]):
    """What ``create(stream=True)`` returns: iterate it for chunks as they come.

    The connection is given back when the stream ends, when it is closed, at the end of a ``with``
    and when the stream is dropped.
    """

    def __init__(self, response: HttpResponse, items: Iterator[T_co]) -> None:
        self.response = response
        """The response, for its status and headers."""
        self._items = items

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T_co:
        return next(self._items)

    def close(self) -> None:
        """Give the connection back; what has not come yet will not come."""
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


def open_stream(response: HttpResponse, deadline: Deadline) -> Stream[ChatCompletionChunk]:
    """A stream over a response whose first bytes have come: until then, a call may be retried.

    Raises:
        APIStatusError: the server refused.
        APIConnectionError: they did not come.
    """
    if not 200 <= response.status <= 299:
        whole(response, deadline)
    pieces = Pieces(response, deadline)
    try:
        first = next(filter(None, pieces), None)
    except BaseException as error:
        response.close()
        if isinstance(error, TransportError):
            assert response.request is not None
            raise connection_error(error, response.request, response) from error.__cause__
        raise
    if first is None:
        response.close()
        raise ChunkReader(response).cut_off("the stream ended without an answer")
    return Stream(response, _chunks(response, first, pieces))


def _chunks(response: HttpResponse, piece: bytes, pieces: Pieces) -> Iterator[ChatCompletionChunk]:
    reader = ChunkReader(response)
    following: bytes | None = piece
    asked: tuple[int, bool] | None = None
    try:
        while following is not None:
            yield from reader.feed(following)
            if reader.done:
                break
            if not reader.finished:
                if pieces.is_shortened:
                    pieces.lift()
            elif not pieces.is_shortened:
                if asked is None:
                    asked = _asked_for(response.request)
                if reader.joined.begun >= asked[0]:
                    pieces.shorten(USAGE_GRACE if asked[1] else GRACE)
            following = next(pieces, None)
        else:
            yield from reader.end()
    except TransportError as error:
        if reader.finished:  # all has come, but for the end of the connection
            return
        assert response.request is not None
        made = connection_error(error, response.request, response)
        if not isinstance(made, APITimeoutError):
            made = reader.cut_off(str(error))
        made.completion = reader.joined.completion()
        made.attempts = response.attempts
        raise made from error.__cause__
    except APIError as error:
        error.attempts = response.attempts
        raise
    finally:
        if reader.done and response.limit_wait is not None:
            _drain(pieces)
        response.close()


def _asked_for(request: HttpRequest | None) -> tuple[int, bool]:
    """How many choices are to come, and whether a usage report is."""
    content = request.content if request is not None else b""
    if b'"n"' not in content and b'"include_usage"' not in content:  # read it only if need be
        return 1, False
    try:
        body = json.loads(content)
        options = body.get("stream_options") or {}
        return int(body.get("n") or 1), bool(options.get("include_usage"))
    except (ValueError, TypeError, AttributeError):
        return 1, False


def _drain(pieces: Pieces) -> None:
    """Read the little that may follow ``[DONE]``: a body read to its end frees its connection."""
    pieces.shorten(DRAIN_SECONDS)
    size = 0
    try:
        for piece in pieces:
            size += len(piece)
            if size > DRAIN_BYTES:
                return
    except TransportError:
        pass
