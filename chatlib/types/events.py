"""Events of ``stream()``.

What an event shows of the answer so far (``snapshot``, ``parsed``, ``arguments``) is computed when
it is read, and is the state at the time of the event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, get_args, get_origin

import attrs
from typing_extensions import TypeVar

from chatlib.types.chunk import ChatCompletionChunk
from chatlib.types.logprobs import ChatCompletionTokenLogprob
from chatlib.types.official_names import OfficialNames
from chatlib.types.parsed import ParsedChatCompletion

if TYPE_CHECKING:
    from typing_extensions import Self

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
Lazy: TypeAlias = Any
"""A function that computes a value; in an event that somebody else made, the value."""


def _value(lazy: Lazy) -> Any:
    return lazy() if callable(lazy) else lazy


class StreamEvent(OfficialNames):
    """An event of a stream."""

    __slots__ = ()

    def _declared(self) -> Iterator[tuple[str, Any]]:
        for name in self._defaults:
            yield name, getattr(self, name)

    def _came(self) -> frozenset[str]:
        return frozenset(self._defaults)

    @classmethod
    def _decode(cls, value: Mapping[str, Any]) -> Self:
        known = {name: item for name, item in value.items() if name in cls._defaults}
        return cls(**known)

    def to_dict(self, **options: Any) -> dict[str, Any]:
        """Return the event as plain JSON values, with what it shows of the answer so far.

        Args:
            options: As for :meth:`model_dump`.
        """
        return self.model_dump(**{"mode": "json", "exclude_unset": True, **options})

    def to_json(self, *, indent: int | None = 2, **options: Any) -> str:
        """Return the event as JSON text, see :meth:`model_dump_json`."""
        return self.model_dump_json(**{"indent": indent, "exclude_unset": True, **options})


@attrs.define
class ChunkEvent(StreamEvent, Generic[T]):
    """A chunk was received: the first event of each chunk."""

    chunk: ChatCompletionChunk
    _snapshot: Lazy = attrs.field(default=None, repr=False, eq=False)
    type: Literal["chunk"] = "chunk"

    @property
    def snapshot(self) -> ParsedChatCompletion[T]:
        """The completion so far."""
        return _value(self._snapshot)  # type: ignore[no-any-return]


@attrs.define
class ContentDeltaEvent(StreamEvent):
    """A delta of the text of a choice."""

    delta: str
    index: int = 0
    """The index of the choice."""
    _snapshot: Lazy = attrs.field(default=None, repr=False, eq=False)
    _parsed: Lazy = attrs.field(default=None, repr=False, eq=False)
    type: Literal["content.delta"] = "content.delta"

    @property
    def snapshot(self) -> str:
        """The text so far."""
        return _value(self._snapshot)  # type: ignore[no-any-return]

    @property
    def parsed(self) -> Any:
        """The decoded JSON so far, if ``response_format`` is a type; else None."""
        return _value(self._parsed)


@attrs.define
class ContentDoneEvent(StreamEvent, Generic[T]):
    """The text of a choice is complete."""

    content: str
    parsed: T | None
    index: int = 0
    type: Literal["content.done"] = "content.done"


@attrs.define
class RefusalDeltaEvent(StreamEvent):
    """A delta of a refusal."""

    delta: str
    index: int = 0
    _snapshot: Lazy = attrs.field(default=None, repr=False, eq=False)
    type: Literal["refusal.delta"] = "refusal.delta"

    @property
    def snapshot(self) -> str:
        """The refusal so far."""
        return _value(self._snapshot)  # type: ignore[no-any-return]


@attrs.define
class RefusalDoneEvent(StreamEvent):
    """A refusal is complete."""

    refusal: str
    index: int = 0
    type: Literal["refusal.done"] = "refusal.done"


@attrs.define
class FunctionToolCallArgumentsDeltaEvent(StreamEvent):
    """A delta of the arguments of a function tool call."""

    name: str
    index: int
    """The index of the tool call, in the order in which the calls began."""
    arguments_delta: str
    choice_index: int = 0
    _arguments: Lazy = attrs.field(default=None, repr=False, eq=False)
    _parsed_arguments: Lazy = attrs.field(default=None, repr=False, eq=False)
    type: Literal["tool_calls.function.arguments.delta"] = "tool_calls.function.arguments.delta"

    @property
    def arguments(self) -> str:
        """The JSON text of the arguments so far."""
        return _value(self._arguments)  # type: ignore[no-any-return]

    @property
    def parsed_arguments(self) -> Any:
        """The decoded arguments so far, if the tool is strict; else None."""
        return _value(self._parsed_arguments)


@attrs.define
class FunctionToolCallArgumentsDoneEvent(StreamEvent):
    """A function tool call is complete."""

    name: str
    index: int
    arguments: str
    parsed_arguments: Any
    choice_index: int = 0
    type: Literal["tool_calls.function.arguments.done"] = "tool_calls.function.arguments.done"


@attrs.define
class LogprobsContentDeltaEvent(StreamEvent):
    """Log-probabilities of a delta of the text."""

    content: list[ChatCompletionTokenLogprob]
    index: int = 0
    _snapshot: Lazy = attrs.field(default=None, repr=False, eq=False)
    type: Literal["logprobs.content.delta"] = "logprobs.content.delta"

    @property
    def snapshot(self) -> list[ChatCompletionTokenLogprob]:
        """The log-probabilities of the text so far."""
        return _value(self._snapshot)  # type: ignore[no-any-return]


@attrs.define
class LogprobsContentDoneEvent(StreamEvent):
    """The log-probabilities of the text are complete."""

    content: list[ChatCompletionTokenLogprob]
    index: int = 0
    type: Literal["logprobs.content.done"] = "logprobs.content.done"


@attrs.define
class LogprobsRefusalDeltaEvent(StreamEvent):
    """Log-probabilities of a delta of a refusal."""

    refusal: list[ChatCompletionTokenLogprob]
    index: int = 0
    _snapshot: Lazy = attrs.field(default=None, repr=False, eq=False)
    type: Literal["logprobs.refusal.delta"] = "logprobs.refusal.delta"

    @property
    def snapshot(self) -> list[ChatCompletionTokenLogprob]:
        """The log-probabilities of the refusal so far."""
        return _value(self._snapshot)  # type: ignore[no-any-return]


@attrs.define
class LogprobsRefusalDoneEvent(StreamEvent):
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


def _set_fields() -> None:
    """Note the fields of each event: ``type``, and then as the class declares them."""
    for member in get_args(ChatCompletionStreamEvent):
        cls: Any = get_origin(member) or member
        names = [field.alias or field.name for field in attrs.fields(cls) if field.name != "type"]
        cls._defaults = dict.fromkeys(["type", *names])


_set_fields()
