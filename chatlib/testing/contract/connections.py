"""Failed connections, the connection pool, closing."""

from __future__ import annotations

import threading
import time
from typing import Any

from chatlib.http import HttpRequest, Timeout, TransportError, TransportTimeout
from chatlib.testing.contract.base import ContractBase
from chatlib.testing.contract.malformed import BROKEN
from chatlib.testing.contract.scenarios import (
    OK,
    TIME_LIMIT,
    close,
    expect_error,
    request_to,
)
from chatlib.testing.loopback import Reply, closed_port


class ConnectionContract(ContractBase):
    """Report broken connections, reuse open ones and close what is left."""

    def test_nobody_listens(self) -> None:
        """A refused connection is a retryable error that names the address."""
        self.require("sockets")
        port = closed_port()
        with self.open_transport() as transport, expect_error() as caught:
            transport.send(request_to(f"http://127.0.0.1:{port}/v1"))
        assert TransportError is type(caught[0])
        assert str(port) in str(caught[0])
        assert caught[0].retryable
        assert caught[0].__cause__ is not None

    def test_a_name_that_does_not_exist(self) -> None:
        """The error of a failed name resolution names the host."""
        self.require("sockets")
        with self.open_transport() as transport, expect_error() as caught:
            transport.send(request_to("http://nowhere.invalid/v1"))
        assert "nowhere.invalid" in str(caught[0])

    def test_urls_that_are_none(self) -> None:
        """The error for an invalid URL is not retryable."""
        self.require("sockets")
        for url in ("ftp://127.0.0.1/", "nonsense", "http://", "http://a..b/", "http://a:x/"):
            with self.open_transport() as transport, expect_error() as caught:
                transport.send(request_to(url))
            assert not caught[0].retryable, url

    def test_connections_that_break(self) -> None:
        """A broken connection is a retryable error, also inside the body."""
        for name, reply in BROKEN.items():
            with self.serve(reply) as server, self.open_transport() as transport:
                with expect_error() as caught:
                    transport.send(request_to(server)).read()
                assert not isinstance(caught[0], TransportTimeout), name
                assert caught[0].retryable, name
                assert server.wait(lambda server=server: server.open == 0), name

    def test_what_came_before_the_break(self) -> None:
        """The pieces received before the break are returned before the error is raised."""
        self.require("streams")
        got: list[bytes] = []
        with self.serve(Reply.stream([b"a", 0.05, b"b", 0.05], abort="fin")) as server:
            with self.open_transport() as transport:
                response = transport.send(request_to(server))
                with expect_error():
                    for piece in response:
                        got.append(piece)
                response.close()
        assert b"".join(got) == b"ab"

    def test_an_idle_connection_that_the_server_has_closed(self) -> None:
        """An idle connection closed by the server is replaced without an error."""
        self.require("sockets")
        with (
            self.serve(Reply(200, body=b"a", hang_up=True)) as server,
            self.open_transport() as transport,
        ):
            for number in (1, 2, 3):
                assert transport.send(request_to(server)).read() == b"a"
                assert number == server.connections
                assert server.wait(lambda: server.open == 0)

    def test_an_idle_connection_that_ends_when_it_is_used_again(self) -> None:
        """The request is sent again over a new connection, without an error."""
        self.require("sockets", "pools")
        for end in (Reply.nothing(), Reply.nothing(abort="rst")):
            with self.serve(OK, end, OK) as server, self.open_transport() as transport:
                for connections in (1, 2):
                    assert b"ok" in transport.send(request_to(server)).read()
                    assert connections == server.connections
                assert len(server.requests) == 3

    def test_a_new_connection_that_ends_at_once(self) -> None:
        """A request is not sent again if a new connection is closed."""
        self.require("sockets")
        with self.serve(Reply.nothing()) as server, self.open_transport() as transport:
            with expect_error():
                transport.send(request_to(server))
            assert len(server.requests) == 1

    def test_a_thousand_calls_share_a_connection(self) -> None:
        """Sequential calls reuse one connection, with each framing."""
        self.require("sockets", "pools")
        replies = [OK, Reply.stream([b"a", b"b"]), Reply(500, body=b"no"), Reply(204)]
        with self.serve(*replies * 250) as server, self.open_transport() as transport:
            for _ in range(1000):
                transport.send(request_to(server)).read()
            assert (len(server.requests), server.connections) == (1000, 1)

    def test_threads_share_a_transport(self) -> None:
        """Sixteen threads get their own responses, over at most 16 connections."""
        failed: list[object] = []

        def echo(request: Any) -> Reply:
            return Reply(200, body=request.body)

        def work(number: int) -> None:
            for turn in range(20):
                body = f"{number}.{turn}".encode()
                try:
                    got = transport.send(
                        HttpRequest("POST", server.url, {}, body, Timeout(9))
                    ).read()
                except TransportError as error:
                    failed.append(error)
                else:
                    if got != body:
                        failed.append((body, got))

        with self.serve(echo) as server, self.open_transport() as transport:
            threads = [
                threading.Thread(target=work, args=(number,), daemon=True) for number in range(16)
            ]
            for thread in threads:
                thread.start()
            end = time.monotonic() + TIME_LIMIT
            for thread in threads:
                thread.join(max(end - time.monotonic(), 0))
            assert [thread for thread in threads if thread.is_alive()] == []
            assert failed == []
            assert len(server.requests) == 320
            if self.sockets and self.pools:
                assert server.connections <= 16

    def test_a_response_that_is_closed_early(self) -> None:
        """Closing a response before its end closes its connection."""
        self.require("streams")
        with (
            self.serve(Reply.stream([b"a"], hold=30)) as server,
            self.open_transport() as transport,
        ):
            for count in (0, 1):
                response = transport.send(request_to(server))
                for _ in zip(range(count), response, strict=False):
                    pass
                response.close()
                assert server.wait(lambda: server.open == 0)
                assert [piece for piece in response if piece] == []

    def test_a_response_that_is_closed_at_any_time(self) -> None:
        """A response may be closed repeatedly, at any time; the next call works."""
        with (
            self.serve(Reply.stream([b"a", 0.01, b"b"])) as server,
            self.open_transport() as transport,
        ):
            for count in range(4):
                response = transport.send(request_to(server))
                pieces = iter(response)
                for _ in range(count):
                    next(pieces, None)
                response.close()
                response.close()
            assert transport.send(request_to(server)).read() == b"ab"
            assert server.wait(lambda: server.open <= 1)

    def test_closing_closes_idle_connections(self) -> None:
        """``close`` closes all connections; later calls work or raise a final error."""
        with self.serve(OK) as server, self.open_transport() as transport:
            transport.send(request_to(server)).read()
            close(transport)
            assert server.wait(lambda: server.open == 0)
            try:
                assert b"ok" in transport.send(request_to(server)).read()
            except TransportError as error:
                assert not error.retryable
            close(transport)
            close(transport)
            assert server.wait(lambda: server.open == 0)
