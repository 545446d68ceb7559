"""Names known from the official package, where its users look for them."""

from __future__ import annotations

from chatlib.types.content_part import ChatCompletionContentPartImageParam
from chatlib.types.content_part import ImageURLParam as ImageURL

__all__ = ["ChatCompletionContentPartImageParam", "ImageURL"]
