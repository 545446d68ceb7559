"""Settings of a client: read, assigned, and refused; other names are what they are."""

from __future__ import annotations

import copy
import datetime
import pickle
import types
from typing import Any
from unittest import mock

import pytest

import chatlib
from chatlib import AsyncOpenAI, AzureOpenAI, NotGiven, OpenAI, Timeout, omit
from chatlib.testing import InMemoryServer
from chatlib.testing.loopback import Reply, Server, completion
from chatlib.types import ChatCompletion

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
MODELS = {"object": "list", "data": [{"id": n, "object": "model", "created": 1} for n in "ab"]}


def test_reading() -> None:
    """By the names and in the forms of the official package."""
    client = OpenAI(api_key="k", base_url="http://h:1/v1", organization="o", project="p", timeout=3)
    assert ("k", "o", "p", 2) == (
        client.api_key,
        client.organization,
        client.project,
        client.max_retries,
    )
    url = client.base_url
    assert "http://h:1/v1/" == url == str(url)
    assert ("http", "h", 1, "/v1/") == (url.scheme, url.host, url.port, url.path)
    assert 3 == client.timeout.read
    assert not client.is_closed()
    client.close()
    assert client.is_closed()
    assert "PASSWORD" not in repr(OpenAI(api_key="k", base_url="http://u:PASSWORD@h/v1").base_url)


def test_assigning() -> None:
    """An assignment counts from the next call on, also for ``client.chat`` taken before."""
    server = InMemoryServer(default="Hi")
    client = OpenAI(api_key="k", transport=server)
    completions = client.chat.completions
    client.api_key = "other"
    client.base_url = "http://elsewhere:7/v2"  # type: ignore[assignment]
    client.organization = "o"
    client.project = "p"
    client.timeout = 7  # type: ignore[assignment]
    client.max_retries = 5
    client.default_headers = {"X-A": "1"}
    client.default_query = {"q": "2"}
    completions.create(**ASK)
    sent = server.requests[-1]
    assert "http://elsewhere:7/v2/chat/completions?q=2" == sent.url
    assert "Bearer other" == sent.headers["authorization"]
    assert ("o", "p", "1") == (
        sent.headers["openai-organization"],
        sent.headers["openai-project"],
        sent.headers["x-a"],
    )
    assert 7 == sent.timeout.read
    assert 5 == client.max_retries
    copied = client.with_options(api_key="third")
    client.api_key = "fourth"
    assert ("third", "fourth") == (copied.api_key, client.api_key)
    assert "fourth" == pickle.loads(pickle.dumps(OpenAI(api_key="fourth"))).api_key
    twin = copy.deepcopy(client)
    twin.max_retries = 0
    assert 5 == client.max_retries


def test_wrong_assignments() -> None:
    """A name that is no setting, and a value that can't be one."""
    client = OpenAI(api_key="k")
    with pytest.raises(AttributeError, match="OpenAI has no setting 'temperature'"):
        client.temperature = 1  # type: ignore[attr-defined]
    client.tracked = True  # type: ignore[attr-defined]  # a mark of a tool
    with pytest.raises(ValueError, match="max_retries"):
        client.max_retries = -1
    with pytest.raises(chatlib.OpenAIError, match="base_url"):
        client.base_url = "nonsense"  # type: ignore[assignment]
    with pytest.raises(TypeError, match="timeout is 'x'"):
        client.timeout = "x"  # type: ignore[assignment]

    class Mine(OpenAI):
        def __init__(self) -> None:
            super().__init__(api_key="k")
            self.anything = 1

    assert 1 == Mine().anything


def test_what_people_mock() -> None:
    """Namespaces and methods can be replaced."""
    client: Any = OpenAI(api_key="k")
    with mock.patch.object(client.chat.completions, "create", return_value=7):
        assert 7 == client.chat.completions.create()
    with mock.patch.object(OpenAI, "chat", mock.Mock()) as chat:
        assert OpenAI(api_key="k").chat is chat
    client.chat = mock.Mock()
    client.chat.completions.create.return_value = 8
    assert 8 == client.chat.completions.create()


