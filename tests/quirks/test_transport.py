"""Framing, compression and broken connections."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator

import pytest

from chatlib import (
    APIConnectionError,
    APIError,
    IncompleteStreamError,
    OpenAI,
)
from chatlib.testing.loopback import Reply, Server, chunk, completion, sse
from tests.quirks.helpers import (
    HI,
    MESSAGES,
    OK,
    STOP,
    Seen,
    case,
    see,
)


@case("tr-abort-chunked", stream=True)
def test_tr_abort_chunked(seen: Seen) -> None:
    assert "Par" == seen.text
    assert isinstance(seen.error, APIConnectionError)
    assert isinstance(seen.error, IncompleteStreamError)
    assert "urllib3" == type(seen.error.__cause__).__module__.partition(".")[0]
    assert "Par" == seen.error.completion.text
    assert None is seen.error.completion.choices[0].finish_reason
    assert 1 == len(seen.requests)


@case("tr-open-after-finish", stream=True)
def test_tr_open_after_finish(seen: Seen) -> None:
    assert "Hi!" == seen.text
    assert "stop" == seen.choice.finish_reason
    assert seen.first_after < 1
    assert seen.seconds < 2.9


@case("tr-trickle-after-done", stream=True)
def test_tr_trickle_after_done(seen: Seen) -> None:
    assert "Hi" == seen.text
    assert "stop" == seen.choice.finish_reason
    assert seen.seconds < 1


@case("tr-gzip-sse", stream=True)
def test_tr_gzip_sse(seen: Seen) -> None:
    assert "Hi" == seen.text
    assert "stop" == seen.choice.finish_reason
    advertised = seen.requests[0].headers["accept-encoding"].replace(" ", "").split(",")
    assert "gzip" in advertised
    assert {"gzip", "deflate", "br", "zstd", "identity"} >= set(advertised)


@case("tr-sse-for-plain-request")
def test_tr_sse_for_plain_request(seen: Seen) -> None:
    assert "OK" == seen.choice.message.content
    assert "stop" == seen.choice.finish_reason
    assert False is seen.requests[0].json()["stream"]


@case("tr-json-plus-done")
def test_tr_json_plus_done(seen: Seen) -> None:
    assert "ok" == seen.choice.message.content
    assert 4 == seen.answer.usage.total_tokens


@case("tr-utf8-split")
def test_tr_utf8_split(seen: Seen) -> None:
    assert "日本 ✅" == seen.text


def see_by_event(framing: str, gzip: bool) -> Iterator[str]:
    """The chunks of a stream whose server sends an event when the one before has been read."""
    events = [sse(HI, done=False), sse(chunk("you"), done=False), sse(STOP)]
    headers = {"content-length": str(sum(map(len, events)))} if framing == "length" else {}
    if gzip and framing == "length":
        packer = zlib.compressobj(wbits=31)
        parts = [packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH) for event in events]
        headers = {"content-length": str(sum(map(len, [*parts, packer.flush()])))}
    read = threading.Semaphore()

    def body() -> Iterator[bytes]:
        for event in events:
            assert read.acquire(timeout=10)
            yield event

    reply = Reply.stream(body(), headers, framing=framing, gzip=gzip)  # type: ignore[arg-type]
    with (
        Server(reply) as server,
        OpenAI(api_key="sk-test", base_url=server.url, max_retries=0) as client,
        client.chat.completions.create(model="m", messages=MESSAGES, stream=True) as got,
    ):
        for piece in got:
            yield piece.text
            read.release()


@pytest.mark.parametrize("framing", ["chunked", "close", "length"])
@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
def test_events_come_when_they_are_sent(framing: str, gzip: bool) -> None:
    """Each event is given when its bytes are there, compressed or not, however it is framed."""
    assert ["Hi", "you", ""] == list(see_by_event(framing, gzip))


def test_gzip_of_plain_answers_and_errors() -> None:
    """JSON bodies may be compressed as well."""
    assert "ok" == see(Reply.json(completion("ok"), gzip=True)).answer.text
    seen = see(Reply.error(400, "Boom", manner={"gzip": True}))
    assert "Error code: 400 - Boom" == seen.error.message


def test_gzip_that_is_none() -> None:
    """A body that is not what its header says is an error that says so."""
    seen = see(Reply.json(completion(), headers={"content-encoding": "gzip"}))
    assert isinstance(seen.error, APIConnectionError)
    assert "decompressing" in seen.error.message
    assert 1 == len(seen.requests)


def test_gzip_that_is_cut_off() -> None:
    """A compressed stream that ends too early is one that was cut off."""
    seen = see(Reply.stream(sse(HI, done=False), gzip=True, abort="fin"), stream=True)
    assert "Hi" == seen.text
    assert IncompleteStreamError is type(seen.error)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("encoding", ["br", "compress", "x-unknown"])
def test_an_encoding_that_was_not_asked_for(encoding: str, stream: bool) -> None:
    """An encoding that can't be decoded is named by a clear error, and not tried again."""
    reply = Reply.json(completion(), headers={"content-encoding": encoding})
    seen = see(reply, stream=stream, extra_headers={"Accept-Encoding": "gzip"})
    assert isinstance(seen.error, APIConnectionError)
    assert f"encoded as {encoding}" in seen.error.message
    assert 1 == len(seen.requests)
    assert "gzip" == seen.requests[0].headers["accept-encoding"]


