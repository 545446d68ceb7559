"""The methods of a client with raw access: the same ones, with other results.

The arguments are said once, where the methods are; a checker takes them from there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from typing_extensions import ParamSpec

from chatlib.client.openai import Completions, OpenAI
from chatlib.client.raw import (
    RawResponse,
    ResponseManager,
    raw_response,
    streamed_response,
)
from chatlib.wire.request import Operation

P = ParamSpec("P")
T = TypeVar("T")


def _raw(method: Callable[P, T]) -> Callable[P, RawResponse[T]]:
    return cast("Callable[P, RawResponse[T]]", method)


def _streamed(method: Callable[P, T]) -> Callable[P, ResponseManager[T]]:
    return cast("Callable[P, ResponseManager[T]]", method)


class RawMessages:
    """``client.chat.completions.with_raw_response.messages``."""

    def __init__(self, completions: Completions) -> None:
        self.list = _raw(completions.messages.list)


class RawCompletions:
    """``client.chat.completions.with_raw_response``: each method returns a
    :class:`~chatlib.client.raw.RawResponse`."""

    def __init__(self, client: OpenAI) -> None:
        def perform(operation: Operation[Any]) -> Any:
            return client._run(operation, raw_response)

        made = Completions(client, perform)
        self.create = _raw(made.create)
        self.parse = _raw(made.parse)
        self.retrieve = _raw(made.retrieve)
        self.update = _raw(made.update)
        self.list = _raw(made.list)
        self.delete = _raw(made.delete)
        self.messages = RawMessages(made)


class StreamedMessages:
    """``client.chat.completions.with_streaming_response.messages``."""

    def __init__(self, completions: Completions) -> None:
        self.list = _streamed(completions.messages.list)


class StreamedCompletions:
    """``client.chat.completions.with_streaming_response``: each method returns a manager, which
    opens a :class:`~chatlib.client.raw.StreamedResponse` when it is entered."""

    def __init__(self, client: OpenAI) -> None:
        def perform(operation: Operation[Any]) -> Any:
            return ResponseManager(lambda: client._run(operation, streamed_response))

        made = Completions(client, perform)
        self.create = _streamed(made.create)
        self.parse = _streamed(made.parse)
        self.retrieve = _streamed(made.retrieve)
        self.update = _streamed(made.update)
        self.list = _streamed(made.list)
        self.delete = _streamed(made.delete)
        self.messages = StreamedMessages(made)
