"""A program that makes many requests is killed again and again, and started again until it ends."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from chatlib.testing.loopback import Reply, Request, Server, completion
from tests.faces import wait_for
from tests.many_child import CONCURRENCY
from tests.many_forms import lines_of

COUNTS = [120, pytest.param(600, marks=pytest.mark.slow)]
"""How many requests the program makes."""

EACH = 60
"""It is killed once for so many requests, unless it ends before."""

LONGEST = 60.0
"""The seconds that one of its runs may take."""

ROOT = Path(__file__).parents[2]


def echo(request: Request) -> Reply:
    """The reply that says what was asked, after a moment."""
    content = request.json()["messages"][0]["content"]
    return Reply.json(completion(f"re: {content}"), delay=random.random() / 100)


def finished(path: Path) -> set[str]:
    """What stands in a file, but for a line that has no end."""
    whole = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
    lines = whole.decode().split("\n") if whole else []
    return {_content(line) for line in lines}


def _content(line: str) -> str:
    return line.partition('"content":"re: ')[2].partition('"')[0]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("form", ["threads", "tasks"])
def test_killed(form: str, count: int, tmp_path: Path) -> None:
    """Each result is in the file exactly once, and nothing that was there was asked again."""
    path, chance = tmp_path / "r.jsonl", random.Random(form)
    before: list[set[str]] = []
    with Server(echo) as server:
        while True:
            before.append(finished(path))
            # A request names its run: what a killed process has sent may arrive after the kill.
            url = f"{server.origin}/{len(before) - 1}/v1"
            goal = len(server.requests) + chance.randint(1, EACH)
            with started(form, url, count, path) as child:
                if len(before) <= count // EACH:
                    assert wait_for(partial(has_come, server, goal, child), LONGEST)
                    time.sleep(chance.random() / 50)
                    child.kill()
                _, errors = child.communicate(timeout=LONGEST)
            if child.returncode != -signal.SIGKILL:
                break
        assert server.wait(lambda: server.open == 0, 20)
        # Of a killed process perhaps only the beginning of a request came, which asks nothing.
        came = [request for request in server.requests if request.body]
    assert (0, b"") == (child.returncode, errors)

    runs: list[list[str]] = [[] for _ in before]
    for request in came:
        number = int(request.target.split("/")[1])
        runs[number].append(request.json()["messages"][0]["content"])
    everything = Counter(map(str, range(count)))
    texts = [
        line["response"]["body"]["choices"][0]["message"]["content"] for line in lines_of(path)
    ]
    assert everything == Counter(text.removeprefix("re: ") for text in texts)
    assert count == len({line["custom_id"] for line in lines_of(path)})
    kills = len(runs) - 1
    assert kills >= 1
    for asked, done in zip(runs, before, strict=True):
        assert not done & set(asked)
        assert 1 == max(Counter(asked).values(), default=1)
    again = sum(map(len, runs)) - count
    assert again <= kills * CONCURRENCY
    print(f"{form}: {count} requests, {kills} kills, {again} sent again")


def has_come(server: Server, goal: int, child: subprocess.Popen[bytes]) -> bool:
    """Return whether so many requests have come, or the program that makes them has ended."""
    return len(server.requests) >= goal or child.poll() is not None


@contextmanager
def started(form: str, url: str, count: int, path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start the program; it is not left running."""
    command = [sys.executable, "-m", "tests.many_child", form, url, str(count), str(path)]
    child = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate(timeout=LONGEST)
