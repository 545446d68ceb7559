"""Errors that are of this library and of the official package at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TypeVar

import openai

from chatlib import errors

E = TypeVar("E", bound=BaseException)


class OpenAIError(errors.OpenAIError, openai.OpenAIError):
    """The base class of all of these."""


class APIError(errors.APIError, openai.APIError):
    """A call failed."""


class APIResponseValidationError(
    errors.APIResponseValidationError, openai.APIResponseValidationError
):
    """The response does not have the format of the API."""


class APIConnectionError(errors.APIConnectionError, openai.APIConnectionError):
    """No response was received, or an incomplete one."""


class APITimeoutError(errors.APITimeoutError, openai.APITimeoutError):
    """A timeout expired."""


class IncompleteStreamError(errors.IncompleteStreamError, openai.APIConnectionError):
    """A stream ended before it was complete."""


class APIStatusError(errors.APIStatusError, openai.APIStatusError):
    """The server returned an error status."""


class BadRequestError(errors.BadRequestError, openai.BadRequestError):
    """400: the request is invalid."""


class AuthenticationError(errors.AuthenticationError, openai.AuthenticationError):
    """401: the API key is missing, invalid or expired."""


class PermissionDeniedError(errors.PermissionDeniedError, openai.PermissionDeniedError):
    """403: the API key has no permission for this."""


class NotFoundError(errors.NotFoundError, openai.NotFoundError):
    """404: there is nothing there."""


class ConflictError(errors.ConflictError, openai.ConflictError):
    """409: the resource was changed at the same time."""


class UnprocessableEntityError(errors.UnprocessableEntityError, openai.UnprocessableEntityError):
    """422: the request is well-formed but cannot be processed."""


class RateLimitError(errors.RateLimitError, openai.RateLimitError):
    """429: too many requests, or no credit left."""


class InternalServerError(errors.InternalServerError, openai.InternalServerError):
    """5xx: an error of the server."""


class LengthFinishReasonError(errors.LengthFinishReasonError, openai.LengthFinishReasonError):
    """The answer was cut off at the token limit."""


class ContentFilterFinishReasonError(
    errors.ContentFilterFinishReasonError, openai.ContentFilterFinishReasonError
):
    """The answer was blocked by the content filter."""


_TWINS: dict[type[BaseException], type[BaseException]] = {
    cls.__mro__[1]: cls
    for cls in list(vars().values())
    if isinstance(cls, type) and cls.__module__ == __name__
}


def twin_of(error: E) -> E:
    """Return an error of this library as one that the official package's classes match too."""
    twin = _TWINS.get(type(error))
    if twin is None:
        return error
    made = twin.__new__(twin, *error.args)
    made.__dict__.update(vars(error))
    made.__cause__, made.__suppress_context__ = error.__cause__, True
    made.__traceback__ = error.__traceback__
    return made  # type: ignore[return-value]


@contextlib.contextmanager
def twins() -> Iterator[None]:
    """Raise the twin of an error in place of it."""
    try:
        yield
    except errors.OpenAIError as error:
        twin = twin_of(error)
        if twin is error:
            raise
        raise twin from error.__cause__
