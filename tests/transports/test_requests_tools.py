"""Tools that stand in for requests' network see the calls, and no socket is opened behind them."""

from __future__ import annotations

import ast
import asyncio
import io
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import requests_mock
import responses
import vcr
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from requests.adapters import BaseAdapter, HTTPAdapter

from chatlib import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    AuthenticationError,
    OpenAI,
    transports,
)
from chatlib.testing.loopback import Reply, Server, chunk, completion, sse
from chatlib.transports.requests import RequestsTransport
from chatlib.transports.threads import ThreadTransport
from chatlib.transports.urllib3 import Urllib3Transport

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
KEY = "sk-of-a-test"
URL = "https://api.openai.com/v1/chat/completions"
EVENTS = sse(chunk("Hel"), chunk("lo"), chunk(finish="stop"))
TYPE = {"content-type": "text/event-stream"}


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, whoever connects a socket or resolves a name fails the test."""

    def refuse(*args: Any, **_: Any) -> Any:
        pytest.fail(f"a socket to elsewhere: {args[-1]}")

    def cut() -> None:
        for name in ("create_connection", "getaddrinfo"):
            monkeypatch.setattr(socket, name, refuse)
        for name in ("connect", "connect_ex"):
            monkeypatch.setattr(socket.socket, name, refuse)

    return cut


@pytest.fixture(params=["sync", "async"])
def text(request: pytest.FixtureRequest) -> Callable[..., str]:
    """Ask by either face: the text of the answer, which may come as a stream."""
    return text_of if request.param == "sync" else atext_of


def text_of(transport: Any = None, *, stream: bool = False, **options: Any) -> str:
    with OpenAI(**settings(options), transport=transport) as client:
        create = client.chat.completions.create
        if stream:
            return "".join(piece.text for piece in create(**ASK, stream=True))
        return create(**ASK).text


def atext_of(transport: Any = None, *, stream: bool = False, **options: Any) -> str:
    async def main() -> str:
        over = ThreadTransport(transport or RequestsTransport())
        async with AsyncOpenAI(**settings(options), transport=over) as client:
            create = client.chat.completions.create
            if stream:
                return "".join([piece.text async for piece in await create(**ASK, stream=True)])
            return (await create(**ASK)).text

    # Its loop opens sockets of its own, to itself, which need no connection made here.
    return asyncio.run(main())


def settings(options: dict[str, Any]) -> dict[str, Any]:
    return {"api_key": KEY, "sleep": lambda seconds: None, **options}


both = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


# requests-mock --------------------------------------------------------------------------------


@both
def test_requests_mock(text: Callable[..., str], stream: bool, offline: Callable[[], None]) -> None:
    """requests-mock answers in place of the network, and is shown what was sent."""
    offline()
    with requests_mock.Mocker() as mock:
        if stream:
            mock.post(URL, content=EVENTS, headers=TYPE)
        else:
            mock.post(URL, json=completion("Hello"))
        assert "Hello" == text(stream=stream)
        assert f"Bearer {KEY}" == mock.last_request.headers["Authorization"]
        assert "m" == mock.last_request.json()["model"]
        assert 1 == mock.call_count


@both
def test_requests_mock_sees_retries(
    text: Callable[..., str], stream: bool, offline: Callable[[], None]
) -> None:
    """Each attempt passes by it; so do redirects, which requests itself must not follow."""
    offline()
    last = {"content": EVENTS, "headers": TYPE} if stream else {"json": completion("Hello")}
    with requests_mock.Mocker() as mock:
        mock.post(
            URL,
            [
                {"status_code": 503, "json": {"error": {"message": "later"}}},
                {"exc": requests.exceptions.ConnectTimeout},
                {"status_code": 307, "headers": {"location": "/v1/moved"}},
            ],
        )
        mock.post("https://api.openai.com/v1/moved", [last])
        assert "Hello" == text(stream=stream)
        assert ["/v1/chat/completions"] * 3 + ["/v1/moved"] == [
            sent.path for sent in mock.request_history
        ]


@both
def test_requests_mock_of_one_session(stream: bool, offline: Callable[[], None]) -> None:
    """A session of the user's own is mocked alone, or has a mounted adapter."""
    offline()
    session, adapter = requests.Session(), requests_mock.Adapter()
    adapter.register_uri(
        "POST", URL, content=EVENTS if stream else json.dumps(completion("Hello")).encode()
    )
    session.mount("https://api.openai.com/", adapter)
    assert "Hello" == text_of(RequestsTransport(session), stream=stream)
    assert 1 == adapter.call_count
    made = RequestsTransport()
    with requests_mock.Mocker(session=made.session) as mock:
        mock.post(URL, content=EVENTS if stream else json.dumps(completion("Hello")).encode())
        assert "Hello" == text_of(made, stream=stream)


