"""Send with a client of ``httpx`` that the program already has.

The client's settings count: proxies, certificates, event hooks, mounted transports, cookies; so do
httpx's rules, which are stricter than those of this library's transports about what is HTTP. The
client belongs to whoever made it, and is never closed here. Neither ``httpx`` nor ``httpx2`` is
imported.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

from chatlib.headers import Headers
from chatlib.http import HttpRequest, HttpResponse, TransportError, TransportTimeout
from chatlib.timeouts import Timeout
from chatlib.transports._wire import (
    OWN_CODINGS,
    Decoder,
    codings_of,
    sent_headers,
    undecodable,
)
from chatlib.urls import with_host

_ENCODINGS = "gzip, deflate"  # what every httpx decodes
_LIMITS = ("connect", "read", "write", "pool")
_ILLEGAL = re.compile(r"illegal (?:status|header) line: bytearray\(b'(.{1,200}).*'\)", re.DOTALL)


class HttpxTransport:
    """Send requests with an ``httpx.Client``.

    Args:
        client: The client. It is not closed.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send a request; see :meth:`chatlib.http.Transport.send`."""
        try:
            answer = self._client.send(
                _built(self._client, request), stream=True, follow_redirects=False
            )
        except Exception as error:
            raise _failure(error, request) from error
        refused = _refused(answer)
        if refused is not None:
            answer.close()
            raise refused
        return _response(answer, _pieces(answer, request), answer.close)


class AsyncHttpxTransport:
    """Send requests with an ``httpx.AsyncClient``.

    Args:
        client: The client. It is not closed.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    async def asend(self, request: HttpRequest) -> HttpResponse:
        """Send a request; see :meth:`chatlib.http.AsyncTransport.asend`."""
        try:
            answer = await self._client.send(
                _built(self._client, request), stream=True, follow_redirects=False
            )
        except Exception as error:
            raise _failure(error, request) from error
        refused = _refused(answer)
        if refused is not None:
            await answer.aclose()
            raise refused
        return _response(answer, _apieces(answer, request), answer.aclose)


def _built(client: Any, request: HttpRequest) -> Any:
    """Return the request as one of the client, with the client's own headers and cookies."""
    headers = sent_headers(request, _ENCODINGS).reveal()
    content = request.content or None
    limits = _limits(request.timeout)
    return client.build_request(
        request.method, request.url, headers=headers, content=content, timeout=limits
    )


def _limits(timeout: Timeout) -> tuple[float | None, ...]:
    """Return a timeout in the order of httpx: connect, read, write, pool."""
    limits = timeout if timeout.total is None else timeout.within(timeout.total)
    return (limits.connect, limits.read, limits.write, limits.pool)


def _refused(answer: Any) -> TransportError | None:
    """Return an error if the body is encoded in a way that was not asked for, else None."""
    codings = codings_of(Headers(answer.headers.multi_items()))
    return undecodable(codings, answer.request.headers.get("accept-encoding", ""), _ENCODINGS)


def _response(answer: Any, body: Any, close: Any) -> HttpResponse:
    return HttpResponse(answer.status_code, answer.headers.multi_items(), body, on_close=close)


def _pieces(answer: Any, request: HttpRequest) -> Iterator[bytes]:
    decoder = _decoder(answer)
    try:
        if decoder is None:
            yield from answer.iter_bytes()
            return
        for piece in answer.iter_raw():
            yield from decoder.decode(piece)
    except TransportError:
        raise
    except Exception as error:
        raise _failure(error, request) from error


async def _apieces(answer: Any, request: HttpRequest) -> AsyncIterator[bytes]:
    decoder = _decoder(answer)
    try:
        if decoder is None:
            async for piece in answer.aiter_bytes():
                yield piece
            return
        async for piece in answer.aiter_raw():
            for decoded in decoder.decode(piece):
                yield decoded
    except TransportError:
        raise
    except Exception as error:
        raise _failure(error, request) from error


def _decoder(answer: Any) -> Decoder | None:
    """Return a decoder of the body that gives pieces of bounded size; None if httpx decodes it."""
    codings = codings_of(Headers(answer.headers.multi_items()))
    is_read = answer.is_stream_consumed  # by whoever made the response, such as a mock
    return Decoder(codings) if codings and OWN_CODINGS.issuperset(codings) and not is_read else None


def _why(error: Exception) -> str:
    """Return the message of an exception; what is no HTTP is quoted."""
    text = str(error)
    found = _ILLEGAL.fullmatch(text)
    return f"the answer is no HTTP: it has {found[1]!r}" if found else text


def _failure(error: Exception, request: HttpRequest) -> Exception:
    """Return what a transport raises for an exception of httpx; others are returned as they are."""
    kinds = {cls.__name__ for cls in type(error).__mro__}
    said = with_host(f"{type(error).__name__}: {_why(error)}".rstrip(": "), request.url)
    if "TimeoutException" in kinds:
        limit = type(error).__name__.removesuffix("Timeout").lower()
        return TransportTimeout(said, limit=limit if limit in _LIMITS else "")
    if isinstance(error, OSError):  # ssl.SSLError of anyio's sockets among them
        return TransportError(said, retryable="CERTIFICATE_VERIFY" not in said)
    if kinds & {"HTTPError", "StreamError", "InvalidURL", "UnicodeError"}:
        lasting = {"UnsupportedProtocol", "InvalidURL", "DecodingError", "UnicodeError"}
        is_lasting = bool(kinds & lasting) or "CERTIFICATE_VERIFY" in said
        return TransportError(said, retryable=not is_lasting)
    return error


def DefaultHttpxClient(**options: Any) -> Any:
    """Return an ``httpx.Client`` with the defaults of this library, for ``http_client=``.

    Args:
        options: Those of ``httpx.Client``, such as ``proxy`` and ``transport``.

    Raises:
        ImportError: Neither ``httpx`` nor ``httpx2`` is installed.
    """
    return _library().Client(**_defaults(options))


def DefaultAsyncHttpxClient(**options: Any) -> Any:
    """Return an ``httpx.AsyncClient``; see :func:`DefaultHttpxClient`.

    Args:
        options: Those of ``httpx.AsyncClient``.
    """
    return _library().AsyncClient(**_defaults(options))


def _library() -> Any:
    try:
        return importlib.import_module("httpx")
    except ImportError:
        return importlib.import_module("httpx2")


def _defaults(options: dict[str, Any]) -> dict[str, Any]:
    library = _library()
    limits = library.Limits(max_connections=1000, max_keepalive_connections=100)
    return {"limits": limits, "timeout": library.Timeout(600.0, connect=5.0), **options}
