"""Heads, chunks and encodings of responses, from bytes."""

from __future__ import annotations

import asyncio
import gc
import gzip
import http.client
import inspect
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from http.client import IncompleteRead
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import urllib3.contrib.socks
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.connection import HTTPConnection

from chatlib import OpenAI, TransportError
from chatlib.headers import Headers
from chatlib.testing.contract.blocking import BlockingTransport
from chatlib.testing.contract.malformed import INVALID, TOLERATED
from chatlib.testing.contract.scenarios import request_to
from chatlib.testing.loopback import Reply, Server, completion
from chatlib.transports import _aiohttp_errors, _urllib3_errors
from chatlib.transports._http1 import ChunkDecoder, Head, HeadReader, MalformedResponse
from chatlib.transports._wire import LARGEST_PIECE, Decoder, codings_of
from chatlib.transports.aiohttp import AiohttpTransport
from chatlib.transports.requests import RequestsTransport
from chatlib.transports.threads import ThreadTransport
from chatlib.transports.urllib3 import Urllib3Transport

OK = Reply.json(completion("ok"))
KINDS: dict[str, Callable[..., Any]] = {
    "requests": RequestsTransport,
    "urllib3": Urllib3Transport,
    "aiohttp": lambda **settings: BlockingTransport(AiohttpTransport(**settings)),
    "threads": lambda **settings: BlockingTransport(ThreadTransport(Urllib3Transport(**settings))),
}
over_all = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
quickly = settings(max_examples=300, deadline=None, database=None, derandomize=True)


