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

A chunk of a stream that is kept takes 920 bytes, where a ``__dict__`` takes 2,200. Decoding is in
:mod:`chatlib.types.decoding`, what the objects of the official package are asked for in
:mod:`chatlib.types.official_names`.
"""

from __future__ import annotations

import copy
import json
import types
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from inspect import get_annotations
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import attrs

from chatlib.http import ResponseInfo, is_omitted
from chatlib.types.decoding import (
    Hook,
    cache,
    dataclass_transform,
    declare_fields,
    is_list,
    is_object,
    is_union,
    json_object,
    list_hook,
    nested_kinds,
    object_hook,
    object_kinds,
    union_hook,
)
from chatlib.types.dumps import Dump, dump
from chatlib.types.dumps import to_plain as to_plain
from chatlib.types.json_values import copied
from chatlib.types.official_names import OfficialNames

if TYPE_CHECKING:
    import cattrs
    from typing_extensions import Self

J = TypeVar("J", bound="JsonObject")


class MissingFieldError(TypeError, ValueError):
    """A required field of an object is missing: a ``ValueError`` as in pydantic, too."""


class _Received:
    """The slot for the response that brought an object: no field, since it is not part of it."""

    __slots__ = ("__weakref__", "_http")


@dataclass_transform(kw_only_default=True, field_specifiers=(attrs.field,))
@attrs.define(kw_only=True, init=False, eq=False, repr=False, getstate_setstate=False)
class JsonObject(_Received, OfficialNames):
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

    _takes_unknown: ClassVar[bool] = True
    """Whether the constructor takes fields that the class does not know."""
    _local: ClassVar[frozenset[str]] = frozenset()
    """The fields that are no part of the API's JSON, such as ``parsed``."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Make the annotations of a program's own subclass fields."""
        super().__init_subclass__(**options)
        is_own = cls.__module__.partition(".")[0] == "chatlib"
        if not is_own and "__slots__" not in vars(cls) and get_annotations(cls):
            declare_fields(cls)

    if not TYPE_CHECKING:

        def __init__(self, **given):
            _fill(self, given)

        def __getattr__(self, name):
            # Reached only where no slot that is set, and nothing of the class, has the name.
            defaults = type(self)._defaults
            if name in defaults:
                kind = object_kinds(type(self)).get(name)
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
            if type(self).__dictoffset__ and not (
                name.startswith("_") or hasattr(type(self), name)
            ):
                self.extra[name] = value  # a program's subclass has a __dict__, which nobody dumps
                return
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

    def to_dict(
        self,
        *,
        mode: str = "python",
        use_api_names: bool = True,
        exclude_unset: bool = True,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        warnings: bool = True,
    ) -> dict[str, Any]:
        """Return the object as plain JSON values: what was received or given, in its order.

        Args:
            mode: Makes no difference, like ``use_api_names`` and ``warnings``: they are options of
                the official package, where values and names have other forms than in JSON.
            use_api_names: See ``mode``.
            exclude_unset: False adds the fields that did not come, as None.
            exclude_defaults: Leave out the optional fields that are None.
            exclude_none: Leave out the fields that are None.
            warnings: See ``mode``.
        """
        if exclude_unset and not exclude_defaults and not exclude_none:
            local = self._local
            return {
                name: to_plain(value)
                for name, value in self._items()
                if name not in local and not is_omitted(value)
            }
        how = Dump(True, exclude_unset, exclude_defaults, exclude_none)
        dumped: dict[str, Any] = dump(self, how)
        return dumped

    def to_json(self, *, indent: int | None = 2, **options: Any) -> str:
        """Return :meth:`to_dict` as JSON text.

        Args:
            indent: How many spaces to indent by; None puts it on one line, without spaces.
            options: As for :meth:`to_dict`.
        """
        separators = (",", ":") if indent is None else None
        plain = self.to_dict(**options)
        return json.dumps(plain, ensure_ascii=False, indent=indent, separators=separators)

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
            elif not is_omitted(value):
                setattr(twin, name, value)
            elif name in twin._names:
                delattr(twin, name)
            if not is_known and is_omitted(value):
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
        for name in object_kinds(type(self)):
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
        return {**state, **self.__dict__} if type(self).__dictoffset__ else state

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
        shown = ", ".join(f"{name}={value!r}" for name, value in self._declared())
        return f"{type(self).__name__}({shown})"

    def _declared(self) -> Iterator[tuple[str, Any]]:
        for name in self._defaults:
            value = getattr(self, name)
            yield name, None if _is_nothing(value) else value
        yield from (self._extra or {}).items()

    def _came(self) -> frozenset[str]:
        return self.fields_set

    @classmethod
    def _decode(cls, value: Mapping[str, Any]) -> Self:
        made: Self = converter().structure(copied(value), cls)
        return made


class RequestObject(JsonObject):
    """An object of requests only: an unknown argument of its constructor is an error."""

    __slots__ = ()

    _takes_unknown = False

    __iter__ = None  # type: ignore[assignment]  # one message is no list of messages

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self._items())
        return f"{type(self).__name__}({shown})"


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
            raise MissingFieldError(f"{cls.__name__}() needs the keyword arguments: {missing}")
        constants = {name: value for name, value in defaults.items() if value is not None}
        given = {**{k: v for k, v in constants.items() if k not in given}, **given}
    hooks = _nested_hooks(cls)
    held = []
    for name, value in given.items():
        if is_omitted(value):
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


@json_object
class UnknownObject(JsonObject):
    """An object of a kind that the library does not know: all that came is in ``extra``."""


# Conversion by cattrs


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
    made.register_structure_hook_factory(is_object, lambda cls: object_hook(made, cls))
    made.register_structure_hook_factory(
        is_union, lambda union: union_hook(made, union, UnknownObject)
    )
    made.register_structure_hook_factory(is_list, lambda kind: list_hook(made, kind))
    made.register_unstructure_hook_func(is_object, lambda value: value.to_dict())


@lru_cache(maxsize=1)
def converter() -> cattrs.Converter:
    """Return the converter that the library decodes with, made at the first use."""
    import cattrs  # here, since values are made without it

    made = cattrs.Converter(detailed_validation=False)
    configure_converter(made)
    return made


@cache
def _nested_hooks(cls: type[Any]) -> dict[str, Hook]:
    kinds = dict(nested_kinds(cls))
    return {name: converter().get_structure_hook(kind) for name, kind in kinds.items()}
