"""The transports over urllib3, with real sockets: what no test in memory can show.

Each test runs over both, unless it is about one of them.
"""

from __future__ import annotations

import gc
import json
import logging
import pickle
import signal
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
import trustme
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from chatlib import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    IncompleteStreamError,
    OpenAI,
    OpenAIError,
    RateLimitError,
    Timeout,
)
from chatlib.testing.loopback import Reply, Server, Unreachable, chunk, closed_port, completion, sse
from chatlib.transports.requests import RequestsTransport
from chatlib.transports.urllib3 import Urllib3Transport
from tests.faces import run_threads

KINDS: dict[str, Any] = {"requests": RequestsTransport, "urllib3": Urllib3Transport}
Kind: Any = RequestsTransport
"""The transport that is tested."""

KEY = "sk-verysecretkey123"
ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
OK = Reply.json(completion("ok"))
STREAM = Reply.stream(sse(chunk("Hi"), chunk(finish="stop")))


@pytest.fixture(autouse=True, params=KINDS)
def _kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "Kind", KINDS[request.param])


by_requests = pytest.mark.parametrize("_kind", ["requests"], indirect=True)


def client_of(where: Server | str, **options: Any) -> OpenAI:
    """A client that does not wait between attempts."""
    url = where if isinstance(where, str) else where.url
    options = {"sleep": lambda seconds: None, "transport": Kind(), **options}
    return OpenAI(api_key=KEY, base_url=url, **options)


def ask(where: Server | str, *, stream: bool = False, **options: Any) -> str:
    """The text of one answer."""
    with client_of(where, **options) as client:
        return text_of(client, stream=stream)


def text_of(client: OpenAI, *, stream: bool = False, **options: Any) -> str:
    if not stream:
        return client.chat.completions.create(**ASK, **options).text
    with client.chat.completions.create(**ASK, stream=True, **options) as pieces:
        return "".join(piece.text for piece in pieces)


def failure(where: Server | str, *, stream: bool = False, **options: Any) -> Any:
    """What one call raises."""
    with pytest.raises(OpenAIError) as caught:
        ask(where, stream=stream, **options)
    return caught.value


def elapsed(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


both = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


# What goes over the wire ----------------------------------------------------------------------


def test_the_request_as_it_arrives() -> None:
    """Method, path, headers and body arrive as they were meant, and nothing else does."""
    with Server(OK) as server:
        with client_of(server) as client:
            client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "日本 ✅"}]
            )
        request = server.last
    assert ("POST", "/v1/chat/completions") == (request.method, request.target)
    assert "日本 ✅".encode() in request.body
    headers = dict(request.headers)
    assert f"Bearer {KEY}" == headers.pop("authorization")
    assert "application/json" == headers.pop("content-type")
    assert "application/json" == headers.pop("accept")
    assert str(len(request.body)) == headers.pop("content-length")
    assert f"127.0.0.1:{server.port}" == headers.pop("host")
    assert headers.pop("user-agent").startswith("chatlib/")
    assert "gzip" in headers.pop("accept-encoding")
    assert {"keep-alive"} >= {headers.pop("connection", "keep-alive")}
    assert {} == headers


def test_a_netrc_does_not_replace_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password for the host in a .netrc file leaves the API key as it is."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Server(OK) as server:
        assert "ok" == ask(server)
        assert f"Bearer {KEY}" == server.last.headers["authorization"]


@by_requests
def test_a_session_of_ones_own_keeps_its_headers_and_cookies_to_itself() -> None:
    """Of a given session, headers, auth and cookies are not sent."""
    session = requests.Session()
    session.headers["X-Own"] = "1"
    session.auth = ("user", "password")
    session.cookies.set("a", "b")
    with Server(Reply.json(completion("ok"), headers={"set-cookie": "c=d"})) as server:
        for _ in range(2):
            with client_of(server, transport=RequestsTransport(session)) as client:
                assert "ok" == text_of(client)
            assert f"Bearer {KEY}" == server.last.headers["authorization"]
            assert not {"x-own", "cookie"} & server.last.headers.keys()


# Failures to connect and to answer ------------------------------------------------------------


@both
def test_connection_refused(stream: bool) -> None:
    """Where nobody listens, the error says so, names the address, and was tried three times."""
    port = closed_port()
    error = failure(f"http://127.0.0.1:{port}/v1", stream=stream)
    assert APIConnectionError is type(error)
    assert "refused" in error.message
    assert str(port) in error.message
    assert 3 == error.attempts
    assert isinstance(error.__cause__, (requests.ConnectionError, HTTPError))
    assert None is error.response


def test_a_name_that_does_not_exist() -> None:
    """A host that can't be found is named."""
    error = failure("http://nowhere.invalid/v1", max_retries=0, timeout=2)
    assert APIConnectionError is type(error)
    assert "nowhere.invalid" in error.message


@both
def test_connect_timeout(stream: bool) -> None:
    """A host that neither accepts nor refuses is given up after the connect timeout."""
    with Unreachable() as url:
        start = time.monotonic()
        error = failure(url, stream=stream, timeout=Timeout(9, connect=0.2), max_retries=1)
    assert APITimeoutError is type(error)
    assert 0.4 <= time.monotonic() - start < 5
    assert 2 == error.attempts


@both
def test_read_timeout_before_the_headers(stream: bool) -> None:
    """A server that does not answer is given up after the read timeout, and asked again."""
    with Server(Reply(delay=30)) as server:
        start = time.monotonic()
        error = failure(server, stream=stream, timeout=Timeout(9, read=0.2), max_retries=1)
        assert 0.4 <= time.monotonic() - start < 5
        assert APITimeoutError is type(error)
        assert 2 == len(server.requests) == error.attempts
        assert isinstance(error.__cause__, (requests.Timeout, HTTPError))
        assert server.wait(lambda: server.open == 0)


