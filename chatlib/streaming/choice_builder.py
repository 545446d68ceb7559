"""A choice of a completion, assembled from the deltas of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatlib.http import omit
from chatlib.streaming.tool_calls import ToolCallAssembler, ToolCallBuilder
from chatlib.streaming.unknown_fields import add_extra, copied, merge, replace_fields
from chatlib.types.audio import ChatCompletionAudio
from chatlib.types.base import JsonObject
from chatlib.types.chunk import (
    ChoiceDelta,
    ChoiceDeltaAudio,
    ChoiceDeltaFunctionCall,
    ChunkChoice,
)
from chatlib.types.completion import Choice
from chatlib.types.logprobs import ChoiceLogprobs
from chatlib.types.message import ChatCompletionMessage
from chatlib.types.tool_call import FunctionCall
from chatlib.wire.surrogates import joined_text


class ChoiceBuilder:
    """One choice under construction."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.finish_reason: str | None = None
        self.is_finished = False
        self.has_early_finish = False
        """Whether a finish reason came before the content that it ends."""
        self.calls = ToolCallAssembler()
        self.updated_calls: list[tuple[ToolCallBuilder, str, bool]] = []
        """The tool calls of the last delta that had any, as :meth:`ToolCallAssembler.add` says."""
        self.content: list[Any] = []
        self.extra: dict[str, Any] = {}
        self._has_begun = False
        self._role: str | None = None
        self._refusal: list[str] = []
        self._function_call: ToolCallBuilder | None = None
        self._audio: dict[str, Any] = {}
        self._logprobs: dict[str, list[Any]] = {}
        self._delta_extra: dict[str, Any] = {}

    def add(self, piece: ChunkChoice) -> int:
        """Add the choice of a chunk.

        Returns:
            The change in the number of unfinished choices: -1 if this finishes the choice, 1 if it
            continues a finished one, else 0.
        """
        delta = piece.delta
        if delta.__class__ is ChoiceDelta:
            names = delta._names
            content: Any = delta.content if "content" in names else None
            if content or (not self.content and (content == "" or content == [])):
                self.content.append(content)
            if len(names) > 1 or not content:
                self._add_other_fields(delta)
            if delta._extra:
                merge(self._delta_extra, delta._extra)
        if piece._extra:
            replace_fields(self.extra, piece._extra)
        if piece.logprobs is not None:
            self._add_logprobs(piece.logprobs)
        change = self._update_finish(piece) if piece.finish_reason or self.is_finished else 0
        self._has_begun = True
        return change

    def _update_finish(self, piece: ChunkChoice) -> int:
        has_content, was_finished = _has_content(piece.delta), self.is_finished
        if has_content or not was_finished:
            self.is_finished = bool(piece.finish_reason)
        if (was_finished and has_content) or not (was_finished or has_content or self._has_begun):
            self.has_early_finish = True
        self.finish_reason = piece.finish_reason or self.finish_reason
        return was_finished - self.is_finished

    def _add_logprobs(self, logprobs: ChoiceLogprobs) -> None:
        if isinstance(logprobs, ChoiceLogprobs):
            # Includes those of legacy completions: tokens, token_logprobs, text_offset, ...
            for name, tokens in logprobs._items():
                if isinstance(tokens, list):
                    self._logprobs.setdefault(name, []).extend(tokens)

    def _add_other_fields(self, delta: ChoiceDelta) -> None:
        """Add all fields of a delta but its content and unknown fields."""
        if delta.role and not self._role:
            self._role = delta.role
        if isinstance(delta.refusal, str):
            self._refusal.append(delta.refusal)
        calls: Any = delta.tool_calls
        self.updated_calls = self.calls.add(calls) if calls and isinstance(calls, list) else []
        function = delta.function_call
        if isinstance(function, ChoiceDeltaFunctionCall) and any(values_of(function)):
            if self._function_call is None:
                self._function_call = ToolCallBuilder(None)
            self._function_call.add_function(function)
        if isinstance(delta.audio, ChoiceDeltaAudio):
            merge(self._audio, dict(delta.audio._items()))

    def build(self) -> Choice:
        """Return the choice so far, as a new object."""
        message = ChatCompletionMessage(
            role=self._role or "assistant",  # type: ignore[arg-type]
            content=_join_content(self.content),
            refusal=joined_text(self._refusal) if self._refusal else None,
        )
        add_extra(message, self._delta_extra)
        if self.calls.calls:
            message.tool_calls = [call.build() for call in self.calls.calls]
        if self._function_call is not None:
            message.function_call = self._function_call.function(FunctionCall)
        if self._audio:
            audio = copied(self._audio)
            message.audio = ChatCompletionAudio(**{name: audio.pop(name, omit) for name in _AUDIO})
            message.audio.extra.update(audio)
        reason: Any = self.finish_reason  # None if the server sent none
        made = Choice(index=self.index, finish_reason=reason, message=message)
        if self._logprobs:
            held = {name: list(tokens) for name, tokens in self._logprobs.items()}
            known = {name: held.pop(name, omit) for name in ("content", "refusal")}
            made.logprobs = ChoiceLogprobs(**known)  # type: ignore[arg-type]
            made.logprobs.extra.update(held)
        return add_extra(made, self.extra)


def values_of(sent: JsonObject) -> Iterator[Any]:
    """Return the values of all fields of an object."""
    return (value for _, value in sent._items())


def _has_content(delta: object) -> bool:
    """Return whether a delta has any part of the answer."""
    if not isinstance(delta, ChoiceDelta):
        return False
    extra = delta._extra or {}
    known = (delta.content, delta.tool_calls, delta.refusal, delta.function_call)
    return any(known) or bool(extra.get("reasoning_content") or extra.get("reasoning"))


_AUDIO = ("id", "data", "expires_at", "transcript")


def _join_content(pieces: list[Any]) -> Any:
    """Join the contents of deltas: strings, lists of typed parts, or both."""
    if all(isinstance(piece, str) for piece in pieces):
        return joined_text(pieces) if pieces else None
    # Mistral's reasoning models send strings and lists of typed parts in one stream.
    parts: list[Any] = []
    for piece in pieces:
        if not isinstance(piece, str):
            parts.extend(piece if isinstance(piece, list) else [piece])
        elif parts and _is_text_part(parts[-1]):
            parts[-1] = {**parts[-1], "text": joined_text([parts[-1]["text"], piece])}
        elif piece:
            parts.append({"type": "text", "text": piece})
    return parts


def _is_text_part(part: Any) -> bool:
    plain = isinstance(part, dict) and part.keys() == {"type", "text"}
    return plain and isinstance(part["text"], str)
