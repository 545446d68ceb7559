"""Names known from the official package, where its users look for them."""

from __future__ import annotations

from chatlib.types.parsed import ParsedChatCompletion, ParsedChatCompletionMessage, ParsedChoice

__all__ = ["ParsedChatCompletion", "ParsedChatCompletionMessage", "ParsedChoice"]
