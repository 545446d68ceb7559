"""Framing of event streams."""

from __future__ import annotations

import itertools
import json
import time

import pytest

from chatlib import (
    APIError,
    APIResponseValidationError,
    IncompleteStreamError,
    read_events,
)
from chatlib.testing.loopback import Reply, chunk, sse
from tests.quirks.helpers import (
    HI,
    STOP,
    Seen,
    case,
    expanded,
    outcome,
    see,
    see_pure,
    see_stream,
)


@case("sse-no-space-after-colon")
def test_sse_no_space_after_colon(seen: Seen) -> None:
    assert "Hi" == seen.text
    assert "stop" == seen.choice.finish_reason
    assert ["x", "x", " x"] == [
        event.data for event in read_events([b"data:x\n\ndata: x\n\ndata:  x\n\n"])
    ]


@case("sse-mixed-line-endings")
def test_sse_mixed_line_endings(seen: Seen) -> None:
    assert ["A", "B", "C"] == [piece.text for piece in seen.chunks]
    assert "stop" == seen.choice.finish_reason


@case("sse-comment-keepalive")
def test_sse_comment_keepalive(seen: Seen) -> None:
    assert ["Hi", ""] == [piece.text for piece in seen.chunks]
    assert "stop" == seen.choice.finish_reason


@case("sse-empty-data-and-ping")
def test_sse_empty_data_and_ping(seen: Seen) -> None:
    assert ["Hi", ""] == [piece.text for piece in seen.chunks]
    assert "stop" == seen.choice.finish_reason


@case("sse-retry-and-id-only")
def test_sse_retry_and_id_only(seen: Seen) -> None:
    assert ["Hi", ""] == [piece.text for piece in seen.chunks]
    assert "stop" == seen.choice.finish_reason
    assert 1 == len(seen.requests)


@case("sse-multiline-data")
def test_sse_multiline_data(seen: Seen) -> None:
    assert ["Hi"] == [piece.text for piece in seen.chunks]
    assert "stop" == seen.choice.finish_reason
    assert "c1" == seen.answer.id


@case("sse-done-without-blank-line")
def test_sse_done_without_blank_line(seen: Seen) -> None:
    assert ["", "Hi", ""] == [piece.text for piece in seen.chunks]
    assert "Hi" == seen.choice.message.content
    assert "stop" == seen.choice.finish_reason


@case("sse-finish-but-no-done")
def test_sse_finish_but_no_done(seen: Seen) -> None:
    assert "Hello" == seen.text
    assert "stop" == seen.choice.finish_reason
    assert [] == seen.warnings


@case("sse-error-field-line")
def test_sse_error_field_line(seen: Seen) -> None:
    assert "Par" == seen.text
    assert isinstance(seen.error, APIError)
    assert (
        "the request exceeds the available context size. try increasing the context size or "
        "enable context shift" == seen.error.message
    )
    assert 400 == seen.error.code
    assert "invalid_request_error" == seen.error.type
    assert "Par" == seen.error.completion.text
    assert 1 == len(seen.requests)


@case("sse-leading-bom")
def test_sse_leading_bom(seen: Seen) -> None:
    assert ["Hi", ""] == [piece.text for piece in seen.chunks]
    assert "stop" == seen.choice.finish_reason


def test_carriage_returns_alone_end_lines() -> None:
    """A lone CR ends a line, as the standard says."""
    seen = see_stream(sse(HI, STOP).replace(b"\n", b"\r"))
    assert ["Hi", ""] == [piece.text for piece in seen.chunks]
    assert "stop" == seen.choice.finish_reason


def test_crlf_after_a_bom() -> None:
    """A BOM and CRLF together do no harm, wherever the bytes are cut."""
    wire = b"\xef\xbb\xbf" + sse(HI, STOP).replace(b"\n", b"\r\n")
    seen = see_stream(wire)
    assert "Hi" == seen.text
    for at in range(len(wire)):
        assert outcome(seen) == outcome(see_pure([wire[:at], wire[at:]]))


def test_other_line_separators_are_text() -> None:
    """U+2028, U+2029 and U+0085 in a string are no line ends."""
    text = "a\u2028b\u2029c\u0085d"
    body = json.dumps(chunk(text), ensure_ascii=False)
    assert text == see_stream(sse(body, STOP)).text


