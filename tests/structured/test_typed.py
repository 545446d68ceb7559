"""JSON becomes what its type says or an error that says where not, as the schema would have it."""

from __future__ import annotations

import base64
import collections
import copy
import dataclasses
import datetime
import decimal
import enum
import functools
import gc
import ipaddress
import json
import pickle
import re
import subprocess
import sys
import threading
import uuid
import weakref
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypeVar, Union

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import NotRequired, TypedDict

from chatlib.structured.decoder import (
    DecodeError,
    decode,
    decode_json,
    decode_response,
    make_typed_converter,
)
from chatlib.structured.json_schema import json_schema
from tests.faces import run_threads

T = TypeVar("T")


class Bound:
    """A note for an Annotated: it has attributes of these names."""

    def __init__(self, **limits: Any) -> None:
        vars(self).update(limits)

    def __repr__(self) -> str:
        return f"Bound({vars(self)})"


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Mixed(enum.Enum):
    A = "a"
    ONE = 1
    NONE = None


class Word(str, enum.Enum):
    YES = "yes"
    NO = "no"


class Size(enum.IntEnum):
    S = 1
    L = 3


@attrs.frozen
class Item:
    name: str
    price: float = 1.0


@attrs.define
class Order:
    lines: list[Item]
    note: str | None = None


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Pair(NamedTuple):
    left: int
    right: str = "r"


class Movie(TypedDict):
    name: str
    year: NotRequired[int]
    note: NotRequired[str | None]


@attrs.define
class Node:
    value: int
    children: list[Node]


@attrs.define
class Person:
    name: str
    employer: Company | None


@attrs.define
class Company:
    staff: list[Person]


@attrs.define
class Page(Generic[T]):
    items: list[T]
    next: Page[T] | None = None


@attrs.define
class Cat:
    kind: Literal["cat"]
    lives: int


@attrs.define
class Dog:
    kind: Literal["dog", "puppy"]
    lives: bool


@attrs.define
class Private:
    _secret: int
    __hidden: int = 3  # noqa: RUF100  # attrs and Python each have their rule for the name
    made: int = attrs.field(init=False, default=7)


@attrs.define
class Nothing:
    pass


UserId = NewType("UserId", int)


# Instances, their JSON and back


def plain(value: Any) -> Any:
    """A value as the JSON that its type's schema describes, for most types."""
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if attrs.has(type(value)):
        return {f.name: plain(getattr(value, f.name)) for f in attrs.fields(type(value)) if f.init}
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if hasattr(value, "_asdict"):
        return {name: plain(part) for name, part in value._asdict().items()}
    if isinstance(value, dict):
        return [{"key": plain(key), "value": plain(part)} for key, part in value.items()]
    if isinstance(value, (list, tuple, set, frozenset, collections.deque)):
        return [plain(part) for part in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.timedelta):
        parts = abs(value)
        seconds = f"{parts.seconds}.{parts.microseconds:06}"
        return f"{'-' if value < datetime.timedelta() else ''}P{parts.days}DT{seconds}S"
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (uuid.UUID, ipaddress.IPv4Address, ipaddress.IPv6Address)):
        return str(value)
    return value


def numbered(value: tuple[Any, ...]) -> Any:
    """A tuple of several types is an object."""
    return {str(index): plain(part) for index, part in enumerate(value)}


def with_nulls(value: Any) -> Any:
    """A key that a TypedDict need not have is null."""
    return {"name": None, "year": None, "note": None, **value}


