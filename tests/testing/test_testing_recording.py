"""Recordings: what is written, what is struck out, and what is played back."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import os
import stat
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import chatlib
from chatlib import (
    APIConnectionError,
    APITimeoutError,
    HttpRequest,
    HttpResponse,
    InternalServerError,
    OpenAI,
    TransportError,
    TransportTimeout,
    joined,
)
from chatlib.testing import (
    InMemoryServer,
    NotRecorded,
    RecordingTransport,
    ReplayTransport,
    answer,
    completion,
    error,
    fault,
    raw,
    recorded,
    serve,
    stream,
)
from chatlib.testing.exchanges import Redactor
from chatlib.transports.requests import RequestsTransport
from tests.faces import run_threads
from tests.test_anything import places, put

KEY = "sk-a-key-that-is-a-secret"
URL = "https://h.test/v1/chat/completions"
ASK: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a recording goes, in a folder that is not there yet."""
    return tmp_path / "made" / "recording.json"


def request(body: Any = ASK, url: str = URL, method: str = "POST", **headers: str) -> HttpRequest:
    """A plain request."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpRequest(method, url, {"Authorization": f"Bearer {KEY}", **headers}, content)


def client_of(transport: Any, **options: Any) -> OpenAI:
    """A client that does not sleep."""
    options = {"api_key": KEY, "sleep": lambda _: None, **options}
    return OpenAI(transport=transport, **options)


def exchanges(path: Path) -> list[dict[str, Any]]:
    """What is in a file."""
    written: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["exchanges"]
    return written


def pieces_of(response: HttpResponse) -> tuple[list[bytes], TransportError | None]:
    """All that comes of a response, and in what it ends."""
    pieces: list[bytes] = []
    try:
        pieces.extend(response)
    except TransportError as failure:
        return pieces, failure
    return pieces, None


# The file


def test_what_is_written(path: Path) -> None:
    """A file that a person can read: JSON within JSON, indented, secrets struck out."""
    with client_of(RecordingTransport(path, InMemoryServer("日本", error(400, "no")))) as client:
        client.chat.completions.create(**ASK)
        with pytest.raises(Exception, match="no"):
            client.chat.completions.create(**ASK)
    text = path.read_text(encoding="utf-8")
    assert text.startswith('{\n  "version": 1,\n  "exchanges": [\n    {\n      "request": {\n')
    assert "日本" in text
    assert KEY not in text
    first, second = exchanges(path)
    assert ("POST", "https://api.openai.com/v1/chat/completions", ASK) == (
        first["request"]["method"],
        first["request"]["url"],
        first["request"]["json"],
    )
    assert "***" == first["request"]["headers"]["Authorization"]
    assert (200, completion("日本")) == (first["response"]["status"], first["response"]["json"])
    assert "req_scripted_1" == first["response"]["headers"]["x-request-id"]
    assert (400, "no") == (
        second["response"]["status"],
        second["response"]["json"]["error"]["message"],
    )


def test_file_is_whole_after_each_exchange(path: Path) -> None:
    """And it is there only once something was exchanged."""
    recording = RecordingTransport(path, InMemoryServer(default="a"))
    assert not path.exists()
    for count in range(1, 4):
        recording.send(request()).read()
        assert count == len(exchanges(path))
        assert [path.name] == [file.name for file in path.parent.iterdir()]


def test_recording_begins_anew(path: Path) -> None:
    """What was in the file is replaced by the first exchange."""
    for text in ("old", "new"):
        RecordingTransport(path, InMemoryServer(text, text)).send(request()).read()
    assert [completion("new")] == [one["response"]["json"] for one in exchanges(path)]


def test_streams_are_written_piece_by_piece(path: Path) -> None:
    """With the seconds between them; as text, or as base64 where they are none."""
    times = iter([10.0, 10.5, 10.625, 11.0, 13.0])
    body = HttpResponse(
        200, {"Content-Type": "text/event-stream"}, iter([b"data: \xe6", b"\x97\xa5\r\n", b""])
    )
    recording = RecordingTransport(path, InMemoryServer(body), clock=lambda: next(times))
    recording.send(request()).read()
    response = exchanges(path)[0]["response"]
    assert 0.5 == response["after"]
    assert [
        {"after": 0.125, "base64": "ZGF0YTog5g=="},
        {"after": 0.375, "base64": "l6UNCg=="},
        {"after": 2.0, "text": ""},
    ] == response["pieces"]


def test_concurrent_exchanges_keep_the_order_of_the_requests(path: Path) -> None:
    """Whichever ends first, and from however many threads."""
    recording = RecordingTransport(path, InMemoryServer(stream("a"), "b"))
    first, second = recording.send(request({"at": 1})), recording.send(request({"at": 2}))
    second.read()
    assert [2] == [one["request"]["json"]["at"] for one in exchanges(path)]
    first.read()
    assert [1, 2] == [one["request"]["json"]["at"] for one in exchanges(path)]

    server = InMemoryServer(default=lambda request: str(request.json()["at"]))
    recording = RecordingTransport(path, server)
    threads = [
        threading.Thread(target=lambda at=at: recording.send(request({"at": at})).read())
        for at in range(16)
    ]
    run_threads(threads)
    assert all(
        str(one["request"]["json"]["at"])
        == one["response"]["json"]["choices"][0]["message"]["content"]
        for one in exchanges(path)
    )
    assert set(range(16)) == {one["request"]["json"]["at"] for one in exchanges(path)}


# Secrets


def test_secrets_are_struck_out(path: Path) -> None:
    """Of headers, of URLs, and wherever else the key is echoed."""
    echo = json.dumps({"error": {"message": f"Wrong key: {KEY}", "keys": {KEY: [KEY]}}})
    server = InMemoryServer(
        raw(401, echo, headers={"X-Echo": f"was {KEY}", "Set-Cookie": "a=session-of-mine"}),
        TransportError(f"refused {KEY}"),
        stream(f"key {KEY}.", cut=7),
        raw(200, f"plain {KEY}"),
    )
    recording = RecordingTransport(path, server)
    url = f"https://user:pass-word-1@h.test/{KEY}?api_key=query-secret&b=query-secret&x=1"
    headers = {"Cookie": "a=cookie-secret", "X-Again": "cookie-secret"}
    body = {**ASK, "user": KEY, "other": "pass-word-1 query-secret"}
    for _ in range(4):
        try:
            recording.send(request(body, url, **headers)).read()
        except TransportError:
            continue
    text = path.read_text(encoding="utf-8")
    for secret in (KEY, "pass-word-1", "query-secret", "cookie-secret", "session-of-mine"):
        assert secret not in text
    first, second, third, fourth = exchanges(path)
    assert "https://***@h.test/***?api_key=***&b=***&x=1" == first["request"]["url"]
    assert "was ***" == first["response"]["headers"]["X-Echo"]
    assert {"message": "Wrong key: ***", "keys": {"***": ["***"]}} == first["response"]["json"][
        "error"
    ]
    assert "refused ***" == second["error"]["message"]
    streamed = "".join(piece["text"] for piece in third["response"]["pieces"])
    assert "key ***." in streamed
    assert "plain ***" == fourth["response"]["text"]


@pytest.mark.parametrize("cut", [1, 3, 5, 8, 11, 100])
def test_key_in_several_pieces(cut: int) -> None:
    """It is struck out where it begins; all other bytes stay in their pieces."""
    whole = f"ab{KEY}cd{KEY}{KEY}ef".encode()
    pieces = [whole[at : at + cut] for at in range(0, len(whole), cut)]
    struck = Redactor(request()).redact_pieces(pieces)
    assert b"ab***cd******ef" == b"".join(struck)
    assert len(pieces) == len(struck)


def test_short_keys_are_words() -> None:
    """A key such as "test" is no secret, and does not blot out what is asked."""
    redactor = Redactor(HttpRequest("GET", URL, {"Authorization": "Bearer test"}))
    assert "a test" == redactor.redact_text("a test")
    assert "a test" == Redactor().redact_text("a test")


def test_keys_with_odd_characters_are_struck_out() -> None:
    """As they are written in JSON, and in URLs, too."""
    key = 'sk/"quoted"\\+='
    redactor = Redactor(HttpRequest("GET", URL, {"api-key": key}))
    assert b'["***"]' == redactor.redact_pieces([json.dumps([key]).encode()])[0]
    assert "/x?y=***" == redactor.redact_text("/x?y=sk%2F%22quoted%22%5C%2B%3D")


def test_passwords_of_basic_authentication_are_redacted() -> None:
    """The password is redacted as it is written in the header, and as decoded."""
    coded = base64.b64encode(b"me:my password").decode()
    redactor = Redactor(HttpRequest("GET", URL, {"Authorization": f"Basic {coded}"}))
    assert "*** *** me" == redactor.redact_text(f"{coded} my password me")
    malformed = Redactor(HttpRequest("GET", URL, {"Authorization": "Basic no-base64"}))
    assert "***" == malformed.redact_text("no-base64")


def test_key_in_a_body_does_not_hinder_replay(path: Path) -> None:
    """What was struck out matches whatever stands there, and what was not stays what it is."""
    body = {**ASK, "user": f"me and {KEY}"}
    RecordingTransport(path, InMemoryServer("a")).send(request(body)).read()
    replay = ReplayTransport(path)
    other = HttpRequest(
        "POST",
        URL,
        {"api-key": "other-key"},
        json.dumps({**ASK, "user": "me and other-key"}).encode(),
    )
    assert 200 == replay.send(other).status
    RecordingTransport(path, InMemoryServer("a")).send(request({"x": "my secret"})).read()
    fake = HttpRequest("POST", URL, {"api-key": "secret"}, b'{"x": "my secret"}')
    assert 200 == ReplayTransport(path).send(fake).status


# Replay


def replies() -> list[Any]:
    """One of each kind."""
    return [
        "text",
        answer("a b c"),
        stream("日本", " ✅", cut=5),
        error(429, "slow down", headers={"retry-after": "7"}),
        raw(200, b"\x00\xff"),
        raw(200, "plain\r\ntext"),
        raw(200, b'{"a": NaN}'),
        raw(200, b'{"half": "\\ud83d"}'),
        raw(204),
        raw(200, b"null"),
        fault("connect"),
        fault("timeout"),
        TransportError("bad certificate", retryable=False),
        fault("reset", after=stream("Par", finish_reason=None, done=False)),
        fault("timeout", after=answer("half"), size=20),
    ]


def told(transport: Any) -> list[Any]:
    """What a transport answers to one request for each reply."""
    made: list[Any] = []
    for at, _ in enumerate(replies()):
        body = {**ASK, "at": at, "stream": at % 2 == 1}
        try:
            response = transport.send(request(body))
        except TransportError as failure:
            made.append((type(failure), str(failure), failure.retryable))
            continue
        pieces, failed = pieces_of(response)
        response.close()
        made.append(
            (
                response.status,
                response.headers,
                pieces,
                failed and (type(failed), str(failed), failed.retryable),
            )
        )
    return made


def test_replay_is_what_was_recorded(path: Path) -> None:
    """Piece by piece, failure by failure, header by header."""
    before = told(RecordingTransport(path, InMemoryServer(*replies())))
    replay = ReplayTransport(path)
    assert len(before) == replay.left
    assert before == told(replay)
    assert 0 == replay.left


def test_replay_over_real_sockets(path: Path) -> None:
    """What the default transport brings is recorded as well, cuts and silences included."""
    server = InMemoryServer(
        fault("reset"),  # first, as a connection that was used before would be tried once more
        "text",
        stream("a", "b", pause=0.01),
        fault("reset", after=stream("Par", finish_reason=None, done=False)),
        fault("timeout"),
    )

    def talk(transport: Any, base_url: str) -> list[Any]:
        client = client_of(transport, base_url=base_url, max_retries=0, timeout=0.5)
        create = client.chat.completions.create
        made: list[Any] = []
        for kind in (APIConnectionError, None, None, APIConnectionError, APITimeoutError):
            if kind is None:
                made.append([chunk.to_dict() for chunk in create(**ASK, stream=True)])
                continue
            with pytest.raises(kind) as caught:
                list(create(**ASK, stream=True))
            made.append((str(caught.value), caught.value.completion))
        return made

    with serve(server) as base_url:
        recording = recorded(path)
        assert isinstance(recording, RecordingTransport)
        before = talk(recording, base_url)
        recording.close()
    replay = recorded(path)
    assert isinstance(replay, ReplayTransport)
    assert before == talk(replay, base_url)
    assert 5 == len(server.requests)


def test_compression_is_not_recorded(path: Path) -> None:
    """Bodies are recorded as they are read, and without the headers of their journey."""
    from chatlib.testing.loopback import Reply, Server

    body = json.dumps(completion("a")).encode()
    with Server(Reply(200, {"content-type": "application/json"}, body, gzip=True)) as server:
        recording = RecordingTransport(path, RequestsTransport())
        response = recording.send(request(url=server.url))
        assert completion("a") == response.json()
        assert "gzip" == response.headers["content-encoding"]
        recording.close()
    kept = exchanges(path)[0]["response"]
    assert completion("a") == kept["json"]
    assert {"content-type"} == set(kept["headers"])


def test_each_exchange_is_used_once_and_in_order(path: Path) -> None:
    """The same request gets what it got first, then what it got next, and then an error."""
    recording = RecordingTransport(path, InMemoryServer("1", "2", "3"))
    for body in (ASK, {"x": 1}, ASK):
        recording.send(request(body)).read()
    replay = ReplayTransport(path)

    def text(body: Any) -> str:
        content: str = replay.send(request(body)).json()["choices"][0]["message"]["content"]
        return content

    assert ["1", "3", "2"] == [text(ASK), text(ASK), text({"x": 1})]
    with pytest.raises(
        NotRecorded, match=r"requested more often than it was recorded \(2 times\) in .*json"
    ):
        replay.send(request())
    with pytest.raises(
        NotRecorded, match=r"requested more often than it was recorded \(once\) in "
    ):
        replay.send(request({"x": 1}))


def test_json_bodies_are_the_same_where_their_values_are(path: Path) -> None:
    """However they are written, and whoever asks; other bodies where their bytes are."""
    recording = RecordingTransport(path, InMemoryServer(default="a"))
    recording.send(request(b'{"a": 1, "b": [2]}', **{"User-Agent": "one"})).read()
    recording.send(request(b"plain")).read()
    replay = ReplayTransport(path)
    with pytest.raises(NotRecorded):
        replay.send(request(b"plain "))
    assert 200 == replay.send(request(b'{"b":[2],"a":1}', **{"User-Agent": "other"})).status
    assert 200 == replay.send(request(b"plain")).status


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (request({**ASK, "model": "n"}), 'json.model: recorded "m", requested "n"'),
        (request({**ASK, "seed": 1}), "json.seed: recorded nothing, requested 1"),
        (request({"model": "m"}), "json.messages: recorded [{"),
        (
            request({**ASK, "messages": [{"role": "user", "content": "Ho"}]}),
            'json.messages[0].content: recorded "Hi", requested "Ho"',
        ),
        (
            request({**ASK, "messages": [*ASK["messages"], 1]}),
            "json.messages[1]: recorded nothing, requested 1",
        ),
        (request(method="PUT"), 'method: recorded "POST", requested "PUT"'),
        (request(url=URL + "?a=1"), f'url: recorded "{URL}", requested "{URL}?a=1"'),
        (request(b"text"), "text: recorded nothing"),
        (request({**ASK, "model": "n" * 99}), '"nnnnnn'),
        (request({str(n): n for n in range(20)}), "and 12 more"),
    ],
)
def test_what_was_not_recorded(path: Path, asked: HttpRequest, says: str) -> None:
    """The error says in what it differs from the nearest request; it is no failure to retry."""
    recording = RecordingTransport(path, InMemoryServer(default="a"))
    recording.send(request({"far": "away"}, url="https://other.test")).read()
    recording.send(request()).read()
    with pytest.raises(NotRecorded) as caught:
        ReplayTransport(path).send(asked)
    message = str(caught.value)
    assert "The most similar recorded request, number 2, differs in:\n  " in message
    assert says in message
    assert all(len(line) < 250 for line in message.splitlines())


def test_key_is_in_no_error(path: Path) -> None:
    """Not where it is asked for, either."""
    RecordingTransport(path, InMemoryServer("a")).send(request()).read()
    with pytest.raises(NotRecorded) as caught:
        ReplayTransport(path).send(request({"user": KEY}, url=f"https://h.test/{KEY}"))
    assert KEY not in str(caught.value)


def test_client_does_not_try_again_what_was_not_recorded(path: Path) -> None:
    """The error passes at once."""
    RecordingTransport(path, InMemoryServer("a")).send(request()).read()
    slept: list[float] = []
    with pytest.raises(NotRecorded):
        client_of(ReplayTransport(path), sleep=slept.append).chat.completions.create(**ASK)
    assert [] == slept


def test_retries_are_replayed(path: Path) -> None:
    """A call that took three attempts takes them again."""
    server = InMemoryServer(error(500), fault(), "ok")
    for _ in range(2):
        made = client_of(recorded(path, server)).chat.completions.create(**ASK)
        assert made.http is not None
        assert ("ok", 3) == (made.text, made.http.attempts)


# Streams that end early


def test_stream_that_is_closed_early(path: Path) -> None:
    """What had come is recorded; reading further is an error that says so."""
    server = InMemoryServer(stream("a", "b", "c"), stream("d", "e"), stream("f"))
    client = client_of(RecordingTransport(path, server))
    create = client.chat.completions.create
    with create(**ASK, stream=True) as chunks:
        assert ["a", "b"] == [next(chunks).text, next(chunks).text]
    next(create(**ASK, stream=True))
    gc.collect()
    create(**ASK, stream=True).close()
    assert 0 == server.open_responses
    assert [2, 1, 1] == [len(one["response"]["pieces"]) for one in exchanges(path)]
    assert all(one["response"]["closed"] for one in exchanges(path))

    client = client_of(ReplayTransport(path))
    chunks = client.chat.completions.create(**ASK, stream=True)
    assert ["a", "b"] == [next(chunks).text, next(chunks).text]
    with pytest.raises(NotRecorded, match="closed here when it was recorded"):
        next(chunks)


def test_response_that_is_closed_unread(path: Path) -> None:
    """It is recorded with its status and headers."""
    RecordingTransport(path, InMemoryServer(stream("a"))).send(request()).close()
    response = exchanges(path)[0]["response"]
    assert (200, [], True) == (response["status"], response["pieces"], response["closed"])


def test_stream_that_is_read_to_done_is_whole(path: Path) -> None:
    """A client stops reading there; others, which read on, find the end."""
    client = client_of(RecordingTransport(path, InMemoryServer(stream("a"))))
    assert "a" == joined(client.chat.completions.create(**ASK, stream=True)).text
    body = ReplayTransport(path).send(
        HttpRequest("POST", client.base_url + "chat/completions", {}, exchanges_body(path))
    )
    assert body.read().endswith(b"data: [DONE]\n\n")


def exchanges_body(path: Path) -> bytes:
    """The body of the first request in a file."""
    return json.dumps(exchanges(path)[0]["request"]["json"]).encode()


def test_foreign_exceptions_are_not_recorded(path: Path) -> None:
    """What is no failure of the connection passes; what had come of a body is kept."""

    def body() -> Iterator[bytes]:
        yield b"data: 1\n\n"
        raise ZeroDivisionError

    kind = {"content-type": "text/event-stream"}
    server = InMemoryServer(KeyboardInterrupt(), HttpResponse(200, kind, body()))
    recording = RecordingTransport(path, server)
    with pytest.raises(KeyboardInterrupt):
        recording.send(request())
    assert not path.exists()
    with pytest.raises(ZeroDivisionError):
        recording.send(request()).read()
    assert [1] == [len(one["response"]["pieces"]) for one in exchanges(path)]


# Timing


def test_timing_on_demand(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are replayed where that is asked for, before the answer and inside it."""

    def slow(request: HttpRequest) -> Any:
        time.sleep(0.05)
        return stream("a", "b", pause=0.05)

    RecordingTransport(path, InMemoryServer(slow)).send(request()).read()

    def seconds(timing: bool) -> float:
        waits: list[float] = []
        with monkeypatch.context() as patched:
            patched.setattr(time, "sleep", waits.append)
            ReplayTransport(path, timing=timing).send(request()).read()
        return sum(waits)

    assert 0 == seconds(False)
    assert 0.19 < seconds(True)

    async def awaited() -> float:
        replays = [recorded(path, timing=True) for _ in range(50)]
        start = time.monotonic()

        async def read(replay: Any) -> None:
            await (await replay.asend(request())).aread()

        await asyncio.gather(*map(read, replays))
        return time.monotonic() - start

    assert 0.19 < asyncio.run(awaited()) < 50 * 0.19 / 2


