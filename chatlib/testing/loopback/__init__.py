"""A scriptable HTTP/1.1 server on loopback, for tests that need real sockets.

It sends the scripted bytes exactly, with pauses, truncated bodies and connection resets::

    with Server(Reply.json({"choices": []}), Reply(status=500)) as server:
        requests.post(server.url + "/v1/chat/completions", json={})
        assert server.requests[0].target == "/v1/chat/completions"

Replies are sent in order, and the last one is repeated. A reply may be a function of the
:class:`Request` that returns the reply. Connections are kept alive according to HTTP. The end
of the ``with`` block interrupts pauses and closes all sockets; it waits at most a second for
functions.
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
