"""Tests that every asynchronous transport must pass, besides those of all transports.

Derive a class in a test module and override ``make_async``; pytest collects the tests::

    from chatlib.testing.async_contract import AsyncTransportContract

    class TestMyTransport(AsyncTransportContract):
        def make_async(self, **settings):
            return MyTransport(**settings)

The settings are those of :mod:`chatlib.testing.contract`.
"""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from chatlib.http import (
    AsyncTransport,
    HttpRequest,
    Timeout,
    Transport,
    TransportError,
)
from chatlib.testing.contract.blocking import BlockingTransport
from chatlib.testing.contract.scenarios import (
    OK,
    TIME_LIMIT,
    SilentListener,
    aclose,
    cancel_when,
    elapsed_within,
    eventually,
    no_leaks,
    read_body,
    request_to,
    run,
)
from chatlib.testing.contract.transport import TransportContract
from chatlib.testing.loopback import (
    Reply,
    Unreachable,
)


class AsyncTransportContract(TransportContract):
    """All tests that an asynchronous transport must pass; override :meth:`make_async`.

    The tests of :class:`TransportContract` run over it too, through a synchronous adapter.
    """

    def make_async(self, **settings: Any) -> AsyncTransport:
        """Return a new transport to test; called outside any event loop.

        Raises:
            Unsupported: If it does not have one of the settings.
        """
        raise NotImplementedError("override make_async() to return the transport to test")

    def make(self, **settings: Any) -> Transport:
        """Return the transport behind a synchronous adapter with its own event loop."""
        return BlockingTransport(self.make_async(**settings), timeout=TIME_LIMIT)

    # Cancellation ---------------------------------------------------------------------------

    def test_cancelled_while_connecting(self) -> None:
        """Cancelling returns at once, and no thread or task keeps connecting."""
        with Unreachable() as url, no_leaks():
            transport = self.make_async()

            async def main() -> None:
                with elapsed_within(0, 4.0):
                    await cancel_when(transport.asend(request_to(url)), lambda: True)
                await aclose(transport)

            run(main())

    def test_cancelled_while_tls_is_begun(self) -> None:
        """Cancelling during the TLS handshake closes the connection."""
        with SilentListener() as silent, no_leaks():
            transport = self.make_async()

            async def main() -> None:
                url = f"https://{silent.address}/"
                with elapsed_within(0, 4.0):
                    await cancel_when(transport.asend(request_to(url)), silent.is_reached)
                    await aclose(transport)
                    assert await eventually(lambda: silent.is_left(0))

            run(main())

    def test_cancelled_while_waiting_for_headers(self) -> None:
        """Cancelling before the response closes the connection; the transport stays usable."""
        with self.serve(Reply(delay=30), OK) as server, no_leaks():
            transport = self.make_async()

            async def main() -> None:
                with elapsed_within(0, 4.0):
                    await cancel_when(transport.asend(request_to(server)), lambda: server.requests)
                    assert await eventually(lambda: server.open == 0)
                assert b"ok" in await read_body(transport, request_to(server))
                await aclose(transport)

            run(main())

    def test_cancelled_inside_the_body(self) -> None:
        """Cancelling a read closes the connection; the transport stays usable."""
        self.require("streams")
        with self.serve(Reply.stream([b"a"], hold=30), OK) as server, no_leaks():
            transport = self.make_async()

            async def main() -> None:
                response = await transport.asend(request_to(server))
                pieces = aiter(response)
                assert await anext(pieces) == b"a"
                with elapsed_within(0, 4.0):
                    await cancel_when(anext(pieces), lambda: True)
                    assert await eventually(lambda: server.open == 0)
                await response.aclose()
                assert b"ok" in await read_body(transport, request_to(server))
                await aclose(transport)

            run(main())

    def test_cancelled_while_sending(self) -> None:
        """Cancelling while the request is sent returns at once."""
        with self.serve(Reply(slow_read=30)) as server, no_leaks():
            transport = self.make_async()

            async def main() -> None:
                request = HttpRequest("POST", server.url, {}, b"x" * 20_000_000, Timeout(9))
                with elapsed_within(0, 4.0):
                    await cancel_when(transport.asend(request), lambda: server.requests)
                await aclose(transport)

            run(main())

    def test_a_time_limit_of_the_caller(self) -> None:
        """``asyncio.wait_for`` bounds a call and leaks nothing."""
        with self.serve(Reply(delay=30)) as server, no_leaks():
            transport = self.make_async()

            async def main() -> None:
                try:
                    with elapsed_within(0.2, 4.0):
                        await asyncio.wait_for(transport.asend(request_to(server)), 0.2)
                except asyncio.TimeoutError:
                    pass
                else:
                    raise AssertionError("no TimeoutError was raised")
                assert await eventually(lambda: server.open == 0)
                await aclose(transport)

            run(main())

    # Many at once ---------------------------------------------------------------------------

    def test_many_calls_at_once(self) -> None:
        """A hundred calls on one loop run concurrently."""

        def echo(request: Any) -> Reply:
            return Reply(200, body=request.body, delay=0.3)

        with self.serve(echo) as server, no_leaks():
            transport = self.make_async()

            async def one(number: int) -> bytes:
                request = HttpRequest("POST", server.url, {}, b"%d" % number, Timeout(9))
                return await read_body(transport, request)

            async def main() -> None:
                with elapsed_within(0.3, 10.0):
                    got = await asyncio.gather(*map(one, range(100)))
                assert [b"%d" % number for number in range(100)] == got
                await aclose(transport)

            run(main())

    def test_many_streams_at_once(self) -> None:
        """Two hundred concurrent streams on one loop are all read to the end."""
        pieces: list[bytes | float] = [b"a", 0.05, b"b", 0.05, b"c"]
        with self.serve(Reply.stream(pieces)) as server, no_leaks():
            transport = self.make_async()

            async def main() -> None:
                calls = (read_body(transport, request_to(server)) for _ in range(200))
                assert await asyncio.gather(*calls) == [b"abc"] * 200
                await aclose(transport)

            run(main())

    # Loops ----------------------------------------------------------------------------------

    def test_loop_after_loop(self) -> None:
        """One transport works in several ``asyncio.run`` calls and leaks no connection."""
        with self.serve(OK) as server, no_leaks():
            transport = self.make_async()

            async def main(last: bool) -> None:
                for _ in range(2):
                    assert b"ok" in await read_body(transport, request_to(server))
                if last:
                    await aclose(transport)

            for last in (False, False, True):
                run(main(last))
                assert server.wait(lambda: server.open <= 1)
            assert server.wait(lambda: server.open == 0)

    def test_a_stream_that_its_loop_leaves_open(self) -> None:
        """A stream left open by a loop that has ended does not break the next one."""
        self.require("streams")
        with self.serve(Reply.stream([b"a"], hold=30), OK) as server, no_leaks():
            transport = self.make_async()

            async def left() -> None:
                response = await transport.asend(request_to(server))
                assert await anext(aiter(response)) == b"a"

            async def main() -> None:
                assert b"ok" in await read_body(transport, request_to(server))
                await aclose(transport)

            run(left())
            gc.collect()
            run(main())
            assert server.wait(lambda: server.open == 0)

    def test_closing_while_a_body_is_read(self) -> None:
        """Closing the transport ends a concurrent read with the rest of the body or an error."""
        with self.serve(Reply.stream([b"a", 0.3, b"b"])) as server, no_leaks():
            transport = self.make_async()

            async def main() -> None:
                reading = asyncio.ensure_future(read_body(transport, request_to(server)))
                assert await eventually(lambda: server.requests)
                await asyncio.sleep(0.1)
                await aclose(transport)
                await asyncio.wait([reading], timeout=5)
                assert reading.done()
                assert isinstance(reading.exception(), TransportError) or reading.result() == b"ab"

            run(main())

    def test_a_response_that_is_dropped(self) -> None:
        """The connection of a response that is dropped unclosed is closed."""
        self.require("streams")
        with self.serve(Reply.stream([b"a"], hold=30)) as server, no_leaks():
            transport = self.make_async()

            async def main() -> None:
                for read in (False, True):
                    response = await transport.asend(request_to(server))
                    if read:
                        assert await anext(aiter(response)) == b"a"
                    del response
                    gc.collect()
                    assert await eventually(lambda: server.open == 0)
                await aclose(transport)

            run(main())

    def test_reading_whole(self) -> None:
        """``aread`` returns the whole body each time and releases the connection."""
        with self.serve(Reply.stream([b"a", 0.01, b"b"])) as server, no_leaks():
            transport = self.make_async()

            async def main() -> None:
                for _ in range(5):
                    response = await transport.asend(request_to(server))
                    assert b"ab" == await response.aread() == await response.aread()
                    await response.aclose()
                assert not self.pools or server.connections == 1
                await aclose(transport)

            run(main())
