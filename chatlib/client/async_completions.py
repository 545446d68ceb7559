"""The methods of ``AsyncOpenAI().chat.completions``, also with raw access to the response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from typing_extensions import ParamSpec

from chatlib.client.async_streams import AsyncStream
from chatlib.client.executors import AsyncClient, AsyncExecutor
from chatlib.client.namespaces import RawChat
from chatlib.client.pagination import AsyncCursorPage, AsyncPaginator, paginate
from chatlib.http import Omit, omit
from chatlib.operations import (
    create_operation,
    delete_operation,
    list_messages_operation,
    list_operation,
    retrieve_operation,
    update_operation,
)
from chatlib.redaction import conceal
from chatlib.types.chunk import ChatCompletionChunk
from chatlib.types.completion import ChatCompletion
from chatlib.types.stored import ChatCompletionDeleted, ChatCompletionStoreMessage
from chatlib.wire.request import Operation

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from chatlib.client.async_raw import AsyncResponseManager
    from chatlib.client.async_typed_stream import AsyncChatCompletionStreamManager
    from chatlib.client.raw import RawResponse
    from chatlib.structured.tool_runs import ToolRun, ToolRunEvent
    from chatlib.types.message import MessageLike
    from chatlib.types.params import (
        CreateOptions,
        ListOptions,
        MessageListOptions,
        RequestOptions,
        TypedAnswerOptions,
        UpdateOptions,
    )
    from chatlib.types.parsed import ParsedChatCompletion

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


class AsyncCompletions:
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

    @overload
    async def create(
        self, *, stream: Literal[False] | Omit | None = omit, **params: Unpack[CreateOptions]
    ) -> ChatCompletion: ...

    @overload
    async def create(
        self, *, stream: Literal[True], **params: Unpack[CreateOptions]
    ) -> AsyncStream[ChatCompletionChunk]: ...

    @overload
    async def create(
        self, *, stream: bool, **params: Unpack[CreateOptions]
    ) -> ChatCompletion | AsyncStream[ChatCompletionChunk]: ...

    async def create(
        self, *, stream: bool | Omit | None = omit, **params: Unpack[CreateOptions]
    ) -> ChatCompletion | AsyncStream[ChatCompletionChunk]:
        """Create a chat completion; see :meth:`Completions.create`.

        Args:
            stream: True to return an :class:`~chatlib.client.async_streams.AsyncStream` of chunks.
            params: The parameters of the API and request options.

        Returns:
            The completion; with ``stream=True``, an asynchronous iterator over its chunks.
        """
        conceal(params)
        return await self._perform(create_operation({"stream": stream, **params}))

    async def retrieve(
        self, completion_id: str, **options: Unpack[RequestOptions]
    ) -> ChatCompletion:
        """Retrieve a stored completion; see :meth:`Completions.retrieve`.

        Args:
            completion_id: The ID of the completion.
            options: The request options, see :class:`~chatlib.types.RequestOptions`.

        Returns:
            The completion.
        """
        conceal(options)
        return await self._perform(retrieve_operation(completion_id, options))

    async def update(self, completion_id: str, **params: Unpack[UpdateOptions]) -> ChatCompletion:
        """Update the metadata of a stored completion; see :meth:`Completions.update`.

        Args:
            completion_id: The ID of the completion.
            params: ``metadata`` and request options.

        Returns:
            The updated completion.
        """
        conceal(params)
        return await self._perform(update_operation(completion_id, params))

    def list(self, **params: Unpack[ListOptions]) -> AsyncPaginator[ChatCompletion]:
        """List the stored completions, one page at a time; see :meth:`Completions.list`.

        Args:
            params: The filters and request options.

        Returns:
            An object to ``await`` for the first page, or to iterate over with ``async for`` for the
            items of all pages.
        """
        conceal(params)
        operation = paginate(AsyncCursorPage, list_operation(params), self._client.perform)
        return AsyncPaginator(lambda: self._perform(operation))

    async def delete(
        self, completion_id: str, **options: Unpack[RequestOptions]
    ) -> ChatCompletionDeleted:
        """Delete a stored completion; see :meth:`Completions.delete`.

        Args:
            completion_id: The ID of the completion.
            options: The request options, see :class:`~chatlib.types.RequestOptions`.

        Returns:
            The confirmation of the server.
        """
        conceal(options)
        return await self._perform(delete_operation(completion_id, options))

    @overload
    async def parse(
        self, *, response_format: type[T], **params: Unpack[TypedAnswerOptions]
    ) -> ParsedChatCompletion[T]: ...

    @overload
    async def parse(
        self, *, response_format: Omit = omit, **params: Unpack[TypedAnswerOptions]
    ) -> ParsedChatCompletion[None]: ...

    async def parse(
        self, *, response_format: Any = omit, **params: Unpack[TypedAnswerOptions]
    ) -> ParsedChatCompletion[Any]:
        """Create a chat completion and decode its content; see :meth:`Completions.parse`.

        Args:
            response_format: The type to decode into.
            params: As for :meth:`create`.

        Returns:
            The completion; ``choices[0].message.parsed`` is the decoded value.
        """
        conceal(params)
        from chatlib.client import typed_calls  # lazily: only programs that use types need it

        return await self._perform(typed_calls.parse_operation(response_format, params))

    @overload
    def stream(
        self, *, response_format: type[T], **params: Unpack[TypedAnswerOptions]
    ) -> AsyncChatCompletionStreamManager[T]: ...

    @overload
    def stream(
        self, *, response_format: Any = omit, **params: Unpack[TypedAnswerOptions]
    ) -> AsyncChatCompletionStreamManager[Any]: ...

    def stream(
        self, *, response_format: Any = omit, **params: Unpack[TypedAnswerOptions]
    ) -> AsyncChatCompletionStreamManager[Any]:
        """Stream a chat completion as events; see :meth:`Completions.stream`.

        Args:
            response_format: A type, as for :meth:`parse`, or a response format, as for
                :meth:`create`.
            params: As for :meth:`create`.

        Returns:
            An asynchronous context manager that opens an
            :class:`~chatlib.client.async_typed_stream.AsyncChatCompletionStream`.
        """
        conceal(params)
        from chatlib.client import typed_calls
        from chatlib.client.async_typed_stream import (
            AsyncChatCompletionStream,
            AsyncChatCompletionStreamManager,
        )

        operation, new_state = typed_calls.stream_operation(response_format, params)

        async def start() -> AsyncChatCompletionStream[Any]:
            chunks: Any = await self._client.perform(operation)
            return AsyncChatCompletionStream(chunks, new_state())

        return AsyncChatCompletionStreamManager(start)

    async def run(
        self,
        *,
        messages: Iterable[MessageLike],
        tools: Iterable[Any],
        max_rounds: int = 10,
        on_event: Callable[[ToolRunEvent], object] | None = None,
        **params: Any,
    ) -> ToolRun:
        """Create completions and execute the tools that the model calls, until it answers.

        See :meth:`Completions.run`. Tools may be coroutine functions; the calls of one completion
        run concurrently.

        Args:
            messages: The messages of the conversation.
            tools: Functions, coroutine functions, and tools made by :func:`chatlib.function_tool`.
            max_rounds: The maximum number of completions.
            on_event: Called with each completion and each tool result.
            params: As for :meth:`create`.

        Returns:
            The answer and the conversation that led to it.
        """
        conceal(params)
        from chatlib.client import typed_calls
        from chatlib.structured.tool_runs import atool_results

        loop = typed_calls.ToolLoop(messages, tools, max_rounds, on_event, params)
        while True:
            completion = await self._client.perform(loop.next_operation())
            ended = loop.on_completion(completion)
            if ended is not None:
                return ended
            loop.add_results(completion, await atool_results(completion, loop.tools))


class AsyncMessages:
    """The methods of ``client.chat.completions.messages``.

    Args:
        client: The client that executes the operations.
        perform: Executes the operation for the first page.
    """

    def __init__(self, client: AsyncClient, perform: AsyncExecutor) -> None:
        self._client = client
        self._perform = perform

    def list(
        self, completion_id: str, **params: Unpack[MessageListOptions]
    ) -> AsyncPaginator[ChatCompletionStoreMessage]:
        """List the messages of a stored completion; see :meth:`Messages.list`.

        Args:
            completion_id: The ID of the completion.
            params: The filters and request options.

        Returns:
            An object to ``await`` for the first page, or to iterate over with ``async for`` for the
            items of all pages.
        """
        conceal(params)
        operation = list_messages_operation(completion_id, params)
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

    def managed(*args: P.args, **kwargs: P.kwargs) -> AsyncResponseManager[T]:
        return AsyncResponseManager(lambda: cast("Any", method(*args, **kwargs)))

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
