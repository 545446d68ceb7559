"""Fixtures for pytest, which finds them by itself once the package is installed.

Nothing of the library is loaded before a test asks for one of them.
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
"""The key where no real server is asked."""

BASE_URL = "http://chatlib.test/v1"
"""Where a server in memory seems to be."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--chatlib-record``."""
    parser.getgroup("chatlib").addoption(
        "--chatlib-record",
        nargs="?",
        const="all",
        choices=("all", "missing"),
        help="ask the real server, and record what it says: for all tests that use a recording, "
        "or with =missing for those that have none yet; by default, recordings are replayed",
    )


@pytest.fixture
def chatlib_server() -> InMemoryServer:
    """A server in memory, with an empty script: ``chatlib_server.add("Hello!")``."""
    from chatlib.testing.memory_server import InMemoryServer

    return InMemoryServer()


@pytest.fixture
def chatlib_client(chatlib_server: InMemoryServer) -> Iterator[OpenAI]:
    """A client of ``chatlib_server``. Between attempts it does not sleep:
    ``chatlib_server.slept`` says how long it would have."""
    from chatlib.client.openai import OpenAI

    with OpenAI(
        api_key=NO_KEY, base_url=BASE_URL, transport=chatlib_server, sleep=chatlib_server.sleep
    ) as client:
        yield client


@pytest.fixture
def chatlib_async_client(chatlib_server: InMemoryServer) -> AsyncOpenAI:
    """``chatlib_client``, awaited."""
    from chatlib.client.async_openai import AsyncOpenAI

    return AsyncOpenAI(
        api_key=NO_KEY, base_url=BASE_URL, transport=chatlib_server, sleep=chatlib_server.sleep
    )


@pytest.fixture
def chatlib_base_url(chatlib_server: InMemoryServer) -> Iterator[str]:
    """Where ``chatlib_server`` is served over real HTTP: a base URL for anything that has one."""
    from chatlib.testing.serving import serve

    with serve(chatlib_server) as base_url:
        yield base_url


@pytest.fixture
def chatlib_transport() -> Transport | AsyncTransport | None:
    """Who carries the requests of a recording that is made. To be overridden; None is the usual."""
    return None


@pytest.fixture
def chatlib_recording_path(request: pytest.FixtureRequest) -> Path:
    """The file of the test's recording: ``recordings/<module>/<test>.json`` beside the module."""
    node = request.node
    return request.path.parent / "recordings" / request.path.stem / recording_name(_name_of(node))


@pytest.fixture
def chatlib_recording(
    request: pytest.FixtureRequest, chatlib_recording_path: Path
) -> Iterator[RecordingTransport | ReplayTransport]:
    """A transport that replays the test's recording, or makes it: ``pytest --chatlib-record``."""
    from chatlib.testing.recording import recorded

    asked = request.config.getoption("--chatlib-record")
    there = chatlib_recording_path.exists()
    if asked is None or (asked == "missing" and there):
        if not there:
            pytest.fail(
                f"there is no recording {chatlib_recording_path}; make it by "
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
    """A client over ``chatlib_recording``. Replaying, it needs no key and does not sleep."""
    from chatlib.client.openai import OpenAI

    with OpenAI(transport=chatlib_recording, **_options_of(chatlib_recording)) as client:
        yield client


@pytest.fixture
def chatlib_recorded_async_client(
    chatlib_recording: RecordingTransport | ReplayTransport,
) -> AsyncOpenAI:
    """``chatlib_recorded_client``, awaited."""
    from chatlib.client.async_openai import AsyncOpenAI

    return AsyncOpenAI(transport=chatlib_recording, **_options_of(chatlib_recording))


def _options_of(recording: RecordingTransport | ReplayTransport) -> dict[str, Any]:
    from chatlib.testing.replaying import ReplayTransport

    if not isinstance(recording, ReplayTransport):
        return {}
    key = os.environ.get("OPENAI_API_KEY") or NO_KEY
    return {"api_key": key, "sleep": lambda seconds: None}


def _name_of(node: Any) -> str:
    """The test's own name, with the classes that it is in."""
    classes = [part.name for part in node.listchain() if isinstance(part, pytest.Class)]
    return ".".join([*classes, node.name])


LONGEST_NAME = 100


def recording_name(test: str) -> str:
    """The name of the file for a test, so that any file system can have it.

    >>> recording_name("test_capital")
    'test_capital.json'
    >>> recording_name("test_capital[a/b]")
    'test_capital[a_b]-58f83f2f.json'
    """
    safe = re.sub(r"[^\w.,=@\[\]-]", "_", test, flags=re.ASCII)[:LONGEST_NAME]
    if safe != test:  # others may come to the same
        from zlib import crc32

        safe += f"-{crc32(test.encode()):08x}"
    return f"{safe}.json"
