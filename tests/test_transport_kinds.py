"""What a client takes as a transport, what it refuses, and what it says."""

from __future__ import annotations

import asyncio
import functools
import http.client
import socket
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import AsyncMock, Mock

import aiohttp
import pytest
import requests
import urllib3

from chatlib import AsyncOpenAI, HttpRequest, HttpResponse, OpenAI
from chatlib.testing import InMemoryServer, RecordingTransport
from chatlib.transports.aiohttp import AiohttpTransport
from chatlib.transports.requests import RequestsTransport
from chatlib.transports.threads import ThreadTransport

try:
    import httpx2 as httpx  # of the official package
except ImportError:
    httpx = types.SimpleNamespace(  # type: ignore[assignment]
        Client=type("Client", (), {"send": lambda *_: None, "__module__": "httpx"}),
        AsyncClient=type("AsyncClient", (), {"send": lambda *_: None, "__module__": "httpx"}),
        HTTPTransport=type("HTTPTransport", (), {"__module__": "httpx"}),
    )

BODY = b'{"choices": [{"message": {"content": "ok"}}]}'
ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def with_wraps(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


def without_wraps(function: Callable[..., Any]) -> Callable[..., Any]:
    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


def awaiting(function: Callable[..., Any]) -> Callable[..., Any]:
    async def inner(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return inner


class Callable_:
    """A callable object, as some decorators return."""

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, {}, BODY)


async def answer(self: Any, request: HttpRequest) -> HttpResponse:
    """Answer like a server, in an event loop."""
    await asyncio.sleep(0)
    return HttpResponse(200, {}, BODY)


DECORATORS: dict[str, Callable[[Any], Any]] = {
    "plain": lambda function: function,
    "with_wraps": with_wraps,
    "without_wraps": without_wraps,
    "awaiting": awaiting,
    "both": lambda function: without_wraps(with_wraps(function)),
}


def named(name: str, method: Any) -> Any:
    """A transport with one method."""
    return type("Mine", (), {name: method})()


def text_of(transport: Any) -> str | None:
    """The answer of an asynchronous client."""

    async def main() -> str | None:
        async with AsyncOpenAI(api_key="k", transport=transport) as client:
            return (await client.chat.completions.create(**ASK)).text

    return asyncio.run(main())


@pytest.mark.parametrize("decorator", DECORATORS)
@pytest.mark.parametrize("name", ["asend", "send"])
def test_decorated_coroutines_are_awaited(name: str, decorator: str) -> None:
    """By AsyncOpenAI, whatever the decorator; also where the coroutine has its older name."""
    assert "ok" == text_of(named(name, DECORATORS[decorator](answer)))


@pytest.mark.parametrize("name", ["asend", "send"])
def test_callable_objects_are_awaited(name: str) -> None:
    """A method may be an object that is called."""
    assert "ok" == text_of(types.SimpleNamespace(**{name: Callable_()}))
    assert "ok" == text_of(types.SimpleNamespace(**{name: functools.partial(answer, None)}))
    assert "ok" == text_of(
        types.SimpleNamespace(**{name: AsyncMock(return_value=HttpResponse(200, {}, BODY))})
    )


@pytest.mark.parametrize("decorator", DECORATORS)
def test_the_synchronous_client_refuses_coroutines(decorator: str) -> None:
    """When it is made, where that can be told; else at the first call, by the same advice."""
    with pytest.raises(TypeError, match=r"Mine is an asynchronous transport.* AsyncOpenAI"):
        OpenAI(api_key="k", transport=named("asend", DECORATORS[decorator](answer)))
    transport = named("send", DECORATORS[decorator](answer))
    with pytest.raises(TypeError, match=r"called, not awaited\. Rename the method to asend"):
        OpenAI(api_key="k", transport=transport).chat.completions.create(**ASK)
    if decorator in ("plain", "with_wraps", "awaiting"):
        with pytest.raises(TypeError, match=r"Mine\.send is a coroutine function"):
            OpenAI(api_key="k", transport=transport)
        with pytest.raises(TypeError, match=r"Mine\.send is a coroutine function"):
            OpenAI(api_key="k").with_options(transport=transport)


def test_older_transports_are_closed() -> None:
    """Also behind a decorator: their aclose is awaited."""
    closed = []

    class Older:
        send = without_wraps(answer)

        async def close(self) -> None:
            closed.append(self)

    assert "ok" == text_of(Older())
    assert 1 == len(closed)


def test_streams_of_decorated_coroutines() -> None:
    """The body of what they return is iterated asynchronously."""

    class Mine:
        @without_wraps
        async def send(self, request: HttpRequest) -> HttpResponse:
            async def body() -> Any:
                yield b'data: {"choices": [{"delta": {"content": "ok"}, "finish_reason": "stop"}]}'
                yield b"\n\ndata: [DONE]\n\n"

            return HttpResponse(200, {"content-type": "text/event-stream"}, body())

    async def main() -> list[str | None]:
        async with AsyncOpenAI(api_key="k", transport=Mine()) as client:
            stream = await client.chat.completions.create(**ASK, stream=True)
            return [chunk.text async for chunk in stream]

    assert ["ok"] == asyncio.run(main())


class MySession(requests.Session):
    def send(self, request: Any, **options: Any) -> Any:
        return super().send(request, **options)


def generator() -> Iterator[None]:
    yield


FOREIGN: dict[str, tuple[Callable[[], Any], str]] = {
    "session": (requests.Session, r"RequestsTransport\(session=\.\.\.\)"),
    "session of a subclass": (MySession, r"RequestsTransport\(session=\.\.\.\)"),
    "class of sessions": (lambda: requests.Session, r"class requests.sessions.Session"),
    "adapter": (requests.adapters.HTTPAdapter, r"RequestsTransport\(session=\.\.\.\)"),
    "httpx": (httpx.Client, r"Pass http_client=\.\.\."),
    "httpx, awaited": (httpx.AsyncClient, r"Pass http_client=\.\.\."),
    "httpx transport": (httpx.HTTPTransport, r"Pass http_client=\.\.\."),
    "urllib3": (urllib3.PoolManager, r"Urllib3Transport\(\)"),
    "class of aiohttp": (lambda: aiohttp.ClientSession, r"AiohttpTransport\(\)"),
    "http.client": (lambda: http.client.HTTPConnection("a.test"), "http.client.HTTPConnection"),
    "socket": (socket.socket, "socket.socket"),
    "generator": (generator, "type generator, which is not"),
    "class": (lambda: RequestsTransport, r"the class .*RequestsTransport.*RequestsTransport\(\.\."),
    "awaited class": (lambda: AiohttpTransport, "the class .*AiohttpTransport, not an instance"),
    "client": (lambda: OpenAI(api_key="k"), "OpenAI, which is not a chatlib transport"),
    "function": (lambda: lambda request: None, "type function"),
    "text": (lambda: "requests", "type str"),
    "False": (lambda: False, "type bool"),
    "empty dict": (dict, "type dict"),
    "zero": (lambda: 0, "type int"),
    "object": (object, "type object"),
    "module": (lambda: requests, "type module"),
    "no method": (lambda: types.SimpleNamespace(send=None, asend=7), "SimpleNamespace"),
    "two arguments": (
        lambda: types.SimpleNamespace(send=lambda method, url: None),
        r"send\(\) does not accept the request as its only argument",
    ),
    "none": (
        lambda: named("asend", lambda self: None),
        r"asend\(\) does not accept the request as its only argument",
    ),
}


@pytest.mark.parametrize("client", [OpenAI, AsyncOpenAI])
@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_no_transport_is_refused(what: str, client: Any) -> None:
    """When the client is made or copied, with what to do about it."""
    make, says = FOREIGN[what]
    given = make()
    for build in (
        lambda: client(api_key="k", transport=given),
        lambda: client(api_key="k").with_options(transport=given),
        lambda: ThreadTransport(given),
    ):
        with pytest.raises(TypeError, match=says) as caught:
            build()
        assert "send(request: HttpRequest) -> HttpResponse" in str(caught.value)
    if hasattr(given, "close") and not isinstance(given, (type, httpx.AsyncClient)):
        given.close()


def test_recordings_refuse_what_is_no_transport(tmp_path: Any) -> None:
    """When they are made, too."""
    with pytest.raises(TypeError, match="RequestsTransport"):
        RecordingTransport(tmp_path / "a.json", requests.Session())  # type: ignore[arg-type]


def test_threads_over_what_is_awaited() -> None:
    """Is no use, and is refused."""
    with pytest.raises(TypeError, match="AiohttpTransport is asynchronous already"):
        ThreadTransport(AiohttpTransport())  # type: ignore[arg-type]


class Falsy:
    """A transport that is false, as one that has a length of 0."""

    closed = 0

    def __len__(self) -> int:
        return 0

    def send(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, {}, BODY)

    def close(self) -> None:
        self.closed += 1


def test_what_is_taken() -> None:
    """Objects of all kinds with a method for a request; a false one is used and closed as well."""
    falsy = Falsy()
    with OpenAI(api_key="k", transport=falsy) as client:
        assert falsy is client.transport
        assert "ok" == client.chat.completions.create(**ASK).text
    assert 1 == falsy.closed
    assert "ok" == text_of(falsy)

    class Static:
        @staticmethod
        def send(request: HttpRequest, retries: int = 3) -> HttpResponse:
            return HttpResponse(200, {}, BODY)

    class Adding:
        """With a decorator that adds an argument."""

        def _add(function: Any) -> Any:
            @functools.wraps(function)
            def inner(self: Any, request: HttpRequest) -> Any:
                return function(self, request, "token")

            return inner

        @_add
        def send(self, request: HttpRequest, token: str) -> HttpResponse:
            return HttpResponse(200, {}, BODY)

    class Session(httpx.HTTPTransport):
        """A class of another library's that was taught to be a transport."""

        def send(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse(200, {}, BODY)

    mock = Mock(spec=["send"], send=Mock(return_value=HttpResponse(200, {}, BODY)))
    space = types.SimpleNamespace(send=lambda request: HttpResponse(200, {}, BODY))
    for transport in (Static(), Static, Adding(), Session(), mock, space, InMemoryServer("ok")):
        client = OpenAI(api_key="k", transport=transport)  # type: ignore[arg-type]
        assert "ok" == client.chat.completions.create(**ASK).text


def test_plain_transports_run_on_threads() -> None:
    """Under AsyncOpenAI, so that they do not block the loop."""
    threads = []

    class Plain:
        @with_wraps
        def send(self, request: HttpRequest) -> HttpResponse:
            threads.append(threading.current_thread())
            return HttpResponse(200, {}, BODY)

    assert "ok" == text_of(Plain())
    assert [] == [thread for thread in threads if thread is threading.main_thread()]


@pytest.mark.parametrize("returned", [None, {"status": 200}, requests.Response()])
def test_what_is_no_response(returned: Any) -> None:
    """Is told by its type."""
    kind = type(returned).__name__
    says = f"transport.* returned an object of type {kind}; it must return a chatlib.HttpResponse"
    transport = types.SimpleNamespace(send=lambda request: returned)
    with pytest.raises(TypeError, match=says):
        OpenAI(api_key="k", transport=transport).chat.completions.create(**ASK)

    class Awaited:
        async def asend(self, request: HttpRequest) -> Any:
            return returned

    with pytest.raises(TypeError, match=says):
        text_of(Awaited())
