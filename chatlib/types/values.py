"""The objects of a request as values, for people who like constructors better than dicts::

    from chatlib.types.values import ImagePart, TextPart, UserMessage

    UserMessage(content=[TextPart(text="What is this?"), ImagePart(image_url={"url": url})])

Each class is the twin of a dict in :mod:`chatlib.types`: the same fields, a shorter name, and
``role`` and ``type`` filled in. Values and dicts can be mixed at will. A field that is not given is
not sent; ``None`` is sent as ``null``.

The classes out of responses that have the right shape serve here as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from chatlib.types.base import RequestObject, json_object
from chatlib.types.completion import Custom, Function, FunctionCall, ImageURL, PromptCacheBreakpoint
from chatlib.types.messages import (
    AssistantPartLike,
    AudioLike,
    ContentPartLike,
    CustomLike,
    FileLike,
    FilePromptCacheBreakpointLike,
    FunctionCallLike,
    FunctionLike,
    ImageURLLike,
    InputAudioLike,
    PromptCacheBreakpointLike,
    TextPartLike,
    ToolCallLike,
)
from chatlib.types.options import (
    ApproximateLike,
    JSONSchemaLike,
    ModerationPolicyInputLike,
    ModerationPolicyLike,
    ModerationPolicyOutputLike,
    UserLocationLike,
    Voice,
)
from chatlib.types.tools import (
    AllowedToolsLike,
    CustomChoiceLike,
    CustomDefinitionLike,
    CustomFormatLike,
    FunctionChoiceLike,
    FunctionDefinitionLike,
    GrammarLike,
)

__all__ = [
    "AllowedToolChoice",
    "AllowedTools",
    "AssistantMessage",
    "Audio",
    "AudioOptions",
    "CompletionCreateParamsFunction",
    "CompletionCreateParamsModeration",
    "Custom",
    "CustomChoice",
    "CustomDefinition",
    "CustomFormatGrammar",
    "CustomFormatGrammarGrammar",
    "CustomFormatText",
    "CustomTool",
    "CustomToolCall",
    "DeveloperMessage",
    "FileFile",
    "FilePart",
    "Function",
    "FunctionCall",
    "FunctionCallOption",
    "FunctionChoice",
    "FunctionDefinition",
    "FunctionMessage",
    "FunctionTool",
    "FunctionToolCall",
    "ImagePart",
    "ImageURL",
    "InputAudio",
    "InputAudioPart",
    "JSONSchema",
    "ModerationPolicy",
    "ModerationPolicyInput",
    "ModerationPolicyOutput",
    "NamedToolChoice",
    "NamedToolChoiceCustom",
    "PredictionContent",
    "PromptCacheBreakpoint",
    "PromptCacheOptions",
    "RefusalPart",
    "ResponseFormatJSONObject",
    "ResponseFormatJSONSchema",
    "ResponseFormatText",
    "StreamOptions",
    "SystemMessage",
    "TextPart",
    "ToolMessage",
    "UserMessage",
    "VoiceID",
    "WebSearchOptions",
    "WebSearchOptionsUserLocation",
    "WebSearchOptionsUserLocationApproximate",
]

# Content parts


@json_object
class TextPart(RequestObject):
    """A piece of text."""

    text: str
    type: Literal["text"] = "text"
    prompt_cache_breakpoint: PromptCacheBreakpointLike | None = None


@json_object
class ImagePart(RequestObject):
    """An image to look at."""

    image_url: ImageURLLike
    type: Literal["image_url"] = "image_url"
    prompt_cache_breakpoint: PromptCacheBreakpointLike | None = None


@json_object
class InputAudio(RequestObject):
    """A sound, base64-encoded."""

    data: str
    format: Literal["wav", "mp3"]


@json_object
class InputAudioPart(RequestObject):
    """A sound to listen to."""

    input_audio: InputAudioLike
    type: Literal["input_audio"] = "input_audio"
    prompt_cache_breakpoint: PromptCacheBreakpointLike | None = None


@json_object
class FileFile(RequestObject):
    """A file: either uploaded before, or its name and its bytes as a base64 ``data:`` URL."""

    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


@json_object
class FilePart(RequestObject):
    """A file to read."""

    file: FileLike
    type: Literal["file"] = "file"
    prompt_cache_breakpoint: FilePromptCacheBreakpointLike | None = None


@json_object
class RefusalPart(RequestObject):
    """The words in which the model declined."""

    refusal: str
    type: Literal["refusal"] = "refusal"


# Messages


@json_object
class DeveloperMessage(RequestObject):
    """What the developer tells the model to do; newer models' word for a system message."""

    content: str | Iterable[TextPartLike]
    role: Literal["developer"] = "developer"
    name: str | None = None


@json_object
class SystemMessage(RequestObject):
    """What the developer tells the model to do."""

    content: str | Iterable[TextPartLike]
    role: Literal["system"] = "system"
    name: str | None = None


@json_object
class UserMessage(RequestObject):
    """What the user says, shows or plays."""

    content: str | Iterable[ContentPartLike]
    role: Literal["user"] = "user"
    name: str | None = None


@json_object
class Audio(RequestObject):
    """An earlier answer that was given as sound, by its id."""

    id: str


@json_object
class FunctionToolCall(RequestObject):
    """The model's wish to have a function called."""

    id: str
    function: FunctionLike
    type: Literal["function"] = "function"


@json_object
class CustomToolCall(RequestObject):
    """The model's wish to have a custom (free-text) tool called."""

    id: str
    custom: CustomLike
    type: Literal["custom"] = "custom"


@json_object
class AssistantMessage(RequestObject):
    """What the model said before. It needs ``content`` unless it calls tools or functions."""

    role: Literal["assistant"] = "assistant"
    audio: AudioLike | None = None
    content: str | Iterable[AssistantPartLike] | None = None
    function_call: FunctionCallLike | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: Iterable[ToolCallLike] | None = None


