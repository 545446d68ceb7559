"""The results file: one line for each finished request.

A line is appended by one ``write()``, so a killed process leaves at most an incomplete last line.
Opening the file removes that line and the lines of requests to retry, by writing a new file that
replaces the old one.

The file is locked while it is open, if the system supports it.
"""

from __future__ import annotations

import atexit
import errno
import os
import stat
import threading
import time
from collections.abc import Collection, Iterator
from typing import IO, Any

import attrs

from chatlib.errors import OpenAIError
from chatlib.files import PRIVATE, write_beside
from chatlib.many.jobs import Job
from chatlib.many.result_lines import START, has_failed, is_result
from chatlib.types.json_values import MOST_DEPTH, TOO_DEEP
from chatlib.wire.codec import from_json

EXIT_SECONDS = 5.0
"""How long the end of a program waits for the requests of dropped runs, in seconds."""

_pending: set[ResultsFile] = set()
"""The files of dropped runs that running requests still write to."""
_DEPTH = MOST_DEPTH + 20  # of a line, which contains an answer


@attrs.frozen
class Entry:
    """The position of a line in the file, and its request."""

    start: int
    size: int
    digest: str | None
    failed: bool


class ResultsFile:
    """A results file that is open for reading and appending.

    Args:
        path: The path of the file; it is created if missing.
        retry_failed: Whether to remove the lines of failed requests.
        fsync: Whether to flush each line to the disk.

    Raises:
        OpenAIError: If another run has locked it.
        ValueError: If it contains anything but results; it is not changed then.
        OSError: If it cannot be read or written.
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
        """Return the decoded line of a job, or None if there is none.

        Raises:
            ValueError: If the line with its ``custom_id`` is of another request.
        """
        entry = self._entries.get(job.custom_id)
        if entry is None or self._reader is None:
            return None
        if entry.digest is not None and entry.digest != job.digest:
            raise ValueError(
                f"{self.path} has the result of a different request with the custom_id "
                f"{job.custom_id!r}: the request has changed. Use another custom_id or "
                "another file"
            )
        self._reader.seek(entry.start)
        line = _decoded(self._reader.read(entry.size))
        return line if isinstance(line, dict) else None

    def append(self, line: bytes) -> None:
        """Append a line; do nothing if the file is closed. It is thread-safe.

        Raises:
            OSError: If the line could not be written as a whole.
        """
        try:
            with self._lock:
                if self._fd is None or self._closing:
                    return
                written = os.write(self._fd, line)
                if written != len(line):  # nothing may be appended to it
                    os.close(self._fd)
                    self._fd = None
                    raise OSError(errno.ENOSPC, "a result was only partly written", self.path)
                if self._fsync:
                    os.fsync(self._fd)
        finally:
            self._close_if_asked()

    def close(self) -> None:
        """Close the file, or let the thread that is writing close it. May be called repeatedly.

        It does not wait, since finalizers call it: a thread stopped by the end of the interpreter
        never releases the lock.
        """
        self._closing = True
        self._close_if_asked()

    def close_after(self, writers: Collection[threading.Thread]) -> None:
        """Register the threads that will still write; the last one closes the file."""
        self._writers = writers
        _pending.add(self)
        if self._fd is None:  # closed meanwhile
            _pending.discard(self)

    def _close_if_asked(self) -> None:
        # The flag is set before the lock is tried and read after it is released, so exactly one of
        # two threads closes the file.
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
        _pending.discard(self)  # last: whoever finds nothing to wait for finds no lock either

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        while self._fd is None:
            self._fd = os.open(self.path, flags, PRIVATE)
            if not stat.S_ISREG(os.fstat(self._fd).st_mode):
                raise ValueError(f"{self.path} is not a regular file")
            self._locked = _lock(self._fd, self.path)
            if not self._is_in_place():  # replaced by the run that held the lock
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
        """Index the lines of the file and return whether all of them are kept."""
        assert self._reader is not None
        self._entries: dict[str, Entry] = {}
        start, is_clean = 0, True
        for number, line in enumerate(self._reader, 1):
            value, entry = _decoded(line), None
            if is_result(value):
                digest, failed = value.get("digest"), has_failed(value)
                entry = Entry(start, len(line), digest, failed)
                is_clean &= self._note(value["custom_id"], entry) and line.endswith(b"\n")
            elif _is_torn(line) or value is _UNREADABLE:
                is_clean = False
            else:
                raise ValueError(f"{self.path}: line {number} is not a result")
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
        """Replace the file by one with only the indexed lines."""
        assert self._fd is not None
        assert self._reader is not None
        reader = self._reader

        def kept() -> Iterator[bytes]:
            for entry in sorted(self._entries.values(), key=lambda entry: entry.start):
                reader.seek(entry.start)
                yield reader.read(entry.size).removesuffix(b"\n") + b"\n"

        made = write_beside(self.path, kept())
        if self._locked:  # keep the lock until the file is replaced
            os.replace(made, self.path)
            self._close_now()
        else:  # Windows cannot replace an open file
            self._close_now()
            os.replace(made, self.path)


def wait_for_pending(path: str | None = None, seconds: float | None = None) -> None:
    """Wait until dropped runs have written their last results.

    Args:
        path: The results file; None for all files.
        seconds: The time limit in seconds; None for no limit.
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
    """Flush a directory to the disk, if the system supports it."""
    if hasattr(os, "O_DIRECTORY"):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


_UNREADABLE = object()


def _decoded(line: bytes) -> Any:
    """Decode a line; return None if it is not JSON.

    The maximum nesting depends on the depth of the call stack. A line that was written may be
    nested too deeply to be decoded; its request is sent again.
    """
    try:
        return from_json(line, depth=_DEPTH)
    except ValueError as error:
        too_deep = str(error) == TOO_DEEP and line.startswith(START)
        return _UNREADABLE if too_deep else None


def _is_torn(line: bytes) -> bool:
    """Return whether a line is incomplete because of a crash.

    A killed process leaves the beginning of a line. A power failure may leave zero bytes, which
    JSON never contains.
    """
    started = line.startswith(START) or START.startswith(line)
    return (started and not line.endswith(b"\n")) or b"\0" in line


def _lock(fd: int, path: str) -> bool:
    """Lock a file and return whether the system supports it.

    Raises:
        OpenAIError: If another run holds the lock.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OpenAIError(f"{path} is locked: another run is writing its results there") from None
    except OSError:  # a file system without locks
        return False
    return True
