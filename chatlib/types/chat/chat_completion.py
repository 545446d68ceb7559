"""Names known from the official package, where its users look for them."""

from __future__ import annotations

from chatlib.types.completion import ChatCompletion, Choice
from chatlib.types.logprobs import ChoiceLogprobs

__all__ = ["ChatCompletion", "Choice", "ChoiceLogprobs"]
