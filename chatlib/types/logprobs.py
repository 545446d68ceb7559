"""Log-probabilities of tokens."""

from __future__ import annotations

from typing import TypeAlias

from chatlib.types.base import JsonObject
from chatlib.types.decoding import json_object

__all__ = [
    "ChatCompletionTokenLogprob",
    "ChoiceLogprobs",
    "Logprobs",
    "TopLogprob",
]


@json_object
class TopLogprob(JsonObject):
    """One of the most likely tokens at a position, with its log-probability."""

    token: str
    bytes: list[int] | None = None
    """The token in UTF-8; a character can span several tokens."""
    logprob: float


@json_object
class ChatCompletionTokenLogprob(JsonObject):
    """A token of the answer, its log-probability, and the most likely alternatives."""

    token: str
    bytes: list[int] | None = None
    """The token in UTF-8; a character can span several tokens."""
    logprob: float
    top_logprobs: list[TopLogprob]


@json_object
class ChoiceLogprobs(JsonObject):
    """The log-probabilities of an answer, token by token."""

    content: list[ChatCompletionTokenLogprob] | None = None
    refusal: list[ChatCompletionTokenLogprob] | None = None


Logprobs: TypeAlias = ChoiceLogprobs
