"""The pytest plugin: its fixtures, as they are used in somebody's tests."""

from __future__ import annotations

import configparser
import contextlib
import importlib
import json
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from chatlib.testing.plugin import recording_name
from tests.test_package import MODULES

pytest_plugins = ["pytester"]

# The tests that are made below run in this process, and forget what only they have loaded.
for _name in MODULES:
    if not _name.endswith("__main__"):
        with contextlib.suppress(ImportError):  # a transport over what is not installed
            importlib.import_module(_name)

HEAD = """
    import json
    import pytest
    from chatlib import OpenAI
    from chatlib.testing import InMemoryServer, error

    ASK = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
"""

RECORDED = (
    HEAD
    + """
    @pytest.fixture
    def chatlib_transport():
        return InMemoryServer(default="recorded")

    class TestHere:
        @pytest.mark.parametrize("letter", ["a", "b/c"])
        def test_it(self, chatlib_recorded_client, letter):
            made = chatlib_recorded_client.chat.completions.create(**ASK, user=letter)
            assert "recorded" == made.text

    def test_other(chatlib_recording):
        client = OpenAI(api_key="k", transport=chatlib_recording)
        assert "recorded" == client.chat.completions.create(**ASK).text
"""
)


def plugin_arguments() -> list[str]:
    """What pytest must be told to have the plugin: nothing, where it finds it by itself."""
    found = [found.value for found in entry_points(group="pytest11")]
    return [] if "chatlib.testing.plugin" in found else ["-p", "chatlib.testing.plugin"]


def run(pytester: pytest.Pytester, *arguments: str) -> Any:
    """Run the tests that were made."""
    return pytester.runpytest_inprocess(*plugin_arguments(), *arguments)


def files(pytester: pytest.Pytester) -> set[str]:
    """The recordings that are there."""
    root = pytester.path / "recordings"
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_server_and_client(pytester: pytest.Pytester) -> None:
    """A server with an empty script, and a client of it that does not sleep."""
    pytester.makepyfile(
        HEAD
        + """
    def test_it(chatlib_server, chatlib_client):
        chatlib_server.add(error(429, headers={"retry-after": "100"}), "Hello!")
        made = chatlib_client.chat.completions.create(**ASK, store=True)
        assert ("Hello!", [100.0]) == (made.text, chatlib_server.slept)
        assert 2 == len(chatlib_server.requests)

    def test_each_has_its_own(chatlib_server):
        assert [] == chatlib_server.requests
    """
    )
    run(pytester).assert_outcomes(passed=2)


def test_async_client(pytester: pytest.Pytester) -> None:
    """The same, awaited."""
    pytester.makepyfile(
        HEAD
        + """
    import asyncio

    def test_it(chatlib_server, chatlib_async_client):
        chatlib_server.add(error(429, headers={"retry-after": "100"}), "Hello you!")

        async def ask():
            chunks = await chatlib_async_client.chat.completions.create(**ASK, stream=True)
            return [chunk.text async for chunk in chunks]

        assert "Hello you!" == "".join(asyncio.run(ask()))
        assert [100.0] == chatlib_server.slept
    """
    )
    run(pytester).assert_outcomes(passed=1)


def test_async_recording(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording is made and replayed by a client that is awaited, too."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-real-key")
    pytester.makepyfile(
        HEAD
        + """
    import asyncio

    @pytest.fixture
    def chatlib_transport():
        return InMemoryServer(error(500), "recorded twice")

    def test_it(chatlib_recorded_async_client):
        async def ask():
            async with chatlib_recorded_async_client as client:
                chunks = await client.chat.completions.create(**ASK, stream=True)
                return [chunk.text async for chunk in chunks]

        assert "recorded twice" == "".join(asyncio.run(ask()))
    """
    )
    run(pytester).assert_outcomes(errors=1)
    run(pytester, "--chatlib-record").assert_outcomes(passed=1)
    monkeypatch.delenv("OPENAI_API_KEY")
    run(pytester).assert_outcomes(passed=1)


def test_served(pytester: pytest.Pytester) -> None:
    """The same server, at a base URL."""
    pytester.makepyfile(
        HEAD
        + """
    from urllib.request import Request, urlopen

    def test_it(chatlib_server, chatlib_base_url, chatlib_client):
        chatlib_server.add("one", "two")
        asked = Request(chatlib_base_url + "/chat/completions", json.dumps(ASK).encode())
        with urlopen(asked) as answered:
            assert "one" == json.load(answered)["choices"][0]["message"]["content"]
        assert "two" == chatlib_client.chat.completions.create(**ASK).text
    """
    )
    run(pytester).assert_outcomes(passed=1)


