"""What is set, deleted or appended to on an object is what every way of reading it shows."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chatlib.types
from chatlib import Config, build_create, structure, to_request
from chatlib.client.pagination import AsyncCursorPage, CursorPage, SyncCursorPage
from chatlib.types import ChatCompletion, ChatCompletionMessage, JsonObject, values

EXAMPLES = 4 if settings.default is None or settings.default.max_examples <= 50 else 100

CLASSES = sorted(
    {
        value
        for module in (chatlib.types, values)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, JsonObject) and value is not JsonObject
    }
    | {CursorPage},
    key=lambda cls: cls.__name__,
)


def message(**fields: Any) -> Any:
    return structure({"role": "assistant", "content": "a", **fields}, ChatCompletionMessage)


def shown(value: Any) -> list[dict[str, Any]]:
    """The unknown fields of an object, as each way of reading it shows them."""
    known = {field.name for field in attrs.fields(type(value))}
    whole = [
        value.to_dict(),
        json.loads(value.to_json()),
        value.model_dump(),
        json.loads(value.model_dump_json()),
        copy.copy(value).to_dict(),
        copy.deepcopy(value).to_dict(),
        pickle.loads(pickle.dumps(value)).to_dict(),
        value.replace().to_dict(),
        to_request(value),
    ]
    return [{n: v for n, v in plain.items() if n not in known} for plain in whole] + [value.extra]


unknown_names = st.from_regex(r"\A[a-z]{1,8}_zz\Z")
plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_edits_count(cls: type[JsonObject], data: st.DataObject) -> None:
    """Whichever way unknown fields are edited, all ways of reading agree."""
    expected = data.draw(st.dictionaries(unknown_names, plain_values, max_size=3))
    made = structure(dict(expected), cls)
    for _ in range(data.draw(st.integers(1, 4))):
        name = data.draw(st.sampled_from([*expected, "new_zz"]))
        value = data.draw(plain_values)
        way = data.draw(st.sampled_from(["set", "item", "update", "delete", "pop", "grow"]))
        if way in ("delete", "pop") and name in expected:
            if way == "delete":
                delattr(made, name)
            else:
                made.extra.pop(name)
            del expected[name]
            assert not hasattr(made, name)
            continue
        if way == "set":
            setattr(made, name, value)
        elif way == "item":
            made.extra[name] = value
        elif way == "grow" and isinstance(expected.get(name), list):
            getattr(made, name).append(value)
            value = [*expected[name], value]
        else:
            made.extra.update({name: value})
        expected[name] = copy.deepcopy(value)
        assert value == getattr(made, name)
    nothing = {name: value for name, value in expected.items() if value is not None}
    for seen in shown(made):
        assert seen in (expected, nothing)  # a message is sent without nulls
    assert made == structure(dict(expected), cls)
    assert made != structure({**expected, "other_zz": 1}, cls)
    assert all(f"{name}={value!r}" in repr(made) for name, value in expected.items())
    assert expected.keys() <= made.fields_set


def test_edits_are_in_the_next_request() -> None:
    """Set, deleted and appended to: the message goes back so."""
    came = message(reasoning="r", gone=1, details=[{"text": "a"}])
    came.reasoning = "better"
    came.mine = {"a": 1}
    del came.gone
    came.details.append({"text": "b"})
    came.content = "b"
    body = build_create(Config(api_key="k"), model="m", messages=[came]).json()
    assert {
        "role": "assistant",
        "content": "b",
        "reasoning": "better",
        "details": [{"text": "a"}, {"text": "b"}],
        "mine": {"a": 1},
    } == body["messages"][0]


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda it: it.replace()])
def test_copies_are_edited_apart(duplicate: Callable[[Any], Any]) -> None:
    """Editing a copy leaves the original."""
    came = message(reasoning="r")
    twin = duplicate(came)
    twin.reasoning = "s"
    twin.more = 1
    del twin.content
    assert ("r", {"reasoning": "r"}, "a") == (came.reasoning, came.extra, came.content)
    assert ("s", {"reasoning": "s", "more": 1}, None) == (twin.reasoning, twin.extra, twin.content)


def test_what_is_dumped_is_apart() -> None:
    """Editing what was dumped leaves the object."""
    came = message(details={"a": [{}]})
    for plain in (came.to_dict(), came.model_dump(), to_request(came)):
        plain["details"]["a"].append(1)
        plain["details"]["a"][0]["x"] = 1
    assert {"a": [{}]} == came.details


def test_what_cannot_be_edited() -> None:
    """A name that is not there can't be deleted, and a property can't be set."""
    came = message()
    with pytest.raises(AttributeError, match="nothing"):
        del came.nothing
    for name in ("text", "http", "fields_set"):
        with pytest.raises(AttributeError):
            setattr(came, name, 1)
    assert {"role": "assistant", "content": "a"} == came.to_dict()


def test_pages_are_copied_whole() -> None:
    """A copy of a page knows what comes after it."""
    for cls in (SyncCursorPage, AsyncCursorPage):
        page = structure({"data": [], "x": 1}, cls)
        page._fetch = fetch = object()  # type: ignore[attr-defined,assignment]
        assert fetch is copy.copy(page)._fetch  # type: ignore[attr-defined]
        assert {"data": [], "x": 1} == copy.copy(page).to_dict()


def test_constructed_objects_are_edited_alike() -> None:
    """Objects of one's own take unknown fields as well."""
    made: Any = values.UserMessage(content="a")
    made.cache_control = {"type": "ephemeral"}
    expected = {"content": "a", "role": "user", "cache_control": {"type": "ephemeral"}}
    assert expected == made.to_dict() == to_request(made)
    whole: Any = ChatCompletion(id="a", choices=[], created=1, model="m")
    whole.mine = 1
    assert 1 == whole.model_dump()["mine"]
