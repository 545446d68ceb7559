"""Requests and responses: status, headers, bodies, malformed messages."""

from __future__ import annotations

import os
import time
from typing import Any
from unittest import SkipTest

from chatlib.http import HttpRequest, Timeout, TransportTimeout
from chatlib.testing.contract.base import ContractBase
from chatlib.testing.contract.malformed import CHUNKED, INVALID, TOLERATED
from chatlib.testing.contract.scenarios import (
    KEY,
    OK,
    TIME_LIMIT,
    compress_if_accepted,
    elapsed_within,
    expect_error,
    request_to,
)
from chatlib.testing.loopback import Reply


class MessageContract(ContractBase):
    """Send a request as given and return the response as received."""

    def test_any_status_is_an_answer(self) -> None:
        """Each status is returned; none raises an exception."""
        statuses = (200, 201, 204, 304, 400, 401, 404, 429, 500, 503, 599)
        with self.serve(*map(Reply, statuses)) as server, self.open_transport() as transport:
            for status in statuses:
                response = transport.send(request_to(server))
                assert status == response.status
                assert response.read() == b""

    def test_the_request_as_it_arrives(self) -> None:
        """Method, target, headers and body arrive unchanged; no header is invented."""
        headers = {
            "Authorization": f"Bearer {KEY}",
            "Content-Type": "application/json",
            "X-Own": "a, b",
            "x-lower": "1",
            "User-Agent": "me/1",
        }
        body = '{"text": "日本 ✅"}'.encode()
        with self.serve(OK) as server, self.open_transport() as transport:
            url = f"{server.origin}/v1/a%20b/c?d=e%26f&g=h"
            transport.send(HttpRequest("POST", url, headers, body, Timeout(5))).read()
            came = server.last
        assert (came.method, came.target) == ("POST", "/v1/a%20b/c?d=e%26f&g=h")
        assert body == came.body
        arrived = dict(came.headers)
        for name, text in headers.items():
            assert text == arrived.pop(name.lower())
        assert str(len(body)) == arrived.pop("content-length")
        assert {"host", "accept", "accept-encoding", "connection"} >= arrived.keys()

    def test_a_request_without_a_body(self) -> None:
        """A GET or DELETE has no body headers; an empty POST has ``Content-Length: 0``."""
        with self.serve(OK) as server, self.open_transport() as transport:
            for method in ("GET", "DELETE", "POST"):
                request = HttpRequest(method, f"{server.url}/x?y=1", {}, b"", Timeout(5))
                transport.send(request).read()
                assert (method, "/v1/x?y=1", b"") == (
                    server.last.method,
                    server.last.target,
                    server.last.body,
                )
                assert "content-type" not in server.last.headers
                length = server.last.headers.get("content-length")
                assert length in (["0"] if method == "POST" else [None, "0"])

    def test_headers_of_a_response(self) -> None:
        """Names are case-insensitive; repeated headers are joined; values are unchanged."""
        headers = [
            ("X-Request-ID", "r1"),
            ("x-many", "a"),
            ("X-Many", "b"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("X-Name", "caf\xe9"),
            ("X-Empty", ""),
        ]
        with self.serve(Reply(200, headers)) as server, self.open_transport() as transport:
            response = transport.send(request_to(server))
            response.read()
        assert "r1" == response.request_id == response.headers["x-request-id"]
        assert response.headers["X-MANY"] == "a, b"
        assert response.headers["set-cookie"] == "a=1, b=2"
        assert response.headers["x-name"] == "caf\xe9"
        assert response.headers["x-empty"] == ""

    def test_an_address_with_odd_characters(self) -> None:
        """Characters that are invalid in a URL are percent-encoded, once."""
        self.require("sockets")
        with self.serve(OK) as server, self.open_transport() as transport:
            for path, arrived in {
                "/my path": "/my%20path",
                "/日?q=%C3%A9": "/%E6%97%A5?q=%C3%A9",
            }.items():
                transport.send(HttpRequest("GET", server.origin + path, {}, b"", Timeout(5))).read()
                assert arrived == server.last.target

    def test_a_long_header(self) -> None:
        """Headers of 20 kB are accepted."""
        headers = {"content-security-policy": "a" * 20_000}
        with self.serve(Reply(200, headers, b"ok")) as server, self.open_transport() as transport:
            response = transport.send(request_to(server))
            assert (
                response.read(),
                len(response.headers["content-security-policy"]),
            ) == (b"ok", 20_000)

    def test_hints_before_the_answer(self) -> None:
        """Informational (1xx) responses are skipped."""
        self.require("sockets")
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        with self.serve(Reply(raw=hints + answer)) as server, self.open_transport() as transport:
            response = transport.send(request_to(server))
            assert (response.status, response.read()) == (200, b"ok")

    def test_responses_that_break_rules(self) -> None:
        """Malformed responses that can be understood are accepted."""
        self.require("sockets")
        for name, raw in TOLERATED.items():
            with self.serve(Reply(raw=raw)) as server, self.open_transport() as transport:
                response = transport.send(request_to(server))
                assert (name, 200, b"whole") == (name, response.status, response.read())

    def test_data_after_a_response(self) -> None:
        """Data after the end of a response, at once or later, belongs to no other response."""
        self.require("sockets")
        for pause in (0.0, 0.05):
            first = TOLERATED["more than its length"][:-10]
            pieces: list[bytes | float] = [first, pause, b", and more"]
            raw = pieces if pause else first + b", and more"
            with (
                self.serve(Reply(raw=raw), Reply(200, {}, b"next")) as server,
                self.open_transport() as transport,
            ):
                assert transport.send(request_to(server)).read() == b"whole"
                time.sleep(20 * pause)  # so that a busy server has sent it
                assert transport.send(request_to(server)).read() == b"next"

    def test_headers_that_break_rules(self) -> None:
        """Malformed header lines are skipped, and folded ones joined."""
        self.require("sockets")
        lines = b"X-A: 1\r\nnonsense\r\n continued\r\nX-B: 2\r\n  3\r\nX-C: 4\x01\r\n"
        raw = b"HTTP/1.1 200 OK\r\n" + lines + b"Content-Length: 0\r\n\r\n"
        with self.serve(Reply(raw=raw)) as server, self.open_transport() as transport:
            headers = transport.send(request_to(server)).headers
        assert headers == {"X-A": "1", "X-B": "2 3", "X-C": "4\x01", "Content-Length": "0"}

    def test_responses_that_can_not_be_read(self) -> None:
        """The error is raised at once, although the connection stays open, and is short."""
        self.require("sockets")
        for name, raw in INVALID.items():
            with self.serve(Reply(raw=raw, hold=30)) as server, self.open_transport() as transport:
                with elapsed_within(0, 4.0), expect_error() as caught:
                    transport.send(request_to(server)).read()
                assert not isinstance(caught[0], TransportTimeout), name
                assert len(str(caught[0])) < 1500, name
                assert server.wait(lambda server=server: server.open == 0), name

    def test_cookies_are_not_sent_back(self) -> None:
        """Cookies of a response are not sent with the next request."""
        with self.serve(Reply(200, {"set-cookie": "a=1; path=/"})) as server:
            with self.open_transport() as transport:
                for _ in range(2):
                    transport.send(request_to(server)).read()
            assert "cookie" not in server.last.headers

    def test_bodies(self) -> None:
        """Bodies are read whole with each framing: empty, binary, compressed."""
        anything = bytes(range(256)) * 20 + b"\n\n"
        pieces = [anything, b"\n", anything]
        for body in (b"", b"x\n\n", b"x\r\ny\rz\n\r\n\n", anything, pieces):
            whole = body if isinstance(body, bytes) else b"".join(body)
            for framing in ("length", "chunked", "close"):
                for gzip in (False, True):
                    reply = Reply(200, body=body, framing=framing, gzip=gzip)
                    with (
                        self.serve(compress_if_accepted(reply)) as server,
                        self.open_transport() as transport,
                    ):
                        assert whole == transport.send(request_to(server)).read()

    def test_an_encoding_that_was_not_asked_for(self) -> None:
        """An unsupported Content-Encoding is an error."""
        self.require("sockets")
        with self.serve(Reply(200, {"content-encoding": "x-own"}, b"?")) as server:
            with self.open_transport() as transport, expect_error() as caught:
                transport.send(request_to(server)).read()
        assert "x-own" in str(caught[0])

    def test_a_broken_encoding(self) -> None:
        """A body that does not match its Content-Encoding is an error."""
        self.require("sockets")
        reply = Reply(200, {"content-encoding": "gzip"}, b"this is no gzip at all")
        with self.serve(OK, reply) as server, self.open_transport() as transport:
            transport.send(request_to(server)).read()
            if "gzip" not in server.last.headers.get("accept-encoding", ""):
                raise SkipTest("the transport does not accept gzip")
            with expect_error():
                transport.send(request_to(server)).read()

    def test_a_large_answer(self) -> None:
        """A body of 10 MB is read whole."""
        body = os.urandom(1 << 20) * 10
        with self.serve(Reply(200, body=body)) as server, self.open_transport() as transport:
            assert body == transport.send(request_to(server)).read()

    def test_a_large_request(self) -> None:
        """A body of 10 MB is sent whole."""
        body = os.urandom(1 << 20) * 10
        with self.serve(OK) as server, self.open_transport() as transport:
            transport.send(HttpRequest("POST", server.url, {}, body, Timeout(9))).read()
            assert body == server.last.body

    def test_pieces_as_they_come(self) -> None:
        """Each piece can be read once it is sent, with each framing and compression."""
        self.require("streams")
        ways: list[dict[str, Any]] = [
            {},
            {"gzip": True},
            {"framing": "length"},
            {"framing": "close"},
        ]
        for options in ways:
            reply = Reply.stream([b"data: 1\n\n", 0.05, b"data: 2\n\n", 30.0, b"3"], **options)
            with (
                self.serve(compress_if_accepted(reply)) as server,
                self.open_transport() as transport,
            ):
                start = time.monotonic()
                response = transport.send(request_to(server))
                got = b""
                for piece in response:
                    got += piece
                    if len(got) >= 18 or time.monotonic() - start > TIME_LIMIT:
                        break
                assert got == b"data: 1\n\ndata: 2\n\n"
                assert time.monotonic() - start < 4
                response.close()

    def test_pieces_inside_a_chunk(self) -> None:
        """Parts of an incomplete chunk can be read."""
        self.require("sockets", "streams")
        reply = Reply(raw=[CHUNKED + b"1000\r\ndata: 1\n\n", 0.05, b"data: 2\n\n", 30.0])
        with self.serve(reply) as server, self.open_transport() as transport:
            response = transport.send(request_to(server))
            pieces, got = iter(response), b""
            with elapsed_within(0, 4.0):
                while len(got) < 18:
                    got += next(pieces)
            assert got == b"data: 1\n\ndata: 2\n\n"
            response.close()
