"""Concurrent requests, each in its own thread."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from chatlib.client.closing import Closing
from chatlib.http import is_omitted, omit
from chatlib.many.jobs import Job
from chatlib.many.result import Result
from chatlib.many.scheduler import ManyOptions, Scheduler

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from chatlib.client.openai import OpenAI
    from chatlib.types.completion import ChatCompletion
    from chatlib.types.parsed import ParsedChatCompletion

T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

_END: Any = object()


class Results(Closing, Generic[R_co]):
    """The results of :func:`run_many`, as an iterator.

    Nothing is sent before the first iteration. :meth:`close` and the end of a ``with`` block start
    no further requests and wait for running ones, whose results are written to the file. Dropping
    the iterator, by a ``break`` for example, does not wait: the results are written in the
    background, and the end of the program waits a few seconds for them. An interrupt such as
    KeyboardInterrupt does not wait at all.
    """

    def __init__(self, scheduler: Scheduler, requests: Iterable[Mapping[str, object]]) -> None:
        self._scheduler = scheduler
        self._workers = _Workers(scheduler)
        self._items = _results(scheduler, self._workers, requests)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Result[R_co]:
        return next(self._items)

    def close(self) -> None:
        """Wait for running requests and close the file. May be called repeatedly."""
        if self._stop():
            try:
                self._workers.wait()
            finally:
                self._scheduler.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None or issubclass(kind, Exception):
            self.close()
        elif issubclass(kind, GeneratorExit):  # may be raised in a finalizer
            self.__del__()
        elif self._stop():
            self._workers.abandon()
            self._scheduler.close()

    def __del__(self) -> None:
        # A finalizer must not wait.
        if hasattr(self, "_items") and self._stop():
            self._workers.release()

    def _stop(self) -> bool:
        """Start no further requests; return False if another thread iterates and ends the run."""
        self._scheduler.window.ended = True
        try:
            self._items.close()
        except ValueError:
            return False
        return True


@overload
def run_many(
    client: OpenAI,
    requests: Iterable[Mapping[str, object]],
    *,
    response_format: type[T],
    **options: Unpack[ManyOptions],
) -> Results[ParsedChatCompletion[T]]: ...


@overload
def run_many(
    client: object,
    requests: Iterable[Mapping[str, object]],
    *,
    call: Callable[..., R],
    **options: Unpack[ManyOptions],
) -> Results[R]: ...


@overload
def run_many(
    client: OpenAI,
    requests: Iterable[Mapping[str, object]],
    **options: Unpack[ManyOptions],
) -> Results[ChatCompletion]: ...


def run_many(
    client: Any,
    requests: Iterable[Mapping[str, object]],
    *,
    call: Callable[..., Any] | None = None,
    response_format: Any = omit,
    **options: Unpack[ManyOptions],
) -> Results[Any]:
    """Make many requests concurrently and return an iterator of their results.

    A failed request is a result with an error. Other exceptions are raised while iterating:
    ``KeyboardInterrupt`` and the like, and exceptions of the iterable of requests.

    Args:
        client: The client; it is used by several threads.
        requests: Dicts of the parameters of each call, optionally with a ``custom_id``, or lines
            of an input file of the Batch API. They are consumed lazily, in the thread that iterates
            over the results.
        call: A function that is called with the parameters of each request. By default
            ``client.chat.completions.create``, or ``parse`` if ``response_format`` is a type.
        response_format: The response format of requests without one of their own.
        **options: See :class:`~chatlib.many.scheduler.ManyOptions`.

    Returns:
        An iterator of results, which is a context manager too.

    Raises:
        TypeError: If ``requests`` is not an iterable of dicts.
        ValueError: If an option is invalid, or the results file contains anything else.
        OpenAIError: If another run is writing to the results file.
        ImportError: If ``progress`` is set and ``rich`` is not installed.

    >>> from chatlib import OpenAI
    >>> from chatlib.testing import InMemoryServer, error
    >>> server = InMemoryServer("Paris", error(400, "no"))
    >>> client = OpenAI(api_key="test", transport=server)
    >>> ask = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    >>> for result in run_many(client, [ask, ask], concurrency=1):
    ...     print(result.index, result.error or result.completion.text)
    0 Paris
    1 Error code: 400 - no
    """
    shared = {"response_format": response_format} if not is_omitted(response_format) else {}
    return Results(Scheduler(client, requests, call, shared, **options), requests)


class _Workers:
    """The threads of a run, one for each request."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._ended: SimpleQueue[tuple[int, Result[Any] | BaseException]] = SimpleQueue()
        self._threads: dict[int, threading.Thread] = {}
        # The running ones. No lock: each operation on the set is atomic.
        self._busy: set[int] = set()
        self._is_released = False

    def start(self, job: Job) -> None:
        """Start the thread of a request."""
        # A daemon thread, so that no call keeps the program from exiting.
        name = f"chatlib-many-{job.index}"
        thread = threading.Thread(target=self._work, args=(job,), name=name, daemon=True)
        self._busy.add(job.index)
        self._threads[job.index] = thread
        try:
            thread.start()
        except RuntimeError:  # the system cannot start more threads
            self._busy.discard(job.index)
            del self._threads[job.index]
            raise

    def _work(self, job: Job) -> None:
        try:
            self._ended.put((job.index, _perform(self._scheduler, job)))
        except BaseException as error:
            self._ended.put((job.index, error))
        self._busy.discard(job.index)
        self._release_if_done()

    def has_finished(self) -> bool:
        """Return whether :meth:`next_finished` returns without waiting."""
        return not self._ended.empty()

    def next_finished(self) -> Result[Any]:
        """Wait for the next finished request and return its result.

        Raises:
            BaseException: An exception that is not a failed request.
        """
        index, outcome = self._ended.get()
        self._threads.pop(index).join()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def wait(self) -> None:
        """Wait for all threads."""
        while self._threads:
            self._threads.popitem()[1].join()

    def abandon(self) -> None:
        """Stop tracking the threads; their results are lost."""
        self._threads.clear()

    def release(self) -> None:
        """Let the last thread close the file, without waiting."""
        self._is_released = True
        self._scheduler.release(self._threads.values())
        self._release_if_done()

    def _release_if_done(self) -> None:
        # Each side sets its flag before it reads the other, so one of them closes the file.
        if self._is_released and not self._busy:
            self._scheduler.release()


def _results(
    scheduler: Scheduler, workers: _Workers, requests: Iterable[Mapping[str, object]]
) -> Generator[Result[Any], None, None]:
    window = scheduler.window
    try:
        scheduler.start()
        source = iter(requests)
        while True:
            while workers.has_finished():
                scheduler.finish(workers.next_finished())
            while window.can_start():
                request = next(source, _END)
                if request is _END:
                    window.ended = True
                elif (job := scheduler.take(request)) is not None:
                    workers.start(job)
            if (result := window.pop()) is not None:
                yield result
            elif window.running:
                scheduler.finish(workers.next_finished())
            else:
                break
    except GeneratorExit:  # close() or the finalizer handles running requests
        return
    except BaseException as error:
        try:
            if isinstance(error, Exception):
                workers.wait()
            else:
                workers.abandon()
        finally:
            scheduler.close()
        raise
    scheduler.close()


def _perform(scheduler: Scheduler, job: Job) -> Result[Any]:
    try:
        answer = scheduler.call(**job.params)
    except Exception as error:
        return scheduler.record_error(job, error)
    if isinstance(answer, Awaitable):
        getattr(answer, "close", lambda: None)()
        raise TypeError("the call is asynchronous and returned an awaitable: use arun_many()")
    return scheduler.record_answer(job, answer)
