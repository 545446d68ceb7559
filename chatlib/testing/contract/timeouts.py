"""Connect, read, write and total timeouts."""

from __future__ import annotations

from unittest import SkipTest

from chatlib.http import HttpRequest, Timeout, TransportTimeout
from chatlib.testing.contract.base import ContractBase
from chatlib.testing.contract.malformed import DRIBBLE, DRIPPING
from chatlib.testing.contract.scenarios import (
    OK,
    SilentListener,
    elapsed_within,
    expect_error,
    request_to,
)
from chatlib.testing.loopback import Reply, Unreachable


class TimeoutContract(ContractBase):
    """Enforce each timeout of a request."""

    def test_connect_timeout(self) -> None:
        """The connect timeout bounds connecting."""
        self.require("sockets")
        with Unreachable() as url, self.open_transport() as transport:
            with elapsed_within(0.2, 4.0), expect_error(TransportTimeout):
                transport.send(request_to(url, connect=0.2))

    def test_connect_timeout_of_tls(self) -> None:
        """The connect timeout bounds the TLS handshake."""
        self.require("sockets")
        with SilentListener() as silent, self.open_transport() as transport:
            with elapsed_within(0.2, 4.0), expect_error(TransportTimeout):
                transport.send(request_to(f"https://{silent.address}/", connect=0.2))
            assert silent.is_left()

    def test_read_timeout_before_the_headers(self) -> None:
        """The read timeout bounds waiting for the headers, and closes the connection."""
        with self.serve(Reply(delay=30)) as server, self.open_transport() as transport:
            with elapsed_within(0, 4.0), expect_error(TransportTimeout):
                transport.send(request_to(server, read=0.2))
            assert server.wait(lambda: server.open == 0)

    def test_read_timeout_inside_the_body(self) -> None:
        """The read timeout bounds waiting for the next piece, and closes the connection."""
        with self.serve(Reply.stream([b"a", 30.0])) as server, self.open_transport() as transport:
            with elapsed_within(0, 4.0), expect_error(TransportTimeout):
                response = transport.send(request_to(server, read=0.2))
                try:
                    response.read()
                finally:
                    response.close()
            assert server.wait(lambda: server.open == 0)

    def test_the_read_timeout_is_for_each_read(self) -> None:
        """The read timeout is not for the whole body."""
        slow = Reply.stream([b"a", 0.25, b"a", 0.25, b"a", 0.25, b"a", 0.25, b"a"])
        with self.serve(slow) as server, self.open_transport() as transport:
            assert transport.send(request_to(server, read=0.7)).read() == b"aaaaa"

    def test_write_timeout(self) -> None:
        """The write timeout bounds sending."""
        self.require("sockets")
        with self.serve(Reply(slow_read=30)) as server, self.open_transport() as transport:
            request = HttpRequest("POST", server.url, {}, b"x" * 20_000_000, Timeout(9, write=0.3))
            with elapsed_within(0.2, 4.0), expect_error(TransportTimeout):
                transport.send(request)

    def test_sending_may_take_longer_than_connecting(self) -> None:
        """Neither the connect timeout nor the read timeout bounds sending."""
        self.require("sockets")
        with self.serve(Reply(slow_read=1.6)) as server, self.open_transport() as transport:
            limits = Timeout(20, connect=1.0, read=1.0)
            request = HttpRequest("POST", server.url, {}, b"x" * 20_000_000, limits)
            assert transport.send(request).status == 200

    def test_total_bounds_the_headers(self) -> None:
        """The total timeout bounds headers that arrive byte by byte."""
        self.require("sockets")
        dribbling = Reply(raw=[b"HTTP/1.1 200 OK\r\nX: ", *DRIBBLE])
        with self.serve(dribbling) as server, self.open_transport() as transport:
            with elapsed_within(0.3, 4.0), expect_error(TransportTimeout):
                transport.send(request_to(server, total=0.4))
            assert server.wait(lambda: server.open == 0)

    def test_total_bounds_all_of_a_response(self) -> None:
        """The total timeout bounds each part of a response that arrives byte by byte."""
        self.require("sockets")
        for name, (start, drop) in DRIPPING.items():
            drops: list[bytes | float] = [drop, 0.05]
            with (
                self.serve(Reply(raw=[start, *drops * 400])) as server,
                self.open_transport() as transport,
            ):
                with elapsed_within(0.2, 4.0), expect_error(TransportTimeout):
                    transport.send(request_to(server, total=0.3)).read()
                assert server.wait(lambda server=server: server.open == 0), name

    def test_no_limit(self) -> None:
        """None means no timeout."""
        with self.serve(Reply.stream([b"a", 0.05, b"b"], delay=0.05)) as server:
            with self.open_transport() as transport:
                request = HttpRequest("POST", server.url, {}, b"{}", Timeout(None))
                assert transport.send(request).read() == b"ab"

    def test_the_limits_of_one_call_are_not_those_of_the_next(self) -> None:
        """Timeouts apply to one call, also on a reused connection."""
        with self.serve(OK, Reply(200, body=[b"a", 0.7, b"b"], delay=0.7)) as server:
            with self.open_transport() as transport:
                transport.send(request_to(server, read=0.5, write=0.5, connect=0.5)).read()
                assert transport.send(request_to(server)).read() == b"ab"

    def test_limit_wait(self) -> None:
        """``limit_wait`` sets the timeout of the next read, if the response has it."""
        self.require("streams")
        with self.serve(Reply.stream([b"a", 30.0])) as server, self.open_transport() as transport:
            response = transport.send(request_to(server))
            if response.limit_wait is None:
                response.close()
                raise SkipTest("the transport has no limit_wait")
            pieces = iter(response)
            assert next(pieces) == b"a"
            response.limit_wait(0.1)
            with elapsed_within(0, 4.0), expect_error(TransportTimeout):
                next(pieces)
            response.close()
