"""``AsyncOpenAI``: the operations of :mod:`chatlib.client.openai` as coroutines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cached_property
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from chatlib.client.async_call import aread_body, arun
from chatlib.client.async_completions import AsyncBeta, AsyncChat
from chatlib.client.async_streams import aopen_stream
from chatlib.client.base import AzureClient, BaseClient
from chatlib.client.call import Call
from chatlib.client.closing import AsyncClosing
from chatlib.http import AsyncTransport, HttpResponse, Transport, running_loop
from chatlib.transports.checking import async_send
from chatlib.wire.request import Operation

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from chatlib.client.base import AzureChanges, AzureSettings, Changes, ClientSettings

T = TypeVar("T")
R = TypeVar("R")


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
        self._initialize(transport, sleep or _sleep, cast("dict[str, Any]", settings))

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
        """``client.chat.completions``."""
        return AsyncChat(self._copy_for_chat())

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
        return self._with_changes(transport, cast("dict[str, Any]", changes))

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
        result: T = await self.perform_with(operation, receive)
        return result

    async def perform_with(
        self,
        operation: Operation[Any],
        receive: Callable[[HttpResponse, Call[Any]], Awaitable[R]],
    ) -> R:
        running_loop()  # also where the transport needs none: limits and waits do
        transport: Any = self.transport
        send = getattr(transport, "asend", None) or transport.send
        return await arun(self._new_call(operation), send, self._sleep, receive)


async def _sleep(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


async def _read(response: HttpResponse, call: Call[Any]) -> Any:
    return call.operation.read(await aread_body(response, call))


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
        self._initialize(transport, sleep or _sleep, cast("dict[str, Any]", settings))

    def with_options(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        *,
        transport: AsyncTransport | Transport | None = None,
        **changes: Unpack[AzureChanges],
    ) -> Self:
        """As :meth:`AsyncOpenAI.with_options`, for the settings of Azure too."""
        return self._with_changes(transport, cast("dict[str, Any]", changes))

    copy = with_options
