"""Strict JSON schemas of Python types.

Strict mode is a subset of JSON schema: each object lists its properties, requires all of them and
allows no others; there are no defaults, and a ``$ref`` has no siblings. The schema of each Python
type is documented in :mod:`chatlib.structured.type_info`. Classes of pydantic and msgspec have
their own schemas, which are made strict.
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
    """The name and schema of a type, for a response format."""

    name: str
    """A name for the type, valid for the API."""
    schema: Schema
    """The strict schema, always that of an object."""
    wrapped: bool
    """Whether the value is the property ``value`` of that object."""


def json_schema(kind: Any) -> Schema:
    """Return the strict JSON schema of a type.

    Args:
        kind: An attrs class, a dataclass, a TypedDict, a NamedTuple, an Enum, a class of pydantic
            or msgspec, a builtin type, or a type annotation of these.

    Returns:
        A new dict.

    Raises:
        TypeError: The type has no strict schema; the message has the path.

    >>> from typing import Annotated
    >>> json_schema(list[Annotated[str, "What to print"]])
    {'type': 'array', 'items': {'type': 'string', 'description': 'What to print'}}
    """
    builder = _SchemaBuilder()
    path = show_type(kind)
    try:
        shape = shape_of(kind, path)
        drawn = _described(builder.body(shape, path), shape.description)
    except RecursionError:
        raise TypeError(f"{path}: infinitely nested types are not supported") from None
    while drawn.keys() == {"$ref"}:
        drawn = dict(builder.defs[drawn["$ref"].removeprefix(_REF)])
    return {**drawn, "$defs": builder.defs} if builder.defs else drawn


def response_schema(kind: Any) -> ResponseSchema:
    """Return the name and the schema of a type for a response format.

    The schema must be that of an object. Another type, such as a list or a union, becomes the
    property ``value`` of an object, from which
    :func:`chatlib.structured.decoder.decode_response` extracts it.

    Args:
        kind: Any type that :func:`json_schema` supports.

    Raises:
        TypeError: The type has no strict schema; the message has the path.

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
    """Return the docstring of a class, unless it is inherited or generated."""
    cls = get_origin(kind) or kind
    text = vars(cls).get("__doc__")
    made = not text or text == "An enumeration." or re.fullmatch(rf"{cls.__name__}\(.*\)", text)
    return None if made else inspect.cleandoc(text)


class _SchemaBuilder:
    """A schema under construction, with a definition for each named type."""

    def __init__(self) -> None:
        self.defs: dict[str, Schema] = {}
        self.names: dict[Any, str] = {}

    def draw(self, kind: Any, path: str) -> Schema:
        """Return the schema of a type: a reference if the type has a name."""
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
        except TypeError:  # the metadata of an Annotated may be anything
            key = repr(shape.kind)
        if key not in self.names:
            body = self.foreign(shape, path) if isinstance(shape, Foreign) else {}
            if body.keys() == {"$ref"}:  # a reference to its own definition
                self.names[key] = body["$ref"].removeprefix(_REF)
            else:
                name = self.names[key] = self.free_name(_safe_name(shape.kind))
                self.defs[name] = body
                self.defs[name] = body or self.body(shape, path)
        return _described({"$ref": _REF + self.names[key]}, shape.description)

    def body(self, shape: Shape, path: str) -> Schema:
        """Return the schema of a type, not a reference."""
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
        """Return the strict schema of a class of another library; add its definitions."""
        module = sys.modules[shape.package]
        try:
            if shape.package == "pydantic":
                own = module.TypeAdapter(shape.kind).json_schema()
            else:
                own = module.json.schema(shape.kind)
        except Exception as error:
            why = str(error).partition("\n")[0]
            raise TypeError(f"{path}: {shape.package} cannot make a schema: {why}") from error
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
        """Return the name, or a similar one that is not in use."""
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
                raise TypeError(f"{path}: conflicting values for {name}")
            schema[keyword] = tighter.get(name, max)(before, limit)
    return schema


# Schemas of other libraries -------------------------------------------------------------------

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
    """Convert a JSON schema into a strict one.

    All properties become required, and no others are allowed; keywords that strict mode does not
    support and that can be dropped, such as a default, are; ``oneOf`` becomes ``anyOf``.

    Args:
        schema: A JSON schema, such as that of a pydantic model. It is not modified.
        path: The path of the schema in errors.

    Returns:
        A new schema.

    Raises:
        TypeError: Strict mode does not support a part of the schema, such as a dict with arbitrary
            keys.
    """
    strict = _Strict(schema)
    made = strict.node(schema, path)
    while made.keys() == {"$ref"}:
        made = dict(strict.defs[made["$ref"].removeprefix(_REF)])
    return {**made, "$defs": strict.defs} if strict.defs else made


class _Strict:
    """A conversion into a strict schema, with the definitions converted so far."""

    def __init__(self, schema: Schema) -> None:
        self.source = {**schema.get("definitions", {}), **schema.get("$defs", {})}
        self.defs: dict[str, Schema] = {}

    def node(self, given: Any, path: str) -> Schema:
        """Return a schema or subschema, made strict."""
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
        if re.search(r"\(\?<?[=!]", made.get("pattern", "")):  # lookaround is not supported
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
        """Return a reference, made strict, and convert its definition."""
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
