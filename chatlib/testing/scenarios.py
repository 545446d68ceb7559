"""What the contracts of transports are told by: requests, replies, authorities, and what to expect.

Plain assertions and no pytest, so that any test runner will do.
"""

from __future__ import annotations

import asyncio
import gc
import gzip
import os
import pickle
import selectors
import socket
import ssl
import tempfile
import threading
import time
import traceback
import warnings
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import SkipTest
from unittest.mock import patch

import attrs

from chatlib.http import (
    AsyncTransport,
    HttpRequest,
    Timeout,
    Transport,
    TransportError,
)
from chatlib.testing.loopback import (
    Reply,
    Script,
    completion,
)

if TYPE_CHECKING:
    from chatlib.client.openai import OpenAI

T = TypeVar("T")

KEY = "sk-contractsecret"
"""The key that no exception may show."""

OK = Reply.json(completion("ok"))
ELSEWHERE = "http://api.example.test/v1"
PARTIAL = {"content-type": "application/json", "content-length": "9999"}
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

DRIBBLE: list[bytes | float] = [b"x", 0.05] * 400

BREAKS = {
    "before the headers, closed": Reply.nothing(),
    "before the headers, reset": Reply.nothing(abort="rst"),
    "inside the headers, reset": Reply(raw=[b"HTTP/1.1 200 OK\r\nContent-Ty", 0.05], abort="rst"),
    "not HTTP": Reply(raw=b"SSH-2.0-OpenSSH_9.9\r\n", abort="fin"),
    "after the headers, closed": Reply(200, PARTIAL, abort="fin"),
    "after the headers, reset": Reply(200, PARTIAL, [0.05], abort="rst"),
    "inside the body, closed": Reply(200, PARTIAL, b'{"a": ', framing="length", abort="fin"),
    "inside the body, reset": Reply(200, PARTIAL, [b'{"a": ', 0.05], framing="length", abort="rst"),
    "inside a chunk, closed": Reply(raw=CHUNKED + b"20\r\n{", abort="fin"),
    "between two chunks, closed": Reply.stream([b"a"], abort="fin"),
    "between two chunks, reset": Reply.stream([b"a", 0.05], abort="rst"),
    "before the last chunk, compressed": Reply.stream([b"a", b"b"], abort="fin", gzip=True),
}
"""The ways in which a connection can break, each by a reply that does so."""

_GZIPPED = gzip.compress(b"whole")
_TWICE = gzip.compress(_GZIPPED)
_DEFLATE = zlib.compressobj(wbits=-15)
_RAW_DEFLATE = _DEFLATE.compress(b"whole") + _DEFLATE.flush()
_IN_CHUNKS = b"2\r\nwh\r\n3\r\nole\r\n0\r\n\r\n"
_FIVE = "Content-Length: 5"


def _said(*lines: str | bytes, status: str = "HTTP/1.1 200 OK", end: bytes = b"\r\n") -> bytes:
    """The head of a response, line by line."""
    first = status.encode("latin-1")
    rest = (line if isinstance(line, bytes) else line.encode("latin-1") for line in lines)
    return end.join([first, *rest, b"", b""])


