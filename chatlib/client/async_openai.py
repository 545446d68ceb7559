"""The asynchronous clients: ``AsyncOpenAI`` and ``AsyncAzureOpenAI``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from chatlib.client import async_methods
from chatlib.client.async_call import aread_body, arun
from chatlib.client.async_completions import AsyncBeta, AsyncChat
from chatlib.client.base import AzureClient, BaseClient
from chatlib.client.call import Call
from chatlib.client.closing import AsyncClosing
from chatlib.client.namespaces import RawClient
from chatlib.http import AsyncTransport, HttpResponse, Transport, running_loop
from chatlib.transports.checking import async_send
from chatlib.wire.request import Operation

if TYPE_CHECKING:
    cached_property = property  # which protocols of users accept

    from chatlib.client.async_completions import AsyncRawCompletions, AsyncStreamedCompletions
    from chatlib.client.models import AsyncModels
else:
    from functools import cached_property


T = TypeVar("T")
R = TypeVar("R")


async def _sleep(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


class AsyncOpenAI(
    async_methods.AsyncOpenAI, BaseClient["AsyncTransport | Transport"], AsyncClosing
):
    """An asynchronous client for an OpenAI-compatible server, like :class:`~chatlib.OpenAI`.

    It can be constructed outside an event loop and used from several event loops in turn. It needs
    asyncio; under trio, a call raises a RuntimeError that names the alternatives.

    Args:
        transport: An object with a coroutine method ``asend(request)``
            (:class:`~chatlib.http.AsyncTransport`), or a synchronous transport, which runs on
            threads. By default an :class:`~chatlib.transports.aiohttp.AiohttpTransport` if aiohttp
            is installed, otherwise the default transport of :class:`~chatlib.OpenAI` on threads.
        sleep: Sleeps between attempts, in place of :func:`asyncio.sleep`; tests pass their own.
        settings: API key, base URL, timeouts, hooks and more, see
            :class:`~chatlib.client.base.ClientSettings`. A function that returns the API key may be
            a coroutine function.

    Raises:
        OpenAIError: The API key is missing or invalid, or the base URL is invalid.
        TypeError: A setting is unknown, or ``transport`` is not a transport.
    """

    _default_sleep = staticmethod(_sleep)

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
    def _adapt_transport(transport: AsyncTransport | Transport) -> AsyncTransport | Transport:
        if async_send(transport) is not None:
            return transport
        from chatlib.transports.threads import ThreadTransport

        return ThreadTransport(cast("Transport", transport))

    @cached_property
    def chat(self) -> AsyncChat:
        """The namespace ``client.chat``, for ``client.chat.completions``."""
        return AsyncChat(self._copy_for_chat())

    @cached_property
    def beta(self) -> AsyncBeta:
        """The namespace ``client.beta``, the former location of ``client.chat``."""
        return AsyncBeta(self.chat)

    @cached_property
    def models(self) -> AsyncModels:
        """The namespace ``client.models``."""
        from chatlib.client.models import AsyncModels

        return AsyncModels(self._copy_for_chat())

    @property
    def with_raw_response(self) -> RawClient[AsyncRawCompletions]:
        """The same methods; each returns the HTTP response with its content."""
        return RawClient(self.chat.with_raw_response)

    @property
    def with_streaming_response(self) -> RawClient[AsyncStreamedCompletions]:
        """The same methods for a ``with`` block; the body is read on demand."""
        return RawClient(self.chat.with_streaming_response)

    async def close(self) -> None:
        """Close idle connections, unless a copy of this client still uses them."""
        transport = self._shared.leave(self)
        close = getattr(transport, "aclose", None) or getattr(transport, "close", None)
        closing = close() if close is not None else None
        if isawaitable(closing):
            await closing

    async def perform(self, operation: Operation[T]) -> T:
        """Execute an operation, as all methods of the client do.

        Args:
            operation: An operation, such as those of :mod:`chatlib.operations`.

        Returns:
            What its ``read`` function returns; for a streaming operation, the stream.

        Raises:
            APIError: The operation failed.
        """
        receive = _open_stream if operation.is_stream else _read
        result: T = await self.perform_with(operation, receive)
        return result

    async def perform_with(
        self,
        operation: Operation[Any],
        receive: Callable[[HttpResponse, Call[Any]], Awaitable[R]],
    ) -> R:
        """Execute an operation and convert the response with a function.

        Args:
            operation: The operation.
            receive: Converts a response whose body has not been read; awaited.

        Returns:
            The result of ``receive``.

        Raises:
            APIError: The operation failed.
        """
        running_loop()  # also if the transport needs none: timeouts and sleeps do
        transport: Any = self.transport
        send = getattr(transport, "asend", None) or transport.send
        return await arun(self._new_call(operation), send, self._sleep, receive)


async def _open_stream(response: HttpResponse, call: Call[Any]) -> Any:
    from chatlib.client.async_streams import aopen_stream

    return await aopen_stream(response, call)


async def _read(response: HttpResponse, call: Call[Any]) -> Any:
    return call.operation.read(await aread_body(response, call))


class AsyncAzureOpenAI(
    async_methods.AsyncAzureOpenAI, AzureClient["AsyncTransport | Transport"], AsyncOpenAI
):
    """An asynchronous client for an Azure OpenAI resource, like :class:`~chatlib.AzureOpenAI`.

    Args:
        transport: As for :class:`AsyncOpenAI`.
        sleep: As for :class:`AsyncOpenAI`.
        settings: Endpoint, API version, credentials and more, see
            :class:`~chatlib.client.base.AzureSettings`.

    Raises:
        OpenAIError: The endpoint, API version or credentials are missing or invalid.
        TypeError: A setting is unknown, or ``transport`` is not a transport.
    """
