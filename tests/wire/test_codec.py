"""What comes becomes objects and nothing is lost; what goes is plain JSON."""

from __future__ import annotations

import copy
import enum
import json
import math
import pickle
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatlib import (
    AssistantMessage,
    UserMessage,
    omit,
    parse_completion,
    structure,
    to_request,
)
from chatlib.streaming.accumulator import Accumulator
from chatlib.types import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionMessage,
    ChatCompletionMessageCustomToolCall,
    ChatCompletionMessageFunctionToolCall,
    ChatCompletionStoreMessage,
    ChoiceDelta,
    Moderation,
    ModerationInputError,
    UnknownObject,
)
from chatlib.wire.codec import from_json, to_json


def message(**fields: Any) -> ChatCompletionMessage:
    """A message that came from the API."""
    return structure({"role": "assistant", **fields}, ChatCompletionMessage)


# What comes


def test_unknown_fields_stay() -> None:
    """A field that the library does not know is in extra, is an attribute, and is dumped."""
    came = {"role": "assistant", "content": "4", "reasoning_content": "2+2"}
    read = structure(came, ChatCompletionMessage)
    assert "2+2" == read.extra["reasoning_content"]
    assert "2+2" == read.reasoning_content  # type: ignore[attr-defined]
    assert came == read.to_dict()


def test_unknown_fields_cannot_shadow() -> None:
    """A field with the name of a method or property is only in extra."""
    names = (
        "to_dict",
        "to_json",
        "extra",
        "http",
        "request_id",
        "replace",
        "__class__",
        "__dict__",
    )
    came = {name: f"their {name}" for name in names}
    read = structure(came, ChatCompletionMessage)
    assert came == read.to_dict()
    assert came == read.extra
    assert isinstance(read, ChatCompletionMessage)
    assert read.request_id is None


def test_absent_and_null_differ() -> None:
    """Both read as None; only what was sent is in fields_set and comes out again."""
    read = structure({"content": None}, ChoiceDelta)
    assert (None, None) == (read.content, read.role)
    assert frozenset({"content"}) == read.fields_set
    assert {"content": None} == read.to_dict()


def test_input_is_not_changed() -> None:
    """Decoding leaves the dict that it was given as it was, at every depth."""
    came = {"choices": [{"delta": {"content": "a", "tool_calls": [{"index": 0}]}, "x": 1}]}
    before = copy.deepcopy(came)
    structure(came, ChatCompletionChunk)
    assert before == came


def test_tool_calls_are_told_apart() -> None:
    """By their type; by what they hold where it is missing; unknown ones keep all they have."""
    function = {"name": "f", "arguments": "{}"}
    came = [
        {"id": "1", "type": "function", "function": function},
        {"id": "2", "type": "custom", "custom": {"name": "c", "input": "x"}},
        {"id": "3", "function": function},
        {"id": "4", "custom": {"name": "c", "input": "x"}},
        {"id": "5", "type": "mcp", "mcp": {"server": "s"}},
    ]
    read = message(tool_calls=came).tool_calls
    assert read is not None
    assert [
        ChatCompletionMessageFunctionToolCall,
        ChatCompletionMessageCustomToolCall,
        ChatCompletionMessageFunctionToolCall,
        ChatCompletionMessageCustomToolCall,
        UnknownObject,
    ] == [type(call) for call in read]
    assert ("mcp", {"server": "s"}) == (read[4].type, read[4].mcp)  # type: ignore[union-attr]
    assert came == [call.to_dict() for call in read]


def test_moderation_is_told_apart() -> None:
    """Results and errors of moderation are objects of different classes."""
    came = {"input": {"type": "error", "code": "x", "message": "y"}, "output": {"type": "new"}}
    read = structure(came, Moderation)
    assert isinstance(read.input, ModerationInputError)
    assert came == read.to_dict()


