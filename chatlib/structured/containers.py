"""Decoding of arrays and objects."""

from __future__ import annotations

import json
import sys
from typing import Any

from chatlib.structured.problems import (
    MAX_PROBLEMS,
    Hook,
    HookOf,
    Mismatch,
    Problem,
    describe,
    expected,
    truncate,
)
from chatlib.structured.scalars import check_bounds
from chatlib.structured.shapes import Alias, Array, Foreign, Record, show_type


def array_hook(shape: Array, hook_of: HookOf) -> Hook:
    """Return the hook of an array."""
    inner, result = hook_of(shape.items), shape.result

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, list):
            raise expected("an array", value)
        items, problems = [], []
        for index, item in enumerate(value):
            try:
                items.append(inner(item, None))
            except Mismatch as mismatch:
                problems += mismatch.below(index)
                if len(problems) > MAX_PROBLEMS:
                    break
        if problems:
            raise Mismatch.several(problems)
        if shape.bounds:
            check_bounds(shape, items, value)
        try:
            made = items if result is list else result(items)
        except TypeError as error:  # an item is not hashable after all
            raise Mismatch(f"{error}", value, error) from None
        if len(made) != len(items):
            if isinstance(made, dict):
                raise Mismatch("duplicate key", value)
            check_bounds(shape, made, value)
        return made

    return hook


def record_hook(shape: Record, hook_of: HookOf) -> Hook:
    """Return the hook of an object with known properties."""
    fields, result = shape.fields, shape.result
    names = {field.name for field in fields}
    hooks: list[tuple[str, str, bool, Hook]] = []

    def hook(value: Any, _: Any) -> Any:
        nonlocal hooks
        if not hooks:  # late, for types that contain themselves
            hooks = [(f.name, f.argument, f.drop_null, hook_of(f.kind)) for f in fields]
        if not isinstance(value, dict):
            raise expected("an object", value)
        problems: list[Problem] = []
        if value.keys() != names:
            missing = [f.name for f in fields if f.name not in value]
            unknown = [name for name in value if name not in names][: MAX_PROBLEMS + 1]
            texts = [f"missing property {describe(name)}" for name in missing]
            texts += [f"unknown property {describe(name)}" for name in unknown]
            problems = [("", text, value, None) for text in texts]
        given = {}
        for name, argument, drop_null, inner in hooks:
            if name not in value or (drop_null and value[name] is None):
                continue
            try:
                given[argument] = inner(value[name], None)
            except Mismatch as mismatch:
                problems += mismatch.below(name)
        if problems:
            raise Mismatch.several(problems)
        if result is tuple:
            return tuple(given.values())
        try:
            return result(**given)
        except RecursionError:
            raise
        except Exception as error:
            text = f"{show_type(shape)} rejects it: {type(error).__name__}: {error}"
            raise Mismatch(text, value, error) from None

    return hook


def alias_hook(shape: Alias, hook_of: HookOf) -> Hook:
    """Return the hook of a ``type X = ...`` alias."""
    return lambda value, _: hook_of(shape.target)(value, None)


def foreign_hook(shape: Foreign, _: HookOf) -> Hook:
    """Return the hook of a class of pydantic or msgspec, which validates itself."""
    module = sys.modules[shape.package]
    adapter = module.TypeAdapter(shape.kind) if shape.package == "pydantic" else None

    def hook(value: Any, _: Any) -> Any:
        try:
            if adapter is not None:  # its rules for JSON text differ from those for Python values
                return adapter.validate_json(json.dumps(value))
            return module.convert(value, type=shape.kind, str_keys=True)
        except RecursionError:
            raise
        except Exception as error:
            problems: list[Problem] = []
            if adapter is not None and isinstance(error, module.ValidationError):
                details: Any = error
                for found in details.errors(include_url=False):
                    text = f"{found['msg']}, got {describe(found['input'])}"
                    wrong = Mismatch(text, found["input"], error).problems
                    for step in reversed(found["loc"]):
                        wrong = Mismatch.several(wrong).below(step)
                    problems += wrong
            if not problems:  # the format of msgspec
                text, _, where = str(error).partition(" - at `$")
                problems = [(where.rstrip("`"), truncate(text), value, error)]
            raise Mismatch.several(problems) from None

    return hook
