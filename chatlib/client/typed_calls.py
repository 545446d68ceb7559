"""Answers with a type, and runs of tools: what they add to ``create()``, without I/O."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chatlib.http import HttpResponse, omit
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
    """A completion, read as a type."""
    _check_whole("parse()", params)
    asked, encoded = _asked_for(response_format, params)
    tools = asked["tools"]
    check_strict(tools)

    def read(response: HttpResponse) -> ParsedChatCompletion[Any]:
        return parse_completion(read_completion(response), response_format, tools)

    return create_operation(asked, encoded).reading(read)


def stream_operation(
    response_format: Any, params: Mapping[str, Any]
) -> tuple[Operation[ChatCompletion], Callable[[], ChatCompletionStreamState[Any]]]:
    """A stream of chunks, and what makes that which makes events of them."""
    params = {"stream_options": {"include_usage": True}, **params, "stream": True}
    asked, encoded = _asked_for(response_format, params)

    def state() -> ChatCompletionStreamState[Any]:
        return ChatCompletionStreamState(
            response_format=response_format, input_tools=asked["tools"]
        )

    return create_operation(asked, encoded), state


class ToolLoop:
    """A run of tools: what to ask next, and what came of it. Asking and executing is left out."""

    def __init__(
        self,
        messages: Iterable[Any],
        tools: Iterable[Any],
        max_rounds: int,
        on_event: Callable[[ToolRunEvent], object] | None,
        params: Mapping[str, Any],
    ) -> None:
        _check_whole("run()", params)
        if max_rounds < 1:
            raise ValueError(f"max_rounds is {max_rounds!r}; at least one is needed for an answer")
        if inspect.iscoroutinefunction(on_event):
            raise TypeError("on_event is a coroutine function; it is called, not awaited")
        self.tools = as_tools(tools)
        """The tools, which are sent with each question."""
        self._messages = as_list(messages)
        if not isinstance(self._messages, list):
            create_operation({**params, "messages": messages})  # which says what is wrong with them
        self._max_rounds = max_rounds
        self._tell = on_event or (lambda event: None)
        self._params = params
        self._round = 0

    def ask(self) -> Operation[ChatCompletion]:
        """The question of the next round."""
        self._round += 1
        asked = {**self._params, "messages": self._messages, "tools": self.tools}
        return create_operation(asked)

    def answer(self, completion: ChatCompletion) -> ToolRun | None:
        """The end of the run; None where the completion calls tools, which must be executed."""
        self._tell(ToolRunEvent(self._round, completion))
        if tool_calls_of(completion):
            return None
        return ToolRun(completion, self._messages, self._round)

    def go_on(self, completion: ChatCompletion, results: list[Any]) -> None:
        """Take what the tools returned.

        Raises:
            ToolRoundsExceededError: that was the last round.
        """
        self._messages += [completion.choices[0].message, *results]
        for result in results:
            self._tell(ToolRunEvent(self._round, completion, result))
        if self._round == self._max_rounds:
            raise ToolRoundsExceededError(self._max_rounds, completion, self._messages)


def _check_whole(call: str, params: Mapping[str, Any]) -> None:
    if params.get("stream", omit) not in (omit, None, False):
        raise TypeError(f"{call} gives whole answers; stream() and create() give them as they come")


def _asked_for(
    response_format: Any, params: Mapping[str, Any]
) -> tuple[dict[str, Any], bytes | None]:
    """Return the parameters of a create call for an answer with a type.

    Args:
        response_format: A type, or a value to send.
        params: The other parameters.

    Returns:
        The parameters, in which ``tools`` is a list, and the response format of a type as JSON.
    """
    tools = params.get("tools", omit)
    listed: Any = omit if tools is omit or tools is None else as_tools(tools)
    if is_typed(response_format):
        return {**params, "tools": listed}, encoded_response_format(response_format)
    return {**params, "tools": listed, "response_format": response_format}, None
