"""Tool calls in streams and completions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatlib import (
    to_request,
)
from chatlib.testing.loopback import Reply, chunk, completion, sse
from tests.quirks.helpers import (
    STOP,
    Seen,
    case,
    see,
    see_stream,
)


@case("tc-index-missing-single")
def test_tc_index_missing_single(seen: Seen) -> None:
    assert [("call_1", "get_weather", '{"city":"Paris"}')] == seen.calls


@case("tc-index-missing-parallel")
def test_tc_index_missing_parallel(seen: Seen) -> None:
    assert [("call_1", "f", '{"a":1}'), ("call_2", "g", '{"b":2}')] == seen.calls


@case("tc-all-index-zero")
def test_tc_all_index_zero(seen: Seen) -> None:
    assert [
        ("call_1", "read", '{"path":"a.rs"}'),
        ("call_2", "read", '{"path":"b.rs"}'),
    ] == seen.calls
    assert [0, 0] == [piece.choices[0].delta.tool_calls[0].index for piece in seen.chunks[:2]]


@case("tc-duplicate-index-in-one-chunk")
def test_tc_duplicate_index_in_one_chunk(seen: Seen) -> None:
    assert [("functions.list_files:0", "list_files", ' {"path": "."}')] == seen.calls


@case("tc-null-fields-continuation")
def test_tc_null_fields_continuation(seen: Seen) -> None:
    assert [("call_abc", "get_weather", '{"city":"SF"}')] == seen.calls
    assert "function" == seen.choice.message.tool_calls[0].type


@case("tc-id-type-name-repeated")
def test_tc_id_type_name_repeated(seen: Seen) -> None:
    assert [("call_1", "f", '{"a":1}')] == seen.calls
    assert "function" == seen.choice.message.tool_calls[0].type


@case("tc-id-missing")
def test_tc_id_missing(seen: Seen) -> None:
    assert [(None, "f", "{}")] == seen.calls


@case("tc-toolcalls-object-not-list")
def test_tc_toolcalls_object_not_list(seen: Seen) -> None:
    assert [("f", '{"a":1}')] == [call[1:] for call in seen.calls]


@case("tc-empty-or-null-arguments")
def test_tc_empty_or_null_arguments(seen: Seen) -> None:
    assert [("call_1", "version", ""), ("call_2", "status", None)] == seen.calls
    replayed = to_request(seen.choice.message)["tool_calls"]
    assert ["{}", "{}"] == [call["function"]["arguments"] for call in replayed]


@case("tc-extra-content-signature")
def test_tc_extra_content_signature(seen: Seen) -> None:
    assert [("call_1", "bash", '{"command":"ls"}')] == seen.calls
    signed = {"google": {"thought_signature": "AY89a18IwQsQ8in/"}}
    assert signed == seen.choice.message.tool_calls[0].extra_content
    assert signed == to_request(seen.choice.message)["tool_calls"][0]["extra_content"]


@case("tc-split-across-choices")
def test_tc_split_across_choices(seen: Seen) -> None:
    first, second = seen.answer.choices
    assert [0, 1] == [first.index, second.index]
    assert "I will look." == first.message.content
    assert None is first.message.tool_calls
    assert "tool_calls" == first.finish_reason
    assert None is second.message.content
    assert ["toolu_1"] == [call.id for call in second.message.tool_calls]
    assert '{"url":"https://x.test"}' == second.message.tool_calls[0].function.arguments


@case("tc-truncated-but-says-tool-calls")
def test_tc_truncated_but_says_tool_calls(seen: Seen) -> None:
    assert [("call_1", "write_file", '{"path":"/tmp/a","content":"hel')] == seen.calls
    assert "tool_calls" == seen.choice.finish_reason


@case("tc-legacy-function-call")
def test_tc_legacy_function_call(seen: Seen) -> None:
    function = seen.choice.message.function_call
    assert ("print_tags", '{\n"a":1}') == (function.name, function.arguments)
    assert "function_call" == seen.choice.finish_reason
    assert None is seen.choice.message.tool_calls


def tool_chunk(*pieces: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"tool_calls": list(pieces)}}]}


def tool_piece(**fields: Any) -> dict[str, Any]:
    function = {name: fields.pop(name) for name in ("name", "arguments") if name in fields}
    return {**fields, "function": function} if function else fields


def calls_of(*pieces: dict[str, Any]) -> list[tuple[Any, Any, Any]]:
    """The calls that these pieces come to, each in a chunk of its own, and all in one chunk."""
    end = chunk(finish="tool_calls")
    made = see_stream(sse(*map(tool_chunk, pieces), end)).calls
    assert made == see_stream(sse(tool_chunk(*pieces), end)).calls
    return made


def test_calls_interleaved_by_index() -> None:
    """With indexes and ids as they should be, pieces may come in any order of calls."""
    assert [("b", "g", '{"y":2}'), ("a", "f", '{"x":1}')] == calls_of(
        tool_piece(index=1, id="b", name="g", arguments='{"y":'),
        tool_piece(index=0, id="a", name="f", arguments='{"x":'),
        tool_piece(index=1, arguments="2}"),
        tool_piece(index=0, arguments="1}"),
    )


def test_calls_without_ids() -> None:
    """Where no id ever comes, the index tells calls apart."""
    assert [(None, "f", '{"x":1}'), (None, "g", "{}")] == calls_of(
        tool_piece(index=0, name="f", arguments='{"x":'),
        tool_piece(index=0, arguments="1}"),
        tool_piece(index=1, name="g", arguments="{}"),
    )


def test_calls_with_neither_id_nor_index() -> None:
    """Where neither comes, a name after complete arguments begins the next call."""
    assert [(None, "f", '{"x":1}'), (None, "f", '{"x":2}')] == calls_of(
        tool_piece(name="f", arguments='{"x":1}'),
        tool_piece(name="f", arguments='{"x":2}'),
    )


def test_id_that_comes_late() -> None:
    """An id may come after the first piece of its call."""
    assert [("a", "f", '{"x":1}')] == calls_of(
        tool_piece(index=0, name="f", arguments='{"x"'),
        tool_piece(index=0, id="a", arguments=":1}"),
    )


def test_empty_id_is_none() -> None:
    """An empty id, name or type erases nothing."""
    assert [("a", "f", '{"x":1}')] == calls_of(
        tool_piece(index=0, id="a", type="function", name="f", arguments='{"x"'),
        tool_piece(index=0, id="", type="", name="", arguments=":1}"),
    )


def test_arguments_that_are_an_object() -> None:
    """Arguments sent as JSON rather than as text become text."""
    made = calls_of(tool_piece(index=0, id="a", name="f", arguments={"x": 1}))
    assert [("a", "f", {"x": 1})] == [(made[0][0], made[0][1], json.loads(made[0][2]))]


def test_arguments_that_are_an_object_in_a_plain_answer() -> None:
    """Arguments sent as JSON are the text that they stand for, and go back as it."""
    body = completion(None, "tool_calls")
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}}
    body["choices"][0]["message"]["tool_calls"] = [call]
    seen = see(Reply.json(body))
    assert [("a", "f", '{"x": 1}')] == seen.calls
    sent = to_request(seen.choice.message)["tool_calls"][0]["function"]["arguments"]
    assert {"x": 1} == json.loads(sent)


def test_a_custom_tool_call() -> None:
    """The free text of a custom tool is joined, and stays apart from functions."""
    seen = see_stream(
        sse(
            tool_chunk({"index": 0, "id": "a", "type": "custom", "custom": {"name": "sh"}}),
            tool_chunk({"index": 0, "custom": {"input": "ls"}}),
            tool_chunk({"index": 0, "custom": {"input": " -l"}}),
            chunk(finish="tool_calls"),
        )
    )
    (call,) = seen.choice.message.tool_calls
    assert ("a", "custom", "sh", "ls -l") == (
        call.id,
        call.type,
        call.custom.name,
        call.custom.input,
    )


@pytest.mark.parametrize("nothing", [None, []])
def test_no_tool_calls(nothing: Any) -> None:
    """Tool calls that are null or an empty list are none."""
    empty = chunk("A")
    empty["choices"][0]["delta"]["tool_calls"] = nothing
    seen = see_stream(sse(empty, STOP))
    assert not seen.choice.message.tool_calls
    assert "tool_calls" not in to_request(seen.choice.message)
