"""Conversion of the chunks of a stream into events, for ``stream()`` or by hand.

Each chunk costs the same, however many came before. Texts are kept as lists of their parts, and an
event stores the length of its text rather than the text. Partial JSON is parsed incrementally, by
one parser for each text. The snapshot of an event is computed when it is accessed; an event that is
accessed late reads a prefix of what has been received since.

Snapshots of earlier chunks are computed from a log with one entry for each chunk; for nearly all
chunks, that is only their text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Generic

from typing_extensions import TypeVar

from chatlib.errors import ContentFilterFinishReasonError, LengthFinishReasonError
from chatlib.http import is_omitted, omit
from chatlib.streaming.accumulator import Accumulator
from chatlib.streaming.chunk_parts import choices_of, log_entry, parts_of
from chatlib.streaming.growing_text import GrowingText, partial_value
from chatlib.streaming.tool_calls import ToolCallBuilder, is_complete_object
from chatlib.structured.completions import (
    ParseError,
    as_parsed,
    is_parseable,
    is_typed,
    parse_call,
    parse_completion,
    parse_content,
    strict_tool,
)
from chatlib.types.chunk import ENDS, ChatCompletionChunk, ChoiceDelta, ChunkChoice, marks_of
from chatlib.types.completion import ChatCompletion
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
from chatlib.types.logprobs import ChoiceLogprobs
from chatlib.types.parsed import ParsedChatCompletion, ParsedFunctionToolCall
from chatlib.types.text import text_of
from chatlib.types.tool_call import ChatCompletionMessageFunctionToolCall

T = TypeVar("T", default=Any)


class ChatCompletionStreamState(Generic[T]):
    """The state of a stream, which converts its chunks into events.

    Args:
        response_format: The type of the answer, or the ``response_format`` of the request.
        input_tools: The tools of the request.

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
            [] if is_omitted(input_tools) or input_tools is None else list(input_tools)
        )
        self._typed = is_typed(response_format)
        self._parseable = is_parseable(response_format, self._tools)
        self._accumulator = Accumulator()
        self._is_shared = False  # somebody else adds the chunks to the accumulator
        self._log: list[str | ChatCompletionChunk] = []
        self._choices: dict[int, _ChoiceEvents] = {}
        self.is_over = False
        """Whether the stream has ended: :meth:`end` was called."""
        self.expects_end = False
        """Whether :meth:`end` will be called: events may be deferred until then."""
        self.hides_usage_chunk = False
        """Whether a chunk with nothing but the usage has no event."""

    def share(self, accumulator: Accumulator) -> None:
        """Use the accumulator of a reader, so that each chunk is accumulated only once.

        Args:
            accumulator: One to which each chunk is added just before it is given to
                :meth:`handle_chunk`.
        """
        self._accumulator, self._is_shared = accumulator, True

    @property
    def current_completion_snapshot(self) -> ParsedChatCompletion[T]:
        """The completion so far, with the partial values of its JSON."""
        return self._parsed_so_far(self._accumulator, len(self._log))

    def get_final_completion(self) -> ParsedChatCompletion[T]:
        """Return the completion, parsed. The caller must know that the stream is complete.

        Raises:
            LengthFinishReasonError: A choice ended at the token limit.
            ContentFilterFinishReasonError: A choice was withheld by a content filter.
            ParseError: A choice does not match the type requested.
        """
        return self.parse(self._accumulator.completion())

    def parse(self, completion: ChatCompletion) -> ParsedChatCompletion[T]:
        """Parse a completion as the answer to the request; see :meth:`get_final_completion`."""
        return _indexed(parse_completion(completion, self._response_format, self._tools))

    def handle_chunk(self, chunk: ChatCompletionChunk) -> list[ChatCompletionStreamEvent[T]]:
        """Process the next chunk.

        Args:
            chunk: The next chunk of the stream.

        Returns:
            The events of the chunk; the first is a :class:`~chatlib.types.ChunkEvent`.

        Raises:
            LengthFinishReasonError: A parsed choice ended at the token limit.
            ContentFilterFinishReasonError: A parsed choice was withheld by a content filter.
            ParseError: A text that has ended does not match the type requested.
        """
        pieces = choices_of(chunk)
        entry = log_entry(chunk, pieces)
        # The first chunk is kept whole, for the id, created and model of the completion.
        self._log.append(entry if self._log else chunk)
        events: list[ChatCompletionStreamEvent[T]] = []
        if chunk.choices or not self.hides_usage_chunk:
            events.append(ChunkEvent(chunk, partial(self._snapshot_at, len(self._log))))
        if isinstance(entry, str):  # nearly every chunk
            if not self._is_shared:
                self._accumulator.add(chunk)
            events.append(self._choice_events(0).content_delta(entry))
            return events
        parts = parts_of(chunk, pieces)
        if self._is_shared and len(parts) > 1:
            # The events need the state between the parts, which a shared accumulator has passed.
            self._accumulator = self._accumulate_log(len(self._log) - 1)
            self._is_shared = False
        for part, inside in parts:
            if not self._is_shared:
                self._accumulator.add(part)
            for piece in inside:
                events.extend(self._choice_events(piece.index).events(piece, chunk))
        return events

    def _choice_events(self, index: Any) -> _ChoiceEvents:
        """Return the maker of events of the choice that an index belongs to."""
        index = self._accumulator.resolve_index(index)
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _ChoiceEvents(index, self)
        return choice

    def end(self) -> list[ChatCompletionStreamEvent[T]]:
        """End the stream.

        Returns:
            The events of all texts and calls that had not ended before.

        Raises:
            ParseError: A text that has ended does not match the type requested.
        """
        self.is_over = True
        return [event for choice in self._choices.values() for event in choice.end()]

    @contextmanager
    def completed_errors(self) -> Iterator[None]:
        """Give the completion so far to a :class:`ParseError`: it is built only for that."""
        try:
            yield
        except ParseError as error:
            error.completion = self._accumulator.completion()
            raise

    def _snapshot_at(self, length: int) -> ParsedChatCompletion[T]:
        if length == len(self._log):
            return self.current_completion_snapshot
        return self._parsed_so_far(self._accumulate_log(length), length)

    def _accumulate_log(self, length: int) -> Accumulator:
        """Accumulate the first entries of the log again."""
        accumulator = self._accumulator.empty()
        for entry in self._log[:length]:
            if isinstance(entry, str):
                accumulator.add_text(entry)
            else:
                accumulator.add(entry)
        return accumulator

    def _parsed_so_far(self, accumulator: Accumulator, length: int) -> ParsedChatCompletion[T]:
        """Return the completion after some entries of the log, typed where it had ended by then."""

        def content(text: str) -> Any:
            return partial_value(text) if self._typed else None

        def arguments(name: str | None, text: str) -> Any:
            return partial_value(text) if strict_tool(self._tools, name) else None

        made = _indexed(as_parsed(accumulator.completion(), content, arguments))
        for choice in made.choices:
            events = self._choices.get(choice.index)
            for position, (since, value) in (events.values if events else {}).items():
                if since > length:
                    continue
                if position is None:
                    choice.message.parsed = value
                    continue
                calls: Any = choice.message.tool_calls
                if isinstance(calls, list) and isinstance(calls[position], ParsedFunctionToolCall):
                    calls[position].function.parsed_arguments = value
        return made

    @property
    def log_length(self) -> int:
        """The number of chunks that were handled."""
        return len(self._log)


