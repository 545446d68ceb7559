"""The names of :mod:`chatlib.types` where users of the official package look for them."""

import chatlib.types as _types
from chatlib.types import *


def __getattr__(name: str) -> object:
    from chatlib.official_paths import submodule

    found = submodule(__name__, name)
    return getattr(_types, name) if found is None else found
