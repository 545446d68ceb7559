"""The client, end to end, over a server in memory: real bytes, no sockets, no clock."""

from __future__ import annotations

import gc
import threading
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

import chatlib
from chatlib import (
    NOT_GIVEN,
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AsyncStream,
    HttpRequest,
    HttpResponse,
    IncompleteStreamError,
    InternalServerError,
    OpenAI,
    OpenAIError,
    RateLimitError,
    Stream,
    Timeout,
    TransportError,
    TransportTimeout,
    omit,
)
from chatlib.testing import InMemoryServer, answer, error, fault, raw, stream
from chatlib.testing.contract.malformed import BROKEN
from chatlib.testing.loopback import Server
from tests import faces
from tests.faces import run_threads

pytestmark = pytest.mark.usefixtures("face")  # each test holds for both faces

ASK: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
NOW = {"retry-after-ms": "0"}


def client_of(*replies: Any, **options: Any) -> tuple[Any, InMemoryServer, list[float]]:
    """A client, its server, and what it slept."""
    server, slept = InMemoryServer(*replies), []
    options = {"api_key": "sk-secret", "transport": server, "sleep": slept.append, **options}
    return faces.client(**options), server, slept


def test_create() -> None:
    """A call sends its parameters and brings a completion."""
    client, server, _ = client_of("Hello!")
    completion = client.chat.completions.create(**ASK, temperature=0)
    assert ("Hello!", "stop") == (
        completion.choices[0].message.content,
        completion.choices[0].finish_reason,
    )
    assert {**ASK, "temperature": 0} == server.requests[0].json()
    assert "req_scripted_1" == completion.request_id


def test_beta_is_the_same() -> None:
    """client.beta.chat is client.chat."""
    client, _, _ = client_of("Hello!")
    assert "Hello!" == client.beta.chat.completions.create(**ASK).text


def test_not_given() -> None:
    """Both words for it leave a parameter out."""
    client, server, _ = client_of("a")
    client.chat.completions.create(**ASK, stop=NOT_GIVEN, seed=omit, stream=NOT_GIVEN, timeout=omit)
    assert ASK == server.requests[0].json()


# Streams


def test_stream() -> None:
    """Iterating gives the chunks as they come; the connection is given back at the end."""
    client, server, _ = client_of(stream("Hel", "lo"))
    chunks = client.chat.completions.create(**ASK, stream=True)
    assert isinstance(faces.unwrap(chunks), (Stream, AsyncStream))
    assert 200 == chunks.response.status
    assert 1 == server.open_responses
    assert "Hello" == "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert 0 == server.open_responses
    assert [] == list(chunks)


@pytest.mark.parametrize("cut", [1, 2, 17, 1000])
def test_stream_in_any_pieces(cut: int) -> None:
    """How the bytes are cut does not matter."""
    client, _, _ = client_of(stream("日本", " ✅", cut=cut))
    assert "日本 ✅" == "".join(c.text for c in client.chat.completions.create(**ASK, stream=True))


def test_stream_left_early_gives_its_connection_back() -> None:
    """By with, by close, and by being dropped; whether anything was read or not."""
    client, server, _ = client_of(*[stream("a", "b", "c")] * 5)
    create = client.chat.completions.create
    with create(**ASK, stream=True) as chunks:
        assert "a" == next(chunks).text
    assert 0 == server.open_responses
    chunks = create(**ASK, stream=True)
    chunks.close()
    chunks.close()
    assert ([], 0) == (list(chunks), server.open_responses)
    for chunk in create(**ASK, stream=True):
        assert "a" == chunk.text
        break
    create(**ASK, stream=True)
    with pytest.raises(ZeroDivisionError), create(**ASK, stream=True):
        raise ZeroDivisionError
    del chunks
    gc.collect()
    assert 0 == server.open_responses


@pytest.mark.parametrize(
    ("finish_reason", "done", "complete"),
    [("stop", True, True), ("stop", False, True), (None, True, True), (None, False, False)],
)
def test_ends_of_a_stream(finish_reason: str | None, done: bool, complete: bool) -> None:
    """A finish reason, or [DONE], is an end; without either, the stream was cut off."""
    client, server, _ = client_of(stream("Par", finish_reason=finish_reason, done=done))
    chunks = client.chat.completions.create(**ASK, stream=True)
    if complete:
        assert "Par" == chatlib.joined(chunks).text
    else:
        assert "Par" == next(chunks).text
        with pytest.raises(IncompleteStreamError) as caught:
            next(chunks)
        assert caught.value.completion is not None
        assert "Par" == caught.value.completion.text
        assert isinstance(caught.value, APIConnectionError)
    assert 0 == server.open_responses


