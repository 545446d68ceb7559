"""The messages of a request as plain dicts: what type checkers know about them.

Where a message holds another object, a dict will do, and so will a value (from
:mod:`chatlib.types.values` or out of a response): the names ending in ``Like`` say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

if TYPE_CHECKING:
    from chatlib.types import completion, stored, values

# Content parts


class PromptCacheBreakpointParam(TypedDict):
    """The mark of a content part up to which the prompt is to be cached."""

    mode: Literal["explicit"]
    ttl: NotRequired[Literal["30m", "12h"] | None]


class FilePromptCacheBreakpoint(TypedDict):
    """The mark of a file up to which the prompt is to be cached."""

    mode: Literal["explicit"]
    ttl: NotRequired[Literal["30m", "12h"]]


class ChatCompletionContentPartTextParam(TypedDict):
    """A piece of text."""

    text: str
    type: Literal["text"]
    prompt_cache_breakpoint: NotRequired[PromptCacheBreakpointLike]


class ImageURLParam(TypedDict):
    """Where an image is: a web address or a ``data:`` URL."""

    url: str
    detail: NotRequired[Literal["auto", "low", "high", "original"] | None]


class ChatCompletionContentPartImageParam(TypedDict):
    """An image to look at."""

    image_url: ImageURLLike
    type: Literal["image_url"]
    prompt_cache_breakpoint: NotRequired[PromptCacheBreakpointLike]


class InputAudio(TypedDict):
    """A sound, base64-encoded."""

    data: str
    format: Literal["wav", "mp3"]


class ChatCompletionContentPartInputAudioParam(TypedDict):
    """A sound to listen to."""

    input_audio: InputAudioLike
    type: Literal["input_audio"]
    prompt_cache_breakpoint: NotRequired[PromptCacheBreakpointLike]


class FileFile(TypedDict):
    """A file: either uploaded before, or its name and its bytes as a base64 ``data:`` URL."""

    file_data: NotRequired[str]
    file_id: NotRequired[str]
    filename: NotRequired[str]


class File(TypedDict):
    """A file to read."""

    file: FileLike
    type: Literal["file"]
    prompt_cache_breakpoint: NotRequired[FilePromptCacheBreakpointLike]


class ChatCompletionContentPartRefusalParam(TypedDict):
    """The words in which the model declined."""

    refusal: str
    type: Literal["refusal"]


ChatCompletionContentPartParam: TypeAlias = (
    ChatCompletionContentPartTextParam
    | ChatCompletionContentPartImageParam
    | ChatCompletionContentPartInputAudioParam
    | File
)

# What an assistant message can hold besides content


class Audio(TypedDict):
    """An earlier answer that was given as sound, by its id."""

    id: str


class FunctionCallParam(TypedDict):
    """The call of a function in the deprecated form."""

    arguments: str
    name: str


class FunctionParam(TypedDict):
    """Which function a tool call calls, and with what (JSON text)."""

    arguments: str
    name: str


class CustomParam(TypedDict):
    """Which custom tool a tool call calls, and with what (free text)."""

    input: str
    name: str


class ChatCompletionMessageFunctionToolCallParam(TypedDict):
    """The model's wish to have a function called."""

    id: str
    function: FunctionLike
    type: Literal["function"]


class ChatCompletionMessageCustomToolCallParam(TypedDict):
    """The model's wish to have a custom (free-text) tool called."""

    id: str
    custom: CustomLike
    type: Literal["custom"]


ChatCompletionMessageToolCallParam: TypeAlias = ChatCompletionMessageFunctionToolCallParam
ChatCompletionMessageToolCallUnionParam: TypeAlias = (
    ChatCompletionMessageFunctionToolCallParam | ChatCompletionMessageCustomToolCallParam
)

# Messages


class ChatCompletionDeveloperMessageParam(TypedDict):
    """What the developer tells the model to do; newer models' word for a system message."""

    content: str | Iterable[TextPartLike]
    role: Literal["developer"]
    name: NotRequired[str]


class ChatCompletionSystemMessageParam(TypedDict):
    """What the developer tells the model to do."""

    content: str | Iterable[TextPartLike]
    role: Literal["system"]
    name: NotRequired[str]


