"""The base of all objects of the API: slotted attrs classes, each for one JSON object.

An object holds what its JSON held, and stays what an attrs class is everywhere else. Four rules:

- A field that did not come is a slot that is not set. It reads as its default (``None``, or the
  constant of a field such as ``role``), and :attr:`JsonObject.fields_set` tells it from a null.
- A field that the library does not know is in :attr:`JsonObject.extra`, a field like the others,
  and is an attribute too, to read, to set and to delete.
- A field that always holds an object, such as the ``delta`` of a choice, is never None: where
  nothing or a null came, it reads as an empty object, which can be written to.
- The names of what came are kept in their order, so that :meth:`JsonObject.to_dict` gives it back.
  The tuples of names are shared: there are few of them, however many objects there are.

Objects are decoded by functions that are generated once for each set of names that comes
(:func:`object_hook`). They fill the slots and do not call ``__init__``. Measured on a chunk of a
stream with nine fields, this takes 2.6 µs, where setting every slot takes 3.7 µs and a loop over
the fields 3.5 µs; a chunk that is kept takes 920 bytes, where a ``__dict__`` takes 2,200.
"""

from __future__ import annotations

import copy
import enum
import json
import types
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import attrs

from chatlib.http import ResponseInfo, omit
from chatlib.types.foreign import is_array, is_record, record_fields
from chatlib.types.json_values import MOST_DEPTH
from chatlib.types.text import json_text

if TYPE_CHECKING:
    import cattrs
    from typing_extensions import Self, dataclass_transform

    F = TypeVar("F", bound=Callable[..., Any])

    def cache(function: F) -> F:
        """Return the function: for mypy, whose ``cache`` requires hashable instances."""
        return function

else:
    from functools import cache

    def dataclass_transform(**_: object) -> Callable[[Any], Any]:
        """Return the decorated class: only type checkers need the real one."""
        return lambda decorated: decorated


C = TypeVar("C", bound=type)
J = TypeVar("J", bound="JsonObject")
Hook = Callable[[Any, Any], Any]


class _Received:
    """The slot for the response that brought an object: no field, since it is not part of it."""

    __slots__ = ("__weakref__", "_http")


