"""A scriptable HTTP/1.1 server on loopback, over plain sockets, for what only sockets can show.

It sends exactly what it is told, with the pauses, cuts and sudden ends that real servers have::

    with Server(Reply.json({"choices": []}), Reply(status=500)) as server:
        requests.post(server.url + "/v1/chat/completions", json={})
        assert "/v1/chat/completions" == server.requests[0].target

Replies are given in order, and the last one again and again. Instead of a reply, a function that is
given the :class:`Request` and gives the reply will do. A connection is kept alive as HTTP says.
Leaving the ``with`` never waits out a pause: all sockets are closed at once. A function that does
not return is left behind after a second.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import ssl
import struct
import sys
import threading
import time
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import attrs

Piece: TypeAlias = "bytes | float"
"""A part of a body: bytes to send at once, or seconds to wait."""

EXIT_SECONDS = 1.0
"""How long the end of a server waits for the functions that it was given."""

PATIENCE = 600.0
"""How long a server waits for a client that neither sends nor reads, unless told otherwise."""


class ResetConnection(ConnectionError):
    """Raised by a function or a body: the connection is reset at that place."""


# What is sent ---------------------------------------------------------------------------------


@attrs.frozen
class Reply:
    """One response, and the manner in which it is sent.

    Args:
        status: The status code.
        headers: A mapping, or pairs where a name is to come twice. Framing headers are added
            unless given.
        body: Sent in one piece, or a list of pieces (bytes) and pauses (seconds), or an iterator of
            them, which is closed when the connection ends before it does.
        framing: ``"length"``, ``"chunked"`` (a chunk for each piece) or ``"close"`` (the body ends
            where the connection does). Unless given, length, or chunked where the body has pieces
            or does not end well.
        gzip: Compress the body and flush after each piece; a body of bytes is flushed after each
            event in it.
        delay: Seconds before the status line.
        hold: Seconds to keep the response open after its body, without the last chunk.
        trickle: Seconds between comment lines that are sent while it is held.
        abort: After the body, and ``hold``: ``"fin"`` closes the connection without the last chunk,
            ``"rst"`` resets it.
        hang_up: Close the connection after a complete response, without having announced it.
        raw: Bytes (or pieces and pauses) to send as they are, in place of status line, headers and
            body. The connection ends after them.
        slow_read: Seconds over which the body of the request is read.
        unread: Answer without reading the body of the request.
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
        """A JSON document."""
        headers = {"content-type": "application/json", **(headers or {})}
        return cls(status, headers, json.dumps(value).encode(), **manner)

    @classmethod
    def stream(
        cls,
        body: bytes | Sequence[Piece],
        headers: Mapping[str, str] | None = None,
        **manner: Any,
    ) -> Reply:
        """An event stream, chunked unless ``framing`` says otherwise."""
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
        """An error as OpenAI words it; ``fields`` go beside the message."""
        return cls.json({"error": {"message": message, **fields}}, status, headers, **manner or {})

    @classmethod
    def nothing(cls, *, abort: str = "fin", delay: float = 0.0) -> Reply:
        """No answer at all: the connection ends once the request has come."""
        return cls(raw=b"", abort=abort, delay=delay)

    def pieces(self) -> Iterable[Piece]:
        """The body in the pieces in which it is sent."""
        body = self.body
        if isinstance(body, bytes):
            if not self.gzip:
                return [body]
            body = [event + b"\n\n" for event in body.split(b"\n\n") if event]
        return _packed(body) if self.gzip else body

    def how(self) -> str:
        """The framing of the body."""
        if self.framing is not None:
            return self.framing
        whole = isinstance(self.body, bytes) and not (self.hold or self.trickle or self.abort)
        return "length" if whole else "chunked"


def _packed(pieces: Iterable[Piece]) -> Iterator[Piece]:
    packer = zlib.compressobj(wbits=31)
    for piece in pieces:
        if isinstance(piece, bytes):
            piece = packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
        yield piece
    yield packer.flush()


def sse(*events: Any, done: bool = True) -> bytes:
    """An event stream: one event for each value, text as it is, and ``[DONE]``."""
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return "".join(f"data: {line}\n\n" for line in [*lines, *["[DONE]"] * done]).encode()


