"""What ``parse(to=...)`` and ``cast_to=`` make of a response."""

from __future__ import annotations

from typing import Any, get_origin

from chatlib.errors import APIResponseValidationError
from chatlib.http import HttpResponse
from chatlib.types.base import JsonObject
from chatlib.wire.codec import from_json, structure


def cast(response: HttpResponse, to: Any) -> Any:
    """Return a response, whose body has been read, in a form that the caller chose.

    Args:
        response: The response.
        to: ``HttpResponse`` for the response itself, ``bytes`` or ``str`` for its body, ``object``,
            ``dict`` or ``list`` for its JSON; a class of :mod:`chatlib.types`, a class with
            ``model_validate``, or any type that :func:`chatlib.decode` knows.

    Raises:
        APIResponseValidationError: The body is not JSON.
        DecodeError: The JSON does not match the type.
    """
    if to is HttpResponse or to is type(None) or to is None:
        return None if to is type(None) else response
    if to is bytes:
        return response.content
    if to in (str, int, float, bool):
        text = response.text
        return text.lower() == "true" if to is bool else to(text)
    try:
        value = from_json(response.content)
    except ValueError as error:
        raise APIResponseValidationError(
            response, response.text, message="The response is not JSON."
        ) from error
    kind = get_origin(to) or to
    if kind in (Any, object, dict, list):
        return value
    if isinstance(kind, type) and issubclass(kind, JsonObject):
        return structure(value, kind)
    if hasattr(to, "model_validate"):
        return to.model_validate(value)
    from chatlib.structured.decoder import decode

    return decode(to, value)
