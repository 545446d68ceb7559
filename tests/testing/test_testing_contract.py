"""The shipped contract never hangs: what waits has a limit of its own, and fails in the end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from chatlib import HttpRequest, HttpResponse, Timeout, TransportError
from chatlib.testing.async_contract import AsyncTransportContract
from chatlib.testing.contract import TransportContract
from chatlib.testing.contract.blocking import BlockingTransport
from chatlib.testing.contract.scenarios import SilentListener, cancel_when, eventually, run
from chatlib.testing.loopback import Server, Unreachable
from chatlib.transports.urllib3 import Urllib3Transport


class Deaf:
    """A transport that never answers, and can't be cancelled."""

    async def asend(self, request: HttpRequest) -> HttpResponse:
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.02)
        return HttpResponse(200, {}, b"")


class DeafContract(AsyncTransportContract):
    def make_async(self, **settings: Any) -> Any:
        return Deaf()


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits of half a second."""
    for module in ("scenarios", "base", "messages", "connections", "async_transport"):
        monkeypatch.setattr(f"chatlib.testing.contract.{module}.TIME_LIMIT", 0.5)


@pytest.mark.usefixtures("_short")
@pytest.mark.parametrize(
    "scenario",
    ["test_bodies", "test_cancelled_while_tls_is_begun", "test_a_time_limit_of_the_caller"],
)
def test_a_transport_that_never_answers(scenario: str) -> None:
    """Each scenario fails; none waits for it."""
    start = time.monotonic()
    with pytest.raises(AssertionError):
        getattr(DeafContract(), scenario)()
    assert time.monotonic() - start < 10


def test_nobody_comes() -> None:
    """Whoever asks whether an address was left is told, though nobody ever came to it."""
    with SilentListener() as silent:
        assert not silent.is_left(0.05)
        assert not silent.is_reached()


def test_silence_ends() -> None:
    """A silent address hangs up in the end."""
    with SilentListener(0.3) as silent:
        host, port = silent.address.split(":")
        with socket.create_connection((host, int(port)), timeout=10) as conn:
            assert b"" == conn.recv(1)
        assert silent.is_reached()
        assert not silent.is_left(0)


def test_leaving_silence() -> None:
    """A client that leaves is seen."""
    with SilentListener() as silent:
        host, port = silent.address.split(":")
        socket.create_connection((host, int(port)), timeout=10).close()
        assert silent.is_left()


def test_an_address_that_nobody_answers_ends() -> None:
    """One that neither accepts nor refuses refuses in the end."""
    with Unreachable(0.1) as url:
        request = HttpRequest("POST", url, {}, b"", Timeout(60))
        transport = Urllib3Transport()
        with pytest.raises(TransportError):
            transport.send(request)
        transport.close()


@pytest.mark.parametrize("sent", [b"", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"])
def test_a_client_that_says_nothing(sent: bytes) -> None:
    """The server gives it up."""
    with (
        Server(patience=0.1) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as conn,
    ):
        conn.sendall(sent)
        assert b"" == conn.recv(1)
        assert server.wait(lambda: server.open == 0)


def test_a_client_that_is_gone_before_it_is_accepted() -> None:
    """The server goes on."""
    with Server() as server:
        for _ in range(20):
            conn = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            conn.close()
        transport = Urllib3Transport()
        assert 200 == transport.send(HttpRequest("GET", server.url, {}, b"", Timeout(10))).status
        transport.close()


@pytest.mark.usefixtures("_short")
def test_a_coroutine_that_does_not_end() -> None:
    """It fails."""
    with pytest.raises(AssertionError, match="not finished after"):
        run(Deaf().asend(HttpRequest("GET", "http://any.test/")))


def test_what_a_coroutine_gives() -> None:
    """Its value, or what it raises."""

    async def raising(error: BaseException) -> None:
        raise error

    assert "a" == run(asyncio.sleep(0, "a"))
    for error in (ValueError("x"), pytest.skip.Exception("y")):
        with pytest.raises(type(error)):
            run(raising(error))


@pytest.mark.usefixtures("_short")
@pytest.mark.parametrize(
    "work", [Deaf().asend, lambda _: asyncio.sleep(0.01)], ids=["swallows it", "has ended"]
)
def test_a_cancellation_that_does_not_come_through(work: Callable[[Any], Any]) -> None:
    """It is seen, and not waited for."""
    with pytest.raises(AssertionError):
        run(cancel_when(work(HttpRequest("GET", "http://any.test/")), lambda: True))


def test_a_condition_that_never_holds() -> None:
    """It is given up."""
    assert not run(eventually(lambda: False, 0.05))


def test_a_blocking_transport_that_does_not_end() -> None:
    """It fails; the loop is left to itself."""
    blocking = BlockingTransport(Deaf(), timeout=0.2)
    with pytest.raises(AssertionError, match="not finished after"):
        blocking.send(HttpRequest("GET", "http://any.test/"))


@pytest.mark.usefixtures("_short")
def test_pieces_that_are_empty() -> None:
    """A body of empty pieces without an end is given up."""

    class Empty:
        def send(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse(200, {}, iter(lambda: time.sleep(0.01) or b"", None))

    class EmptyContract(TransportContract):
        def make(self, **settings: Any) -> Any:
            return Empty()

    start = time.monotonic()
    with pytest.raises(AssertionError):
        EmptyContract().test_pieces_as_they_come()
    assert time.monotonic() - start < 10
