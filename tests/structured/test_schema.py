"""Types become schemas that strict mode takes, or a TypeError that says where they can't."""

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import datetime
import decimal
import enum
import ipaddress
import re
import sys
import types
import uuid
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypeVar, Union

import attrs
import pytest
import typing_extensions
from typing_extensions import NotRequired, Required, TypedDict

from chatlib.structured.json_schema import json_schema, make_strict, response_schema

T = TypeVar("T")
K = TypeVar("K")


# What strict mode takes

KEYWORDS = set(
    """
    type properties required additionalProperties items anyOf enum const $ref $defs title
    description format pattern minLength maxLength minimum maximum exclusiveMinimum
    exclusiveMaximum multipleOf minItems maxItems
    """.split()
)
FORMATS = set("date-time time date duration email hostname ipv4 ipv6 uuid".split())


def strict_problems(schema: Any) -> list[str]:
    """What strict mode would object to in a schema; nothing if all is well."""
    problems: list[str] = []
    defs = schema.get("$defs", {})

    def look(node: Any, path: str) -> None:
        if not isinstance(node, dict) or not node:
            problems.append(f"{path}: {node!r} says nothing")
            return
        problems.extend(f"{path}: keyword {name}" for name in node.keys() - KEYWORDS)
        if "$ref" in node:
            if node.keys() != {"$ref"}:
                problems.append(f"{path}: $ref with siblings")
            if node["$ref"].removeprefix("#/$defs/") not in defs:
                problems.append(f"{path}: {node['$ref']} leads nowhere")
            return
        if ("type" in node) == ("anyOf" in node):
            problems.append(f"{path}: needs either type or anyOf")
        if node.get("format", "date") not in FORMATS:
            problems.append(f"{path}: format {node['format']}")
        if node.get("type") == "object":
            if node.get("additionalProperties") is not False:
                problems.append(f"{path}: open")
            if node.get("required") != list(node.get("properties", "?")):
                problems.append(f"{path}: not all required")
        if node.get("type") == "array":
            look(node.get("items"), f"{path}[]")
        for name, part in node.get("properties", {}).items():
            look(part, f"{path}.{name}")
        for part in node.get("anyOf", []):
            look(part, f"{path}|")

    if schema.get("type") != "object" and "$ref" in schema:
        problems.append("the root is a reference")
    look({name: part for name, part in schema.items() if name != "$defs"}, "$")
    for name, part in defs.items():
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
            problems.append(f"$defs: name {name}")
        look(part, name)
    return problems


def drawn(kind: Any) -> dict[str, Any]:
    """The schema of a type, which is a strict one."""
    schema = json_schema(kind)
    assert [] == strict_problems(schema)
    name, wrapper, wrapped = response_schema(kind)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)
    assert "object" == wrapper["type"]
    assert [] == strict_problems(wrapper)
    assert wrapped == (schema.get("type") != "object")
    return schema


