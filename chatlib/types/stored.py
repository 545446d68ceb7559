"""Stored chat completions: their messages, and the response to a deletion."""

from __future__ import annotations

from typing import Literal, TypeAlias

from chatlib.types.base import JsonObject
from chatlib.types.content_part import (
    ChatCompletionContentPartImage,
    ChatCompletionContentPartText,
)
from chatlib.types.decoding import json_object
from chatlib.types.literals import Role
from chatlib.types.message import ChatCompletionMessage

__all__ = [
    "ChatCompletionDeleted",
    "ChatCompletionStoreMessage",
    "ChatCompletionStoreMessageContentPart",
]


@json_object
class ChatCompletionDeleted(JsonObject):
    """The confirmation that a stored completion was deleted."""

    id: str
    deleted: bool
    object: Literal["chat.completion.deleted"] = "chat.completion.deleted"


ChatCompletionStoreMessageContentPart: TypeAlias = (
    ChatCompletionContentPartText | ChatCompletionContentPartImage
)


@json_object
class ChatCompletionStoreMessage(ChatCompletionMessage):
    """A message of a stored completion: of the prompt or of the answer."""

    role: Role = "assistant"  # type: ignore[assignment]
    id: str
    content_parts: list[ChatCompletionStoreMessageContentPart] | None = None
    """The content parts, if the content was sent in parts."""
    tool_call_id: str | None = None
    """The id of the tool call that a tool message answers."""
