"""How much of a response is read into memory."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatlib import (
    APIConnectionError,
    Config,
    HttpResponse,
    IncompleteStreamError,
    InternalServerError,
    OpenAI,
    build_create,
    read_chunks,
)
from chatlib.http import ResponseTooLarge
from chatlib.size_limits import SizeLimits
from chatlib.testing.loopback import Reply, Server, chunk, completion, sse
from chatlib.wire.sse import SSEDecoder, read_events
from tests.faces import Face
from tests.programs import run

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
STREAM: dict[str, Any] = {**ASK, "stream": True}
NAMES = ("max_response_bytes", "max_event_bytes", "max_error_bytes")


def pieces(*sent: bytes, times: int, end: bytes = b"") -> Iterator[bytes]:
    for _ in range(times):
        yield from sent
    yield end


@pytest.mark.parametrize("is_compressed", [False, True])
def test_an_answer_that_is_too_large(face: Face, is_compressed: bool) -> None:
    """It is an error that says the limit, has what fits, and is not tried again."""
    reply = Reply.json(completion("a" * 100_000))
    if is_compressed:
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        reply = Reply(headers=headers, body=gzip.compress(reply.body))  # type: ignore[arg-type]
    with Server(reply, reply) as server:
        client = face.client(api_key="k", base_url=server.url, max_response_bytes=50_000)
        with pytest.raises(
            APIConnectionError, match="larger than max_response_bytes=50000"
        ) as info:
            client.chat.completions.create(**ASK)
        assert 50_000 == len(info.value.response.content)
        assert info.value.response.content.startswith(b'{"id"')
        assert 1 == len(server.requests)
        assert not info.value.retryable
        with client.with_options(max_response_bytes=200_000) as larger:
            assert 100_000 == len(larger.chat.completions.create(**ASK).text)


def test_the_error_page_that_is_too_large(face: Face) -> None:
    """The status is what is raised; of its page there is what fits."""
    page = Reply(500, {"content-type": "text/plain"}, b"overloaded " * 50_000)
    with Server(page) as server:
        client = face.client(api_key="k", base_url=server.url, max_error_bytes=1000, max_retries=0)
        for ask in (ASK, STREAM):
            with pytest.raises(InternalServerError, match="overloaded") as info:
                client.chat.completions.create(**ask)
            assert 1000 == len(info.value.response.content)


@pytest.mark.parametrize(
    "sent",
    [
        [b"data: ", b"x" * 10_000],
        [b"data: {\n", *[b"data: 1,\n"] * 2000],
        [b": ", b"x" * 10_000],
        [b"event: ", b"x" * 10_000],
    ],
    ids=["a line", "many lines", "a comment", "a name"],
)
def test_an_event_that_is_too_large(face: Face, sent: list[bytes]) -> None:
    """It is an error that has the answer so far; small events before it are read."""
    before = [sse(chunk("Hello"), done=False)] * 300
    with Server(Reply.stream([*before, *sent * 20])) as server:
        client = face.client(api_key="k", base_url=server.url, max_event_bytes=20_000)
        stream = client.chat.completions.create(**STREAM)
        with pytest.raises(
            IncompleteStreamError, match="larger than max_event_bytes=20000"
        ) as info:
            list(stream)
        assert "Hello" * 300 == info.value.completion.text


def test_a_plain_answer_to_a_stream_request_that_is_too_large(face: Face) -> None:
    """It is an answer as a whole, for which the limit of answers holds."""
    with Server(Reply.json(completion("a" * 100_000))) as server:
        client = face.client(api_key="k", base_url=server.url, max_response_bytes=50_000)
        with pytest.raises(IncompleteStreamError, match="larger than max_response_bytes=50000"):
            list(client.chat.completions.create(**STREAM))


def test_lines_of_a_raw_stream(face: Face) -> None:
    """A line is no larger than an event may be; bytes are the reader's own matter."""
    with Server(Reply.stream([b"a\n", *[b"x" * 1000] * 50])) as server:
        client = face.client(api_key="k", base_url=server.url, max_event_bytes=20_000)
        raw = client.chat.completions.with_streaming_response
        with (
            raw.create(**STREAM) as response,
            pytest.raises(APIConnectionError, match="a line of the body is larger"),
        ):
            list(response.iter_lines())
        with raw.create(**STREAM) as response:
            assert 50_002 == sum(map(len, response.iter_bytes()))


