"""Shapes: what a Python type is in JSON, as a value.

:func:`chatlib.structured.type_info.shape_of` makes them; schemas and decoders follow from them.
"""

from __future__ import annotations

import datetime
import decimal
import ipaddress
import re
import types
import uuid
from typing import Any, Union, get_args, get_origin

import attrs

Schema = dict[str, Any]
NoneType = type(None)

# No exponent: "1e999999999" would be a number of a gigabyte.
DECIMAL = r"^-?[0-9]+(\.[0-9]+)?$"
BASE64 = r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"

SCALARS: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    bytes: {"type": "string", "pattern": BASE64},
    decimal.Decimal: {"type": "string", "pattern": DECIMAL},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.date: {"type": "string", "format": "date"},
    datetime.time: {"type": "string", "format": "time"},
    datetime.timedelta: {"type": "string", "format": "duration"},
    uuid.UUID: {"type": "string", "format": "uuid"},
    ipaddress.IPv4Address: {"type": "string", "format": "ipv4"},
    ipaddress.IPv6Address: {"type": "string", "format": "ipv6"},
}


@attrs.frozen(eq=False, kw_only=True)
class Shape:
    """The JSON form of a type; each subclass is one kind of form."""

    kind: Any
    """The type, without ``Annotated`` and the like."""
    description: str | None = None
    """The description in an ``Annotated``."""
    bounds: tuple[tuple[str, Any], ...] = ()
    """The constraints in an ``Annotated``, such as ``("gt", 0)``."""


@attrs.frozen(eq=False, kw_only=True)
class Scalar(Shape):
    """A scalar: ``kind`` is a key of :data:`SCALARS`."""


@attrs.frozen(eq=False, kw_only=True)
class Enumeration(Shape):
    """A ``Literal`` or an ``Enum``: pairs of a JSON value and a Python value."""

    values: tuple[tuple[Any, Any], ...]


@attrs.frozen(eq=False, kw_only=True)
class Array(Shape):
    """An array of items of one type, converted with ``result``. Items of a dict are pairs."""

    items: Any
    result: type


@attrs.frozen(eq=False, kw_only=True)
class Field:
    """A property of an object: its name in JSON, its type, and the argument of ``__init__``."""

    name: str
    kind: Any
    argument: str
    description: str | None = None
    drop_null: bool = False
    """Whether null stands for an absent key, which is ``NotRequired``."""


@attrs.frozen(eq=False, kw_only=True)
class Record(Shape):
    """An object with exactly these properties; ``result`` is called with their values."""

    fields: tuple[Field, ...]
    result: Any


@attrs.frozen(eq=False, kw_only=True)
class AnyOf(Shape):
    """A union."""

    members: tuple[Any, ...]


@attrs.frozen(eq=False, kw_only=True)
class Alias(Shape):
    """A named alias, from a ``type X = ...`` statement."""

    target: Any


@attrs.frozen(eq=False, kw_only=True)
class Foreign(Shape):
    """A class of another library, with its own schema and validation."""

    package: str


def special_form(kind: Any) -> str | None:
    """Return the name of a special form of typing or typing_extensions, or None."""
    module = getattr(kind, "__module__", None)
    return getattr(kind, "_name", None) if module in ("typing", "typing_extensions") else None


def is_class(kind: Any) -> bool:
    """Return whether a type is a class, not a generic alias."""
    return isinstance(kind, type) and get_origin(kind) is None  # on Python 3.10, list[int] is one


def show_type(kind: Any) -> str:
    """Return a type in the form of source code."""
    if isinstance(kind, Shape):
        return show_type(kind.kind)
    if kind is NoneType:
        return "None"
    if is_class(kind):
        return str(kind.__name__)
    if get_origin(kind) in (Union, types.UnionType):
        return " | ".join(map(show_type, get_args(kind)))
    if get_origin(kind) is not None and special_form(get_origin(kind)) != "Literal":
        name = getattr(get_origin(kind), "__name__", None) or str(get_origin(kind))
        return f"{name}[{', '.join(map(show_type, get_args(kind)))}]"
    if isinstance(kind, (list, tuple)):
        return str(kind)
    return "..." if kind is Ellipsis else re.sub(r"\b(typing|typing_extensions)\.", "", repr(kind))
