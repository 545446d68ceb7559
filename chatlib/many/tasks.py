"""Concurrent requests in asyncio tasks."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
)
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, overload

from chatlib.http import is_omitted, omit, running_loop
from chatlib.many.jobs import Job
from chatlib.many.result import Result
from chatlib.many.scheduler import ManyOptions, Scheduler

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from chatlib.client.async_openai import AsyncOpenAI
    from chatlib.types.completion import ChatCompletion
    from chatlib.types.parsed import ParsedChatCompletion

T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

Requests: TypeAlias = "Iterable[Mapping[str, object]] | AsyncIterable[Mapping[str, object]]"

_END: Any = object()


class AsyncResults(Generic[R_co]):
    """The results of :func:`arun_many`, as an async iterator.

    Nothing is sent before the first iteration. :meth:`aclose` and the end of an ``async with``
    block start no further requests, cancel running ones, and wait for them. Dropping the iterator,
    by a ``break`` for example, does the same without waiting.
    """

    def __init__(self, scheduler: Scheduler, requests: Requests) -> None:
        self._scheduler = scheduler
        self._items = _results(scheduler, requests)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Result[R_co]:
        return await anext(self._items)

    async def aclose(self) -> None:
        """Cancel running requests and close the file. May be called repeatedly."""
        self._scheduler.window.ended = True
        try:
            await self._items.aclose()
        except RuntimeError:  # another task is iterating, and will end the run
            return
        self._scheduler.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if hasattr(self, "_items"):
            self._scheduler.release()


@overload
def arun_many(
    client: AsyncOpenAI,
    requests: Requests,
    *,
    response_format: type[T],
    **options: Unpack[ManyOptions],
) -> AsyncResults[ParsedChatCompletion[T]]: ...


@overload
def arun_many(
    client: object,
    requests: Requests,
    *,
    call: Callable[..., Awaitable[R]],
    **options: Unpack[ManyOptions],
) -> AsyncResults[R]: ...


@overload
def arun_many(
    client: AsyncOpenAI,
    requests: Requests,
    **options: Unpack[ManyOptions],
) -> AsyncResults[ChatCompletion]: ...


def arun_many(
    client: Any,
    requests: Requests,
    *,
    call: Callable[..., Awaitable[Any]] | None = None,
    response_format: Any = omit,
    **options: Unpack[ManyOptions],
) -> AsyncResults[Any]:
    """Make many requests concurrently; the async form of :func:`~chatlib.many.threads.run_many`.

    Args:
        client: The async client.
        requests: As for :func:`~chatlib.many.threads.run_many`, or an async iterable.
        call: An async function that is called with the parameters of each request. By default
            ``client.chat.completions.create``, or ``parse`` if ``response_format`` is a type.
        response_format: The response format of requests without one of their own.
        **options: See :class:`~chatlib.many.scheduler.ManyOptions`.

    Returns:
        An async iterator of results.

    Raises:
        TypeError: If ``requests`` is not an iterable of dicts.
        ValueError: If an option is invalid, or the results file contains anything else.
        OpenAIError: If another run is writing to the results file.
        ImportError: If ``progress`` is set and ``rich`` is not installed.
    """
    shared = {"response_format": response_format} if not is_omitted(response_format) else {}
    return AsyncResults(Scheduler(client, requests, call, shared, **options), requests)


async def _results(scheduler: Scheduler, requests: Requests) -> AsyncGenerator[Result[Any], None]:
    running_loop()
    window = scheduler.window
    ended: asyncio.Queue[asyncio.Task[Any]] = asyncio.Queue()
    tasks: set[asyncio.Task[Any]] = set()
    taking: asyncio.Task[Any] | None = None

    def begin(work: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(ended.put_nowait)
        return task

    def take(request: Any) -> None:
        if request is _END:
            window.ended = True
        elif (job := scheduler.take(request)) is not None:
            begin(_perform(scheduler, job))

    async def wait() -> None:
        nonlocal taking
        task = await ended.get()
        tasks.discard(task)
        if task is taking:
            taking = None
            take(task.result())
        else:
            scheduler.finish(task.result())

    try:
        scheduler.start()
        later = aiter(requests) if isinstance(requests, AsyncIterable) else None
        now = iter(requests) if not isinstance(requests, AsyncIterable) else None
        while True:
            while not ended.empty():
                await wait()
            while taking is None and window.can_start():
                if later is not None:
                    taking = begin(_next(later))
                elif now is not None:
                    take(next(now, _END))
            if (result := window.pop()) is not None:
                yield result
            elif tasks:
                await wait()
            else:
                return
    finally:
        try:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            scheduler.close()


async def _next(requests: AsyncIterator[Any]) -> Any:
    return await anext(requests, _END)


async def _perform(scheduler: Scheduler, job: Job) -> Result[Any]:
    try:
        answer = scheduler.call(**job.params)
        awaited = isinstance(answer, Awaitable)
        if awaited:
            answer = await answer
    except Exception as error:
        return scheduler.record_error(job, error)
    if not awaited:
        raise TypeError("the call is synchronous and returned no awaitable: use run_many()")
    return scheduler.record_answer(job, answer)
