"""The loopback server: one thread accepts connections, one thread serves each of them."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any

from chatlib.testing.loopback.framing import frame_piece, read_chunked, read_head
from chatlib.testing.loopback.replies import (
    Reply,
    Request,
    ResetConnection,
    Script,
    completion,
)

EXIT_SECONDS = 1.0
"""How long the end of a server waits for scripted functions, in seconds."""

PATIENCE = 600.0
"""How long a server waits for a client that neither sends nor reads by default, in seconds."""


class Server:
    """A server that sends scripted replies; see :mod:`chatlib.testing.loopback`.

    Args:
        replies: The replies, in order; the last one is repeated.
        tls: The context to serve TLS with.
        tunnel: The context to act as an HTTPS proxy with: the server accepts ``CONNECT`` and then
            acts as the target itself.
        port: The port to listen on; by default any free port.
        patience: Seconds after which the connection of a client that neither sends nor reads is
            closed.
    """

    def __init__(
        self,
        *replies: Script,
        tls: ssl.SSLContext | None = None,
        tunnel: ssl.SSLContext | None = None,
        port: int = 0,
        patience: float = PATIENCE,
    ) -> None:
        self.requests: list[Request] = []
        """The requests received, in order."""
        self.connections = 0
        """The number of accepted connections."""
        self.open = 0
        """The number of open connections."""
        self.sent = 0
        """The number of bytes of bodies sent."""
        self._replies = replies or (Reply.json(completion()),)
        self._played = 0
        self._tls, self._tunnel = tls, tunnel
        self._patience = patience
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        # Small, so that the sender notices a slow reader; connections inherit it.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
        self._listener.setblocking(False)  # accept() must not block if the client has gone
        self._stop_signal, self._wake = socket.socketpair()  # readable once the server stops
        self.port: int = self._listener.getsockname()[1]

    @property
    def origin(self) -> str:
        """The scheme, host and port of the server."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base URL for a client."""
        return f"{self.origin}/v1"

    @property
    def last(self) -> Request:
        """The last request."""
        return self.requests[-1]

    def wait(self, until: Callable[[], object], seconds: float = 2.0) -> bool:
        """Wait until a condition on the server holds, such as ``lambda: server.open == 0``.

        Returns:
            Whether it holds.
        """
        with self._changed:
            return bool(self._changed.wait_for(until, seconds))

    def __enter__(self) -> Server:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        if sys.is_finalizing():  # its threads are stopped and may hold locks
            return
        self._stopped.set()
        self._wake.send(b"!")
        with self._changed:
            for held in self._sockets:
                _shut_down(held)
        end = time.monotonic() + EXIT_SECONDS
        while self._threads:
            self._threads.pop().join(max(end - time.monotonic(), 0))
        for owned in (self._listener, self._stop_signal, self._wake):
            owned.close()

    def _start(self, work: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _count(self, **changes: int) -> None:
        with self._changed:
            for name, change in changes.items():
                setattr(self, name, getattr(self, name) + change)
            self._changed.notify_all()

    def _accept(self) -> None:
        while True:
            if self._stop_signal in _wait_readable([self._listener, self._stop_signal], None):
                return
            try:
                conn, _ = self._listener.accept()
            except (BlockingIOError, ConnectionError):
                continue
            conn.settimeout(self._patience)
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                self._sockets.add(conn)
            self._count(connections=1, open=1)
            if self._stopped.is_set():
                _shut_down(conn)
            self._start(self._serve_connection, conn, self.connections)

    def _serve_connection(self, conn: socket.socket, number: int) -> None:
        first = conn
        try:
            if self._tls is not None:
                conn = self._start_tls(conn, self._tls)
            pending = b""
            while not self._stopped.is_set():
                request, pending = read_head(conn, pending, number)
                if request is None:
                    return
                if request.method == "CONNECT" and self._tunnel is not None:
                    with self._changed:
                        self.requests.append(request)
                    conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    conn = self._start_tls(conn, self._tunnel)
                    continue
                script = self._next(request)
                plan = script if isinstance(script, Reply) else Reply()
                if not plan.unread:
                    request.body, pending = self._read_body(conn, request, pending, plan.slow_read)
                reply = script if isinstance(script, Reply) else script(request)
                if not self._send(conn, reply, request):
                    return
        except ResetConnection:
            _reset_when_closed(conn)
        except OSError:  # the client has gone, or the server is stopping
            pass
        finally:
            conn.close()
            first.close()
            with self._changed:
                self._sockets -= {first, conn}
            self._count(open=-1)

    def _start_tls(self, conn: socket.socket, context: ssl.SSLContext) -> socket.socket:
        secured = context.wrap_socket(conn, server_side=True)
        with self._changed:
            self._sockets.add(secured)
        return secured

    def _next(self, request: Request) -> Script:
        with self._changed:
            self.requests.append(request)
            script = self._replies[min(self._played, len(self._replies) - 1)]
            self._played += 1
            self._changed.notify_all()
        return script

    def _read_body(
        self, conn: socket.socket, request: Request, pending: bytes, slow: float
    ) -> tuple[bytes, bytes]:
        if request.headers.get("expect", "").lower() == "100-continue":
            conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in request.headers.get("transfer-encoding", "").lower():
            return read_chunked(conn, pending)
        said = request.headers.get("content-length", "0")
        if not said.isdecimal():
            raise ConnectionError(f"malformed Content-Length: {said!r}")
        size = int(said)
        parts, have, start = [pending], len(pending), time.monotonic()
        while have < size:
            if slow:
                self._pause(None, start + slow * have / size - time.monotonic())
            got = conn.recv(min(1 << 16, size - have))
            if not got:
                raise ConnectionError("the client closed the connection inside its request")
            parts.append(got)
            have += len(got)
        whole = b"".join(parts)
        return whole[:size], whole[size:]

    def _pause(self, conn: socket.socket | None, seconds: float) -> None:
        """Wait, until the server stops or the client closes the connection.

        Raises:
            ConnectionError: If either happens.
        """
        if self._stopped.is_set():
            raise ConnectionError("the server is stopping")
        end = time.monotonic() + seconds
        watched = (
            [self._stop_signal]
            if conn is None or isinstance(conn, ssl.SSLSocket)
            else [self._stop_signal, conn]
        )
        while (left := end - time.monotonic()) > 0:
            ready = _wait_readable(watched, min(left, 3600))
            if self._stop_signal in ready:
                raise ConnectionError("the server is stopping")
            if ready and conn is not None:
                if not conn.recv(1, socket.MSG_PEEK):
                    raise ConnectionError("the client closed the connection")
                watched = [self._stop_signal]  # its next request waits

    def _send(self, conn: socket.socket, reply: Reply, request: Request) -> bool:
        """Send a reply and return whether the connection stays open."""
        self._pause(conn, reply.delay)
        how = reply.body_framing()
        if reply.raw is not None:
            for piece in [reply.raw] if isinstance(reply.raw, bytes) else reply.raw:
                if isinstance(piece, bytes):
                    conn.sendall(piece)
                else:
                    self._pause(conn, piece)
        else:
            with contextlib.closing(
                self._encode_response(conn, reply, how, request.method)
            ) as parts:
                for part in parts:
                    conn.sendall(part)
        self._hold_open(conn, reply, how)
        if reply.abort is not None:
            if reply.abort == "rst":
                _reset_when_closed(conn)
            return False
        if reply.raw is None and how == "chunked" and request.method != "HEAD":
            conn.sendall(b"0\r\n\r\n")
        asked = request.headers.get("connection", "").lower() == "close"
        return not (reply.hang_up or asked or how == "close" or reply.raw is not None)

    def _encode_response(
        self, conn: socket.socket, reply: Reply, how: str, method: str
    ) -> Generator[bytes, None, None]:
        pieces = reply.pieces()
        pairs = reply.headers.items() if isinstance(reply.headers, Mapping) else reply.headers
        headers = list(pairs)
        given = {name.lower() for name, _ in headers}
        if reply.gzip and "content-encoding" not in given:
            headers.append(("content-encoding", "gzip"))
        if how == "chunked" and "transfer-encoding" not in given:
            headers.append(("transfer-encoding", "chunked"))
        if how == "length" and "content-length" not in given:
            pieces = list(pieces)
            size = sum(len(piece) for piece in pieces if isinstance(piece, bytes))
            headers.append(("content-length", str(size)))
        if how == "close":
            headers.append(("connection", "close"))
        lines = [f"HTTP/1.1 {reply.status} Status", *(f"{name}: {text}" for name, text in headers)]
        try:
            yield ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
            for piece in pieces if method != "HEAD" else ():
                if not isinstance(piece, bytes):
                    self._pause(conn, piece)
                elif piece:
                    self._count(sent=len(piece))
                    yield frame_piece(piece, how)
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()

    def _hold_open(self, conn: socket.socket, reply: Reply, how: str) -> None:
        end = time.monotonic() + reply.hold
        if reply.trickle is None:
            self._pause(conn, reply.hold)
            return
        while time.monotonic() < end:
            self._pause(conn, reply.trickle)
            conn.sendall(frame_piece(b": heartbeat\n\n", how))


def _reset_when_closed(conn: socket.socket) -> None:
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _wait_readable(watched: list[socket.socket], seconds: float | None) -> list[socket.socket]:
    """Wait for some seconds until any socket is readable, and return those that are."""
    with selectors.DefaultSelector() as selector:  # select.select() is limited to 1,024 files
        for sock in watched:
            selector.register(sock, selectors.EVENT_READ)
        return [key.fileobj for key, _ in selector.select(seconds)]  # type: ignore[misc]


def _shut_down(conn: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # On the socket below: shutdown() of a TLS socket would wait for its peer.
        socket.socket.shutdown(conn, socket.SHUT_RDWR)