HTTPX = types.SimpleNamespace(connect=1.0, read=2.0, write=3.0, pool=4.0)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (5, (5, 5, 5, 5)),
        (None, (None, None, None, None)),
        (HTTPX, (1, 2, 3, 4)),
        ((1, 2), (1, 2, 2, 1)),
        ((1, None, 3, 4), (1, None, 3, 4)),
        (datetime.timedelta(minutes=1), (60, 60, 60, 60)),
        (Timeout(9, connect=1), (1, 9, 9, 9)),
    ],
)
def test_timeouts(given: Any, expected: tuple[float | None, ...]) -> None:
    """In each form: of the client, of a copy, of a call, and assigned."""
    server = InMemoryServer(default="Hi")
    client = OpenAI(api_key="k", transport=server, timeout=given)
    client.chat.completions.create(**ASK)
    OpenAI(api_key="k", transport=server).chat.completions.create(**ASK, timeout=given)
    OpenAI(api_key="k", transport=server).with_options(timeout=given).chat.completions.create(**ASK)
    assigned: Any = OpenAI(api_key="k", transport=server)
    assigned.timeout = given
    assigned.chat.completions.create(**ASK)
    for request in server.requests:
        used = request.timeout
        assert expected == (used.connect, used.read, used.write, used.pool)


@pytest.mark.parametrize("wrong", ["10s", True, float("nan"), -1, (1,), (1, 2, 3), {}, object()])
def test_wrong_timeouts(wrong: Any) -> None:
    """They are named."""
    with pytest.raises((TypeError, ValueError), match="timeout"):
        OpenAI(api_key="k", timeout=wrong)


def test_official_arguments() -> None:
    """As None they are nothing; with a value they say why they have no meaning."""
    nothing: dict[str, Any] = {
        "admin_api_key": None,
        "webhook_secret": None,
        "websocket_base_url": None,
        "http_client": None,
        "_strict_response_validation": False,
        "organization": omit,
        "base_url": NotGiven(),
    }
    for cls in (OpenAI, AsyncOpenAI):
        assert "k" == cls(api_key="k", **nothing).api_key
        with pytest.raises(TypeError, match="webhook_secret"):
            cls(api_key="k", webhook_secret="x")


def test_azure() -> None:
    """Its settings, by the names that programs read."""
    client = AzureOpenAI(
        api_key="k", azure_endpoint="https://x.test", api_version="v1", azure_deployment="d"
    )
    assert ("v1", "d", "https://x.test") == (
        client._api_version,
        client._azure_deployment,
        client._azure_endpoint,
    )


# What is beside chat


def test_models() -> None:
    """They are listed and retrieved, and a page iterates over all."""
    with Server(Reply.json(MODELS), Reply.json(MODELS["data"][0])) as server:
        client = OpenAI(api_key="k", base_url=server.url)
        assert ["a", "b"] == [each.id for each in client.models.list()]
        assert "a" == client.models.retrieve("a").id
    assert ["/v1/models", "/v1/models/a"] == [each.target for each in server.requests]
    with pytest.raises(ValueError, match="model"):
        client.models.retrieve("")


def test_models_awaited() -> None:
    """The same, awaited."""
    import asyncio

    async def ask(url: str) -> list[str]:
        async with AsyncOpenAI(api_key="k", base_url=url) as client:
            names = [each.id async for each in client.models.list()]
            return [*names, (await client.models.retrieve("a")).id]

    with Server(Reply.json(MODELS), Reply.json(MODELS["data"][0])) as server:
        assert ["a", "b", "a"] == asyncio.run(ask(server.url))


