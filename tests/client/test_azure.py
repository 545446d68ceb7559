"""Azure OpenAI: addresses, versions, credentials, as they are given or set in the environment."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import chatlib
from chatlib import AzureOpenAI, OpenAIError, azure_config_from_env
from chatlib.testing import InMemoryServer, error
from tests.faces import Face

ASK: Any = {"model": "gpt 5/x", "messages": [{"role": "user", "content": "Hi"}]}
HOST = "https://name.openai.azure.com"
GIVEN: Any = {"azure_endpoint": HOST, "api_version": "2024-10-21"}


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("/openai/deployments/gpt%205%2Fx/chat/completions?api-version=2024-10-21", {}),
        (
            "/openai/deployments/mine/chat/completions?api-version=2024-10-21",
            {"azure_deployment": "mine"},
        ),
        (
            "/openai/deployments/gpt%205%2Fx/chat/completions?api-version=2024-10-21",
            {"azure_endpoint": HOST + "/"},
        ),
        (
            "/x/deployments/gpt%205%2Fx/chat/completions?api-version=2024-10-21",
            {"azure_endpoint": None, "base_url": HOST + "/x"},
        ),
        (
            "/openai/deployments/d/chat/completions?api-version=2024-10-21",
            {"azure_endpoint": None, "base_url": HOST + "/openai/deployments/d"},
        ),
        (
            "/openai/deployments/gpt%205%2Fx/chat/completions?a=b&api-version=2024-10-21",
            {"default_query": {"a": "b"}},
        ),
    ],
)
def test_addresses(url: str, settings: dict[str, Any], face: Face) -> None:
    """The deployment is the model, or what is given; the version is in the query."""
    server = InMemoryServer("Hello!", "Hello!")
    client = face.client(azure=True, transport=server, **{**GIVEN, **settings})
    assert "Hello!" == client.chat.completions.create(**ASK).text
    assert HOST + url == server.requests[0].url
    assert "gpt 5/x" == server.requests[0].json()["model"]
    with client.chat.completions.create(**ASK, stream=True) as chunks:
        assert "Hello!" == "".join(chunk.text for chunk in chunks)


TARGET = HOST + "/openai/deployments/d%201/chat/completions"
TO_D = "/openai/deployments/d%201/chat/completions?api-version="


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        (TO_D + "v1", {"azure_endpoint": TARGET, "api_version": "v1"}),
        (TO_D + "v2", {"azure_endpoint": TARGET + "?api-version=v2"}),
        (TO_D + "v1", {"azure_endpoint": TARGET + "?api-version=v2", "api_version": "v1"}),
        (
            TO_D + "v3",
            {
                "azure_endpoint": TARGET + "?api-version=v2",
                "default_query": {"api-version": "v3"},
            },
        ),
        (
            "/openai/deployments/e/chat/completions?api-version=v2",
            {"azure_endpoint": f" {TARGET}/?api-version=v2\n", "azure_deployment": "e"},
        ),
        (TO_D + "v0", {"azure_endpoint": HOST + "/openai/deployments/d%201"}),
        (
            "/openai/deployments/m/chat/completions?x=1&api-version=v0",
            {"azure_endpoint": HOST + "/openai/?x=1"},
        ),
        (TO_D + "v2", {"base_url": TARGET + "?api-version=v2"}),
        (
            "/openai/deployments/m/chat/completions?x=1&api-version=v1",
            {"base_url": HOST + "/openai?api-version=v2&x=1", "api_version": "v1"},
        ),
    ],
)
def test_target_uri(
    url: str, settings: dict[str, Any], face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the portal shows may be pasted whole: one deployment and one version are asked."""
    monkeypatch.setenv("OPENAI_API_VERSION", "v0")
    server = InMemoryServer("Hello!")
    client = face.client(azure=True, transport=server, **settings)
    client.chat.completions.create(**{**ASK, "model": "m"})
    assert HOST + url == server.requests[0].url


