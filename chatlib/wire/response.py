"""Validation of responses: status, errors in the body, and the minimum of an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatlib.errors import APIResponseValidationError, as_text, preview
from chatlib.http import HttpResponse
from chatlib.types.completion import ChatCompletion
from chatlib.types.json_values import read_first_json
from chatlib.wire.codec import structure
from chatlib.wire.error_bodies import error_from_response, error_inside, find_error
from chatlib.wire.surrogates import may_hold_halves, pair_all


def raise_for_status(response: HttpResponse) -> None:
    """Raise the exception for a response with an error status.

    Raises:
        APIStatusError: The status is not 2xx; the subclass depends on it.
    """
    if not 200 <= response.status <= 299:
        try:
            raise error_from_response(response)
        finally:
            response.close()


def read_object(response: HttpResponse) -> dict[str, Any]:
    """Decode the body of a response as a JSON object.

    Raises:
        APIError: The body is an error.
        APIResponseValidationError: The body is not a JSON object.
    """
    text = response.text
    try:
        value, end = read_first_json(text, len(text) - len(text.lstrip("\ufeff \t\r\n")))
    except ValueError as error:
        raise unexpected_body(response, f"The response is not JSON ({error})", text) from None
    found = find_error(value)
    rest = text[end:].strip()
    # Some servers end a plain answer like a stream.
    if rest and rest.replace(" ", "") != "data:[DONE]":
        raise unexpected_body(response, "The response has extra data after its JSON", rest)
    if found is not None:
        raise error_inside(found, response, _partial_completion(value))
    if not isinstance(value, dict):
        raise unexpected_body(response, "The response is not a JSON object", text)
    if may_hold_halves(text):
        pair_all(value)
    return value


def _partial_completion(value: Any) -> ChatCompletion | None:
    """Return the completion beside an error in a body: the part before the failure."""
    if not isinstance(value, dict) or not value.get("choices"):
        return None
    try:
        check_choices(value, None)
        return structure(value, ChatCompletion)
    except (APIResponseValidationError, RecursionError):
        return None


def check_choices(
    value: dict[str, Any],
    response: HttpResponse | None,
    *,
    required: bool = False,
    so_far: Callable[[], ChatCompletion] | None = None,
) -> None:
    """Check that a body or event is an answer: it has choices, which are objects.

    A missing or invalid index is set, in place, to the position of the choice.

    Args:
        value: The decoded body or event, modified in place.
        response: The response, for the exception.
        required: Whether a missing list of choices is an error, rather than an empty list.
        so_far: Returns the completion so far, for the exception.

    Raises:
        APIResponseValidationError: The choices are missing or not objects.
    """
    choices = value.get("choices")
    if choices is None and not required:
        value["choices"] = []
        return
    if not isinstance(choices, list):
        raise unexpected_body(response, "The response has no list of choices", value, so_far)
    for at, choice in enumerate(choices):
        if choice.__class__ is not dict:
            raise unexpected_body(response, f"choices[{at}] is not an object", value, so_far)
        for name in ("message", "delta"):
            part = choice.get(name)
            if part is not None and part.__class__ is not dict:
                raise unexpected_body(
                    response, f"choices[{at}].{name} is not an object", value, so_far
                )
        if not isinstance(choice.get("index"), int):
            choice["index"] = at


def unexpected_body(
    response: HttpResponse | None,
    what: str,
    body: Any,
    so_far: Callable[[], ChatCompletion] | None = None,
) -> APIResponseValidationError:
    """Return the exception for an unexpected body.

    Args:
        response: The response.
        what: What is unexpected, as the beginning of the message.
        body: The body or the part in question; the message quotes the beginning.
        so_far: Returns the completion so far.
    """
    text = body if isinstance(body, str) else as_text(body)
    error = APIResponseValidationError(
        response, body, message=f"{what}: {preview(text) or '(empty)'}"
    )
    if so_far is not None:
        error.completion = so_far()
    return error