@json_object
class ToolMessage(RequestObject):
    """What a tool answered."""

    content: str | Iterable[TextPartLike]
    role: Literal["tool"] = "tool"
    tool_call_id: str


@json_object
class FunctionMessage(RequestObject):
    """What a function answered, in the deprecated form."""

    content: str | None
    name: str
    role: Literal["function"] = "function"


# Tools


@json_object
class FunctionDefinition(RequestObject):
    """A function that the model may have called."""

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] | None = None
    strict: bool | None = None


@json_object
class FunctionTool(RequestObject):
    """A tool that is a function."""

    function: FunctionDefinitionLike
    type: Literal["function"] = "function"


@json_object
class CustomFormatText(RequestObject):
    """Any text will do."""

    type: Literal["text"] = "text"


@json_object
class CustomFormatGrammarGrammar(RequestObject):
    """A grammar, and the language that it is written in."""

    definition: str
    syntax: Literal["lark", "regex"]


@json_object
class CustomFormatGrammar(RequestObject):
    """The text must follow a grammar."""

    grammar: GrammarLike
    type: Literal["grammar"] = "grammar"


@json_object
class CustomDefinition(RequestObject):
    """A custom tool: it takes free text."""

    name: str
    description: str | None = None
    format: CustomFormatLike | None = None


@json_object
class CustomTool(RequestObject):
    """A tool that takes free text."""

    custom: CustomDefinitionLike
    type: Literal["custom"] = "custom"


@json_object
class CompletionCreateParamsFunction(RequestObject):
    """A function that the model may have called, in the deprecated form."""

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] | None = None


# The choice among tools


@json_object
class FunctionChoice(RequestObject):
    """The name of a function."""

    name: str


@json_object
class NamedToolChoice(RequestObject):
    """Call this function."""

    function: FunctionChoiceLike
    type: Literal["function"] = "function"


@json_object
class CustomChoice(RequestObject):
    """The name of a custom tool."""

    name: str


@json_object
class NamedToolChoiceCustom(RequestObject):
    """Call this custom tool."""

    custom: CustomChoiceLike
    type: Literal["custom"] = "custom"


@json_object
class AllowedTools(RequestObject):
    """Some of the tools; each as ``{"type": "function", "function": {"name": ...}}``."""

    mode: Literal["auto", "required"]
    tools: Iterable[Mapping[str, Any]]


@json_object
class AllowedToolChoice(RequestObject):
    """Call only these tools."""

    allowed_tools: AllowedToolsLike
    type: Literal["allowed_tools"] = "allowed_tools"


@json_object
class FunctionCallOption(RequestObject):
    """Call this function, in the deprecated form."""

    name: str


# Response formats


@json_object
class ResponseFormatText(RequestObject):
    """Answer in text, as usual."""

    type: Literal["text"] = "text"


@json_object
class ResponseFormatJSONObject(RequestObject):
    """Answer with some JSON object. The older way: a schema is better."""

    type: Literal["json_object"] = "json_object"


@json_object
class JSONSchema(RequestObject):
    """A JSON schema and its name. ``strict`` makes the model keep to it exactly."""

    name: str
    description: str | None = None
    schema: Mapping[str, Any] | None = None
    strict: bool | None = None


@json_object
class ResponseFormatJSONSchema(RequestObject):
    """Answer with JSON that follows a schema."""

    json_schema: JSONSchemaLike
    type: Literal["json_schema"] = "json_schema"


# Options


@json_object
class VoiceID(RequestObject):
    """A custom voice, by its id."""

    id: str


@json_object
class AudioOptions(RequestObject):
    """How the answer is to sound."""

    format: Literal["wav", "aac", "mp3", "flac", "opus", "pcm16"]
    voice: Voice


@json_object
class PredictionContent(RequestObject):
    """What most of the answer will be, which makes it come faster."""

    content: str | Iterable[TextPartLike]
    type: Literal["content"] = "content"


@json_object
class StreamOptions(RequestObject):
    """What a stream carries besides the answer: padding, and a last chunk with the usage."""

    include_obfuscation: bool | None = None
    include_usage: bool | None = None


@json_object
class PromptCacheOptions(RequestObject):
    """How the prompt is cached: by breakpoints of the caller's, or as the server sees fit."""

    mode: Literal["implicit", "explicit"] | None = None
    ttl: Literal["30m"] | None = None


@json_object
class ModerationPolicyInput(RequestObject):
    """Whether a flagged prompt is blocked or only scored."""

    mode: Literal["score", "block"]


@json_object
class ModerationPolicyOutput(RequestObject):
    """Whether a flagged answer is blocked or only scored."""

    mode: Literal["score", "block"]


@json_object
class ModerationPolicy(RequestObject):
    """What happens to flagged content."""

    input: ModerationPolicyInputLike | None = None
    output: ModerationPolicyOutputLike | None = None


@json_object
class CompletionCreateParamsModeration(RequestObject):
    """The model that moderates prompt and answer, and what it may do."""

    model: str
    policy: ModerationPolicyLike | None = None


@json_object
class WebSearchOptionsUserLocationApproximate(RequestObject):
    """Roughly where the user is."""

    city: str | None = None
    country: str | None = None
    region: str | None = None
    timezone: str | None = None


@json_object
class WebSearchOptionsUserLocation(RequestObject):
    """Where the user is, for answers that depend on it."""

    approximate: ApproximateLike
    type: Literal["approximate"] = "approximate"


@json_object
class WebSearchOptions(RequestObject):
    """How to search the web."""

    search_context_size: Literal["low", "medium", "high"] | None = None
    user_location: UserLocationLike | None = None
