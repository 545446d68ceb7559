"""Incremental decoding of an event stream of chunks, without I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import attrs

from chatlib.errors import APIResponseValidationError, IncompleteStreamError, as_text, preview
from chatlib.http import HttpRequest, HttpResponse, SizeLimits
from chatlib.streaming.accumulator import Accumulator
from chatlib.types.base import converter, set_http
from chatlib.types.chunk import ENDS, FIRST, MANY, ONE, OPENS, ChatCompletionChunk, mark
from chatlib.types.json_values import read_json
from chatlib.wire.codec import from_json
from chatlib.wire.error_bodies import ErrorFound, error_inside, find_error, first_json
from chatlib.wire.response import check_choices, raise_for_status, read_object, unexpected_body
from chatlib.wire.sse import ServerSentEvent, SSEDecoder
from chatlib.wire.surrogates import Halves


def read_chunks(response: HttpResponse) -> Iterator[ChatCompletionChunk]:
    r"""Decode the chunks in a response to :func:`build_create` with ``stream=True``.

    The response is closed at the end, and when the iterator is closed.

    Args:
        response: The response; its body is read as far as chunks are requested.

    Yields:
        Each chunk, as soon as it is complete.

    Raises:
        APIStatusError: The status is an error; raised at the first step.
        APIError: The stream has an error; its ``completion`` is the completion so far.
        IncompleteStreamError: The stream ended early; likewise.

    >>> body = b'data: {"choices": [{"delta": {"content": "Hello"}}]}\n\ndata: [DONE]\n\n'
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
    """Incremental decoder of the chunks of an event stream.

    Call :meth:`feed` for all bytes and iterate over the chunks that it yields; stop when the reader
    is :attr:`done`, and call :meth:`end` if the bytes end before that.

    Args:
        response: The response that the bytes are from, for errors and ``chunk.http``.
    """

    def __init__(self, response: HttpResponse | None = None) -> None:
        self.done = False
        """Whether ``[DONE]`` was received; what follows need not be read."""
        self.joined = Accumulator()
        """The accumulator of the chunks so far."""
        self._response = response
        self._info = response.info() if response is not None else None
        limits = response.size_limits if response is not None else SizeLimits()
        self._events = SSEDecoder(limits.max_event_bytes)
        self._head: list[bytes] = []  # whitespace at the start of the body
        self._plain_body: list[bytes] | None = None  # a body that is not an event stream
        self._most_plain = self._plain_left = limits.max_response_bytes
        self._sniffed = False
        self._halves = Halves()
        self._chunk: ChatCompletionChunk | None = None  # the last chunk
        self._opened = False  # whether a choice has begun
        self._by_message: set[int] = set()  # choices with messages instead of deltas
        self._hook = converter().get_structure_hook(ChatCompletionChunk)
        self._last = ""  # the data of the last event, for an error that quotes it
        self._asked: int | None = None

    @property
    def finished(self) -> bool:
        """Whether every requested choice has its finish reason.

        A choice that continues after its finish reason is unfinished until the next one.
        """
        return self.joined.finished and self.joined.choice_count >= self._wanted

    @property
    def expects_only_the_end(self) -> bool:
        """Whether only a usage report and ``[DONE]`` are likely to follow.

        False if the server sends early finish reasons, in each chunk or in the first.
        """
        return self.finished and not self.joined.has_early_finish

    @property
    def _wanted(self) -> int:
        if self._asked is None:
            self._asked = asked_for(self._response.request if self._response else None) or 1
        return self._asked

    def feed(self, piece: bytes) -> Iterator[ChatCompletionChunk]:
        """Yield the chunks that more bytes complete.

        Raises:
            APIError: An event is an error, or not a chunk.
            IncompleteStreamError: ``[DONE]`` was received before any choice.
        """
        if not self._sniffed:
            piece = self._sniff(piece)
        if self._plain_body is not None:
            self._plain_left -= len(piece)
            if self._plain_left < 0:
                most = self._most_plain
                raise self._incomplete(f"the response is larger than max_response_bytes={most}.")
            self._plain_body.append(piece)
            return
        for event in self._events.feed(piece):
            chunk = self._decode(event)
            if chunk is not None:
                yield chunk
            if self.done:
                return
        if self._events.is_too_large:
            most = self._events.max_event_bytes
            raise self._incomplete(f"an event of the stream is larger than max_event_bytes={most}.")

    def end(self) -> Iterator[ChatCompletionChunk]:
        """Yield the chunks that are complete at the end of the bytes.

        Raises:
            IncompleteStreamError: There was neither ``[DONE]`` nor a finish reason for each choice.
        """
        yield from self.rest()
        if not (self.done or self.finished):
            raise self.cut_off(self._why_incomplete())

    def rest(self) -> Iterator[ChatCompletionChunk]:
        """Yield the chunks that are complete at the end of the bytes, which may be early."""
        if self._plain_body is not None:
            yield self._decode_completion(b"".join(self._plain_body))
            return
        for event in self._events.feed(b"".join(self._head)) + self._events.flush():
            try:
                chunk = self._decode(event)
            except APIResponseValidationError:
                return  # a truncated event; the caller knows whether the stream is complete
            if chunk is not None:
                yield chunk
        if self._events.stray and not (self.done or self.finished):
            found = find_error(first_json(self._stray))
            if found is not None:
                raise error_inside(found, self._response, self.joined.completion())

    @property
    def _stray(self) -> str:
        return self._events.stray.decode("utf-8", "replace")

    def cut_off(self, why: str) -> IncompleteStreamError:
        """Return the exception for a stream that ends early, with the completion so far.

        Args:
            why: What happened, for the message.
        """
        return self._incomplete(f"Connection error: {why}.")

    def _incomplete(self, message: str) -> IncompleteStreamError:
        request = self._response.request if self._response is not None else None
        return IncompleteStreamError(
            message=message,
            request=request,
            response=self._response,
            completion=self.joined.completion(),
        )

    def _why_incomplete(self) -> str:
        began, wanted = self.joined.choice_count, self._wanted
        stray = preview(self._stray)
        if not began:
            last = preview(self._last) or stray
            quoted = f"; the last event was {last}" if last else ""
            return f"the stream ended without an answer{quoted}"
        if began < wanted and self.joined.finished:
            return f"the stream ended after {began} of the {wanted} choices requested"
        quoted = f"; in place of an event came {stray}" if stray else ""
        return f"the stream ended before the answer was complete{quoted}"

    def _sniff(self, piece: bytes) -> bytes:
        # JSON and HTML, sent instead of an event stream, begin with one of these.
        self._head.append(piece)
        start = piece.lstrip(b"\xef\xbb\xbf \t\r\n")
        if not start:
            return b""
        self._sniffed = True
        if start[:1] in (b"{", b"[", b"<"):
            self._plain_body = []
        head, self._head = b"".join(self._head), []
        return head

    def _decode(self, event: ServerSentEvent) -> ChatCompletionChunk | None:
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
            if data.startswith("data:"):  # with two field names
                data = _PREFIXES.sub("", data)
                return self._decode(attrs.evolve(event, data=data))
            if not failed:
                self._process_text(data, named)
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
                raise unexpected_body(
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
                self._convert_message(choice)
        if "\\" in data or self._halves.held:
            self._halves.mend(data, value["choices"])
        chunk: ChatCompletionChunk = self._hook(value, None)
        set_http(chunk, self._info)
        self._chunk = chunk
        choices = chunk.choices
        if self._opened and not (choices and choices[0].index):
            self.joined.add(chunk)
        else:
            self._add_marked(chunk)
        return chunk

    def _convert_message(self, choice: dict[str, Any]) -> None:
        """Convert a message that is sent instead of a delta into one, in place.

        It may be the whole answer, the answer so far, or a part: only what is new is kept.
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
        """End the stream at ``[DONE]``.

        Raises:
            IncompleteStreamError: No choice has begun.
        """
        self.done = True
        if not self.joined.started:
            raise self.cut_off(self._why_incomplete())
        if self._chunk is not None:
            mark(self._chunk, ENDS)

    def _process_text(self, data: str, named: bool) -> None:
        """Process the data of an event that is not JSON.

        Raises:
            APIResponseValidationError: It is neither ``[DONE]`` nor without meaning.
        """
        text = data.strip().lower()
        if text.startswith("[done]"):
            self._end_of_answer()
        # A named event may have any text, unless it begins as JSON.
        elif (
            text
            and not (_is_heartbeat(text) or text.strip("[]") in _ENDINGS)
            and (not named or text[0] in "{[")
        ):
            raise self._unexpected_body("An event of the stream is not JSON", data)
        else:
            self._last = self._last or data.strip()

    def _unexpected_body(self, what: str, data: str) -> APIResponseValidationError:
        return unexpected_body(self._response, what, data, self.joined.completion)

    def _check_error(self, value: Any, data: str, failed: bool = False) -> None:
        """Raise the error in an event, if any.

        Args:
            value: The decoded data.
            data: The data.
            failed: Whether the name of the event says that it is an error.

        Raises:
            APIError: The event is an error.
        """
        found = find_error(value, certain=failed)
        if found is None and failed:
            found = ErrorFound(preview(data) or "an error event without a message", value)
        if found is not None:
            raise error_inside(found, self._response, self.joined.completion())

    def _decode_completion(self, body: bytes) -> ChatCompletionChunk:
        """Decode a plain completion, sent instead of a stream, as one chunk."""
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
        self._add_marked(chunk)
        self._chunk = chunk
        self._end_of_answer()
        return chunk

    def _add_marked(self, chunk: ChatCompletionChunk) -> None:
        """Accumulate the first chunk, or one with another index than 0, and set its marks."""
        if not self._opened:
            mark(chunk, OPENS)
        accumulator, asked = self.joined, None
        if chunk.choices and chunk.choices[0].index:
            asked = asked_for(self._response.request if self._response is not None else None)
            if asked is not None:
                mark(chunk, ONE if asked == 1 else MANY)
        accumulator.add(chunk)
        self._opened = accumulator.started
        is_first = accumulator.counts_chunks or (asked == 1 and accumulator.choice_count == 1)
        if is_first and len(chunk.choices) == 1:
            mark(chunk, FIRST)


def asked_for(request: HttpRequest | None) -> int | None:
    """Return the number of choices that a request asks for, or None without a request."""
    if request is None:
        return None
    if b'"n"' not in request.content:  # decoded only if needed
        return 1
    try:
        wanted = read_json(request.content)["n"]
    except (ValueError, TypeError, KeyError):
        return 1
    return wanted if isinstance(wanted, int) else 1


_PREFIXES = re.compile(r"^(?:data: ?)+", re.MULTILINE)


def _is_keep_alive(event: ServerSentEvent, value: Any) -> bool:
    """Return whether an event only keeps the connection open."""
    if value is None or value in ({}, [], ""):
        return True
    if not isinstance(value, dict):
        return isinstance(value, str) and _is_heartbeat(value.lower())
    if value.get("choices") or value.get("error"):
        return False
    names = (event.event, value.get("type"), value.get("event"), value.get("object"))
    return any(isinstance(name, str) and _is_heartbeat(name.lower()) for name in names)


def _is_heartbeat(text: str) -> bool:
    """Return whether a text is a comment sent as data, or the name of a heartbeat."""
    return text.startswith(":") or text.strip("[]. ") in _HEARTBEATS


_HEARTBEATS = frozenset({"ping", "pong", "heartbeat", "keepalive", "keep-alive", "keep_alive"})
_ENDINGS = frozenset({"done", "end", "eof"})
"""Texts instead of ``[DONE]``, which do not end an answer."""
