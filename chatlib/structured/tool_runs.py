"""Execution of tool calls, and the result of a run with tools."""

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
from chatlib.types.completion import ChatCompletion, message_of
from chatlib.types.message import ChatCompletionMessage
from chatlib.types.text import json_text
from chatlib.types.tool_call import ChatCompletionMessageCustomToolCall
from chatlib.types.values import ToolMessage
from chatlib.wire.codec import from_json, to_request


def tool_results(
    completion: ChatCompletion | ChatCompletionMessage, tools: Iterable[Any] | Mapping[str, Any]
) -> list[ToolMessage]:
    """Execute the tool calls of a completion.

    An exception of a tool, or an error in the arguments, becomes the content of its message, so
    that the model can correct it. Tools are never called with incomplete arguments.

    Args:
        completion: The completion, or its message.
        tools: Tools made from functions, or functions; or a dict of functions by name, which are
            called with the decoded JSON as keywords (for a custom tool, with the input).

    Returns:
        One message for each call, in order, to append to the conversation after the message.

    Raises:
        APIResponseValidationError: An item of ``tool_calls`` is not a tool call. No tool was
            executed.

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
    return [_tool_message(call, _execute(call, callables)) for call in tool_calls_of(completion)]


async def atool_results(
    completion: ChatCompletion | ChatCompletionMessage, tools: Iterable[Any] | Mapping[str, Any]
) -> list[ToolMessage]:
    """Execute the tool calls of a completion; coroutine functions run concurrently.

    Other functions are called one after the other, and block the event loop. Arguments, result and
    exceptions are those of :func:`tool_results`.
    """
    import asyncio  # late: only users with an event loop need it

    running_loop()
    callables = _callables(tools)
    calls = tool_calls_of(completion)
    tasks = [asyncio.ensure_future(_execute_async(call, callables)) for call in calls]
    try:
        contents = await asyncio.gather(*tasks)
    except BaseException:  # cancelled from outside, or by a tool
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    return [_tool_message(call, content) for call, content in zip(calls, contents, strict=True)]


def tool_calls_of(completion: ChatCompletion | ChatCompletionMessage) -> list[Any]:
    """Return the tool calls of the first choice, which may be none.

    Raises:
        APIResponseValidationError: An item of ``tool_calls`` is not a tool call.
    """
    whole = completion if isinstance(completion, ChatCompletion) else None
    message = completion if whole is None else message_of(whole)
    calls: Any = getattr(message, "tool_calls", None) or []
    where = "choices[0].message.tool_calls" if whole is not None else "tool_calls"
    if not isinstance(calls, list):
        raise _invalid_call(f"{where} is not a list", calls, whole)
    for at, call in enumerate(calls):
        if not isinstance(call, JsonObject):
            raise _invalid_call(f"{where}[{at}] is not an object", call, whole)
        if not getattr(call, "id", None) and not _tool_name(call):
            raise _invalid_call(f"{where}[{at}] has neither an id nor a name", call, whole)
    return list(calls)


def _invalid_call(
    what: str, value: Any, completion: ChatCompletion | None
) -> APIResponseValidationError:
    plain = to_plain(value)
    shown = preview(json.dumps(plain, ensure_ascii=False, default=str))
    error = APIResponseValidationError(None, plain, message=f"{what}: {shown}")
    error.completion = completion
    return error


def _tool_name(call: Any) -> str | None:
    """Return the name of the tool that is called, or None if it is missing."""
    kind = "custom" if isinstance(call, ChatCompletionMessageCustomToolCall) else "function"
    name = getattr(getattr(call, kind, None), "name", None)
    return name if isinstance(name, str) and name else None


def _tool_message(call: Any, content: str) -> ToolMessage:
    name: Any = getattr(call, "id", None) or omit  # some servers send no ids, and expect none
    return ToolMessage(tool_call_id=name, content=content)


@attrs.frozen
class ToolRunEvent:
    """An event of a run: a completion was received, or a tool returned."""

    round: int
    """The number of the completion, from 1."""
    completion: ChatCompletion
    result: ToolMessage | None = None
    """The result of a tool, or None if the event is the completion."""


@attrs.frozen
class ToolRun:
    """The result of a run."""

    completion: ChatCompletion
    """The last completion, which calls no tool."""
    messages: list[Any]
    """The conversation before the last completion, with tool calls and results."""
    rounds: int
    """The number of completions."""


class ToolRoundsExceededError(OpenAIError):
    """Raised when the model still calls tools in the last round that is allowed."""

    def __init__(self, rounds: int, completion: ChatCompletion, messages: list[Any]) -> None:
        super().__init__(rounds, completion, messages)
        self.rounds = rounds
        self.completion = completion
        self.messages = messages

    def __str__(self) -> str:
        return f"the model still calls tools after {self.rounds} rounds"


def _callables(tools: Iterable[Any] | Mapping[str, Any]) -> dict[str, Any]:
    """Return the tool or function for each name."""
    if isinstance(tools, Mapping) and not isinstance(tools, Tool):
        return dict(tools)
    listed = [function_tool(tool) if inspect.isroutine(tool) else tool for tool in tools]
    return {t.name: t for t in listed if isinstance(t, Tool) and t.function is not None}


def _execute(call: Any, callables: Mapping[str, Any]) -> str:
    try:
        value = _bind(call, callables)()
    except Exception as error:
        return _failure(error)
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()  # avoids the warning that it was never awaited
        raise TypeError(
            "a tool is a coroutine function: atool_results() and AsyncOpenAI can run it"
        )
    return _to_content(value)


async def _execute_async(call: Any, callables: Mapping[str, Any]) -> str:
    try:
        value = _bind(call, callables)()
        return _to_content(await value if inspect.isawaitable(value) else value)
    except Exception as error:
        return _failure(error)


def _bind(call: Any, callables: Mapping[str, Any]) -> Callable[[], Any]:
    """Return a function that executes a call.

    Raises:
        _InvalidCallError: The call cannot be executed; the message is for the model.
    """
    name = _tool_name(call)
    if name is None:
        kind = getattr(call, "type", None)
        raise _InvalidCallError(f"the call (of type {kind!r}) does not name a tool")
    if name not in callables:
        known = ", ".join(sorted(callables)) or "none"
        raise _InvalidCallError(f"there is no tool {name!r} to call; there are: {known}")
    tool = callables[name]
    try:
        if isinstance(call, ChatCompletionMessageCustomToolCall):
            text = json_text(call.custom.input)
            return partial(tool.call if isinstance(tool, Tool) else tool, text)
        text = json_text(call.function.arguments)
        return _bind_tool(tool, text) if isinstance(tool, Tool) else _bind_keywords(tool, text)
    except ValueError as error:
        raise _InvalidCallError(f"the arguments of {name!r} are invalid: {error}") from error


def _bind_tool(tool: Tool, arguments: str) -> Callable[[], Any]:
    if tool.function is None or type(tool).call is not Tool.call:
        return partial(tool.call, arguments)
    return partial(tool.function, **tool.read(arguments))


def _bind_keywords(function: Callable[..., Any], arguments: str) -> Callable[[], Any]:
    """Return a call of a function of a dict of functions, with the arguments as keywords."""
    value = from_json(arguments.strip() or "{}")
    if not isinstance(value, dict):
        raise DecodeError("$: expected an object", value=value)
    try:
        inspect.signature(function).bind(**value)
    except TypeError as error:
        raise DecodeError(f"$: {error}", value=value) from None
    except ValueError:  # a builtin without a signature
        pass
    return partial(function, **value)


class _InvalidCallError(Exception):
    """Raised when a call cannot be executed, because of the name or the arguments."""


def _failure(error: Exception) -> str:
    kind = "" if isinstance(error, _InvalidCallError) else f"{type(error).__name__}: "
    return f"Error: {kind}{error}"


def _to_content(value: Any) -> str:
    """Convert the return value of a tool into the content of a message: text, or else JSON."""
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
