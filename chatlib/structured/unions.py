"""Decoding of unions: the members that fit a value are tried, the nearest first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import attrs

from chatlib.structured.json_schema import json_schema
from chatlib.structured.problems import (
    MAX_TEXT,
    Hook,
    HookOf,
    Mismatch,
    describe,
    expected,
    truncate,
)
from chatlib.structured.scalars import json_key
from chatlib.structured.shapes import (
    Alias,
    AnyOf,
    Enumeration,
    NoneType,
    Record,
    Schema,
    show_type,
)
from chatlib.structured.type_info import shape_of

current_call = threading.local()
"""Its ``memo`` holds the results of unions for objects and arrays, during one decode call."""

_JSON_TYPES: dict[type, tuple[str, ...]] = {
    str: ("string",),
    bool: ("boolean",),
    NoneType: ("null",),
    int: ("integer", "number"),
    float: ("number", "integer"),
    list: ("array",),
    dict: ("object",),
}


@attrs.frozen(eq=False)
class _Member:
    """One type of a union."""

    kind: Any
    hook: Hook
    types: frozenset[str]


def _json_types(schema: Schema, defs: dict[str, Schema]) -> Iterator[str]:
    """Yield the JSON types that a schema allows."""
    if "$ref" in schema:
        schema = defs[schema["$ref"].rpartition("/")[2]]
    for part in schema.get("anyOf", ()):
        yield from _json_types(part, defs)
    named = schema.get("type", [])
    yield from [named] if isinstance(named, str) else named


def union_hook(shape: AnyOf, hook_of: HookOf) -> Hook:
    """Return the hook of a union."""
    members = []
    for kind in shape.members:
        schema = json_schema(kind)
        members.append(
            _Member(kind, hook_of(kind), frozenset(_json_types(schema, schema.get("$defs", {}))))
        )
    # By class of the value, the members of its JSON type: the nearest first, then in order.
    fitting = {
        cls: list(dict.fromkeys(m for name in names for m in members if name in m.types))
        for cls, names in _JSON_TYPES.items()
    }
    tag, tagged = _discriminator(fitting[dict])
    words = " or ".join(dict.fromkeys(show_type(member.kind) for member in members))

    def hook(value: Any, _: Any) -> Any:
        candidates = fitting.get(value.__class__, ())
        if len(candidates) == 1:
            return candidates[0].hook(value, None)
        if not candidates:
            raise expected(words, value)
        if tagged and isinstance(value, dict):
            if tag not in value:
                raise Mismatch(f"missing property {describe(tag)}", value)
            found = value[tag]
            plain = None if isinstance(found, (dict, list)) else tagged.get(json_key(found))
            if plain is None:
                known = truncate(", ".join(describe(name) for _, name in tagged), 200)
                text = f"expected one of {known}, got {describe(found)}"
                raise Mismatch.several(Mismatch(text, found).below(tag))
            return plain.hook(value, None)
        # Memoized: each object or array is tried once, however many unions around it try again.
        memo = getattr(current_call, "memo", None) if isinstance(value, (dict, list)) else None
        if memo is None:
            return first(candidates, value)
        key = (id(value), id(hook))
        if key not in memo:
            try:
                memo[key] = (True, first(candidates, value))
            except Mismatch as mismatch:
                memo[key] = (False, mismatch.problems)
        good, made = memo[key]
        if good:
            return made
        raise Mismatch.several(made)

    def first(candidates: list[_Member], value: Any) -> Any:
        failed = []
        for member in candidates:
            try:
                return member.hook(value, None)
            except Mismatch as mismatch:
                failed.append((member, mismatch))
        firsts = [mismatch.problems[0] for _, mismatch in failed]
        if len({(where, text) for where, text, _, _ in firsts}) == 1:  # all members agree
            raise failed[0][1]
        share = MAX_TEXT // len(failed)
        why = [
            f"not {show_type(member.kind)} ({truncate(f'{where}: ' * bool(where) + text, share)})"
            for (member, _), (where, text, _, _) in zip(failed, firsts, strict=True)
        ]
        raise Mismatch("; ".join(why), value)

    return hook


def _discriminator(members: list[_Member]) -> tuple[str, dict[tuple[bool, Any], _Member]]:
    """Return the property that discriminates between objects, and the member for each value."""
    choices = []
    for member in members:
        shape = shape_of(member.kind)
        while isinstance(shape, Alias):
            shape = shape_of(shape.target)
        fields = shape.fields if isinstance(shape, Record) else ()
        inner = {field.name: shape_of(field.kind) for field in fields}
        choices.append({name: s.values for name, s in inner.items() if isinstance(s, Enumeration)})
    for name in choices[0] if len(members) > 1 else ():
        if all(name in choice for choice in choices):
            pairs = [
                (json_key(v), m) for m, c in zip(members, choices, strict=True) for v, _ in c[name]
            ]
            if len(dict(pairs)) == len(pairs):
                return name, dict(pairs)
    return "", {}