def test_identity_is_no_encoding() -> None:
    """``Content-Encoding: identity`` says nothing."""
    assert (
        "ok"
        == see(Reply.json(completion("ok"), headers={"content-encoding": "identity"})).answer.text
    )


def test_error_in_a_stream_that_nobody_asked_for() -> None:
    """An error inside a stream that came unasked is raised."""
    seen = see(Reply.stream(sse(HI, {"error": {"message": "Boom"}})))
    assert (APIError, "Boom") == (type(seen.error), seen.error.message)


def test_whole_completion_in_one_event() -> None:
    """A completion wrapped in an event, for a request without stream, is not lost."""
    seen = see(Reply.stream(sse(completion("Hello"))))
    assert "Hello" == seen.choice.message.content
    assert "stop" == seen.choice.finish_reason


def test_an_unasked_stream_that_is_cut_off() -> None:
    """As nothing was given out, a stream that came unasked and incomplete is tried again."""
    seen = see(Reply.stream(sse(HI, done=False)), OK)
    assert "ok" == seen.answer.text
    assert 2 == len(seen.requests)


@pytest.mark.parametrize("abort", ["fin", "rst"])
@pytest.mark.parametrize("framing", ["chunked", "close", "length"])
def test_the_end_of_the_connection_after_the_finish(framing: str, abort: str) -> None:
    """Once every choice has finished, a connection that dies takes nothing with it."""
    wire = sse(HI, STOP, done=False)
    headers = {"content-length": str(len(wire) + 9)} if framing == "length" else None
    reply = Reply.stream([wire, 0.05], headers, framing=framing, abort=abort)
    seen = see(reply, stream=True)
    assert "Hi" == seen.text
    assert "stop" == seen.choice.finish_reason


@pytest.mark.parametrize("abort", ["fin", "rst"])
@pytest.mark.parametrize("framing", ["chunked", "close", "length"])
def test_the_end_of_the_connection_inside_the_answer(framing: str, abort: str) -> None:
    """A connection that dies inside an answer is one kind of error, however it dies."""
    wire = sse(HI, done=False)
    headers = {"content-length": str(len(wire) + 9)} if framing == "length" else None
    seen = see(Reply.stream([wire, 0.05], headers, framing=framing, abort=abort), stream=True)
    assert "Hi" == seen.text
    assert IncompleteStreamError is type(seen.error)
    assert "Hi" == seen.error.completion.text
    assert 1 == len(seen.requests)
