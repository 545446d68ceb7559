"""What every transport must do, as tests that any transport can be run through.

Derive a class in a test module, and say how your transport is made; pytest does the rest::

    from chatlib.testing.contract import TransportContract

    class TestMyTransport(TransportContract):
        def make(self, **settings):
            return MyTransport(**settings)

``make`` is given settings where a scenario needs them: ``ca``, the path of a file of CA
certificates to trust, ``proxies``, as in requests, and ``trust_env``, whether the environment
names proxies and certificates. For one that your transport does not have, raise
:class:`Unsupported`: the scenario is skipped. So it is where one of the attributes of the class
says that it has no meaning.

An asynchronous transport is tested in the same way by
:class:`chatlib.testing.async_contract.AsyncTransportContract`.

The server is :class:`chatlib.testing.loopback.Server`. pytest shows what was compared if it is told
to before the import: ``pytest.register_assert_rewrite("chatlib.testing.contract")``.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest import SkipTest

from chatlib.errors import APIConnectionError, APIStatusError
from chatlib.http import (
    HttpRequest,
    Timeout,
    Transport,
    TransportError,
    TransportTimeout,
)
from chatlib.testing.loopback import (
    Reply,
    Script,
    Server,
    Unreachable,
    closed_port,
)
from chatlib.testing.scenarios import (
    ASK,
    BREAKS,
    CHUNKED,
    DRIBBLE,
    ELSEWHERE,
    KEY,
    LAX,
    LONGEST,
    OK,
    PASSWORD,
    SLOW,
    UNREADABLE,
    Authority,
    Silent,
    as_asked,
    client_of,
    close,
    environment,
    raising,
    request_to,
    shown_in,
    taking,
    with_password,
)


class Unsupported(Exception):
    """Raised by ``make`` for a setting that the transport does not have: the test is skipped."""


class TransportContract:
    """Derive from it, and override :meth:`make`; see the top of the module."""

    sockets = True
    """Whether it opens sockets."""
    pools = True
    """Whether it keeps connections for later calls."""
    streams = True
    """Whether it brings a body in pieces as they come, not as a whole."""

    def make(self, **settings: Any) -> Transport:
        """The transport to be tested; a new one each time.

        Raises:
            Unsupported: it does not have one of these settings.
        """
        raise NotImplementedError("override make(), so that it returns your transport")

    def serve(
        self,
        *replies: Script,
        tls: ssl.SSLContext | None = None,
        tunnel: ssl.SSLContext | None = None,
    ) -> AbstractContextManager[Any]:
        """A server that plays replies, and that the transport can reach."""
        return Server(*replies, tls=tls, tunnel=tunnel, patience=LONGEST)

    # Helpers --------------------------------------------------------------------------------

    @contextmanager
    def made(self, **settings: Any) -> Iterator[Transport]:
        """A transport that is closed in the end."""
        try:
            transport = self.make(**settings)
        except Unsupported as error:
            raise SkipTest(f"not supported: {str(error) or ', '.join(settings)}") from None
        try:
            yield transport
        finally:
            close(transport)

    def need(self, *features: str) -> None:
        """Skip the test unless the transport has these: ``sockets``, ``pools``, ``streams``."""
        for feature in features:
            if not getattr(self, feature):
                raise SkipTest(f"has no meaning without {feature}")

    # Answers --------------------------------------------------------------------------------

    def test_any_status_is_an_answer(self) -> None:
        """Whatever status comes is given back, and none is an exception."""
        statuses = (200, 201, 204, 304, 400, 401, 404, 429, 500, 503, 599)
        with self.serve(*map(Reply, statuses)) as server, self.made() as transport:
            for status in statuses:
                response = transport.send(request_to(server))
                assert status == response.status
                assert b"" == response.read()

    def test_the_request_as_it_arrives(self) -> None:
        """Method, path, query, headers and body arrive as they were given; none is invented."""
        headers = {
            "Authorization": f"Bearer {KEY}",
            "Content-Type": "application/json",
            "X-Own": "a, b",
            "x-lower": "1",
            "User-Agent": "me/1",
        }
        body = '{"text": "日本 ✅"}'.encode()
        with self.serve(OK) as server, self.made() as transport:
            url = f"{server.origin}/v1/a%20b/c?d=e%26f&g=h"
            transport.send(HttpRequest("POST", url, headers, body, Timeout(5))).read()
            came = server.last
        assert ("POST", "/v1/a%20b/c?d=e%26f&g=h") == (came.method, came.target)
        assert body == came.body
        arrived = dict(came.headers)
        for name, text in headers.items():
            assert text == arrived.pop(name.lower())
        assert str(len(body)) == arrived.pop("content-length")
        assert {"host", "accept", "accept-encoding", "connection"} >= arrived.keys()

    def test_a_request_without_a_body(self) -> None:
        """A GET and a DELETE say nothing of a body; a POST says that it is empty."""
        with self.serve(OK) as server, self.made() as transport:
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
        """Names compare without case; a repeated header is joined; values keep every letter."""
        headers = [
            ("X-Request-ID", "r1"),
            ("x-many", "a"),
            ("X-Many", "b"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("X-Name", "caf\xe9"),
            ("X-Empty", ""),
        ]
        with self.serve(Reply(200, headers)) as server, self.made() as transport:
            response = transport.send(request_to(server))
            response.read()
        assert "r1" == response.request_id == response.headers["x-request-id"]
        assert "a, b" == response.headers["X-MANY"]
        assert "a=1, b=2" == response.headers["set-cookie"]
        assert "caf\xe9" == response.headers["x-name"]
        assert "" == response.headers["x-empty"]

    def test_an_address_with_odd_characters(self) -> None:
        """What no URL may hold is percent-encoded; what is encoded already stays."""
        self.need("sockets")
        with self.serve(OK) as server, self.made() as transport:
            for path, arrived in {
                "/my path": "/my%20path",
                "/日?q=%C3%A9": "/%E6%97%A5?q=%C3%A9",
            }.items():
                transport.send(HttpRequest("GET", server.origin + path, {}, b"", Timeout(5))).read()
                assert arrived == server.last.target

    def test_a_long_header(self) -> None:
        """Policies and cookies of several kilobytes are no reason to fail."""
        headers = {"content-security-policy": "a" * 20_000}
        with self.serve(Reply(200, headers, b"ok")) as server, self.made() as transport:
            response = transport.send(request_to(server))
            assert (b"ok", 20_000) == (
                response.read(),
                len(response.headers["content-security-policy"]),
            )

    def test_hints_before_the_answer(self) -> None:
        """What comes early is not the answer."""
        self.need("sockets")
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        with self.serve(Reply(raw=hints + answer)) as server, self.made() as transport:
            response = transport.send(request_to(server))
            assert (200, b"ok") == (response.status, response.read())

    def test_responses_that_break_rules(self) -> None:
        """What can be understood is taken, by each transport alike."""
        self.need("sockets")
        for name, raw in LAX.items():
            with self.serve(Reply(raw=raw)) as server, self.made() as transport:
                response = transport.send(request_to(server))
                assert (name, 200, b"whole") == (name, response.status, response.read())

    def test_what_comes_after_a_response_is_not_the_next(self) -> None:
        """Bytes behind the end of a response, at once or later, belong to no other one."""
        self.need("sockets")
        for pause in (0.0, 0.05):
            pieces: list[bytes | float] = [LAX["more than its length"][:-10], pause, b", and more"]
            with self.serve(Reply(raw=pieces), Reply(200, {}, b"next")) as server:
                with self.made() as transport:
                    assert transport.send(request_to(server)).read() == b"whole"
                    time.sleep(2 * pause)
                    assert transport.send(request_to(server)).read() == b"next"

    def test_headers_that_break_rules(self) -> None:
        """The other headers are read, and long lines are joined."""
        self.need("sockets")
        lines = b"X-A: 1\r\nnonsense\r\n continued\r\nX-B: 2\r\n  3\r\nX-C: 4\x01\r\n"
        raw = b"HTTP/1.1 200 OK\r\n" + lines + b"Content-Length: 0\r\n\r\n"
        with self.serve(Reply(raw=raw)) as server, self.made() as transport:
            headers = transport.send(request_to(server)).headers
        assert {"X-A": "1", "X-B": "2 3", "X-C": "4\x01", "Content-Length": "0"} == headers

    def test_responses_that_can_not_be_read(self) -> None:
        """The error comes at once, though the connection stays open, and is short."""
        self.need("sockets")
        for name, raw in UNREADABLE.items():
            with self.serve(Reply(raw=raw, hold=30)) as server, self.made() as transport:
                with taking(0, 4.0), raising() as caught:
                    transport.send(request_to(server)).read()
                assert not isinstance(caught[0], TransportTimeout), name
                assert len(str(caught[0])) < 1500, name
                assert server.wait(lambda server=server: server.open == 0), name

    def test_cookies_are_not_sent_back(self) -> None:
        """Nothing that a response says is part of the next request."""
        with self.serve(Reply(200, {"set-cookie": "a=1; path=/"})) as server:
            with self.made() as transport:
                for _ in range(2):
                    transport.send(request_to(server)).read()
            assert "cookie" not in server.last.headers

    def test_bodies(self) -> None:
        """Bodies come whole, however they are framed: empty, of any bytes, compressed."""
        anything = bytes(range(256)) * 20 + b"\n\n"
        pieces = [anything, b"\n", anything]
        for body in (b"", b"x\n\n", b"x\r\ny\rz\n\r\n\n", anything, pieces):
            whole = body if isinstance(body, bytes) else b"".join(body)
            for framing in ("length", "chunked", "close"):
                for gzip in (False, True):
                    reply = Reply(200, body=body, framing=framing, gzip=gzip)
                    with self.serve(as_asked(reply)) as server, self.made() as transport:
                        assert whole == transport.send(request_to(server)).read()

    def test_an_encoding_that_was_not_asked_for(self) -> None:
        """What can't be decoded is an error, not a body."""
        self.need("sockets")
        with self.serve(Reply(200, {"content-encoding": "x-own"}, b"?")) as server:
            with self.made() as transport, raising() as caught:
                transport.send(request_to(server)).read()
        assert "x-own" in str(caught[0])

    def test_a_broken_encoding(self) -> None:
        """A body that is not what its encoding says is an error."""
        self.need("sockets")
        reply = Reply(200, {"content-encoding": "gzip"}, b"this is no gzip at all")
        with self.serve(OK, reply) as server, self.made() as transport:
            transport.send(request_to(server)).read()
            if "gzip" not in server.last.headers.get("accept-encoding", ""):
                raise SkipTest("it asks for no such encoding")
            with raising():
                transport.send(request_to(server)).read()

    def test_a_large_answer(self) -> None:
        """Ten megabytes come whole."""
        body = os.urandom(1 << 20) * 10
        with self.serve(Reply(200, body=body)) as server, self.made() as transport:
            assert body == transport.send(request_to(server)).read()

    def test_a_large_request(self) -> None:
        """Ten megabytes arrive whole."""
        body = os.urandom(1 << 20) * 10
        with self.serve(OK) as server, self.made() as transport:
            transport.send(HttpRequest("POST", server.url, {}, body, Timeout(9))).read()
            assert body == server.last.body

    def test_pieces_as_they_come(self) -> None:
        """Each piece can be read as soon as it was sent, however the body is framed or packed."""
        self.need("streams")
        ways: list[dict[str, Any]] = [
            {},
            {"gzip": True},
            {"framing": "length"},
            {"framing": "close"},
        ]
        for options in ways:
            reply = Reply.stream([b"data: 1\n\n", 0.05, b"data: 2\n\n", 30.0, b"3"], **options)
            with self.serve(as_asked(reply)) as server, self.made() as transport:
                start = time.monotonic()
                response = transport.send(request_to(server))
                got = b""
                for piece in response:
                    got += piece
                    if len(got) >= 18 or time.monotonic() - start > LONGEST:
                        break
                assert b"data: 1\n\ndata: 2\n\n" == got
                assert time.monotonic() - start < 4
                response.close()

    def test_pieces_inside_a_chunk(self) -> None:
        """A chunk is not waited for: what came of it can be read."""
        self.need("sockets", "streams")
        reply = Reply(raw=[CHUNKED + b"1000\r\ndata: 1\n\n", 0.05, b"data: 2\n\n", 30.0])
        with self.serve(reply) as server, self.made() as transport:
            response = transport.send(request_to(server))
            pieces, got = iter(response), b""
            with taking(0, 4.0):
                while len(got) < 18:
                    got += next(pieces)
            assert b"data: 1\n\ndata: 2\n\n" == got
            response.close()

    # Time -----------------------------------------------------------------------------------

    def test_connect_timeout(self) -> None:
        """A host that neither accepts nor refuses is given up after the connect timeout."""
        self.need("sockets")
        with Unreachable() as url, self.made() as transport:
            with taking(0.2, 4.0), raising(TransportTimeout):
                transport.send(request_to(url, connect=0.2))

    def test_connect_timeout_of_tls(self) -> None:
        """So is one that accepts, but does not answer when TLS is begun."""
        self.need("sockets")
        with Silent() as silent, self.made() as transport:
            with taking(0.2, 4.0), raising(TransportTimeout):
                transport.send(request_to(f"https://{silent.address}/", connect=0.2))
            assert silent.is_left()

    def test_read_timeout_before_the_headers(self) -> None:
        """A server that does not answer is given up after the read timeout, and left."""
        with self.serve(Reply(delay=30)) as server, self.made() as transport:
            with taking(0, 4.0), raising(TransportTimeout):
                transport.send(request_to(server, read=0.2))
            assert server.wait(lambda: server.open == 0)

    def test_read_timeout_inside_the_body(self) -> None:
        """A body that stops coming is given up after the read timeout, and its server left."""
        with self.serve(Reply.stream([b"a", 30.0])) as server, self.made() as transport:
            with taking(0, 4.0), raising(TransportTimeout):
                response = transport.send(request_to(server, read=0.2))
                try:
                    response.read()
                finally:
                    response.close()
            assert server.wait(lambda: server.open == 0)

    def test_the_read_timeout_is_for_each_read(self) -> None:
        """A body may take far longer than the read timeout, as long as something comes."""
        slow = Reply.stream([b"a", 0.25, b"a", 0.25, b"a", 0.25, b"a", 0.25, b"a"])
        with self.serve(slow) as server, self.made() as transport:
            assert b"aaaaa" == transport.send(request_to(server, read=0.7)).read()

    def test_write_timeout(self) -> None:
        """A server that does not read is given up after the write timeout."""
        self.need("sockets")
        with self.serve(Reply(slow_read=30)) as server, self.made() as transport:
            request = HttpRequest("POST", server.url, {}, b"x" * 20_000_000, Timeout(9, write=0.3))
            with taking(0.2, 4.0), raising(TransportTimeout):
                transport.send(request)

    def test_sending_may_take_longer_than_connecting(self) -> None:
        """The connect timeout is not for sending, and the read timeout not either."""
        self.need("sockets")
        with self.serve(Reply(slow_read=1.6)) as server, self.made() as transport:
            limits = Timeout(20, connect=1.0, read=1.0)
            request = HttpRequest("POST", server.url, {}, b"x" * 20_000_000, limits)
            assert 200 == transport.send(request).status

    def test_total_bounds_the_headers(self) -> None:
        """Headers that come letter by letter are given up when the whole time is over."""
        self.need("sockets")
        dribbling = Reply(raw=[b"HTTP/1.1 200 OK\r\nX: ", *DRIBBLE])
        with self.serve(dribbling) as server, self.made() as transport:
            with taking(0.3, 4.0), raising(TransportTimeout):
                transport.send(request_to(server, total=0.4))
            assert server.wait(lambda: server.open == 0)

    def test_total_bounds_all_of_a_response(self) -> None:
        """Whatever comes drop by drop is given up when the whole time is over."""
        self.need("sockets")
        for name, (start, drop) in SLOW.items():
            drops: list[bytes | float] = [drop, 0.05]
            with self.serve(Reply(raw=[start, *drops * 400])) as server, self.made() as transport:
                with taking(0.2, 4.0), raising(TransportTimeout):
                    transport.send(request_to(server, total=0.3)).read()
                assert server.wait(lambda server=server: server.open == 0), name

    def test_no_limit(self) -> None:
        """None is no limit."""
        with self.serve(Reply.stream([b"a", 0.05, b"b"], delay=0.05)) as server:
            with self.made() as transport:
                request = HttpRequest("POST", server.url, {}, b"{}", Timeout(None))
                assert b"ab" == transport.send(request).read()

    def test_the_limits_of_one_call_are_not_those_of_the_next(self) -> None:
        """Also where both share a connection."""
        with self.serve(OK, Reply(200, body=[b"a", 0.7, b"b"], delay=0.7)) as server:
            with self.made() as transport:
                transport.send(request_to(server, read=0.5, write=0.5, connect=0.5)).read()
                assert b"ab" == transport.send(request_to(server)).read()

    def test_limit_wait(self) -> None:
        """Where a response can change the time for its next piece, it does."""
        self.need("streams")
        with self.serve(Reply.stream([b"a", 30.0])) as server, self.made() as transport:
            response = transport.send(request_to(server))
            if response.limit_wait is None:
                response.close()
                raise SkipTest("the time for the next piece can't be changed")
            pieces = iter(response)
            assert b"a" == next(pieces)
            response.limit_wait(0.1)
            with taking(0, 4.0), raising(TransportTimeout):
                next(pieces)
            response.close()

    # Connections that break -----------------------------------------------------------------

    def test_nobody_listens(self) -> None:
        """A refused connection is an error that names the address and may be tried again."""
        self.need("sockets")
        port = closed_port()
        with self.made() as transport, raising() as caught:
            transport.send(request_to(f"http://127.0.0.1:{port}/v1"))
        assert TransportError is type(caught[0])
        assert str(port) in str(caught[0])
        assert caught[0].retryable
        assert caught[0].__cause__ is not None

    def test_a_name_that_does_not_exist(self) -> None:
        """A host that can't be found is named."""
        self.need("sockets")
        with self.made() as transport, raising() as caught:
            transport.send(request_to("http://nowhere.invalid/v1"))
        assert "nowhere.invalid" in str(caught[0])

    def test_urls_that_are_none(self) -> None:
        """Where nothing can be sent to, trying again does not help."""
        self.need("sockets")
        for url in ("ftp://127.0.0.1/", "nonsense", "http://", "http://a..b/", "http://a:x/"):
            with self.made() as transport, raising() as caught:
                transport.send(request_to(url))
            assert not caught[0].retryable, url

    def test_connections_that_break(self) -> None:
        """Wherever it breaks, that is an error, which may be tried again; half a body is none."""
        for name, reply in BREAKS.items():
            with self.serve(reply) as server, self.made() as transport:
                with raising() as caught:
                    transport.send(request_to(server)).read()
                assert not isinstance(caught[0], TransportTimeout), name
                assert caught[0].retryable, name
                assert server.wait(lambda server=server: server.open == 0), name

    def test_what_came_before_the_break(self) -> None:
        """What had come of a body is given before the error is raised."""
        self.need("streams")
        got: list[bytes] = []
        with self.serve(Reply.stream([b"a", 0.05, b"b", 0.05], abort="fin")) as server:
            with self.made() as transport:
                response = transport.send(request_to(server))
                with raising():
                    for piece in response:
                        got.append(piece)
                response.close()
        assert b"ab" == b"".join(got)

    def test_an_idle_connection_that_the_server_has_closed(self) -> None:
        """It is replaced, and nobody notices."""
        self.need("sockets")
        with self.serve(Reply(200, body=b"a", hang_up=True)) as server, self.made() as transport:
            for number in (1, 2, 3):
                assert b"a" == transport.send(request_to(server)).read()
                assert number == server.connections
                assert server.wait(lambda: server.open == 0)

    def test_an_idle_connection_that_ends_when_it_is_used_again(self) -> None:
        """The request is sent once more over a fresh one, and nobody notices."""
        self.need("sockets", "pools")
        for end in (Reply.nothing(), Reply.nothing(abort="rst")):
            with self.serve(OK, end, OK) as server, self.made() as transport:
                for connections in (1, 2):
                    assert b"ok" in transport.send(request_to(server)).read()
                    assert connections == server.connections
                assert 3 == len(server.requests)

    def test_a_new_connection_that_ends_at_once(self) -> None:
        """It was not idle: the request is not sent again."""
        self.need("sockets")
        with self.serve(Reply.nothing()) as server, self.made() as transport:
            with raising():
                transport.send(request_to(server))
            assert 1 == len(server.requests)

    # Connections that are kept --------------------------------------------------------------

    def test_a_thousand_calls_share_a_connection(self) -> None:
        """One after the other, whichever way their bodies are framed."""
        self.need("sockets", "pools")
        replies = [OK, Reply.stream([b"a", b"b"]), Reply(500, body=b"no"), Reply(204)]
        with self.serve(*replies * 250) as server, self.made() as transport:
            for _ in range(1000):
                transport.send(request_to(server)).read()
            assert (1000, 1) == (len(server.requests), server.connections)

    def test_threads_share_a_transport(self) -> None:
        """Sixteen threads get their own answers, over no more connections than threads."""
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

        with self.serve(echo) as server, self.made() as transport:
            threads = [
                threading.Thread(target=work, args=(number,), daemon=True) for number in range(16)
            ]
            for thread in threads:
                thread.start()
            end = time.monotonic() + LONGEST
            for thread in threads:
                thread.join(max(end - time.monotonic(), 0))
            assert [] == [thread for thread in threads if thread.is_alive()]
            assert [] == failed
            assert 320 == len(server.requests)
            if self.sockets and self.pools:
                assert server.connections <= 16

    def test_a_response_that_is_closed_early(self) -> None:
        """Closed before its end, a body lets go of its connection."""
        self.need("streams")
        with self.serve(Reply.stream([b"a"], hold=30)) as server, self.made() as transport:
            for count in (0, 1):
                response = transport.send(request_to(server))
                for _ in zip(range(count), response, strict=False):
                    pass
                response.close()
                assert server.wait(lambda: server.open == 0)
                assert [] == [piece for piece in response if piece]

    def test_a_response_that_is_closed_at_any_time(self) -> None:
        """Unread, half read or read, and more than once; the next call is not harmed."""
        with self.serve(Reply.stream([b"a", 0.01, b"b"])) as server, self.made() as transport:
            for count in range(4):
                response = transport.send(request_to(server))
                pieces = iter(response)
                for _ in range(count):
                    next(pieces, None)
                response.close()
                response.close()
            assert b"ab" == transport.send(request_to(server)).read()
            assert server.wait(lambda: server.open <= 1)

    def test_closing_closes_idle_connections(self) -> None:
        """After ``close`` nothing is open; then it works again, or says that it does not."""
        with self.serve(OK) as server, self.made() as transport:
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

    # Redirects ------------------------------------------------------------------------------

    def test_redirects_are_not_followed(self) -> None:
        """A redirect is an answer like any other."""
        statuses = (301, 302, 303, 307, 308)
        replies = [Reply(status, {"location": "/elsewhere"}) for status in statuses]
        with self.serve(*replies) as server, self.made() as transport:
            for status in statuses:
                response = transport.send(request_to(server))
                response.read()
                assert (status, "/elsewhere") == (response.status, response.headers["location"])
            assert len(statuses) == len(server.requests)

    def test_redirects_by_a_client(self) -> None:
        """Within the origin a client follows, with method and body kept."""
        redirect = Reply(307, {"location": "/v2/there"})
        with self.serve(redirect, OK) as server, self.made() as transport:
            assert "ok" == client_of(server.url, transport).chat.completions.create(**ASK).text
            first, second = server.requests
            assert ("POST", "/v2/there") == (second.method, second.target)
            assert first.body == second.body
            assert first.headers == second.headers

    def test_redirects_to_another_host_by_a_client(self) -> None:
        """Nothing is sent there, and the error names it."""
        self.need("sockets")
        with self.serve(OK) as other, self.made() as transport:
            with self.serve(Reply(307, {"location": f"{other.url}/x"})) as server:
                try:
                    client_of(server.url, transport).chat.completions.create(**ASK)
                except APIStatusError as error:
                    assert f"{other.url}/x" in error.message
                else:
                    raise AssertionError("the redirect was followed")
            assert 0 == other.connections

    # Proxies --------------------------------------------------------------------------------

    def test_a_proxy(self) -> None:
        """A proxy that is given gets the whole URL, and the user and password that are its own."""
        self.need("sockets")
        with self.serve(OK) as proxy:
            with self.made(proxies={"http": with_password(proxy.origin)}) as transport:
                for _ in range(2):
                    transport.send(request_to(f"{ELSEWHERE}/a?b=c")).read()
            assert f"{ELSEWHERE}/a?b=c" == proxy.last.target
            assert "api.example.test" == proxy.last.headers["host"]
            assert "Basic dXNlcjpwcm94eS9zZWNyZXQ=" == proxy.last.headers["proxy-authorization"]
            assert not self.pools or 1 == proxy.connections

    def test_a_proxy_of_the_environment(self) -> None:
        """Each variable that may name a proxy does, in capitals or not."""
        self.need("sockets")
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            with self.serve(OK) as proxy, environment({name: with_password(proxy.origin)}):
                with self.made(trust_env=True) as transport:
                    transport.send(request_to(ELSEWHERE)).read()
                assert ELSEWHERE == proxy.last.target
                assert "Basic" in proxy.last.headers["proxy-authorization"]

    def test_hosts_without_a_proxy(self) -> None:
        """``NO_PROXY`` names hosts that are asked directly."""
        self.need("sockets")
        for name in ("NO_PROXY", "no_proxy"):
            with self.serve(OK) as proxy, self.serve(OK) as server:
                with environment({"HTTP_PROXY": proxy.origin, name: "a.test,127.0.0.1"}):
                    with self.made(trust_env=True) as transport:
                        transport.send(request_to(server)).read()
                assert (0, 1) == (proxy.connections, len(server.requests))

    def test_an_environment_that_is_ignored(self) -> None:
        """With ``trust_env=False`` its proxies do not count."""
        self.need("sockets")
        with self.serve(OK) as proxy, self.serve(OK) as server:
            with environment({"HTTP_PROXY": proxy.origin}):
                with self.made(trust_env=False) as transport:
                    transport.send(request_to(server)).read()
            assert (0, 1) == (proxy.connections, len(server.requests))

    def test_a_proxy_for_tls(self) -> None:
        """Through a tunnel, TLS is spoken with the server: the proxy learns only its name."""
        self.need("sockets")
        authority, url = Authority.one(), "https://api.example.test/v1"
        with self.serve(OK, tunnel=authority.context("api.example.test")) as proxy:
            settings = {"ca": authority.bundle, "proxies": {"https": with_password(proxy.origin)}}
            with self.made(**settings) as transport:
                for _ in range(2):
                    assert b"ok" in transport.send(request_to(url)).read()
            connect, *inside = proxy.requests
            assert ("CONNECT", "api.example.test:443") == (connect.method, connect.target)
            assert KEY not in str(connect.headers)
            assert "Basic" in connect.headers["proxy-authorization"]
            assert "/v1" == inside[0].target
            assert "proxy-authorization" not in inside[0].headers
            assert not self.pools or 1 == proxy.connections

    def test_a_proxy_that_is_not_there(self) -> None:
        """The error speaks of the proxy, without its password."""
        self.need("sockets")
        proxy = with_password(f"http://127.0.0.1:{closed_port()}")
        with self.made(proxies={"all": proxy}) as transport:
            for url in (ELSEWHERE, ELSEWHERE.replace("http", "https")):
                with raising() as caught:
                    transport.send(request_to(url))
                assert "proxy" in str(caught[0]).lower()
                assert [] == shown_in(caught[0], PASSWORD)

    def test_a_proxy_that_refuses(self) -> None:
        """Its refusal of a request is an answer; that of a tunnel is an error with its status."""
        self.need("sockets")
        with self.serve(Reply(407, body=b"who are you?")) as proxy:
            with self.made(proxies={"all": with_password(proxy.origin)}) as transport:
                response = transport.send(request_to(ELSEWHERE))
                assert (407, b"who are you?") == (response.status, response.read())
                with raising() as caught:
                    transport.send(request_to(ELSEWHERE.replace("http", "https")))
                assert "407" in str(caught[0])
                assert [] == shown_in(caught[0], PASSWORD)

    # TLS ------------------------------------------------------------------------------------

    def test_an_authority_of_ones_own(self) -> None:
        """A server that a given authority vouches for is trusted; its connection is kept."""
        self.need("sockets")
        authority = Authority.one()
        with self.serve(OK, tls=authority.context()) as server:
            with self.made(ca=authority.bundle) as transport:
                for _ in range(3):
                    assert b"ok" in transport.send(request_to(server)).read()
            assert not self.pools or 1 == server.connections

    def test_streams_over_tls(self) -> None:
        """Pieces come as they are sent, a pause is noticed, and closing closes."""
        self.need("sockets", "streams")
        authority = Authority.one()
        with self.serve(Reply.stream([b"a", 30.0]), tls=authority.context()) as server:
            with self.made(ca=authority.bundle) as transport:
                response = transport.send(request_to(server, read=0.3))
                pieces = iter(response)
                assert b"a" == next(pieces)
                with taking(0, 4.0), raising(TransportTimeout):
                    next(pieces)
                response.close()
                response = transport.send(request_to(server))
                assert b"a" == next(iter(response))
                response.close()

    def test_an_authority_of_the_environment(self) -> None:
        """Each variable that may name an authority does, unless the environment is ignored."""
        self.need("sockets")
        authority = Authority.one()
        with self.serve(OK, tls=authority.context()) as server:
            for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
                with environment({name: authority.bundle}):
                    with self.made(trust_env=True) as transport:
                        assert b"ok" in transport.send(request_to(server)).read()
                    with self.made(trust_env=False) as transport, raising():
                        transport.send(request_to(server))

    def test_an_authority_that_nobody_knows(self) -> None:
        """It is refused for good: the message says why, and nothing was sent."""
        self.need("sockets")
        with self.serve(OK, tls=Authority.one().context()) as server:
            with environment({}), self.made() as transport, raising() as caught:
                transport.send(request_to(server))
            assert "certificate" in str(caught[0]).lower()
            assert not caught[0].retryable
            assert (1, []) == (server.connections, server.requests)

    def test_a_certificate_for_another_name(self) -> None:
        """It is refused for good: the message names the host, and nothing was sent."""
        self.need("sockets")
        authority = Authority.one()
        with self.serve(OK, tls=authority.context("other.test")) as server:
            with self.made(ca=authority.bundle) as transport, raising() as caught:
                transport.send(request_to(server))
            assert "certificate" in str(caught[0]).lower()
            assert "127.0.0.1" in str(caught[0])
            assert not caught[0].retryable
            assert [] == server.requests

    # Secrets --------------------------------------------------------------------------------

    def test_secrets_are_not_shown(self) -> None:
        """No message, traceback with its variables, or pickle of a failure holds a key."""
        failing = {**BREAKS, "timeout": Reply(delay=30), "slow body": Reply(body=[b"a", 30.0])}
        for name, reply in failing.items():
            with self.serve(reply) as server, self.made() as transport:
                url = f"{server.url}/x?api-key={KEY}"
                with raising() as caught:
                    transport.send(request_to(url, read=0.2)).read()
                assert [] == shown_in(caught[0], KEY), name

    def test_secrets_are_not_shown_where_nobody_listens(self) -> None:
        """Nor of a failure to connect."""
        self.need("sockets")
        url = with_password(f"http://127.0.0.1:{closed_port()}/x?api-key={KEY}")
        with self.made() as transport, raising() as caught:
            transport.send(request_to(url))
        assert [] == shown_in(caught[0], KEY)
        assert [] == shown_in(caught[0], "%2Fsecret")

    def test_client_errors_carry_what_the_transport_says(self) -> None:
        """A client's error has the transport's words, and its cause."""
        with self.serve(Reply.nothing()) as server, self.made() as transport:
            with raising() as caught:
                transport.send(request_to(server))
            try:
                client_of(server.url, transport).chat.completions.create(**ASK)
            except APIConnectionError as error:
                assert str(caught[0]) in error.message
                assert type(caught[0].__cause__) is type(error.__cause__)
            else:
                raise AssertionError("half an answer was taken for a whole one")