# Awaited


class Awaited:
    """A transport that is awaited, with bodies that can only be awaited."""

    def __init__(self) -> None:
        self.closed: list[str] = []

    async def asend(self, request: HttpRequest) -> HttpResponse:
        what = request.json().get("what")
        if what == "refused":
            raise TransportTimeout("too slow")

        async def body() -> AsyncIterator[bytes]:
            for at in range(3):
                await asyncio.sleep(0)
                yield f"data: {at}\n\n".encode()
            if what == "broken":
                raise TransportError("broken")

        async def close() -> None:
            self.closed.append(what)

        return HttpResponse(200, {"content-type": "text/event-stream"}, body(), on_close=close)

    async def aclose(self) -> None:
        self.closed.append("transport")


async def talk(transport: Any) -> list[Any]:
    """What an awaited transport answers, case by case."""
    made: list[Any] = []
    for what in ("whole", "broken", "left", "refused"):
        try:
            response = await transport.asend(request({"what": what}))
        except TransportError as failure:
            made.append((type(failure), str(failure)))
            continue
        pieces: list[Any] = []
        try:
            async for piece in response:
                pieces.append(piece)
                if what == "left":
                    break
        except TransportError as failure:
            pieces.append((type(failure), str(failure)))
        await response.aclose()
        made.append(pieces)
    return made


