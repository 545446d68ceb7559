"""The parts of ``parse()``, ``stream()`` and ``run()`` that do no I/O."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chatlib.http import HttpResponse, is_omitted, omit
from chatlib.operations import create_operation, read_completion
from chatlib.streaming.events import ChatCompletionStreamState
from chatlib.structured.completions import (
    check_strict,
    encoded_response_format,
    is_typed,
    parse_completion,
)
from chatlib.structured.tool_runs import (
    ToolRoundsExceededError,
    ToolRun,
    ToolRunEvent,
    tool_calls_of,
)
from chatlib.structured.tools import as_tools
from chatlib.types.completion import ChatCompletion
from chatlib.types.parsed import ParsedChatCompletion
from chatlib.wire.codec import as_list
from chatlib.wire.request import Operation


def parse_operation(
    response_format: Any, params: Mapping[str, Any]
) -> Operation[ParsedChatCompletion[Any]]:
    """Return the operation that creates a completion and decodes it into a type.

    Args:
        response_format: The type to decode into.
        params: The parameters of ``create()``.

    Returns:
        The operation.
    """
    _check_not_streamed("parse()", params)
    request_params, encoded = _typed_params(response_format, params)
    tools = request_params["tools"]
    check_strict(tools)

    def read(response: HttpResponse) -> ParsedChatCompletion[Any]:
        return parse_completion(read_completion(response), response_format, tools)

    return create_operation(request_params, encoded).reading(read)


def stream_operation(
    response_format: Any, params: Mapping[str, Any]
) -> tuple[Operation[ChatCompletion], Callable[[], ChatCompletionStreamState[Any]]]:
    """Return the operation that streams a completion, and a factory of the state for its events.

    Args:
        response_format: The type to decode into, or a response format.
        params: The parameters of ``create()``.

    Returns:
        The operation, and a function that returns a new state.
    """
    is_asked = "stream_options" in params
    params = {"stream_options": {"include_usage": True}, **params, "stream": True}
    request_params, encoded = _typed_params(response_format, params)

    def state() -> ChatCompletionStreamState[Any]:
        made: ChatCompletionStreamState[Any] = ChatCompletionStreamState(
            response_format=response_format, input_tools=request_params["tools"]
        )
        made.hides_usage_chunk = not is_asked
        return made

    return create_operation(request_params, encoded), state


class ToolLoop:
    """The state of ``run()``: builds each request and keeps the conversation, without I/O.

    Args:
        messages: The messages of the conversation.
        tools: The tools.
        max_rounds: The maximum number of completions.
        on_event: Called with each completion and each tool result.
        params: Further parameters of ``create()``.

    Raises:
        TypeError: A parameter has the wrong type.
        ValueError: ``max_rounds`` is below 1.
    """

    def __init__(
        self,
        messages: Iterable[Any],
        tools: Iterable[Any],
        max_rounds: int,
        on_event: Callable[[ToolRunEvent], object] | None,
        params: Mapping[str, Any],
    ) -> None:
        _check_not_streamed("run()", params)
        if max_rounds < 1:
            raise ValueError(f"max_rounds is {max_rounds!r}; it must be at least 1")
        if inspect.iscoroutinefunction(on_event):
            raise TypeError("on_event is a coroutine function; it is called, not awaited")
        self.tools = as_tools(tools)
        """The tools, which are sent with each request."""
        self._messages = as_list(messages)
        if not isinstance(self._messages, list):
            create_operation(
                {**params, "messages": messages}
            )  # raises an error that describes the problem
        self._max_rounds = max_rounds
        self._on_event = on_event or (lambda event: None)
        self._params = params
        self._round = 0

    def next_operation(self) -> Operation[ChatCompletion]:
        """Return the operation of the next round."""
        self._round += 1
        request_params = {**self._params, "messages": self._messages, "tools": self.tools}
        return create_operation(request_params)

    def on_completion(self, completion: ChatCompletion) -> ToolRun | None:
        """Record a completion.

        Args:
            completion: The completion.

        Returns:
            The result of the run; None if the completion calls tools, which must be executed next.
        """
        self._on_event(ToolRunEvent(self._round, completion))
        if tool_calls_of(completion):
            return None
        return ToolRun(completion, self._messages, self._round)

    def add_results(self, completion: ChatCompletion, results: list[Any]) -> None:
        """Add the results of the tools to the conversation.

        Args:
            completion: The completion that called the tools.
            results: The messages with the results.

        Raises:
            ToolRoundsExceededError: This was the last round.
        """
        self._messages += [completion.choices[0].message, *results]
        for result in results:
            self._on_event(ToolRunEvent(self._round, completion, result))
        if self._round == self._max_rounds:
            raise ToolRoundsExceededError(self._max_rounds, completion, self._messages)


def _check_not_streamed(call: str, params: Mapping[str, Any]) -> None:
    if params.get("stream", omit) not in (omit, None, False):
        raise TypeError(f"{call} does not support stream=True; use stream() or create(stream=True)")


def _typed_params(
    response_format: Any, params: Mapping[str, Any]
) -> tuple[dict[str, Any], bytes | None]:
    """Return the parameters of ``create()`` for a typed answer.

    Args:
        response_format: A type, or a value to send.
        params: The other parameters.

    Returns:
        The parameters, in which ``tools`` is a list, and the response format of a type as JSON.
    """
    tools = params.get("tools", omit)
    listed: Any = omit if tools is None or is_omitted(tools) else as_tools(tools)
    if is_typed(response_format):
        return {**params, "tools": listed}, encoded_response_format(response_format)
    return {**params, "tools": listed, "response_format": response_format}, None
