"""What both forms of a run obey: their options, and what is done with each request and result."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Mapping, Sized
from typing import Any, TypedDict

from chatlib.errors import APIResponseValidationError
from chatlib.many.jobs import Job, JobFactory
from chatlib.many.progress import make_progress_bar
from chatlib.many.result import Result
from chatlib.many.result_lines import answer_line, error_line, read_line
from chatlib.many.results_file import ResultsFile
from chatlib.many.window import ResultWindow
from chatlib.structured.completions import is_typed


class ManyOptions(TypedDict, total=False):
    """How many requests are made.

    Parameters:
        concurrency: How many run at once; 8 unless given.
        ordered: True, unless given: the results come in the order of the requests. False: as soon
            as they are there.
        results: The path of a file. Each result is written to it as it comes; what stands in it
            already is not asked again.
        retry_failed: True, unless given: requests whose error stands in the file are made again.
            False: their errors are results like others.
        fsync: True: a result is on the disk before it is handed over. False, unless given: a
            process that is killed loses nothing, but a machine that loses its power may lose what
            came last.
        progress: True: show a progress bar, where the standard error is a terminal.
    """

    concurrency: int
    ordered: bool
    results: str | os.PathLike[str] | None
    retry_failed: bool
    fsync: bool
    progress: bool


class Scheduler:
    """A run that is about to be made, or is being made.

    Args:
        client: Whose ``chat.completions.create`` is called, or ``parse``, where the answer shall
            have a type.
        requests: What is asked; only its length is looked at, where it has one.
        call: What is called instead, with the parameters of each request.
        shared: Parameters of all requests.
        options: See :class:`ManyOptions`.
    """

    def __init__(
        self,
        client: Any,
        requests: object,
        call: Callable[..., Any] | None,
        shared: Mapping[str, Any],
        *,
        concurrency: int = 8,
        ordered: bool = True,
        results: str | os.PathLike[str] | None = None,
        retry_failed: bool = True,
        fsync: bool = False,
        progress: bool = False,
    ) -> None:
        if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
            raise ValueError(f"concurrency is {concurrency!r}; it must be a number above 0")
        if isinstance(requests, (str, bytes, Mapping)):
            raise TypeError(
                f"requests is a {type(requests).__name__}; it must be an iterable of dicts"
            )
        self.call = call if call is not None else default_call(client)
        self.window: ResultWindow[Result[Any]] = ResultWindow(concurrency, ordered=ordered)
        self._jobs = JobFactory(shared)
        total = len(requests) if isinstance(requests, Sized) else None
        self._progress = make_progress_bar(total) if progress else None
        self._file = (
            ResultsFile(results, retry_failed=retry_failed, fsync=fsync)
            if results is not None
            else None
        )

    def start(self) -> None:
        """The first result is asked for."""
        if self._progress is not None:
            self._progress.start()

    def take(self, request: Mapping[str, object]) -> Job | None:
        """What is to be done about a request; None where its result stands in the file.

        Raises:
            TypeError, ValueError: the request can't be told from others.
        """
        job = self._jobs.create(request)
        self.window.start()
        line = self._file.find(job) if self._file is not None else None
        if line is None:
            return job
        answer, error = read_line(line, job.params)
        self.finish(_result(job, error, answer, resumed=True))
        return None

    def record_answer(self, job: Job, answer: Any) -> Result[Any]:
        """The result of a call that returned. It is in the file when this returns.

        An answer that can't be written, as it is nested too deeply, say, is a failed request; and
        its error stands in the file.
        """
        if self._file is not None:
            try:
                line = answer_line(job, answer)
            except APIResponseValidationError as error:
                return self.record_error(job, error)
            self._file.append(line)
        return _result(job, None, answer)

    def record_error(self, job: Job, error: Exception) -> Result[Any]:
        """The result of a call that raised. It is in the file when this returns."""
        if self._file is not None:
            self._file.append(error_line(job, error))
        return _result(job, error, None)

    def finish(self, result: Result[Any]) -> None:
        """A result has come, and waits for its turn."""
        self.window.finish(result.index, result)
        if self._progress is not None:
            self._progress.count(result)

    def close(self) -> None:
        """Close the file and the bar. May be called again."""
        try:
            if self._progress is not None:
                self._progress.close()
        finally:
            if self._file is not None:
                self._file.close()

    def release(self, writers: Collection[threading.Thread] = ()) -> None:
        """:meth:`close`, from a finalizer: it waits for nothing.

        Args:
            writers: The threads that will still write results, the last of which calls this again.
        """
        if self._progress is not None:
            self._progress.release()
        if self._file is not None:
            if writers:
                self._file.close_after(writers)
            else:
                self._file.close()


def _result(
    job: Job, error: Exception | None, answer: Any, *, resumed: bool = False
) -> Result[Any]:
    return Result(
        job.index, job.custom_id, error, resumed=resumed, params=job.params, answer=answer
    )


def default_call(client: Any) -> Callable[..., Any]:
    """What is called for each request: ``create``, or ``parse`` for an answer with a type."""
    completions = client.chat.completions

    def call(**params: Any) -> Any:
        if params.get("stream"):
            raise TypeError("stream=True gives pieces, and a result is a whole answer")
        if is_typed(params.get("response_format")):
            return completions.parse(**params)
        return completions.create(**params)

    return call