TEXT = st.text(max_size=5)
INTS = st.integers(-(10**6), 10**6)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
OFFSETS = st.sampled_from([None, datetime.timezone.utc]) | st.builds(
    datetime.timezone, st.timedeltas(datetime.timedelta(hours=-23), datetime.timedelta(hours=23))
    .map(lambda delta: datetime.timedelta(minutes=delta // datetime.timedelta(minutes=1)))
)  # fmt: skip
ITEMS = st.builds(Item, TEXT, FLOATS)
NODES: Any = st.deferred(lambda: st.builds(Node, INTS, st.lists(NODES, max_size=2)))
PERSONS: Any = st.deferred(lambda: st.builds(Person, TEXT, st.none() | COMPANIES))
COMPANIES: Any = st.builds(Company, st.lists(PERSONS, max_size=2))

CASES: list[tuple[Any, st.SearchStrategy[Any]] | tuple[Any, st.SearchStrategy[Any], Any]] = [
    (str, TEXT),
    (int, st.integers()),
    (float, FLOATS),
    (bool, st.booleans()),
    (type(None), st.none()),
    (bytes, st.binary(max_size=9)),
    (decimal.Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    (datetime.datetime, st.datetimes(timezones=OFFSETS)),
    (datetime.date, st.dates()),
    (datetime.time, st.times(timezones=OFFSETS)),
    (datetime.timedelta, st.timedeltas()),
    (uuid.UUID, st.uuids()),
    (ipaddress.IPv4Address, st.ip_addresses(v=4)),
    (ipaddress.IPv6Address, st.ip_addresses(v=6)),
    (UserId, INTS),
    (Literal["a", 1, None, True, Color.RED], st.sampled_from(["a", 1, None, True, Color.RED])),
    (Color, st.sampled_from(Color)),
    (Mixed, st.sampled_from(Mixed)),
    (Word, st.sampled_from(Word)),
    (Size, st.sampled_from(Size)),
    (list[int], st.lists(INTS)),
    (Sequence[float], st.lists(FLOATS)),
    (set[str], st.sets(TEXT)),
    (frozenset[int], st.frozensets(INTS)),
    (collections.deque[int], st.lists(INTS).map(collections.deque)),
    (tuple[int, ...], st.lists(INTS).map(tuple)),
    (tuple[int, int], st.tuples(INTS, INTS)),
    (tuple[int, str, Item], st.tuples(INTS, TEXT, ITEMS), numbered),
    (dict[str, int], st.dictionaries(TEXT, INTS)),
    (dict[Color, list[Item]], st.dictionaries(st.sampled_from(Color), st.lists(ITEMS, max_size=2))),
    (dict[Pair, bool], st.dictionaries(st.builds(Pair, INTS, TEXT), st.booleans())),
    (int | None, st.none() | INTS),
    (int | float | str | bool, INTS | FLOATS | TEXT | st.booleans()),
    (int | list[int] | Item, INTS | st.lists(INTS) | ITEMS),
    (list[int] | list[str], st.lists(INTS, min_size=1) | st.lists(TEXT)),
    (Item, ITEMS),
    (Order, st.builds(Order, st.lists(ITEMS, max_size=3), st.none() | TEXT)),
    (Point, st.builds(Point, INTS, INTS)),
    (Pair, st.builds(Pair, INTS, TEXT)),
    (Nothing, st.builds(Nothing)),
    (Movie, st.builds(dict, name=TEXT, note=st.none() | TEXT), with_nulls),
    (Movie, st.builds(dict, name=TEXT, year=INTS, note=st.none() | TEXT), with_nulls),
    (Node, NODES),
    (Person, PERSONS),
    (Page[Item], st.builds(Page, st.lists(ITEMS, max_size=2), st.none())),
    (Page[int | None], st.builds(Page, st.lists(st.none() | INTS), st.none())),
    (Item | Point | Pair, ITEMS | st.builds(Point, INTS, INTS) | st.builds(Pair, INTS, TEXT)),
    (Cat | Dog, st.builds(Cat, st.just("cat"), INTS)
     | st.builds(Dog, st.sampled_from(["dog", "puppy"]), st.booleans())),
    (Annotated[int, Bound(ge=-5, lt=5, multiple_of=2)], st.sampled_from([-4, -2, 0, 2, 4])),
    (Annotated[float, Bound(gt=0, le=1.5)], st.floats(0.1, 1.5)),
    (Annotated[str, Bound(min_length=1, max_length=3)], st.text(min_size=1, max_size=3)),
    (Annotated[str, Bound(pattern="^a|b$")], st.sampled_from(["a", "ab", "xb"])),
    (Annotated[list[int], Bound(min_length=1, max_length=2)], st.lists(INTS, min_size=1, max_size=2)),  # noqa: E501
]  # fmt: skip

ATOMS = [None, True, False, 0, 1, -1, 3, 1.0, 1.5, 10**30, 1e300, "", "a", "red", "dog", "cat"]
ATOMS += ["65", "1.5", "-1.50", "1e5", "AA==", "AA=", "2024-02-29", "2023-02-29", "P1DT2H", "P"]
ATOMS += ["2024-02-28T12:30:00Z", "2024-02-28T25:30:00Z", "12:30:00.5+01:00", "1.2.3.4", "::1"]
ATOMS += ["12345678-1234-1234-1234-123456789abc", "12345678123412341234123456789abc", [], {}]


@st.composite
def mutated(draw: Callable[[Any], Any], value: Any) -> Any:
    """JSON with one or two things changed: replaced, removed, added, or put elsewhere."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 2))):
        places: list[tuple[Any, Any]] = []
        holders = [value]
        for holder in holders:
            if isinstance(holder, (dict, list)):
                keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
                places += [(holder, key) for key in keys]
                holders += [holder[key] for key in keys]
        atom = copy.deepcopy(draw(st.sampled_from(ATOMS)))
        holder, key = draw(st.sampled_from([(None, None), *places]))
        how = draw(st.sampled_from(["replace", "remove", "add", "wrap"]))
        if holder is None:
            value = [value] if how == "wrap" else atom
        elif how == "remove":
            del holder[key]
        elif how == "wrap":
            holder[key] = [holder[key]]
        elif how == "add" and isinstance(holder, dict):
            holder[draw(st.sampled_from(["extra", "0", "name"]))] = atom
        elif how == "add":
            holder.append(atom)
        else:
            holder[key] = atom
    return value


@functools.cache
def validator(kind: Any) -> Any:
    """What says whether JSON fits the schema of a type, formats included."""
    jsonschema = pytest.importorskip("jsonschema")
    formats = jsonschema.FormatChecker(formats=["date", "ipv4", "ipv6"])

    def check(name: str, *forms: str) -> None:
        def right(text: Any) -> bool:
            if not isinstance(text, str):
                return True
            for form in forms:
                try:
                    datetime.datetime.strptime(text, form)
                except ValueError:
                    continue
                return True
            return False

        formats.checks(name)(right)

    times = [f"%H:%M:%S{f}{z}" for f in ("", ".%f") for z in ("", "%z")]
    check("time", *times)
    check("date-time", *(f"%Y-%m-%dT{time}" for time in times))
    formats.checks("uuid")(lambda v: not isinstance(v, str) or bool(re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", v)))  # fmt: skip  # noqa: E501
    formats.checks("duration")(lambda v: not isinstance(v, str) or bool(re.fullmatch(r"-?P\d+DT(\d+H|\d+\.\d+S)", v)))  # fmt: skip  # noqa: E501
    return jsonschema.Draft202012Validator(json_schema(kind), format_checker=formats)


def taken(kind: Any, value: Any) -> bool | None:
    """Whether the decoder takes it; None where it objects to what no schema can forbid."""
    try:
        decode(kind, value)
    except DecodeError as error:
        return None if "duplicate key" in str(error) else False
    return True


CASE_NAMES = [repr(case[0]) for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=CASE_NAMES)
@given(data=st.data())
def test_round_trip(case: Any, data: st.DataObject) -> None:
    """An instance as JSON fits the schema, and is decoded to an equal instance of equal types."""
    kind, strategy, to_json = (*case, plain)[:3]
    value = data.draw(strategy)
    sent = to_json(value)
    assert validator(kind).is_valid(sent)
    came = decode_json(kind, json.dumps(sent))
    assert value == came
    assert type(value) is type(came)


@pytest.mark.parametrize("case", CASES, ids=CASE_NAMES)
@given(data=st.data())
def test_agreement(case: Any, data: st.DataObject) -> None:
    """The decoder takes what the schema allows, and nothing else."""
    kind, strategy, to_json = (*case, plain)[:3]
    value = data.draw(mutated(to_json(data.draw(strategy))))
    expected = validator(kind).is_valid(value)
    if taken(kind, value) is not None:
        assert expected == taken(kind, value)


# What is taken, in particular

NEW_YEAR = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    ("expected", "kind", "value"),
    [
        (65.0, float, 65),
        (65, int, 65.0),
        (1, Literal[1], 1.0),
        (True, Literal[1, True], True),
        (Size.L, Size, 3),
        (2**70, int | float, 2**70),
        (1.0, int | float, 1.0),
        (b"\x00", bytes, "AA=="),
        (decimal.Decimal("0.10"), decimal.Decimal, "0.10"),
        (decimal.Decimal("0.1"), Annotated[decimal.Decimal, Bound(ge=0.1)], "0.1"),
        (0.3, Annotated[float, Bound(multiple_of=0.1)], 0.3),
        ({1, 2}, set[int], [1, 2, 2]),
        (datetime.date(2024, 2, 29), datetime.date | str, "2024-02-29"),
        ("2024-02-30", datetime.date | str, "2024-02-30"),
        ("2024-02-29", str | datetime.date, "2024-02-29"),
        (datetime.timedelta(1, 7384, 500_000), datetime.timedelta, "P1DT2H3M4.5S"),
        (datetime.timedelta(weeks=2), datetime.timedelta, "P2W"),
        (datetime.timedelta(hours=-36), datetime.timedelta, "-PT36H"),
        (datetime.time(12, 30), datetime.time, "12:30"),
        (
            datetime.datetime(2024, 2, 28, 12, 30, 0, 123456, datetime.timezone.utc),
            datetime.datetime,
            "2024-02-28T12:30:00.123456789Z",
        ),
        (datetime.datetime(2024, 2, 28, 12, 30), datetime.datetime, "2024-02-28 12:30"),
        ({"name": "a", "note": None}, Movie, {"name": "a", "year": None, "note": None}),
        ({UserId(1): "a"}, dict[UserId, str], [{"key": 1, "value": "a"}]),
        ((), tuple[()], []),
    ],
)  # fmt: skip
def test_taken(expected: Any, kind: Any, value: Any) -> None:
    """What is not quite obvious is taken nevertheless, and has the class that it should."""
    came = decode(kind, value)
    assert expected == came
    assert type(expected) is type(came)


@pytest.mark.parametrize(
    ("expected", "kind", "value"),
    [
        ('$: expected a number, got "65"', float, "65"),
        ("$: expected true or false, got 1", bool, 1),
        ("$: expected an integer, got 1.5", int, 1.5),
        ("$: expected an integer, got true", int, True),
        ("$: expected a number, got true", float, True),
        ("$: expected a string, got 65", str, 65),
        ("$: expected null, got 0", None, 0),
        ("$: expected 1, got true", Literal[1], True),
        ("$: expected true, got 1", Literal[True], 1),
        ('$: expected one of "red", "blue", got "green"', Color, "green"),
        ('$: expected one of "red", "blue", got an array of 0', Color, []),
        ("$: the number is too large, or not finite", float, float("nan")),
        ("$: the number is too large for a float", float, 10**400),
        ("$: expected an integer, got Infinity", int, float("inf")),
        ("$: expected a decimal number in a string, got 1.5", decimal.Decimal, 1.5),
        ('$: expected a decimal number, got "NaN"', decimal.Decimal, "NaN"),
        ('$: expected a decimal number, got "1\\n"', decimal.Decimal, "1\n"),
        ('$: expected base64, got "AAA"', bytes, "AAA"),
        ('$: expected a date (such as 2024-02-28), got "20240228"', datetime.date, "20240228"),
        ('"2024-02-30": day is out of range', datetime.date, "2024-02-30"),
        ("expected a date and time", datetime.datetime, "2024-02-28"),
        ("expected a duration", datetime.timedelta, "P1M"),
        ("expected a duration", datetime.timedelta, "PT"),
        ("expected a duration", datetime.timedelta, "P999999999999D"),
        ("expected a UUID", uuid.UUID, "12345678123412341234123456789abc"),
        ("$: 0 is not greater than 0", Annotated[int, Bound(gt=0)], 0),
        ("$: 7 is not a multiple of 5", Annotated[int, Bound(multiple_of=5)], 7),
        ('$: "" is not of at least 1 characters', Annotated[str, Bound(min_length=1)], ""),
        ('$: "b" is not a match of ^a', Annotated[str, re.compile("^a")], "b"),
        ('$: "-1" is not at least 0', Annotated[decimal.Decimal, Bound(ge=0)], "-1"),
        ("is not of at most 1 bytes", Annotated[bytes, Bound(max_length=1)], "AAA="),
        ("is not of at least 2 items", Annotated[list[int], Bound(min_length=2)], [1]),
        ("is not of at least 2 items", Annotated[set[int], Bound(min_length=2)], [1, 1]),
        (
            '"2024-01-01T00:00:00" cannot be compared',
            Annotated[datetime.datetime, Bound(ge=NEW_YEAR)],
            "2024-01-01T00:00:00",
        ),
        ("$: expected an array, got an object with no keys", list[int], {}),
        ("$: expected an object, got an array of 1", Item, [1]),
        ("$[1]: expected an integer", list[int], [1, "2"]),
        ('$.lines[1].price: expected a number, got "65"', Order,
         {"lines": [{"name": "a", "price": 1}, {"name": "a", "price": "65"}], "note": None}),
        ('$: missing property "price"', Item, {"name": "a"}),
        ('$: unknown property "size"', Item, {"name": "a", "price": 1, "size": 2}),
        ('$["1"]: expected a string, got 2', tuple[int, str], {"0": 1, "1": 2}),
        ("is not of at most 2 items", tuple[int, int], [1, 2, 3]),
        ("$: duplicate key", dict[str, int], [{"key": "a", "value": 1}] * 2),
        ("$[0].key: expected a string", dict[str, int], [{"key": 1, "value": 1}]),
        ("$: missing property \"year\"", Movie, {"name": "a", "note": None}),
    ],
)  # fmt: skip
def test_refused(expected: str, kind: Any, value: Any) -> None:
    """Nothing is coerced silently; the error has the path and the value."""
    with pytest.raises(DecodeError, match=re.escape(expected)):
        decode(kind, value)


def test_private_names() -> None:
    """A private field is called in JSON what it is called on the object."""
    name = attrs.fields(Private)[1].name
    came = decode(Private, {"_secret": 1, name: 2})
    assert (1, 2, 7) == (came._secret, getattr(came, name), came.made)


# Errors


def test_error() -> None:
    """It has the path, the value and all problems, and survives a pickle."""
    value = {"lines": [{"name": 1, "price": "x"}, {"name": "a"}], "note": 2}
    with pytest.raises(DecodeError) as caught:
        decode(Order, value, path="choices[0]")
    error = caught.value
    assert "choices[0].lines[0].name" == error.path
    assert 1 == error.value
    assert [
        ("choices[0].lines[0].name", "expected a string, got 1"),
        ("choices[0].lines[0].price", 'expected a number, got "x"'),
        ("choices[0].lines[1]", 'missing property "price"'),
        ("choices[0].note", "expected str or None, got 2"),
    ] == error.problems
    assert str(error) == "; ".join(f"{path}: {text}" for path, text in error.problems)
    twin = pickle.loads(pickle.dumps(error))
    assert (str(error), error.path, error.problems) == (str(twin), twin.path, twin.problems)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (list[int], ["x" * 10**6] * 10**5),
        (Item, dict.fromkeys(map(str, range(10**5)))),
        (Item, {"x" * 10**6: 1}),
        (Literal["a"], "x" * 10**6),
        (int, "\ud800" * 10**6),
    ],
)
def test_error_is_short(kind: Any, value: Any) -> None:
    """A message is of a sane length and can be printed, whatever came."""
    with pytest.raises(DecodeError) as caught:
        decode(kind, value)
    assert len(str(caught.value).encode()) < 2000
    assert len(caught.value.problems) <= 5


def test_checks_of_the_class() -> None:
    """Converters, validators and __init__ run; what they raise is an error with the path."""

    @attrs.define
    class Checked:
        x: int = attrs.field(validator=attrs.validators.lt(5))
        y: str = attrs.field(converter=str.upper)

    assert "A" == decode(Checked, {"x": 1, "y": "a"}).y

    @dataclasses.dataclass
    class Strict:
        checked: list[Checked]  # type: ignore[valid-type,unused-ignore]

        def __post_init__(self) -> None:
            if not self.checked:
                raise LookupError("nothing there")

    Strict.__annotations__["checked"] = list[Checked]
    with pytest.raises(
        DecodeError, match=r"^\$: Strict rejects it: LookupError: nothing"
    ) as caught:
        decode(Strict, {"checked": []})
    assert isinstance(caught.value.__cause__, LookupError)
    with pytest.raises(DecodeError, match=r"^\$.checked\[0\]: Checked rejects it: ValueError: 'x'"):
        decode(Strict, {"checked": [{"x": 5, "y": "a"}]})


def test_endless_init() -> None:
    """A class that never comes to an end is an error like any other."""

    @attrs.define
    class Endless:
        x: int

        def __attrs_post_init__(self) -> None:
            Endless(self.x)

    with pytest.raises(DecodeError, match="nested too deeply"):
        decode(Endless, {"x": 1})


# Unions


def test_discriminated_union() -> None:
    """A Literal field says which member is meant; the error is that member's own."""
    assert Cat("cat", 9) == decode(Cat | Dog, {"kind": "cat", "lives": 9})
    with pytest.raises(DecodeError, match=r"^\$.lives: expected true or false, got 9$"):
        decode(Cat | Dog, {"kind": "puppy", "lives": 9})
    with pytest.raises(
        DecodeError, match=r'^\$.kind: expected one of "cat", "dog", "puppy", got 1'
    ):
        decode(Cat | Dog, {"kind": 1, "lives": 9})
    with pytest.raises(DecodeError, match=r'^\$: missing property "kind"'):
        decode(Cat | Dog | None, {"lives": 9})


def test_discriminated_by_an_enum() -> None:
    """A literal member of an enum tells members apart as well."""
    red = attrs.make_class("R", {"kind": attrs.field(type=Literal[Color.RED])})
    blue = attrs.make_class("B", {"kind": attrs.field(type=Literal[Color.BLUE])})
    assert isinstance(decode(Union[red, blue], {"kind": "blue"}), blue)  # noqa: UP007


def test_values_in_common_discriminate_nothing() -> None:
    """Where two members have one value of a Literal in common, what fits is found by trying."""
    one = attrs.make_class(
        "One", {"k": attrs.field(type=Literal["a", "b"]), "x": attrs.field(type=int)}
    )
    two = attrs.make_class("Two", {"k": attrs.field(type=Literal["b"]), "x": attrs.field(type=str)})
    assert isinstance(decode(one | two, {"k": "b", "x": 1}), one)
    assert isinstance(decode(two | one, {"k": "b", "x": 1}), one)
    assert isinstance(decode(one | two, {"k": "b", "x": "s"}), two)


def test_union_in_order() -> None:
    """Without a discriminator it is the first that fits; the error says what each lacks."""

    class Same(NamedTuple):
        x: int
        y: int

    assert isinstance(decode(Union[Point, Same], {"x": 1, "y": 2}), Point)  # noqa: UP007
    assert isinstance(decode(Union[Same, Point], {"x": 1, "y": 2}), Same)  # noqa: UP007
    with pytest.raises(
        DecodeError,
        match=r'^\$: not Item \(missing property "name"\); not Pair \(.left: expected an',
    ):
        decode(Item | Pair, {"left": "x", "right": "r"})
    with pytest.raises(DecodeError, match=r"^\$: expected int or Item or None, got \"x\"$"):
        decode(int | Item | None, "x")


def test_each_union_in_its_own_order() -> None:
    """The order is that of the field, even where another field has the other order."""

    class Same(NamedTuple):
        x: int
        y: int

    both = attrs.make_class(
        "Both",
        {
            "a": attrs.field(type=Union[Point, Same]),  # noqa: UP007
            "b": attrs.field(type=Union[Same, Point]),  # noqa: UP007
        },
    )
    came = decode(both, {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 2}})
    assert [Point, Same] == [type(came.a), type(came.b)]


@attrs.define
class Add:
    left: Expr
    right: int


@attrs.define
class Mul:
    left: Expr
    right: str


Expr = Union[Add, Mul, int]  # noqa: UP007


@pytest.mark.parametrize("leaf", [1, "bad"])
def test_union_is_linear(leaf: Any) -> None:
    """Members that are alike until their end are not tried again at each level."""
    value = leaf
    for _ in range(60):
        value = {"left": value, "right": "x"}
    if leaf == 1:
        assert isinstance(decode(Expr, value), Mul)
    else:
        with pytest.raises(DecodeError, match=r"^\$(\.left){30}"):
            decode(Expr, value)


# Text


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("$: not JSON: empty text", " "),
        ("$: not JSON: Expecting value: line 1 column 1 (char 0): \"```json", "```json\n{}\n```"),
        ("the text is incomplete", '{"value": 1, "children": ['),
        ("string starting at: line 1 column 11 (char 10), the text is incomplete", '{"value": "ab'),
        ("$: not JSON: Extra data", '{"value": 1, "children": []} ok'),
        ("$: not JSON: NaN is not allowed in JSON", '{"value": NaN}'),
        ("$: not JSON: -Infinity is not allowed in JSON", '{"value": -Infinity}'),
        ('$: duplicate key "value"', '{"value": 1, "value": 2, "children": []}'),
        ('$.children[1]: duplicate key "value"',
         '{"value": 1, "children": [{}, {"value": 1, "value": 1}]}'),
        ("$.value: expected an integer, got Infinity", '{"value": 1e999, "children": []}'),
        ("$: expected an object, got null", "null"),
        ("$: not JSON: 'utf-8' codec can't decode", b"\xff"),
    ],
)  # fmt: skip
def test_bad_text(expected: str, text: Any) -> None:
    """What is wrong with a text is said clearly."""
    with pytest.raises(DecodeError, match=re.escape(expected)) as caught:
        decode_json(Node, text)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("levels", [200, 5_000, 100_000])