def test_requests_mock_with_errors(offline: Callable[[], None]) -> None:
    """What it raises, and what it has no answer to, are the client's exceptions."""
    offline()
    with requests_mock.Mocker() as mock:
        mock.post(URL, status_code=401, json={"error": {"message": "no"}})
        with pytest.raises(AuthenticationError, match="no"):
            text_of()
        for kind in (requests.ReadTimeout, requests.ConnectTimeout, requests.Timeout):
            mock.post(URL, exc=kind)
            with pytest.raises(APITimeoutError):
                text_of()
        for other in (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            mock.post(URL, exc=other("broken"))
            with pytest.raises(APIConnectionError, match="broken") as caught:
                text_of()
            assert not isinstance(caught.value, APITimeoutError)
    kinds = (APIConnectionError, requests_mock.NoMockAddress)  # by its version
    with requests_mock.Mocker(), pytest.raises(kinds, match="No mock address"):
        text_of()


# Sessions and adapters of the user's own ------------------------------------------------------


@both
def test_patched_send(
    text: Callable[..., str],
    stream: bool,
    offline: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever replaces Session.send is the network; the response may be put together by hand."""
    offline()
    seen: list[tuple[requests.PreparedRequest, dict[str, Any]]] = []

    def send(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> Any:
        seen.append((request, options))
        answer = requests.Response()
        answer.status_code = 200
        answer._content = EVENTS if stream else json.dumps(completion("Hello")).encode()
        return answer

    monkeypatch.setattr(requests.Session, "send", send)
    assert "Hello" == text(stream=stream)
    request, options = seen[0]
    assert ("POST", URL) == (request.method, request.url)
    assert (True, False) == (options["stream"], options["allow_redirects"])


class Canned(BaseAdapter):
    """An adapter that has its answers, of one kind of ``raw`` or the other."""

    def __init__(self, *bodies: Any) -> None:
        super().__init__()
        self.bodies = list(bodies)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        body = self.bodies.pop(0)
        if isinstance(body, Exception):
            raise body
        answer = requests.Response()
        answer.status_code, answer.raw, answer.request = 200, body, request
        return answer

    def close(self) -> None:
        pass


class Breaking(io.BytesIO):
    """A body that fails after its first piece."""

    def __init__(self, body: bytes, error: Exception) -> None:
        super().__init__(body)
        self.error = error

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        if not found:
            raise self.error
        return found


def canned(*bodies: Any) -> RequestsTransport:
    session = requests.Session()
    session.mount("https://api.openai.com/v1/", Canned(*bodies))
    return RequestsTransport(session)


def test_adapter_with_plain_files(offline: Callable[[], None]) -> None:
    """A response whose body is any file, as adapters for tests give it."""
    offline()
    assert "Hello" == text_of(canned(io.BytesIO(json.dumps(completion("Hello")).encode())))
    assert "Hello" == text_of(canned(io.BytesIO(EVENTS)), stream=True)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (requests.ReadTimeout("slow"), APITimeoutError),
        (requests.ConnectTimeout("slow"), APITimeoutError),
        (TimeoutError("slow"), APITimeoutError),
        (requests.ConnectionError("slow"), APIConnectionError),
        (requests.exceptions.ChunkedEncodingError("slow"), APIConnectionError),
        (requests.exceptions.ContentDecodingError("slow"), APIConnectionError),
    ],
)
def test_adapter_that_raises(error: Exception, kind: type[Exception]) -> None:
    """Before the headers and inside the body, exceptions of requests are the client's."""
    ours = [error, Breaking(b"{", error), Breaking(EVENTS[:60], error)]
    for at, body in enumerate(ours):
        with pytest.raises(kind, match="slow") as caught:
            text_of(canned(body), stream=at == 2, max_retries=0)
        assert kind is type(caught.value) or at == 2
        assert isinstance(caught.value, APITimeoutError) == (kind is APITimeoutError)


@both
def test_hooks_of_a_session(stream: bool) -> None:
    """Response hooks of a session are called, with a response that is complete."""
    seen: list[Any] = []

    def hook(answer: requests.Response, **_: Any) -> None:
        seen.append((answer.status_code, answer.headers["x-request-id"], answer.url))
        seen.append((answer.encoding, dict(answer.cookies), answer.elapsed is not None))

    reply = Reply.stream(EVENTS) if stream else Reply.json(completion("Hello"))
    headers = {
        "content-type": "text/plain; charset=latin-1",
        "x-request-id": "r",
        "set-cookie": "a=b",
    }
    for transport in (RequestsTransport(), RequestsTransport(requests.Session())):
        transport.session.hooks["response"].append(hook)
        with Server(Reply(200, headers, reply.body)) as server:
            assert "Hello" == text_of(transport, stream=stream, base_url=server.url)
            url = f"{server.url}/chat/completions"
        assert [(200, "r", url), ("latin-1", {"a": "b"}, True)] == seen
        seen.clear()


def test_hook_that_reads_the_body() -> None:
    """A hook may read the whole body, which then is still the answer."""
    transport = RequestsTransport(requests.Session())
    transport.session.hooks["response"].append(lambda answer, **_: answer.content and None)
    for stream, reply in ((False, Reply.json(completion("Hello"))), (True, Reply.stream(EVENTS))):
        with Server(reply) as server:
            assert "Hello" == text_of(transport, stream=stream, base_url=server.url)
    made = RequestsTransport()
    made.session.hooks["response"].append(lambda answer, **_: answer.content and None)
    with Server(Reply.json(completion("Hello"))) as server:
        assert "Hello" == text_of(made, base_url=server.url)


@both
def test_hook_that_raises_for_a_status(stream: bool) -> None:
    """A hook that calls ``raise_for_status()`` makes no other error of the server's."""
    transport = RequestsTransport(requests.Session())
    transport.session.hooks["response"].append(lambda answer, **_: answer.raise_for_status())
    with Server(Reply.error(401, "who are you?"), Reply.json(completion("Hello"))) as server:
        with pytest.raises(AuthenticationError, match="who are you"):
            text_of(transport, stream=stream, base_url=server.url)
        assert 1 == len(server.requests)
        assert "Hello" == text_of(transport, base_url=server.url)


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_plain_adapter_streams(framing: str) -> None:
    """Over the usual adapter of a session, events come as they are sent."""
    first, rest = sse(chunk("Hel"), done=False), sse(chunk("lo", "stop"))
    reply = Reply(200, TYPE, [first, 30.0, rest], framing=framing)
    with (
        Server(reply) as server,
        OpenAI(
            **settings({"base_url": server.url}), transport=RequestsTransport(requests.Session())
        ) as client,
        client.chat.completions.create(**ASK, stream=True, timeout=5) as pieces,
    ):
        assert "Hel" == next(pieces).text


@both
def test_redirects_are_left_to_the_client(stream: bool) -> None:
    """The body of a redirect, which may never end, is not read; where it leads is not followed."""
    endless = Reply(307, {"location": "http://elsewhere.test/"}, [b"x", 30.0])
    for transport in (RequestsTransport(), RequestsTransport(requests.Session())):
        with Server(endless) as server, pytest.raises(APIStatusError, match="refused"):
            text_of(transport, stream=stream, base_url=server.url, timeout=5)


# responses ------------------------------------------------------------------------------------


@both
def test_responses(text: Callable[..., str], stream: bool, offline: Callable[[], None]) -> None:
    """The responses package answers by its patched adapter, and keeps complete responses."""
    offline()
    with responses.RequestsMock() as mock:
        body = EVENTS if stream else json.dumps(completion("Hello"))
        mock.post(URL, body="later", status=503)
        mock.post(URL, body=body, content_type="text/event-stream", headers={"x-a": "b"})
        assert "Hello" == text(stream=stream)
        assert [503, 200] == [call.response.status_code for call in mock.calls]  # type: ignore[union-attr]
        assert "b" == mock.calls[1].response.headers["x-a"]  # type: ignore[union-attr]
    with responses.RequestsMock(), pytest.raises(APIConnectionError, match="Connection refused"):
        text_of()


# vcrpy ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [RequestsTransport, Urllib3Transport])
@pytest.mark.parametrize("gzip", [False, True])
@both
def test_vcr(
    kind: Any,
    gzip: bool,
    stream: bool,
    text: Callable[..., str],
    tmp_path: Path,
    offline: Callable[[], None],
) -> None:
    """Recorded from a server, played when it is gone; the same transport goes on without."""
    cassette = str(tmp_path / "cassette.yaml")
    settings: dict[str, Any] = {
        "filter_headers": ["authorization"],
        "match_on": ["method", "path", "body"],
    }
    reply = (
        Reply.stream([EVENTS], gzip=gzip)
        if stream
        else Reply(
            200,
            {"content-type": "application/json"},
            json.dumps(completion("Hello")).encode(),
            gzip=gzip,
        )
    )
    kept = kind()
    with Server(reply) as server:
        assert "Hello" == text(kept, stream=stream, base_url=server.url)
        with vcr.use_cassette(cassette, **settings):
            assert "Hello" == text(kept, stream=stream, base_url=server.url)
            assert "Hello" == text(kind(), stream=stream, base_url=server.url)
        assert 3 == len(server.requests)
        assert "Hello" == text(kept, stream=stream, base_url=server.url)
        assert 4 == len(server.requests)
        url = server.url
    written = Path(cassette).read_text()
    assert KEY not in written
    assert "!!python" not in written
    offline()
    for transport in (kept, kind(), kept):
        with vcr.use_cassette(cassette, record_mode="none", **settings) as replay:
            assert "Hello" == text(transport, stream=stream, base_url=url)
        assert 1 == replay.play_count
    with (
        vcr.use_cassette(cassette, record_mode="none", **settings),
        OpenAI(api_key=KEY, base_url=url, transport=kept, max_retries=0) as client,
        pytest.raises(Exception, match="cassette"),
    ):
        client.chat.completions.create(**{**ASK, "model": "other"})


@pytest.mark.parametrize("gzip", [False, True])
@both
def test_vcr_of_aiohttp(stream: bool, gzip: bool, tmp_path: Path) -> None:
    """The asynchronous transport is recorded too, and played when the server is gone."""
    aiohttp_transport = pytest.importorskip("chatlib.transports.aiohttp").AiohttpTransport
    content = EVENTS if stream else json.dumps(completion("Hello")).encode()

    async def ask() -> str:
        given = settings({"base_url": url})
        async with AsyncOpenAI(**given, transport=aiohttp_transport()) as client:
            made = await client.chat.completions.create(**ASK, stream=stream)
            return "".join([each.text async for each in made]) if stream else str(made.text)

    cassette = str(tmp_path / "cassette.yaml")
    with Server(Reply(200, TYPE, content, gzip=gzip)) as server:
        url = server.url
        with vcr.use_cassette(cassette, filter_headers=["authorization"]):
            assert "Hello" == asyncio.run(ask())
    assert KEY not in Path(cassette).read_text()
    with vcr.use_cassette(cassette, record_mode="none") as replay:
        assert "Hello" == asyncio.run(ask())
    assert 1 == replay.play_count


def test_vcr_of_tls(offline: Callable[[], None], tmp_path: Path) -> None:
    """A cassette of the real address is played without a connection, TLS or not."""
    body = json.dumps(completion("Hello"))
    head = {"content-type": ["application/json"]}
    (tmp_path / "c.yaml").write_text(
        json.dumps(
            {
                "version": 1,
                "interactions": [
                    {
                        "request": {"method": "POST", "uri": URL, "body": "", "headers": {}},
                        "response": {
                            "status": {"code": 200, "message": "OK"},
                            "headers": head,
                            "body": {"string": body},
                        },
                    }
                ],
            }
        )
    )
    offline()
    for kind in (RequestsTransport, Urllib3Transport):
        with vcr.use_cassette(str(tmp_path / "c.yaml"), record_mode="none") as replay:
            assert "Hello" == text_of(kind())
        assert 1 == replay.play_count


# OpenTelemetry --------------------------------------------------------------------------------


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = RequestsInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    yield exporter
    instrumentor.uninstrument()
    provider.shutdown()


@both
def test_opentelemetry(text: Callable[..., str], stream: bool, spans: InMemorySpanExporter) -> None:
    """Each attempt has a span, with its status and without the key; the trace is passed on."""
    last = Reply.stream(EVENTS) if stream else Reply.json(completion("Hello"))
    with Server(Reply.error(503), last) as server:
        assert "Hello" == text(stream=stream, base_url=server.url)
        assert all("traceparent" in sent.headers for sent in server.requests)
    found = [dict(span.attributes or {}) for span in spans.get_finished_spans()]
    assert [503, 200] == [each["http.status_code"] for each in found]
    assert KEY not in repr(found)


def test_opentelemetry_beside_requests_mock(
    spans: InMemorySpanExporter, offline: Callable[[], None]
) -> None:
    """Both at once."""
    offline()
    with requests_mock.Mocker() as mock:
        mock.post(URL, json=completion("Hello"))
        assert "Hello" == text_of()
    assert 1 == mock.call_count


# Without any of them --------------------------------------------------------------------------


def test_stale_connections_are_hidden_from_nobody() -> None:
    """What is sent again, since an idle connection had died, is not counted as an attempt."""
    with Server(Reply.json(completion("Hello"), hang_up=True)) as server:
        transport = RequestsTransport()
        with OpenAI(**settings({"base_url": server.url}), max_retries=0, transport=transport) as c:
            for _ in range(3):
                assert "Hello" == c.chat.completions.create(**ASK).text
        assert 3 == len(server.requests)


def test_default_adapter_is_mounted() -> None:
    """The session of the default transport is a plain one, but for its adapters."""
    made = RequestsTransport()
    assert requests.Session is type(made.session)
    assert isinstance(made.session.get_adapter(URL), HTTPAdapter)


# Private names --------------------------------------------------------------------------------

PRIVATE = {
    "_urllib3": set(),
    "_urllib3_connections": {
        "_dns_host",
        "_new_conn",
        "_socks_options",
    },
    "_urllib3_errors": set(),
    "_replaced": set(),
    "requests": set(),
    "urllib3": set(),
    "aiohttp": set(),
    "_aiohttp_bodies": {
        "_loop",
        "_read_nowait",
    },
    "_aiohttp_connections": {
        "_acquired",
        "_close",
        "_conns",
        "_sock",
        "_ssl_protocol",
        "_transport",
    },
    "_aiohttp_errors": set(),
}
"""The private names of other packages that a transport uses: the next major versions of urllib3,
requests and aiohttp, which may do without them, are excluded in setup.cfg."""


@pytest.mark.parametrize("module", PRIVATE)
def test_private_names_of_others(module: str) -> None:
    """No private name is used that is not in this table, and none is in it that is not used."""
    tree = ast.parse((Path(transports.__path__[0]) / f"{module}.py").read_text())
    used: set[str] = set()
    own: set[str] = set()
    certain: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            is_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            (own if is_own else used).add(node.attr)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            own.add(node.name)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr"):
            asked, name = ast.unparse(node.args[0]), ast.literal_eval(node.args[1])
            if asked != "self" or name == "_socks_options":
                certain.add(name)
    inherited = {"_new_conn", "_read_status"} & own
    found = (used - own) | certain | inherited
    assert PRIVATE[module] == {name for name in found if name[0] == "_" != name[1]}
