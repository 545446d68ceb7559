"""Events of ``stream()``.

What an event shows of the answer so far (``snapshot``, ``parsed``, ``arguments``) is computed when
it is read, and is the state at the time of the event.
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
    """A chunk was received: the first event of each chunk."""

    chunk: ChatCompletionChunk
    _snapshot: Lazy = attrs.field(repr=False, eq=False)
    type: Literal["chunk"] = "chunk"

    @property
    def snapshot(self) -> ParsedChatCompletion[T]:
        """The completion so far."""
        return self._snapshot()  # type: ignore[no-any-return]


@attrs.define
class ContentDeltaEvent:
    """A delta of the text of a choice."""

    delta: str
    index: int
    """The index of the choice."""
    _snapshot: Lazy = attrs.field(repr=False, eq=False)
    _parsed: Lazy = attrs.field(repr=False, eq=False)
    type: Literal["content.delta"] = "content.delta"

    @property
    def snapshot(self) -> str:
        """The text so far."""
        return self._snapshot()  # type: ignore[no-any-return]

    @property
    def parsed(self) -> Any:
        """The decoded JSON so far, if ``response_format`` is a type; else None."""
        return self._parsed()


@attrs.define
class ContentDoneEvent(Generic[T]):
    """The text of a choice is complete."""

    content: str
    parsed: T | None
    index: int
    type: Literal["content.done"] = "content.done"


@attrs.define
class RefusalDeltaEvent:
    """A delta of a refusal."""

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
    """A refusal is complete."""

    refusal: str
    index: int
    type: Literal["refusal.done"] = "refusal.done"


@attrs.define
class FunctionToolCallArgumentsDeltaEvent:
    """A delta of the arguments of a function tool call."""

    name: str
    index: int
    """The index of the tool call, in the order in which the calls began."""
    arguments_delta: str
    choice_index: int
    _arguments: Lazy = attrs.field(repr=False, eq=False)
    _parsed_arguments: Lazy = attrs.field(repr=False, eq=False)
    type: Literal["tool_calls.function.arguments.delta"] = "tool_calls.function.arguments.delta"

    @property
    def arguments(self) -> str:
        """The JSON text of the arguments so far."""
        return self._arguments()  # type: ignore[no-any-return]

    @property
    def parsed_arguments(self) -> Any:
        """The decoded arguments so far, if the tool is strict; else None."""
        return self._parsed_arguments()


@attrs.define
class FunctionToolCallArgumentsDoneEvent:
    """A function tool call is complete."""

    name: str
    index: int
    arguments: str
    parsed_arguments: Any
    choice_index: int
    type: Literal["tool_calls.function.arguments.done"] = "tool_calls.function.arguments.done"


@attrs.define
class LogprobsContentDeltaEvent:
    """Log-probabilities of a delta of the text."""

    content: list[ChatCompletionTokenLogprob]
    index: int
    _snapshot: Lazy = attrs.field(repr=False, eq=False)
    type: Literal["logprobs.content.delta"] = "logprobs.content.delta"

    @property
    def snapshot(self) -> list[ChatCompletionTokenLogprob]:
        """The log-probabilities of the text so far."""
        return self._snapshot()  # type: ignore[no-any-return]


@attrs.define
class LogprobsContentDoneEvent:
    """The log-probabilities of the text are complete."""

    content: list[ChatCompletionTokenLogprob]
    index: int
    type: Literal["logprobs.content.done"] = "logprobs.content.done"


@attrs.define
class LogprobsRefusalDeltaEvent:
    """Log-probabilities of a delta of a refusal."""

    refusal: list[ChatCompletionTokenLogprob]
    index: int
    _snapshot: Lazy = attrs.field(repr=False, eq=False)
    type: Literal["logprobs.refusal.delta"] = "logprobs.refusal.delta"

    @property
    def snapshot(self) -> list[ChatCompletionTokenLogprob]:
        """The log-probabilities of the refusal so far."""
        return self._snapshot()  # type: ignore[no-any-return]


@attrs.define
class LogprobsRefusalDoneEvent:
    """The log-probabilities of a refusal are complete."""

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
"""Any event of ``stream()``, told apart by ``event.type``."""
