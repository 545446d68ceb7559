"""The operations of :mod:`chatlib.client.completions` as coroutine methods."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast, overload

from typing_extensions import ParamSpec

from chatlib.client.async_streams import AsyncStream
from chatlib.client.call import Call
from chatlib.client.pagination import AsyncCursorPage, AsyncPaginator, paginate
from chatlib.http import HttpResponse, Omit, omit
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
    from chatlib.structured.tools import ToolRun, ToolRunEvent
    from chatlib.types.messages import MessageLike
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


class AsyncExecutor(Protocol):
    """Execute an operation; the result depends on the kind of access."""

    def __call__(self, operation: Operation[T], /) -> Awaitable[T]: ...


class AsyncClient(Protocol):
    """An asynchronous client as seen by its methods: it executes operations."""

    async def perform(self, operation: Operation[T], /) -> T:
        """Execute an operation and return what it reads."""
        ...

    async def perform_with(
        self,
        operation: Operation[Any],
        receive: Callable[[HttpResponse, Call[Any]], Awaitable[R]],
        /,
    ) -> R:
        """Execute an operation and return what ``receive`` makes of its response."""
        ...


class AsyncCompletions:
    """``client.chat.completions``: the methods of :class:`~chatlib.client.completions.Completions`,
    where their arguments, results and exceptions are documented, awaited."""

    def __init__(self, client: AsyncClient, perform: AsyncExecutor | None = None) -> None:
        self._client = client
        self._perform = perform or client.perform

    @cached_property
    def messages(self) -> AsyncMessages:
        """``client.chat.completions.messages``."""
        return AsyncMessages(self._client, self._perform)

    @cached_property
    def with_raw_response(self) -> AsyncRawCompletions:
        """The same methods, which give the response beside what it says."""
        return AsyncRawCompletions(self._client)

    @cached_property
    def with_streaming_response(self) -> AsyncStreamedCompletions:
        """The same methods, for an ``async with``: the body is read as it comes."""
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
        """Ask for a completion; with ``stream=True``, for its chunks as they come."""
        conceal(params)
        return await self._perform(create_operation({"stream": stream, **params}))

    async def retrieve(
        self, completion_id: str, **options: Unpack[RequestOptions]
    ) -> ChatCompletion:
        """Fetch a stored completion."""
        conceal(options)
        return await self._perform(retrieve_operation(completion_id, options))

    async def update(self, completion_id: str, **params: Unpack[UpdateOptions]) -> ChatCompletion:
        """Change the metadata of a stored completion."""
        conceal(params)
        return await self._perform(update_operation(completion_id, params))

    def list(self, **params: Unpack[ListOptions]) -> AsyncPaginator[ChatCompletion]:
        """Fetch a page of the stored completions, by ``await``; all of them, by ``async for``."""
        conceal(params)
        operation = paginate(AsyncCursorPage, list_operation(params), self._client.perform)
        return AsyncPaginator(lambda: self._perform(operation))

    async def delete(
        self, completion_id: str, **options: Unpack[RequestOptions]
    ) -> ChatCompletionDeleted:
        """Delete a stored completion."""
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
        """Ask for a completion, and read it as a type."""
        conceal(params)
        from chatlib.client import typed_calls  # here, as not every program needs it

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
        """Ask for a completion that comes as events, by an ``async with`` and an ``async for``."""
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
        """Ask, execute the tools that the model calls, send what they returned, and so on.

        Tools may be coroutine functions; those that are called together run at once.
        """
        conceal(params)
        from chatlib.client import typed_calls
        from chatlib.structured.tools import atool_results

        loop = typed_calls.ToolLoop(messages, tools, max_rounds, on_event, params)
        while True:
            completion = await self._client.perform(loop.next_operation())
            ended = loop.on_completion(completion)
            if ended is not None:
                return ended
            loop.add_results(completion, await atool_results(completion, loop.tools))


class AsyncMessages:
    """``client.chat.completions.messages``."""

    def __init__(self, client: AsyncClient, perform: AsyncExecutor) -> None:
        self._client = client
        self._perform = perform

    def list(
        self, completion_id: str, **params: Unpack[MessageListOptions]
    ) -> AsyncPaginator[ChatCompletionStoreMessage]:
        """Fetch a page of the messages that a stored completion answers; or all of them."""
        conceal(params)
        operation = list_messages_operation(completion_id, params)
        walking = paginate(AsyncCursorPage, operation, self._client.perform)
        return AsyncPaginator(lambda: self._perform(walking))


class AsyncChat:
    """``client.chat``."""

    def __init__(self, client: AsyncClient) -> None:
        self.completions = AsyncCompletions(client)


class AsyncBeta:
    """``client.beta``: the older home of what is now under ``client.chat``."""

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
    """``client.chat.completions.with_raw_response.messages``."""

    def __init__(self, completions: AsyncCompletions) -> None:
        self.list = _raw(completions.messages.list)


class AsyncRawCompletions:
    """``client.chat.completions.with_raw_response``: each method gives a
    :class:`~chatlib.client.raw.RawResponse`."""

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
    """``client.chat.completions.with_streaming_response.messages``."""

    def __init__(self, completions: AsyncCompletions) -> None:
        self.list = _streamed(completions.messages.list)


class AsyncStreamedCompletions:
    """``client.chat.completions.with_streaming_response``: each method returns a manager, which
    opens an :class:`~chatlib.client.async_raw.AsyncStreamedResponse` when it is entered."""

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
