"""Texts under construction, whose earlier states can be read."""

from __future__ import annotations

from collections import deque
from typing import Any

from chatlib.streaming.partial_json import PartialJson
from chatlib.wire.surrogates import Halves


def partial_value(text: str) -> Any:
    """Return the partial value of an incomplete JSON text, or None if there is none yet."""
    reader = PartialJson()
    reader.feed(text)
    return reader.value()


class GrowingText:
    """A text under construction, of which each prefix that it once was can be read."""

    def __init__(self, typed: bool) -> None:
        self.length = 0
        self._pieces: list[str] = []
        self._halves = Halves()
        self._reader = PartialJson() if typed else None
        self._unparsed: deque[str] = deque()  # the parts not yet given to the parser

    @property
    def is_typed(self) -> bool:
        """Whether it is parsed as JSON."""
        return self._reader is not None

    def append(self, piece: str) -> str:
        """Append a part; return the text added, without half of a surrogate pair at its end."""
        if self._halves.held or not piece.isascii():
            piece = self._halves.feed(piece)
        self._pieces.append(piece)
        self.length += len(piece)
        if self._reader is not None:
            self._unparsed.append(piece)
        return piece

    def prefix(self, length: int) -> str:
        """Return the text as it was at a length, in characters."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        text = self._pieces[0] if self._pieces else ""
        return text if length == len(text) else text[:length]

    def value_at(self, length: int) -> Any:
        """Return the partial JSON value at a length; None if the text is not parsed."""
        if self._reader is None:
            return None
        if self._reader.length > length:
            return partial_value(self.prefix(length))
        while self._reader.length < length:  # always reached exactly: a length is the end of a part
            self._reader.feed(self._unparsed.popleft())
        return self._reader.value()
