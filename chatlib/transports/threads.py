"""Any plain transport, awaited: each wait for the network is spent by a thread of a small pool.

So asynchronous code needs nothing but what is installed anyway. A thread is held while a response
or the next piece of one is waited for, and not in between; none reads ahead. What is cancelled is
interrupted by an :class:`~chatlib.transports.aborting.Abort`: its socket is shut down at once, and
the thread that waited for it is free.
"""

from __future__ import annotations

import _thread
import asyncio
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import copy_context
from inspect import isawaitable
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar

from chatlib.http import HttpRequest, HttpResponse, Transport, running_loop
from chatlib.transports._configured import Configured
from chatlib.transports.aborting import Abort, aborting
from chatlib.transports.checking import check_response, check_transport

S = TypeVar("S")
T = TypeVar("T")
Work: TypeAlias = Callable[[], object]
Inbox: TypeAlias = "SimpleQueue[Work | None]"

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
        check_transport(transport)
        if not callable(getattr(transport, "send", None)):
            name = type(transport).__name__
            raise TypeError(f"{name} is asynchronous already: it has asend() and no send()")
        super().__init__(transport=transport, max_threads=max_threads)
        self.transport = transport
        """The plain transport."""
        self._max_threads = max_threads
        self._threads = _Threads(max_threads)
        self._is_open = False

    async def asend(self, request: HttpRequest) -> HttpResponse:
        """Send a request; see :meth:`chatlib.http.AsyncTransport.asend`."""
        abort, context = Abort(), copy_context()
        context.run(aborting.set, abort)
        threads = self.in_this_process()._threads
        self._is_open = True
        response = await threads.run(
            lambda: context.run(self.transport.send, request), abort, _discard
        )
        if not isinstance(response, HttpResponse):
            return await self._awaited(response)
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

    async def _awaited(self, returned: Any) -> HttpResponse:
        """Await what ``send`` returned, if it is a coroutine function behind a decorator."""
        response: HttpResponse = await returned if isawaitable(returned) else returned
        check_response(response, self.transport.send)
        return response

    async def aclose(self) -> None:
        """Close the transport and end the idle threads. A later call starts new ones."""
        try:
            running_loop()
        except RuntimeError:  # nobody awaited anything here, and so nothing waits
            self.close()
            return
        threads = self.in_this_process()._threads
        self._is_open = False
        closing = getattr(self.transport, "close", None)
        if closing is not None:
            done = await threads.run(closing, Abort(), lambda _: None)
            if isawaitable(done):
                await done
        self._threads = _Threads(self._max_threads)
        threads.close()
        while threads.leaving:
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
        # It must wait for nothing. The plain transport has locks, which a thread may hold that the
        # ending interpreter has stopped: so another thread closes it, or the end of the process.
        if not (getattr(self, "_is_open", False) and self.is_of_this_process):
            return
        closing = getattr(self.transport, "close", None)
        if not sys.is_finalizing():
            if closing is not None:
                self._threads.submit_at_once(closing)
            self._threads.close()
        if closing is not None:  # last, since a filter may make an exception of it
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)

    def _start_anew(self) -> None:
        self._threads, self._is_open = _Threads(self._max_threads), False


def _discard(response: Any) -> None:
    close = getattr(response, "close", None)  # of a response, or of a coroutine
    if close is not None:
        close()


