"""What a class of :mod:`chatlib.types` says of its fields, and a JSON Schema made of it."""

from __future__ import annotations

import inspect
import sys
from functools import cache
from typing import Any, Literal, get_args, get_origin

import attrs

from chatlib.types.decoding import Decoded, hints_of, is_required, members_of
from chatlib.types.dumps import serialized


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
        name: FieldInfo(hints.get(name, Any), default, is_required(cls, name))
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


def schema_of(cls: type[Decoded], definitions: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a JSON Schema of the objects of a class.

    Args:
        cls: The class.
        definitions: Where the schemas of the objects in it are put, and then added as ``$defs``;
            None puts each of them where it is used.
    """
    fields = fields_of(cls)
    schema = {
        "type": "object",
        "title": cls.__name__,
        "properties": {n: _type_schema(f.annotation, definitions) for n, f in fields.items()},
        "required": [name for name, field in fields.items() if field.required],
        "additionalProperties": True,
    }
    return {**schema, "$defs": definitions} if definitions else schema


def _type_schema(kind: Any, definitions: dict[str, Any] | None) -> dict[str, Any]:
    """Return the JSON Schema of the type of a field."""
    members = members_of(kind)
    if members != (kind,):
        nullable = [{"type": "null"}] if type(None) in get_args(kind) else []
        return {"anyOf": [*(_type_schema(each, definitions) for each in members), *nullable]}
    origin = get_origin(kind) or kind
    if origin is Literal:
        return {"enum": list(get_args(kind))}
    if isinstance(origin, type) and issubclass(origin, Decoded):
        return _object_schema(origin, definitions)
    arguments: tuple[Any, ...] = get_args(kind)
    if origin is list and arguments:
        return {"type": "array", "items": _type_schema(arguments[0], definitions)}
    return {"type": _JSON_TYPES[origin]} if origin in _JSON_TYPES else {}


def _object_schema(cls: type[Decoded], definitions: dict[str, Any] | None) -> dict[str, Any]:
    if definitions is None:
        return schema_of(cls)
    if cls.__name__ not in definitions:
        definitions[cls.__name__] = {}  # an object in itself refers to it
        whole = schema_of(cls, definitions)
        whole.pop("$defs", None)
        definitions[cls.__name__] = whole
    return {"$ref": f"#/$defs/{cls.__name__}"}


class Signature:
    """``__signature__`` of a class: its fields, of which the constructor takes each by keyword."""

    def __get__(self, instance: object, cls: type[Decoded]) -> inspect.Signature:
        given = inspect.Parameter.KEYWORD_ONLY
        hints = hints_of(cls)
        parameters = [
            inspect.Parameter(
                name,
                given,
                default=inspect.Parameter.empty if name in cls._required else default,
                annotation=hints.get(name, Any),
            )
            for name, default in cls._defaults.items()
        ]
        if getattr(cls, "_takes_unknown", False):
            parameters.append(inspect.Parameter("extra_data", inspect.Parameter.VAR_KEYWORD))
        required_first = sorted(
            parameters[: len(cls._defaults)], key=lambda p: p.default is not p.empty
        )
        return inspect.Signature([*required_first, *parameters[len(cls._defaults) :]])


class PydanticSerializer:
    """What pydantic asks an object for whose type it was not told: how to serialize it."""

    def __get__(self, instance: object, cls: type[Any]) -> Any:
        core: Any = sys.modules.get("pydantic_core")
        if core is None:
            raise AttributeError("__pydantic_serializer__")
        return _serializer(core)


@cache
def _serializer(core: Any) -> Any:
    give = {"type": "function-plain", "function": serialized, "info_arg": True}
    return core.SchemaSerializer({"type": "any", "serialization": give})