def test_broken_stream_is_never_tried_again() -> None:
    """After its first byte, no token may come twice; the error holds what had come."""
    client, server, slept = client_of(fault(after=stream("Par", finish_reason=None, done=False)))
    chunks = client.chat.completions.create(**ASK, stream=True)
    assert "Par" == next(chunks).text
    with pytest.raises(APIConnectionError, match="scripted reset") as caught:
        next(chunks)
    assert caught.value.completion is not None
    assert "Par" == caught.value.completion.text
    assert (1, [], 0) == (len(server.requests), slept, server.open_responses)


def test_stream_is_tried_again_before_its_first_byte() -> None:
    """A connection that dies before any byte of the body has cost nothing."""
    client, server, _ = client_of(fault(after=""), fault("timeout"), error(503), "Hello there")
    chunks = client.chat.completions.create(**ASK, stream=True, max_retries=3)
    assert "Hello there" == chatlib.joined(chunks).text
    assert 4 == len(server.requests)
    assert 4 == chunks.response.attempts


def test_stream_that_breaks_after_its_end_is_complete() -> None:
    """Once every choice has finished, the end of the connection does not matter."""
    client, _, _ = client_of(fault(after=stream("all", done=False)))
    assert "all" == chatlib.joined(client.chat.completions.create(**ASK, stream=True)).text


def test_refused_stream() -> None:
    """An error status is raised by the call, not by the iteration."""
    client, server, _ = client_of(error(400, "no"))
    with pytest.raises(chatlib.BadRequestError, match="400 - no"):
        client.chat.completions.create(**ASK, stream=True)
    assert 0 == server.open_responses


# Retries


def test_retries() -> None:
    """Two by default, with the server's waits or our own; attempts can be read on the result."""
    client, server, slept = client_of(error(500), error(429, headers={"retry-after": "7"}), "ok")
    completion = client.chat.completions.create(**ASK)
    assert completion.http is not None
    assert ("ok", 3, 7.0) == (
        completion.text,
        completion.http.attempts,
        completion.http.retry_after,
    )
    assert 3 == len(server.requests)
    assert 0.375 <= slept[0] <= 0.5
    assert [7.0] == slept[1:]
    assert 1 == len({request.content for request in server.requests})


def test_retries_end() -> None:
    """The last error is raised, and says how many attempts were made."""
    client, server, _ = client_of(*[error(500, str(at)) for at in range(9)])
    with pytest.raises(InternalServerError, match="500 - 2") as caught:
        client.chat.completions.create(**ASK)
    assert (3, 3) == (len(server.requests), caught.value.attempts)


@pytest.mark.parametrize(("client_says", "call_says", "sent"), [(0, omit, 1), (5, 1, 2), (0, 3, 4)])
def test_max_retries(client_says: int, call_says: Any, sent: int) -> None:
    """By the client, and by the call, which wins."""
    client, server, _ = client_of(*[error(500)] * 9, max_retries=client_says)
    with pytest.raises(InternalServerError):
        client.chat.completions.create(**ASK, max_retries=call_says)
    assert sent == len(server.requests)


def test_long_wait_is_an_error_at_once() -> None:
    """A server that asks for more than two minutes is not waited for; the wait can be read."""
    client, server, slept = client_of(error(429, headers={"retry-after": "3600"}))
    with pytest.raises(RateLimitError) as caught:
        client.chat.completions.create(**ASK)
    assert (3600.0, 1, []) == (caught.value.retry_after, len(server.requests), slept)


@pytest.mark.parametrize(
    ("cls", "kind"),
    [(APIConnectionError, "connect"), (APIConnectionError, "reset"), (APITimeoutError, "timeout")],
)
def test_connection_errors(cls: type[APIError], kind: Any) -> None:
    """Each failure of a transport becomes the client's error, with the request on it."""
    client, server, _ = client_of(*[fault(kind)] * 3)
    with pytest.raises(cls) as caught:
        client.chat.completions.create(**ASK)
    assert cls is type(caught.value)
    assert 3 == len(server.requests) == caught.value.attempts
    assert server.requests[-1] == caught.value.request


def test_hopeless_connection_error_is_not_tried_again() -> None:
    """A transport may say that trying again can't help."""
    client, server, _ = client_of(TransportError("bad certificate", retryable=False))
    with pytest.raises(APIConnectionError, match="bad certificate"):
        client.chat.completions.create(**ASK)
    assert 1 == len(server.requests)


