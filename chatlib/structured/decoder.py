"""Strict decoding of JSON into Python types.

Each type has one shape (:func:`chatlib.structured.type_info.shape_of`), which its schema follows
from, and a cattrs converter has one structure hook for each shape. A hook accepts what the schema
allows and nothing else: ``"65"`` is not a number, ``1`` is not true, a missing property has no
default. JSON has one type of numbers: ``1.0`` is an integer, and ``1`` becomes ``1.0`` for a float.
The class is then called like any other caller would call it, so that its own converters,
validators and ``__init__`` are applied.

Checks that JSON schema cannot express: the keys of a dict are unique, a ``Decimal`` is within its
bounds, a duration has no months, a second has microseconds at most (further digits are dropped),
and the text has neither duplicate keys nor ``NaN``.

A converter serves one type and the types that it consists of, and only the last 256 are cached, so
that a class defined in a function can be garbage collected.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, TypeVar, overload

import cattrs

from chatlib.structured.containers import alias_hook, array_hook, foreign_hook, record_hook
from chatlib.structured.json_schema import response_schema
from chatlib.structured.problems import (
    MAX_PROBLEMS,
    Hook,
    HookOf,
    Mismatch,
    describe,
    path_step,
    truncate,
)
from chatlib.structured.scalars import enumeration_hook, scalar_hook
from chatlib.structured.shapes import (
    Alias,
    AnyOf,
    Array,
    Enumeration,
    Field,
    Foreign,
    Record,
    Scalar,
    Shape,
)
from chatlib.structured.type_info import shape_of
from chatlib.structured.unions import current_call, union_hook

T = TypeVar("T")


class DecodeError(ValueError):
    """Raised when JSON does not match its type.

    Args:
        message: The problems, each with its path.
        path: The path of the first problem, such as ``$.lines[2].price``.
        value: The JSON value at that path.
        problems: The path and the text of each problem, five at most.
    """

    def __init__(
        self,
        message: str,
        path: str = "$",
        value: Any = None,
        problems: list[tuple[str, str]] | None = None,
    ) -> None:
        super().__init__(message)
        self.path = path
        self.value = value
        self.problems = problems if problems is not None else [(path, message)]


@overload
def decode(kind: type[T], value: Any, *, path: str = "") -> T: ...
@overload
def decode(kind: Any, value: Any, *, path: str = "") -> Any: ...
def decode(kind: Any, value: Any, *, path: str = "") -> Any:
    """Convert decoded JSON into a value of a type.

    Args:
        kind: Any type that :func:`chatlib.structured.json_schema.json_schema` supports.
        value: A JSON value, as :func:`json.loads` returns it.
        path: The path of the value in errors; ``$`` by default.

    Returns:
        A new value of the type.

    Raises:
        DecodeError: The JSON does not match the type.
        TypeError: The type is not supported.

    >>> decode(tuple[float, float], [1, 2.5])
    (1.0, 2.5)
    >>> decode(list[float], [1, "65"])
    Traceback (most recent call last):
    chatlib.structured.decoder.DecodeError: $[1]: expected a number, got "65"
    """
    return _run(_hook(kind), value, path or "$")


@overload
def decode_json(kind: type[T], text: str | bytes, *, path: str = "") -> T: ...
@overload
def decode_json(kind: Any, text: str | bytes, *, path: str = "") -> Any: ...
def decode_json(kind: Any, text: str | bytes, *, path: str = "") -> Any:
    """Decode JSON text into a value of a type.

    Args:
        kind: Any type that :func:`chatlib.structured.json_schema.json_schema` supports.
        text: The JSON text.
        path: The path of the value in errors; ``$`` by default.

    Returns:
        A new value of the type.

    Raises:
        DecodeError: The text is not JSON, has a duplicate key, or does not match the type.
        TypeError: The type is not supported.
    """
    hook = _hook(kind)
    return _run(hook, _parse_strict(text, path or "$"), path or "$")


@overload
def decode_response(kind: type[T], text: str | bytes, *, path: str = "") -> T: ...
@overload
def decode_response(kind: Any, text: str | bytes, *, path: str = "") -> Any: ...
def decode_response(kind: Any, text: str | bytes, *, path: str = "") -> Any:
    """Decode the answer to a request with the schema of a type.

    Differs from :func:`decode_json` for types whose schema is not that of an object: their value
    is the property ``value`` of the answer, as
    :func:`~chatlib.structured.json_schema.response_schema` says.

    Args:
        kind: The type.
        text: The JSON text of the answer.
        path: The path of the value in errors; ``$`` by default.

    Returns:
        A new value of the type.

    Raises:
        DecodeError: The text is not JSON, has a duplicate key, or does not match the type.
        TypeError: The type is not supported.

    >>> decode_response(list[int], '{"value": [1, 2]}')
    [1, 2]
    """
    hook = _hook(kind, True)
    return _run(hook, _parse_strict(text, path or "$"), path or "$")


def make_typed_converter() -> cattrs.Converter:
    """Return a new cattrs converter with a strict structure hook for each shape.

    Its hooks raise :class:`~chatlib.structured.problems.Mismatch`, which :func:`decode` converts
    into a :class:`DecodeError`. It caches the hook of each type.
    """
    made = cattrs.Converter(detailed_validation=False)
    hooks: dict[Any, Hook] = {}

    def hook_of(kind: Any) -> Hook:
        if isinstance(kind, Shape):
            return made.get_structure_hook(kind, cache_result=False)
        try:  # and its repr, because A | B == B | A
            hash(kind)
        except TypeError:  # the metadata of an Annotated may be anything
            key: Any = repr(kind)
        else:
            key = (kind, repr(kind))
        if key not in hooks:
            hooks[key] = made.get_structure_hook(shape_of(kind), cache_result=False)
        return hooks[key]

    def by_type(value: Any, kind: Any) -> Any:
        return hook_of(kind)(value, None)

    made.register_structure_hook_factory(lambda kind: not isinstance(kind, Shape), hook_of)
    for simple in (str, bytes, int, float):  # cattrs has hooks of its own for these
        made.register_structure_hook(simple, by_type)
    for form, factory in _FACTORIES.items():
        _register(made, form, factory, hook_of)
    return made


def _register(
    made: cattrs.Converter, form: type, factory: Callable[[Any, HookOf], Hook], hook_of: HookOf
) -> None:
    made.register_structure_hook_factory(
        lambda kind: isinstance(kind, form), lambda shape: factory(shape, hook_of)
    )


def _hook(kind: Any, response: bool = False) -> Hook:
    try:
        hash(kind)
    except TypeError:  # the metadata of an Annotated may be anything
        return _compile(kind, response)
    return _compiled(kind, repr(kind), response)


@lru_cache(maxsize=256)
def _compiled(kind: Any, _: str, response: bool) -> Hook:
    return _compile(kind, response)


def _compile(kind: Any, response: bool) -> Hook:
    # The schema raises a TypeError with the path of an unsupported type. The rest can be decoded.
    wrapped = response_schema(kind).wrapped
    if response and wrapped:
        field = Field(name="value", kind=kind, argument="value")
        kind = Record(kind=kind, fields=(field,), result=lambda value: value)
    return make_typed_converter().get_structure_hook(shape_of(kind), cache_result=False)


def _run(hook: Hook, value: Any, path: str) -> Any:
    outer = getattr(current_call, "memo", None)
    current_call.memo = {}
    try:
        return hook(value, None)
    except Mismatch as mismatch:
        problems = [(path + where, text) for where, text, _, _ in mismatch.problems[:MAX_PROBLEMS]]
        message = "; ".join(f"{truncate(where, 200)}: {text}" for where, text in problems)
        more = "; and more" if len(mismatch.problems) > MAX_PROBLEMS else ""
        _, _, found, cause = mismatch.problems[0]
        raise DecodeError(message + more, problems[0][0], found, problems) from cause
    except RecursionError:
        raise DecodeError(f"{path}: nested too deeply", path, value) from None
    finally:
        current_call.memo = outer


def _parse_strict(text: str | bytes, path: str) -> Any:
    """Parse JSON text strictly: no duplicate keys, no ``NaN``."""
    duplicates: list[tuple[dict[str, Any], str]] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs) and not duplicates:
            seen: set[str] = set()
            for name, _ in pairs:
                if name in seen:
                    duplicates.append((made, name))
                    break
                seen.add(name)
        return made

    def constant(name: str) -> Any:
        raise ValueError(f"{name} is not allowed in JSON")

    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=constant, strict=False)
    except RecursionError:
        raise DecodeError(f"{path}: nested too deeply", path, text) from None
    except ValueError as error:
        early = isinstance(error, json.JSONDecodeError) and (
            error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated")
        )
        why = "empty text" if not text.strip() else f"{error}{', the text is incomplete' * early}"
        raise DecodeError(f"{path}: not JSON: {why}: {describe(text)}", path, text) from error
    if duplicates:
        found, key = duplicates[0]
        path += next(where for where, item in _walk(value) if item is found)
        raise DecodeError(f"{path}: duplicate key {describe(key)}", path, found)
    return value


def _walk(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield each value inside a JSON value, with its path."""
    waiting = [("", value)]
    while waiting:
        path, item = waiting.pop()
        yield path, item
        if isinstance(item, dict):
            waiting += [(path + path_step(key), part) for key, part in item.items()]
        elif isinstance(item, list):
            waiting += [(path + path_step(index), part) for index, part in enumerate(item)]


_FACTORIES: dict[type, Callable[[Any, HookOf], Hook]] = {
    Scalar: scalar_hook,
    Enumeration: enumeration_hook,
    Array: array_hook,
    Record: record_hook,
    Alias: alias_hook,
    Foreign: foreign_hook,
    AnyOf: union_hook,
}
