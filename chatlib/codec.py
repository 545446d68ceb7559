"""Bytes to types and back: one cattrs converter for what comes, one function for what goes.

What comes is taken as it is. Real servers omit fields, invent values and add fields of their own,
so decoding only gives each JSON object its class: scalars are not checked, an unknown field goes
into ``extra``, a value of a shape that nobody expects stays the plain JSON that it was. What a body
must at least be, to be an answer at all, is checked in :mod:`chatlib.reading`.

What goes is checked, because an error here costs nothing and one at the server costs a call.
"""

from __future__ import annotations

import enum
import json
import math
import numbers
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from chatlib._omit import omit
from chatlib.types.base import JsonObject, converter, copied
from chatlib.types.completion import (
    ChatCompletionAudio,
    ChatCompletionMessage,
    Function,
)
from chatlib.types.stored import ChatCompletionStoreMessage

_DECODER = json.JSONDecoder()
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

T = TypeVar("T")


# What comes -----------------------------------------------------------------------------------


def from_json(text: str | bytes) -> Any:
    """JSON text to plain values. ``NaN`` and ``Infinity``, which some servers send, are read.

    Raises:
        ValueError: it is not JSON, or nested too deeply to be read.
    """
    try:
        if isinstance(text, str):  # the hot path of a stream
            value, end = _DECODER.raw_decode(text)
            if end == len(text):
                return value
        return json.loads(text)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def structure(value: Mapping[str, Any], cls: type[T]) -> T:
    """Plain JSON values as an object of the API.

    Args:
        value: A decoded JSON object. It is not changed.
        cls: Any class of :mod:`chatlib.types`.

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
    """A request value as plain JSON values.

    Takes dicts, lists, other iterables, objects of :mod:`chatlib.types` and enums, mixed freely. A
    message that came from the API becomes a message that can be sent. What is ``omit`` is left out.

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
    if value is omit:
        raise TypeError(f"{path or 'the body'} is omit, which only a parameter or a key can be")
    if isinstance(value, enum.Enum):
        return to_request(value.value, path)
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{path or 'the body'} is {value!r}, which JSON does not have")
        return value
    if isinstance(value, numbers.Integral):  # numpy's, say
        return int(value)
    if isinstance(value, numbers.Real):
        return to_request(float(value), path)
    if isinstance(value, ChatCompletionMessage):
        value = _message_to_send(value)
    elif isinstance(value, Function):
        arguments = value.arguments or "{}"
        if not isinstance(arguments, str):  # some servers send the object rather than its text
            arguments = json.dumps(arguments)
        value = _without_nulls(value) | {"arguments": arguments}
        value.pop("parsed_arguments", None)
    elif isinstance(value, JsonObject):
        value = dict(value._items())
        if "function" in value and value.get("type") is None:
            value["type"] = "function"
    if isinstance(value, Mapping):
        return {
            _key(name, path): to_request(item, f"{path}.{name}" if path else str(name))
            for name, item in value.items()
            if item is not omit
        }
    if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray, memoryview)):
        return [to_request(item, f"{path}[{at}]") for at, item in enumerate(value)]
    hint = ""
    if isinstance(value, (bytes, bytearray, memoryview)):
        hint = "; base64.b64encode(...).decode() makes text of bytes"
    elif callable(getattr(value, "model_dump", None)):
        return to_request(value.model_dump(mode="json", exclude_unset=True), path)
    raise TypeError(f"{path or 'the body'} is a {type(value).__name__}, which JSON has not{hint}")


def _key(name: Any, path: str) -> str:
    if isinstance(name, str):
        return name
    if isinstance(name, int) and not isinstance(name, bool):  # token ids in logit_bias
        return str(name)
    raise TypeError(f"{path or 'the body'} has the key {name!r}; keys must be str")


def _message_to_send(message: ChatCompletionMessage) -> dict[str, Any]:
    """A message from the API as a message for the API: the request's fields, and no nulls.

    Fields that the library does not know stay: a provider that sent a signature wants it back.
    """
    fields: dict[str, Any] = {"role": message.role or "assistant", **_without_nulls(message)}
    for name in ("annotations", "parsed", "id", "content_parts"):
        if name in fields and name not in message.extra:
            del fields[name]
    if isinstance(message, ChatCompletionStoreMessage) and message.content_parts:
        fields.setdefault("content", message.content_parts)
    if isinstance(message.audio, ChatCompletionAudio):
        fields["audio"] = {"id": message.audio.id}
    if not message.tool_calls:  # an empty list is refused by OpenAI
        fields.pop("tool_calls", None)
    if not fields.keys() & {"tool_calls", "function_call", "audio", "refusal"}:
        fields.setdefault("content", "")
    return fields


def _without_nulls(value: JsonObject) -> dict[str, Any]:
    sent = dict(value._items())
    return {name: item for name, item in sent.items() if item is not None and item is not omit}
