"""The synchronous clients: ``OpenAI`` and ``AzureOpenAI``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from chatlib.client import methods
from chatlib.client.base import AzureClient, BaseClient
from chatlib.client.call import Call, read_body, run
from chatlib.client.closing import Closing
from chatlib.client.completions import Beta, Chat
from chatlib.client.namespaces import RawClient
from chatlib.http import HttpResponse, Transport
from chatlib.transports.checking import sync_send
from chatlib.wire.request import Operation

if TYPE_CHECKING:
    cached_property = property  # which protocols of users accept

    from chatlib.client.completions import RawCompletions, StreamedCompletions
    from chatlib.client.models import Models
else:
    from functools import cached_property


T = TypeVar("T")
R = TypeVar("R")


class OpenAI(methods.OpenAI, BaseClient[Transport], Closing):
    """A client for an OpenAI-compatible server. It is thread-safe.

    Args:
        transport: An object with ``send(request) -> response`` (:class:`~chatlib.http.Transport`).
            By default a :class:`~chatlib.transports.requests.RequestsTransport`.
        sleep: Sleeps between attempts; tests pass their own.
        settings: API key, base URL, timeouts, hooks and more, see
            :class:`~chatlib.client.base.ClientSettings`.

    Raises:
        OpenAIError: The API key is missing or invalid, or the base URL is invalid.
        TypeError: A setting is unknown, or ``transport`` is not a synchronous transport.
    """

    @staticmethod
    def _adapt_transport(transport: Transport) -> Transport:
        sync_send(transport)
        return transport

    _default_sleep = staticmethod(time.sleep)

    @staticmethod
    def _make_transport() -> Transport:
        from chatlib.transports.requests import RequestsTransport

        return RequestsTransport()

    @cached_property
    def chat(self) -> Chat:
        """The namespace ``client.chat``, for ``client.chat.completions``."""
        return Chat(self._copy_for_chat())

    @cached_property
    def beta(self) -> Beta:
        """The namespace ``client.beta``, the former location of ``client.chat``."""
        return Beta(self.chat)

    @cached_property
    def models(self) -> Models:
        """The namespace ``client.models``."""
        from chatlib.client.models import Models

        return Models(self._copy_for_chat())

    @property
    def with_raw_response(self) -> RawClient[RawCompletions]:
        """The same methods; each returns the HTTP response with its content."""
        return RawClient(self.chat.with_raw_response)

    @property
    def with_streaming_response(self) -> RawClient[StreamedCompletions]:
        """The same methods for a ``with`` block; the body is read on demand."""
        return RawClient(self.chat.with_streaming_response)

    def close(self) -> None:
        """Close idle connections, unless a copy of this client still uses them."""
        close = getattr(self._shared.leave(self), "close", None)
        if close is not None:
            close()

    def perform(self, operation: Operation[T]) -> T:
        """Execute an operation, as all methods of the client do.

        Args:
            operation: An operation, such as those of :mod:`chatlib.operations`.

        Returns:
            What its ``read`` function returns; for a streaming operation, the stream.

        Raises:
            APIError: The operation failed.
        """
        result: T = self.perform_with(operation, _open_stream if operation.is_stream else _read)
        return result

    def perform_with(
        self, operation: Operation[Any], receive: Callable[[HttpResponse, Call[Any]], R]
    ) -> R:
        """Execute an operation and convert the response with a function.

        Args:
            operation: The operation.
            receive: Converts a response whose body has not been read, see
                :func:`chatlib.client.call.run`.

        Returns:
            The result of ``receive``.

        Raises:
            APIError: The operation failed.
        """
        return run(self._new_call(operation), self.transport.send, self._sleep, receive)


def _open_stream(response: HttpResponse, call: Call[Any]) -> Any:
    from chatlib.client.streams import open_stream

    return open_stream(response, call)


def _read(response: HttpResponse, call: Call[Any]) -> Any:
    return call.operation.read(read_body(response, call))


class AzureOpenAI(methods.AzureOpenAI, AzureClient[Transport], OpenAI):
    """A client for an Azure OpenAI resource.

    The ``model`` of a call names the deployment, unless ``azure_deployment`` is set.

    Args:
        transport: As for :class:`OpenAI`.
        sleep: As for :class:`OpenAI`.
        settings: Endpoint, API version, credentials and more, see
            :class:`~chatlib.client.base.AzureSettings`.

    Raises:
        OpenAIError: The endpoint, API version or credentials are missing or invalid.
        TypeError: A setting is unknown, or ``transport`` is not a synchronous transport.
    """