def test_read_timeout_inside_the_body() -> None:
    """A body that stops coming is given up, and asked for again."""
    slow = Reply(200, {"content-type": "application/json"}, [b'{"choices":', 30.0, b"[]}"])
    with Server(slow, OK) as server:
        start = time.monotonic()
        assert "ok" == ask(server, timeout=Timeout(9, read=0.2))
        assert 0.2 <= time.monotonic() - start < 5
        assert 2 == len(server.requests)
        assert server.wait(lambda: server.open == 0)


def test_read_timeout_inside_a_stream() -> None:
    """A stream that stops coming is given up; what had come is on the error."""
    with Server(Reply.stream([sse(chunk("Hi"), done=False), 30.0])) as server:
        error = failure(server, stream=True, timeout=Timeout(9, read=0.2))
        assert APITimeoutError is type(error)
        assert "Hi" == error.completion.text
        assert 1 == len(server.requests) == error.attempts
        assert server.wait(lambda: server.open == 0)


def test_read_timeout_is_for_each_read() -> None:
    """A stream may take far longer than the read timeout, as long as something comes."""
    pieces: list[Any] = []
    for _ in range(6):
        pieces += [sse(chunk("a"), done=False), 0.1]
    with Server(Reply.stream([*pieces, sse(chunk(finish="stop"))])) as server:
        assert "aaaaaa" == ask(server, stream=True, timeout=Timeout(9, read=0.3))


