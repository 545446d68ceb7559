"""A child process by ``os.fork``, for tests: one that gets stuck is ended, not waited for."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

LONGEST = 30
"""Seconds that a child may take: a fork of a process with threads can get stuck."""


def in_child(work: Callable[[], object]) -> int:
    """The exit status of a forked process that does some work; 0 if it raises nothing."""
    child = os.fork()
    if not child:
        status = 1
        try:
            signal.alarm(LONGEST)
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