@pytest.mark.parametrize("parts", [("[", "]"), ('{"value":1,"children":[', "]}")])
def test_deep_text(levels: int, parts: tuple[str, str]) -> None:
    """Nesting is either read or an error, never a crash."""
    start, end = parts
    text = start * levels + end * levels
    if levels == 200 and start != "[":
        assert 1 == decode_json(Node, text).value
    else:
        with pytest.raises(DecodeError, match=r"nested too deeply|expected an object"):
            decode_json(Node, text)


def test_long_text() -> None:
    """20 MB in one string are read; as an error, they make a short message."""
    text = json.dumps("x" * 20_000_000)
    assert 20_000_000 == len(decode_json(str, text))
    with pytest.raises(DecodeError) as caught:
        decode_json(int, text)
    assert len(str(caught.value)) < 200


def test_response() -> None:
    """What response_schema wrapped is unwrapped, with paths as they are in the text."""
    assert [1, 2] == decode_response(list[int], '{"value": [1, 2]}')
    assert Item("a", 1.0) == decode_response(Item, '{"name": "a", "price": 1}')
    assert decode_response(int | None, b'{"value": null}') is None
    with pytest.raises(DecodeError, match=r"^\$.value\[0\]: expected an integer"):
        decode_response(list[int], '{"value": ["x"]}')
    with pytest.raises(DecodeError, match=r"expected an object, got an array of 2"):
        decode_response(list[int], "[1, 2]")