def an_object(**properties: Any) -> dict[str, Any]:
    """An object of strict mode with these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


STRING, INTEGER, NULL = {"type": "string"}, {"type": "integer"}, {"type": "null"}


# Types of every kind


class Color(enum.Enum):
    """What it looks like."""

    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    S = 1
    L = 3


class Mixed(enum.Enum):
    A = "a"
    ONE = 1
    NONE = None


class Word(str, enum.Enum):
    YES = "yes"


@attrs.define
class Item:
    """One thing.

    To be bought.
    """

    name: str
    price: float = attrs.field(default=1.0, metadata={"description": "in euros"})


@dataclasses.dataclass
class Point:
    x: int
    y: int = dataclasses.field(default=0, metadata={"description": "upwards"})


class Pair(NamedTuple):
    left: int
    right: str = "r"


class Movie(TypedDict):
    """A film."""

    name: str
    year: NotRequired[int]
    note: NotRequired[Annotated[str | None, "if any"]]


class Loose(TypedDict, total=False):
    name: Required[str]
    tags: list[str]


class Longer(Movie, total=False):
    sequel: Movie


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


@dataclasses.dataclass
class Keyed(Generic[K, T]):
    key: K
    value: T


class Labelled(TypedDict, Generic[T]):
    label: str
    value: T


class Numbered(Labelled[int], total=False):
    tags: list[str]


@attrs.define
class ItemPage(Page[Item]):
    total: int = 0


@attrs.define
class ListPage(Page[list[K]], Generic[K]):
    first: K = attrs.field(kw_only=True)


UserId = NewType("UserId", int)
Age = NewType("Age", Annotated[int, "in years"])  # type: ignore[valid-newtype]


class Bound:
    """A note for an Annotated, by whatever library: it has attributes of these names."""

    def __init__(self, **limits: Any) -> None:
        vars(self).update(limits)


# What each becomes


@pytest.mark.parametrize(
    ("expected", "kind"),
    [
        (STRING, str),
        (INTEGER, int),
        ({"type": "number"}, float),
        ({"type": "boolean"}, bool),
        (NULL, None),
        ({"type": "string", "format": "date-time"}, datetime.datetime),
        ({"type": "string", "format": "date"}, datetime.date),
        ({"type": "string", "format": "time"}, datetime.time),
        ({"type": "string", "format": "duration"}, datetime.timedelta),
        ({"type": "string", "format": "uuid"}, uuid.UUID),
        ({"type": "string", "format": "ipv4"}, ipaddress.IPv4Address),
        ({"type": "string", "format": "ipv6"}, ipaddress.IPv6Address),
        ({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}, decimal.Decimal),
        ({"anyOf": [INTEGER, NULL]}, Optional[int]),  # noqa: UP045
        ({"anyOf": [INTEGER, STRING]}, Union[int, str]),  # noqa: UP007
        ({"anyOf": [INTEGER, STRING, NULL]}, int | str | None),
        (INTEGER, UserId),
        ({"type": "integer", "description": "in years"}, Age),
        ({"type": "string", "enum": ["a", "b"]}, Literal["a", "b"]),
        ({"type": ["string", "integer", "null"], "enum": ["a", 1, None]}, Literal["a", 1, None]),
        ({"type": ["boolean", "integer"], "enum": [True, 1]}, Literal[True, 1]),
        ({"type": "string", "enum": ["red"]}, Literal[Color.RED]),
        ({"type": "integer", "enum": [1, 3]}, Size),
        ({"type": ["string", "integer", "null"], "enum": ["a", 1, None]}, Mixed),
        ({"type": "string", "enum": ["yes"]}, Word),
        (
            {"type": "string", "enum": ["red", "blue"], "description": "What it looks like."},
            Color,
        ),
    ],
)
def test_scalars_and_choices(expected: dict[str, Any], kind: Any) -> None:
    """A type without parts is a type of JSON, with a format, a pattern or an enum."""
    assert expected == drawn(kind)


@pytest.mark.parametrize(
    "kind",
    [
        list[int],
        set[int],
        frozenset[int],
        tuple[int, ...],
        collections.deque[int],
        collections.abc.Sequence[int],
        collections.abc.Iterable[int],
        collections.abc.Set[int],
    ],
)
def test_arrays(kind: Any) -> None:
    """All that holds items of one type is an array. Strict mode has no unique items."""
    assert {"type": "array", "items": INTEGER} == drawn(kind)


@pytest.mark.parametrize(
    "kind",
    [dict[str, int], collections.abc.Mapping[str, int], collections.OrderedDict[str, int]],
)
def test_dicts(kind: Any) -> None:
    """A dict is an array of pairs: strict mode has no objects with free keys."""
    assert {"type": "array", "items": an_object(key=STRING, value=INTEGER)} == drawn(kind)


def test_tuples() -> None:
    """Of one type, an array of that length; of several, an object with numbered properties."""
    assert {"type": "array", "items": INTEGER, "minItems": 2, "maxItems": 2} == drawn(
        tuple[int, int]
    )
    assert an_object(**{"0": INTEGER, "1": STRING}) == drawn(tuple[int, str])
    assert 0 == drawn(tuple[()])["maxItems"]


def test_objects() -> None:
    """Classes are objects with all fields required, described where somebody described them."""
    price = {"type": "number", "description": "in euros"}
    text = "One thing.\n\nTo be bought."
    assert {**an_object(name=STRING, price=price), "description": text} == drawn(Item)
    assert an_object(x=INTEGER, y={**INTEGER, "description": "upwards"}) == drawn(Point)
    assert an_object(left=INTEGER, right=STRING) == drawn(Pair)


def test_typed_dicts() -> None:
    """A key that is not required is null where it is to be left out."""
    note = {"anyOf": [STRING, NULL], "description": "if any"}
    movie = an_object(name=STRING, year={"anyOf": [INTEGER, NULL]}, note=note)
    assert movie["properties"].keys() == drawn(Movie)["properties"].keys()
    assert movie["properties"]["year"] == drawn(Movie)["properties"]["year"]
    assert "A film." == drawn(Movie)["description"]
    assert {"anyOf": [{"type": "array", "items": STRING}, NULL]} == drawn(Loose)["properties"][
        "tags"
    ]
    assert STRING == drawn(Loose)["properties"]["name"]
    assert ["name", "year", "note", "sequel"] == drawn(Longer)["required"]


def test_fields_that_are_left_out() -> None:
    """A field that __init__ does not take is not asked for; a private one keeps its name."""

    @attrs.define
    class Hidden:
        _secret: int
        known: int = attrs.field(init=False, default=1)

    @dataclasses.dataclass
    class Also:
        seen: int
        known: int = dataclasses.field(init=False, default=1)

    assert ["_secret"] == drawn(Hidden)["required"]
    assert ["seen"] == drawn(Also)["required"]


def test_descriptions() -> None:
    """From the field's metadata, from an Annotated, from the class; never a machine's words."""

    class Doc:
        documentation = "by a Doc"

    @attrs.define
    class Base:
        """Not inherited."""

        a: Annotated[int, "by a string"]
        b: Annotated[int, typing_extensions.Doc("by a Doc")]
        c: Annotated[int, Bound(description="by a field")]
        d: Annotated[int, "inner"] = attrs.field(metadata={"description": "outer"})
        e: list[Annotated[int, "an item"]]
        f: Annotated[Annotated[int, "inner"], "outer"]

    class Sub(Base):
        pass

    properties = drawn(Sub)["properties"]
    texts = {name: part.get("description") for name, part in properties.items()}
    assert ["by a string", "by a Doc", "by a field", "outer", None, "outer"] == [*texts.values()]
    assert "an item" == properties["e"]["items"]["description"]
    assert "description" not in drawn(Sub)
    assert "description" not in drawn(Point)
    assert "description" not in drawn(Pair)
    assert "description" not in drawn(Size)


def test_described_reference() -> None:
    """A description of a named type goes around the reference, which bears no sibling."""

    @attrs.define
    class Cart:
        item: Annotated[Item, "the first"]
        spare: Annotated[Item | None, "the last"]

    item = {"$ref": "#/$defs/Item"}
    assert {
        "item": {"anyOf": [item], "description": "the first"},
        "spare": {"anyOf": [item, NULL], "description": "the last"},
    } == drawn(Cart)["properties"]


@pytest.mark.parametrize(
    ("expected", "kind"),
    [
        ({"exclusiveMinimum": 0}, Annotated[int, Bound(gt=0)]),
        ({"minimum": 0, "exclusiveMaximum": 9}, Annotated[float, Bound(ge=0, lt=9)]),
        ({"maximum": 5, "multipleOf": 5}, Annotated[int, Bound(le=5), Bound(multiple_of=5)]),
        ({"minimum": 3}, Annotated[Annotated[int, Bound(ge=1)], Bound(ge=3), Bound(ge=2)]),
        ({"minLength": 1, "maxLength": 3}, Annotated[str, Bound(min_length=1, max_length=3)]),
        ({"pattern": "^a"}, Annotated[str, re.compile("^a")]),
        ({"pattern": "^a"}, Annotated[str, Bound(metadata=[Bound(pattern="^a")])]),
        ({"minItems": 1, "items": STRING}, Annotated[list[str], Bound(min_length=1)]),
        ({"maximum": 1}, Annotated[int, Bound(le=1, ge=None), Bound(lt=float("inf")), 7, Bound]),
    ],
)
def test_bounds(expected: dict[str, Any], kind: Any) -> None:
    """Any object with the right attributes bounds a value; the tightest bound counts."""
    schema = drawn(kind)
    del schema["type"]
    assert expected == schema


def test_bounds_of_unions() -> None:
    """They go to the members, and None has none."""
    schema = drawn(Annotated[int | None, Bound(gt=0)])
    assert {"anyOf": [{"type": "integer", "exclusiveMinimum": 0}, NULL]} == schema


def test_bounds_that_only_the_decoder_knows() -> None:
    """A type that is a string in JSON has bounds, but its schema does not."""
    assert drawn(decimal.Decimal) == drawn(Annotated[decimal.Decimal, Bound(gt=0)])


# Named types


def test_recursion() -> None:
    """The root is an object; where it contains itself, it is among the definitions too."""
    children = {"type": "array", "items": {"$ref": "#/$defs/Node"}}
    node = an_object(value=INTEGER, children=children)
    assert {**node, "$defs": {"Node": node}} == drawn(Node)


def test_mutual_recursion() -> None:
    """Each of the types is defined once."""
    assert ["Company", "Person"] == sorted(drawn(Person)["$defs"])
    assert ["Company", "Person"] == sorted(drawn(list[Company])["$defs"])


def test_generics() -> None:
    """Type variables are filled in, through bases too, and each filling is a type of its own."""
    page = drawn(Page[Item])
    assert {"Page_Item", "Item"} == page["$defs"].keys()
    assert {"$ref": "#/$defs/Item"} == page["properties"]["items"]["items"]
    assert {"$ref": "#/$defs/Item"} == drawn(ItemPage)["properties"]["items"]["items"]
    properties = drawn(ListPage[int])["properties"]
    assert {"type": "array", "items": {"type": "array", "items": INTEGER}} == properties["items"]
    assert INTEGER == properties["first"]
    assert an_object(key=STRING, value={"anyOf": [INTEGER, NULL]}) == drawn(Keyed[str, int | None])
    assert an_object(label=STRING, value=INTEGER) == drawn(Labelled[int])
    assert INTEGER == drawn(Numbered)["properties"]["value"]
    assert ["label", "value", "tags"] == drawn(Numbered)["required"]

    @attrs.define
    class Both:
        a: Page[int]
        b: Page[str]

    assert {"Page_int", "Page_str"} == drawn(Both)["$defs"].keys()


def test_same_name_twice() -> None:
    """Two classes of one name are two definitions."""

    def make(kind: Any) -> Any:
        return attrs.make_class("Same", {"x": attrs.field(type=kind)})

    both = attrs.make_class(
        "Both", {"a": attrs.field(type=make(int)), "b": attrs.field(type=make(str))}
    )
    schema = drawn(both)
    assert {"Same", "Same_2"} == schema["$defs"].keys()
    assert {"$ref": "#/$defs/Same_2"} == schema["properties"]["b"]


@pytest.mark.parametrize(
    ("expected", "kind"),
    [
        ("Page_Item", Page[Item]),
        ("list_Item", list[Item]),
        ("Keyed_str_int_None", Keyed[str, int | None]),
        ("int", int),
        ("Caf_", type("Café", (Item,), {})),
        ("x" * 64, type("x" * 99, (Item,), {})),
        ("_", type("商品", (Item,), {})),
    ],
)
def test_names(expected: str, kind: Any) -> None:
    """A response has a name of the letters and the length that the API allows."""
    assert expected.rstrip("_") == response_schema(kind).name.rstrip("_")
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", response_schema(kind).name)


def test_wrapping() -> None:
    """A response must be an object: what is none is the property of one, definitions on top."""
    name, schema, wrapped = response_schema(list[Item])
    assert ("list_Item", True) == (name, wrapped)
    items = {"type": "array", "items": {"$ref": "#/$defs/Item"}}
    assert an_object(value=items)["properties"] == schema["properties"]
    assert {"Item"} == schema["$defs"].keys()
    assert not response_schema(Item).wrapped
    assert not response_schema(tuple[int, str]).wrapped
    assert response_schema(Item | None).wrapped


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the type statement is of Python 3.12")
def test_type_statement() -> None:
    """An alias is a named type, recursive or generic as it may be; so is a class of that syntax."""
    names: dict[str, Any] = {"__name__": __name__}
    code = """
