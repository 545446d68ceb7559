"""Clients of httpx and requests that carry calls, by ``http_client=``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from chatlib import AsyncOpenAI, OpenAI
from chatlib.errors import APIConnectionError, APITimeoutError
from chatlib.testing.loopback import Reply, Server, chunk, completion, sse
from chatlib.transports.httpx import HttpxTransport

httpx = pytest.importorskip("httpx")

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
OK = Reply.json(completion("ok"))
EVENTS = Reply.stream([sse(chunk("a"), chunk("b", finish="stop"))])


@pytest.fixture(params=["httpx", "httpx2", "requests"])
def http_client(request: pytest.FixtureRequest) -> Iterator[Any]:
    library = requests if request.param == "requests" else pytest.importorskip(request.param)
    with (library.Session if library is requests else library.Client)() as made:
        yield made


def test_a_client_carries_calls(http_client: Any) -> None:
    """Whole answers and streams; the client stays open for its owner."""
    with Server(OK, EVENTS, OK) as server:
        with OpenAI(api_key="k", base_url=server.url, http_client=http_client) as client:
            assert "ok" == client.chat.completions.create(**ASK).text
            stream = client.chat.completions.create(**ASK, stream=True)
            assert ["a", "b"] == [each.text for each in stream]
        assert 200 == http_client.post(f"{server.url}/chat/completions", json={}).status_code
    sent = server.requests[0].headers
    assert "Bearer k" == sent["authorization"]
    assert "chatlib" in sent["user-agent"]


async def _awaited(name: str, url: str) -> list[str]:
    library = pytest.importorskip(name)
    async with library.AsyncClient() as http_client:
        client = AsyncOpenAI(api_key="k", base_url=url, http_client=http_client)
        answer = await client.chat.completions.create(**ASK)
        stream = await client.chat.completions.create(**ASK, stream=True)
        texts = [answer.text, *[each.text async for each in stream]]
        await client.close()
        assert not http_client.is_closed
    return texts


@pytest.mark.parametrize("name", ["httpx", "httpx2"])
def test_an_awaited_client_carries_calls(name: str) -> None:
    """An ``AsyncClient`` does."""
    import asyncio

    pytest.importorskip(name)
    with Server(OK, EVENTS) as server:
        assert ["ok", "a", "b"] == asyncio.run(_awaited(name, server.url))


def test_default_clients() -> None:
    """They are made with the limits of the official package's, and take httpx's options."""
    import chatlib

    with Server(OK) as server, chatlib.DefaultHttpxClient(headers={"X-A": "1"}) as made:
        assert (5.0, 600.0) == (made.timeout.connect, made.timeout.read)
        client = OpenAI(api_key="k", base_url=server.url, http_client=made)
        assert "ok" == client.chat.completions.create(**ASK).text
    assert "1" == server.requests[0].headers["x-a"]
    assert isinstance(chatlib.DefaultAsyncHttpxClient(), httpx.AsyncClient)


def test_failures() -> None:
    """They are those of any transport."""
    with httpx.Client() as http_client:
        with Server(Reply.nothing(delay=30)) as server:
            settings = {"api_key": "k", "base_url": server.url, "max_retries": 0}
            client = OpenAI(**settings, http_client=http_client, timeout=0.2)
            with pytest.raises(APITimeoutError):
                client.chat.completions.create(**ASK)
        with pytest.raises(APIConnectionError, match=r"127\.0\.0\.1.*ConnectError") as caught:
            client.chat.completions.create(**ASK)
    assert isinstance(caught.value.__cause__, httpx.ConnectError)


def test_the_clients_own_settings_count() -> None:
    """Its transport, which tests replace, and its hooks."""
    seen = []

    def answer(request: Any) -> Any:
        seen.append(request.url.path)
        return httpx.Response(200, json=completion("mocked"))

    mocked = httpx.Client(transport=httpx.MockTransport(answer))
    client = OpenAI(api_key="k", http_client=mocked)
    assert "mocked" == client.chat.completions.create(**ASK).text
    assert ["/v1/chat/completions"] == seen


@pytest.mark.parametrize("wrong", ["text", 5, object(), httpx.Client])
def test_what_is_no_client(wrong: Any) -> None:
    """It is named, with what to pass."""
    with pytest.raises(TypeError, match=r"http_client is .*httpx\.Client"):
        OpenAI(api_key="k", http_client=wrong)
    with pytest.raises(TypeError, match="both"):
        OpenAI(api_key="k", http_client=httpx.Client(), transport=HttpxTransport(httpx.Client()))