def test_recording_is_awaited(path: Path) -> None:
    """asend() records and replays what an asynchronous transport brings."""
    inner = Awaited()
    recording = RecordingTransport(path, inner)

    async def all_of_it() -> list[Any]:
        made = await talk(recording)
        await recording.aclose()
        return made

    before = asyncio.run(all_of_it())
    assert [3, 4, 1, 2] == [len(one) for one in before]
    assert (TransportTimeout, "too slow") == before[3]
    assert ["whole", "broken", "left", "transport"] == inner.closed
    assert before == asyncio.run(talk(ReplayTransport(path)))
    assert 4 == len(exchanges(path))


def test_cancelled_exchange(path: Path) -> None:
    """A task that is cancelled inside a body leaves what had come."""
    recording = RecordingTransport(path, InMemoryServer(stream("a", "b", pause=60)))

    async def read() -> None:
        response = await recording.asend(request())
        try:
            async for _ in response:
                pass
        finally:
            await response.aclose()

    async def cancelled() -> None:
        task = asyncio.create_task(read())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert [1] == [len(one["response"]["pieces"]) for one in exchanges(path)]


def test_server_in_memory_can_be_recorded_either_way(path: Path) -> None:
    """It has both faces."""
    recording = RecordingTransport(path, InMemoryServer("a", "b"))
    recording.send(request()).read()

    async def awaited() -> bytes:
        return await (await recording.asend(request())).aread()

    assert b'"b"' in asyncio.run(awaited())
    assert 2 == len(exchanges(path))
    recording.close()
    asyncio.run(recording.aclose())


