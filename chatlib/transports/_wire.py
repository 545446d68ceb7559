"""What all transports put on the wire and take from it alike."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from chatlib.headers import Headers
from chatlib.http import HttpRequest, TransportError

CUT_SHORT = "the server closed the connection before the end of the body"
"""What an exception says of a body that is shorter than its framing says."""

STALE_SECONDS = 0.5
"""How soon after sending a connection ends that the server had closed before it got anything."""


def sent_headers(request: HttpRequest, encodings: str) -> Headers:
    """Return the headers of a request with those that HTTP requires; secrets stay hidden.

    Args:
        request: The request.
        encodings: Those that can be decoded, and so the only ones to ask for.
    """
    wire: dict[str, str | None] = {
        "Accept-Encoding": request.headers.get("accept-encoding", encodings)
    }
    if request.content or request.method in ("POST", "PUT", "PATCH"):
        wire["Content-Length"] = str(len(request.content))
    return request.headers.merged(wire)


KNOWN_CODINGS = frozenset(
    "aes128gcm br bzip2 compress dcb dcz deflate exi gzip lz4 lzma pack200-gzip sdch snappy xz "
    "zstd".split()
)
"""What a body can be encoded by; so does a name that begins with ``x-``. Any other in
``Content-Encoding``, such as ``UTF-8``, ``none`` or ``aws-chunked``, names no coding."""

OWN_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})
"""Those that :class:`Decoder` knows."""

MOST_CODINGS = 5
"""How many codings, one over the other, are decoded."""

LARGEST_PIECE = 1 << 20
"""How many bytes one piece of a decoded body has at most."""


def codings_of(headers: Headers) -> list[str]:
    """Return the codings of a body, in the order in which they were applied."""
    said = f"{headers.get('content-encoding', '')},{headers.get('transfer-encoding', '')}"
    if said == "," or said == ",chunked":
        return []
    names = [name.strip() for name in said.lower().split(",")]
    return [name for name in names if name in KNOWN_CODINGS or name.startswith("x-")]


def undecodable(codings: list[str], accepted: str, decoded: str) -> TransportError | None:
    """Return an error if the codings of a response can't be decoded, else None.

    Args:
        codings: The codings of the response, in the order in which they were applied.
        accepted: The ``Accept-Encoding`` that was sent; who asked for a coding can decode it.
        decoded: The codings that can be decoded, as an ``Accept-Encoding``.
    """
    known = set(f"{accepted},{decoded},x-gzip".lower().replace(" ", "").split(","))
    if known.issuperset(codings) and len(codings) <= MOST_CODINGS:
        return None
    return TransportError(
        f"the response is encoded as {', '.join(codings)[:200]}, which was not asked for and can't "
        "be decoded here",
        retryable=False,
    )


class Decoder:
    """Bytes of a body, as they come, to what they encode.

    Args:
        codings: Of :data:`OWN_CODINGS`, in the order in which they were applied.
    """

    def __init__(self, codings: list[str]) -> None:
        self._stages = [_Inflate(coding) for coding in reversed(codings)]

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Give what the bytes encode, in pieces that are not too large.

        Raises:
            TransportError: They are not encoded as it was said.
        """
        try:
            yield from self._decode(data, self._stages)
        except zlib.error as error:
            why = f"the response is not encoded as its Content-Encoding says: {error}"
            raise TransportError(why, retryable=False) from error

    def _decode(self, data: bytes, stages: list[_Inflate]) -> Iterator[bytes]:
        if not stages:
            yield data
            return
        for piece in stages[0].pieces(data):
            yield from self._decode(piece, stages[1:])


class _Inflate:
    def __init__(self, coding: str) -> None:
        self._is_gzip = coding != "deflate"
        self._inflate: Any = None
        self._ended = False

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while data and not self._ended:
            if self._inflate is None:
                # "deflate" should have a zlib header, which some servers leave out.
                is_raw = not self._is_gzip and data[0] & 15 != 8
                bits = zlib.MAX_WBITS | 16 if self._is_gzip else zlib.MAX_WBITS
                self._inflate = zlib.decompressobj(-zlib.MAX_WBITS if is_raw else bits)
            piece = b""
            while data or len(piece) == LARGEST_PIECE:
                piece = self._inflate.decompress(data, LARGEST_PIECE)
                data = self._inflate.unconsumed_tail
                if piece:
                    yield piece
            if self._inflate.eof:
                # Gzip may go on with another member; what else follows is padding.
                data, self._inflate = self._inflate.unused_data, None
                self._ended = not (self._is_gzip and data[:1] in (b"", b"\x1f"))
