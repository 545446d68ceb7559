"""Failures of a transport as exceptions of the client, which say what happened, where, and when."""

from __future__ import annotations

from chatlib.errors import APIConnectionError, APITimeoutError
from chatlib.http import (
    HttpRequest,
    HttpResponse,
    ResponseTooLarge,
    TransportError,
    TransportTimeout,
)
from chatlib.redaction import forget_frames
from chatlib.urls import with_host

TOO_LONG = "the time limit for the whole call was exceeded"


def to_connection_error(
    error: TransportError, request: HttpRequest | None, response: HttpResponse | None = None
) -> APIConnectionError:
    """Convert an exception of a transport into one of the client.

    Args:
        error: The exception of the transport.
        request: The request, if there was one.
        response: The response, if the connection failed while its body was read.

    Returns:
        An :class:`~chatlib.errors.APIConnectionError`; for a timeout, an
        :class:`~chatlib.errors.APITimeoutError`.
    """
    forget_frames(error)  # transports of users do not clear their own frames
    made: APIConnectionError
    url = request.url if request is not None else None
    if isinstance(error, TransportTimeout):
        late = _late(error, request)
        message = f"Request timed out: {with_host(late, url)}."
        made = APITimeoutError(request, message=message, response=response)
    else:
        what = "" if isinstance(error, ResponseTooLarge) else "Connection error: "
        why = with_host(str(error).rstrip("."), url)
        made = APIConnectionError(message=f"{what}{why}.", request=request, response=response)
    made.retryable = error.retryable
    return made


_LATE = {
    "connect": "no connection was made in time",
    "read": "no data was received in time",
    "write": "the request could not be sent in time",
    "pool": "no connection became free in time",
    "total": TOO_LONG,
}


def _late(error: TransportTimeout, request: HttpRequest | None) -> str:
    """Return which limit expired, and how long it was."""
    limit = error.limit
    if limit not in _LATE or request is None:
        return str(error).rstrip(".")
    seconds, total = getattr(request.timeout, limit), request.timeout.total
    if total is not None and limit != "total" and (seconds is None or seconds >= total):
        limit = "total"  # which shortens all others
    shown = f"={seconds:g} s" if seconds is not None and limit != "total" else ""
    return f"{_LATE[limit]} (Timeout: {limit}{shown})"
