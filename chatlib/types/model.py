"""A model, as ``client.models`` lists them."""

from __future__ import annotations

from typing import Literal

from chatlib.types.base import JsonObject
from chatlib.types.decoding import json_object

__all__ = ["Model"]


@json_object
class Model(JsonObject):
    """A model that a server offers."""

    id: str
    created: int
    """When it was created, in Unix seconds."""
    object: Literal["model"] = "model"
    owned_by: str
