"""Connections of urllib3 that keep time and can be aborted, and pools of them.

urllib3 knows a connect and a read timeout. What is missing is added here by a small
subclass of its connections: the time for writing the request is a limit of its own (urllib3 gives
it the connect timeout, too short for large images on a slow line), each wait for bytes is bounded
by what is left of the whole call, and the limit for reading can change while a body is read. The
same subclass knows whether a connection was used before, and so whether its sudden end is a reason
to send once more; and it can be interrupted while it connects, sends or waits. Heads of responses
are read as by all transports (:mod:`chatlib.transports._http1`).
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections import deque
from contextlib import suppress
from contextvars import ContextVar
from functools import cache
from queue import Full, SimpleQueue
from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from chatlib.http import Timeout
from chatlib.transports._http1 import ChunkDecoder, HeadReader, MalformedResponse
from chatlib.transports._wire import STALE_SECONDS
from chatlib.transports.aborting import Abort, aborting

if TYPE_CHECKING:
    from urllib3.connectionpool import HTTPConnectionPool

TOGETHER = 65536
"""Up to how many bytes a request is sent in one piece."""

SENT_AT_ONCE = 1 << 20
"""How many bytes of a larger one are sent without a look at the clock."""


class Limits:
    """The limits of one attempt, as they are at any moment of it."""

    def __init__(self, timeout: Timeout) -> None:
        total = timeout.total
        self._write = timeout.write
        self._end = None if total is None else time.monotonic() + total

    def left(self) -> float | None:
        """Return the seconds until the end of the call; None without one."""
        return None if self._end is None else max(self._end - time.monotonic(), 0.001)

    def within(self, seconds: float | None) -> float | None:
        """Return a limit of one wait, or what is left of the whole call where that is less."""
        left = self.left()
        return seconds if left is None or (seconds is not None and seconds < left) else left

    def write(self) -> float | None:
        """Return how long writing may take from now on."""
        return self.within(self._write)

    def check(self) -> None:
        """Raise a TimeoutError once the whole call has taken too long."""
        if self._end is not None and time.monotonic() > self._end:
            raise TimeoutError("the call took longer than its total timeout")


_NO_LIMITS = Limits(Timeout())

limits: ContextVar[Limits] = ContextVar("limits", default=_NO_LIMITS)
"""The limits of the request that is being sent."""


class _Reader(io.RawIOBase):
    """What a response reads from: a socket, each wait for which is bounded.

    Whatever is waited for (a status line, headers, the size of a chunk, a chunk, a trailer), each
    byte must come within the limit of one wait, and all of them before the end of the call.
    """

    def __init__(self, sock: Any, limits: Limits) -> None:
        self._sock, self._limits = sock, limits
        self._raw = sock.makefile("rb", 0)
        self._unread = b""
        self.wait: float | None = sock.gettimeout()
        """How long one wait may take."""
        self.came = False
        """Whether anything came."""

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return what http.client reads from; it takes this for a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._unread:
            count = min(len(buffer), len(self._unread))
            buffer[:count], self._unread = self._unread[:count], self._unread[count:]
            return count
        self._limits.check()
        seconds = self._limits.within(self.wait)
        if seconds != self._sock.gettimeout():
            self._sock.settimeout(seconds)
        count = self._raw.readinto(buffer) or 0
        self.came = self.came or count > 0
        return count

    def unread(self, data: bytes) -> None:
        """Push back bytes that were read too far."""
        self._unread = data

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """A response whose head is read as by all transports, and its chunks as they come.

    http.client waits for a whole chunk before it gives a byte of it, takes a bad line for the end
    of the headers, and knows no more than a hundred of them.
    """

    def __init__(
        self, reader: _Reader, debuglevel: int = 0, method: str | None = None, url: Any = None
    ) -> None:
        super().__init__(reader, debuglevel, method, url)  # type: ignore[arg-type]
        self._reader, self._heads = reader, HeadReader(method)
        self._chunks = ChunkDecoder()

    def begin(self) -> None:
        if self.headers is not None:
            return
        heads, head = self._heads, None
        while head is None:
            data = self._reader.read(io.DEFAULT_BUFFER_SIZE)
            if not data and self._reader.came:
                raise MalformedResponse("the server closed the connection inside the headers")
            if not data:
                raise http.client.RemoteDisconnected("the server closed the connection")
            head = heads.feed(data)
        self._reader.unread(heads.rest)
        self.code = self.status = head.status
        self.version, self.reason = head.version, head.reason
        self.headers = self.msg = http.client.HTTPMessage()
        for name, text in head.headers:
            self.headers[name] = text
        self.chunked, self.chunk_left = head.chunked, None
        self.length, self.will_close = head.length, head.will_close

    def read1(self, n: int = -1) -> bytes:
        if not self.chunked:
            return super().read1(n)
        chunks, data = self._chunks, b""
        while self.fp is not None and not data:
            if chunks.error is not None:
                raise chunks.error
            came = self.fp.read1(n)
            data = chunks.feed(came) if came else chunks.feed_end()
            if chunks.done:
                self._close_conn()  # type: ignore[attr-defined]
        return data


class _KeepsTime:
    """Mixed into urllib3's connections."""

    sock: Any
    timeout: float | None
    held: socket.socket | None = None
    """What an abort shuts down while the connection is being made."""
    reader: _Reader | None = None
    _parts: list[bytes] | None = None
    sent = 0.0
    answered = False
    """Whether a response has come over it: only then can it have been closed while it was idle."""

    def response_class(self, sock: Any, *args: Any, **kwargs: Any) -> _Response:
        self.reader = _Reader(sock, limits.get())
        return _Response(self.reader, *args, **kwargs)

    def connect(self) -> None:
        self.answered = False
        self.timeout = limits.get().within(self.timeout)
        try:
            super().connect()  # type: ignore[misc]
        finally:
            self._let_go()
        self._watch()
        self.sock.settimeout(limits.get().write())

    def _new_conn(self) -> Any:
        if hasattr(self, "_socks_options"):
            sock = super()._new_conn()  # type: ignore[misc]
        else:
            sock = _connected(self, aborting.get())
        sock.settimeout(limits.get().within(self.timeout))  # for TLS, or for a proxy's tunnel
        return sock

    def hold(self, sock: socket.socket, abort: Abort) -> None:
        """Register a socket with the abort until the connection is established."""
        self._let_go()
        held = self.held = sock.dup()
        abort.watch(lambda: wake(held))
        _unless_aborted(abort)

    def _let_go(self) -> None:
        held, self.held = self.held, None
        abort = aborting.get()
        if held is not None and abort is not None:
            abort.watch(None)
            held.close()

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:  # a connection that is used again: urllib3 sets this on it
            self.timeout = limits.get().write()
        self.sent, self.reader = time.monotonic(), None
        self._watch()
        self._parts = []
        try:
            super().request(*args, **kwargs)  # type: ignore[misc]
            self._send_parts()
        except ConnectionError as error:
            error.stale = self._is_stale()  # type: ignore[attr-defined]
            raise

    def send(self, data: Any) -> None:
        """Send data; buffer the headers of a request, to send them together with the body.

        That saves a system call, and the server its waking up for half of a request.
        """
        if self._parts is None:
            super().send(data)  # type: ignore[misc]
        else:
            self._parts.append(data)

    def _send_parts(self) -> None:
        parts, self._parts = self._parts or [], None
        if sum(map(len, parts)) < TOGETHER:
            super().send(b"".join(parts))  # type: ignore[misc]
            return
        if self.sock is None:
            self.connect()
        limit = limits.get().write()
        end = None if limit is None else time.monotonic() + limit
        for part in parts:
            for start in range(0, len(part), SENT_AT_ONCE):  # TLS begins its time anew with each
                if end is not None and self.sock is not None:
                    self.sock.settimeout(max(end - time.monotonic(), 0.001))
                super().send(part[start : start + SENT_AT_ONCE])  # type: ignore[misc]

    def _watch(self) -> None:
        abort, sock = aborting.get(), self.sock
        if abort is not None and sock is not None:
            abort.watch(lambda: wake(sock))

    def _is_stale(self) -> bool:
        abort = aborting.get()
        aborted = abort is not None and abort.is_set
        came = self.reader is not None and self.reader.came
        soon = time.monotonic() - self.sent < STALE_SECONDS
        return self.answered and soon and not aborted and not came

    def getresponse(self) -> Any:
        sock = self.sock
        self._watch()
        try:
            response = super().getresponse()  # type: ignore[misc]
        except ConnectionError as error:
            error.stale = self._is_stale()  # type: ignore[attr-defined]
            raise
        response.sock, response.reader = sock, self.reader
        self.answered, self.reader = True, None
        return response


