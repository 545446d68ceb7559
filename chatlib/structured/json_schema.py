"""Shapes to strict JSON schemas: what a model is told about a type.

Strict mode is a part of JSON schema: each object lists its properties, requires all of them and
allows no others; there are no defaults, and nothing stands beside a ``$ref``. How Python's types
are said in it is written at the top of :mod:`chatlib.structured.type_info`. The schemas of pydantic
and msgspec are their own, made strict.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import (
    Any,
    NamedTuple,
    get_origin,
)

from chatlib.structured.shapes import (
    SCALARS,
    Alias,
    AnyOf,
    Array,
    Enumeration,
    Foreign,
    Record,
    Scalar,
    Schema,
    Shape,
    show_type,
)
from chatlib.structured.type_info import shape_of

_NUMERIC = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
_KEYWORDS: dict[Any, dict[str, str]] = {
    int: {**_NUMERIC, "multiple_of": "multipleOf"},
    float: {**_NUMERIC, "multiple_of": "multipleOf"},
    str: {"min_length": "minLength", "max_length": "maxLength", "pattern": "pattern"},
}
_ITEMS = {"min_length": "minItems", "max_length": "maxItems"}


class ResponseSchema(NamedTuple):
    """What a request needs to ask for an answer of a type."""

    name: str
    """A name for the type, of the letters and the length that the API allows."""
    schema: Schema
    """The strict schema; always that of an object."""
    wrapped: bool
    """Whether the value is the only property, ``value``, of that object."""


def json_schema(kind: Any) -> Schema:
    """The strict JSON schema of a type.

    Args:
        kind: An attrs class, a dataclass, a TypedDict, a NamedTuple, an Enum, a class of pydantic
            or msgspec, or what ``typing`` can say about these and about Python's own types.

    Raises:
        TypeError: strict mode has no way to say it; the message has the path.

    >>> from typing import Annotated
    >>> json_schema(list[Annotated[str, "What to print"]])
    {'type': 'array', 'items': {'type': 'string', 'description': 'What to print'}}
    """
    drawing = _Drawing()
    path = show_type(kind)
    try:
        shape = shape_of(kind, path)
        drawn = _described(drawing.body(shape, path), shape.description)
    except RecursionError:
        raise TypeError(f"{path}: it contains ever new types") from None
    while drawn.keys() == {"$ref"}:
        drawn = dict(drawing.defs[drawn["$ref"].removeprefix(_REF)])
    return {**drawn, "$defs": drawing.defs} if drawing.defs else drawn


def response_schema(kind: Any) -> ResponseSchema:
    """The name and the schema of a type, as a response format needs them.

    There, the schema must be that of an object. What is something else, such as a list or a union,
    becomes the property ``value`` of one, and
    :func:`chatlib.structured.decoder.decode_response` takes it out again.

    >>> response_schema(list[int]).schema["properties"]
    {'value': {'type': 'array', 'items': {'type': 'integer'}}}
    """
    schema = json_schema(kind)
    if schema.get("type") == "object":
        return ResponseSchema(_safe_name(kind), schema, False)
    defs = {"$defs": schema.pop("$defs")} if "$defs" in schema else {}
    return ResponseSchema(_safe_name(kind), {**_object({"value": schema}), **defs}, True)


_REF = "#/$defs/"


def _safe_name(kind: Any) -> str:
    # The API takes ^[a-zA-Z0-9_-]{1,64}$.
    return re.sub(r"[^a-zA-Z0-9-]+", "_", show_type(kind)).rstrip("_")[:64] or "_"


def _object(properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _described(schema: Schema, text: str | None) -> Schema:
    if text is None:
        return schema
    return {**({"anyOf": [schema]} if "$ref" in schema else schema), "description": text}


def _docstring(kind: Any) -> str | None:
    """What a person wrote about a class, neither about its base nor as a machine's copy of it."""
    cls = get_origin(kind) or kind
    text = vars(cls).get("__doc__")
    made = not text or text == "An enumeration." or re.fullmatch(rf"{cls.__name__}\(.*\)", text)
    return None if made else inspect.cleandoc(text)