LAX: dict[str, bytes] = {
    "a length beside chunks": _said("Content-Length: 9999", "Transfer-Encoding: chunked")
    + _IN_CHUNKS,
    "a length behind chunks": _said("Transfer-Encoding: chunked", "Content-Length: 3") + _IN_CHUNKS,
    "chunked, said twice": _said("Transfer-Encoding: chunked", "transfer-encoding: Chunked")
    + _IN_CHUNKS,
    "chunks with extensions, blanks, zeros and a trailer": _said("Transfer-Encoding: chunked")
    + b'2;a=b; c="d"\r\nwh\r\n003  \r\nole\r\n00;x\r\nX: 1\r\n\r\n',
    "chunks with lone line feeds": _said("Transfer-Encoding: chunked") + b"2\nwh\n3\nole\n0\n\n",
    "chunks that end with the connection": _said("Transfer-Encoding: chunked") + _IN_CHUNKS[:-2],
    "a length, twice": _said(_FIVE, _FIVE) + b"whole",
    "a length, twice in a line": _said("Content-Length: 5, 5") + b"whole",
    "more than its length": _said(_FIVE) + b"whole, and more",
    "more than its chunks": _said("Transfer-Encoding: chunked") + _IN_CHUNKS + b"more",
    "no length": _said() + b"whole",
    "an empty length": _said("Content-Length:") + b"whole",
    "a negative length": _said("Content-Length: -1") + b"whole",
    "identity as transfer encoding": _said("Transfer-Encoding: identity", _FIVE) + b"whole",
    "gzip as transfer encoding": _said("Transfer-Encoding: gzip, chunked")
    + b"%x\r\n%b\r\n0\r\n\r\n" % (len(_GZIPPED), _GZIPPED),
    "gzip": _said("Content-Encoding: gzip") + _GZIPPED,
    "x-gzip, in capitals": _said("CONTENT-ENCODING: X-GZIP") + _GZIPPED,
    "gzip, gzip": _said("Content-Encoding: gzip, gzip") + _TWICE,
    "gzip in two headers": _said("Content-Encoding: gzip", "Content-Encoding: gzip") + _TWICE,
    "gzip over deflate": _said("Content-Encoding: deflate,gzip")
    + gzip.compress(zlib.compress(b"whole")),
    "gzip of two members, and padding": _said("Content-Encoding: gzip")
    + gzip.compress(b"who")
    + gzip.compress(b"le")
    + b"\0\0",
    "deflate": _said("Content-Encoding: deflate") + zlib.compress(b"whole"),
    "deflate without its header": _said("Content-Encoding: deflate") + _RAW_DEFLATE,
    "no coding: UTF-8": _said("Content-Encoding: UTF-8", _FIVE) + b"whole",
    "no coding: none": _said("Content-Encoding: none", _FIVE) + b"whole",
    "no coding: identity": _said("Content-Encoding: identity", _FIVE) + b"whole",
    "no coding: empty": _said("Content-Encoding:", _FIVE) + b"whole",
    "no coding: chunked": _said("Content-Encoding: aws-chunked", _FIVE) + b"whole",
    "gzip, and no coding": _said("Content-Encoding: identity, gzip, utf-8") + _GZIPPED,
    "140 headers": _said(*(f"X-{n}: {n}" for n in range(140)), _FIVE) + b"whole",
    "150 cookies": _said(*(f"Set-Cookie: a{n}=b; Path=/" for n in range(150)), _FIVE) + b"whole",
    "a line that is no header": _said("X-A: 1", "what is this", _FIVE, "X-B: 2") + b"whole",
    "a header without a name": _said("X-A: 1", ": 2", _FIVE) + b"whole",
    "a name with a blank in it": _said("X-A: 1", "a b: 2", _FIVE) + b"whole",
    "a name of no letters": _said("X-A: 1", b"\xff\x00: 2", _FIVE) + b"whole",
    "a blank before the colon": _said("Content-Length : 5") + b"whole",
    "control characters": _said("X-A: \x01\x0b\x0c\x1c\x1f\x7f\x85", "X-B: \0", _FIVE) + b"whole",
    "a carriage return in a header": _said("X-A: 1\r2", _FIVE) + b"whole",
    "headers that are folded": _said("X-A: 1\r\n 2\r\n\t3", _FIVE) + b"whole",
    "bytes that are no ASCII": _said(b"X-A: \xe6\x97\xa5", b"X-B: \xe9", _FIVE) + b"whole",
    "lone line feeds": _said("X-A: 1", _FIVE, end=b"\n") + b"whole",
    "no reason": _said(_FIVE, status="HTTP/1.1 200 ") + b"whole",
    "no reason, and no blank": _said(_FIVE, status="HTTP/1.1 200") + b"whole",
    "two blanks": _said(_FIVE, status="HTTP/1.1  200  OK") + b"whole",
    "HTTP/1.0": _said(_FIVE, status="HTTP/1.0 200 OK") + b"whole",
    "HTTP/2, as text": _said(_FIVE, status="HTTP/2 200") + b"whole",
    "an empty line before it": b"\r\n" + _said(_FIVE) + b"whole",
    "hints before it": _said(status="HTTP/1.1 100 Continue")
    + _said("Link: </a>", status="HTTP/1.1 103 Early Hints")
    + _said(_FIVE)
    + b"whole",
    "a type of many parts": _said("Content-Type: multipart/mixed; boundary=a", _FIVE) + b"whole",
}
"""Responses that break the rules of HTTP, or use rare ones, and can be understood: as ``whole``."""