@attrs.define(kw_only=True, init=False, eq=False, repr=False, getstate_setstate=False)
class JsonObject(_Received):
    """One JSON object of the API: its known fields as attributes, the others in ``extra``."""

    extra: dict[str, Any] = attrs.field(factory=dict)
    """The fields that the library does not know, as plain JSON values."""

    if TYPE_CHECKING:
        _names: tuple[str, ...] = attrs.field(init=False)
        _extra: dict[str, Any] | None = attrs.field(init=False)
        _http: ResponseInfo | None = attrs.field(init=False)
    else:
        # The names of the fields that came or were given, in their order, unknown ones included.
        _names: tuple[str, ...] = attrs.field(default=(), alias="_names")

    _defaults: ClassVar[Mapping[str, Any]] = {}
    """The known fields, and what they read as when they did not come."""
    _required: ClassVar[tuple[str, ...]] = ()
    """The known fields that the constructor must be given."""
    _json_text: ClassVar[str] = ""
    """The name of the field that is JSON text, and that some servers send as the JSON itself."""
    _takes_unknown: ClassVar[bool] = True
    """Whether the constructor takes fields that the class does not know."""

    if not TYPE_CHECKING:

        def __init__(self, **given):
            _fill(self, given)

        def __getattr__(self, name):
            # Reached only where no slot that is set, and nothing of the class, has the name.
            defaults = type(self)._defaults
            if name in defaults:
                kind = _object_kinds(type(self)).get(name)
                if kind is None:
                    return defaults[name]
                made = kind.__new__(kind)
                _set_extra(made, None)
                _set_names(made, _Nothing())
                object.__setattr__(self, name, made)
                return made
            if name == "_http":
                return None
            if name not in ("_extra", "_names"):
                extra = self._extra
                if extra and name in extra and not name.startswith("__"):
                    return extra[name]
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

        def __setattr__(self, name, value):
            try:
                object.__setattr__(self, name, value)
            except AttributeError:
                if name.startswith("__") or hasattr(type(self), name):
                    raise
                self.extra[name] = value
            else:
                if name in type(self)._defaults and name not in self._names:
                    _set_names(self, (*self._names, name))

        def __delattr__(self, name):
            if name in type(self)._defaults:
                object.__delattr__(self, name)
                _set_names(self, tuple(held for held in self._names if held != name))
            elif self._extra and name in self._extra:
                del self._extra[name]
            else:
                object.__delattr__(self, name)

    @property
    def http(self) -> ResponseInfo | None:
        """The response that the object came in, with status and headers; None on nested objects."""
        return self._http

    @property
    def request_id(self) -> str | None:
        """The ``x-request-id`` of the response that the object came in."""
        return self._http.request_id if self._http is not None else None

    _request_id = request_id  # its name in the official package

    @property
    def fields_set(self) -> frozenset[str]:
        """The names of the fields that were received or given, unknown ones included."""
        return frozenset(name for name, _ in self._items())

    def to_dict(self) -> dict[str, Any]:
        """Return the object as plain JSON values: what was received or given, in its order."""
        return {name: to_plain(value) for name, value in self._items() if value is not omit}

    def to_json(self, *, indent: int | None = None) -> str:
        """Return :meth:`to_dict` as JSON text.

        Args:
            indent: How many spaces to indent by; None puts it on one line.
        """
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent)

    def model_dump(
        self, *, mode: str = "python", exclude_unset: bool = False, exclude_none: bool = False
    ) -> dict[str, Any]:
        """Return the object as plain JSON values, as the method of the official package does.

        Args:
            mode: Makes no difference: all values are plain.
            exclude_unset: Leave out the fields that did not come; they are None otherwise.
            exclude_none: Leave out the fields that are None.
        """
        sent = self.to_dict()
        if not exclude_unset:
            for name in self._defaults:
                sent.setdefault(name, getattr(self, name))
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
        """Return :meth:`model_dump` as JSON text."""
        dumped = self.model_dump(exclude_unset=exclude_unset, exclude_none=exclude_none)
        return json.dumps(dumped, ensure_ascii=False, indent=indent, default=_json_default)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed; ``omit`` leaves a field out.

        Raises:
            TypeError: A name is neither a field of the class nor in ``extra``.
        """
        twin = copy.copy(self)
        for name, value in changes.items():
            is_known = name in self._defaults
            if not is_known and name not in (self._extra or ()):
                raise TypeError(f"{type(self).__name__} has no field {name!r}")
            if not is_known:
                twin.extra[name] = value
            elif value is not omit:
                setattr(twin, name, value)
            elif name in twin._names:
                delattr(twin, name)
            if not is_known and value is omit:
                del twin.extra[name]
        return twin

    def _items(self) -> Iterator[tuple[str, Any]]:
        extra = self._extra or {}
        names, defaults = self._names, self._defaults
        for name in names:
            if name in defaults:
                value = getattr(self, name)
                yield name, None if _is_nothing(value) else value
            elif name in extra:
                yield name, extra[name]
        for name in _object_kinds(type(self)):
            if name not in names and not _is_nothing(value := getattr(self, name)):
                yield name, value
        for name, value in extra.items():
            if name not in names or name in defaults:
                yield name, value

    def _as(self, cls: type[J], **changes: Any) -> J:
        """Return an object of another class with the fields of this one, some of them changed."""
        made = cls.__new__(cls)
        held = {name: getattr(self, name) for name in self._names if name in self._defaults}
        for name, value in {**held, **changes}.items():
            object.__setattr__(made, name, value)
        _set_extra(made, dict(self._extra) if self._extra else None)
        _set_names(made, (*self._names, *(name for name in changes if name not in held)))
        set_http(made, self._http)
        return made

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> dict[str, Any]:
        """Return how pydantic validates a field of this class, and how it serializes one."""
        take: dict[str, Any] = {"type": "no-info", "function": partial(_validated, cls)}
        return {
            "type": "lax-or-strict",  # in a union with dict forms, a dict stays a dict
            "strict_schema": {"type": "is-instance", "cls": cls},
            "lax_schema": {"type": "function-plain", "function": take},
            "serialization": {"type": "function-plain", "function": to_plain},
        }

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """Return the JSON schema that pydantic gives for a field of this class."""
        return {"type": "object", "title": cls.__name__}

    def __copy__(self) -> Self:
        twin = type(self).__new__(type(self))
        for name, value in self.__getstate__().items():
            object.__setattr__(twin, name, value)
        _set_extra(twin, dict(self._extra) if self._extra else None)
        return twin

    def __getstate__(self) -> dict[str, Any]:
        state = {}
        for name, slot in _slots(type(self)):
            try:
                state[name] = slot.__get__(self)
            except AttributeError:  # a field that did not come
                continue
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        assert isinstance(other, JsonObject)
        if (self._extra or {}) != (other._extra or {}):
            return False
        # By what is read: a field that is absent and one that is null both read as None.
        return all(getattr(self, name) == getattr(other, name) for name in self._defaults)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self._items())
        return f"{type(self).__name__}({shown})"


class RequestObject(JsonObject):
    """An object of requests only: an unknown argument of its constructor is an error."""

    __slots__ = ()

    _takes_unknown = False


class _Nothing(tuple[str, ...]):
    """The names of an object that did not come, and that nobody has written to."""

    __slots__ = ()


def _is_empty(value: Any) -> bool:
    return isinstance(value, JsonObject) and not value._names and not value._extra


def _is_nothing(value: Any) -> bool:
    return _is_empty(value) and value._names.__class__ is _Nothing


def _get_extra(self: JsonObject) -> dict[str, Any]:
    if self._extra is None:
        _set_extra(self, {})
    assert self._extra is not None
    return self._extra


# The slot of ``extra`` is None where there is nothing in it: most objects need no dict of their
# own. It is read by a second name, and a property makes the dict when somebody asks for it.
_class: Any = JsonObject
_class._extra = _class.extra
_set_extra: Callable[[JsonObject, dict[str, Any] | None], None] = _class._extra.__set__
_set_names: Callable[[JsonObject, tuple[str, ...]], None] = _class._names.__set__
set_http: Callable[[JsonObject, ResponseInfo | None], None] = _class._http.__set__
"""Set the response that an object came in."""
_class.extra = property(_get_extra, _set_extra)


def _fill(self: JsonObject, given: dict[str, Any]) -> None:
    """Set the fields of a new object to the arguments of its constructor."""
    cls = type(self)
    defaults, came = cls._defaults, given.pop("_names", None)
    extra = dict(given.pop("extra", None) or {})
    unknown = [name for name in given if name not in defaults]
    if unknown and not cls._takes_unknown:
        raise TypeError(
            f"{cls.__name__}() got an unexpected keyword argument {unknown[0]!r}; a field that the "
            f"class does not know can be sent by extra={{{unknown[0]!r}: ...}}"
        )
    if came is not None:  # attrs.evolve() gives all fields, those that did not come as they read
        given = {k: v for k, v in given.items() if k in came or v != defaults.get(k)}
    else:
        missing = ", ".join(repr(name) for name in cls._required if name not in given)
        if missing:
            raise TypeError(f"{cls.__name__}() needs the keyword arguments: {missing}")
        constants = {name: value for name, value in defaults.items() if value is not None}
        given = {**{k: v for k, v in constants.items() if k not in given}, **given}
    hooks = _nested_hooks(cls)
    held = []
    for name, value in given.items():
        if value is omit:
            continue
        if name in defaults:
            hook = hooks.get(name)
            made = value if hook is None else hook(copied(value), None)
            if came is not None and name not in came and _is_empty(made):
                continue
            object.__setattr__(self, name, made)
        else:
            extra[name] = value
        held.append(name)
    names = [name for name in came or () if name in held or name in extra]
    _set_names(self, (*names, *(name for name in held if name not in names)))
    _set_extra(self, extra or None)


@cache
def _slots(cls: type[Any]) -> tuple[tuple[str, types.MemberDescriptorType], ...]:
    """Return the slots of a class by name: the fields, and what is noted about the object."""
    held = (item for base in cls.__mro__ for item in vars(base).items())
    return tuple(
        (name, slot)
        for name, slot in held
        if isinstance(slot, types.MemberDescriptorType) and name != "__weakref__"
    )


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
    """Return a part of a parsed value that is not JSON serializable as plain JSON values."""
    if is_record(value):
        return record_fields(value, to_plain)
    if isinstance(value, enum.Enum):
        return value.value
    return list(value) if is_array(value) else str(value)


def to_plain(value: Any) -> Any:
    """Return a value with every :class:`JsonObject` in it turned into a dict, however deep."""
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


def copied(value: Any, depth: int = MOST_DEPTH) -> Any:
    """Return plain JSON values with their dicts and lists copied.

    Raises:
        ValueError: They are nested more than ``depth`` levels deep.
    """
    if depth < 0:
        raise ValueError("the value is nested too deeply")
    if isinstance(value, Mapping):
        return {name: copied(item, depth - 1) for name, item in value.items()}
    return [copied(item, depth - 1) for item in value] if isinstance(value, list) else value


@dataclass_transform(kw_only_default=True, field_specifiers=(attrs.field,))
def json_object(cls: C) -> C:
    """Make a class an attrs class of a :class:`JsonObject`."""
    cls = attrs.define(
        cls,
        kw_only=True,
        init=False,
        eq=False,
        repr=False,
        getstate_setstate=False,
        field_transformer=_own_fields_first,
    )
    fields = [field for field in attrs.fields(cls) if field.name not in ("extra", "_names")]
    made: Any = cls
    made._defaults = {
        field.name: None if field.default is attrs.NOTHING else field.default for field in fields
    }
    made._required = tuple(field.name for field in fields if field.default is attrs.NOTHING)
    made.__replace__ = JsonObject.replace  # what copy.replace() calls
    return cls


def _own_fields_first(cls: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    return sorted(fields, key=lambda field: field.name in ("extra", "_names"))


@json_object
class UnknownObject(JsonObject):
    """An object of a kind that the library does not know: all that came is in ``extra``."""


# Decoding -------------------------------------------------------------------------------------


MOST_SHAPES = 100
"""How many sets of names have a function of their own, for each class."""


def configure_converter(converter: cattrs.Converter) -> None:
    """Register hooks for the classes of :mod:`chatlib.types` with a cattrs converter, both ways.

    Structured objects take over the dicts and lists that they are made from.

    >>> import cattrs
    >>> from chatlib.types import CompletionUsage
    >>> converter = cattrs.Converter()
    >>> configure_converter(converter)
    >>> usage = converter.structure({"prompt_tokens": 3, "cache_hits": 1}, CompletionUsage)
    >>> usage.cache_hits
    1
    >>> converter.unstructure(usage)
    {'prompt_tokens': 3, 'cache_hits': 1}
    """
    made = converter
    made.register_structure_hook_factory(_is_object, lambda cls: object_hook(made, cls))
    made.register_structure_hook_factory(_is_union, lambda union: _union_hook(made, union))
    made.register_structure_hook_factory(_is_list, lambda kind: _list_hook(made, kind))
    made.register_unstructure_hook_func(_is_object, lambda value: value.to_dict())


@lru_cache(maxsize=1)
def converter() -> cattrs.Converter:
    """Return the converter that the library decodes with, made at the first use."""
    import cattrs  # here, since values are made without it

    made = cattrs.Converter(detailed_validation=False)
    configure_converter(made)
    return made


def _validated(cls: type[JsonObject], value: Any) -> JsonObject:
    """Return a value as an object of a class, for pydantic.

    Raises:
        ValueError: It is neither an instance nor a dict.
    """
    if not isinstance(value, (cls, dict)):
        raise ValueError(f"a dict or an instance of {cls.__name__} is required")
    made: JsonObject = converter().structure(copied(value), cls)
    return made


def _is_object(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, JsonObject)


def _is_union(kind: Any) -> bool:
    members = _members(kind)
    return len(members) > 1 and all(map(_is_object, members))


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is list and _has_objects(get_args(kind)[0])


def _has_objects(kind: Any) -> bool:
    return _is_object(kind) or _is_union(kind) or _is_list(kind)


def _members(kind: Any) -> tuple[Any, ...]:
    """Return the members of a union except None, or the type itself."""
    is_union = get_origin(kind) in (Union, types.UnionType)
    return tuple(m for m in get_args(kind) if m is not types.NoneType) if is_union else (kind,)


def _nested_kinds(cls: type[JsonObject]) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a class that hold objects, with their types except None."""
    hints = get_type_hints(cls)
    for name in cls._defaults:
        members = _members(hints[name])
        kind: Any = members[0] if len(members) == 1 else Union[members]  # noqa: UP007
        if _has_objects(kind):
            yield name, kind


