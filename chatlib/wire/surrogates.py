"""Pair the halves of a character that was cut in two between the pieces of a stream.

JSON writes a character outside the Basic Multilingual Plane, such as an emoji, as two escapes: the
high and the low surrogate of UTF-16. Gateways in JavaScript and Java cut text between them, so that
one delta ends with the first half and the next one begins with the second. A half alone can't be
encoded as UTF-8: printing it or writing it to a file fails.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

_HALF = re.compile("[\ud800-\udfff]")
_ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]")
REPLACEMENT = "\ufffd"
"""What stands for a half whose other half never came."""


def paired(text: str) -> str:
    """Return a text with its halves paired, and U+FFFD for each half that has no other.

    >>> paired("Boom \\ud83d" + "\\udca5!") == "Boom \\U0001f4a5!"
    True
    """
    if text.isascii() or _HALF.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def pair_all(value: Any) -> None:
    """Pair the halves in all texts of a decoded JSON value, in place, however deep."""
    todo = [value]
    while todo:
        container = todo.pop()
        is_list = isinstance(container, list)
        for key, item in enumerate(container) if is_list else list(container.items()):
            if isinstance(item, str):
                container[key] = paired(item)
            elif isinstance(item, (dict, list)):
                todo.append(item)


def may_hold_halves(json_text: str) -> bool:
    """Return whether a text of JSON can hold a half: only an escape can."""
    return "\\" in json_text and _ESCAPED_HALF.search(json_text) is not None


def joined_text(pieces: list[str]) -> str:
    """Join the pieces of a text that may still be coming: a half at its end is left out."""
    text = "".join(pieces)
    return paired(text[:-1] if _ends_in_half(text) else text)


def _ends_in_half(text: str) -> bool:
    return "\ud800" <= text[-1:] <= "\udbff"


class Halves:
    """Hold the half of a character at the end of a piece back until the next piece of its text."""

    def __init__(self) -> None:
        self.held: dict[Hashable, str] = {}
        """What is held back of each text."""

    def feed(self, text: str, key: Hashable = None) -> str:
        """Return what is whole of the text so far that has not been returned.

        Args:
            text: The next piece.
            key: Which text it is a piece of.
        """
        text = self.held.pop(key, "") + text
        if _ends_in_half(text):
            self.held[key] = text[-1]
            text = text[:-1]
        return paired(text)

    def mend(self, data: str, choices: list[dict[str, Any]]) -> None:
        """Pair the halves in all texts of the deltas of a chunk, in place.

        Args:
            data: The JSON of the chunk. Only an escape can hold a half.
            choices: The chunk's choices, decoded.
        """
        if not (self.held or may_hold_halves(data)):
            return
        for choice in choices:
            delta = choice.get("delta")
            if isinstance(delta, dict):
                at = choice.get("index")
                self._mend(delta, at)
                if choice.get("finish_reason"):
                    self._flush(delta, at)

    def _mend(self, delta: dict[str, Any], at: Any) -> None:
        """Pair what is in one delta, however deep."""
        todo: list[tuple[Any, tuple[Any, ...]]] = [(delta, (at,))]
        while todo:
            container, path = todo.pop()
            in_list = isinstance(container, list)
            for key, value in enumerate(container) if in_list else list(container.items()):
                if isinstance(value, str):
                    container[key] = self.feed(value, (*path, key))
                elif isinstance(value, (dict, list)):
                    # Items of a list are told apart by their index, where they have one.
                    name = value.get("index", key) if in_list and isinstance(value, dict) else key
                    todo.append((value, (*path, name if isinstance(name, int) else key)))

    def _flush(self, delta: dict[str, Any], at: Any) -> None:
        """Give up on halves of a choice that finishes, unless this delta brought them."""
        for key in [key for key in self.held if isinstance(key, tuple) and key[0] == at]:
            if len(key) == 2 and not delta.get(key[1]):
                del self.held[key]
                delta[key[1]] = REPLACEMENT
