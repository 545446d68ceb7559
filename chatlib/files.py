"""Files that replace others at once, readable by nobody else while they are written."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable

PRIVATE = 0o600
"""The permissions of new files, which hold what was asked and answered."""


def write_beside(path: str | os.PathLike[str], parts: Iterable[bytes]) -> str:
    """Write a new file in the folder of another, to replace it by :func:`os.replace`.

    Its name is random and the file is created exclusively, so that no link or file that somebody
    else has put there is followed or reused. It is flushed to the disk. No lock is taken, since
    finalizers call this.

    Args:
        path: The path of the file to replace. The new file gets its permissions at the end, and
            is private if there is none.
        parts: The content.

    Returns:
        The path of the new file.

    Raises:
        OSError: The file cannot be written; nothing is left then.
    """
    made = f"{os.fspath(path)}.{os.urandom(8).hex()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    fd = os.open(made, flags, PRIVATE)
    try:
        with open(fd, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            os.chmod(made, stat.S_IMODE(os.stat(path).st_mode))
    except BaseException:
        os.unlink(made)
        raise
    return made