# The converter and its memory


def test_loads_nothing_of_others() -> None:
    """pydantic and msgspec, even where they are installed, are left alone."""
    code = (
        "import sys, attrs, chatlib.structured.decoder as typed\n"
        "made = attrs.make_class('Made', {'x': attrs.field(type=int)})\n"
        "assert typed.decode(made, {'x': 1}).x == 1\n"
        "assert not {'pydantic', 'msgspec', 'requests', 'typing_extensions'} & set(sys.modules) - "
        "set(before)"
    )
    code = "import sys, cattrs; before = list(sys.modules)\n" + code
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_unsupported() -> None:
    """A type without a schema is not decoded either."""
    with pytest.raises(TypeError, match=r"^list\[complex\]\[\]: complex is not supported"):
        decode(list[complex], [])


def test_unhashable_notes() -> None:
    """An Annotated may hold anything."""
    kind = Annotated[int, [], Bound(gt=0)]
    assert 1 == decode(kind, 1)
    assert [1] == decode(list[kind], [1])


def test_converter() -> None:
    """It is one of cattrs, and structures types as well as parts of them."""
    converter = make_typed_converter()
    assert Item("a", 1.0) == converter.structure({"name": "a", "price": 1}, Item)
    assert [Word.YES] == converter.structure(["yes"], list[Word])
    assert 1 == converter.structure(1, int)


