"""HTTP/1 responses, from bytes: one tolerant reader for all transports that open sockets.

Servers send heads that no grammar allows: a length beside chunks, 140 headers, a line without a
colon. Each HTTP library forgives others of them, so that a call would fail over one transport and
succeed over another; and some wait for a timeout where it is clear that no HTTP will come. This
reader takes all that can be understood, and refuses the rest as soon as it can't be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http.client import HTTPException, IncompleteRead
from typing import NamedTuple

LONGEST_HEAD = 1 << 19
"""How many bytes status line and headers may have."""

MOST_HEADERS = 2000
"""How many lines they may have."""

LONGEST_LINE = 1 << 14
"""How many bytes a line between two chunks may have."""

_END = re.compile(rb"\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_NAME = re.compile(r"[!-9;-~]+")
_VERSION = re.compile(rb"HTTP/[0-9](\.[0-9])?")
_STATUS = re.compile(rb"[1-9][0-9]{2}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_LENGTH = re.compile(r"[0-9]{1,18}")
_PLAIN = re.compile(r"[ -~]{1,1000}")
_RECORDED = frozenset({"content-type", "content-encoding", "x-request-id", "retry-after"})


class MalformedResponse(HTTPException):
    """What came is no HTTP/1 response."""


class Head(NamedTuple):
    """Status line and headers, and what they say of the body."""

    version: int
    """10 for HTTP/1.0, 11 for later ones."""
    status: int
    reason: str
    headers: list[tuple[str, str]]
    chunked: bool
    length: int | None
    """How many bytes the body has; None where chunks or the end of the connection say so."""
    will_close: bool
    """Whether the connection can't be used again."""

    def canonical(self) -> bytes:
        """Return it for a strict parser: the framing, and what tools need that record responses."""
        framing = "Connection: close\r\n" if self.will_close else "Connection: keep-alive\r\n"
        if self.chunked:
            framing += "Transfer-Encoding: chunked\r\n"
        elif self.length is not None and self.status not in (204, 304):
            framing += f"Content-Length: {self.length}\r\n"
        for name, value in self.headers:
            if name.lower() in _RECORDED and _PLAIN.fullmatch(value):
                framing += f"{name}: {value}\r\n"
        line = f"HTTP/1.1 {self.status} {self.reason}\r\n"
        return f"{line}{framing}\r\n".encode("latin-1")


class HeadReader:
    """Bytes, as they come, to the head of a response. Informational responses are skipped."""

    def __init__(self, method: str | None = None) -> None:
        self._method = method
        self._held = bytearray()
        self._size = 0
        self._has_status = False
        self.rest = b""
        """What came after the head: the beginning of the body."""

    def feed(self, data: bytes) -> Head | None:
        """Take what came; return the head once it is whole.

        Raises:
            MalformedResponse: It is clear that this is none.
        """
        held = self._held
        self._size += len(data)
        start = max(len(held) - 2, 0)  # where the end of the head may have begun
        held += data
        while True:
            if not self._has_status:
                self._look_at_status_line()
            end = _END.search(held, start)
            if end is None:
                if self._size > LONGEST_HEAD:
                    raise MalformedResponse("the headers of the answer are too long")
                return None
            head = _parse_head(bytes(held[: end.start()]), self._method)
            del held[: end.end()]
            if head is not None:
                self.rest = bytes(held)
                return head
            self._has_status, start = False, 0

    def _look_at_status_line(self) -> None:
        held = self._held
        if held.startswith(
            (b"\r", b"\n")
        ):  # some servers end the body before it by a line too many
            del held[: len(held) - len(held.lstrip(b"\r\n"))]
        line, newline, _ = held[:1000].partition(b"\n")
        if not b"HTTP/".startswith(held[:5]) or (len(line) == 1000 and not newline):
            raise _not_http(held)
        if newline:
            _parse_status(bytes(line))
            self._has_status = True


def _not_http(came: bytes | bytearray) -> MalformedResponse:
    shown = bytes(came[:40]).decode("latin-1")
    return MalformedResponse(f"the answer is no HTTP: it begins with {shown!r}")


def _parse_status(line: bytes) -> tuple[int, int, str]:
    version, status, reason = [*line.split(None, 2), b"", b"", b""][:3]
    if not _VERSION.fullmatch(version) or not _STATUS.fullmatch(status):
        raise _not_http(line)
    words = _CONTROLS.sub(" ", reason.decode("latin-1")).strip()
    return 10 if version in (b"HTTP/1.0", b"HTTP/0.9") else 11, int(status), words


