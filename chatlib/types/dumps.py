"""Dumps of answers and events: all objects as plain values, by the options of pydantic."""

from __future__ import annotations

import enum
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import attrs

from chatlib.types.decoding import Decoded, is_required
from chatlib.types.foreign import is_array, is_record, record_fields


@attrs.frozen
class Dump:
    """The options of a dump, see :meth:`OfficialNames.model_dump`."""

    as_json: bool
    exclude_unset: bool = False
    exclude_defaults: bool = False
    exclude_none: bool = False


def dump(value: Any, how: Dump, include: Any = None, exclude: Any = None) -> Any:
    """Return a value as plain values, all objects in it as dicts.

    Loops rather than comprehensions: one frame for each level, so that nothing that was read is too
    deep.

    Args:
        value: The value.
        how: The options.
        include: The fields or items to keep; None for all.
        exclude: The fields or items to leave out.
    """
    if isinstance(value, Decoded):
        fields = {}
        for name, item, kept, left in _selected(_fields_of(value, how), include, exclude):
            fields[name] = dump(item, how, kept, left)
        return fields
    if isinstance(value, (list, tuple)):
        items = []
        for _, item, kept, left in _selected(enumerate(value), include, exclude):
            items.append(dump(item, how, kept, left))
        return items
    if isinstance(value, Mapping):
        pairs = {}
        for key, item, kept, left in _selected(value.items(), include, exclude):
            pairs[key] = dump(item, how, kept, left)
        return pairs
    if is_record(value):  # a parsed value, of a class of the caller's
        return _dump_record(value, how)
    return json_default(value) if how.as_json and isinstance(value, enum.Enum) else value


def _fields_of(value: Any, how: Dump) -> Iterator[tuple[str, Any]]:
    """Yield the fields of an object that the options keep."""
    came = value._came() if how.exclude_unset else None
    for name, item in value._declared():
        if came is not None and name not in came:
            continue
        is_left_out = how.exclude_none or (how.exclude_defaults and _is_optional(value, name))
        if item is None and is_left_out:
            continue
        yield name, item


def _is_optional(value: Decoded, name: str) -> bool:
    return name in value._defaults and not is_required(type(value), name)


def _selected(
    pairs: Iterable[tuple[Any, Any]], include: Any, exclude: Any
) -> Iterator[tuple[Any, Any, Any, Any]]:
    """Yield what a selection keeps, each with the selections for what is in it."""
    for key, item in pairs:
        kept = True if include is None else _part(include, key)
        left = _part(exclude, key)
        if kept and left is not True:
            yield key, item, None if kept is True else kept, left or None


def _part(selection: Any, key: Any) -> Any:
    """Return what a selection says of a field or an item: True for all of it, None for nothing."""
    if selection is None:
        return None
    if not isinstance(selection, Mapping):
        return key in selection or "__all__" in selection or None
    part = selection.get(key, selection.get("__all__"))
    return True if part is ... else part or None


def _dump_record(value: Any, how: Dump) -> Any:
    if hasattr(value, "model_dump") and not how.as_json:
        options = attrs.asdict(how)
        del options["as_json"]
        return value.model_dump(**options)
    try:
        return record_fields(value, partial(dump, how=how))
    except (TypeError, ValueError):
        return value


def json_default(value: Any) -> Any:
    """Return a part of a parsed value that is not JSON serializable as plain JSON values.

    Args:
        value: The part.
    """
    if is_record(value):
        return record_fields(value, partial(dump, how=Dump(True)))
    if isinstance(value, enum.Enum):
        return value.value
    if is_array(value):
        return list(value)
    pydantic: Any = sys.modules.get("pydantic_core")  # knows dates and the like
    return pydantic.to_jsonable_python(value, fallback=str) if pydantic else str(value)


def to_plain(value: Any) -> Any:
    """Return a value with every object of the API in it turned into a dict, however deep.

    Args:
        value: The value.
    """
    if isinstance(value, Decoded):
        whole: Any = value
        return whole.to_dict()
    if isinstance(value, Mapping):
        fields = {}
        for key, item in value.items():
            fields[key] = to_plain(item)
        return fields
    if isinstance(value, (list, tuple)):
        made = []
        for item in value:
            made.append(to_plain(item))
        return made
    return value


def serialized(value: Any, info: Any) -> Any:
    """Return an object as pydantic serializes it.

    Args:
        value: The object.
        info: The options of pydantic's call.
    """
    if not isinstance(value, Decoded):
        return value
    how = Dump(True, info.exclude_unset, info.exclude_defaults, info.exclude_none)
    return dump(value, how, info.include, info.exclude)
