"""Chunks to events: what ``stream()`` knows, as a fold that people can run over their own chunks.

The strategy: each chunk costs the same however many came before. Texts are kept as growing lists,
and an event remembers how long its text was rather than the text. JSON so far is read by one reader
for each text that goes on from where it last stopped. What an event shows is made when it is read;
one that is read late looks at the beginning of what has come since.

For the completion so far at an earlier time there is a log of what was folded: one entry for each
chunk, which for nearly all is the piece of text that is kept anyway.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Generic, TypeVar

from chatlib.errors import ContentFilterFinishReasonError, LengthFinishReasonError
from chatlib.http import omit
from chatlib.streaming.accumulator import Accumulator
from chatlib.streaming.partial_json import PartialJson
from chatlib.streaming.tool_calls import is_complete_object
from chatlib.structured.completions import (
    as_parsed,
    is_parseable,
    is_typed,
    parse_call,
    parse_completion,
    parse_content,
    strict_tool,
)
from chatlib.types.chunk import ENDS, ChatCompletionChunk, ChoiceDelta, ChunkChoice, marks_of
from chatlib.types.completion import (
    ChatCompletion,
    ChatCompletionMessageFunctionToolCall,
    ChoiceLogprobs,
)
from chatlib.types.events import (
    ChatCompletionStreamEvent,
    ChunkEvent,
    ContentDeltaEvent,
    ContentDoneEvent,
    FunctionToolCallArgumentsDeltaEvent,
    FunctionToolCallArgumentsDoneEvent,
    LogprobsContentDeltaEvent,
    LogprobsContentDoneEvent,
    LogprobsRefusalDeltaEvent,
    LogprobsRefusalDoneEvent,
    RefusalDeltaEvent,
    RefusalDoneEvent,
)
from chatlib.types.parsed import ParsedChatCompletion
from chatlib.types.text import text_of
from chatlib.wire.surrogates import Halves

T = TypeVar("T")


class ChatCompletionStreamState(Generic[T]):
    """An answer that is coming, and the events of it.

    Args:
        response_format: The type of the answer, or whatever else was sent.
        input_tools: The tools that were sent.

    >>> from chatlib.wire.codec import structure
    >>> state = ChatCompletionStreamState()
    >>> delta = {"role": "assistant", "content": "Hello"}
    >>> chunk = structure({"choices": [{"index": 0, "delta": delta}]}, ChatCompletionChunk)
    >>> [event.type for event in state.handle_chunk(chunk)]
    ['chunk', 'content.delta']
    >>> state.current_completion_snapshot.text
    'Hello'
    """

    def __init__(
        self, *, response_format: type[T] | Any = omit, input_tools: Iterable[Any] | Any = omit
    ) -> None:
        self._response_format = response_format
        self._tools: list[Any] = (
            [] if input_tools is omit or input_tools is None else list(input_tools)
        )
        self._typed = is_typed(response_format)
        self._parseable = is_parseable(response_format, self._tools)
        self._folded = Accumulator()
        self._log: list[str | ChatCompletionChunk] = []
        self._choices: dict[int, _ChoiceEvents] = {}
        self.is_over = False
        """Whether the stream has come to its end: :meth:`end` was called."""
        self.expects_end = False
        """Whether it will be called, so that events may wait for it."""

    @property
    def current_completion_snapshot(self) -> ParsedChatCompletion[T]:
        """What has come so far, with the values so far of its JSON."""
        return self._parsed_so_far(self._folded)

    def get_final_completion(self) -> ParsedChatCompletion[T]:
        """The whole answer, parsed. Whether it is whole is for the caller to know.

        Raises:
            LengthFinishReasonError, ContentFilterFinishReasonError, ParseError: as
                :func:`~chatlib.structured.completions.parse_completion`.
        """
        return parse_completion(self._folded.completion(), self._response_format, self._tools)

    def handle_chunk(self, chunk: ChatCompletionChunk) -> list[ChatCompletionStreamEvent[T]]:
        """Take in the next chunk: the events that it brings.

        Raises:
            LengthFinishReasonError, ContentFilterFinishReasonError: there was something to parse,
                and it will not be whole.
            ParseError: what has ended is not what was asked for.
        """
        pieces = _choices_of(chunk)
        # The first one has the head.
        self._log.append(_entry(chunk, pieces) if self._log else chunk)
        events: list[ChatCompletionStreamEvent[T]] = [
            ChunkEvent(chunk, partial(self._snapshot_at, len(self._log)))
        ]
        for part, inside in _parts(chunk, pieces):
            self._folded.add(part)
            for piece in inside:
                index = self._folded.resolve_index(piece.index)
                choice = self._choices.get(index)
                if choice is None:
                    choice = self._choices[index] = _ChoiceEvents(index, self)
                events.extend(choice.events(piece, chunk))
        return events

    def end(self) -> list[ChatCompletionStreamEvent[T]]:
        """Take note that the stream is over: the events of what had not ended before.

        Raises:
            ParseError: what has ended is not what was asked for.
        """
        self.is_over = True
        return [event for choice in self._choices.values() for event in choice.end()]

    def completion_so_far(self) -> ChatCompletion:
        """What has come so far, as a plain completion."""
        return self._folded.completion()

    def _snapshot_at(self, length: int) -> ParsedChatCompletion[T]:
        if length == len(self._log):
            return self.current_completion_snapshot
        folded = self._folded.empty()
        for entry in self._log[:length]:
            if isinstance(entry, str):
                folded.add_text(entry)
            else:
                folded.add(entry)
        return self._parsed_so_far(folded)

    def _parsed_so_far(self, folded: Accumulator) -> ParsedChatCompletion[T]:
        def content(text: str) -> Any:
            return so_far(text) if self._typed else None

        def arguments(name: str | None, text: str) -> Any:
            return so_far(text) if strict_tool(self._tools, name) else None

        return as_parsed(folded.completion(), content, arguments)


def so_far(text: str) -> Any:
    """The value so far of a JSON text; None before there is any."""
    reader = PartialJson()
    reader.feed(text)
    return reader.value()


def _parts(
    chunk: ChatCompletionChunk, pieces: list[ChunkChoice]
) -> list[tuple[ChatCompletionChunk, list[ChunkChoice]]]:
    """A chunk in parts that hold each choice at most once: nearly always the chunk as it is."""
    if len(pieces) < 2 or len(pieces) == len({_index(piece) for piece in pieces}):
        return [(chunk, pieces)]
    return [(chunk.replace(choices=[piece]), [piece]) for piece in pieces]


def _index(piece: ChunkChoice) -> int:
    return piece.index if isinstance(piece.index, int) else 0


def _choices_of(chunk: ChatCompletionChunk) -> list[ChunkChoice]:
    """The pieces of choices in a chunk, whatever else a server put there."""
    pieces = chunk.choices
    if not isinstance(pieces, list):
        return []
    if len(pieces) == 1 and isinstance(pieces[0], ChunkChoice):
        return pieces
    return [piece for piece in pieces if isinstance(piece, ChunkChoice)]


def _entry(chunk: ChatCompletionChunk, pieces: list[ChunkChoice]) -> str | ChatCompletionChunk:
    """What a later fold needs of a chunk: for a piece of the only choice's text, just that."""
    if len(pieces) == 1 and not (chunk._extra or chunk.usage or chunk.moderation):
        piece = pieces[0]
        delta = piece.delta
        if (
            piece.index == 0
            and isinstance(delta, ChoiceDelta)
            and delta._names == ("content",)
            and delta.content.__class__ is str
            and not (piece.finish_reason or piece.logprobs or piece._extra or delta._extra)
        ):
            return str(delta.content)
    return chunk


