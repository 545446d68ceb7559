"""Both faces of the library, so that one test holds for both: the asynchronous one, made to wait.

:func:`blocking` wraps a client, and all that it gives: what is awaited is waited for, by a loop on
a thread of its own. So ``async with`` becomes ``with``, and ``async for`` becomes ``for``.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar, cast

import chatlib

T = TypeVar("T")

LONGEST = 60.0
"""The seconds that a test waits for a thread, a task or a loop."""


class LoopThread:
    """An event loop on a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Awaitable[T]) -> T:
        """Wait for some work; what it raises is raised here."""

        raised: list[BaseException] = []

        async def main() -> T | None:
            try:
                return await work
            except BaseException as error:  # an interrupt would end the loop
                raised.append(error)
                return None

        running = asyncio.run_coroutine_threadsafe(main(), self.loop)
        try:
            result = running.result(LONGEST)
        except BaseException:
            running.cancel()
            raise
        if raised:
            raise raised[0]
        return cast("T", result)

    def close(self) -> None:
        """End the loop, and see that no task is left."""
        left = self.run(_tasks())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(LONGEST)
        self.loop.close()
        assert not left, left


async def _tasks() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]


@lru_cache(maxsize=1)
def loop() -> LoopThread:
    """The loop of all tests of this process."""
    return LoopThread()


class Blocking:
    """Something asynchronous, made to wait."""

    def __init__(self, target: Any) -> None:
        self.target = target

    def __getattr__(self, name: str) -> Any:
        return blocking(getattr(self.target, name))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result = self.target(*args, **kwargs)
        awaited = inspect.isawaitable(result) and not isinstance(result, chatlib.AsyncPaginator)
        return blocking(loop().run(result) if awaited else result)

    def first(self) -> Any:
        """What awaiting it gives."""
        return blocking(loop().run(self.target))

    def __enter__(self) -> Any:
        return blocking(loop().run(self.target.__aenter__()))

    def __exit__(self, *how: Any) -> None:
        loop().run(self.target.__aexit__(*how))

    def __iter__(self) -> Iterator[Any]:
        return Blocking(aiter(self.target))

    def __next__(self) -> Any:
        try:
            return blocking(loop().run(anext(self.target)))
        except StopAsyncIteration:
            raise StopIteration from None

    def __repr__(self) -> str:
        return repr(self.target)


def blocking(value: Any) -> Any:
    """A value, made to wait where it is asynchronous."""
    if isinstance(value, Blocking):
        return value
    home = getattr(type(value), "__module__", "")
    asynchronous = home.startswith("chatlib.client.async") or any(
        hasattr(value, name) for name in ("__anext__", "__aenter__", "__await__", "get_next_page")
    )
    if inspect.ismethod(value) or inspect.isfunction(value):
        owner = getattr(value, "__self__", None)
        asynchronous = owner is None or isinstance(blocking(owner), Blocking)
    if isinstance(value, (chatlib.HttpResponse, chatlib.SyncCursorPage)):
        return value
    return Blocking(value) if asynchronous else value


class Face:
    """One of the two faces: clients made here behave alike."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._stack = contextlib.ExitStack()

    @property
    def is_async(self) -> bool:
        """Whether it is the asynchronous one, made to wait."""
        return self.name == "async"

    def client(self, *, azure: bool = False, **settings: Any) -> Any:
        """A client."""
        settings = {"api_key": "sk-secret", **settings}
        kind = "AzureOpenAI" if azure else "OpenAI"
        made = getattr(chatlib, f"Async{kind}" if self.is_async else kind)(**settings)
        return self._entered(made)

    def wrap(self, value: Any) -> Any:
        """Something that a client gave, made to wait where it must."""
        return blocking(value) if self.is_async else value

    def page(self, listed: Any) -> Any:
        """The first page of what ``list()`` returned."""
        return listed.first() if self.is_async else listed

    def _entered(self, client: Any) -> Any:
        return self._stack.enter_context(blocking(client) if self.is_async else client)

    def close(self) -> None:
        """Close the clients."""
        self._stack.close()


now = Face("sync")
"""The face of the test that runs now: set by the fixture ``face``."""


def client(**settings: Any) -> Any:
    """A client of the face of this test."""
    return now.client(**settings)


def run_threads(threads: Sequence[threading.Thread], seconds: float = LONGEST) -> None:
    """Start some threads, and require that all end in time."""
    for thread in threads:
        thread.daemon = True  # the program must not wait for one that hangs
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0))
    assert [] == [thread for thread in threads if thread.is_alive()]


def wait_for(condition: Callable[[], object], seconds: float = 5.0) -> bool:
    """Whether something comes true in time: what a thread does in its own."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def wrap(value: Any) -> Any:
    """Something that a client gave, made to wait where it must."""
    return now.wrap(value)


def unwrap(value: Any) -> Any:
    """The thing itself."""
    return value.target if isinstance(value, Blocking) else value
