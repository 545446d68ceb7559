"""Responses that no connection of ours made: by replaced sessions, adapters and connections.

Tools that stand in for the network (requests-mock, vcrpy, responses, an adapter or a session of
the user's own) give responses that lack much of what urllib3's have. So these are read by public
names only. What needs the socket is left out: a deadline is noticed between two pieces of a body,
and the limit for one read stays what it was when the request was sent.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import urllib3

from chatlib.headers import Headers
from chatlib.http import HttpResponse, TransportError
from chatlib.redaction import private

PIECE = 65536
"""How many bytes one read asks for at most."""


class Replaced(Protocol):
    """What is used of such a response; urllib3's have all of it."""

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def headers(self) -> Any:
        """A mapping."""
        ...

    def stream(self, amt: int, decode_content: bool) -> Iterable[bytes]:
        """Yield the parts of the body, decoded."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


def replaced_response(
    raw: Replaced, headers: Headers, as_ours: Callable[[BaseException], TransportError]
) -> HttpResponse:
    """Return such a response as ours, with its body unread.

    Args:
        raw: The response.
        headers: Its headers.
        as_ours: Makes a :class:`~chatlib.http.TransportError` of an exception of the network.
    """
    process = os.getpid()

    def close() -> None:
        if process == os.getpid():  # or else the connection is the parent's
            raw.close()

    def pieces() -> Iterator[bytes]:
        try:
            yield from filter(None, pieces_of(raw))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise as_ours(error) from error
        finally:
            close()

    return HttpResponse(raw.status, headers, private(pieces()), on_close=close)


def pieces_of(raw: Any) -> Iterator[bytes]:
    """Yield the decoded body of a urllib3 response, or of one that looks like it, as it comes."""
    is_real = isinstance(raw, urllib3.BaseHTTPResponse) and raw.connection is not None
    if is_real and not getattr(raw, "chunked", False):
        while piece := raw.read1(PIECE, decode_content=True):  # stream() waits for whole pieces
            yield piece
    else:
        yield from raw.stream(PIECE, decode_content=True)
