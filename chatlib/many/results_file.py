"""The file of results: one line for each request that has ended, whole or not at all.

A line is written by one write to a descriptor that appends, so that a process that is killed leaves
at most the last line torn. When the file is opened, that line is cut off, and the lines of requests
that are to be made again are taken out: into a new file, which then takes the place of the old one.

Whoever writes it holds a lock on it, where the system has such locks.
"""

from __future__ import annotations

import atexit
import errno
import os
import stat
import threading
import time
from collections.abc import Collection
from typing import IO, Any

import attrs

from chatlib.errors import OpenAIError
from chatlib.many.jobs import Job
from chatlib.many.result_lines import START, has_failed, is_result
from chatlib.types.json_values import MOST_DEPTH
from chatlib.wire.codec import from_json

EXIT_SECONDS = 5.0
"""How long the end of a program waits for requests of runs that were dropped."""

_pending: set[ResultsFile] = set()
"""The files of runs that were dropped, which their last requests still write to."""
_DEPTH = MOST_DEPTH + 20  # of a line, in which an answer stands


@attrs.frozen
class Entry:
    """Where in the file a line stands, and what it is about."""

    start: int
    size: int
    digest: str | None
    failed: bool


class ResultsFile:
    """A file of results, open to be read and to be added to.

    Args:
        path: Where it is, or shall be.
        retry_failed: Whether the lines of failed requests are taken out.
        fsync: Whether each line is on the disk before the next one is written.

    Raises:
        OpenAIError: another run writes it.
        ValueError: it holds something else than results. It is left as it is.
        OSError: it can't be read or written.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, retry_failed: bool = True, fsync: bool = False
    ) -> None:
        self.path = os.path.realpath(os.fspath(path))
        self._retry_failed, self._fsync = retry_failed, fsync
        self._lock = threading.Lock()
        self._closing = False
        self._fd: int | None = None
        self._reader: IO[bytes] | None = None
        self._writers: Collection[threading.Thread] = ()
        wait_for_pending(self.path)
        try:
            self._open()
            if not self._scan():
                self._rewrite()
                self._open()
                self._scan()
            if fsync:
                _sync_folder(os.path.dirname(self.path))
        except BaseException:
            self.close()
            raise

    def find(self, job: Job) -> dict[str, Any] | None:
        """The line of a request that has ended before; None where it has not.

        Raises:
            ValueError: the file has a line by its ``custom_id`` that is about something else.
        """
        entry = self._entries.get(job.custom_id)
        if entry is None or self._reader is None:
            return None
        if entry.digest is not None and entry.digest != job.digest:
            raise ValueError(
                f"{self.path} holds the result of another request by the custom_id "
                f"{job.custom_id!r}: what it asks has changed since. Give it another custom_id, "
                "or write to another file"
            )
        self._reader.seek(entry.start)
        line = _decoded(self._reader.read(entry.size))
        return line if isinstance(line, dict) else None

    def append(self, line: bytes) -> None:
        """Write a line; once the file is closed, do nothing. Threads may share it.

        Raises:
            OSError: it could not be written, or not all of it.
        """
        try:
            with self._lock:
                if self._fd is None or self._closing:
                    return
                written = os.write(self._fd, line)
                if written != len(line):  # what follows must not stick to it
                    os.close(self._fd)
                    self._fd = None
                    raise OSError(errno.ENOSPC, "only part of a result could be written", self.path)
                if self._fsync:
                    os.fsync(self._fd)
        finally:
            self._close_if_asked()

    def close(self) -> None:
        """Close it, or have the thread close it that is writing a line. May be called again.

        It waits for nothing, since a finalizer may call it: a thread that the ending interpreter
        has stopped while it wrote a line never lets go of the lock.
        """
        self._closing = True
        _pending.discard(self)
        self._close_if_asked()

    def close_after(self, writers: Collection[threading.Thread]) -> None:
        """Note which threads will still write to it, the last of which closes it."""
        if not self._closing:
            self._writers = writers
            _pending.add(self)

    def _close_if_asked(self) -> None:
        # Asked before the lock is tried, and looked at after it was let go: so one of two threads
        # closes the file, whichever comes first.
        if self._closing and self._lock.acquire(blocking=False):
            try:
                self._close_now()
            finally:
                self._lock.release()

    def _close_now(self) -> None:
        fd, self._fd = self._fd, None
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
        if fd is not None:
            os.close(fd)

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        while self._fd is None:
            self._fd = os.open(self.path, flags, 0o666)
            if not stat.S_ISREG(os.fstat(self._fd).st_mode):
                raise ValueError(f"{self.path} is not a regular file")
            self._locked = _lock(self._fd, self.path)
            if not self._is_in_place():  # replaced since, by the run that had the lock
                os.close(self._fd)
                self._fd = None
        self._reader = open(self.path, "rb")  # noqa: SIM115

    def _is_in_place(self) -> bool:
        assert self._fd is not None
        try:
            return os.path.samestat(os.fstat(self._fd), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _scan(self) -> bool:
        """Note what is in the file; False where something is to be taken out of it."""
        assert self._reader is not None
        self._entries: dict[str, Entry] = {}
        start, is_clean = 0, True
        for number, line in enumerate(self._reader, 1):
            value, entry = _decoded(line), None
            if is_result(value):
                digest, failed = value.get("digest"), has_failed(value)
                entry = Entry(start, len(line), digest, failed)
                is_clean &= self._note(value["custom_id"], entry) and line.endswith(b"\n")
            elif _is_torn(line) or value is _TOO_DEEP:
                is_clean = False
            else:
                raise ValueError(f"{self.path}: line {number} is not the result of a request")
            start += len(line)
        return is_clean

    def _note(self, custom_id: str, entry: Entry) -> bool:
        before = self._entries.get(custom_id)
        if entry.failed and self._retry_failed:
            return False
        if before is None or before.failed:
            self._entries[custom_id] = entry
        return before is None

    def _rewrite(self) -> None:
        """Put a file in its place that has only the lines that were noted."""
        assert self._fd is not None
        assert self._reader is not None
        made = self.path + ".tmp"
        with open(made, "wb") as file:
            for entry in sorted(self._entries.values(), key=lambda entry: entry.start):
                self._reader.seek(entry.start)
                file.write(self._reader.read(entry.size).removesuffix(b"\n") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.chmod(made, stat.S_IMODE(os.fstat(self._fd).st_mode))
        if self._locked:  # materialize until the new file is in place
            os.replace(made, self.path)
            self._close_now()
        else:  # Windows replaces no file that is open
            self._close_now()
            os.replace(made, self.path)


def wait_for_pending(path: str | None = None, seconds: float | None = None) -> None:
    """Wait until runs that were dropped have written their last results.

    Args:
        path: The file; None for all.
        seconds: For how long, at most.
    """
    end = None if seconds is None else time.monotonic() + seconds
    for file in list(_pending):
        if path in (None, file.path):
            for thread in list(file._writers):
                thread.join(None if end is None else max(end - time.monotonic(), 0))


@atexit.register
def _write_what_is_released() -> None:
    wait_for_pending(seconds=EXIT_SECONDS)


def _sync_folder(folder: str) -> None:
    """Have the name of a new file on the disk, where folders can be opened for that."""
    if hasattr(os, "O_DIRECTORY"):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


_TOO_DEEP = object()


def _decoded(line: bytes) -> Any:
    """The value of a line; None where it is not JSON.

    How deep JSON can be nested to be read depends on how deep the reader is in calls: what could be
    written may be too deep to be read again, and its request is made again.
    """
    try:
        return from_json(line, depth=_DEPTH)
    except ValueError as error:
        too_deep = isinstance(error.__context__, RecursionError) and line.startswith(START)
        return _TOO_DEEP if too_deep else None


def _is_torn(line: bytes) -> bool:
    """Whether a line is what a crash has left of one.

    A process that is killed leaves the beginning of a line. A machine that loses its power may
    leave zeros, which no JSON has.
    """
    started = line.startswith(START) or START.startswith(line)
    return (started and not line.endswith(b"\n")) or b"\0" in line


def _lock(fd: int, path: str) -> bool:
    """Lock a file, where that can be done; whether it was."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OpenAIError(f"{path} is in use: another run writes its results there") from None
    except OSError:  # a file system without locks
        return False
    return True
