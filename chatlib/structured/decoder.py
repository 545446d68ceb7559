"""JSON into the types that people asked for, strictly.

The strategy: each type has one shape (:func:`chatlib.structured.type_info.shape_of`), from which
its schema is drawn, and a cattrs converter makes one hook for each shape. A hook takes what the
schema allows and
nothing else: ``"65"`` is no number, ``1`` is not true, a missing property is not a default. Numbers
follow JSON, which has one kind of them: ``1.0`` is an integer, and ``1`` becomes ``1.0`` where a
float is wanted. The class is then called like any other caller would call it, so that its own
converters, validators and ``__init__`` have their say.

Beyond the schema, what Python must know and JSON schema can't say: a dict's key comes once, a
``Decimal`` has its bounds, a duration has no months, a second is no finer than a microsecond (finer
digits are cut), and the text has no key twice and no ``NaN``.

A converter serves one type and what that type is made of, and only the last few hundred are kept:
a class that was made in a function can go away again.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import ipaddress
import json
import math
import operator
import re
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeVar, overload

import attrs
import cattrs

from chatlib.structured.json_schema import json_schema, response_schema
from chatlib.structured.type_info import (
    BASE64,
    DECIMAL,
    Alias,
    AnyOf,
    Array,
    Choice,
    Field,
    Foreign,
    NoneType,
    Record,
    Scalar,
    Schema,
    Shape,
    shape_of,
    show_type,
)

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]
HookOf = Callable[[Any], Hook]
# Where below here, what is wrong, the value, and the exception behind it.
Problem = tuple[str, str, Any, Exception | None]

MOST_PROBLEMS = 5
MOST_TEXT = 300


class DecodeError(ValueError):
    """JSON that is not what its type asks for.

    Args:
        message: What is wrong, each problem with its path.
        path: Where the first problem is, such as ``$.lines[2].price``.
        value: What was found there.
        problems: The path and the text of each problem, up to the first five.
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
    """Decoded JSON as a value of a type.

    Args:
        kind: Any type that :func:`chatlib.structured.json_schema.json_schema` takes.
        value: What :func:`json.loads` gave.
        path: What to call the value in errors; ``$`` unless said.

    Raises:
        DecodeError: it is not a value of the type.
        TypeError: the type is not supported.

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
    """JSON text as a value of a type; see :func:`decode`.

    Raises:
        DecodeError: it is not JSON, has a key twice, or is not a value of the type.
        TypeError: the type is not supported.
    """
    hook = _hook(kind)
    return _run(hook, _read(text, path or "$"), path or "$")


@overload
def decode_response(kind: type[T], text: str | bytes, *, path: str = "") -> T: ...
@overload
def decode_response(kind: Any, text: str | bytes, *, path: str = "") -> Any: ...
def decode_response(kind: Any, text: str | bytes, *, path: str = "") -> Any:
    """Decode the answer to a request that had the schema of a type.

    That is :func:`~chatlib.structured.json_schema.response_schema`.

    As :func:`decode_json`, but takes the value out of the object that a list, say, came in.

    >>> decode_response(list[int], '{"value": [1, 2]}')
    [1, 2]
    """
    hook = _hook(kind, True)
    return _run(hook, _read(text, path or "$"), path or "$")


def make_typed_converter() -> cattrs.Converter:
    """A new cattrs converter with a strict hook for each shape that a type can have.

    Its errors are for :func:`decode` to finish; it remembers each type that it has met.
    """
    made = cattrs.Converter(detailed_validation=False)
    hooks: dict[Any, Hook] = {}

    def hook_of(kind: Any) -> Hook:
        if isinstance(kind, Shape):
            return made.get_structure_hook(kind, cache_result=False)
        try:  # with its text, because A | B and B | A are equal
            hash(kind)
        except TypeError:  # an Annotated may hold anything
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


# One call -------------------------------------------------------------------------------------


def _hook(kind: Any, response: bool = False) -> Hook:
    try:
        hash(kind)
    except TypeError:  # an Annotated may hold anything
        return _compile(kind, response)
    return _compiled(kind, repr(kind), response)


@lru_cache(maxsize=256)
def _compiled(kind: Any, _: str, response: bool) -> Hook:
    return _compile(kind, response)


def _compile(kind: Any, response: bool) -> Hook:
    # The schema names the path of what is not supported. What has one can be decoded.
    wrapped = response_schema(kind).wrapped
    if response and wrapped:
        field = Field(name="value", kind=kind, argument="value")
        kind = Record(kind=kind, fields=(field,), result=lambda value: value)
    return make_typed_converter().get_structure_hook(shape_of(kind), cache_result=False)


_call = threading.local()  # .memo: what a union made of an object or array, for the call at hand


def _run(hook: Hook, value: Any, path: str) -> Any:
    outer = getattr(_call, "memo", None)
    _call.memo = {}
    try:
        return hook(value, None)
    except _Wrong as wrong:
        problems = [(path + where, text) for where, text, _, _ in wrong.problems[:MOST_PROBLEMS]]
        message = "; ".join(f"{_cut(where, 200)}: {text}" for where, text in problems)
        more = "; and more" if len(wrong.problems) > MOST_PROBLEMS else ""
        _, _, found, cause = wrong.problems[0]
        raise DecodeError(message + more, problems[0][0], found, problems) from cause
    except RecursionError:
        raise DecodeError(f"{path}: it is nested too deeply", path, value) from None
    finally:
        _call.memo = outer


def _read(text: str | bytes, path: str) -> Any:
    """JSON text as plain values: one value, of which no object has a key twice."""
    twice: list[tuple[dict[str, Any], str]] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs) and not twice:
            seen: set[str] = set()
            twice.append((made, next(k for k, _ in pairs if k in seen or seen.add(k))))  # type: ignore[func-returns-value]
        return made

    def constant(name: str) -> Any:
        raise ValueError(f"JSON has no {name}")

    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=constant, strict=False)
    except RecursionError:
        raise DecodeError(f"{path}: it is nested too deeply", path, text) from None
    except ValueError as error:
        early = isinstance(error, json.JSONDecodeError) and (
            error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated")
        )
        why = "it is empty" if not text.strip() else f"{error}{', it ends too early' * early}"
        raise DecodeError(f"{path}: not JSON: {why}: {_show(text)}", path, text) from error
    if twice:
        found, key = twice[0]
        path += next(where for where, item in _walk(value) if item is found)
        raise DecodeError(f"{path}: the key {_show(key)} is there twice", path, found)
    return value


def _walk(value: Any) -> Iterator[tuple[str, Any]]:
    waiting = [("", value)]
    while waiting:
        path, item = waiting.pop()
        yield path, item
        if isinstance(item, dict):
            waiting += [(path + _step(key), part) for key, part in item.items()]
        elif isinstance(item, list):
            waiting += [(path + _step(index), part) for index, part in enumerate(item)]


# What is wrong --------------------------------------------------------------------------------


class _Wrong(Exception):
    """Problems on their way up."""

    def __init__(self, text: str, value: Any, cause: Exception | None = None) -> None:
        self.problems = [("", _cut(text), value, cause)]

    def below(self, step: str | int) -> list[Problem]:
        """The problems, as seen from the object or array around."""
        step = _step(step)
        return [(step + where, text, value, cause) for where, text, value, cause in self.problems]

    @classmethod
    def several(cls, problems: list[Problem]) -> _Wrong:
        made = cls("", None)
        made.problems = problems
        return made


def _step(key: str | int) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if key.isidentifier() else f"[{_show(key)}]"


def _cut(text: str, most: int = MOST_TEXT) -> str:
    return text if len(text) <= most else text[:most] + "..."


def _show(value: Any) -> str:
    """A value in a few words, whatever its size and depth."""
    if isinstance(value, dict):
        return f"an object with {_cut(', '.join(map(_show, list(value)[:4])), 60) or 'nothing'}"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    if isinstance(value, bytes):
        return repr(value[:60]) + "..." * (len(value) > 60)
    if isinstance(value, str):
        start = value[:60].encode(errors="backslashreplace").decode()
        return json.dumps(start, ensure_ascii=False) + "..." * (len(value) > 60)
    plain = value is None or isinstance(value, (bool, float))
    return json.dumps(value) if plain else _cut(_number(value), 60)


def _number(value: Any) -> str:
    try:
        return repr(value)
    except ValueError:  # Python writes no integer of many thousand digits
        return "a huge number"


def _expected(what: str, value: Any) -> _Wrong:
    return _Wrong(f"expected {what}, got {_show(value)}", value)


# Scalars and choices --------------------------------------------------------------------------


def _same(kind: type, what: str) -> Hook:
    def parse(value: Any, _: Any) -> Any:
        if value.__class__ is not kind:
            raise _expected(what, value)
        return value

    return parse


def _integer(value: Any, _: Any) -> int:
    if value.__class__ is int:
        return value
    if value.__class__ is float and value.is_integer():
        return int(value)
    raise _expected("an integer", value)


def _float(value: Any, _: Any) -> float:
    if value.__class__ is float:
        if not math.isfinite(value):
            raise _Wrong("the number is too large, or none", value)
        return value
    if value.__class__ is not int:
        raise _expected("a number", value)
    try:
        return float(value)
    except OverflowError as error:
        raise _Wrong("the number is too large for a float", value, error) from None


def _written(what: str, pattern: str, make: Callable[[re.Match[str]], Any]) -> Hook:
    """Strings of one form, with what Python makes of them."""
    match = re.compile(pattern, re.ASCII).fullmatch

    def parse(value: Any, _: Any) -> Any:
        if not isinstance(value, str):
            raise _expected(f"{what} in a string", value)
        found = match(value)
        if found is None:
            raise _expected(what, value)
        try:
            return make(found)
        except (ValueError, ArithmeticError) as error:
            raise _Wrong(f"expected {what}, got {_show(value)}: {error}", value, error) from None

    return parse


_DATE = r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
_TIME = r"(?P<time>[0-9]{2}:[0-9]{2}(:[0-9]{2})?)(\.(?P<fraction>[0-9]+))?"
_ZONE = r"(?P<zone>[Zz]|[+-][0-9]{2}:[0-9]{2})?"
_DURATION = (
    r"(?P<sign>[+-])?P(?=[0-9T])((?P<weeks>[0-9]+)W)?((?P<days>[0-9]+)D)?"
    r"(T(?=[0-9])((?P<hours>[0-9]+)H)?((?P<minutes>[0-9]+)M)?"
    r"((?P<seconds>[0-9]+)([.,](?P<fraction>[0-9]+))?S)?)?"
)


def _micros(found: re.Match[str]) -> str:
    return (found["fraction"] or "")[:6].ljust(6, "0")


def _clock(found: re.Match[str]) -> str:
    # The one form that Python 3.10 reads.
    time = found["time"] if found["time"].count(":") == 2 else found["time"] + ":00"
    zone = (found["zone"] or "").upper().replace("Z", "+00:00")
    return f"{time}.{_micros(found)}{zone}"


def _duration(found: re.Match[str]) -> datetime.timedelta:
    names = ("weeks", "days", "hours", "minutes", "seconds")
    parts = {name: int(found[name] or 0) for name in names}
    length = datetime.timedelta(**parts, microseconds=int(_micros(found)))
    return -length if found["sign"] == "-" else length


_PARSERS: dict[Any, Hook] = {
    str: _same(str, "a string"),
    int: _integer,
    float: _float,
    bool: _same(bool, "true or false"),
    NoneType: _same(NoneType, "null"),
    bytes: _written("base64", BASE64, lambda found: base64.b64decode(found[0])),
    decimal.Decimal: _written("a decimal number", DECIMAL, lambda m: decimal.Decimal(m[0])),
    datetime.datetime: _written(
        "a date and time (such as 2024-02-28T12:30:00Z)",
        f"{_DATE}[Tt ]{_TIME}{_ZONE}",
        lambda found: datetime.datetime.fromisoformat(f"{found['date']}T{_clock(found)}"),
    ),
    datetime.date: _written(
        "a date (such as 2024-02-28)", _DATE, lambda m: datetime.date.fromisoformat(m[0])
    ),
    datetime.time: _written(
        "a time (such as 12:30:00)",
        f"{_TIME}{_ZONE}",
        lambda found: datetime.time.fromisoformat(_clock(found)),
    ),
    datetime.timedelta: _written("a duration (such as P1DT2H30M)", _DURATION, _duration),
    uuid.UUID: _written(
        "a UUID", "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", lambda m: uuid.UUID(m[0])
    ),
    ipaddress.IPv4Address: _written(
        "an IPv4 address", "[0-9.]+", lambda m: ipaddress.IPv4Address(m[0])
    ),
    ipaddress.IPv6Address: _written(
        "an IPv6 address", "[0-9a-fA-F:.]+", lambda m: ipaddress.IPv6Address(m[0])
    ),
}
_LIMITS: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "gt": (operator.gt, "greater than {}"),
    "ge": (operator.ge, "at least {}"),
    "lt": (operator.lt, "less than {}"),
    "le": (operator.le, "at most {}"),
    "min_length": (lambda value, least: len(value) >= least, "of at least {} items"),
    "max_length": (lambda value, most: len(value) <= most, "of at most {} items"),
    "multiple_of": (
        lambda n, step: Fraction(str(n)) % Fraction(str(step)) == 0,
        "a multiple of {}",
    ),
    "pattern": (lambda value, pattern: re.search(pattern, value), "a match of {}"),
}


def _check(shape: Shape, made: Any, value: Any) -> None:
    for name, limit in shape.bounds:
        test, words = _LIMITS[name]
        if isinstance(made, decimal.Decimal):
            limit = decimal.Decimal(str(limit))  # 0.1 means 0.1
        try:
            good = test(made, limit)
        except TypeError as error:  # such as a time zone against none
            raise _Wrong(f"{_show(value)} can't be compared: {error}", value, error) from None
        if not good:
            what = words.format(limit)
            if isinstance(made, (str, bytes)):
                what = what.replace("items", "characters" if isinstance(made, str) else "bytes")
            raise _Wrong(f"{_show(value)} is not {what}", value)


def _scalar_hook(shape: Scalar, _: HookOf) -> Hook:
    parse = _PARSERS[shape.kind]

    def bounded(value: Any, _: Any) -> Any:
        made = parse(value, None)
        _check(shape, made, value)
        return made

    return bounded if shape.bounds else parse


def _key(value: Any) -> tuple[bool, Any]:
    # In JSON, 1 and 1.0 are one number, and neither is true.
    return value.__class__ is bool, value


def _choice_hook(shape: Choice, _: HookOf) -> Hook:
    meanings = {_key(plain): meaning for plain, meaning in reversed(shape.values)}
    words = _cut(", ".join(_show(plain) for plain, _ in shape.values), 200)

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, (dict, list)) and _key(value) in meanings:
            return meanings[_key(value)]
        raise _Wrong(
            f"expected {'one of ' * (len(meanings) > 1)}{words}, got {_show(value)}", value
        )

    return hook


# Arrays and objects ---------------------------------------------------------------------------


def _array_hook(shape: Array, hook_of: HookOf) -> Hook:
    inner, result = hook_of(shape.items), shape.result

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, list):
            raise _expected("an array", value)
        items, problems = [], []
        for index, item in enumerate(value):
            try:
                items.append(inner(item, None))
            except _Wrong as wrong:
                problems += wrong.below(index)
                if len(problems) > MOST_PROBLEMS:
                    break
        if problems:
            raise _Wrong.several(problems)
        if shape.bounds:
            _check(shape, items, value)
        try:
            made = items if result is list else result(items)
        except TypeError as error:  # the hash of a value is its own affair
            raise _Wrong(f"{error}", value, error) from None
        if len(made) != len(items):
            if isinstance(made, dict):
                raise _Wrong("a key is there twice", value)
            _check(shape, made, value)
        return made

    return hook


def _record_hook(shape: Record, hook_of: HookOf) -> Hook:
    fields, result = shape.fields, shape.result
    names = {field.name for field in fields}
    hooks: list[tuple[str, str, bool, Hook]] = []

    def hook(value: Any, _: Any) -> Any:
        nonlocal hooks
        if not hooks:  # not before, for the sake of types that contain themselves
            hooks = [(f.name, f.argument, f.drop_null, hook_of(f.kind)) for f in fields]
        if not isinstance(value, dict):
            raise _expected("an object", value)
        problems: list[Problem] = []
        if value.keys() != names:
            missing = [f.name for f in fields if f.name not in value]
            unknown = [name for name in value if name not in names][: MOST_PROBLEMS + 1]
            texts = [f"the property {_show(name)} is missing" for name in missing]
            texts += [f"the property {_show(name)} is not known" for name in unknown]
            problems = [("", text, value, None) for text in texts]
        given = {}
        for name, argument, drop_null, inner in hooks:
            if name not in value or (drop_null and value[name] is None):
                continue
            try:
                given[argument] = inner(value[name], None)
            except _Wrong as wrong:
                problems += wrong.below(name)
        if problems:
            raise _Wrong.several(problems)
        if result is tuple:
            return tuple(given.values())
        try:
            return result(**given)
        except RecursionError:
            raise
        except Exception as error:
            text = f"{show_type(shape)} refuses it: {type(error).__name__}: {error}"
            raise _Wrong(text, value, error) from None

    return hook


def _alias_hook(shape: Alias, hook_of: HookOf) -> Hook:
    return lambda value, _: hook_of(shape.target)(value, None)


def _foreign_hook(shape: Foreign, _: HookOf) -> Hook:
    module = sys.modules[shape.package]
    adapter = module.TypeAdapter(shape.kind) if shape.package == "pydantic" else None

    def hook(value: Any, _: Any) -> Any:
        try:
            if adapter is not None:  # which reads JSON text by other rules than Python values
                return adapter.validate_json(json.dumps(value))
            return module.convert(value, type=shape.kind, str_keys=True)
        except RecursionError:
            raise
        except Exception as error:
            problems: list[Problem] = []
            if adapter is not None and isinstance(error, module.ValidationError):
                details: Any = error
                for found in details.errors(include_url=False):
                    text = f"{found['msg']}, got {_show(found['input'])}"
                    wrong = _Wrong(text, found["input"], error).problems
                    for step in reversed(found["loc"]):
                        wrong = _Wrong.several(wrong).below(step)
                    problems += wrong
            if not problems:  # as msgspec writes it
                text, _, where = str(error).partition(" - at `$")
                problems = [(where.rstrip("`"), _cut(text), value, error)]
            raise _Wrong.several(problems) from None

    return hook


# Unions ---------------------------------------------------------------------------------------

_JSON_TYPES: dict[type, tuple[str, ...]] = {
    str: ("string",),
    bool: ("boolean",),
    NoneType: ("null",),
    int: ("integer", "number"),
    float: ("number", "integer"),
    list: ("array",),
    dict: ("object",),
}


@attrs.frozen(eq=False)
class _Member:
    """One type of a union."""

    kind: Any
    hook: Hook
    types: frozenset[str]


def _types(schema: Schema, defs: dict[str, Schema]) -> Iterator[str]:
    """The JSON types of what a schema allows."""
    if "$ref" in schema:
        schema = defs[schema["$ref"].rpartition("/")[2]]
    for part in schema.get("anyOf", ()):
        yield from _types(part, defs)
    named = schema.get("type", [])
    yield from [named] if isinstance(named, str) else named


def _union_hook(shape: AnyOf, hook_of: HookOf) -> Hook:
    members = []
    for kind in shape.members:
        schema = json_schema(kind)
        members.append(
            _Member(kind, hook_of(kind), frozenset(_types(schema, schema.get("$defs", {}))))
        )
    # For a value of a class, the members of its JSON type: the nearest first, then in their order.
    fitting = {
        cls: list(dict.fromkeys(m for name in names for m in members if name in m.types))
        for cls, names in _JSON_TYPES.items()
    }
    tag, tagged = _discriminator(fitting[dict])
    words = " or ".join(dict.fromkeys(show_type(member.kind) for member in members))

    def hook(value: Any, _: Any) -> Any:
        candidates = fitting.get(value.__class__, ())
        if len(candidates) == 1:
            return candidates[0].hook(value, None)
        if not candidates:
            raise _expected(words, value)
        if tagged and isinstance(value, dict):
            if tag not in value:
                raise _Wrong(f"the property {_show(tag)} is missing", value)
            found = value[tag]
            plain = None if isinstance(found, (dict, list)) else tagged.get(_key(found))
            if plain is None:
                known = _cut(", ".join(_show(name) for _, name in tagged), 200)
                text = f"expected one of {known}, got {_show(found)}"
                raise _Wrong.several(_Wrong(text, found).below(tag))
            return plain.hook(value, None)
        # An object or array is tried once, however many unions around it try again.
        memo = getattr(_call, "memo", None) if isinstance(value, (dict, list)) else None
        if memo is None:
            return first(candidates, value)
        key = (id(value), id(hook))
        if key not in memo:
            try:
                memo[key] = (True, first(candidates, value))
            except _Wrong as wrong:
                memo[key] = (False, wrong.problems)
        good, made = memo[key]
        if good:
            return made
        raise _Wrong.several(made)

    def first(candidates: list[_Member], value: Any) -> Any:
        failed = []
        for member in candidates:
            try:
                return member.hook(value, None)
            except _Wrong as wrong:
                failed.append((member, wrong))
        firsts = [wrong.problems[0] for _, wrong in failed]
        if len({(where, text) for where, text, _, _ in firsts}) == 1:  # they agree
            raise failed[0][1]
        share = MOST_TEXT // len(failed)
        why = [
            f"not {show_type(member.kind)} ({_cut(f'{where}: ' * bool(where) + text, share)})"
            for (member, _), (where, text, _, _) in zip(failed, firsts, strict=True)
        ]
        raise _Wrong("; ".join(why), value)

    return hook


def _discriminator(members: list[_Member]) -> tuple[str, dict[tuple[bool, Any], _Member]]:
    """The property that tells objects apart, and which of its values means which."""
    choices = []
    for member in members:
        shape = shape_of(member.kind)
        while isinstance(shape, Alias):
            shape = shape_of(shape.target)
        fields = shape.fields if isinstance(shape, Record) else ()
        inner = {field.name: shape_of(field.kind) for field in fields}
        choices.append({name: s.values for name, s in inner.items() if isinstance(s, Choice)})
    for name in choices[0] if len(members) > 1 else ():
        if all(name in choice for choice in choices):
            pairs = [
                (_key(v), m) for m, c in zip(members, choices, strict=True) for v, _ in c[name]
            ]
            if len(dict(pairs)) == len(pairs):
                return name, dict(pairs)
    return "", {}


_FACTORIES: dict[type, Callable[[Any, HookOf], Hook]] = {
    Scalar: _scalar_hook,
    Choice: _choice_hook,
    Array: _array_hook,
    Record: _record_hook,
    Alias: _alias_hook,
    Foreign: _foreign_hook,
    AnyOf: _union_hook,
}
