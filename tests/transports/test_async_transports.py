"""Asynchronous transports: what is true of one of them, beyond the contract of all."""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import pickle
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chatlib import AsyncTransport, HttpRequest, HttpResponse, TransportError, TransportTimeout
from chatlib.testing.contract.scenarios import CertificateAuthority, eventually, request_to
from chatlib.testing.loopback import Reply, Server, completion
from chatlib.transports import threads as threads_module
from chatlib.transports.aborting import aborting
from chatlib.transports.aiohttp import AiohttpTransport
from chatlib.transports.requests import RequestsTransport
from chatlib.transports.threads import ThreadTransport
from chatlib.transports.urllib3 import Urllib3Transport
from tests.faces import run_threads
from tests.forking import in_child

OK = Reply.json(completion("ok"))
HELD = Reply.stream([b"a"], hold=30, trickle=0.05)
KINDS: dict[str, Callable[..., Any]] = {
    "aiohttp": AiohttpTransport,
    "threads, requests": lambda **settings: ThreadTransport(RequestsTransport(**settings)),
    "threads, urllib3": lambda **settings: ThreadTransport(Urllib3Transport(**settings)),
}
over_all = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())


async def ask(transport: AsyncTransport, where: Any) -> bytes:
    return await (await transport.asend(request_to(where))).aread()


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def threads_of_pools() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "chatlib"]


# Values ---------------------------------------------------------------------------------------


@over_all
@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]
)
def test_copies(kind: Any, again: Any) -> None:
    """A copy has the same configuration, and connections of its own."""
    with Server(OK) as server, Server(OK) as proxy:
        transport = kind(proxies={"http": proxy.origin, "no_proxy": "127.0.0.1"})

        async def main() -> None:
            await ask(transport, server)
            made = again(transport)
            assert type(transport) is type(made)
            assert b"ok" in await ask(made, server)
            assert b"ok" in await ask(made, "http://a.test/")
            await made.aclose()
            await transport.aclose()

        asyncio.run(main())
        assert 1 == len(proxy.requests)
        assert server.wait(lambda: server.open == 0)


@over_all
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_fork(kind: Any) -> None:
    """A child opens connections of its own; the parent keeps its own."""
    with Server(OK) as server:
        transport = kind()
        parent = asyncio.new_event_loop()
        parent.run_until_complete(ask(transport, server))

        def work() -> None:
            asyncio.new_event_loop().run_until_complete(ask(transport, server))

        assert 0 == in_child(work)
        parent.run_until_complete(ask(transport, server))
        assert [1, 2, 1] == [request.connection for request in server.requests]
        parent.run_until_complete(transport.aclose())
        parent.close()


@over_all
def test_loops_in_several_threads(kind: Any) -> None:
    """Each thread may have a loop of its own, at the same time."""
    failed: list[BaseException] = []
    transport = kind()

    async def main() -> None:
        for _ in range(10):
            assert b"ok" in await ask(transport, server)
        await transport.aclose()

    def work() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            failed.append(error)

    with Server(OK) as server:
        threads = [threading.Thread(target=work) for _ in range(4)]
        run_threads(threads)
        assert [] == failed
        assert server.wait(lambda: server.open == 0)


