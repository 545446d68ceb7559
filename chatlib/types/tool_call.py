"""Tool calls of an assistant message, and function calls in the deprecated form."""

from typing import Literal, TypeAlias

from typing_extensions import TypedDict

from chatlib.types.base import JsonObject, RequestObject
from chatlib.types.decoding import json_object

__all__ = [
    "ChatCompletionMessageCustomToolCall",
    "ChatCompletionMessageCustomToolCallParam",
    "ChatCompletionMessageFunctionToolCall",
    "ChatCompletionMessageFunctionToolCallParam",
    "ChatCompletionMessageToolCall",
    "ChatCompletionMessageToolCallParam",
    "ChatCompletionMessageToolCallUnion",
    "ChatCompletionMessageToolCallUnionParam",
    "Custom",
    "CustomLike",
    "CustomParam",
    "CustomToolCall",
    "Function",
    "FunctionCall",
    "FunctionCallLike",
    "FunctionCallParam",
    "FunctionLike",
    "FunctionParam",
    "FunctionToolCall",
    "ToolCallLike",
]

# Function calls, deprecated


@json_object
class FunctionCall(JsonObject):
    """A function call in the deprecated form, at most one per message."""

    _json_text = "arguments"

    arguments: str
    """JSON text as the model wrote it, not necessarily valid."""
    name: str


class FunctionCallParam(TypedDict):
    """Dict form of :class:`FunctionCall`."""

    arguments: str
    name: str


FunctionCallLike: TypeAlias = FunctionCallParam | FunctionCall

# Calls of function tools


@json_object
class Function(JsonObject):
    """The name of the function that a tool call calls, and its arguments."""

    _json_text = "arguments"

    arguments: str
    """JSON text as the model wrote it, not necessarily valid."""
    name: str


class FunctionParam(TypedDict):
    """Dict form of :class:`Function`."""

    arguments: str
    name: str


FunctionLike: TypeAlias = FunctionParam | Function


@json_object
class ChatCompletionMessageFunctionToolCall(JsonObject):
    """A call of a function tool, in an answer."""

    id: str
    """The ``tool_call_id`` of the tool message that answers the call."""
    function: Function
    type: Literal["function"] = "function"


@json_object
class FunctionToolCall(RequestObject):
    """A call of a function tool, in a request."""

    id: str
    function: FunctionLike
    type: Literal["function"] = "function"


class ChatCompletionMessageFunctionToolCallParam(TypedDict):
    """Dict form of :class:`FunctionToolCall`."""

    id: str
    function: FunctionParam
    type: Literal["function"]


# Calls of custom tools


@json_object
class Custom(JsonObject):
    """The name of the custom tool that a tool call calls, and its input."""

    _json_text = "input"

    input: str
    """Free text, in the format that the tool asks for."""
    name: str


class CustomParam(TypedDict):
    """Dict form of :class:`Custom`."""

    input: str
    name: str


CustomLike: TypeAlias = CustomParam | Custom


@json_object
class ChatCompletionMessageCustomToolCall(JsonObject):
    """A call of a custom (free-text) tool, in an answer."""

    id: str
    """The ``tool_call_id`` of the tool message that answers the call."""
    custom: Custom
    type: Literal["custom"] = "custom"


@json_object
class CustomToolCall(RequestObject):
    """A call of a custom (free-text) tool, in a request."""

    id: str
    custom: CustomLike
    type: Literal["custom"] = "custom"


class ChatCompletionMessageCustomToolCallParam(TypedDict):
    """Dict form of :class:`CustomToolCall`."""

    id: str
    custom: CustomParam
    type: Literal["custom"]


# Any call

ChatCompletionMessageToolCall: TypeAlias = ChatCompletionMessageFunctionToolCall
ChatCompletionMessageToolCallUnion: TypeAlias = (
    ChatCompletionMessageFunctionToolCall | ChatCompletionMessageCustomToolCall
)
ChatCompletionMessageToolCallParam: TypeAlias = ChatCompletionMessageFunctionToolCallParam
ChatCompletionMessageToolCallUnionParam: TypeAlias = (
    ChatCompletionMessageFunctionToolCallParam | ChatCompletionMessageCustomToolCallParam
)
ToolCallLike: TypeAlias = (
    ChatCompletionMessageToolCallUnionParam
    | FunctionToolCall
    | CustomToolCall
    | ChatCompletionMessageToolCallUnion
)