class _Growing:
    """A text that grows, readable up to any length that it had."""

    def __init__(self, typed: bool) -> None:
        self.length = 0
        self._pieces: list[str] = []
        self._halves = Halves()
        self._reader = PartialJson() if typed else None
        self._unread: deque[str] = deque()  # the pieces that the reader has not been fed

    @property
    def is_typed(self) -> bool:
        """Whether its JSON is read as it comes."""
        return self._reader is not None

    def append(self, piece: str) -> str:
        """Take in a piece; the answer is the text that it adds: half a character is held back."""
        if self._halves.held or not piece.isascii():
            piece = self._halves.feed(piece)
        self._pieces.append(piece)
        self.length += len(piece)
        if self._reader is not None:
            self._unread.append(piece)
        return piece

    def upto(self, length: int) -> str:
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        text = self._pieces[0] if self._pieces else ""
        return text if length == len(text) else text[:length]

    def value_upto(self, length: int) -> Any:
        """The JSON so far at a length; None where there is nothing to parse."""
        if self._reader is None:
            return None
        if self._reader.length > length:
            return so_far(self.upto(length))
        while self._reader.length < length:  # never more: the lengths are those after a piece
            self._reader.feed(self._unread.popleft())
        return self._reader.value()


_NOTHING = ChoiceDelta()


