"""Pytest fixtures, registered as a plugin when the package is installed.

The rest of the library is imported when a test uses one of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from chatlib.client.async_openai import AsyncOpenAI
    from chatlib.client.openai import OpenAI
    from chatlib.http import AsyncTransport, Transport
    from chatlib.testing.memory_server import InMemoryServer
    from chatlib.testing.recording import RecordingTransport
    from chatlib.testing.replaying import ReplayTransport

NO_KEY = "no-key-is-needed"
"""The API key used if no request is sent to a real server."""

BASE_URL = "http://chatlib.test/v1"
"""The base URL of the in-memory server."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--chatlib-record``."""
    parser.getgroup("chatlib").addoption(
        "--chatlib-record",
        nargs="?",
        const="all",
        choices=("all", "missing"),
        help="send requests to the real server and record its responses: for all tests that use a "
        "recording, or with =missing for those without one; by default, recordings are replayed",
    )


@pytest.fixture
def chatlib_server() -> InMemoryServer:
    """Return an in-memory server with an empty script: ``chatlib_server.add("Hello!")``."""
    from chatlib.testing.memory_server import InMemoryServer

    return InMemoryServer()


@pytest.fixture
def chatlib_client(chatlib_server: InMemoryServer) -> Iterator[OpenAI]:
    """Return a client of ``chatlib_server`` that does not sleep between attempts.

    ``chatlib_server.slept`` holds the seconds that it would have slept.
    """
    from chatlib.client.openai import OpenAI

    with OpenAI(
        api_key=NO_KEY, base_url=BASE_URL, transport=chatlib_server, sleep=chatlib_server.sleep
    ) as client:
        yield client


@pytest.fixture
def chatlib_async_client(chatlib_server: InMemoryServer) -> AsyncOpenAI:
    """Return an async client of ``chatlib_server`` that does not sleep between attempts."""
    from chatlib.client.async_openai import AsyncOpenAI

    return AsyncOpenAI(
        api_key=NO_KEY, base_url=BASE_URL, transport=chatlib_server, sleep=chatlib_server.sleep
    )


@pytest.fixture
def chatlib_base_url(chatlib_server: InMemoryServer) -> Iterator[str]:
    """Serve ``chatlib_server`` over HTTP on loopback and return its base URL."""
    from chatlib.testing.serving import serve

    with serve(chatlib_server) as base_url:
        yield base_url


@pytest.fixture
def chatlib_transport() -> Transport | AsyncTransport | None:
    """Return the transport used to record; override it to use your own. None: the default."""
    return None


@pytest.fixture
def chatlib_recording_path(request: pytest.FixtureRequest) -> Path:
    """Return the path of the recording: ``recordings/<module>/<test>.json`` by the module."""
    node = request.node
    return request.path.parent / "recordings" / request.path.stem / recording_name(_name_of(node))


@pytest.fixture
def chatlib_recording(
    request: pytest.FixtureRequest, chatlib_recording_path: Path
) -> Iterator[RecordingTransport | ReplayTransport]:
    """Return a transport that replays the test's recording, or makes it (--chatlib-record)."""
    from chatlib.testing.recording import recorded

    asked = request.config.getoption("--chatlib-record")
    there = chatlib_recording_path.exists()
    if asked is None or (asked == "missing" and there):
        if not there:
            pytest.fail(
                f"recording not found: {chatlib_recording_path}; create it with "
                "pytest --chatlib-record=missing",
                pytrace=False,
            )
        yield recorded(chatlib_recording_path, mode="replay")
        return
    transport = recorded(
        chatlib_recording_path, request.getfixturevalue("chatlib_transport"), mode="record"
    )
    yield transport
    close: Any = getattr(transport, "close", None)
    if close is not None:
        close()


@pytest.fixture
def chatlib_recorded_client(
    chatlib_recording: RecordingTransport | ReplayTransport,
) -> Iterator[OpenAI]:
    """Return a client over ``chatlib_recording``; it needs an API key only to record."""
    from chatlib.client.openai import OpenAI

    with OpenAI(transport=chatlib_recording, **_options_of(chatlib_recording)) as client:
        yield client


@pytest.fixture
def chatlib_recorded_async_client(
    chatlib_recording: RecordingTransport | ReplayTransport,
) -> AsyncOpenAI:
    """Return an async client over ``chatlib_recording``; it needs an API key only to record."""
    from chatlib.client.async_openai import AsyncOpenAI

    return AsyncOpenAI(transport=chatlib_recording, **_options_of(chatlib_recording))


def _options_of(recording: RecordingTransport | ReplayTransport) -> dict[str, Any]:
    from chatlib.testing.replaying import ReplayTransport

    if not isinstance(recording, ReplayTransport):
        return {}
    key = os.environ.get("OPENAI_API_KEY") or NO_KEY
    return {"api_key": key, "sleep": lambda seconds: None}


def _name_of(node: Any) -> str:
    """Return the name of the test, qualified by its classes."""
    classes = [part.name for part in node.listchain() if isinstance(part, pytest.Class)]
    return ".".join([*classes, node.name])


LONGEST_NAME = 100


def recording_name(test: str) -> str:
    """Return a file name for a test that is valid on all file systems.

    >>> recording_name("test_capital")
    'test_capital.json'
    >>> recording_name("test_capital[a/b]")
    'test_capital[a_b]-58f83f2f.json'
    """
    safe = re.sub(r"[^\w.,=@\[\]-]", "_", test, flags=re.ASCII)[:LONGEST_NAME]
    if safe != test:  # another name may become the same
        from zlib import crc32

        safe += f"-{crc32(test.encode()):08x}"
    return f"{safe}.json"
