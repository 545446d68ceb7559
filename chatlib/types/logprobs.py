"""Log-probabilities of tokens."""

from __future__ import annotations

from typing import TypeAlias

from chatlib.types.base import JsonObject, json_object

__all__ = [
    "ChatCompletionTokenLogprob",
    "ChoiceLogprobs",
    "Logprobs",
    "TopLogprob",
]


@json_object
class TopLogprob(JsonObject):
    """A token that could have stood in a place, and how likely it was."""

    token: str
    bytes: list[int] | None = None
    """The token in UTF-8; a character can spread over several tokens."""
    logprob: float


@json_object
class ChatCompletionTokenLogprob(JsonObject):
    """A token of the answer, how likely it was, and the likeliest others."""

    token: str
    bytes: list[int] | None = None
    """The token in UTF-8; a character can spread over several tokens."""
    logprob: float
    top_logprobs: list[TopLogprob]


@json_object
class ChoiceLogprobs(JsonObject):
    """The log-probabilities of an answer, token by token."""

    content: list[ChatCompletionTokenLogprob] | None = None
    refusal: list[ChatCompletionTokenLogprob] | None = None


Logprobs: TypeAlias = ChoiceLogprobs
