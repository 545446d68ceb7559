"""A server in memory, served over real HTTP on loopback, for what can't be given a transport."""

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
"""The seconds of silence that stand for a timeout."""


@contextlib.contextmanager
def serve(server: Transport, *, port: int = 0) -> Iterator[str]:
    """Serve a server in memory over HTTP/1.1 on loopback; entered, it gives the base URL.

    Everything is on the wire as the script says: the pieces of a stream with their pauses, and
    failures of the connection: a failure or a reset as a reset, a timeout as an hour of silence.
    What the server can't answer, because no reply is left or a scripted function fails, is a 500
    with the words of the exception, which clients don't try again.

    It runs on threads of its own, so it may be used in a program that awaits as well. Leaving the
    ``with`` closes all connections at once.

    Args:
        server: An :class:`~chatlib.testing.InMemoryServer`, or any other transport.
        port: Where to listen; any free port, unless given.

    >>> from chatlib import OpenAI
    >>> from chatlib.testing import InMemoryServer
    >>> with serve(InMemoryServer("Hello!")) as base_url:
    ...     client = OpenAI(api_key="test", base_url=base_url)
    ...     message = {"role": "user", "content": "Hi"}
    ...     client.chat.completions.create(model="any", messages=[message]).text
    'Hello!'
    """
    from chatlib.testing import loopback  # here, as it loads sockets

    def play(request: Request) -> Reply:
        return _reply_to(server, sockets.origin, request)

    with loopback.Server(play, port=port) as sockets:
        yield sockets.url


def _reply_to(server: Transport, origin: str, came: Request) -> Reply:
    """The reply of the server in memory to a request on the wire."""
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
    except BaseException as failed:  # whatever it is, the client must not wait for ever
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
    """The body of a response as a server on sockets sends it, and closes it."""

    def __init__(self, response: HttpResponse) -> None:
        self._response = response
        self.close = response.close

    def __iter__(self) -> Iterator[Step]:
        from chatlib.testing import loopback

        try:
            yield from steps_of(self._response.body)
        except TransportTimeout:
            yield SILENCE
        except Exception as failed:  # the headers are out: nothing else can tell the client
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
