"""JSON that is still coming reads as what has come of it, wherever the text stops."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatlib.streaming.partial_json import PartialJson
from tests.wire.test_codec import json_values


def value(text: str) -> Any:
    """The value of a text so far, and checked to be the same letter by letter."""
    whole, letters = PartialJson(), PartialJson()
    whole.feed(text)
    for letter in text:
        letters.feed(letter)
    assert whole.value() == letters.value()
    return whole.value()


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (None, ""),
        (None, "  "),
        ({}, "{"),
        ({}, '{"a'),
        ({}, '{"a"'),
        ({}, '{"a":'),
        ({"a": 1}, '{"a": 1'),
        ({}, '{"a": 12.'),
        ({"a": 12.5}, '{"a": 12.5'),
        ({}, '{"a": -'),
        ({}, '{"a": 1e'),
        ({"a": 1e5}, '{"a": 1e5'),
        ({}, '{"a": tr'),
        ({"a": True}, '{"a": true'),
        ({}, '{"a": "x'),
        ({"a": "x"}, '{"a": "x"'),
        ({"a": "x"}, '{"a": "x",'),
        ({"a": [1, 2]}, '{"a": [1, 2'),
        ({"a": [1]}, '{"a": [1, "b'),
        ({"a": [{"b": 1}, {}]}, '{"a": [{"b": 1}, {"c"'),
        ([], "["),
        ([1], "[1,"),
        ([0], "[0"),
        (12, "12"),
        (None, '"abc'),
        ("abc", '"abc"'),
        ({"a": 1}, '{"a": 1} '),
        ({"a": 1}, '{"a":1}x'),
        ({"a": 2}, '{"a":1,"a":2'),
        ({"a": 'x"\\\n✅'}, '{"a":"x\\"\\\\\\n\\u2705"'),
        ({}, '{"a":"\\u27'),
        # What can't become JSON ends the reading.
        (None, "nope"),
        (None, "```json\n{}"),
        ({"a": 1}, '{"a":1,,"b":2}'),
        ({}, '{"a":01}'),
        ({}, '{"a" 1}'),
        ({}, "{a:1}"),
        ([1], "[1 2]"),
        ({"a": [1]}, '{"a":[1}'),
        ([1], "[1,]"),
    ],
)
def test_value_so_far(expected: Any, text: str) -> None:
    """Complete values and open containers are there; what has not ended is not."""
    assert expected == value(text)


@given(whole=json_values)
def test_whole_text(whole: Any) -> None:
    """A complete text reads as what json makes of it, from its last letter on."""
    assert whole == value(json.dumps(whole) + " ")
    assert whole == value(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")


@given(whole=json_values, data=st.data())
def test_values_given_out_stay(whole: Any, data: st.DataObject) -> None:
    """No value that was given out changes when more text comes."""
    text = json.dumps(whole)
    reader, given_out = PartialJson(), []
    for letter in text:
        reader.feed(letter)
        given_out.append((reader.value(), copy.deepcopy(reader.value())))
    assert all(now == then for now, then in given_out)
    assert len(text) == reader.length


@given(text=st.text(st.sampled_from('{}[],:"\\ \n-0123456789.eEtrufalsn✅')))
def test_any_text(text: str) -> None:
    """Any text, however broken, is read without an exception, letter by letter as in one piece."""
    value(text)


def test_deep_nesting() -> None:
    """Nesting of any depth is no recursion."""
    reader = PartialJson()
    reader.feed("[" * 5000)
    assert [] != reader.value()


@given(st.data())
def test_what_can_go_on(data: st.DataObject) -> None:
    """Any beginning of a JSON object can go on with any of the rest but the whole of it."""
    text = json.dumps(data.draw(st.dictionaries(st.text(max_size=5), json_values, min_size=1)))
    first = data.draw(st.integers(1, len(text) - 1))
    second = data.draw(st.integers(first, len(text) - 1))
    reader = PartialJson()
    reader.feed(text[:first])
    assert reader.can_go_on(text[first:second])
    assert not reader.can_go_on(text[first:])
    assert not reader.can_go_on(text[first:] + "{")
    reader.feed(text[first:])
    assert json.loads(text) == reader.value()


@pytest.mark.parametrize(
    ("text", "more"),
    [('{"ci', '{"city":1}'), ('{"city":"Ro', '{"city":"Oslo"}'), ("{", "{"), ('{"a":1', '{"a":2}')],
)
def test_what_can_not_go_on(text: str, more: str) -> None:
    """The beginning of an object inside another is none of its pieces."""
    reader = PartialJson()
    reader.feed(text)
    assert not reader.can_go_on(more)
