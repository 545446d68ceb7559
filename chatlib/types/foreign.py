"""Objects of other libraries as the plain values that their own JSON has.

A class is known by the marks that its library leaves on it, so none of these libraries is imported
here. What each of them says about its JSON counts: the aliases of a pydantic model, the renamed
fields and the tag of a msgspec struct.
"""

from __future__ import annotations

import collections
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, MappingView, Sequence, Set
from functools import partial
from typing import Any

from chatlib.types.decoding import Decoded

_PYDANTIC = "__pydantic_serializer__"  # models and dataclasses
_PYDANTIC_1 = "__fields_set__"
_MSGSPEC = "__struct_fields__"
_ATTRS = "__attrs_attrs__"
_DATACLASS = "__dataclass_fields__"
_MARKS = (_PYDANTIC, _PYDANTIC_1, _MSGSPEC, _ATTRS, _DATACLASS, "model_dump")


def is_record(value: Any) -> bool:
    """Return whether a value is an object with fields that another library knows.

    That is an instance of a pydantic model, a msgspec struct, an attrs class, a dataclass, or a
    named tuple. Instances of this library's own classes are none.
    """
    cls = value.__class__
    if isinstance(value, (type, Decoded)) or cls.__module__.partition(".")[0] == "chatlib":
        return False
    return any(hasattr(cls, mark) for mark in _MARKS) or _is_named_tuple(value)


def record_fields(value: Any, convert: Callable[[Any], Any]) -> Any:
    """Return what a record is in JSON: as a rule a dict of its fields, whose values may be records.

    A field of a pydantic model that was not set, and is None, is left out; other fields that are
    None are null.

    Args:
        value: A value for which :func:`is_record` is true.
        convert: Called with what the record's own library cannot write; returns plain values.

    Raises:
        ValueError: the record's own library cannot write it.
    """
    cls = value.__class__
    if hasattr(cls, _PYDANTIC):
        return _pydantic_fields(value, convert)
    if hasattr(cls, "model_dump"):  # an object that acts as a pydantic model
        return value.model_dump(mode="json", exclude_unset=True)
    if hasattr(cls, _PYDANTIC_1):
        whole, given = (
            json.loads(value.json(by_alias=True, exclude_unset=unset)) for unset in (False, True)
        )
        return _without_unset(whole, given)
    if hasattr(cls, _MSGSPEC):
        value = _without_ours(value, convert)
        return sys.modules["msgspec"].to_builtins(value, str_keys=True, enc_hook=convert)
    if _is_named_tuple(value):
        return dict(zip(value._fields, value, strict=True))
    names: Iterable[str] = getattr(cls, _DATACLASS, ())
    if hasattr(cls, _ATTRS):
        names = [field.name for field in getattr(cls, _ATTRS)]
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def is_array(value: Any) -> bool:
    """Return whether a value is an array in JSON: a sequence, set, iterator or view of a dict.

    It is not enough that a value can be iterated: a model gives its fields, a table the names of
    its columns, a file its lines.
    """
    arrays = (Sequence, Set, Iterator, MappingView)
    return isinstance(value, arrays) and not isinstance(value, _NO_ARRAYS)


_NO_ARRAYS = (str, bytes, bytearray, memoryview, io.IOBase)


def plain_form(value: Any) -> Any:
    """Return a value as Python's own type, where it says how to get it; else the value itself.

    An array of numpy, and a single value of its, has ``tolist()``; a row has ``keys()``.
    """
    cls = value.__class__
    if isinstance(value, (list, tuple, type, *_NO_ARRAYS)):
        return value
    if isinstance(value, collections.UserString):
        return str(value)
    if hasattr(cls, "tolist"):
        return value.tolist()
    if hasattr(cls, "keys") and hasattr(cls, "__getitem__"):
        return dict(value)
    return value


def _is_named_tuple(value: Any) -> bool:
    return isinstance(value, Sequence) and isinstance(getattr(value, "_fields", None), tuple)


def _without_ours(value: Any, convert: Callable[[Any], Any]) -> Any:
    """Return a struct in which this library's objects are dicts.

    msgspec encodes all attrs classes by itself, with fields that their JSON does not have.
    """
    cls = value.__class__
    if cls.__module__.partition(".")[0] == "chatlib":
        return convert(value)
    if cls in (list, tuple):
        return cls(_without_ours(item, convert) for item in value)
    if cls is dict:
        return {name: _without_ours(item, convert) for name, item in value.items()}
    if not hasattr(cls, _MSGSPEC):
        return value
    held = {name: getattr(value, name) for name in getattr(cls, _MSGSPEC)}
    made = {name: _without_ours(item, convert) for name, item in held.items()}
    changes = {name: item for name, item in made.items() if item is not held[name]}
    replace: Any = sys.modules["msgspec"].structs.replace
    return replace(value, **changes) if changes else value


def _pydantic_fields(value: Any, convert: Callable[[Any], Any]) -> Any:
    cls = value.__class__
    config = getattr(cls, "model_config", {})
    options: dict[str, Any] = {
        "mode": "json",
        "by_alias": config.get("serialize_by_alias") is not False,
        "warnings": False,
        "exclude": getattr(value, "__api_exclude__", None),  # a mark of the official package
    }
    dump: Any = getattr(value, "model_dump", None)
    if getattr(dump, "__module__", None) in (None, "pydantic.main"):  # nobody's own
        dump = partial(getattr(cls, _PYDANTIC).to_python, value, fallback=convert)
    whole = dump(**options)
    if not hasattr(value, "__pydantic_fields_set__"):  # a dataclass
        return whole
    return _without_unset(whole, dump(exclude_unset=True, **options))


def _without_unset(whole: Any, given: Any) -> Any:
    """Return a dumped model without the nulls that stand for fields that were not set.

    Args:
        whole: The model with all of its fields.
        given: The model with the fields that were set.
    """
    if isinstance(whole, dict):
        given = given if isinstance(given, dict) else {}
        return {
            name: _without_unset(item, given.get(name))
            for name, item in whole.items()
            if item is not None or name in given
        }
    if isinstance(whole, list) and isinstance(given, list) and len(whole) == len(given):
        return [_without_unset(*pair) for pair in zip(whole, given, strict=True)]
    return whole