PARTIAL = {"content-type": "application/json", "content-length": "9999"}
BREAKS = {
    "before the headers, closed": Reply.nothing(),
    "before the headers, reset": Reply.nothing(abort="rst"),
    "inside the headers, reset": Reply(raw=[b"HTTP/1.1 200 OK\r\nContent-Ty", 0.05], abort="rst"),
    "after the headers, closed": Reply(200, PARTIAL, abort="fin"),
    "after the headers, reset": Reply(200, PARTIAL, [0.05], abort="rst"),
    "inside the body, closed": Reply(200, PARTIAL, b'{"choices": [', framing="length", abort="fin"),
    "inside the body, reset": Reply(
        200, PARTIAL, [b'{"choices": [', 0.05], framing="length", abort="rst"
    ),
    "inside a chunk, closed": Reply(
        raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{", abort="fin"
    ),
    "not HTTP": Reply(raw=b"SSH-2.0-OpenSSH_9.9\r\n", abort="fin"),
}


@pytest.mark.parametrize("reply", BREAKS.values(), ids=BREAKS.keys())
def test_a_connection_that_breaks_is_tried_again(reply: Reply) -> None:
    """Wherever the connection of a plain call breaks, another attempt may succeed."""
    with Server(reply, OK) as server, client_of(server) as client:
        answer = client.chat.completions.create(**ASK)
        assert "ok" == answer.text
        assert 2 == len(server.requests) == answer.http.attempts  # type: ignore[union-attr]
        assert server.requests[0].body == server.requests[1].body


@pytest.mark.parametrize("reply", BREAKS.values(), ids=BREAKS.keys())
def test_a_connection_that_always_breaks(reply: Reply) -> None:
    """Three breaks are an APIConnectionError whose cause is the exception of the HTTP library."""
    with Server(reply) as server:
        error = failure(server)
        assert isinstance(error, APIConnectionError)
        assert not isinstance(error, APITimeoutError)
        assert isinstance(error.__cause__, Exception)
        assert "Connection error: " == error.message[:18]
        assert 3 == len(server.requests) == error.attempts


@both
def test_headers_that_are_cut_off(stream: bool) -> None:
    """Half of the headers and the end of the connection are no answer."""
    with Server(Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Ty", abort="fin")) as server:
        assert isinstance(failure(server, stream=stream), APIError)


BEFORE_THE_BODY = {
    "nothing at all": Reply.nothing(abort="rst"),
    "headers alone, closed": Reply.stream([], abort="fin"),
    "headers alone, reset": Reply.stream([0.05], abort="rst"),
}


@pytest.mark.parametrize("reply", BEFORE_THE_BODY.values(), ids=BEFORE_THE_BODY.keys())
def test_a_stream_is_tried_again_before_its_first_byte(reply: Reply) -> None:
    """As long as no byte of the body has come, a stream may be asked for again."""
    with Server(reply, STREAM) as server, client_of(server) as client:
        with client.chat.completions.create(**ASK, stream=True) as pieces:
            assert "Hi" == "".join(piece.text for piece in pieces)
        assert 2 == len(server.requests) == pieces.response.attempts


@pytest.mark.parametrize("first", [b": ping\n\n", b"d", sse(chunk("Par"), done=False)])
@pytest.mark.parametrize("abort", ["fin", "rst"])
def test_a_stream_is_never_tried_again_after_its_first_byte(first: bytes, abort: str) -> None:
    """Once a byte of the body has come, no second request is made."""
    with Server(Reply.stream([first, 0.05], abort=abort), STREAM) as server:
        error = failure(server, stream=True)
        assert IncompleteStreamError is type(error)
        assert 1 == len(server.requests) == error.attempts
        assert server.wait(lambda: server.open == 0)


def test_an_idle_connection_that_the_server_has_closed() -> None:
    """A connection that died while it was idle is replaced, which costs no attempt."""
    with Server(Reply.json(completion("ok"), hang_up=True)) as server, client_of(server) as client:
        for number in (1, 2, 3):
            answer = client.chat.completions.create(**ASK)
            assert 1 == answer.http.attempts  # type: ignore[union-attr]
            assert number == server.connections
            assert server.wait(lambda: server.open == 0)


def test_an_idle_connection_that_the_server_is_about_to_close() -> None:
    """A connection that ends just when it is used again is replaced, which costs no attempt."""
    answer = Reply.json(completion("ok"))
    with Server(answer, Reply.nothing(), answer) as server:
        client = client_of(server, max_retries=0)
        for connections in (1, 2):
            completed = client.chat.completions.create(**ASK)
            assert 1 == completed.http.attempts  # type: ignore[union-attr]
            assert connections == server.connections
        client.close()


def test_a_server_that_closes_after_each_stream() -> None:
    """llama.cpp does, without saying so: each call after a stream works all the same."""
    with Server(Reply.stream(sse(chunk("a", "stop")), hang_up=True)) as server:
        client = client_of(server, max_retries=0)
        assert ["a"] * 50 == [text_of(client, stream=True) for _ in range(50)]
        client.close()


def test_a_new_connection_that_ends_at_once_is_no_stale_one() -> None:
    """What was not used before can't have been closed while it was idle."""
    with Server(Reply.nothing()) as server:
        failure(server, max_retries=0)
        assert 1 == len(server.requests)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signals with a timer")
@pytest.mark.parametrize("reply", [Reply(delay=30), Reply.stream([b": ping\n\n", 30.0])])
@both
def test_an_interrupt_passes_at_once(reply: Reply, stream: bool) -> None:
    """Ctrl-C while waiting is not retried, not changed, and closes the connection."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with Server(reply) as server, client_of(server) as client:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            start = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                text_of(client, stream=stream)
            assert time.monotonic() - start < 5
            assert 1 == len(server.requests)
            assert server.wait(lambda: server.open == 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# Time for the whole call ----------------------------------------------------------------------

TOTAL = 0.5

ENDLESS = {
    "headers that do not come": Reply(delay=30),
    "headers that dribble": Reply(raw=[b"HTTP/1.1 200 OK\r\nX: ", *[b"x", 0.05] * 400]),
    "heartbeats and nothing else": Reply.stream([b": hello\n\n"], hold=30, trickle=0.05),
    "heartbeats after an event": Reply.stream(
        [sse(chunk("Hi"), done=False)], hold=30, trickle=0.05
    ),
    "an event now and then": Reply.stream([sse(chunk("Hi"), done=False), 0.05] * 400),
    "silence after an event": Reply.stream([sse(chunk("Hi"), done=False), 30.0]),
}


@pytest.mark.parametrize("reply", ENDLESS.values(), ids=ENDLESS.keys())
@both
def test_total_bounds_the_call(reply: Reply, stream: bool) -> None:
    """Whatever the server does to keep the connection alive, the call ends in time."""
    with Server(reply) as server:
        start = time.monotonic()
        error = failure(server, stream=stream, timeout=Timeout(total=TOTAL))
        assert TOTAL * 0.9 <= time.monotonic() - start < TOTAL + 5
        assert APITimeoutError is type(error)
        assert server.wait(lambda: server.open == 0)


def test_total_bounds_a_body_that_trickles() -> None:
    """A JSON body that comes letter by letter is given up in time."""
    body = json.dumps(completion("ok")).encode()
    pieces = [part for letter in body for part in (bytes([letter]), 0.05)]
    with Server(Reply(200, {"content-type": "application/json"}, pieces)) as server:
        start = time.monotonic()
        assert APITimeoutError is type(failure(server, timeout=Timeout(total=TOTAL)))
        assert time.monotonic() - start < TOTAL + 5


def test_total_bounds_retries() -> None:
    """Attempts and the waits between them count; a wait that can't end in time is not begun."""
    with Server(Reply.error(503, headers={"retry-after": "0.2"}, manner={"delay": 0.1})) as server:
        start = time.monotonic()
        error = failure(server, timeout=Timeout(total=TOTAL), max_retries=50, sleep=time.sleep)
        assert time.monotonic() - start < TOTAL + 5
        assert 503 == error.status_code
        assert 2 == len(server.requests) == error.attempts


def test_total_bounds_the_last_attempt() -> None:
    """Of an attempt after others, only what is left of the total remains."""
    busy = Reply.error(503, headers={"retry-after-ms": "1"}, manner={"delay": 0.3})
    with Server(busy, Reply(delay=30)) as server:
        start = time.monotonic()
        error = failure(server, timeout=Timeout(total=TOTAL))
        assert time.monotonic() - start < TOTAL + 5
        assert APITimeoutError is type(error)
        assert 2 == len(server.requests) == error.attempts


def test_total_bounds_connecting() -> None:
    """So it does where no connection can be made."""
    with Unreachable() as url:
        start = time.monotonic()
        assert APITimeoutError is type(failure(url, timeout=Timeout(total=TOTAL)))
        assert time.monotonic() - start < TOTAL + 5


def test_total_bounds_sending() -> None:
    """So it does where the server reads too slowly."""
    with Server(Reply.json(completion(), slow_read=30)) as server:
        start = time.monotonic()
        with client_of(server) as client, pytest.raises(APITimeoutError):
            client.chat.completions.create(
                model="m",
                messages=[{"role": "user", "content": "x" * 12_000_000}],
                timeout=Timeout(total=TOTAL),
            )
        assert time.monotonic() - start < 10  # making and copying the body included


@both
def test_total_leaves_the_next_call_alone(stream: bool) -> None:
    """The limits of one call are not those of the next on the same connection."""
    later = Reply.stream([sse(chunk("Hi"), done=False), 0.4, sse(chunk(finish="stop"))])
    late = Reply.json(completion("Hi"), delay=0.4)
    replies = (STREAM, later) if stream else (Reply.json(completion("Hi")), late)
    with Server(*replies) as server, client_of(server) as client:
        assert "Hi" == text_of(client, stream=stream, timeout=Timeout(9, total=0.3))
        assert "Hi" == text_of(client, stream=stream, timeout=9)
        assert 1 == server.connections


def test_no_limit() -> None:
    """``timeout=None`` means no limit anywhere."""
    replies = Reply.json(completion("ok"), delay=0.1), STREAM
    with Server(*replies) as server, client_of(server, timeout=None) as client:
        assert "ok" == text_of(client)
        assert "Hi" == text_of(client, stream=True)


def test_a_stream_that_stays_open_after_its_end() -> None:
    """Without ``[DONE]``, a finished stream ends after some silence, and its connection too."""
    wire, limits = sse(chunk("Hi"), chunk(finish="stop"), done=False), Timeout(60, stream_end=0.3)
    with Server(Reply.stream(wire, hold=30), OK) as server, client_of(server) as client:
        assert elapsed(lambda: text_of(client, stream=True, timeout=limits)) < 2.8
        assert server.wait(lambda: server.open == 0)
        assert "ok" == text_of(client)


@pytest.mark.parametrize("trickle", [None, 0.02])
def test_a_stream_that_stays_open_after_done(trickle: float | None) -> None:
    """After ``[DONE]`` the stream is over at once, and what follows is read for a moment only."""
    endless = Reply.stream(sse(chunk("Hi"), chunk(finish="stop")), hold=30, trickle=trickle)
    with Server(endless, OK) as server, client_of(server) as client:
        assert elapsed(lambda: text_of(client, stream=True)) < 5
        assert server.wait(lambda: server.open == 0)
        assert "ok" == text_of(client)


def test_a_stream_that_goes_on_after_done() -> None:
    """What follows ``[DONE]`` is read up to a small size only."""
    noise = [b": " + b"x" * 30_000 + b"\n\n"] * 1000
    with Server(Reply.stream([sse(chunk("Hi")), *noise]), OK) as server:
        with client_of(server) as client:
            assert "Hi" == text_of(client, stream=True)
            assert "ok" == text_of(client)
        assert server.sent < 25_000_000


# Large bodies ---------------------------------------------------------------------------------


def large(client: OpenAI, **options: Any) -> str:
    content = [{"type": "text", "text": "x" * 12_000_000}]
    return client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": content}], **options
    ).text


def test_a_large_body_may_take_longer_than_connecting() -> None:
    """The time for sending is a limit of its own, on a new connection and on a used one."""
    with Server(OK, Reply.json(completion("slow"), slow_read=0.6)) as server:
        with client_of(server, timeout=Timeout(20, connect=0.4)) as client:
            assert "ok" == text_of(client)
            assert "slow" == large(client)
        assert 1 == server.connections
    with Server(Reply.json(completion("slow"), slow_read=0.6)) as server:
        with client_of(server, timeout=Timeout(20, connect=0.4)) as client:
            assert "slow" == large(client)
        assert 1 == len(server.requests)
        assert len(server.last.body) > 12_000_000


def test_write_timeout() -> None:
    """A server that does not read is given up after the write timeout."""
    options: dict[str, Any] = {"timeout": Timeout(9, write=0.3), "max_retries": 0}
    slow = Reply.json(completion(), slow_read=30)
    with Server(slow) as server, client_of(server, **options) as client:
        start = time.monotonic()
        with pytest.raises(APITimeoutError):
            large(client)
        assert time.monotonic() - start < 10


def test_an_answer_before_the_body_was_read() -> None:
    """A server may refuse a body without reading it: the refusal is seen, or the break is."""
    refusal = Reply.error(413, "too large", manner={"unread": True, "framing": "close"})
    with (
        Server(refusal) as server,
        client_of(server, max_retries=0) as client,
        pytest.raises(APIError) as caught,
    ):
        large(client)
    assert isinstance(caught.value, (APIStatusError, APIConnectionError))
    if isinstance(caught.value, APIStatusError):
        assert 413 == caught.value.status_code


def test_a_large_answer() -> None:
    """An answer of megabytes comes whole."""
    text = "é" * 2_000_000
    with Server(Reply.json(completion(text))) as server:
        assert text == ask(server)


# Connections ----------------------------------------------------------------------------------


def test_calls_share_a_connection() -> None:
    """Two hundred calls one after the other use one connection."""
    with Server(OK) as server, client_of(server) as client:
        for _ in range(200):
            assert "ok" == text_of(client)
        assert (200, 1) == (len(server.requests), server.connections)


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_streams_share_a_connection(gzip: bool, framing: str) -> None:
    """Fifty streams read to their end use one connection, whether in a ``with`` or not."""
    wire = sse(chunk("Hi"), chunk(finish="stop"))
    with Server(Reply.stream(wire, gzip=gzip, framing=framing)) as server:
        with client_of(server) as client:
            for number in range(50):
                pieces = client.chat.completions.create(**ASK, stream=True)
                if number % 2:
                    assert 2 == len(list(pieces))
                else:
                    with pieces:
                        assert 2 == len(list(pieces))
        assert (50, 1) == (len(server.requests), server.connections)


def test_a_late_end_of_the_body_still_frees_the_connection() -> None:
    """The last chunk may come a moment after ``[DONE]``."""
    with Server(Reply.stream([sse(chunk("Hi")), 0.05])) as server, client_of(server) as client:
        for _ in range(5):
            assert "Hi" == text_of(client, stream=True)
        assert 1 == server.connections


@pytest.mark.parametrize("status", [400, 500])
def test_errors_share_a_connection(status: int) -> None:
    """Refused calls, streams among them, and their retries use one connection."""
    with Server(Reply.error(status)) as server, client_of(server) as client:
        for stream in (False, True, False):
            with pytest.raises(APIStatusError):
                text_of(client, stream=stream)
        assert 1 == server.connections


def test_a_server_that_announces_the_end() -> None:
    """``Connection: close`` is obeyed, and nothing is left open."""
    reply = Reply.json(completion("ok"), framing="close")
    with Server(reply) as server, client_of(server) as client:
        assert ["ok", "ok"] == [text_of(client) for _ in range(2)]
        assert 2 == server.connections
        assert server.wait(lambda: server.open == 0)


def _close(pieces: Any) -> None:
    next(pieces)
    pieces.close()


def _leave(pieces: Any) -> None:
    with pieces:
        next(pieces)


def _fail(pieces: Any) -> None:
    def work() -> None:
        with pieces:
            next(pieces)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()


def _break(pieces: Any) -> None:
    for _ in pieces:
        break
    del _


def _open_and_close(pieces: Any) -> None:
    pieces.close()
    pieces.close()


def _drop(pieces: Any) -> None:
    pass


@by_requests
@pytest.mark.parametrize("end", [_close, _leave, _fail, _break, _open_and_close, _drop])
def test_a_stream_that_ends_early_frees_its_place(end: Callable[[Any], None]) -> None:
    """Closed, left or dropped, a stream lets go of its connection and of its place in the pool."""
    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_maxsize=1, pool_block=True))
    endless = Reply.stream([sse(chunk("Hi"), done=False)], hold=30)
    with Server(endless, endless, endless, OK) as server:
        client = client_of(server, transport=RequestsTransport(session))
        for number in (1, 2, 3):
            end(client.chat.completions.create(**ASK, stream=True))
            gc.collect()
            assert number == server.connections
            assert server.wait(lambda: server.open == 0)
        answers: list[str] = []
        asking = threading.Thread(target=lambda: answers.append(text_of(client)), daemon=True)
        asking.start()
        asking.join(2)
        assert ["ok"] == answers
        client.close()


