"""Predicted output."""

from collections.abc import Iterable
from typing import Literal

from typing_extensions import TypedDict

from chatlib.types.content_part import ChatCompletionContentPartTextParam

__all__ = [
    "ChatCompletionPredictionContentParam",
]


class ChatCompletionPredictionContentParam(TypedDict):
    """Text that most of the answer will match, which makes the answer faster."""

    content: str | Iterable[ChatCompletionContentPartTextParam]
    type: Literal["content"]