def test_wrong_kind_of_transport(path: Path) -> None:
    """Is told at once."""
    with pytest.raises(TypeError, match=r"Awaited is an asynchronous transport"):
        RecordingTransport(path, Awaited()).send(request())


@pytest.mark.parametrize("given", [True, False])
def test_plain_transport_is_awaited_by_threads(path: Path, given: bool) -> None:
    """The default one as well."""
    server = InMemoryServer("text", stream("a", "b", pause=0.01), fault("reset"))

    async def ask(transport: Any, base_url: str) -> list[Any]:
        made: list[Any] = []
        client = chatlib.AsyncOpenAI(
            api_key=KEY, base_url=base_url, transport=transport, max_retries=0
        )
        async with client:
            made.append((await client.chat.completions.create(**ASK)).to_dict())
            chunks = await client.chat.completions.create(**ASK, stream=True)
            made.append([chunk.to_dict() async for chunk in chunks])
        async with client:
            with pytest.raises(APIConnectionError) as caught:
                await client.chat.completions.create(**{**ASK, "seed": 1})
            made.append(str(caught.value))
        return made

    with serve(server) as base_url:
        recording = RecordingTransport(path, RequestsTransport() if given else None)
        before = asyncio.run(ask(recording, base_url))
    assert before == asyncio.run(ask(ReplayTransport(path), base_url))
    assert 3 == len(exchanges(path))