def test_a_closed_stream_gives_nothing_more() -> None:
    """After ``close`` a stream is over, and does not fail."""
    with Server(STREAM) as server, client_of(server) as client:
        pieces = client.chat.completions.create(**ASK, stream=True)
        assert "Hi" == next(pieces).text
        pieces.close()
        assert [] == list(pieces)


def test_closing_the_client_closes_its_connections() -> None:
    """Leaving the client's ``with`` leaves nothing open."""
    with Server(OK) as server:
        with client_of(server) as client:
            text_of(client)
            assert 1 == server.open
        assert server.wait(lambda: server.open == 0)


def test_threads_share_a_client() -> None:
    """Eight threads get their own answers over at most eight connections."""

    def echo(request: Any) -> Reply:
        text = request.json()["messages"][0]["content"]
        if request.json().get("stream"):
            return Reply.stream([sse(*map(chunk, text), done=False), 0.001, sse(STOP)])
        return Reply.json(completion(text))

    failed: list[object] = []

    def work(number: int) -> None:
        for turn in range(10):
            text = f"{number}.{turn}"
            messages = [{"role": "user", "content": text}]
            answer = client.chat.completions.create(model="m", messages=messages)
            pieces = client.chat.completions.create(model="m", messages=messages, stream=True)
            got = answer.text, "".join(piece.text for piece in pieces)
            if got != (text, text):
                failed.append(got)

    with Server(echo) as server, client_of(server) as client:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        run_threads(threads)
        assert [] == failed
        assert 160 == len(server.requests)
        assert server.connections <= 8


