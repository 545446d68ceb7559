"""Around a call: raw responses, hooks, the log, options, copies and pickles; for both faces."""

from __future__ import annotations

import copy
import gc
import json
import logging
import pickle
import threading
from pathlib import Path
from typing import Any

import attrs
import pytest

import chatlib
from chatlib import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APIStatusError,
    HttpRequest,
    HttpResponse,
    OpenAI,
    OpenAIError,
    RateLimitError,
    RateLimits,
    Timeout,
)
from chatlib.client.hooks import log_to_stderr
from chatlib.testing import InMemoryServer, answer, error, fault, raw, stream
from tests.faces import Face, run_threads
from tests.frames import library_frames

ASK: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
LIMITS = {"x-ratelimit-remaining-tokens": "149984", "x-ratelimit-reset-tokens": "6m0s"}


@attrs.frozen
class Numbers:
    """The type of an answer."""

    a: int


def no_sleep(seconds: float) -> None:
    """Waits not at all."""


# Raw responses


def test_raw_response(face: Face) -> None:
    """Status, headers, ids and attempts; the body as it came; and what the call returns."""
    server = InMemoryServer(error(500), answer("Hello!", headers={**LIMITS, "x-request-id": "r1"}))
    client = face.client(transport=server, sleep=no_sleep)
    response = client.chat.completions.with_raw_response.create(**ASK)
    assert (200, "r1", 1) == (response.status_code, response.request_id, response.retries_taken)
    assert "application/json" == response.headers["Content-Type"]
    assert ("POST", server.requests[1].url) == (response.method, response.url)
    assert ASK == response.http_request.json()
    assert response.elapsed.total_seconds() >= 0
    assert (149984, 360.0) == (
        response.rate_limits.remaining_tokens,
        response.rate_limits.reset_tokens,
    )
    assert "Hello!" == response.json()["choices"][0]["message"]["content"]
    assert json.loads(response.content) == json.loads(response.text) == response.json()
    completion = response.parse()
    assert ("Hello!", "r1") == (completion.text, completion.request_id)
    assert completion is response.parse()
    assert "sk-secret" not in repr(response)


def test_raw_stream(face: Face) -> None:
    """Its headers are there before it is read; parse() gives the stream."""
    client = face.client(transport=InMemoryServer(stream("a", "b", headers=LIMITS)))
    response = client.chat.completions.with_raw_response.create(**ASK, stream=True)
    assert 149984 == response.rate_limits.remaining_tokens
    chunks = response.parse()
    assert ["a", "b", ""] == [chunk.text for chunk in (face.wrap(chunks))]


def test_raw_error(face: Face) -> None:
    """An error status is raised, as without raw access; an error inside a 200 by parse()."""
    server = InMemoryServer(error(400, "no"), raw(200, {"error": {"message": "inside"}}))
    raw_access = face.client(transport=server).chat.completions.with_raw_response
    with pytest.raises(chatlib.BadRequestError, match="no"):
        raw_access.create(**ASK)
    response = raw_access.create(**ASK)
    assert b"inside" in response.content
    with pytest.raises(APIError, match="inside"):
        response.parse()


def test_raw_access_to_all_operations(face: Face) -> None:
    """Every method has it, and parse() gives what the method returns."""
    server = InMemoryServer("One.", '{"a": 1}')
    client = face.client(transport=server)
    access = client.chat.completions.with_raw_response
    made = access.create(**ASK, store=True).parse()
    assert made.id == access.retrieve(made.id).parse().id
    assert {"k": "v"} == access.update(made.id, metadata={"k": "v"}).parse().metadata
    listed = access.list()
    listed = listed.first() if face.is_async else listed
    assert [made.id] == [item.id for item in face.wrap(listed.parse())]
    messages = access.messages.list(made.id)
    messages = messages.first() if face.is_async else messages
    assert ["Hi"] == [message.content for message in face.wrap(messages.parse())]
    assert access.delete(made.id).parse().deleted
    parsed = access.parse(**ASK, response_format=Numbers)
    assert Numbers(a=1) == parsed.parse().choices[0].message.parsed


