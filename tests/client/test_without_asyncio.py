"""Where asyncio does not run, as under trio, an awaited call says what to use."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import trio

from chatlib import AsyncOpenAI, OpenAI, arun_many, atool_results
from chatlib.testing import InMemoryServer, answer
from chatlib.testing.loopback import Reply, Server, completion
from chatlib.transports.aiohttp import AiohttpTransport
from chatlib.transports.threads import ThreadTransport
from chatlib.transports.urllib3 import Urllib3Transport

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
WHAT_TO_USE = r"need asyncio, and {}: .*asyncio\.run\(\).*trio\.to_thread\.run_sync\(\).*trio-asyn"


def by_trio(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run some work under trio."""
    return trio.run(work)


def by_hand(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run some work where no event loop runs at all."""
    coroutine: Any = work()
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    finally:
        coroutine.close()
    raise AssertionError("it waits for something")


RUNNERS = [
    pytest.param(by_trio, "trio is running", id="trio"),
    pytest.param(by_hand, "no event loop is running", id="nothing"),
]


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that answers."""
    with Server(lambda request: Reply.json(completion("ok"))) as running:
        yield running


@pytest.fixture(params=["default", "aiohttp", "threads", "plain", "in memory"])
def client(request: pytest.FixtureRequest, server: Server) -> AsyncOpenAI:
    """A client over each transport, also over one that needs no loop."""
    made: dict[str, Callable[[], Any]] = {
        "default": lambda: None,
        "aiohttp": AiohttpTransport,
        "threads": lambda: ThreadTransport(Urllib3Transport()),
        "plain": Urllib3Transport,
        "in memory": lambda: InMemoryServer(default="ok"),
    }
    return AsyncOpenAI(api_key="k", base_url=server.url, transport=made[request.param]())


async def _create(client: AsyncOpenAI) -> None:
    await client.chat.completions.create(**ASK)


async def _stream(client: AsyncOpenAI) -> None:
    await client.chat.completions.create(**ASK, stream=True)


async def _events(client: AsyncOpenAI) -> None:
    async with client.chat.completions.stream(**ASK):
        pass


async def _raw(client: AsyncOpenAI) -> None:
    await client.chat.completions.with_raw_response.create(**ASK)


async def _streamed(client: AsyncOpenAI) -> None:
    async with client.chat.completions.with_streaming_response.create(**ASK):
        pass


async def _limited(client: AsyncOpenAI) -> None:
    from chatlib import Timeout

    await client.chat.completions.create(**ASK, timeout=Timeout(total=5))


async def _inside_with(client: AsyncOpenAI) -> None:
    async with client:
        await _create(client)


async def _many(client: AsyncOpenAI) -> None:
    async for _ in arun_many(client, [ASK]):
        pass


CALLS = [_create, _stream, _events, _raw, _streamed, _limited, _inside_with, _many]


@pytest.mark.parametrize(("run", "told"), RUNNERS)
@pytest.mark.parametrize("call", CALLS)
def test_calls(
    call: Callable[[AsyncOpenAI], Awaitable[None]],
    run: Callable[..., Any],
    told: str,
    client: AsyncOpenAI,
    server: Server,
) -> None:
    """Nothing is sent, and the error says what to use; a loop can use the client afterwards."""

    async def work() -> None:
        try:
            await call(client)
        finally:
            await client.close()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeError, match=WHAT_TO_USE.format(told)):
            run(work)
    assert [] == server.requests

    async def later() -> str | None:
        async with client:
            return (await client.chat.completions.create(**ASK)).text

    assert "ok" == asyncio.run(later())


@pytest.mark.parametrize(("run", "told"), RUNNERS)
def test_tools(run: Callable[..., Any], told: str) -> None:
    """Tools that are awaited run as tasks of asyncio."""

    async def weather(city: str) -> str:
        """The weather in a city."""
        return city

    function = {"name": "weather", "arguments": '{"city": "Paris"}'}
    calls = [{"id": "c", "type": "function", "function": function}]
    server = InMemoryServer(answer(tool_calls=calls))
    completion = OpenAI(api_key="k", transport=server).chat.completions.create(**ASK)
    with pytest.raises(RuntimeError, match=WHAT_TO_USE.format(told)):
        run(lambda: atool_results(completion, [weather]))


def test_what_the_error_names(server: Server) -> None:
    """The synchronous client on a thread of trio's, as the error advises, works."""
    client = OpenAI(api_key="k", base_url=server.url)

    def ask() -> str | None:
        return client.chat.completions.create(**ASK).text

    async def work() -> str | None:
        return await trio.to_thread.run_sync(ask)

    assert "ok" == trio.run(work)
    client.close()
