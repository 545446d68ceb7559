"""What every object of the API holds: each way of writing shows in each way of reading.

The properties are tested over every class of :mod:`chatlib.types`, by objects of random JSON:
some of the known fields, nested objects, nulls and unknown fields, in any order.
"""

from __future__ import annotations

import copy
import json
import pickle
import sys
import types
import typing
from typing import Any, Literal, Union, get_args, get_origin

import attrs
import cattrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chatlib.types
from chatlib import configure_converter, omit, structure, to_request
from chatlib.types import JsonObject, UnknownObject, values
from chatlib.types.base import RequestObject
from chatlib.types.page import CursorPage

CLASSES = sorted(
    {
        cls
        for module in (chatlib.types, values)
        for cls in vars(module).values()
        if isinstance(cls, type) and issubclass(cls, JsonObject) and cls is not JsonObject
    }
    | {CursorPage, UnknownObject},
    key=lambda cls: (cls.__module__, cls.__name__),
)
OFTEN = {
    "AssistantMessage",
    "ChatCompletion",
    "ChatCompletionChunk",
    "ChatCompletionMessage",
    "Choice",
    "ChoiceDelta",
    "CursorPage",
    "Function",
    "ParsedChatCompletion",
    "UnknownObject",
    "UserMessage",
}
"""The classes that stand for all where time matters; ``-m slow`` tests the others."""

every_class = pytest.mark.parametrize(
    "cls",
    [
        pytest.param(cls, id=cls.__name__, marks=() if cls.__name__ in OFTEN else pytest.mark.slow)
        for cls in CLASSES
    ],
)

EXAMPLES = 5 if settings.default is None or settings.default.max_examples <= 50 else 100
"""For each class and property: the profile "thorough" tries more."""

SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.text("abc", max_size=3)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text("xyz", min_size=1), inner, max_size=2)
    ),
    max_leaves=4,
)
NOT_SENT = ("parsed", "parsed_arguments")  # fields that are no part of the JSON


def known(cls: Any) -> list[str]:
    """The fields of a class's JSON."""
    names = [field.name for field in attrs.fields(cls)]
    return [name for name in names if name not in ("extra", "_names", *NOT_SENT)]


def members(kind: Any) -> list[Any]:
    return list(get_args(kind)) if get_origin(kind) in (Union, types.UnionType) else [kind]


def of_type(kind: Any, depth: int) -> st.SearchStrategy[Any]:
    """JSON of a type, as far as it is made of objects; any scalar otherwise."""
    options: list[st.SearchStrategy[Any]] = []
    for member in members(kind):
        if isinstance(member, type) and issubclass(member, JsonObject) and depth:
            options.append(bodies(member, depth - 1))
        elif get_origin(member) is list and depth:
            options.append(st.lists(of_type(get_args(member)[0], depth), max_size=2))
    return st.one_of(options) if options else SCALARS


@st.composite
def bodies(draw: st.DrawFn, cls: Any, depth: int = 2, whole: bool = False) -> dict[str, Any]:
    """A JSON object such as a server may send for a class."""
    hints = typing.get_type_hints(cls)
    names = known(cls)
    chosen = (
        names if whole else draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    )
    unknown = draw(
        st.dictionaries(st.sampled_from(["a1", "b2", "to_dict", "text"]), JSON, max_size=2)
    )
    pairs: dict[str, Any] = {}
    for name in draw(st.permutations([*chosen, *unknown])):
        if name in unknown:
            pairs[name] = unknown[name]
        elif name == cls._json_text:
            pairs[name] = draw(st.text("abc", max_size=3))  # JSON in place of text becomes text
        elif get_origin(hints[name]) is Literal and len(get_args(hints[name])) == 1:
            pairs[name] = get_args(hints[name])[0]
        else:
            pairs[name] = draw(of_type(hints[name], depth))
            if attrs.fields_dict(cls)[name].default is attrs.NOTHING and pairs[name] is None:
                pairs[name] = draw(of_type(hints[name], depth).filter(lambda v: v is not None))
    return pairs


def same(one: Any, other: Any) -> bool:
    """Whether two dicts hold the same in the same order, at every depth."""
    return json.dumps(one) == json.dumps(other)


def shown(made: Any) -> list[dict[str, Any]]:
    """An object, by every way in which it is read."""
    return [
        made.to_dict(),
        json.loads(made.to_json()),
        made.model_dump(exclude_unset=True),
        json.loads(made.model_dump_json(exclude_unset=True)),
    ]


@every_class
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_to_dict_gives_back_what_came(cls: Any, data: st.DataObject) -> None:
    """All of it, in its order: absent stays absent and null stays null; nothing is invented."""
    came = data.draw(bodies(cls))
    before = json.dumps(came)
    made = structure(came, cls)
    assert same(came, made.to_dict())
    assert before == json.dumps(came)
    assert set(came) == made.fields_set
    for name in known(cls):
        if name not in came and name not in _objects(cls):
            assert cls._defaults[name] == getattr(made, name)
    for name in _objects(cls):  # never None, so that reading on needs no question
        assert came.get(name) is not None or isinstance(getattr(made, name), JsonObject)
    assert same(came, made.to_dict())  # reading has changed nothing


def _objects(cls: Any) -> set[str]:
    """The fields that always hold an object."""
    hints = typing.get_type_hints(cls)
    return {
        name
        for name in known(cls)
        if isinstance(hints[name], type) and issubclass(hints[name], JsonObject)
    }


