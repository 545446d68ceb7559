"""Beside the official package: its schema of a pydantic twin takes what ours takes.

Each row of the table is the type of a field, put once into an attrs class and once into a pydantic
model. Values are made from both schemas, and changed; what one takes, the other must take.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import ipaddress
import json
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypeVar

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import Doc, NotRequired, Required, TypedDict

from chatlib.structured.decoder import DecodeError, decode, decode_json
from chatlib.structured.json_schema import json_schema, response_schema
from tests.structured.test_schema import strict_problems
from tests.structured.test_typed import mutated

jsonschema = pytest.importorskip("jsonschema")
pydantic = pytest.importorskip("pydantic")
official = pytest.importorskip("openai.lib._pydantic")
annotated_types = pytest.importorskip("annotated_types")

Gt, Ge, Lt, Le = (getattr(annotated_types, name) for name in ("Gt", "Ge", "Lt", "Le"))
Interval, MultipleOf = annotated_types.Interval, annotated_types.MultipleOf
Len, MinLen, MaxLen = annotated_types.Len, annotated_types.MinLen, annotated_types.MaxLen
T = TypeVar("T")
K = TypeVar("K")


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Word(str, enum.Enum):
    YES = "yes"
    NO = "no"


class Size(enum.IntEnum):
    S = 1
    L = 3


class Mixed(enum.Enum):
    A = "a"
    ONE = 1
    HALF = 0.5


@dataclasses.dataclass
class Point:
    """Somewhere."""

    x: int
    y: float = 0.0


@dataclasses.dataclass
class Line:
    start: Point
    end: Point | None = None
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Node:
    value: int
    children: list[Node]


@dataclasses.dataclass
class Chain:
    next: Chain | None


@dataclasses.dataclass
class Person:
    name: str
    employer: Company | None


@dataclasses.dataclass
class Company:
    staff: list[Person]


class Movie(TypedDict):
    name: str
    year: int | None


class Loose(TypedDict, total=False):
    name: Required[str]


class Longer(Movie):
    sequel: Movie | None


@dataclasses.dataclass
class Cat:
    kind: Literal["cat"]
    lives: int


@dataclasses.dataclass
class Dog:
    kind: Literal["dog"]
    good: bool


@dataclasses.dataclass
class Page(Generic[T]):
    items: list[T]
    next: str | None


@dataclasses.dataclass
class Keyed(Generic[K, T]):
    key: K
    value: T


class Labelled(TypedDict, Generic[T]):
    label: str
    value: T


@dataclasses.dataclass
class Described:
    plain: Annotated[int, Doc("a number")]
    point: Annotated[Point, "where"]


UserId = NewType("UserId", int)

TYPES: list[Any] = [
    *(str, int, float, bool, None, UserId, datetime.datetime),
    *(datetime.date, datetime.time, datetime.timedelta, uuid.UUID),
    *(ipaddress.IPv4Address, ipaddress.IPv6Address),
    *(str | None, int | str, int | str | bool | None, float | None, list[int] | None),
    *(Literal["a"], Literal["a", "b"], Literal[1, 2], Literal["a", 1, True], Literal[None, "x"]),
    *(Literal[Color.RED], Color, Word, Size, Mixed, Color | None, Color | int),
    *(list[str], list[list[int]], list[int | None], list[Color], list[Literal[1, "a"]]),
    *(tuple[int, ...], collections.deque[str], Sequence[float], list[tuple[str, ...]]),
    *(Point, Point | None, list[Point], Line, list[Line | None], Node, Chain, Person, Company),
    *(Movie, list[Movie], Longer, Cat | Dog, list[Cat | Dog | None], Point | int, Node | Point),
    *(Page[int], Page[Point], Page[Color | None], Page[Page[str]], Keyed[str, int]),
    *(Keyed[Color, list[Point]], Labelled[int], Labelled[Point | None], Described),
    *(Annotated[int, Gt(0)], Annotated[int, Ge(0), Le(9)], Annotated[float, Lt(1.5)]),
    *(Annotated[float, Interval(ge=0, lt=5)], Annotated[int, MultipleOf(3)]),
    *(Annotated[str, MinLen(2)], Annotated[str, Len(1, 3)], Annotated[list[int], MaxLen(2)]),
    *(Annotated[list[str], Len(1, 2)], Annotated[int | None, Ge(3)]),
    *(list[Annotated[int, Gt(0)]], Annotated[str, pydantic.Field(pattern="^[ab]+$")]),
    *(Annotated[int, pydantic.Field(gt=1, le=4, description="few")], Annotated[str, "told"]),
]
assert len(TYPES) >= 60


@dataclasses.dataclass
class Twin:
    """The schemas of the two libraries for a class with one field."""

    kind: Any
    ours: dict[str, Any] = dataclasses.field(init=False)
    theirs: dict[str, Any] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        made = attrs.make_class("Made", {"x": attrs.field(type=self.kind)})
        if self.kind is None:  # attrs takes it for no type at all
            made = attrs.make_class("Made", {"x": attrs.field(type=type(None))})
        self.ours = json_schema(made)
        model = pydantic.create_model("Made", x=(self.kind, ...))
        self.theirs = official.to_strict_json_schema(model)


def instances(schema: dict[str, Any], defs: dict[str, Any], depth: int = 0) -> Any:
    """Values that a schema takes."""
    if "$ref" in schema:
        return instances(defs[schema["$ref"].removeprefix("#/$defs/")], defs, depth + 1)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "const" in schema:
        return st.just(schema["const"])
    if "anyOf" in schema:
        parts = schema["anyOf"]
        if depth > 3:  # out of a recursion
            parts = sorted(parts, key=lambda part: "$ref" in part)[:1]
        return st.one_of([instances(part, defs, depth) for part in parts])
    kind = schema["type"]
    if kind == "object":
        parts = {k: instances(v, defs, depth) for k, v in schema["properties"].items()}
        return st.fixed_dictionaries(parts)
    if kind == "array":
        least = schema.get("minItems", 0)
        most = least if depth > 2 else schema.get("maxItems", least + 2)
        if most == 0:
            return st.just([])
        return st.lists(
            st.deferred(lambda: instances(schema["items"], defs, depth + 1)),
            min_size=least,
            max_size=most,
        )
    if kind in ("integer", "number"):
        numbers = st.integers(-10, 10) | (st.floats(-10, 10) if kind == "number" else st.nothing())
        return numbers.filter(jsonschema.Draft202012Validator(schema).is_valid)
    if "pattern" in schema:
        return st.from_regex(re.compile(schema["pattern"]), fullmatch=True)
    if kind == "string":
        least = schema.get("minLength", 0)
        return st.text("ab", min_size=least, max_size=schema.get("maxLength", least + 2))
    return {"boolean": st.booleans(), "null": st.none()}[kind]


@pytest.mark.parametrize("twin", [Twin(kind) for kind in TYPES], ids=map(repr, TYPES))
@given(data=st.data())
def test_same_instances(twin: Twin, data: st.DataObject) -> None:
    """What one schema takes, the other takes."""
    source = data.draw(st.sampled_from([twin.ours, twin.theirs]))
    value = data.draw(instances(source, source.get("$defs", {})))
    ours, theirs = map(jsonschema.Draft202012Validator, (twin.ours, twin.theirs))
    assert ours.is_valid(value)
    assert theirs.is_valid(value)
    changed = data.draw(mutated(value))
    assert theirs.is_valid(changed) == ours.is_valid(changed)


class Pair(NamedTuple):
    left: int
    right: str


class Optionals(TypedDict):
    name: NotRequired[str]


@pytest.mark.parametrize(
    ("reason", "kind", "ours", "theirs"),
    [
        ("open objects", dict[str, int], [{"key": "a", "value": 1}], {"a": 1}),
        ("positions", tuple[int, str], {"0": 1, "1": "a"}, [1, "a"]),
        ("positions", Pair, {"left": 1, "right": "a"}, [1, "a"]),
        ("unique items", set[int], [1, 1], None),
        ("a key left out", Optionals, {"name": None}, None),
        ("a lossless number", Decimal, "1.5", 1.5),
        ("base64", bytes, "AA==", "not base64"),
    ],
)
def test_different_instances(reason: str, kind: Any, ours: Any, theirs: Any) -> None:
    """Where strict mode or JSON has no such thing, or the twin is too lenient, they differ."""
    twin = Twin(kind)
    takes_ours, takes_theirs = map(jsonschema.Draft202012Validator, (twin.ours, twin.theirs))
    assert takes_ours.is_valid({"x": ours})
    assert decode(kind, ours) is not None
    if theirs is not None:
        assert takes_theirs.is_valid({"x": theirs}), reason
        assert not takes_ours.is_valid({"x": theirs})
        with pytest.raises(DecodeError):
            decode(kind, theirs)
    else:
        assert not takes_theirs.is_valid({"x": ours}), reason


# Classes of others


class Customer(pydantic.BaseModel):  # type: ignore[misc,name-defined]
    """Somebody."""

    name: str = pydantic.Field(min_length=1, description="in full")
    debt: Decimal = Decimal(0)
    friends: list[Customer] = pydantic.Field(default_factory=list)


class Shop(pydantic.BaseModel):  # type: ignore[misc,name-defined]
    owner: Customer = pydantic.Field(description="whose it is")
    pet: Annotated[Cat | Dog, pydantic.Field(discriminator="kind")]
    tags: set[str]


@pydantic.dataclasses.dataclass
class Parcel:
    weight: float


@attrs.define
class Order:
    customer: Customer
    shop: Shop | None
    parcels: list[Parcel]


CUSTOMER = {"name": "a", "debt": "1.50", "friends": []}


def test_pydantic_schemas() -> None:
    """They come from pydantic and are made strict; equal definitions are shared."""
    schema = json_schema(Order)
    assert [] == strict_problems(schema)
    assert {"Cat", "Customer", "Dog", "Parcel", "Shop"} == schema["$defs"].keys()
    assert [] == strict_problems(json_schema(Customer))
    assert "in full" == json_schema(Customer)["properties"]["name"]["description"]
    assert ("Shop", False) == response_schema(Shop)[::2]
    assert response_schema(pydantic.RootModel[list[int]]).wrapped


def test_pydantic_values() -> None:
    """They are validated by pydantic, and its errors become ours with their paths."""
    shop = {"owner": CUSTOMER, "pet": {"kind": "dog", "good": True}, "tags": ["a"]}
    came = decode(Order, {"customer": CUSTOMER, "shop": shop, "parcels": [{"weight": 1}]})
    assert Customer(name="a", debt=Decimal("1.50")) == came.customer
    assert Dog("dog", True) == came.shop.pet
    assert [Parcel(1.0)] == came.parcels
    bad = {"name": "", "debt": "0", "friends": [{"name": 1, "debt": 1, "friends": []}]}
    with pytest.raises(DecodeError) as caught:
        decode_json(Customer, json.dumps(bad))
    assert ["$.name", "$.friends[0].name"] == [path for path, _ in caught.value.problems]
    assert isinstance(caught.value.__cause__, pydantic.ValidationError)


def test_pydantic_classes_that_strict_mode_cannot_say() -> None:
    """They are a TypeError with the path."""
    for kind, message in [
        (dict[str, int], "Holder.held[].x: it is a dict with free keys"),
        (Any, "Holder.held[].x: it can be anything"),
        (tuple[int, str], "Holder.held[].x: prefixItems"),
        (Callable[[], int], "Holder.held[]: pydantic cannot make a schema"),
    ]:
        model = pydantic.create_model("Model", x=(kind, ...))
        holder = attrs.make_class("Holder", {"held": attrs.field(type=list[model])})
        with pytest.raises(TypeError, match=re.escape(message)):
            json_schema(holder)


def test_same_names_of_others() -> None:
    """Models of one name keep their definitions apart."""
    inner = [pydantic.create_model("Inner", x=(kind, ...)) for kind in (int, str)]
    outer = [pydantic.create_model(f"Outer{n}", i=(kind, ...)) for n, kind in enumerate(inner)]
    both = attrs.make_class(
        "Both", {"a": attrs.field(type=outer[0]), "b": attrs.field(type=outer[1])}
    )
    schema = json_schema(both)
    assert [] == strict_problems(schema)
    valid = jsonschema.Draft202012Validator(schema).is_valid
    assert valid({"a": {"i": {"x": 1}}, "b": {"i": {"x": "a"}}})
    assert not valid({"a": {"i": {"x": 1}}, "b": {"i": {"x": 1}}})


def test_msgspec() -> None:
    """Its structs come with their own schema and their own decoding."""
    msgspec = pytest.importorskip("msgspec")

    def fields(**kinds: Any) -> Iterable[tuple[str, Any]]:
        return kinds.items()

    inner = msgspec.defstruct("Inner", fields(a=int, b=Annotated[str, msgspec.Meta(min_length=1)]))
    outer = msgspec.defstruct("Outer", fields(inner=inner, more=list[inner] | None), tag="outer")
    holder = attrs.make_class("Holder", {"held": attrs.field(type=list[outer])})
    schema = json_schema(holder)
    assert [] == strict_problems(schema)
    assert {"Outer", "Inner"} == schema["$defs"].keys()
    value = {"type": "outer", "inner": {"a": 1, "b": "x"}, "more": None}
    assert [outer(inner(1, "x"), None)] == decode(holder, {"held": [value]}).held
    value["inner"] = {"a": "1", "b": "x"}
    with pytest.raises(DecodeError, match=r"^\$.held\[0\].inner.a: Expected `int`, got `str`$"):
        decode(holder, {"held": [value]})
    with pytest.raises(TypeError, match="it is a dict with free keys"):
        json_schema(msgspec.defstruct("Free", fields(x=dict[str, int])))
