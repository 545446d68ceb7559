"""The exceptions, with the class hierarchy of the official package.

``except`` clauses for the official package need no change. In addition, a stream that ends too
early is an error (:class:`IncompleteStreamError`), and each error has the number of attempts and
the delay that the server requested.

Responses may have any size and depth: texts are truncated before they are searched, messages have a
maximum length, and values are traversed to a fixed depth.
"""

from __future__ import annotations

import contextlib
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
"""The maximum number of characters of a body that a message quotes."""

LONGEST_MESSAGE = 2000
"""The maximum length of an exception message in characters."""

_MAX_PAGE_LENGTH = 100_000
_MAX_BODY_DEPTH = 100


class OpenAIError(Exception):
    """The base class of all exceptions of this library, except for invalid arguments."""


class APIError(OpenAIError):
    """A call failed.

    Args:
        message: The message: the status and what the server said.
        request: The request.
        body: The JSON under ``"error"`` if there is one, otherwise the whole JSON or the text.
        response: The response, if there was one.
        completion: The completion received before the error, in a stream.
    """

    message: str
    request: HttpRequest
    response: HttpResponse | None
    body: Any
    code: Any
    """The error code of the server; OpenAI sends a str, others numbers."""
    param: str | None
    """The invalid parameter."""
    type: str | None
    """The error type of the server, such as ``invalid_request_error``."""
    status_code: int | None
    """The HTTP status code; 200 if the error is in the body of a successful response."""
    request_id: str | None
    """The ``x-request-id`` header of the response."""
    completion: ChatCompletion | None
    """The completion received before a stream failed."""
    attempts: int
    """The number of attempts, including the failed one."""
    retry_after: float | None
    """The delay in seconds that the server requested."""
    embedded_status: int | None = None
    """The HTTP status code that an error in a successful response contains."""

    def __init__(
        self,
        message: str,
        request: HttpRequest | None = None,
        *,
        body: Any = None,
        response: HttpResponse | None = None,
        completion: ChatCompletion | None = None,
    ) -> None:
        response = _as_response(response)
        request = _as_request(request)
        if request is None and response is not None:
            request = response.request
        secrets = _secrets(request)
        message, body = _redact(message, secrets), _redact(body, secrets)
        if isinstance(message, str):
            message = shortened(message, LONGEST_MESSAGE)
        super().__init__(message)
        self.message = message
        self.request = request  # type: ignore[assignment]  # None only if None was passed
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
        # Exceptions are pickled (multiprocessing, task queues), but without the API key.
        secrets = _secrets(self.request)
        state = {name: _picklable(value, secrets) for name, value in vars(self).items()}
        return _unpickle, (type(self), self.args), state


class APIResponseValidationError(APIError):
    """The response does not have the format of the API.

    Args:
        response: The response.
        body: The body.
        message: The message.
    """

    def __init__(
        self, response: HttpResponse | None, body: Any, *, message: str | None = None
    ) -> None:
        super().__init__(
            message or "The response is not what the API promises.", body=body, response=response
        )


class APIConnectionError(APIError):
    """No response was received, or an incomplete one.

    The exception of the transport is the ``__cause__``.

    Args:
        message: The message.
        request: The request.
        response: The response, if its body is incomplete.
        completion: The completion received before the error, in a stream.
    """

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
    """Whether a retry may succeed; False, for example, if a certificate is invalid."""


class APITimeoutError(APIConnectionError):
    """A timeout expired.

    Args:
        request: The request.
        message: The message.
        response: The response, if its body is incomplete.
        completion: The completion received before the error, in a stream.
    """

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
    """A stream ended before it was complete; ``completion`` is the part received."""


class APIStatusError(APIError):
    """The server returned an error status, or an error in a response with status 200.

    Args:
        message: The message.
        response: The response.
        body: As for :class:`APIError`.
        completion: The completion received before the error, in a stream.
    """

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
    """400: the request is invalid."""


class AuthenticationError(APIStatusError):
    """401: the API key is missing, invalid or expired."""


class PermissionDeniedError(APIStatusError):
    """403: the API key has no permission for this."""