def test_target_uri_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The version has a variable of its own, which wins; without it, the one in the address."""
    environ = {"AZURE_OPENAI_ENDPOINT": TARGET + "?api-version=v2", "AZURE_OPENAI_API_KEY": "k"}
    urls = [
        chatlib.build_create(azure_config_from_env(variables), **ASK).url
        for variables in (environ, {**environ, "OPENAI_API_VERSION": "v0"})
    ]
    assert [HOST + TO_D + "v2", HOST + TO_D + "v0"] == urls


def test_a_gateway() -> None:
    """Other hosts may have any path before /openai, and one that ends in it."""
    for endpoint, url in {
        "https://gate.test/openai": "https://gate.test/openai/openai/deployments/m",
        "https://gate.test/a/openai/deployments/d": "https://gate.test/a/openai/deployments/d",
    }.items():
        config = azure_config_from_env({}, azure_endpoint=endpoint, api_version="v", api_key="k")
        assert chatlib.build_create(config, model="m", messages=[]).url.startswith(url + "/chat")


@pytest.mark.parametrize(
    "path",
    ["/openai/v1", "/openai/responses", "/models", "/openai/deployments/d/embeddings", "/x"],
)
def test_other_target_uris(path: str) -> None:
    """The address of another operation or API is refused, with words."""
    with pytest.raises(OpenAIError, match=r"azure_endpoint is .* the address of the resource"):
        AzureOpenAI(azure_endpoint=HOST + path + "?api-version=1", api_version="v", api_key="k")


@pytest.mark.parametrize("name", [".", "..", " "])
def test_names_that_change_the_path(name: str, face: Face) -> None:
    """They are no deployments, as models neither."""
    for given, model in (({"azure_deployment": name}, "m"), ({}, name)):
        server = InMemoryServer()
        client = face.client(azure=True, transport=server, **GIVEN, **given)
        with pytest.raises(ValueError, match="the deployment is"):
            client.chat.completions.create(model=model, messages=[])
        assert [] == server.requests


def test_stored_completions_belong_to_no_deployment(face: Face) -> None:
    """They are asked for without one, whatever the client's is."""
    server = InMemoryServer("Hello!")
    client = face.client(azure=True, transport=server, azure_deployment="mine", **GIVEN)
    made = client.chat.completions.create(**ASK, store=True)
    assert made.id == client.chat.completions.retrieve(made.id).id
    assert [made.id] == [item.id for item in client.chat.completions.list()]
    root = f"{HOST}/openai/chat/completions"
    assert [f"{root}/{made.id}?api-version=2024-10-21", f"{root}?api-version=2024-10-21"] == [
        request.url for request in server.requests[1:]
    ]


def test_a_key(face: Face) -> None:
    """It goes into a header of its own, and is never shown."""
    server = InMemoryServer("Hello!")
    client = face.client(azure=True, transport=server, **GIVEN)
    client.chat.completions.create(**ASK)
    headers = server.requests[0].headers
    assert ("sk-secret", None) == (headers["api-key"], headers.get("authorization"))
    assert "sk-secret" not in repr(client) + repr(server.requests) + repr(headers)


