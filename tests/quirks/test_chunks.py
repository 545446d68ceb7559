"""The shape of chunks."""

from __future__ import annotations

from typing import Any

import pytest

from chatlib import (
    APIResponseValidationError,
    IncompleteStreamError,
)
from chatlib.testing.loopback import Reply, chunk, completion, sse
from tests.quirks.helpers import (
    HI,
    STOP,
    Seen,
    case,
    see,
    see_stream,
)


@case("azure-first-chunk-empty-choices")
def test_azure_first_chunk_empty_choices(seen: Seen) -> None:
    filtered = seen.chunks[0].prompt_filter_results
    assert "safe" == filtered[0]["content_filter_results"]["hate"]["severity"]
    assert ["", "Hi", ""] == [piece.text for piece in seen.chunks]
    assert ("c1", "m", 1700000000) == (seen.answer.id, seen.answer.model, seen.answer.created)
    assert filtered == seen.answer.prompt_filter_results


@case("azure-async-filter-no-delta")
def test_azure_async_filter_no_delta(seen: Seen) -> None:
    absent, null = seen.chunks[1].choices[0], seen.chunks[2].choices[0]
    assert {} == absent.delta.to_dict() == null.delta.to_dict()
    assert 44 == absent.content_filter_offsets["check_offset"]
    assert "safe" == null.content_filter_results["hate"]["severity"]
    assert "Hi" == seen.text
    assert "safe" == seen.choice.content_filter_results["hate"]["severity"]
    assert 198 == seen.choice.content_filter_offsets["end_offset"]
    assert ("c1", "m") == (seen.answer.id, seen.answer.model)


@case("role-empty-string")
def test_role_empty_string(seen: Seen) -> None:
    assert "assistant" == seen.choice.message.role
    assert "Hi" == seen.choice.message.content
    assert False is seen.chunks[0].input_sensitive
    assert "" == seen.chunks[0].choices[0].delta.reasoning_content
    assert 0 == seen.chunks[0].usage.total_characters


@case("role-null-or-every-chunk")
def test_role_null_or_every_chunk(seen: Seen) -> None:
    assert "assistant" == seen.choice.message.role
    assert "ABC" == seen.choice.message.content
    assert None is seen.choice.message.tool_calls
    assert None is seen.choice.message.function_call


@case("finish-reason-nonstandard")
def test_finish_reason_nonstandard(seen: Seen) -> None:
    assert "Hi" == seen.text
    assert "eos" == seen.choice.finish_reason
    assert "eos" == seen.chunks[-1].choices[0].finish_reason


@case("cumulative-content")
def test_cumulative_content(seen: Seen) -> None:
    assert "TheThe catThe cat sat" == seen.choice.message.content


@case("identical-repeated-deltas")
def test_identical_repeated_deltas(seen: Seen) -> None:
    assert "6666666666" == seen.choice.message.content


@case("content-parts-in-delta")
def test_content_parts_in_delta(seen: Seen) -> None:
    assert "42!" == seen.text
    assert "42!" == seen.answer.text
    parts = seen.choice.message.content
    assert {"type": "thinking", "thinking": [{"type": "text", "text": "hmm"}]} == parts[0]
    assert "42!" == "".join(part["text"] for part in parts[1:])


@case("n2-interleaved-choices")
def test_n2_interleaved_choices(seen: Seen) -> None:
    assert [0, 1] == [choice.index for choice in seen.answer.choices]
    assert ["A", "B"] == [choice.message.content for choice in seen.answer.choices]
    assert [("f", '{"x":1}'), ("g", '{"y":2}')] == [
        (call.function.name, call.function.arguments)
        for choice in seen.answer.choices
        for call in choice.message.tool_calls
    ]
    assert ["tool_calls"] * 2 == [choice.finish_reason for choice in seen.answer.choices]
    assert "A" == seen.answer.text
    assert "A" == seen.text


@case("audio-deltas")
def test_audio_deltas(seen: Seen) -> None:
    audio = seen.choice.message.audio
    assert ("audio_1", "Hello", "QUFBQkJC", 1729268602) == (
        audio.id,
        audio.transcript,
        audio.data,
        audio.expires_at,
    )
    assert None is seen.choice.finish_reason


