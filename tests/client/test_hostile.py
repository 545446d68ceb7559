"""Hostile servers, interrupts and curious debuggers: nothing hangs, nothing leaks, errors are ours.

Each kind of trouble stands here once, in short; the tests of each area have more of its kind.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chatlib import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    AsyncOpenAI,
    IncompleteStreamError,
    OpenAI,
    OpenAIError,
    Timeout,
    arun_many,
    function_tool,
    run_many,
    tool_results,
)
from chatlib.testing import InMemoryServer, fault, raw, stream
from chatlib.testing.contract.blocking import BlockingTransport
from chatlib.testing.loopback import Reply, Server, closed_port
from chatlib.transports.aiohttp import AiohttpTransport
from chatlib.transports.requests import RequestsTransport
from chatlib.transports.threads import ThreadTransport
from chatlib.transports.urllib3 import Urllib3Transport
from tests.faces import Face
from tests.programs import run

KEY = "sk-SECRET-0123456789"
ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "PROMPT"}]}
LONGEST_MESSAGE = 5000
"""The number of characters that the message of an error may have."""

TRANSPORTS: dict[str, Callable[[], Any]] = {
    "requests": RequestsTransport,
    "urllib3": Urllib3Transport,
    "aiohttp": lambda: BlockingTransport(AiohttpTransport()),
    "threads": lambda: BlockingTransport(ThreadTransport(Urllib3Transport())),
}


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each transport of the library; those that are awaited are made to wait."""
    made = TRANSPORTS[request.param]()
    yield made
    made.close()


def make_client(transport: Any, url: str, **settings: Any) -> OpenAI:
    """Return a client that tries once."""
    return OpenAI(api_key=KEY, base_url=url, transport=transport, max_retries=0, **settings)


# Redirects ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["\\", "\\\\", "%5C", " ", "\t", "\x0b"])
def test_a_redirect_with_an_odd_authority(transport: Any, mark: str) -> None:
    """A ``Location`` that two parsers read differently sends nothing to the other server."""

    def answer(_: object) -> Reply:
        target = f"http://127.0.0.1:{other.port}{mark}@127.0.0.1:{server.port}/v1"
        return Reply(307, {"location": target})

    with Server() as other, Server(answer, Reply(500)) as server:
        with pytest.raises(APIError):
            make_client(transport, server.url).chat.completions.create(**ASK)
        assert 0 == other.connections


@pytest.mark.parametrize("mark", ["\\", " ", "\t", "\n"])
def test_a_base_url_with_an_odd_authority(transport: Any, mark: str) -> None:
    """So does a base URL; it is refused when the client is made, or at the first call."""
    with Server() as other, Server() as server:
        url = f"http://127.0.0.1:{other.port}{mark}@127.0.0.1:{server.port}/v1"
        with pytest.raises((OpenAIError, ValueError)):
            make_client(transport, url).chat.completions.create(**ASK)
        assert (0, 0) == (other.connections, server.connections)


# Time -----------------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
DRIBBLES = {
    "in the size of a chunk": [HEAD, *[b"0", 0.1] * 80],
    "in a chunk": [HEAD + b"10000\r\n", *[b"x", 0.1] * 80],
    "in a trailer": [HEAD + b'5\r\n{"a":\r\n0\r\nX: ', *[b"x", 0.1] * 80],
}


@pytest.mark.parametrize("where", DRIBBLES)
def test_the_total_limit_everywhere(transport: Any, where: str) -> None:
    """A byte now and then, wherever it is, does not prolong a call beyond ``total``."""
    with Server(Reply(raw=DRIBBLES[where])) as server:
        client = make_client(transport, server.url, timeout=Timeout(5, total=0.5))
        start = time.monotonic()
        with pytest.raises(APITimeoutError):
            client.chat.completions.create(**ASK)
        assert time.monotonic() - start < 5


# Long texts -----------------------------------------------------------------------------------

PAGES = {
    "comments": b"<!--" * 25_000,
    "tags": b"<" * 100_000,
    "scripts": b"<script>" * 12_500,
    "styles": b"<style " * 14_000,
    "titles": b"<title>" * 14_000,
    "blanks": b" " * 100_000 + b"x",
    "lines": b"\r\n\t" * 33_000 + b"x",
    "entities": b"&" * 100_000,
    "letters": b"a" * 100_000,
    "a code": b'{"error": {"message": "%s"}}' % (b"Connection" * 10_000),
}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("status", [404, 500])
def test_a_long_page(page: str, status: int) -> None:
    """An error page of 100 kB costs little time, and gives a message of sane length."""
    transport = InMemoryServer(raw(status, PAGES[page]))
    start = time.process_time()
    with pytest.raises(APIError) as caught:
        make_client(transport, "http://host/v1").chat.completions.create(**ASK)
    assert time.process_time() - start < 2
    assert len(str(caught.value)) <= LONGEST_MESSAGE