@pytest.mark.parametrize("name", ["azure_ad_token", "azure_ad_token_provider"])
def test_a_token(name: str, face: Face) -> None:
    """A token of Entra ID is a bearer token; a function gives a new one for each attempt."""
    tokens = iter(["token-1", "token-2"])
    token: Any = "token-1" if name == "azure_ad_token" else lambda: next(tokens)
    server = InMemoryServer(error(500), "Hello!")
    client = face.client(
        azure=True, transport=server, sleep=lambda _: None, api_key=None, **GIVEN, **{name: token}
    )
    client.chat.completions.create(**ASK)
    sent = [request.headers["authorization"] for request in server.requests]
    last = "token-1" if name == "azure_ad_token" else "token-2"
    assert ["Bearer token-1", f"Bearer {last}"] == sent
    assert "api-key" not in server.requests[0].headers


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Endpoint, version and credentials; a token goes before a key."""
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", HOST)
    monkeypatch.setenv("OPENAI_API_VERSION", "v1")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "key")
    server = InMemoryServer(default="Hello!")
    AzureOpenAI(transport=server).chat.completions.create(**ASK)
    assert server.requests[-1].url.startswith(HOST)
    assert server.requests[-1].url.endswith("api-version=v1")
    assert "key" == server.requests[-1].headers["api-key"]
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "token")
    AzureOpenAI(transport=server).chat.completions.create(**ASK)
    assert "Bearer token" == server.requests[-1].headers["authorization"]
    AzureOpenAI(transport=server, api_key="given").chat.completions.create(**ASK)
    assert "given" == server.requests[-1].headers["api-key"]
    assert "authorization" not in server.requests[-1].headers


@pytest.mark.parametrize(
    ("message", "settings"),
    [
        ("AZURE_OPENAI_ENDPOINT", {"api_version": "v", "api_key": "k"}),
        ("OPENAI_API_VERSION", {"azure_endpoint": HOST, "api_key": "k"}),
        ("AZURE_OPENAI_API_KEY or AZURE_OPENAI_AD_TOKEN", GIVEN),
        ("only one", {**GIVEN, "api_key": "k", "azure_ad_token": "t"}),
        ("only one", {**GIVEN, "azure_ad_token": "t", "azure_ad_token_provider": lambda: "t"}),
        ("newline", {**GIVEN, "azure_ad_token": "t\n"}),
        ("azure_endpoint is", {"api_version": "v", "azure_endpoint": "name", "api_key": "k"}),
    ],
)
def test_what_is_missing(message: str, settings: dict[str, Any]) -> None:
    """An error that says what to set."""
    with pytest.raises(OpenAIError, match=message):
        AzureOpenAI(**settings)
    with pytest.raises(ValueError, match="can't both be given"):
        AzureOpenAI(**GIVEN, api_key="k", base_url=HOST)


def test_other_options() -> None:
    """A copy may have another version, deployment or credential."""
    server = InMemoryServer(default="Hello!")
    client = AzureOpenAI(**GIVEN, api_key="key", transport=server)
    client.with_options(api_version="v2", azure_deployment="d").chat.completions.create(**ASK)
    request = server.requests[-1]
    assert f"{HOST}/openai/deployments/d/chat/completions?api-version=v2" == request.url
    assert "key" == request.headers["api-key"]
    token = client.with_options(azure_ad_token="token")
    token.chat.completions.create(**ASK)
    assert "Bearer token" == server.requests[-1].headers["authorization"]
    token.with_options(api_key="other").chat.completions.create(**ASK)
    assert "other" == server.requests[-1].headers["api-key"]
    client.with_options(set_default_query={"a": "b"}).chat.completions.create(**ASK)
    assert server.requests[-1].url.endswith("?a=b&api-version=2024-10-21")
    client.with_options(azure_endpoint=" https://other ").chat.completions.create(**ASK)
    assert server.requests[-1].url.startswith("https://other/openai/deployments/")
    client.with_options(azure_endpoint=TARGET + "?api-version=v3").chat.completions.create(**ASK)
    assert HOST + TO_D + "v3" == server.requests[-1].url
    client.with_options(default_query={"api-version": "v4"}).chat.completions.create(**ASK)
    assert server.requests[-1].url.endswith("?api-version=v4")


def test_pickles(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key from the environment is looked up anew, a token too."""
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "token-of-env")
    pickled = pickle.dumps(AzureOpenAI(**GIVEN))
    assert b"token-of-env" not in pickled
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "other")
    twin = pickle.loads(pickled)
    assert ("other", True) == (twin.config.api_key.reveal(), twin.config.is_token)


def test_the_pure_functions() -> None:
    """A config is all that a request needs."""
    environ = {
        "AZURE_OPENAI_ENDPOINT": HOST,
        "OPENAI_API_VERSION": "v",
        "AZURE_OPENAI_API_KEY": "key",
    }
    config = azure_config_from_env(environ)
    assert config == azure_config_from_env({name: f"{environ[name]}\r" for name in environ})
    request = chatlib.build_create(config, **ASK)
    assert ("key", "v") == (request.headers["api-key"], request.url.rpartition("=")[2])
    assert "key" not in repr(config).replace("api_key", "")
