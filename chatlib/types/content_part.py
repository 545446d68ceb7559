"""Content parts of messages: text, images, audio, files and refusals."""

from typing import Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

from chatlib.types.base import JsonObject, RequestObject
from chatlib.types.decoding import json_object
from chatlib.types.literals import ImageDetail
from chatlib.types.prompt_cache import (
    FilePromptCacheBreakpoint,
    FilePromptCacheBreakpointLike,
    PromptCacheBreakpoint,
    PromptCacheBreakpointLike,
    PromptCacheBreakpointParam,
)

__all__ = [
    "AssistantPartLike",
    "AssistantPartParam",
    "ChatCompletionContentPartImage",
    "ChatCompletionContentPartImageParam",
    "ChatCompletionContentPartInputAudioParam",
    "ChatCompletionContentPartParam",
    "ChatCompletionContentPartRefusalParam",
    "ChatCompletionContentPartText",
    "ChatCompletionContentPartTextParam",
    "ContentPartLike",
    "File",
    "FileFile",
    "FilePart",
    "ImagePart",
    "ImageURL",
    "ImageURLLike",
    "ImageURLParam",
    "InputAudio",
    "InputAudioPart",
    "RefusalPart",
    "TextPart",
    "TextPartLike",
]

# Text


@json_object
class TextPart(RequestObject):
    """A text part."""

    text: str
    type: Literal["text"] = "text"
    prompt_cache_breakpoint: PromptCacheBreakpointLike | None = None


class ChatCompletionContentPartTextParam(TypedDict):
    """Dict form of :class:`TextPart`."""

    text: str
    type: Literal["text"]
    prompt_cache_breakpoint: NotRequired[PromptCacheBreakpointParam]


@json_object
class ChatCompletionContentPartText(JsonObject):
    """A text part of a stored message."""

    text: str
    type: Literal["text"] = "text"
    prompt_cache_breakpoint: PromptCacheBreakpoint | None = None


TextPartLike: TypeAlias = (
    ChatCompletionContentPartTextParam | TextPart | ChatCompletionContentPartText
)

# Images


@json_object
class ImageURL(JsonObject):
    """The address of an image: an HTTP URL or a ``data:`` URL."""

    url: str
    detail: ImageDetail | None = None
    """The level of detail at which the model sees the image."""


class ImageURLParam(TypedDict):
    """Dict form of :class:`ImageURL`."""

    url: str
    detail: NotRequired[Literal["auto", "low", "high", "original"] | None]


ImageURLLike: TypeAlias = ImageURLParam | ImageURL


@json_object
class ImagePart(RequestObject):
    """An image part."""

    image_url: ImageURLLike
    type: Literal["image_url"] = "image_url"
    prompt_cache_breakpoint: PromptCacheBreakpointLike | None = None


class ChatCompletionContentPartImageParam(TypedDict):
    """Dict form of :class:`ImagePart`."""

    image_url: ImageURLParam
    type: Literal["image_url"]
    prompt_cache_breakpoint: NotRequired[PromptCacheBreakpointParam]


@json_object
class ChatCompletionContentPartImage(JsonObject):
    """An image part of a stored message."""

    image_url: ImageURL
    type: Literal["image_url"] = "image_url"
    prompt_cache_breakpoint: PromptCacheBreakpoint | None = None


# Audio


class InputAudio(TypedDict):
    """Base64-encoded audio."""

    data: str
    format: Literal["wav", "mp3"]


@json_object
class InputAudioPart(RequestObject):
    """An audio part."""

    input_audio: InputAudio
    type: Literal["input_audio"] = "input_audio"
    prompt_cache_breakpoint: PromptCacheBreakpointLike | None = None


class ChatCompletionContentPartInputAudioParam(TypedDict):
    """Dict form of :class:`InputAudioPart`."""

    input_audio: InputAudio
    type: Literal["input_audio"]
    prompt_cache_breakpoint: NotRequired[PromptCacheBreakpointParam]


# Files


class FileFile(TypedDict):
    """A file: the id of an uploaded one, or a name and the content as a base64 ``data:`` URL."""

    file_data: NotRequired[str]
    file_id: NotRequired[str]
    filename: NotRequired[str]


@json_object
class FilePart(RequestObject):
    """A file part."""

    file: FileFile
    type: Literal["file"] = "file"
    prompt_cache_breakpoint: FilePromptCacheBreakpointLike | None = None


class File(TypedDict):
    """Dict form of :class:`FilePart`."""

    file: FileFile
    type: Literal["file"]
    prompt_cache_breakpoint: NotRequired[FilePromptCacheBreakpoint]


# Refusals


@json_object
class RefusalPart(RequestObject):
    """A refusal of the model, in the content of an assistant message."""

    refusal: str
    type: Literal["refusal"] = "refusal"


class ChatCompletionContentPartRefusalParam(TypedDict):
    """Dict form of :class:`RefusalPart`."""

    refusal: str
    type: Literal["refusal"]


# Any part

ChatCompletionContentPartParam: TypeAlias = (
    ChatCompletionContentPartTextParam
    | ChatCompletionContentPartImageParam
    | ChatCompletionContentPartInputAudioParam
    | File
)
ContentPartLike: TypeAlias = (
    ChatCompletionContentPartParam
    | TextPart
    | ImagePart
    | InputAudioPart
    | FilePart
    | ChatCompletionContentPartText
    | ChatCompletionContentPartImage
)
AssistantPartParam: TypeAlias = (
    ChatCompletionContentPartTextParam | ChatCompletionContentPartRefusalParam
)
AssistantPartLike: TypeAlias = TextPartLike | ChatCompletionContentPartRefusalParam | RefusalPart
