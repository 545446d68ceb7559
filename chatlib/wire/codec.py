"""Decoding of responses and encoding of requests.

Responses are decoded leniently. Real servers omit fields, invent values and add fields of their
own, so decoding only gives each JSON object its class: scalars are not validated, an unknown field
goes into ``extra``, and a value of an unexpected type stays plain JSON. The minimum that a body
must have is checked in :mod:`chatlib.wire.response`.

Requests are validated, because an error here is cheaper than one from the server.
"""

from __future__ import annotations

import enum
import io
import json
import math
import numbers
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from chatlib.http import is_omitted
from chatlib.types.audio import ChatCompletionAudio
from chatlib.types.base import JsonObject, converter
from chatlib.types.foreign import is_array, is_record, plain_form, record_fields
from chatlib.types.json_values import MOST_DEPTH, copied, read_json
from chatlib.types.message import ChatCompletionMessage
from chatlib.types.stored import ChatCompletionStoreMessage
from chatlib.types.text import json_text
from chatlib.types.tool_call import Function, FunctionCall

_DECODER = json.JSONDecoder()
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

T = TypeVar("T")


# Responses ------------------------------------------------------------------------------------


def from_json(text: str | bytes, *, depth: int = MOST_DEPTH) -> Any:
    """Decode JSON text. ``NaN`` and ``Infinity``, which some servers send, are accepted.

    Args:
        text: The JSON text.
        depth: The maximum number of nested arrays and objects.

    Returns:
        Plain JSON values.

    Raises:
        ValueError: The text is not JSON, or nested too deeply.
    """
    if isinstance(text, str):  # the hot path of a stream
        try:
            value, end = _DECODER.raw_decode(text)
            # Each level takes at least two characters.
            if end == len(text) and (
                end <= 2 * depth or text.count("{") + text.count("[") <= depth
            ):
                return value
        except (ValueError, RecursionError):
            pass
    return read_json(text, depth=depth)


def structure(value: Mapping[str, Any], cls: type[T]) -> T:
    """Convert plain JSON values into an object of the API.

    Args:
        value: A decoded JSON object. It is not modified.
        cls: Any class of :mod:`chatlib.types`.

    Returns:
        A new object of the class.

    Raises:
        ValueError: The value is nested too deeply.

    >>> from chatlib.types import CompletionUsage
    >>> usage = structure({"prompt_tokens": 3, "cache_hits": 1}, CompletionUsage)
    >>> usage.prompt_tokens, usage.extra
    (3, {'cache_hits': 1})
    """
    return converter().structure(copied(value), cls)


# Requests -------------------------------------------------------------------------------------


def to_json(plain: Any) -> bytes:
    """Encode plain JSON values as UTF-8. The inverse of :func:`from_json`."""
    try:
        return _ENCODER.encode(plain).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which must be escaped
        return json.dumps(plain, separators=(",", ":")).encode()


def to_request(value: Any, path: str = "") -> Any:
    """Convert a request value into plain JSON values.

    Dicts, lists, iterators, sets, enums, and objects of :mod:`chatlib.types`, pydantic, msgspec,
    attrs classes, dataclasses and named tuples may be nested in any way. A message of a response
    becomes a message of a request. Items that are ``omit`` are dropped.

    Args:
        value: The value to convert. It is not modified.
        path: The path of the value in errors.

    Returns:
        Plain JSON values.

    Raises:
        TypeError: A value is not JSON serializable; the message has its path.
        ValueError: A number is infinite or NaN, or the value contains itself.
    """
    kind = value.__class__
    if kind is str or kind is int or kind is bool or value is None:
        return value
    try:
        return _to_request(value, path)
    except RecursionError:
        raise ValueError(f"{path or 'the body'} contains itself, or is nested too deeply") from None


def _to_request(value: Any, path: str) -> Any:
    kind = value.__class__
    if kind is not dict and kind is not list:
        if value is None or kind is str or kind is int or kind is bool:
            return value
        plain = _plain(value, path)
        if not isinstance(plain, (Mapping, list)):
            return plain
        value = plain
    # Loops, not comprehensions: with one frame for each level, any value that was read can be sent.
    if kind is dict or isinstance(value, Mapping):
        made: dict[str, Any] = {}
        for name, item in value.items():
            if not is_omitted(item):
                made[_request_key(name, path)] = _to_request(
                    item, f"{path}.{name}" if path else str(name)
                )
        return made
    listed: list[Any] = []
    for at, item in enumerate(value):
        listed.append(_to_request(item, f"{path}[{at}]"))
    return listed


def _plain(value: Any, path: str) -> Any:
    """Convert a value into a JSON scalar, or a mapping or list with unconverted items.

    Raises:
        TypeError: The value is not JSON serializable.
        ValueError: The value is a number that JSON cannot represent.
    """
    if is_omitted(value):
        raise TypeError(f"{path or 'the body'} is omit, which only a parameter or key can be")
    if isinstance(value, enum.Enum):
        return to_request(value.value, path)
    if isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{path or 'the body'} is {value!r}, which is not allowed in JSON")
        return value
    if isinstance(value, numbers.Integral):  # such as those of numpy
        return int(value)
    if isinstance(value, numbers.Real):
        return to_request(float(value), path)
    if isinstance(value, JsonObject):
        return _object_to_send(value)
    if is_record(value):
        return _record_to_send(value, path)
    if isinstance(value, Mapping):
        return value
    other = plain_form(value)
    if other is not value:
        return to_request(other, path)
    if is_array(value):
        return list(value)
    raise _not_json(value, path)


