"""What a class of :mod:`chatlib.types` says of its fields, and a JSON Schema made of it."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

import attrs

from chatlib.types.decoding import Decoded, hints_of, members_of


@attrs.frozen
class FieldInfo:
    """What ``model_fields`` says of a field."""

    annotation: Any
    default: Any = None
    required: bool = False
    alias: None = None
    description: None = None

    def is_required(self) -> bool:
        """Return whether the API always sends the field."""
        return self.required


class ModelFields:
    """``model_fields``, of a class and of its instances."""

    def __get__(self, instance: object, cls: type[Decoded]) -> dict[str, FieldInfo]:
        return fields_of(cls)


def fields_of(cls: type[Decoded]) -> dict[str, FieldInfo]:
    """Return the fields of a class by name."""
    hints = hints_of(cls)
    return {
        name: FieldInfo(hints.get(name, Any), default, name in cls._required or default is not None)
        for name, default in cls._defaults.items()
    }


_JSON_TYPES = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    dict: "object",
    list: "array",
    type(None): "null",
}


def schema_of(cls: type[Decoded]) -> dict[str, Any]:
    """Return a JSON Schema of the objects of a class."""
    fields = fields_of(cls)
    return {
        "type": "object",
        "title": cls.__name__,
        "properties": {name: _type_schema(field.annotation) for name, field in fields.items()},
        "required": [name for name, field in fields.items() if field.required],
        "additionalProperties": True,
    }


def _type_schema(kind: Any) -> dict[str, Any]:
    """Return the JSON Schema of the type of a field."""
    members = members_of(kind)
    if members != (kind,):
        nullable = [{"type": "null"}] if type(None) in get_args(kind) else []
        return {"anyOf": [*map(_type_schema, members), *nullable]}
    origin = get_origin(kind) or kind
    if origin is Literal:
        return {"enum": list(get_args(kind))}
    if isinstance(origin, type) and issubclass(origin, Decoded):
        return schema_of(origin)
    arguments: tuple[Any, ...] = get_args(kind)
    if origin is list and arguments:
        return {"type": "array", "items": _type_schema(arguments[0])}
    return {"type": _JSON_TYPES[origin]} if origin in _JSON_TYPES else {}
