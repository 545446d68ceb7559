"""Token usage of a call."""

from __future__ import annotations

from chatlib.types.base import JsonObject
from chatlib.types.decoding import json_object

__all__ = [
    "CompletionTokensDetails",
    "CompletionUsage",
    "PromptTokensDetails",
]


@json_object
class CompletionTokensDetails(JsonObject):
    """Completion tokens by kind."""

    accepted_prediction_tokens: int | None = None
    audio_tokens: int | None = None
    reasoning_tokens: int | None = None
    rejected_prediction_tokens: int | None = None
    text_tokens: int | None = None


@json_object
class PromptTokensDetails(JsonObject):
    """Prompt tokens by kind, cached ones among them."""

    audio_tokens: int | None = None
    cache_write_tokens: int | None = None
    cached_tokens: int | None = None
    image_tokens: int | None = None
    text_tokens: int | None = None


@json_object
class CompletionUsage(JsonObject):
    """The token usage of a call."""

    completion_tokens: int
    prompt_tokens: int
    total_tokens: int
    completion_tokens_details: CompletionTokensDetails | None = None
    prompt_tokens_details: PromptTokensDetails | None = None
