"""Helpers of the contract: requests, certificates and assertions.

They use plain ``assert`` statements, so that any test runner can run the contract.
"""

from __future__ import annotations

import asyncio
import gc
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
"""The API key that no exception may show."""

OK = Reply.json(completion("ok"))
ELSEWHERE = "http://api.example.test/v1"
ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
PASSWORD = "proxy/secret"


def with_password(origin: str) -> str:
    """Return a proxy URL with a user and a password."""
    return origin.replace("://", f"://user:{PASSWORD.replace('/', '%2F')}@")


def request_to(where: Any, **limits: float) -> HttpRequest:
    """Return a request with a secret to a server or URL, with timeouts in seconds."""
    url = where if isinstance(where, str) else where.url
    headers = {"Authorization": f"Bearer {KEY}"}
    return HttpRequest("POST", url, headers, b'{"a": 1}', Timeout(8, **limits))


def compress_if_accepted(reply: Reply) -> Script:
    """Return a script that compresses the reply only if the client accepts gzip."""

    def script(request: Any) -> Reply:
        can = "gzip" in request.headers.get("accept-encoding", "")
        return attrs.evolve(reply, gzip=reply.gzip and can)

    return script


def make_client(url: str, transport: Transport) -> OpenAI:
    """Return a client without retries."""
    from chatlib.client.openai import OpenAI  # lazily: most tests do not need it

    return OpenAI(api_key=KEY, base_url=url, transport=transport, max_retries=0)


async def read_body(transport: AsyncTransport, request: HttpRequest) -> bytes:
    """Send a request and return the whole body of the response."""
    return await (await transport.asend(request)).aread()


TIME_LIMIT = 60.0
"""The time limit of a test, in seconds."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a new event loop in a thread, with a time limit.

    Raises:
        AssertionError: If it exceeds :data:`TIME_LIMIT`.
    """
    ended: Future[T] = Future()

    def main() -> None:
        try:
            ended.set_result(asyncio.run(work))
        except BaseException as error:  # raised again below
            ended.set_exception(error)

    thread = threading.Thread(target=main, daemon=True)
    thread.start()
    thread.join(TIME_LIMIT)
    assert not thread.is_alive(), f"not finished after {TIME_LIMIT:g} s"
    return ended.result(0)


async def aclose(transport: object) -> None:
    """Close an async transport, if it has ``aclose``, and require that no task is left."""
    closing = getattr(transport, "aclose", None)
    if closing is not None:
        await closing()
    assert await eventually(lambda: {asyncio.current_task()} == asyncio.all_tasks())


async def eventually(true: Callable[[], object], seconds: float = 2.0) -> bool:
    """Wait for a condition, at most some seconds, and return whether it holds."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        await asyncio.sleep(0.005)
    return bool(true())


async def cancel_when(work: Awaitable[Any], when: Callable[[], object]) -> None:
    """Start a task and cancel it shortly after a condition holds."""
    task = asyncio.ensure_future(work)
    assert await eventually(when)
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.wait([task], timeout=TIME_LIMIT)
    assert task.done(), "the task did not end after its cancellation"
    assert task.cancelled(), "the task suppressed its cancellation"


@contextmanager
def no_leaks() -> Iterator[None]:
    """Require that no thread is left and no ResourceWarning is raised."""
    before = set(threading.enumerate())

    def left() -> list[threading.Thread]:
        return [
            thread
            for thread in set(threading.enumerate()) - before
            if "_serve_connection" not in thread.name and "_accept" not in thread.name
        ]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        yield
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
    end = time.monotonic() + 2
    while left() and time.monotonic() < end:
        time.sleep(0.005)
    assert left() == []


def close(transport: object) -> None:
    """Close a transport, if it has ``close``."""
    closing = getattr(transport, "close", None)
    if closing is not None:
        closing()


@contextmanager
def expect_error(kind: type[TransportError] = TransportError) -> Iterator[list[TransportError]]:
    """Require a transport error inside; it is in the list afterwards."""
    caught: list[TransportError] = []
    try:
        yield caught
    except kind as error:
        caught.append(error)
    else:
        raise AssertionError(f"did not raise {kind.__name__}")


@contextmanager
def elapsed_within(least: float, most: float) -> Iterator[None]:
    """Require that the block takes between some numbers of seconds."""
    start = time.monotonic()
    yield
    took = time.monotonic() - start
    assert least <= took <= most, f"took {took:.2f} s, expected {least:g} to {most:g} s"


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Set these environment variables, and no others for proxies and certificates."""
    ours = ("_PROXY", "_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
    others = {name: text for name, text in os.environ.items() if not name.upper().endswith(ours)}
    with patch.dict(os.environ, {**others, **variables}, clear=True):
        yield


def find_secret(error: BaseException, secret: str) -> list[str]:
    """Return where an exception shows a secret: text, attributes, local variables, pickle."""
    detailed = traceback.TracebackException.from_exception(error, capture_locals=True)
    # The variables of the tests themselves may hold the secret.
    tests = os.path.dirname(__file__)
    frames = [frame for frame in detailed.stack if not frame.filename.startswith(tests)]
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


class SilentListener:
    """An address that accepts one connection, sends nothing, and closes it in the end.

    Args:
        seconds: How long it stays silent, in seconds.
    """

    def __init__(self, seconds: float = 30.0) -> None:
        self._seconds = seconds
        self._reached, self._left = threading.Event(), threading.Event()

    def __enter__(self) -> SilentListener:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._stop, self._stop_signal = socket.socketpair()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.close()
        self._thread.join(self._seconds)
        for owned in (self._listener, self._stop_signal):
            owned.close()

    def is_reached(self) -> bool:
        """Return whether a client has connected."""
        return self._reached.is_set()

    def is_left(self, seconds: float = 2.0) -> bool:
        """Wait for the client to close its connection and return whether it did."""
        return self._left.wait(seconds)

    def _listen(self) -> None:
        end = time.monotonic() + self._seconds

        def comes(what: socket.socket) -> bool:
            with selectors.DefaultSelector() as selector:
                for watched in (what, self._stop_signal):
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


class CertificateAuthority:
    """A private certificate authority; needs the package trustme."""

    def __init__(self) -> None:
        try:
            import trustme
        except ImportError:
            raise SkipTest("requires the package trustme") from None
        self._ca = trustme.CA()
        self._folder = tempfile.TemporaryDirectory()
        self.bundle = os.path.join(self._folder.name, "ca.pem")
        """The path of its CA bundle."""
        self._ca.cert_pem.write_to_path(self.bundle)

    @staticmethod
    @lru_cache(maxsize=1)
    def shared() -> CertificateAuthority:
        """Return one authority for all tests; creating it is slow."""
        return CertificateAuthority()

    def context(self, *names: str) -> ssl.SSLContext:
        """Return a server context with a certificate for these names, by default 127.0.0.1."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._ca.issue_cert(*(names or ("127.0.0.1",))).configure_cert(context)
        return context