def test_body_that_breaks_is_tried_again() -> None:
    """A completion of which only a part arrived is no answer yet."""
    client, server, _ = client_of(fault(after=answer("ok"), size=20), "ok")
    assert "ok" == client.chat.completions.create(**ASK).text
    assert 0 == server.open_responses


@pytest.mark.parametrize("size", [0, 40])
@pytest.mark.parametrize("streamed", [False, True])
def test_error_status_whose_body_breaks(streamed: bool, size: int) -> None:
    """The status tells more than the broken body, whose beginning is shown."""
    broken = fault(after=error(401, "who are you? " * 9), size=size)
    client, server, _ = client_of(broken, "ok")
    with pytest.raises(chatlib.AuthenticationError, match="who are" if size else "no body"):
        client.chat.completions.create(**ASK, stream=streamed)
    assert (1, 0) == (len(server.requests), server.open_responses)


@pytest.mark.parametrize("how", ["inside the body, closed", "between two chunks, closed"])
def test_body_that_is_cut_short(how: str) -> None:
    """Over sockets, the message says in plain words what happened."""
    with (
        Server(BROKEN[how]) as server,
        faces.client(base_url=server.url, max_retries=0) as client,
        pytest.raises(APIConnectionError, match="before the end of the body"),
    ):
        client.chat.completions.create(**ASK)


@pytest.mark.parametrize("foreign", [KeyboardInterrupt(), ZeroDivisionError(), TimeoutError()])
def test_foreign_exceptions_pass(foreign: BaseException) -> None:
    """What a transport does not report as its failure is none of ours."""
    client, server, _ = client_of(foreign, "ok")
    with pytest.raises(type(foreign)) as caught:
        client.chat.completions.create(**ASK)
    assert foreign is caught.value
    assert 1 == len(server.requests)


def test_foreign_exception_in_a_body_closes_it() -> None:
    """It passes, and the connection is given back."""

    def body() -> Iterator[bytes]:
        yield b"data: {"
        raise KeyboardInterrupt

    for streamed in (False, True):
        client, server, _ = client_of(HttpResponse(200, {}, body()))
        with pytest.raises(KeyboardInterrupt):
            list(client.chat.completions.create(**ASK, stream=streamed))  # type: ignore[call-overload]
        assert 0 == server.open_responses


def test_key_function() -> None:
    """It is called for each attempt; the rest of the request stays."""
    keys = iter(["k1", "k2", "k3"])
    client, server, _ = client_of(error(500), "ok", api_key=lambda: next(keys))
    client.chat.completions.create(**ASK, idempotency_key="once")
    assert ["Bearer k1", "Bearer k2"] == [r.headers["authorization"] for r in server.requests]
    assert ["once", "once"] == [r.headers["idempotency-key"] for r in server.requests]


# Deadlines


class SlowServer:
    """Sends pieces of an endless stream, one for each second of a clock of its own."""

    def __init__(self) -> None:
        self.waits: list[float | None] = []
        self.closed = 0

    def send(self, request: HttpRequest) -> HttpResponse:
        def body() -> Iterator[bytes]:
            while True:
                yield b": heartbeat\n\n"

        def close() -> None:
            self.closed += 1

        return HttpResponse(200, {}, body(), on_close=close, limit_wait=self.waits.append)


@pytest.mark.parametrize("streamed", [True, False])
def test_total_bounds_what_heartbeats_keep_alive(streamed: bool) -> None:
    """Timeout(total=) ends a call whose server is alive and says nothing."""
    server = SlowServer()
    client = faces.client(api_key="k", transport=server, max_retries=5)
    with pytest.raises(APITimeoutError, match="whole call") as caught:
        list(client.chat.completions.create(**ASK, stream=streamed, timeout=Timeout(9, total=0.5)))  # type: ignore[call-overload]
    assert 1 == caught.value.attempts
    assert faces.wait_for(lambda: server.closed)
    assert server.waits or faces.now.is_async  # which is interrupted from outside
    assert all(wait is not None and 0 < wait <= 0.5 for wait in server.waits)


def test_total_shortens_the_waits_of_an_attempt() -> None:
    """No single wait is given more than what is left of the whole."""
    client, server, _ = client_of("ok")
    client.chat.completions.create(**ASK, timeout=Timeout(600, connect=None, total=5))
    sent = server.requests[0].timeout
    assert all(
        0 < limit <= 5 for limit in (sent.connect, sent.read, sent.write, sent.pool) if limit
    )
    assert sent.connect is not None


# Transports of other people


