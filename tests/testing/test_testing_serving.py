"""The server in memory, served over real HTTP: to this client, to others, and to plain sockets."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from chatlib import (
    APIConnectionError,
    APITimeoutError,
    HttpRequest,
    HttpResponse,
    InternalServerError,
    OpenAI,
    RateLimits,
    joined,
)
from chatlib.testing import InMemoryServer, answer, completion, error, fault, raw, serve, stream
from chatlib.testing.loopback import Reply, Request, Server, closed_port
from chatlib.transports.requests import RequestsTransport
from tests.faces import run_threads

ASK: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def client_of(base_url: str, **options: Any) -> OpenAI:
    """A client over real sockets, which does not sleep between attempts."""
    return OpenAI(**{"api_key": "k", "base_url": base_url, "sleep": lambda _: None, **options})


def connection(base_url: str) -> http.client.HTTPConnection:
    """A plain connection, kept alive."""
    return http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=10)


def create(base_url: str) -> HttpRequest:
    """A plain request for a completion."""
    return HttpRequest("POST", f"{base_url}/chat/completions", content=json.dumps(ASK).encode())


def asked(
    conn: http.client.HTTPConnection, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, Any]:
    """Ask by a plain connection; the status, and the JSON of the answer."""
    conn.request(method, path, None if body is None else json.dumps(body), headers)
    response = conn.getresponse()
    content = response.read()
    assert "HEAD" == method or str(len(content)) == response.headers["content-length"]
    return response.status, json.loads(content) if content else None


# The same as in memory


def test_create() -> None:
    """The bytes and headers are those of the server in memory, which keeps what came."""
    server = InMemoryServer("Hello!")
    with serve(server) as base_url, client_of(base_url) as client:
        made = client.chat.completions.create(**ASK)
    assert ("Hello!", "req_scripted_1") == (made.text, made.request_id)
    request = server.requests[0]
    assert (f"{base_url}/chat/completions", "POST", ASK, "Bearer k") == (
        request.url,
        request.method,
        request.json(),
        request.headers["authorization"],
    )


def exchanges() -> list[tuple[str, str, Any]]:
    """Requests that use all that the server can do, one after the other."""
    stored = {**ASK, "store": True, "metadata": {"k": "v"}}
    return [
        ("POST", "", ASK),
        ("POST", "", stored),
        ("POST", "", {**stored, "stream": True, "stream_options": {"include_usage": True}}),
        ("POST", "", ASK),
        ("POST", "", ASK),
        ("GET", "", None),
        ("GET", "?limit=1&order=desc", None),
        ("GET", "?metadata%5Bk%5D=v&model=m", None),
        ("GET", "?limit=0", None),
        ("GET", "/chatcmpl-scripted-1", None),
        ("POST", "/chatcmpl-scripted-1", {"metadata": {"k": "w"}}),
        ("GET", "/chatcmpl-scripted%2D1/messages", None),
        ("DELETE", "/chatcmpl-scripted-1", None),
        ("DELETE", "/chatcmpl-scripted-1", None),
        ("GET", "/chatcmpl-scripted-1", None),
    ]


def test_same_as_in_memory() -> None:
    """The same requests, in memory and over sockets, get the same answers."""

    def server() -> InMemoryServer:
        return InMemoryServer(
            "a",
            "b",
            "Streamed text",
            error(503, headers={"x-own": "1"}),
            raw(200, "日本\n".encode()),
            limits=RateLimits(limit_requests=100, limit_tokens=1000, reset_requests=9999),
        )

    def answers(base_url: str, transport: Any) -> list[tuple[int, dict[str, str], bytes]]:
        made = []
        for method, path, body in exchanges():
            content = b"" if body is None else json.dumps(body).encode()
            request = HttpRequest(method, f"{base_url}/chat/completions{path}", content=content)
            response = transport.send(request)
            headers = {name.lower(): value for name, value in response.headers.items()}
            for framing in ("content-length", "transfer-encoding", "x-ratelimit-reset-requests"):
                headers.pop(framing, None)
            made.append((response.status, headers, response.read()))
        return made

    in_memory = answers("http://h.test/v1", server())
    with serve(server()) as base_url:
        over_sockets = answers(base_url, RequestsTransport())
    assert in_memory == over_sockets
    assert [200] * 3 + [503] + [200] * 4 + [400] + [200] * 4 + [404] * 2 == [
        status for status, _, _ in in_memory
    ]


def test_port_may_be_chosen() -> None:
    """And is free again afterwards; only loopback listens."""
    port = closed_port()
    for _ in range(2):
        with serve(InMemoryServer("a"), port=port) as base_url:
            assert f"http://127.0.0.1:{port}/v1" == base_url
            assert "a" == client_of(base_url).chat.completions.create(**ASK).text
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)


def test_any_base_path() -> None:
    """What comes before /chat/completions does not matter."""
    with serve(InMemoryServer("a")) as base_url:
        base = base_url.replace("/v1", "/openai/deployments/x")
        client = client_of(base, default_query={"api-version": "1"})
        assert "a" == client.chat.completions.create(**ASK).text


def test_any_transport_can_be_served() -> None:
    """Whatever has send()."""

    class Mine:
        def send(self, request: HttpRequest) -> HttpResponse:
            body = json.dumps(completion("mine")).encode()
            return HttpResponse(200, {"content-length": str(len(body))}, iter([body[:9], body[9:]]))

    with serve(Mine()) as base_url:
        assert "mine" == client_of(base_url).chat.completions.create(**ASK).text


# Streams


def test_streams_come_piece_by_piece() -> None:
    """Each piece is a chunk on the wire, sent at once; pauses are between them."""
    pause = 0.05
    server = InMemoryServer(stream("a", "b", "c", pause=pause))
    with serve(server) as base_url:
        start = time.monotonic()
        came = list(RequestsTransport().send(create(base_url)))
        assert 4 * pause <= time.monotonic() - start
    assert 5 == len(came)
    assert all(piece.startswith(b"data: ") and piece.endswith(b"\n\n") for piece in came)
    assert 0 == server.open_responses


def test_no_piece_waits_for_the_next() -> None:
    """A client has the first before there is a second."""
    read = threading.Event()

    def body() -> Iterator[bytes]:
        yield b"one"
        assert read.wait(10)
        yield b"two"

    with serve(InMemoryServer(HttpResponse(200, {}, body()))) as base_url:
        pieces = iter(RequestsTransport().send(create(base_url)))
        assert b"one" == next(pieces)
        read.set()
        assert b"two" == next(pieces)


def test_stream_that_is_left_is_noticed() -> None:
    """When a client goes away inside a pause, the response is closed at once."""
    server = InMemoryServer(stream("a", "b", pause=60))
    with serve(server) as base_url, client_of(base_url) as client:
        with client.chat.completions.create(**ASK, stream=True) as chunks:
            assert "a" == next(chunks).text
        end = time.monotonic() + 2
        while server.open_responses and time.monotonic() < end:
            time.sleep(0.01)
        assert 0 == server.open_responses


def test_stored_streams() -> None:
    """A stream is stored once it was sent."""
    server = InMemoryServer("Hello you")
    with serve(server) as base_url, client_of(base_url) as client:
        made = joined(client.chat.completions.create(**ASK, stream=True, store=True))
    assert [made.id] == [one["id"] for one in server.store.completions]


# Failures


@pytest.mark.parametrize("kind", ["connect", "reset"])
def test_faults_are_real(kind: Any) -> None:
    """A connection that fails is reset; the next attempt gets the next reply."""
    server = InMemoryServer(fault(kind), fault(kind), "a")
    with serve(server) as base_url:
        with pytest.raises(APIConnectionError) as caught:
            client_of(base_url, max_retries=0).chat.completions.create(**ASK)
        assert not isinstance(caught.value, APITimeoutError)
        assert "a" == client_of(base_url, max_retries=1).chat.completions.create(**ASK).text


def test_reset_is_a_reset() -> None:
    """Seen by a plain socket, before an answer and inside one."""
    half = fault("reset", after=stream("a", finish_reason=None, done=False))
    with serve(InMemoryServer(fault("reset"), half)) as base_url:
        conn = connection(base_url)
        with pytest.raises(ConnectionResetError):
            asked(conn, "POST", "/v1/chat/completions", ASK)
        conn.close()
        conn.request("POST", "/v1/chat/completions", json.dumps(ASK))
        response = conn.getresponse()
        assert 200 == response.status
        assert response.readline().startswith(b"data: ")
        with pytest.raises(ConnectionResetError):
            response.read()
        conn.close()


def test_broken_stream() -> None:
    """What came before the end of the connection is there."""
    server = InMemoryServer(fault(after=stream("Par", finish_reason=None, done=False)))
    with serve(server) as base_url, client_of(base_url) as client:
        chunks = client.chat.completions.create(**ASK, stream=True)
        assert "Par" == next(chunks).text
        with pytest.raises(APIConnectionError) as caught:
            next(chunks)
        assert caught.value.completion is not None
        assert "Par" == caught.value.completion.text


@pytest.mark.parametrize("after", [None, stream("a", finish_reason=None, done=False)])
def test_timeouts_are_silence(after: Any) -> None:
    """Nothing comes, before an answer or inside one, until the client gives up."""
    with serve(InMemoryServer(default=fault("timeout", after=after))) as base_url:
        client = client_of(base_url, max_retries=0, timeout=0.1)
        with pytest.raises(APITimeoutError):
            list(client.chat.completions.create(**ASK, stream=True))


def test_exceptions_are_told() -> None:
    """No reply left, or a function that fails: a 500 with its words, not to be tried again."""

    def broken(request: HttpRequest) -> HttpResponse:
        raise ZeroDivisionError("by nothing")

    server = InMemoryServer(broken)
    with serve(server) as base_url, client_of(base_url) as client:
        with pytest.raises(InternalServerError, match="ZeroDivisionError: by nothing") as caught:
            client.chat.completions.create(**ASK)
        assert 1 == caught.value.attempts
        with pytest.raises(
            InternalServerError, match="NoReplyLeft: no scripted reply is left for request 2"
        ):
            client.chat.completions.create(**ASK)


def test_exception_inside_a_body() -> None:
    """Once headers are out, only the end of the connection can tell."""

    def body() -> Iterator[bytes]:
        yield b"data: 1\n\n"
        raise ZeroDivisionError

    with serve(InMemoryServer(HttpResponse(200, {}, body()))) as base_url:
        conn = connection(base_url)
        conn.request("POST", "/v1/chat/completions", json.dumps(ASK))
        with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            conn.getresponse().read()
        conn.close()


# HTTP


def test_unknown_paths() -> None:
    """They are a 404 in JSON, over the same connection, and no matter of the script."""
    server = InMemoryServer("a")
    with serve(server) as base_url:
        conn = connection(base_url)
        for method, path in [("GET", "/"), ("GET", "/v1/models"), ("PUT", "/v1/chat/completions")]:
            status, body = asked(conn, method, path)
            assert (404, "invalid_request_error") == (status, body["error"]["type"])
            assert f"{method} {base_url.removesuffix('/v1')}{path}" in body["error"]["message"]
        assert (404, None) == asked(conn, "HEAD", "/v1/chat/completions")
        first = conn.sock
        assert 200 == asked(conn, "POST", "/v1/chat/completions", ASK)[0]
        assert first is conn.sock
        conn.close()
    assert 1 == len(server.requests)


def test_one_connection_for_all() -> None:
    """It is kept alive, after streams too."""
    server = InMemoryServer(default=answer("a b c"))
    with serve(server) as base_url, client_of(base_url) as client:
        for streamed in (True, False, True):
            made: Any = client.chat.completions.create(**ASK, stream=streamed)
            assert "a b c" == (joined(made) if streamed else made).text
    assert 3 == len(server.requests)


def test_request_in_chunks() -> None:
    """Some clients send their body so, or ask whether they may send it at all."""
    server = InMemoryServer("a", "b")
    body = json.dumps(ASK).encode()
    with serve(server) as base_url:
        conn = connection(base_url)
        conn.request(
            "POST",
            "/v1/chat/completions",
            iter([body[:7], body[7:]]),
            {"Transfer-Encoding": "chunked"},
            encode_chunked=True,
        )
        assert 200 == conn.getresponse().status
        conn.close()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {len(body)}\r\n"
        plain = socket.create_connection(("127.0.0.1", urlsplit(base_url).port or 0), 5)
        plain.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert plain.recv(100).startswith(b"HTTP/1.1 100 ")
        plain.sendall(body)
        assert plain.recv(100).startswith(b"HTTP/1.1 200 ")
        plain.close()
    assert [ASK, ASK] == [request.json() for request in server.requests]


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"\x16\x03\x01\x00\r\n\r\n", b"GET /"])
def test_what_is_no_http(sent: bytes) -> None:
    """It ends its connection, and nothing else."""
    with serve(InMemoryServer("a")) as base_url:
        plain = socket.create_connection(("127.0.0.1", urlsplit(base_url).port or 0), 5)
        plain.sendall(sent)
        plain.shutdown(socket.SHUT_WR)
        assert b"" == plain.recv(100)
        plain.close()
        assert "a" == client_of(base_url).chat.completions.create(**ASK).text


def test_many_clients_at_once() -> None:
    """64 of them, each with its own answer, all streaming at the same time."""
    everyone = threading.Barrier(64, timeout=20)

    def reply(request: HttpRequest) -> Any:
        everyone.wait()
        return answer(request.json()["messages"][0]["content"], pause=0.01)

    server, got = InMemoryServer(default=reply), {}
    with serve(server) as base_url, client_of(base_url) as client:

        def call(number: int) -> None:
            message: Any = {"role": "user", "content": f"answer {number} of many"}
            chunks = client.chat.completions.create(model="m", messages=[message], stream=True)
            got[number] = joined(chunks).text

        threads = [threading.Thread(target=call, args=(number,)) for number in range(64)]
        run_threads(threads)
    assert {number: f"answer {number} of many" for number in range(64)} == got
    assert 0 == server.open_responses


# The end


def test_leaving_never_waits() -> None:
    """Neither for a pause, nor for a silence, nor for a function that does not return."""
    stuck = threading.Event()

    def never(request: HttpRequest) -> str:
        stuck.wait(30)
        return "late"

    server = InMemoryServer(stream("a", "b", pause=60), fault("timeout"), never)
    body = json.dumps(ASK)
    with serve(server) as base_url:
        held = [connection(base_url) for _ in range(4)]
        for conn in held[:3]:
            conn.request("POST", "/v1/chat/completions", body)
            time.sleep(0.05)
        held[3].connect()
        start = time.monotonic()
    assert time.monotonic() - start < 3
    stuck.set()
    for conn in held:
        conn.close()


def test_within_a_program_that_awaits() -> None:
    """It is a plain context manager on threads of its own."""

    async def talk() -> bytes:
        with serve(InMemoryServer("awaited")) as base_url:
            port = urlsplit(base_url).port
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            body = json.dumps(ASK).encode()
            writer.write(
                b"POST /v1/chat/completions HTTP/1.1\r\nConnection: close\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            answered = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answered

    assert b"awaited" in asyncio.run(talk())


# The loopback server below it


def test_body_may_be_an_iterator() -> None:
    """It is sent as it comes, and closed when the client leaves."""
    closed = threading.Event()

    def body(request: Request) -> Reply:
        def pieces() -> Iterator[bytes | float]:
            try:
                yield b"one"
                yield 60.0
            finally:
                closed.set()

        return Reply.stream(pieces())

    with Server(body) as server:
        conn = connection(server.url)
        conn.request("GET", "/v1")
        response = conn.getresponse()
        assert b"one" == response.read(3)
        response.close()
        conn.close()
        assert closed.wait(2)


def test_compressed_iterator() -> None:
    """It is compressed piece by piece."""
    with Server(lambda request: Reply.stream(iter([b"one", 0.0, b"two"]), gzip=True)) as server:
        response = RequestsTransport().send(HttpRequest("GET", server.url))
        assert b"onetwo" == response.read()


# The official package


def test_official_package() -> None:
    """Given a base URL, it does all that it can do with stored completions, and streams."""
    openai = pytest.importorskip("openai")
    server = InMemoryServer("one", "two", "three", "four five")
    with serve(server) as base_url, openai.OpenAI(api_key="k", base_url=base_url) as client:
        chat = client.chat.completions
        parts = [{"type": "text", "text": "Hi"}]
        made = [
            chat.create(
                model=f"m{at % 2}",
                messages=[
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": parts, "name": "ann"},
                ],
                store=True,
                metadata={"at": str(at), "odd": str(at % 2)},
            )
            for at in range(3)
        ]
        ids = [one.id for one in made]
        assert 3 == len(set(ids))

        first = chat.retrieve(ids[0])
        assert ("one", {"at": "0", "odd": "0"}) == (
            first.choices[0].message.content,
            first.metadata,
        )
        assert {"new": "1"} == chat.update(ids[0], metadata={"new": "1"}).metadata
        assert {"new": "1"} == chat.retrieve(ids[0]).metadata

        assert ids == [one.id for one in chat.list(limit=1)]
        assert ids[::-1] == [one.id for one in chat.list(limit=2, order="desc")]
        assert [ids[1]] == [one.id for one in chat.list(metadata={"odd": "1"})]
        assert [ids[0], ids[2]] == [one.id for one in chat.list(model="m0", limit=1)]
        assert ids[1:] == [one.id for one in chat.list(after=ids[0])]

        messages = list(chat.messages.list(ids[1], limit=1))
        assert [
            (f"{ids[1]}-0", "system", "Be brief.", None, None),
            (f"{ids[1]}-1", "user", None, "ann", parts),
        ] == [
            (
                message.id,
                message.role,
                message.content,
                message.name,
                message.content_parts
                and [part.model_dump(exclude_unset=True) for part in message.content_parts],
            )
            for message in messages
        ]
        backwards = chat.messages.list(ids[1], order="desc")
        assert [f"{ids[1]}-1", f"{ids[1]}-0"] == [message.id for message in backwards]

        assert (ids[1], True) == (chat.delete(ids[1]).id, chat.delete(ids[2]).deleted)
        with pytest.raises(openai.NotFoundError) as caught:
            chat.retrieve(ids[1])
        assert "not_found" == caught.value.code
        with pytest.raises(openai.BadRequestError) as refused:
            chat.list(limit=101)
        assert "limit" == refused.value.param

        chunks = list(chat.create(**ASK, stream=True, store=True))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert "four five" == text
        assert text == chat.retrieve(chunks[0].id).choices[0].message.content
    assert 0 == server.open_responses


def test_official_package_meets_failures() -> None:
    """It sees limits, faults and exceptions as from a real server."""
    openai = pytest.importorskip("openai")
    server = InMemoryServer(fault("reset"), "a", limits=RateLimits(limit_requests=4))
    with (
        serve(server) as base_url,
        openai.OpenAI(api_key="k", base_url=base_url, max_retries=1) as client,
    ):
        assert "a" == client.chat.completions.create(**ASK).choices[0].message.content
        with pytest.raises(openai.InternalServerError, match="NoReplyLeft"):
            client.chat.completions.create(**ASK)
        server.add(fault("timeout"))
        with pytest.raises(openai.APITimeoutError):
            client.with_options(timeout=0.2, max_retries=0).chat.completions.create(**ASK)
        with pytest.raises(openai.RateLimitError) as caught:
            client.with_options(max_retries=0).chat.completions.create(**ASK)
    assert "60" == caught.value.response.headers["retry-after"]