# Modes


def test_modes(path: Path) -> None:
    """Replay if the file is there, else record; or one of them in any case."""
    server = InMemoryServer("1", "2")
    for expected, mode, sent in [
        ("1", "auto", 1),
        ("1", "auto", 1),
        ("1", "replay", 1),
        ("2", "record", 2),
        ("2", "auto", 2),
    ]:
        client = client_of(recorded(path, server, mode=mode))  # type: ignore[arg-type]
        assert expected == client.chat.completions.create(**ASK).text
        assert sent == len(server.requests)
    with pytest.raises(ValueError, match="'auto', 'record' or 'replay'"):
        recorded(path, server, mode="often")  # type: ignore[arg-type]


def test_replay_without_a_file(path: Path) -> None:
    """There is nothing to replay; and what is no recording is refused."""
    with pytest.raises(FileNotFoundError):
        recorded(path, mode="replay")
    path.parent.mkdir()
    path.write_text('{"version": 99, "exchanges": []}', encoding="utf-8")
    with pytest.raises(ValueError, match="is not a recording, or of an unsupported version"):
        ReplayTransport(path)
    path.write_text('{"version": 1, "exchanges": []}', encoding="utf-8")
    with pytest.raises(NotRecorded, match="The recording is empty"):
        ReplayTransport(path).send(request())