def as_list(value: Any) -> Any:
    """Convert a list parameter, such as ``messages``, into a list.

    Any iterable is accepted, except one that is a single item, such as a dict.

    Args:
        value: The value of the parameter.

    Returns:
        A new list, or the value itself if it is not a list of items.
    """
    if is_record(value):  # such as pydantic's RootModel[list[...]]
        return to_request(value)
    one = (str, bytes, bytearray, Mapping, JsonObject, io.IOBase, type)
    is_list = isinstance(value, Iterable) and not isinstance(value, one)
    return list(value) if is_list else value


def _not_json(value: Any, path: str) -> TypeError:
    """Return the error for a value that is not JSON serializable."""
    cls, hint = type(value), ""
    if isinstance(value, (bytes, bytearray, memoryview)):
        hint = "; base64.b64encode(...).decode() makes text of bytes"
    elif isinstance(value, type):
        hint = f"; it is the class {value.__name__}, where an object is needed"
    elif hasattr(cls, "isoformat"):
        hint = "; isoformat() makes text of it"
    elif hasattr(cls, "read"):
        hint = "; read() gives what is in it"
    elif hasattr(cls, "__iter__"):
        hint = "; list(...) makes an array of it"
    name = cls.__name__
    return TypeError(f"{path or 'the body'} is a {name}, which is not JSON serializable{hint}")


def _record_to_send(value: Any, path: str) -> Any:
    """Convert an object of a class that another library defines."""

    def convert(inner: Any) -> Any:
        return to_request(inner, path)

    try:
        fields = record_fields(value, convert)
    except (TypeError, ValueError) as error:
        name = type(value).__name__
        raise TypeError(
            f"{path or 'the body'} is a {name}, which is not JSON serializable: {error}"
        ) from error
    if isinstance(fields, dict) and any(map(_is_official_message, type(value).__mro__)):
        fields = structure(fields, ChatCompletionMessage)
        if "parsed" in type(value).model_fields:
            fields.extra.pop("parsed", None)
    return to_request(fields, path)


def _is_official_message(cls: type) -> bool:
    where = f"{cls.__module__}.{cls.__name__}"
    return where == "openai.types.chat.chat_completion_message.ChatCompletionMessage"


def _request_key(name: Any, path: str) -> str:
    if isinstance(name, enum.Enum):
        name = name.value
    if isinstance(name, str):
        return name
    if isinstance(name, numbers.Integral) and not isinstance(name, bool):  # ids in logit_bias
        return str(int(name))
    raise TypeError(f"{path or 'the body'} has the key {name!r}; keys must be str")


def _object_to_send(value: JsonObject) -> dict[str, Any]:
    """Return the fields of an object of :mod:`chatlib.types` that are sent."""
    if isinstance(value, ChatCompletionMessage):
        return _message_to_send(value)
    fields = {name: item for name, item in value._items() if name not in value._local}
    if isinstance(value, (Function, FunctionCall)):
        arguments = json_text(value.arguments)
        fields = {**fields, "arguments": arguments if arguments.strip() else "{}"}
        fields.pop("parsed_arguments", None)  # of another library's object
        fields = {name: item for name, item in fields.items() if item is not None}
    elif "function" in fields and fields.get("type") is None:
        fields["type"] = "function"
    return fields


def _message_to_send(message: ChatCompletionMessage) -> dict[str, Any]:
    """Convert a message of a response into the fields of a message of a request, without nulls.

    Null content is kept beside tool calls, where strict servers require the key; elsewhere they
    reject it. Unknown fields are kept as well: a provider that sent a signature expects it back.
    """
    extra = message._extra or {}
    sent = {"role": None, **dict(message._items())}
    sent["role"] = message.role or "assistant"
    if not message.tool_calls:  # an empty list is rejected by OpenAI
        sent.pop("tool_calls", None)
    function = message.function_call
    if isinstance(function, FunctionCall) and not (function.name or function.arguments):
        sent.pop("function_call")  # an empty one, which some servers send with every text
    calls = sent.get("tool_calls") or sent.get("function_call")
    fields = {
        name: item
        for name, item in sent.items()
        if not is_omitted(item) and (item is not None or (name == "content" and calls))
    }
    for name in ("annotations", "parsed", "id", "content_parts"):
        if name in fields and name not in extra:
            del fields[name]
    if isinstance(message.audio, ChatCompletionAudio):
        fields["audio"] = {"id": message.audio.id}
    parts = getattr(message, "content_parts", None)  # of a stored message
    if isinstance(message, ChatCompletionStoreMessage) and parts and message.content is None:
        fields["content"] = parts
    if not calls and not fields.keys() & {"audio", "refusal"}:
        fields.setdefault("content", "")
    return fields
