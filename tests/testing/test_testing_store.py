"""Stored completions: the server in memory, asked by plain requests."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from chatlib import HttpRequest, HttpResponse, OpenAI, TransportError, joined
from chatlib.testing import InMemoryServer, answer, completion, error, fault, raw, stream
from chatlib.testing.store import Store, match_route
from tests.faces import run_threads

BASE = "https://h.test/v1"
ASK: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}

STORE = HttpRequest(
    "POST", f"{BASE}/chat/completions", content=json.dumps({**ASK, "store": True}).encode()
)


def ask(
    server: InMemoryServer,
    method: str,
    path: str = "",
    body: Any = None,
    base: str = BASE,
    **query: Any,
) -> tuple[int, Any]:
    """Send a plain request; the status, and the JSON of the answer."""
    url = f"{base}/chat/completions{path}" + (f"?{urlencode(query)}" if query else "")
    content = b"" if body is None else json.dumps(body).encode()
    response = server.send(HttpRequest(method, url, content=content))
    return response.status, json.loads(response.read())


def create(server: InMemoryServer, **params: Any) -> Any:
    """Create a stored completion."""
    return ask(server, "POST", body={**ASK, "store": True, **params})[1]


def with_five() -> tuple[InMemoryServer, list[str]]:
    """A server with five stored completions, and their ids."""
    server = InMemoryServer(*"abcde")
    ids = [
        create(server, model=f"m{at % 2}", metadata={"at": str(at), "odd": str(at % 2)})["id"]
        for at in range(5)
    ]
    return server, ids


# What is asked for


@pytest.mark.parametrize(
    ("method", "path", "name", "completion_id"),
    [
        ("POST", "/v1/chat/completions", "create", ""),
        ("POST", "/chat/completions", "create", ""),
        ("POST", "/openai/deployments/x/chat/completions?api-version=1", "create", ""),
        ("GET", "/v1/chat/completions", "list", ""),
        ("GET", "/v1/chat/completions/", "list", ""),
        ("GET", "/v1/chat/completions/c-1", "retrieve", "c-1"),
        ("POST", "/v1/chat/completions/c-1?x=y", "update", "c-1"),
        ("DELETE", "/v1/chat/completions/a%2Fb%20%25", "delete", "a/b %"),
        ("GET", "/v1/chat/completions/c-1/messages", "messages", "c-1"),
        ("GET", "/v1/chat/completions/messages", "retrieve", "messages"),
    ],
)
def test_operations(method: str, path: str, name: str, completion_id: str) -> None:
    """Told by method and path, whatever the base URL is."""
    operation = match_route(HttpRequest(method, "http://h" + path))
    assert operation is not None
    assert (name, completion_id) == (operation.name, operation.id)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models"),
        ("PUT", "/v1/chat/completions"),
        ("HEAD", "/v1/chat/completions/c-1"),
        ("DELETE", "/v1/chat/completions/"),
        ("POST", "/v1/chat/completions/c-1/messages"),
        ("GET", "/v1/chat/completions/c-1/other"),
        ("POST", "/v1/mychat/completions"),
    ],
)
def test_no_operations(method: str, path: str) -> None:
    """Everything else is left to the script."""
    assert match_route(HttpRequest(method, "http://h" + path)) is None


# Create


def test_what_is_kept() -> None:
    """A completion that is asked for with store has an id of its own, and can be retrieved."""
    server = InMemoryServer("a", "b", "c")
    first = create(server, metadata={"k": "v"})
    second = create(server)
    third = ask(server, "POST", body=ASK)[1]
    assert ["chatcmpl-scripted-1", "chatcmpl-scripted-2", "chatcmpl-scripted"] == [
        made["id"] for made in (first, second, third)
    ]
    assert (200, {**first, "metadata": {"k": "v"}}) == ask(server, "GET", f"/{first['id']}")
    assert (200, {**second, "metadata": {}}) == ask(server, "GET", f"/{second['id']}")
    assert ["a", "b"] == [
        kept["choices"][0]["message"]["content"] for kept in server.store.completions
    ]


@pytest.mark.parametrize("store", [False, None, "true", 1])
def test_only_true_stores(store: Any) -> None:
    """Nothing is kept otherwise."""
    server = InMemoryServer("a")
    create(server, store=store)
    assert 0 == len(server.store)


def test_own_ids_stay() -> None:
    """A scripted body with an id is stored by it; a second of that id takes its place."""
    server = InMemoryServer(
        {**completion("a"), "id": "mine/1"}, raw(200, {**completion("b"), "id": "mine/1"})
    )
    assert "mine/1" == create(server)["id"]
    assert "mine/1" == create(server)["id"]
    status, found = ask(server, "GET", "/" + quote("mine/1", safe=""))
    assert (200, "b") == (status, found["choices"][0]["message"]["content"])
    assert 1 == len(server.store)


@pytest.mark.parametrize(
    "reply",
    [
        "text",
        completion("text"),
        answer("text"),
        answer(completion("text")),
        raw(200, completion("text")),
        stream("text"),
        lambda request: "text",
    ],
)
def test_scripted_ids_are_told_apart(reply: Any) -> None:
    """Whatever the reply is made of, two of them are two stored completions."""
    server = InMemoryServer(default=reply)
    for _ in range(2):
        server.send(
            HttpRequest(
                "POST",
                BASE + "/chat/completions",
                content=json.dumps({**ASK, "store": True}).encode(),
            )
        ).read()
    kept = server.store.completions
    assert ["chatcmpl-scripted-1", "chatcmpl-scripted-2"] == [one["id"] for one in kept]
    assert ["text"] * 2 == [one["choices"][0]["message"]["content"] for one in kept]


def test_exact_bytes_stay_exact() -> None:
    """A body that is scripted as bytes is sent as it is, and stored by the id in it."""
    body = json.dumps(completion("a")).encode()
    server = InMemoryServer(raw(200, body))
    assert completion("a") == create(server)
    assert 200 == ask(server, "GET", "/chatcmpl-scripted")[0]


@pytest.mark.parametrize("cut", [None, 1, 5, 100_000])
@pytest.mark.parametrize("done", [True, False])
def test_streams_are_joined(cut: int | None, done: bool) -> None:
    """A stream is stored once it was read, as the completion that it comes to."""
    reply = stream("Hel", "lo", cut=cut, done=done)
    server = InMemoryServer(reply)
    client = OpenAI(api_key="k", transport=server)
    chunks = client.chat.completions.create(**ASK, stream=True, store=True, metadata={"k": "v"})
    made = joined(chunks)
    assert "chatcmpl-scripted-1" == made.id
    status, kept = ask(server, "GET", f"/{made.id}")
    assert (200, "chat.completion", "Hello", "stop", {"k": "v"}, "scripted-model") == (
        status,
        kept["object"],
        kept["choices"][0]["message"]["content"],
        kept["choices"][0]["finish_reason"],
        kept["metadata"],
        kept["model"],
    )


def test_tool_calls_in_a_stream_are_joined() -> None:
    """As they are in a completion that came whole."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    server = InMemoryServer(default=answer(None, tool_calls=[call]))
    client = OpenAI(api_key="k", transport=server)
    list(client.chat.completions.create(**ASK, stream=True, store=True))
    kept = server.store.completions[0]["choices"][0]
    assert ([call], "tool_calls") == (kept["message"]["tool_calls"], kept["finish_reason"])


