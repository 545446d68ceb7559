"""Dicts that are built at run time: their values are ``Any`` for type checkers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:

    class _AnyValue(Protocol):
        """A type that nothing but ``Any`` is compatible with."""

        _nothing_has_this: object

    # A variable of type ``dict[str, Any]`` is accepted; a dict literal is not, so that it is
    # checked against the TypedDicts that stand beside this in a union.
    AnyDict: TypeAlias = Mapping[str, _AnyValue]
else:
    AnyDict = Mapping[str, Any]
