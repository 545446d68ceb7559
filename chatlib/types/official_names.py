"""What programs call on the objects of the official package: ``model_dump`` and its relatives.

The objects there are pydantic models. Their methods are offered here in one place, over three
things that an object says of itself: its fields (:meth:`OfficialNames._declared`), which of them
came (:meth:`OfficialNames._came`), and how it is made of a dict. pydantic is never imported; where
a program uses it, it asks a class how to validate and serialize it.

A server's field called ``json`` or ``copy`` is in ``extra``; as attributes, these are methods.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from chatlib.types.class_fields import (
    FieldInfo,
    ModelFields,
    PydanticSerializer,
    Signature,
    schema_of,
)
from chatlib.types.decoding import Decoded
from chatlib.types.dumps import Dump, dump, json_default, serialized
from chatlib.types.foreign import is_record, record_fields

if TYPE_CHECKING:
    from typing_extensions import Self

Fields: TypeAlias = dict[str, Any]  # in the class, "dict" is a method
Selection: TypeAlias = set[str] | set[int] | Mapping[str, Any] | Mapping[int, Any] | None
"""Names of fields, or a mapping of them to a selection of what is in them, or to True."""


class OfficialNames(Decoded):
    """The methods of pydantic models that programs call on answers and events."""

    __slots__ = ()

    model_config: ClassVar[Mapping[str, Any]] = {"extra": "allow"}

    model_computed_fields: ClassVar[Mapping[str, Any]] = {}

    if TYPE_CHECKING:
        model_fields: ClassVar[Mapping[str, FieldInfo]]
        """The fields of the class by name."""
    else:
        model_fields = __fields__ = ModelFields()
        __signature__ = Signature()

        @property
        def __dict__(self):
            # What vars() and serializers look for, though the fields are slots.
            return dict(self._declared())

        __pydantic_serializer__ = PydanticSerializer()

    def _declared(self) -> Iterator[tuple[str, Any]]:
        """Yield all fields that an object has, with their values, unknown ones last."""
        raise NotImplementedError

    def _came(self) -> frozenset[str]:
        """Return the names of the fields that were received or given."""
        raise NotImplementedError

    # Made of plain values

    @classmethod
    def _decode(cls, value: Mapping[str, Any]) -> Self:
        """Return an object made of plain JSON values, without any check."""
        raise NotImplementedError

    @classmethod
    def model_validate(
        cls,
        obj: Any,
        *,
        strict: bool | None = None,
        from_attributes: bool | None = None,
        context: Any = None,
        by_alias: bool | None = None,
        by_name: bool | None = None,
    ) -> Self:
        """Return an object made of a dict, or of another object of its kind.

        The options are those of pydantic, and make no difference: values are not converted.

        Raises:
            ValueError: It is neither, or a required field is missing, in it or in an object in it.
        """
        made: Self = _validated(cls, obj)
        if missing := next(_missing(made, cls.__name__), None):
            raise ValueError(f"field required: {missing}")
        return made

    @classmethod
    def model_validate_json(
        cls,
        json_data: str | bytes | bytearray,
        *,
        strict: bool | None = None,
        context: Any = None,
        by_alias: bool | None = None,
        by_name: bool | None = None,
    ) -> Self:
        """Return an object made of JSON text, see :meth:`model_validate`.

        Raises:
            ValueError: The text is not JSON, or not the JSON of such an object.
        """
        try:
            return cls.model_validate(json.loads(json_data))
        except RecursionError as error:
            raise ValueError("the JSON is nested too deeply") from error

    @classmethod
    def parse_obj(cls, obj: Any) -> Self:
        """Return :meth:`model_validate`, under its former name."""
        return cls.model_validate(obj)

    @classmethod
    def parse_raw(cls, json_data: str | bytes) -> Self:
        """Return :meth:`model_validate_json`, under its former name."""
        return cls.model_validate_json(json_data)

    @classmethod
    def model_construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Self:
        """Return an object made of its fields, without any check; the others read as None."""
        return cls._decode(values)

    @classmethod
    def construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Self:
        """Return :meth:`model_construct`, under its former name."""
        return cls.model_construct(_fields_set, **values)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy.

        Args:
            update: Fields to set in the copy.
            deep: Copy the values of the fields too.
        """
        twin = copy.deepcopy(self) if deep else copy.copy(self)
        for name, value in (update or {}).items():
            setattr(twin, name, value)
        return twin

    def copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, as :meth:`model_copy` does."""
        return self.model_copy(update=update, deep=deep)

    @classmethod
    def model_rebuild(cls, **_: Any) -> None:
        """Do nothing: the classes are complete."""

    @classmethod
    def update_forward_refs(cls, **_: Any) -> None:
        """Do nothing, as :meth:`model_rebuild` does."""

    def model_post_init(self, context: Any, /) -> None:
        """Do nothing: it is for the classes of programs."""

    @classmethod
    def validate(cls, obj: Any) -> Self:
        """Return :meth:`model_validate`, under its former name."""
        return cls.model_validate(obj)

    # Dumped

    def model_dump(
        self,
        *,
        mode: Literal["json", "python"] | str = "python",
        include: Selection = None,
        exclude: Selection = None,
        context: Any = None,
        by_alias: bool | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        round_trip: bool = False,
        warnings: bool | Literal["none", "warn", "error"] = True,
        fallback: Any = None,
        serialize_as_any: bool = False,
        exclude_computed_fields: bool = False,
    ) -> Fields:
        """Return the object as plain values: all fields in the order of the class.

        Args:
            mode: "json" turns what a parsed value holds into JSON values too.
            include: The fields to keep: names, or a dict with a selection for what is in a field;
                in a list, by position, or for all items by ``"__all__"``.
            exclude: The fields to leave out, in the same form.
            exclude_unset: Leave out the fields that did not come; they are None otherwise.
            exclude_defaults: Leave out the optional fields that are None.
            exclude_none: Leave out the fields that are None.
            context: Makes no difference, like the following ones, all options of pydantic.
            by_alias: See ``context``.
            round_trip: See ``context``.
            warnings: See ``context``.
            fallback: See ``context``.
            serialize_as_any: See ``context``.
            exclude_computed_fields: See ``context``.
        """
        how = Dump(mode == "json", exclude_unset, exclude_defaults, exclude_none)
        dumped: Fields = dump(self, how, include, exclude)
        return dumped

    def model_dump_json(
        self,
        *,
        indent: int | None = None,
        ensure_ascii: bool = False,
        include: Selection = None,
        exclude: Selection = None,
        context: Any = None,
        by_alias: bool | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        round_trip: bool = False,
        warnings: bool | Literal["none", "warn", "error"] = True,
        fallback: Any = None,
        serialize_as_any: bool = False,
        exclude_computed_fields: bool = False,
    ) -> str:
        """Return :meth:`model_dump` as JSON text.

        Args:
            indent: How many spaces to indent by; None puts it on one line, without spaces.
            ensure_ascii: Escape what is not ASCII.
            include: As for :meth:`model_dump`, like the following ones.
            exclude: See ``include``.
            context: See ``include``.
            by_alias: See ``include``.
            exclude_unset: See ``include``.
            exclude_defaults: See ``include``.
            exclude_none: See ``include``.
            round_trip: See ``include``.
            warnings: See ``include``.
            fallback: See ``include``.
            serialize_as_any: See ``include``.
            exclude_computed_fields: See ``include``.
        """
        how = Dump(True, exclude_unset, exclude_defaults, exclude_none)
        return json.dumps(
            dump(self, how, include, exclude),
            ensure_ascii=ensure_ascii,
            indent=indent,
            separators=(",", ":") if indent is None else None,
            default=json_default,
        )

    def dict(self, **options: Any) -> Fields:
        """Return :meth:`model_dump`, under its former name."""
        return self.model_dump(**options)

    def json(self, **options: Any) -> str:
        """Return :meth:`model_dump_json`, under its former name."""
        return self.model_dump_json(**options)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Yield the name and the value of each field, as ``dict(answer)`` needs it."""
        return self._declared()

    # What is known of it

    @property
    def model_fields_set(self) -> set[str]:
        """The names of the fields that were received or given."""
        return set(self._came())

    @property
    def model_extra(self) -> Fields:
        """The fields that the library does not know."""
        return {name: value for name, value in self._declared() if name not in self._defaults}

    @property
    def __fields_set__(self) -> set[str]:
        return self.model_fields_set

    __pydantic_fields_set__ = __fields_set__

    @property
    def __pydantic_extra__(self) -> Fields:
        return self.model_extra

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        return self._declared()

    @classmethod
    def model_json_schema(cls, **_: Any) -> Fields:
        """Return a JSON Schema of the class, with those of the objects in it under ``$defs``."""
        return schema_of(cls, {})

    if not TYPE_CHECKING:  # an object for requests has a field of this name

        @classmethod
        def schema(cls, **_):
            """Return :meth:`model_json_schema`, under its former name."""
            return cls.model_json_schema()

    @classmethod
    def schema_json(cls, **options: Any) -> str:
        """Return :meth:`model_json_schema` as JSON text."""
        return json.dumps(cls.model_json_schema(), **options)

    # Asked by pydantic

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Fields:
        """Return how pydantic validates a field of this class, and how it serializes one."""
        take: Fields = {"type": "no-info", "function": cls.model_validate}
        give = {"type": "function-plain", "function": serialized, "info_arg": True}
        return {
            "type": "lax-or-strict",  # in a union with dict forms, a dict stays a dict
            "strict_schema": {"type": "is-instance", "cls": cls},
            "lax_schema": {"type": "function-plain", "function": take},
            "serialization": give,
        }

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Fields:
        """Return the JSON schema that pydantic gives for a field of this class."""
        return schema_of(cls)


# Validation -------------------------------------------------------------------------------------


def _validated(cls: type[Any], value: Any) -> Any:
    """Return a value as an object of a class.

    Raises:
        ValueError: It is neither an instance, nor a dict, nor such an object of another library.
    """
    if isinstance(value, cls):
        return value
    if is_record(value):
        value = record_fields(value, partial(dump, how=Dump(True)))
    elif isinstance(value, OfficialNames):
        value = value.model_dump(exclude_unset=True)
    if not isinstance(value, Mapping):
        raise ValueError(
            f"a dict or an instance of {cls.__name__} is required, not {type(value).__name__}"
        )
    return cls._decode(value)


def _missing(value: Any, path: str) -> Iterator[str]:
    """Yield the paths of required fields that are missing in an object and in those in it."""
    if isinstance(value, list):
        for at, item in enumerate(value):
            yield from _missing(item, f"{path}[{at}]")
    elif isinstance(value, OfficialNames):
        came = value._came()
        for name in value._defaults:
            if name in came:
                yield from _missing(getattr(value, name), f"{path}.{name}")
            elif name in value._required:
                yield f"{path}.{name}"
