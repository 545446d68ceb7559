"""What transports over urllib3 share: connections that keep time, bodies as they come, errors.

urllib3 knows a connect and a read timeout. What is missing is added here by a small
subclass of its connections: the time for writing the request is a limit of its own (urllib3 gives
it the connect timeout, too short for large images on a slow line), the headers have one as a whole,
and the limit for reading can change while a body is read. The same subclass knows whether a
connection was used before, and so whether its sudden end is a reason to send once more; and it can
be interrupted while it connects, sends or waits.
"""

from __future__ import annotations

import http.client
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util import SKIP_HEADER
from urllib3.util.request import ACCEPT_ENCODING as _COMPRESSED

from chatlib.headers import Headers, redact_url
from chatlib.http import HttpRequest, HttpResponse, Timeout, TransportError, TransportTimeout
from chatlib.redaction import private, private_frames
from chatlib.transports._configured import Configured
from chatlib.transports._replaced import replaced_response
from chatlib.transports._wire import STALE_SECONDS, sent_headers, undecodable
from chatlib.transports.aborting import Abort, aborting

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

limits: ContextVar[Limits] = ContextVar("limits")
"""The limits of the request that is being sent."""


class Limits:
    """The limits of one attempt, as they are at any moment of it."""

    def __init__(self, timeout: Timeout) -> None:
        total = timeout.total
        self._write = timeout.write
        self._end = None if total is None else time.monotonic() + total

    def left(self) -> float | None:
        """Seconds until the end of the call; None without one."""
        return None if self._end is None else max(self._end - time.monotonic(), 0.001)

    def write(self) -> float | None:
        """How long writing may take from now on."""
        left = self.left()
        return (
            left
            if self._write is None or (left is not None and left < self._write)
            else self._write
        )


class OverUrllib3(Configured):
    """What the transports over urllib3 do alike: send once more, keep time, name what failed."""

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send a request; see :meth:`chatlib.http.Transport.send`."""
        with private_frames():
            return self._send(request)

    def _send(self, request: HttpRequest) -> HttpResponse:
        self.in_this_process()
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


class _Response(http.client.HTTPResponse):
    """A response that disregards all that comes before it, not only 100 Continue."""

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        is_hint = 100 < status < 200 and status != 101
        return version, 100 if is_hint else status, reason


class _KeepsTime:
    """Mixed into urllib3's connections."""

    sock: Any
    timeout: float | None
    held: socket.socket | None = None
    """What an abort shuts down while the connection is being made."""
    response_class = _Response
    _parts: list[bytes] | None = None
    sent = 0.0
    answered = False
    """Whether a response has come over it: only then can it have been closed while it was idle."""

    def connect(self) -> None:
        self.answered = False
        try:
            super().connect()  # type: ignore[misc]
        finally:
            self._let_go()
        self._watch()
        self.sock.settimeout(limits.get().write())

    def _new_conn(self) -> Any:
        abort = aborting.get()
        if abort is None or hasattr(self, "_socks_options"):
            return super()._new_conn()  # type: ignore[misc]
        return _connected(self, abort)

    def hold(self, sock: socket.socket, abort: Abort) -> None:
        """Let an abort end what is done over a socket until the connection is made."""
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
        self.sent = time.monotonic()
        self._watch()
        self._parts = []
        try:
            super().request(*args, **kwargs)  # type: ignore[misc]
            self._send_parts()
        except ConnectionError as error:
            error.stale = self._is_stale()  # type: ignore[attr-defined]
            raise

    def send(self, data: Any) -> None:
        """Send; but of a request keep headers and body until both are there, to send them as one.

        That saves a system call, and the server its waking up for half of a request.
        """
        if self._parts is None:
            super().send(data)  # type: ignore[misc]
        else:
            self._parts.append(data)

    def _send_parts(self) -> None:
        parts, self._parts = self._parts or [], None
        small = sum(map(len, parts)) < TOGETHER
        for data in (b"".join(parts),) if small else parts:
            super().send(data)  # type: ignore[misc]

    def _watch(self) -> None:
        abort, sock = aborting.get(), self.sock
        if abort is not None and sock is not None:
            abort.watch(lambda: _wake(sock))

    def _is_stale(self) -> bool:
        abort = aborting.get()
        aborted = abort is not None and abort.is_set
        return self.answered and not aborted and time.monotonic() - self.sent < STALE_SECONDS

    def getresponse(self) -> Any:
        sock = self.sock
        self._watch()
        try:
            with _cut_after(limits.get().left(), sock):
                response = super().getresponse()  # type: ignore[misc]
        except ConnectionError as error:
            error.stale = self._is_stale()  # type: ignore[attr-defined]
            raise
        response.sock = sock
        self.answered = True
        return response


