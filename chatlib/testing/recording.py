"""Record exchanges with a real server in a file.

The file is JSON that can be read and edited. It holds the requests passed to a transport and its
responses: JSON bodies as JSON, event streams piece by piece with the seconds between pieces, and
connection errors. Secrets are replaced. Bodies are recorded decompressed and without framing, as
transports return them.
"""

from __future__ import annotations

import bisect
import contextlib
import inspect
import itertools
import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from chatlib.files import write_beside
from chatlib.http import AsyncTransport, HttpRequest, HttpResponse, Transport, TransportError
from chatlib.redaction import private_frames
from chatlib.testing.bodies import BodyObserver, observe
from chatlib.testing.exchanges import (
    VERSION,
    Redactor,
    encode_body,
    encode_bytes,
    encode_error,
    encode_headers,
    encode_request,
)
from chatlib.testing.replaying import ReplayTransport
from chatlib.transports.checking import async_send, check_transport, sync_send

if TYPE_CHECKING:
    from chatlib.transports.threads import ThreadTransport

Mode: TypeAlias = Literal["auto", "record", "replay"]


def recorded(
    path: str | os.PathLike[str],
    transport: Transport | AsyncTransport | None = None,
    *,
    mode: Mode = "auto",
    timing: bool = False,
) -> RecordingTransport | ReplayTransport:
    """Return a transport that replays the recording if the file exists, and else makes it.

    Args:
        path: The file of the recording.
        transport: The transport used to record; by default a
            :class:`~chatlib.transports.requests.RequestsTransport`.
        mode: ``"record"`` to overwrite an existing recording, ``"replay"`` to send nothing.
        timing: Whether to replay the pauses too.

    Raises:
        ValueError: If ``mode`` is unknown, or the file is not a recording.
        FileNotFoundError: If ``mode`` is ``"replay"`` and there is no file.
    """
    if mode not in ("auto", "record", "replay"):
        raise ValueError(f"mode must be 'auto', 'record' or 'replay', not {mode!r}")
    if mode == "replay" or (mode == "auto" and Path(path).exists()):
        return ReplayTransport(path, timing=timing)
    return RecordingTransport(path, transport)


class RecordingTransport:
    """Sends through another transport and records requests and responses in a file.

    The first exchange overwrites the file, which is valid JSON after each exchange: a response is
    written when its body has ended, failed or been closed. A new file can be read by its owner
    only. It is thread-safe.

    Args:
        path: The file. Missing directories are created.
        transport: The transport that sends the requests. For :meth:`asend`, a synchronous
            transport runs in threads. By default a
            :class:`~chatlib.transports.requests.RequestsTransport`.
        clock: Returns the time in seconds, to measure the pauses.

    >>> import tempfile
    >>> from chatlib import OpenAI
    >>> from chatlib.testing import InMemoryServer
    >>> path = Path(tempfile.mkdtemp(), "hello.json")
    >>> ask = {"model": "any", "messages": [{"role": "user", "content": "Hi"}]}
    >>> recording = RecordingTransport(path, InMemoryServer("Hello!"))
    >>> OpenAI(api_key="test", transport=recording).chat.completions.create(**ask).text
    'Hello!'
    >>> replay = ReplayTransport(path)
    >>> OpenAI(api_key="other", transport=replay).chat.completions.create(**ask).text
    'Hello!'
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        transport: Transport | AsyncTransport | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = Path(path)
        """The path of the file."""
        if transport is not None:
            check_transport(transport)
        self._transport = transport
        self._threads: ThreadTransport | None = None
        self._clock = clock
        self._numbers: Iterator[int] = itertools.count()
        self._finished: deque[tuple[int, dict[str, Any]]] = deque()  # not yet in the file
        self._written = _RecordingFile(self.path)
        self._lock = threading.Lock()
        self._writing, self._changed = threading.Lock(), False

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send a request and record it; see :meth:`chatlib.http.Transport.send`."""
        send = sync_send(self._carrier())
        with self._recording(request) as recorded_exchange:
            response = send(request)
        return recorded_exchange.record_response(response)

    async def asend(self, request: HttpRequest) -> HttpResponse:
        """Send a request and record it; see :meth:`chatlib.http.AsyncTransport.send`."""
        send = self._async_send()
        with self._recording(request) as recorded_exchange:
            response = await send(request)
        return recorded_exchange.record_response(response)

    def close(self) -> None:
        """Close the recorded transport if it is synchronous."""
        close = getattr(self._threads or self._transport, "close", None)
        if close is not None and not inspect.iscoroutinefunction(close):
            close()

    async def aclose(self) -> None:
        """Close the recorded transport."""
        used = self._threads or self._transport
        close = getattr(used, "aclose", None) or getattr(used, "close", None)
        done = close() if close is not None else None
        if inspect.isawaitable(done):
            await done

    def _carrier(self) -> Any:
        with self._lock:
            if self._transport is None:
                from chatlib.transports.requests import RequestsTransport

                self._transport = RequestsTransport()
            return self._transport

    def _async_send(self) -> Any:
        carrier = self._carrier()
        send = async_send(carrier)
        if send is not None:
            return send
        with self._lock:
            if self._threads is None:
                from chatlib.transports.threads import ThreadTransport

                self._threads = ThreadTransport(carrier)
            return self._threads.asend

    @contextlib.contextmanager
    def _recording(self, request: HttpRequest) -> Iterator[_RecordedExchange]:
        number = next(self._numbers)

        def finish(exchange: dict[str, Any]) -> None:
            self._finished.append((number, exchange))
            self._write()

        recorded_exchange = _RecordedExchange(request, self._clock, finish)
        try:
            yield recorded_exchange
        except TransportError as error:
            recorded_exchange.record_failure(error)
            raise

    def _write(self) -> None:
        """Write the file, or let the thread that is writing it write again.

        Finalizers call this too, so it never waits for the lock.
        """
        self._changed = True
        while self._changed and self._writing.acquire(blocking=False):
            try:
                self._changed = False
                with private_frames():  # they hold the secrets
                    self._write_now()
            finally:
                self._writing.release()

    def _write_now(self) -> None:
        added = []
        while self._finished:
            added.append(self._finished.popleft())
        self._written.add(added)


