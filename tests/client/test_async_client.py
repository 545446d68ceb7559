"""The asynchronous client over real sockets: many at once, cancelled, from loop to loop, dropped.

Over aiohttp, and over a synchronous transport on threads; what holds for both faces is tested with
the synchronous one.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import os
import socket
import sys
import threading
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chatlib import (
    APIConnectionError,
    APITimeoutError,
    AsyncOpenAI,
    AuthenticationError,
    HttpRequest,
    HttpResponse,
    OpenAIError,
    Timeout,
    ToolMessage,
)
from chatlib.testing import InMemoryServer, completion, error, stream
from chatlib.testing.loopback import Reply, Server, chunk, sse
from chatlib.transports.aiohttp import AiohttpTransport
from chatlib.transports.requests import RequestsTransport
from chatlib.transports.threads import ThreadTransport
from chatlib.transports.urllib3 import Urllib3Transport
from tests.faces import wait_for
from tests.frames import library_frames

ASK: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
TRANSPORTS: dict[str, Callable[[], Any]] = {
    "aiohttp": AiohttpTransport,
    "threads": lambda: ThreadTransport(Urllib3Transport()),
}


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Callable[[], Any]:
    """Makes a transport."""
    return TRANSPORTS[request.param]


def run(
    work: Callable[[AsyncOpenAI], Awaitable[Any]], url: str, transport: Any, **more: Any
) -> Any:
    """Do some work with a client; afterwards nothing is left of it."""

    async def main() -> Any:
        async with AsyncOpenAI(api_key="k", base_url=url, transport=transport(), **more) as client:
            result = await work(client)
        assert {asyncio.current_task()} == asyncio.all_tasks()
        return result

    before = set(threading.enumerate())
    result = asyncio.run(main(), debug=False)
    assert wait_for(lambda: set(threading.enumerate()) <= before), threading.enumerate()
    return result


# Many at once


def streaming(listener: socket.socket) -> None:
    """A server of streams of its own process: as many chunks as ``max_tokens`` says."""

    async def serve() -> None:
        server = await asyncio.start_server(converse, sock=listener, limit=1 << 20)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(server.serve_forever(), 300)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            body = (await reader.readexactly(size)).decode()
            count = int(body.partition('"max_tokens":')[2].split(",")[0].rstrip("}"))
            name = body.partition('"content":"')[2].partition('"')[0]
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                b"transfer-encoding: chunked\r\n\r\n"
            )
            events = [sse(chunk(f"{name}-{at} "), done=False) for at in range(count)]
            for event in [*events, sse(chunk(finish="stop")), b""]:
                writer.write(b"%x\r\n%s\r\n" % (len(event), event))
                if len(event) % 7 == 0:
                    await writer.drain()
            await writer.drain()

    asyncio.run(serve())


@pytest.fixture(scope="module")
def streams() -> Iterator[str]:
    """The base URL of that server."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=streaming, args=(listener,), daemon=True)
        process.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        process.kill()
        process.join(10)


def memory() -> int:
    """What this process holds in memory now, in KiB."""
    return (
        int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
        * os.sysconf("SC_PAGE_SIZE")
        // 1024
    )


def sockets() -> int:
    """How many sockets this process has open."""
    found = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found += os.readlink(entry).startswith("socket:")
        except OSError:  # gone meanwhile
            continue
    return found


linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@linux
@pytest.mark.parametrize("many_of", [40, pytest.param(200, marks=pytest.mark.slow)])
def test_many_streams_at_once(streams: str, transport: Any, many_of: int) -> None:
    """Of as many chunks each, on one loop: each word arrives, in its place; no socket is left."""

    async def one(client: AsyncOpenAI, name: str, count: int) -> None:
        ask = {"model": "m", "messages": [{"role": "user", "content": name}], "max_tokens": count}
        stream = await client.chat.completions.create(**ask, stream=True)  # type: ignore[call-overload]
        texts = [piece.text async for piece in stream]
        assert [f"{name}-{at} " for at in range(count)] == [text for text in texts if text]

    async def many(client: AsyncOpenAI) -> None:
        await asyncio.gather(*(one(client, f"s{number}", many_of) for number in range(many_of)))

    before = sockets()
    run(many, streams, transport)
    assert wait_for(lambda: sockets() <= before)


