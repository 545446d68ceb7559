"""Replay a recording without a server."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from chatlib.headers import HIDDEN, Headers
from chatlib.http import HttpRequest, HttpResponse
from chatlib.redaction import private_frames
from chatlib.testing.bodies import Body, Step
from chatlib.testing.exchanges import Redactor, decode_bytes, decode_error, encode_request
from chatlib.testing.recording_format import read_recording


class NotRecorded(AssertionError):
    """Raised for a request that the recording has no response to."""


class ReplayTransport:
    """Returns the responses of a recording and sends nothing.

    A request gets the response of the first unused exchange with the same method, URL and body.
    JSON bodies are compared by value; API keys are ignored.

    Args:
        path: The file, as written by a :class:`RecordingTransport`.
        timing: Whether to replay the pauses before a response and inside its body.

    Raises:
        ValueError: If the file is not a recording of a supported version. The message has the
            file, the place in it, and what is wrong there.
        FileNotFoundError: If there is no file.
    """

    def __init__(self, path: str | os.PathLike[str], *, timing: bool = False) -> None:
        self.path = Path(path)
        """The file of the recording."""
        self._exchanges = read_recording(self.path)
        self._used = [False] * len(self._exchanges)
        self._timing = timing
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """The number of exchanges that are not used yet."""
        return self._used.count(False)

    def send(self, request: HttpRequest) -> HttpResponse:
        """Return the recorded response to a request.

        Raises:
            NotRecorded: If there is none; the message lists the differences from the most
                similar recorded request.
            TransportError: The recorded connection error.
        """
        with private_frames():
            exchange = self._find(request)
        if self._timing:
            time.sleep(_delay_of(exchange))
        return _replay(exchange, self._timing, self.path)

    async def asend(self, request: HttpRequest) -> HttpResponse:
        """Return the recorded response to a request; see :meth:`send`."""
        with private_frames():
            exchange = self._find(request)
        if self._timing:
            import asyncio

            await asyncio.sleep(_delay_of(exchange))
        return _replay(exchange, self._timing, self.path)

    def _find(self, request: HttpRequest) -> dict[str, Any]:
        asked = _identity(encode_request(request, Redactor()))
        with self._lock:
            same = [
                at
                for at, exchange in enumerate(self._exchanges)
                if next(_differences(_identity(exchange["request"]), asked), None) is None
            ]
            for at in same:
                if not self._used[at]:
                    self._used[at] = True
                    return self._exchanges[at]
        redactor = Redactor(request)
        what = redactor.redact_text(f"{asked['method']} {asked['url']}")
        if same:
            times = "once" if len(same) == 1 else f"{len(same)} times"
            raise NotRecorded(
                f"{what} was requested more often than it was recorded ({times}) in {self.path}"
            )
        raise NotRecorded(
            f"{what} was not recorded in {self.path}.{self._nearest(asked, redactor)}"
        )

    def _nearest(self, asked: dict[str, Any], redactor: Redactor) -> str:
        if not self._exchanges:
            return " The recording is empty."
        compared = [
            (list(_differences(_identity(exchange["request"]), asked)), at + 1)
            for at, exchange in enumerate(self._exchanges)
        ]
        found, number = min(compared, key=lambda pair: _distance(pair[0]))
        lines = [
            f"{path}: recorded {_format_value(was, redactor)}, "
            f"requested {_format_value(now, redactor)}"
            for path, was, now in found[:MOST_LINES]
        ]
        if len(found) > MOST_LINES:
            lines.append(f"and {len(found) - MOST_LINES} more")
        differing = "".join(f"\n  {line}" for line in lines)
        return f" The most similar recorded request, number {number}, differs in:{differing}"


Difference: TypeAlias = tuple[str, Any, Any]
"""A path in a request, the recorded value there, and the requested one."""

MOST_LINES = 10
"""The maximum number of differences in an error message."""


def _identity(request: Mapping[str, Any]) -> dict[str, Any]:
    names = ("method", "url", "json", "text", "base64")
    return {name: request[name] for name in names if name in request}


def _differences(was: Any, now: Any, path: str = "") -> Iterator[Difference]:
    """Yield the differences of two JSON values."""
    if isinstance(was, dict) and isinstance(now, dict):
        for name in {**was, **now}:
            under = f"{path}.{name}" if path else name
            yield from _differences(was.get(name, _MISSING), now.get(name, _MISSING), under)
    elif isinstance(was, list) and isinstance(now, list):
        for at in range(max(len(was), len(now))):
            one, other = (items[at] if at < len(items) else _MISSING for items in (was, now))
            yield from _differences(one, other, f"{path}[{at}]")
    elif was != now and not _matches_redacted(was, now):
        yield path, was, now


def _matches_redacted(was: Any, now: Any) -> bool:
    """Return whether they differ only where a secret was replaced in the recorded one."""
    if not (isinstance(was, str) and isinstance(now, str) and HIDDEN in was):
        return False
    pattern = ".*".join(map(re.escape, was.split(HIDDEN)))
    return re.fullmatch(pattern, now, re.DOTALL) is not None


def _distance(found: list[Difference]) -> tuple[int, int]:
    return sum(path in ("method", "url") for path, _, _ in found), len(found)


_MISSING = object()


def _format_value(value: Any, redactor: Redactor) -> str:
    if value is _MISSING:
        return "nothing"
    text = json.dumps(redactor.redact_value(value), ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _delay_of(exchange: Mapping[str, Any]) -> float:
    return float(exchange.get("response", exchange).get("after", 0))


def _replay(exchange: Mapping[str, Any], timing: bool, path: Path) -> HttpResponse:
    if "error" in exchange:
        raise decode_error(exchange["error"])
    response = exchange["response"]
    body = _replay_body(response, timing, path) if "pieces" in response else decode_bytes(response)
    return HttpResponse(response["status"], Headers(response["headers"]), body)


def _replay_body(response: Mapping[str, Any], timing: bool, path: Path) -> Body:
    def steps() -> Iterator[Step]:
        seen = b""
        for piece in response["pieces"]:
            if timing and piece.get("after"):
                yield float(piece["after"])
            content = decode_bytes(piece)
            seen = seen[-_DONE_AT_MOST:] + content
            yield content
        if "error" in response:
            raise decode_error(response["error"])
        if response.get("closed") and not _DONE.search(seen):
            raise NotRecorded(
                f"the response was closed here when it was recorded in {path}; "
                "the rest of it is not in the recording"
            )

    return Body(steps)


_DONE = re.compile(rb"data: ?\[DONE\]")
_DONE_AT_MOST = 16