@pytest.mark.parametrize(
    "reply",
    [
        error(500),
        raw(200, {"error": {"message": "no"}}),
        raw(200, b"nonsense"),
        raw(200, []),
        raw(200, {"object": "list"}),
        stream("a", finish_reason=None, done=False),
        stream("a", {"error": {"message": "no"}}),
        stream(finish_reason=None),
        stream(b"data: {nonsense\n\n"),
        fault(after=stream("a", done=False)),
        fault(after=answer("a"), size=40),
    ],
)
def test_what_is_no_answer_is_not_kept(reply: Any) -> None:
    """Errors, nonsense, and answers that were cut off."""
    server = InMemoryServer(reply)
    with contextlib.suppress(TransportError):
        server.send(STORE).read()
    assert 0 == len(server.store)


def test_stream_that_was_left_is_not_kept() -> None:
    """Half an answer is none."""
    server = InMemoryServer(stream("a", "b"))
    client = OpenAI(api_key="k", transport=server)
    with client.chat.completions.create(**ASK, stream=True, store=True) as chunks:
        next(chunks)
    assert 0 == len(server.store)


def test_wrong_metadata_is_refused_at_once() -> None:
    """Before the script is asked."""
    server = InMemoryServer("a")
    body = {**ASK, "store": True, "metadata": {"k": "v" * 513}}
    status, answered = ask(server, "POST", body=body)
    assert (400, "metadata", 1) == (status, answered["error"]["param"], server.replies_left)