def chunk(content: str | None = None, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    """A chunk of a completion, as JSON; ``fields`` go on its top level."""
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
    """A whole completion, as JSON; ``fields`` go on its top level."""
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


# What came ------------------------------------------------------------------------------------


@attrs.define
class Request:
    """A request as it came."""

    method: str
    target: str
    """What stood in the request line: a path, or for a proxy a whole URL."""
    headers: dict[str, str]
    """By their lower-case names."""
    body: bytes
    connection: int
    """The number of the connection that it came on, from 1."""
    at: float
    """When its headers had come, by ``time.monotonic``."""

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


Script: TypeAlias = "Reply | Callable[[Request], Reply]"


class Server:
    """A server that plays replies; see the top of the module.

    Args:
        replies: What to answer, in order; the last one is repeated.
        tls: Speak TLS, by this context.
        tunnel: As a proxy, answer ``CONNECT`` and then play the target itself, by this context.
        port: Where to listen; any free port, unless given.
        patience: Seconds to wait for a client that neither sends nor reads; its connection is
            closed then.
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
        """What came, in order."""
        self.connections = 0
        """How many connections were accepted in all."""
        self.open = 0
        """How many of them are open now."""
        self.sent = 0
        """How many bytes of bodies were sent."""
        self._replies = replies or (Reply.json(completion()),)
        self._played = 0
        self._tls, self._tunnel = tls, tunnel
        self._patience = patience
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        # Small, so that a slow reader is felt by the sender; a connection inherits it.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
        self._listener.setblocking(False)  # a client that is gone again must not stop it
        self._bell, self._wake = socket.socketpair()  # readable once the server stops
        self.port: int = self._listener.getsockname()[1]

    @property
    def origin(self) -> str:
        """``http://127.0.0.1:PORT``"""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base URL to give to a client."""
        return f"{self.origin}/v1"

    @property
    def last(self) -> Request:
        """The request that came last."""
        return self.requests[-1]

    def wait(self, until: Callable[[], object], seconds: float = 2.0) -> bool:
        """Wait for something about the server to become true: ``lambda: server.open == 0``."""
        with self._changed:
            return bool(self._changed.wait_for(until, seconds))

    def __enter__(self) -> Server:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        if sys.is_finalizing():  # its threads have been stopped, whatever locks they held
            return
        self._stopped.set()
        self._wake.send(b"!")
        with self._changed:
            for held in self._sockets:
                _shut(held)
        end = time.monotonic() + EXIT_SECONDS
        while self._threads:
            self._threads.pop().join(max(end - time.monotonic(), 0))
        for owned in (self._listener, self._bell, self._wake):
            owned.close()

    def _start(self, work: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _note(self, **changes: int) -> None:
        with self._changed:
            for name, change in changes.items():
                setattr(self, name, getattr(self, name) + change)
            self._changed.notify_all()

    def _accept(self) -> None:
        while True:
            if self._bell in _readable([self._listener, self._bell], None):
                return
            try:
                conn, _ = self._listener.accept()
            except (BlockingIOError, ConnectionError):
                continue
            conn.settimeout(self._patience)
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                self._sockets.add(conn)
            self._note(connections=1, open=1)
            if self._stopped.is_set():
                _shut(conn)
            self._start(self._converse, conn, self.connections)

    def _converse(self, conn: socket.socket, number: int) -> None:
        first = conn
        try:
            if self._tls is not None:
                conn = self._secured(conn, self._tls)
            pending = b""
            while not self._stopped.is_set():
                request, pending = _read_head(conn, pending, number)
                if request is None:
                    return
                if request.method == "CONNECT" and self._tunnel is not None:
                    with self._changed:
                        self.requests.append(request)
                    conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    conn = self._secured(conn, self._tunnel)
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
        except OSError:  # the client went away, or the server was told to stop
            pass
        finally:
            conn.close()
            first.close()
            with self._changed:
                self._sockets -= {first, conn}
            self._note(open=-1)

    def _secured(self, conn: socket.socket, context: ssl.SSLContext) -> socket.socket:
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
            return _read_chunked(conn, pending)
        said = request.headers.get("content-length", "0")
        if not said.isdecimal():
            raise ConnectionError(f"the client says that its body has the length {said!r}")
        size = int(said)
        parts, have, start = [pending], len(pending), time.monotonic()
        while have < size:
            if slow:
                self._pause(None, start + slow * have / size - time.monotonic())
            got = conn.recv(min(1 << 16, size - have))
            if not got:
                raise ConnectionError("the client closed inside its request")
            parts.append(got)
            have += len(got)
        whole = b"".join(parts)
        return whole[:size], whole[size:]

    def _pause(self, conn: socket.socket | None, seconds: float) -> None:
        """Wait; but not longer than the server runs, nor longer than the client stays."""
        if self._stopped.is_set():
            raise ConnectionError("the server stops")
        end = time.monotonic() + seconds
        watched = (
            [self._bell] if conn is None or isinstance(conn, ssl.SSLSocket) else [self._bell, conn]
        )
        while (left := end - time.monotonic()) > 0:
            ready = _readable(watched, min(left, 3600))
            if self._bell in ready:
                raise ConnectionError("the server stops")
            if ready and conn is not None:
                if not conn.recv(1, socket.MSG_PEEK):
                    raise ConnectionError("the client closed")
                watched = [self._bell]  # its next request waits

    def _send(self, conn: socket.socket, reply: Reply, request: Request) -> bool:
        """Play a reply; False where that was the connection's last."""
        self._pause(conn, reply.delay)
        how = reply.how()
        if reply.raw is not None:
            for piece in [reply.raw] if isinstance(reply.raw, bytes) else reply.raw:
                if isinstance(piece, bytes):
                    conn.sendall(piece)
                else:
                    self._pause(conn, piece)
        else:
            with contextlib.closing(self._wire(conn, reply, how, request.method)) as parts:
                for part in parts:
                    conn.sendall(part)
        self._hold(conn, reply, how)
        if reply.abort is not None:
            if reply.abort == "rst":
                _reset_when_closed(conn)
            return False
        if reply.raw is None and how == "chunked" and request.method != "HEAD":
            conn.sendall(b"0\r\n\r\n")
        asked = request.headers.get("connection", "").lower() == "close"
        return not (reply.hang_up or asked or how == "close" or reply.raw is not None)

    def _wire(
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
                    self._note(sent=len(piece))
                    yield _framed(piece, how)
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()

    def _hold(self, conn: socket.socket, reply: Reply, how: str) -> None:
        end = time.monotonic() + reply.hold
        if reply.trickle is None:
            self._pause(conn, reply.hold)
            return
        while time.monotonic() < end:
            self._pause(conn, reply.trickle)
            conn.sendall(_framed(b": heartbeat\n\n", how))


def _framed(piece: bytes, how: str) -> bytes:
    return b"%x\r\n%s\r\n" % (len(piece), piece) if how == "chunked" else piece


def _read_head(conn: socket.socket, pending: bytes, number: int) -> tuple[Request | None, bytes]:
    while b"\r\n\r\n" not in pending:
        got = conn.recv(1 << 16)
        if not got:
            return None, b""
        pending += got
    head, _, rest = pending.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    if first.count(" ") != 2:
        raise ConnectionError("that is no HTTP")
    method, target, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): text.strip() for name, _, text in pairs}
    return Request(method, target, headers, b"", number, time.monotonic()), rest


# https://www.rfc-editor.org/rfc/rfc9112#name-chunked-transfer-coding
def _read_chunked(conn: socket.socket, pending: bytes) -> tuple[bytes, bytes]:
    """A body that comes in chunks, and what follows it."""

    def until(enough: Callable[[bytes], bool]) -> None:
        nonlocal pending
        while not enough(pending):
            got = conn.recv(1 << 16)
            if not got:
                raise ConnectionError("the client closed inside its request")
            pending += got

    parts: list[bytes] = []
    while True:
        until(lambda held: b"\r\n" in held)
        line, _, pending = pending.partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            raise ConnectionError("that is no chunk") from None
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


def _reset_when_closed(conn: socket.socket) -> None:
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _readable(watched: list[socket.socket], seconds: float | None) -> list[socket.socket]:
    """Those of some sockets from which something can be read, now or in so many seconds."""
    with selectors.DefaultSelector() as selector:  # select.select knows no more than 1,024 files
        for sock in watched:
            selector.register(sock, selectors.EVENT_READ)
        return [key.fileobj for key, _ in selector.select(seconds)]  # type: ignore[misc]


def _shut(conn: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # Of the socket below, as a TLS socket's own shutdown would wait for its peer.
        socket.socket.shutdown(conn, socket.SHUT_RDWR)


# Addresses where nobody answers ---------------------------------------------------------------


def closed_port() -> int:
    """A port of loopback where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


class Unreachable:
    """An address that neither accepts nor refuses: a listener whose queue is full.

    Args:
        seconds: How long at most; then it refuses, so that nobody tries for ever.
    """

    def __init__(self, seconds: float = 30.0) -> None:
        self._seconds = seconds

    def __enter__(self) -> str:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        address = self._listener.getsockname()
        self._waiting = []
        for _ in range(8):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(address)
            self._waiting.append(waiting)
        self._end = threading.Timer(self._seconds, self._listener.close)
        self._end.daemon = True
        self._end.start()
        return f"http://127.0.0.1:{address[1]}/v1"

    def __exit__(self, *_: object) -> None:
        self._end.cancel()
        self._end.join(1)
        for held in (*self._waiting, self._listener):
            held.close()
