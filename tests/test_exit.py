"""Programs end: whatever their threads do when the interpreter stops them, and however it is told.

The threads of each program are switched as often as can be, so that they are stopped in odd places.
``pytest -m slow`` runs each program 60 times, some at once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MANY_TIMES = int(os.environ.get("CHATLIB_TEST_PROGRAM_RUNS", "60"))
RUNS = [pytest.param(1, id="short"), pytest.param(MANY_TIMES, id="long", marks=pytest.mark.slow)]
AT_ONCE = 3
SECONDS = 20
"""How long a program may take, on a machine that does other things too."""

START = """
import asyncio, os, signal, sys, threading, time
sys.setswitchinterval(1e-6)
def say_go(result):
    if result.index == 0:
        print("go", flush=True)
"""

LOOPBACK = """
from chatlib import AsyncOpenAI, OpenAI
from chatlib.testing.loopback import Reply, Server, chunk, completion, sse
OK, SILENT = Reply.json(completion("ok")), Reply.nothing(delay=60)
HELD = Reply.stream([sse(chunk("a"), chunk("b"), done=False)], hold=60)
ASK = {"model": "m", "messages": []}
def reply(request):
    return HELD if request.json().get("stream") else SILENT if silent else OK
silent = False
server = Server(reply).__enter__()
"""

PROGRAMS = {
    # Many calls, and a client that lives as long as the program and is not closed.
    "awaited by threads": """
sys.modules["aiohttp"] = None
import json
from chatlib import AsyncOpenAI
answer = b"HTTP/1.1 200 OK\\r\\nContent-Length: 15\\r\\n\\r\\n" + b'{"choices": []}'
async def handle(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            await reader.readexactly(int(head.lower().split(b"content-length:")[1].split()[0]))
            writer.write(answer)
    except Exception:
        writer.close()
async def main():
    global client
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = AsyncOpenAI(api_key="k", base_url=f"http://127.0.0.1:{port}/v1")
    completions = client.chat.completions
    await asyncio.gather(*[completions.create(model="m", messages=[]) for _ in range(40)])
asyncio.run(main())
""",
    "calls in daemon threads": LOOPBACK
    + """
client = OpenAI(api_key="k", base_url=server.url)
def work():
    while True:
        client.chat.completions.create(**ASK)
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.1)
""",
    "streams in daemon threads": LOOPBACK
    + """
client = OpenAI(api_key="k", base_url=server.url)
def work():
    while True:
        next(client.chat.completions.create(**ASK, stream=True))
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.1)
""",
    "a call under way in a daemon thread": LOOPBACK
    + """
silent = True
client = OpenAI(api_key="k", base_url=server.url)
thread = threading.Thread(target=client.chat.completions.create, kwargs=ASK, daemon=True)
thread.start()
server.wait(lambda: server.requests)
""",
    "a stream that is read in a daemon thread": LOOPBACK
    + """
client = OpenAI(api_key="k", base_url=server.url)
stream = client.chat.completions.create(**ASK, stream=True)
next(stream), next(stream)
threading.Thread(target=next, args=(stream, None), daemon=True).start()
time.sleep(0.05)
""",
    "streams left open": LOOPBACK
    + """
client = OpenAI(api_key="k", base_url=server.url)
streams = [client.chat.completions.create(**ASK, stream=True) for _ in range(3)]
manager = client.chat.completions.stream(**ASK)
events = manager.__enter__()
for each in (*streams, events):
    next(each)
""",
    "awaited streams left open, over threads": "sys.modules['aiohttp'] = None\n"
    + LOOPBACK
    + """
async def main():
    global client, streams
    client = AsyncOpenAI(api_key="k", base_url=server.url)
    streams = [await client.chat.completions.create(**ASK, stream=True) for _ in range(3)]
    for each in streams:
        await anext(each)
asyncio.run(main())
""",
    "awaited streams left open, over aiohttp": LOOPBACK
    + """
async def main():
    global client, streams
    client = AsyncOpenAI(api_key="k", base_url=server.url)
    streams = [await client.chat.completions.create(**ASK, stream=True) for _ in range(3)]
    for each in streams:
        await anext(each)