# Retrieve, update, delete


def test_update_replaces_the_metadata() -> None:
    """All of it; null removes it."""
    server, ids = with_five()
    assert {"new": "1"} == ask(server, "POST", f"/{ids[0]}", {"metadata": {"new": "1"}})[1][
        "metadata"
    ]
    assert {"new": "1"} == ask(server, "GET", f"/{ids[0]}")[1]["metadata"]
    assert {} == ask(server, "POST", f"/{ids[0]}", {"metadata": None})[1]["metadata"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "metadata"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"k": 1}}, "metadata.k"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
        ({"metadata": {"k" * 65: ""}}, "metadata"),
        ({"metadata": {"k": "v" * 513}}, "metadata"),
        ([], None),
    ],
)
def test_wrong_updates(body: Any, param: str | None) -> None:
    """They are refused by naming the parameter, and change nothing."""
    server, ids = with_five()
    before = ask(server, "GET", f"/{ids[0]}")
    status, answered = ask(server, "POST", f"/{ids[0]}", body)
    assert (400, param, "invalid_request_error") == (
        status,
        answered["error"]["param"],
        answered["error"]["type"],
    )
    assert before == ask(server, "GET", f"/{ids[0]}")


def test_most_metadata() -> None:
    """What is just allowed is allowed."""
    server, ids = with_five()
    most = {f"{n:064}": "v" * 512 for n in range(16)}
    assert most == ask(server, "POST", f"/{ids[0]}", {"metadata": most})[1]["metadata"]


def test_delete() -> None:
    """What is deleted is gone."""
    server, ids = with_five()
    assert (200, {"object": "chat.completion.deleted", "id": ids[1], "deleted": True}) == ask(
        server, "DELETE", f"/{ids[1]}"
    )
    assert 404 == ask(server, "DELETE", f"/{ids[1]}")[0]
    assert [*ids[:1], *ids[2:]] == [one["id"] for one in ask(server, "GET")[1]["data"]]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("POST", ""), ("DELETE", ""), ("GET", "/messages")]
)
def test_unknown_ids(method: str, path: str) -> None:
    """They are a 404 with the usual body."""
    server, _ = with_five()
    status, body = ask(server, method, f"/nobody{path}", {"metadata": {}})
    assert (404, "not_found") == (status, body["error"]["code"])
    assert {"message", "type", "param", "code"} == set(body["error"])
    assert "nobody" in body["error"]["message"]


# List


def test_pages() -> None:
    """All of it, page by page, in either order."""
    server, ids = with_five()
    for order, expected in (("asc", ids), ("desc", ids[::-1])):
        found: list[str] = []
        query: dict[str, Any] = {"limit": 2, "order": order}
        while True:
            page = ask(server, "GET", **query)[1]
            data = [one["id"] for one in page["data"]]
            assert ("list", data[0], data[-1]) == (
                page["object"],
                page["first_id"],
                page["last_id"],
            )
            found += data
            if not page["has_more"]:
                break
            query["after"] = page["last_id"]
        assert expected == found


