"""A text that is shown nowhere: an API key, a token."""

from __future__ import annotations

import re

from chatlib.errors import OpenAIError
from chatlib.headers import HIDDEN


class Secret:
    """A text that is hidden in every ``repr``, log line and traceback.

    Args:
        text: The text.

    Raises:
        OpenAIError: The text cannot be sent in an HTTP header.
        TypeError: It is not a str.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            kind, text = type(text).__name__, ""
            raise TypeError(
                f"api_key is a {kind}; it must be a str, or a function that returns one"
            )
        # A key read from a file often ends in a newline. HTTP libraries quote invalid headers in
        # their errors, so it is rejected here, without quoting it.
        if not re.fullmatch(r"[\x20-\x7e]*", text) or text != text.strip():
            text = ""
            raise OpenAIError(
                "api_key has a newline, a control or non-ASCII character, or blanks around it, "
                "which is invalid in an HTTP header. If it was read from a file, call .strip()."
            )
        self._text = text

    def reveal(self) -> str:
        """Return the text itself: for sending, not for display."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Secret({HIDDEN!r})"

    __str__ = __repr__