class _Drawing:
    """A schema in the making: the named types that it has met, each drawn once."""

    def __init__(self) -> None:
        self.defs: dict[str, Schema] = {}
        self.names: dict[Any, str] = {}

    def draw(self, kind: Any, path: str) -> Schema:
        """The schema of a type: a reference if the type has a name."""
        shape = shape_of(kind, path)
        if not (
            isinstance(shape, (Alias, Foreign))
            or (isinstance(shape, Record) and shape.result is not tuple)
            or (isinstance(shape, Enumeration) and isinstance(shape.kind, type))
        ):
            return _described(self.body(shape, path), shape.description)
        try:
            hash(shape.kind)
            key = shape.kind
        except TypeError:  # a note of an Annotated may be anything
            key = repr(shape.kind)
        if key not in self.names:
            body = self.foreign(shape, path) if isinstance(shape, Foreign) else {}
            if body.keys() == {"$ref"}:  # it has named itself
                self.names[key] = body["$ref"].removeprefix(_REF)
            else:
                name = self.names[key] = self.free_name(_safe_name(shape.kind))
                self.defs[name] = body
                self.defs[name] = body or self.body(shape, path)
        return _described({"$ref": _REF + self.names[key]}, shape.description)

    def body(self, shape: Shape, path: str) -> Schema:
        """The schema of a type itself."""
        if isinstance(shape, Scalar):
            return _bounded(dict(SCALARS[shape.kind]), shape, _KEYWORDS.get(shape.kind, {}), path)
        if isinstance(shape, Enumeration):
            plain = [value for value, _ in shape.values]
            named = list(dict.fromkeys(SCALARS[type(value)]["type"] for value in plain))
            drawn = {"type": named[0] if len(named) == 1 else named, "enum": plain}
            text = _docstring(shape.kind) if isinstance(shape.kind, type) else None
            return _described(drawn, text)
        if isinstance(shape, Array):
            items = self.draw(shape.items, f"{path}[]")
            return _bounded({"type": "array", "items": items}, shape, _ITEMS, path)
        if isinstance(shape, AnyOf):
            return {"anyOf": [self.draw(member, path) for member in shape.members]}
        if isinstance(shape, Alias):
            return self.draw(shape.target, path)
        if isinstance(shape, Foreign):
            return self.foreign(shape, path)
        assert isinstance(shape, Record)
        drawn = _object(
            {
                field.name: _described(self.draw(field.kind, where), field.description)
                for field in shape.fields
                for where in [f"{path}.{field.name}"]
            }
        )
        return _described(drawn, _docstring(shape.kind) if shape.result is not tuple else None)

    def foreign(self, shape: Foreign, path: str) -> Schema:
        """The schema that a class gives of itself, its named types moved to ours."""
        module = sys.modules[shape.package]
        try:
            if shape.package == "pydantic":
                own = module.TypeAdapter(shape.kind).json_schema()
            else:
                own = module.json.schema(shape.kind)
        except Exception as error:
            why = str(error).partition("\n")[0]
            raise TypeError(f"{path}: {shape.package} has no schema for it: {why}") from error
        strict = _Strict(own)
        drawn = strict.node(own, path)
        moved = {name: name for name in strict.defs}
        if any(self.defs.get(name, body) != body for name, body in strict.defs.items()):
            for name in moved:
                moved[name] = self.free_name(name, moved.values())
        self.defs.update({moved[name]: _moved(body, moved) for name, body in strict.defs.items()})
        result: Schema = _moved(drawn, moved)
        return result

    def free_name(self, name: str, taken: Iterable[str] = ()) -> str:
        """The name, or one like it that no other type has."""
        used, number, free = {*self.defs, *taken}, 1, name
        while free in used:
            number += 1
            free = f"{name[:60]}_{number}"
        return free


def _moved(node: Any, names: Mapping[str, str]) -> Any:
    if isinstance(node, list):
        return [_moved(item, names) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _moved(value, names) for key, value in node.items()}
    if isinstance(node.get("$ref"), str):
        made["$ref"] = _REF + names[node["$ref"].removeprefix(_REF)]
    return made


def _bounded(schema: Schema, shape: Shape, keywords: Mapping[str, str], path: str) -> Schema:
    tighter: dict[str, Callable[[Any, Any], Any]] = {
        **dict.fromkeys(("gt", "ge", "min_length"), max),
        **dict.fromkeys(("lt", "le", "max_length"), min),
    }
    for name, limit in shape.bounds:
        if name in keywords:
            keyword = keywords[name]
            before = schema.get(keyword, limit)
            if name not in tighter and before != limit:
                raise TypeError(f"{path}: there can be only one {name}")
            schema[keyword] = tighter.get(name, max)(before, limit)
    return schema


