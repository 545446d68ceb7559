"""The load of the soak test: calls of all kinds in threads and tasks, and what they take."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import gc
import itertools
import os
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

from chatlib import (
    APIConnectionError,
    APITimeoutError,
    AsyncOpenAI,
    IncompleteStreamError,
    OpenAI,
    Timeout,
)
from chatlib.transports.aiohttp import AiohttpTransport
from chatlib.transports.requests import RequestsTransport
from chatlib.transports.threads import ThreadTransport
from chatlib.transports.urllib3 import Urllib3Transport
from tests.soak.server import words

SHARES = {
    "create": 30,
    "parse": 8,
    "stream": 20,
    "events": 8,
    "left": 6,
    "dropped": 4,
    "cancelled": 6,
    "retried": 6,
    "limited": 4,
    "reset": 3,
    "cut": 3,
    "slow": 2,
}
"""The kinds of calls, and how often each is made."""
SHORT = Timeout(5, read=0.3)


@dataclasses.dataclass
class Answer:
    """What the answers of the server are parsed to."""

    number: int


class Sample(NamedTuple):
    """What the process takes at a time."""

    seconds: float
    calls: int
    memory: float
    """In MiB."""
    files: int
    threads: int
    objects: int


class Load:
    """Threads and tasks that call, each in a loop of its own, until :meth:`stop`.

    Args:
        url: The base URL of the server.
        threads: The number of threads.
        tasks: The number of tasks.
        rest: How long each of them rests after a call, in seconds on average.
    """

    def __init__(self, url: str, *, threads: int, tasks: int, rest: float) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        """The number of calls of each kind."""
        self.wrong: list[str] = []
        """What was not as it should be."""
        self._rest = rest
        self._numbers = itertools.count(1)
        self._stopped = threading.Event()
        kinds: list[Any] = [RequestsTransport, Urllib3Transport]
        self._clients = [OpenAI(api_key="k", base_url=url, transport=kind()) for kind in kinds]
        self._aclients = [
            AsyncOpenAI(api_key="k", base_url=url, transport=transport)
            for transport in (AiohttpTransport(), ThreadTransport(Urllib3Transport()))
        ]
        self._threads = [
            threading.Thread(target=self._work, args=(self._clients[at % 2], at), daemon=True)
            for at in range(threads)
        ]
        self._threads.append(threading.Thread(target=self._run_tasks, args=(tasks,), daemon=True))

    def start(self) -> None:
        """Start to call."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = 60.0) -> None:
        """Let all calls end, and close the clients."""
        self._stopped.set()
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(end - time.monotonic(), 0))
            if thread.is_alive():
                self.wrong.append(f"{thread.name} has not ended")
        for client in self._clients:
            client.close()

    def _work(self, client: OpenAI, seed: int) -> None:
        chance = random.Random(seed)
        while not self._stopped.is_set():
            what, number = self._next(chance)
            with self._noted(what, number):
                call(client, what, number)
            self._stopped.wait(chance.random() * 2 * self._rest)

    def _run_tasks(self, tasks: int) -> None:
        async def main() -> None:
            await asyncio.gather(*(self._awork(self._aclients[at % 2], at) for at in range(tasks)))
            for client in self._aclients:
                await client.close()

        asyncio.run(main())

    async def _awork(self, client: AsyncOpenAI, seed: int) -> None:
        chance = random.Random(-1 - seed)
        while not self._stopped.is_set():
            what, number = self._next(chance)
            with self._noted(what, number):
                await acall(client, what, number)
            await asyncio.sleep(chance.random() * 2 * self._rest)

    def _next(self, chance: random.Random) -> tuple[str, str]:
        (what,) = chance.choices(list(SHARES), list(SHARES.values()))
        return what, str(next(self._numbers))

    def _noted(self, what: str, number: str) -> _Noted:
        return _Noted(self, what, number)


class _Noted:
    """Count a call, and note what is wrong with it."""

    def __init__(self, load: Load, what: str, number: str) -> None:
        self._load, self._what, self._number = load, what, number

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> bool:
        self._load.counts[self._what] += 1
        if isinstance(error, Exception):
            self._load.wrong.append(f"{self._what} {self._number}: {error!r}")
            return True
        return False