def _connected(connection: Any, abort: Abort | None) -> socket.socket:
    """Open a socket as urllib3 does, within the total timeout, so that it can be aborted.

    So can what is done over it until ``connection.held`` is closed: its duplicate, since TLS takes
    the socket itself away from its object.
    """
    host = connection._dns_host.strip("[]")
    try:
        host.encode("idna")
    except UnicodeError:
        raise urllib3.exceptions.LocationParseError(f"'{host}', label empty or too long") from None
    try:
        addresses = socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise NameResolutionError(host, connection, error) from error
    failed = OSError("no address")
    for family, kind, protocol, _, address in addresses:
        sock = socket.socket(family, kind, protocol)
        try:
            for option in connection.socket_options or ():
                sock.setsockopt(*option)
            sock.settimeout(limits.get().within(connection.timeout))
            if abort is not None:
                connection.hold(sock, abort)
            sock.connect(address)
            _unless_aborted(abort)
            return sock
        except OSError as error:
            sock.close()
            failed = error.with_traceback(None)  # which would keep this frame, and its socket
        except BaseException:
            sock.close()
            raise
    if isinstance(failed, TimeoutError):
        why = f"Connection to {host} timed out. (connect timeout={connection.timeout})"
        raise ConnectTimeoutError(connection, why) from failed
    raise NewConnectionError(
        connection, f"Failed to establish a new connection: {failed}"
    ) from failed


