"""HTTP/1.1 framing on blocking sockets: read a request, write a chunk."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from chatlib.testing.loopback.replies import Request


def frame_piece(piece: bytes, framing: str) -> bytes:
    """Return a piece of a body as it is sent, as a chunk if the framing is ``"chunked"``."""
    return b"%x\r\n%s\r\n" % (len(piece), piece) if framing == "chunked" else piece


def read_head(conn: socket.socket, pending: bytes, number: int) -> tuple[Request | None, bytes]:
    """Read the head of the next request.

    Returns:
        The request without its body, None at the end of the connection, and the bytes received
        after it.

    Raises:
        ConnectionError: If the client does not speak HTTP/1.1.
    """
    while b"\r\n\r\n" not in pending:
        got = conn.recv(1 << 16)
        if not got:
            return None, b""
        pending += got
    head, _, rest = pending.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    if first.count(" ") != 2:
        raise ConnectionError("malformed HTTP request line")
    method, target, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): text.strip() for name, _, text in pairs}
    return Request(method, target, headers, b"", number, time.monotonic()), rest


# https://www.rfc-editor.org/rfc/rfc9112#name-chunked-transfer-coding
def read_chunked(conn: socket.socket, pending: bytes) -> tuple[bytes, bytes]:
    """Read a chunked body.

    Returns:
        The body, and the bytes received after it.

    Raises:
        ConnectionError: If the body is malformed or incomplete.
    """

    def until(enough: Callable[[bytes], bool]) -> None:
        nonlocal pending
        while not enough(pending):
            got = conn.recv(1 << 16)
            if not got:
                raise ConnectionError("the client closed the connection inside its request")
            pending += got

    parts: list[bytes] = []
    while True:
        until(lambda held: b"\r\n" in held)
        line, _, pending = pending.partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            raise ConnectionError("malformed chunk size") from None
        if size == 0:
            break
        until(lambda held, size=size: len(held) >= size + 2)  # type: ignore[misc]
        parts.append(pending[:size])
        pending = pending[size + 2 :]
    while True:  # the trailers, if any, and an empty line
        until(lambda held: b"\r\n" in held)
        line, _, pending = pending.partition(b"\r\n")
        if not line:
            return b"".join(parts), pending