@over_all
def test_a_netrc_does_not_replace_the_key(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password for the host in a .netrc file leaves the API key as it is."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Server(OK) as server:
        transport = kind()

        async def main() -> None:
            await ask(transport, server)
            await transport.aclose()

        asyncio.run(main())
        assert server.last.headers["authorization"].startswith("Bearer")


@over_all
def test_a_limit_that_is_set_inside_the_body(kind: Any) -> None:
    """``limit_wait`` shortens the wait for the next piece, and lengthens it again."""
    with Server(Reply.stream([b"a", 0.7, b"b", 30.0])) as server:
        transport = kind()

        async def main() -> None:
            response = await transport.asend(request_to(server, read=0.5))
            assert response.limit_wait is not None
            pieces = aiter(response)
            assert b"a" == await anext(pieces)
            response.limit_wait(5.0)
            assert b"b" == await anext(pieces)
            response.limit_wait(0.1)
            with pytest.raises(TransportTimeout):
                await anext(pieces)
            await response.aclose()
            await transport.aclose()

        asyncio.run(main())


@over_all
def test_time_between_two_pieces_is_the_callers(kind: Any) -> None:
    """The read timeout does not count while the last piece is dealt with."""
    with Server(Reply.stream([b"a", 0.8, b"b"])) as server:
        transport = kind()

        async def main() -> None:
            response = await transport.asend(request_to(server, read=0.5))
            pieces = aiter(response)
            assert b"a" == await anext(pieces)
            await asyncio.sleep(0.9)
            assert b"b" == await anext(pieces)
            await response.aclose()
            await transport.aclose()

        asyncio.run(main())


# aiohttp --------------------------------------------------------------------------------------


@pytest.mark.parametrize("secure", [False, True])
def test_sessions_of_closed_loops_are_disposed_of(secure: bool) -> None:
    """The next loop closes what the last one left: idle connections and open streams."""
    authority = CertificateAuthority.shared()
    tls = authority.context() if secure else None
    transport = AiohttpTransport(verify=authority.bundle)

    async def leave() -> HttpResponse:
        await ask(transport, server)
        return await transport.asend(request_to(server))

    async def last() -> None:
        await ask(transport, server)
        await transport.aclose()

    with Server(OK, HELD, OK, tls=tls) as server:
        response = asyncio.run(leave())
        assert 1 == len(transport._sessions)
        assert 1 == server.open
        asyncio.run(last())
        assert 0 == len(transport._sessions)
        assert server.wait(lambda: server.open == 0)
        response.close()


@pytest.mark.parametrize("where", ["inside its loop", "after its loop", "beside its loop"])
def test_a_transport_that_nobody_closed(where: str) -> None:
    """It warns, makes no task, and closes its connections."""
    with Server(OK) as server:
        loop = asyncio.new_event_loop()

        async def main(drop: bool) -> None:
            transport: AsyncTransport | None = AiohttpTransport()
            assert transport is not None
            await ask(transport, server)
            if drop:
                transport = None
                gc.collect()
                assert 1 == len(asyncio.all_tasks())
                assert await eventually(lambda: server.open == 0)

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loop.run_until_complete(main(where == "inside its loop"))
            if where == "after its loop":
                loop.close()
            gc.collect()
        assert [ResourceWarning] == [warning.category for warning in caught]
        assert "AiohttpTransport" in str(caught[0].message)
        if where == "beside its loop":
            loop.run_until_complete(asyncio.sleep(0.01))
        assert server.wait(lambda: server.open == 0)
        loop.close()


def test_a_transport_that_was_never_used() -> None:
    """It has nothing to close, and does not warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AiohttpTransport()
        gc.collect()


def test_proxies_that_aiohttp_does_not_know() -> None:
    """A SOCKS proxy is refused, not bypassed."""

    async def main() -> None:
        transport = AiohttpTransport(proxies={"all": "socks5://127.0.0.1:1"})
        with pytest.raises(TransportError, match="socks5") as caught:
            await ask(transport, "http://a.test/")
        assert not caught.value.retryable

    asyncio.run(main())


# Threads --------------------------------------------------------------------------------------


class Scripted:
    """A plain transport that knows of no abort: it does what it is told to."""

    def __init__(self, work: Callable[[], HttpResponse]) -> None:
        self.work = work

    def send(self, request: HttpRequest) -> HttpResponse:
        return self.work()


REQUEST = HttpRequest("GET", "http://any.test/")


def test_any_plain_transport() -> None:
    """A whole body, pieces, headers and exceptions come as they are."""

    def fail() -> HttpResponse:
        raise ZeroDivisionError("its own")

    async def main() -> None:
        whole = await ThreadTransport(Scripted(lambda: HttpResponse(201, {"a": "b"}, b"x"))).asend(
            REQUEST
        )
        assert (201, "b", b"x") == (whole.status, whole.headers["a"], await whole.aread())
        pieces = ThreadTransport(Scripted(lambda: HttpResponse(200, {}, iter([b"x", b"y"]))))
        response = await pieces.asend(REQUEST)
        assert [b"x", b"y"] == [piece async for piece in response]
        with pytest.raises(ZeroDivisionError, match="its own"):
            await ThreadTransport(Scripted(fail)).asend(REQUEST)

    asyncio.run(main())


def test_no_piece_is_read_ahead() -> None:
    """A piece is asked for when it is waited for."""
    asked: list[int] = []

    def body() -> Iterator[bytes]:
        for number in range(3):
            asked.append(number)
            yield b"%d" % number

    async def main() -> None:
        response = await ThreadTransport(Scripted(lambda: HttpResponse(200, {}, body()))).asend(
            REQUEST
        )
        pieces = aiter(response)
        await anext(pieces)
        await asyncio.sleep(0.05)
        assert [0] == asked
        await response.aclose()

    asyncio.run(main())


def test_a_call_that_can_not_be_aborted() -> None:
    """Its caller is free at once; what it brings in the end is closed."""
    go_on, closed = threading.Event(), threading.Event()

    def slow() -> HttpResponse:
        go_on.wait(5)
        return HttpResponse(200, {}, iter([b"x"]), on_close=closed.set)

    async def main() -> None:
        task = asyncio.ensure_future(ThreadTransport(Scripted(slow)).asend(REQUEST))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not closed.is_set()
        go_on.set()
        assert await eventually(closed.is_set)

    asyncio.run(main())


def test_a_call_whose_loop_is_closed_meanwhile() -> None:
    """What it brings is closed."""
    go_on, closed = threading.Event(), threading.Event()

    def slow() -> HttpResponse:
        go_on.wait(5)
        return HttpResponse(200, {}, iter([b"x"]), on_close=closed.set)

    async def main() -> None:
        task = asyncio.ensure_future(ThreadTransport(Scripted(slow)).asend(REQUEST))
        await asyncio.sleep(0.05)
        task.cancel()

    asyncio.run(main())
    go_on.set()
    assert closed.wait(2)


def test_a_call_that_is_cancelled_before_its_turn() -> None:
    """It is never made."""
    go_on = threading.Event()
    made: list[int] = []

    def slow() -> HttpResponse:
        made.append(1)
        go_on.wait(5)
        return HttpResponse(200, {}, b"x")

    async def main() -> None:
        transport = ThreadTransport(Scripted(slow), max_threads=1)
        first = asyncio.ensure_future(transport.asend(REQUEST))
        second = asyncio.ensure_future(transport.asend(REQUEST))
        await asyncio.sleep(0.05)
        second.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await first
        await transport.aclose()
        assert [1] == made

    asyncio.run(main())


def test_threads_are_few_and_end() -> None:
    """No more threads than allowed; they end when the transport is closed, or have no work."""
    busy: list[int] = []

    def work() -> HttpResponse:
        busy.append(threading.get_ident())
        time.sleep(0.01)
        return HttpResponse(200, {}, b"x")

    async def main() -> None:
        transport = ThreadTransport(Scripted(work), max_threads=3)
        await asyncio.gather(*(transport.asend(REQUEST) for _ in range(30)))
        assert 3 == len(set(busy))
        await transport.aclose()
        assert await eventually(lambda: not set(busy) & {t.ident for t in threads_of_pools()})
        await transport.asend(REQUEST)
        await transport.aclose()

    asyncio.run(main())


def test_idle_threads_end_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nobody closes the transport."""
    monkeypatch.setattr(threads_module, "IDLE_SECONDS", 0.05)

    async def main() -> None:
        before = len(threads_of_pools())
        transport = ThreadTransport(Scripted(lambda: HttpResponse(200, {}, b"x")))
        for _ in range(3):
            await transport.asend(REQUEST)
            assert await eventually(lambda: before >= len(threads_of_pools()))

    asyncio.run(main())


def test_a_thread_is_held_only_while_something_is_waited_for() -> None:
    """Two streams that are open take turns on one thread."""
    with Server(Reply.stream([b"a", 0.02, b"b", 0.02, b"c"])) as server:
        transport = ThreadTransport(Urllib3Transport(), max_threads=1)

        async def main() -> None:
            first = await transport.asend(request_to(server))
            second = await transport.asend(request_to(server))
            for expected in (b"a", b"b", b"c"):
                for each in (aiter(first), aiter(second)):
                    assert expected == await anext(each)
            await first.aclose()
            await second.aclose()
            await transport.aclose()

        asyncio.run(main())


def test_no_thread_at_all() -> None:
    """At least one is needed."""
    with pytest.raises(ValueError, match="max_threads"):
        ThreadTransport(Scripted(lambda: HttpResponse(200)), max_threads=0)


def test_nothing_is_aborted_outside() -> None:
    """A plain call has no abort, also after an awaited one in the same context."""
    with Server(OK) as server:

        async def main() -> None:
            transport = ThreadTransport(Urllib3Transport())
            await ask(transport, server)
            assert None is aborting.get()
            await transport.aclose()

        asyncio.run(main())


def test_an_abort_while_the_body_is_read_leaves_the_next_call_alone() -> None:
    """A connection that was given back is not shut down by the abort of its last call."""
    with Server(OK) as server:

        async def main() -> None:
            transport = ThreadTransport(Urllib3Transport())
            for _ in range(20):
                task = asyncio.ensure_future(ask(transport, server))
                await task
                task.cancel()
            assert 1 == server.connections
            await transport.aclose()

        asyncio.run(main())
