"""Names known from the official package, where its users look for them."""

from __future__ import annotations

from chatlib.types.content_part import ChatCompletionContentPartParam, File, FileFile

__all__ = ["ChatCompletionContentPartParam", "File", "FileFile"]
