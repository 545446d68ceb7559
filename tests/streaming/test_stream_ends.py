"""Where a stream ends: at ``[DONE]`` or the end of the body, not at its first finish reason."""

from __future__ import annotations

import json
import time
from typing import Any

import attrs
import pytest

from chatlib import (
    APIError,
    HttpResponse,
    IncompleteStreamError,
    InternalServerError,
    Timeout,
    joined,
    read_chunks,
)
from chatlib.testing.loopback import Reply, Server, chunk, sse
from chatlib.types import ChatCompletion
from tests import faces

pytestmark = pytest.mark.usefixtures("face")  # each test holds for both faces

SHORT = Timeout(60, stream_end=0.5)
"""The limits of a call whose server may keep its connection open after the answer."""

HI, STOP = chunk("Hi"), chunk(finish="stop")
REPORT = {"choices": [], "usage": {"total_tokens": 7}}
ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


@attrs.define
class Seen:
    """What came of a stream."""

    answer: ChatCompletion
    error: Any
    seconds: float

    @property
    def finish_reasons(self) -> list[str | None]:
        return [choice.finish_reason for choice in self.answer.choices]

    @property
    def texts(self) -> list[str | None]:
        return [choice.message.content for choice in self.answer.choices]

    @property
    def tokens(self) -> int | None:
        return self.answer.usage.total_tokens if self.answer.usage is not None else None


def see(*parts: Any, reply: Any = None, how: str = "create", **options: Any) -> Seen:
    """Read a stream whose server sends these bytes, with pauses of so many seconds between."""
    with Server(Reply.stream(list(parts), **(reply or {}))) as server:
        client = faces.client(base_url=server.url, timeout=SHORT)
        chunks, error, start = [], None, time.monotonic()
        with client:
            try:
                for piece in begun(client, how, {**ASK, "stream": True, **options}):
                    chunks.append(piece)
            except APIError as raised:
                error = raised
        return Seen(joined(chunks, partial=True), error, time.monotonic() - start)


def begun(client: Any, how: str, asked: dict[str, Any]) -> Any:
    """The chunks of a stream that is asked for in one of three ways."""
    completions = client.chat.completions
    if how == "create":
        return completions.create(**asked)
    if how == "with_raw_response":
        return faces.wrap(completions.with_raw_response.create(**asked).parse())
    return streamed(completions.with_streaming_response.create(**asked))


def streamed(opened: Any) -> Any:
    with opened as response:
        yield from response.parse()


def of_choice(index: int, text: str | None = None, finish: str | None = None) -> dict[str, Any]:
    """A chunk of one of several choices."""
    made = chunk(text, finish)
    made["choices"][0]["index"] = index
    return made


# Silence --------------------------------------------------------------------------------------


def test_silence_ends_a_finished_stream() -> None:
    """Each byte after the finish restarts the limit, and what comes in time is given."""
    parts = [sse(HI, STOP, done=False), 0.3, b": heartbeat\n\n", 0.3, sse(REPORT, done=False)]
    seen = see(*parts, reply={"hold": 30})
    assert (None, ["stop"], 7) == (seen.error, seen.finish_reasons, seen.tokens)
    assert 1.0 < seen.seconds < 5


def test_total_ends_a_finished_stream_whose_heartbeats_do_not() -> None:
    """Heartbeats keep a finished stream open; the limit of the whole call ends it, complete."""
    limits = Timeout(60, total=1.2, stream_end=0.5)
    parts = [sse(HI, STOP, done=False), 0.1, sse(REPORT, done=False)]
    seen = see(*parts, reply={"hold": 30, "trickle": 0.02}, timeout=limits)
    assert (None, ["stop"], 7) == (seen.error, seen.finish_reasons, seen.tokens)
    assert 1.0 < seen.seconds < 5


def test_no_limit_on_silence() -> None:
    """Without it, the read timeout is what ends a stream that is complete."""
    limits = Timeout(60, read=0.9, stream_end=None)
    seen = see(sse(HI, STOP, done=False), reply={"hold": 30}, timeout=limits)
    assert (None, ["stop"]) == (seen.error, seen.finish_reasons)
    assert 0.8 < seen.seconds < 5


def test_the_limit_on_silence_is_fifteen_seconds() -> None:
    """Unless a timeout says otherwise; a total shortens it as it does all limits."""
    assert 15 == Timeout().stream_end == Timeout(3).stream_end == Timeout(None).stream_end
    assert 2 == Timeout(9).within(2).stream_end
    with pytest.raises(ValueError, match="stream_end is 0"):
        Timeout(stream_end=0)