def test_any_path() -> None:
    """``post`` and its likes reach the endpoints that have no method."""
    import attrs

    @attrs.define
    class Embedding:
        object: str

    ok = Reply.json(completion("ok"))
    replies = [ok, ok, Reply.json({"object": "x"}), ok, ok, ok, ok]
    with Server(*replies) as server:
        client = OpenAI(api_key="k", base_url=server.url)
        made = client.post("/embeddings", cast_to=dict, body={"input": "x", "n": omit})
        assert "ok" == made["choices"][0]["message"]["content"]
        assert "ok" == client.get("/x", cast_to=ChatCompletion).text
        assert "x" == client.put("/x", cast_to=Embedding).object
        assert client.patch("/x", cast_to=str).startswith("{")
        assert client.delete("/x", cast_to=bytes).startswith(b"{")
        answer = client.get("/x", cast_to=chatlib.HttpResponse, options={"headers": {"X-A": "1"}})
        assert 200 == answer.status_code
        client.post("x", options={"params": {"q": 1}})
        with pytest.raises(TypeError, match="nonsense"):
            client.post("/x", options={"nonsense": 1})
    first, *_, sixth, last = server.requests
    assert ("POST", "/v1/embeddings", {"input": "x"}) == (first.method, first.target, first.json())
    assert "1" == sixth.headers["x-a"]
    assert "/v1/x?q=1" == last.target


def test_what_lies_outside() -> None:
    """It is an AttributeError that names the way."""
    client = OpenAI(api_key="k")
    for name in ("embeddings", "responses", "files", "images", "audio"):
        assert not hasattr(client, name)
        with pytest.raises(AttributeError, match=f"{name}.*client.post"):
            getattr(client, name)
    with pytest.raises(NotImplementedError, match=r"client\.post"):
        client.completions.create(model="m", prompt="x")
    with pytest.raises(AttributeError, match="nonsense"):
        client.nonsense  # noqa: B018  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="official package"):
        chatlib.embeddings  # noqa: B018  # type: ignore[attr-defined]


def test_the_client_of_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its settings are variables of the package, read at each use."""
    module: Any = chatlib
    assert module.api_key is None
    with Server(Reply.json(completion("ok")), Reply.json(MODELS)) as server:
        monkeypatch.setitem(vars(chatlib), "base_url", server.url)
        monkeypatch.setitem(vars(chatlib), "api_key", "first")
        assert "ok" == chatlib.chat.completions.create(**ASK).text
        monkeypatch.setitem(vars(chatlib), "api_key", "second")
        assert ["a", "b"] == [each.id for each in chatlib.models.list()]
    keys = [each.headers["authorization"] for each in server.requests]
    assert ["Bearer first", "Bearer second"] == keys


def test_raw_access_at_every_level() -> None:
    """The namespaces above lead to the same methods; ``parse`` takes a type."""
    reply = Reply.json(completion("ok"))
    with Server(*[reply] * 4) as server, OpenAI(api_key="k", base_url=server.url) as client:
        for completions in (
            client.with_raw_response.chat.completions,
            client.chat.with_raw_response.completions,
            client.chat.completions.with_raw_response,
        ):
            raw = completions.create(**ASK)
            assert "ok" == raw.parse().text
            assert "ok" == raw.parse(to=dict)["choices"][0]["message"]["content"]
            assert raw.http_response.content == raw.content
            assert raw.elapsed.total_seconds() > 0
            assert raw.is_closed
            assert "HTTP/1.1" == raw.http_version
            assert raw.headers.multi_items()
            assert ["application/json"] == raw.headers.get_list("content-type")
        with client.with_streaming_response.chat.completions.create(**ASK) as streamed:
            assert not streamed.is_closed
            assert "ok" == streamed.parse(to=ChatCompletion).text
    assert client.chat.completions.messages.with_raw_response.list is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_key", "sk-SECRET\n"),
        ("base_url", "http://user:sk-SECRET@ho st/v1"),
        ("default_headers", "sk-SECRET"),
    ],
)
def test_a_refused_assignment_shows_no_secret(name: str, value: Any) -> None:
    """No frame below that of the assignment has it in a variable."""
    client = OpenAI(api_key="k")
    with pytest.raises((chatlib.OpenAIError, TypeError, ValueError)) as caught:
        setattr(client, name, value)
    assert caught.value.__traceback__ is not None
    below = caught.value.__traceback__.tb_next
    assert below is not None
    while below is not None:
        assert "SECRET" not in repr(below.tb_frame.f_locals)
        below = below.tb_next
    assert "SECRET" not in str(caught.value)


def test_headers_of_the_key() -> None:
    """They are those that are sent: Azure's key has a header of its own."""
    assert {"authorization": "Bearer k"} == OpenAI(api_key="k").auth_headers
    azure = AzureOpenAI(api_key="k", azure_endpoint="https://x.test", api_version="v1")
    assert {"api-key": "k"} == azure.auth_headers
    assert {} == OpenAI(api_key=lambda: "k").auth_headers