STOP = chunk(finish="stop")


def test_a_stream_closed_by_another_thread() -> None:
    """A stream may be closed while another thread waits for its next chunk."""
    ended = threading.Event()

    def wait_for_more() -> None:
        try:
            list(pieces)
        except OpenAIError:
            pass
        finally:
            ended.set()

    reply = Reply.stream([sse(chunk("Hi"), done=False)], hold=30)
    with Server(reply) as server, client_of(server) as client:
        pieces = client.chat.completions.create(**ASK, stream=True)
        next(pieces)
        thread = threading.Thread(target=wait_for_more, daemon=True)
        thread.start()
        time.sleep(0.1)
        start = time.monotonic()
        pieces.close()
        assert time.monotonic() - start < 5
        assert ended.wait(2)
        thread.join(2)
        assert server.wait(lambda: server.open == 0)


# Redirects ------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("absolute", [False, True])
def test_redirects_within_the_origin(status: int, absolute: bool, stream: bool) -> None:
    """307 and 308 within the origin are followed with method, body and key."""
    with Server(
        lambda _: Reply(status, {"location": "/v2/there" if not absolute else server.url + "/x"}),
        STREAM if stream else Reply.json(completion("Hi")),
    ) as server:
        assert "Hi" == ask(server, stream=stream)
        first, second = server.requests
        assert ("POST", "POST") == (first.method, second.method)
        assert ("/v1/x" if absolute else "/v2/there") == second.target
        assert first.body == second.body
        assert first.headers == second.headers


@both
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_to_another_origin(status: int, stream: bool) -> None:
    """To another origin nothing is sent, and the error names it."""
    with Server(OK) as other, Server(Reply(status, {"location": f"{other.url}/x"})) as server:
        error = failure(server, stream=stream)
        assert isinstance(error, APIStatusError)
        assert f"{other.url}/x" in error.message
        assert status == error.status_code
        assert 0 == other.connections
        assert 1 == len(server.requests)


@pytest.mark.parametrize("status", [301, 302, 303])
def test_redirects_that_would_make_a_get(status: int) -> None:
    """301, 302 and 303 to a POST are errors that name the target, and never become a GET."""
    with Server(Reply(status, {"location": "/elsewhere"}), OK) as server:
        error = failure(server)
        assert APIStatusError is type(error)
        assert "/elsewhere" in error.message
        assert ["POST"] == [request.method for request in server.requests]


@pytest.mark.parametrize(
    "location",
    [
        "//evil.test/v1",
        "https://evil.test/v1",
        "http://127.0.0.1:{port}@evil.test/",
        "http://127.0.0.1:{port}.evil.test/",
        "http://localhost:{port}/",
        "http://127.0.0.1/",
        "file:///etc/passwd",
        "http://127.0.0.1:99999999/",
        "http://[::1",
        "http://user:secret@evil.test/",
        "http://evil.test\\@127.0.0.1:{port}/v1",
        "http://127.0.0.1:{port}\\@evil.test/v1",
        "//evil.test\\@127.0.0.1:{port}/v1",
        "http://evil.test @127.0.0.1:{port}/",
        "http://evil.test\t@127.0.0.1:{port}/",
        "http://evil.test%2f@127.0.0.1:{port}:80/",
        "http:/\\evil.test/",
        "http:evil.test/",
        "http:\\\\evil.test/",
        "http:///evil.test/",
        "http://[::1]@evil.test/",
        "http://[127.0.0.1]:{port}/",
        "http://127.0.0.1:{port}0/",
        "http://127.0.0.1.:{port}/",
        "http://127.1:{port}/",
        "http://2130706433:{port}/",
        "http://127.0.0.1:+{port}/",
        "http://127.0.0.1%2eevil.test:{port}/",
        "http://127.0.0.1\x00.evil.test:{port}/",
        "https://127.0.0.1/",
    ],
)
def test_redirects_that_play_tricks(location: str) -> None:
    """Whatever a target looks like, only the very same origin is sent to."""
    with Server(lambda _: Reply(307, {"location": location.format(port=server.port)})) as server:
        error = failure(server)
        assert isinstance(error, APIStatusError)
        assert 307 == error.status_code
        assert 1 == len(server.requests)
        assert "secret" not in error.message