def test_transport_of_ten_lines() -> None:
    """Any object with send() will do."""

    class Mine:
        def send(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse(200, {}, b'{"choices": [{"message": {"content": "mine"}}]}')

    assert "mine" == OpenAI(api_key="k", transport=Mine()).chat.completions.create(**ASK).text


def test_transport_is_closed_with_the_client() -> None:
    """close() and with close it, where it can be closed."""
    closed = []

    class Mine(InMemoryServer):
        def close(self) -> None:
            closed.append(1)

    with OpenAI(api_key="k", transport=Mine()):
        pass
    assert [1] == closed
    OpenAI(api_key="k", transport=InMemoryServer()).close()
    OpenAI(api_key="k").close()


def test_redirects() -> None:
    """Followed within the origin; refused elsewhere, where nothing is sent."""
    moved = raw(308, b"", headers={"location": "/v2/chat/completions"})
    client, server, _ = client_of(moved, "ok")
    assert "ok" == client.chat.completions.create(**ASK).text
    assert "https://api.openai.com/v2/chat/completions" == server.requests[1].url
    assert server.requests[0].content == server.requests[1].content
    elsewhere = raw(307, b"", headers={"location": "https://evil.test/"})
    client, server, _ = client_of(elsewhere, "never")
    with pytest.raises(APIStatusError, match=r"evil\.test"):
        client.chat.completions.create(**ASK)
    assert 1 == len(server.requests)


def test_redirects_do_not_go_round_for_ever() -> None:
    """A handful is followed."""
    here = raw(307, b"", headers={"location": "/v1/chat/completions"})
    client, server, _ = client_of(*[here] * 20, max_retries=0)
    with pytest.raises(APIConnectionError, match="redirects"):
        client.chat.completions.create(**ASK)
    assert 6 == len(server.requests)


# The client itself


def test_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not given is read from it when the client is made."""
    with pytest.raises(OpenAIError, match="OPENAI_API_KEY"):
        OpenAI()
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://h/v1")
    assert "http://h/v1/" == OpenAI().base_url


def test_key_is_in_no_repr() -> None:
    """Neither of the client nor of what it made."""
    client, server, _ = client_of(error(401, "sk-secret is wrong"))
    with pytest.raises(chatlib.AuthenticationError) as caught:
        client.chat.completions.create(**ASK)
    error_shown = (
        f"{caught.value!r} {caught.value} {caught.value.request!r} {caught.value.response!r}"
    )
    assert "sk-secret" not in f"{client!r} {client.config!r} {server.requests!r} {error_shown}"


def test_threads_share_a_client() -> None:
    """Calls from many threads at once each get their own answer."""
    server = InMemoryServer(default=lambda request: request.json()["messages"][0]["content"])
    client = faces.client(api_key="k", transport=server)
    got: dict[int, str] = {}

    def call(number: int) -> None:
        message: Any = {"role": "user", "content": f"answer {number}"}
        got[number] = client.chat.completions.create(model="m", messages=[message]).text

    threads = [threading.Thread(target=call, args=(number,)) for number in range(32)]
    run_threads(threads)
    assert {number: f"answer {number}" for number in range(32)} == got


def test_timeout_of_a_transport_is_the_clients() -> None:
    """A TransportTimeout becomes an APITimeoutError with its words."""
    client, _, _ = client_of(*[TransportTimeout("no bytes for 3 s")] * 3)
    with pytest.raises(APITimeoutError, match="no bytes for 3 s"):
        client.chat.completions.create(**ASK)


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_key": "sk-secret\n"},
        {"base_url": "nonsense"},
        {"max_retries": -1},
        {"timeout": -1},
    ],
)
def test_key_is_in_no_traceback(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even in one that prints the variables, as some tools do."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with pytest.raises((OpenAIError, ValueError)) as caught:
        OpenAI(**wrong)
    assert "sk-secret" not in shown_with_variables(caught.value)


def test_key_is_in_no_traceback_of_a_call() -> None:
    """Whatever is wrong with the call."""
    for options in ({"extra_headers": {"X": "a\nb"}}, {"timeout": -1}, {"max_retries": -1}):
        client, _, _ = client_of("ok")
        with pytest.raises(ValueError) as caught:  # noqa: PT011  # each says something else
            client.chat.completions.create(**ASK, **options)  # type: ignore[call-overload]
        assert "sk-secret" not in shown_with_variables(caught.value)


def shown_with_variables(error: BaseException) -> str:
    """A traceback with the variables of the library's frames."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [frame for frame in shown.stack if "tests" not in frame.filename]
    return " ".join(str(frame.locals) for frame in frames) + str(error)