_HEAD = f'{{\n  "version": {VERSION},\n  "exchanges": [\n'.encode()
_BETWEEN = b",\n"
_END = b"\n  ]\n}\n"


class _RecordingFile:
    """The file of a recording, in the order of the requests.

    Each exchange is encoded once, and only what follows it in the file is written with it, so that
    the cost of a recording is linear.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers: list[int] = []
        self._texts: list[bytes] = []
        self._length = len(_HEAD) - len(_BETWEEN)  # of the file without its end
        self._state: tuple[int, int, int] | None = None  # of the file as it was left

    def add(self, exchanges: list[tuple[int, dict[str, Any]]]) -> None:
        """Add exchanges, each with the number of its request."""
        first = len(self._texts)
        for number, exchange in exchanges:
            at = bisect.bisect(self._numbers, number)
            text = _encode(exchange)
            self._numbers.insert(at, number)
            self._texts.insert(at, text)
            self._length += len(_BETWEEN) + len(text)
            first = min(first, at)
        tail = _BETWEEN.join(self._texts[first:]) + _END
        if not exchanges or (first and self._write_tail(first, _BETWEEN + tail)):
            return
        whole = (_HEAD, _BETWEEN.join(self._texts), _END)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(write_beside(self._path, whole), self._path)
        self._state = _state_of(os.stat(self._path))

    def _write_tail(self, first: int, tail: bytes) -> bool:
        """Overwrite the file from behind the first exchanges on, in one write.

        Args:
            first: How many exchanges stay.
            tail: What follows them.

        Returns:
            Whether that was possible: not if somebody else has changed the file.
        """
        state, self._state = self._state, None
        flags = os.O_WRONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        try:
            fd = os.open(self._path, flags)
        except OSError:
            return False
        try:
            if state is None or _state_of(os.fstat(fd)) != state:
                return False
            os.lseek(fd, self._length + len(_END) - len(tail), os.SEEK_SET)
            if os.write(fd, tail) != len(tail):
                return False
            self._state = _state_of(os.fstat(fd))
            return True
        finally:
            os.close(fd)


def _state_of(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_dev, found.st_ino, found.st_size


def _encode(exchange: dict[str, Any]) -> bytes:
    """Encode an exchange as it stands in the file, with its indentation."""
    text = json.dumps(exchange, indent=2, ensure_ascii=False)
    try:
        return _indented(text)
    except UnicodeEncodeError:  # a lone surrogate: valid in JSON, not in UTF-8
        return _indented(json.dumps(exchange, indent=2))


def _indented(text: str) -> bytes:
    # Not by textwrap, which splits at U+2028 too.
    return ("    " + text.replace("\n", "\n    ")).encode()


class _RecordedExchange(BodyObserver):
    """An exchange that is being recorded."""

    def __init__(
        self,
        request: HttpRequest,
        clock: Callable[[], float],
        finish: Callable[[dict[str, Any]], None],
    ) -> None:
        self._is_finished = False
        self._redactor = Redactor(request)
        self._request = encode_request(request, self._redactor)
        self._clock, self._on_finish = clock, finish
        self._since = clock()
        self._response: dict[str, Any] = {}
        self._streamed = False
        self._pieces: list[bytes] = []
        self._waits: list[float] = []

    def record_failure(self, error: TransportError) -> None:
        """Record the error of a request that got no response."""
        self._finish(
            {"after": self._seconds_since_last(), "error": encode_error(error, self._redactor)}
        )

    def record_response(self, response: HttpResponse) -> HttpResponse:
        """Return the response; it is recorded while it is read."""
        shown = encode_headers(response.headers, self._redactor)
        self._response = {
            "after": self._seconds_since_last(),
            "status": response.status,
            "headers": shown,
        }
        self._streamed = response.headers.get("content-type", "").startswith("text/event-stream")
        return observe(response, self)

    def on_piece(self, piece: bytes) -> None:
        self._waits.append(self._seconds_since_last())
        self._pieces.append(piece)

    def on_end(self, error: TransportError | None) -> None:
        if error is not None:
            self._finish(
                {"response": {**self._with_pieces(), "error": encode_error(error, self._redactor)}}
            )
        elif self._streamed:
            self._finish({"response": self._with_pieces()})
        else:
            body = encode_body(b"".join(self._pieces), self._redactor)
            self._finish({"response": {**self._response, **body}})

    def on_close(self) -> None:
        if not self._is_finished:
            self._finish({"response": {**self._with_pieces(), "closed": True}})

    def _with_pieces(self) -> dict[str, Any]:
        pieces = self._redactor.redact_pieces(self._pieces)
        made = [
            {"after": wait, **encode_bytes(piece)}
            for wait, piece in zip(self._waits, pieces, strict=True)
        ]
        return {**self._response, "pieces": made}

    def _seconds_since_last(self) -> float:
        now = self._clock()
        passed, self._since = now - self._since, now
        return round(passed, 6)

    def _finish(self, outcome: dict[str, Any]) -> None:
        self._is_finished = True
        self._on_finish({"request": self._request, **outcome})
