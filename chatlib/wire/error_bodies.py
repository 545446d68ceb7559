"""Recognition of error bodies, in all formats that servers use, in responses and streams."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeVar

import attrs

from chatlib.errors import (
    APIError,
    APIStatusError,
    as_text,
    error_class,
    preview,
    shortened,
)
from chatlib.headers import redact_url
from chatlib.http import HttpResponse
from chatlib.types.completion import ChatCompletion
from chatlib.types.json_values import read_first_json

E = TypeVar("E", bound=APIError)

_DEEPEST_ERROR = 8


@attrs.frozen
class ErrorFound:
    """An error found in a body: its message, and the part of the body that it is in."""

    message: str
    body: Any
    around: dict[str, Any] = attrs.field(factory=dict)
    """The object around the error, which may have the code of an error that is a string."""

    def on(self, error: E) -> E:
        """Set the code, param and type of an exception; return the exception."""
        if isinstance(self.body, str):
            for name in ("code", "param", "type"):
                setattr(error, name, self.around.get(name))
            return error
        if error.code is None:
            codes = (*_given(self.body, _CODES), *_given(self.around, ("code",)))
            error.code = next(iter(codes), None)
        if error.type is None and self.around.get("type") != "error":
            error.type = self.around.get("type")
        return error


# Fields for the code of an error; for its message; for a message that only an error has.
_CODES = ("code", "error_code", "errcode", "err_code")
_WORDS = ("message", "error", "detail", "msg", "errors")
_ERROR_WORDS = ("error_msg", "error_message", "errorMessage", "errmsg", "err_msg", "status_msg")
_SUCCESS = frozenset({"ok", "success", "succeeded", "true"})
_FAILURE = frozenset({"error", "fail", "failed", "failure"})


def find_error(value: Any, *, certain: bool = False) -> ErrorFound | None:
    """Find the error in a decoded body or event.

    Args:
        value: Decoded JSON.
        certain: Whether the status or the name of the event says that it is an error, so that a
            bare ``{"message": ...}`` or a string is one.

    Returns:
        The error, or None if there is none.
    """
    return _find(value, certain, 0)


def _find(value: Any, certain: bool, depth: int) -> ErrorFound | None:
    if depth > _DEEPEST_ERROR:
        return None
    if isinstance(value, list) and value:
        return _find(value[0], certain, depth + 1)
    if isinstance(value, str):
        return ErrorFound(value, value) if certain and value.strip() else None
    if not isinstance(value, dict):
        return None
    error = value.get("error")
    if not _is_empty(error) and not (value.get("choices") and _states_success(error)):
        if (
            isinstance(error, dict)
            and not error.get("message")
            and isinstance(error.get("error"), dict)
        ):
            inner = _find(error, True, depth + 1)  # the error of a server behind a proxy
            if inner is not None:
                return inner
        return ErrorFound(_message_of(error, value), error, value)
    choices = value.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        # OpenRouter, if a provider fails after the 200. An error of Azure's content filter is one
        # level deeper, in content_filter_result, and does not fail the answer.
        error = choice.get("error") if isinstance(choice, dict) else None
        if not _is_empty(error):
            return ErrorFound(_message_in(error) or as_text(error), error, choice)
    status = value.get("base_resp")  # MiniMax
    if isinstance(status, dict) and _verdict(status.get("status_code")) is False:
        around = {"code": status["status_code"], **value}
        return ErrorFound(_message_in(status) or as_text(status), status, around)
    ended = value.get("x_groq")  # Groq: why a stream stopped early
    if isinstance(ended, dict) and not _is_empty(ended.get("error")):
        return ErrorFound(_message_in(ended) or as_text(ended), ended["error"], ended)
    named = value.get("object") == "error" or value.get("type") == "error"
    if not (certain or named or _states_failure(value)):
        return None
    message = _message_in(value) or (as_text(value) if named and not choices else None)
    return ErrorFound(message, value) if message else None


def _states_failure(value: dict[str, Any]) -> bool:
    """Return whether an object is an error although it is not named so.

    An object with choices is an answer. One without choices, but with the message of an error, is
    an error, unless its code is that of a success: ``{"code": 0, "msg": "ok"}``.
    """
    if value.get("choices"):
        return False
    verdicts = {_verdict(value.get(name)) for name in (*_CODES, "status_code")}
    verdicts |= {_verdict(value.get("status"), open_ended=True), _verdict(value.get("success"))}
    if False in verdicts:
        return any(map(value.get, (*_WORDS, *_ERROR_WORDS)))
    if True in verdicts:
        return False
    if any(map(value.get, _ERROR_WORDS)):
        return True
    return "choices" not in value and any(map(value.get, ("message", "detail")))


def _verdict(code: Any, *, open_ended: bool = False) -> bool | None:
    """Return whether a code is that of a success, or None if that is not known.

    Args:
        code: The value of a field for a code or status.
        open_ended: Whether a string is a failure only if it is a word for failure or a number,
            because ``status`` may have any value.
    """
    if isinstance(code, bool):
        return code
    if isinstance(code, (int, float)):
        return code == 0 or 200 <= code <= 299
    if not isinstance(code, str) or not code.strip():
        return None
    code = code.strip().lower()
    if code.isdecimal():
        return not code.strip("0") or (len(code) == 3 and code[0] == "2")
    if code in _SUCCESS:
        return True
    return False if not open_ended or code in _FAILURE else None


def _is_empty(error: Any) -> bool:
    """Return whether an ``error`` field has no content."""
    # Some servers send an empty error with a valid answer: null, {}, "", {"message": "", ...}.
    if isinstance(error, dict):
        return not any(error.values())
    return not error


def _states_success(error: Any) -> bool:
    """Return whether an error states success: ``{"code": 0, "message": "success"}``."""
    return isinstance(error, dict) and _verdict(error.get("code")) is True


def _message_of(error: Any, around: dict[str, Any]) -> str:
    """Return the words of what stands under ``"error"``, be they in it or beside it.

    ``{"error": true, "message": ...}`` says it all beside it, and the texts of Spring and OAuth,
    such as ``{"error": "invalid_token", "error_description": ...}``, most of it.
    """
    if isinstance(error, (dict, list)):
        return _message_in(error) or as_text(error)
    beside = _message_in({**around, "error": None}) or _message_in(around.get("error_description"))
    if not isinstance(error, str):
        return beside or as_text(error)
    return error if beside is None or beside == error else f"{error}: {beside}"


def _message_in(value: Any, depth: int = 0) -> str | None:
    """Return the message of an error, in whichever field it is."""
    if isinstance(value, str):
        return value or None
    if depth > _DEEPEST_ERROR:
        return None
    if isinstance(value, list):
        words = (_message_in(item, depth + 1) for item in value[:20])
        return "; ".join(filter(None, words)) or None
    if not isinstance(value, dict):
        return None
    for name in (*_WORDS, *_ERROR_WORDS, "title"):
        found = _message_in(value.get(name), depth + 1)
        if found:
            where = value.get("loc")  # FastAPI: which field {"msg": ...} is about
            if not isinstance(where, list):
                return found
            return f"{'.'.join(str(at) for at in where if isinstance(at, (str, int)))}: {found}"
    return None


def _given(value: Any, names: tuple[str, ...]) -> Iterator[Any]:
    """Yield the values of some fields of an object that are not null."""
    if isinstance(value, dict):
        yield from (item for item in map(value.get, names) if item is not None)


def error_from_response(response: HttpResponse) -> APIStatusError:
    """Return the exception for a response with an error status.

    Args:
        response: The response, whose body is read.
    """
    request, status = response.request, response.status
    text = response.text
    value = first_json(text)
    found = find_error(value, certain=True)
    if found is not None:
        words, body = shortened(found.message), found.body
    else:
        words, body = preview(text) or "(no body)", value if value is not None else text
        if isinstance(value, dict) and value.get("error") is not None:
            body = value["error"]
        if request is not None:
            words += f" (from {shortened(redact_url(request.url))})"
        if status == 404:
            words += " Is base_url right? It commonly ends in /v1."
    error = error_class(status)(f"Error code: {status} - {words}", response=response, body=body)
    return found.on(error) if found is not None else error


def first_json(text: str) -> Any:
    """Return the JSON value that a body begins with; None where it begins with none.

    Gateways may say what failed as they would have in a stream, or send several values.
    """
    event = _EVENT.match(text)
    try:
        value, end = read_first_json(text, event.end() if event else len(text) - len(text.lstrip()))
    except ValueError:
        return None
    # "404 page not found" is no number.
    return value if isinstance(value, (dict, list)) or not text[end:].strip() else None


_EVENT = re.compile(r"\s{0,9}(?:event:[^\n]{0,99}\n)?data: ?")


def error_inside(
    found: ErrorFound, response: HttpResponse | None, completion: ChatCompletion | None = None
) -> APIError:
    """Return the exception for an error inside a successful response or a stream.

    Args:
        found: The error.
        response: The response.
        completion: The completion so far.
    """
    message, body = shortened(found.message), found.body
    status = embedded_status(body) or embedded_status(found.around)
    error: APIError
    if status is not None and response is not None:
        kind = error_class(status)
        error = kind(message, response=response, body=body, completion=completion)
    else:
        error = APIError(message, body=body, response=response, completion=completion)
    error.embedded_status = status
    return found.on(error)


def embedded_status(body: Any) -> int | None:
    """Return the HTTP status that an error body has as its code or status."""
    for status in _given(body, _STATUSES):
        if isinstance(status, str) and len(status) == 3 and status.isdecimal():
            status = int(status)
        if isinstance(status, (int, float)) and 400 <= status <= 599:
            return int(status)
    return None


_STATUSES = ("code", "status", "status_code", "statusCode", "http_code", "http_status")
