"""The methods of ``client.chat.completions``, also with raw access to the response."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from typing_extensions import ParamSpec

from chatlib.client.executors import Client, Executor
from chatlib.client.namespaces import RawChat
from chatlib.client.pagination import SyncCursorPage, paginate
from chatlib.client.streams import Stream
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

    from chatlib.client.raw import RawResponse, ResponseManager
    from chatlib.client.typed_stream import ChatCompletionStreamManager
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


class Completions:
    """The methods of ``client.chat.completions``.

    Args:
        client: The client that executes the operations.
        perform: Executes an operation in place of ``client.perform``, for raw access.
    """

    def __init__(self, client: Client, perform: Executor | None = None) -> None:
        self._client = client
        self._perform = perform or client.perform

    @cached_property
    def messages(self) -> Messages:
        """The methods of ``client.chat.completions.messages``."""
        return Messages(self._client, self._perform)

    @cached_property
    def with_raw_response(self) -> RawCompletions:
        """The same methods; each returns the HTTP response with its content."""
        return RawCompletions(self._client)

    @cached_property
    def with_streaming_response(self) -> StreamedCompletions:
        """The same methods for a ``with`` block; the body is read on demand."""
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
        """Create a chat completion.

        Args:
            stream: True to return a :class:`~chatlib.client.streams.Stream` of chunks.
            params: The parameters of the API, see :class:`~chatlib.types.CreateParams`, and request
                options, see :class:`~chatlib.types.RequestOptions`.

        Returns:
            The completion; with ``stream=True``, an iterator over its chunks.

        Raises:
            APIStatusError: The server returned an error status; the class tells which.
            APIConnectionError: No response was received.
            APIError: The base class of these, also raised for an error in a response with status
                200.
            TypeError: A parameter is unknown or missing, or a value is not JSON serializable.
        """
        conceal(params)
        return self._perform(create_operation({"stream": stream, **params}))

    def retrieve(self, completion_id: str, **options: Unpack[RequestOptions]) -> ChatCompletion:
        """Retrieve a stored completion.

        Args:
            completion_id: The ID of the completion.
            options: The request options, see :class:`~chatlib.types.RequestOptions`.

        Returns:
            The completion.

        Raises:
            NotFoundError: There is no completion with this ID.
            APIError: As for :meth:`create`.
            ValueError: The ID is empty.
        """
        conceal(options)
        return self._perform(retrieve_operation(completion_id, options))

    def update(self, completion_id: str, **params: Unpack[UpdateOptions]) -> ChatCompletion:
        """Update the metadata of a stored completion.

        Args:
            completion_id: The ID of the completion.
            params: ``metadata``, which replaces the existing metadata, and request options, see
                :class:`~chatlib.types.RequestOptions`.

        Returns:
            The updated completion.

        Raises:
            NotFoundError: There is no completion with this ID.
            APIError: As for :meth:`create`.
            ValueError: The ID is empty.
        """
        conceal(params)
        return self._perform(update_operation(completion_id, params))

    def list(self, **params: Unpack[ListOptions]) -> SyncCursorPage[ChatCompletion]:
        """List the stored completions, one page at a time.

        Args:
            params: The filters, see :class:`~chatlib.types.ListParams`; ``limit`` is the page size.
                Also request options, see :class:`~chatlib.types.RequestOptions`.

        Returns:
            The first page. Iterating over it also fetches the following pages.

        Raises:
            APIError: As for :meth:`create`.
        """
        conceal(params)
        operation = paginate(SyncCursorPage, list_operation(params), self._client.perform)
        return self._perform(operation)

    def delete(
        self, completion_id: str, **options: Unpack[RequestOptions]
    ) -> ChatCompletionDeleted:
        """Delete a stored completion.

        Args:
            completion_id: The ID of the completion.
            options: The request options, see :class:`~chatlib.types.RequestOptions`.

        Returns:
            The confirmation of the server.

        Raises:
            NotFoundError: There is no completion with this ID.
            APIError: As for :meth:`create`.
            ValueError: The ID is empty.
        """
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
        """Create a chat completion and decode its content into a type.

        Args:
            response_format: The type to decode into: an attrs class, a dataclass, a TypedDict, a
                pydantic model, or any other type that :func:`chatlib.json_schema` supports.
            params: As for :meth:`create`. The calls of strict function tools, such as those made by
                :func:`chatlib.function_tool`, get ``parsed_arguments``.

        Returns:
            The completion; ``choices[0].message.parsed`` is the decoded value.

        Raises:
            LengthFinishReasonError: The answer was cut off at the token limit.
            ContentFilterFinishReasonError: The answer was blocked by the content filter.
            ParseError: The answer does not match the type.
            APIError: As for :meth:`create`.
            TypeError: The type cannot be expressed as a strict JSON schema.
            ValueError: A function tool is not strict.
        """
        conceal(params)
        from chatlib.client import typed_calls  # lazily: only programs that use types need it

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
        """Stream a chat completion as events, each with a snapshot of the completion so far.

        Use it in a ``with`` block, which opens and closes the stream. Token usage is requested
        unless ``stream_options`` says otherwise.

        Args:
            response_format: A type, as for :meth:`parse`, or a response format, as for
                :meth:`create`.
            params: As for :meth:`create`.

        Returns:
            A context manager that opens a
            :class:`~chatlib.client.typed_stream.ChatCompletionStream`.
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
        """Create completions and execute the tools that the model calls, until it answers.

        Args:
            messages: The messages of the conversation.
            tools: Functions, and tools made by :func:`chatlib.function_tool`.
            max_rounds: The maximum number of completions.
            on_event: Called with each completion and each tool result.
            params: As for :meth:`create`.

        Returns:
            The answer and the conversation that led to it.

        Raises:
            ToolRoundsExceededError: The model still calls tools after the last round.
            APIError: As for :meth:`create`.
        """
        conceal(params)
        from chatlib.client import typed_calls
        from chatlib.structured.tool_runs import tool_results

        loop = typed_calls.ToolLoop(messages, tools, max_rounds, on_event, params)
        while True:
            completion = self._client.perform(loop.next_operation())
            ended = loop.on_completion(completion)
            if ended is not None:
                return ended
            loop.add_results(completion, tool_results(completion, loop.tools))


