"""Many requests at once, each in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from chatlib.client.closing import Closing
from chatlib.http import omit
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
    """What :func:`run_many` returns: iterate it for results as they come.

    Nothing is sent before the first one is asked for. :meth:`close` and the end of a ``with`` start
    no further request and wait for those that run: they are paid for, and their results are written
    to the file. Dropping it (a ``break``, that is) does the same without waiting: the results are
    written as they come, and the end of the program waits a few seconds for them. An interrupt
    waits for nothing.
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
        """Stop; wait for the requests that run; close the file. May be called again."""
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
        elif issubclass(kind, GeneratorExit):  # which may come of a finalizer
            self.__del__()
        elif self._stop():
            self._workers.abandon()
            self._scheduler.close()

    def __del__(self) -> None:
        # It must wait for nothing.
        if hasattr(self, "_items") and self._stop():
            self._workers.release()

    def _stop(self) -> bool:
        """Begin nothing any more; False where another thread iterates, and so will end the run."""
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
    """Make many requests, some at once, and give the result of each.

    A request that fails is a result with an error. What is no failure of a request passes at once:
    ``KeyboardInterrupt`` and the like, and what the iterable of requests raises.

    Args:
        client: A client, which threads may share.
        requests: The parameters of each call, with a ``custom_id`` among them if it has one; or
            lines of an input file of the Batch API. They are taken one by one, in the thread that
            iterates the results, as there is room for them.
        call: What is called with the parameters of each request. ``client.chat.completions.create``
            unless given, or ``parse``, where the ``response_format`` is a type.
        response_format: Of the requests that have none of their own.
        options: How many at once, in which order, to which file: see
            :class:`~chatlib.many.scheduler.ManyOptions`.

    Raises:
        ValueError: an option, or the file of results, is not what it should be.
        OpenAIError: another run writes the same file.
        ImportError: a progress bar is asked for, and ``rich`` is not installed.

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
    shared = {"response_format": response_format} if response_format is not omit else {}
    return Results(Scheduler(client, requests, call, shared, **options), requests)


class _Workers:
    """The threads of a run, one for each request."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._ended: SimpleQueue[tuple[int, Result[Any] | BaseException]] = SimpleQueue()
        self._threads: dict[int, threading.Thread] = {}
        # Which of them have not ended: no lock guards it, as each operation on it is atomic.
        self._busy: set[int] = set()
        self._is_released = False

    def start(self, job: Job) -> None:
        """Make a request, in a thread of its own."""
        # A daemon, so that no call can keep a program from ending.
        name = f"chatlib-many-{job.index}"
        thread = threading.Thread(target=self._work, args=(job,), name=name, daemon=True)
        self._busy.add(job.index)
        self._threads[job.index] = thread
        try:
            thread.start()
        except RuntimeError:  # the system starts no more threads
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
        """Whether :meth:`next_finished` would not wait."""
        return not self._ended.empty()

    def next_finished(self) -> Result[Any]:
        """The result of the next request that has ended.

        Raises:
            BaseException: what is no failure of a request.
        """
        index, outcome = self._ended.get()
        self._threads.pop(index).join()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def wait(self) -> None:
        """Wait until all have ended."""
        while self._threads:
            self._threads.popitem()[1].join()

    def abandon(self) -> None:
        """Leave the threads to themselves; what they still bring is lost."""
        self._threads.clear()

    def release(self) -> None:
        """Have the last of the threads close the file, without waiting."""
        self._is_released = True
        self._scheduler.release(self._threads.values())
        self._release_if_done()

    def _release_if_done(self) -> None:
        # Noted before it is looked at, both here and there: so one of two threads closes the file.
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
    except GeneratorExit:  # whoever closed or dropped the results sees to what runs
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
        raise TypeError("the call is asynchronous, and gives no answer here: use arun_many()")
    return scheduler.record_answer(job, answer)
