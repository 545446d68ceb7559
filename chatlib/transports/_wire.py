"""What all transports put on the wire and take from it alike."""

from __future__ import annotations

import re
from urllib.parse import quote

from chatlib.headers import Headers
from chatlib.http import HttpRequest, TransportError

STALE_SECONDS = 0.5
"""How soon after sending a connection ends that the server had closed before it got anything."""


def sent_headers(request: HttpRequest, encodings: str) -> Headers:
    """The headers of a request, and those that the wire needs; they hide their secrets.

    Args:
        encodings: Those that can be decoded, and so the only ones to ask for.
    """
    wire: dict[str, str | None] = {
        "Accept-Encoding": request.headers.get("accept-encoding", encodings)
    }
    if request.content or request.method in ("POST", "PUT", "PATCH"):
        wire["Content-Length"] = str(len(request.content))
    return request.headers.merged(wire)


def sent_url(url: str) -> str:
    """A URL as it goes over the wire: what no URL may hold is percent-encoded; all else stays.

    >>> sent_url("http://host/my path?q=日%20")
    'http://host/my%20path?q=%E6%97%A5%20'
    """
    return url if _PLAIN.fullmatch(url) else quote(url, safe=_SAFE, errors="replace")


_SAFE = "%/?:@!$&'()*+,;=~-._#[]"
_PLAIN = re.compile(r"[A-Za-z0-9%/?:@!$&'()*+,;=~._#\[\]-]*")


def undecodable(
    headers: Headers, accepted: str, *, at_most: int | None = None
) -> TransportError | None:
    """The error that a response is where its encoding was not asked for; None where it was.

    Args:
        accepted: What was asked for.
        at_most: How many encodings, one over the other, can be decoded; None for any number.
    """
    said = headers.get("content-encoding", "").lower().replace(" ", "")
    encodings = [name for name in said.split(",") if name]
    unknown = set(encodings) - set(accepted.lower().replace(" ", "").split(",")) - {"identity"}
    plain = "identity" in encodings and len(encodings) > 1
    if not unknown and not plain and (at_most is None or len(encodings) <= at_most):
        return None
    return TransportError(
        f"the response is encoded as {said}, which was not asked for and can't be decoded here",
        retryable=False,
    )
