"""The methods of ``client.chat.completions``, also with raw access to the response."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from typing_extensions import ParamSpec

from chatlib.client import methods
from chatlib.client.executors import Client, Executor
from chatlib.client.namespaces import RawChat
from chatlib.client.pagination import SyncCursorPage, paginate
from chatlib.http import omit
from chatlib.operations import create_operation
from chatlib.stored_operations import (
    delete_operation,
    list_messages_operation,
    list_operation,
    retrieve_operation,
    update_operation,
)
from chatlib.types.completion import ChatCompletion
from chatlib.types.stored import ChatCompletionDeleted, ChatCompletionStoreMessage
from chatlib.wire.request import Operation

if TYPE_CHECKING:
    cached_property = property  # which protocols of users accept

    from chatlib.client.raw import RawResponse, ResponseManager
    from chatlib.client.typed_stream import ChatCompletionStreamManager
    from chatlib.structured.tool_runs import ToolRun
    from chatlib.types.parsed import ParsedChatCompletion
else:
    from functools import cached_property


P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


class Completions(methods.Completions):
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

    def _create(self, params: dict[str, Any]) -> Any:
        return self._perform(create_operation(params))

    def _retrieve(self, params: dict[str, Any]) -> ChatCompletion:
        completion_id = params.pop("completion_id")
        return self._perform(retrieve_operation(completion_id, params))

    def _update(self, params: dict[str, Any]) -> ChatCompletion:
        completion_id = params.pop("completion_id")
        return self._perform(update_operation(completion_id, params))

    def _delete(self, params: dict[str, Any]) -> ChatCompletionDeleted:
        completion_id = params.pop("completion_id")
        return self._perform(delete_operation(completion_id, params))

    def _list(self, params: dict[str, Any]) -> SyncCursorPage[ChatCompletion]:
        operation = paginate(SyncCursorPage, list_operation(params), self._client.perform)
        return self._perform(operation)

    def _parse(self, params: dict[str, Any]) -> ParsedChatCompletion[Any]:
        from chatlib.client import typed_calls  # lazily: only programs that use types need it

        response_format = params.pop("response_format", omit)
        return self._perform(typed_calls.parse_operation(response_format, params))

    def _stream(self, params: dict[str, Any]) -> ChatCompletionStreamManager[Any]:
        from chatlib.client import typed_calls
        from chatlib.client.typed_stream import ChatCompletionStream, ChatCompletionStreamManager

        response_format = params.pop("response_format", omit)
        operation, new_state = typed_calls.stream_operation(response_format, params)

        def start() -> ChatCompletionStream[Any]:
            chunks: Any = self._client.perform(operation)
            return ChatCompletionStream(chunks, new_state())

        return ChatCompletionStreamManager(start)

    def _run(self, params: dict[str, Any]) -> ToolRun:
        from chatlib.client import typed_calls
        from chatlib.structured.tool_runs import tool_results

        loop = typed_calls.ToolLoop(
            params.pop("messages"),
            params.pop("tools"),
            params.pop("max_rounds"),
            params.pop("on_event"),
            params,
        )
        while True:
            completion = self._client.perform(loop.next_operation())
            ended = loop.on_completion(completion)
            if ended is not None:
                return ended
            loop.add_results(completion, tool_results(completion, loop.tools))


class Messages(methods.Messages):
    """The methods of ``client.chat.completions.messages``.

    Args:
        client: The client that executes the operations.
        perform: Executes the operation for the first page.
    """

    def __init__(self, client: Client, perform: Executor) -> None:
        self._client = client
        self._perform = perform

    def _list(self, params: dict[str, Any]) -> SyncCursorPage[ChatCompletionStoreMessage]:
        operation = list_messages_operation(params.pop("completion_id"), params)
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
