"""The JSON form of Python types.

:func:`shape_of` converts a type into its shape (a scalar, an enumeration, an array, an object, a
union), which both the schema in :mod:`chatlib.structured.json_schema` and the decoder in
:mod:`chatlib.structured.decoder` are derived from, so that they agree.

Strict mode is a subset of JSON schema: each object lists its properties, requires all of them and
allows no others; there are no defaults, and a ``$ref`` has no siblings. Python types that it cannot
express are mapped to the nearest form:

- ``dict[K, V]``: an array of ``{"key": ..., "value": ...}`` objects;
- ``tuple[X, Y]``: an object with the properties ``"0"`` and ``"1"``; ``tuple[X, X]`` an array of
  two; a ``NamedTuple`` an object with its fields;
- ``set`` and ``frozenset``: an array, which may have duplicates;
- ``NotRequired``: a property that is null if the key is absent;
- a field with a default: a property like any other, which the model must fill in;
- ``Decimal``: a string of digits; ``bytes``: base64; ``timedelta``: an ISO 8601 duration.

A property has the name of the attribute, including a leading underscore; fields that ``__init__``
does not accept are skipped. A bound on a type that is a string in JSON, such as
``Annotated[Decimal, Gt(0)]``, is not in the schema, but checked by the decoder. A type that has no
JSON form raises a TypeError with its path. Classes of pydantic and msgspec have their own schemas.
"""

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import datetime
import decimal
import enum
import inspect
import math
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import (
    Annotated,
    Any,
    Optional,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import attrs

from chatlib.structured.shapes import (
    SCALARS,
    Alias,
    AnyOf,
    Array,
    Enumeration,
    Field,
    Foreign,
    NoneType,
    Record,
    Scalar,
    Shape,
    is_class,
    show_type,
    special_form,
)

_ARRAYS: dict[Any, type] = {
    **dict.fromkeys((list, collections.abc.Sequence, collections.abc.MutableSequence), list),
    **dict.fromkeys((collections.abc.Collection, collections.abc.Iterable), list),
    **dict.fromkeys((set, collections.abc.MutableSet), set),
    **dict.fromkeys((frozenset, collections.abc.Set), frozenset),
    **dict.fromkeys((dict, collections.abc.Mapping, collections.abc.MutableMapping), dict),
    collections.OrderedDict: collections.OrderedDict,
    collections.deque: collections.deque,
    tuple: tuple,
}
_ORDER = ("gt", "ge", "lt", "le")
_SIZE = ("min_length", "max_length")
_BOUNDS: dict[Any, tuple[str, ...]] = {
    **dict.fromkeys((int, float, decimal.Decimal), (*_ORDER, "multiple_of")),
    **dict.fromkeys((datetime.datetime, datetime.date, datetime.time, datetime.timedelta), _ORDER),
    str: (*_SIZE, "pattern"),
    bytes: _SIZE,
}


def shape_of(kind: Any, path: str = "", bounds: Iterable[tuple[str, Any]] = ()) -> Shape:
    """Return the shape of a type.

    Args:
        kind: A type. A shape is returned as it is.
        path: The path of the type, for errors.
        bounds: Constraints in addition to those of the type.

    Raises:
        TypeError: The type has no strict schema.
    """
    if isinstance(kind, Shape):
        return kind
    path = path or show_type(kind)
    asked, description = list(bounds), None
    while True:
        origin, args = get_origin(kind), get_args(kind)
        if origin is Annotated:
            notes = list(_constraints(kind.__metadata__))
            asked += [note for note in notes if note[0] != "description"]
            texts = [text for name, text in notes if name == "description"]
            description = description or (texts[-1] if texts else None)
            kind = kind.__origin__
        elif hasattr(kind, "__supertype__"):
            kind = kind.__supertype__
        elif special_form(origin) in ("Required", "NotRequired", "ReadOnly", "Final"):
            kind = args[0]
        elif type(origin or kind).__name__ == "TypeAliasType":
            target = _alias_target(kind, path)
            if not asked:
                return Alias(kind=kind, description=description, target=target)
            kind = target
        else:
            break
    known = NoneType if kind is None else kind
    about: dict[str, Any] = {"kind": known, "description": description, "bounds": tuple(asked)}
    if origin in (Union, types.UnionType):
        members = [
            shape_of(m, path, asked) if asked and m is not NoneType else m for m in get_args(kind)
        ]
        return AnyOf(**{**about, "bounds": ()}, members=tuple(members))
    made = _plain_shape(kind, path, about)
    allowed: tuple[str, ...] = _SIZE if isinstance(made, Array) else ()
    if isinstance(made, Scalar):
        allowed = _BOUNDS.get(made.kind, ())
    for name, _ in asked:
        if name not in allowed:
            raise TypeError(f"{path}: {name} does not apply to {show_type(kind)}")
    return made


def _plain_shape(kind: Any, path: str, about: dict[str, Any]) -> Shape:
    cls, args = get_origin(kind) or kind, get_args(kind)
    if kind is None or (kind is cls and isinstance(cls, type) and cls in SCALARS):
        return Scalar(**about)
    if special_form(cls) == "Literal":
        values = [(v.value, v) if isinstance(v, enum.Enum) else (v, v) for v in args]
        return Enumeration(**about, values=_choices(values, path))
    if isinstance(cls, type) and cls in _ARRAYS:
        return _container(cls, args, path, about)
    if not isinstance(cls, type) or cls is object:
        raise _unsupported(kind, path)
    for library, mark in (("pydantic", "__pydantic_validator__"), ("msgspec", "__struct_fields__")):
        if hasattr(cls, mark) and library in sys.modules:
            return Foreign(**about, package=library)
    if issubclass(cls, enum.Enum):
        return Enumeration(**about, values=_choices([(v.value, v) for v in cls], path))
    if attrs.has(cls) or dataclasses.is_dataclass(cls) or _is_typed_dict(cls) or _is_named(cls):
        result = dict if _is_typed_dict(cls) else cls
        return Record(**about, fields=tuple(_fields(kind, path)), result=result)
    raise _unsupported(kind, path)


def _container(cls: Any, args: tuple[Any, ...], path: str, about: dict[str, Any]) -> Shape:
    result = _ARRAYS[cls]
    args = () if args == ((),) else args  # Python 3.10 has it so for Tuple[()]
    if not args and not (cls is tuple and hasattr(about["kind"], "__args__")):
        examples: dict[Any, str] = {dict: "dict[str, int]", tuple: "tuple[int, ...]"}
        example = examples.get(result, "list[str]")
        raise TypeError(f"{path}: {cls.__name__} has no item type; give one, as in {example}")
    if issubclass(result, dict):
        _require_hashable(args[0], result, f"{path}[].key")
        parts = zip(("key", "value"), args, strict=True)
        fields = tuple(Field(name=name, kind=part, argument=name) for name, part in parts)
        return Array(**about, items=Record(kind=tuple, fields=fields, result=tuple), result=result)
    if result is not tuple or (len(args) == 2 and args[1] is Ellipsis):
        if issubclass(result, (set, frozenset)):
            _require_hashable(args[0], result, f"{path}[]")
        return Array(**about, items=args[0], result=result)
    if all(part == args[0] for part in args):  # () has no items, of any type
        size = (("min_length", len(args)), ("max_length", len(args)))
        about["bounds"] += size
        return Array(**about, items=args[0] if args else NoneType, result=tuple)
    fields = tuple(Field(name=str(n), kind=part, argument=str(n)) for n, part in enumerate(args))
    return Record(**about, fields=fields, result=tuple)


def _require_hashable(kind: Any, result: type, path: str) -> None:
    made = shape_of(kind, path)
    if isinstance(made, (Array, Record)) and made.result.__hash__ is None:
        raise TypeError(
            f"{path}: {show_type(kind)} is not hashable, so it cannot be in a {result.__name__}"
        )


def _choices(values: list[tuple[Any, Any]], path: str) -> tuple[tuple[Any, Any], ...]:
    for plain, _ in values:
        known = plain is None or isinstance(plain, (str, int, float))
        if not known or (isinstance(plain, float) and not math.isfinite(plain)):
            raise TypeError(f"{path}: {plain!r} is not JSON serializable")
    if not values:
        raise TypeError(f"{path}: there are no values")
    return tuple(values)


def _unsupported(kind: Any, path: str) -> TypeError:
    hint = ""
    if kind is Any or kind is object:
        hint = "; use a union of the possible types, such as int | str"
    elif isinstance(kind, TypeVar):
        hint = "; substitute the type variable, as in Page[Item]"
    elif isinstance(kind, str) or type(kind).__name__ == "ForwardRef":
        hint = "; use the type itself instead of its name"
    elif isinstance(kind, type) and issubclass(kind, tuple):
        hint = "; use typing.NamedTuple, whose fields have types"
    elif isinstance(kind, type) and hasattr(kind, "__fspath__"):
        hint = "; use str"
    return TypeError(f"{path}: {show_type(kind)} is not supported{hint}")


def _constraints(metadata: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the descriptions and bounds in the metadata of an ``Annotated``."""
    for note in metadata:
        if isinstance(note, str):
            yield "description", note
        elif not isinstance(note, type):
            for name in ("description", "documentation"):
                if isinstance(getattr(note, name, None), str):
                    yield "description", getattr(note, name)
            for name in (*_ORDER, "multiple_of", *_SIZE, "pattern"):
                limit = getattr(note, name, None)
                limit = getattr(limit, "pattern", limit)  # of a compiled pattern
                if limit is not None and not callable(limit) and limit not in (math.inf, -math.inf):
                    yield name, limit
            grouped = getattr(note, "metadata", None)  # pydantic's Field(gt=0)
            if isinstance(grouped, (list, tuple)):
                yield from _constraints(grouped)


def _alias_target(kind: Any, path: str) -> Any:
    alias = get_origin(kind) or kind
    try:
        target = alias.__value__
    except NameError as error:
        raise TypeError(f"{path}: name {error.name!r} in {alias} is not defined") from None
    return _substitute(target, dict(zip(alias.__type_params__, get_args(kind), strict=False)))


# Fields of classes ----------------------------------------------------------------------------


def _is_typed_dict(cls: Any) -> bool:
    return issubclass(cls, dict) and hasattr(cls, "__total__")


def _is_named(cls: Any) -> bool:
    return issubclass(cls, tuple) and bool(getattr(cls, "__annotations__", None))


def _fields(kind: Any, path: str) -> Iterator[Field]:
    cls = get_origin(kind) or kind
    described: Mapping[str, Mapping[Any, Any]] = {}
    if attrs.has(cls):
        members = [field for field in attrs.fields(cls) if field.init]
        described = {field.name: field.metadata for field in members}
        arguments = {field.name: field.alias or field.name for field in members}
        hints = _hints(kind, path, {field.name: field.type for field in members})
    else:
        hints = _hints(kind, path, {})
        for name, hint in hints.items():
            if isinstance(hint, dataclasses.InitVar):
                raise TypeError(f"{path}.{name}: InitVar is not supported; use a field")
        if dataclasses.is_dataclass(cls):
            described = {f.name: f.metadata for f in dataclasses.fields(cls) if f.init}
            arguments = {name: name for name in described}
        else:
            names = hints if _is_typed_dict(cls) else cls._fields
            arguments = {name: name for name in names}
    for name, argument in arguments.items():
        if hints.get(name) is None:
            raise TypeError(f"{path}.{name}: missing type annotation")
        hint, required = _unwrap_required(hints[name])
        if required is None:
            required = name in getattr(cls, "__required_keys__", arguments)
        dropped = False
        if not required:
            inner = shape_of(hint, f"{path}.{name}")
            dropped = not (isinstance(inner, AnyOf) and NoneType in inner.members)
            hint = Optional[hint]  # noqa: UP045
        text = described.get(name, {}).get("description")
        yield Field(name=name, kind=hint, argument=argument, description=text, drop_null=dropped)


def _unwrap_required(hint: Any) -> tuple[Any, bool | None]:
    """Return a type without ``Required`` and ``NotRequired``, and whether it is required."""
    form = special_form(get_origin(hint))
    if form in ("Required", "NotRequired", "ReadOnly"):
        inner, said = _unwrap_required(get_args(hint)[0])
        return inner, said if form == "ReadOnly" else form == "Required"
    if get_origin(hint) is Annotated:
        inner, said = _unwrap_required(hint.__origin__)
        parts = (inner, *hint.__metadata__)
        return Annotated[parts], said
    return hint, None


def _hints(kind: Any, path: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the annotations of a class and its bases, with type variables substituted."""
    cls = get_origin(kind) or kind
    filled = dict(zip(getattr(cls, "__parameters__", ()), get_args(kind), strict=False))
    hints = dict(known)
    inherited: set[str] = set()
    for base in reversed(vars(cls).get("__orig_bases__", cls.__bases__)):
        owner = get_origin(base) or base
        if isinstance(owner, type) and getattr(owner, "__annotations__", None):
            found = _hints(base, path, {})
            hints |= {name: _substitute(hint, filled) for name, hint in found.items()}
            inherited.update(found if _is_typed_dict(cls) else ())
    own = inspect.get_annotations(cls)
    if not own:
        return hints
    try:
        resolved = _resolve(cls)
    except Exception as error:
        if known and not any(isinstance(hint, str) for hint in known.values()):
            return {name: _substitute(hint, filled) for name, hint in known.items()}
        if not isinstance(error, NameError):
            text = f"{path}: cannot resolve the annotations of {show_type(cls)}: {error}"
            raise TypeError(text) from error
        text = (
            f"{path}: name {error.name!r} in the annotations of {show_type(cls)} is not defined"
            "; define it at the top level of the module"
        )
        raise TypeError(text) from None
    # A TypedDict lists the keys of its bases among its own.
    return hints | {
        name: _substitute(resolved[name], filled) for name in own if name not in inherited
    }


def _resolve(cls: type) -> dict[str, Any]:
    try:
        return get_type_hints(cls, include_extras=True)
    except NameError:
        # Names of local classes are not defined globally; nor are the A of class Box[A].
        names = {variable.__name__: variable for variable in getattr(cls, "__type_params__", ())}
        return get_type_hints(cls, localns={cls.__name__: cls, **names}, include_extras=True)


def _substitute(hint: Any, filled: Mapping[Any, Any]) -> Any:
    """Return a type with its type variables substituted."""
    if isinstance(hint, TypeVar):
        default = getattr(hint, "__default__", None)
        has_default = getattr(hint, "has_default", bool)()
        return filled.get(hint, default if has_default else hint)
    if not filled or is_class(hint):
        return hint
    origin: Any = get_origin(hint)
    if special_form(origin) in ("Required", "NotRequired", "ReadOnly", "Final"):
        return origin[_substitute(get_args(hint)[0], filled)]
    free = getattr(hint, "__parameters__", ())
    return hint[tuple(filled.get(variable, variable) for variable in free)] if free else hint
