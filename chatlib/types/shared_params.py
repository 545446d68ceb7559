"""Names known from the official package, where its users look for them."""

from __future__ import annotations

from chatlib.types.literals import Metadata
from chatlib.types.response_format import (
    JSONSchema,
    ResponseFormatJSONObject,
    ResponseFormatJSONSchema,
    ResponseFormatText,
)
from chatlib.types.tool import FunctionDefinition, FunctionParameters

__all__ = [
    "FunctionDefinition",
    "FunctionParameters",
    "JSONSchema",
    "Metadata",
    "ResponseFormatJSONObject",
    "ResponseFormatJSONSchema",
    "ResponseFormatText",
]
