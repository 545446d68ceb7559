"""The methods of an asynchronous client with raw access: the same ones, with other results."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from typing_extensions import ParamSpec

from chatlib.client.async_openai import AsyncCompletions, AsyncOpenAI
from chatlib.client.async_raw import AsyncResponseManager, araw_response, astreamed_response
from chatlib.client.raw import RawResponse
from chatlib.wire.request import Operation

P = ParamSpec("P")
T = TypeVar("T")


def _raw(method: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[RawResponse[T]]]:
    return cast("Callable[P, Awaitable[RawResponse[T]]]", method)


def _streamed(method: Callable[P, Awaitable[T]]) -> Callable[P, AsyncResponseManager[T]]:
    def managed(*args: P.args, **kwargs: P.kwargs) -> AsyncResponseManager[T]:
        return AsyncResponseManager(lambda: cast("Any", method(*args, **kwargs)))

    return managed


class AsyncRawMessages:
    """``client.chat.completions.with_raw_response.messages``."""

    def __init__(self, completions: AsyncCompletions) -> None:
        self.list = _raw(completions.messages.list)


class AsyncRawCompletions:
    """``client.chat.completions.with_raw_response``: each method gives a
    :class:`~chatlib.client.raw.RawResponse`."""

    def __init__(self, client: AsyncOpenAI) -> None:
        def perform(operation: Operation[Any]) -> Any:
            return client._run(operation, araw_response)

        made = AsyncCompletions(client, perform)
        self.create = _raw(made.create)
        self.parse = _raw(made.parse)
        self.retrieve = _raw(made.retrieve)
        self.update = _raw(made.update)
        self.list = _raw(made.list)
        self.delete = _raw(made.delete)
        self.messages = AsyncRawMessages(made)


class AsyncStreamedMessages:
    """``client.chat.completions.with_streaming_response.messages``."""

    def __init__(self, completions: AsyncCompletions) -> None:
        self.list = _streamed(completions.messages.list)


class AsyncStreamedCompletions:
    """``client.chat.completions.with_streaming_response``: each method returns a manager, which
    opens an :class:`~chatlib.client.async_raw.AsyncStreamedResponse` when it is entered."""

    def __init__(self, client: AsyncOpenAI) -> None:
        def perform(operation: Operation[Any]) -> Any:
            return client._run(operation, astreamed_response)

        made = AsyncCompletions(client, perform)
        self.create = _streamed(made.create)
        self.parse = _streamed(made.parse)
        self.retrieve = _streamed(made.retrieve)
        self.update = _streamed(made.update)
        self.list = _streamed(made.list)
        self.delete = _streamed(made.delete)
        self.messages = AsyncStreamedMessages(made)
