"""Server-sent events: bytes as they come, however they are cut, to events.

The strategy: a push decoder. It is fed pieces of bytes and answers with the events that they
complete, so the same decoder serves a generator and an ``async for``. It works on bytes and decodes
a whole event at once, which makes characters cut in the middle harmless, and keeps the pieces of an
unfinished line in a list, which makes a line of megabytes in small pieces linear.

The rules are those of https://html.spec.whatwg.org/multipage/server-sent-events.html, section
"Interpreting an event stream", with additions that real servers need:

- An event that lacks its closing blank line at the end of the stream is given all the same.
- A field named ``error``, which the standard would ignore, reads as an event of that name.
- A JSON object that follows another one, or ``[DONE]`` that does, begins an event of its own where
  the blank line between them is missing: no JSON text goes on like that.
- A line that begins as JSON, without the name of a field, is data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

_BOM = b"\xef\xbb\xbf"
_MOST_DIGITS = 18
"""The longest reconnection time that is read: Python refuses to convert thousands of digits."""
_MOST_STRAY = 2000


@attrs.define
class ServerSentEvent:
    """One event: its data (lines joined by newlines), its name, and the last id that was sent."""

    data: str
    event: str = "message"
    id: str = ""


class LineDecoder:
    """Pieces of bytes to lines, without their ends: LF, CR or CRLF, wherever the cuts are.

    A lone U+2028, where :meth:`str.splitlines` would split, stays in its line.
    """

    def __init__(self) -> None:
        self._open: list[bytes] = []  # the pieces of a line that has not ended
        self._after_cr = False  # the last piece ended in CR: an LF now belongs to it

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines that this piece completes."""
        if self._after_cr and piece:
            self._after_cr = False
            piece = piece.removeprefix(b"\n")
        if not piece:
            return []
        lines = piece.splitlines()  # of bytes: at LF, CR and CRLF, and at nothing else
        ended = piece.endswith((b"\n", b"\r"))
        if self._open:
            if len(lines) == 1 and not ended:
                self._open.append(piece)
                return []
            self._open.append(lines[0])
            lines[0] = b"".join(self._open)
            self._open = []
        if not ended:
            self._open.append(lines.pop())
        elif piece.endswith(b"\r"):
            self._after_cr = True
        return lines

    def flush(self) -> bytes:
        """What is there of a line that has not ended."""
        last = b"".join(self._open)
        self._open = []
        return last


class SSEDecoder:
    """Pieces of bytes to events. Feed it what comes, then call :meth:`flush` at the end."""

    def __init__(self) -> None:
        self.retry: int | None = None
        """The reconnection time in milliseconds, where the server sent one."""
        self.stray = b""
        """The first lines that are no field, such as what a gateway says of an error of its own."""
        self._start: bytes | None = b""  # the first bytes, until it is clear whether they are a BOM
        self._lines = LineDecoder()
        self._data: list[bytes] = []
        self._event = b""
        self._id = b""

    def feed(self, piece: bytes) -> list[ServerSentEvent]:
        """The events that this piece completes."""
        if self._start is not None:
            piece = self._start + piece
            if len(piece) < len(_BOM) and _BOM.startswith(piece):
                self._start = piece
                return []
            self._start = None
            piece = piece.removeprefix(_BOM)
        events: list[ServerSentEvent] = []
        for line in self._lines.feed(piece):
            if line.startswith(b"data: "):  # nearly every line
                if self._data:
                    self._split(line[6:], events)
                self._data.append(line[6:])
            elif line:
                self._take(line, events)
            elif self._data:
                events.append(self._dispatch())
            else:
                self._event = b""
        return events

    def flush(self) -> list[ServerSentEvent]:
        """The event that was still open when the stream ended, if there is one."""
        last = (self._start or b"") + self._lines.flush()
        self._start = b""
        events: list[ServerSentEvent] = []
        if last:
            self._take(last, events)
        if self._data:
            events.append(self._dispatch())
        return events

    def _take(self, line: bytes, events: list[ServerSentEvent]) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if line.startswith((b"{", b"[")) and line.rstrip().endswith((b"}", b"]")):
            # Ollama's errors in the middle of a stream.
            name, value = b"data", line
        if name == b"data":
            self._split(value, events)
            self._data.append(value)
        elif name == b"event":
            self._event = value
        elif name == b"id" and b"\0" not in value:
            self._id = value
        elif name == b"retry" and value.isdigit() and len(value) <= _MOST_DIGITS:
            self.retry = int(value)
        elif name == b"error":  # not in the standard: llama.cpp
            self._event = b"error"
            self._data.append(value)
        elif name and name not in (b"event", b"id", b"retry") and len(self.stray) < _MOST_STRAY:
            self.stray += line[:_MOST_STRAY] + b"\n"

    def _split(self, value: bytes, events: list[ServerSentEvent]) -> None:
        """End the event so far where the next line of data can't belong to it."""
        data = self._data
        if (
            data
            and data[0].startswith(b"{")
            and data[-1].rstrip().endswith(b"}")
            and value.startswith((b"{", b"[DONE]"))
        ):
            events.append(self._dispatch())

    def _dispatch(self) -> ServerSentEvent:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        event = ServerSentEvent(data.decode("utf-8", "replace"))
        if self._event:
            event.event = self._event.decode("utf-8", "replace")
        if self._id:
            event.id = self._id.decode("utf-8", "replace")
        self._data, self._event = [], b""
        return event


def read_events(pieces: Iterable[bytes]) -> Iterator[ServerSentEvent]:
    """Server-sent events out of an iterable of bytes, cut anywhere.

    Args:
        pieces: The body as it comes: an :class:`~chatlib.http.HttpResponse`, a list, an open file.

    Yields:
        Each event as soon as its last byte is there. Comments, and blocks without data, give none.

    >>> list(read_events([b"event: greeting\\nda", b"ta: Hello\\n\\n: a comment\\n\\n"]))
    [ServerSentEvent(data='Hello', event='greeting', id='')]
    """
    decoder = SSEDecoder()
    for piece in pieces:
        yield from decoder.feed(piece)
    yield from decoder.flush()
