"""Incremental parsing of incomplete JSON, in linear time.

The text is parsed once, as it is received, into a tree. Complete parts of the tree are never
modified again, so a value that is returned shares them and copies only the open containers, from
the root to the end of the text. An incomplete string is kept as a list of its parts.

An incomplete string, key or literal is not part of the value; a number is, as soon as it is valid.
Text that cannot become JSON ends the parsing, and the value stays as it was; validating the whole
text is left to the caller.
"""

from __future__ import annotations

import json
import re
from typing import Any

from chatlib.http import Omit, omit

_TOKEN = re.compile(r'[ \t\n\r]*(?:([{}\[\],:"])|([^ \t\n\r{}\[\],:"]+))')
_STRING = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_LONGEST_WORD = 4000
"""The maximum length of a number: Python refuses to convert longer ones."""
_LITERALS = {"true": True, "false": False, "null": None}


class PartialJson:
    """Incremental parser of a JSON value.

    >>> reader = PartialJson()
    >>> for text in ('{"steps": [{"n": 1}, {"n"', ': 2, "why": "becau'):
    ...     reader.feed(text)
    ...     print(reader.value())
    {'steps': [{'n': 1}, {}]}
    {'steps': [{'n': 1}, {'n': 2}]}
    """

    def __init__(self) -> None:
        self.length = 0
        """The number of characters parsed."""
        self._root: Any = None
        self._open: list[Any] = []  # the open containers, outermost first
        self._keys: list[Any] = []  # for each of them, the key of the next value
        self._wants = "value"  # or: key, colon, comma, nothing
        self._string: list[str] | None = None  # the parts of an incomplete string
        self._word = ""  # a number or literal that may continue

    def feed(self, text: str) -> None:
        """Parse more text. Each character is parsed once."""
        self.length += len(text)
        at = 0
        while at < len(text) and self._wants != "nothing":
            if self._string is not None:
                at = self._read_string(text, at)
                continue
            match = _TOKEN.match(text, at)
            if match is None:  # only whitespace is left
                self._end_word()
                return
            mark, word = match.groups()
            if match.start(match.lastindex or 0) > at or mark:
                self._end_word()
            at = match.end()
            if word:
                self._word = (self._word + word)[: _LONGEST_WORD + 1]
            else:
                self._process_mark(mark)

    def can_go_on(self, text: str) -> bool:
        """Return whether a text, and more after it, can follow. The state is not changed."""
        if self._wants == "nothing":
            return False
        twin = PartialJson()
        # Of the content of open containers, only whether the last one is empty matters.
        twin._open, twin._keys = [type(each)() for each in self._open], self._keys.copy()
        if self._open and self._open[-1]:
            twin._open[-1] = {None: None} if isinstance(self._open[-1], dict) else [None]
        twin._wants, twin._word = self._wants, self._word
        twin._string = None if self._string is None else self._string[-1:]
        twin.feed(text)
        return twin._wants != "nothing"

    def value(self) -> Any:
        """Return the value so far as plain JSON values, or None if there is none yet.

        Later text does not modify the value returned.
        """
        inner: Any = omit
        word = _word_value(self._word) if self._wants == "value" else omit
        for container, key in zip(reversed(self._open), reversed(self._keys), strict=True):
            copied = container.copy()
            if inner is not omit:  # the open container within this one, copied in its turn
                copied[key if isinstance(container, dict) else -1] = inner
            elif word is not omit:
                if isinstance(container, dict):
                    copied[key] = word
                else:
                    copied.append(word)
            inner = copied
        if inner is not omit:
            return inner
        return self._root if word is omit else word

    def _read_string(self, text: str, at: int) -> int:
        assert self._string is not None
        if self._string and self._string[-1] == "\\":  # an escape that was cut in two
            self._string[-1] += text[at]
            at += 1
        match = _STRING.match(text, at)
        assert match is not None
        end = match.end()
        self._string.append(text[at:end])
        if end == len(text):
            return end
        if text[end] == "\\":
            self._string.append("\\")
            return end + 1
        raw, self._string = "".join(self._string), None
        try:
            value = json.loads(f'"{raw}"', strict=False)
        except ValueError:
            self._wants = "nothing"
            return end + 1
        if self._wants == "key":
            self._keys[-1] = value
            self._wants = "colon"
        else:
            self._add_value(value)
        return end + 1

    def _process_mark(self, mark: str) -> None:
        wants, container = self._wants, self._open[-1] if self._open else None
        if mark == '"' and (wants == "value" or wants == "key"):
            self._string = []
        elif mark in "{[" and wants == "value":
            made: Any = {} if mark == "{" else []
            self._put(made)
            self._open.append(made)
            self._keys.append(None)
            self._wants = "key" if mark == "{" else "value"
        elif (
            mark in "}]" and container is not None and isinstance(container, list) == (mark == "]")
        ):
            # An empty container may end before its first item, any other after an item.
            if wants == "comma" or (not container and wants == ("value" if mark == "]" else "key")):
                self._open.pop()
                self._keys.pop()
                self._wants = "comma" if self._open else "nothing"
            else:
                self._wants = "nothing"
        elif mark == ":" and wants == "colon":
            self._wants = "value"
        elif mark == "," and wants == "comma":
            self._wants = "key" if isinstance(container, dict) else "value"
        else:
            self._wants = "nothing"

    def _end_word(self) -> None:
        if not self._word:
            return
        value, self._word = _word_value(self._word), ""
        if value is omit or self._wants != "value":
            self._wants = "nothing"
        else:
            self._add_value(value)

    def _add_value(self, value: Any) -> None:
        self._put(value)
        self._wants = "comma" if self._open else "nothing"

    def _put(self, value: Any) -> None:
        if not self._open:
            self._root = value
        elif isinstance(self._open[-1], dict):
            self._open[-1][self._keys[-1]] = value
        else:
            self._open[-1].append(value)


def _word_value(word: str) -> Any | Omit:
    """Return the value of a number or literal, or omit if it is incomplete or invalid."""
    if word in _LITERALS:
        return _LITERALS[word]
    number = _NUMBER.fullmatch(word) if len(word) <= _LONGEST_WORD else None
    if number is None:
        return omit
    return int(word) if number.lastindex is None else float(word)
