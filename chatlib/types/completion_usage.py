"""Names known from the official package, where its users look for them."""

from __future__ import annotations

from chatlib.types.usage import CompletionTokensDetails, CompletionUsage, PromptTokensDetails

__all__ = ["CompletionTokensDetails", "CompletionUsage", "PromptTokensDetails"]
