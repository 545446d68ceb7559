"""Names known from the official package, where its users look for them."""

from __future__ import annotations

from chatlib.types.message import ChatCompletionMessageParam

__all__ = ["ChatCompletionMessageParam"]
