"""What can go wrong, as one tree, and the one recogniser for every shape of error body.

The tree is that of the official package, so ``except`` clauses move over as they are. Two things
are added: a stream that was cut off is an error (:class:`IncompleteStreamError`), and each error
says how many attempts were made and how long the server asked to wait.

Errors come as ``{"error": {...}}``, ``{"error": "text"}``, a list with one such object, flat
objects (``{"code": ..., "msg": ...}``), FastAPI's ``{"detail": ...}``, MiniMax's ``base_resp``,
inside a choice, as plain text, as HTML pages; with an error status, inside a 200 and inside a
stream. :func:`find_error` knows them all.

What a server sent may be of any size and depth: texts are cut before they are searched, messages
have a greatest length, and values are walked to a fixed depth.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from chatlib._json import read_first_json
from chatlib.headers import HIDDEN, Headers, redact_url, retry_after
from chatlib.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from chatlib.types.completion import ChatCompletion

E = TypeVar("E", bound="APIError")

PREVIEW_LENGTH = 500
"""How many characters of a body a message quotes."""

LONGEST_MESSAGE = 2000
"""The greatest length of an exception's message in characters."""

_LONGEST_PAGE = 100_000
_DEEPEST_BODY = 100
_DEEPEST_ERROR = 8


class OpenAIError(Exception):
    """The root: everything that this library raises on purpose, but for wrong arguments."""


class APIError(OpenAIError):
    """A call that did not end well.

    Args:
        message: What a person needs to know: the status and the server's own words.
        request: What was sent.
        body: The JSON under ``"error"`` where there is one, else the whole JSON, else the text.
        response: What came, where anything came.
        completion: What had come before the error, in a stream.
    """

    message: str
    request: HttpRequest | None
    response: HttpResponse | None
    body: Any
    code: Any
    """The server's ``code``, as it was sent: OpenAI's are text, others send numbers."""
    param: str | None
    """The parameter that the server objects to."""
    type: str | None
    """The server's own kind of error, such as ``invalid_request_error``."""
    status_code: int | None
    """The status of the response; 200 where the error came inside a good one."""
    request_id: str | None
    """The ``x-request-id`` of the response."""
    completion: ChatCompletion | None
    """What had come before a stream failed."""
    attempts: int
    """How many requests were made, the failed one included."""
    retry_after: float | None
    """How many seconds the server asked to wait."""
    embedded_status: int | None = None
    """The HTTP status that an error inside a good response names."""

    def __init__(
        self,
        message: str,
        request: HttpRequest | None = None,
        *,
        body: Any = None,
        response: HttpResponse | None = None,
        completion: ChatCompletion | None = None,
    ) -> None:
        if request is None and response is not None:
            request = response.request
        secrets = _secrets(request)
        message, body = _struck(message, secrets), _struck(body, secrets)
        if isinstance(message, str):
            message = shortened(message, LONGEST_MESSAGE)
        super().__init__(message)
        self.message = message
        self.request = request
        self.response = response
        self.body = body
        fields = body if isinstance(body, dict) else {}
        self.code = fields.get("code")
        self.param = fields.get("param")
        self.type = fields.get("type")
        self.status_code = response.status if response is not None else None
        self.request_id = response.request_id if response is not None else None
        self.completion = completion
        self.attempts = response.attempts if response is not None else 1
        self.retry_after = retry_after(response.headers) if response is not None else None

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions travel between processes (multiprocessing, task queues); the key does not.
        secrets = _secrets(self.request)
        state = {name: _shareable(value, secrets) for name, value in vars(self).items()}
        return _revive, (type(self), self.args), state


class APIResponseValidationError(APIError):
    """The server answered with something that is not what the API promises."""

    def __init__(
        self, response: HttpResponse | None, body: Any, *, message: str | None = None
    ) -> None:
        super().__init__(
            message or "The response is not what the API promises.", body=body, response=response
        )


class APIConnectionError(APIError):
    """No answer came, or only part of one. The transport's exception is the ``__cause__``."""

    def __init__(
        self,
        *,
        message: str = "Connection error.",
        request: HttpRequest | None = None,
        response: HttpResponse | None = None,
        completion: ChatCompletion | None = None,
    ) -> None:
        super().__init__(message, request, response=response, completion=completion)

    retryable = True
    """False where trying again can't help, as with a certificate that does not verify."""


class APITimeoutError(APIConnectionError):
    """A time limit was reached."""

    def __init__(
        self,
        request: HttpRequest | None = None,
        *,
        message: str = "Request timed out.",
        response: HttpResponse | None = None,
        completion: ChatCompletion | None = None,
    ) -> None:
        super().__init__(message=message, request=request, response=response, completion=completion)


class IncompleteStreamError(APIConnectionError):
    """A stream ended without saying that it was complete; ``completion`` holds what had come."""


class APIStatusError(APIError):
    """The server answered with an error status, or with a good one and an error inside."""

    response: HttpResponse  # pyright: ignore[reportIncompatibleVariableOverride]
    status_code: int  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self,
        message: str,
        *,
        response: HttpResponse,
        body: Any = None,
        completion: ChatCompletion | None = None,
    ) -> None:
        super().__init__(message, body=body, response=response, completion=completion)


