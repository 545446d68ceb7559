"""Tools and the choice among them, as plain dicts: what type checkers know about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

if TYPE_CHECKING:
    from chatlib.types import values

FunctionParameters: TypeAlias = Mapping[str, object]
"""A JSON schema of an object: the parameters of a function."""


class FunctionDefinition(TypedDict):
    """A function that the model may have called."""

    name: str
    description: NotRequired[str]
    parameters: NotRequired[FunctionParameters]
    strict: NotRequired[bool | None]


class ChatCompletionFunctionToolParam(TypedDict):
    """A tool that is a function."""

    function: FunctionDefinitionLike
    type: Literal["function"]


class CustomFormatText(TypedDict):
    """Any text will do."""

    type: Literal["text"]


class CustomFormatGrammarGrammar(TypedDict):
    """A grammar, and the language that it is written in."""

    definition: str
    syntax: Literal["lark", "regex"]


class CustomFormatGrammar(TypedDict):
    """The text must follow a grammar."""

    grammar: GrammarLike
    type: Literal["grammar"]


class ChatCompletionCustomToolParamCustom(TypedDict):
    """A custom tool: it takes free text."""

    name: str
    description: NotRequired[str]
    format: NotRequired[CustomFormatLike]


class ChatCompletionCustomToolParam(TypedDict):
    """A tool that takes free text."""

    custom: CustomDefinitionLike
    type: Literal["custom"]


class CompletionCreateParamsFunction(TypedDict):
    """A function that the model may have called, in the deprecated form."""

    name: str
    description: NotRequired[str]
    parameters: NotRequired[FunctionParameters]


ChatCompletionToolParam: TypeAlias = ChatCompletionFunctionToolParam
ChatCompletionToolUnionParam: TypeAlias = (
    ChatCompletionFunctionToolParam | ChatCompletionCustomToolParam
)

# The choice among tools


class ChatCompletionNamedToolChoiceParamFunction(TypedDict):
    """The name of a function."""

    name: str


class ChatCompletionNamedToolChoiceParam(TypedDict):
    """Call this function."""

    function: FunctionChoiceLike
    type: Literal["function"]


class ChatCompletionNamedToolChoiceCustomParamCustom(TypedDict):
    """The name of a custom tool."""

    name: str


class ChatCompletionNamedToolChoiceCustomParam(TypedDict):
    """Call this custom tool."""

    custom: CustomChoiceLike
    type: Literal["custom"]


class ChatCompletionAllowedToolsParam(TypedDict):
    """Some of the tools; each as ``{"type": "function", "function": {"name": ...}}``."""

    mode: Literal["auto", "required"]
    tools: Iterable[Mapping[str, object]]


class ChatCompletionAllowedToolChoiceParam(TypedDict):
    """Call only these tools."""

    allowed_tools: AllowedToolsLike
    type: Literal["allowed_tools"]


class ChatCompletionFunctionCallOptionParam(TypedDict):
    """Call this function, in the deprecated form."""

    name: str


ChatCompletionToolChoiceOptionParam: TypeAlias = (
    Literal["none", "auto", "required"]
    | ChatCompletionAllowedToolChoiceParam
    | ChatCompletionNamedToolChoiceParam
    | ChatCompletionNamedToolChoiceCustomParam
)
FunctionChoice: TypeAlias = ChatCompletionNamedToolChoiceParamFunction
ToolChoiceFunction: TypeAlias = ChatCompletionNamedToolChoiceParam

# Dict or value; the dicts alone at run time, as in ``messages``.

if TYPE_CHECKING:
    FunctionDefinitionLike: TypeAlias = FunctionDefinition | values.FunctionDefinition
    GrammarLike: TypeAlias = CustomFormatGrammarGrammar | values.CustomFormatGrammarGrammar
    CustomFormatLike: TypeAlias = (
        CustomFormatText
        | CustomFormatGrammar
        | values.CustomFormatText
        | values.CustomFormatGrammar
    )
    CustomDefinitionLike: TypeAlias = ChatCompletionCustomToolParamCustom | values.CustomDefinition
    FunctionChoiceLike: TypeAlias = FunctionChoice | values.FunctionChoice
    CustomChoiceLike: TypeAlias = (
        ChatCompletionNamedToolChoiceCustomParamCustom | values.CustomChoice
    )
    AllowedToolsLike: TypeAlias = ChatCompletionAllowedToolsParam | values.AllowedTools
    ToolLike: TypeAlias = (
        ChatCompletionToolUnionParam
        | values.FunctionTool
        | values.CustomTool
        | Mapping[str, object]
    )
    ToolChoiceLike: TypeAlias = (
        ChatCompletionToolChoiceOptionParam
        | values.AllowedToolChoice
        | values.NamedToolChoice
        | values.NamedToolChoiceCustom
        | Mapping[str, object]
    )
else:
    FunctionDefinitionLike = FunctionDefinition
    GrammarLike = CustomFormatGrammarGrammar
    CustomFormatLike = CustomFormatText | CustomFormatGrammar
    CustomDefinitionLike = ChatCompletionCustomToolParamCustom
    FunctionChoiceLike = FunctionChoice
    CustomChoiceLike = ChatCompletionNamedToolChoiceCustomParamCustom
    AllowedToolsLike = ChatCompletionAllowedToolsParam
    ToolLike = ChatCompletionToolUnionParam | Mapping[str, object]
    ToolChoiceLike = ChatCompletionToolChoiceOptionParam | Mapping[str, object]
