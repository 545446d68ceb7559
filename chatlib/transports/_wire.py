"""What all transports put on the wire and take from it alike."""

from __future__ import annotations

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


def undecodable(headers: Headers, accepted: str) -> TransportError | None:
    """The error that a response is where its encoding was not asked for; None where it was."""
    encodings = set(headers.get("content-encoding", "").lower().replace(" ", "").split(","))
    unknown = encodings - set(accepted.lower().replace(" ", "").split(",")) - {"", "identity"}
    if not unknown:
        return None
    return TransportError(
        f"the response is encoded as {', '.join(sorted(unknown))}, which was not asked for and "
        "can't be decoded here",
        retryable=False,
    )
