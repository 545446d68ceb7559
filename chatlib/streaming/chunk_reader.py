"""An event stream of chunks, read as it comes: all that is known of streams, without I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import attrs

from chatlib.errors import APIResponseValidationError, IncompleteStreamError, as_text, preview
from chatlib.http import HttpRequest, HttpResponse
from chatlib.streaming.accumulator import Accumulator
from chatlib.types.base import converter, set_http
from chatlib.types.chunk import ENDS, FIRST, MANY, ONE, OPENS, ChatCompletionChunk, mark
from chatlib.types.json_values import read_json
from chatlib.wire.codec import from_json
from chatlib.wire.error_bodies import ErrorFound, error_inside, find_error
from chatlib.wire.response import check_choices, not_promised, raise_for_status, read_object
from chatlib.wire.sse import ServerSentEvent, SSEDecoder
from chatlib.wire.surrogates import Halves


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
        self._head: list[bytes] = []  # the blank start of the body
        self._whole: list[bytes] | None = None  # the pieces of a body that is no event stream
        self._sniffed = False
        self._halves = Halves()
        self._chunk: ChatCompletionChunk | None = None  # the last one
        self._opened = False  # a choice has begun
        self._by_message: set[int] = set()  # choices that came as messages in place of deltas
        self._hook = converter().get_structure_hook(ChatCompletionChunk)
        self._last = ""  # the data of the last event, for an error that quotes it
        self._asked: int | None = None

    @property
    def finished(self) -> bool:
        """Whether every choice that was asked for has its finish reason.

        A choice that goes on after its finish reason has none until the next one.
        """
        return self.joined.finished and self.joined.choice_count >= self._wanted

    @property
    def expects_only_the_end(self) -> bool:
        """Whether nothing but a usage report and ``[DONE]`` is likely to come.

        It is not where a server gives finish reasons before the end, in each chunk or in the first
        one, for then they say nothing.
        """
        return self.finished and not self.joined.has_early_finish

    @property
    def _wanted(self) -> int:
        if self._asked is None:
            self._asked = asked_for(self._response.request if self._response else None) or 1
        return self._asked

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
        yield from self.rest()
        if not (self.done or self.finished):
            raise self.cut_off(self._why_incomplete())

    def rest(self) -> Iterator[ChatCompletionChunk]:
        """The chunks that were still open when the bytes ended or broke off."""
        if self._whole is not None:
            yield self._read_whole(b"".join(self._whole))
            return
        for event in self._events.feed(b"".join(self._head)) + self._events.flush():
            try:
                chunk = self._read(event)
            except APIResponseValidationError:
                return  # an event that was cut off; whether that matters is for the caller to say
            if chunk is not None:
                yield chunk

    def cut_off(self, why: str) -> IncompleteStreamError:
        """The exception for a stream that ends here. It holds what had come."""
        request = self._response.request if self._response is not None else None
        return IncompleteStreamError(
            message=f"Connection error: {why}.",
            request=request,
            response=self._response,
            completion=self.joined.completion(),
        )

    def _why_incomplete(self) -> str:
        began, wanted = self.joined.choice_count, self._wanted
        stray = preview(self._events.stray.decode("utf-8", "replace"))
        quoted = f"; in it stood {stray}" if stray else ""
        if not began:
            last = preview(self._last)
            quoted = f"; the last event was {last}" if last else quoted
            return f"the stream ended without an answer{quoted}"
        if began < wanted and self.joined.finished:
            return f"the stream ended after {began} of the {wanted} choices that were asked for"
        return f"the stream ended before the answer was complete{quoted}"

    def _sniff(self, piece: bytes) -> bytes:
        # No event stream begins with one of these; JSON and HTML, sent in its place, do.
        self._head.append(piece)
        start = piece.lstrip(b"\xef\xbb\xbf \t\r\n")
        if not start:
            return b""
        self._sniffed = True
        if start[:1] in (b"{", b"[", b"<"):
            self._whole = []
        head, self._head = b"".join(self._head), []
        return head

    def _read(self, event: ServerSentEvent) -> ChatCompletionChunk | None:
        data = event.data
        if data.startswith(("[DONE]", '"[DONE]"')):
            self._end_of_answer()
            return None
        named = event.event != "message"
        failed = named and event.event.lower() == "error"
        value: Any
        try:
            value = from_json(data)
        except ValueError:
            if data.startswith("data:"):  # framed twice
                data = _PREFIXES.sub("", data)
                return self._read(attrs.evolve(event, data=data))
            if not failed:
                self._read_text(data, named)
                return None
            value = data
        is_object = value.__class__ is dict
        if (
            failed
            or not is_object
            or not value.get("choices")
            or value.get("error")
            or "base_resp" in value
            or "x_groq" in value
        ):
            if not failed and _is_keep_alive(event, value):
                self._last = self._last or data.strip()
                return None
            self._check_error(value, data, failed)
            if not is_object:
                raise not_promised(
                    self._response,
                    "An event of the stream is not a JSON object",
                    data,
                    self.joined.completion,
                )
            self._last = data
            if named and "choices" not in value:
                return None
        check_choices(value, self._response, so_far=self.joined.completion)
        for choice in value["choices"]:
            if choice.get("error"):
                self._check_error(value, data)
            if "message" in choice and not choice.get("delta"):
                self._take_message(choice)
        if "\\" in data or self._halves.held:
            self._halves.mend(data, value["choices"])
        chunk: ChatCompletionChunk = self._hook(value, None)
        set_http(chunk, self._info)
        self._chunk = chunk
        choices = chunk.choices
        if self._opened and not (choices and choices[0].index):
            self.joined.add(chunk)
        else:
            self._place(chunk)
        return chunk

    def _take_message(self, choice: dict[str, Any]) -> None:
        """Make a delta of a message that stands in its place.

        It is all of the answer, or all so far, or a piece: what it adds is what has not come.
        """
        index, message = choice["index"], choice["message"]
        held = self.joined.choice(index).message if self.joined.has_choice(index) else None
        if held is None:
            self._by_message.add(index)
            choice["delta"] = choice.pop("message")
        elif isinstance(message, dict):
            text, so_far = message.get("content"), held.text
            delta = choice["delta"] = {}
            if isinstance(text, str) and text.startswith(so_far):
                delta["content"] = text[len(so_far) :]
            elif index in self._by_message:
                delta["content"] = text
            if message.get("tool_calls") and not held.tool_calls:
                delta["tool_calls"] = message["tool_calls"]

    def _end_of_answer(self) -> None:
        """Note that ``[DONE]`` has come.

        Raises:
            IncompleteStreamError: no choice has.
        """
        self.done = True
        if not self.joined.started:
            raise self.cut_off(self._why_incomplete())
        if self._chunk is not None:
            mark(self._chunk, ENDS)

    def _read_text(self, data: str, named: bool) -> None:
        """Take in the data of an event that is not JSON.

        Raises:
            APIResponseValidationError: it is neither the end nor something that means nothing.
        """
        text = data.strip().lower()
        if text.startswith("[done]"):
            self._end_of_answer()
        # An event with a name may hold any text, but what begins as JSON was meant to be JSON.
        elif (
            text
            and not (_means_nothing(text) or text.strip("[]") in _ENDINGS)
            and (not named or text[0] in "{[")
        ):
            raise self._not_promised("An event of the stream is not JSON", data)
        else:
            self._last = self._last or data.strip()

    def _not_promised(self, what: str, data: str) -> APIResponseValidationError:
        return not_promised(self._response, what, data, self.joined.completion)

    def _check_error(self, value: Any, data: str, failed: bool = False) -> None:
        """Raise the error that an event speaks of.

        Args:
            failed: The event's name said already that it is an error.
        """
        found = find_error(value, certain=failed)
        if found is None and failed:
            found = ErrorFound(preview(data) or "an error event that says nothing", value)
        if found is not None:
            raise error_inside(found, self._response, self.joined.completion())

    def _read_whole(self, body: bytes) -> ChatCompletionChunk:
        """A plain completion in place of a stream, as the one chunk that it amounts to."""
        whole = HttpResponse(200, (), body)
        if self._response is not None:
            whole = attrs.evolve(self._response, body=body)
        value = read_object(whole)
        check_choices(value, whole, required=True)
        self._last = as_text(value)
        for choice in value["choices"]:
            choice["delta"] = choice.pop("message", None)
        value["object"] = "chat.completion.chunk"
        chunk: ChatCompletionChunk = self._hook(value, None)
        set_http(chunk, self._info)
        self._place(chunk)
        self._chunk = chunk
        self._end_of_answer()
        return chunk

    def _place(self, chunk: ChatCompletionChunk) -> None:
        """Join a chunk that comes first, is of another choice, or has an index that counts chunks,
        and mark what is known of it."""
        if not self._opened:
            mark(chunk, OPENS)
        joined, asked = self.joined, None
        if chunk.choices and chunk.choices[0].index:
            asked = asked_for(self._response.request if self._response is not None else None)
            if asked is not None:
                mark(chunk, ONE if asked == 1 else MANY)
        joined.add(chunk)
        self._opened = joined.started
        is_first = joined.counts_chunks or (asked == 1 and joined.choice_count == 1)
        if is_first and len(chunk.choices) == 1:
            mark(chunk, FIRST)


def asked_for(request: HttpRequest | None) -> int | None:
    """Return how many answers a request asks for; None where there is no request to tell."""
    if request is None:
        return None
    if b'"n"' not in request.content:  # read it only if need be
        return 1
    try:
        wanted = read_json(request.content)["n"]
    except (ValueError, TypeError, KeyError):
        return 1
    return wanted if isinstance(wanted, int) else 1


_PREFIXES = re.compile(r"(data: ?)+")


def _is_keep_alive(event: ServerSentEvent, value: Any) -> bool:
    """Whether an event is there only to keep the connection open."""
    if value is None or value in ({}, [], ""):
        return True
    if not isinstance(value, dict):
        return isinstance(value, str) and _means_nothing(value.lower())
    if value.get("choices") or value.get("error"):
        return False
    names = (event.event, value.get("type"), value.get("event"), value.get("object"))
    return any(isinstance(name, str) and _means_nothing(name.lower()) for name in names)


def _means_nothing(text: str) -> bool:
    """Whether a text is a comment that a gateway wrapped as data, or the name of a heartbeat."""
    return text.startswith(":") or text.strip("[]. ") in _HEARTBEATS


_HEARTBEATS = frozenset({"ping", "pong", "heartbeat", "keepalive", "keep-alive", "keep_alive"})
_ENDINGS = frozenset({"done", "end", "eof"})
"""Texts in place of ``[DONE]``. They say too little to end an answer."""
