"""chatlib beside the official package: stored completions, options, raw access, Azure, async.

The same calls, against the same server; both packages must send and give the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

import chatlib
from chatlib.testing import InMemoryServer, answer, error, serve
from chatlib.testing.loopback import Reply, Server, completion

openai = pytest.importorskip(
    "openai", reason="the official package is not installed: pip install openai==3.51.0"
)

PACKAGES = [openai, chatlib]
ASK: Any = {"model": "gpt 5", "messages": [{"role": "user", "content": "Hi"}]}
Call = Callable[[Any], Any]


def make(package: ModuleType, kind: str = "OpenAI", **settings: Any) -> Any:
    """A package's client."""
    settings = {"api_key": "some-key", "max_retries": 0, **settings}
    if package is openai:  # without certificates, which take long to load
        asynchronous = kind.startswith("Async")
        http_client = openai.DefaultAsyncHttpxClient if asynchronous else openai.DefaultHttpxClient
        settings["http_client"] = http_client(verify=False)
    return getattr(package, kind)(**settings)


def sent(server: Server) -> list[Any]:
    """What came: method, path, query, JSON, and the headers that say who asks."""
    told = []
    for request in server.requests:
        url = urlsplit(request.target)
        body = request.json() if request.body else None
        names = ("authorization", "api-key", "openai-organization", "x-mine", "idempotency-key")
        headers = {name: request.headers.get(name) for name in names}
        told.append((request.method, url.path, sorted(parse_qsl(url.query)), body, headers))
    return told


def both(call: Call, *replies: Reply, kind: str = "OpenAI", **settings: Any) -> list[Any]:
    """What each package sends and gives: the result, or the class of the exception."""
    seen = []
    for package in PACKAGES:
        with Server(*replies) as server:
            own = {
                name: value.format(server.origin) if isinstance(value, str) else value
                for name, value in settings.items()
            }
            if kind == "OpenAI":
                own.setdefault("base_url", server.url)
            client = make(package, kind, **own)
            try:
                result = plain(call(client))
            except Exception as caught:
                result = type(caught).__name__
            client.close()
            seen.append((sent(server), result))
    return seen


def plain(value: Any) -> Any:
    """Results as plain JSON values."""
    return value.to_dict() if hasattr(value, "to_dict") else value


def shown(raw: Any) -> list[Any]:
    """What a raw response says."""
    return [raw.status_code, raw.headers["x-a"], raw.retries_taken, raw.text, plain(raw.parse())]


def last_page(client: Any) -> Any:
    """The page after one that says it is the last."""
    return client.chat.completions.list().get_next_page()


PAGE = {
    "object": "list",
    "data": [completion(id="a"), completion(id="b")],
    "first_id": "a",
    "last_id": "b",
    "has_more": True,
}
LAST = {**PAGE, "data": [completion(id="c")], "first_id": "c", "last_id": "c", "has_more": False}
MESSAGES = {
    "object": "list",
    "data": [{"id": "c1-0", "role": "user", "content": "Hi", "name": None}],
    "first_id": "c1-0",
    "last_id": "c1-0",
    "has_more": False,
}
GONE = {"id": "c1", "object": "chat.completion.deleted", "deleted": True}

