"""Messages: those of a request, in each form, and the one of an answer.

A message of a request is a dict (the names ending in ``Param``), a value such as
:class:`UserMessage`, or the message of an earlier answer; all can be mixed. A dict form holds dicts
only, a value holds dicts or values.
"""

from collections.abc import Iterable
from typing import Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

from chatlib.types.audio import Audio, ChatCompletionAudio
from chatlib.types.base import JsonObject, RequestObject
from chatlib.types.content_part import (
    AssistantPartLike,
    AssistantPartParam,
    ChatCompletionContentPartParam,
    ChatCompletionContentPartTextParam,
    ContentPartLike,
    TextPartLike,
)
from chatlib.types.decoding import json_object
from chatlib.types.text import text_of
from chatlib.types.tool_call import (
    ChatCompletionMessageToolCallUnion,
    ChatCompletionMessageToolCallUnionParam,
    FunctionCall,
    FunctionCallLike,
    FunctionCallParam,
    ToolCallLike,
)
from chatlib.types.untyped import AnyDict

__all__ = [
    "Annotation",
    "AnnotationURLCitation",
    "AssistantMessage",
    "ChatCompletionAssistantMessageParam",
    "ChatCompletionDeveloperMessageParam",
    "ChatCompletionFunctionMessageParam",
    "ChatCompletionMessage",
    "ChatCompletionMessageParam",
    "ChatCompletionSystemMessageParam",
    "ChatCompletionToolMessageParam",
    "ChatCompletionUserMessageParam",
    "CreateChatCompletionRequestMessageParam",
    "DeveloperMessage",
    "FunctionMessage",
    "MessageLike",
    "SystemMessage",
    "ToolMessage",
    "UserMessage",
]

# Developer and system


@json_object
class DeveloperMessage(RequestObject):
    """Instructions of the developer; newer models' name for a system message."""

    content: str | Iterable[TextPartLike]
    role: Literal["developer"] = "developer"
    name: str | None = None


class ChatCompletionDeveloperMessageParam(TypedDict):
    """Dict form of :class:`DeveloperMessage`."""

    content: str | Iterable[ChatCompletionContentPartTextParam]
    role: Literal["developer"]
    name: NotRequired[str]


@json_object
class SystemMessage(RequestObject):
    """Instructions of the developer."""

    content: str | Iterable[TextPartLike]
    role: Literal["system"] = "system"
    name: str | None = None


class ChatCompletionSystemMessageParam(TypedDict):
    """Dict form of :class:`SystemMessage`."""

    content: str | Iterable[ChatCompletionContentPartTextParam]
    role: Literal["system"]
    name: NotRequired[str]


# User


@json_object
class UserMessage(RequestObject):
    """A message of the user: text, or a list of content parts."""

    content: str | Iterable[ContentPartLike]
    role: Literal["user"] = "user"
    name: str | None = None


class ChatCompletionUserMessageParam(TypedDict):
    """Dict form of :class:`UserMessage`."""

    content: str | Iterable[ChatCompletionContentPartParam]
    role: Literal["user"]
    name: NotRequired[str]


# Assistant


@json_object
class AnnotationURLCitation(JsonObject):
    """A web page that a span of the message's content cites."""

    end_index: int
    start_index: int
    title: str
    url: str


@json_object
class Annotation(JsonObject):
    """An annotation of the message's content: a citation, when the model has searched the web."""

    type: Literal["url_citation"] = "url_citation"
    url_citation: AnnotationURLCitation


@json_object
class ChatCompletionMessage(JsonObject):
    """The message of an answer. It can be sent back as it is, in the next call."""

    content: str | None = None
    """The answer; some servers send a list of parts, which :attr:`text` joins."""
    refusal: str | None = None
    """The model's refusal."""
    role: Literal["assistant"] = "assistant"
    annotations: list[Annotation] | None = None
    audio: ChatCompletionAudio | None = None
    function_call: FunctionCall | None = None
    """Deprecated by the API in favour of ``tool_calls``."""
    tool_calls: list[ChatCompletionMessageToolCallUnion] | None = None

    @property
    def text(self) -> str:
        """The text of ``content``, ``""`` if there is none."""
        return text_of(self.content)


@json_object
class AssistantMessage(RequestObject):
    """An earlier answer of the model. ``content`` is required unless it calls tools."""

    role: Literal["assistant"] = "assistant"
    audio: Audio | None = None
    content: str | Iterable[AssistantPartLike] | None = None
    function_call: FunctionCallLike | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: Iterable[ToolCallLike] | None = None


class ChatCompletionAssistantMessageParam(TypedDict):
    """Dict form of :class:`AssistantMessage`."""

    role: Literal["assistant"]
    audio: NotRequired[Audio | None]
    content: NotRequired[str | Iterable[AssistantPartParam] | None]
    function_call: NotRequired[FunctionCallParam | None]
    name: NotRequired[str]
    refusal: NotRequired[str | None]
    tool_calls: NotRequired[Iterable[ChatCompletionMessageToolCallUnionParam]]


# Tool and function


@json_object
class ToolMessage(RequestObject):
    """The result of a tool call."""

    content: str | Iterable[TextPartLike]
    role: Literal["tool"] = "tool"
    tool_call_id: str


class ChatCompletionToolMessageParam(TypedDict):
    """Dict form of :class:`ToolMessage`."""

    content: str | Iterable[ChatCompletionContentPartTextParam]
    role: Literal["tool"]
    tool_call_id: str


@json_object
class FunctionMessage(RequestObject):
    """The result of a function call in the deprecated form."""

    content: str | None
    name: str
    role: Literal["function"] = "function"


class ChatCompletionFunctionMessageParam(TypedDict):
    """Dict form of :class:`FunctionMessage`."""

    content: str | None
    name: str
    role: Literal["function"]


# Any message

ChatCompletionMessageParam: TypeAlias = (
    ChatCompletionDeveloperMessageParam
    | ChatCompletionSystemMessageParam
    | ChatCompletionUserMessageParam
    | ChatCompletionAssistantMessageParam
    | ChatCompletionToolMessageParam
    | ChatCompletionFunctionMessageParam
)
CreateChatCompletionRequestMessageParam: TypeAlias = ChatCompletionMessageParam
MessageLike: TypeAlias = (
    ChatCompletionMessageParam
    | DeveloperMessage
    | SystemMessage
    | UserMessage
    | AssistantMessage
    | ToolMessage
    | FunctionMessage
    | ChatCompletionMessage
    | AnyDict
    | dict[str, str]  # what checkers infer for a list of messages without annotation
)
