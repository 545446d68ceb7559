"""Limits on how much of a response is held in memory."""

from __future__ import annotations

import io

import attrs

MIB = 1 << 20
DEFAULT_MAX_RESPONSE_BYTES = 256 * MIB
DEFAULT_MAX_EVENT_BYTES = 64 * MIB
DEFAULT_MAX_ERROR_BYTES = MIB


def check_size(name: str, size: object) -> int:
    """Return a limit in bytes after validation.

    Args:
        name: The name of the limit, for the exception.
        size: The limit.

    Raises:
        ValueError: It is not a positive integer.
    """
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise ValueError(f"{name} is {size!r}; it must be a whole number of bytes above 0")
    return size


def _checked(_: object, field: attrs.Attribute[int], size: object) -> None:
    check_size(field.name, size)


@attrs.frozen
class SizeLimits:
    """How many bytes of a response are read into memory, after decompression.

    Args:
        max_response_bytes: The maximum size of the whole body of an answer.
        max_event_bytes: The maximum size of one event of a stream.
        max_error_bytes: The maximum size of the body of an error status; the rest is not read.

    Raises:
        ValueError: A limit is not a positive integer.
    """

    max_response_bytes: int = attrs.field(default=DEFAULT_MAX_RESPONSE_BYTES, validator=_checked)
    max_event_bytes: int = attrs.field(default=DEFAULT_MAX_EVENT_BYTES, validator=_checked)
    max_error_bytes: int = attrs.field(default=DEFAULT_MAX_ERROR_BYTES, validator=_checked)


DEFAULT_SIZE_LIMITS = SizeLimits()


class BoundedBody:
    """The chunks of a body that is read as a whole, up to a limit.

    Args:
        name: The name of the limit.
        limit: The limit in bytes.
    """

    def __init__(self, name: str, limit: int) -> None:
        self.name = name
        self.limit = limit
        self._left = limit
        self._held = io.BytesIO()  # whose value is no second copy

    def add(self, chunk: bytes) -> bool:
        """Add the next chunk as far as it fits, and return whether it does.

        Args:
            chunk: The chunk.
        """
        self._held.write(chunk if len(chunk) <= self._left else chunk[: self._left])
        self._left -= len(chunk)
        return self._left >= 0

    def joined(self) -> bytes:
        """Return the body so far."""
        return self._held.getvalue()
