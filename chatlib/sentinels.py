"""What stands for a value that was not passed: ``omit``, by its former names too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from typing_extensions import Self, TypeIs


class Omit:
    """The type of :data:`omit`; ``Omit()`` is the same object."""

    __slots__ = ()
    _only: ClassVar[dict[type, Any]] = {}

    def __new__(cls) -> Self:
        """Return the only instance of the class."""
        only: Self = cls._only.setdefault(cls, super().__new__(cls))
        return only

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "omit"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: Any) -> Self:
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[()]]:
        return type(self), ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> dict[str, Any]:
        """Return how pydantic validates a value of this type."""
        return {"type": "is-instance", "cls": cls}


class NotGiven(Omit):
    """The former name of :class:`Omit` in the official package."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NOT_GIVEN"


omit = Omit()
"""Omit a parameter, as if it had not been passed."""

NOT_GIVEN = not_given = NotGiven()
"""The former names of :data:`omit` in the official package."""


def is_omitted(value: object) -> TypeIs[Omit]:
    """Return whether a value stands for one that was not passed.

    Args:
        value: A value of a request: :data:`omit`, :data:`NOT_GIVEN` and the objects of these names
            of the official package, which is not imported for it, stand for none.
    """
    cls = value.__class__
    if cls is Omit or cls is NotGiven:
        return True
    return cls.__name__ in ("Omit", "NotGiven") and cls.__module__.partition(".")[0] == "openai"
