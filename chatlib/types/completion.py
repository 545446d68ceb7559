"""Chat completions: the answer to one call, and its choices."""

from __future__ import annotations

from typing import Literal

from chatlib.types.base import JsonObject
from chatlib.types.decoding import json_object
from chatlib.types.literals import FinishReason, ServiceTier
from chatlib.types.logprobs import ChoiceLogprobs
from chatlib.types.message import ChatCompletionMessage
from chatlib.types.moderation import Moderation
from chatlib.types.usage import CompletionUsage

__all__ = [
    "ChatCompletion",
    "Choice",
]


@json_object
class Choice(JsonObject):
    """One of the ``n`` choices of a completion."""

    finish_reason: FinishReason
    """Why the model stopped. None, whatever the type says, where the server did not say."""
    index: int
    logprobs: ChoiceLogprobs | None = None
    message: ChatCompletionMessage


@json_object
class ChatCompletion(JsonObject):
    """A chat completion: the answer to one call."""

    id: str
    choices: list[Choice]
    """One choice, or as many as ``n`` asked for."""
    created: int
    """When the completion was created, in Unix seconds."""
    model: str
    """The model that answered, often with a version that the request did not name."""
    object: Literal["chat.completion"] = "chat.completion"
    metadata: dict[str, str] | None = None
    """The metadata of a stored completion."""
    moderation: Moderation | None = None
    service_tier: ServiceTier | None = None
    system_fingerprint: str | None = None
    """The server configuration: the same ``seed`` and fingerprint give similar answers."""
    usage: CompletionUsage | None = None

    @property
    def text(self) -> str:
        """The text of the first choice, ``""`` if there is none."""
        message = message_of(self)
        return message.text if message is not None else ""


def message_of(completion: ChatCompletion) -> ChatCompletionMessage | None:
    """Return the message of the first choice; None if there is none or it is not an object."""
    choices = completion.choices
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.message if isinstance(choice, Choice) else None
    return message if isinstance(message, ChatCompletionMessage) else None
