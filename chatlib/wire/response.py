"""What every response is held against: a status, an error inside, and what was promised."""

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
    """Raise the exception that belongs to a response that is not a success."""
    if not 200 <= response.status <= 299:
        try:
            raise error_from_response(response)
        finally:
            response.close()


def read_object(response: HttpResponse) -> dict[str, Any]:
    """The JSON object that a response holds, unless it speaks of an error: that is raised."""
    text = response.text
    try:
        value, end = read_first_json(text, len(text) - len(text.lstrip("\ufeff \t\r\n")))
    except ValueError as error:
        raise not_promised(response, f"The response is not JSON ({error})", text) from None
    found = find_error(value)
    rest = text[end:].strip()
    # Some servers end even a plain answer as if it had been a stream.
    if rest and rest.replace(" ", "") != "data:[DONE]":
        raise not_promised(response, "The response goes on after its JSON", rest)
    if found is not None:
        raise error_inside(found, response, _part_of(value))
    if not isinstance(value, dict):
        raise not_promised(response, "The response is not a JSON object", text)
    if may_hold_halves(text):
        pair_all(value)
    return value


def _part_of(value: Any) -> ChatCompletion | None:
    """The part of an answer that stands beside an error: what had come when it failed."""
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
    """What a body must at least have to be an answer: choices that are objects."""
    choices = value.get("choices")
    if choices is None and not required:
        value["choices"] = []
        return
    if not isinstance(choices, list):
        raise not_promised(response, "The response has no list of choices", value, so_far)
    for at, choice in enumerate(choices):
        if choice.__class__ is not dict:
            raise not_promised(response, f"choices[{at}] is not an object", value, so_far)
        for name in ("message", "delta"):
            part = choice.get(name)
            if part is not None and part.__class__ is not dict:
                raise not_promised(
                    response, f"choices[{at}].{name} is not an object", value, so_far
                )
        if not isinstance(choice.get("index"), int):
            choice["index"] = at


def not_promised(
    response: HttpResponse | None,
    what: str,
    body: Any,
    so_far: Callable[[], ChatCompletion] | None = None,
) -> APIResponseValidationError:
    """The exception for a body that is not what it should be; it shows how the body starts."""
    text = body if isinstance(body, str) else as_text(body)
    error = APIResponseValidationError(
        response, body, message=f"{what}: {preview(text) or '(empty)'}"
    )
    if so_far is not None:
        error.completion = so_far()
    return error