def test_classes_can_go() -> None:
    """Of classes that nobody holds any more, only the last few hundred are kept."""
    alive: weakref.WeakSet[type] = weakref.WeakSet()
    for _ in range(600):
        made = attrs.make_class("Made", {"x": attrs.field(type=int)})
        alive.add(made)
        decode(made, {"x": 1})
        del made
    gc.collect()
    assert 300 > len(alive)


def test_threads() -> None:
    """Several threads may meet a type for the first time at once."""
    made = attrs.make_class("Made", {"x": attrs.field(type=Node | None)})
    results: list[Any] = []
    value = {"x": {"value": 1, "children": [{"value": 2, "children": []}]}}
    threads = [
        threading.Thread(target=lambda: results.append(decode(made, value))) for _ in range(8)
    ]
    run_threads(threads)
    assert [made(Node(1, [Node(2, [])]))] * 8 == results


def test_decoding_within_decoding() -> None:
    """A class may decode in its own __init__."""

    @attrs.define
    class Outer:
        text: str
        inner: Any = attrs.field(init=False)

        def __attrs_post_init__(self) -> None:
            self.inner = decode_json(Item | Pair, self.text)

    text = '{"left": 1, "right": "r"}'
    assert Pair(1, "r") == decode(Outer, {"text": text}).inner
    with pytest.raises(DecodeError, match=r"^\$: Outer rejects it: DecodeError: \$: not JSON"):
        decode(Outer, {"text": "{"})