def test_a_refused_redirect_whose_body_never_ends() -> None:
    """The body of a refused redirect is not waited for."""
    location = {"location": "http://elsewhere.test/"}
    with Server(Reply(307, location, [b"x", 30.0])) as server:
        start = time.monotonic()
        assert 307 == failure(server).status_code
        assert time.monotonic() - start < 5
        assert server.wait(lambda: server.open == 0)


def test_a_redirect_without_a_target() -> None:
    """A redirect that names no target is an error."""
    with Server(Reply(307)) as server:
        assert 307 == failure(server).status_code
        assert 1 == len(server.requests)


def test_a_circle_of_redirects() -> None:
    """A redirect that leads back to itself is given up, once and for all."""
    with Server(Reply(307, {"location": "/v1/chat/completions"})) as server:
        error = failure(server)
        assert "redirects" in error.message
        assert APIConnectionError is type(error)
        assert 6 == len(server.requests)


# TLS ------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _no_authorities_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


class Authority:
    """A certificate authority of our own."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.bundle = str(folder / "ca.pem")
        self.ca.cert_pem.write_to_path(self.bundle)
        self._folder = folder

    def context(self, *names: str) -> ssl.SSLContext:
        """What a server with a certificate for these names speaks."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.ca.issue_cert(*(names or ("127.0.0.1",))).configure_cert(context)
        return context

    def client_files(self) -> tuple[str, str]:
        """The paths of a client certificate and of its key."""
        issued = self.ca.issue_cert("client@chatlib.test")
        paths = str(self._folder / "client.pem"), str(self._folder / "client.key")
        issued.cert_chain_pems[0].write_to_path(paths[0])
        issued.private_key_pem.write_to_path(paths[1])
        return paths


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@both
def test_an_authority_of_ones_own(authority: Authority, stream: bool) -> None:
    """``verify=`` names the authority to trust."""
    transport = Kind(verify=authority.bundle)
    replies = [STREAM] if stream else [Reply.json(completion("Hi"))]
    with Server(*replies, tls=authority.context()) as server:
        with client_of(server, transport=transport) as client:
            assert ["Hi"] * 3 == [text_of(client, stream=stream) for _ in range(3)]
        assert 1 == server.connections


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_an_authority_from_the_environment(
    authority: Authority, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables that requests knows name the authority, unless they are to be ignored."""
    monkeypatch.setenv(name, authority.bundle)
    with Server(OK, tls=authority.context()) as server:
        assert "ok" == ask(server)
        error = failure(server, transport=Kind(trust_env=False))
        assert APIConnectionError is type(error)


@pytest.mark.parametrize(
    ("_kind", "own"),
    [("requests", False), ("urllib3", False), ("requests", True)],
    indirect=["_kind"],
)
def test_what_is_given_wins_over_the_environment(
    authority: Authority, own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``verify=`` and ``proxies=`` win over the variables, also on a session of one's own."""
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    session = requests.Session() if own else None
    options = {"session": session} if own else {}
    with (
        Server(OK, tls=authority.context()) as server,
        Server(OK) as proxy,
        client_of(
            server,
            transport=Kind(verify=authority.bundle, proxies={"http": proxy.origin}, **options),
        ) as client,
    ):
        assert "ok" == text_of(client)
        elsewhere = client_of("http://api.example.test/v1", transport=client.transport)
        assert "ok" == text_of(elsewhere)
        assert 1 == len(proxy.requests)
    if session is not None:
        session.close()


@both
def test_a_certificate_that_nobody_vouches_for(authority: Authority, stream: bool) -> None:
    """An unknown authority is refused at once: the message says why, nothing was sent."""
    with Server(OK, tls=authority.context()) as server:
        error = failure(server, stream=stream)
        assert APIConnectionError is type(error)
        assert "certificate" in error.message.lower()
        assert 1 == error.attempts == server.connections
        assert [] == server.requests


def test_a_certificate_for_another_name(authority: Authority) -> None:
    """A certificate for another host is refused at once: the message names the host."""
    transport = Kind(verify=authority.bundle)
    with Server(OK, tls=authority.context("other.test")) as server:
        error = failure(server, transport=transport)
        assert APIConnectionError is type(error)
        assert "certificate" in error.message.lower()
        assert "127.0.0.1" in error.message
        assert 1 == error.attempts == server.connections
        assert [] == server.requests


def test_trust_in_anybody(authority: Authority) -> None:
    """``verify=False`` trusts any server; urllib3 warns of it."""
    transport = Kind(verify=False)
    with (
        Server(OK, tls=authority.context()) as server,
        pytest.warns(match="Unverified HTTPS request"),
    ):
        assert "ok" == ask(server, transport=transport)


def test_a_client_certificate(authority: Authority) -> None:
    """``cert=`` shows the server who asks; without it, such a server refuses."""
    context = authority.context()
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)
    files = authority.client_files()
    with Server(OK, tls=context) as server:
        transport = Kind(verify=authority.bundle, cert=files)
        assert "ok" == ask(server, transport=transport)
        error = failure(server, transport=Kind(verify=authority.bundle))
        assert isinstance(error, APIConnectionError)
        assert 1 == len(server.requests)


