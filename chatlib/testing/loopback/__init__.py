"""A scriptable HTTP/1.1 server on loopback, over plain sockets, for what only sockets can show.

It sends exactly what it is told, with the pauses, cuts and sudden ends that real servers have::

    with Server(Reply.json({"choices": []}), Reply(status=500)) as server:
        requests.post(server.url + "/v1/chat/completions", json={})
        assert "/v1/chat/completions" == server.requests[0].target

Replies are given in order, and the last one again and again. Instead of a reply, a function that is
given the :class:`Request` and gives the reply will do. A connection is kept alive as HTTP says.
Leaving the ``with`` never waits out a pause: all sockets are closed at once. A function that does
not return is left behind after a second.
"""

from __future__ import annotations

from chatlib.testing.loopback.addresses import Unreachable, closed_port
from chatlib.testing.loopback.replies import (
    Piece,
    Reply,
    Request,
    ResetConnection,
    Script,
    chunk,
    completion,
    sse,
)
from chatlib.testing.loopback.server import EXIT_SECONDS, PATIENCE, Server

__all__ = [
    "EXIT_SECONDS",
    "PATIENCE",
    "Piece",
    "Reply",
    "Request",
    "ResetConnection",
    "Script",
    "Server",
    "Unreachable",
    "chunk",
    "closed_port",
    "completion",
    "sse",
]