class NotFoundError(APIStatusError):
    """404: the model, completion or URL does not exist."""


class ConflictError(APIStatusError):
    """409: the resource was changed at the same time."""


class UnprocessableEntityError(APIStatusError):
    """422: the request is well-formed but cannot be processed."""


class RateLimitError(APIStatusError):
    """429: too many requests, or no credit left (``code`` is ``insufficient_quota``)."""


class InternalServerError(APIStatusError):
    """5xx: an error of the server."""


class LengthFinishReasonError(OpenAIError):
    """The answer was cut off at the token limit, so that it cannot be parsed.

    Args:
        completion: The completion.
    """

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
    """The answer was blocked by the content filter, so that it cannot be parsed.

    Args:
        completion: The completion.
    """

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
    """Return the exception class for an HTTP status code.

    Args:
        status: The status code.
    """
    return _BY_STATUS.get(status, InternalServerError if status >= 500 else APIStatusError)


def preview(text: str) -> str:
    """Return the beginning of a body for a message: one line without HTML tags.

    Args:
        text: The body.
    """
    text = text[:_MAX_PAGE_LENGTH].lstrip()
    if text.startswith("<"):
        text = _strip_markup(text)
    return shortened(" ".join(text[:10_000].split()))


def _strip_markup(page: str) -> str:
    """Return the text of an HTML page without tags, comments, scripts and styles.

    The page is scanned once; an element that is never closed extends to the end.
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
    """Return a text truncated for a message, without characters that cannot be printed.

    Args:
        text: The text.
        length: The maximum length in characters.
    """
    text = text if len(text) <= length else text[:length] + "..."
    return text.encode(errors="replace").decode()  # lone surrogates


def as_text(value: Any) -> str:
    """Return a value as text for a message: as JSON if possible.

    Args:
        value: The value.
    """
    try:
        plain = value.to_dict() if hasattr(value, "to_dict") else value
        return json.dumps(plain, ensure_ascii=False)
    except RecursionError:
        return "(nested too deeply)"
    except (TypeError, ValueError):
        return f"a {type(value).__name__}"


def _as_request(request: Any) -> HttpRequest | None:
    """Return the request of another HTTP library, or a mock of one, as one of this library."""
    if request is None or isinstance(request, HttpRequest):
        return request
    method, content = getattr(request, "method", None), getattr(request, "content", None)
    return HttpRequest(
        method if isinstance(method, str) else "",
        str(getattr(request, "url", "")),
        _as_headers(getattr(request, "headers", None)),
        content if isinstance(content, bytes) else b"",
    )


def _as_response(response: Any) -> HttpResponse | None:
    """Return the response of another HTTP library, or a mock of one, as one of this library.

    ``httpx``, ``requests`` and those who mock them agree on ``status_code``, ``headers`` and
    ``content``.
    """
    if response is None or isinstance(response, HttpResponse):
        return response
    body, request = b"", None
    with contextlib.suppress(Exception):  # a body that was not read, a request that was not set
        body = response.content
        request = response.request
    status: Any = getattr(response, "status_code", None)
    return HttpResponse(
        status,
        _as_headers(getattr(response, "headers", None)),
        body if isinstance(body, bytes) else b"",
        request=_as_request(request),
    )


def _as_headers(headers: Any) -> Headers:
    if isinstance(headers, Headers):
        return headers
    try:
        return Headers({str(name): str(value) for name, value in dict(headers).items()})
    except (TypeError, ValueError):  # nothing, or a mock
        return Headers()


def _secrets(request: HttpRequest | None) -> list[str]:
    """Return the secrets in the headers of a request."""
    if request is None:
        return []
    shown = request.headers.redacted()
    hidden = (value for name, value in request.headers.items() if shown[name] != value)
    return [key for key in (value.removeprefix("Bearer ") for value in hidden) if len(key) >= 8]


def _redact(value: Any, secrets: list[str], depth: int = 0) -> Any:
    """Return a value without the secrets, since a server may quote the key that it rejects.

    Values nested too deeply to be traversed, printed or pickled are left out.
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
