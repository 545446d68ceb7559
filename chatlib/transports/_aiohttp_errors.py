"""Failures of aiohttp and sockets as errors of a transport."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Iterator
from http.client import HTTPException

import aiohttp

from chatlib.headers import redact_url
from chatlib.http import TransportError, TransportTimeout
from chatlib.transports._wire import CUT_SHORT
from chatlib.urls import with_host

LONGEST_WORDS = 1000
"""How much of an exception's text is shown."""

FAILURES = (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError, HTTPException)
"""What a failed call may raise."""


def transport_error(error: BaseException, url: str) -> TransportError:
    """Convert an exception of aiohttp or the socket; clear the frames of its traceback.

    Their variables hold the request with its key.
    """
    chain = list(chain_of(error))
    for link in chain:
        link.__traceback__ = None
    if any(isinstance(link, (asyncio.TimeoutError, TimeoutError)) for link in chain):
        why = with_host("it took too long", url)
        return TransportTimeout(why, limit=_expired(error))
    why = with_host(_why(error), url)
    hopeless = any(isinstance(link, (ssl.SSLCertVerificationError, ValueError)) for link in chain)
    return TransportError(why, retryable=not hopeless)


def _expired(error: BaseException) -> str:
    """Return which timeout has expired."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "connect"
    return "read" if isinstance(error, aiohttp.SocketTimeoutError) else "total"


def _why(error: BaseException) -> str:
    """Return the message of an exception, without quotes of the request."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        words = error.message[:LONGEST_WORDS]
        return f"the proxy refused the tunnel: {error.status} {words}".rstrip()
    if isinstance(error, aiohttp.ClientResponseError):
        return f"the answer is no HTTP: {error.message[:LONGEST_WORDS]}"
    if isinstance(error, aiohttp.ClientPayloadError) and "not completed" in str(error)[:99]:
        return CUT_SHORT
    if isinstance(error, aiohttp.InvalidURL):
        return "the URL can't be sent to"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"{error.host}:{error.port}: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        why = f"{error.host}:{error.port}: {_of_system(error.os_error)}"
        by_proxy = isinstance(error, aiohttp.ClientProxyConnectionError)
        return f"the proxy failed: {why}" if by_proxy else why
    if isinstance(error, aiohttp.ClientOSError) and "write request body" in str(error)[:99]:
        return "the connection broke while the request was sent"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server closed the connection"
    if isinstance(error, ValueError) and not isinstance(error, aiohttp.ClientError):
        return f"the request can't be sent: {type(error).__name__}"  # its words may quote a header
    return str(error)[:LONGEST_WORDS] or type(error).__name__


def _of_system(error: OSError) -> str:
    """Return the message of the system, where asyncio has one of its own."""
    if error.errno and "Connect call failed" in str(error):
        return f"[Errno {error.errno}] {os.strerror(error.errno)}"
    return str(error)[:LONGEST_WORDS]


def showable(error: BaseException, url: str) -> BaseException:
    """Return the exception, or a replacement if it quotes the request, which may have secrets."""
    if not isinstance(error, (aiohttp.ClientResponseError, ValueError)) and redact_url(url) == url:
        return error
    inner = list(chain_of(error))[-1]
    return inner if type(inner) is OSError else aiohttp.ClientError(_why(error))


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its causes, outermost first."""
    seen: list[BaseException] = []
    while error is not None and not any(error is known for known in seen):
        seen.append(error)
        yield error
        context = error.__context__
        # Further down the context leaves the network and reaches what the caller was handling.
        below = context if isinstance(context, (*FAILURES, asyncio.CancelledError)) else None
        carried = getattr(error, "certificate_error", None) or getattr(error, "os_error", None)
        error = carried or error.__cause__ or below