# The schemas of others, made strict -----------------------------------------------------------

_ALLOWED = frozenset(
    """
    type properties items anyOf enum const $ref title description format pattern minLength maxLength
    minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minItems maxItems
    """.split()
)
_REFUSED = frozenset(
    """
    prefixItems patternProperties not if then else contains dependentRequired dependentSchemas
    """.split()
)
_FORMATS = frozenset("date-time time date duration email hostname ipv4 ipv6 uuid".split())


def make_strict(schema: Schema, *, path: str = "schema") -> Schema:
    """Any JSON schema as one that strict mode takes. The original is not changed.

    All properties become required and all objects closed; what strict mode doesn't know and can do
    without, such as a default, goes away; ``oneOf`` becomes ``anyOf``.

    Args:
        schema: A JSON schema, such as that of a pydantic model.
        path: What to call it in errors.

    Raises:
        TypeError: there is something that strict mode can't say, such as a dict with free keys.
    """
    strict = _Strict(schema)
    made = strict.node(schema, path)
    while made.keys() == {"$ref"}:
        made = dict(strict.defs[made["$ref"].removeprefix(_REF)])
    return {**made, "$defs": strict.defs} if strict.defs else made


class _Strict:
    """A schema being made strict, and its definitions as they are come upon."""

    def __init__(self, schema: Schema) -> None:
        self.source = {**schema.get("definitions", {}), **schema.get("$defs", {})}
        self.defs: dict[str, Schema] = {}

    def node(self, given: Any, path: str) -> Schema:
        if not isinstance(given, dict):
            raise TypeError(f"{path}: it can be anything; strict mode needs its type")
        given = dict(given)
        for name in ("allOf", "oneOf"):
            if name in given and (len(given[name]) == 1 or name == "oneOf"):
                parts = given.pop(name)
                given = {**parts[0], **given} if len(parts) == 1 else {**given, "anyOf": parts}
        refused = sorted(given.keys() & (_REFUSED | {"allOf"}))
        if refused:
            raise TypeError(f"{path}: {refused[0]} can't be said in strict mode")
        made = {name: value for name, value in given.items() if name in _ALLOWED}
        if "$ref" in made:
            return self.reference(made, path)
        if made.get("format", "date") not in _FORMATS:
            del made["format"]
        if re.search(r"\(\?<?[=!]", made.get("pattern", "")):  # it looks around
            del made["pattern"]
        if made.get("type") == "object" or "properties" in made:
            free = given.get("additionalProperties", "properties" not in made)
            if free and not made.get("properties"):
                hint = "use a list of objects with a key and a value"
                raise TypeError(f"{path}: it is a dict with free keys; {hint}")
            properties = made.get("properties", {})
            made |= _object({k: self.node(v, f"{path}.{k}") for k, v in properties.items()})
        if "items" in made or made.get("type") == "array":
            made["items"] = self.node(made.get("items"), f"{path}[]")
        if "anyOf" in made:
            made["anyOf"] = [self.node(part, path) for part in made["anyOf"]]
        elif "type" not in made:
            values = made.get("enum", [made["const"]] if "const" in made else [])
            if not values:
                raise TypeError(f"{path}: it can be anything; strict mode needs its type")
            named = list(dict.fromkeys(SCALARS[type(value)]["type"] for value in values))
            made["type"] = named[0] if len(named) == 1 else named
        return made

    def reference(self, made: Schema, path: str) -> Schema:
        name = re.sub(r"^#/(\$defs|definitions)/", "", made["$ref"])
        if name not in self.source:
            raise TypeError(f"{path}: {made['$ref']!r} is not found")
        beside = {key: value for key, value in made.items() if key != "$ref"}
        if beside.keys() - {"title", "description"}:
            return self.node({**self.source[name], **beside}, path)
        if name not in self.defs:
            self.defs[name] = {}
            self.defs[name] = self.node(self.source[name], path)
        reference = {"$ref": _REF + name}
        return {"anyOf": [reference], **beside} if beside else reference
