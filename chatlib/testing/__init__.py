"""A server in memory, for tests of code that calls the API: real bytes, no sockets, no keys.

It stands behind the transport protocol, so everything but the wire is the real thing::

    from chatlib import OpenAI
    from chatlib.testing import InMemoryServer, error

    server = InMemoryServer(error(429, headers={"retry-after": "0"}), "Hello!")
    client = OpenAI(api_key="test", transport=server)
    completion = client.chat.completions.create(model="any", messages=[...])
    assert completion.http.attempts == 2
    assert server.requests[-1].json()["model"] == "any"
"""

from chatlib.testing.replies import answer, completion, error, fault, raw, stream
from chatlib.testing.server import InMemoryServer, NoReplyLeft, Reply

__all__ = [
    "InMemoryServer",
    "NoReplyLeft",
    "Reply",
    "answer",
    "completion",
    "error",
    "fault",
    "raw",
    "stream",
]