def _unless_aborted(abort: Abort | None) -> None:
    if abort is not None and abort.is_set:
        raise ConnectionAbortedError("the request was aborted")


def wake(sock: socket.socket) -> None:
    """End the wait of whichever thread reads from a socket, a TLS one included."""
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def keep_time(manager: urllib3.PoolManager) -> None:
    """Make a pool manager create connections with adjustable timeouts."""
    made = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _keeping_time(made[scheme]) for scheme in made}


@cache
def _keeping_time(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    """Return a subclass of a pool class, whose connections have adjustable timeouts."""
    return pool if issubclass(pool, _TimedPool) else type(pool.__name__, (_TimedPool, pool), {})


class _Stack:
    """What a pool keeps its connections in: a LifoQueue to which finalizers can give back.

    A LifoQueue has a lock, which a thread that the ending interpreter has stopped may hold, or the
    very thread that a finalizer interrupts. Here each item has its token in a queue that has none.
    """

    def __init__(self, maxsize: int) -> None:
        self._most = maxsize
        self._items: deque[Any] = deque()
        self._tokens: SimpleQueue[None] = SimpleQueue()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if 0 < self._most <= len(self._items):
            raise Full
        self._items.append(item)
        self._tokens.put(None)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        self._tokens.get(block, timeout)
        return self._items.pop()

    def qsize(self) -> int:
        return len(self._items)


class _TimedPool:
    """Mixed into urllib3's pools: connections that keep time, unless a tool has replaced them."""

    QueueCls = _Stack

    @property
    def ConnectionCls(self) -> Any:
        """The class of a new connection, looked up each time: vcrpy replaces it for a while."""
        return _timed_connection(super().ConnectionCls)  # type: ignore[misc]


@cache
def _timed_connection(kind: type[Any]) -> type[Any]:
    if issubclass(kind, _KeepsTime):
        return kind
    is_replaced = kind.__module__.partition(".")[0] != "urllib3"
    return kind if is_replaced else type("Connection", (_KeepsTime, kind), {})
