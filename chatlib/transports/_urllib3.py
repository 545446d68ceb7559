"""What transports over urllib3 share: connections that keep time, bodies as they come, errors.

urllib3 knows a connect and a read timeout. What is missing is added here by a small
subclass of its connections: the time for writing the request is a limit of its own (urllib3 gives
it the connect timeout, too short for large images on a slow line), the headers have one as a whole,
and the limit for reading can change while a body is read. The same subclass knows whether a
connection was used before, and so whether its sudden end is a reason to send once more.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.request import ACCEPT_ENCODING as _COMPRESSED

from chatlib.headers import Headers, redact_url
from chatlib.http import HttpResponse, Timeout, TransportError, TransportTimeout

if TYPE_CHECKING:
    from urllib3.response import HTTPResponse

T = TypeVar("T")

ACCEPT_ENCODING = _COMPRESSED
"""The encodings that this installation can decode, and so the only ones to ask for."""

STALE_SECONDS = 0.5
"""How soon after sending a connection ends that the server had closed before it got anything."""

PIECE = 65536
"""How many bytes one read asks for at most."""

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


class _KeepsTime:
    """Mixed into urllib3's connections."""

    sock: Any
    timeout: float | None
    sent = 0.0
    answered = False
    """Whether a response has come over it: only then can it have been closed while it was idle."""

    def connect(self) -> None:
        self.answered = False
        super().connect()  # type: ignore[misc]
        self.sock.settimeout(limits.get().write())

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:  # a connection that is used again: urllib3 sets this on it
            self.timeout = limits.get().write()
        self.sent = time.monotonic()
        try:
            super().request(*args, **kwargs)  # type: ignore[misc]
        except ConnectionError as error:
            error.stale = self._is_stale()  # type: ignore[attr-defined]
            raise

    def _is_stale(self) -> bool:
        return self.answered and time.monotonic() - self.sent < STALE_SECONDS

    def getresponse(self) -> Any:
        sock = self.sock
        try:
            with _cut_after(limits.get().left(), sock):
                response = super().getresponse()  # type: ignore[misc]
        except ConnectionError as error:
            error.stale = self._is_stale()  # type: ignore[attr-defined]
            raise
        response.sock = sock
        self.answered = True
        return response


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


def unless_stale(send: Callable[[], T]) -> T:
    """Send, and again where an idle connection was closed just when it was to be used again.

    Some servers close each connection after a while, or after each stream, without saying so. Then
    the end comes at once, before a byte of an answer; and the pool has one such connection less.
    """
    while True:
        try:
            return send()
        except Exception as error:
            if not any(getattr(link, "stale", False) for link in _chain(error)):
                raise


class _Connection(_KeepsTime, HTTPConnection):
    pass


class _TlsConnection(_KeepsTime, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection  # pyright: ignore[reportAssignmentType]


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection  # pyright: ignore[reportAssignmentType]


def keep_time(manager: urllib3.PoolManager) -> None:
    """Let a pool manager make connections that can change their limits."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


def response_of(raw: HTTPResponse, accepted: str) -> HttpResponse:
    """urllib3's response, body unread, as ours.

    Args:
        accepted: The ``Accept-Encoding`` that was sent.
    """
    headers = Headers(raw.headers.items())
    encodings = headers.get("content-encoding", "").lower().replace(" ", "").split(",")
    unknown = set(encodings) - set(accepted.lower().replace(" ", "").split(",")) - {"", "identity"}
    if unknown:
        raw.close()
        raise TransportError(
            f"the response is encoded as {', '.join(sorted(unknown))}, which was not asked for and "
            "can't be decoded here",
            retryable=False,
        )
    sock = getattr(raw, "sock", None)

    def limit_wait(seconds: float | None) -> None:
        # After the body, the connection may be closed, or in the hands of another call already.
        original = raw._original_response
        if sock is not None and original is not None and not original.isclosed():
            with suppress(OSError):
                sock.settimeout(seconds)

    return HttpResponse(
        raw.status,
        headers,
        _pieces(raw),
        on_close=lambda: _give_back(raw),
        limit_wait=limit_wait if sock is not None else None,
    )


def _pieces(raw: HTTPResponse) -> Iterator[bytes]:
    try:
        if raw.chunked and raw.supports_chunked_reads():
            # One piece for each chunk of the wire, which is how servers send events.
            yield from raw.read_chunked(PIECE, decode_content=True)
        else:
            while piece := raw.read1(PIECE, decode_content=True):
                yield piece
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise transport_error(error) from error
    finally:
        _give_back(raw)


def _give_back(raw: HTTPResponse) -> None:
    # close() drops a connection whose body was not read to its end, and leaves one that was read
    # alone, since it is back in the pool already; release_conn() then frees the place in the pool.
    sock = getattr(raw, "sock", None)
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
    why, host = _why(chain), urlsplit(url).netloc.rpartition("@")[2]
    if host not in why:
        why = f"{host}: {why}"
    if any(
        isinstance(link, (TimeoutError, urllib3.exceptions.TimeoutError))
        and not isinstance(link, urllib3.exceptions.NewConnectionError)
        for link in chain
    ):
        return TransportTimeout(why)
    final = (urllib3.exceptions.LocationValueError, urllib3.exceptions.DecodeError, ValueError)
    hopeless = "CERTIFICATE_VERIFY_FAILED" in why or any(isinstance(e, final) for e in chain)
    return TransportError(why, retryable=not hopeless)


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
