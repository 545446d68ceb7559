"""Transports for the clients of other HTTP libraries, as ``http_client=`` takes them."""

from __future__ import annotations

from typing import Any


def transport_of(client: Any) -> Any:
    """Return a transport that sends with a client, which stays the caller's to close.

    Args:
        client: An ``httpx.Client`` or ``httpx.AsyncClient``, a ``requests.Session``, or a transport
            of this library.

    Raises:
        TypeError: It is none of them.
    """
    cls = type(client)
    homes = {(base.__module__.partition(".")[0], base.__name__) for base in cls.__mro__}
    for library in ("httpx", "httpx2"):
        if (library, "Client") in homes:
            from chatlib.transports.httpx import HttpxTransport

            return HttpxTransport(client)
        if (library, "AsyncClient") in homes:
            from chatlib.transports.httpx import AsyncHttpxTransport

            return AsyncHttpxTransport(client)
    if ("requests", "Session") in homes:
        from chatlib.transports.requests import RequestsTransport

        return RequestsTransport(client)
    if any(home == "chatlib" for home, _ in homes):
        return client
    raise TypeError(
        f"http_client is a {cls.__module__}.{cls.__qualname__}; it must be an httpx.Client, an "
        "httpx.AsyncClient or a requests.Session; transport= takes anything with send(request)"
    )
