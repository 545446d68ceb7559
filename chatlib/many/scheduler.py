"""The options of a run, and what both loops do with each request and result."""

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
    """Options of :func:`chatlib.run_many` and :func:`chatlib.arun_many`.

    Parameters:
        concurrency: The maximum number of concurrent requests (default 8).
        ordered: Whether to return results in the order of the requests (default), or as they
            complete.
        results: The path of a results file. Each result is appended to it; requests with a result
            in the file are not sent again.
        retry_failed: Whether to send requests again whose result in the file is an error (default).
            If False, their errors are returned.
        fsync: Whether to flush each result to the disk before it is returned. By default, a power
            failure may lose the last results; a killed process loses none.
        progress: Whether to show a progress bar if stderr is a terminal.
    """

    concurrency: int
    ordered: bool
    results: str | os.PathLike[str] | None
    retry_failed: bool
    fsync: bool
    progress: bool


class Scheduler:
    """The state of a run, shared by the synchronous and the asynchronous loop.

    Args:
        client: The client whose ``chat.completions.create`` (or ``parse``, for a response format
            that is a type) is called.
        requests: The requests; only its length is used here, if it has one.
        call: A function to call instead, with the parameters of each request.
        shared: Parameters of all requests.
        concurrency: See :class:`ManyOptions`, as for the others.
        ordered: See :class:`ManyOptions`.
        results: See :class:`ManyOptions`.
        retry_failed: See :class:`ManyOptions`.
        fsync: See :class:`ManyOptions`.
        progress: See :class:`ManyOptions`.
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
            raise ValueError(f"concurrency must be a positive int, not {concurrency!r}")
        if isinstance(requests, (str, bytes, Mapping)):
            raise TypeError(f"requests must be an iterable of dicts, not {type(requests).__name__}")
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
        """Start the run: show the progress bar."""
        if self._progress is not None:
            self._progress.start()

    def take(self, request: Mapping[str, object]) -> Job | None:
        """Return the job of a request, or None if its result is in the file.

        Raises:
            TypeError: If the request or its ``custom_id`` has the wrong type.
            ValueError: If its ``custom_id`` is not unique.
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
        """Write the answer of a call to the file and return its result.

        An answer that cannot be encoded, because it is nested too deeply for example, is an error.
        """
        if self._file is not None:
            try:
                line = answer_line(job, answer)
            except APIResponseValidationError as error:
                return self.record_error(job, error)
            self._file.append(line)
        return _result(job, None, answer)

    def record_error(self, job: Job, error: Exception) -> Result[Any]:
        """Write the exception of a call to the file and return its result."""
        if self._file is not None:
            self._file.append(error_line(job, error))
        return _result(job, error, None)

    def finish(self, result: Result[Any]) -> None:
        """Add a result to the window."""
        self.window.finish(result.index, result)
        if self._progress is not None:
            self._progress.count(result)

    def close(self) -> None:
        """Close the file and the progress bar. May be called repeatedly."""
        try:
            if self._progress is not None:
                self._progress.close()
        finally:
            if self._file is not None:
                self._file.close()

    def release(self, writers: Collection[threading.Thread] = ()) -> None:
        """Close the file and the progress bar from a finalizer, without waiting.

        Args:
            writers: The threads that will still write results; the last one calls this again.
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
    """Return the default call: ``create``, or ``parse`` for a response format that is a type."""
    completions = client.chat.completions

    def call(**params: Any) -> Any:
        if params.get("stream"):
            raise TypeError(
                "stream=True is not supported by run_many(): a result is a whole answer"
            )
        if is_typed(params.get("response_format")):
            return completions.parse(**params)
        return completions.create(**params)

    return call
