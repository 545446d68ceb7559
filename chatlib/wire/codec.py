"""Bytes to types and back: one cattrs converter for what comes, one function for what goes.

What comes is taken as it is. Real servers omit fields, invent values and add fields of their own,
so decoding only gives each JSON object its class: scalars are not checked, an unknown field goes
into ``extra``, a value of a shape that nobody expects stays the plain JSON that it was. What a body
must at least be, to be an answer at all, is checked in :mod:`chatlib.wire.response`.

What goes is checked, because an error here costs nothing and one at the server costs a call.
"""

from __future__ import annotations

import enum
import io
import json
import math
import numbers
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from chatlib.http import omit
from chatlib.types.audio import ChatCompletionAudio
from chatlib.types.base import JsonObject, converter, copied
from chatlib.types.foreign import is_array, is_record, plain_form, record_fields
from chatlib.types.json_values import MOST_DEPTH, read_json
from chatlib.types.message import ChatCompletionMessage
from chatlib.types.stored import ChatCompletionStoreMessage
from chatlib.types.text import json_text
from chatlib.types.tool_call import Function, FunctionCall

_DECODER = json.JSONDecoder()
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

T = TypeVar("T")


# What comes -----------------------------------------------------------------------------------


def from_json(text: str | bytes, *, depth: int = MOST_DEPTH) -> Any:
    """Decode JSON text. ``NaN`` and ``Infinity``, which some servers send, are read.

    Args:
        text: The JSON text.
        depth: How many levels deep it may be nested.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    if isinstance(text, str):  # the hot path of a stream
        try:
            value, end = _DECODER.raw_decode(text)
            # Each level takes two characters, at least.
            if end == len(text) and (
                end <= 2 * depth or text.count("{") + text.count("[") <= depth
            ):
                return value
        except (ValueError, RecursionError):
            pass
    return read_json(text, depth=depth)


def structure(value: Mapping[str, Any], cls: type[T]) -> T:
    """Plain JSON values as an object of the API.

    Args:
        value: A decoded JSON object. It is not changed.
        cls: Any class of :mod:`chatlib.types`.

    Raises:
        ValueError: it is nested too deeply.

    >>> from chatlib.types import CompletionUsage
    >>> structure({"prompt_tokens": 3, "cache_hits": 1}, CompletionUsage)
    CompletionUsage(prompt_tokens=3, cache_hits=1)
    """
    return converter().structure(copied(value), cls)


# What goes ------------------------------------------------------------------------------------


def to_json(plain: Any) -> bytes:
    """Plain JSON values as JSON, encoded. The counterpart of :func:`from_json`."""
    try:
        return _ENCODER.encode(plain).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can carry
        return json.dumps(plain, separators=(",", ":")).encode()


def to_request(value: Any, path: str = "") -> Any:
    """Return a request value as plain JSON values.

    Takes dicts, lists, iterators, sets, enums, and objects of :mod:`chatlib.types`, pydantic,
    msgspec, attrs classes, dataclasses and named tuples, mixed freely. A message that came from the
    API becomes a message that can be sent. What is ``omit`` is left out.

    Raises:
        TypeError: something in it is not JSON; the message says where.
        ValueError: a number is infinite or NaN, or the value contains itself.
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
    # Loops rather than comprehensions: one frame for each level, so that what was read can be sent.
    if kind is dict or isinstance(value, Mapping):
        made: dict[str, Any] = {}
        for name, item in value.items():
            if item is not omit:
                made[_key(name, path)] = _to_request(item, f"{path}.{name}" if path else str(name))
        return made
    listed: list[Any] = []
    for at, item in enumerate(value):
        listed.append(_to_request(item, f"{path}[{at}]"))
    return listed


def _plain(value: Any, path: str) -> Any:
    """A value as a scalar of JSON, a mapping or a list, whose items may be anything.

    Raises:
        TypeError: it is not JSON.
        ValueError: it is a number that JSON does not have.
    """
    if value is omit:
        raise TypeError(f"{path or 'the body'} is omit, which only a parameter or a key can be")
    if isinstance(value, enum.Enum):
        return to_request(value.value, path)
    if isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{path or 'the body'} is {value!r}, which JSON does not have")
        return value
    if isinstance(value, numbers.Integral):  # numpy's, say
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
    """Return the items of a parameter that is a list, such as ``messages``, as a list.

    Whatever can be iterated will do, such as an object of the caller's that holds a conversation,
    but for what is one item rather than a list of them: that is returned as it is.
    """
    if is_record(value):  # it may stand for a list, as pydantic's RootModel[list[...]] does
        return to_request(value)
    one = (str, bytes, bytearray, Mapping, JsonObject, io.IOBase, type)
    is_list = isinstance(value, Iterable) and not isinstance(value, one)
    return list(value) if is_list else value


def _not_json(value: Any, path: str) -> TypeError:
    """The error for what is neither JSON nor an object of a class that has JSON."""
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
    """An object of a class that another library made."""

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


def _key(name: Any, path: str) -> str:
    if isinstance(name, enum.Enum):
        name = name.value
    if isinstance(name, str):
        return name
    if isinstance(name, numbers.Integral) and not isinstance(name, bool):  # ids in logit_bias
        return str(int(name))
    raise TypeError(f"{path or 'the body'} has the key {name!r}; keys must be str")


def _object_to_send(value: JsonObject) -> dict[str, Any]:
    """An object of :mod:`chatlib.types` as the fields to send."""
    if isinstance(value, ChatCompletionMessage):
        return _message_to_send(value)
    fields = dict(value._items())
    if isinstance(value, (Function, FunctionCall)):
        arguments = json_text(value.arguments)
        fields = {**fields, "arguments": arguments if arguments.strip() else "{}"}
        fields.pop("parsed_arguments", None)
        fields = {name: item for name, item in fields.items() if item is not None}
    elif "function" in fields and fields.get("type") is None:
        fields["type"] = "function"
    return fields


def _message_to_send(message: ChatCompletionMessage) -> dict[str, Any]:
    """A message from the API as a message for the API: the request's fields, and no nulls.

    Content that is null stays beside calls, where strict servers demand the key; elsewhere it is
    refused. Fields that the library does not know stay as well: a provider that sent a signature
    wants it back.
    """
    extra = message._extra or {}
    sent = {"role": None, **dict(message._items())}
    sent["role"] = message.role or "assistant"
    if not message.tool_calls:  # an empty list is refused by OpenAI
        sent.pop("tool_calls", None)
    function = message.function_call
    if isinstance(function, FunctionCall) and not (function.name or function.arguments):
        sent.pop("function_call")  # an empty one, as some servers put it beside every text
    calls = sent.get("tool_calls") or sent.get("function_call")
    fields = {
        name: item
        for name, item in sent.items()
        if item is not omit and (item is not None or (name == "content" and calls))
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
