"""A synchronous adapter for asynchronous transports, so that one contract tests both."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import wait
from typing import Any, TypeVar

from chatlib.http import AsyncTransport, HttpRequest, HttpResponse

T = TypeVar("T")


class BlockingTransport:
    """A synchronous transport that runs an asynchronous one on its own event loop.

    Args:
        transport: The asynchronous transport.
        timeout: The time limit of each call and each read, in seconds.

    >>> from chatlib.http import HttpResponse
    >>> class Always:
    ...     async def asend(self, request):
    ...         return HttpResponse(200, {}, b"ok")
    >>> blocking = BlockingTransport(Always())
    >>> blocking.send(HttpRequest("GET", "http://any.test/")).read()
    b'ok'
    >>> blocking.close()
    """

    def __init__(self, transport: AsyncTransport, timeout: float = 600.0) -> None:
        self.transport = transport
        """The asynchronous transport."""
        self._timeout = timeout
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send a request; see :meth:`chatlib.http.Transport.send`."""

        async def sending() -> HttpResponse:
            return await self.transport.asend(request)

        response = self.run(sending())
        if isinstance(response.body, bytes):
            return response
        limit = response.limit_wait
        return HttpResponse(
            response.status,
            response.headers,
            self._pieces(aiter(response)),
            on_close=lambda: self._close(response),
            limit_wait=None if limit is None else lambda seconds: self._call(limit, seconds),
        )

    def close(self) -> None:
        """Close the transport and the loop; a later call creates a new loop."""
        if self._loop is None:
            return
        closing = getattr(self.transport, "aclose", None)
        if closing is not None:
            self.run(closing())
        loop, self._loop = self._loop, None
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(self._timeout)
        loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and return its result.

        Raises:
            AssertionError: If it exceeds the time limit.
        """
        running = asyncio.run_coroutine_threadsafe(work, self._running())
        wait([running], self._timeout)
        if not running.done():
            running.cancel()
            raise AssertionError(f"not finished after {self._timeout:g} s")
        return running.result()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
                self._thread.start()
            return self._loop

    def _close(self, response: HttpResponse) -> None:
        """Close a response; do not wait for the loop on its own thread or in a finalizer."""
        if threading.current_thread() is self._thread or sys.is_finalizing():
            response.close()
        else:
            self.run(response.aclose())

    def _call(self, function: Any, *args: Any) -> None:
        async def calling() -> None:
            function(*args)

        self.run(calling())

    def _pieces(self, pieces: AsyncIterator[bytes]) -> Iterator[bytes]:
        async def following() -> bytes | None:
            return await anext(pieces, None)

        while (piece := self.run(following())) is not None:
            yield piece
