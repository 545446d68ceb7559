"""What transports over urllib3 share: connections that keep time, bodies as they come, errors.

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
import os
import re
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from functools import cache
from http.client import HTTPException
from queue import Full, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

import urllib3
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util import SKIP_HEADER
from urllib3.util.request import ACCEPT_ENCODING as _COMPRESSED

from chatlib.headers import Headers, redact_url
from chatlib.http import HttpRequest, HttpResponse, Timeout, TransportError, TransportTimeout
from chatlib.redaction import private, private_frames
from chatlib.transports._configured import Configured
from chatlib.transports._environment import connectable
from chatlib.transports._http1 import ChunkDecoder, HeadReader, MalformedResponse
from chatlib.transports._replaced import replaced_response
from chatlib.transports._wire import (
    CUT_SHORT,
    STALE_SECONDS,
    codings_of,
    sent_headers,
    undecodable,
)
from chatlib.transports.aborting import Abort, aborting
from chatlib.urls import host_of

if TYPE_CHECKING:
    from urllib3.connectionpool import HTTPConnectionPool
    from urllib3.response import HTTPResponse

T = TypeVar("T")

ACCEPT_ENCODING = _COMPRESSED
"""The encodings that this installation can decode, and so the only ones to ask for."""

PIECE = 65536
"""How many bytes one read asks for at most."""

TOGETHER = 65536
"""Up to how many bytes a request is sent in one piece."""

SENT_AT_ONCE = 1 << 20
"""How many bytes of a larger one are sent without a look at the clock."""

LONGEST_WORDS = 1000
"""How much of an exception's text is looked at."""


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