def test_page_without_parameters() -> None:
    """Twenty, the oldest first; nothing is a page as well."""
    server = InMemoryServer()
    assert (
        200,
        {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False},
    ) == ask(server, "GET")
    ids = [server.store.keep(completion(str(at))) for at in range(21)]
    page = ask(server, "GET")[1]
    assert (ids[:20], True) == ([one["id"] for one in page["data"]], page["has_more"])
    assert 21 == len(ask(server, "GET", limit=100)[1]["data"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"model": "m1"}, [1, 3]),
        ({"model": "scripted-model"}, [0, 1, 2, 3, 4]),
        ({"model": "other"}, []),
        ({"metadata[odd]": "0"}, [0, 2, 4]),
        ({"metadata[odd]": "0", "metadata[at]": "2"}, [2]),
        ({"metadata[other]": ""}, []),
        ({"metadata[odd]": "1", "model": "m0"}, []),
        ({"metadata[odd]": "0", "limit": "2", "order": "desc"}, [4, 2]),
        ({"api-version": "2024-06-01", "limit": "1"}, [0]),
    ],
)
def test_filters(query: dict[str, str], expected: list[int]) -> None:
    """By the model that was asked for or that answered, and by any pairs of metadata."""
    server, ids = with_five()
    page = ask(server, "GET", **query)[1]
    assert [ids[at] for at in expected] == [one["id"] for one in page["data"]]


def test_filtered_pages() -> None:
    """has_more counts only what matches, and the cursor may be any that is stored."""
    server, ids = with_five()
    page = ask(server, "GET", **{"metadata[odd]": "1", "limit": 1})[1]
    assert ([ids[1]], True) == ([one["id"] for one in page["data"]], page["has_more"])
    page = ask(server, "GET", **{"metadata[odd]": "1", "limit": 1, "after": ids[2]})[1]
    assert ([ids[3]], False) == ([one["id"] for one in page["data"]], page["has_more"])


@pytest.mark.parametrize("path", ["", "/{id}/messages"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "-1"),
        ("limit", "101"),
        ("limit", "many"),
        ("limit", ""),
        ("limit", "1.5"),
        ("order", "up"),
        ("order", ""),
        ("after", "nobody"),
    ],
)
def test_wrong_parameters(path: str, name: str, value: str) -> None:
    """They are refused by name."""
    server, ids = with_five()
    status, body = ask(server, "GET", path.format(id=ids[0]), **{name: value})
    assert (400, name, "invalid_request_error") == (
        status,
        body["error"]["param"],
        body["error"]["type"],
    )


# Messages


def test_messages() -> None:
    """What was asked, message by message, with ids; parts of a content stand apart."""
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "http://h/i.png"}},
    ]
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": parts, "name": "ann"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "7"},
    ]
    server = InMemoryServer("a")
    made = create(server, messages=messages)["id"]
    page = ask(server, "GET", f"/{made}/messages")[1]
    assert [
        {
            "id": f"{made}-0",
            "role": "developer",
            "content": "Be brief.",
            "name": None,
            "content_parts": None,
        },
        {
            "id": f"{made}-1",
            "role": "user",
            "content": None,
            "name": "ann",
            "content_parts": parts,
        },
        {
            "id": f"{made}-2",
            "role": "assistant",
            "content": None,
            "name": None,
            "content_parts": None,
            "tool_calls": [call],
        },
        {
            "id": f"{made}-3",
            "role": "tool",
            "content": "7",
            "name": None,
            "content_parts": None,
            "tool_call_id": "c1",
        },
    ] == page["data"]
    assert (f"{made}-0", f"{made}-3", False) == (
        page["first_id"],
        page["last_id"],
        page["has_more"],
    )