import attrs
type Json = int | str | list[Json]
type Pair[A] = tuple[A, A]
@attrs.define
class Box[A]:
    content: A
    more: "Pair[A] | None"
"""
    exec(code, names)
    array = {"type": "array", "items": {"$ref": "#/$defs/Json"}}
    json = {"anyOf": [INTEGER, STRING, array]}
    assert {**json, "$defs": {"Json": json}} == drawn(names["Json"])
    assert INTEGER == drawn(names["Pair"][int])["items"]
    assert INTEGER == drawn(names["Box"][int])["properties"]["content"]
    assert {"Pair_int"} == drawn(names["Box"][int])["$defs"].keys()


def test_type_alias_of_typing_extensions() -> None:
    """It works on every Python."""
    alias = typing_extensions.TypeAliasType("Words", list[str])
    assert {"type": "array", "items": STRING} == drawn(alias)


# What strict mode can't say


@attrs.define
class Line:
    price: complex


@attrs.define
class Order:
    lines: list[Line]


@attrs.define
class Untyped:
    x = attrs.field()


@dataclasses.dataclass
class Initial:
    x: dataclasses.InitVar[int]


class Odd(enum.Enum):
    PAIR = (1, 2)


class Empty(enum.Enum):
    pass


@attrs.define
class Growing(Generic[T]):
    more: Growing[list[T]] | None


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Order.lines[].price: complex is not supported", Order),
        ("Page[Order].items[].lines[].price: complex is not supported", Page[Order]),
        ("dict[str, Line][].value.price: complex is not supported", dict[str, Line]),
        ("Any: Any is not supported; use a union of the possible types", Any),
        ("object: object is not supported; use a union", object),
        ("list: list has no item type; give one, as in list[str]", list),
        ("dict: dict has no item type; give one, as in dict[str, int]", dict),
        ("tuple: tuple has no item type; give one, as in tuple[int, ...]", tuple),
        ("Page.items[]: ~T is not supported; substitute the type variable", Page),
        ("Path is not supported; use str", Path),
        ("use typing.NamedTuple, whose fields have types", collections.namedtuple("P", "x")),
        ("set[Item][]: Item is not hashable, so it cannot be in a set", set[Item]),
        (
            "dict[list[int], int][].key: list[int] is not hashable, so it cannot be in a dict",
            dict[list[int], int],
        ),
        ("gt does not apply to bool", Annotated[bool, Bound(gt=0)]),
        ("min_length does not apply to int", Annotated[int, Bound(min_length=0)]),
        ("pattern does not apply to list[str]", Annotated[list[str], Bound(pattern="a")]),
        ("conflicting values for pattern", Annotated[str, Bound(pattern="a"), Bound(pattern="b")]),
        ("Untyped.x: missing type annotation", Untyped),
        ("InitVar", Initial),  # an older typing has words of its own
        ("Odd: (1, 2) is not JSON serializable", Odd),
        ("b'x' is not JSON serializable", Literal[b"x"]),
        ("Empty: there are no values", Empty),
        ("Growing[int]: infinitely nested types are not supported", Growing[int]),
        ("use the type itself instead of its name", "Item"),
        ("is not supported", collections.abc.Callable[[int], int]),
        ("is not supported", types.SimpleNamespace),
        ("is not supported", 5),
    ],
)
def test_unsupported(message: str, kind: Any) -> None:
    """It is a TypeError that has the path, and what to use instead where that is clear."""
    with pytest.raises(TypeError, match=re.escape(message)):
        json_schema(kind)


def test_names_in_functions() -> None:
    """A class made in a function may name itself, but not its neighbours there."""

    @attrs.define
    class Tree:
        branches: list[Tree]

    @attrs.define
    class Leaf:
        tree: Tree

    assert "Tree" in drawn(Tree)["$defs"]
    with pytest.raises(TypeError, match="name 'Tree' in the annotations of Leaf is not defined"):
        json_schema(Leaf)
    attrs.resolve_types(Leaf, localns={"Tree": Tree})
    assert "Tree" in drawn(Leaf)["$defs"]


def test_annotations_that_fail() -> None:
    """What is wrong with an annotation is said with the name of its class."""

    @dataclasses.dataclass
    class Wrong:
        x: list[1 / 0]  # type: ignore[valid-type]

    with pytest.raises(TypeError, match="the annotations of Wrong: division by zero"):
        json_schema(Wrong)


# Schemas of others


def test_make_strict() -> None:
    """Required, closed, without defaults and what strict mode doesn't know. A new schema."""
    given = {
        "type": "object",
        "properties": {
            "a": {"type": "integer", "default": 1, "examples": [2]},
            "b": {"$ref": "#/$defs/B", "default": {}},
            "c": {"$ref": "#/$defs/B", "description": "third"},
            "d": {"allOf": [{"$ref": "#/$defs/B"}], "description": "fourth"},
            "e": {"oneOf": [STRING, NULL], "discriminator": {"propertyName": "x"}},
            "f": {"type": "array", "items": {"enum": ["x", 1]}, "uniqueItems": True},
            "g": {"type": "string", "format": "uri", "pattern": "^(?!a)b"},
            "h": {"$ref": "#/$defs/B", "minProperties": 0},
            "title": {"const": 1},
        },
        "additionalProperties": True,
        "$defs": {
            "B": {"type": "object", "properties": {"b": {"anyOf": [{"$ref": "#/$defs/B"}, NULL]}}},
            "Unused": {},
        },
    }
    before = repr(given)
    made = make_strict(given)
    assert before == repr(given)
    assert [] == strict_problems(made)
    ref = {"$ref": "#/$defs/B"}
    assert {
        "a": INTEGER,
        "b": ref,
        "c": {"anyOf": [ref], "description": "third"},
        "d": {"anyOf": [ref], "description": "fourth"},
        "e": {"anyOf": [STRING, NULL]},
        "f": {"type": "array", "items": {"type": ["string", "integer"], "enum": ["x", 1]}},
        "g": STRING,
        "h": ref,
        "title": {"type": "integer", "const": 1},
    } == made["properties"]
    assert {"B": an_object(b={"anyOf": [ref, NULL]})} == made["$defs"]