class ChatCompletionUserMessageParam(TypedDict):
    """What the user says, shows or plays."""

    content: str | Iterable[ContentPartLike]
    role: Literal["user"]
    name: NotRequired[str]


class ChatCompletionAssistantMessageParam(TypedDict):
    """What the model said before. It needs ``content`` unless it calls tools or functions."""

    role: Literal["assistant"]
    audio: NotRequired[AudioLike | None]
    content: NotRequired[str | Iterable[AssistantPartLike] | None]
    function_call: NotRequired[FunctionCallLike | None]
    name: NotRequired[str]
    refusal: NotRequired[str | None]
    tool_calls: NotRequired[Iterable[ToolCallLike]]


class ChatCompletionToolMessageParam(TypedDict):
    """What a tool answered."""

    content: str | Iterable[TextPartLike]
    role: Literal["tool"]
    tool_call_id: str


class ChatCompletionFunctionMessageParam(TypedDict):
    """What a function answered, in the deprecated form."""

    content: str | None
    name: str
    role: Literal["function"]


ChatCompletionMessageParam: TypeAlias = (
    ChatCompletionDeveloperMessageParam
    | ChatCompletionSystemMessageParam
    | ChatCompletionUserMessageParam
    | ChatCompletionAssistantMessageParam
    | ChatCompletionToolMessageParam
    | ChatCompletionFunctionMessageParam
)
CreateChatCompletionRequestMessageParam: TypeAlias = ChatCompletionMessageParam

# Dict or value. At run time the names stand for the dicts alone, so that the hints above can be
# resolved, by pydantic too, and nobody pays for loading the values.

if TYPE_CHECKING:
    PromptCacheBreakpointLike: TypeAlias = (
        PromptCacheBreakpointParam | completion.PromptCacheBreakpoint
    )
    FilePromptCacheBreakpointLike: TypeAlias = (
        FilePromptCacheBreakpoint | completion.PromptCacheBreakpoint
    )
    ImageURLLike: TypeAlias = ImageURLParam | completion.ImageURL
    InputAudioLike: TypeAlias = InputAudio | values.InputAudio
    FileLike: TypeAlias = FileFile | values.FileFile
    TextPartLike: TypeAlias = (
        ChatCompletionContentPartTextParam | values.TextPart | stored.ChatCompletionContentPartText
    )
    ContentPartLike: TypeAlias = (
        ChatCompletionContentPartParam
        | values.TextPart
        | values.ImagePart
        | values.InputAudioPart
        | values.FilePart
        | stored.ChatCompletionContentPartText
        | stored.ChatCompletionContentPartImage
    )
    AssistantPartLike: TypeAlias = (
        TextPartLike | ChatCompletionContentPartRefusalParam | values.RefusalPart
    )
    AudioLike: TypeAlias = Audio | values.Audio
    FunctionCallLike: TypeAlias = FunctionCallParam | completion.FunctionCall
    FunctionLike: TypeAlias = FunctionParam | completion.Function
    CustomLike: TypeAlias = CustomParam | completion.Custom
    ToolCallLike: TypeAlias = (
        ChatCompletionMessageToolCallUnionParam
        | values.FunctionToolCall
        | values.CustomToolCall
        | completion.ChatCompletionMessageToolCallUnion
    )
    MessageLike: TypeAlias = (
        ChatCompletionMessageParam
        | values.DeveloperMessage
        | values.SystemMessage
        | values.UserMessage
        | values.AssistantMessage
        | values.ToolMessage
        | values.FunctionMessage
        | completion.ChatCompletionMessage
        | Mapping[str, object]
    )
else:
    PromptCacheBreakpointLike = PromptCacheBreakpointParam
    FilePromptCacheBreakpointLike = FilePromptCacheBreakpoint
    ImageURLLike = ImageURLParam
    InputAudioLike = InputAudio
    FileLike = FileFile
    TextPartLike = ChatCompletionContentPartTextParam
    ContentPartLike = ChatCompletionContentPartParam
    AssistantPartLike = TextPartLike | ChatCompletionContentPartRefusalParam
    AudioLike = Audio
    FunctionCallLike = FunctionCallParam
    FunctionLike = FunctionParam
    CustomLike = CustomParam
    ToolCallLike = ChatCompletionMessageToolCallUnionParam
    MessageLike = ChatCompletionMessageParam | Mapping[str, object]