UNREADABLE: dict[str, bytes] = {
    "another protocol": b"SSH-2.0-OpenSSH_9.9\r\n",
    "another protocol, without a line end": b"+OK",
    "JSON": b'{"a": 1}',
    "letters": b"a" * 40_000,
    "a long word": b"Connection" * 3_000 + b"\r\n",
    "a version that is none": _said(status="HTTP/x 200 OK"),
    "a status that is none": b"HTTP/1.1 OK 200\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n",
    "a status line without an end": b"HTTP/1.1 200 " + b"O" * 40_000,
    "another protocol from now on": _said("Upgrade: x", status="HTTP/1.1 101 Switching Protocols"),
    "lengths that contradict each other": _said(_FIVE, "Content-Length: 6") + b"whole",
    "a length that is none": _said("Content-Length: five") + b"whole",
    "a length of 5000 digits": _said("Content-Length: " + "9" * 5000) + b"whole",
    "too many headers": _said(*["a: b"] * 3000, _FIVE) + b"whole",
    "too long headers": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 600_000,
    "chunked, but it is not": _said("Transfer-Encoding: chunked") + b"whole",
    "a chunk that is longer than its size": _said("Transfer-Encoding: chunked") + b"2\r\nwhole",
    "a chunk of a negative size": _said("Transfer-Encoding: chunked") + b"-5\r\nwhole\r\n",
    "a size without an end": _said("Transfer-Encoding: chunked") + b"1" * 20_000,
    "a coding that is known, but not here": _said(
        "Content-Encoding: compress", "Content-Length: 999"
    )
    + b"whole",
    "a coding that it is not": _said("Content-Encoding: gzip", "Content-Length: 999") + b"whole",
    "too many codings": _said("Content-Encoding: " + ", ".join(["gzip"] * 9), "Content-Length: 999")
    + b"whole",
}
"""Responses that can't be understood, and that never end."""