class OverUrllib3(Configured):
    """What the transports over urllib3 do alike: send once more, keep time, name what failed."""

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send a request; see :meth:`chatlib.http.Transport.send`."""
        with private_frames():
            return self._send(request)

    def _send(self, request: HttpRequest) -> HttpResponse:
        self.in_this_process()
        request = connectable(request)
        headers = sent_headers(request, ACCEPT_ENCODING)
        if "user-agent" not in headers:  # or else urllib3 would name itself
            headers = headers.merged({"User-Agent": SKIP_HEADER})
        limited = limits.set(Limits(request.timeout))
        try:
            raw = _unless_stale(lambda: self._open(request, headers))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise transport_error(error, request.url) from showable(error, request.url)
        except ValueError as error:  # its words may quote a header, and so the key
            why = f"the request can't be sent: {type(error).__name__}"
            raise TransportError(why, retryable=False) from None
        finally:
            limits.reset(limited)
        return response_of(raw, headers["Accept-Encoding"])

    def _open(self, request: HttpRequest, headers: Headers) -> HTTPResponse:
        """Send the request over a connection of a pool: the response with its body unread.

        The headers are those to send, which hide their secrets from tracebacks until then.
        """
        raise NotImplementedError


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
        abort.watch(lambda: _wake(held))
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
            abort.watch(lambda: _wake(sock))

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


def _wake(sock: socket.socket) -> None:
    """End the wait of whichever thread reads from a socket, a TLS one included."""
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _unless_stale(send: Callable[[], T]) -> T:
    """Send, and retry once if a reused connection was closed by the server.

    Some servers close each connection after a while, or after each stream, without saying so. Then
    the end comes at once, before a byte of an answer; and the pool has one such connection less. A
    pool that another thread has just closed is replaced by a new one.
    """
    while True:
        try:
            return send()
        except Exception as error:
            chain = list(_chain(error))
            if not any(map(_is_stale, chain)):
                raise
            for link in chain:  # or else the frames, with the response, would outlive the call
                link.__traceback__ = None
            chain.clear()


def _is_stale(error: BaseException) -> bool:
    stale: bool = getattr(error, "stale", False)
    return stale or isinstance(error, urllib3.exceptions.ClosedPoolError)


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


def response_of(raw: HTTPResponse, accepted: str) -> HttpResponse:
    """Convert a response of urllib3, whose body is unread.

    Args:
        raw: The response.
        accepted: The ``Accept-Encoding`` that was sent.
    """
    headers = Headers((name, str(value)) for name, value in raw.headers.items())
    codings = codings_of(headers)
    refused = undecodable(codings, accepted, ACCEPT_ENCODING)
    if refused is not None:
        raw.close()
        raise refused
    said = ", ".join(codings)
    if said != headers.get("content-encoding", ""):  # urllib3 would decode by names of no coding
        raw.headers["content-encoding"] = said
    # Both are there where the connection is one of ours.
    sock, reader = getattr(raw, "sock", None), getattr(raw, "reader", None)
    if sock is None or reader is None:
        return replaced_response(raw, headers, transport_error)
    abort, process = aborting.get(), os.getpid()
    if abort is not None:
        # After the body, the connection may be closed, or in the hands of another call already.
        abort.watch(lambda: None if reader.closed else _wake(sock))

    def limit_wait(seconds: float | None) -> None:
        reader.wait = seconds

    return HttpResponse(
        raw.status,
        headers,
        private(_pieces(raw, process)),
        on_close=lambda: _give_back(raw, process),
        limit_wait=limit_wait,
    )


def _pieces(raw: HTTPResponse, process: int) -> Iterator[bytes]:
    try:
        while piece := raw.read1(PIECE, decode_content=True):
            yield piece
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise transport_error(error) from error
    except (AttributeError, ValueError) as error:
        if not raw.closed:
            raise
        # Another thread closed it, and took away what this one was reading from.
        raise TransportError("the response was closed while it was read") from error
    finally:
        _give_back(raw, process)


def _give_back(raw: HTTPResponse, process: int) -> None:
    # close() drops a connection whose body was not read to its end, and leaves one that was read
    # alone, since it is back in the pool already; release_conn() then frees the place in the pool.
    if process != os.getpid():
        return  # the connection is the parent's, who may still read from it
    sock: Any = getattr(raw, "sock", None)
    if raw.connection is not None:
        _wake(sock)  # or else close() would wait for a thread that waits for the next bytes
    raw.close()
    raw.release_conn()


def transport_error(error: BaseException, url: str = "") -> TransportError:
    """Convert an exception of urllib3, requests or the socket.

    The frames that it went through are forgotten: their variables hold the request with its key,
    and some tools print the variables of a traceback.
    """
    chain = list(_chain(error))
    for link in chain:
        link.__traceback__ = None
    why, host = _why(chain), host_of(url)
    if host not in why:
        why = f"{host}: {why}"
    if any(map(_is_timeout, chain)):
        return TransportTimeout(why)
    final = (urllib3.exceptions.LocationValueError, urllib3.exceptions.DecodeError, ValueError)
    hopeless = "CERTIFICATE_VERIFY_FAILED" in why or any(isinstance(e, final) for e in chain)
    return TransportError(why, retryable=not hopeless)


def _is_timeout(error: BaseException) -> bool:
    if isinstance(error, urllib3.exceptions.NewConnectionError):  # a timeout only by its class
        return False
    kinds = [TimeoutError, urllib3.exceptions.TimeoutError]
    requests = sys.modules.get("requests")  # which need not be loaded
    if requests is not None:
        kinds.append(requests.Timeout)
    return isinstance(error, tuple(kinds))


def showable(error: BaseException, url: str) -> BaseException:
    """Return the exception, or its cause if it quotes the URL, whose query may have secrets."""
    return error if redact_url(url) == url else list(_chain(error))[-1]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, its causes and the exceptions in its arguments, outermost first."""
    seen: list[BaseException] = []
    todo = [error]
    while todo:
        link = todo.pop(0)
        if link is None or any(link is known for known in seen):
            continue
        seen.append(link)
        yield link
        carried = [getattr(link, "reason", None), *link.args]
        todo += [item for item in carried if isinstance(item, BaseException)]
        todo.append(link.__cause__)
        # Further down the context leaves the network and reaches what the caller was handling.
        if isinstance(link.__context__, (OSError, HTTPException, urllib3.exceptions.HTTPError)):
            todo.append(link.__context__)


def _why(chain: list[BaseException]) -> str:
    """Return the message of the innermost exception, without object addresses."""
    words = list(filter(None, map(_words, chain)))
    late = [link for link in chain if isinstance(link, TimeoutError) and _words(link)]
    if late:  # what was cut off because it took too long also ends in some other way
        words.append(_words(late[0]))
    innermost = words[-1] if words else type(chain[0]).__name__
    for link in chain:
        # The name that could not be resolved, the address that did not answer.
        if isinstance(link, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.SSLError)):
            innermost = _words(link)
    if any(isinstance(link, http.client.IncompleteRead) for link in chain):
        innermost = CUT_SHORT
    if any(isinstance(link, urllib3.exceptions.ProxyError) for link in chain):
        innermost = f"the proxy failed: {innermost}"
    text = re.sub(r"<[^<>]{1,200} object at 0x[0-9a-f]+>:? ?", "", innermost)
    text = re.sub(r"\b\w*(?:Connection|Pool)\w*\(host='([^']*)', port=(\d+)\)", r"\1:\2", text)
    return text.rstrip(".")


def _words(error: BaseException) -> str:
    """Return an exception's text: its beginning, as it may quote all that a server sent."""
    return str(error)[:LONGEST_WORDS]
