"""One recogniser for every shape of error body that servers send, whole or in a stream."""

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
    """An error body, understood: what it says, and the part of it that says so."""

    message: str
    body: Any
    around: dict[str, Any] = attrs.field(factory=dict)
    """The object that the error is in: beside a text, it may hold the code."""

    def on(self, error: E) -> E:
        """Add to an exception what its body alone does not say."""
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


# Names under which servers put an error: its code, its words, words that nothing else has.
_CODES = ("code", "error_code", "errcode", "err_code")
_WORDS = ("message", "error", "detail", "msg", "errors")
_ERROR_WORDS = ("error_msg", "error_message", "errorMessage", "errmsg", "err_msg", "status_msg")
_SUCCESS = frozenset({"ok", "success", "succeeded", "true"})
_FAILURE = frozenset({"error", "fail", "failed", "failure"})


def find_error(value: Any, *, certain: bool = False) -> ErrorFound | None:
    """Return the error that a decoded body or event speaks of; None where it speaks of none.

    Args:
        value: Decoded JSON.
        certain: The status or the event's name said already that it is an error, so that a bare
            ``{"message": ...}`` or a text counts.
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
    if not _is_empty(error) and not (value.get("choices") and _says_well(error)):
        if (
            isinstance(error, dict)
            and not error.get("message")
            and isinstance(error.get("error"), dict)
        ):
            inner = _find(error, True, depth + 1)  # a proxy wrapped what it was told
            if inner is not None:
                return inner
        return ErrorFound(_message_of(error, value), error, value)
    choices = value.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        # OpenRouter, where a provider fails after the 200. What Azure's filter failed at stands
        # one level deeper, in content_filter_result, and is no failure of the answer.
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
    if not (certain or named or _says_failed(value)):
        return None
    message = _message_in(value) or (as_text(value) if named and not choices else None)
    return ErrorFound(message, value) if message else None


def _says_failed(value: dict[str, Any]) -> bool:
    """Whether an object is an error although nothing calls it one.

    What has choices is an answer. What has none, but words where servers put the words of an error,
    is not, unless a code says that all is well: ``{"code": 0, "msg": "ok"}``.
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
    """Whether a code says success or failure; None where it says neither.

    Args:
        open_ended: A text is a failure only if it is the word for one or a number: ``status`` may
            say anything.
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
    # Some servers put an empty error beside a good answer: null, {}, "", {"message": "", ...}.
    if isinstance(error, dict):
        return not any(error.values())
    return not error


def _says_well(error: Any) -> bool:
    """Whether an error beside an answer is none: ``{"code": 0, "message": "success"}``."""
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
    """The server's words, wherever it put them."""
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
    """What an object holds under some names, unless null."""
    if isinstance(value, dict):
        yield from (item for item in map(value.get, names) if item is not None)


def error_from_response(response: HttpResponse) -> APIStatusError:
    """Return the exception for a response with an error status. Reads its body."""
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
    """Return the exception for an error that came inside a good response, or inside a stream."""
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
    """Return the HTTP status that an error body names as its code or status."""
    for status in _given(body, _STATUSES):
        if isinstance(status, str) and len(status) == 3 and status.isdecimal():
            status = int(status)
        if isinstance(status, (int, float)) and 400 <= status <= 599:
            return int(status)
    return None


_STATUSES = ("code", "status", "status_code", "statusCode", "http_code", "http_status")
