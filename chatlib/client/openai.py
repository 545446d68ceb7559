"""``OpenAI``: a config, a transport, and the operations as methods."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

from chatlib.client.base import AzureClient, BaseClient
from chatlib.client.call import Call, read_body, run
from chatlib.client.closing import Closing
from chatlib.client.completions import Beta, Chat
from chatlib.client.streams import open_stream
from chatlib.http import HttpResponse, Transport
from chatlib.transports.checking import sync_send
from chatlib.wire.request import Operation

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from chatlib.client.base import AzureChanges, AzureSettings, Changes, ClientSettings

T = TypeVar("T")
R = TypeVar("R")


class OpenAI(BaseClient[Transport], Closing):
    """A client of an OpenAI-compatible server. Threads may share it.

    Args:
        transport: Who carries the requests: any object with ``send(request) -> response``
            (:class:`~chatlib.http.Transport`). Unless given, a
            :class:`~chatlib.transports.requests.RequestsTransport`.
        sleep: Waits between attempts; tests give their own.
        settings: Key, address, limits, hooks: :class:`~chatlib.client.base.ClientSettings`.

    Raises:
        OpenAIError: there is no key, or it can't be sent; the base URL is not a URL.
        TypeError: a setting is unknown.
    """

    def __init__(
        self,
        *,
        transport: Transport | None = None,
        sleep: Callable[[float], object] = time.sleep,
        **settings: Unpack[ClientSettings],
    ) -> None:
        self._initialize(transport, sleep, cast("dict[str, Any]", settings))

    @staticmethod
    def _adapt_transport(transport: Transport) -> Transport:
        sync_send(transport)
        return transport

    @staticmethod
    def _make_transport() -> Transport:
        from chatlib.transports.requests import RequestsTransport

        return RequestsTransport()

    @cached_property
    def chat(self) -> Chat:
        """``client.chat.completions``."""
        return Chat(self._copy_for_chat())

    @cached_property
    def beta(self) -> Beta:
        """``client.beta.chat.completions``, the same under an older name."""
        return Beta(self.chat)

    def with_options(
        self, *, transport: Transport | None = None, **changes: Unpack[Changes]
    ) -> Self:
        """A client that is like this one but for some settings, and shares its connections.

        ``default_headers`` and ``default_query`` are added to those that there are;
        ``set_default_headers`` and ``set_default_query`` take their place.

        Raises:
            TypeError, ValueError, OpenAIError: as when a client is made.
        """
        return self._with_changes(transport, cast("dict[str, Any]", changes))

    copy = with_options

    def close(self) -> None:
        """Close the idle connections, unless a copy of this client still uses them."""
        close = getattr(self._shared.leave(self), "close", None)
        if close is not None:
            close()

    def perform(self, operation: Operation[T]) -> T:
        """Carry out an operation: what all methods of the client do.

        Args:
            operation: A call that a function of :mod:`chatlib.operations` made.

        Returns:
            What it reads; of an operation that asks for a stream, the stream.
        """
        receive: Any = open_stream if operation.is_stream else _read
        result: T = self.perform_with(operation, receive)
        return result

    def perform_with(
        self, operation: Operation[Any], receive: Callable[[HttpResponse, Call[Any]], R]
    ) -> R:
        return run(self._new_call(operation), self.transport.send, self._sleep, receive)


def _read(response: HttpResponse, call: Call[Any]) -> Any:
    return call.operation.read(read_body(response, call))


class AzureOpenAI(AzureClient[Transport], OpenAI):
    """A client of a resource of Azure OpenAI.

    The model of a call names the deployment, unless ``azure_deployment`` does.

    Args:
        transport: As for :class:`OpenAI`.
        sleep: As for :class:`OpenAI`.
        settings: Endpoint, version, credentials, and more:
            :class:`~chatlib.client.base.AzureSettings`.

    Raises:
        OpenAIError: there is no endpoint, version or credential, or one can't be used.
        TypeError: a setting is unknown.
    """

    def __init__(
        self,
        *,
        transport: Transport | None = None,
        sleep: Callable[[float], object] = time.sleep,
        **settings: Unpack[AzureSettings],
    ) -> None:
        self._initialize(transport, sleep, cast("dict[str, Any]", settings))

    def with_options(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *, transport: Transport | None = None, **changes: Unpack[AzureChanges]
    ) -> Self:
        """As :meth:`OpenAI.with_options`, for the settings of Azure too."""
        return self._with_changes(transport, cast("dict[str, Any]", changes))

    copy = with_options