class Messages:
    """The methods of ``client.chat.completions.messages``.

    Args:
        client: The client that executes the operations.
        perform: Executes the operation for the first page.
    """

    def __init__(self, client: Client, perform: Executor) -> None:
        self._client = client
        self._perform = perform

    def list(
        self, completion_id: str, **params: Unpack[MessageListOptions]
    ) -> SyncCursorPage[ChatCompletionStoreMessage]:
        """List the messages of a stored completion, one page at a time.

        Args:
            completion_id: The ID of the completion.
            params: The filters, see :class:`~chatlib.types.MessageListParams`, and request options,
                see :class:`~chatlib.types.RequestOptions`.

        Returns:
            The first page. Iterating over it also fetches the following pages.

        Raises:
            NotFoundError: There is no completion with this ID.
            APIError: As for :meth:`Completions.create`.
            ValueError: The ID is empty.
        """
        conceal(params)
        operation = list_messages_operation(completion_id, params)
        walking = paginate(SyncCursorPage, operation, self._client.perform)
        return self._perform(walking)

    @property
    def with_raw_response(self) -> RawMessages:
        """The same methods; each returns the HTTP response with its content."""
        return RawCompletions(self._client).messages

    @property
    def with_streaming_response(self) -> StreamedMessages:
        """The same methods for a ``with`` block; the body is read on demand."""
        return StreamedCompletions(self._client).messages


class Chat:
    """The namespace ``client.chat``.

    Args:
        client: The client that executes the operations.
    """

    def __init__(self, client: Client) -> None:
        self.completions = Completions(client)

    @property
    def with_raw_response(self) -> RawChat[RawCompletions]:
        """The same methods; each returns the HTTP response with its content."""
        return RawChat(self.completions.with_raw_response)

    @property
    def with_streaming_response(self) -> RawChat[StreamedCompletions]:
        """The same methods for a ``with`` block; the body is read on demand."""
        return RawChat(self.completions.with_streaming_response)


class Beta:
    """The namespace ``client.beta``, the former location of ``client.chat``.

    Args:
        chat: The namespace ``client.chat``.
    """

    def __init__(self, chat: Chat) -> None:
        self.chat = chat


def _raw(method: Callable[P, T]) -> Callable[P, RawResponse[T]]:
    return cast("Callable[P, RawResponse[T]]", method)


def _streamed(method: Callable[P, T]) -> Callable[P, ResponseManager[T]]:
    return cast("Callable[P, ResponseManager[T]]", method)


class RawMessages:
    """The methods of ``client.chat.completions.with_raw_response.messages``."""

    def __init__(self, completions: Completions) -> None:
        self.list = _raw(completions.messages.list)


class RawCompletions:
    """The methods of ``client.chat.completions.with_raw_response``.

    Each returns a :class:`~chatlib.client.raw.RawResponse`.

    Args:
        client: The client that executes the operations.
    """

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
    """The methods of ``client.chat.completions.with_streaming_response.messages``."""

    def __init__(self, completions: Completions) -> None:
        self.list = _streamed(completions.messages.list)


class StreamedCompletions:
    """The methods of ``client.chat.completions.with_streaming_response``.

    Each returns a context manager that opens a :class:`~chatlib.client.raw.StreamedResponse`.

    Args:
        client: The client that executes the operations.
    """

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
