"""Transports as values: pickled and copied as what they were told, never with their connections."""

from __future__ import annotations

import copy
import os
import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


class Configured:
    """Pickled and copied as its configuration; the copy opens connections of its own.

    So does a child process after a fork: :meth:`in_this_process` notices.
    """

    def __init__(self, **config: Any) -> None:
        self._config = config
        self._process = os.getpid()

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (type(self), self._config)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # A context holds keys that can't be read from it, and may be shared.
        config = {
            name: value if isinstance(value, ssl.SSLContext) else copy.deepcopy(value, memo)
            for name, value in self._config.items()
        }
        return type(self)(**config)

    @property
    def is_of_this_process(self) -> bool:
        """Whether its connections were made here, and not by the parent before a fork."""
        return self._process == os.getpid()

    def in_this_process(self) -> Self:
        """Return this transport; after a fork, without the connections and locks of the parent."""
        if not self.is_of_this_process:
            self._process = os.getpid()
            self._start_anew()
        return self

    def _start_anew(self) -> None:
        """Drop connections and locks, which belong to the parent process."""
        raise NotImplementedError


def _made(kind: type[Configured], config: dict[str, Any]) -> Configured:
    return kind(**config)
