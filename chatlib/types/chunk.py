"""Chunks of a streamed chat completion, and their parts."""

from __future__ import annotations

from typing import Literal, TypeAlias

from chatlib.types.base import JsonObject
from chatlib.types.decoding import json_object
from chatlib.types.literals import FinishReason, Role, ServiceTier, ToolCallType
from chatlib.types.logprobs import ChoiceLogprobs
from chatlib.types.moderation import Moderation
from chatlib.types.text import text_of
from chatlib.types.usage import CompletionUsage

__all__ = [
    "ChatCompletionChunk",
    "ChoiceDelta",
    "ChoiceDeltaAudio",
    "ChoiceDeltaFunctionCall",
    "ChoiceDeltaToolCall",
    "ChoiceDeltaToolCallFunction",
    "ChunkChoice",
    "ChunkChoiceLogprobs",
]


@json_object
class ChoiceDeltaAudio(JsonObject):
    """A delta of an audio answer."""

    id: str | None = None
    data: str | None = None
    """The next piece of the base64-encoded audio."""
    expires_at: int | None = None
    transcript: str | None = None
    """The next piece of the transcript."""


@json_object
class ChoiceDeltaFunctionCall(JsonObject):
    """A delta of a function call in the deprecated form."""

    arguments: str | None = None
    """The next piece of the JSON text."""
    name: str | None = None


@json_object
class ChoiceDeltaToolCallFunction(JsonObject):
    """A delta of the name and arguments of a function tool call."""

    arguments: str | None = None
    """The next piece of the JSON text."""
    name: str | None = None


@json_object
class ChoiceDeltaToolCall(JsonObject):
    """A delta of a tool call."""

    index: int
    """The index of the tool call in the message. Some servers send wrong ones."""
    id: str | None = None
    """Usually only in the first delta of a call, like ``type`` and the function's name."""
    function: ChoiceDeltaToolCallFunction | None = None
    type: ToolCallType | None = None


@json_object
class ChoiceDelta(JsonObject):
    """A delta of a message."""

    audio: ChoiceDeltaAudio | None = None
    content: str | None = None
    """The next piece of the text; some servers send a list of parts, which :attr:`text` joins."""
    function_call: ChoiceDeltaFunctionCall | None = None
    """Deprecated by the API in favour of ``tool_calls``."""
    refusal: str | None = None
    role: Role | None = None
    tool_calls: list[ChoiceDeltaToolCall] | None = None

    @property
    def text(self) -> str:
        """The text of ``content``, ``""`` if there is none."""
        return text_of(self.content)


# The same object as in a whole completion: a chunk has the logprobs of its own tokens.
ChunkChoiceLogprobs: TypeAlias = ChoiceLogprobs


@json_object
class ChunkChoice(JsonObject):
    """A delta of one of the ``n`` choices."""

    delta: ChoiceDelta
    index: int
    finish_reason: FinishReason | None = None
    """Why the model stopped generating, in the last chunk of the choice."""
    logprobs: ChunkChoiceLogprobs | None = None


OPENS = 1
"""A mark of a chunk: no choice came before it in its stream."""
ENDS = 2
"""A mark of a chunk: ``[DONE]`` followed it."""
ONE = 4
"""A mark of a chunk whose first choice is not at index 0: one answer was asked for."""
MANY = 8
"""A mark of the same: several answers were asked for."""
FIRST = 16
"""A mark of the same: nevertheless it belongs to the first answer."""


class _Marked(JsonObject):
    """A slot for what the stream reader notes about a chunk: a bitmask of the marks."""

    __slots__ = ("_marks",)


@json_object
class ChatCompletionChunk(_Marked):
    """A chunk of a streamed chat completion."""

    id: str
    """The same in all chunks of one completion."""
    choices: list[ChunkChoice]
    """Empty in a chunk that only reports usage."""
    created: int
    """When the completion was created, in Unix seconds; the same in all chunks."""
    model: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    moderation: Moderation | None = None
    obfuscation: str | None = None
    """Random padding that hides the length of the text from network observers."""
    service_tier: ServiceTier | None = None
    system_fingerprint: str | None = None
    usage: CompletionUsage | None = None
    """The token usage of the whole completion, usually in the last chunk only, if asked for."""

    @property
    def text(self) -> str:
        """The text that the chunk adds to the first choice, ``""`` if it adds none.

        That is choice 0; if one choice was asked for, it is the chunk's only choice, whatever its
        index: some servers count chunks there.
        """
        for choice in self.choices if isinstance(self.choices, list) else ():
            if isinstance(choice, ChunkChoice) and (not choice.index or marks_of(self) & FIRST):
                return choice.delta.text if isinstance(choice.delta, ChoiceDelta) else ""
        return ""


def marks_of(chunk: ChatCompletionChunk) -> int:
    """Return the marks that the stream reader set on a chunk, 0 if there are none."""
    return getattr(chunk, "_marks", 0)


def mark(chunk: ChatCompletionChunk, *marks: int) -> None:
    """Set marks on a chunk."""
    for each in marks:
        chunk._marks = marks_of(chunk) | each  # type: ignore[attr-defined]
