"""What transports over urllib3 share: connections that keep time, bodies as they come, errors.

urllib3 knows a connect and a read timeout. Three things are missing, and added here by a small
subclass of its connections: the time for writing the request is a limit of its own (urllib3 gives
it the connect timeout, too short for large images on a slow line); the limit for reading can change
while a body is read; and the socket can still be found where the server will close it.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from contextvars import ContextVar
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.request import ACCEPT_ENCODING as _COMPRESSED

from chatlib.http import Headers, HttpResponse, TransportError, TransportTimeout

if TYPE_CHECKING:
    from urllib3.response import HTTPResponse

ACCEPT_ENCODING = _COMPRESSED
"""The encodings that this installation can decode, and so the only ones to ask for."""

PIECE = 65536
"""How many bytes one read asks for at most."""

write_limit: ContextVar[float | None] = ContextVar("write_limit", default=None)
"""How many seconds the request that is being sent may take to be written."""


class _KeepsTime:
    """Mixed into urllib3's connections."""

    sock: Any
    timeout: float | None

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self.sock.settimeout(write_limit.get())

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:  # a connection that is used again: urllib3 sets this on it
            self.timeout = write_limit.get()
        super().request(*args, **kwargs)  # type: ignore[misc]

    def getresponse(self) -> Any:
        sock = self.sock
        response = super().getresponse()  # type: ignore[misc]
        response.sock = sock
        return response


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
    return HttpResponse(
        raw.status,
        headers,
        _pieces(raw),
        on_close=lambda: _give_back(raw),
        limit_wait=sock.settimeout if sock is not None else None,
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
        # Wakes a thread that waits for the next bytes, for which close() would wait in its turn.
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
    raw.close()
    raw.release_conn()


def transport_error(error: BaseException) -> TransportError:
    """An exception of urllib3, requests or the socket as ours.

    The frames that it went through are forgotten: their variables hold the request with its key,
    and some tools print the variables of a traceback.
    """
    chain = list(_chain(error))
    for link in chain:
        link.__traceback__ = None
    why = _why(chain)
    if any(
        isinstance(link, (TimeoutError, urllib3.exceptions.TimeoutError))
        and not isinstance(link, urllib3.exceptions.NewConnectionError)
        for link in chain
    ):
        return TransportTimeout(why)
    final = (urllib3.exceptions.LocationValueError, urllib3.exceptions.DecodeError, ValueError)
    hopeless = "CERTIFICATE_VERIFY_FAILED" in why or any(isinstance(e, final) for e in chain)
    return TransportError(why, retryable=not hopeless)


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
    innermost = words[-1] if words else type(chain[0]).__name__
    for link in chain:
        # The name that could not be resolved, the address that did not answer.
        if isinstance(link, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.SSLError)):
            innermost = str(link)
    if any(isinstance(link, urllib3.exceptions.ProxyError) for link in chain):
        innermost = f"the proxy failed: {innermost}"
    text = re.sub(r"<[^<>]* object at 0x[0-9a-f]+>:? ?", "", innermost)
    return re.sub(r"^\w*(?:Connection|Pool)\w*\(host='([^']*)', port=(\d+)\)", r"\1:\2", text)