def test_plain_http_in_place_of_tls() -> None:
    """A server that does not speak TLS gives an error that speaks of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)

        def answer() -> None:
            with listener.accept()[0] as conn:
                conn.recv(9999)
                conn.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        port = listener.getsockname()[1]
        error = failure(f"https://127.0.0.1:{port}/v1", max_retries=0)
        thread.join(20)
    assert APIConnectionError is type(error)
    assert "SSL" in error.message


def test_a_redirect_from_http_to_https(authority: Authority) -> None:
    """From http to https on the same host a redirect is followed, method and body kept."""
    redirect = Reply(308, {"location": "https://api.example.test/v1/x"})
    context = authority.context("api.example.test")
    with Server(redirect, OK, tunnel=context) as proxy:
        transport = Kind(verify=authority.bundle, proxies={"all": proxy.origin})
        assert "ok" == ask("http://api.example.test/v1", transport=transport)
        plain, connect, secure = proxy.requests
        assert ("CONNECT", "/v1/x") == (connect.method, secure.target)
        assert plain.body == secure.body
        assert f"Bearer {KEY}" == secure.headers["authorization"]


def test_a_redirect_from_http_to_https_on_another_port(authority: Authority) -> None:
    """Another port is another server, be it on the same host."""
    with (
        Server(OK, tls=authority.context()) as secure,
        Server(Reply(308, {"location": f"{secure.url}/x"})) as server,
    ):
        error = failure(server, transport=Kind(verify=authority.bundle))
        assert isinstance(error, APIStatusError)
        assert 0 == secure.connections


def test_a_redirect_from_https_to_http(authority: Authority) -> None:
    """From https to http nothing is ever sent."""
    with Server(OK) as plain:
        reply = Reply(308, {"location": f"{plain.url}/x"})
        with Server(reply, tls=authority.context()) as server:
            error = failure(server, transport=Kind(verify=authority.bundle))
            assert isinstance(error, APIStatusError)
            assert 0 == plain.connections


# Proxies --------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_from_the_environment(
    name: str, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that the environment names gets the whole URL."""
    with Server(STREAM if stream else Reply.json(completion("Hi"))) as proxy:
        monkeypatch.setenv(name, proxy.origin)
        assert "Hi" == ask("http://api.example.test/v1", stream=stream)
        assert "http://api.example.test/v1/chat/completions" == proxy.last.target
        assert "api.example.test" == proxy.last.headers["host"]


def test_hosts_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """``NO_PROXY`` names hosts that are asked directly."""
    with Server(OK) as proxy, Server(OK) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.origin)
        monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
        assert "ok" == ask(server)
        assert (0, 1) == (proxy.connections, len(server.requests))


def test_an_environment_that_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``trust_env=False`` its proxies do not count."""
    with Server(OK) as proxy, Server(OK) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.origin)
        assert "ok" == ask(server, transport=Kind(trust_env=False))
        assert (0, 1) == (proxy.connections, len(server.requests))


def with_password(origin: str) -> str:
    return origin.replace("://", "://user:proxysecret@")


def test_a_proxy_that_is_given() -> None:
    """``proxies=`` names a proxy; its password is sent to it, and never shown."""
    with Server(OK, Reply(407, body=b"who are you?")) as proxy:
        transport = Kind(proxies={"http": with_password(proxy.origin)})
        assert "ok" == ask("http://api.example.test/v1", transport=transport)
        assert "Basic dXNlcjpwcm94eXNlY3JldA==" == proxy.last.headers["proxy-authorization"]
        error = failure("http://api.example.test/v1", transport=transport)
    assert 407 == error.status_code
    assert not shows(error, "proxysecret")


def test_a_proxy_for_tls(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a proxy, TLS is spoken with the server: the proxy learns neither key nor prompt."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority.bundle)
    with Server(OK, tunnel=authority.context("api.example.test")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.origin)
        with client_of("https://api.example.test/v1") as client:
            assert ["ok", "ok"] == [text_of(client) for _ in range(2)]
        connect, *inside = proxy.requests
        assert ("CONNECT", "api.example.test:443") == (connect.method, connect.target)
        assert KEY not in str(connect.headers)
        assert ["/v1/chat/completions"] * 2 == [request.target for request in inside]
        assert 1 == proxy.connections


def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the proxy does not answer, the error says so, without its password."""
    port = closed_port()
    monkeypatch.setenv("HTTP_PROXY", with_password(f"http://127.0.0.1:{port}"))
    error = failure("http://api.example.test/v1", max_retries=0)
    assert APIConnectionError is type(error)
    assert "proxy" in error.message.lower()
    assert not shows(error, "proxysecret")


def test_a_proxy_that_refuses_a_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's refusal of a tunnel is in the message."""
    with Server(Reply(403, body=b"no")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.origin)
        error = failure("https://api.example.test/v1", max_retries=0)
        assert APIConnectionError is type(error)
        assert "403" in error.message


# Secrets --------------------------------------------------------------------------------------


def shows(error: BaseException, secret: str) -> list[str]:
    """Where a log, a crash report or a message queue would see a secret of an exception."""
    detailed = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown = {
        "str": str(error),
        "repr": repr(error),
        "attributes": repr(vars(error)),
        "traceback": "".join(traceback.format_exception(error)),
        "traceback with variables": "".join(detailed.format()),
        "pickle": pickle.dumps(error).decode("latin-1"),
    }
    link: BaseException | None = error
    while link is not None:
        name = type(link).__name__
        shown[f"{name} below"] = f"{link} {link!r} {link.args}"
        link = link.__cause__ or link.__context__
    return [name for name, text in shown.items() if secret in text]