# Bodies as they come

TEXT = "data: 日本\r\n\r\ndata: x\ny"


@pytest.mark.parametrize("cut", [1, 2, 5, 1000])
def test_streamed_lines(cut: int, face: Face) -> None:
    """Lines, text and bytes, however the body was cut."""
    pieces = chatlib.testing.replies.cut_at(TEXT.encode(), cut)
    server = InMemoryServer(default=lambda request: HttpResponse(200, {}, iter(pieces)))
    streamed = face.client(transport=server).chat.completions.with_streaming_response
    with streamed.create(**ASK) as response:
        assert ["data: 日本", "", "data: x", "y"] == list(response.iter_lines())
    with streamed.create(**ASK) as response:
        assert TEXT == "".join(response.iter_text())
    with streamed.create(**ASK) as response:
        assert pieces == list(response.iter_bytes())
    with streamed.create(**ASK) as response:
        sized = list(response.iter_bytes(4))
        assert {4} == {len(piece) for piece in sized[:-1]}
        assert TEXT.encode() == b"".join(sized)
    with streamed.create(**ASK) as response:
        assert TEXT == "".join(response.iter_text(3))
    assert 0 == server.open_responses


def test_streamed_whole(face: Face, tmp_path: Path) -> None:
    """Read at once, as text, as JSON, parsed, or into a file."""
    server = InMemoryServer(default="Hello!")
    streamed = face.client(transport=server).chat.completions.with_streaming_response
    with streamed.create(**ASK) as response:
        assert 200 == response.status_code
        assert "Hello!" == response.parse().text
        assert "Hello!" == response.json()["choices"][0]["message"]["content"]
        assert response.text().encode() == response.read()
    with streamed.create(**ASK) as response:
        response.stream_to_file(tmp_path / "body.json")
    assert "Hello!" in (tmp_path / "body.json").read_text("utf-8")
    with streamed.create(**ASK, stream=True) as response:
        assert "Hello!" == "".join(chunk.text for chunk in face.wrap(response.parse()))
    assert 0 == server.open_responses


def test_streamed_response_left_early_gives_its_connection_back(face: Face) -> None:
    """Whether anything was read or not."""
    server = InMemoryServer(default=stream("a", "b", "c"))
    streamed = face.client(transport=server).chat.completions.with_streaming_response
    with streamed.create(**ASK, stream=True):
        assert 1 == server.open_responses
    assert 0 == server.open_responses
    with streamed.create(**ASK, stream=True) as response:
        next(iter(response.iter_lines()))
    assert 0 == server.open_responses


def test_streamed_response_that_fails(face: Face) -> None:
    """A status is raised on entering; a body that breaks off, when it is read."""
    server = InMemoryServer(error(400, "no"), fault(after="abc", size=1))
    streamed = face.client(transport=server, max_retries=0).chat.completions.with_streaming_response
    with pytest.raises(chatlib.BadRequestError, match="no"):
        streamed.create(**ASK).__enter__()
    with streamed.create(**ASK) as response:
        lines = iter(response.iter_lines())
        with pytest.raises(APIConnectionError, match="scripted reset"):
            list(lines)
    assert 0 == server.open_responses
    with pytest.raises(ValueError, match="chunk_size is 0"):
        chatlib.client.raw.ByteChunks(0)