GARBAGE = {
    "letters": b"a" * 32_000,
    "words": b"Connection" * 800,
    "digits": b"0123456789" * 800,
    "a status line": b"HTTP/1.1 200 " + b"Connection " * 800,
    "a status": b"HTTP/1.1 " + b"2" * 8_000,
    "a header": b"HTTP/1.1 200 OK\r\n" + b"Connection" * 800,
}


@pytest.mark.parametrize("what", GARBAGE)
def test_a_long_status_line(transport: Any, what: str) -> None:
    """What is hardly HTTP costs little time, and gives a message of sane length."""
    with Server(Reply(raw=GARBAGE[what] + b"\r\n")) as server:
        client = make_client(transport, server.url, timeout=Timeout(8, total=8))
        start = time.process_time()
        with pytest.raises(APIError) as caught:
            client.chat.completions.create(**ASK)
    assert time.process_time() - start < 2
    assert len(str(caught.value)) <= LONGEST_MESSAGE


# Secrets --------------------------------------------------------------------------------------

INTERRUPTED = """
import os, signal, sys
from chatlib import OpenAI
from chatlib.testing.loopback import Reply, Server
from chatlib.transports.requests import RequestsTransport
from chatlib.transports.urllib3 import Urllib3Transport

class Limit(BaseException):
    pass

def stop(*_):
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    raise {"KeyboardInterrupt": KeyboardInterrupt, "SystemExit": SystemExit, "Limit": Limit}[how]

def alarm():  # again and again: one that comes just before a wait begins does not end the wait
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.5)

def body():
    yield b'{"choices"'
    alarm()
    yield 60.0

def answer(request):
    if where == "body":
        return Reply(200, {"content-type": "application/json"}, body(), framing="chunked")
    alarm()
    return Reply(delay=60)

transport, how, where = sys.argv[1:]
signal.signal(signal.SIGALRM, stop)
with Server(answer) as server:
    made = {"requests": RequestsTransport, "urllib3": Urllib3Transport}[transport]()
    client = OpenAI(api_key="sk-SECRET-0123456789", base_url=server.url, transport=made)
    try:
        client.chat.completions.create(model="m", messages=[])
    except BaseException as error:
        print("ended by", type(error).__name__)
        at = error.__traceback__.tb_next
        while at is not None:
            code = at.tb_frame.f_code
            for name, value in at.tb_frame.f_locals.items():
                if "SECRET" in repr(value):
                    print(code.co_filename, code.co_name, "shows the key in", name)
            at = at.tb_next
"""


@pytest.mark.parametrize("where", ["headers", "body"])
@pytest.mark.parametrize("how", ["KeyboardInterrupt", "SystemExit", "Limit"])
@pytest.mark.parametrize("name", ["requests", "urllib3"])
def test_the_key_after_an_interrupt(name: str, how: str, where: str, tmp_path: Path) -> None:
    """However a call is ended, no frame of its traceback has a variable that shows the key."""
    ended = run(INTERRUPTED, name, how, where, folder=tmp_path)
    assert (0, f"ended by {how}\n") == (ended.returncode, ended.stdout), ended.stderr


SECRETS = ["KEYKEYKEY", "BASEPASSWORD", "QUERYSECRET", "GATEWAYTOKEN", "EXTRATOKEN"]


def failing(transport: Any) -> APIConnectionError:
    """Return the error of a call that failed; its traceback is without the frame of the test."""
    client = OpenAI(
        api_key="sk-KEYKEYKEY",
        base_url=f"http://user:BASEPASSWORD@127.0.0.1:{closed_port()}/v1?sig=QUERYSECRET",
        default_headers={"X-Gateway-Token": "GATEWAYTOKEN"},
        transport=transport,
        max_retries=0,
    )
    assert [] == [secret for secret in SECRETS if secret in repr(client.config)]
    with pytest.raises(APIConnectionError) as caught:
        client.chat.completions.create(extra_headers={"X-Other-Auth": "EXTRATOKEN"}, **ASK)
    error = caught.value
    assert error.__traceback__ is not None
    return error.with_traceback(error.__traceback__.tb_next)


def test_secrets_in_a_rich_traceback(transport: Any) -> None:
    """rich, which opens attrs classes field by field, shows no password, key or token."""
    console = pytest.importorskip("rich.console")
    traceback = pytest.importorskip("rich.traceback")
    error = failing(transport)
    shown = console.Console(file=io.StringIO(), width=200)
    found = traceback.Traceback.from_exception(
        type(error), error, error.__traceback__, show_locals=True
    )
    shown.print(found)
    text = shown.file.getvalue()
    assert "create" in text
    assert [] == [secret for secret in SECRETS if secret in text]