asyncio.run(main())
""",
    "a piece that is waited for by a thread": "sys.modules['aiohttp'] = None\n"
    + LOOPBACK
    + """
loop = asyncio.new_event_loop()
async def main():
    global client, stream, waiting
    client = AsyncOpenAI(api_key="k", base_url=server.url)
    stream = await client.chat.completions.create(**ASK, stream=True)
    await anext(stream), await anext(stream)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.05)
loop.run_until_complete(main())
""",
    "a loop in a daemon thread": LOOPBACK
    + """
client = AsyncOpenAI(api_key="k", base_url=server.url)
loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()
async def work():
    while True:
        await client.chat.completions.create(**ASK)
for _ in range(4):
    asyncio.run_coroutine_threadsafe(work(), loop)
time.sleep(0.2)
""",
    "a server that nobody stopped": """
import requests
from chatlib.testing import InMemoryServer, serve
serving = serve(InMemoryServer(default="Hi"))
url = serving.__enter__()
def work():
    while True:
        requests.post(url + "/chat/completions", json={"model": "m", "messages": []})
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.1)
""",
    "results left open": """
from chatlib import run_many
asks = ({"n": n} for n in range(9))
results = run_many(None, asks, call=lambda n: n and time.sleep(60), results=sys.argv[1])
next(results)
""",
    "results dropped while requests take for ever": """
from chatlib import run_many
from chatlib.many import results_file
results_file.EXIT_SECONDS = 0.5
asks = ({"n": n} for n in range(9))
for _ in run_many(None, asks, call=lambda n: n and time.sleep(60), results=sys.argv[1]):
    break
""",
    "results dropped": """
from chatlib import run_many
asks = ({"n": n} for n in range(10**6))
for result in run_many(None, asks, call=lambda n: n, results=sys.argv[1], fsync=True):
    if result.index == 50:
        break
""",
}

ENDED = {
    # Exit statuses of programs that say "go" and are told to end.
    "sys.exit in a call": (
        3,
        """
from chatlib import run_many
asks = ({"n": n} for n in range(10**6))
for _ in run_many(None, asks, call=lambda n: sys.exit(3) if n == 50 else n, results=sys.argv[1]):
    pass
""",
    ),
    "sys.exit inside a with": (
        3,
        """
from chatlib import run_many
asks = ({"n": n} for n in range(9))
with run_many(None, asks, call=lambda n: n and time.sleep(60), results=sys.argv[1]) as results:
    next(results)
    sys.exit(3)
""",
    ),
}

MANY = """
from chatlib import OpenAI, run_many
from chatlib.testing import InMemoryServer
client = OpenAI(api_key="k", transport=InMemoryServer(default="Hi"))
asks = ({"model": "m", "messages": [], "user": str(n)} for n in range(10**6))
"""

# Told to end once the first answer is there: the first calls import modules and generate code, and
# ``exec`` of a text in any thread makes CPython forget that the program ended by Ctrl-C (it then
# exits with status 1: ``unhandled_keyboard_interrupt`` in Python/pythonrun.c).
INTERRUPTED = {
    "run_many": MANY
    + """
for result in run_many(client, asks, results=sys.argv[1], fsync=True):
    say_go(result)
""",
    "run_many without fsync": MANY
    + """
for result in run_many(client, asks, results=sys.argv[1]):
    say_go(result)
""",
    "run_many, by sigterm": """
def end(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGTERM, end)
"""
    + MANY
    + """
for result in run_many(client, asks, results=sys.argv[1]):
    say_go(result)
    if result.index == 100:
        os.kill(os.getpid(), signal.SIGTERM)
""",
    "run_many, while all take for ever": """
from chatlib import run_many
asks = ({"n": n} for n in range(9))
def call(n):
    if n == 1:
        print("go", flush=True)
    if n:
        time.sleep(60)
for _ in run_many(None, asks, call=call, results=sys.argv[1]):
    pass
""",
    "run_many, inside its with": """
