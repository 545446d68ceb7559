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
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from chatlib.headers import HIDDEN, Headers, redact_url, retry_after
from chatlib.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from chatlib.types.completion import ChatCompletion

E = TypeVar("E", bound="APIError")

PREVIEW_LENGTH = 500
"""How many characters of a body a message quotes."""

LONGEST_MESSAGE = 2000
"""The greatest length of an exception's message in characters."""

_MAX_PAGE_LENGTH = 100_000
_MAX_BODY_DEPTH = 100


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
        message, body = _redact(message, secrets), _redact(body, secrets)
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
        state = {name: _picklable(value, secrets) for name, value in vars(self).items()}
        return _unpickle, (type(self), self.args), state


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
        return _unpickle, (type(self), self.args), vars(self)


class ContentFilterFinishReasonError(OpenAIError):
    """The answer was held back by the content filter where a whole one is needed to parse it."""

    def __init__(self, *, completion: ChatCompletion | None = None) -> None:
        super().__init__("Could not parse the answer: it was held back by the content filter.")
        self.completion = completion

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle, (type(self), self.args), vars(self)


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


def preview(text: str) -> str:
    """Return the start of a body for a message: without markup, on one line, not too long."""
    text = text[:_MAX_PAGE_LENGTH].lstrip()
    if text.startswith("<"):
        text = _strip_markup(text)
    return shortened(" ".join(text[:10_000].split()))


def _strip_markup(page: str) -> str:
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
        opened = _HIDDEN_TAG.match(page, start)
        if opened is not None:
            closed = _CLOSING_TAG[opened[1].lower()].search(page, at)
            at = closed.end() if closed is not None else len(page)


_HIDDEN_TAG = re.compile(r"<(script|style)\b", re.IGNORECASE)
_CLOSING_TAG = {
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


def _redact(value: Any, secrets: list[str], depth: int = 0) -> Any:
    """Return a value without the secrets: a server may quote the key that it does not like.

    What is nested too deeply for others to walk, print or pickle is left out.
    """
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
    elif isinstance(value, bytes):
        for secret in secrets:
            value = value.replace(secret.encode(), HIDDEN.encode())
    elif isinstance(value, (list, dict)) and depth > _MAX_BODY_DEPTH:
        value = "(nested too deeply)"
    elif isinstance(value, list):
        value = [_redact(item, secrets, depth + 1) for item in value]
    elif isinstance(value, dict):
        value = {
            _redact(name, secrets): _redact(item, secrets, depth + 1)
            for name, item in value.items()
        }
    return value


def _picklable(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, HttpRequest):
        headers = Headers(value.headers.redacted())
        return attrs.evolve(value, url=redact_url(value.url), headers=headers)
    if isinstance(value, HttpResponse):
        body = _redact(value.body, secrets) if isinstance(value.body, bytes) else b""
        request = _picklable(value.request, secrets)
        return HttpResponse(value.status, value.headers.redacted(), body, request=request)
    return value


def _unpickle(cls: type[OpenAIError], args: tuple[Any, ...]) -> OpenAIError:
    return cls.__new__(cls, *args)