def test_recording_written_by_hand(path: Path) -> None:
    """A file needs no more than what is said in it."""
    path.parent.mkdir()
    asked = {"method": "POST", "url": URL, "headers": {}, "json": ASK}
    replies: list[Any] = [
        {"response": {"status": 200, "headers": {}, "json": completion("by hand")}},
        {"response": {"status": 500, "headers": {}, "text": "oh"}},
        {"error": {"kind": "timeout", "message": "slow"}},
    ]
    made = [{"request": asked, **reply} for reply in replies]
    path.write_text(json.dumps({"version": 1, "exchanges": made}), encoding="utf-8")
    base_url = URL.removesuffix("/chat/completions")
    client = client_of(ReplayTransport(path, timing=True), base_url=base_url, max_retries=0)
    assert "by hand" == client.chat.completions.create(**ASK).text
    with pytest.raises(InternalServerError, match="oh"):
        client.chat.completions.create(**ASK)
    with pytest.raises(APITimeoutError, match="slow"):
        client.chat.completions.create(**ASK)


VALID: dict[str, Any] = {
    "version": 1,
    "exchanges": [
        {
            "request": {"method": "POST", "url": URL, "headers": {}, "json": ASK},
            "response": {
                "after": 0.5,
                "status": 200,
                "headers": {"content-type": "text/event-stream"},
                "pieces": [{"after": 0, "text": "data: "}, {"base64": "AAAA"}],
                "error": {"kind": "timeout", "message": "slow", "retryable": False},
            },
        },
        {
            "request": {"method": "GET", "url": URL, "headers": {}},
            "after": 1,
            "error": {"kind": "connection", "message": "broken"},
        },
    ],
}