def _parse_head(came: bytes, method: str | None) -> Head | None:
    """Return the head; None for an informational one, which another will follow."""
    if b"\n " in came or b"\n\t" in came:
        came = _FOLD.sub(b" ", came)
    first, *lines = came.split(b"\n", MOST_HEADERS + 1)
    if len(lines) > MOST_HEADERS:
        raise MalformedResponse("the answer has too many headers")
    version, status, reason = _parse_status(first)
    if status < 200:
        if status == 101:
            raise MalformedResponse("the server switched protocols, which was not asked for")
        return None
    headers: list[tuple[str, str]] = []
    said: dict[str, list[str]] = {"connection": [], "transfer-encoding": [], "content-length": []}
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        name, value = name.rstrip(" \t"), value.strip(" \t\r")
        if not colon or not _NAME.fullmatch(name):
            continue  # a line that is no header
        headers.append((name, value))
        words = said.get(name.lower())
        if words is not None:
            words += [word.strip() for word in value.lower().split(",")]
    connection = said["connection"]
    will_close = "close" in connection or (version == 10 and "keep-alive" not in connection)
    chunked, length = False, None
    codings = [word for word in said["transfer-encoding"] if word not in ("", "identity")]
    # https://www.rfc-editor.org/rfc/rfc9112#section-6.3
    if status in (204, 304) or method == "HEAD":
        length = 0
    elif codings:
        chunked = codings[-1] == "chunked"
    else:
        length = _length(said["content-length"], will_close)
    will_close = will_close or (length is None and not chunked)
    return Head(version, status, reason, headers, chunked, length, will_close)


def _length(given: Iterable[str], will_close: bool) -> int | None:
    """Return what ``Content-Length`` says, be it twice; None where it says nothing of use."""
    lengths = set(filter(None, given))
    if len(lengths) != 1:
        if lengths:
            raise MalformedResponse("the answer has Content-Lengths that contradict each other")
        return None
    said = lengths.pop()
    if _LENGTH.fullmatch(said):
        return int(said)
    if will_close or not said or said.startswith("-"):
        return None  # the body ends where the connection does
    raise MalformedResponse(f"the answer has the Content-Length {said[:40]!r}, which is no number")


class ChunkDecoder:
    """The bytes of a chunked body, as they come, to what is in the chunks, as it comes."""

    def __init__(self) -> None:
        self.done = False
        """Whether the body has ended."""
        self.error: MalformedResponse | None = None
        """What is wrong behind that which was returned."""
        self._held = b""  # a line that has not come whole
        self._left = 0  # how much of a chunk is to come
        self._after_chunk = False  # whether its line end is to come
        self._trailers: int | None = None  # how many bytes of them came; None before the last chunk

    def feed(self, data: bytes) -> bytes:
        """Take what came of the body; return what of the chunks came with it."""
        if self._held:
            data, self._held = self._held + data, b""
        parts: list[bytes] = []
        at, end = 0, len(data)
        while at < end and not self.done and self.error is None:
            if self._left:
                part = data[at : at + self._left]
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                self._after_chunk = not self._left
                continue
            if self._trailers is not None:
                at = self._skip_trailer(data, at)
                continue
            found = (_SIZE_AFTER_CHUNK if self._after_chunk else _SIZE).match(data, at)
            if found is None:
                self._hold(data[at:])
                break
            at, self._left, self._after_chunk = found.end(), int(found[1], 16), False
            if not self._left:
                self._trailers = 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def feed_end(self) -> bytes:
        """Take the end of the connection, which some servers give in place of the last line.

        Raises:
            IncompleteRead: It came too early.
        """
        if self._trailers is None:
            raise IncompleteRead(b"")
        self.done = True
        return b""

    def _hold(self, line: bytes) -> None:
        so_far = _SIZE_AFTER_CHUNK_SO_FAR if self._after_chunk else _SIZE_SO_FAR
        if so_far.fullmatch(line) and len(line) <= LONGEST_LINE:
            self._held = line
            return
        where = "behind a chunk stands" if self._after_chunk else "a chunk begins with"
        self.error = MalformedResponse(
            f"the answer is not in chunks, as it says: {where} {line[:40].decode('latin-1')!r}"
        )

    def _skip_trailer(self, data: bytes, at: int) -> int:
        """Return where the line of a trailer ends, or the data."""
        assert self._trailers is not None
        after = data.find(b"\n", at) + 1
        if after:
            self.done = data[at:after] in (b"\n", b"\r\n")
            self._trailers += after - at
        else:
            after, self._held = len(data), data[at:]
        if self._trailers > LONGEST_HEAD or len(self._held) > LONGEST_LINE:
            self.error = MalformedResponse("the trailers of the answer are too long")
        return after


_SIZE_LINE = rb"[ \t]*([0-9a-fA-F]{1,16})[ \t]*(?:;[^\n]*)?\r?\n"
_SIZE_LINE_SO_FAR = rb"[ \t]*(?:[0-9a-fA-F]{1,16}[ \t]*(?:;[^\n]*|\r)?)?"
_SIZE = re.compile(_SIZE_LINE)
_SIZE_SO_FAR = re.compile(_SIZE_LINE_SO_FAR)
_SIZE_AFTER_CHUNK = re.compile(rb"\r?\n" + _SIZE_LINE)
_SIZE_AFTER_CHUNK_SO_FAR = re.compile(rb"\r|(?:\r?\n" + _SIZE_LINE_SO_FAR + rb")?")
