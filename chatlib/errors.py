"""What can go wrong, as one tree, and the one recogniser for every shape of error body.

The tree is that of the official package, so ``except`` clauses move over as they are. Two things
are added: a stream that was cut off is an error (:class:`IncompleteStreamError`), and each error
says how many attempts were made and how long the server asked to wait.

Errors come as ``{"error": {...}}``, ``{"error": "text"}``, a list with one such object, flat
objects, FastAPI's ``{"detail": ...}``, plain text, HTML pages; with an error status, inside a 200
and inside a stream. :func:`find_error` knows them all.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from chatlib.headers import HIDDEN, Headers, redact_url, retry_after
from chatlib.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from chatlib.types.completion import ChatCompletion

E = TypeVar("E", bound="APIError")

PREVIEW_LENGTH = 500
"""How many characters of a body a message quotes."""


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
        with suppress(RecursionError):  # a body that is nested so deeply holds no key of ours
            message, body = _struck(message, secrets), _struck(body, secrets)
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
        used: Any = completion.usage
        shown = used.to_dict() if hasattr(used, "to_dict") else used  # a server may send anything
        super().__init__(
            "Could not parse the answer: it was cut at the token limit"
            + (f" (usage: {shown})." if used is not None else ".")
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
        """An exception for it, with what the body alone does not say."""
        if isinstance(self.body, str):
            for name in ("code", "param", "type"):
                setattr(error, name, self.around.get(name))
        return error


def find_error(value: Any, *, certain: bool = False) -> ErrorFound | None:
    """The error that a decoded body or event speaks of; None where it speaks of none.

    Args:
        value: Decoded JSON.
        certain: The status or the event's name said already that it is an error, so that a bare
            ``{"message": ...}`` or a text counts.
    """
    if isinstance(value, list) and value:
        return find_error(value[0], certain=certain)
    if isinstance(value, str):
        return ErrorFound(value, value) if certain and value.strip() else None
    if not isinstance(value, dict):
        return None
    error = value.get("error")
    if not _is_empty(error):
        if (
            isinstance(error, dict)
            and not error.get("message")
            and isinstance(error.get("error"), dict)
        ):
            return find_error(error, certain=True)  # a proxy wrapped what it was told
        words = _message_in(error) or json.dumps(error, ensure_ascii=False)
        return ErrorFound(words, error, value)
    if not (certain or value.get("object") == "error" or value.get("type") == "error"):
        # Nothing says that it is one. What has choices is an answer; what has none, but words
        # where servers put the words of an error, is not.
        worded = any(map(value.get, ("message", "detail", "error_msg")))
        if "choices" in value or not worded:
            return None
    message = _message_in(value)
    return ErrorFound(message, value) if message else None


def _is_empty(error: Any) -> bool:
    # Some servers put an empty error beside a good answer: null, {}, "", {"message": "", ...}.
    if isinstance(error, dict):
        return not any(error.values())
    return not error


def _message_in(value: Any) -> str | None:
    """The server's words, wherever it put them."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, list):
        return "; ".join(filter(None, map(_message_in, value))) or None
    if not isinstance(value, dict):
        return None
    for name in ("message", "error", "detail", "msg", "error_msg", "error_message", "title"):
        words = _message_in(value.get(name))
        if words:
            where = value.get("loc")  # FastAPI: which field {"msg": ...} is about
            return f"{'.'.join(map(str, where))}: {words}" if isinstance(where, list) else words
    return None


def error_from_response(response: HttpResponse) -> APIStatusError:
    """The exception for a response with an error status. Reads its body."""
    request, status = response.request, response.status
    text = response.text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    try:
        found = find_error(value, certain=True)
    except RecursionError:
        found = None
    if found is not None:
        words, body = shortened(found.message), found.body
    else:
        words, body = preview(text) or "(no body)", value if value is not None else text
        if isinstance(value, dict) and value.get("error") is not None:
            body = value["error"]
        if request is not None:
            words += f" (from {redact_url(request.url)})"
        if status == 404:
            words += " Is base_url right? It commonly ends in /v1."
    error = error_class(status)(f"Error code: {status} - {words}", response=response, body=body)
    return found.on(error) if found is not None else error


def error_inside(
    found: ErrorFound, response: HttpResponse | None, completion: ChatCompletion | None = None
) -> APIError:
    """The exception for an error that came inside a good response, or inside a stream."""
    message, body = shortened(found.message), found.body
    status = embedded_status(found.around if isinstance(body, str) else body)
    if status is not None and response is not None:
        kind = error_class(status)
        return found.on(kind(message, response=response, body=body, completion=completion))
    return found.on(APIError(message, body=body, response=response, completion=completion))


def embedded_status(body: Any) -> int | None:
    """The HTTP status that an error body names as its ``code`` or ``status``."""
    if isinstance(body, dict):
        for name in ("code", "status", "status_code"):
            status = body.get(name)
            if isinstance(status, str) and status.isdecimal():
                status = int(status)
            if isinstance(status, int) and 400 <= status <= 599:
                return status
    return None


def preview(text: str) -> str:
    """The start of a body for a message: without markup, on one line, not too long."""
    if text.lstrip()[:1] == "<":
        text = re.sub(r"(?is)<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", " ", text[:100_000])
    return shortened(" ".join(text[:10_000].split()))


def shortened(text: str) -> str:
    """A text cut to a length that fits a message."""
    return text if len(text) <= PREVIEW_LENGTH else text[:PREVIEW_LENGTH] + "..."


def _secrets(request: HttpRequest | None) -> list[str]:
    """What was sent and must not be shown: the values of headers that are struck out of a repr."""
    if request is None:
        return []
    shown = request.headers.redacted()
    hidden = (value for name, value in request.headers.items() if shown[name] != value)
    return [key for key in (value.removeprefix("Bearer ") for value in hidden) if len(key) >= 8]


def _struck(value: Any, secrets: list[str]) -> Any:
    """A value without the secrets: a server may quote the key that it does not like."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
    elif isinstance(value, bytes):
        for secret in secrets:
            value = value.replace(secret.encode(), HIDDEN.encode())
    elif isinstance(value, list):
        value = [_struck(item, secrets) for item in value]
    elif isinstance(value, dict):
        value = {_struck(name, secrets): _struck(item, secrets) for name, item in value.items()}
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
