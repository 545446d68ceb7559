"""Let programs that import ``openai`` by name, and can't be changed, use this library for chat.

``import chatlib.compat.openai_shim``, before anything imports ``openai``: from then on, ``openai``
and the modules of its chat part are those of :mod:`chatlib`. What this library does not have is an
error that says so. Nothing of the official package is imported, or need be installed.
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType


def _check() -> None:
    held = sys.modules.get("openai")
    if held is not None and not held.__name__.startswith("chatlib"):
        raise ImportError(
            "openai was imported before chatlib.compat.openai_shim: import the shim first, at the "
            "top of the program",
            name="openai",
        )


class _Finder:
    """Finds ``openai`` and its modules; asked before the installed package is."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name.partition(".")[0] != "openai":
            return None
        return ModuleSpec(name, _Alias(), is_package=True)


class _Alias(Loader):
    """Gives the module of this library under the name that was asked for."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        own = f"chatlib{spec.name.removeprefix('openai')}"
        try:
            return importlib.import_module(own)
        except ModuleNotFoundError as error:
            if error.name != own:
                raise
            raise ModuleNotFoundError(
                f"{spec.name} is not part of chatlib, which stands in for openai here: it is for "
                "chat completions; the official package has the rest of the API",
                name=spec.name,
            ) from None

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module as it is: it has been executed under its own name."""


_check()
sys.meta_path.insert(0, _Finder)
