"""Execution of the tool calls of an answer, and what a run of tools gives back."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from typing import Any

import attrs
import cattrs
from cattrs.preconf.json import make_converter

from chatlib.errors import APIResponseValidationError, OpenAIError, preview
from chatlib.http import omit, running_loop
from chatlib.structured.decoder import DecodeError
from chatlib.structured.tools import Tool, function_tool
from chatlib.types.base import JsonObject, to_plain
from chatlib.types.completion import (
    ChatCompletion,
    ChatCompletionMessage,
    ChatCompletionMessageCustomToolCall,
    message_of,
)
from chatlib.types.text import json_text
from chatlib.types.values import ToolMessage
from chatlib.wire.codec import from_json, to_request


def tool_results(
    completion: ChatCompletion | ChatCompletionMessage, tools: Iterable[Any] | Mapping[str, Any]
) -> list[ToolMessage]:
    """Execute the tool calls of an answer: the messages to send back, one for each, in their order.

    Args:
        completion: The answer, or its message. They follow it in the conversation.
        tools: Tools made of functions, or the functions themselves; or the function for each name,
            which is given decoded JSON as keywords (a custom tool's gets its input).

    What goes wrong in a tool, or in the arguments that the model wrote, is the content of the
    message: the model can make it good. Arguments that are incomplete are never executed.

    Raises:
        APIResponseValidationError: what stands in ``tool_calls`` is no call, which nothing can
            answer. No tool was executed.

    >>> from chatlib.wire.codec import structure
    >>> def add(a: int, b: int) -> int:
    ...     return a + b
    >>> function = {"name": "add", "arguments": '{"a": 2, "b": 3}'}
    >>> call = {"id": "call_1", "type": "function", "function": function}
    >>> message = structure({"role": "assistant", "tool_calls": [call]}, ChatCompletionMessage)
    >>> tool_results(message, [add])
    [ToolMessage(role='tool', tool_call_id='call_1', content='5')]
    """
    callables = _callables(tools)
    return [_answer_to(call, _result(call, callables)) for call in tool_calls_of(completion)]


async def atool_results(
    completion: ChatCompletion | ChatCompletionMessage, tools: Iterable[Any] | Mapping[str, Any]
) -> list[ToolMessage]:
    """:func:`tool_results`, awaited: tools may be coroutine functions, which then run at once.

    Other functions are called in their turn, and block the loop while they run.
    """
    import asyncio  # here, as only who has a loop needs it

    running_loop()
    callables = _callables(tools)
    calls = tool_calls_of(completion)
    tasks = [asyncio.ensure_future(_aresult(call, callables)) for call in calls]
    try:
        contents = await asyncio.gather(*tasks)
    except BaseException:  # a cancellation: of this, or out of a tool
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    return [_answer_to(call, content) for call, content in zip(calls, contents, strict=True)]


def tool_calls_of(completion: ChatCompletion | ChatCompletionMessage) -> list[Any]:
    """Return the tool calls of an answer's first choice; none is an empty list.

    Raises:
        APIResponseValidationError: one of them is no call.
    """
    whole = completion if isinstance(completion, ChatCompletion) else None
    message = completion if whole is None else message_of(whole)
    calls: Any = getattr(message, "tool_calls", None) or []
    where = "choices[0].message.tool_calls" if whole is not None else "tool_calls"
    if not isinstance(calls, list):
        raise _no_call(f"{where} is not a list", calls, whole)
    for at, call in enumerate(calls):
        if not isinstance(call, JsonObject):
            raise _no_call(f"{where}[{at}] is not an object", call, whole)
        if not getattr(call, "id", None) and not _called(call):
            raise _no_call(f"{where}[{at}] has neither an id nor a name", call, whole)
    return list(calls)


def _no_call(
    what: str, value: Any, completion: ChatCompletion | None
) -> APIResponseValidationError:
    plain = to_plain(value)
    shown = preview(json.dumps(plain, ensure_ascii=False, default=str))
    error = APIResponseValidationError(None, plain, message=f"{what}: {shown}")
    error.completion = completion
    return error


def _called(call: Any) -> str | None:
    """The name of the tool that a call calls; None where it has none."""
    kind = "custom" if isinstance(call, ChatCompletionMessageCustomToolCall) else "function"
    name = getattr(getattr(call, kind, None), "name", None)
    return name if isinstance(name, str) and name else None


def _answer_to(call: Any, content: str) -> ToolMessage:
    name: Any = getattr(call, "id", None) or omit  # a server that gives its calls no ids gets none
    return ToolMessage(tool_call_id=name, content=content)


@attrs.frozen
class ToolRunEvent:
    """Something that happened in a run: a completion came, or a tool of it returned."""

    round: int
    """Which completion it belongs to, from 1."""
    completion: ChatCompletion
    result: ToolMessage | None = None
    """What the tool gave back; None when it is the completion that came."""


@attrs.frozen
class ToolRun:
    """A run that has ended: the answer, and how it came about."""

    completion: ChatCompletion
    """The answer, which calls no tool."""
    messages: list[Any]
    """The conversation up to the answer: what was given, the calls and their results."""
    rounds: int
    """How many completions were asked for."""


class ToolRoundsExceededError(OpenAIError):
    """The model went on calling tools for as long as it was allowed to."""

    def __init__(self, rounds: int, completion: ChatCompletion, messages: list[Any]) -> None:
        super().__init__(rounds, completion, messages)
        self.rounds = rounds
        self.completion = completion
        self.messages = messages

    def __str__(self) -> str:
        return f"the model still calls tools after {self.rounds} rounds"


def _callables(tools: Iterable[Any] | Mapping[str, Any]) -> dict[str, Any]:
    """What executes a call of each name: a tool, or a function."""
    if isinstance(tools, Mapping) and not isinstance(tools, Tool):
        return dict(tools)
    listed = [function_tool(tool) if inspect.isroutine(tool) else tool for tool in tools]
    return {t.name: t for t in listed if isinstance(t, Tool) and t.function is not None}


def _result(call: Any, callables: Mapping[str, Any]) -> str:
    try:
        value = _prepared(call, callables)()
    except Exception as error:
        return _failure(error)
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()  # or else Python warns that nobody awaited it
        raise TypeError(
            "a tool is a coroutine function: atool_results() and AsyncOpenAI can run it"
        )
    return _as_text(value)


async def _aresult(call: Any, callables: Mapping[str, Any]) -> str:
    try:
        value = _prepared(call, callables)()
        return _as_text(await value if inspect.isawaitable(value) else value)
    except Exception as error:
        return _failure(error)


def _prepared(call: Any, callables: Mapping[str, Any]) -> Callable[[], Any]:
    """What executes a call.

    Raises:
        _BadCall: nothing does; its words are for the model.
    """
    name = _called(call)
    if name is None:
        kind = getattr(call, "type", None)
        raise _BadCall(f"the call (of type {kind!r}) does not name a tool")
    if name not in callables:
        known = ", ".join(sorted(callables)) or "none"
        raise _BadCall(f"there is no tool {name!r} to call; there are: {known}")
    tool = callables[name]
    try:
        if isinstance(call, ChatCompletionMessageCustomToolCall):
            text = json_text(call.custom.input)
            return partial(tool.call if isinstance(tool, Tool) else tool, text)
        text = json_text(call.function.arguments)
        return _of_tool(tool, text) if isinstance(tool, Tool) else _by_keywords(tool, text)
    except ValueError as error:
        raise _BadCall(f"the arguments of {name!r} can't be used: {error}") from error


def _of_tool(tool: Tool, arguments: str) -> Callable[[], Any]:
    if tool.function is None or type(tool).call is not Tool.call:
        return partial(tool.call, arguments)
    return partial(tool.function, **tool.read(arguments))


def _by_keywords(function: Callable[..., Any], arguments: str) -> Callable[[], Any]:
    """A function that is known by name only: it is given what the model wrote."""
    value = from_json(arguments.strip() or "{}")
    if not isinstance(value, dict):
        raise DecodeError("$: expected an object", value=value)
    try:
        inspect.signature(function).bind(**value)
    except TypeError as error:
        raise DecodeError(f"$: {error}", value=value) from None
    except ValueError:  # a builtin, whose signature nobody knows
        pass
    return partial(function, **value)


class _BadCall(Exception):
    """The model calls what is not there, or in a way that is not possible."""


def _failure(error: Exception) -> str:
    kind = "" if isinstance(error, _BadCall) else f"{type(error).__name__}: "
    return f"Error: {kind}{error}"


def _as_text(value: Any) -> str:
    """What a tool returned, as the text that a model reads: text as it is, the rest as JSON."""
    if isinstance(value, str):
        return value
    if not isinstance(value, JsonObject):
        value = _converter().unstructure(value)
    try:
        return json.dumps(to_request(value), ensure_ascii=False)
    except (TypeError, ValueError):
        return str(value)


@lru_cache(maxsize=1)
def _converter() -> cattrs.Converter:
    made = make_converter()  # cattrs' own for JSON: attrs classes, dataclasses, dates, bytes
    made.register_unstructure_hook_func(lambda cls: issubclass(cls, JsonObject), to_plain)
    return made
