"""The names of :mod:`chatlib.types` where users of the official package look for them."""

from typing import TYPE_CHECKING

import chatlib.types as types
from chatlib.types import *
from chatlib.types.chat import completion_create_params as completion_create_params

if not TYPE_CHECKING:
    __all__ = [*types.__all__, "completion_create_params"]