def test_the_limit_on_silence_counts_from_the_wait() -> None:
    """The time that the caller takes between two chunks is no silence of the server."""
    with Server(Reply.stream([sse(HI, STOP, done=False), 0.1, sse(REPORT)])) as server:
        client = faces.client(base_url=server.url, timeout=SHORT)
        pieces = []
        for piece in client.chat.completions.create(**ASK, stream=True):
            pieces.append(piece)
            time.sleep(0.7 if piece.choices and piece.choices[0].finish_reason else 0)
    usage = joined(pieces).usage
    assert usage is not None
    assert 7 == usage.total_tokens


def test_a_pause_before_the_finish_is_no_silence() -> None:
    """The limit is for what comes after the finish."""
    seen = see(sse(HI, done=False), 0.7, sse(STOP))
    assert (None, ["stop"]) == (seen.error, seen.finish_reasons)


# Finish reasons that are not the end ------------------------------------------------------------


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("how", ["create", "with_raw_response", "with_streaming_response"])
def test_a_finish_reason_in_every_chunk(how: str, done: bool) -> None:
    """A finish reason that comes with each piece ends nothing, however long the pauses are."""
    words = ["one ", "two ", "three"]
    first, second, third = (sse(chunk(word, "stop"), done=False) for word in words)
    seen = see(first, 0.1, second, 0.7, third, sse(done=done), how=how)
    assert (None, ["one two three"]) == (seen.error, seen.texts)


def test_a_finish_reason_in_the_first_chunk() -> None:
    """Nor does one that comes first: all events of ``stream()`` come, and the usage after them."""
    parts = [sse(chunk("A", "stop"), done=False), 0.1, sse(chunk("B"), done=False), 0.7]
    with Server(Reply.stream([*parts, sse(chunk("C"), done=False), 0.7, sse(REPORT)])) as server:
        client = faces.client(base_url=server.url, timeout=SHORT)
        with client.chat.completions.stream(**ASK) as stream:
            stream.until_done()
            completion = stream.get_final_completion()
    assert "ABC" == completion.choices[0].message.content
    assert 7 == completion.usage.total_tokens


def test_a_finish_reason_before_anything_else() -> None:
    """One that comes with the role, before any text, does not limit the wait for the text."""
    parts = [sse(chunk("", "stop"), done=False), 0.7, sse(chunk("A", "stop"), done=False)]
    seen = see(*parts)
    assert (None, ["A"]) == (seen.error, seen.texts)


def test_a_choice_that_goes_on_after_its_finish_is_not_finished() -> None:
    """Its next finish reason ends it; without one, the stream was cut off."""
    wire = sse(chunk("A", "stop"), chunk("B"), done=False)
    seen = see(wire)
    assert IncompleteStreamError is type(seen.error)
    assert "AB" == seen.error.completion.text
    seen = see(wire + sse(STOP, done=False))
    assert (None, ["AB"]) == (seen.error, seen.texts)
    seen = see(sse(chunk("A", "stop"), chunk("B", "stop"), done=False))
    assert (None, ["AB"]) == (seen.error, seen.texts)


@pytest.mark.parametrize("delta", [{}, {"content": ""}, {"role": "assistant"}, None])
def test_a_chunk_without_content_after_the_finish(delta: Any) -> None:
    """It does not open the choice again."""
    late = {"choices": [{"index": 0, "delta": delta, "content_filter_results": {}}]}
    seen = see(sse(HI, STOP, late, done=False), reply={"hold": 30})
    assert (None, ["stop"]) == (seen.error, seen.finish_reasons)
    assert seen.seconds < 5


# Several choices ---------------------------------------------------------------------------------


def test_a_second_choice_that_begins_late() -> None:
    """A choice that begins after another has finished has all the time it needs."""
    parts = [sse(HI, STOP, done=False), 0.7, sse(of_choice(1, "B"), done=False), 0.7]
    seen = see(*parts, sse(of_choice(1, finish="stop")), n=2)
    assert (None, ["Hi", "B"], ["stop"] * 2) == (seen.error, seen.texts, seen.finish_reasons)


