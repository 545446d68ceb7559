"""The methods of ``AsyncOpenAI().chat.completions``, also with raw access to the response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, TypeVar, cast

from typing_extensions import ParamSpec

from chatlib.client import async_methods
from chatlib.client.executors import AsyncClient, AsyncExecutor
from chatlib.client.namespaces import RawChat
from chatlib.client.pagination import AsyncCursorPage, AsyncPaginator, paginate
from chatlib.http import omit
from chatlib.operations import create_operation
from chatlib.stored_operations import (
    delete_operation,
    list_messages_operation,
    list_operation,
    retrieve_operation,
    update_operation,
)
from chatlib.types.completion import ChatCompletion
from chatlib.types.stored import ChatCompletionDeleted, ChatCompletionStoreMessage
from chatlib.wire.request import Operation

if TYPE_CHECKING:
    cached_property = property  # which protocols of users accept

    from chatlib.client.async_raw import AsyncResponseManager
    from chatlib.client.async_typed_stream import AsyncChatCompletionStreamManager
    from chatlib.client.raw import RawResponse
    from chatlib.structured.tool_runs import ToolRun
    from chatlib.types.parsed import ParsedChatCompletion
else:
    from functools import cached_property


P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


class AsyncCompletions(async_methods.AsyncCompletions):
    """The methods of ``client.chat.completions`` as coroutines.

    Parameters, results and exceptions are those of
    :class:`~chatlib.client.completions.Completions`.

    Args:
        client: The client that executes the operations.
        perform: Executes an operation in place of ``client.perform``, for raw access.
    """

    def __init__(self, client: AsyncClient, perform: AsyncExecutor | None = None) -> None:
        self._client = client
        self._perform = perform or client.perform

    @cached_property
    def messages(self) -> AsyncMessages:
        """The methods of ``client.chat.completions.messages``."""
        return AsyncMessages(self._client, self._perform)

    @cached_property
    def with_raw_response(self) -> AsyncRawCompletions:
        """The same methods; each returns the HTTP response with its content."""
        return AsyncRawCompletions(self._client)

    @cached_property
    def with_streaming_response(self) -> AsyncStreamedCompletions:
        """The same methods for ``async with``; the body is read on demand."""
        return AsyncStreamedCompletions(self._client)

    async def _create(self, params: dict[str, Any]) -> Any:
        return await self._perform(create_operation(params))

    async def _retrieve(self, params: dict[str, Any]) -> ChatCompletion:
        completion_id = params.pop("completion_id")
        return await self._perform(retrieve_operation(completion_id, params))

    async def _update(self, params: dict[str, Any]) -> ChatCompletion:
        completion_id = params.pop("completion_id")
        return await self._perform(update_operation(completion_id, params))

    async def _delete(self, params: dict[str, Any]) -> ChatCompletionDeleted:
        completion_id = params.pop("completion_id")
        return await self._perform(delete_operation(completion_id, params))

    def _list(self, params: dict[str, Any]) -> AsyncPaginator[ChatCompletion]:
        operation = paginate(AsyncCursorPage, list_operation(params), self._client.perform)
        return AsyncPaginator(lambda: self._perform(operation))

    async def _parse(self, params: dict[str, Any]) -> ParsedChatCompletion[Any]:
        from chatlib.client import typed_calls  # lazily: only programs that use types need it

        response_format = params.pop("response_format", omit)
        return await self._perform(typed_calls.parse_operation(response_format, params))

    def _stream(self, params: dict[str, Any]) -> AsyncChatCompletionStreamManager[Any]:
        from chatlib.client import typed_calls
        from chatlib.client.async_typed_stream import (
            AsyncChatCompletionStream,
            AsyncChatCompletionStreamManager,
        )

        response_format = params.pop("response_format", omit)
        operation, new_state = typed_calls.stream_operation(response_format, params)

        async def start() -> AsyncChatCompletionStream[Any]:
            chunks: Any = await self._client.perform(operation)
            return AsyncChatCompletionStream(chunks, new_state())

        return AsyncChatCompletionStreamManager(start)

    async def _run(self, params: dict[str, Any]) -> ToolRun:
        from chatlib.client import typed_calls
        from chatlib.structured.tool_runs import atool_results

        loop = typed_calls.ToolLoop(
            params.pop("messages"),
            params.pop("tools"),
            params.pop("max_rounds"),
            params.pop("on_event"),
            params,
        )
        while True:
            completion = await self._client.perform(loop.next_operation())
            ended = loop.on_completion(completion)
            if ended is not None:
                return ended
            loop.add_results(completion, await atool_results(completion, loop.tools))


class AsyncMessages(async_methods.AsyncMessages):
    """The methods of ``client.chat.completions.messages``.

    Args:
        client: The client that executes the operations.
        perform: Executes the operation for the first page.
    """

    def __init__(self, client: AsyncClient, perform: AsyncExecutor) -> None:
        self._client = client
        self._perform = perform

    def _list(self, params: dict[str, Any]) -> AsyncPaginator[ChatCompletionStoreMessage]:
        operation = list_messages_operation(params.pop("completion_id"), params)
        walking = paginate(AsyncCursorPage, operation, self._client.perform)
        return AsyncPaginator(lambda: self._perform(walking))

    @property
    def with_raw_response(self) -> AsyncRawMessages:
        """The same methods; each returns the HTTP response with its content."""
        return AsyncRawCompletions(self._client).messages

    @property
    def with_streaming_response(self) -> AsyncStreamedMessages:
        """The same methods for a ``with`` block; the body is read on demand."""
        return AsyncStreamedCompletions(self._client).messages


class AsyncChat:
    """The namespace ``client.chat``.

    Args:
        client: The client that executes the operations.
    """

    def __init__(self, client: AsyncClient) -> None:
        self.completions = AsyncCompletions(client)

    @property
    def with_raw_response(self) -> RawChat[AsyncRawCompletions]:
        """The same methods; each returns the HTTP response with its content."""
        return RawChat(self.completions.with_raw_response)

    @property
    def with_streaming_response(self) -> RawChat[AsyncStreamedCompletions]:
        """The same methods for a ``with`` block; the body is read on demand."""
        return RawChat(self.completions.with_streaming_response)


class AsyncBeta:
    """The namespace ``client.beta``, the former location of ``client.chat``.

    Args:
        chat: The namespace ``client.chat``.
    """

    def __init__(self, chat: AsyncChat) -> None:
        self.chat = chat


def _raw(method: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[RawResponse[T]]]:
    return cast("Callable[P, Awaitable[RawResponse[T]]]", method)


def _streamed(method: Callable[P, Awaitable[T]]) -> Callable[P, AsyncResponseManager[T]]:
    from chatlib.client.async_raw import AsyncResponseManager

    @wraps(method)
    def managed(*args: P.args, **kwargs: P.kwargs) -> AsyncResponseManager[T]:
        return AsyncResponseManager(lambda: cast("Any", method(*args, **kwargs)))

    managed.__signature__ = signature(method)  # type: ignore[attr-defined]
    return managed


class AsyncRawMessages:
    """The methods of ``client.chat.completions.with_raw_response.messages``."""

    def __init__(self, completions: AsyncCompletions) -> None:
        self.list = _raw(completions.messages.list)


class AsyncRawCompletions:
    """The methods of ``client.chat.completions.with_raw_response``.

    Each returns a :class:`~chatlib.client.raw.RawResponse`.

    Args:
        client: The client that executes the operations.
    """

    def __init__(self, client: AsyncClient) -> None:
        from chatlib.client.async_raw import araw_response

        def perform(operation: Operation[Any]) -> Any:
            return client.perform_with(operation, araw_response)

        made = AsyncCompletions(client, perform)
        self.create = _raw(made.create)
        self.parse = _raw(made.parse)
        self.retrieve = _raw(made.retrieve)
        self.update = _raw(made.update)
        self.list = _raw(made.list)
        self.delete = _raw(made.delete)
        self.messages = AsyncRawMessages(made)


class AsyncStreamedMessages:
    """The methods of ``client.chat.completions.with_streaming_response.messages``."""

    def __init__(self, completions: AsyncCompletions) -> None:
        self.list = _streamed(completions.messages.list)


class AsyncStreamedCompletions:
    """The methods of ``client.chat.completions.with_streaming_response``.

    Each returns a context manager that opens an
    :class:`~chatlib.client.async_raw.AsyncStreamedResponse`.

    Args:
        client: The client that executes the operations.
    """

    def __init__(self, client: AsyncClient) -> None:
        from chatlib.client.async_raw import astreamed_response

        def perform(operation: Operation[Any]) -> Any:
            return client.perform_with(operation, astreamed_response)

        made = AsyncCompletions(client, perform)
        self.create = _streamed(made.create)
        self.parse = _streamed(made.parse)
        self.retrieve = _streamed(made.retrieve)
        self.update = _streamed(made.update)
        self.list = _streamed(made.list)
        self.delete = _streamed(made.delete)
        self.messages = AsyncStreamedMessages(made)