def test_filter_results_after_the_finish() -> None:
    """A chunk without a delta may still come after the finish chunk."""
    late = {"choices": [{"index": 0, "finish_reason": None, "content_filter_results": {"a": 1}}]}
    seen = see_stream(sse(HI, STOP, late, done=False))
    assert {"a": 1} == seen.choice.content_filter_results
    assert "stop" == seen.choice.finish_reason


def test_finish_reason_that_is_empty() -> None:
    """An empty finish reason means that there is none yet."""
    seen = see_stream(sse(chunk("A", ""), chunk("B", ""), done=False))
    assert IncompleteStreamError is type(seen.error)
    seen = see_stream(sse(chunk("A", ""), chunk("B", ""), STOP, done=False))
    assert "AB" == seen.choice.message.content
    assert "stop" == seen.choice.finish_reason


def test_choices_without_index_or_list() -> None:
    """A choice without an index is the one in its place; choices null are none."""
    bare = {"choices": [{"delta": {"content": "A"}}, {"delta": {"content": "B"}}]}
    seen = see_stream(sse(bare, {"choices": None, "usage": {"total_tokens": 3}}))
    assert ["A", "B"] == [choice.message.content for choice in seen.answer.choices]
    assert 3 == seen.answer.usage.total_tokens


@pytest.mark.parametrize("delta", [[], "text", 1])
def test_a_delta_of_another_kind(delta: Any) -> None:
    """A delta that is not an object is an error that quotes it."""
    seen = see_stream(sse({"choices": [{"index": 0, "delta": delta or ["x"]}]}))
    assert APIResponseValidationError is type(seen.error)
    assert "choices[0].delta is not an object" in seen.error.message


def test_unknown_text_is_joined() -> None:
    """Text in fields that nobody knows is joined as the known text is."""
    first, second = chunk(""), chunk("")
    first["choices"][0]["delta"]["reasoning_content"] = "hm"
    second["choices"][0]["delta"]["reasoning_content"] = "m."
    seen = see_stream(sse(first, second, HI, STOP))
    assert "hmm." == seen.choice.message.reasoning_content
    assert "Hi" == seen.choice.message.content


def test_whole_messages_in_place_of_deltas() -> None:
    """A stream whose event has a message where a delta belongs loses nothing of it."""
    seen = see_stream(sse(completion("Hello")))
    assert "Hello" == seen.text
    assert "Hello" == seen.choice.message.content
    assert "stop" == seen.choice.finish_reason


def test_whole_message_beside_the_last_delta() -> None:
    """A message that repeats what the deltas have said is not said twice."""
    last = chunk(finish="stop")
    last["choices"][0]["message"] = {"role": "assistant", "content": "Hi"}
    assert "Hi" == see_stream(sse(HI, last)).choice.message.content
    del last["choices"][0]["delta"]
    seen = see_stream(sse(chunk("H"), chunk("i"), last))
    assert "Hi" == seen.choice.message.content
    assert "Hi" == seen.choice.to_dict()["message"]["content"]
    assert "message" not in seen.choice.extra


def test_message_fields_that_come_in_a_delta() -> None:
    """What a delta brings for a field of the message is found in that field."""
    citation = {"start_index": 0, "end_index": 2, "title": "T", "url": "https://x.test"}
    cited = chunk("Hi")
    cited["choices"][0]["delta"]["annotations"] = [
        {"type": "url_citation", "url_citation": citation}
    ]
    seen = see_stream(sse(cited, STOP))
    assert "https://x.test" == seen.choice.message.annotations[0].url_citation.url
    assert [citation] == [
        remark["url_citation"] for remark in seen.choice.message.to_dict()["annotations"]
    ]


def test_plain_completion_in_place_of_a_stream() -> None:
    """A server that answers a stream request with a whole completion loses nothing of it."""
    seen = see(Reply.json(completion("Hello")), stream=True)
    assert "Hello" == seen.text
    assert "Hello" == seen.choice.message.content
    assert 4 == seen.answer.usage.total_tokens