@pytest.mark.parametrize("abort", [None, "fin", "rst"])
def test_a_second_choice_that_never_begins(abort: str | None) -> None:
    """With ``n=2``, a stream that ends after one choice was cut off, however it ended."""
    seen = see(sse(HI, STOP, done=False), 0.05, reply={"abort": abort}, n=2)
    assert IncompleteStreamError is type(seen.error)
    assert "Hi" == seen.error.completion.text
    assert abort or "after 1 of the 2 choices" in seen.error.message
    both = sse(HI, of_choice(1, "B", "stop"), STOP, done=False)
    seen = see(both, 0.05, reply={"abort": abort}, n=2)
    assert (None, ["Hi", "B"]) == (seen.error, seen.texts)


def test_done_ends_a_stream_with_fewer_choices_than_asked_for() -> None:
    """Servers that do not know ``n`` send one choice and ``[DONE]``."""
    seen = see(sse(HI, STOP), n=2)
    assert (None, ["Hi"]) == (seen.error, seen.texts)


@pytest.mark.parametrize("n", [None, True, "2", [], 10**9])
def test_the_number_of_choices_in_odd_forms(n: Any) -> None:
    """Whatever stands in the request, ``[DONE]`` is an end."""
    seen = see(sse(HI, STOP), extra_body={"n": n})
    assert (None, ["Hi"]) == (seen.error, seen.texts)


# The last event -----------------------------------------------------------------------------------


@pytest.mark.parametrize("abort", [None, "fin", "rst"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_the_last_event_lacks_its_blank_line(end: str, abort: str | None) -> None:
    """What came of a stream that ends or breaks off is given, if its JSON is whole."""
    wire = sse(HI, STOP, done=False) + f"data: {json.dumps(REPORT)}{end}".encode()
    seen = see(wire, 0.05, reply={"abort": abort})
    assert (None, 7) == (seen.error, seen.tokens)
    wire = sse(HI, done=False) + b'data: {"error": {"message": "Boom", "code": 502}}' + end.encode()
    seen = see(wire, 0.05, reply={"abort": abort})
    assert (InternalServerError, "Boom") == (type(seen.error), seen.error.message)
    assert "Hi" == seen.error.completion.text


@pytest.mark.parametrize("abort", ["fin", "rst"])
def test_done_without_its_blank_line(abort: str) -> None:
    """A connection that dies right after ``[DONE]`` has brought all that there is."""
    seen = see(sse(HI, done=False) + b"data: [DONE]", 0.05, reply={"abort": abort})
    assert (None, ["Hi"]) == (seen.error, seen.texts)


@pytest.mark.parametrize("abort", ["fin", "rst"])
def test_a_plain_answer_to_a_stream_request_that_breaks_off(abort: str) -> None:
    """Half of it is a lost connection; all of it is the answer."""
    body = b'{"choices": [{"message": {"content": "Hi"}}]}'
    seen = see(body[:20], 0.05, reply={"abort": abort})
    assert IncompleteStreamError is type(seen.error)
    seen = see(body, 0.05, reply={"abort": abort})
    assert (None, ["Hi"]) == (seen.error, seen.texts)


# Streams without an answer ------------------------------------------------------------------------


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize(
    "event",
    [
        {"choices": [], "usage": {"total_tokens": 7}, "note": "odd"},
        {"choices": None, "note": "odd"},
        {"note": "odd"},
        {"type": "ping", "note": "odd"},
    ],
)
def test_a_stream_without_a_choice(event: Any, done: bool) -> None:
    """It is no success, ``[DONE]`` or not, and the error quotes the last event."""
    seen = see(sse(event, done=done))
    assert IncompleteStreamError is type(seen.error)
    assert "without an answer" in seen.error.message
    assert '"note": "odd"' in seen.error.message
    with pytest.raises(IncompleteStreamError, match="odd"):
        list(read_chunks(HttpResponse(200, {}, sse(event, done=done))))


@pytest.mark.parametrize(
    "wire", [b"data: [DONE]\n\n", b": ping\n\ndata: [DONE]", b'data: "[DONE]"']
)
def test_a_stream_of_nothing_but_its_end(wire: bytes) -> None:
    """There is nothing to quote."""
    seen = see(wire)
    assert "Connection error: the stream ended without an answer." == seen.error.message


def test_a_plain_answer_without_choices_to_a_stream_request() -> None:
    """It is no success either."""
    seen = see(b'{"id": "c1", "choices": []}')
    assert IncompleteStreamError is type(seen.error)
    assert '"id": "c1"' in seen.error.message
