"""The namespaces ``chat`` and ``beta`` of raw access, which hold one thing each."""

from __future__ import annotations

from typing import Generic, TypeVar

C = TypeVar("C")


class RawChat(Generic[C]):
    """The namespace ``client.chat.with_raw_response``, and its likes."""

    def __init__(self, completions: C) -> None:
        self.completions = completions
        """The methods."""


class RawClient(Generic[C]):
    """The namespace ``client.with_raw_response``, and its likes."""

    def __init__(self, chat: RawChat[C]) -> None:
        self.chat = chat
        """The namespace of chat completions."""
