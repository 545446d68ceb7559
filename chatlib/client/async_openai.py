"""``AsyncOpenAI``: the operations of :mod:`chatlib.client.openai` as coroutines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import cached_property
from inspect import isawaitable, iscoroutinefunction
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast, overload

from chatlib.client.async_call import arun, awhole
from chatlib.client.async_streams import AsyncStream, aopen_stream
from chatlib.client.base import AzureClient, BaseClient
from chatlib.client.call import Call
from chatlib.client.closing import AsyncClosing
from chatlib.client.pagination import AsyncCursorPage, AsyncPaginator, walked
from chatlib.http import AsyncTransport, HttpResponse, Omit, Transport, omit, running_loop
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
    from typing_extensions import Self, Unpack

    from chatlib.client.async_raw_access import AsyncRawCompletions, AsyncStreamedCompletions
    from chatlib.client.async_typed_stream import AsyncChatCompletionStreamManager
    from chatlib.client.base import AzureChanges, AzureSettings, Changes, ClientSettings
    from chatlib.structured.tool_runs import ToolRun, ToolRunEvent
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

T = TypeVar("T")
R = TypeVar("R")


class AsyncPerform(Protocol):
    """Carries out an operation, and gives what it reads."""

    def __call__(self, operation: Operation[T], /) -> Awaitable[T]: ...


class AsyncOpenAI(BaseClient["AsyncTransport | Transport"], AsyncClosing):
    """A client of an OpenAI-compatible server, awaited: as :class:`~chatlib.OpenAI`, for asyncio.

    It can be made outside a loop, and used from one loop after another. Where asyncio does not run,
    as under trio, a call is a RuntimeError that says what to use.

    Args:
        transport: Who carries the requests: any object whose ``send(request)`` is a coroutine
            function (:class:`~chatlib.http.AsyncTransport`), or a synchronous transport, which
            then runs on threads. Unless given, a
            :class:`~chatlib.transports.aiohttp.AiohttpTransport` where aiohttp is installed, else
            the default transport of :class:`~chatlib.OpenAI` on threads.
        sleep: Waits between attempts, in place of :func:`asyncio.sleep`; tests give their own.
        settings: Key, address, limits, hooks: :class:`~chatlib.client.base.ClientSettings`. A
            function that gives the key may be a coroutine function.

    Raises:
        OpenAIError: there is no key, or it can't be sent; the base URL is not a URL.
        TypeError: a setting is unknown.
    """

    def __init__(
        self,
        *,
        transport: AsyncTransport | Transport | None = None,
        sleep: Callable[[float], object] | None = None,
        **settings: Unpack[ClientSettings],
    ) -> None:
        self._set_up(transport, sleep or _sleep, cast("dict[str, Any]", settings))

    @staticmethod
    def _make_transport() -> AsyncTransport:
        try:
            from chatlib.transports.aiohttp import AiohttpTransport
        except ImportError:
            from chatlib.transports.requests import RequestsTransport
            from chatlib.transports.threads import ThreadTransport

            return ThreadTransport(RequestsTransport())
        return AiohttpTransport()

    @staticmethod
    def _adapted(transport: AsyncTransport | Transport) -> AsyncTransport | Transport:
        if hasattr(transport, "asend") or iscoroutinefunction(transport.send):
            return transport
        from chatlib.transports.threads import ThreadTransport

        return ThreadTransport(cast("Transport", transport))

    @cached_property
    def chat(self) -> AsyncChat:
        """``client.chat.completions``."""
        return AsyncChat(self._behind())

    @cached_property
    def beta(self) -> AsyncBeta:
        """``client.beta.chat.completions``, the same under an older name."""
        return AsyncBeta(self.chat)

    def with_options(
        self,
        *,
        transport: AsyncTransport | Transport | None = None,
        **changes: Unpack[Changes],
    ) -> Self:
        """As :meth:`chatlib.OpenAI.with_options`."""
        return self._changed(transport, cast("dict[str, Any]", changes))

    copy = with_options

    async def close(self) -> None:
        """Close the idle connections, unless a copy of this client still uses them."""
        transport = self._shared.leave(self)
        close = getattr(transport, "aclose", None) or getattr(transport, "close", None)
        closing = close() if close is not None else None
        if isawaitable(closing):
            await closing

    async def perform(self, operation: Operation[T]) -> T:
        """Carry out an operation: what all methods of the client do.

        Args:
            operation: A call that a function of :mod:`chatlib.operations` made.

        Returns:
            What it reads; of an operation that asks for a stream, the stream.
        """
        receive: Any = aopen_stream if operation.is_stream else _read
        result: T = await self._run(operation, receive)
        return result

    async def _run(
        self,
        operation: Operation[Any],
        receive: Callable[[HttpResponse, Call[Any]], Awaitable[R]],
    ) -> R:
        running_loop()  # also where the transport needs none: limits and waits do
        transport: Any = self.transport
        send = getattr(transport, "asend", None) or transport.send
        return await arun(self._begun(operation), send, self._sleep, receive)


async def _sleep(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


async def _read(response: HttpResponse, call: Call[Any]) -> Any:
    return call.operation.read(await awhole(response, call))


class AsyncAzureOpenAI(AzureClient["AsyncTransport | Transport"], AsyncOpenAI):
    """A client of a resource of Azure OpenAI, awaited: as :class:`~chatlib.AzureOpenAI`.

    Args:
        transport: As for :class:`AsyncOpenAI`.
        sleep: As for :class:`AsyncOpenAI`.
        settings: Endpoint, version, credentials, and more:
            :class:`~chatlib.client.base.AzureSettings`.

    Raises:
        OpenAIError: there is no endpoint, version or credential, or one can't be used.
        TypeError: a setting is unknown.
    """

    def __init__(
        self,
        *,
        transport: AsyncTransport | Transport | None = None,
        sleep: Callable[[float], object] | None = None,
        **settings: Unpack[AzureSettings],
    ) -> None:
        self._set_up(transport, sleep or _sleep, cast("dict[str, Any]", settings))

    def with_options(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        *,
        transport: AsyncTransport | Transport | None = None,
        **changes: Unpack[AzureChanges],
    ) -> Self:
        """As :meth:`AsyncOpenAI.with_options`, for the settings of Azure too."""
        return self._changed(transport, cast("dict[str, Any]", changes))

    copy = with_options


class AsyncCompletions:
    """``client.chat.completions``: the methods of :class:`~chatlib.client.openai.Completions`,
    where their arguments, results and exceptions are documented, awaited."""

    def __init__(self, client: AsyncOpenAI, perform: AsyncPerform | None = None) -> None:
        self._client = client
        self._perform = perform or client.perform

    @cached_property
    def messages(self) -> AsyncMessages:
        """``client.chat.completions.messages``."""
        return AsyncMessages(self._client, self._perform)

    @cached_property
    def with_raw_response(self) -> AsyncRawCompletions:
        """The same methods, which give the response beside what it says."""
        from chatlib.client.async_raw_access import AsyncRawCompletions

        return AsyncRawCompletions(self._client)

    @cached_property
    def with_streaming_response(self) -> AsyncStreamedCompletions:
        """The same methods, for an ``async with``: the body is read as it comes."""
        from chatlib.client.async_raw_access import AsyncStreamedCompletions

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
        operation = walked(AsyncCursorPage, list_operation(params), self._client.perform)
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
        from chatlib.client.async_typed_stream import AsyncChatCompletionStreamManager

        operation, state = typed_calls.stream_operation(response_format, params)

        async def start() -> AsyncStream[ChatCompletionChunk]:
            stream: Any = await self._client.perform(operation)
            return cast("AsyncStream[ChatCompletionChunk]", stream)

        return AsyncChatCompletionStreamManager(start, state)

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
        from chatlib.structured.tool_runs import atool_results

        loop = typed_calls.ToolLoop(messages, tools, max_rounds, on_event, params)
        while True:
            completion = await self._client.perform(loop.ask())
            ended = loop.answer(completion)
            if ended is not None:
                return ended
            loop.go_on(completion, await atool_results(completion, loop.tools))


class AsyncMessages:
    """``client.chat.completions.messages``."""

    def __init__(self, client: AsyncOpenAI, perform: AsyncPerform) -> None:
        self._client = client
        self._perform = perform

    def list(
        self, completion_id: str, **params: Unpack[MessageListOptions]
    ) -> AsyncPaginator[ChatCompletionStoreMessage]:
        """Fetch a page of the messages that a stored completion answers; or all of them."""
        conceal(params)
        operation = list_messages_operation(completion_id, params)
        walking = walked(AsyncCursorPage, operation, self._client.perform)
        return AsyncPaginator(lambda: self._perform(walking))


class AsyncChat:
    """``client.chat``."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self.completions = AsyncCompletions(client)


class AsyncBeta:
    """``client.beta``: the older home of what is now under ``client.chat``."""

    def __init__(self, chat: AsyncChat) -> None:
        self.chat = chat