def call(client: Any, what: str, number: str) -> None:
    """Make a call and check its outcome.

    Raises:
        AssertionError: The outcome is wrong.
    """
    ask: Any = {"model": "m", "messages": [{"role": "user", "content": f"{what} {number}"}]}
    create = client.chat.completions.create
    if what in ("create", "retried", "limited"):
        check(create(**ask).text, f'{{"number": {number}}}')
    elif what == "parse":
        parsed = client.chat.completions.parse(**ask, response_format=Answer)
        check(parsed.choices[0].message.parsed.number, number)
    elif what == "stream":
        check("".join(chunk.text for chunk in create(**ask, stream=True)), "".join(words(number)))
    elif what == "events":
        with client.chat.completions.stream(**ask) as events:
            check(events.get_final_completion().text, "".join(words(number)))
    elif what == "dropped":
        check(next(create(**ask, stream=True)).text, words(number)[0])
    elif what in ("left", "cancelled"):
        with create(**ask, stream=True) as stream:
            check(next(stream).text, words(number)[0])
    elif what == "reset":
        fails(APIConnectionError, lambda: create(**ask, max_retries=0))
    elif what == "cut":
        fails(IncompleteStreamError, lambda: list(create(**ask, stream=True)))
    else:
        fails(APITimeoutError, lambda: create(**ask, timeout=SHORT, max_retries=0))


async def acall(client: Any, what: str, number: str) -> None:
    """Make a call and check its outcome; see :func:`call`."""
    ask: Any = {"model": "m", "messages": [{"role": "user", "content": f"{what} {number}"}]}
    create = client.chat.completions.create
    if what in ("create", "retried", "limited"):
        check((await create(**ask)).text, f'{{"number": {number}}}')
    elif what == "parse":
        parsed = await client.chat.completions.parse(**ask, response_format=Answer)
        check(parsed.choices[0].message.parsed.number, number)
    elif what == "stream":
        texts = [chunk.text async for chunk in await create(**ask, stream=True)]
        check("".join(texts), "".join(words(number)))
    elif what == "events":
        async with client.chat.completions.stream(**ask) as events:
            check((await events.get_final_completion()).text, "".join(words(number)))
    elif what == "dropped":
        check((await anext(await create(**ask, stream=True))).text, words(number)[0])
    elif what == "left":
        async with await create(**ask, stream=True) as stream:
            check((await anext(stream)).text, words(number)[0])
    elif what == "cancelled":
        reading = asyncio.ensure_future(read(await create(**ask, stream=True)))
        await asyncio.sleep(0.1)
        reading.cancel()
        await afails(asyncio.CancelledError, reading)
    elif what == "reset":
        await afails(APIConnectionError, create(**ask, max_retries=0))
    elif what == "cut":
        await afails(IncompleteStreamError, read(await create(**ask, stream=True)))
    else:
        await afails(APITimeoutError, create(**ask, timeout=SHORT, max_retries=0))


async def read(stream: Any) -> None:
    """Read a stream to its end."""
    async for _ in stream:
        pass


def check(found: object, expected: object) -> None:
    """Compare two values as texts.

    Raises:
        AssertionError: They differ.
    """
    if str(found) != str(expected):
        raise AssertionError(f"{found!r} is not {expected!r}")


def fails(kind: type[BaseException], work: Callable[[], object]) -> None:
    """Check that some work fails as it should.

    Raises:
        AssertionError: It does not.
    """
    try:
        work()
    except kind:
        return
    raise AssertionError(f"there was no {kind.__name__}")


async def afails(kind: type[BaseException], work: Awaitable[object]) -> None:
    """Check that some work fails as it should; see :func:`fails`."""
    try:
        await work
    except kind:
        return
    raise AssertionError(f"there was no {kind.__name__}")


def sample(start: float, load: Load) -> Sample:
    """Return what the process takes now. It is for Linux, where /proc says so."""
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return Sample(
        time.monotonic() - start,
        sum(load.counts.values()),
        pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20),
        len(os.listdir("/proc/self/fd")),
        threading.active_count(),
        len(gc.get_objects()),
    )


def samples(load: Load, seconds: float, every: float) -> Iterator[Sample]:
    """Yield a sample now and then, until the time is over or something is wrong."""
    start = time.monotonic()
    while time.monotonic() < start + seconds and not load.wrong:
        time.sleep(every)
        yield sample(start, load)