def test_responses_of_transports() -> None:
    """A response that is read without a client keeps the limits of its request, or the defaults."""
    config = Config(api_key="k", max_response_bytes=10, max_event_bytes=10, max_error_bytes=5)
    request = build_create(config, **ASK)
    assert SizeLimits(10, 10, 5) == request.size_limits
    response = HttpResponse(200, {}, pieces(b"abcd", times=3), request=request)
    with pytest.raises(ResponseTooLarge, match="max_response_bytes=10"):
        response.read()
    assert b"abcdabcdab" == response.body
    failed = HttpResponse(404, {}, pieces(b"abcd", times=3), request=request)
    with pytest.raises(ResponseTooLarge, match="max_error_bytes=5"):
        failed.read()
    body = pieces(b"data: 12345\n", times=3)
    with pytest.raises(IncompleteStreamError, match="max_event_bytes=10"):
        list(read_chunks(HttpResponse(200, {}, body, request=request)))
    assert b"abcd" * 300_000 == HttpResponse(200, {}, pieces(b"abcd", times=300_000)).read()


def test_decoder() -> None:
    """What has been dispatched, and comments, do not count for the next event."""
    decoder = SSEDecoder(max_event_bytes=100)
    for _ in range(50):
        assert 1 == len(decoder.feed(b"data: " + b"x" * 80 + b"\n\n"))
        decoder.feed(b": a comment that keeps the connection open\n")
        assert not decoder.is_too_large
    decoder.feed(b"data: " + b"x" * 60 + b"\n")
    assert not decoder.is_too_large
    decoder.feed(b"data: " + b"x" * 60)
    assert decoder.is_too_large
    with pytest.raises(ValueError, match="an event is larger than"):
        list(read_events(pieces(b"x" * (1 << 20), times=65)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, -1, 1.5, True, None, "1"])
def test_values_that_are_refused(name: str, value: Any) -> None:
    """A limit is a whole number of bytes."""
    settings: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=name):
        OpenAI(api_key="k", **settings)
    client = OpenAI(api_key="k")
    with pytest.raises(ValueError, match=name):
        setattr(client, name, value)


def test_settings() -> None:
    """The limits are settings like others."""
    client = OpenAI(api_key="k", max_event_bytes=5)
    assert (256 << 20, 5, 1 << 20) == tuple(getattr(client, name) for name in NAMES)
    client.max_error_bytes = 7
    copied = client.with_options(max_response_bytes=6)
    assert (6, 5, 7) == tuple(getattr(copied, name) for name in NAMES)


MEMORY = """
import asyncio, re, sys
from chatlib import APIConnectionError, AsyncOpenAI, OpenAI
from chatlib.transports.{module} import {transport}

MIB = 1 << 20

def peak():  # not getrusage(), which counts the peak of the process that started this one
    return int(re.search("VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) >> 10

what, url = sys.argv[1:]
settings = dict(api_key="k", base_url=url, max_response_bytes=MIB, max_event_bytes=MIB)
settings |= dict(transport={transport}(), max_retries=0)
ask = dict(model="m", messages=[dict(role="user", content="Hi")], stream=what == "line")

def wait():
    with OpenAI(**settings) as client:
        try:
            client.models.list()
        except Exception:
            yield
        for _ in client.chat.completions.create(**ask):
            pass

async def main():
    async with AsyncOpenAI(**settings) as client:
        try:
            await client.models.list()
        except Exception:
            yield
        answer = await client.chat.completions.create(**ask)
        if what == "line":
            async for _ in answer:
                pass

async def run():
    steps = main()
    await anext(steps)
    before = peak()
    try:
        await anext(steps)
    except APIConnectionError as error:
        print(error)
    print(peak() - before)

def run_blocking():
    steps = wait()
    next(steps)
    before = peak()
    try:
        next(steps)
    except APIConnectionError as error:
        print(error)
    print(peak() - before)

asyncio.run(run()) if "Async" in "{client}" else run_blocking()
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is there")
@pytest.mark.parametrize("what", ["line", "bomb"])
@pytest.mark.parametrize(
    ("module", "transport"),
    [
        ("requests", "RequestsTransport"),
        ("urllib3", "Urllib3Transport"),
        ("aiohttp", "AiohttpTransport"),
    ],
)
def test_memory(what: str, module: str, transport: str, tmp_path: Path) -> None:
    """A line of 200 MB, and half a megabyte of gzip, take little more than the limit."""
    if what == "line":
        reply = Reply.stream(pieces(b"data: ", b"x" * (1 << 20), times=200))
    else:
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        reply = Reply(headers=headers, body=gzip.compress(b" " * (500 << 20), 1))
    missing = Reply.error(404, "no models")
    with Server(lambda request: missing if request.method == "GET" else reply) as server:
        program = MEMORY.format(
            module=module,
            transport=transport,
            client="AsyncOpenAI" if module == "aiohttp" else "OpenAI",
        )
        done = run(program, what, server.url, folder=tmp_path)
    said, taken = done.stdout.splitlines()
    assert "is larger than max_" in said
    assert int(taken) < 40, f"{taken} MiB"
