"""A progress bar on the terminal, by the ``rich`` package."""

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
    """A bar that counts results. It appears with the first one that is asked for.

    Args:
        total: How many there will be; None where nobody knows.

    Raises:
        ImportError: ``rich`` is not installed.
    """

    def __init__(self, total: int | None) -> None:
        try:
            from rich import progress
            from rich.console import Console
        except ImportError:
            raise ImportError(
                "progress=True needs the package rich: pip install 'chatlib[progress]'"
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
            # What the program prints goes above the bar; into a file or pipe, where it went before.
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        )
        self._task = self._progress.add_task("", total=total)

    def start(self) -> None:
        """Show it."""
        self._process = os.getpid()
        _visible.add(self)
        self._progress.start()

    def count(self, result: Result[Any]) -> None:
        """A result has come."""
        self._failed += result.error is not None
        self._resumed += result.resumed
        told = [
            f"{number} {what}"
            for number, what in ((self._failed, "failed"), (self._resumed, "resumed"))
            if number
        ]
        self._progress.update(self._task, advance=1, description=", ".join(told))

    def close(self) -> None:
        """Leave it as it is. May be called again."""
        if self in _visible and self._process == os.getpid():
            self._progress.stop()
        _visible.discard(self)

    def release(self) -> None:
        """:meth:`close`, from a finalizer: another thread waits for the locks of the terminal."""
        if self in _visible and not sys.is_finalizing():
            with suppress(RuntimeError):  # the interpreter is ending
                _thread.start_new_thread(self.close, ())


_visible: set[ProgressBar] = set()
"""Those that are on the terminal."""


@atexit.register
def _close_all() -> None:
    for bar in list(_visible):
        bar.close()


def make_progress_bar(total: int | None) -> ProgressBar | None:
    """A bar, where there is a terminal to show it on.

    Raises:
        ImportError: ``rich`` is not installed.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    return ProgressBar(total)