def test_make_strict_root() -> None:
    """A root that is a reference becomes what it refers to."""
    node = {"type": "object", "properties": {"n": {"anyOf": [{"$ref": "#/$defs/N"}, NULL]}}}
    made = make_strict({"$ref": "#/$defs/N", "$defs": {"N": node}})
    assert [] == strict_problems(made)
    assert "object" == made["type"]


@pytest.mark.parametrize(
    ("message", "part"),
    [
        ("M.x: it is a dict with free keys", {"type": "object"}),
        ("M.x: it is a dict with free keys", {"type": "object", "additionalProperties": STRING}),
        ("M.x[]: it can be anything", {"type": "array"}),
        ("M.x: it can be anything", {}),
        ("M.x: it can be anything", True),
        ("M.x: prefixItems can't be said", {"type": "array", "prefixItems": [STRING]}),
        ("M.x: allOf can't be said", {"allOf": [STRING, NULL]}),
        ("M.x.y: not can't be said", an_object(y={"not": STRING})),
        ("M.x: '#/$defs/No' is not found", {"$ref": "#/$defs/No"}),
    ],
)
def test_make_strict_refuses(message: str, part: Any) -> None:
    """What strict mode can't say is a TypeError with its path."""
    with pytest.raises(TypeError, match=re.escape(message)):
        make_strict(an_object(x=part), path="M")