class _ChoiceEvents:
    """The events of one choice."""

    def __init__(self, index: int, state: ChatCompletionStreamState[Any]) -> None:
        self._index = index
        self._state = state
        self._content = _Growing(state._typed)
        self._refusal = _Growing(False)
        self._logprobs: dict[str, list[Any]] = {"content": [], "refusal": []}
        self._arguments: dict[int, _Growing] = {}
        self._current: int | None = None  # the tool call that is coming
        self._done: set[str] = set()
        self._finishes_early = False  # finish reasons come beside the pieces of what goes on

    def end(self) -> Iterator[Any]:
        """The events of all that is open."""
        yield from self._text_done()
        for position in sorted(self._arguments):
            yield from self._call_done(position, finished=True)

    @property
    def _size(self) -> int:
        texts = (self._content, self._refusal, *self._arguments.values())
        return sum(text.length for text in texts)

    def events(self, piece: ChunkChoice, chunk: ChatCompletionChunk) -> Iterator[Any]:
        """The events of a piece, which came in a chunk."""
        delta: Any = piece.delta if isinstance(piece.delta, ChoiceDelta) else _NOTHING
        index = self._index
        before = self._size if piece.finish_reason else 0
        if delta.content is not None:
            text = self._content.append(text_of(delta.content))
            if text and self._done:
                self._done.discard("content")
            length = self._content.length
            yield ContentDeltaEvent(
                text,
                index,
                partial(self._content.upto, length),
                partial(self._content.value_upto, length),
            )
        if isinstance(delta.refusal, str):
            text = self._refusal.append(delta.refusal)
            yield RefusalDeltaEvent(text, index, partial(self._refusal.upto, self._refusal.length))
        touched = self._touched(delta)
        for call, text, restarts in touched:
            yield self._call_delta(call, text, restarts)
        if isinstance(piece.logprobs, ChoiceLogprobs):
            yield from self._logprob_deltas(piece.logprobs)
        # The first tool call ends the text, each further one ends the one before it, and a finish
        # reason ends whatever is open.
        for call, _, _ in touched:
            if call.position != self._current:
                yield from self._text_done()
                yield from self._call_done(self._current)
                self._current = call.position
        if piece.finish_reason:
            self._check_finish(piece.finish_reason)
            # Where one comes with the first piece, there may be one in each (Gemini and Vertex
            # behind LiteLLM, one-api): the end is that of the stream, or a chunk that adds nothing.
            adds = self._size > before
            self._finishes_early |= adds and not before and not marks_of(chunk) & ENDS
            if not (adds and self._finishes_early and self._state.expects_end):
                yield from self.end()

    def _touched(self, delta: ChoiceDelta) -> list[tuple[Any, str, bool]]:
        """The function calls that this delta brought something for, and the text of it."""
        if not isinstance(delta.tool_calls, list):
            return []
        touched = self._state._folded.updated_calls(self._index)
        return [each for each in touched if not each[0].is_custom]

    def _call_delta(self, call: Any, text: str, restarts: bool) -> Any:
        growing = self._arguments.get(call.position)
        name = call.name or ""
        if growing is None or restarts:
            typed = strict_tool(self._state._tools, name)
            growing = self._arguments[call.position] = _Growing(typed)
        text = growing.append(text)
        return FunctionToolCallArgumentsDeltaEvent(
            name,
            call.position,
            text,
            self._index,
            partial(growing.upto, growing.length),
            partial(growing.value_upto, growing.length),
        )

    def _logprob_deltas(self, logprobs: ChoiceLogprobs) -> Iterator[Any]:
        for name, event in (
            ("content", LogprobsContentDeltaEvent),
            ("refusal", LogprobsRefusalDeltaEvent),
        ):
            tokens = getattr(logprobs, name)
            if tokens and isinstance(tokens, list):
                held = self._logprobs[name]
                held.extend(tokens)
                yield event(tokens, self._index, partial(_first, held, len(held)))

    def _text_done(self) -> Iterator[Any]:
        content, refusal = self._content, self._refusal
        if content.length and self._ends("content"):
            choice = self._state._folded.choice(self._index)
            parsed = None
            if self._state._typed:
                parsed = parse_content(
                    self._state._response_format,
                    choice.message,
                    f"choices[{self._index}].message",
                    self._state.completion_so_far(),
                )
            yield ContentDoneEvent(content.upto(content.length), parsed, self._index)
        if refusal.length and self._ends("refusal"):
            yield RefusalDoneEvent(refusal.upto(refusal.length), self._index)
        for name, event in (
            ("content", LogprobsContentDoneEvent),
            ("refusal", LogprobsRefusalDoneEvent),
        ):
            if self._logprobs[name] and self._ends(f"logprobs.{name}"):
                yield event(list(self._logprobs[name]), self._index)

    def _call_done(self, position: int | None, *, finished: bool = False) -> Iterator[Any]:
        if position is None:
            return
        growing = self._arguments[position]
        if (
            growing.is_typed
            and not finished
            and not is_complete_object(growing.upto(growing.length))
        ):
            return  # the server sends the pieces of several calls in turn: this one goes on
        if not self._ends(f"call.{position}"):
            return
        call: Any = (self._state._folded.choice(self._index).message.tool_calls or [])[position]
        if not isinstance(call, ChatCompletionMessageFunctionToolCall):
            return  # a later piece said that it is of another kind
        where = f"choices[{self._index}].message.tool_calls[{position}]"
        parsed = parse_call(call, self._state._tools, where, self._state.completion_so_far())
        function = parsed.function
        yield FunctionToolCallArgumentsDoneEvent(
            function.name, position, function.arguments, function.parsed_arguments, self._index
        )

    def _check_finish(self, reason: str) -> None:
        if self._state._parseable and reason == "length":
            raise LengthFinishReasonError(completion=self._state.current_completion_snapshot)
        if self._state._parseable and reason == "content_filter":
            raise ContentFilterFinishReasonError(completion=self._state.current_completion_snapshot)

    def _ends(self, what: str) -> bool:
        """Whether this is the first time that something ends."""
        if what in self._done:
            return False
        self._done.add(what)
        return True


def _first(items: list[Any], count: int) -> list[Any]:
    return items[:count]
