"""Redirects: which of them are followed, and which are errors."""

from __future__ import annotations

from chatlib.errors import APIStatusError
from chatlib.headers import redact_url
from chatlib.http import HttpRequest, HttpResponse
from chatlib.redaction import concealed_url
from chatlib.urls import Url, parse_url, redirect_target


def follow_redirect(request: HttpRequest, response: HttpResponse) -> HttpRequest | None:
    """The request to send next, where the response is a redirect that may be followed, else None.

    Followed are, method and body kept, 307 and 308 within the origin, and from http to https on the
    same host, where both ports are the default ones or the same; and all kinds for a GET. Anything
    else would hand the key and the prompt to someone who was not meant to have them, or turn a POST
    into a GET.

    Raises:
        APIStatusError: the redirect is refused; the message names its target.
    """
    location = response.headers.get("location")
    if not 301 <= response.status <= 308 or location is None:
        return None
    target = location = concealed_url(location)
    try:
        here, there = parse_url(request.url), redirect_target(request.url, location)
    except ValueError as error:
        why = str(error)
    else:
        target = concealed_url(str(there))
        if here.address != there.address and not _is_upgrade(here, there):
            why = "it is another origin, which was sent neither the key nor the prompt"
        elif response.status not in (307, 308) and request.method != "GET":
            why = f"it would turn the {request.method} into a GET"
        else:
            return HttpRequest(
                request.method, target, request.headers, request.content, request.timeout
            )
    response.request = response.request or request
    raise APIStatusError(
        f"Error code: {response.status} - the redirect to {redact_url(target)[:500]} was refused: "
        f"{why}. If that is where the API lives now, make it the base_url.",
        response=response,
    )


def _is_upgrade(here: Url, there: Url) -> bool:
    """Return whether a redirect leads from http to https on one host, and to no other server."""
    ports = (here.port, there.port)
    return (
        (here.scheme, there.scheme) == ("http", "https")
        and here.host == there.host
        and (ports == (80, 443) or here.port == there.port)
    )
