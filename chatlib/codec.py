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
import types
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs
import cattrs

from chatlib._json import read_json
from chatlib._omit import omit
from chatlib.types.base import JsonObject, UnknownObject
from chatlib.types.completion import (
    ChatCompletionAudio,
    ChatCompletionMessage,
    Function,
)
from chatlib.types.stored import ChatCompletionStoreMessage

_DECODER = json.JSONDecoder()
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]


# What comes -----------------------------------------------------------------------------------


def from_json(text: str | bytes) -> Any:
    """JSON text to plain values. ``NaN`` and ``Infinity``, which some servers send, are read.

    Raises:
        ValueError: it is not JSON, or nested too deeply to be read.
    """
    if isinstance(text, str):  # the hot path of a stream
        try:
            value, end = _DECODER.raw_decode(text)
            if end == len(text):
                return value
        except (ValueError, RecursionError):
            pass
    return read_json(text)


def structure(value: Mapping[str, Any], cls: type[T]) -> T:
    """Plain JSON values as an object of the API.

    Args:
        value: A decoded JSON object. It is not changed.
        cls: Any class of :mod:`chatlib.types`.

    >>> from chatlib.types import CompletionUsage
    >>> structure({"prompt_tokens": 3, "cache_hits": 1}, CompletionUsage)
    CompletionUsage(prompt_tokens=3, cache_hits=1)
    """
    return converter().structure(_copied(value), cls)


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copied(item) for name, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


@lru_cache(maxsize=1)
def converter() -> cattrs.Converter:
    """The converter that the library decodes with, made once, at the first use.

    It takes the dicts that it is given over, as the fields of what it makes, rather than copy them.
    """
    return make_converter()


def make_converter() -> cattrs.Converter:
    """A new cattrs converter that knows every class of :mod:`chatlib.types`."""
    made = cattrs.Converter(detailed_validation=False)
    made.register_structure_hook_factory(_is_object, lambda cls: _object_hook(made, cls))
    made.register_structure_hook_factory(_is_union, lambda union: _union_hook(made, union))
    made.register_structure_hook_factory(_is_list, lambda kind: _list_hook(made, kind))
    return made


def _is_object(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, JsonObject)


def _is_union(kind: Any) -> bool:
    members = _members(kind)
    return len(members) > 1 and all(map(_is_object, members))


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is list and _has_objects(get_args(kind)[0])


def _has_objects(kind: Any) -> bool:
    return _is_object(kind) or _is_union(kind) or _is_list(kind)


def _members(kind: Any) -> tuple[Any, ...]:
    """What a type can be, apart from None."""
    is_union = get_origin(kind) in (Union, types.UnionType)
    return tuple(m for m in get_args(kind) if m is not types.NoneType) if is_union else (kind,)


def _object_hook(made: cattrs.Converter, cls: type[JsonObject]) -> Hook:
    # The hot path of a stream: three of these run for each chunk.
    new = cls.__new__
    hints = get_type_hints(cls)
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(cls)  # type: ignore[arg-type]
    known = frozenset(field.name for field in fields)
    nested: list[tuple[str, Hook, type[JsonObject] | None]] = []
    for field in fields:
        members = _members(hints[field.name])
        kind: Any = members[0] if len(members) == 1 else Union[members]  # noqa: UP007
        if _has_objects(kind):
            required = field.default is attrs.NOTHING and _is_object(kind)
            nested.append((field.name, made.get_structure_hook(kind), kind if required else None))

    inside = frozenset(name for name, _, _ in nested)
    always = any(required for _, _, required in nested)

    def hook(value: Any, _: Any = None) -> Any:
        if value.__class__ is not dict:
            return value
        made = new(cls)
        made.__dict__ = value
        made._extra = made._http = None  # a slot that is not set costs much more to read
        if not known.issuperset(value):
            unknown = [name for name in value if name not in known]
            made._extra = {name: value.pop(name) for name in unknown}
        if always or not inside.isdisjoint(value):
            for name, inner, required in nested:
                item = value.get(name)
                if item is not None:
                    value[name] = inner(item, None)
                elif required is not None:
                    # An object that is always there, such as a choice's delta, is never None.
                    value[name] = required.__new__(required)
        return made

    return hook


def _list_hook(made: cattrs.Converter, kind: Any) -> Hook:
    inner = made.get_structure_hook(get_args(kind)[0])

    def hook(value: Any, _: Any = None) -> Any:
        if value.__class__ is list:
            return [inner(item, None) for item in value]
        # Some servers send a lone object where a list of them belongs.
        return [inner(value, None)] if isinstance(value, dict) else value

    return hook


def _union_hook(made: cattrs.Converter, union: Any) -> Hook:
    """Objects told apart by their ``type``; without one, by the field that is named like it."""
    hooks = {}
    for member in _members(union):
        tag = getattr(member, "type")  # noqa: B009  # the class holds the constant
        hooks[tag] = made.get_structure_hook(member)
    unknown = made.get_structure_hook(UnknownObject)

    def hook(value: Any, _: Any = None) -> Any:
        if value.__class__ is not dict:
            return value
        tag = value.get("type") or next(filter(value.__contains__, hooks), None)
        return (hooks.get(tag, unknown) if isinstance(tag, str) else unknown)(value, None)

    return hook


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
        value = {**vars(value), **value.extra}
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
    sent = {**vars(value), **value.extra}
    return {name: item for name, item in sent.items() if item is not None and item is not omit}