# Rate limits


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1.0, "1s"),
        (360.0, "6m0s"),
        (0.02, "20ms"),
        (3723.5, "1h2m3.5s"),
        (172800.0, "2d"),
        (7.66, "7.66s"),
        (0.006, "6ms"),
        (12.0, "12"),
        (1.5, "1.5"),
        (None, ""),
        (None, "soon"),
        (None, "-1s"),
        (None, "1 s"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    """As OpenAI writes them, and plain seconds; nonsense is None."""
    headers = {"x-ratelimit-reset-requests": text, "x-ratelimit-limit-tokens": "many"}
    limits = RateLimits.from_headers(headers)
    assert limits == RateLimits(reset_requests=pytest.approx(seconds) if seconds else seconds)


def test_rate_limits_of_errors_and_streams(face: Face) -> None:
    """They can be read wherever there is a response."""
    server = InMemoryServer(stream("a", headers=LIMITS), error(429, headers=LIMITS))
    client = face.client(transport=server, max_retries=0)
    with client.chat.completions.create(**ASK, stream=True) as chunks:
        limits = [chunk.http.rate_limits.remaining_tokens for chunk in chunks]
    assert {149984} == set(limits)
    with pytest.raises(RateLimitError) as caught:
        client.chat.completions.create(**ASK)
    assert caught.value.response is not None
    assert 360.0 == caught.value.response.info().rate_limits.reset_tokens


# Hooks and the log


def test_hooks(face: Face) -> None:
    """Each request, each response and each retry is told, in order; redirects too."""
    told: list[Any] = []
    server = InMemoryServer(
        fault("reset"),
        error(503, headers={"retry-after": "2"}),
        raw(307, headers={"location": "/v1/elsewhere"}),
        "Hello!",
    )
    client = face.client(
        transport=server,
        sleep=no_sleep,
        on_request=lambda request: told.append(request.url.rpartition("/")[2]),
        on_response=lambda response: told.append((response.status, response.attempts)),
        on_retry=lambda failed, seconds: told.append(
            (type(failed).__name__, failed.attempts, round(seconds))
        ),
    )
    assert "Hello!" == client.chat.completions.create(**ASK).text
    first, retry, *rest = told
    assert ("completions", ("APIConnectionError", 1)) == (first, retry[:2])
    assert [
        "completions",
        (503, 2),
        ("InternalServerError", 2, 2),
        "completions",
        (307, 3),
        "elsewhere",
        (200, 3),
    ] == rest


@pytest.mark.parametrize("hook", ["on_request", "on_response", "on_retry"])
def test_hooks_that_raise(hook: str, face: Face) -> None:
    """What a hook raises reaches the caller at once, and the connection is given back."""

    def raising(*_: Any) -> None:
        raise ZeroDivisionError

    pieces: Any = lambda request: HttpResponse(500, {}, iter([b"no"]))  # noqa: E731
    server = InMemoryServer(default=pieces)
    client = face.client(transport=server, sleep=no_sleep, **{hook: raising})
    with pytest.raises(ZeroDivisionError):
        client.chat.completions.create(**ASK)
    assert 0 == server.open_responses
    assert (hook != "on_request") == len(server.requests)


def test_the_log(caplog: pytest.LogCaptureFixture, face: Face) -> None:
    """At info what happened; at debug headers and sizes; never a key, a prompt or an answer."""
    server = InMemoryServer(error(500), answer("An answer", headers={"set-cookie": "c=secret"}))
    client = face.client(
        transport=server, sleep=no_sleep, base_url="http://user:pw@localhost/v1?api_key=zzz"
    )
    ask = {**ASK, "messages": [{"role": "user", "content": "A prompt"}]}
    with caplog.at_level(logging.INFO, "chatlib"):
        client.chat.completions.create(**ask)
    lines = [record.getMessage() for record in caplog.records if record.name == "chatlib"]
    assert 3 == len(lines)
    assert lines[0].startswith(
        "POST http://***@localhost/v1/chat/completions?api_key=***: 500 in 0."
    )
    assert lines[0].endswith("request id req_scripted_1")
    assert "attempt 1 failed, next in 0." in lines[1]
    caplog.clear()
    server.add(answer("An answer", headers={"set-cookie": "c=secret"}))
    with caplog.at_level(logging.DEBUG, "chatlib"):
        client.chat.completions.create(**ask)
    text = caplog.text
    assert "'Authorization': '***'" in text
    assert f"{len(server.requests[-1].content)} bytes" in text
    assert f"body of {len(client_body(server))} bytes" in text
    for secret in ("sk-secret", "pw@", "zzz", "c=secret", "A prompt", "An answer"):
        assert secret not in text


def client_body(server: InMemoryServer) -> bytes:
    """The body that the server answers with."""
    return answer("An answer")(server.requests[-1]).read()


@pytest.mark.parametrize(
    ("level", "said"), [(20, "info"), (10, "debug"), (10, "DEBUG"), (None, "loud"), (None, "")]
)
def test_openai_log(level: int | None, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable switches the log on, when a client is made, once."""
    logger = logging.getLogger("chatlib")
    monkeypatch.setenv("OPENAI_LOG", said)
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    monkeypatch.setattr(logger, "propagate", False)
    for _ in range(2):
        OpenAI(api_key="k")
    assert (level or 0, level is not None) == (logger.level, len(logger.handlers) == 1)
    log_to_stderr("debug")
    assert 10 == logger.level
    logger.setLevel(logging.NOTSET)


# Options, copies and pickles


def test_with_options(face: Face) -> None:
    """A client with other settings, over the same transport; the original stays."""
    server = InMemoryServer(default="Hello!")
    client = face.client(
        transport=server, default_headers={"a": "1"}, default_query={"q": "1"}, organization="o"
    )
    other = client.with_options(
        timeout=3,
        max_retries=5,
        base_url="http://other/v1",
        api_key="sk-other",
        default_headers={"b": "2"},
        default_query={"r": "2"},
        project="p",
    )
    other.chat.completions.create(**ASK)
    client.chat.completions.create(**ASK)
    changed, same = server.requests
    assert "http://other/v1/chat/completions?q=1&r=2" == changed.url
    assert ("1", "2", "o", "p", "Bearer sk-other") == tuple(
        changed.headers.get(name)
        for name in ("a", "b", "openai-organization", "openai-project", "authorization")
    )
    assert Timeout(3) == changed.timeout
    assert 5 == other.max_retries
    assert "https://api.openai.com/v1/chat/completions?q=1" == same.url
    assert "b" not in same.headers
    replaced = client.copy(set_default_headers={"c": "3"}, set_default_query={}, timeout=None)
    replaced.chat.completions.create(**ASK)
    request = server.requests[-1]
    assert ("3", None, None) == (
        request.headers["c"],
        request.headers.get("a"),
        request.timeout.read,
    )
    assert "?" not in request.url


def test_with_options_that_are_wrong() -> None:
    """Both ways to say a thing, a name that is none, and a value that can't be."""
    client = OpenAI(api_key="k")
    with pytest.raises(ValueError, match="default_headers and set_default_headers"):
        client.with_options(default_headers={}, set_default_headers={})
    with pytest.raises(TypeError, match=r"with_options\(\) got an unexpected .* 'time_out'"):
        client.with_options(time_out=3)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="max_retries"):
        client.with_options(max_retries=-1)
    with pytest.raises(TypeError, match=r"http_client is a builtins\.str"):
        OpenAI(api_key="k", http_client="")
    with pytest.raises(TypeError, match="websocket_base_url"):
        OpenAI(api_key="k", websocket_base_url="wss://h")  # type: ignore[call-arg]
    OpenAI(api_key="k", http_client=None, websocket_base_url=None)  # type: ignore[call-arg]
    with pytest.raises(OpenAIError, match="newline"):
        client.with_options(api_key="k\n")


def test_hooks_of_a_copy() -> None:
    """They take the place of the original's, one by one."""
    told: list[str] = []
    server = InMemoryServer(default="Hello!")
    client = OpenAI(
        api_key="k",
        transport=server,
        on_request=lambda _: told.append("request"),
        on_response=lambda _: told.append("response"),
    )
    client.with_options(on_request=lambda _: told.append("other")).chat.completions.create(**ASK)
    assert ["other", "response"] == told


class Closable(InMemoryServer):
    """A transport that notes that it was closed."""

    closed = 0

    def close(self) -> None:
        """Note it."""
        self.closed += 1


def test_copies_share_their_transport(face: Face) -> None:
    """It is closed with the last of those that use it."""
    transport = Closable(default="Hello!")
    client = face.client(transport=transport)
    with client.with_options(timeout=3) as other:
        assert other.transport is client.transport
        other.chat.completions.create(**ASK)
    assert 0 == transport.closed
    client.chat.completions.create(**ASK)
    client.close()
    assert 1 == transport.closed


def test_a_copy_outlives_its_original() -> None:
    """An original that is gone does not keep the connections open."""
    transport = Closable(default="Hello!")
    other = OpenAI(api_key="k", transport=transport).with_options(timeout=3)
    gc.collect()
    other.close()
    assert 1 == transport.closed


def test_a_transport_for_a_copy() -> None:
    """A copy may have a transport of its own."""
    first, second = InMemoryServer(default="a"), InMemoryServer(default="b")
    client = OpenAI(api_key="k", transport=first)
    assert "b" == client.with_options(transport=second).chat.completions.create(**ASK).text
    assert "a" == client.chat.completions.create(**ASK).text


@pytest.mark.parametrize("kind", [chatlib.OpenAI, chatlib.AsyncOpenAI])
def test_pickles(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickle is the client's settings, with the key only if it was given."""
    given = kind(api_key="sk-given", timeout=3, base_url="http://localhost/v1", max_retries=7)
    pickled = pickle.dumps(given)
    assert b"sk-given" in pickled
    twin = pickle.loads(pickled)
    assert given.config == twin.config
    assert given.transport is not twin.transport
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-env")
    found = pickle.dumps(kind(timeout=3))
    assert b"sk-from-env" not in found
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another")
    assert "sk-of-another" == pickle.loads(found).config.api_key.reveal()
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(OpenAIError, match="OPENAI_API_KEY"):
        pickle.loads(found)


def test_copying() -> None:
    """copy() shares the connections, deepcopy() has its own; a given transport is shared."""
    client = OpenAI(api_key="k")
    client.chat  # noqa: B018  # what is made later belongs to one client only
    assert copy.copy(client).transport is client.transport
    assert copy.deepcopy(client).transport is not client.transport
    assert copy.copy(client).chat is not client.chat
    server = InMemoryServer(default="Hello!")
    client = OpenAI(api_key="k", transport=server)
    for twin in (copy.copy(client), copy.deepcopy(client)):
        assert "Hello!" == twin.chat.completions.create(**ASK).text
    assert 2 == len(server.requests)


def test_threads_make_one_transport() -> None:
    """Threads that make the first calls at once share one pool."""
    client = OpenAI(api_key="k")
    seen: list[Any] = []
    gate = threading.Barrier(8, timeout=20)

    def look() -> None:
        gate.wait()
        seen.append(client.transport)

    threads = [threading.Thread(target=look) for _ in range(8)]
    run_threads(threads)
    assert 1 == len({id(transport) for transport in seen})


def test_perform(face: Face) -> None:
    """Any operation can be carried out, one of the caller's own too."""
    server = InMemoryServer(raw(200, {"object": "list", "data": [{"id": "m1"}]}), stored=False)
    client = face.client(transport=server)

    def read(response: HttpResponse) -> list[str]:
        return [model["id"] for model in response.json()["data"]]

    operation = chatlib.Operation(method="GET", path="/models", read=read, options={})
    assert ["m1"] == client.perform(operation)
    assert isinstance(server.requests[0], HttpRequest)


def test_errors_know_their_attempts(face: Face) -> None:
    """Raw or not, an error says how often it was tried."""
    client = face.client(transport=InMemoryServer(default=error(500)), sleep=no_sleep)
    for create in (
        client.chat.completions.create,
        client.chat.completions.with_raw_response.create,
    ):
        with pytest.raises(APIStatusError) as caught:
            create(**ASK)
        assert 3 == caught.value.attempts
    client = face.client(transport=InMemoryServer(raw(200, "nonsense")), sleep=no_sleep)
    with pytest.raises(APIResponseValidationError) as invalid:
        client.chat.completions.create(**ASK)
    assert 1 == invalid.value.attempts


def test_a_copy_that_is_gone_does_not_keep_the_transport_open(face: Face) -> None:
    """Also one that made a call in passing: no circle of references keeps it."""
    transport = Closable(default="Hello!")
    gc.disable()
    try:
        client = face.client(transport=transport)
        client.with_options(timeout=3).chat.completions.create(**ASK)
        client.close()
    finally:
        gc.enable()
    assert 1 == transport.closed


@attrs.define
class Counter:
    """A hook that is a value."""

    count: int = 0

    def __call__(self, *_: object) -> None:
        self.count += 1


def test_hooks_of_any_kind() -> None:
    """An object that can be called stays what it is; what can't be called is refused."""
    counter = Counter()
    client = OpenAI(api_key="k", transport=InMemoryServer("Hello!"))
    client.with_options(on_response=counter).chat.completions.create(**ASK)
    assert 1 == counter.count

    async def later(request: HttpRequest) -> None: ...

    with pytest.raises(TypeError, match="on_request is a coroutine function"):
        OpenAI(api_key="k", on_request=later)
    with pytest.raises(TypeError, match="on_retry is a int"):
        OpenAI(api_key="k", on_retry=3)  # type: ignore[arg-type]


def test_a_hook_that_raises_our_own_exceptions(face: Face) -> None:
    """They end the call like any other: nothing is sent again."""

    def refuse(response: HttpResponse) -> None:
        raise APIConnectionError(message="mine")

    server = InMemoryServer(default="Hello!")
    client = face.client(transport=server, on_response=refuse, sleep=no_sleep)
    with pytest.raises(APIConnectionError, match="mine"):
        client.chat.completions.create(**ASK)
    assert 1 == len(server.requests)


def test_errors_of_raw_access_know_their_attempts(face: Face) -> None:
    """An error that is found when the body is read counts the attempts before."""
    inside = {"error": {"message": "bad"}}
    server = InMemoryServer(error(500), raw(200, inside), stored=False)
    client = face.client(transport=server, sleep=no_sleep)
    response = client.chat.completions.with_raw_response.create(**ASK)
    with pytest.raises(APIError, match="bad") as caught:
        response.parse()
    assert 2 == caught.value.attempts


def test_a_body_that_is_gone(face: Face) -> None:
    """What was closed, or broke off, is not read as empty."""
    server = InMemoryServer(fault(after="abc", size=1), "Hello!", stream("a", "b"))
    streamed = face.client(transport=server, max_retries=0).chat.completions.with_streaming_response
    with streamed.create(**ASK) as response:
        for _ in range(2):
            with pytest.raises(APIConnectionError):
                response.read()
    with streamed.create(**ASK, stream=True) as response:
        next(iter(response.iter_lines()))
    with pytest.raises(APIConnectionError, match="closed before"):
        response.read()


def exposed(call: Any) -> str:
    """What a tool shows that prints the variables of a traceback, but for this module's."""
    with pytest.raises((OpenAIError, TypeError)) as caught:
        call()
    shown = [frame.f_locals for frame in library_frames(caught.value.__traceback__)]
    assert len(shown) > 2
    return repr(shown[1:])


def test_an_unusable_key_is_in_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the environment or not, text or not: no frame of the library holds it."""
    key = "sk-very" + "secret\x7f"
    assert "verysecret" not in exposed(lambda: OpenAI(api_key=key))
    assert "verysecret" not in exposed(lambda: OpenAI(api_key=key.encode()))  # type: ignore[arg-type]
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"):
        monkeypatch.setenv(name, key)
    assert "verysecret" not in exposed(lambda: OpenAI())
    azure: Any = {"azure_endpoint": "https://x", "api_version": "v"}
    assert "verysecret" not in exposed(lambda: chatlib.AzureOpenAI(**azure))