class BadRequestError(APIStatusError):
    """400: the request can't be served as it is."""


class AuthenticationError(APIStatusError):
    """401: the key is missing, wrong or expired."""


class PermissionDeniedError(APIStatusError):
    """403: the key may not do this."""


class NotFoundError(APIStatusError):
    """404: no such model, completion or address."""


class ConflictError(APIStatusError):
    """409: something else changed it at the same time."""


class UnprocessableEntityError(APIStatusError):
    """422: well-formed, but not something the server can act on."""


class RateLimitError(APIStatusError):
    """429: too many requests, or no credit left (``code`` is ``insufficient_quota``)."""


class InternalServerError(APIStatusError):
    """5xx: the server's own fault."""


class LengthFinishReasonError(OpenAIError):
    """The answer was cut at the token limit where a whole one is needed to parse it."""

    def __init__(self, *, completion: ChatCompletion) -> None:
        used = completion.usage
        super().__init__(
            "Could not parse the answer: it was cut at the token limit"
            + (f" (usage: {shortened(as_text(used))})." if used is not None else ".")
        )
        self.completion = completion

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self), self.args), vars(self)


class ContentFilterFinishReasonError(OpenAIError):
    """The answer was held back by the content filter where a whole one is needed to parse it."""

    def __init__(self, *, completion: ChatCompletion | None = None) -> None:
        super().__init__("Could not parse the answer: it was held back by the content filter.")
        self.completion = completion

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self), self.args), vars(self)


_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def error_class(status: int) -> type[APIStatusError]:
    """The class of exception for an HTTP status."""
    return _BY_STATUS.get(status, InternalServerError if status >= 500 else APIStatusError)


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


def preview(text: str) -> str:
    """Return the start of a body for a message: without markup, on one line, not too long."""
    text = text[:_LONGEST_PAGE].lstrip()
    if text.startswith("<"):
        text = _without_markup(text)
    return shortened(" ".join(text[:10_000].split()))


def _without_markup(page: str) -> str:
    """Return the text of an HTML page, tags, comments, scripts and styles left out.

    The page is searched from its start to its end once: what opens and is never closed reaches to
    the end.
    """
    text: list[str] = []
    at = 0
    while True:
        start = page.find("<", at)
        if start < 0:
            return " ".join((*text, page[at:]))
        text.append(page[at:start])
        if page.startswith("<!--", start):
            end = page.find("-->", start)
            at = end + 3 if end >= 0 else len(page)
            continue
        end = page.find(">", start)
        if end < 0:
            return " ".join((*text, page[start:]))
        at = end + 1
        opened = _UNSEEN.match(page, start)
        if opened is not None:
            closed = _CLOSED[opened[1].lower()].search(page, at)
            at = closed.end() if closed is not None else len(page)


_UNSEEN = re.compile(r"<(script|style)\b", re.IGNORECASE)
_CLOSED = {
    name: re.compile(rf"</{name}[^>]{{0,100}}>", re.IGNORECASE) for name in ("script", "style")
}


def shortened(text: str, length: int = PREVIEW_LENGTH) -> str:
    """Return a text cut to a length that fits a message, and without what can't be printed."""
    text = text if len(text) <= length else text[:length] + "..."
    return text.encode(errors="replace").decode()  # half of a surrogate pair


def as_text(value: Any) -> str:
    """Return what came as text for a message: JSON where it can be written as that."""
    try:
        plain = value.to_dict() if hasattr(value, "to_dict") else value
        return json.dumps(plain, ensure_ascii=False)
    except RecursionError:
        return "(nested too deeply)"
    except (TypeError, ValueError):
        return f"a {type(value).__name__}"


def _secrets(request: HttpRequest | None) -> list[str]:
    """What was sent and must not be shown: the values of headers that are struck out of a repr."""
    if request is None:
        return []
    shown = request.headers.redacted()
    hidden = (value for name, value in request.headers.items() if shown[name] != value)
    return [key for key in (value.removeprefix("Bearer ") for value in hidden) if len(key) >= 8]


def _struck(value: Any, secrets: list[str], depth: int = 0) -> Any:
    """Return a value without the secrets: a server may quote the key that it does not like.

    What is nested too deeply for others to walk, print or pickle is left out.
    """
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
    elif isinstance(value, bytes):
        for secret in secrets:
            value = value.replace(secret.encode(), HIDDEN.encode())
    elif isinstance(value, (list, dict)) and depth > _DEEPEST_BODY:
        value = "(nested too deeply)"
    elif isinstance(value, list):
        value = [_struck(item, secrets, depth + 1) for item in value]
    elif isinstance(value, dict):
        value = {
            _struck(name, secrets): _struck(item, secrets, depth + 1)
            for name, item in value.items()
        }
    return value


def _shareable(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, HttpRequest):
        headers = Headers(value.headers.redacted())
        return attrs.evolve(value, url=redact_url(value.url), headers=headers)
    if isinstance(value, HttpResponse):
        body = _struck(value.body, secrets) if isinstance(value.body, bytes) else b""
        request = _shareable(value.request, secrets)
        return HttpResponse(value.status, value.headers.redacted(), body, request=request)
    return value


def _revive(cls: type[OpenAIError], args: tuple[Any, ...]) -> OpenAIError:
    return cls.__new__(cls, *args)
