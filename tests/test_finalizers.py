"""No finalizer waits: a lock may be held by a thread that the ending interpreter has stopped."""

from __future__ import annotations

import asyncio
import gc
import io
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from chatlib import AsyncOpenAI, OpenAI, arun_many, run_many
from chatlib.many.results_file import ResultsFile
from chatlib.testing import InMemoryServer, RecordingTransport
from chatlib.testing.loopback import Reply, Server, chunk, completion, sse
from chatlib.transports.aiohttp import AiohttpTransport
from chatlib.transports.requests import RequestsTransport
from chatlib.transports.threads import ThreadTransport
from chatlib.transports.urllib3 import Urllib3Transport

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
OK = Reply.json(completion("ok"))
ENDLESS = Reply.stream([sse(chunk("Hi"), chunk("!"), done=False)], hold=30)


class Waits:
    """Notes each wait of a thread that is said to be in a finalizer."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._finalizing = threading.local()

    def note(self) -> None:
        """A wait may begin."""
        if getattr(self._finalizing, "now", False):
            self.found.append("".join(traceback.format_stack()[-8:-2]))

    def drop(self, held: list[Any]) -> None:
        """Drop what a list holds: all that is called by it is a finalizer."""
        gc.collect()
        self._finalizing.now = True
        try:
            held.clear()
            gc.collect()
        finally:
            self._finalizing.now = False
        assert not self.found, self.found[0]


class Lock:
    """A lock that tells of each acquisition that may block."""

    def __init__(self, inner: Any, note: Callable[[], None]) -> None:
        self._inner, self._note = inner, note

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if blocking:
            self._note()
        return bool(self._inner.acquire(blocking, timeout))

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self._inner.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    """Locks, threads, conditions and sleep tell of their waits from now on."""
    gc.collect()
    gc.freeze()  # or else each collection takes as long as a test
    found = Waits()
    for name in ("Lock", "RLock"):
        made = getattr(threading, name)
        monkeypatch.setattr(threading, name, lambda made=made: Lock(made(), found.note))

    def told(function: Any) -> Any:
        def telling(*args: Any, **kwargs: Any) -> Any:
            found.note()
            return function(*args, **kwargs)

        return telling

    for owner, names in (
        (threading.Thread, ("join", "start")),
        (threading.Condition, ("wait",)),
        (time, ("sleep",)),
    ):
        for name in names:
            monkeypatch.setattr(owner, name, told(getattr(owner, name)))
    return found


@pytest.fixture
def server() -> Iterator[Server]:
    """A server whose streams never end."""

    def reply(request: Any) -> Reply:
        return ENDLESS if request.json().get("stream") else OK

    with Server(reply) as running:
        yield running


def test_the_fixture(waits: Waits) -> None:
    """A finalizer that waits is noticed."""

    class Waiting:
        def __init__(self) -> None:
            self.lock = threading.Lock()

        def __del__(self) -> None:
            with self.lock:
                pass

    with pytest.raises(AssertionError, match=r"with self\.lock"):
        waits.drop([Waiting()])


@pytest.mark.parametrize("transport", [RequestsTransport, Urllib3Transport])
@pytest.mark.parametrize("kind", ["create", "raw", "stream()"])
def test_streams(kind: str, transport: Any, waits: Waits, server: Server) -> None:
    """A stream that is left open gives its connection back when it is dropped."""
    client = OpenAI(api_key="k", base_url=server.url, transport=transport())
    completions = client.chat.completions
    held: list[Any] = []
    if kind == "create":
        held.append(completions.create(**ASK, stream=True))
        next(held[0])
    elif kind == "raw":
        held.append(completions.with_streaming_response.create(**ASK, stream=True))
        held.append(held[0].__enter__())
        held.append(held[1].iter_bytes())
        next(held[2])
    else:
        held.append(completions.stream(**ASK))
        held.append(held[0].__enter__())
        next(held[1])
    assert 1 == server.open
    waits.drop(held)
    assert server.wait(lambda: server.open == 0)
    waits.drop([client])


def _threads() -> ThreadTransport:
    return ThreadTransport(Urllib3Transport())


@pytest.mark.parametrize("transport", [AiohttpTransport, _threads])
@pytest.mark.parametrize("where", ["inside its loop", "after its loop"])
@pytest.mark.parametrize("stream", [True, False])
def test_awaited(stream: bool, where: str, transport: Any, waits: Waits, server: Server) -> None:
    """So do the streams of a client that is awaited, and the client that nobody closed."""

    async def main() -> list[Any]:
        client = AsyncOpenAI(api_key="k", base_url=server.url, transport=transport())
        held: list[Any] = [await client.chat.completions.create(**ASK, stream=stream), client]
        if stream:
            await anext(held[0])
        del client
        if where == "inside its loop":
            waits.drop(held)
            for _ in range(200):
                if server.open == 0:
                    break
                await asyncio.sleep(0.01)
        return held

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        waits.drop(asyncio.run(main()))
    assert server.wait(lambda: server.open == 0)
    assert {ResourceWarning} == {warning.category for warning in caught}


def test_a_thread_transport_without_idle_threads(waits: Waits, server: Server) -> None:
    """Its connections are closed too, by a thread that is made for that."""
    inner = Urllib3Transport()
    transport = ThreadTransport(inner)
    client = AsyncOpenAI(api_key="k", base_url=server.url, transport=transport)
    asyncio.run(client.chat.completions.create(**ASK))
    transport._threads.close()  # as if they had been idle for too long
    held: list[Any] = [client, transport]
    del client, transport
    with pytest.warns(ResourceWarning, match="ThreadTransport"):
        waits.drop(held)
    assert server.wait(lambda: server.open == 0)


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("progress", [False, True])
@pytest.mark.parametrize("results", [False, True])
def test_results(
    results: bool,
    progress: bool,
    waits: Waits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Dropped results leave the threads that run to themselves; their results are written."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    path, go_on = tmp_path / "r.jsonl", threading.Event()

    def call(n: int) -> int:
        assert n == 0 or go_on.wait(20)
        return n

    asks = [{"n": n} for n in range(9)]
    file = path if results else None
    held: list[Any] = [
        run_many(None, asks, call=call, concurrency=3, results=file, progress=progress)
    ]
    assert 0 == next(held[0]).completion
    waits.drop(held)
    go_on.set()
    if results:  # a second run waits until the first one has written its last line
        rest = list(run_many(None, asks, call=call, results=path))
        assert list(range(9)) == [result.completion for result in rest]
        assert 3 <= sum(result.resumed for result in rest) <= 4


def test_results_that_are_closed_slowly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run waits until the last thread of the first one has unlocked the file."""
    path, go_on, closing = tmp_path / "r.jsonl", threading.Event(), threading.Event()
    close = ResultsFile._close_now

    def close_slowly(self: ResultsFile) -> None:
        closing.set()
        time.sleep(0.2)
        close(self)

    def call(n: int) -> int:
        assert n == 0 or go_on.wait(20)
        return n

    asks = [{"n": n} for n in range(9)]
    dropped = run_many(None, asks, call=call, concurrency=3, results=path)
    assert 0 == next(dropped).completion
    monkeypatch.setattr(ResultsFile, "_close_now", close_slowly)
    del dropped
    go_on.set()
    assert closing.wait(20)
    assert 9 == len(list(run_many(None, asks, call=call, results=path)))


