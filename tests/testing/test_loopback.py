"""The loopback server reads what clients may send, and reports what they may not."""

from __future__ import annotations

import contextlib
import socket

import pytest

from chatlib.testing.loopback import Reply, Request, ResetConnection, Server


def exchange(server: Server, *pieces: bytes) -> bytes:
    """Send bytes and return what the server sends until it closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as conn:
        for piece in pieces:
            conn.sendall(piece)
        with contextlib.suppress(OSError):  # the server has closed it already
            conn.shutdown(socket.SHUT_WR)
        received = b""
        while got := conn.recv(65536):
            received += got
    return received


HEAD = b"POST /v1 HTTP/1.1\r\nHost: h\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def echo(request: Request) -> Reply:
    return Reply(200, body=request.body)


def test_chunked_requests() -> None:
    """A chunked body is read with its extensions and trailers, however its bytes arrive."""
    body = b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n"
    with Server(echo) as server:
        assert exchange(server, CHUNKED + body).endswith(b"\r\n\r\nabcde")
        single = (body[at : at + 1] for at in range(len(body)))
        assert exchange(server, CHUNKED, *single).endswith(b"\r\n\r\nabcde")
        assert [b"abcde", b"abcde"] == [request.body for request in server.requests]


def test_expect_continue() -> None:
    """A client that waits for ``100 Continue`` gets it before its body is read."""
    head = HEAD + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    with Server(echo) as server:
        received = exchange(server, head, b"ok")
    assert received.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")
    assert received.endswith(b"ok")


@pytest.mark.parametrize(
    "malformed",
    [
        b"nonsense\r\n\r\n",
        HEAD + b"Content-Length: two\r\n\r\nok",
        HEAD + b"Content-Length: 5\r\n\r\nok",
        CHUNKED + b"x\r\n",
        CHUNKED + b"5\r\nab",
    ],
)
def test_malformed_requests(malformed: bytes) -> None:
    """The connection is closed without a response, and the server goes on."""
    with Server(echo) as server:
        assert b"" == exchange(server, malformed)
        assert b"HTTP/1.1 200 " in exchange(server, HEAD + b"Content-Length: 0\r\n\r\n")


def test_functions_reset_connections() -> None:
    """``ResetConnection`` of a function resets the connection."""

    def fail(request: Request) -> Reply:
        raise ResetConnection("now")

    with Server(fail) as server, socket.create_connection(("127.0.0.1", server.port)) as conn:
        conn.settimeout(10)
        conn.sendall(HEAD + b"Content-Length: 0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            conn.recv(1)
