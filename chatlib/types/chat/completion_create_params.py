"""Names known from the official package, where its users look for them."""

from __future__ import annotations

from typing import Literal, TypeAlias

from chatlib.types.options import CompletionCreateParamsModeration as Moderation
from chatlib.types.options import (
    ModerationPolicy,
    ModerationPolicyInput,
    ModerationPolicyOutput,
    PromptCacheOptions,
    ResponseFormat,
    WebSearchOptions,
    WebSearchOptionsUserLocation,
    WebSearchOptionsUserLocationApproximate,
)
from chatlib.types.params import (
    CompletionCreateParams,
    CompletionCreateParamsBase,
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from chatlib.types.tools import ChatCompletionFunctionCallOptionParam
from chatlib.types.tools import CompletionCreateParamsFunction as Function

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
