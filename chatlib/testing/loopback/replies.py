"""Scripted replies for the loopback server, and requests as they arrived."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import attrs

Piece: TypeAlias = "bytes | float"
"""A part of a body: bytes to send at once, or seconds to wait."""


class ResetConnection(ConnectionError):
    """Raise it in a function or a body to reset the connection there."""


@attrs.frozen
class Reply:
    """One response, and how it is sent.

    Args:
        status: The status code.
        headers: A mapping, or pairs to repeat a name. Framing headers are added if missing.
        body: Bytes, a list of pieces (bytes) and pauses (seconds), or an iterator of them, which
            is closed if the connection ends first.
        framing: ``"length"``, ``"chunked"`` (one chunk for each piece) or ``"close"`` (the body
            ends with the connection). By default ``"length"``, or ``"chunked"`` if the body has
            pieces or is not complete.
        gzip: Compress the body and flush after each piece; a body of bytes is flushed after each
            event in it.
        delay: Seconds before the status line.
        hold: Seconds to keep the response open after its body, without the last chunk.
        trickle: Seconds between comment lines that are sent meanwhile.
        abort: After the body and ``hold``, ``"fin"`` closes the connection without the last chunk
            and ``"rst"`` resets it.
        hang_up: Close the connection after a complete response without ``Connection: close``.
        raw: Bytes (or pieces and pauses) to send instead of status line, headers and body. The
            connection is closed after them.
        slow_read: Seconds over which the body of the request is read.
        unread: Respond without reading the body of the request.
    """

    status: int = 200
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    body: bytes | Iterable[Piece] = b""
    framing: str | None = attrs.field(
        default=None, validator=attrs.validators.in_([None, "length", "chunked", "close"])
    )
    gzip: bool = False
    delay: float = 0.0
    hold: float = 0.0
    trickle: float | None = None
    abort: str | None = attrs.field(
        default=None, validator=attrs.validators.in_([None, "fin", "rst"])
    )
    hang_up: bool = False
    raw: bytes | Sequence[Piece] | None = None
    slow_read: float = 0.0
    unread: bool = False

    @classmethod
    def json(
        cls,
        value: Any,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **manner: Any,
    ) -> Reply:
        """Return a reply with a JSON document; ``manner`` are further arguments of the class."""
        headers = {"content-type": "application/json", **(headers or {})}
        return cls(status, headers, json.dumps(value).encode(), **manner)

    @classmethod
    def stream(
        cls,
        body: bytes | Sequence[Piece],
        headers: Mapping[str, str] | None = None,
        **manner: Any,
    ) -> Reply:
        """Return a reply with an event stream, chunked by default."""
        headers = {"content-type": "text/event-stream", **(headers or {})}
        return cls(200, headers, body, **{"framing": "chunked", **manner})

    @classmethod
    def error(
        cls,
        status: int,
        message: str = "no",
        headers: Mapping[str, str] | None = None,
        manner: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Reply:
        """Return a reply with OpenAI's error body; ``fields`` are added to the error."""
        return cls.json({"error": {"message": message, **fields}}, status, headers, **manner or {})

    @classmethod
    def nothing(cls, *, abort: str = "fin", delay: float = 0.0) -> Reply:
        """Return a reply that ends the connection after the request, without a response."""
        return cls(raw=b"", abort=abort, delay=delay)

    def pieces(self) -> Iterable[Piece]:
        """Return the pieces and pauses of the body."""
        body = self.body
        if isinstance(body, bytes):
            if not self.gzip:
                return [body]
            body = [event + b"\n\n" for event in body.split(b"\n\n") if event]
        return _compress(body) if self.gzip else body

    def body_framing(self) -> str:
        """Return the framing of the body: ``"length"``, ``"chunked"`` or ``"close"``."""
        if self.framing is not None:
            return self.framing
        whole = isinstance(self.body, bytes) and not (self.hold or self.trickle or self.abort)
        return "length" if whole else "chunked"


def _compress(pieces: Iterable[Piece]) -> Iterator[Piece]:
    packer = zlib.compressobj(wbits=31)
    for piece in pieces:
        if isinstance(piece, bytes):
            piece = packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
        yield piece
    yield packer.flush()


def sse(*events: Any, done: bool = True) -> bytes:
    """Encode an event stream: one event for each value, str as they are, then ``[DONE]``."""
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return "".join(f"data: {line}\n\n" for line in [*lines, *["[DONE]"] * done]).encode()


def chunk(content: str | None = None, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    """Return a chunk of a completion as JSON; ``fields`` are added at its top level."""
    delta = {} if content is None else {"role": "assistant", "content": content}
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **fields,
    }


def completion(content: str | None = "ok", finish: str = "stop", **fields: Any) -> dict[str, Any]:
    """Return a completion as JSON; ``fields`` are added at its top level."""
    message = {"role": "assistant", "content": content}
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
        **fields,
    }


@attrs.define
class Request:
    """A request as received."""

    method: str
    target: str
    """The target of the request line: a path, or a URL in requests to a proxy."""
    headers: dict[str, str]
    """The headers by lower-case names."""
    body: bytes
    connection: int
    """The number of its connection, from 1."""
    at: float
    """The time of ``time.monotonic()`` at which its headers were received."""

    def json(self) -> Any:
        """Decode the body as JSON."""
        return json.loads(self.body)


Script: TypeAlias = "Reply | Callable[[Request], Reply]"