@cache
def _object_kinds(cls: type[Any]) -> dict[str, type[JsonObject]]:
    """Return the required fields of a class that hold an object, with their classes."""
    kinds = _nested_kinds(cls)
    return {name: kind for name, kind in kinds if name in cls._required and _is_object(kind)}


@cache
def _nested_hooks(cls: type[Any]) -> dict[str, Hook]:
    kinds = dict(_nested_kinds(cls))
    return {name: converter().get_structure_hook(kind) for name, kind in kinds.items()}


def object_hook(made: cattrs.Converter, cls: type[JsonObject]) -> Hook:
    """Return the function that makes an object of a class from a dict; other values stay.

    The hot path of a stream: three of these run for each chunk.
    """
    shapes: dict[tuple[str, ...], Callable[[dict[str, Any]], Any]] = {}
    nested = {name: made.get_structure_hook(kind) for name, kind in _nested_kinds(cls)}

    def hook(value: Any, _: Any = None) -> Any:
        if value.__class__ is not dict:
            return value
        names = tuple(value)
        decode = shapes.get(names)
        if decode is None:
            decode = _decoder(cls, names, nested)
            if len(shapes) < MOST_SHAPES:
                shapes[names] = decode
        return decode(value)

    return hook


def _decoder(
    cls: type[JsonObject], names: tuple[str, ...], nested: Mapping[str, Hook]
) -> Callable[[dict[str, Any]], Any]:
    """Generate the function that makes an object from a dict with exactly these names."""
    if "_names" in names and "extra" in names:  # what attrs.asdict() made of an object
        return lambda value: cls(**value)
    unknown = {name: at for at, name in enumerate(names) if name not in cls._defaults}
    known_as: dict[str, Any] = {"new": cls.__new__, "cls": cls, "names": names}
    known_as |= {"set_names": _set_names, "set_extra": _set_extra, "json_text": json_text}
    lines = ["def decode(value):", " self = new(cls)"]
    if names:
        lines.append(f" {''.join(f'v{at}, ' for at in range(len(names)))} = value.values()")
    for at, name in enumerate(names):
        if name in unknown:
            continue
        known_as[f"set{at}"] = getattr(cls, name).__set__
        if name in _object_kinds(cls):  # which is never None
            lines.append(f" if v{at} is not None: set{at}(self, hook{at}(v{at}, None))")
        elif name in nested:
            lines.append(f" set{at}(self, None if v{at} is None else hook{at}(v{at}, None))")
        elif name == cls._json_text:
            lines.append(f" set{at}(self, None if v{at} is None else json_text(v{at}))")
        else:
            lines.append(f" set{at}(self, v{at})")
        if name in nested:
            known_as[f"hook{at}"] = nested[name]
    extra = ", ".join(f"{name!r}: v{at}" for name, at in unknown.items())
    lines += [f" set_extra(self, {{{extra}}})" if unknown else " set_extra(self, None)"]
    lines += [" set_names(self, names)", " return self"]
    # Compiled first: executing a text, in any thread, makes CPython forget that Ctrl-C ended the
    # program, and its exit status is then 1 (``unhandled_keyboard_interrupt`` in pythonrun.c).
    exec(compile("\n".join(lines), f"<{cls.__name__} of {len(names)} fields>", "exec"), known_as)
    decode: Callable[[dict[str, Any]], Any] = known_as["decode"]
    return decode


def _list_hook(made: cattrs.Converter, kind: Any) -> Hook:
    inner = made.get_structure_hook(get_args(kind)[0])

    def hook(value: Any, _: Any = None) -> Any:
        if value.__class__ is list:
            return [inner(item, None) for item in value]
        # Some servers send a lone object where a list of them belongs; an empty one is none.
        return [inner(value, None)] if value and isinstance(value, dict) else value

    return hook


def _union_hook(made: cattrs.Converter, union: Any) -> Hook:
    """Return the function that tells objects apart by their ``type``, or by what they hold."""
    hooks = {}
    for member in _members(union):
        tag = member._defaults["type"]  # the class holds the constant
        hooks[tag] = made.get_structure_hook(member)
    unknown = made.get_structure_hook(UnknownObject)

    def hook(value: Any, _: Any = None) -> Any:
        if value.__class__ is not dict:
            return value
        tag = value.get("type") or next(filter(value.__contains__, hooks), None)
        return (hooks.get(tag, unknown) if isinstance(tag, str) else unknown)(value, None)

    return hook