CALLS: dict[str, tuple[Call, list[Any]]] = {
    "retrieve": (lambda c: c.chat.completions.retrieve("c1"), [completion(id="c1")]),
    "retrieve an odd id": (lambda c: c.chat.completions.retrieve("a b?#ü"), [completion()]),
    "retrieve with options": (
        lambda c: c.chat.completions.retrieve(
            "c1", extra_headers={"X-Mine": "1"}, extra_query={"q": 2}, timeout=9
        ),
        [completion()],
    ),
    "update": (
        lambda c: c.chat.completions.update("c1", metadata={"a": "b"}),
        [completion(metadata={"a": "b"})],
    ),
    "update to nothing": (lambda c: c.chat.completions.update("c1", metadata=None), [completion()]),
    "delete": (lambda c: c.chat.completions.delete("c1"), [GONE]),
    "list": (lambda c: c.chat.completions.list(), [PAGE]),
    "list with all": (
        lambda c: c.chat.completions.list(
            after="x", limit=2, metadata={"a b": "c&d", "e": "f"}, model="m/x", order="desc"
        ),
        [PAGE],
    ),
    "walk": (
        lambda c: [item.id for item in c.chat.completions.list(limit=2, metadata={"a": "b"})],
        [PAGE, LAST],
    ),
    "walk pages": (
        lambda c: [len(p.data) for p in c.chat.completions.list(limit=2).iter_pages()],
        [PAGE, LAST],
    ),
    "next page": (
        lambda c: c.chat.completions.list(limit=2, order="asc").get_next_page(),
        [PAGE, LAST],
    ),
    "no next page": (
        lambda c: c.chat.completions.list().get_next_page(),
        [{**LAST, "data": [], "last_id": None}],
    ),
    "has next page": (
        lambda c: [p.has_next_page() for p in c.chat.completions.list().iter_pages()],
        [PAGE, LAST],
    ),
    "messages": (lambda c: c.chat.completions.messages.list("c1"), [MESSAGES]),
    "messages with all": (
        lambda c: c.chat.completions.messages.list("c1", after="m", limit=3, order="desc"),
        [MESSAGES],
    ),
    "empty id": (lambda c: c.chat.completions.retrieve(""), [completion()]),
    "empty id to delete": (lambda c: c.chat.completions.delete(""), [GONE]),
    "empty id to list messages": (lambda c: c.chat.completions.messages.list(""), [MESSAGES]),
    "with options": (
        lambda c: c.with_options(
            api_key="other", default_headers={"X-Mine": "2"}, default_query={"r": 1}
        ).chat.completions.retrieve("c1"),
        [completion()],
    ),
    "with options in place": (
        lambda c: c.copy(set_default_headers={"X-Mine": "3"}).chat.completions.retrieve("c1"),
        [completion()],
    ),
    "raw": (
        lambda c: shown(c.chat.completions.with_raw_response.create(**ASK)),
        [Reply.json(completion(), headers={"x-a": "1"})],
    ),
    "raw page": (
        lambda c: c.chat.completions.with_raw_response.list(limit=2).parse(),
        [PAGE],
    ),
}


@pytest.mark.parametrize(("call", "replies"), CALLS.values(), ids=CALLS)
def test_same_call(call: Call, replies: list[Any]) -> None:
    """The same requests, and the same results."""
    answers = [reply if isinstance(reply, Reply) else Reply.json(reply) for reply in replies]
    theirs, ours = both(call, *answers, organization="o")
    assert theirs == ours


def test_what_differs_on_purpose() -> None:
    """After a page that says it is the last, the official package asks for another one."""
    theirs, ours = both(last_page, Reply.json(LAST), Reply.json({**LAST, "data": []}))
    assert (2, 1) == (len(theirs[0]), len(ours[0]))
    assert "RuntimeError" == ours[1]


@pytest.mark.parametrize("status", [400, 401, 404, 409, 429, 500])
def test_same_exception(status: int) -> None:
    """Of every operation."""
    for call, _ in (CALLS["retrieve"], CALLS["list"], CALLS["delete"], CALLS["messages"]):
        theirs, ours = both(call, Reply.error(status, code="c"))
        assert theirs == ours


AZURE = {"azure_endpoint": "{}", "api_version": "2024-10-21"}


@pytest.mark.parametrize(
    "settings",
    [
        AZURE,
        {**AZURE, "azure_deployment": "mine"},
        {**AZURE, "azure_endpoint": "{}/"},
        {**AZURE, "api_key": None, "azure_ad_token": "token"},
        {**AZURE, "api_key": None, "azure_ad_token_provider": lambda: "token"},
        {"base_url": "{}/x/openai", "api_version": "v"},
        {"base_url": "{}/x/openai/deployments/d", "api_version": "v"},
        {**AZURE, "default_query": {"api-version": "other", "a": "b"}},
    ],
)
@pytest.mark.parametrize("name", ["create", "retrieve"])
def test_same_request_to_azure(name: str, settings: dict[str, Any]) -> None:
    """Path, version and credentials."""
    calls: dict[str, Call] = {
        "create": lambda client: client.chat.completions.create(**ASK),
        "retrieve": lambda client: client.chat.completions.retrieve("c1"),
    }
    theirs, ours = both(calls[name], Reply.json(completion()), kind="AzureOpenAI", **settings)
    assert theirs == ours


