"""An event stream of chunks, read as it comes: all that is known of streams, without I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatlib.accumulate import Accumulator
from chatlib.codec import converter, from_json
from chatlib.errors import (
    APIResponseValidationError,
    ErrorFound,
    IncompleteStreamError,
    error_inside,
    find_error,
    preview,
)
from chatlib.http import HttpResponse
from chatlib.reading import check_choices, not_promised, raise_for_status, read_object
from chatlib.sse import ServerSentEvent, SSEDecoder
from chatlib.types.base import set_http
from chatlib.types.chunk import ChatCompletionChunk


def read_chunks(response: HttpResponse) -> Iterator[ChatCompletionChunk]:
    """The chunks in a response to :func:`build_create` with ``stream=True``, as they come.

    The response is closed at the end, and when the iterator is.

    Raises:
        APIStatusError: an error status; raised at the first step.
        APIError: an error in the stream; its ``completion`` holds what came before.
        IncompleteStreamError: the stream ended too early; likewise.

    >>> body = b'data: {"choices": [{"delta": {"content": "Hello"}}]}\\n\\ndata: [DONE]\\n\\n'
    >>> [chunk.text for chunk in read_chunks(HttpResponse(200, {}, body))]
    ['Hello']
    """
    raise_for_status(response)
    reader = ChunkReader(response)
    try:
        for piece in response:
            yield from reader.feed(piece)
            if reader.done:
                return
        yield from reader.end()
    finally:
        response.close()


class ChunkReader:
    """Bytes of an event stream, as they come, to chunks: all that is known of streams, without I/O.

    Feed it each piece, take the chunks that it yields, stop when it is :attr:`done`, and call
    :meth:`end` where the bytes end before that.
    """

    def __init__(self, response: HttpResponse | None = None) -> None:
        self.done = False
        """``[DONE]`` has come: what follows is not worth reading."""
        self.joined = Accumulator()
        """What has come so far."""
        self._response = response
        self._info = response.info() if response is not None else None
        self._events = SSEDecoder()
        self._head = b""
        self._whole: list[bytes] | None = None  # the pieces of a body that is no event stream
        self._sniffed = False
        self._hook = converter().get_structure_hook(ChatCompletionChunk)

    @property
    def finished(self) -> bool:
        """Every choice that began has its finish reason: at most a usage report is to come."""
        return self.joined.finished

    def feed(self, piece: bytes) -> Iterator[ChatCompletionChunk]:
        """The chunks that this piece completes."""
        if not self._sniffed:
            piece = self._sniff(piece)
        if self._whole is not None:
            self._whole.append(piece)
            return
        for event in self._events.feed(piece):
            chunk = self._read(event)
            if chunk is not None:
                yield chunk
            if self.done:
                return

    def end(self) -> Iterator[ChatCompletionChunk]:
        """The chunks that were still open when the bytes ended.

        Raises:
            IncompleteStreamError: neither ``[DONE]`` nor a finish reason has come for each choice.
        """
        if self._whole is not None:
            yield self._read_whole(b"".join(self._whole))
            return
        for event in self._events.feed(self._head) + self._events.flush():
            try:
                chunk = self._read(event)
            except APIResponseValidationError:
                break  # an event that was cut off; whether that matters is decided below
            if chunk is not None:
                yield chunk
        if not (self.done or self.finished):
            raise self.cut_off(
                "the stream ended before the answer was complete"
                if self.joined.started
                else "the stream ended without an answer"
            )

    def cut_off(self, why: str) -> IncompleteStreamError:
        """The exception for a stream that ends here. It holds what had come."""
        request = self._response.request if self._response is not None else None
        return IncompleteStreamError(
            message=f"Connection error: {why}.",
            request=request,
            response=self._response,
            completion=self.joined.completion(),
        )

    def _sniff(self, piece: bytes) -> bytes:
        # No event stream begins with one of these; JSON and HTML, sent in its place, do.
        self._head += piece
        start = self._head.lstrip(b"\xef\xbb\xbf \t\r\n")
        if not start:
            return b""
        self._sniffed = True
        if start[:1] in (b"{", b"[", b"<"):
            self._whole = []
        head, self._head = self._head, b""
        return head

    def _read(self, event: ServerSentEvent) -> ChatCompletionChunk | None:
        data = event.data
        if data.startswith("[DONE]"):
            self.done = True
            return None
        failed = event.event == "error"
        value: Any
        try:
            value = from_json(data)
        except ValueError:
            if not failed:
                if not data.strip() or event.event != "message":
                    return None  # a ping
                raise not_promised(
                    self._response, "An event of the stream is not JSON", data, self.joined
                ) from None
            value = data
        if failed or value.__class__ is not dict or value.get("error"):
            found = find_error(value, certain=failed)
            if found is None and failed:  # the name alone says so
                found = ErrorFound(preview(data) or "an error event that says nothing", value)
            if found is not None:
                raise error_inside(found, self._response, self.joined.completion())
        if value.__class__ is not dict:
            raise not_promised(
                self._response, "An event of the stream is not a JSON object", data, self.joined
            )
        if "choices" not in value:
            found = find_error(value)
            if found is not None:
                raise error_inside(found, self._response, self.joined.completion())
            if event.event != "message":
                return None
        check_choices(value, self._response, joined=self.joined)
        for choice in value["choices"]:
            # A whole completion, or the first of a choice, in place of pieces.
            if (
                "message" in choice
                and not choice.get("delta")
                and not self.joined.began(choice["index"])
            ):
                choice["delta"] = choice.pop("message")
        chunk: ChatCompletionChunk = self._hook(value, None)
        set_http(chunk, self._info)
        self.joined.add(chunk)
        return chunk

    def _read_whole(self, body: bytes) -> ChatCompletionChunk:
        """A plain completion in place of a stream, as the one chunk that it amounts to."""
        status = self._response.status if self._response is not None else 200
        headers = self._response.headers if self._response is not None else ()
        request = self._response.request if self._response is not None else None
        whole = HttpResponse(status, headers, body, request=request)
        value = read_object(whole)
        check_choices(value, whole, required=True)
        for choice in value["choices"]:
            choice["delta"] = choice.pop("message", None)
        value["object"] = "chat.completion.chunk"
        chunk: ChatCompletionChunk = self._hook(value, None)
        set_http(chunk, self._info)
        self.joined.add(chunk)
        self.done = True
        return chunk
