"""Replies of a loopback server, played in memory, for transports without sockets.

A reply becomes what a transport returns for it: a pause beyond the read timeout is a
:class:`~chatlib.http.TransportTimeout`, an incomplete body a :class:`~chatlib.http.TransportError`,
and compressed pieces are decompressed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from chatlib.http import HttpRequest, HttpResponse, TransportError, TransportTimeout
from chatlib.testing.loopback import Reply, Request, Script
from chatlib.testing.memory_server import InMemoryServer


class InMemoryLoopback:
    """Has the interface of a loopback server, and is reached through ``transport`` only.

    >>> from chatlib import OpenAI
    >>> from chatlib.testing.loopback import Reply, completion
    >>> with InMemoryLoopback(Reply.json(completion("Hello!"))) as server:
    ...     client = OpenAI(api_key="test", base_url=server.url, transport=server.transport)
    ...     client.chat.completions.create(model="any", messages=[]).text
    'Hello!'
    """

    origin = "http://memory.test"
    url = f"{origin}/v1"

    def __init__(self, *replies: Script) -> None:
        self.transport = InMemoryServer(default=self._answer)
        """The transport to send requests with."""
        self.requests: list[Request] = []
        """The requests received, in order."""
        self._replies = replies or (Reply(),)

    def __enter__(self) -> InMemoryLoopback:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @property
    def last(self) -> Request:
        """The last request."""
        return self.requests[-1]

    @property
    def open(self) -> int:
        """The number of responses that are not closed."""
        return self.transport.open_responses

    def wait(self, until: Callable[[], object], seconds: float = 2.0) -> bool:
        """Return whether a condition holds; in memory, there is nothing to wait for."""
        return bool(until())

    def _answer(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(self._arrived(request))
        script = self._replies[min(len(self.requests), len(self._replies)) - 1]
        return play(script if isinstance(script, Reply) else script(self.last), request)

    def _arrived(self, request: HttpRequest) -> Request:
        headers = {name.lower(): text for name, text in request.headers.reveal().items()}
        if request.content or request.method == "POST":
            headers["content-length"] = str(len(request.content))
        target = request.url.removeprefix(self.origin)
        return Request(request.method, target, headers, request.content, 1, time.monotonic())


def play(reply: Reply, request: HttpRequest) -> HttpResponse:
    """Return the response that a transport would return for a reply.

    Raises:
        TransportTimeout: If the reply exceeds the read timeout.
        TransportError: If the connection ends before the headers.
    """
    longest = request.timeout.read

    def pause(seconds: float) -> None:
        if longest is not None and seconds > longest:
            raise TransportTimeout(f"read timeout: no data received for {longest:g} s")
        time.sleep(seconds)

    def body() -> Iterator[bytes]:
        for piece in [reply.body] if isinstance(reply.body, bytes) else reply.body:
            if isinstance(piece, bytes):
                yield piece
            else:
                pause(piece)
        end = time.monotonic() + reply.hold
        while reply.trickle is not None and time.monotonic() < end:
            pause(reply.trickle)
            yield b": heartbeat\n\n"
        if reply.trickle is None:
            pause(reply.hold)
        if reply.abort is not None:
            raise TransportError("connection closed before the end of the body")

    pause(reply.delay)
    if reply.raw is not None:
        raise TransportError("connection closed before a response was received")
    return HttpResponse(reply.status, reply.headers, body())
