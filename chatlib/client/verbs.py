"""``client.get``, ``post``, ``put``, ``patch``, ``delete``: requests to any path of the server."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partialmethod
from typing import Any

from chatlib.client.casting import cast
from chatlib.http import HttpResponse
from chatlib.wire.codec import to_json, to_request
from chatlib.wire.request import Operation
from chatlib.wire.response import raise_for_status

_OPTIONS = {
    "headers": "extra_headers",
    "params": "extra_query",
    "extra_json": "extra_body",
    "timeout": "timeout",
    "max_retries": "max_retries",
    "idempotency_key": "idempotency_key",
}
"""The keys of ``options`` in the official package, and their names here, which work too."""


def verb_operation(
    method: str, path: str, cast_to: Any, body: Any, options: Mapping[str, Any], stream: bool
) -> Operation[Any]:
    """Return the operation of a request to any path.

    Args:
        method: The HTTP method.
        path: The path after the base URL.
        cast_to: The type of the result, see :func:`chatlib.client.casting.cast`.
        body: The body: a dict, or bytes.
        options: Headers, query parameters and request options.
        stream: Whether to return a stream of chunks.

    Raises:
        TypeError: An option is unknown.
    """
    known = {**_OPTIONS, **{name: name for name in _OPTIONS.values()}}
    for name in options:
        if name not in known:
            raise TypeError(f"{method.lower()}() has no option {name!r}: {', '.join(known)}")
    own: Any = {known[name]: value for name, value in options.items()}
    extra = own.pop("extra_body", None)
    if extra:
        body = {**(body or {}), **extra}

    def read(response: HttpResponse) -> Any:
        raise_for_status(response)
        return cast(response, cast_to)

    content = (
        b"" if body is None else body if isinstance(body, bytes) else to_json(to_request(body))
    )
    return Operation(
        method=method,
        path=path if path.startswith("/") else f"/{path}",
        read=read,
        options=own,
        content=b"" if body is None else content,
        is_stream=stream,
    )


class Verbs:
    """The methods of HTTP, for endpoints that chatlib has no method for."""

    perform: Any

    def _request(
        self,
        method: str,
        path: str,
        *,
        cast_to: Any = object,
        body: Any = None,
        options: Mapping[str, Any] | None = None,
        stream: bool = False,
        stream_cls: Any = None,
    ) -> Any:
        """Send a request to any path of the server.

        Args:
            method: The HTTP method.
            path: The path after the base URL, such as "/embeddings".
            cast_to: The type of the result: ``dict``, ``str``, ``bytes``, ``HttpResponse``, a class
                of :mod:`chatlib.types`, a pydantic model, an attrs class or a dataclass.
            body: The body, sent as JSON.
            options: ``headers``, ``params`` (the query), ``timeout``, ``max_retries``,
                ``idempotency_key`` and ``extra_json``.
            stream: Whether to return a stream of chunks.
            stream_cls: Makes no difference: a stream is always one of chunks.

        Returns:
            The result; of an asynchronous client, an awaitable of it.

        Raises:
            APIError: The request failed.
            TypeError: An option is unknown.
        """
        operation = verb_operation(method, path, cast_to, body, options or {}, stream)
        return self.perform(operation)

    get = partialmethod(_request, "GET")
    post = partialmethod(_request, "POST")
    put = partialmethod(_request, "PUT")
    patch = partialmethod(_request, "PATCH")
    delete = partialmethod(_request, "DELETE")