class _Body:
    """The body of a response, each piece of which is waited for by a thread."""

    def __init__(self, response: HttpResponse, threads: _Threads, abort: Abort) -> None:
        self._response, self._threads, self._abort = response, threads, abort
        self._pieces: Iterator[bytes] = iter(response)
        self._closed = self._is_read = False

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
        piece, self._is_read = None, True
        try:
            piece = next(self._pieces, None)
        finally:
            self._is_read = False
            if piece is None:
                self._closed = True
                self._response.close()
        return piece

    def close(self) -> asyncio.Future[None] | None:
        """Give the connection back, by a thread; what is returned can be awaited.

        It waits for nothing: a finalizer may call it.
        """
        if self._closed:
            return None
        self._closed = True
        if self._is_read and sys.is_finalizing():  # by a thread that was stopped while it reads
            return None
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

    It has no lock, so that a finalizer can hand over work without waiting: a thread that holds a
    lock when the interpreter ends, or when the garbage collector interrupts it, never lets go of
    it. Each thread has a queue of its own, which lies in ``_idle`` while the thread has no work;
    whoever takes it from there must put something into it. Each operation on a deque, a set or a
    SimpleQueue is atomic.

    Args:
        most: How many there may be.
    """

    def __init__(self, most: int) -> None:
        self._work: deque[Work] = deque()
        self._idle: deque[Inbox] = deque()
        self._unused = iter(range(most))
        self._places: deque[int] = deque()
        self._alive: set[int] = set()
        self._closed = False
        self.leaving: set[Inbox] = set()
        """Those of threads that were idle when the pool was closed, and have not ended yet."""

    async def run(self, work: Callable[[], T], abort: Abort, discard: Callable[[T], object]) -> T:
        """Run a function in a thread and return its result; a cancellation aborts it.

        Args:
            work: The function.
            abort: What interrupts it.
            discard: Is given, by a thread, what the work returned when nobody waits any more.
        """
        promised, future = self._promised(work, discard, abort)
        self.submit(promised)
        try:
            return await future
        except asyncio.CancelledError:
            abort.set()
            raise

    def start(self, work: Callable[[], T], discard: Callable[[T], object]) -> asyncio.Future[T]:
        """Start a function in a thread, without waiting, so that finalizers may call this.

        Raises:
            RuntimeError: no event loop is running.
        """
        promised, future = self._promised(work, discard, None)
        self.submit_at_once(promised)
        return future

    def _promised(
        self, work: Callable[[], T], discard: Callable[[T], object], abort: Abort | None
    ) -> tuple[Work, asyncio.Future[T]]:
        """Return a function for a thread, skipped if aborted before it starts, and its future."""
        loop = running_loop()
        future: asyncio.Future[T] = loop.create_future()

        # What there is to hand over is held by nobody else: what the waiting task drops is gone.
        outcome: list[tuple[T | None, BaseException | None]] = []
        todo = [work]
        del work

        def settle() -> None:
            result, error = outcome.pop()
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
                result = todo.pop()()
            except StopIteration as error:  # which no future can hold
                failed = RuntimeError("the transport raised StopIteration")
                failed.__cause__ = error
            except BaseException as error:
                failed = error
            outcome.append((result, failed))
            result = failed = None  # whose traceback would hold this frame, and so itself
            try:
                loop.call_soon_threadsafe(settle)
            except RuntimeError:  # the loop is closed, and so nobody waits
                result, _ = outcome.pop()
                if result is not None:
                    discard(result)

        return working, future

    def submit(self, work: Work) -> None:
        """Queue a function for execution in a thread.

        Raises:
            RuntimeError: the system starts no further thread.
        """
        self._work.append(work)
        self._assign()

    def submit_at_once(self, work: Work) -> None:
        """Queue a function as :meth:`submit` does, without waiting for a new thread to start."""
        self._work.append(work)
        self._assign(may_start=False)
        if self._work:
            with suppress(RuntimeError):  # the interpreter is ending
                _thread.start_new_thread(self._assign, ())

    def close(self) -> None:
        """End the threads that are idle, and others when they have done their work.

        It waits for nothing.
        """
        self._closed = True
        self._dismiss()

    def _dismiss(self) -> None:
        while (inbox := _popped(self._idle)) is not None:
            self.leaving.add(inbox)
            inbox.put(None)

    def _assign(self, *, may_start: bool = True) -> None:
        """Assign queued functions to idle threads, and to new ones up to the limit."""
        while self._work:
            inbox = _popped(self._idle)
            place = self._place() if inbox is None and may_start else None
            if inbox is None and place is None:
                break
            try:
                work = self._work.popleft()
            except IndexError:  # another thread was quicker; but there may be more by now
                if inbox is not None:
                    self._idle.append(inbox)
                if place is not None:
                    self._places.append(place)
                continue
            if inbox is not None:
                inbox.put(work)
            elif place is not None and not self._start(work, place):
                break
        if self._closed and not self._work:
            self._dismiss()

    def _place(self) -> int | None:
        """Return a slot for a new thread, or None at the limit."""
        place = _popped(self._places)
        return next(self._unused, None) if place is None else place

    def _start(self, work: Work, place: int) -> bool:
        """Start a new thread; return False if the system refuses, so that others do the work."""
        inbox: Inbox = SimpleQueue()
        inbox.put(work)
        self._alive.add(place)
        try:
            args = (inbox, place)
            threading.Thread(target=self._serve, args=args, name="chatlib", daemon=True).start()
        except RuntimeError:
            self._alive.discard(place)
            self._places.append(place)
            if not self._alive:
                raise
            self._work.appendleft(work)
            return False
        return True

    def _serve(self, inbox: Inbox, place: int) -> None:
        work = inbox.get()
        while work is not None:
            work()
            del work
            work = self._next(inbox)
        self.leaving.discard(inbox)
        self._alive.discard(place)
        self._places.append(place)
        self._assign()  # of what came while this place was still taken

    def _next(self, inbox: Inbox) -> Work | None:
        self._idle.append(inbox)
        self._assign()
        try:
            return inbox.get(timeout=IDLE_SECONDS)
        except Empty:
            pass
        try:
            self._idle.remove(inbox)
        except ValueError:  # somebody has just taken it, to put something into it
            return inbox.get()
        return None


def _popped(items: deque[S]) -> S | None:
    try:
        return items.pop()
    except IndexError:
        return None