@pytest.mark.parametrize(
    "value",
    [
        {"logprobs": "none"},
        {"usage": "n/a"},
        {"usage": []},
        {"choices": [None, 3, {"message": "text"}]},
        {"choices": [{"message": {"tool_calls": "x", "audio": 7, "annotations": [1, None]}}]},
    ],
)
def test_shapes_nobody_expects_stay_as_they_are(value: dict[str, Any]) -> None:
    """Decoding does not fail at them, and gives them back."""
    assert value == structure(value, ChatCompletion).to_dict()


def test_lone_object_in_place_of_a_list() -> None:
    """A server that sends one tool call without its list means a list of one."""
    read = structure({"tool_calls": {"index": 0}}, ChoiceDelta)
    assert read.tool_calls is not None
    assert [0] == [call.index for call in read.tool_calls]


def test_not_quite_json_numbers_are_read() -> None:
    """NaN and the infinities, which JSON has not, come from servers all the same."""
    assert -math.inf == from_json("[-Infinity]")[0]


@pytest.mark.parametrize("text", ["", "{", "nope", "[" * 100_000, "9" * 5000 + "x"])
def test_not_json(text: str) -> None:
    """Whatever is wrong with it, it is a ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011  # many kinds of wrong, many words
        from_json(text)


@pytest.mark.parametrize("text", ["9" * 5000, b"9" * 5000, '[{"a": %s}]' % ("9" * 5000)])
def test_an_integer_too_long_to_convert(text: str | bytes) -> None:
    """An integer of thousands of digits reads as infinity, as one with an exponent does."""
    assert from_json(text) in (math.inf, [{"a": math.inf}])
    assert -math.inf == from_json("-" + "9" * 5000)


def test_objects_are_values() -> None:
    """They compare, copy and travel, unknown fields included."""
    came = {"content": "a", "tool_calls": [{"id": "1", "function": {"name": "f"}}], "vendor": [1]}
    read = message(**came)
    for twin in (copy.copy(read), copy.deepcopy(read), pickle.loads(pickle.dumps(read))):
        assert read == twin
        assert read.to_dict() == twin.to_dict()
    assert read != message(**{**came, "vendor": [2]})
    assert read != message(**{**came, "content": "b"})


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
names = st.sampled_from(
    "id choices usage message delta content tool_calls function type custom logprobs audio role "
    "index moderation input zzz extra".split()
)
likely = st.recursive(
    json_values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6),
    max_leaves=20,
)


@given(came=st.dictionaries(names, likely, max_size=6))
def test_anything_decodes_and_comes_back(came: dict[str, Any]) -> None:
    """Any JSON object decodes as any class, and to_dict gives back what came.

    Three things are made good: a missing or null delta, message or the like is an empty object, a
    lone object stands in a list, and nothing else changes.
    """
    for cls in (ChatCompletion, ChatCompletionMessage, ChoiceDelta):
        before = copy.deepcopy(came)
        dumped = structure(came, cls).to_dict()
        assert before == came
        for name, value in came.items():
            if not isinstance(value, (dict, list)):
                assert value == dumped[name] or (value is None and dumped[name] == {})
        assert came.keys() <= dumped.keys()


def test_model_dump() -> None:
    """By the official names: all fields, or those that were sent, or those with a value."""
    read = message(content="a", refusal=None, vendor=1)
    everything = read.model_dump()
    assert ("a", None, None, 1) == tuple(
        everything[name] for name in ("content", "refusal", "tool_calls", "vendor")
    )
    assert read.to_dict() == read.model_dump(exclude_unset=True)
    assert {"role": "assistant", "content": "a", "vendor": 1} == read.model_dump(exclude_none=True)
    assert everything == json.loads(read.model_dump_json())


# What goes


class Colour(enum.Enum):
    RED = "red"


def test_mixed_values() -> None:
    """Dicts, tuples, generators, enums, mappings and objects may be mixed."""
    value = {
        "messages": (m for m in [UserMessage(content="a"), {"role": "user", "content": "b"}]),
        "stop": ("x", "y"),
        "colour": Colour.RED,
        "frozen": MappingProxyType({"a": 1}),
        "logit_bias": {50256: -100},
        "gone": omit,
        "null": None,
    }
    expected = {
        "messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
        "stop": ["x", "y"],
        "colour": "red",
        "frozen": {"a": 1},
        "logit_bias": {"50256": -100},
        "null": None,
    }
    assert expected == to_request(value)


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        (r"messages\[1\]\.content is a bytes.*base64", {"messages": [{}, {"content": b"x"}]}),
        ("temperature is nan", {"temperature": math.nan}),
        (r"a\.b is a object", {"a": {"b": object()}}),
        ("a has the key None", {"a": {None: 1}}),
        (r"stop\[0\] is omit", {"stop": [omit]}),
        ("the body is a complex", 1j),
    ],
)
def test_what_is_not_json_is_named(expected: str, value: Any) -> None:
    """The error says where it is, what it is, and where possible what to do."""
    with pytest.raises((TypeError, ValueError), match=expected):
        to_request(value)


def test_value_that_contains_itself() -> None:
    """It is refused by name, without a crash."""
    loop: dict[str, Any] = {}
    loop["loop"] = loop
    with pytest.raises(ValueError, match="contains itself"):
        to_request({"metadata": loop})


def test_any_text_can_be_sent() -> None:
    """Text goes out as it is; half a surrogate pair, which UTF-8 has not, as an escape."""
    assert '["日本 ✅"]'.encode() == to_json(["日本 ✅"])
    assert ["\ud83d"] == json.loads(to_json(["\ud83d"]))


@given(value=json_values)
def test_json_goes_out_as_it_is(value: Any) -> None:
    """Any JSON value is sent unchanged."""
    assert value == json.loads(to_json(value))


@pytest.mark.parametrize(
    ("expected", "fields"),
    [
        ({"role": "assistant", "content": "a"}, {"content": "a", "refusal": None}),
        ({"role": "assistant", "content": "a"}, {"content": "a", "annotations": []}),
        ({"role": "assistant", "content": "a"}, {"content": "a", "tool_calls": []}),
        ({"role": "assistant", "content": ""}, {"content": None}),
        ({"role": "assistant", "refusal": "no"}, {"content": None, "refusal": "no"}),
        (
            {"role": "assistant", "audio": {"id": "audio_1"}},
            {"audio": {"id": "audio_1", "data": "AAAA", "expires_at": 1, "transcript": "x"}},
        ),
        (
            {"role": "assistant", "content": "a", "reasoning_content": "why"},
            {"content": "a", "reasoning_content": "why", "reasoning": None},
        ),
        (
            {
                "role": "assistant",
                "content": None,
                "function_call": {"name": "f", "arguments": "{}"},
            },
            {"content": None, "function_call": {"name": "f", "arguments": "{}"}},
        ),
    ],
)
def test_message_that_came_can_be_sent(expected: dict[str, Any], fields: dict[str, Any]) -> None:
    """Without nulls and response-only fields; what the provider added goes back to it."""
    assert expected == to_request(message(**fields))


def test_tool_calls_that_came_can_be_sent() -> None:
    """Empty arguments become an object, a missing type is filled in, signatures stay."""
    signed = {"extra_content": {"google": {"thought_signature": "AY89"}}}
    came = message(
        content=None,
        tool_calls=[
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": ""}},
            {"id": "2", "function": {"name": "g", "arguments": None}, **signed},
            {"id": "3", "type": "custom", "custom": {"name": "c", "input": ""}},
        ],
    )
    empty = [{"name": name, "arguments": "{}"} for name in "fg"]
    expected = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "1", "type": "function", "function": empty[0]},
            {"id": "2", "type": "function", "function": empty[1], **signed},
            {"id": "3", "type": "custom", "custom": {"name": "c", "input": ""}},
        ],
    }
    assert expected == to_request(came)
    assert expected["tool_calls"] == to_request({"tool_calls": came.tool_calls})["tool_calls"]


CALLS = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


@pytest.mark.parametrize("content", [{"content": None}, {"content": ""}, {"content": "a"}, {}])
@pytest.mark.parametrize(
    "calls", [{"tool_calls": CALLS}, {"function_call": {"name": "f", "arguments": "{}"}}]
)
def test_content_beside_calls_is_sent_as_it_came(content: Any, calls: Any) -> None:
    """Null, empty or absent; in a parsed and a stored message, a copy and a dump too."""
    expected = {"role": "assistant", **content, **calls}
    came = message(**content, **calls, refusal=None, audio=None, annotations=[])
    completion = ChatCompletion(id="c", created=1, model="m", choices=[])
    completion.choices = structure(
        {"choices": [{"index": 0, "message": came.to_dict()}]}, ChatCompletion
    ).choices
    parsed = parse_completion(completion).choices[0].message
    stored = structure({**came.to_dict(), "id": "m"}, ChatCompletionStoreMessage)
    for one in (came, parsed, stored, copy.copy(came), pickle.loads(pickle.dumps(came))):
        assert expected == to_request(one)
        assert [expected] == to_request({"messages": (m for m in [one])})["messages"]
    assert came.to_dict() == to_request(came.to_dict())  # a dict is the caller's, nulls and all


def test_content_of_a_joined_message_is_sent() -> None:
    """The key is there beside tool calls, whether the stream had it or not."""
    calls = {"tool_calls": [{"index": 0, **CALLS[0]}]}
    for first in ({"role": "assistant"}, {"role": "assistant", "content": None}):
        whole = Accumulator()
        for delta in (first, calls):
            chunk = {"choices": [{"index": 0, "delta": delta}]}
            whole.add(structure(chunk, ChatCompletionChunk))
        sent = to_request(whole.completion().choices[0].message)
        assert {"role": "assistant", "content": None, "tool_calls": CALLS} == sent


def test_content_of_parts_is_sent_back_unchanged() -> None:
    """Content that came as a list goes back as that list."""
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]
    assert parts == to_request(message(content=parts))["content"]


def test_stored_message_can_be_sent() -> None:
    """Its id is left out, and its parts are its content where it has no text."""
    parts = [{"type": "text", "text": "a"}]
    came = structure(
        {"id": "m-1", "role": "user", "content": None, "content_parts": parts},
        ChatCompletionStoreMessage,
    )
    assert {"role": "user", "content": parts} == to_request(came)


def test_null_of_the_caller_is_sent() -> None:
    """In a message that the caller made, None means null, and left out means left out."""
    assert {"role": "assistant", "content": None} == to_request(AssistantMessage(content=None))
    assert {"role": "assistant"} == to_request(AssistantMessage())


def test_sentinels() -> None:
    """``omit`` and its former names are single objects, also when pickled, and false."""
    import copy
    import pickle

    from chatlib import NOT_GIVEN, NotGiven, Omit, omit

    for sentinel, cls in ((omit, Omit), (NOT_GIVEN, NotGiven)):
        assert cls() is sentinel
        assert not sentinel
        assert sentinel is pickle.loads(pickle.dumps(sentinel))
        assert sentinel is copy.deepcopy(copy.copy(sentinel))
    assert {"a": [{}]} == to_request({"a": [{"b": omit, "c": NotGiven()}], "d": Omit()})


def test_sentinels_of_the_official_package() -> None:
    """Its own sentinels stand for nothing wherever a value can stand."""
    import json

    from chatlib import OpenAI
    from chatlib.testing import InMemoryServer

    openai = pytest.importorskip("openai")
    server = InMemoryServer("a", "b")
    client = OpenAI(
        api_key="k", transport=server, timeout=openai.NOT_GIVEN, max_retries=openai.omit
    )
    for sentinel in (openai.omit, openai.NOT_GIVEN, openai.Omit(), openai.NotGiven()):
        assert {"a": 1} == to_request({"a": 1, "b": sentinel})
    client.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": "x", "name": openai.omit}],
        stream=openai.omit,
        temperature=openai.NOT_GIVEN,
        timeout=openai.NOT_GIVEN,
        extra_headers={"Accept": openai.Omit()},
        extra_query={"a": openai.omit},
        extra_body={"b": openai.omit},
    )
    sent = server.requests[-1]
    assert {"model", "messages"} == json.loads(sent.content).keys()
    assert "accept" not in sent.headers
    assert sent.url.endswith("/chat/completions")
