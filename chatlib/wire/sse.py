"""Incremental decoding of server-sent events.

The decoder does no I/O: it is fed bytes and returns the events that they complete, so that the same
decoder serves blocking and asynchronous streams. It works on bytes and decodes a whole event at
once, so that characters may be split between chunks of bytes; and it keeps the parts of an
incomplete line in a list, so that the cost of a long line is linear.

The rules are those of https://html.spec.whatwg.org/multipage/server-sent-events.html, section
"Interpreting an event stream", with additions that real servers need:

- An event without a closing blank line at the end of the stream is dispatched.
- A field named ``error``, which the standard ignores, is an event of that name.
- A JSON object, or ``[DONE]``, after another JSON object begins a new event even if the blank line
  between them is missing.
- A line that begins as JSON, without a field name, is data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from chatlib.size_limits import DEFAULT_MAX_EVENT_BYTES

_BOM = b"\xef\xbb\xbf"
_MAX_DIGITS = 18
"""The maximum length of a reconnection time: Python refuses to convert thousands of digits."""
_MAX_STRAY = 2000


@attrs.define
class ServerSentEvent:
    """An event: its data (lines joined by newlines), its name, and the last event id."""

    data: str
    event: str = "message"
    id: str = ""


class LineDecoder:
    """Incremental splitter of bytes into lines, at LF, CR or CRLF.

    Unlike :meth:`str.splitlines`, it does not split at U+2028 and the like.
    """

    def __init__(self) -> None:
        self.open_size = 0
        """The size in bytes of the incomplete line."""
        self._open: list[bytes] = []  # its parts
        self._after_cr = False  # the last bytes ended in CR: a leading LF belongs to it

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the lines that more bytes complete, without their line ends."""
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
                self.open_size += len(piece)
                return []
            self._open.append(lines[0])
            lines[0] = self.flush()
        if not ended:
            self._open.append(lines[-1])
            self.open_size = len(lines.pop())
        elif piece.endswith(b"\r"):
            self._after_cr = True
        return lines

    def flush(self) -> bytes:
        """Return the incomplete line at the end of the bytes."""
        last = b"".join(self._open)
        self._open, self.open_size = [], 0
        return last


class SSEDecoder:
    """Incremental decoder of events: call :meth:`feed` for all bytes, then :meth:`flush`.

    Args:
        max_event_bytes: The maximum size of an event.
    """

    def __init__(self, max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES) -> None:
        self.max_event_bytes = max_event_bytes
        """The maximum size of an event."""
        self.is_too_large = False
        """Whether the incomplete event is larger than that: nothing more should be fed."""
        self.retry: int | None = None
        """The reconnection time in milliseconds, if the server has sent one."""
        self.stray = b""
        """The first lines that are no field, such as a gateway's own error in place of events."""
        self._start: bytes | None = b""  # the first bytes, until it is known whether they are a BOM
        self._lines = LineDecoder()
        self._data: list[bytes] = []
        self._event = b""
        self._id = b""
        self._size = 0  # of the incomplete event

    def feed(self, piece: bytes) -> list[ServerSentEvent]:
        """Return the events that more bytes complete."""
        if self._start is not None:
            piece = self._start + piece
            if len(piece) < len(_BOM) and _BOM.startswith(piece):
                self._start = piece
                return []
            self._start = None
            piece = piece.removeprefix(_BOM)
        events: list[ServerSentEvent] = []
        lines = self._lines.feed(piece)
        for line in lines:
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
        if events or (lines and not self._data):  # counted anew, which costs little after an event
            self._size = self._lines.open_size + sum(map(len, self._data))
        else:
            self._size += len(piece)
        self.is_too_large = self._size > self.max_event_bytes
        return events

    def flush(self) -> list[ServerSentEvent]:
        """Return the incomplete event at the end of the stream, if any."""
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
            # Errors of Ollama in a stream.
            name, value = b"data", line
        if name == b"data":
            self._split(value, events)
            self._data.append(value)
        elif name == b"event":
            self._event = value
        elif name == b"id" and b"\0" not in value:
            self._id = value
        elif name == b"retry" and value.isdigit() and len(value) <= _MAX_DIGITS:
            self.retry = int(value)
        elif name == b"error":  # not in the standard: llama.cpp
            self._event = b"error"
            self._data.append(value)
        elif name and name not in (b"event", b"id", b"retry") and len(self.stray) < _MAX_STRAY:
            self.stray += line[:_MAX_STRAY] + b"\n"

    def _split(self, value: bytes, events: list[ServerSentEvent]) -> None:
        """Dispatch the event so far if the next line of data cannot belong to it."""
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
    r"""Decode server-sent events from an iterable of bytes, split anywhere.

    Args:
        pieces: The body: an :class:`~chatlib.http.HttpResponse`, a list, an open file.

    Yields:
        Each event, as soon as it is complete. Comments and blocks without data are skipped.

    Raises:
        ValueError: An event is larger than 64 MiB.

    >>> list(read_events([b"event: greeting\nda", b"ta: Hello\n\n: a comment\n\n"]))
    [ServerSentEvent(data='Hello', event='greeting', id='')]
    """
    decoder = SSEDecoder()
    for piece in pieces:
        yield from decoder.feed(piece)
        if decoder.is_too_large:
            raise ValueError(f"an event is larger than {decoder.max_event_bytes} bytes")
    yield from decoder.flush()
