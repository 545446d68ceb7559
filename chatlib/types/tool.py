"""Tools that the model may call: functions, and custom tools that take free text."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

from chatlib.types.base import RequestObject
from chatlib.types.decoding import json_object
from chatlib.types.untyped import AnyDict

__all__ = [
    "ChatCompletionCustomToolParam",
    "ChatCompletionCustomToolParamCustom",
    "ChatCompletionFunctionToolParam",
    "ChatCompletionToolParam",
    "ChatCompletionToolUnionParam",
    "CompletionCreateParamsFunction",
    "CustomFormatGrammar",
    "CustomFormatGrammarGrammar",
    "CustomFormatText",
    "FunctionDefinition",
    "FunctionDefinitionLike",
    "FunctionDefinitionValue",
    "FunctionParameters",
    "FunctionTool",
    "ToolLike",
]

# Functions

FunctionParameters: TypeAlias = Mapping[str, object]
"""A JSON schema of an object: the parameters of a function."""


@json_object
class FunctionDefinitionValue(RequestObject):
    """A function: its name, its description and the JSON schema of its parameters."""

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] | None = None
    strict: bool | None = None


class FunctionDefinition(TypedDict):
    """Dict form of :class:`FunctionDefinitionValue`."""

    name: str
    description: NotRequired[str]
    parameters: NotRequired[FunctionParameters]
    strict: NotRequired[bool | None]


FunctionDefinitionLike: TypeAlias = FunctionDefinition | FunctionDefinitionValue


@json_object
class FunctionTool(RequestObject):
    """A function tool."""

    function: FunctionDefinitionLike
    type: Literal["function"] = "function"


class ChatCompletionFunctionToolParam(TypedDict):
    """Dict form of :class:`FunctionTool`."""

    function: FunctionDefinition
    type: Literal["function"]


class CompletionCreateParamsFunction(TypedDict):
    """A function in the deprecated form."""

    name: str
    description: NotRequired[str]
    parameters: NotRequired[FunctionParameters]


# Custom tools


class CustomFormatText(TypedDict):
    """An input format without constraints."""

    type: Literal["text"]


class CustomFormatGrammarGrammar(TypedDict):
    """A grammar and its syntax."""

    definition: str
    syntax: Literal["lark", "regex"]


class CustomFormatGrammar(TypedDict):
    """An input format that follows a grammar."""

    grammar: CustomFormatGrammarGrammar
    type: Literal["grammar"]


class ChatCompletionCustomToolParamCustom(TypedDict):
    """The name, description and input format of a custom tool."""

    name: str
    description: NotRequired[str]
    format: NotRequired[CustomFormatText | CustomFormatGrammar]


class ChatCompletionCustomToolParam(TypedDict):
    """A custom tool, which takes free text."""

    custom: ChatCompletionCustomToolParamCustom
    type: Literal["custom"]


# Any tool

ChatCompletionToolParam: TypeAlias = ChatCompletionFunctionToolParam
ChatCompletionToolUnionParam: TypeAlias = (
    ChatCompletionFunctionToolParam | ChatCompletionCustomToolParam
)
ToolLike: TypeAlias = ChatCompletionToolUnionParam | FunctionTool | AnyDict