@pytest.mark.parametrize(
    ("says", "place", "what"),
    [
        ("exchanges is missing", (), {"version": 1}),
        ("exchanges must be a list, not an object", ("exchanges",), {}),
        (r"exchanges\[1\] must be an object, not null", ("exchanges", 1), None),
        (r"exchanges\[0\].request is missing", ("exchanges", 0), {}),
        (r"exchanges\[0\].request.url must be a string", ("exchanges", 0, "request", "url"), 7),
        (
            r"\[0\].response is missing",
            ("exchanges", 0),
            {"request": {"method": "GET", "url": URL}},
        ),
        (r"response.status must be an HTTP status", ("exchanges", 0, "response", "status"), "200"),
        (r"response.headers must be", ("exchanges", 0, "response", "headers"), {"a": None}),
        (r"pieces\[1\].base64 must be", ("exchanges", 0, "response", "pieces", 1, "base64"), "x"),
        (r"pieces\[0\].text must be", ("exchanges", 0, "response", "pieces", 0, "text"), "\ud83d"),
        (r"response.after must be", ("exchanges", 0, "response", "after"), -1),
        (r"response.after must be", ("exchanges", 0, "response", "after"), 10**400),
        (r"exchanges\[1\].error.kind is missing", ("exchanges", 1, "error"), {"message": "x"}),
    ],
)
def test_what_is_wrong_in_a_recording(path: Path, says: str, place: Any, what: Any) -> None:
    """It is named with its file and place."""
    path.parent.mkdir()
    path.write_text(json.dumps(put(VALID, place, what)), encoding="utf-8")
    with pytest.raises(ValueError, match=says) as caught:
        ReplayTransport(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["{", "", "[" * 100_000, "[" * 500 + "]" * 500, "\ufeff{}"])
