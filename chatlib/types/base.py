"""What every object of the API is made of: an attrs class for one JSON object.

The strategy, because it is unusual and everything rests on it:

An object's ``__dict__`` holds the known fields *that were sent*, and nothing else. A field that was
not sent falls through to the class, where its default stands (``None``, or the constant of a
``Literal`` field such as ``role``). So reading costs nothing, "absent" and "null" stay apart
(:attr:`JsonObject.fields_set`), and :meth:`JsonObject.to_dict` gives back what came. Fields that
the library does not know live in :attr:`JsonObject.extra`, away from the methods they could shadow,
and can be read, set and deleted as attributes too.

The decoder fills ``__dict__`` directly and never calls ``__init__``. People do: there, attrs checks
the names, and a field left out stays left out, while ``None`` means JSON ``null``. Setting an
attribute looks up where it belongs, which the decoder has no time for: it fills the slots with
:data:`set_fields`, :data:`set_extra` and :data:`set_http`.

Measured against the plain alternatives (slotted or frozen attrs classes filled through
``__init__``), this takes about half the time to decode a chunk.
"""

from __future__ import annotations

import copy
import enum
import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from chatlib._omit import omit
from chatlib.foreign import is_array, is_record, record_fields
from chatlib.http import ResponseInfo

if TYPE_CHECKING:
    from typing_extensions import Self, dataclass_transform
else:

    def dataclass_transform(**_: object) -> Callable[[Any], Any]:
        """At run time, which needs no typing_extensions, it changes nothing."""
        return lambda decorated: decorated


class JsonObject:
    """One JSON object of the API: its known fields as attributes, the others in ``extra``."""

    __slots__ = ("__dict__", "__weakref__", "_extra", "_http")

    # Private, and set by the decoder: a slot that was never set reads as None, see __getattr__.
    _extra: dict[str, Any] | None
    _http: ResponseInfo | None

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            # Only reached when neither the object nor its class has the name.
            if name in ("_extra", "_http"):
                return None
            if self._extra and name in self._extra and not name.startswith("__"):
                return self._extra[name]
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

        def __setattr__(self, name: str, value: Any) -> None:
            # The class has a default for each field that it knows. What it does not know is extra.
            if hasattr(type(self), name) or name.startswith("__"):
                object.__setattr__(self, name, value)
            else:
                self.extra[name] = value

        def __delattr__(self, name: str) -> None:
            if self._extra and name in self._extra and not hasattr(type(self), name):
                del self._extra[name]
            else:
                object.__delattr__(self, name)

    def __attrs_post_init__(self) -> None:
        fields = vars(self)
        for name in [name for name, value in fields.items() if value is omit]:
            del fields[name]

    @property
    def extra(self) -> dict[str, Any]:
        """The fields that came and that the library does not know, as plain JSON values."""
        if self._extra is None:
            self._extra = {}
        return self._extra

    @property
    def http(self) -> ResponseInfo | None:
        """The response that brought the object: status, headers, attempts. None on its parts."""
        return self._http

    @property
    def request_id(self) -> str | None:
        """The ``x-request-id`` of the response that brought the object."""
        return self._http.request_id if self._http is not None else None

    _request_id = request_id  # its name in the official package

    @property
    def fields_set(self) -> frozenset[str]:
        """The names of the fields that were sent or given, unknown ones included."""
        return frozenset(name for name, _ in self._items())

    def to_dict(self) -> dict[str, Any]:
        """The object as plain JSON values: what was sent or given, unknown fields included."""
        return {name: to_plain(value) for name, value in self._items() if value is not omit}

    def to_json(self, *, indent: int | None = None) -> str:
        """:meth:`to_dict` as JSON text, on one line unless ``indent`` says how many spaces."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent)

    def model_dump(
        self, *, mode: str = "python", exclude_unset: bool = False, exclude_none: bool = False
    ) -> dict[str, Any]:
        """:meth:`to_dict` by its name in the official package, where fields that were not sent
        count too, as None, unless ``exclude_unset``; ``mode`` makes no difference here."""
        sent = self.to_dict()
        if not exclude_unset:
            for field in attrs.fields(type(self)):  # type: ignore[arg-type]
                sent.setdefault(field.name, getattr(self, field.name))
        for name, value in self._items():
            sent[name] = _dumped(value, exclude_unset=exclude_unset, exclude_none=exclude_none)
        return {k: v for k, v in sent.items() if not (exclude_none and v is None)}

    def model_dump_json(
        self,
        *,
        indent: int | None = None,
        exclude_unset: bool = False,
        exclude_none: bool = False,
    ) -> str:
        """:meth:`model_dump` as JSON text."""
        dumped = self.model_dump(exclude_unset=exclude_unset, exclude_none=exclude_none)
        return json.dumps(dumped, ensure_ascii=False, indent=indent, default=_json_default)

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed; ``omit`` leaves a field out. The original stays.

        Raises:
            TypeError: a name is neither a field of the class nor in ``extra``.
        """
        twin = copy.copy(self)
        extra = twin.extra
        known = attrs.fields_dict(type(self))  # type: ignore[arg-type]
        for name, value in changes.items():
            if name not in known and name not in extra:
                raise TypeError(f"{type(self).__name__} has no field {name!r}")
            home = vars(twin) if name in known else extra
            home[name] = value
            if value is omit:
                del home[name]
        return twin

    def __copy__(self) -> Self:
        reduced: Any = self.__reduce_ex__(2)
        made, arguments, state, *_ = reduced
        fields, slots = state if isinstance(state, tuple) else (state, None)
        twin: Self = made(*arguments)
        vars(twin).update(fields or {})
        for name, value in (slots or {}).items():
            setattr(twin, name, value)
        if self._extra:
            set_extra(twin, dict(self._extra))  # each has its own: editing one leaves the other
        return twin

    def _items(self) -> Iterator[tuple[str, Any]]:
        yield from vars(self).items()
        yield from (self._extra or {}).items()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        assert isinstance(other, JsonObject)
        if (self._extra or {}) != (other._extra or {}):
            return False
        # By what is read: a field that is absent and one that is null both read as None.
        names = vars(self).keys() | vars(other).keys()
        return all(getattr(self, name) == getattr(other, name) for name in names)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self._items())
        return f"{type(self).__name__}({shown})"