def test_recordings(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replayed by default; made where that is asked for, beside the module, a file for a test."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-real-key")
    pytester.makepyfile(test_them=RECORDED)
    missing = run(pytester)
    missing.assert_outcomes(errors=3)
    missing.stdout.fnmatch_lines(
        ["*recording not found: *create it with pytest --chatlib-record=*"]
    )
    assert set() == files(pytester)

    run(pytester, "--chatlib-record").assert_outcomes(passed=3)
    parametrized = recording_name("TestHere.test_it[b/c]")
    assert {
        "test_them/TestHere.test_it[a].json",
        f"test_them/{parametrized}",
        "test_them/test_other.json",
    } == files(pytester)

    pytester.makepyfile(test_them=RECORDED.replace('default="recorded"', 'default="other"'))
    run(pytester).assert_outcomes(passed=3)
    run(pytester, "--chatlib-record=missing").assert_outcomes(passed=3)
    (pytester.path / "recordings" / "test_them" / "test_other.json").unlink()
    run(pytester, "--chatlib-record=missing").assert_outcomes(passed=2, failed=1)
    run(pytester, "--chatlib-record").assert_outcomes(failed=3)


def test_recording_is_replayed_without_key_or_wait(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client of a recording needs a key only to make it, and its retries take no time."""
    pytester.makepyfile(
        test_it=HEAD
        + """
    @pytest.fixture
    def chatlib_transport():
        return InMemoryServer(error(500, headers={"retry-after-ms": "1"}), "recorded")

    def test_it(chatlib_recorded_client):
        assert "recorded" == chatlib_recorded_client.chat.completions.create(**ASK).text
    """
    )
    run(pytester, "--chatlib-record").assert_outcomes(errors=1)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-real-key")
    run(pytester, "--chatlib-record").assert_outcomes(passed=1)
    monkeypatch.delenv("OPENAI_API_KEY")
    path = pytester.path / "recordings" / "test_it" / "test_it.json"
    written = json.loads(path.read_text("utf-8"))
    assert "sk-the-real-key" not in path.read_text("utf-8")
    written["exchanges"][0]["response"]["headers"]["retry-after-ms"] = "60000"
    path.write_text(json.dumps(written))
    done = run(pytester)
    done.assert_outcomes(passed=1)
    assert done.duration < 10


def test_transport_of_a_recording_is_closed(pytester: pytest.Pytester) -> None:
    """When the test that made it is over."""
    pytester.makepyfile(
        HEAD
        + """
    closed = []

    class Mine(InMemoryServer):
        def close(self):
            closed.append(1)

    @pytest.fixture
    def chatlib_transport():
        return Mine("a")

    def test_it(chatlib_recording):
        OpenAI(api_key="k", transport=chatlib_recording).chat.completions.create(**ASK)

    def test_closed():
        assert [1] == closed
    """
    )
    run(pytester, "--chatlib-record").assert_outcomes(passed=2)


def test_in_a_process_of_its_own(pytester: pytest.Pytester) -> None:
    """As people run it, where starting pytest loads nothing of the library but the plugin."""
    pytester.makepyfile(
        """
    import sys

    def test_it():
        loaded = {name for name in sys.modules if name.startswith("chatlib.")}
        assert {"chatlib._version", "chatlib.testing", "chatlib.testing.plugin"} == loaded

    def test_later(chatlib_server, chatlib_client):
        chatlib_server.add("Hello!")
        assert "Hello!" == chatlib_client.chat.completions.create(model="m", messages=[]).text
    """
    )
    done = pytester.runpytest_subprocess(*plugin_arguments())
    done.assert_outcomes(passed=2)


def test_option_is_explained(pytester: pytest.Pytester) -> None:
    """In the help, with the fixtures in their list; a wrong word is refused."""
    run(pytester, "--help").stdout.fnmatch_lines(["chatlib:", "*--chatlib-record*"])
    assert 0 != run(pytester, "--chatlib-record=often").ret
    listed = run(pytester, "--fixtures").stdout.str()
    for name in (
        "chatlib_server",
        "chatlib_client",
        "chatlib_async_client",
        "chatlib_base_url",
        "chatlib_transport",
        "chatlib_recording",
        "chatlib_recorded_client",
        "chatlib_recorded_async_client",
        "chatlib_recording_path",
    ):
        assert f"{name} -- " in listed


def test_plugin_is_found() -> None:
    """pytest is told of it by the package's metadata."""
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg", "utf-8")
    plugins = setup["options.entry_points"]["pytest11"]
    assert "chatlib = chatlib.testing.plugin" in map(str.strip, plugins.splitlines())


@pytest.mark.parametrize(
    "test", ["test_x[a b]", "test_x[a_b]", "test_x[日本]", "t" * 300, "a/../b"]
)
def test_names_of_recordings(test: str) -> None:
    """Any file system can have them, and two tests never share one."""
    others = [recording_name(other) for other in ("test_x[a b]", "test_x[a_b]", "t" * 301)]
    name = recording_name(test)
    assert name.isascii()
    assert len(name) < 130
    assert "/" not in name
    assert 1 >= others.count(name)