def test_secrets_in_the_frames(transport: Any) -> None:
    """No variable of a frame has a ``repr`` that shows one."""
    at = failing(transport).__traceback__
    shown = []
    while at is not None:
        for name, value in at.tb_frame.f_locals.items():
            text = repr(value)
            shown += [(at.tb_frame.f_code.co_name, name, s) for s in SECRETS if s in text]
        at = at.tb_next
    assert [] == shown


# Connections ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["requests", "urllib3"])
def test_a_stream_that_is_dropped_after_a_stale_connection(name: str) -> None:
    """Its connection is closed when it is dropped, without the collector's help."""
    replies = [Reply.json({"choices": []}), Reply.nothing()]
    piece = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
    gc.collect()
    gc.disable()
    try:
        with Server(*replies, Reply.stream([piece], framing="close", hold=60)) as server:
            client = OpenAI(api_key=KEY, base_url=server.url, transport=TRANSPORTS[name]())
            client.chat.completions.create(**ASK)
            stream = client.chat.completions.create(stream=True, **ASK)
            next(stream)
            assert 3 == len(server.requests)
            del stream
            assert server.wait(lambda: server.open == 0)
            client.close()
    finally:
        gc.enable()


# Answers that no reader expects ---------------------------------------------------------------

DEEP = b"[" * 500 + b"]" * 500
LONG = b"9" * 5000


def whole(message: bytes, finish: bytes = b"stop") -> bytes:
    """Return the body of a completion, around its message."""
    return b'{"choices":[{"finish_reason":"%s","message":%s}]}' % (finish, message)


def event(data: bytes, name: bytes = b"") -> bytes:
    """Return an event of a stream."""
    return (b"event: %s\n" % name if name else b"") + b"data: %s\n\n" % data


def piece(fields: bytes, rest: bytes = b'"finish_reason":"stop"') -> bytes:
    """Return the event of a chunk, with fields of its delta and of its choice."""
    return event(b'{"choices":[{"delta":{"content":"Hi"%s},%s}]}' % (fields, rest))


def answered(face: Face, body: bytes, status: int = 200) -> Any:
    """Return the completions of a client whose server answers with a body."""
    server = InMemoryServer(default=raw(status, body))
    return face.client(transport=server, max_retries=0).chat.completions


def weather(city: str) -> str:
    """Get the weather of a city."""
    return f"Rain in {city}"


TOOL_CALL = whole(
    b'{"tool_calls":[{"id":"a","type":"function","function":'
    b'{"name":"weather","arguments":{"city":"P"}}}]}',
    b"tool_calls",
)


def test_a_retry_field_of_5000_digits(face: Face) -> None:
    """It is ignored."""
    completions = answered(face, b"retry: %s\n" % LONG + piece(b""))
    with completions.create(stream=True, **ASK) as got:
        assert ["Hi"] == [chunk.text for chunk in got]


@pytest.mark.parametrize("code", [b'"%s"' % LONG, LONG], ids=["text", "number"])
@pytest.mark.parametrize("status", [200, 500])
def test_an_error_code_of_5000_digits(face: Face, status: int, code: bytes) -> None:
    """It is an error of the library with the server's words."""
    body = b'{"error":{"message":"Boom","code":%s}}' % code
    with pytest.raises(OpenAIError) as caught:
        answered(face, body, status).create(**ASK)
    assert len(str(caught.value)) <= LONGEST_MESSAGE


def test_a_deep_unknown_field(face: Face) -> None:
    """It is refused where it comes, by an error of the library."""
    completions = answered(face, piece(b',"x":' + DEEP))
    with pytest.raises(OpenAIError), completions.stream(**ASK) as got:
        got.get_final_completion()


def test_a_deep_error_in_a_stream(face: Face) -> None:
    """It is an error of the library."""
    completions = answered(face, event(b'{"error":' + b"[" * 900 + b"]" * 900 + b"}"))
    with pytest.raises(OpenAIError), completions.create(stream=True, **ASK) as got:
        list(got)


@pytest.mark.parametrize("content", [b"true", b"1", b'"x"', b"{}", b"[null]", b"[1]"])
def test_logprobs_of_another_kind(face: Face, content: bytes) -> None:
    """They hide neither the text nor the end."""
    rest = b'"finish_reason":"stop","logprobs":{"content":%s}' % content
    with answered(face, piece(b"", rest)).stream(**ASK) as got:
        assert "Hi" == "".join(e.delta for e in got if e.type == "content.delta")
        assert "Hi" == got.get_final_completion().choices[0].message.content