@every_class
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_edits_show_everywhere(cls: Any, data: st.DataObject) -> None:
    """A field that is set, deleted or appended to is read, dumped, shown and sent as it is now."""
    made = structure(data.draw(bodies(cls)), cls)
    made.reasoning = ["a"]
    made.reasoning.append("b")
    made.extra["cost"] = {"cents": 1}
    made.cost["cents"] = 2
    made.brief = 1
    del made.brief
    expected: dict[str, Any] = {"reasoning": ["a", "b"], "cost": {"cents": 2}}
    for read in (*shown(made), dict(made.extra)):
        assert expected == {k: v for k, v in read.items() if k in ("reasoning", "cost", "brief")}
    assert "reasoning=['a', 'b']" in repr(made)
    assert "brief" not in repr(made)
    assert {"reasoning", "cost"} <= made.fields_set
    with pytest.raises(AttributeError):
        _ = made.brief
    with pytest.raises(AttributeError):
        del made.brief
    for name in known(cls):
        setattr(made, name, None)
        assert name in made.fields_set
        assert all(read[name] is None for read in shown(made))
        delattr(made, name)
        assert name not in made.fields_set
        assert all(name not in read for read in shown(made))
        if name in _objects(cls):
            getattr(made, name).note = 1
            assert all({"note": 1} == read[name] for read in shown(made))
            delattr(made, name)
        else:
            assert cls._defaults[name] == getattr(made, name)


@every_class
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_copies_lose_nothing(cls: Any, data: st.DataObject) -> None:
    """copy, deepcopy, pickle, evolve and replace keep all: order, absence, unknown fields."""
    made = structure(data.draw(bodies(cls)), cls)
    came = made.to_dict()
    twins = [
        copy.copy(made),
        copy.deepcopy(made),
        attrs.evolve(made),
        made.replace(),
        *(pickle.loads(pickle.dumps(made, protocol)) for protocol in range(2, 6)),
    ]
    if sys.version_info >= (3, 13):
        twins.append(copy.replace(made))
    for twin in twins:
        assert type(made) is type(twin)
        assert made == twin
        assert same(came, twin.to_dict())
        assert made.fields_set == twin.fields_set
        twin.added = 1
        assert same(came, made.to_dict())
        assert made != twin


@every_class
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_asdict_can_be_undone(cls: Any, data: st.DataObject) -> None:
    """attrs.asdict() holds all fields and the unknown ones; the constructor takes it back."""
    made = structure(data.draw(bodies(cls)), cls)
    plain = attrs.asdict(made)
    assert {field.name for field in attrs.fields(cls)} == set(plain)
    assert made.extra == plain["extra"]
    back = cls(**plain)
    assert made == back
    assert same(made.to_dict(), back.to_dict())


@every_class
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_constructors_take_plain_json(cls: Any, data: st.DataObject) -> None:
    """``ChatCompletion(**body)`` makes the objects in it, and keeps what it does not know."""
    came = data.draw(bodies(cls, whole=True))
    if issubclass(cls, RequestObject):
        came = {name: value for name, value in came.items() if name in cls._defaults}
    came.pop("to_dict", None)
    before = json.dumps(came)
    made = cls(**came)
    assert same(came, made.to_dict())
    assert structure(came, cls) == made
    for name in _objects(cls):
        if isinstance(came.get(name), dict):
            assert isinstance(getattr(made, name), JsonObject)
    assert before == json.dumps(came)


@every_class
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_a_converter_of_ones_own(cls: Any, data: st.DataObject) -> None:
    """One call teaches a cattrs converter all classes, in both directions."""
    converter = cattrs.Converter()
    configure_converter(converter)
    came = data.draw(bodies(cls))
    made = converter.structure(copy.deepcopy(came), cls)
    assert structure(came, cls) == made
    assert same(made.to_dict(), converter.unstructure(made))

    log_class = attrs.make_class("Log", {"answers": attrs.field(type=list[cls])})
    log = converter.structure({"answers": [came, came]}, log_class)
    assert same({"answers": [made.to_dict()] * 2}, converter.unstructure(log))


@every_class
def test_attrs_sees_an_attrs_class(cls: Any) -> None:
    """Fields, defaults and hints are where attrs and type checkers look for them."""
    fields = attrs.fields_dict(cls)
    assert attrs.has(cls)
    assert "extra" in fields
    assert all(field.kw_only for field in fields.values())
    assert 0 == cls.__dictoffset__
    assert set(fields) <= set(typing.get_type_hints(cls))


@every_class
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_match_reads_fields(cls: Any, data: st.DataObject) -> None:
    """A class pattern reads fields, those that did not come and unknown ones too."""
    came = data.draw(bodies(cls))
    made = structure(came, cls)
    made.vendor = "acme"
    match made:
        case JsonObject(vendor="acme", extra={"vendor": vendor}):
            assert "acme" == vendor
        case _:
            pytest.fail("the pattern did not match")


@every_class
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_equality_is_by_what_is_read(cls: Any, data: st.DataObject) -> None:
    """Absent and null are equal, unknown fields count."""
    came = data.draw(bodies(cls))
    made, twin = structure(came, cls), structure(came, cls)
    assert made == twin
    for name in known(cls):
        if name not in came and cls._defaults[name] is None and name not in _objects(cls):
            setattr(twin, name, None)
    assert made == twin
    twin.vendor = 1
    assert made != twin
    with pytest.raises(TypeError):
        hash(made)


@pytest.mark.parametrize("cls", [c for c in CLASSES if issubclass(c, RequestObject)])
def test_requests_send_each_edit(cls: Any) -> None:
    """What is set on a value is what the next request holds."""
    made = structure({}, cls)
    made.vendor = {"a": 1}
    made.extra["cache"] = omit
    assert {"vendor": {"a": 1}} == {
        name: value for name, value in to_request(made).items() if name not in known(cls)
    }