def test_what_is_no_json(path: Path, text: str) -> None:
    """A file that is no JSON is named too."""
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="is not a recording") as caught:
        ReplayTransport(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("odd", [..., None, -1, "x", [None], {"x": 1}, 10**400, float("nan")])
def test_each_place_of_a_recording(path: Path, odd: Any) -> None:
    """Whatever stands in it, the file is refused, or replayed to an answer or a known error."""
    path.parent.mkdir()
    for place in places(VALID)[1:]:
        path.write_text(json.dumps(put(VALID, place, odd)), encoding="utf-8")
        try:
            transport = ReplayTransport(path)
        except ValueError as error:
            assert str(path) in str(error)  # noqa: PT017
            continue
        for asked in (request(), request(b"", method="GET")):
            try:
                list(transport.send(asked))
            except (NotRecorded, TransportError):
                continue


def test_recording_is_linear(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each exchange is encoded once and written once."""
    written: list[int] = []
    write = os.write

    def counted(fd: int, data: bytes) -> int:
        written.append(len(data))
        return write(fd, data)

    monkeypatch.setattr(os, "write", counted)
    recording = RecordingTransport(path, InMemoryServer(default=answer("Hi")))
    client = client_of(recording)
    for _ in range(100):
        client.chat.completions.create(**ASK)
    assert 100 == len(exchanges(path))
    assert 99 == len(written)  # the first writes the file
    assert sum(written) < 2 * path.stat().st_size


def test_recording_that_somebody_else_changed(path: Path) -> None:
    """It is written as a whole again, and a link in its place is not followed."""
    recording = RecordingTransport(path, InMemoryServer(default=answer("Hi")))
    client, other = client_of(recording), path.with_name("other")
    path.parent.mkdir()
    other.write_text("kept", encoding="utf-8")
    for change in (
        lambda: path.write_text("no", encoding="utf-8"),
        path.unlink,
        lambda: (path.unlink(), path.symlink_to(other)),
    ):
        client.chat.completions.create(**ASK)
        change()
    client.chat.completions.create(**ASK)
    assert 4 == len(exchanges(path))
    assert "kept" == other.read_text(encoding="utf-8")


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_recordings_are_private(path: Path) -> None:
    """A new file is its owner's; one that is replaced keeps its permissions."""
    for mode in (0o600, 0o644):
        client = client_of(RecordingTransport(path, InMemoryServer(default=answer("Hi"))))
        for _ in range(2):
            client.chat.completions.create(**ASK)
        assert mode == stat.S_IMODE(path.stat().st_mode)
        path.chmod(0o644)
    assert [path] == list(path.parent.iterdir())
