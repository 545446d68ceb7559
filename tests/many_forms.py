"""Both forms of many requests at once behind one face, so that each test is written once.

A test is a coroutine. Over threads, nothing in it ever waits for an event loop: its gates block,
and it runs to its end in one step.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from chatlib import (
    AsyncOpenAI,
    HttpRequest,
    HttpResponse,
    OpenAI,
    Result,
    Results,
    arun_many,
    run_many,
)
from chatlib.testing import InMemoryServer, answer


def ask(content: str, **more: Any) -> dict[str, Any]:
    """A request."""
    return {"model": "m", "messages": [{"role": "user", "content": content}], **more}


def content_of(request: HttpRequest) -> str:
    """What a request asks."""
    return str(request.json()["messages"][-1]["content"])


def echo(request: HttpRequest) -> HttpResponse:
    """The reply that says what was asked."""
    return answer(f"re: {content_of(request)}")(request)


def echoing(*replies: Any) -> tuple[OpenAI, InMemoryServer]:
    """A client and its server, which answers with what it was asked, after the replies given."""
    server = InMemoryServer(*replies, default=echo)
    return OpenAI(api_key="k", transport=server, sleep=lambda seconds: None), server


def asked(server: InMemoryServer) -> list[str]:
    """What a server was asked, in order."""
    return [content_of(request) for request in server.requests]


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of results."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def descriptors(path: Path) -> list[str]:
    """The descriptors of this process that are open on a file, where the system tells."""
    found = []
    for fd in Path("/proc/self/fd").iterdir() if Path("/proc/self/fd").exists() else ():
        try:
            target = os.readlink(fd)
        except OSError:
            continue
        if target.startswith(str(path)):
            found.append(target)
    return found


class Blocking:
    """A gate that blocks the thread which waits for it."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.open = self._event.set

    async def wait(self) -> None:
        """Until it is opened."""
        assert self._event.wait(20)


class Gate:
    """A gate that a task waits for."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.open = self._event.set

    async def wait(self) -> None:
        """Until it is opened."""
        await asyncio.wait_for(self._event.wait(), 20)


class Iterated:
    """Synchronous results, seen as asynchronous ones."""

    def __init__(self, results: Results[Any]) -> None:
        self._results = results

    def __aiter__(self) -> AsyncIterator[Result[Any]]:
        return self

    async def __anext__(self) -> Result[Any]:
        try:
            return next(self._results)
        except StopIteration:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        self._results.close()


class Threads:
    """``run_many``."""

    waits_for_what_runs = True

    def go(self, test: Coroutine[Any, Any, Any]) -> Any:
        try:
            test.send(None)
        except StopIteration as end:
            return end.value
        raise AssertionError("a test over threads awaited something")

    def many(self, client: Any, requests: Any, *, call: Any = None, **options: Any) -> Any:
        if call is not None:
            options["call"] = lambda **params: self.go(call(**params))
        return Iterated(run_many(client, requests, **options))

    def gate(self) -> Blocking:
        return Blocking()

    async def settle(self) -> None:
        """Nothing goes on in the background."""

    def running(self) -> int:
        """How many requests of this process run."""
        return sum(thread.name.startswith("chatlib-many") for thread in threading.enumerate())


def awaited(client: OpenAI) -> AsyncOpenAI:
    """A client like one, that is awaited."""
    return AsyncOpenAI(
        api_key="k", transport=client.transport, max_retries=client.max_retries, sleep=no_sleep
    )


def no_sleep(seconds: float) -> None:
    """Waits not at all."""


class Tasks:
    """``arun_many``."""

    waits_for_what_runs = False

    def go(self, test: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(test)

    def many(self, client: Any, requests: Any, **options: Any) -> Any:
        return arun_many(client and awaited(client), requests, **options)

    def gate(self) -> Gate:
        return Gate()

    async def settle(self) -> None:
        """Let the event loop do what it was told to."""
        for _ in range(10):
            await asyncio.sleep(0)

    def running(self) -> int:
        """How many requests of this event loop run."""
        return len(asyncio.all_tasks()) - 1


FORMS = [pytest.param(Threads(), id="threads"), pytest.param(Tasks(), id="tasks")]


def both(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test over threads, and over tasks."""

    @pytest.mark.parametrize("form", FORMS)
    @functools.wraps(test)
    def run(form: Any, **fixtures: Any) -> None:
        form.go(test(form, **fixtures))

    return run


async def collect(results: Any, most: int | None = None) -> list[Result[Any]]:
    """The results, or the first of them; then they are closed."""
    found: list[Result[Any]] = []
    async for result in results:
        found.append(result)
        if most is not None and len(found) == most:
            break
    await results.aclose()
    return found