@linux
@pytest.mark.parametrize("many_of", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_memory_is_steady(streams: str, transport: Any, many_of: int) -> None:
    """Round after round of streams takes no more of it."""
    held: list[int] = []

    async def one(client: AsyncOpenAI) -> None:
        stream = await client.chat.completions.create(**ASK, max_tokens=20, stream=True)
        assert 21 == len([piece async for piece in stream])

    async def rounds(client: AsyncOpenAI) -> None:
        for _ in range(10):
            await asyncio.gather(*(one(client) for _ in range(many_of)))
            gc.collect()
            held.append(memory())

    run(rounds, streams, transport)
    assert max(held[5:]) - held[4] < 4096, held


# Cancelled

SILENT = Reply(delay=30)
ENDLESS = Reply.stream([sse(chunk("Hi"), done=False), 30.0])
WAITS: dict[str, tuple[Reply, bool]] = {
    "before the headers": (SILENT, False),
    "inside a body": (Reply(body=[b"{", 30.0]), False),
    "before the headers of a stream": (SILENT, True),
    "inside a stream": (ENDLESS, True),
}


@pytest.mark.parametrize(("reply", "stream"), WAITS.values(), ids=WAITS)
@pytest.mark.parametrize("how", ["cancel", "timeout"])
def test_cancelling(reply: Reply, stream: bool, how: str, transport: Any) -> None:
    """A task that is cancelled closes its connection at once; the next call works."""
    with Server(reply, Reply.json(completion("ok"))) as server:

        async def call(client: AsyncOpenAI) -> None:
            answer = await client.chat.completions.create(**ASK, stream=stream)
            if stream:
                async for _ in answer:
                    pass

        async def work(client: AsyncOpenAI) -> str:
            started = time.monotonic()
            if how == "timeout":
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(call(client), 0.3)
            else:
                task = asyncio.create_task(call(client))
                assert await asyncio.to_thread(server.wait, lambda: server.requests)
                await asyncio.sleep(0.1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert time.monotonic() - started < 10
            assert await asyncio.to_thread(server.wait, lambda: server.open == 0)
            return (await client.chat.completions.create(**ASK)).text

        assert "ok" == run(work, server.url, transport)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout is of Python 3.11")
def test_asyncio_timeout(transport: Any) -> None:
    """asyncio.timeout ends a call, and is a TimeoutError of its own."""
    with Server(ENDLESS) as server:

        async def work(client: AsyncOpenAI) -> list[str]:
            seen: list[str] = []

            async def read() -> None:
                async for piece in await client.chat.completions.create(**ASK, stream=True):
                    seen.append(piece.text)

            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await read()
            return seen

        assert ["Hi"] == run(work, server.url, transport)
        assert server.wait(lambda: server.open == 0)


def test_a_cancelled_wait_for_the_next_attempt() -> None:
    """The sleep between attempts stops at once, and nothing more is sent."""
    server = InMemoryServer(default=error(503, headers={"retry-after": "60"}))

    async def main() -> None:
        async with AsyncOpenAI(api_key="k", transport=server) as client:
            task = asyncio.create_task(client.chat.completions.create(**ASK))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    started = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - started < 5
    assert 1 == len(server.requests)


# Left early, closed, dropped


@pytest.mark.parametrize("how", ["break", "close", "with", "drop", "raise"])
def test_a_stream_that_is_left_early(how: str, transport: Any) -> None:
    """Its connection is closed, whichever way it is left."""
    with Server(ENDLESS) as server:

        async def leave(client: AsyncOpenAI) -> None:
            stream = await client.chat.completions.create(**ASK, stream=True)
            if how == "break":
                async for _ in stream:
                    break
            elif how == "close":
                await anext(stream)
                await stream.close()
                assert [] == [piece async for piece in stream]
            elif how == "with":
                async with stream:
                    await anext(stream)
            elif how == "raise":
                async for _ in stream:
                    raise ZeroDivisionError

        async def work(client: AsyncOpenAI) -> None:
            try:
                await leave(client)
            except ZeroDivisionError:
                assert how == "raise"
            assert await asyncio.to_thread(server.wait, lambda: server.open == 0)

        run(work, server.url, transport)


def test_a_stream_closed_by_another_task(transport: Any) -> None:
    """The task that waits for the next chunk is told."""
    with Server(ENDLESS) as server:

        async def work(client: AsyncOpenAI) -> None:
            stream = await client.chat.completions.create(**ASK, stream=True)
            await anext(stream)
            waiting = asyncio.ensure_future(anext(stream, None))
            await asyncio.sleep(0.05)
            await stream.close()
            await asyncio.wait([waiting], timeout=5)
            assert waiting.done()
            closed = waiting.exception()
            assert isinstance(closed, APIConnectionError) or waiting.result() is None
            assert await asyncio.to_thread(server.wait, lambda: server.open == 0)

        run(work, server.url, transport)


def test_loop_after_loop(transport: Any) -> None:
    """A client made outside any loop works in one after another, and leaves nothing in them."""
    with Server(Reply.json(completion("ok"))) as server:
        client = AsyncOpenAI(api_key="k", base_url=server.url, transport=transport())
        for _ in range(5):

            async def main() -> str:
                return (await client.chat.completions.create(**ASK)).text

            assert "ok" == asyncio.run(main())

        async def end() -> None:
            await client.chat.completions.create(**ASK)
            await client.close()

        asyncio.run(end())
        gc.collect()
        assert server.wait(lambda: server.open == 0)


@pytest.mark.parametrize("closed", [True, False])
def test_a_client_that_is_dropped(closed: bool, transport: Any) -> None:
    """Unclosed, it says so by a ResourceWarning and nothing else; its connections are closed."""
    with Server(Reply.json(completion("ok"))) as server:

        async def main() -> None:
            client = AsyncOpenAI(api_key="k", base_url=server.url, transport=transport())
            await client.chat.completions.create(**ASK)
            if closed:
                await client.close()

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            asyncio.run(main())
            gc.collect()
        assert [] == [w for w in caught if w.category is not ResourceWarning]
        assert closed is (not caught), [str(w.message) for w in caught]
        assert server.wait(lambda: server.open == 0)


# What only this face has


def test_the_default_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiohttp where it is installed, and else the default transport on threads."""
    assert isinstance(AsyncOpenAI(api_key="k").transport, AiohttpTransport)
    monkeypatch.setitem(sys.modules, "chatlib.transports.aiohttp", None)
    bare = AsyncOpenAI(api_key="k").transport
    assert isinstance(bare, ThreadTransport)
    assert isinstance(bare.transport, RequestsTransport)


def test_transports_of_all_kinds() -> None:
    """One that is awaited, one that is not, and one that can be both."""

    class Plain:
        def send(self, request: HttpRequest) -> HttpResponse:
            assert threading.current_thread() is not threading.main_thread()
            return HttpResponse(200, {}, b'{"choices": [{"message": {"content": "plain"}}]}')

    class Mine:
        closed = False

        async def asend(self, request: HttpRequest) -> HttpResponse:
            async def body() -> Any:
                await asyncio.sleep(0)
                yield b'{"choices": [{"message": {"content": '
                await asyncio.sleep(0)
                yield b'"mine"}}]}'

            return HttpResponse(200, {}, body())

        async def aclose(self) -> None:
            self.closed = True

    async def main() -> None:
        mine = Mine()
        for transport, text in (
            (Plain(), "plain"),
            (mine, "mine"),
            (InMemoryServer("both"), "both"),
        ):
            async with AsyncOpenAI(api_key="k", transport=transport) as client:
                assert text == (await client.chat.completions.create(**ASK)).text
        assert mine.closed

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["function", "coroutine"])
def test_keys_of_functions(kind: str) -> None:
    """The key may come from a function that is awaited; it is called for each attempt."""
    keys = iter(["sk-1", "sk-2"])

    def key() -> str:
        return next(keys)

    async def later() -> str:
        await asyncio.sleep(0)
        return next(keys)

    server = InMemoryServer(error(500), "ok")

    async def main() -> None:
        client = AsyncOpenAI(
            api_key=key if kind == "function" else later,
            transport=server,
            sleep=lambda seconds: None,
        )
        assert "ok" == (await client.chat.completions.create(**ASK)).text

    asyncio.run(main())
    sent = [request.headers["authorization"] for request in server.requests]
    assert ["Bearer sk-1", "Bearer sk-2"] == sent


def test_keys_that_are_none() -> None:
    """What a function gives in place of a key is refused, unseen."""

    async def none() -> Any:
        return None

    async def main() -> None:
        client = AsyncOpenAI(api_key=none, transport=InMemoryServer())
        with pytest.raises(TypeError, match="NoneType"):
            await client.chat.completions.create(**ASK)

        async def broken() -> str:
            return "sk-secret\n"

        client = AsyncOpenAI(api_key=broken, transport=InMemoryServer())
        with pytest.raises(OpenAIError, match="newline"):
            await client.chat.completions.create(**ASK)

    asyncio.run(main())


def test_tools_that_are_awaited() -> None:
    """Those that are called together run at once; what they raise is their answer."""
    running = 0
    most = 0

    async def look(place: str) -> str:
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        await asyncio.sleep(0.01)
        running -= 1
        if place == "nowhere":
            raise LookupError(place)
        return place.upper()

    def plain(place: str) -> str:
        return place.lower()

    def call(id: str, name: str, place: str) -> dict[str, Any]:
        arguments = f'{{"place": "{place}"}}'
        return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}

    calls = [call("1", "look", "here"), call("2", "look", "nowhere"), call("3", "plain", "THERE")]
    server = InMemoryServer(completion(None, tool_calls=calls), "Done.")

    async def main() -> None:
        client = AsyncOpenAI(api_key="k", transport=server)
        made = await client.chat.completions.run(**ASK, tools=[look, plain])
        assert ("Done.", 2) == (made.completion.text, made.rounds)
        results = [m.content for m in made.messages if isinstance(m, ToolMessage)]
        assert ["HERE", "Error: LookupError: nowhere", "there"] == results

    asyncio.run(main())
    assert 2 == most


def test_errors_and_deadlines(transport: Any) -> None:
    """Statuses, deadlines and lost connections are the same exceptions."""
    replies = (Reply.error(401, "no"), ENDLESS, Reply.nothing(), SILENT)
    with Server(*replies) as server:

        async def work(client: AsyncOpenAI) -> None:
            create = client.chat.completions.create
            with pytest.raises(AuthenticationError, match="401 - no"):
                await create(**ASK)
            with pytest.raises(APITimeoutError) as late:
                async for _ in await create(**ASK, stream=True, timeout=Timeout(9, total=0.3)):
                    pass
            assert late.value.completion is not None
            assert "Hi" == late.value.completion.text
            with pytest.raises(APIConnectionError):
                await create(**ASK)
            with pytest.raises(APITimeoutError):
                await create(**ASK, timeout=0.2)
            with pytest.raises(APITimeoutError):
                await create(**ASK, timeout=Timeout(None, total=0.2))

        run(work, server.url, transport, max_retries=0)


def test_a_key_is_in_no_traceback() -> None:
    """Nor among the variables of its frames."""
    server = InMemoryServer(error(401))

    async def main() -> None:
        client = AsyncOpenAI(api_key="sk-" + "verysecret", transport=server, max_retries=0)
        await client.chat.completions.create(**ASK)

    with pytest.raises(AuthenticationError) as caught:
        asyncio.run(main())
    frames = [frame.f_locals for frame in library_frames(caught.value.__traceback__)]
    assert len(frames) > 3
    assert not [names for names in frames if "sk-verysecret" in repr(names)]


def test_a_cancelled_wait_is_no_end_of_the_stream() -> None:
    """A loop that polls with a timeout does not take the cut-off for the end."""

    async def main() -> None:
        client = AsyncOpenAI(api_key="k", transport=InMemoryServer(stream("a", "b", pause=30)))
        pieces = await client.chat.completions.create(**ASK, stream=True)
        await anext(pieces)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(pieces), 0.05)
        for _ in range(2):
            with pytest.raises(APIConnectionError, match="cancelled"):
                await anext(pieces)

    asyncio.run(main())


def test_the_deadline_covers_the_key() -> None:
    """A function that gives it for ever is not waited for."""

    async def never() -> str:
        await asyncio.sleep(60)
        return "k"

    async def main() -> None:
        client = AsyncOpenAI(
            api_key=never, transport=InMemoryServer("ok"), timeout=Timeout(9, total=0.1)
        )
        with pytest.raises(APITimeoutError):
            await client.chat.completions.create(**ASK)

    asyncio.run(main())


def test_a_transport_whose_script_is_at_its_end() -> None:
    """StopIteration, which no future can hold, is an error and no endless wait."""

    class Scripted:
        def send(self, request: HttpRequest) -> HttpResponse:
            return next(iter([]))

    async def main() -> None:
        client = AsyncOpenAI(api_key="k", transport=Scripted())
        with pytest.raises(RuntimeError, match="StopIteration"):
            await asyncio.wait_for(client.chat.completions.create(**ASK), 5)

    asyncio.run(main())


def test_tools_of_a_run_that_ends() -> None:
    """Where one of them is cancelled, the others are not left to themselves."""

    async def ends() -> str:
        raise asyncio.CancelledError

    async def lasts() -> str:
        await asyncio.sleep(60)
        return ""

    calls = [
        {"id": name, "type": "function", "function": {"name": name, "arguments": "{}"}}
        for name in ("ends", "lasts")
    ]

    async def main() -> None:
        server = InMemoryServer(completion(None, tool_calls=calls))
        client = AsyncOpenAI(api_key="k", transport=server)
        with pytest.raises(asyncio.CancelledError):
            await client.chat.completions.run(**ASK, tools=[ends, lasts])
        assert {asyncio.current_task()} == asyncio.all_tasks()

    asyncio.run(main())


def test_a_stream_outlives_its_client(transport: Any) -> None:
    """A function that makes a client and returns a stream of it returns a whole one."""
    slow = Reply.stream([sse(chunk("a"), done=False), 0.1, sse(chunk(finish="stop"))])
    with Server(slow) as server:

        async def ask() -> Any:
            client = AsyncOpenAI(api_key="k", base_url=server.url, transport=transport())
            return await client.chat.completions.create(**ASK, stream=True)

        async def main() -> list[str]:
            stream = await ask()
            gc.collect()
            return [piece.text async for piece in stream]

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # nobody closes that client
            assert ["a", ""] == asyncio.run(main())
            gc.collect()
