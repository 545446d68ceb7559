"""Completions whose JSON has been turned into the caller's own types.

The classes are those of a plain completion with one more field each, for the value. That value
never travelled, so ``to_dict`` leaves it out: a parsed message can be sent back like any other.
"""

from __future__ import annotations

from typing import Any, Generic, TypeAlias

from typing_extensions import TypeVar

from chatlib.types.base import json_object
from chatlib.types.completion import ChatCompletion, Choice
from chatlib.types.message import ChatCompletionMessage
from chatlib.types.tool_call import (
    ChatCompletionMessageCustomToolCall,
    ChatCompletionMessageFunctionToolCall,
    Function,
)

__all__ = [
    "ParsedChatCompletion",
    "ParsedChatCompletionMessage",
    "ParsedChoice",
    "ParsedFunction",
    "ParsedFunctionToolCall",
    "ParsedToolCallUnion",
]

T = TypeVar("T", default=Any)


@json_object
class ParsedFunction(Function):
    """Which function a tool call calls, and with what, decoded."""

    parsed_arguments: Any = None
    """An instance of the class that the tool came from, plain JSON where it came from none."""

    def to_dict(self) -> dict[str, Any]:
        """The object as plain JSON values, without ``parsed_arguments``."""
        sent = super().to_dict()
        sent.pop("parsed_arguments", None)
        return sent


@json_object
class ParsedFunctionToolCall(ChatCompletionMessageFunctionToolCall):
    """The model's wish to have a function called, with decoded arguments."""

    function: ParsedFunction  # pyright: ignore[reportIncompatibleVariableOverride]


ParsedToolCallUnion: TypeAlias = ParsedFunctionToolCall | ChatCompletionMessageCustomToolCall


@json_object
class ParsedChatCompletionMessage(ChatCompletionMessage, Generic[T]):
    """What the model said, and the value that it stands for."""

    parsed: T | None = None
    """None where the model refused or called a tool instead."""
    tool_calls: list[ParsedToolCallUnion] | None = None  # type: ignore[assignment]

    def to_dict(self) -> dict[str, Any]:
        """The object as plain JSON values, without ``parsed``."""
        sent = super().to_dict()
        sent.pop("parsed", None)
        return sent


@json_object
class ParsedChoice(Choice, Generic[T]):
    """One of the ``n`` answers of a completion, and its value."""

    message: ParsedChatCompletionMessage[T]  # pyright: ignore[reportIncompatibleVariableOverride]


@json_object
class ParsedChatCompletion(ChatCompletion, Generic[T]):
    """The whole answer to one call, with the value of each choice."""

    choices: list[ParsedChoice[T]]  # type: ignore[assignment]
