"""Names known from the official package, where its users look for them."""

from __future__ import annotations

from chatlib.types.messages import ChatCompletionMessageParam

__all__ = ["ChatCompletionMessageParam"]