@pytest.mark.parametrize("where", ["inside its loop", "after its loop"])
def test_awaited_results(where: str, waits: Waits, tmp_path: Path) -> None:
    """So with those that are awaited; their tasks are cancelled."""

    async def call(n: int) -> int:
        await asyncio.sleep(20 * n)
        return n

    async def main() -> list[Any]:
        asks = [{"n": n} for n in range(9)]
        held: list[Any] = [arun_many(None, asks, call=call, results=tmp_path / "r.jsonl")]
        assert 0 == (await anext(held[0])).completion
        if where == "inside its loop":
            waits.drop(held)
            await asyncio.sleep(0.01)
            assert 1 == len(asyncio.all_tasks())
        return held

    waits.drop(asyncio.run(main()))


def test_a_file_that_is_closed_while_a_line_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is closed by the thread that writes, and the line is whole."""
    path, writing, go_on = tmp_path / "r.jsonl", threading.Event(), threading.Event()
    file = ResultsFile(path, fsync=True)

    def fsync(fd: int) -> None:
        writing.set()
        assert go_on.wait(20)

    monkeypatch.setattr("os.fsync", fsync)
    thread = threading.Thread(target=file.append, args=(b"line\n",))
    thread.start()
    assert writing.wait(20)
    file.close()
    assert file._fd is not None
    go_on.set()
    thread.join()
    assert (None, b"line\n") == (file._fd, path.read_bytes())
    file.append(b"late\n")
    assert b"line\n" == path.read_bytes()


def test_servers_in_memory(waits: Waits, tmp_path: Path) -> None:
    """A stream over a server in memory, and one that is recorded."""
    server = InMemoryServer(default="one two three")
    for transport in (server, RecordingTransport(tmp_path / "r.json", server)):
        client = OpenAI(api_key="k", transport=transport)
        held: list[Any] = [client.chat.completions.create(**ASK, stream=True)]
        next(held[0])
        waits.drop(held)
        assert 0 == server.open_responses
    assert (tmp_path / "r.json").exists()


def test_a_place_in_a_pool_that_blocks(server: Server) -> None:
    """A dropped stream frees its place in the pool of a session, its own or somebody else's."""
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=1, pool_block=True))
    with OpenAI(api_key="k", base_url=server.url, transport=RequestsTransport(session)) as client:
        for _ in range(3):
            next(client.chat.completions.create(**ASK, stream=True))
            gc.collect()
        assert "ok" == client.chat.completions.create(**ASK).text
