"""Pieces of tool calls find their call, whatever a server omits, repeats or reuses."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatlib import ChatCompletionStreamState, joined, structure
from chatlib.types import ChatCompletionChunk

ABSENT = object()
ROME, OSLO = '{"city":"Rome"}', '{"city":"Oslo"}'


def p(index: Any, id: Any, name: Any, text: Any = ABSENT, **fields: Any) -> dict[str, Any]:
    """A piece of a call; what is ABSENT is left out."""
    function = {"name": name, "arguments": text}
    function = {key: value for key, value in function.items() if value is not ABSENT}
    piece = {"index": index, "id": id, **fields}
    piece = {key: value for key, value in piece.items() if value is not ABSENT}
    return {**piece, "function": function} if function else piece


def chunks_of(pieces: list[Any]) -> list[ChatCompletionChunk]:
    """One chunk for each piece, or list of pieces, and the one that finishes the choice."""
    deltas = [{"tool_calls": one if isinstance(one, list) else [one]} for one in pieces]
    sent = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    sent.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    return [structure(one, ChatCompletionChunk) for one in sent]


def folded(pieces: list[Any]) -> list[tuple[Any, Any, Any]]:
    """The calls that pieces come to: id, name, arguments; as the events say, too."""
    chunks = chunks_of(pieces)
    calls: list[Any] = joined(chunks).choices[0].message.tool_calls or []
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    events: list[Any] = [event for chunk in chunks for event in state.handle_chunk(chunk)]
    last = {e.index: e for e in events if e.type == "tool_calls.function.arguments.delta"}
    assert [c.function.arguments for c in calls] == [last[at].arguments for at in range(len(last))]
    assert len(calls) == len([e for e in events if e.type == "tool_calls.function.arguments.done"])
    return [(call.id, call.function.name, call.function.arguments) for call in calls]


A, N = ABSENT, None

CASES: dict[str, tuple[list[Any], list[tuple[Any, Any, Any]]]] = {
    # The index says: one for each call.
    "as the API": (
        [p(0, "a", "f", ""), p(0, A, A, '{"x"'), p(0, A, A, ":1}"), p(1, "b", "f", ROME)],
        [("a", "f", '{"x":1}'), ("b", "f", ROME)],
    ),
    "interleaved, ids in the first pieces only": (
        [
            [p(0, "a", "f", ""), p(1, "b", "f", "")],
            p(1, A, A, '{"y"'),
            p(0, A, A, '{"x"'),
            [p(0, N, N, ":1}"), p(1, "", "", ":2}")],
        ],
        [("a", "f", '{"x":1}'), ("b", "f", '{"y":2}')],
    ),
    "interleaved, no ids": (
        [p(0, A, "f", '{"x":'), p(1, A, "f", '{"y":'), p(0, A, A, "1}"), p(1, A, A, "2}")],
        [(None, "f", '{"x":1}'), (None, "f", '{"y":2}')],
    ),
    "same id, other index": (
        [p(0, "w", "w", ROME), p(1, "w", "w", OSLO)],
        [("w", "w", ROME), ("w", "w", OSLO)],
    ),
    "same id, other index, interleaved": (
        [p(0, "w", "w", '{"ci'), p(1, "w", "w", '{"ci'), p(0, A, A, 't":1}'), p(1, A, A, 't":2}')],
        [("w", "w", '{"cit":1}'), ("w", "w", '{"cit":2}')],
    ),
    "same id, other index, headers first": (
        [p(0, "w", "w", ""), p(1, "w", "w", ""), p(0, "w", A, ROME), p(1, "w", A, OSLO)],
        [("w", "w", ROME), ("w", "w", OSLO)],
    ),
    # The index is always the same.
    "index 0 for all": (
        [p(0, "a", "f", ROME), p(0, "b", "f", '{"city"'), p(0, A, A, ':"Oslo"}')],
        [("a", "f", ROME), ("b", "f", OSLO)],
    ),
    "index 0 for all, headers first": (
        [p(0, "a", "f", ""), p(0, A, A, ROME), p(0, "b", "f", ""), p(0, A, A, OSLO)],
        [("a", "f", ROME), ("b", "f", OSLO)],
    ),
    "index 0 for all, no ids": (
        [p(0, A, "f", '{"city"'), p(0, A, A, ':"Rome"}'), p(0, A, "f", OSLO), p(0, A, "g", "{}")],
        [(None, "f", ROME), (None, "f", OSLO), (None, "g", "{}")],
    ),
    "index 0 for all, the id is the tool's name": (
        [p(0, "w", "w", ROME), p(0, "w", "w", OSLO), p(0, "w", "w", "{}")],
        [("w", "w", ROME), ("w", "w", OSLO), ("w", "w", "{}")],
    ),
    "a new id in each piece": (
        [p(0, "a", "f", '{"ci'), p(0, "b", A, 'ty":"Ro'), p(0, "c", A, 'me"}'), p(0, "d", A, "")],
        [("a", "f", ROME)],
    ),
    "a new id and the name in each piece": (
        [p(0, "a", "f", ""), p(0, "b", "f", '{"ci'), p(0, "c", "f", 'ty":"Rome"}')],
        [("a", "f", ROME)],
    ),
    "a new id in each piece, two calls": (
        [p(0, "a", "f", '{"city":'), p(0, "b", A, '"Rome"}'), p(0, "c", "f", OSLO)],
        [("a", "f", ROME), ("c", "f", OSLO)],
    ),
    "another id when the first is whole, and no name": (
        [p(0, "a", "f", ROME), p(0, "b", A, OSLO)],
        [("a", "f", ROME), ("b", None, OSLO)],
    ),
    # The index counts pieces.
    "a growing index": (
        [p(0, "a", "f", '{"x"'), p(1, A, A, ":1}"), p(2, "b", "g", '{"y"'), p(3, A, A, ":2}")],
        [("a", "f", '{"x":1}'), ("b", "g", '{"y":2}')],
    ),
    "a growing index, everything repeated": (
        [p(0, "a", "f", ""), p(1, "a", "f", '{"x"'), p(2, "a", "f", ":1}")],
        [("a", "f", '{"x":1}')],
    ),
    "a growing index, new ids": (
        [p(0, "a", "f", '{"x"'), p(1, "b", A, ":1}"), p(2, "c", A, "")],
        [("a", "f", '{"x":1}')],
    ),
    "a growing index, the name repeated": (
        [p(0, A, "f", '{"x"'), p(1, A, "f", ":1}"), p(2, A, "f", ROME)],
        [(None, "f", '{"x":1}'), (None, "f", ROME)],
    ),
    # No index.
    "no index": (
        [p(A, "a", "f", ROME), p(A, "b", "f", '{"ci'), p(A, A, A, 'ty":"Oslo"}')],
        [("a", "f", ROME), ("b", "f", OSLO)],
    ),
    "index null, ids in each piece, interleaved": (
        [p(N, "a", "f", '{"x"'), p(N, "b", "f", '{"y"'), p(N, "a", A, ":1}"), p(N, "b", A, ":2}")],
        [("a", "f", '{"x":1}'), ("b", "f", '{"y":2}')],
    ),
    "no index, a new id in each piece": (
        [p(A, "a", "f", '{"x"'), p(A, "b", A, ":1}"), p(A, "c", "f", ROME)],
        [("a", "f", '{"x":1}'), ("c", "f", ROME)],
    ),
    "neither index nor id": (
        [p(A, A, "f", '{"x"'), p(A, A, "f", ":1}"), p(A, A, "f", ROME), p(A, A, "g", "{}")],
        [(None, "f", '{"x":1}'), (None, "f", ROME), (None, "g", "{}")],
    ),
    "the index comes late": (
        [p(A, "a", "f", '{"x"'), p(0, A, A, ":1}"), p(1, "b", "f", ROME)],
        [("a", "f", '{"x":1}'), ("b", "f", ROME)],
    ),
    # Ids and names.
    "everything in each piece": (
        [p(0, "a", "f", '{"x"', type="function"), p(0, "a", "f", ":1}", type="function")],
        [("a", "f", '{"x":1}')],
    ),
    "the id comes late": ([p(0, A, "f", ROME), p(0, "a", "f")], [("a", "f", ROME)]),
    "the id comes before the name": (
        [p(0, "a", A), p(0, A, "f"), p(0, A, A, ROME)],
        [("a", "f", ROME)],
    ),
    "a name in pieces": ([p(0, "a", "get_"), p(0, A, "it", ROME)], [("a", "get_it", ROME)]),
    "a name that grows": ([p(0, "a", "get_"), p(0, "a", "get_it", ROME)], [("a", "get_it", ROME)]),
    "the whole call once more": (
        [p(0, "a", "f", '{"city":'), p(0, A, A, '"Rome"}'), p(0, "a", "f", ROME)],
        [("a", "f", ROME)],
    ),
    "a header once more": ([p(0, "a", "f", ROME), p(0, "a", "f", "")], [("a", "f", ROME)]),
    # Arguments.
    "{} first, then those that are meant": (
        [p(0, "a", "f", "{}"), p(0, A, A, '{"x"'), p(0, A, A, ":1}"), p(1, "b", "f", "{}")],
        [("a", "f", '{"x":1}'), ("b", "f", "{}")],
    ),
    "{} first, everything repeated": (
        [p(0, "a", "f", "{}"), p(0, "a", "f", '{"x":1}')],
        [("a", "f", '{"x":1}')],
    ),
    "{} first as an object, in one chunk": (
        [[p(0, "a", "f", {}), p(0, A, A, '{"x"'), p(0, A, A, ":1}")]],
        [("a", "f", '{"x":1}')],
    ),
    "empty, then {}": ([p(0, "a", "f", ""), p(0, A, A, "{}")], [("a", "f", "{}")]),
    "null, then pieces": ([p(0, "a", "f", N), p(0, N, N, ROME)], [("a", "f", ROME)]),
    "no arguments at all": ([p(0, "a", "f")], [("a", "f", "")]),
    "no arguments, then another": (
        [p(0, "a", "f"), p(0, "b", "g", ""), p(0, "c", "g", "")],
        [("a", "f", ""), ("b", "g", ""), ("c", "g", "")],
    ),
    "no arguments, then another, no ids": (
        [p(0, A, "f", "", type="function"), p(0, A, "g", "", type="function")],
        [(None, "f", ""), (None, "g", "")],
    ),
    "no arguments, then another, no index": (
        [p(A, "a", "f", ""), p(A, "b", "f", ROME)],
        [("a", "f", ""), ("b", "f", ROME)],
    ),
    "objects": (
        [p(0, "a", "f", {"x": [1]}), p(0, "b", "f", {}), p(0, "c", "f", {"é": None})],
        [("a", "f", '{"x": [1]}'), ("b", "f", "{}"), ("c", "f", '{"é": null}')],
    ),
    # What is no piece of a call.
    "nothing": (
        [{}, [{}], [None, "a", 3, []], p(0, "a", "f", "{}"), {"index": 0}],
        [("a", "f", "{}")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_pieces(name: str) -> None:
    """Each way in which servers label pieces comes to the calls that were meant."""
    pieces, expected = CASES[name]
    assert expected == folded(pieces)


def test_a_function_call_of_the_older_form() -> None:
    """It is joined by the same rules."""
    deltas = [{"name": "f", "arguments": "{}"}, {"arguments": '{"x"'}, {"name": "f"}]
    deltas.append({"arguments": ":1}", "vendor": {"a": 1}})
    sent = [{"choices": [{"delta": {"function_call": one}}]} for one in deltas]
    made = joined([structure(one, ChatCompletionChunk) for one in sent], partial=True)
    call = made.choices[0].message.function_call
    assert call is not None
    assert {"name": "f", "arguments": '{"x":1}', "vendor": {"a": 1}} == call.to_dict()


def test_labels_of_calls_are_set_once() -> None:
    """A signature that is repeated in each piece stays valid."""
    extra = {"extra_content": {"google": {"thought_signature": "AY"}}, "tag": "x"}
    pieces = [p(0, "a", "f", '{"x"', **extra), p(0, A, A, ":1}", **extra), extra]
    [call] = joined(chunks_of(pieces)).choices[0].message.tool_calls or []
    function = {"name": "f", "arguments": '{"x":1}'}
    assert {"id": "a", "type": "function", "function": function, **extra} == call.to_dict()


# Any calls, in the manner of any server, cut anywhere -----------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
flat = st.dictionaries(texts, st.integers() | st.booleans() | texts | st.none(), max_size=3)
nested = st.dictionaries(texts, flat | st.lists(flat, max_size=2), max_size=2)


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[Any], list[tuple[str, str]], str]:
    """Pieces of some calls, the calls, and the manner."""
    index = draw(st.sampled_from(["call", "zero", "absent", "null", "grows"]))
    ids = draw(st.sampled_from(["first", "each", "new", "absent", "null", "empty", "tool"]))
    named = draw(st.sampled_from(["first", "each"]))
    has_header = draw(st.booleans())
    takes_turns = index == "call" and draw(st.booleans())
    if named == "each" and index in ("grows", "absent", "null"):
        # Nothing in such a header tells the first piece from the first of another call.
        has_header = has_header and ids == "each"
    calls: list[tuple[str, str]] = []
    for at in range(draw(st.integers(1, 3))):
        value = {"at": at, **draw(flat if named == "each" else flat | nested)}
        text = json.dumps(value, ensure_ascii=draw(st.booleans()))
        if named == "each":  # a piece in the middle that begins with it could begin a call
            text = text[0] + text[1:].replace("{", "(")
        calls.append((draw(st.sampled_from("fg")), text))
    fresh, queues = itertools.count(), []
    for at, (name, text) in enumerate(calls):
        cuts = sorted({0, len(text), *draw(st.lists(st.integers(1, len(text) - 1), max_size=4))})
        parts = [""] * has_header + [text[a:b] for a, b in itertools.pairwise(cuts)]
        queue = []
        for number, part in enumerate(parts):
            piece: dict[str, Any] = {}
            if index in ("call", "zero", "null"):
                piece["index"] = {"call": at, "zero": 0, "null": None}[index]
            if ids in ("null", "empty"):
                piece["id"] = {"null": None, "empty": ""}[ids]
            elif ids == "each" or (ids == "first" and number == 0):
                piece["id"] = f"call_{at}"
            elif ids == "tool":
                piece["id"] = name
            elif ids == "new":
                piece["id"] = f"call_{next(fresh)}"
            piece["function"] = {"arguments": part}
            if named == "each" or number == 0:
                piece["function"]["name"] = name
            queue.append(piece)
        queues.append(queue)
    pieces = []
    if takes_turns:
        left = [(at, queue) for at, queue in enumerate(queues)]
        begun = 0
        while left:  # the calls begin in their order
            at, queue = draw(st.sampled_from([each for each in left if each[0] <= begun]))
            begun = max(begun, at + 1)
            pieces.append(queue.pop(0))
            left = [each for each in left if each[1]]
            begun = max([begun, *(each[0] for each in left[:1])])
    else:
        pieces = [piece for queue in queues for piece in queue]
    if index == "grows":
        pieces = [{"index": at, **piece} for at, piece in enumerate(pieces)]
    manner = f"{index=} {ids=} {named=} {has_header=} {takes_turns=}"
    return pieces, calls, manner


@given(streams())
@settings(max_examples=200, deadline=None)
def test_any_calls_in_the_manner_of_any_server(
    made: tuple[list[Any], list[tuple[str, str]], str],
) -> None:
    """However a server labels its pieces and cuts the arguments, the calls are what was meant."""
    pieces, calls, manner = made
    assert calls == [(name, text) for _, name, text in folded(pieces)], manner
