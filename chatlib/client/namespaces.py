"""The namespaces ``chat`` and ``beta`` of raw access, which hold one thing each."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

C = TypeVar("C")


@attrs.frozen
class RawChat(Generic[C]):
    """The namespace ``client.chat.with_raw_response``, and its likes."""

    completions: C
    """The methods."""


@attrs.frozen
class RawClient(Generic[C]):
    """The namespace ``client.with_raw_response``, and its likes."""

    chat: RawChat[C]
    """The namespace of chat completions."""
