"""Parsed completions, whose JSON content has been decoded to the caller's types.

The classes are those of a plain completion with one more field each, for the decoded value.
``to_dict`` leaves that field out, so that a parsed message can be sent back like any other;
``model_dump`` has it.
"""

from __future__ import annotations

from typing import Any, Generic, TypeAlias

from typing_extensions import TypeVar

from chatlib.types.completion import ChatCompletion, Choice
from chatlib.types.decoding import json_object
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
    """The name of the function that a tool call calls, and its decoded arguments."""

    _local = frozenset({"parsed_arguments"})

    parsed_arguments: Any = None
    """An instance of the class that the tool was made from, or else plain JSON values."""


@json_object
class ParsedFunctionToolCall(ChatCompletionMessageFunctionToolCall):
    """A call of a function tool, with decoded arguments.

    In answers of ``stream()`` its deltas' ``index`` is in ``extra``; it is not sent back.
    """

    _local = frozenset({"index"})

    function: ParsedFunction  # pyright: ignore[reportIncompatibleVariableOverride]


ParsedToolCallUnion: TypeAlias = ParsedFunctionToolCall | ChatCompletionMessageCustomToolCall


@json_object
class ParsedChatCompletionMessage(ChatCompletionMessage, Generic[T]):
    """The message of an answer, and its decoded value."""

    _local = frozenset({"parsed"})

    parsed: T | None = None
    """The decoded value; None if the model refused or called a tool."""
    tool_calls: list[ParsedToolCallUnion] | None = None  # type: ignore[assignment]


@json_object
class ParsedChoice(Choice, Generic[T]):
    """One of the ``n`` choices of a parsed completion."""

    message: ParsedChatCompletionMessage[T]  # pyright: ignore[reportIncompatibleVariableOverride]


@json_object
class ParsedChatCompletion(ChatCompletion, Generic[T]):
    """A chat completion with the decoded value of each choice."""

    choices: list[ParsedChoice[T]]  # type: ignore[assignment]
