"""A program that makes many requests is killed again and again, and started again until it ends."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from chatlib.testing.loopback import Reply, Request, Server, completion
from tests.many_child import CONCURRENCY
from tests.many_forms import lines_of

COUNT = int(os.environ.get("CHATLIB_KILLED_REQUESTS", "300"))
"""How many requests the program makes."""

KILLS = COUNT // 60
"""How often it is killed, unless it ends before."""

ROOT = Path(__file__).parents[1]


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
@pytest.mark.parametrize("form", ["threads", "tasks"])
def test_killed(form: str, tmp_path: Path) -> None:
    """Each result is in the file exactly once, and nothing that was there was asked again."""
    path, chance = tmp_path / "r.jsonl", random.Random(form)
    runs: list[list[str]] = []
    before: list[set[str]] = []
    with Server(echo) as server:
        command = [
            sys.executable,
            "-m",
            "tests.many_child",
            form,
            server.url,
            str(COUNT),
            str(path),
        ]
        while True:
            sent = len(server.requests)
            before.append(finished(path))
            child = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
            if len(runs) < KILLS:
                goal = sent + chance.randint(1, COUNT // KILLS)
                while len(server.requests) < goal and child.poll() is None:
                    time.sleep(0.002)
                time.sleep(chance.random() / 50)
                child.kill()
            _, errors = child.communicate(timeout=120)
            server.wait(lambda: server.open == 0, 20)
            # A request of which only the beginning came, at a kill, asks nothing.
            came = [request for request in server.requests[sent:] if request.body]
            runs.append([request.json()["messages"][0]["content"] for request in came])
            if child.returncode != -signal.SIGKILL:
                break
    assert (0, b"") == (child.returncode, errors)

    everything = Counter(map(str, range(COUNT)))
    texts = [
        line["response"]["body"]["choices"][0]["message"]["content"] for line in lines_of(path)
    ]
    assert everything == Counter(text.removeprefix("re: ") for text in texts)
    assert COUNT == len({line["custom_id"] for line in lines_of(path)})
    kills = len(runs) - 1
    assert kills >= 1
    for asked, done in zip(runs, before, strict=True):
        assert not done & set(asked)
        assert 1 == max(Counter(asked).values(), default=1)
    again = sum(map(len, runs)) - COUNT
    assert again <= kills * CONCURRENCY
    print(f"{form}: {COUNT} requests, {kills} kills, {again} sent again")