def test_settings_of_the_module() -> None:
    """Each reads as None until it is set, and is a setting of a client."""
    known = chatlib.client.settings.AzureSettings.__annotations__
    assert chatlib._MODULE_SETTINGS - {"api_type"} <= known.keys()
    for name in chatlib._MODULE_SETTINGS:
        assert getattr(chatlib, name) is None


@pytest.mark.parametrize("given", ["http://h/v1", "http://h/v1/", "http://h/v1//"])
def test_base_url_ends_with_one_slash(given: str) -> None:
    """However many were given."""
    assert "http://h/v1/" == OpenAI(api_key="k", base_url=given).base_url


def test_timeouts_in_other_forms() -> None:
    """A timeout can be made of another one, of a tuple or a timedelta, and parts be changed."""
    assert chatlib.Timeout(3) == chatlib.Timeout(chatlib.Timeout(3))
    made = chatlib.Timeout(chatlib.Timeout(3, total=9), read=1)
    assert (3, 1, 9) == (made.connect, made.read, made.total)
    assert {"connect": 1, "read": 2, "write": 3, "pool": 4} == chatlib.Timeout(
        (1, 2, 3, 4)
    ).as_dict()
    assert chatlib.Timeout(2) == chatlib.Timeout(datetime.timedelta(seconds=2))
    httpx = pytest.importorskip("httpx")
    assert chatlib.Timeout(3, read=1) == httpx.Timeout(3, read=1)
    assert chatlib.Timeout(3) != httpx.Timeout(4)
    assert chatlib.Timeout(3, total=9) != httpx.Timeout(3)
    assert 1 == len({chatlib.Timeout(3), chatlib.Timeout(chatlib.Timeout(3))})


def test_azure_names() -> None:
    """An Azure client has its deployment in its base URL, and its token by the private names."""
    settings: Any = {"api_version": "v", "azure_endpoint": "https://x.openai.azure.com"}
    client = chatlib.AzureOpenAI(azure_ad_token="t", azure_deployment="d e", **settings)
    assert "https://x.openai.azure.com/openai/deployments/d%20e/" == client.base_url
    assert ("t", None) == (client._azure_ad_token, client._azure_ad_token_provider)
    client.base_url = client.base_url
    assert "https://x.openai.azure.com/openai/deployments/d%20e/" == client.base_url

    def provide() -> str:
        return "t"

    provided = chatlib.AzureOpenAI(azure_ad_token_provider=provide, **settings)
    assert "https://x.openai.azure.com/openai/" == provided.base_url
    assert (None, provide) == (provided._azure_ad_token, provided._azure_ad_token_provider)
    keyed = chatlib.AzureOpenAI(api_key="k", **settings)
    assert (None, None) == (keyed._azure_ad_token, keyed._azure_ad_token_provider)