def test_arguments_as_an_object(face: Face) -> None:
    """They are their JSON text: parsed, and given to the tool."""
    tool = function_tool(weather)
    parsed = answered(face, TOOL_CALL).parse(tools=[tool], **ASK)
    function = parsed.choices[0].message.tool_calls[0].function
    assert {"city": "P"} == json.loads(function.arguments) == function.parsed_arguments
    plain = answered(face, TOOL_CALL).create(**ASK)
    assert ["Rain in P"] == [message.content for message in tool_results(plain, [tool])]


@pytest.mark.parametrize("calls", [b'[{"type":"new"}]', b"[null]", b'"x"', b"true", b"{}", b"[[]]"])
def test_tool_calls_of_another_kind(face: Face, calls: bytes) -> None:
    """Whoever reads them gets an answer or an error of the library."""
    body = whole(b'{"tool_calls":%s}' % calls)
    readers: list[Callable[[Any], object]] = [
        lambda completions: completions.run(tools=[weather], **ASK),
        lambda completions: completions.parse(tools=[function_tool(weather)], **ASK),
        lambda completions: tool_results(completions.create(**ASK), [weather]),
    ]
    for read in readers:
        with contextlib.suppress(OpenAIError):
            read(answered(face, body))


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1@", "http://@", "http://a b:1", "http://:x"])
def test_a_proxy_that_is_no_url(proxy: str) -> None:
    """It is refused in words, when the transport is made or at the first call."""

    def call() -> None:
        made = RequestsTransport(proxies={"all": proxy})
        make_client(made, "http://h/v1").chat.completions.create(**ASK)

    with pytest.raises((OpenAIError, ValueError)):
        call()


@pytest.mark.parametrize("name", [b"", b"chunk", b"message", b"completion.chunk"])
def test_an_event_that_is_cut(face: Face, name: bytes) -> None:
    """Data that begins like JSON and is none is an error, whatever its event is called."""
    body = piece(b"", b'"index":0') + event(b'{"choices":[{"delta":{"content":"LOST ', name)
    got = []
    completions = answered(face, body + piece(b"") + event(b"[DONE]"))
    with completions.create(stream=True, **ASK) as chunks, pytest.raises(OpenAIError):
        got.extend(chunk.text for chunk in chunks)
    assert ["Hi"] == got


def test_a_reset_before_the_second_choice(face: Face) -> None:
    """With ``n=2``, an end before the second choice has begun is no whole answer."""
    server = InMemoryServer(fault("reset", after=stream("one", done=False)))
    completions = face.client(transport=server, max_retries=0).chat.completions
    with pytest.raises(IncompleteStreamError) as caught, completions.stream(n=2, **ASK) as got:
        got.get_final_completion()
    assert "one" == caught.value.completion.choices[0].message.content


# Many -----------------------------------------------------------------------------------------


ODD = {
    "a deep field": whole(b'{"content":"Hi","x":%s}' % DEEP),
    "a long number": whole(b'{"content":"Hi","x":%s}' % LONG),
    "a long code": b'{"error":{"message":"Boom","code":%s}}' % LONG,
    "another kind of tool calls": whole(b'{"content":"Hi","tool_calls":[null]}'),
}


def results_of(form: str, server: InMemoryServer, path: Path) -> list[Any]:
    """Return the results of eight requests, made in either form."""
    requests = [
        {"custom_id": f"c{n}", "model": "m", "messages": [], "user": f"c{n}"} for n in range(8)
    ]
    settings: Any = {"api_key": KEY, "transport": server, "max_retries": 0}
    options: Any = {"results": path, "concurrency": 1}
    if form == "threads":
        return list(run_many(OpenAI(**settings), requests, **options))

    async def main() -> list[Any]:
        return [result async for result in arun_many(AsyncOpenAI(**settings), requests, **options)]

    return asyncio.run(main())


@pytest.mark.parametrize("form", ["threads", "tasks"])
@pytest.mark.parametrize("odd", ODD)
def test_one_answer_that_nobody_expects_among_many(form: str, odd: str, tmp_path: Path) -> None:
    """It is at most the error of its request; the run goes on, and so does the one after it."""

    def answer(request: Any) -> Any:
        user = request.json()["user"]
        return raw(200, ODD[odd] if user == "c3" else whole(b'{"content":"Hi"}'))(request)

    path = tmp_path / "r.jsonl"
    for attempt in (1, 2):
        server = InMemoryServer(default=answer)
        results = results_of(form, server, path)
        assert [f"c{n}" for n in range(8)] == [result.custom_id for result in results]
        failed = [result for result in results if result.error is not None]
        assert all(isinstance(result.error, OpenAIError) for result in failed)
        assert [] == [result for result in failed if result.custom_id != "c3"]
        assert 8 == len(path.read_text("utf-8").splitlines())
        assert len(server.requests) == (8 if attempt == 1 else len(failed))
