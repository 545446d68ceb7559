"""``client.chat.completions``: the operations as methods, and the same ones with raw access."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast, overload

from typing_extensions import ParamSpec

from chatlib.client.call import Call
from chatlib.client.pagination import SyncCursorPage, paginate
from chatlib.client.streams import Stream
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

    from chatlib.client.raw import RawResponse, ResponseManager
    from chatlib.client.typed_stream import ChatCompletionStreamManager
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


class Executor(Protocol):
    """Execute an operation; the result depends on the kind of access."""

    def __call__(self, operation: Operation[T], /) -> T: ...


class Client(Protocol):
    """A client as seen by its methods: it executes operations."""

    def perform(self, operation: Operation[T], /) -> T:
        """Execute an operation and return what it reads."""
        ...

    def perform_with(
        self, operation: Operation[Any], receive: Callable[[HttpResponse, Call[Any]], R], /
    ) -> R:
        """Execute an operation and return what ``receive`` makes of its response."""
        ...


class Completions:
    """``client.chat.completions``.

    Args:
        client: Whose.
        perform: In place of the client's: carries out an operation, and makes what its methods
            return of the response.
    """

    def __init__(self, client: Client, perform: Executor | None = None) -> None:
        self._client = client
        self._perform = perform or client.perform

    @cached_property
    def messages(self) -> Messages:
        """``client.chat.completions.messages``."""
        return Messages(self._client, self._perform)

    @cached_property
    def with_raw_response(self) -> RawCompletions:
        """The same methods, which return the response beside what it says."""
        return RawCompletions(self._client)

    @cached_property
    def with_streaming_response(self) -> StreamedCompletions:
        """The same methods, for a ``with``: the body of the response is read as it comes."""
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
        operation = paginate(SyncCursorPage, list_operation(params), self._client.perform)
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
        from chatlib.client.typed_stream import ChatCompletionStream, ChatCompletionStreamManager

        operation, new_state = typed_calls.stream_operation(response_format, params)

        def start() -> ChatCompletionStream[Any]:
            chunks: Any = self._client.perform(operation)
            return ChatCompletionStream(chunks, new_state())

        return ChatCompletionStreamManager(start)

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
        from chatlib.structured.tools import tool_results

        loop = typed_calls.ToolLoop(messages, tools, max_rounds, on_event, params)
        while True:
            completion = self._client.perform(loop.next_operation())
            ended = loop.on_completion(completion)
            if ended is not None:
                return ended
            loop.add_results(completion, tool_results(completion, loop.tools))


class Messages:
    """``client.chat.completions.messages``."""

    def __init__(self, client: Client, perform: Executor) -> None:
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
        walking = paginate(SyncCursorPage, operation, self._client.perform)
        return self._perform(walking)


class Chat:
    """``client.chat``."""

    def __init__(self, client: Client) -> None:
        self.completions = Completions(client)


class Beta:
    """``client.beta``: the older home of what is now under ``client.chat``."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat


def _raw(method: Callable[P, T]) -> Callable[P, RawResponse[T]]:
    return cast("Callable[P, RawResponse[T]]", method)


def _streamed(method: Callable[P, T]) -> Callable[P, ResponseManager[T]]:
    return cast("Callable[P, ResponseManager[T]]", method)


class RawMessages:
    """``client.chat.completions.with_raw_response.messages``."""

    def __init__(self, completions: Completions) -> None:
        self.list = _raw(completions.messages.list)


class RawCompletions:
    """``client.chat.completions.with_raw_response``: each method returns a
    :class:`~chatlib.client.raw.RawResponse`."""

    def __init__(self, client: Client) -> None:
        from chatlib.client.raw import raw_response

        def perform(operation: Operation[Any]) -> Any:
            return client.perform_with(operation, raw_response)

        made = Completions(client, perform)
        self.create = _raw(made.create)
        self.parse = _raw(made.parse)
        self.retrieve = _raw(made.retrieve)
        self.update = _raw(made.update)
        self.list = _raw(made.list)
        self.delete = _raw(made.delete)
        self.messages = RawMessages(made)


class StreamedMessages:
    """``client.chat.completions.with_streaming_response.messages``."""

    def __init__(self, completions: Completions) -> None:
        self.list = _streamed(completions.messages.list)


class StreamedCompletions:
    """``client.chat.completions.with_streaming_response``: each method returns a manager, which
    opens a :class:`~chatlib.client.raw.StreamedResponse` when it is entered."""

    def __init__(self, client: Client) -> None:
        from chatlib.client.raw import ResponseManager, streamed_response

        def perform(operation: Operation[Any]) -> Any:
            return ResponseManager(lambda: client.perform_with(operation, streamed_response))

        made = Completions(client, perform)
        self.create = _streamed(made.create)
        self.parse = _streamed(made.parse)
        self.retrieve = _streamed(made.retrieve)
        self.update = _streamed(made.update)
        self.list = _streamed(made.list)
        self.delete = _streamed(made.delete)
        self.messages = StreamedMessages(made)
