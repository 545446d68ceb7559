"""Send with a client of ``httpx`` that the program already has.

The client's settings count: proxies, certificates, event hooks, mounted transports. It belongs to
whoever made it, and is never closed here. Neither ``httpx`` nor ``httpx2`` is imported: the module
of the client is used.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from chatlib.http import HttpRequest, HttpResponse, TransportError, TransportTimeout
from chatlib.timeouts import Timeout
from chatlib.transports._wire import sent_headers

_ENCODINGS = "gzip, deflate"  # what every httpx decodes


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
            raise _failure(error) from error
        return _response(answer, _pieces(answer), answer.close)


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
            raise _failure(error) from error
        return _response(answer, _apieces(answer), answer.aclose)


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


def _response(answer: Any, body: Any, close: Any) -> HttpResponse:
    return HttpResponse(answer.status_code, answer.headers.multi_items(), body, on_close=close)


def _pieces(answer: Any) -> Iterator[bytes]:
    try:
        yield from answer.iter_bytes()
    except Exception as error:
        raise _failure(error) from error


async def _apieces(answer: Any) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.aiter_bytes():
            yield piece
    except Exception as error:
        raise _failure(error) from error


def _failure(error: Exception) -> Exception:
    """Return what a transport raises for an exception of httpx; others are returned as they are."""
    kinds = {cls.__name__ for cls in type(error).__mro__}
    said = f"{type(error).__name__}: {error}".rstrip(": ")
    if "TimeoutException" in kinds:
        return TransportTimeout(f"timed out ({said})")
    if kinds & {"HTTPError", "StreamError", "InvalidURL"}:
        retryable = not kinds & {"UnsupportedProtocol", "InvalidURL", "DecodingError"}
        return TransportError(said, retryable=retryable and "CERTIFICATE_VERIFY" not in said)
    return error