def in_parts(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    """Some bytes, cut at some places."""
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    for start, end in pairwise(places):
        yield data[start:end]


def read(parts: Iterator[bytes]) -> tuple[Head | None, bytes, str]:
    """The head and the body of a response that comes in parts, and what is wrong with it."""
    reader, chunks, head, body = HeadReader(), ChunkDecoder(), None, b""
    try:
        for part in parts:
            if head is None:
                head = reader.feed(part)
                part = reader.rest
            if head is None:
                continue
            body += chunks.feed(part) if head.chunked else part
            if chunks.error is not None:
                raise chunks.error
    except MalformedResponse as error:
        return head, body, str(error)
    return head, body, ""


@quickly
@given(
    st.sampled_from([*TOLERATED.values(), *(raw for raw in INVALID.values() if len(raw) < 5000)]),
    st.lists(st.integers(0, 300), max_size=8),
)
def test_however_a_response_is_cut(raw: bytes, cuts: list[int]) -> None:
    """A response is read alike in one part and in many, and so are its faults."""
    head, body, wrong = read(iter([raw]))
    again, piecewise, wrong_too = read(in_parts(raw, cuts))
    assert (head, bool(wrong)) == (again, bool(wrong_too)) or (wrong and wrong_too)
    assert wrong or body == piecewise


@quickly
@given(st.lists(st.binary(max_size=40), max_size=6), st.lists(st.integers(0, 300), max_size=8))
def test_however_chunks_are_cut(pieces: list[bytes], cuts: list[int]) -> None:
    """What is in chunks is what was put into them; what follows their end is no part of it."""
    wire = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    decoder = ChunkDecoder()
    got = b"".join(decoder.feed(part) for part in in_parts(wire + b"0\r\n\r\nHTTP/1.1", cuts))
    assert (b"".join(pieces), True, None) == (got, decoder.done, decoder.error)


def test_chunks_that_do_not_end() -> None:
    """The end of the connection is not the end of a body, but in place of its last line."""
    for wire, whole in (
        (b"", False),
        (b"5\r\nwh", False),
        (b"1\r\na\r\n", False),
        (b"0\r\n", True),
    ):
        decoder = ChunkDecoder()
        decoder.feed(wire)
        if whole:
            assert b"" == decoder.feed_end()
        else:
            with pytest.raises(IncompleteRead):
                decoder.feed_end()


def test_what_came_before_a_fault() -> None:
    """It is given before the error is."""
    decoder = ChunkDecoder()
    assert b"abc" == decoder.feed(b"3\r\nabc\r\nnonsense")
    assert decoder.error is not None


@quickly
@given(st.binary(max_size=200), st.lists(st.integers(0, 300), max_size=8), st.integers(0, 3))
def test_however_an_encoded_body_is_cut(body: bytes, cuts: list[int], kind: int) -> None:
    """It is decoded alike in one part and in many."""
    raw = zlib.compressobj(wbits=-15)
    codings, encoded = [
        (["gzip"], gzip.compress(body)),
        (["deflate", "gzip"], gzip.compress(zlib.compress(body))),
        (["deflate"], raw.compress(body) + raw.flush()),
        (["x-gzip"], gzip.compress(body[:50]) + gzip.compress(body[50:]) + b"\0\0"),
    ][kind]
    decoder = Decoder(codings)
    got = [piece for part in in_parts(encoded, cuts) for piece in decoder.decode(part)]
    assert body == b"".join(got)


def test_a_body_that_is_large_when_it_is_decoded() -> None:
    """It comes in pieces of a bounded size."""
    encoded = gzip.compress(gzip.compress(bytes(LARGEST_PIECE * 20)))
    sizes = [len(piece) for piece in Decoder(["gzip", "gzip"]).decode(encoded)]
    assert LARGEST_PIECE * 20 == sum(sizes)
    assert max(sizes) <= LARGEST_PIECE


@pytest.mark.parametrize(
    ("said", "codings"),
    [
        ({}, []),
        ({"content-encoding": "GZip, br"}, ["gzip", "br"]),
        ({"content-encoding": "UTF-8"}, []),
        ({"content-encoding": "x-own"}, ["x-own"]),
        (
            {"content-encoding": "gzip", "transfer-encoding": "deflate, chunked"},
            ["gzip", "deflate"],
        ),
        ({"transfer-encoding": "chunked"}, []),
    ],
)
def test_codings(said: dict[str, str], codings: list[str]) -> None:
    """Known names are codings; others say nothing of how to read a body."""
    assert codings == codings_of(Headers(said))


# Words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["a", "Connection", "HTTPConnectionPool(host='", "<x object at "])
def test_long_words_of_a_server(word: str) -> None:
    """An error is worded in no time, and briefly, whatever its exceptions quote."""
    text = word * (300_000 // len(word))
    start = time.process_time()
    error = _urllib3_errors.transport_error(OSError(text), "http://a.test/")
    assert time.process_time() - start < 1
    assert len(str(error)) < 2000
    inner = _aiohttp_errors.transport_error(OSError(text), "http://a.test/")
    assert len(str(inner)) < 2000


# Connections ----------------------------------------------------------------------------------

EMPTY = b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"choices": []}'
STREAM = b'HTTP/1.1 200 OK\r\n\r\ndata: {"choices":[{"delta":{"content":"a"}}]}\n\n'
REDIRECT = b"HTTP/1.1 307 X\r\nLocation: /v1/x\r\nContent-Length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("kind", [RequestsTransport, Urllib3Transport])
@pytest.mark.parametrize(
    "answers",
    [(EMPTY, b"", STREAM), (EMPTY, b"", REDIRECT, STREAM), (b"", STREAM), (BUSY, STREAM)],
    ids=["stale", "stale, redirect", "broken", "busy"],
)
@pytest.mark.parametrize("how", ["read", "unread", "client closed"])
def test_a_stream_that_is_dropped(kind: Any, answers: tuple[bytes, ...], how: str) -> None:
    """Its connection is closed at once, without the garbage collector, whatever came before."""
    open_now, played = [0], iter(answers)
    changed = threading.Condition()

    def note(change: int) -> None:
        with changed:
            open_now[0] += change
            changed.notify_all()

    def converse(conn: socket.socket) -> None:
        with conn:
            while conn.recv(65536):
                answer = next(played)
                if not answer:
                    break
                conn.sendall(answer)
        note(-1)

    def accept() -> None:
        while True:
            try:
                conn = listener.accept()[0]
            except OSError:
                return
            conn.settimeout(30)
            note(1)
            threading.Thread(target=converse, args=(conn,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        client = OpenAI(api_key="k", base_url=url, transport=kind(), sleep=lambda seconds: None)
        gc.collect()
        gc.disable()
        try:
            if answers[0] is EMPTY:
                client.chat.completions.create(model="m", messages=[])
            stream = client.chat.completions.create(model="m", messages=[], stream=True)
            if how != "unread":
                next(stream)
            if how == "client closed":
                client.close()
            del stream
            with changed:
                assert changed.wait_for(lambda: open_now[0] == 0, 5)
        finally:
            gc.enable()
            client.close()
        listener.shutdown(socket.SHUT_RDWR)


@over_all
def test_part_of_an_answer_is_no_stale_connection(kind: Any) -> None:
    """Where part of an answer came, the request is not sent again, though the connection is old."""
    for end in ("fin", "rst"):
        broken = Reply(raw=[b"HTTP/1.1 200 OK\r\nX: ", 0.05], abort=end)
        with Server(OK, broken, OK) as server:
            transport = kind()
            transport.send(request_to(server)).read()
            with pytest.raises(TransportError):
                transport.send(request_to(server)).read()
            assert 2 == len(server.requests)
            transport.close()


# Certificates ---------------------------------------------------------------------------------


@over_all
@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_bundle_that_is_gone(
    kind: Any, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It matters where TLS is spoken, and the error names it and the variable; nothing is sent."""
    for other in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, str(tmp_path / "gone.pem"))
    with Server(OK) as server:
        transport = kind()
        assert b"ok" in transport.send(request_to(server)).read()
        with pytest.raises(TransportError) as caught:
            transport.send(request_to(server.url.replace("http:", "https:")))
        assert re.search(rf"gone\.pem.*{name}", str(caught.value))
        assert not caught.value.retryable
        assert 1 == len(server.requests)
        transport.close()


@over_all
@pytest.mark.parametrize("setting", ["verify", "cert"])
def test_a_certificate_that_is_gone(kind: Any, setting: str, tmp_path: Path) -> None:
    """One that is given matters only where TLS is spoken, too."""
    gone = str(tmp_path / "gone.pem")
    with Server(OK) as server:
        transport = kind(**{setting: gone})
        assert b"ok" in transport.send(request_to(server)).read()
        with pytest.raises(TransportError, match=r"gone\.pem"):
            transport.send(request_to(server.url.replace("http:", "https:")))
        transport.close()


# What is not ours -----------------------------------------------------------------------------


def test_private_names() -> None:
    """The private names of other packages that the transports use; their next majors are excluded.

    Without one of them a transport would fail, or be blind to stale connections.
    """

    async def of_aiohttp() -> None:
        async with aiohttp.TCPConnector() as connector:
            for name in ("_factory", "_loop", "_conns", "_acquired", "_close"):
                assert hasattr(connector, name), name
            protocol = connector._factory()
            assert hasattr(protocol, "_payload")
            assert protocol._should_close is False
            reader = aiohttp.StreamReader(protocol, 1, loop=asyncio.get_running_loop())
            assert b"" == reader._read_nowait(-1)

    asyncio.run(of_aiohttp())
    connection = HTTPConnection("a.test")
    assert callable(connection._new_conn)
    assert "a.test" == connection._dns_host
    assert "_socks_options" in inspect.getsource(urllib3.contrib.socks.SOCKSConnection)
    assert callable(http.client.HTTPResponse._close_conn)  # type: ignore[attr-defined]
    wanted = (Path(__file__).parents[2] / "setup.cfg").read_text()
    assert re.search(r"^\s+urllib3 >= [\d.]+, < 3$", wanted, re.MULTILINE)
    assert re.search(r"^\s+aiohttp >= [\d.]+, < 4$", wanted, re.MULTILINE)
