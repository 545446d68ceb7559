"""Strings of which the API documents a closed list.

Type checkers see the documented list. At run time the types of response fields are open
(``| str``): a server may send a value that is newer than the library, or its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

__all__ = [
    "ChatCompletionModality",
    "ChatCompletionReasoningEffort",
    "ChatCompletionRole",
    "ChatModel",
    "FinishReason",
    "ImageDetail",
    "Metadata",
    "ReasoningEffort",
    "Role",
    "ServiceTier",
]

ChatCompletionRole: TypeAlias = Literal[
    "developer", "system", "user", "assistant", "tool", "function"
]
Role: TypeAlias = Literal["developer", "system", "user", "assistant", "tool"]
FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "function_call"]
ServiceTier: TypeAlias = Literal["auto", "default", "flex", "scale", "priority", "fast"]
ImageDetail: TypeAlias = Literal["auto", "low", "high", "original"]
CacheTTL: TypeAlias = Literal["30m", "12h"]
InputType: TypeAlias = Literal["text", "image"]
ToolCallType: TypeAlias = Literal["function"]

if not TYPE_CHECKING:
    Role = Role | str
    FinishReason = FinishReason | str
    ServiceTier = ServiceTier | str
    ImageDetail = ImageDetail | str
    CacheTTL = CacheTTL | str
    InputType = InputType | str
    ToolCallType = ToolCallType | str

ChatCompletionModality: TypeAlias = Literal["text", "audio"]
ReasoningEffort: TypeAlias = (
    Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None
)
ChatCompletionReasoningEffort: TypeAlias = ReasoningEffort

Metadata: TypeAlias = dict[str, str]

# For completion in editors: ``model`` takes any string, and not all models are listed.
ChatModel: TypeAlias = Literal[
    "gpt-6-astra",
    "gpt-6.1-sol",
    "gpt-6.1-terra",
    "gpt-6-sol",
    "gpt-6-luna",
    "gpt-5.6-sol",
    "gpt-5.6-terra",
    "gpt-5.6-luna",
    "gpt-5.5",
    "gpt-5.4",
    "gpt-5.4-mini",
    "gpt-5.4-nano",
    "gpt-5.2",
    "gpt-5.2-pro",
    "gpt-5.1",
    "gpt-5.1-codex",
    "gpt-5.1-mini",
    "gpt-5",
    "gpt-5-mini",
    "gpt-5-nano",
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-4.1-nano",
    "o4-mini",
    "o3",
    "o3-mini",
    "o1",
    "gpt-4o",
    "gpt-4o-2024-08-06",
    "gpt-4o-mini",
    "gpt-4o-audio-preview",
    "gpt-4o-mini-audio-preview",
    "gpt-4o-search-preview",
    "gpt-4o-mini-search-preview",
    "gpt-audio-mini",
    "chatgpt-4o-latest",
    "gpt-4-turbo",
    "gpt-4",
    "gpt-3.5-turbo",
]