# Set a slot of an object at the speed of C, past ``__setattr__``.
set_fields: Callable[[JsonObject, dict[str, Any]], None] = vars(JsonObject)["__dict__"].__set__
set_extra: Callable[[JsonObject, dict[str, Any] | None], None]
set_extra = vars(JsonObject)["_extra"].__set__
set_http: Callable[[JsonObject, ResponseInfo | None], None] = vars(JsonObject)["_http"].__set__


# Loops rather than comprehensions: one frame for each level, so that nothing that was read is too
# deep for them.


def _dumped(value: Any, **how: Any) -> Any:
    if isinstance(value, JsonObject):
        return value.model_dump(**how)
    if isinstance(value, list):
        made = []
        for item in value:
            made.append(_dumped(item, **how))
        return made
    if is_record(value):  # a parsed value, of a class of the caller's
        try:
            return record_fields(value, to_plain)
        except (TypeError, ValueError):
            return value
    return to_plain(value)


def _json_default(value: Any) -> Any:
    """A part of a parsed value that is no JSON, as JSON."""
    if is_record(value):
        return record_fields(value, to_plain)
    if isinstance(value, enum.Enum):
        return value.value
    return list(value) if is_array(value) else str(value)


def to_plain(value: Any) -> Any:
    """A value with every :class:`JsonObject` in it turned into a dict, however deep."""
    if isinstance(value, JsonObject):
        return value.to_dict()
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


C = TypeVar("C", bound=type)


@dataclass_transform(kw_only_default=True, field_specifiers=(attrs.field,))
def json_object(cls: C) -> C:
    """Make an attrs class of a :class:`JsonObject`; its ``None`` defaults mean "absent"."""
    cls = attrs.define(
        cls, slots=False, kw_only=True, eq=False, repr=False, field_transformer=_absent
    )
    for field in attrs.fields(cls):
        setattr(cls, field.name, None if field.default in (omit, attrs.NOTHING) else field.default)
    cls.__replace__ = JsonObject.replace  # type: ignore[attr-defined]  # copy.replace, attrs.evolve
    return cls


def _absent(cls: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    return [field.evolve(default=omit) if field.default is None else field for field in fields]


@json_object
class UnknownObject(JsonObject):
    """An object of a kind that the library does not know: all that came is in ``extra``."""
