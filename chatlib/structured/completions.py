"""Answers with a type: a type becomes a response format, and a completion becomes its value.

Nothing is repaired and nothing is guessed. What can't be read is a :class:`ParseError` that says
where, and why in one word, and that carries the whole completion and the text as it came.
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
from chatlib.http import omit
from chatlib.structured.decoder import DecodeError, decode_response
from chatlib.structured.json_schema import response_schema
from chatlib.structured.shapes import show_type
from chatlib.structured.tools import Tool
from chatlib.types.base import JsonObject
from chatlib.types.completion import (
    ChatCompletion,
    ChatCompletionMessage,
    ChatCompletionMessageFunctionToolCall,
    Choice,
    Function,
)
from chatlib.types.foreign import is_record
from chatlib.types.parsed import (
    ParsedChatCompletion,
    ParsedChatCompletionMessage,
    ParsedChoice,
    ParsedFunction,
    ParsedFunctionToolCall,
)
from chatlib.types.text import json_text
from chatlib.wire.codec import from_json, to_json, to_request

T = TypeVar("T")


class ParseError(OpenAIError):
    """An answer that could not be read as what was asked for.

    Args:
        message: Which choice, where in it, and what is wrong.
        completion: The whole answer, with its usage and request id.
        content: The text that could not be read, as it came.
        reason: ``"empty"``: there is no text. ``"truncated"``: it ends in the middle.
            ``"not_json"``: it is something else. ``"mismatch"``: it is JSON of another shape.
        path: Where in the text's value, such as ``$.steps[0].output``.
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
    """Whether a response format is a type to answer with, rather than a value to send."""
    if response_format is None or response_format is omit:
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
    """Refuse function tools that are not strict: their arguments can be anything.

    Raises:
        ValueError: one is; the message names it.
    """
    for tool in tools or ():
        function = _definition(tool)
        if function and function.get("strict") is not True:
            raise ValueError(
                f"the tool {function.get('name')!r} is not strict, so its arguments can't be "
                'parsed; give it "strict": true, or make it with function_tool()'
            )


def is_parseable(response_format: object, tools: Iterable[Any]) -> bool:
    """Whether an answer will hold something to parse."""
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
    """A completion with the values that its texts stand for. The one given is not changed.

    Args:
        response_format: The type of the content; anything else leaves ``parsed`` None.
        tools: The tools that were sent. Calls of the strict ones get ``parsed_arguments``.

    Raises:
        LengthFinishReasonError: an answer was cut at the token limit.
        ContentFilterFinishReasonError: an answer was held back.
        ParseError: an answer is not what was asked for.
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
        APIResponseValidationError: one of them is no object, or has no message.
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
    """The value of a message's content; None where it refuses or calls something instead.

    Raises:
        ParseError: it can't be read.
    """
    calls = message.tool_calls or message.function_call
    if message.refusal or (calls and not message.text.strip()):
        return None
    place = f"{where}.content"
    return _read(lambda text: decode_response(kind, text), message.text, place, completion, kind)


def parse_call(call: Any, tools: list[Any], where: str, completion: ChatCompletion | None) -> Any:
    """A tool call with its arguments decoded, where it calls a function tool that is strict.

    Raises:
        ParseError: they can't be read.
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
        arguments = _read(read, text if text.strip() else "{}", place, completion)
    return _with_arguments(call, arguments)


def as_parsed(
    completion: ChatCompletion,
    content: Callable[[str], Any],
    arguments: Callable[[str | None, str], Any],
) -> ParsedChatCompletion[Any]:
    """A completion that is still coming, with the values so far that two functions give.

    Args:
        content: The value of the text of a message.
        arguments: The value of the arguments of a call, given the function's name and them.
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
    """The function tool of a name, or None."""
    return next((t for t in tools if (_definition(t) or {}).get("name") == name), None)


def strict_tool(tools: Iterable[Any], name: str | None) -> bool:
    """Whether the function tool of a name is strict."""
    return _is_strict(find_tool(tools, name))


def _definition(tool: Any) -> dict[str, Any] | None:
    """What a function tool says of its function, in whatever form the tool is given."""
    plain = tool if isinstance(tool, dict) else to_request(tool)
    function = plain.get("function") if isinstance(plain, dict) else None
    return function if isinstance(function, dict) else None


def _is_strict(tool: Any) -> bool:
    return (_definition(tool) or {}).get("strict") is True


def _plain_object(text: str) -> Any:
    value = from_json(text)
    if not isinstance(value, dict):
        raise DecodeError("is not an object", path="$", value=value)
    return value


def _read(
    read: Any, text: str, where: str, completion: ChatCompletion | None, kind: Any = None
) -> Any:
    if not text.strip():
        raise ParseError(f"{where} is empty", completion=completion, content=text, reason="empty")
    try:
        return read(text)
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
    """Why a text could not be read."""
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
    return "mismatch", "is not what was asked for"
