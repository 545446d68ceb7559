"""Failures of urllib3, requests and sockets as errors of a transport."""

from __future__ import annotations

import http.client
import re
import sys
import zlib
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any

import urllib3

from chatlib.headers import redact_url
from chatlib.http import TransportError, TransportTimeout
from chatlib.transports._wire import CUT_SHORT
from chatlib.urls import with_host

LONGEST_WORDS = 1000
"""How much of an exception's text is looked at."""


def transport_error(error: BaseException, url: str = "") -> TransportError:
    """Convert an exception of urllib3, requests or the socket.

    The frames that it went through are forgotten: their variables hold the request with its key,
    and some tools print the variables of a traceback.
    """
    chain = list(chain_of(error))
    for link in chain:
        link.__traceback__ = None
    why = with_host(_why(chain), url)
    if any(map(_is_timeout, chain)):
        limit = _expired(chain, why) if "timed out" in why or "timeout" in why else ""
        return TransportTimeout(why, limit=limit)
    final = (urllib3.exceptions.LocationValueError, urllib3.exceptions.DecodeError, ValueError)
    hopeless = "CERTIFICATE_VERIFY_FAILED" in why or any(isinstance(e, final) for e in chain)
    return TransportError(why, retryable=not hopeless)


def _expired(chain: list[BaseException], why: str) -> str:
    """Return which timeout has expired."""
    kinds = [urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.NewConnectionError]
    requests: Any = sys.modules.get("requests")
    if requests is not None:
        kinds.append(requests.ConnectTimeout)
    if any(isinstance(link, tuple(kinds)) for link in chain):
        return "connect"
    return "write" if "write" in why else "read"


def _is_timeout(error: BaseException) -> bool:
    if isinstance(error, urllib3.exceptions.NewConnectionError):  # a timeout only by its class
        return False
    kinds = [TimeoutError, urllib3.exceptions.TimeoutError]
    requests = sys.modules.get("requests")  # which need not be loaded
    if requests is not None:
        kinds.append(requests.Timeout)
    return isinstance(error, tuple(kinds))


def showable(error: BaseException, url: str) -> BaseException:
    """Return the exception, or its cause if it quotes the URL, whose query may have secrets."""
    return error if redact_url(url) == url else list(chain_of(error))[-1]


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, its causes and the exceptions in its arguments, outermost first."""
    seen: list[BaseException] = []
    todo = [error]
    while todo:
        link = todo.pop(0)
        if link is None or any(link is known for known in seen):
            continue
        seen.append(link)
        yield link
        carried = [getattr(link, "reason", None), *link.args]
        todo += [item for item in carried if isinstance(item, BaseException)]
        todo.append(link.__cause__)
        # Further down the context leaves the network and reaches what the caller was handling.
        if isinstance(link.__context__, (OSError, HTTPException, urllib3.exceptions.HTTPError)):
            todo.append(link.__context__)


def _why(chain: list[BaseException]) -> str:
    """Return the message of the innermost exception, without object addresses."""
    words = list(filter(None, map(_words, chain)))
    late = [link for link in chain if isinstance(link, TimeoutError) and _words(link)]
    if late:  # what was cut off because it took too long also ends in some other way
        words.append(_words(late[0]))
    innermost = words[-1] if words else type(chain[0]).__name__
    for link in chain:
        # The name that could not be resolved, the address that did not answer.
        if isinstance(link, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.SSLError)):
            innermost = _words(link)
    if any(isinstance(link, http.client.IncompleteRead) for link in chain):
        innermost = CUT_SHORT
    if any(isinstance(link, (urllib3.exceptions.DecodeError, zlib.error)) for link in chain):
        innermost = f"the response is not encoded as its Content-Encoding says: {innermost}"
    if any(isinstance(link, urllib3.exceptions.ProxyError) for link in chain):
        innermost = f"the proxy failed: {innermost}"
    text = re.sub(r"<[^<>]{1,200} object at 0x[0-9a-f]+>:? ?", "", innermost)
    text = re.sub(r"\b\w*(?:Connection|Pool)\w*\(host='([^']*)', port=(\d+)\)", r"\1:\2", text)
    return text.rstrip(".")


def _words(error: BaseException) -> str:
    """Return an exception's text: its beginning, as it may quote all that a server sent."""
    return str(error)[:LONGEST_WORDS]
