"""Completions with a response format: from a type to its schema, from the answer to a value.

Nothing is repaired or guessed. An answer that cannot be parsed raises a :class:`ParseError` with
the path, a reason in one word, the whole completion and the unmodified text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeGuard, TypeVar, overload
from weakref import WeakKeyDictionary

from chatlib.errors import (
    APIResponseValidationError,
    ContentFilterFinishReasonError,
    LengthFinishReasonError,
    OpenAIError,
    shortened,
)
from chatlib.http import is_omitted, omit
from chatlib.structured.decoder import DecodeError, decode_response
from chatlib.structured.json_schema import response_schema
from chatlib.structured.shapes import show_type
from chatlib.structured.tools import Tool
from chatlib.types.base import JsonObject
from chatlib.types.completion import ChatCompletion, Choice
from chatlib.types.foreign import is_record
from chatlib.types.message import ChatCompletionMessage
from chatlib.types.parsed import (
    ParsedChatCompletion,
    ParsedChatCompletionMessage,
    ParsedChoice,
    ParsedFunction,
    ParsedFunctionToolCall,
)
from chatlib.types.text import json_text
from chatlib.types.tool_call import ChatCompletionMessageFunctionToolCall, Function
from chatlib.wire.codec import from_json, to_json, to_request

T = TypeVar("T")


class ParseError(OpenAIError):
    """Raised when an answer does not match the type requested.

    Args:
        message: The choice, the path in it, and what is wrong.
        completion: The whole completion, with its usage and request id.
        content: The text that could not be parsed, unmodified.
        reason: ``"empty"``: there is no text. ``"truncated"``: the JSON is incomplete.
            ``"not_json"``: the text is not JSON. ``"mismatch"``: the JSON does not match the type.
        path: The path in the JSON, such as ``$.steps[0].output``.
    """

    def __init__(
        self,
        message: str,
        *,
        completion: ChatCompletion | None = None,
        content: str | None = None,
        reason: Literal["empty", "truncated", "not_json", "mismatch"] = "not_json",
        path: str = "$",
    ) -> None:
        super().__init__(message)
        self.completion = completion
        self.content = content
        self.reason = reason
        self.path = path


def is_typed(response_format: object) -> bool:
    """Return whether a response format is a type, rather than a value to send."""
    if response_format is None or is_omitted(response_format):
        return False
    return not (isinstance(response_format, (Mapping, JsonObject)) or is_record(response_format))


def response_format_of(kind: Any) -> dict[str, Any]:
    """Return the ``response_format`` that makes a model answer with a type.

    Args:
        kind: Any type that :func:`~chatlib.structured.json_schema.json_schema` supports.

    Returns:
        A new dict, which the caller may change.

    Raises:
        TypeError: The type has no strict schema; the message has the path.
    """
    return json.loads(encoded_response_format(kind))  # type: ignore[no-any-return]


def encoded_response_format(kind: Any) -> bytes:
    """Return :func:`response_format_of` a type as JSON; for a class, it is computed once.

    Raises:
        TypeError: The type has no strict schema; the message has the path.
    """
    encoded = _FORMATS.get(kind) if isinstance(kind, type) else None
    if encoded is None:
        made = response_schema(kind)
        schema = {"name": made.name, "strict": True, "schema": made.schema}
        encoded = to_json({"type": "json_schema", "json_schema": to_request(schema)})
        if isinstance(kind, type):
            _FORMATS[kind] = encoded
    return encoded


# Cached only as long as the class is alive: programs define classes dynamically.
_FORMATS: WeakKeyDictionary[type, bytes] = WeakKeyDictionary()


def check_strict(tools: Iterable[Any]) -> None:
    """Check that all function tools are strict, so that their arguments can be parsed.

    Raises:
        ValueError: A tool is not strict; the message has its name.
    """
    for tool in tools or ():
        function = _definition(tool)
        if function and function.get("strict") is not True:
            raise ValueError(
                f"the tool {function.get('name')!r} is not strict, so its arguments can't be "
                'parsed; give it "strict": true, or make it with function_tool()'
            )


def is_parseable(response_format: object, tools: Iterable[Any]) -> bool:
    """Return whether any part of the answer is parsed."""
    return is_typed(response_format) or any(_is_strict(tool) for tool in tools)


@overload
def parse_completion(
    completion: ChatCompletion, response_format: type[T], tools: Iterable[Any] = ...
) -> ParsedChatCompletion[T]: ...
@overload
def parse_completion(
    completion: ChatCompletion, response_format: Any = ..., tools: Iterable[Any] = ...
) -> ParsedChatCompletion[Any]: ...
def parse_completion(
    completion: ChatCompletion, response_format: Any = omit, tools: Iterable[Any] = ()
) -> ParsedChatCompletion[Any]:
    """Parse the content and the tool calls of a completion.

    Args:
        completion: The completion. It is not modified.
        response_format: The type of the content; for any other value, ``parsed`` is None.
        tools: The tools of the request. Calls of strict ones get ``parsed_arguments``.

    Returns:
        A new completion with parsed values.

    Raises:
        LengthFinishReasonError: A choice ended at the token limit.
        ContentFilterFinishReasonError: A choice was withheld by a content filter.
        ParseError: A choice does not match the type requested.
        APIResponseValidationError: A choice is not an object with a message.
    """
    tools = list(tools or ())
    parseable = is_parseable(response_format, tools)
    choices = []
    for choice in _choices_of(completion):
        if parseable and choice.finish_reason == "length":
            raise LengthFinishReasonError(completion=completion)
        if parseable and choice.finish_reason == "content_filter":
            raise ContentFilterFinishReasonError(completion=completion)
        choices.append(_parse_choice(choice, response_format, tools, completion))
    return completion._as(ParsedChatCompletion, choices=choices)


def _choices_of(completion: ChatCompletion) -> list[Choice]:
    """Return the choices of a completion.

    Raises:
        APIResponseValidationError: A choice is not an object with a message.
    """
    choices: Any = completion.choices or []
    what = None if isinstance(choices, list) else "choices is not a list"
    for at, choice in enumerate([] if what else choices):
        if not isinstance(getattr(choice, "message", None), ChatCompletionMessage):
            what = f"choices[{at}] is not an object with a message"
            break
    if what is None:
        return list(choices)
    plain = completion.to_dict()
    error = APIResponseValidationError(None, plain, message=f"The completion's {what}")
    error.completion = completion
    raise error


def _parse_choice(
    choice: Choice, response_format: Any, tools: list[Any], completion: ChatCompletion
) -> ParsedChoice[Any]:
    message = choice.message
    where = f"choices[{choice.index}].message"
    changes: dict[str, Any] = {}
    if is_typed(response_format):
        changes["parsed"] = parse_content(response_format, message, where, completion)
    if isinstance(message.tool_calls, list):
        changes["tool_calls"] = [
            parse_call(call, tools, f"{where}.tool_calls[{at}]", completion)
            for at, call in enumerate(message.tool_calls)
        ]
    parsed = message._as(ParsedChatCompletionMessage, **changes)
    return choice._as(ParsedChoice, message=parsed)


def parse_content(
    kind: Any, message: ChatCompletionMessage, where: str, completion: ChatCompletion | None
) -> Any:
    """Parse the content of a message.

    Args:
        kind: The type of the content.
        message: The message.
        where: The path of the message, for errors.
        completion: The completion, for errors.

    Returns:
        A value of the type, or None if the message is a refusal or only calls tools.

    Raises:
        ParseError: The content does not match the type.
    """
    calls = message.tool_calls or message.function_call
    if message.refusal or (calls and not message.text.strip()):
        return None
    place = f"{where}.content"
    return _parse(lambda text: decode_response(kind, text), message.text, place, completion, kind)


def parse_call(call: Any, tools: list[Any], where: str, completion: ChatCompletion | None) -> Any:
    """Parse the arguments of a tool call, if it calls a strict function tool.

    Args:
        call: The tool call.
        tools: The tools of the request.
        where: The path of the call, for errors.
        completion: The completion, for errors.

    Returns:
        A new tool call, or the same object if it is not a function call.

    Raises:
        ParseError: The arguments do not match the tool.
    """
    if not _is_function_call(call):
        return call
    function = call.function
    tool = find_tool(tools, function.name)
    arguments = None
    if tool is not None and _is_strict(tool):
        read = tool.read if isinstance(tool, Tool) else _plain_object
        place = f"{where}.function.arguments ({function.name})"
        text = json_text(function.arguments)
        arguments = _parse(read, text if text.strip() else "{}", place, completion)
    return _with_arguments(call, arguments)


def as_parsed(
    completion: ChatCompletion,
    content: Callable[[str], Any],
    arguments: Callable[[str | None, str], Any],
) -> ParsedChatCompletion[Any]:
    """Convert an incomplete completion into a parsed one, with partial values.

    Args:
        completion: The completion so far.
        content: Returns the partial value of the text of a message.
        arguments: Returns the partial value of arguments; called with the name and the arguments.

    Returns:
        A new completion.
    """
    choices = []
    for choice in _choices_of(completion):
        changes: dict[str, Any] = {"parsed": content(choice.message.text)}
        if isinstance(choice.message.tool_calls, list):
            changes["tool_calls"] = [
                _with_arguments(call, arguments(call.function.name, call.function.arguments))
                if _is_function_call(call)
                else call
                for call in choice.message.tool_calls
            ]
        message = choice.message._as(ParsedChatCompletionMessage, **changes)
        choices.append(choice._as(ParsedChoice, message=message))
    return completion._as(ParsedChatCompletion, choices=choices)


def _is_function_call(call: Any) -> TypeGuard[ChatCompletionMessageFunctionToolCall]:
    is_call = isinstance(call, ChatCompletionMessageFunctionToolCall)
    return is_call and isinstance(call.function, Function)


def _with_arguments(
    call: ChatCompletionMessageFunctionToolCall, arguments: Any
) -> ParsedFunctionToolCall:
    function = call.function._as(ParsedFunction, parsed_arguments=arguments)
    return call._as(ParsedFunctionToolCall, function=function)


def find_tool(tools: Iterable[Any], name: str | None) -> Any:
    """Return the function tool with a name, or None."""
    return next((t for t in tools if (_definition(t) or {}).get("name") == name), None)


def strict_tool(tools: Iterable[Any], name: str | None) -> bool:
    """Return whether the function tool with a name is strict."""
    return _is_strict(find_tool(tools, name))


def _definition(tool: Any) -> dict[str, Any] | None:
    """Return the ``function`` of a function tool of any form, or None."""
    plain = tool if isinstance(tool, dict) else to_request(tool)
    function = plain.get("function") if isinstance(plain, dict) else None
    return function if isinstance(function, dict) else None


def _is_strict(tool: Any) -> bool:
    return (_definition(tool) or {}).get("strict") is True


def _plain_object(text: str) -> Any:
    value = from_json(text)
    if not isinstance(value, dict):
        raise DecodeError("$: expected an object", value=value)
    return value


def _parse(
    parse: Callable[[str], Any],
    text: str,
    where: str,
    completion: ChatCompletion | None,
    kind: Any = None,
) -> Any:
    """Parse a text; raise a :class:`ParseError` with a reason if that fails."""
    if not text.strip():
        raise ParseError(f"{where} is empty", completion=completion, content=text, reason="empty")
    try:
        return parse(text)
    except ValueError as error:
        reason, what = _diagnosis(text)
        if reason == "mismatch" and kind is not None:
            what += f" ({show_type(kind)})"
        path = getattr(error, "path", "$") or "$"
        raise ParseError(
            shortened(f"{where} {what}: {error}"),
            completion=completion,
            content=text,
            reason=reason,
            path=path,
        ) from error


def _diagnosis(text: str) -> tuple[Any, str]:
    """Return why a text could not be parsed: the reason, and words for the message."""
    try:
        from_json(text)
    except json.JSONDecodeError as error:
        if error.msg.startswith("Unterminated string"):
            return "truncated", "is incomplete: it ends inside a string"
        if error.pos >= len(text.rstrip()):
            return "truncated", "is incomplete JSON"
        return "not_json", "is not JSON"
    except ValueError:
        return "not_json", "is not JSON"
    return "mismatch", "does not match the type requested"
