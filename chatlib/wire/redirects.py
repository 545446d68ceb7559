"""Redirects: which are followed, and which are errors."""

from __future__ import annotations

from chatlib.errors import APIStatusError
from chatlib.headers import redact_url
from chatlib.http import HttpRequest, HttpResponse
from chatlib.redaction import concealed_url
from chatlib.urls import Url, parse_url, redirect_target


def follow_redirect(request: HttpRequest, response: HttpResponse) -> HttpRequest | None:
    """Return the request that follows a redirect.

    A redirect is followed within the origin, or from http to https on the same host if both ports
    are the default ones or equal; a POST only at 307 and 308, which preserve method and body. Any
    other redirect would send the key and the prompt to another server, or turn a POST into a GET.

    Args:
        request: The request that was sent.
        response: Its response.

    Returns:
        The next request, or None if the response is not a redirect.

    Raises:
        APIStatusError: The redirect is not followed; the message has its target.
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
            why = "it is another origin; neither the key nor the prompt was sent to it"
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
    """Return whether a redirect is from http to https of the same host and server."""
    ports = (here.port, there.port)
    return (
        (here.scheme, there.scheme) == ("http", "https")
        and here.host == there.host
        and (ports == (80, 443) or here.port == there.port)
    )