@pytest.mark.parametrize("package", PACKAGES)
def test_same_life_of_a_completion(package: ModuleType) -> None:
    """Against the server in memory: what the real client expects is what it gives."""
    server = InMemoryServer("One.", "Two.", error(429, headers={"retry-after-ms": "1"}), "Three.")
    with serve(server) as base_url, make(package, base_url=base_url, max_retries=1) as client:
        completions = client.chat.completions
        made = [completions.create(**ASK, store=True, metadata={"n": str(n)}) for n in range(3)]
        assert ["One.", "Two.", "Three."] == [
            completions.retrieve(each.id).choices[0].message.content for each in made
        ]
        assert {"n": "x"} == completions.update(made[0].id, metadata={"n": "x"}).metadata
        ids = [each.id for each in made]
        assert ids == [each.id for each in completions.list(limit=1)]
        assert ids[::-1] == [each.id for each in completions.list(limit=2, order="desc")]
        assert ids[1:2] == [each.id for each in completions.list(metadata={"n": "1"})]
        assert ["Hi"] == [m.content for m in completions.messages.list(ids[2])]
        assert completions.delete(ids[0]).deleted
        with pytest.raises(package.NotFoundError):
            completions.retrieve(ids[0])
        raw = completions.with_raw_response.retrieve(ids[1])
        assert raw.request_id.startswith("req_scripted_")
        assert int(raw.headers["x-ratelimit-remaining-requests"]) > 0
        server.add("Streamed.")
        chunks = completions.create(**ASK, stream=True)
        assert "Streamed." == "".join(c.choices[0].delta.content or "" for c in chunks)


@pytest.mark.parametrize("package", PACKAGES)
def test_same_awaited(package: ModuleType) -> None:
    """The asynchronous clients, against the same server."""

    async def main(base_url: str) -> list[Any]:
        async with make(package, "AsyncOpenAI", base_url=base_url) as client:
            completions = client.chat.completions
            made = await completions.create(**ASK, store=True)
            seen = [(await completions.retrieve(made.id)).choices[0].message.content]
            async for item in completions.list(limit=1):
                seen.append(item.id)
            page = await completions.list()
            seen.append([item.id for item in page.data])
            seen.append(page.has_next_page())
            async for message in completions.messages.list(made.id):
                seen.append(message.content)
            text = ""
            async for chunk in await completions.create(**ASK, stream=True):
                text += chunk.choices[0].delta.content or ""
            seen.append(text)
            async with completions.stream(**ASK) as events:
                async for event in events:
                    if event.type != "chunk":  # one more of which brings the usage to chatlib
                        seen.append(event.type)
                final = await events.get_final_completion()
            seen.append(final.choices[0].message.content)
            raw = await completions.with_raw_response.create(**ASK)
            seen += [raw.status_code, raw.parse().choices[0].message.content]
            async with completions.with_streaming_response.create(**ASK) as body:
                seen.append((await body.json())["choices"][0]["message"]["content"])
            seen.append((await completions.delete(made.id)).deleted)
            return seen

    server = InMemoryServer("One.", *["Two words."] * 3, default=answer("Three."))
    with serve(server) as base_url:
        seen = asyncio.run(main(base_url))
    assert [
        "One.",
        "chatcmpl-scripted-1",
        ["chatcmpl-scripted-1"],
        False,
        "Hi",
        "Two words.",
        *["content.delta", "content.delta", "content.done"],
        "Two words.",
        200,
        "Two words.",
        "Three.",
        True,
    ] == seen