SLOW: dict[str, tuple[bytes, bytes]] = {
    "a status line": (b"HTTP/1.1 200 ", b"x"),
    "a header": (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n"),
    "hints": (b"", _said(status="HTTP/1.1 103 Early Hints")),
    "the size of a chunk": (CHUNKED, b"0"),
    "a chunk's extension": (CHUNKED + b"5;", b"x"),
    "a chunk": (CHUNKED + b"10000\r\n", b"x"),
    "a trailer": (CHUNKED + b"5\r\nwhole\r\n0\r\nX: ", b"x"),
    "trailers": (CHUNKED + b"5\r\nwhole\r\n0\r\n", b"X: 1\r\n"),
    "a body": (_said("Content-Length: 10000"), b"x"),
    "a body without a length": (_said(), b"x"),
}
"""Where a response can come in drops: its beginning, and the drop."""

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
PASSWORD = "proxy/secret"


def with_password(origin: str) -> str:
    """The URL of a proxy, with a user and a password in it."""
    return origin.replace("://", f"://user:{PASSWORD.replace('/', '%2F')}@")


def request_to(where: Any, **limits: float) -> HttpRequest:
    """A request to a server or a URL, with a secret in it, and limits that let no test hang."""
    url = where if isinstance(where, str) else where.url
    headers = {"Authorization": f"Bearer {KEY}"}
    return HttpRequest("POST", url, headers, b'{"a": 1}', Timeout(8, **limits))


def as_asked(reply: Reply) -> Script:
    """The reply, compressed only for who can read that."""

    def script(request: Any) -> Reply:
        can = "gzip" in request.headers.get("accept-encoding", "")
        return attrs.evolve(reply, gzip=reply.gzip and can)

    return script


def client_of(url: str, transport: Transport) -> OpenAI:
    """A client that tries once."""
    from chatlib.client.openai import OpenAI  # here, as it lives on the same floor

    return OpenAI(api_key=KEY, base_url=url, transport=transport, max_retries=0)


async def body_of(transport: AsyncTransport, request: HttpRequest) -> bytes:
    """The whole body of what a server answers."""
    return await (await transport.asend(request)).aread()


LONGEST = 60.0
"""The seconds that a scenario may take: what does not come to an end in them fails."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on an event loop of its own, on a thread that nobody waits for too long.

    Raises:
        AssertionError: it has not come to an end after :data:`LONGEST` seconds.
    """
    ended: Future[T] = Future()

    def main() -> None:
        try:
            ended.set_result(asyncio.run(work))
        except BaseException as error:  # raised again below, whatever it is
            ended.set_exception(error)

    thread = threading.Thread(target=main, daemon=True)
    thread.start()
    thread.join(LONGEST)
    assert not thread.is_alive(), f"it has not come to an end after {LONGEST:g} s"
    return ended.result(0)


async def aclose(transport: object) -> None:
    """Close an asynchronous transport, if that can be done; no task may be left over then."""
    closing = getattr(transport, "aclose", None)
    if closing is not None:
        await closing()
    assert await becomes(lambda: {asyncio.current_task()} == asyncio.all_tasks())


async def becomes(true: Callable[[], object], seconds: float = 2.0) -> bool:
    """Whether something becomes true before some seconds are over."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        await asyncio.sleep(0.005)
    return bool(true())


async def cancelled(work: Awaitable[Any], when: Callable[[], object]) -> None:
    """Start some work, and cancel it a moment after something has become true."""
    task = asyncio.ensure_future(work)
    assert await becomes(when)
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.wait([task], timeout=LONGEST)
    assert task.done(), "the cancellation did not end it"
    assert task.cancelled(), "the cancellation was swallowed"


@contextmanager
def nothing_left() -> Iterator[None]:
    """Require that no thread and no warning of something unclosed is left over."""
    before = set(threading.enumerate())

    def left() -> list[threading.Thread]:
        return [
            thread
            for thread in set(threading.enumerate()) - before
            if "_converse" not in thread.name and "_accept" not in thread.name
        ]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        yield
        gc.collect()
    assert [] == [str(warning.message) for warning in caught]
    end = time.monotonic() + 2
    while left() and time.monotonic() < end:
        time.sleep(0.005)
    assert [] == left()


def close(transport: object) -> None:
    """Close a transport, if that can be done."""
    closing = getattr(transport, "close", None)
    if closing is not None:
        closing()


@contextmanager
def raising(kind: type[TransportError] = TransportError) -> Iterator[list[TransportError]]:
    """Require that a transport's exception is raised inside; it is in the list afterwards."""
    caught: list[TransportError] = []
    try:
        yield caught
    except kind as error:
        caught.append(error)
    else:
        raise AssertionError(f"no {kind.__name__} was raised")


@contextmanager
def taking(least: float, most: float) -> Iterator[None]:
    """Require that what is inside takes about so many seconds."""
    start = time.monotonic()
    yield
    took = time.monotonic() - start
    assert least <= took <= most, f"it took {took:.2f} s, not {least:g} to {most:g} s"


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Exactly these variables about proxies and certificates."""
    ours = ("_PROXY", "_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
    others = {name: text for name, text in os.environ.items() if not name.upper().endswith(ours)}
    with patch.dict(os.environ, {**others, **variables}, clear=True):
        yield


def shown_in(error: BaseException, secret: str) -> list[str]:
    """Where a log, a crash report or a message queue would see a secret of an exception."""
    detailed = traceback.TracebackException.from_exception(error, capture_locals=True)
    # The variables of a test are its own.
    ours = (__file__, "contract.py")
    frames = [frame for frame in detailed.stack if not frame.filename.endswith(ours)]
    shown = {
        "str": str(error),
        "repr": repr(error),
        "attributes": repr(vars(error)),
        "traceback": "".join(traceback.format_exception(error)),
        "variables": repr([frame.locals for frame in frames]),
        "pickle": pickle.dumps(error).decode("latin-1"),
    }
    link: BaseException | None = error
    while link is not None:
        shown[f"{type(link).__name__} below"] = f"{link} {link!r} {link.args}"
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return [name for name, text in shown.items() if secret in text]


class Silent:
    """An address that accepts one connection, never says a word, and hangs up in the end.

    Args:
        seconds: How long it stays silent, so that nobody waits for ever.
    """

    def __init__(self, seconds: float = 30.0) -> None:
        self._seconds = seconds
        self._reached, self._left = threading.Event(), threading.Event()

    def __enter__(self) -> Silent:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._stop, self._bell = socket.socketpair()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.close()
        self._thread.join(self._seconds)
        for owned in (self._listener, self._bell):
            owned.close()

    def is_reached(self) -> bool:
        """Whether a client has connected."""
        return self._reached.is_set()

    def is_left(self, seconds: float = 2.0) -> bool:
        """Whether the client closes its connection before some seconds are over."""
        return self._left.wait(seconds)

    def _listen(self) -> None:
        end = time.monotonic() + self._seconds

        def comes(what: socket.socket) -> bool:
            with selectors.DefaultSelector() as selector:
                for watched in (what, self._bell):
                    selector.register(watched, selectors.EVENT_READ)
                ready = selector.select(max(end - time.monotonic(), 0))
            return [what] == [key.fileobj for key, _ in ready]

        if not comes(self._listener):
            return
        try:
            with self._listener.accept()[0] as conn:
                self._reached.set()
                while comes(conn):
                    if not conn.recv(65536):
                        self._left.set()
                        return
        except ConnectionError:  # closed without having read
            self._left.set()


class Authority:
    """A certificate authority of one's own, by the package trustme."""

    def __init__(self) -> None:
        try:
            import trustme
        except ImportError:
            raise SkipTest("needs the package trustme") from None
        self._ca = trustme.CA()
        self._folder = tempfile.TemporaryDirectory()
        self.bundle = os.path.join(self._folder.name, "ca.pem")
        """The path of its certificate."""
        self._ca.cert_pem.write_to_path(self.bundle)

    @staticmethod
    @lru_cache(maxsize=1)
    def one() -> Authority:
        """One for all tests: to make it takes a while."""
        return Authority()

    def context(self, *names: str) -> ssl.SSLContext:
        """What a server with a certificate for these names speaks; loopback's, unless given."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._ca.issue_cert(*(names or ("127.0.0.1",))).configure_cert(context)
        return context