def _connected(connection: Any, abort: Abort) -> socket.socket:
    """A socket as urllib3 opens it, but one that can be interrupted while it connects.

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
            sock.settimeout(connection.timeout)
            connection.hold(sock, abort)
            sock.connect(address)
            _unless_aborted(abort)
            return sock
        except OSError as error:
            sock.close()
            failed = error
        except BaseException:
            sock.close()
            raise
    if isinstance(failed, TimeoutError):
        why = f"Connection to {host} timed out. (connect timeout={connection.timeout})"
        raise ConnectTimeoutError(connection, why) from failed
    raise NewConnectionError(
        connection, f"Failed to establish a new connection: {failed}"
    ) from failed


def _unless_aborted(abort: Abort) -> None:
    if abort.is_set:
        raise ConnectionAbortedError("the request was aborted")


@contextmanager
def _cut_after(seconds: float | None, sock: socket.socket) -> Iterator[None]:
    """Bound the wait for headers as a whole: a read timeout begins anew with each byte of them."""
    if seconds is None:
        yield
        return
    over = threading.Event()

    def cut() -> None:
        over.set()
        _wake(sock)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, HTTPException) as error:
        if over.is_set():
            raise TimeoutError("the headers took too long") from error
        raise
    finally:
        timer.cancel()
    if over.is_set():
        raise TimeoutError("the headers took too long")


def _wake(sock: socket.socket) -> None:
    """End the wait of whichever thread reads from a socket, a TLS one included."""
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _unless_stale(send: Callable[[], T]) -> T:
    """Send, and again where an idle connection was closed just when it was to be used again.

    Some servers close each connection after a while, or after each stream, without saying so. Then
    the end comes at once, before a byte of an answer; and the pool has one such connection less. A
    pool that another thread has just closed is replaced by a new one.
    """
    while True:
        try:
            return send()
        except Exception as error:
            if not any(map(_is_stale, _chain(error))):
                raise


def _is_stale(error: BaseException) -> bool:
    stale: bool = getattr(error, "stale", False)
    return stale or isinstance(error, urllib3.exceptions.ClosedPoolError)


def keep_time(manager: urllib3.PoolManager) -> None:
    """Let a pool manager make connections that can change their limits."""
    made = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _keeping_time(made[scheme]) for scheme in made}


@cache
def _keeping_time(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    """A pool of the same kind, be it for TLS or for SOCKS, whose connections keep time."""
    return pool if issubclass(pool, _TimedPool) else type(pool.__name__, (_TimedPool, pool), {})


class _TimedPool:
    """Mixed into urllib3's pools: connections that keep time, unless a tool has replaced them."""

    @property
    def ConnectionCls(self) -> Any:
        """The class of a new connection, looked up each time: vcrpy replaces it for a while."""
        return _timed_connection(super().ConnectionCls)  # type: ignore[misc]


@cache
def _timed_connection(kind: type[Any]) -> type[Any]:
    is_replaced = kind.__module__.partition(".")[0] != "urllib3"
    return kind if is_replaced else type("Connection", (_KeepsTime, kind), {})


def response_of(raw: HTTPResponse, accepted: str) -> HttpResponse:
    """urllib3's response, body unread, as ours.

    Args:
        accepted: The ``Accept-Encoding`` that was sent.
    """
    if getattr(raw, "sock", None) is None:  # no connection of ours made it
        return replaced_response(raw, accepted, transport_error)
    headers = Headers(raw.headers.items())
    refused = undecodable(headers, accepted)
    if refused is not None:
        raw.close()
        raise refused
    sock, abort, process = getattr(raw, "sock", None), aborting.get(), os.getpid()
    if abort is not None and sock is not None:
        abort.watch(lambda: _wake(sock) if _is_reading(raw) else None)

    def limit_wait(seconds: float | None) -> None:
        if sock is not None and _is_reading(raw):
            with suppress(OSError):
                sock.settimeout(seconds)

    return HttpResponse(
        raw.status,
        headers,
        private(_pieces(raw, process)),
        on_close=lambda: _give_back(raw, process),
        limit_wait=limit_wait if sock is not None else None,
    )


def _is_reading(raw: HTTPResponse) -> bool:
    # After the body, the connection may be closed, or in the hands of another call already.
    original = raw._original_response
    return original is not None and not original.isclosed()


def _pieces(raw: HTTPResponse, process: int) -> Iterator[bytes]:
    try:
        if raw.chunked and raw.supports_chunked_reads():
            # One piece for each chunk of the wire, which is how servers send events.
            yield from raw.read_chunked(PIECE, decode_content=True)
        else:
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
    sock = getattr(raw, "sock", None)
    if process != os.getpid():
        return  # the connection is the parent's, who may still read from it
    if raw.connection is not None and sock is not None:
        _wake(sock)  # or else close() would wait for a thread that waits for the next bytes
    raw.close()
    raw.release_conn()


def transport_error(error: BaseException, url: str = "") -> TransportError:
    """An exception of urllib3, requests or the socket as ours.

    The frames that it went through are forgotten: their variables hold the request with its key,
    and some tools print the variables of a traceback.
    """
    chain = list(_chain(error))
    for link in chain:
        link.__traceback__ = None
    why, host = _why(chain), _host_of(url)
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


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:  # it is no URL
        return ""


def showable(error: BaseException, url: str) -> BaseException:
    """The exception, or what it was made from: those on the way quote the query with its keys."""
    return error if redact_url(url) == url else list(_chain(error))[-1]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, those it was made from, and those it carries, outermost first."""
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
    """What a person needs to know: the words of the innermost exception, without addresses."""
    words = [str(link) for link in chain if str(link)]
    late = [link for link in chain if isinstance(link, TimeoutError) and str(link)]
    if late:  # what was cut off because it took too long also ends in some other way
        words.append(str(late[0]))
    innermost = words[-1] if words else type(chain[0]).__name__
    for link in chain:
        # The name that could not be resolved, the address that did not answer.
        if isinstance(link, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.SSLError)):
            innermost = str(link)
    if any(isinstance(link, urllib3.exceptions.ProxyError) for link in chain):
        innermost = f"the proxy failed: {innermost}"
    text = re.sub(r"<[^<>]* object at 0x[0-9a-f]+>:? ?", "", innermost)
    text = re.sub(r"\w*(?:Connection|Pool)\w*\(host='([^']*)', port=(\d+)\)", r"\1:\2", text)
    return text.rstrip(".")
