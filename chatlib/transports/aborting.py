"""How the waiting of one thread is ended by another: at once, whatever it waits for.

A blocking call can't be cancelled, but a socket can be shut down under it. Whoever may have to
interrupt a call gives it an :class:`Abort` by :data:`aborting`, a context variable, as
:class:`~chatlib.transports.threads.ThreadTransport` does; a transport says there how its waiting is
ended. One of your own takes two lines::

    abort = aborting.get()
    if abort is not None:
        abort.watch(lambda: sock.shutdown(socket.SHUT_RDWR))
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar

aborting: ContextVar[Abort | None] = ContextVar("aborting", default=None)
"""What may abort the request that is being sent; None where nothing will."""


class Abort:
    """Ends the waiting for one request and its response, once it is set."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end: Callable[[], object] | None = None
        self._is_set = False

    @property
    def is_set(self) -> bool:
        """Whether the request is not wanted any more."""
        return self._is_set

    def watch(self, end: Callable[[], object] | None) -> None:
        """Set the function that ends the current wait, instead of the one before.

        It is called at once where the abort came before it. It must not wait.
        """
        with self._lock:
            self._end = end
            if self._is_set and end is not None:
                end()

    def set(self) -> None:
        """End the waiting, now and whenever it begins again."""
        with self._lock:
            self._is_set = True
            if self._end is not None:
                self._end()
