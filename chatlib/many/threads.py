"""Many requests at once, each in a thread of its own."""

from __future__ import annotations

import sys
import threading
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from chatlib._omit import omit
from chatlib.client.closing import Closing
from chatlib.many.asked import Job
from chatlib.many.plan import ManyOptions, Plan
from chatlib.many.result import Result

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from chatlib.client.client import OpenAI
    from chatlib.types.completion import ChatCompletion
    from chatlib.types.parsed import ParsedChatCompletion

T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

_END: Any = object()


class Results(Closing, Generic[R_co]):
    """What :func:`run_many` returns: iterate it for results as they come.

    Nothing is sent before the first one is asked for. :meth:`close`, the end of a ``with``, and
    dropping it (a ``break``, that is) start no further request and wait for those that run: they
    are paid for, and their results are written to the file.
    """

    def __init__(self, plan: Plan, requests: Iterable[Mapping[str, object]]) -> None:
        self._plan = plan
        self._items = _results(plan, requests)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Result[R_co]:
        return next(self._items)

    def close(self) -> None:
        """Stop; wait for the requests that run; close the file. May be called again."""
        self._plan.flow.ended = True
        try:
            self._items.close()
        except ValueError:  # another thread iterates it; nothing begins any more, and it ends there
            return
        self._plan.close()

    def __del__(self) -> None:
        if hasattr(self, "_items"):
            self.close()


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
            :class:`~chatlib.many.plan.ManyOptions`.

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
    return Results(Plan(client, requests, call, shared, **options), requests)


def _results(
    plan: Plan, requests: Iterable[Mapping[str, object]]
) -> Generator[Result[Any], None, None]:
    flow = plan.flow
    ended: SimpleQueue[tuple[int, Result[Any] | BaseException]] = SimpleQueue()
    threads: dict[int, threading.Thread] = {}

    def work(job: Job) -> None:
        try:
            ended.put((job.index, _perform(plan, job)))
        except BaseException as error:
            ended.put((job.index, error))

    def wait() -> None:
        index, outcome = ended.get()
        threads.pop(index).join()
        if isinstance(outcome, BaseException):
            raise outcome
        plan.finish(outcome)

    at_once = True
    try:
        plan.start()
        source = iter(requests)
        while True:
            while not ended.empty():
                wait()
            while flow.may_begin():
                request = next(source, _END)
                if request is _END:
                    flow.ended = True
                elif (job := plan.take(request)) is not None:
                    # A daemon, so that no call can keep a program from ending.
                    name = f"chatlib-many-{job.index}"
                    thread = threading.Thread(target=work, args=(job,), name=name, daemon=True)
                    thread.start()
                    threads[job.index] = thread
            if (result := flow.pop()) is not None:
                yield result
            elif flow.running:
                wait()
            else:
                return
    except (Exception, GeneratorExit):
        at_once = False
        raise
    finally:
        try:
            # Threads do not go on when the interpreter has begun to end: nobody may wait for them.
            while threads and not at_once and not sys.is_finalizing():
                threads.popitem()[1].join()
        finally:
            plan.close()


def _perform(plan: Plan, job: Job) -> Result[Any]:
    try:
        answer = plan.call(**job.params)
    except Exception as error:
        return plan.failed(job, error)
    if isinstance(answer, Awaitable):
        getattr(answer, "close", lambda: None)()
        raise TypeError("the call is asynchronous, and gives no answer here: use arun_many()")
    return plan.answered(job, answer)
