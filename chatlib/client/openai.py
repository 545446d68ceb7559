"""``OpenAI``: a config, a transport, and the operations as methods."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import cached_property
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast, overload

from chatlib.client.base import AzureClient, BaseClient
from chatlib.client.call import Call, run, whole
from chatlib.client.closing import Closing
from chatlib.client.pagination import SyncCursorPage, walked
from chatlib.client.streams import Stream, open_stream
from chatlib.http import HttpResponse, Omit, Transport, omit
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

    from chatlib.client.base import AzureChanges, AzureSettings, Changes, ClientSettings
    from chatlib.client.raw_access import RawCompletions, StreamedCompletions
    from chatlib.client.typed_stream import ChatCompletionStreamManager
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


class Perform(Protocol):
    """Carries out an operation, and gives what it reads."""

    def __call__(self, operation: Operation[T], /) -> T: ...


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
        self._set_up(transport, sleep, cast("dict[str, Any]", settings))

    @staticmethod
    def _adapted(transport: Transport) -> Transport:
        if iscoroutinefunction(transport.send):
            kind = type(transport).__name__
            raise TypeError(f"the transport, a {kind}, is awaited: AsyncOpenAI takes it")
        return transport

    @staticmethod
    def _make_transport() -> Transport:
        from chatlib.transports.requests import RequestsTransport

        return RequestsTransport()

    @cached_property
    def chat(self) -> Chat:
        """``client.chat.completions``."""
        return Chat(self._behind())

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
        return self._changed(transport, cast("dict[str, Any]", changes))

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
        result: T = self._run(operation, receive)
        return result

    def _run(self, operation: Operation[Any], receive: Callable[[HttpResponse, Call[Any]], R]) -> R:
        return run(self._begun(operation), self.transport.send, self._sleep, receive)


def _read(response: HttpResponse, call: Call[Any]) -> Any:
    return call.operation.read(whole(response, call))


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
        self._set_up(transport, sleep, cast("dict[str, Any]", settings))

    def with_options(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *, transport: Transport | None = None, **changes: Unpack[AzureChanges]
    ) -> Self:
        """As :meth:`OpenAI.with_options`, for the settings of Azure too."""
        return self._changed(transport, cast("dict[str, Any]", changes))

    copy = with_options


class Completions:
    """``client.chat.completions``.

    Args:
        client: Whose.
        perform: In place of the client's: carries out an operation, and makes what its methods
            return of the response.
    """

    def __init__(self, client: OpenAI, perform: Perform | None = None) -> None:
        self._client = client
        self._perform = perform or client.perform

    @cached_property
    def messages(self) -> Messages:
        """``client.chat.completions.messages``."""
        return Messages(self._client, self._perform)

    @cached_property
    def with_raw_response(self) -> RawCompletions:
        """The same methods, which return the response beside what it says."""
        from chatlib.client.raw_access import RawCompletions

        return RawCompletions(self._client)

    @cached_property
    def with_streaming_response(self) -> StreamedCompletions:
        """The same methods, for a ``with``: the body of the response is read as it comes."""
        from chatlib.client.raw_access import StreamedCompletions

        return StreamedCompletions(self._client)

    @overload
    def create(
        self, *, stream: Literal[False] | Omit | None = omit, **params: Unpack[CreateOptions]
    ) -> ChatCompletion: ...

    @overload
    def create(
        self, *, stream: Literal[True], **params: Unpack[CreateOptions]
    ) -> Stream[ChatCompletionChunk]: ...

    @overload
    def create(
        self, *, stream: bool, **params: Unpack[CreateOptions]
    ) -> ChatCompletion | Stream[ChatCompletionChunk]: ...

    def create(
        self, *, stream: bool | Omit | None = omit, **params: Unpack[CreateOptions]
    ) -> ChatCompletion | Stream[ChatCompletionChunk]:
        """Ask for a completion.

        Args:
            stream: True for a :class:`~chatlib.client.streams.Stream` of chunks as they come.
            params: The parameters of the API, see :class:`~chatlib.types.CreateParams`, and the
                options of a request, see :class:`~chatlib.types.RequestOptions`.

        Raises:
            APIStatusError: the server refused; the class says how.
            APIConnectionError: no answer came.
            APIError: the root of these, and of an error inside an answer.
            TypeError: a parameter is unknown or missing, or a value in it is not JSON.
        """
        conceal(params)
        return self._perform(create_operation({"stream": stream, **params}))

    def retrieve(self, completion_id: str, **options: Unpack[RequestOptions]) -> ChatCompletion:
        """Fetch a stored completion.

        Args:
            completion_id: The id of the completion.
            options: See :class:`~chatlib.types.RequestOptions`.

        Raises:
            NotFoundError: there is none of this id.
            APIError: as for :meth:`create`.
            ValueError: the id is empty.
        """
        conceal(options)
        return self._perform(retrieve_operation(completion_id, options))

    def update(self, completion_id: str, **params: Unpack[UpdateOptions]) -> ChatCompletion:
        """Change the metadata of a stored completion.

        Args:
            completion_id: The id of the completion.
            params: ``metadata``, which takes the place of all that there is, and
                :class:`~chatlib.types.RequestOptions`.

        Raises: as for :meth:`retrieve`.
        """
        conceal(params)
        return self._perform(update_operation(completion_id, params))

    def list(self, **params: Unpack[ListOptions]) -> SyncCursorPage[ChatCompletion]:
        """Fetch a page of the stored completions; iterating it goes on to the pages after it.

        Args:
            params: Which ones: see :class:`~chatlib.types.ListParams`, whose ``limit`` is the size
                of a page; and :class:`~chatlib.types.RequestOptions`.

        Raises:
            APIError: as for :meth:`create`.
        """
        conceal(params)
        operation = walked(SyncCursorPage, list_operation(params), self._client.perform)
        return self._perform(operation)

    def delete(
        self, completion_id: str, **options: Unpack[RequestOptions]
    ) -> ChatCompletionDeleted:
        """Delete a stored completion. Arguments and exceptions are those of :meth:`retrieve`."""
        conceal(options)
        return self._perform(delete_operation(completion_id, options))

    @overload
    def parse(
        self, *, response_format: type[T], **params: Unpack[TypedAnswerOptions]
    ) -> ParsedChatCompletion[T]: ...

    @overload
    def parse(
        self, *, response_format: Omit = omit, **params: Unpack[TypedAnswerOptions]
    ) -> ParsedChatCompletion[None]: ...

    def parse(
        self, *, response_format: Any = omit, **params: Unpack[TypedAnswerOptions]
    ) -> ParsedChatCompletion[Any]:
        """Ask for a completion, and read it as a type.

        Args:
            response_format: The type of the answer: an attrs class, a dataclass, a TypedDict, a
                pydantic model, ...: whatever :func:`chatlib.json_schema` knows.
            params: As for :meth:`create`. The calls of tools made by
                :func:`chatlib.function_tool`, and of other strict ones, get ``parsed_arguments``.

        Raises:
            LengthFinishReasonError, ContentFilterFinishReasonError: the answer is not whole.
            ParseError: it is not what was asked for.
            APIError: as for :meth:`create`.
            TypeError: a strict schema can't say the type.
            ValueError: a function tool is not strict.
        """
        conceal(params)
        from chatlib.client import typed_calls  # here, as not every program needs it

        operation = typed_calls.parse_operation(response_format, params)
        return self._perform(operation)

    @overload
    def stream(
        self, *, response_format: type[T], **params: Unpack[TypedAnswerOptions]
    ) -> ChatCompletionStreamManager[T]: ...

    @overload
    def stream(
        self, *, response_format: Any = omit, **params: Unpack[TypedAnswerOptions]
    ) -> ChatCompletionStreamManager[Any]: ...

    def stream(
        self, *, response_format: Any = omit, **params: Unpack[TypedAnswerOptions]
    ) -> ChatCompletionStreamManager[Any]:
        """Ask for a completion that comes as events, each with what has come so far.

        Use it in a ``with``, which opens and closes the stream. The usage is asked for, unless
        ``stream_options`` says otherwise.

        Args:
            response_format: A type, as for :meth:`parse`, or a response format as for
                :meth:`create`.
            params: As for :meth:`create`.
        """
        conceal(params)
        from chatlib.client import typed_calls
        from chatlib.client.typed_stream import ChatCompletionStreamManager

        operation, state = typed_calls.stream_operation(response_format, params)

        def start() -> Stream[ChatCompletionChunk]:
            return cast("Stream[ChatCompletionChunk]", self._client.perform(operation))

        return ChatCompletionStreamManager(start, state)

    def run(
        self,
        *,
        messages: Iterable[MessageLike],
        tools: Iterable[Any],
        max_rounds: int = 10,
        on_event: Callable[[ToolRunEvent], object] | None = None,
        **params: Any,
    ) -> ToolRun:
        """Ask, execute the tools that the model calls, send what they returned, and so on.

        Args:
            tools: Functions, and tools made by :func:`chatlib.function_tool`.
            max_rounds: How many completions to ask for at most.
            on_event: Is told of each completion and of each result, as they come.
            params: As for :meth:`create`.

        Returns:
            The answer, and the conversation that led to it.

        Raises:
            ToolRoundsExceededError: the model still calls tools after the last round.
            APIError: as for :meth:`create`.
        """
        conceal(params)
        from chatlib.client import typed_calls
        from chatlib.structured.tool_runs import tool_results

        loop = typed_calls.ToolLoop(messages, tools, max_rounds, on_event, params)
        while True:
            completion = self._client.perform(loop.ask())
            ended = loop.answer(completion)
            if ended is not None:
                return ended
            loop.go_on(completion, tool_results(completion, loop.tools))


class Messages:
    """``client.chat.completions.messages``."""

    def __init__(self, client: OpenAI, perform: Perform) -> None:
        self._client = client
        self._perform = perform

    def list(
        self, completion_id: str, **params: Unpack[MessageListOptions]
    ) -> SyncCursorPage[ChatCompletionStoreMessage]:
        """Fetch a page of the messages that a stored completion answers.

        Args:
            completion_id: The id of the completion.
            params: Which ones: see :class:`~chatlib.types.MessageListParams`; and
                :class:`~chatlib.types.RequestOptions`.

        Raises: as for :meth:`Completions.retrieve`.
        """
        conceal(params)
        operation = list_messages_operation(completion_id, params)
        walking = walked(SyncCursorPage, operation, self._client.perform)
        return self._perform(walking)


class Chat:
    """``client.chat``."""

    def __init__(self, client: OpenAI) -> None:
        self.completions = Completions(client)


class Beta:
    """``client.beta``: the older home of what is now under ``client.chat``."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
