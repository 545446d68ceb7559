"""Accumulation of the chunks of a stream into a completion.

Parts of strings are appended to lists and joined only when a completion is asked for, so that each
chunk of a stream costs the same, however long the stream is. How two values are merged follows from
what they are: text is concatenated, identity (id, role, type, name) is set once, a report (usage)
is replaced, and an empty value never replaces another. Fields that the library does not know are
merged by their JSON type: see :mod:`chatlib.streaming.unknown_fields`.

Two questions are hard, because servers omit, repeat and reuse ``index``: which tool call a delta
belongs to (:mod:`chatlib.streaming.tool_calls`), and which choice
(:meth:`Accumulator._find_or_begin`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import attrs

from chatlib.errors import IncompleteStreamError
from chatlib.http import ResponseInfo, omit
from chatlib.streaming.choice_builder import ChoiceBuilder, values_of
from chatlib.streaming.tool_calls import ToolCallBuilder
from chatlib.streaming.unknown_fields import add_extra, replace_fields
from chatlib.types.base import JsonObject, set_http
from chatlib.types.chunk import (
    ENDS,
    MANY,
    ONE,
    OPENS,
    ChatCompletionChunk,
    ChunkChoice,
    marks_of,
)
from chatlib.types.completion import ChatCompletion, Choice
from chatlib.types.tool_call import (
    ChatCompletionMessageCustomToolCall,
    ChatCompletionMessageFunctionToolCall,
)
from chatlib.types.usage import CompletionUsage
from chatlib.wire.codec import structure

# Chunk fields whose last value wins, unless it is empty.
_REPORTS = ("usage", "service_tier", "system_fingerprint", "moderation")


class Accumulator:
    """A completion under construction from chunks.

    >>> from chatlib.wire.codec import structure
    >>> accumulator = Accumulator()
    >>> for text in ("Hel", "lo"):
    ...     chunk = {"choices": [{"index": 0, "delta": {"content": text}}]}
    ...     accumulator.add(structure(chunk, ChatCompletionChunk))
    >>> accumulator.completion().text
    'Hello'
    """

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}  # id, created, model: from the first chunk that has them
        self._reports: dict[str, Any] = {}
        self._extra: dict[str, Any] = {}
        self._choices: dict[int, ChoiceBuilder] = {}
        self._unfinished = 0
        self._http: ResponseInfo | None = None
        self._counted: _CountedIndex | None = None
        self._is_apart = False  # known: each index is a choice of its own

    @property
    def finished(self) -> bool:
        """Whether every choice that has begun has its finish reason.

        A choice that continues after its finish reason is unfinished until the next one.
        """
        return bool(self._choices) and not self._unfinished

    @property
    def has_early_finish(self) -> bool:
        """Whether a finish reason came before the content that it ends.

        Some servers send one in each chunk or in the first, where it has no meaning.
        """
        return any(choice.has_early_finish for choice in self._choices.values())

    @property
    def started(self) -> bool:
        """Whether any choice has begun."""
        return bool(self._choices)

    @property
    def choice_count(self) -> int:
        """The number of choices that have begun."""
        return len(self._choices)

    @property
    def counts_chunks(self) -> bool:
        """Whether the server seems to number its chunks in the ``index`` of the choice."""
        return self._counted is not None

    def has_choice(self, index: int) -> bool:
        """Return whether the choice with an index has begun."""
        return self.resolve_index(index) in self._choices

    def resolve_index(self, index: Any) -> int:
        """Return the index of the choice that a chunk with this index belongs to."""
        if self._counted is not None:
            return self._counted.choice.index
        return index if isinstance(index, int) else 0

    def add(self, chunk: ChatCompletionChunk) -> None:
        """Add the next chunk, in constant time."""
        # Hot path: what nearly all chunks have is checked first, and once.
        names = chunk._names
        if len(self._head) < 3:
            self._http = chunk._http
            for name in ("id", "created", "model"):
                if name in names and name not in self._head and getattr(chunk, name):
                    self._head[name] = getattr(chunk, name)
        for name in _REPORTS:
            if name in names:
                value = getattr(chunk, name)
                if value:
                    self._set_report(name, value)
        if chunk._extra:
            replace_fields(self._extra, chunk._extra)
        pieces: Any = chunk.choices
        for piece in pieces if pieces.__class__ is list else ():
            if piece.__class__ is not ChunkChoice:  # a server may send anything
                continue
            index = piece.index
            choice = None
            if index.__class__ is not int:
                index = self.resolve_index(index)
            if self._counted is None:
                choice = self._choices.get(index)
            if choice is None:
                choice = self._find_or_begin(index, piece, chunk)
            self._unfinished += choice.add(piece)

    def add_text(self, text: str) -> None:
        """Add the text of the first choice, as a chunk with nothing else would."""
        choice = self._choices.get(self.resolve_index(0)) or self._begin(0)
        if text or not choice.content:
            choice.content.append(text)

    def empty(self) -> Accumulator:
        """Return an empty accumulator that knows what this one has learned about indices."""
        made = Accumulator()
        made._is_apart = not self._counted
        if self._counted is not None:
            made._counted = _CountedIndex(made._begin(self._counted.choice.index), 0)
        return made

    # Which choice a delta belongs to. Its index says so, except from Foundry Local
    # (foundry-local#144), which numbers the chunks of its only choice there: 0, 1, 2, ... An index
    # that is new and larger than the only choice's, alone in its chunk, before that choice has its
    # finish reason, is such a number if one choice was requested. If the request is not known, the
    # chunk's id must differ too: all chunks of a completion share it, but Foundry's do not.
    #
    # If there is a second choice after all, two come in one chunk or a smaller index comes again.
    # Until that is ruled out, deltas are added both ways.

    def _find_or_begin(
        self, index: int, piece: ChunkChoice, chunk: ChatCompletionChunk
    ) -> ChoiceBuilder:
        """Return the choice of a delta whose index is new, or may number chunks."""
        counted = self._counted
        if counted is None:
            first = next(iter(self._choices.values()), None)
            if first is None or not self._may_count(index, first, chunk):
                return self._begin(index)
            try:
                apart = {first.index: copy.deepcopy(first), index: ChoiceBuilder(index)}
            except RecursionError:
                return self._begin(index)
            self._counted = _CountedIndex(first, index, apart)
            apart[index].add(piece)
            return first
        if counted.apart is not None:
            if len(chunk.choices) > 1 or index < counted.last:
                self._choices, self._counted, self._is_apart = counted.apart, None, True
                self._unfinished = sum(not each.is_finished for each in self._choices.values())
                return self._choices.get(index) or self._begin(index)
            counted.add(index, piece)
        return counted.choice

    def _may_count(self, index: int, first: ChoiceBuilder, chunk: ChatCompletionChunk) -> bool:
        """Return whether a new index may number chunks."""
        if self._is_apart or len(self._choices) > 1 or len(chunk.choices) > 1:
            return False
        marks = marks_of(chunk)
        if index < first.index or first.finish_reason or marks & MANY:
            return False
        return bool(marks & ONE) or bool(chunk.id and chunk.id != self._head.get("id", chunk.id))

    def _begin(self, index: int) -> ChoiceBuilder:
        self._unfinished += 1
        self._choices[index] = made = ChoiceBuilder(index)
        return made

    def choice(self, index: int) -> Choice:
        """Return one choice so far, as a new object."""
        return self._choices[index].build()

    def call(
        self, index: int, position: int
    ) -> ChatCompletionMessageFunctionToolCall | ChatCompletionMessageCustomToolCall | None:
        """Return one tool call of a choice so far, as a new object.

        Args:
            index: The index of the choice.
            position: The position of the call in it.

        Returns:
            The call; None if it has turned out to be one of another choice, because the server
            counts its chunks in ``index``.
        """
        calls = self._choices[index].calls.calls
        return calls[position].build() if position < len(calls) else None

    def updated_calls(self, index: int) -> list[tuple[ToolCallBuilder, str, bool]]:
        """Return the tool calls of a choice that the last chunk has added to.

        Returns:
            As :meth:`chatlib.streaming.tool_calls.ToolCallAssembler.add`.
        """
        return self._choices[index].updated_calls

    def _set_report(self, name: str, value: Any) -> None:
        # A report of nulls and zeros only does not replace another.
        if not isinstance(value, JsonObject) or any(values_of(value)):
            self._reports[name] = value
        elif value.fields_set:
            self._reports.setdefault(name, value)

    def completion(self) -> ChatCompletion:
        """Return the completion so far, as a new object that later chunks do not change."""
        made = ChatCompletion(
            **{"id": omit, "created": omit, "model": omit, **self._head},
            **self._reports,
            choices=[choice.build() for _, choice in sorted(self._choices.items())],
        )
        set_http(made, self._http)
        if not self._reports.get("usage"):
            usage = self._usage_elsewhere()
            if usage is not None:
                made.usage = usage
        return add_extra(made, self._extra)

    def _usage_elsewhere(self) -> CompletionUsage | None:
        """Return the usage that Moonshot sends in the last choice, or Groq in ``x_groq``."""
        holders = [choice.extra for choice in self._choices.values()]
        for holder in (*holders, self._extra.get("x_groq")):
            usage = holder.get("usage") if isinstance(holder, dict) else None
            if usage and isinstance(usage, dict):
                return structure(usage, CompletionUsage)
        return None


@attrs.define
class _CountedIndex:
    """The only choice of a stream whose server seems to number chunks in its index."""

    choice: ChoiceBuilder
    last: int
    """The last index."""
    apart: dict[int, ChoiceBuilder] | None = None
    """The choices in case it does not number chunks after all; None once that is ruled out."""
    steps: int = 1
    """The number of times that the index has increased."""

    def add(self, index: int, piece: ChunkChoice) -> None:
        """Add a delta to the choice that it belongs to if the index does not number chunks."""
        assert self.apart is not None
        if index > self.last:
            self.steps += 1
            self.last = index
            if self.steps > _MAX_CHOICES:
                self.apart = None
                return
            self.apart[index] = ChoiceBuilder(index)
        self.apart[index].add(piece)


_MAX_CHOICES = 128  # the largest n of a request


def accumulate(chunks: Iterable[ChatCompletionChunk], *, partial: bool = False) -> ChatCompletion:
    """Return the completion that the chunks of a stream amount to.

    Args:
        chunks: All chunks of a stream, in order. For a stream that has been iterated in part, use
            ``stream.completion`` or ``stream.get_final_completion()``.
        partial: Accept chunks of an incomplete stream, and return the completion so far.

    Returns:
        A new completion.

    Raises:
        IncompleteStreamError: The beginning or the end is missing, or there is no choice. Its
            ``completion`` is the completion so far. A stream is complete if each choice that has
            begun has a finish reason, or if the last chunk was followed by ``[DONE]``.
        TypeError: The argument is not an iterable of chunks.
    """
    if not isinstance(chunks, Iterable):
        hint = "; await stream.get_final_completion()" if hasattr(chunks, "__aiter__") else ""
        raise TypeError(
            f"accumulate() takes an iterable of chunks, not {type(chunks).__name__}{hint}"
        )
    accumulator = Accumulator()
    problem: str | None = None
    last: ChatCompletionChunk | None = None
    for chunk in chunks:
        if not isinstance(chunk, ChatCompletionChunk):
            raise TypeError(f"accumulate() takes chunks, not {type(chunk).__name__}")
        # Whether a chunk was the first is known only if it was read from a response.
        was_read = chunk._http is not None and bool(chunk.choices)
        if was_read and not (accumulator.started or marks_of(chunk) & OPENS):
            problem = "the beginning is missing: some chunks were read before"
        accumulator.add(chunk)
        last = chunk
    if last is None or not accumulator.started:
        problem = "there is no choice"
    elif not (problem or accumulator.finished or marks_of(last) & ENDS):
        problem = "the end is missing: there is no finish reason"
    if problem is None or partial:
        return accumulator.completion()
    so_far = getattr(chunks, "completion", None)  # a stream knows its earlier chunks
    raise IncompleteStreamError(
        message=f"The chunks are not a complete answer: {problem}. Use "
        "accumulate(..., partial=True) to accept a part, or stream.get_final_completion() for the "
        "whole answer of a stream.",
        completion=so_far if isinstance(so_far, ChatCompletion) else accumulator.completion(),
    )


joined = accumulate
"""Another name of :func:`accumulate`, kept for compatibility."""
