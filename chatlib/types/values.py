"""The objects of a request as values, for those who prefer constructors to dicts.

For example::

    from chatlib.types.values import ImagePart, TextPart, UserMessage

    UserMessage(content=[TextPart(text="What is this?"), ImagePart(image_url={"url": url})])

Each class has a dict form in :mod:`chatlib.types`: the same fields, while ``role`` and ``type`` are
filled in here. Values and dicts can be mixed. A field that is not given is not sent; ``None`` is
sent as ``null``. Objects without a class here are written as dicts.
"""

from __future__ import annotations

from chatlib.types.content_part import (
    FilePart,
    ImagePart,
    ImageURL,
    InputAudioPart,
    RefusalPart,
    TextPart,
)
from chatlib.types.message import (
    AssistantMessage,
    DeveloperMessage,
    FunctionMessage,
    SystemMessage,
    ToolMessage,
    UserMessage,
)
from chatlib.types.prompt_cache import PromptCacheBreakpoint
from chatlib.types.response_format import JSONSchemaValue as JSONSchema
from chatlib.types.response_format import ResponseFormatJSONSchemaValue as ResponseFormatJSONSchema
from chatlib.types.stream_options import StreamOptions
from chatlib.types.tool import FunctionDefinitionValue as FunctionDefinition
from chatlib.types.tool import FunctionTool
from chatlib.types.tool_call import Custom, CustomToolCall, Function, FunctionCall, FunctionToolCall

__all__ = [
    "AssistantMessage",
    "Custom",
    "CustomToolCall",
    "DeveloperMessage",
    "FilePart",
    "Function",
    "FunctionCall",
    "FunctionDefinition",
    "FunctionMessage",
    "FunctionTool",
    "FunctionToolCall",
    "ImagePart",
    "ImageURL",
    "InputAudioPart",
    "JSONSchema",
    "PromptCacheBreakpoint",
    "RefusalPart",
    "ResponseFormatJSONSchema",
    "StreamOptions",
    "SystemMessage",
    "TextPart",
    "ToolMessage",
    "UserMessage",
]
