"""The choice among the tools of a call."""

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from typing_extensions import TypedDict

from chatlib.types.untyped import AnyDict

__all__ = [
    "ChatCompletionAllowedToolChoiceParam",
    "ChatCompletionAllowedToolsParam",
    "ChatCompletionFunctionCallOptionParam",
    "ChatCompletionNamedToolChoiceCustomParam",
    "ChatCompletionNamedToolChoiceCustomParamCustom",
    "ChatCompletionNamedToolChoiceParam",
    "ChatCompletionNamedToolChoiceParamFunction",
    "ChatCompletionToolChoiceOptionParam",
    "FunctionChoice",
    "ToolChoiceFunction",
    "ToolChoiceLike",
]


class ChatCompletionNamedToolChoiceParamFunction(TypedDict):
    """The name of a function."""

    name: str


class ChatCompletionNamedToolChoiceParam(TypedDict):
    """The choice of one function tool."""

    function: ChatCompletionNamedToolChoiceParamFunction
    type: Literal["function"]


class ChatCompletionNamedToolChoiceCustomParamCustom(TypedDict):
    """The name of a custom tool."""

    name: str


class ChatCompletionNamedToolChoiceCustomParam(TypedDict):
    """The choice of one custom tool."""

    custom: ChatCompletionNamedToolChoiceCustomParamCustom
    type: Literal["custom"]


class ChatCompletionAllowedToolsParam(TypedDict):
    """Some of the tools, each as ``{"type": "function", "function": {"name": ...}}``."""

    mode: Literal["auto", "required"]
    tools: Iterable[Mapping[str, object]]


class ChatCompletionAllowedToolChoiceParam(TypedDict):
    """The choice of some of the tools."""

    allowed_tools: ChatCompletionAllowedToolsParam
    type: Literal["allowed_tools"]


class ChatCompletionFunctionCallOptionParam(TypedDict):
    """The choice of one function, in the deprecated form."""

    name: str


ChatCompletionToolChoiceOptionParam: TypeAlias = (
    Literal["none", "auto", "required"]
    | ChatCompletionAllowedToolChoiceParam
    | ChatCompletionNamedToolChoiceParam
    | ChatCompletionNamedToolChoiceCustomParam
)
FunctionChoice: TypeAlias = ChatCompletionNamedToolChoiceParamFunction
ToolChoiceFunction: TypeAlias = ChatCompletionNamedToolChoiceParam
ToolChoiceLike: TypeAlias = ChatCompletionToolChoiceOptionParam | AnyDict
