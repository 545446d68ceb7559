"""Timeouts, from each form in which people give them."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Protocol, TypeAlias, TypeGuard

import attrs

from chatlib.sentinels import Omit, is_omitted, omit

LONGEST = 10 * 365 * 86400
"""The maximum timeout in seconds; clocks and sockets do not support more."""

STREAM_END = 15.0
"""The default timeout in seconds for the end of a finished stream."""


@attrs.frozen(init=False, eq=False)
class Timeout:
    """Timeouts in seconds; None means no timeout.

    ``Timeout(30)`` sets ``connect``, ``read``, ``write`` and ``pool``. ``total`` limits the whole
    call: all attempts, the delays between them and the stream to its end. A read timeout only
    limits the wait for the next bytes, which heartbeats of a server defeat.

    ``stream_end`` limits the wait after the finish reasons of a stream: a server that then sends
    neither data nor ``[DONE]`` and keeps the connection open has ended the stream. Each byte
    restarts it.

    It equals an ``httpx.Timeout`` with the same four limits, if it has no ``total``.

    Args:
        timeout: The default of ``connect``, ``read``, ``write`` and ``pool``, or a timeout in
            another form (:data:`TimeoutLike`), of which the others change a part.
        connect: The timeout for opening a connection.
        read: The timeout for each read.
        write: The timeout for each write.
        pool: The timeout for waiting for a free connection, for transports that limit their number;
            those of this library open another one.
        total: The timeout for the whole call.
        stream_end: The timeout for the end of a stream; None to use only ``read`` and ``total``.

    Raises:
        ValueError: A timeout is not a positive number.
    """

    connect: float | None
    read: float | None
    write: float | None
    pool: float | None
    total: float | None
    stream_end: float | None

    def __init__(
        self,
        timeout: TimeoutLike = None,
        *,
        connect: float | Omit | None = omit,
        read: float | Omit | None = omit,
        write: float | Omit | None = omit,
        pool: float | Omit | None = omit,
        total: float | Omit | None = omit,
        stream_end: float | Omit | None = omit,
    ) -> None:
        limits: dict[str, Any] = dict.fromkeys(_PARTS, timeout)
        limits |= {"total": None, "stream_end": STREAM_END}
        if isinstance(timeout, (datetime.timedelta, tuple)) or _has_parts(timeout):
            limits = attrs.asdict(as_timeout(timeout))
        given = {"connect": connect, "read": read, "write": write, "pool": pool}
        given |= {"total": total, "stream_end": stream_end}
        limits |= {name: value for name, value in given.items() if not is_omitted(value)}
        self.__attrs_init__(**limits)  # pyright: ignore[reportAttributeAccessIssue]
        for name, value in attrs.asdict(self).items():
            if value is not None and not (_is_number(value) and 0 < value <= LONGEST):
                raise ValueError(
                    f"timeout: {name} is {value!r}; it must be a number of seconds above 0, "
                    "or None for no limit"
                )

    def as_dict(self) -> dict[str, float | None]:
        """Return ``connect``, ``read``, ``write`` and ``pool`` by name, as httpx does."""
        return {name: getattr(self, name) for name in _PARTS}

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Timeout):
            return attrs.astuple(self) == attrs.astuple(other)
        if self.total is None and _has_parts(other):
            return all(getattr(self, name) == getattr(other, name) for name in _PARTS)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(attrs.astuple(self))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> dict[str, Any]:
        """Return how pydantic validates a field of this class."""
        return {"type": "is-instance", "cls": cls}

    def within(self, seconds: float) -> Timeout:
        """Return a copy with no timeout longer than a limit.

        Args:
            seconds: The limit in seconds.
        """
        waits = {
            name: seconds if limit is None else min(limit, seconds)
            for name, limit in attrs.asdict(self).items()
        }
        return Timeout(**waits)


def _has_parts(value: object) -> TypeGuard[TimeoutParts]:
    return all(hasattr(value, name) for name in _PARTS)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class TimeoutParts(Protocol):
    """A timeout of another library that has these four parts, such as ``httpx.Timeout``."""

    @property
    def connect(self) -> float | None:
        """The timeout for opening a connection."""
        ...

    @property
    def read(self) -> float | None:
        """The timeout for each read."""
        ...

    @property
    def write(self) -> float | None:
        """The timeout for each write."""
        ...

    @property
    def pool(self) -> float | None:
        """The timeout for waiting for a free connection."""
        ...


class _Unchecked:
    """Tells pydantic to take any value: it knows no protocols."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> dict[str, Any]:
        return {"type": "any"}


TimeoutLike: TypeAlias = (
    float
    | datetime.timedelta
    | Timeout
    | Annotated[TimeoutParts, _Unchecked()]
    | tuple[float | None, ...]
    | None
)
"""Seconds, or an object that holds them; a tuple is ``(connect, read)``, as requests takes it, or
``(connect, read, write, pool)``, as httpx does. None is no timeout."""

_PARTS = ("connect", "read", "write", "pool")


def as_timeout(timeout: TimeoutLike) -> Timeout:
    """Return a timeout in any of its forms as a :class:`Timeout`.

    Raises:
        TypeError: It is none of them.
        ValueError: It is not positive.
    """
    if isinstance(timeout, Timeout):
        return timeout
    if isinstance(timeout, datetime.timedelta):
        return Timeout(timeout.total_seconds())
    if isinstance(timeout, tuple) and len(timeout) in (2, 4):
        parts = dict(zip(_PARTS, timeout, strict=False))
        return Timeout(**{"write": parts["read"], "pool": parts["connect"], **parts})
    if _has_parts(timeout):
        return Timeout(**{name: getattr(timeout, name) for name in _PARTS})
    if timeout is not None and not _is_number(timeout):
        raise TypeError(
            f"timeout is {timeout!r}, a {type(timeout).__name__}; it must be a number of seconds, "
            "a chatlib.Timeout, a timedelta, an httpx.Timeout, a tuple (connect, read), or None"
        )
    return Timeout(timeout)
