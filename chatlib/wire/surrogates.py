"""Repair of surrogate pairs that are split between the chunks of a stream.

JSON writes a character outside the Basic Multilingual Plane, such as an emoji, as two escapes: the
high and the low surrogate of UTF-16. Gateways in JavaScript and Java split text between them, so
that one delta ends with the first half and the next one begins with the second. A lone surrogate
cannot be encoded as UTF-8: printing it or writing it to a file fails.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

_HALF = re.compile("[\ud800-\udfff]")
_ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]")
REPLACEMENT = "\ufffd"
"""The replacement for a lone surrogate."""


def paired(text: str) -> str:
    r"""Return a text with surrogate pairs combined, and U+FFFD for each lone surrogate.

    >>> paired("Boom \ud83d" + "\udca5!") == "Boom \U0001f4a5!"
    True
    """
    if text.isascii() or _HALF.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def pair_all(value: Any) -> None:
    """Combine surrogate pairs in all strings of a decoded JSON value, in place, at any depth."""
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
    """Return whether a JSON text may have lone surrogates, which only escapes can express."""
    return "\\" in json_text and _ESCAPED_HALF.search(json_text) is not None


def joined_text(pieces: list[str]) -> str:
    """Join the parts of an incomplete text, without a high surrogate at its end."""
    text = "".join(pieces)
    return paired(text[:-1] if _ends_in_half(text) else text)


def _ends_in_half(text: str) -> bool:
    return "\ud800" <= text[-1:] <= "\udbff"


class Halves:
    """Holds back a high surrogate at the end of a text until the next part of that text."""

    def __init__(self) -> None:
        self.held: dict[Hashable, str] = {}
        """The surrogate held back for each text."""

    def feed(self, text: str, key: Hashable = None) -> str:
        """Return the next part of a text, with surrogate pairs combined.

        Args:
            text: The next part.
            key: The text that it is a part of.
        """
        text = self.held.pop(key, "") + text
        if _ends_in_half(text):
            self.held[key] = text[-1]
            text = text[:-1]
        return paired(text)

    def mend(self, data: str, choices: list[dict[str, Any]]) -> None:
        """Combine surrogate pairs in all strings of the deltas of a chunk, in place.

        Args:
            data: The JSON text of the chunk.
            choices: The decoded choices of the chunk.
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
        """Combine surrogate pairs in one delta, at any depth."""
        todo: list[tuple[Any, tuple[Any, ...]]] = [(delta, (at,))]
        while todo:
            container, path = todo.pop()
            in_list = isinstance(container, list)
            for key, value in enumerate(container) if in_list else list(container.items()):
                if isinstance(value, str):
                    container[key] = self.feed(value, (*path, key))
                elif isinstance(value, (dict, list)):
                    # Items of a list are identified by their index field, if they have one.
                    name = value.get("index", key) if in_list and isinstance(value, dict) else key
                    todo.append((value, (*path, name if isinstance(name, int) else key)))

    def _flush(self, delta: dict[str, Any], at: Any) -> None:
        """Replace the surrogates held back for a finished choice, unless this delta has them."""
        for key in [key for key in self.held if isinstance(key, tuple) and key[0] == at]:
            if len(key) == 2 and not delta.get(key[1]):
                del self.held[key]
                delta[key[1]] = REPLACEMENT
