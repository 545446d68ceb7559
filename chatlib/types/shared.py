"""Names known from the official package, where its users look for them."""

from __future__ import annotations

from chatlib.types.literals import ChatModel, Metadata, ReasoningEffort
from chatlib.types.response_format import (
    ResponseFormatJSONObject,
    ResponseFormatJSONSchema,
    ResponseFormatText,
)
from chatlib.types.tool import FunctionDefinition, FunctionParameters

__all__ = [
    "ChatModel",
    "FunctionDefinition",
    "FunctionParameters",
    "Metadata",
    "ReasoningEffort",
    "ResponseFormatJSONObject",
    "ResponseFormatJSONSchema",
    "ResponseFormatText",
]
