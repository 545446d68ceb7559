"""Names known from the official package, where its users look for them."""

from __future__ import annotations

from typing import Literal, TypeAlias

from chatlib.types.moderation import CompletionCreateParamsModeration as Moderation
from chatlib.types.moderation import (
    ModerationPolicy,
    ModerationPolicyInput,
    ModerationPolicyOutput,
)
from chatlib.types.params import (
    CompletionCreateParams,
    CompletionCreateParamsBase,
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from chatlib.types.prompt_cache import PromptCacheOptions
from chatlib.types.response_format import ResponseFormat
from chatlib.types.tool import CompletionCreateParamsFunction as Function
from chatlib.types.tool_choice import ChatCompletionFunctionCallOptionParam
from chatlib.types.web_search import (
    WebSearchOptions,
    WebSearchOptionsUserLocation,
    WebSearchOptionsUserLocationApproximate,
)

FunctionCall: TypeAlias = Literal["none", "auto"] | ChatCompletionFunctionCallOptionParam

__all__ = [
    "CompletionCreateParams",
    "CompletionCreateParamsBase",
    "CompletionCreateParamsNonStreaming",
    "CompletionCreateParamsStreaming",
    "Function",
    "FunctionCall",
    "Moderation",
    "ModerationPolicy",
    "ModerationPolicyInput",
    "ModerationPolicyOutput",
    "PromptCacheOptions",
    "ResponseFormat",
    "WebSearchOptions",
    "WebSearchOptionsUserLocation",
    "WebSearchOptionsUserLocationApproximate",
]