def _indexed(completion: ParsedChatCompletion[Any]) -> ParsedChatCompletion[Any]:
    """Give the function calls of a completion the ``index`` that their deltas had."""
    for choice in completion.choices:
        calls: Any = choice.message.tool_calls
        for at, call in enumerate(calls if isinstance(calls, list) else ()):
            if isinstance(call, ParsedFunctionToolCall):
                call.extra["index"] = at
    return completion


_EMPTY_DELTA = ChoiceDelta()


class _ChoiceEvents:
    """Makes the events of one choice."""

    def __init__(self, index: int, state: ChatCompletionStreamState[Any]) -> None:
        self._index = index
        self._state = state
        self._content = GrowingText(state._typed)
        self._refusal = GrowingText(False)
        self._logprobs: dict[str, list[Any]] = {"content": [], "refusal": []}
        self._arguments: dict[int, GrowingText] = {}
        self._current: int | None = None  # the position of the current tool call
        self._done: set[str] = set()
        self.values: dict[int | None, tuple[int, Any]] = {}
        """What has ended, by the position of the call, None for the content: since which chunk, and
        its value."""
        self._finishes_early = False  # finish reasons come with unfinished text

    def end(self) -> Iterator[Any]:
        """Yield the events of all texts and calls that have not ended."""
        yield from self._text_done()
        for position in sorted(self._arguments):
            yield from self._call_done(position, finished=True)

    @property
    def _size(self) -> int:
        texts = (self._content, self._refusal, *self._arguments.values())
        return sum(text.length for text in texts)

    def events(self, piece: ChunkChoice, chunk: ChatCompletionChunk) -> Iterator[Any]:
        """Yield the events of a choice of a chunk."""
        delta: Any = piece.delta if isinstance(piece.delta, ChoiceDelta) else _EMPTY_DELTA
        index = self._index
        before = self._size if piece.finish_reason else 0
        if delta.content is not None:
            yield self.content_delta(text_of(delta.content))
        if isinstance(delta.refusal, str):
            text = self._refusal.append(delta.refusal)
            yield RefusalDeltaEvent(
                text, index, partial(self._refusal.prefix, self._refusal.length)
            )
        updated = self._updated_calls(delta) if delta.tool_calls else ()
        for call, text, restarts in updated:
            yield self._call_delta(call, text, restarts)
        if isinstance(piece.logprobs, ChoiceLogprobs):
            yield from self._logprob_deltas(piece.logprobs)
        # The first tool call ends the text, each further one ends the call before it, and a finish
        # reason ends all.
        for call, _, _ in updated:
            if call.position != self._current:
                yield from self._text_done()
                yield from self._call_done(self._current)
                self._current = call.position
        if piece.finish_reason:
            self._check_finish(piece.finish_reason)
            # A finish reason with the first delta may come with each (Gemini and Vertex behind
            # LiteLLM, one-api): then the end is that of the stream, or a chunk without content.
            adds = self._size > before
            self._finishes_early |= adds and not before and not marks_of(chunk) & ENDS
            if not (adds and self._finishes_early and self._state.expects_end):
                yield from self.end()

    def content_delta(self, text: str) -> ContentDeltaEvent:
        """Add to the text, and return the event for that."""
        content = self._content
        text = content.append(text)
        if text and self._done:
            self._done.discard("content")
            self.values.pop(None, None)
        length = content.length
        return ContentDeltaEvent(
            text, self._index, partial(content.prefix, length), partial(content.value_at, length)
        )

    def _updated_calls(self, delta: ChoiceDelta) -> list[tuple[ToolCallBuilder, str, bool]]:
        """Return the function calls that a delta adds to, with the text added to each."""
        if not isinstance(delta.tool_calls, list):
            return []
        updated = self._state._accumulator.updated_calls(self._index)
        return [each for each in updated if not each[0].is_custom]

    def _call_delta(self, call: ToolCallBuilder, text: str, restarts: bool) -> Any:
        growing = self._arguments.get(call.position)
        name = call.name or ""
        if growing is None or restarts:
            typed = strict_tool(self._state._tools, name)
            growing = self._arguments[call.position] = GrowingText(typed)
        text = growing.append(text)
        return FunctionToolCallArgumentsDeltaEvent(
            name,
            call.position,
            text,
            self._index,
            partial(growing.prefix, growing.length),
            partial(growing.value_at, growing.length),
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
            parsed = None
            if self._state._typed:
                message = self._state._accumulator.choice(self._index).message
                where = f"choices[{self._index}].message"
                with self._state.completed_errors():
                    parsed = parse_content(self._state._response_format, message, where, None)
                self.values[None] = (self._state.log_length, parsed)
            yield ContentDoneEvent(content.prefix(content.length), parsed, self._index)
        if refusal.length and self._ends("refusal"):
            yield RefusalDoneEvent(refusal.prefix(refusal.length), self._index)
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
            and not is_complete_object(growing.prefix(growing.length))
        ):
            return  # the server interleaves the deltas of several calls: this one continues
        if not self._ends(f"call.{position}"):
            return
        call: Any = self._state._accumulator.call(self._index, position)
        if not isinstance(call, ChatCompletionMessageFunctionToolCall):
            return  # a later delta has changed its type
        where = f"choices[{self._index}].message.tool_calls[{position}]"
        with self._state.completed_errors():
            parsed = parse_call(call, self._state._tools, where, None)
        function = parsed.function
        if growing.is_typed:
            self.values[position] = (self._state.log_length, function.parsed_arguments)
        yield FunctionToolCallArgumentsDoneEvent(
            function.name, position, function.arguments, function.parsed_arguments, self._index
        )

    def _check_finish(self, reason: str) -> None:
        if self._state._parseable and reason == "length":
            raise LengthFinishReasonError(completion=self._state.current_completion_snapshot)
        if self._state._parseable and reason == "content_filter":
            raise ContentFilterFinishReasonError(completion=self._state.current_completion_snapshot)

    def _ends(self, what: str) -> bool:
        """Note the end of a text or call; return whether it had not ended before."""
        if what in self._done:
            return False
        self._done.add(what)
        return True


def _first(items: list[Any], count: int) -> list[Any]:
    return items[:count]
