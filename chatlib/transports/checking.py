"""Check, when a client is constructed, that an object is a transport.

A transport says by its methods what it is: ``send`` is called, ``asend`` is awaited.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any

from chatlib.http import HttpRequest, HttpResponse

Send = Callable[[HttpRequest], HttpResponse]
AsyncSend = Callable[[HttpRequest], Awaitable[HttpResponse]]

_USE = "Pass transport={1}({2}), with {1} from chatlib.transports.{0}"
_REQUESTS = _USE.format("requests", "RequestsTransport", "session=...")
_URLLIB3 = _USE.format("urllib3", "Urllib3Transport", "")
_AIOHTTP = _USE.format("aiohttp", "AiohttpTransport", "")
_HTTPX = "Pass http_client=..., which takes an httpx client"
_FOREIGN = {
    "aiohttp": _AIOHTTP,
    "curl_cffi": "",
    "http": "",
    "httpcore": _HTTPX,
    "httpx": _HTTPX,
    "httpx2": _HTTPX,
    "multiprocessing": "",
    "niquests": "",
    "requests": _REQUESTS,
    "socket": "",
    "urllib3": _URLLIB3,
}
"""What to do about objects of other packages, whose ``send`` takes something else."""


def check_transport(transport: object) -> None:
    """Check that an object has ``send(request)`` or ``asend(request)``.

    Args:
        transport: The object that is used as a transport.

    Raises:
        TypeError: It has neither method, it is a class, or it belongs to another HTTP library.
    """
    kind = transport if isinstance(transport, type) else type(transport)
    parts = [cls for cls in kind.__mro__ if cls is not object and _root(cls) in _FOREIGN]
    names = [name for name in ("send", "asend") if callable(getattr(transport, name, None))]
    takes_other = isinstance(transport, (Generator, AsyncGenerator)) or any(
        name in vars(cls) for cls in parts for name in ("send", "asend")
    )
    if names and not takes_other and any(_takes_request(getattr(transport, n)) for n in names):
        return
    shown = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    hint = next((_FOREIGN[_root(cls)] for cls in parts if _FOREIGN[_root(cls)]), "")
    if isinstance(transport, type):
        problem = f"transport is the class {shown}, not an instance of it"
        hint = hint or f"Pass transport={kind.__name__}(...)"
    elif takes_other or not names:
        problem = f"transport is an object of type {shown}, which is not a chatlib transport"
    else:
        problem = f"{shown}.{names[0]}() does not accept the request as its only argument"
    raise TypeError(
        f"{problem}. A transport has a method send(request: HttpRequest) -> HttpResponse, or a "
        f"coroutine method asend(request)." + (f" {hint}." if hint else "")
    )


def sync_send(transport: Any) -> Send:
    """Return the ``send`` method of a synchronous transport.

    Args:
        transport: The transport.

    Returns:
        The bound method.

    Raises:
        TypeError: The object is no transport, or an asynchronous one.
    """
    check_transport(transport)
    send: Send | None = getattr(transport, "send", None)
    name = type(transport).__name__
    if send is None or not callable(send):
        raise TypeError(
            f"{name} is an asynchronous transport: it has asend() and no send(). "
            "Use it with AsyncOpenAI"
        )
    if _is_coroutine_function(send):
        raise TypeError(
            f"{name}.send is a coroutine function, but send() is called, not awaited. "
            "Rename the method to asend and use AsyncOpenAI"
        )
    return send


def async_send(transport: Any) -> AsyncSend | None:
    """Return the method of a transport that is awaited.

    Args:
        transport: The transport.

    Returns:
        ``asend``; in transports written before it got this name, the coroutine function ``send``.
        None if the transport is synchronous.

    Raises:
        TypeError: The object is no transport.
    """
    check_transport(transport)
    asend: AsyncSend | None = getattr(transport, "asend", None)
    if asend is not None and callable(asend):
        return asend
    return transport.send if inspect.iscoroutinefunction(transport.send) else None


def check_response(response: object, method: object) -> None:
    """Check that a transport returned a response.

    Args:
        response: What its method returned.
        method: The method, whose object the error names.

    Raises:
        TypeError: It is something else, such as a coroutine, None or a response of requests.
    """
    if isinstance(response, HttpResponse) or hasattr(response, "asked_to_wait"):
        return
    owner = getattr(method, "__self__", None)
    name = "The transport" if owner is None else f"The transport {type(owner).__name__}"
    if inspect.isawaitable(response):
        close = getattr(response, "close", None)
        if close is not None:
            close()  # or Python warns that the coroutine was never awaited
        raise TypeError(
            f"{name} returned an awaitable from send(), which is called, not awaited. "
            "Rename the method to asend and use AsyncOpenAI"
        )
    raise TypeError(
        f"{name} returned an object of type {type(response).__name__}; "
        "it must return a chatlib.HttpResponse"
    )


def _root(cls: type) -> str:
    """Return the top-level package of a class."""
    return cls.__module__.partition(".")[0].lstrip("_")


def _takes_request(method: Callable[..., Any]) -> bool:
    """Whether a method can be called with one argument, as far as its signature is known."""
    kind: Any = type(method)
    if any(cls.__module__ == "unittest.mock" for cls in kind.__mro__):
        return True  # a mock takes anything; before Python 3.11, AsyncMock has a signature of none
    try:
        inspect.signature(method, follow_wrapped=False).bind(None)
    except TypeError:
        return False
    except ValueError:  # it has no signature, as some functions written in C
        pass
    return True


def _is_coroutine_function(function: Any) -> bool:
    """Whether a function is a coroutine function, possibly behind decorators or a callable."""
    inner = inspect.unwrap(function)
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(
        getattr(inner, "__call__", None)  # noqa: B004
    )
