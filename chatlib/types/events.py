"""What ``stream()`` yields: one event for each thing that happens in an answer.

An event is small. What it shows of the answer so far (``snapshot``, ``parsed``, ``arguments``) is
made when it is read, and shows the state at the event's own time, however late that is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Literal, TypeAlias

import attrs
from typing_extensions import TypeVar

from chatlib.types.chunk import ChatCompletionChunk
from chatlib.types.logprobs import ChatCompletionTokenLogprob
from chatlib.types.parsed import ParsedChatCompletion

__all__ = [
    "ChatCompletionStreamEvent",
    "ChunkEvent",
    "ContentDeltaEvent",
    "ContentDoneEvent",
    "FunctionToolCallArgumentsDeltaEvent",
    "FunctionToolCallArgumentsDoneEvent",
    "LogprobsContentDeltaEvent",
    "LogprobsContentDoneEvent",
    "LogprobsRefusalDeltaEvent",
    "LogprobsRefusalDoneEvent",
    "RefusalDeltaEvent",
    "RefusalDoneEvent",
]

T = TypeVar("T", default=Any)
Lazy: TypeAlias = Callable[[], Any]


@attrs.define
class ChunkEvent(Generic[T]):
    """A chunk has come: the first event of each."""

    chunk: ChatCompletionChunk
    _snapshot: Lazy = attrs.field(repr=False, eq=False)
    type: Literal["chunk"] = "chunk"

    @property
    def snapshot(self) -> ParsedChatCompletion[T]:
        """The completion so far."""
        return self._snapshot()  # type: ignore[no-any-return]


@attrs.define
class ContentDeltaEvent:
    """A piece of the text of a choice."""

    delta: str
    index: int
    """Which choice."""
    _snapshot: Lazy = attrs.field(repr=False, eq=False)
    _parsed: Lazy = attrs.field(repr=False, eq=False)
    type: Literal["content.delta"] = "content.delta"

    @property
    def snapshot(self) -> str:
        """The text so far."""
        return self._snapshot()  # type: ignore[no-any-return]

    @property
    def parsed(self) -> Any:
        """The value of the JSON so far, where the answer was given a type; else None."""
        return self._parsed()


@attrs.define
class ContentDoneEvent(Generic[T]):
    """The text of a choice has ended."""

    content: str
    parsed: T | None
    index: int
    type: Literal["content.done"] = "content.done"


@attrs.define
class RefusalDeltaEvent:
    """A piece of a refusal."""

    delta: str
    index: int
    _snapshot: Lazy = attrs.field(repr=False, eq=False)
    type: Literal["refusal.delta"] = "refusal.delta"

    @property
    def snapshot(self) -> str:
        """The refusal so far."""
        return self._snapshot()  # type: ignore[no-any-return]


@attrs.define
class RefusalDoneEvent:
    """A refusal has ended."""

    refusal: str
    index: int
    type: Literal["refusal.done"] = "refusal.done"


@attrs.define
class FunctionToolCallArgumentsDeltaEvent:
    """A piece of a tool call."""

    name: str
    index: int
    """Which of the tool calls, in the order in which they began."""
    arguments_delta: str
    choice_index: int
    _arguments: Lazy = attrs.field(repr=False, eq=False)
    _parsed_arguments: Lazy = attrs.field(repr=False, eq=False)
    type: Literal["tool_calls.function.arguments.delta"] = "tool_calls.function.arguments.delta"

    @property
    def arguments(self) -> str:
        """The text of the arguments so far."""
        return self._arguments()  # type: ignore[no-any-return]

    @property
    def parsed_arguments(self) -> Any:
        """The value of the arguments so far, of a strict tool; else None."""
        return self._parsed_arguments()


@attrs.define
class FunctionToolCallArgumentsDoneEvent:
    """A tool call has ended."""

    name: str
    index: int
    arguments: str
    parsed_arguments: Any
    choice_index: int
    type: Literal["tool_calls.function.arguments.done"] = "tool_calls.function.arguments.done"


@attrs.define
class LogprobsContentDeltaEvent:
    """Log-probabilities of a piece of the text."""

    content: list[ChatCompletionTokenLogprob]
    index: int
    _snapshot: Lazy = attrs.field(repr=False, eq=False)
    type: Literal["logprobs.content.delta"] = "logprobs.content.delta"

    @property
    def snapshot(self) -> list[ChatCompletionTokenLogprob]:
        """All of the text so far."""
        return self._snapshot()  # type: ignore[no-any-return]


@attrs.define
class LogprobsContentDoneEvent:
    """The log-probabilities of the text have ended."""

    content: list[ChatCompletionTokenLogprob]
    index: int
    type: Literal["logprobs.content.done"] = "logprobs.content.done"


@attrs.define
class LogprobsRefusalDeltaEvent:
    """Log-probabilities of a piece of a refusal."""

    refusal: list[ChatCompletionTokenLogprob]
    index: int
    _snapshot: Lazy = attrs.field(repr=False, eq=False)
    type: Literal["logprobs.refusal.delta"] = "logprobs.refusal.delta"

    @property
    def snapshot(self) -> list[ChatCompletionTokenLogprob]:
        """All of the refusal so far."""
        return self._snapshot()  # type: ignore[no-any-return]


@attrs.define
class LogprobsRefusalDoneEvent:
    """The log-probabilities of a refusal have ended."""

    refusal: list[ChatCompletionTokenLogprob]
    index: int
    type: Literal["logprobs.refusal.done"] = "logprobs.refusal.done"


ChatCompletionStreamEvent: TypeAlias = (
    ChunkEvent[T]
    | ContentDeltaEvent
    | ContentDoneEvent[T]
    | RefusalDeltaEvent
    | RefusalDoneEvent
    | FunctionToolCallArgumentsDeltaEvent
    | FunctionToolCallArgumentsDoneEvent
    | LogprobsContentDeltaEvent
    | LogprobsContentDoneEvent
    | LogprobsRefusalDeltaEvent
    | LogprobsRefusalDoneEvent
)
"""Any event of a stream; ``event.type`` says which."""
