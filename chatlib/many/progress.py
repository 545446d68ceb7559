"""A progress bar in the terminal; needs the ``rich`` package."""

from __future__ import annotations

import _thread
import atexit
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatlib.many.result import Result


class ProgressBar:
    """Counts results; it appears on :meth:`start`.

    Args:
        total: The number of results; None if unknown.

    Raises:
        ImportError: If ``rich`` is not installed.
    """

    def __init__(self, total: int | None) -> None:
        try:
            from rich import progress
            from rich.console import Console
        except ImportError:
            raise ImportError(
                "progress=True requires the package rich: pip install 'chatlib[progress]'"
            ) from None
        self._failed = self._resumed = 0
        self._progress = progress.Progress(
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left"),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.description}"),
            console=Console(stderr=True),
            # Output of the program is printed above the bar, unless stdout is redirected.
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        )
        self._task = self._progress.add_task("", total=total)

    def start(self) -> None:
        """Show the bar."""
        self._process = os.getpid()
        _visible.add(self)
        self._progress.start()

    def count(self, result: Result[Any]) -> None:
        """Count a result."""
        self._failed += result.error is not None
        self._resumed += result.resumed
        parts = [
            f"{number} {what}"
            for number, what in ((self._failed, "failed"), (self._resumed, "resumed"))
            if number
        ]
        self._progress.update(self._task, advance=1, description=", ".join(parts))

    def close(self) -> None:
        """Stop the bar. May be called repeatedly."""
        if self in _visible and self._process == os.getpid():
            self._progress.stop()
        _visible.discard(self)

    def release(self) -> None:
        """Stop the bar in another thread, since a finalizer must not wait for a lock."""
        if self in _visible and not sys.is_finalizing():
            with suppress(RuntimeError):  # the interpreter is shutting down
                _thread.start_new_thread(self.close, ())


_visible: set[ProgressBar] = set()
"""The bars that are shown."""


@atexit.register
def _close_all() -> None:
    for bar in list(_visible):
        bar.close()


def make_progress_bar(total: int | None) -> ProgressBar | None:
    """Return a progress bar, or None if stderr is not a terminal.

    Raises:
        ImportError: If ``rich`` is not installed.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    return ProgressBar(total)