from chatlib import run_many
asks = ({"n": n} for n in range(9))
with run_many(None, asks, call=lambda n: n and time.sleep(60), results=sys.argv[1]) as results:
    next(results)
    print("go", flush=True)
    time.sleep(60)
""",
    "arun_many": LOOPBACK
    + """
from chatlib import arun_many
async def main():
    client = AsyncOpenAI(api_key="k", base_url=server.url)
    asks = ({**ASK, "user": str(n)} for n in range(10**6))
    async for result in arun_many(client, asks, results=sys.argv[1], fsync=True):
        say_go(result)
asyncio.run(main())
""",
    "arun_many over threads": "sys.modules['aiohttp'] = None\n"
    + LOOPBACK
    + """
from chatlib import arun_many
async def main():
    global client
    client = AsyncOpenAI(api_key="k", base_url=server.url)
    asks = ({**ASK, "user": str(n)} for n in range(10**6))
    async for result in arun_many(client, asks, results=sys.argv[1]):
        say_go(result)
asyncio.run(main())
""",
}


def ends(
    code: str, folder: Path, runs: int, then: Callable[[subprocess.Popen[bytes]], None]
) -> list[tuple[int, bytes, bytes, Path]]:
    """Run a program some times: exit status, output, errors and file of each run."""
    found = []
    for first in range(0, runs, AT_ONCE):
        started = []
        for number in range(first, min(first + AT_ONCE, runs)):
            path = folder / f"{number}.jsonl"
            command = [sys.executable, "-c", START + code, str(path)]
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            started.append((child, path))
        try:
            for child, _ in started:
                then(child)
            for child, path in started:
                output, errors = child.communicate(timeout=SECONDS)
                found.append((child.returncode, output, errors, path))
        finally:
            for child, _ in started:
                child.kill()
                child.communicate()
    return found


def ids(path: Path) -> list[str]:
    """The requests whose results a file has, all of whose lines are whole."""
    text = path.read_text()
    assert not text or text.endswith("\n")
    return [json.loads(line)["custom_id"] for line in text.splitlines()]


def _nothing(child: Any) -> None:
    pass


@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.timeout(1200)
def test_programs_end(name: str, runs: int, tmp_path: Path) -> None:
    """By themselves, with exit status 0, and without a crash of the interpreter."""
    for status, _, errors, path in ends(PROGRAMS[name], tmp_path, runs, _nothing):
        assert 0 == status, errors.decode()
        assert b"Fatal" not in errors
        if name == "results dropped":
            lines = map(json.loads, path.read_text().splitlines())
            assert set(range(51)) <= {line["response"]["body"] for line in lines}


@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize("name", ENDED)
@pytest.mark.timeout(1200)
def test_programs_that_exit(name: str, runs: int, tmp_path: Path) -> None:
    """``sys.exit`` ends them, with its status."""
    status, code = ENDED[name]
    for found, _, errors, path in ends(code, tmp_path, runs, _nothing):
        assert status == found, errors.decode()
        assert len(ids(path)) == len(set(ids(path)))


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize("name", INTERRUPTED)
@pytest.mark.timeout(1200)
def test_interrupted_programs_end(name: str, runs: int, tmp_path: Path) -> None:
    """Ctrl-C ends them by a KeyboardInterrupt, and each result is in the file once."""

    def interrupt(child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        assert b"go\n" == child.stdout.readline()
        time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        try:
            child.wait(SECONDS / 2)
        except subprocess.TimeoutExpired:
            # CPython drops what is raised inside a callback of a weak reference, Ctrl-C too.
            child.send_signal(signal.SIGINT)

    for status, _, errors, path in ends(INTERRUPTED[name], tmp_path, runs, interrupt):
        # CPython may turn an interrupt inside ``Thread.start()`` into a RuntimeError that follows
        # ("release unlocked lock", from threading.Condition), and the status is then 1.
        assert status == -signal.SIGINT or (1 == status and b"unlocked lock" in errors), (
            status,
            errors.decode(),
        )
        assert b"KeyboardInterrupt" in errors
        assert len(ids(path)) == len(set(ids(path)))
