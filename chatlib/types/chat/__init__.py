"""The names of :mod:`chatlib.types` where users of the official package look for them."""

from __future__ import annotations

import chatlib.types as types
from chatlib.types import *  # noqa: F403
from chatlib.types.chat import completion_create_params as completion_create_params

__all__ = ["completion_create_params"]
__all__ += types.__all__
