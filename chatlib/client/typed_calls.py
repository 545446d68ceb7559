"""Calls whose answers have a type, and calls of tools: what they add to ``create()``.

Each takes ``create`` as an argument, and the parameters as the caller gave them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Any

from chatlib._omit import omit
from chatlib.client.typed_stream import ChatCompletionStreamManager
from chatlib.stream_state import ChatCompletionStreamState
from chatlib.structured import check_strict, is_typed, parse_completion, response_format_of
from chatlib.tools import (
    ToolRoundsExceededError,
    ToolRun,
    ToolRunEvent,
    as_tools,
    tool_calls_of,
    tool_results,
)
from chatlib.types.parsed import ParsedChatCompletion

Create = Callable[..., Any]


def parse(
    create: Create, response_format: Any, params: Mapping[str, Any]
) -> ParsedChatCompletion[Any]:
    """A completion, read as a type."""
    asked = asked_for(response_format, params)
    check_strict(asked["tools"])
    return parse_completion(create(**asked), response_format, asked["tools"])


def stream(
    create: Create, response_format: Any, params: Mapping[str, Any]
) -> ChatCompletionStreamManager[Any]:
    """The events of a completion, once the manager is entered."""
    asked = {"stream_options": {"include_usage": True}, **asked_for(response_format, params)}
    return ChatCompletionStreamManager(
        lambda: create(stream=True, **asked),
        lambda: ChatCompletionStreamState(
            response_format=response_format, input_tools=asked["tools"]
        ),
    )


def run(
    create: Create,
    messages: Iterable[Any],
    tools: Iterable[Any],
    max_rounds: int,
    on_event: Callable[[ToolRunEvent], object] | None,
    params: Mapping[str, Any],
) -> ToolRun:
    """The answer after all the tools that the model wants called."""
    if max_rounds < 1:
        raise ValueError(f"max_rounds is {max_rounds!r}; at least one is needed for an answer")
    sent = as_tools(tools)
    conversation = list(messages)
    tell = on_event or (lambda event: None)
    for number in count(1):
        completion = create(messages=conversation, tools=sent, **params)
        tell(ToolRunEvent(number, completion))
        if not tool_calls_of(completion):
            return ToolRun(completion, conversation, number)
        results = tool_results(completion, sent)
        conversation += [completion.choices[0].message, *results]
        for result in results:
            tell(ToolRunEvent(number, completion, result))
        if number == max_rounds:
            raise ToolRoundsExceededError(max_rounds, completion, conversation)
    raise AssertionError("the rounds are counted for ever")


def asked_for(response_format: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a create call for an answer with a type; its tools are a list."""
    tools = params.get("tools", omit)
    listed: Any = omit if tools is omit or tools is None else as_tools(tools)
    if is_typed(response_format):
        response_format = response_format_of(response_format)
    return {**params, "tools": listed, "response_format": response_format}