def _leaks() -> dict[str, Any]:
    quoting = Reply.error(401, f"Incorrect API key provided: {KEY}.", code="invalid_api_key")
    return {
        "refused": None,
        "reset": Reply.nothing(abort="rst"),
        "timeout": Reply(delay=30),
        "broken body": Reply(200, PARTIAL, b"{", framing="length", abort="fin"),
        "broken stream": Reply.stream([sse(chunk("Hi"), done=False), 0.05], abort="rst"),
        "slow stream": Reply.stream([sse(chunk("Hi"), done=False), 30.0]),
        "bad request": Reply.error(400),
        "unauthorized": quoting,
        "unauthorized, as text": Reply(401, body=f"bad key {KEY}".encode()),
        "echo": lambda request: Reply(400, body=str(request.headers).encode()),
        "echo in a stream": Reply.stream(sse({"error": {"message": f"bad key {KEY}"}})),
        "error in a 200": Reply.json({"error": {"message": f"bad key {KEY}"}}),
        "rubbish": Reply(200, body=b"rubbish"),
        "rubbish in a stream": Reply.stream(sse(chunk("Hi"), "{rubbish")),
        "redirect": Reply(307, {"location": "http://elsewhere.test/"}),
        "not HTTP": Reply(raw=b"SSH-2.0\r\n", abort="fin"),
        "bad encoding": Reply.json({}, headers={"content-encoding": "br"}),
    }


LEAKS = _leaks()


@both
@pytest.mark.parametrize("name", LEAKS)
def test_the_key_is_never_shown(name: str, stream: bool, caplog: pytest.LogCaptureFixture) -> None:
    """No message, traceback, log line or pickle of a failed call holds the key."""
    caplog.set_level(logging.DEBUG)
    options: dict[str, Any] = {"timeout": Timeout(0.2), "max_retries": 1, "stream": stream}
    if LEAKS[name] is None:
        error = failure(f"http://127.0.0.1:{closed_port()}/v1", **options)
    else:
        with Server(LEAKS[name]) as server:
            error = failure(server, **options)
    # What a server quotes inside a good answer is, for a moment, a variable like all it says.
    seen = {"traceback with variables"} if name in ("echo in a stream", "error in a 200") else set()
    assert set() == set(shows(error, KEY)) - seen
    assert set() == set(shows(error, KEY[3:])) - seen
    assert KEY not in caplog.text


def test_a_pickled_error_still_says_what_happened() -> None:
    """An exception survives the way to another process, but for the key."""
    headers = {"retry-after": "300", "x-request-id": "r1"}
    with Server(Reply.error(429, "slow down", headers)) as server:
        error = pickle.loads(pickle.dumps(failure(server)))
    assert RateLimitError is type(error)
    assert "Error code: 429 - slow down" == error.message == str(error)
    assert (429, "r1", 300, 1) == (
        error.status_code,
        error.request_id,
        error.retry_after,
        error.attempts,
    )
    assert {"message": "slow down"} == error.body
    assert "***" == error.request.headers["authorization"]


def test_a_key_with_a_newline_is_refused_before_it_can_be_quoted() -> None:
    """A key that no header can carry is refused where the client is made, without being shown."""
    with pytest.raises(OpenAIError) as caught:
        OpenAI(api_key=KEY + "\n", base_url="http://127.0.0.1/v1")
    assert [] == shows(caught.value, KEY)


def test_successful_calls_log_no_key(caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG, no library on the way logs the key."""
    caplog.set_level(logging.DEBUG)
    with Server(OK, STREAM) as server, client_of(server) as client:
        text_of(client)
        text_of(client, stream=True)
    assert "/v1/chat/completions" in caplog.text
    assert KEY not in caplog.text


def test_nothing_shows_the_key() -> None:
    """Clients, requests, responses and streams can be printed."""
    with (
        Server(STREAM) as server,
        client_of(server) as client,
        client.chat.completions.create(**ASK, stream=True) as pieces,
    ):
        shown = [client, client.config, pieces, pieces.response, pieces.response.request]
        assert KEY not in repr(shown)
        assert KEY not in "".join(map(str, shown))


# Mocks ----------------------------------------------------------------------------------------

MOCKED = "https://api.openai.com/v1/chat/completions"


@by_requests
@responses.activate
def test_responses_mocks_a_completion() -> None:
    """The ``responses`` package takes the place of the network, as for any user of requests."""
    responses.add(responses.POST, MOCKED, json=completion("ok"), headers={"x-request-id": "r1"})
    with OpenAI(api_key=KEY) as client:
        answer = client.chat.completions.create(**ASK)
    assert ("ok", "r1") == (answer.text, answer.request_id)
    sent = responses.calls[0].request
    assert f"Bearer {KEY}" == sent.headers["Authorization"]
    assert {**ASK} == json.loads(sent.body or b"")


@by_requests
@responses.activate
def test_responses_mocks_an_error() -> None:
    """An error is mocked as easily, and so is what comes after it."""
    responses.add(responses.POST, MOCKED, json={"error": {"message": "Boom"}}, status=401)
    with OpenAI(api_key=KEY) as client, pytest.raises(AuthenticationError, match="Boom"):
        client.chat.completions.create(**ASK)
    responses.reset()
    responses.add(responses.POST, MOCKED, status=503)
    responses.add(responses.POST, MOCKED, json=completion("ok"))
    with OpenAI(api_key=KEY, sleep=lambda seconds: None) as client:
        assert "ok" == client.chat.completions.create(**ASK).text
    responses.reset()
    responses.add(responses.POST, MOCKED, body=requests.ConnectionError("no network"))
    with OpenAI(api_key=KEY, max_retries=0) as client, pytest.raises(APIConnectionError) as caught:
        client.chat.completions.create(**ASK)
    assert "no network" in caught.value.message


@by_requests
@responses.activate
def test_responses_mocks_a_stream() -> None:
    """So is a stream."""
    wire = sse(chunk("Hel"), chunk("lo"), chunk(finish="stop"))
    responses.add(responses.POST, MOCKED, body=wire, content_type="text/event-stream")
    with OpenAI(api_key=KEY) as client, client.chat.completions.create(**ASK, stream=True) as got:
        assert ["Hel", "lo", ""] == [piece.text for piece in got]
    assert "text/event-stream" == responses.calls[0].request.headers["Accept"]