def test_every_set_of_cuts_within_characters() -> None:
    """Characters of several bytes survive any set of cuts inside them."""
    wire = sse(json.dumps(chunk("日本 ✅"), ensure_ascii=False), STOP)
    start = wire.index("日".encode())
    size = len("日本 ✅".encode())
    for pattern in range(2 ** (size + 1)):
        cuts = [0, *(start + bit for bit in range(size + 1) if pattern >> bit & 1), len(wire)]
        pieces = [wire[a:b] for a, b in itertools.pairwise(cuts)]
        assert "日本 ✅" == see_pure(pieces).text


@pytest.mark.parametrize(
    "wire",
    [
        "",
        "\n\n",
        ": ping\n\n",
        "data:\n\nevent: ping\n\nevent: ping\ndata:\n\n",
        "retry: 1\n\nid: 7",
    ],
)
def test_nothing_but_frames_without_content(wire: str) -> None:
    """A stream that holds no answer is an error of its own, not one of decoding JSON."""
    seen = see_stream(wire)
    assert IncompleteStreamError is type(seen.error)
    assert "Connection error: the stream ended without an answer." == seen.error.message
    assert [] == seen.error.completion.choices


def test_retry_field_sends_nothing_again() -> None:
    """``retry:`` is the browser's business: a stream that is cut off after it is not repeated."""
    seen = see(Reply.stream(b"retry: 0\n\nid: 1\n" + sse(HI, done=False)), stream=True)
    assert IncompleteStreamError is type(seen.error)
    assert 1 == len(seen.requests)


@pytest.mark.parametrize("end", ["data: [DONE]", "data:[DONE]\n", "data: [DONE] \r\n\r\n"])
def test_done_alone_is_an_end(end: str) -> None:
    """With ``[DONE]`` and no finish reason, the stream is complete and nothing is invented."""
    seen = see_stream(sse(HI, done=False) + end.encode())
    assert "Hi" == seen.choice.message.content
    assert None is seen.choice.finish_reason


def test_one_choice_of_two_never_finishes() -> None:
    """A finish reason is needed for each choice that began."""
    second = chunk("B")
    second["choices"][0]["index"] = 1
    seen = see_stream(sse(HI, second, STOP, done=False))
    assert IncompleteStreamError is type(seen.error)
    assert ["Hi", "B"] == [choice.message.content for choice in seen.error.completion.choices]
    assert ["stop", None] == [choice.finish_reason for choice in seen.error.completion.choices]


def test_last_event_is_cut_after_the_finish() -> None:
    """Once all choices have finished, half an event at the end is no loss of the answer."""
    seen = see_stream(sse(HI, STOP, done=False) + b'data: {"choices": [], "usa')
    assert "stop" == seen.choice.finish_reason


def test_last_event_is_cut_before_the_finish() -> None:
    """Half an event before the finish says that the stream was cut off, not that JSON is bad."""
    seen = see_stream(sse(HI, done=False) + b'data: {"choices": [{"del')
    assert IncompleteStreamError is type(seen.error)
    assert "Hi" == seen.error.completion.text


def test_an_event_that_is_not_json() -> None:
    """Rubbish between events is an error that quotes it and keeps what had come."""
    seen = see_stream(sse(HI, "{rubbish", STOP))
    assert APIResponseValidationError is type(seen.error)
    assert "{rubbish" in seen.error.message
    assert "Hi" == seen.error.completion.text


@pytest.mark.parametrize("name", ["chunk", "completion.chunk", "message", "data"])
def test_events_with_a_name(name: str) -> None:
    """Chunks count under whatever name their event has."""
    wire = sse(HI, STOP).replace(b"data: {", f"event: {name}\ndata: {{".encode())
    assert "Hi" == see_stream(wire).text


def test_a_line_of_megabytes() -> None:
    """One long event is read whole, in a time that grows no faster than it does."""
    text = expanded("{{REPEAT:A:600000}}")
    wire = sse(chunk(text), STOP)
    start = time.process_time()
    seen = see_pure(wire[at : at + 64] for at in range(0, len(wire), 64))
    assert text == seen.text
    assert time.process_time() - start < 1
    assert text == see(Reply.stream(wire), stream=True).text
