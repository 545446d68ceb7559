"""An in-memory server for tests of code that calls the API, without sockets or API keys.

It implements the transport protocol, so the client and every byte are real::

    from chatlib import OpenAI
    from chatlib.testing import InMemoryServer, error

    server = InMemoryServer(error(429, headers={"retry-after": "0"}), "Hello!")
    client = OpenAI(api_key="test", transport=server)
    completion = client.chat.completions.create(model="any", messages=[...])
    assert completion.http.attempts == 2
    assert server.requests[-1].json()["model"] == "any"

:func:`serve` serves it over HTTP on loopback, :func:`recorded` records the responses of a real
server in a file and replays them, and :mod:`chatlib.testing.plugin` has pytest fixtures for all of
this. :mod:`chatlib.testing.contract` has the tests for transports.

Names are imported from their modules on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatlib.testing.memory_server import InMemoryServer as InMemoryServer
    from chatlib.testing.memory_server import NoReplyLeft as NoReplyLeft
    from chatlib.testing.recording import RecordingTransport as RecordingTransport
    from chatlib.testing.recording import recorded as recorded
    from chatlib.testing.replaying import NotRecorded as NotRecorded
    from chatlib.testing.replaying import ReplayTransport as ReplayTransport
    from chatlib.testing.replies import Reply as Reply
    from chatlib.testing.replies import answer as answer
    from chatlib.testing.replies import completion as completion
    from chatlib.testing.replies import error as error
    from chatlib.testing.replies import fault as fault
    from chatlib.testing.replies import raw as raw
    from chatlib.testing.replies import stream as stream
    from chatlib.testing.serving import serve as serve

_HOMES = {
    "recording": "RecordingTransport recorded",
    "replaying": "NotRecorded ReplayTransport",
    "replies": "Reply answer completion error fault raw stream",
    "memory_server": "InMemoryServer NoReplyLeft",
    "serving": "serve",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME_OF)  # pyright: ignore[reportUnsupportedDunderAll]


if not TYPE_CHECKING:  # for type checkers, a name that is not imported here is an error

    def __getattr__(name: str) -> Any:
        home = _HOME_OF.get(name)
        if home is None:
            raise AttributeError(f"module 'chatlib.testing' has no attribute {name!r}")
        value = getattr(importlib.import_module(f"chatlib.testing.{home}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
