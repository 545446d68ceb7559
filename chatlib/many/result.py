"""The result of one of many requests."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

import attrs

T = TypeVar("T")


@attrs.frozen
class Result(Generic[T]):
    """The answer to a request, or its error."""

    index: int
    """The position of the request, from 0."""
    custom_id: str
    """The ``custom_id`` of the request, given or generated."""
    error: Exception | None = None
    """The exception that the call raised, or None."""
    resumed: bool = attrs.field(default=False, kw_only=True)
    """Whether it was read from the results file and nothing was sent."""
    params: dict[str, Any] = attrs.field(factory=dict, kw_only=True, repr=False)
    """The parameters of the call."""
    _answer: T | None = attrs.field(default=None, kw_only=True, alias="answer")

    @property
    def completion(self) -> T:
        """The value that the call returned: by default a completion.

        Raises:
            Exception: The :attr:`error` of the call, if it failed.
        """
        if self.error is not None:
            raise self.error
        return cast("T", self._answer)