def test_pages_of_messages() -> None:
    """As for completions."""
    server = InMemoryServer("a")
    messages = [{"role": "user", "content": str(at)} for at in range(5)]
    made = create(server, messages=messages)["id"]
    path = f"/{made}/messages"
    page = ask(server, "GET", path, limit=2, order="desc", after=f"{made}-4")[1]
    assert (["3", "2"], True) == ([m["content"] for m in page["data"]], page["has_more"])
    page = ask(server, "GET", path, limit=2, after=f"{made}-2")[1]
    assert (["3", "4"], False) == ([m["content"] for m in page["data"]], page["has_more"])


# The script, and other stores


def test_nothing_of_the_script_is_used() -> None:
    """What is stored is answered without it; the default is not asked either."""
    server = InMemoryServer("a", default=error(500))
    create(server)
    assert 200 == ask(server, "GET")[0]
    assert 500 == ask(server, "POST", body=ASK)[0]


def test_other_operations_can_be_scripted() -> None:
    """What is added for an operation is given before the store is asked, once."""
    server = InMemoryServer("a")
    made = create(server)["id"]
    server.add(error(500), raw(200, {"data": "nonsense"}), to="list")
    server.add(fault(), to="delete")
    assert 3 == server.replies_left
    assert 200 == ask(server, "GET", f"/{made}")[0]
    assert 500 == ask(server, "GET")[0]
    assert {"data": "nonsense"} == ask(server, "GET")[1]
    assert [made] == [one["id"] for one in ask(server, "GET")[1]["data"]]
    with pytest.raises(TransportError):
        ask(server, "DELETE", f"/{made}")
    assert 200 == ask(server, "DELETE", f"/{made}")[0]


def test_script_alone() -> None:
    """Without a store, the script answers whatever comes."""
    server = InMemoryServer(raw(200, {"data": [1]}), "a", raw(404, {}), stored=False)
    assert (200, {"data": [1]}) == ask(server, "GET")
    assert "chatcmpl-scripted" == create(server)["id"]
    assert (404, {}) == ask(server, "GET", "/chatcmpl-scripted")
    assert 0 == len(server.store)


def test_store_can_be_filled() -> None:
    """What a test is to find there need not be asked for."""
    server = InMemoryServer()
    kept = server.store.keep(
        completion("a"), messages=ASK["messages"], metadata={"k": "v"}, model="m"
    )
    assert "a" == ask(server, "GET", f"/{kept}")[1]["choices"][0]["message"]["content"]
    assert [kept] == [one["id"] for one in ask(server, "GET", model="m")[1]["data"]]
    assert "Hi" == ask(server, "GET", f"/{kept}/messages")[1]["data"][0]["content"]


def test_what_is_kept_is_nobody_elses() -> None:
    """Changing what was given, or what was got, changes nothing that is stored."""
    store, body = Store(), completion("a")
    store.keep(body)
    body["choices"].clear()
    store.completions[0]["choices"].clear()
    assert 1 == len(store.completions[0]["choices"])


def test_threads_store_at_once() -> None:
    """Each completion has an id of its own."""
    server = InMemoryServer(default="a")
    threads = [threading.Thread(target=create, args=(server,)) for _ in range(32)]
    run_threads(threads)
    assert 32 == len({one["id"] for one in server.store.completions})


def test_foreign_response_is_kept() -> None:
    """Any response will do, as long as it is a completion."""
    body = json.dumps({"choices": [{"message": {"content": "a"}}]}).encode()
    server = InMemoryServer(HttpResponse(200, {}, iter([body[:9], body[9:]])))
    create(server)
    kept = server.store.completions[0]
    assert ("chatcmpl-scripted-2", "m", "chat.completion") == (
        kept["id"],
        kept["model"],
        kept["object"],
    )
