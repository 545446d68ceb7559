"""Any plain transport, awaited: each wait for the network is spent by a thread of a small pool.

So asynchronous code needs nothing but what is installed anyway. A thread is held while a response
or the next piece of one is waited for, and not in between; none reads ahead. What is cancelled is
interrupted by an :class:`~chatlib.transports.aborting.Abort`: its socket is shut down at once, and
the thread that waited for it is free.
"""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import TypeVar

from chatlib.http import HttpRequest, HttpResponse, Transport
from chatlib.transports._configured import Configured
from chatlib.transports.aborting import Abort, aborting

T = TypeVar("T")

IDLE_SECONDS = 10.0
"""How long a thread that has nothing to do waits for work."""


class ThreadTransport(Configured):
    """Makes a plain transport an :class:`~chatlib.http.AsyncTransport`.

    It can be used from one event loop after another, and says by a ResourceWarning that it was
    dropped unclosed. Of a transport that knows nothing of
    :mod:`chatlib.transports.aborting`, a cancelled call goes on in its thread until it ends.

    Args:
        transport: The plain one, which must bear to be shared by threads.
        max_threads: How many calls may wait for the network at once; others wait for their turn.
    """

    def __init__(self, transport: Transport, *, max_threads: int = 256) -> None:
        if max_threads < 1:
            raise ValueError(f"max_threads is {max_threads!r}; at least one is needed")
        super().__init__(transport=transport, max_threads=max_threads)
        self.transport = transport
        """The plain transport."""
        self._max_threads = max_threads
        self._threads = _Threads(max_threads)
        self._is_open = False

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send a request; see :meth:`chatlib.http.AsyncTransport.send`."""
        abort, context = Abort(), copy_context()
        context.run(aborting.set, abort)
        threads = self.in_this_process()._threads
        self._is_open = True
        response = await threads.run(
            lambda: context.run(self.transport.send, request), abort, HttpResponse.close
        )
        if isinstance(response.body, bytes):
            return response
        body = _Body(response, threads, abort)
        return HttpResponse(
            response.status,
            response.headers,
            body,
            on_close=body.close,
            limit_wait=response.limit_wait,
        )

    async def aclose(self) -> None:
        """Close the transport and end the idle threads. A later call starts new ones."""
        threads = self.in_this_process()._threads
        self._is_open = False
        closing = getattr(self.transport, "close", None)
        if closing is not None:
            await threads.run(closing, Abort(), lambda _: None)
        self._threads = _Threads(self._max_threads)
        threads.close()
        while threads.idle:
            await asyncio.sleep(0.001)

    def close(self) -> None:
        """Close the transport, from outside any loop; the threads end when they have no work."""
        threads, self._is_open = self.in_this_process()._threads, False
        self._threads = _Threads(self._max_threads)
        threads.close()
        closing = getattr(self.transport, "close", None)
        if closing is not None:
            closing()

    def __del__(self) -> None:
        if getattr(self, "_is_open", False) and self.is_of_this_process:
            if hasattr(self.transport, "close"):
                warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
            self.close()

    def _start_anew(self) -> None:
        self._threads, self._is_open = _Threads(self._max_threads), False


class _Body:
    """The body of a response, each piece of which is waited for by a thread."""

    def __init__(self, response: HttpResponse, threads: _Threads, abort: Abort) -> None:
        self._response, self._threads, self._abort = response, threads, abort
        self._pieces: Iterator[bytes] = iter(response)
        self._closed = False

    def __aiter__(self) -> _Body:
        return self

    async def __anext__(self) -> bytes:
        if self._closed:
            raise StopAsyncIteration
        try:
            piece = await self._threads.run(self._next, self._abort, lambda _: None)
        except asyncio.CancelledError:
            self.close()
            raise
        if piece is None:
            raise StopAsyncIteration
        return piece

    def _next(self) -> bytes | None:
        piece = None
        try:
            piece = next(self._pieces, None)
        finally:
            if piece is None:
                self._closed = True
                self._response.close()
        return piece

    def close(self) -> asyncio.Future[None] | None:
        """Give the connection back, by a thread; what is returned can be awaited."""
        if self._closed:
            return None
        self._closed = True
        try:
            return self._threads.start(self._response.close, lambda _: None)
        except RuntimeError:  # no loop is running, and so none is held up
            self._response.close()
            return None

    def __del__(self) -> None:
        if not self._closed:  # nobody can be waiting for a piece of it
            self._response.close()


class _Threads:
    """A pool of daemon threads that end when they are idle for a while.

    Args:
        most: How many there may be.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._work: deque[Callable[[], object]] = deque()
        self._changed = threading.Condition()
        self._count = 0
        self._closed = False
        self.idle = 0
        """How many of them wait for work."""

    async def run(self, work: Callable[[], T], abort: Abort, discard: Callable[[T], object]) -> T:
        """What some work returns. It is aborted if the waiting for it is cancelled.

        Args:
            discard: Is given, by a thread, what the work returned when nobody waits any more.
        """
        future = self.start(work, discard, abort)
        try:
            return await future
        except asyncio.CancelledError:
            abort.set()
            raise

    def start(
        self, work: Callable[[], T], discard: Callable[[T], object], abort: Abort | None = None
    ) -> asyncio.Future[T]:
        """Let a thread do some work; unless it is aborted before it begins."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            if future.cancelled():
                if result is not None:
                    self.submit(lambda: discard(result))
            elif error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]

        def working() -> None:
            if abort is not None and abort.is_set:
                return
            result: T | None = None
            failed: BaseException | None = None
            try:
                result = work()
            except StopIteration as error:  # which no future can hold
                failed = RuntimeError("the transport raised StopIteration")
                failed.__cause__ = error
            except BaseException as error:
                failed = error
            try:
                loop.call_soon_threadsafe(settle, result, failed)
            except RuntimeError:  # the loop is closed, and so nobody waits
                if result is not None:
                    discard(result)
            finally:
                result = failed = None  # whose traceback would hold this frame, and so itself

        self.submit(working)
        return future

    def submit(self, work: Callable[[], object]) -> None:
        """Let a thread do some work, sooner or later."""
        with self._changed:
            self._work.append(work)
            if self.idle >= len(self._work):
                self._changed.notify()
            elif self._count < self._most:
                self._count += 1
                threading.Thread(target=self._serve, name="chatlib", daemon=True).start()

    def close(self) -> None:
        """End the threads that are idle, and others when they have done their work."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _serve(self) -> None:
        while (work := self._next()) is not None:
            work()
            del work

    def _next(self) -> Callable[[], object] | None:
        with self._changed:
            while not self._work:
                if self._closed:
                    break
                self.idle += 1
                notified = self._changed.wait(IDLE_SECONDS)
                self.idle -= 1
                if not notified and not self._work:
                    break
            else:
                return self._work.popleft()
            self._count -= 1
            return None
