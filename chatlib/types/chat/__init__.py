"""The names of :mod:`chatlib.types` where users of the official package look for them."""

from chatlib.types import *
from chatlib.types import __getattr__ as _event


def __getattr__(name: str) -> object:
    from chatlib.official_paths import submodule

    return submodule(__name__, name) or _event(name)
