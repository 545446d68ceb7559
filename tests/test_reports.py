"""Cases from public bug reports, and what must come of them: ``data/reports.json``.

A case is either what a server sends (``wire``), which is served over loopback and judged by the
Python of ``check``, or a ``program`` that exits with 0 where the library is right.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import chatlib
from chatlib.testing.loopback import Reply, Server
from tests.faces import Face
from tests.programs import installed_command, run
from tests.quirks.helpers import replies_of, wire_of

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "reports.json").read_text("utf-8")
)
ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
PROGRAM_SECONDS = 40.0


def params(*, program: bool) -> list[Any]:
    """Return the cases of one kind, by their ids."""
    return [pytest.param(c, id=c["id"]) for c in CASES if (c["mode"] == "program") is program]


class Judge:
    """The helpers that the ``check`` of a case calls: each makes a call of the server."""

    def __init__(self, url: str, face: Face) -> None:
        self._url = url
        self._settings: dict[str, Any] = {"base_url": url, "max_retries": 0, "timeout": 5}
        self._client = face.client(**self._settings)

    def plain(self) -> Any:
        """Return what ``create()`` gives."""
        return self._client.chat.completions.create(**ASK)

    async def aplain(self) -> Any:
        """Return what the asynchronous ``create()`` gives."""
        async with chatlib.AsyncOpenAI(api_key="sk-test", **self._settings) as client:
            return await client.chat.completions.create(**ASK)

    def arun(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine."""
        return asyncio.run(work)

    def chunks(self) -> list[Any]:
        """Return the chunks of a stream."""
        with self._client.chat.completions.create(stream=True, **ASK) as stream:
            return list(stream)

    def texts(self) -> tuple[str, list[str]]:
        """Return the text and the finish reasons of a stream."""
        choices = [choice for chunk in self.chunks() for choice in chunk.choices]
        text = "".join(choice.delta.content or "" for choice in choices)
        return text, [choice.finish_reason for choice in choices if choice.finish_reason]

    def final(self) -> Any:
        """Return the final completion of ``stream()``."""
        with self._client.chat.completions.stream(**ASK) as stream:
            return stream.get_final_completion()

    def raises(self, function: Callable[[], object], *names: str) -> BaseException:
        """Return what a function raises, whose class or one of whose bases has one of the names."""
        with pytest.raises(Exception) as caught:  # noqa: PT011  # its class is looked at below
            function()
        assert set(names) & {kind.__name__ for kind in caught.type.__mro__}, repr(caught.value)
        return caught.value

    def calls(self, completion: Any) -> list[tuple[Any, Any, Any]]:
        """Return the tool calls of the first choice: id, name, arguments."""
        calls = completion.choices[0].message.tool_calls or []
        return [(call.id, call.function.name, call.function.arguments) for call in calls]

    def get(self, value: Any, name: str) -> Any:
        """Return a field by its name, known or not."""
        return value[name] if isinstance(value, dict) else getattr(value, name)

    def ok(self, condition: object, shown: object = "") -> None:
        """Require a condition."""
        assert condition, shown

    def names(self) -> dict[str, Any]:
        """Return what a check sees."""
        methods = "plain aplain arun chunks texts final raises calls get ok".split()
        return {"mod": chatlib, **{name: getattr(self, name) for name in methods}}


@pytest.mark.parametrize("found", params(program=False))
def test_case(found: dict[str, Any], face: Face) -> None:
    """What a server sends comes to what the case expects, on both faces."""
    if found["mode"] == "stream":
        replies = [Reply.stream(wire_of(found))]
    elif found["mode"] == "json":
        replies = [Reply(200, {"content-type": "application/json"}, wire_of(found))]
    else:
        replies = replies_of(found)
    with Server(*replies) as server:
        exec(found["check"], Judge(server.url, face).names())


@pytest.mark.parametrize("found", params(program=True))
def test_program(found: dict[str, Any], tmp_path: Path) -> None:
    """The program of a case exits with 0."""
    if found["area"] == "cli":
        installed_command()
    ended = run(found["program"], "chatlib", folder=tmp_path, seconds=PROGRAM_SECONDS)
    assert 0 == ended.returncode, ended.stdout + ended.stderr
