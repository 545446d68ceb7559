"""What became of one request among many."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

import attrs

T = TypeVar("T")


@attrs.frozen
class Result(Generic[T]):
    """The answer to one request, or the error that it ended in."""

    index: int
    """Which request it was, counted from 0 in the order in which they were given."""
    custom_id: str
    """The request's own ``custom_id``, or the one that was made for it."""
    error: Exception | None = None
    """What the call raised; None where it was answered."""
    resumed: bool = attrs.field(default=False, kw_only=True)
    """Whether it stood in the file of results, so that nothing was sent."""
    params: dict[str, Any] = attrs.field(factory=dict, kw_only=True, repr=False)
    """What was asked: the parameters of the call."""
    _answer: T | None = attrs.field(default=None, kw_only=True, alias="answer")

    @property
    def completion(self) -> T:
        """What the call returned: a completion, unless another ``call`` was given.

        Raises:
            Exception: there is none; it is :attr:`error`.
        """
        if self.error is not None:
            raise self.error
        return cast("T", self._answer)
