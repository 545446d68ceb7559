"""Serve an in-memory server over HTTP on loopback, for programs without a ``transport=``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from chatlib.headers import redact_url
from chatlib.http import (
    HttpRequest,
    HttpResponse,
    Transport,
    TransportError,
    TransportTimeout,
)
from chatlib.testing.bodies import Step, steps_of
from chatlib.testing.replies import error
from chatlib.testing.store import match_route

if TYPE_CHECKING:
    from chatlib.testing.loopback import Reply, Request

SILENCE = 3600.0
"""How long the server stays silent to cause a timeout, in seconds."""


@contextlib.contextmanager
def serve(server: Transport, *, port: int = 0) -> Iterator[str]:
    """Serve an in-memory server over HTTP/1.1 on loopback, within the context.

    Streams are sent piece by piece, with their pauses. A scripted ``"connect"`` or ``"reset"``
    resets the connection; a timeout is an hour of silence. An exception of a scripted function,
    or a missing reply, is a 500 with the message of the exception, which clients do not retry.

    The server runs in threads, so asynchronous programs can use it too. All connections are closed
    at the end of the context.

    Args:
        server: An :class:`~chatlib.testing.InMemoryServer`, or any other transport.
        port: The port to listen on; by default any free port.

    Yields:
        The base URL.

    >>> from chatlib import OpenAI
    >>> from chatlib.testing import InMemoryServer
    >>> with serve(InMemoryServer("Hello!")) as base_url:
    ...     client = OpenAI(api_key="test", base_url=base_url)
    ...     message = {"role": "user", "content": "Hi"}
    ...     client.chat.completions.create(model="any", messages=[message]).text
    'Hello!'
    """
    from chatlib.testing import loopback  # lazily: it imports socket

    def play(request: Request) -> Reply:
        return _reply_to(server, sockets.origin, request)

    with loopback.Server(play, port=port) as sockets:
        yield sockets.url


def _reply_to(server: Transport, origin: str, came: Request) -> Reply:
    """Return the reply of the in-memory server to a request over HTTP."""
    from chatlib.testing import loopback

    url = came.target if "://" in came.target else origin + came.target
    request = HttpRequest(came.method, url, came.headers, came.body)
    try:
        known = match_route(request) is not None
        response = server.send(request) if known else _not_found(request)
    except TransportTimeout:
        return loopback.Reply(raw=b"", hold=SILENCE)
    except TransportError:
        return loopback.Reply.nothing(abort="rst")
    except BaseException as failed:  # any exception: the client must get a response
        response = _server_error(failed, request)
    headers = list(response.headers.items())
    if isinstance(response.body, bytes):
        return loopback.Reply(response.status, headers, response.body)
    return loopback.Reply(
        response.status,
        headers,
        _ServedBody(response),
        framing="length" if "content-length" in response.headers else "chunked",
    )


class _ServedBody:
    """The body of a response as the loopback server sends and closes it."""

    def __init__(self, response: HttpResponse) -> None:
        self._response = response
        self.close = response.close

    def __iter__(self) -> Iterator[Step]:
        from chatlib.testing import loopback

        try:
            yield from steps_of(self._response.body)
        except TransportTimeout:
            yield SILENCE
        except Exception as failed:  # the headers are sent already
            raise loopback.ResetConnection(str(failed)) from failed


def _not_found(request: HttpRequest) -> HttpResponse:
    path = redact_url(request.url)
    return error(
        404,
        f"Invalid URL ({request.method} {path}): this server knows /chat/completions only.",
        type="invalid_request_error",
    )(request)


def _server_error(failed: BaseException, request: HttpRequest) -> HttpResponse:
    words = f"{type(failed).__name__}: {failed}"
    return error(
        500, words, headers={"x-should-retry": "false"}, type="server_error", code="scripted"
    )(request)
