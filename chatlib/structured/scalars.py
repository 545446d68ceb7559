"""Decoding of scalars, and of the values of a ``Literal`` or ``Enum``."""

from __future__ import annotations

import base64
import datetime
import decimal
import ipaddress
import math
import operator
import re
import uuid
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from chatlib.structured.problems import Hook, HookOf, Mismatch, describe, expected, truncate
from chatlib.structured.shapes import (
    BASE64,
    DECIMAL,
    Enumeration,
    NoneType,
    Scalar,
    Shape,
)


def _exact(kind: type, what: str) -> Hook:
    def parse(value: Any, _: Any) -> Any:
        if value.__class__ is not kind:
            raise expected(what, value)
        return value

    return parse


def _integer(value: Any, _: Any) -> int:
    if value.__class__ is int:
        return value
    if value.__class__ is float and value.is_integer():
        return int(value)
    raise expected("an integer", value)


def _float(value: Any, _: Any) -> float:
    if value.__class__ is float:
        if not math.isfinite(value):
            raise Mismatch("the number is too large, or not finite", value)
        return value
    if value.__class__ is not int:
        raise expected("a number", value)
    try:
        return float(value)
    except OverflowError as error:
        raise Mismatch("the number is too large for a float", value, error) from None


def _parsed_string(what: str, pattern: str, make: Callable[[re.Match[str]], Any]) -> Hook:
    """Return a hook for strings of one format.

    Args:
        what: The format in words, for errors.
        pattern: The regular expression that the whole string must match.
        make: Converts the match into a value.
    """
    match = re.compile(pattern, re.ASCII).fullmatch

    def parse(value: Any, _: Any) -> Any:
        if not isinstance(value, str):
            raise expected(f"{what} in a string", value)
        found = match(value)
        if found is None:
            raise expected(what, value)
        try:
            return make(found)
        except (ValueError, ArithmeticError) as error:
            raise Mismatch(
                f"expected {what}, got {describe(value)}: {error}", value, error
            ) from None

    return parse


_DATE = r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
_TIME = r"(?P<time>[0-9]{2}:[0-9]{2}(:[0-9]{2})?)(\.(?P<fraction>[0-9]+))?"
_ZONE = r"(?P<zone>[Zz]|[+-][0-9]{2}:[0-9]{2})?"
_DURATION = (
    r"(?P<sign>[+-])?P(?=[0-9T])((?P<weeks>[0-9]+)W)?((?P<days>[0-9]+)D)?"
    r"(T(?=[0-9])((?P<hours>[0-9]+)H)?((?P<minutes>[0-9]+)M)?"
    r"((?P<seconds>[0-9]+)([.,](?P<fraction>[0-9]+))?S)?)?"
)


def _microseconds(found: re.Match[str]) -> str:
    return (found["fraction"] or "")[:6].ljust(6, "0")


def _time_text(found: re.Match[str]) -> str:
    # The only format that Python 3.10 reads.
    time = found["time"] if found["time"].count(":") == 2 else found["time"] + ":00"
    zone = (found["zone"] or "").upper().replace("Z", "+00:00")
    return f"{time}.{_microseconds(found)}{zone}"


def _duration(found: re.Match[str]) -> datetime.timedelta:
    names = ("weeks", "days", "hours", "minutes", "seconds")
    parts = {name: int(found[name] or 0) for name in names}
    length = datetime.timedelta(**parts, microseconds=int(_microseconds(found)))
    return -length if found["sign"] == "-" else length


_PARSERS: dict[Any, Hook] = {
    str: _exact(str, "a string"),
    int: _integer,
    float: _float,
    bool: _exact(bool, "true or false"),
    NoneType: _exact(NoneType, "null"),
    bytes: _parsed_string("base64", BASE64, lambda found: base64.b64decode(found[0])),
    decimal.Decimal: _parsed_string("a decimal number", DECIMAL, lambda m: decimal.Decimal(m[0])),
    datetime.datetime: _parsed_string(
        "a date and time (such as 2024-02-28T12:30:00Z)",
        f"{_DATE}[Tt ]{_TIME}{_ZONE}",
        lambda found: datetime.datetime.fromisoformat(f"{found['date']}T{_time_text(found)}"),
    ),
    datetime.date: _parsed_string(
        "a date (such as 2024-02-28)", _DATE, lambda m: datetime.date.fromisoformat(m[0])
    ),
    datetime.time: _parsed_string(
        "a time (such as 12:30:00)",
        f"{_TIME}{_ZONE}",
        lambda found: datetime.time.fromisoformat(_time_text(found)),
    ),
    datetime.timedelta: _parsed_string("a duration (such as P1DT2H30M)", _DURATION, _duration),
    uuid.UUID: _parsed_string(
        "a UUID", "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", lambda m: uuid.UUID(m[0])
    ),
    ipaddress.IPv4Address: _parsed_string(
        "an IPv4 address", "[0-9.]+", lambda m: ipaddress.IPv4Address(m[0])
    ),
    ipaddress.IPv6Address: _parsed_string(
        "an IPv6 address", "[0-9a-fA-F:.]+", lambda m: ipaddress.IPv6Address(m[0])
    ),
}
_BOUND_CHECKS: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
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


def check_bounds(shape: Shape, made: Any, value: Any) -> None:
    """Check a decoded value against the bounds of its shape.

    Args:
        shape: The shape, with its bounds.
        made: The decoded value.
        value: The JSON value, for the error.

    Raises:
        Mismatch: The value is out of bounds.
    """
    for name, limit in shape.bounds:
        test, words = _BOUND_CHECKS[name]
        if isinstance(made, decimal.Decimal):
            limit = decimal.Decimal(str(limit))  # 0.1 means 0.1
        try:
            good = test(made, limit)
        except TypeError as error:  # such as a time zone against none
            raise Mismatch(f"{describe(value)} cannot be compared: {error}", value, error) from None
        if not good:
            what = words.format(limit)
            if isinstance(made, (str, bytes)):
                what = what.replace("items", "characters" if isinstance(made, str) else "bytes")
            raise Mismatch(f"{describe(value)} is not {what}", value)


def scalar_hook(shape: Scalar, _: HookOf) -> Hook:
    """Return the hook of a scalar."""
    parse = _PARSERS[shape.kind]

    def bounded(value: Any, _: Any) -> Any:
        made = parse(value, None)
        check_bounds(shape, made, value)
        return made

    return bounded if shape.bounds else parse


def json_key(value: Any) -> tuple[bool, Any]:
    """Return a dict key for a JSON scalar: 1 and 1.0 are equal, and neither equals true."""
    return value.__class__ is bool, value


def enumeration_hook(shape: Enumeration, _: HookOf) -> Hook:
    """Return the hook of a ``Literal`` or ``Enum``."""
    meanings = {json_key(plain): meaning for plain, meaning in reversed(shape.values)}
    words = truncate(", ".join(describe(plain) for plain, _ in shape.values), 200)

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, (dict, list)) and json_key(value) in meanings:
            return meanings[json_key(value)]
        raise Mismatch(
            f"expected {'one of ' * (len(meanings) > 1)}{words}, got {describe(value)}", value
        )

    return hook
