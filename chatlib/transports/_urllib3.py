"""What transports over urllib3 share: how a request is sent, and its response comes.

The connections are those of :mod:`chatlib.transports._urllib3_connections`, the errors those of
:mod:`chatlib.transports._urllib3_errors`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import urllib3
from urllib3.util import SKIP_HEADER
from urllib3.util.request import ACCEPT_ENCODING as _COMPRESSED

from chatlib.headers import Headers
from chatlib.http import HttpRequest, HttpResponse, TransportError
from chatlib.redaction import private, private_frames
from chatlib.transports._configured import Configured
from chatlib.transports._environment import connectable
from chatlib.transports._replaced import replaced_response
from chatlib.transports._urllib3_connections import Limits, limits, wake
from chatlib.transports._urllib3_errors import chain_of, showable, transport_error
from chatlib.transports._wire import (
    OWN_CODINGS,
    Decoder,
    codings_of,
    sent_headers,
    undecodable,
)
from chatlib.transports.aborting import aborting

if TYPE_CHECKING:
    from urllib3.response import HTTPResponse

T = TypeVar("T")

ACCEPT_ENCODING = _COMPRESSED
"""The encodings that this installation can decode, and so the only ones to ask for."""

PIECE = 65536
"""How many bytes one read asks for at most."""


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
            chain = list(chain_of(error))
            if not any(map(_is_stale, chain)):
                raise
            for link in chain:  # or else the frames, with the response, would outlive the call
                link.__traceback__ = None
            chain.clear()


def _is_stale(error: BaseException) -> bool:
    stale: bool = getattr(error, "stale", False)
    return stale or isinstance(error, urllib3.exceptions.ClosedPoolError)


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
        abort.watch(lambda: None if reader.closed else wake(sock))

    def limit_wait(seconds: float | None) -> None:
        reader.wait = seconds

    return HttpResponse(
        raw.status,
        headers,
        private(_pieces(raw, process, codings)),
        on_close=lambda: _give_back(raw, process),
        limit_wait=limit_wait,
    )


def _pieces(raw: HTTPResponse, process: int, codings: list[str]) -> Iterator[bytes]:
    # urllib3 before 2.6 decodes as much at once as there is, a thousandfold of what was sent.
    decoder = Decoder(codings) if OWN_CODINGS.issuperset(codings) and codings else None
    try:
        while piece := raw.read1(PIECE, decode_content=decoder is None):
            if decoder is None:
                yield piece
            else:
                yield from decoder.decode(piece)
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
        wake(sock)  # or else close() would wait for a thread that waits for the next bytes
    raw.close()
    raw.release_conn()
