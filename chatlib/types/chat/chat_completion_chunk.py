"""Names known from the official package, where its users look for them."""

from __future__ import annotations

from chatlib.types.chunk import (
    ChatCompletionChunk,
    ChoiceDelta,
    ChoiceDeltaFunctionCall,
    ChoiceDeltaToolCall,
    ChoiceDeltaToolCallFunction,
)
from chatlib.types.chunk import ChunkChoice as Choice
from chatlib.types.chunk import ChunkChoiceLogprobs as ChoiceLogprobs

__all__ = [
    "ChatCompletionChunk",
    "Choice",
    "ChoiceDelta",
    "ChoiceDeltaFunctionCall",
    "ChoiceDeltaToolCall",
    "ChoiceDeltaToolCallFunction",
    "ChoiceLogprobs",
]
