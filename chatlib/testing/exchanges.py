"""Encode requests, responses and errors as the JSON values of a recording, without secrets."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from chatlib.headers import HIDDEN, Headers, redact_url
from chatlib.http import HttpRequest, TransportError, TransportTimeout

VERSION = 1
"""The version of the file format."""

# They describe the body as sent; the recorded body is decompressed and has no framing.
_OF_THE_WIRE = frozenset(
    {"connection", "content-encoding", "content-length", "keep-alive", "transfer-encoding"}
)


def encode_request(request: HttpRequest, redactor: Redactor) -> dict[str, Any]:
    """Encode a request for the file."""
    return {
        "method": request.method,
        "url": redactor.redact_text(redact_url(request.url)),
        "headers": {k: redactor.redact_text(v) for k, v in request.headers.redacted().items()},
        **(encode_body(request.content, redactor) if request.content else {}),
    }


def encode_headers(headers: Headers, redactor: Redactor) -> dict[str, str]:
    """Encode the headers of a response for the file."""
    return {
        name: redactor.redact_text(redact_url(value) if name.lower() in _URLS else value)
        for name, value in headers.redacted().items()
        if name.lower() not in _OF_THE_WIRE
    }


_URLS = ("location", "content-location")


def encode_error(error: TransportError, redactor: Redactor) -> dict[str, Any]:
    """Encode a connection error for the file."""
    return {
        "kind": "timeout" if isinstance(error, TransportTimeout) else "connection",
        "message": redactor.redact_text(str(error)),
        "retryable": error.retryable,
        **({"limit": error.limit} if isinstance(error, TransportTimeout) and error.limit else {}),
    }


def decode_error(value: Mapping[str, Any]) -> TransportError:
    """Decode a connection error of the file."""
    message, retryable = value["message"], value.get("retryable", True)
    if value["kind"] != "timeout":
        return TransportError(message, retryable=retryable)
    return TransportTimeout(message, retryable=retryable, limit=value.get("limit", ""))


def encode_body(body: bytes, redactor: Redactor) -> dict[str, Any]:
    """Encode a whole body for the file; JSON stays readable JSON."""
    try:
        value = redactor.redact_value(json.loads(body, parse_constant=_no_constant))
        json.dumps(value, allow_nan=False)  # a number out of range was decoded as infinity
        return {"json": value}
    except (ValueError, RecursionError):
        return encode_bytes(redactor.redact_pieces([body])[0])


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not valid JSON")


def encode_bytes(content: bytes) -> dict[str, str]:
    """Encode bytes for the file: as text if they are UTF-8, else as base64.

    >>> encode_bytes("日本".encode()), encode_bytes("日本".encode()[:4])
    ({'text': '日本'}, {'base64': '5pel5g=='})
    """
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def decode_bytes(value: Mapping[str, Any]) -> bytes:
    """Decode a body or a piece of the file."""
    if "json" in value:
        return json.dumps(value["json"]).encode()
    if "base64" in value:
        return base64.b64decode(value["base64"])
    return str(value.get("text", "")).encode()


# Secrets --------------------------------------------------------------------------------------

SHORTEST_SECRET = 6
"""The minimum length of a secret, in characters; a shorter one is a word such as ``test``."""


class Redactor:
    """Removes the secrets of a request from text, JSON values and bytes that repeat them.

    >>> request = HttpRequest("GET", "http://any", {"Authorization": "Bearer sk-secret"})
    >>> Redactor(request).redact_text("sk-secret is wrong")
    '*** is wrong'
    """

    def __init__(self, request: HttpRequest | None = None) -> None:
        written: set[str] = set()
        for secret in _secrets_of(request) if request is not None else ():
            if len(secret) >= SHORTEST_SECRET:
                # As it is, escaped in JSON, and percent-encoded.
                written |= {secret, json.dumps(secret)[1:-1], quote(secret, safe="")}
        longest_first = sorted(written, key=len, reverse=True)
        pattern = "|".join(map(re.escape, longest_first)) or r"(?!)"
        self._in_text = re.compile(pattern)
        self._in_bytes = re.compile(pattern.encode())

    def redact_text(self, text: str) -> str:
        """Return the text with each secret replaced."""
        return self._in_text.sub(HIDDEN, text)

    def redact_value(self, value: Any) -> Any:
        """Return the JSON value with each secret in it replaced."""
        if isinstance(value, str):
            return self.redact_text(value)
        if isinstance(value, list):
            return [self.redact_value(item) for item in value]
        if isinstance(value, dict):
            return {self.redact_text(name): self.redact_value(item) for name, item in value.items()}
        return value

    def redact_pieces(self, pieces: list[bytes]) -> list[bytes]:
        """Return the pieces with each secret replaced, also one that spans several pieces."""
        whole = b"".join(pieces)
        found = [match.span() for match in self._in_bytes.finditer(whole)]
        if not found:
            return pieces
        made, start = [], 0
        for piece in pieces:
            end = start + len(piece)
            kept, at = bytearray(), start
            for first, last in found:
                if first < end and last > start:
                    kept += whole[at : max(first, at)]
                    kept += HIDDEN.encode() if first >= start else b""
                    at = min(last, end)
            made.append(bytes(kept + whole[at:end]))
            start = end
        return made


def _password_in(value: str) -> Iterator[str]:
    kind, _, coded = value.partition(" ")
    if kind.lower() == "basic":
        try:
            yield base64.b64decode(coded).decode().partition(":")[2]
        except ValueError:  # not valid base64 or UTF-8
            return


def _secrets_of(request: HttpRequest) -> Iterator[str]:
    shown = request.headers.redacted()
    for name, value in request.headers.reveal().items():
        if shown[name] != value:
            yield value
            yield value.partition(" ")[2].strip()  # Bearer ...
            yield from _password_in(value)
            for cookie in value.split(";"):
                yield cookie.partition("=")[2].strip()
    parts = urlsplit(request.url)
    userinfo = parts.netloc.rpartition("@")[0]
    yield from (userinfo, userinfo.partition(":")[2], unquote(userinfo.partition(":")[2]))
    for pair in parts.query.split("&"):
        if redact_url(f"?{pair}") != f"?{pair}":
            secret = pair.partition("=")[2]
            yield from (secret, unquote(secret))
