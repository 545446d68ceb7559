"""Stored completions and their pages: as pure pairs, and through both faces of the client."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import chatlib
from chatlib import (
    APIResponseValidationError,
    Config,
    CursorPage,
    HttpResponse,
    InternalServerError,
    NotFoundError,
    RateLimits,
)
from chatlib.client.pagination import (
    CursorHistory,
    SyncCursorPage,
    after_cursor,
    next_cursor,
    paginate,
)
from chatlib.testing import InMemoryServer, error, raw
from chatlib.types import ChatCompletion, ChatCompletionDeleted
from chatlib.wire.request import Operation
from tests.faces import Face

CONFIG = Config(api_key="secret", base_url="http://localhost/v1")
ASK: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def page(*ids: str, **fields: Any) -> dict[str, Any]:
    """A page of completions, as JSON; ``fields`` go on its top level."""
    items = [{"id": id, "object": "chat.completion", "choices": []} for id in ids]
    return {"object": "list", "data": items, "has_more": False, **fields}


# Requests


@pytest.mark.parametrize(
    ("method", "url", "request_"),
    [
        ("GET", "/chat/completions/c1", chatlib.build_retrieve(CONFIG, "c1")),
        ("GET", "/chat/completions/a%2Fb%20%3F%23", chatlib.build_retrieve(CONFIG, "a/b ?#")),
        ("GET", "/chat/completions/%252e%252e", chatlib.build_retrieve(CONFIG, "%2e%2e")),
        ("GET", "/chat/completions/..%2Fc1", chatlib.build_retrieve(CONFIG, "../c1")),
        ("DELETE", "/chat/completions/c1", chatlib.build_delete(CONFIG, "c1")),
        ("POST", "/chat/completions/c1", chatlib.build_update(CONFIG, "c1", metadata={"a": "b"})),
        ("GET", "/chat/completions", chatlib.build_list(CONFIG)),
        (
            "GET",
            "/chat/completions?after=c1&limit=3&metadata%5Ba%5D=b&model=m&order=desc",
            chatlib.build_list(
                CONFIG, after="c1", limit=3, metadata={"a": "b"}, model="m", order="desc"
            ),
        ),
        ("GET", "/chat/completions?x=1", chatlib.build_list(CONFIG, extra_query={"x": 1})),
        ("GET", "/chat/completions", chatlib.build_list(CONFIG, metadata=None, after=chatlib.omit)),
        ("GET", "/chat/completions/c1/messages", chatlib.build_list_messages(CONFIG, "c1")),
        (
            "GET",
            "/chat/completions/c1/messages?after=m1&limit=2&order=asc",
            chatlib.build_list_messages(CONFIG, "c1", after="m1", limit=2, order="asc"),
        ),
    ],
)
def test_requests(method: str, url: str, request_: chatlib.HttpRequest) -> None:
    """Method and address of each operation; ids are encoded so that they stay one segment."""
    assert (method, f"http://localhost/v1{url}") == (request_.method, request_.url)
    assert "Bearer secret" == request_.headers["authorization"]


def test_update_sends_its_metadata() -> None:
    """As given, null included; limits are the server's business."""
    many = {str(number): "x" * 600 for number in range(20)}
    for metadata in ({"a": "b"}, None, many):
        request = chatlib.build_update(CONFIG, "c1", metadata=metadata, extra_body={"z": 1})
        assert {"metadata": metadata, "z": 1} == request.json()


@pytest.mark.parametrize("empty", ["", " ", "\n", ".", ".."])
@pytest.mark.parametrize(
    "build",
    [
        lambda id: chatlib.build_retrieve(CONFIG, id),
        lambda id: chatlib.build_delete(CONFIG, id),
        lambda id: chatlib.build_update(CONFIG, id, metadata={}),
        lambda id: chatlib.build_list_messages(CONFIG, id),
    ],
)
def test_empty_ids(build: Any, empty: str) -> None:
    """An id that is empty, or dots, is refused: it would ask for something else."""
    with pytest.raises(ValueError, match="completion_id is"):
        build(empty)
    with pytest.raises(TypeError, match="NoneType"):
        build(None)


@pytest.mark.parametrize(
    ("message", "build"),
    [
        ("'limt'; did you mean 'limit'", lambda c: chatlib.build_list(c, limt=1)),
        ("has no parameter 'model'", lambda c: chatlib.build_list_messages(c, "a", model="m")),
        ("has no parameter 'metadata'", lambda c: chatlib.build_retrieve(c, "a", metadata={})),
        ("needs 'metadata'", lambda c: chatlib.build_update(c, "a")),
        ("has no body", lambda c: chatlib.build_list(c, extra_body={"a": 1})),
        ("a query is a str", lambda c: chatlib.build_list(c, extra_query="a")),
    ],
)
def test_wrong_parameters(message: str, build: Any) -> None:
    """A parameter that the call has not is an error that says where it belongs."""
    with pytest.raises(TypeError, match=message):
        build(CONFIG)


# Responses


def test_a_page_is_read() -> None:
    """Its items have their types, each knows the request id; unknown fields stay."""
    headers = {"x-request-id": "req_1", "x-ratelimit-remaining-requests": "7"}
    body = raw(200, page("a", "b", first_id="a", last_id="b", has_more=True, total=9))
    response = body(chatlib.build_list(CONFIG))
    read = chatlib.read_completions(HttpResponse(200, headers, response.read()))
    assert isinstance(read, CursorPage)
    assert ["a", "b"] == [item.id for item in read.data]
    assert isinstance(read.data[0], ChatCompletion)
    assert ("a", "b", True, 9) == (read.first_id, read.last_id, read.has_more, read.extra["total"])
    assert ["req_1"] * 3 == [read.request_id, *(item.request_id for item in read.data)]
    assert read.http is not None
    assert RateLimits(remaining_requests=7) == read.http.rate_limits


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"data": null}', b'{"data": [3]}', b"<html>", b'{"data": {}}']
)
def test_no_page(body: bytes) -> None:
    """A body that is no page is an error that shows it."""
    with pytest.raises(APIResponseValidationError):
        chatlib.read_completions(HttpResponse(200, {}, body))


def test_messages_are_read() -> None:
    """Messages from all sides, with their parts."""
    body = b"""{"object": "list", "has_more": false, "data": [
        {"id": "c-0", "role": "system", "content": "Be brief.", "name": null},
        {"id": "c-1", "role": "user", "content": null, "content_parts": [
            {"type": "text", "text": "See"},
            {"type": "image_url", "image_url": {"url": "http://x/i.png"}}]}]}"""
    first, second = chatlib.read_messages(HttpResponse(200, {}, body)).data
    assert ("system", "Be brief.") == (first.role, first.content)
    parts = second.content_parts or []
    assert "See" == parts[0].text  # type: ignore[union-attr]
    assert "http://x/i.png" == parts[1].image_url.url  # type: ignore[union-attr]

    sent = chatlib.to_request(second)["content"]
    assert ["text", "image_url"] == [part["type"] for part in sent]


def test_a_deletion_is_read() -> None:
    """The confirmation says which one is gone."""
    body = b'{"id": "c1", "object": "chat.completion.deleted", "deleted": true}'
    assert ChatCompletionDeleted(
        id="c1", object="chat.completion.deleted", deleted=True
    ) == chatlib.read_deleted(HttpResponse(200, {}, body))
    with pytest.raises(NotFoundError):
        chatlib.read_deleted(HttpResponse(404, {}, b'{"detail": "Not Found"}'))


# From page to page


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        ("b", page("a", "b", has_more=True, last_id="b")),
        ("b", page("a", "b", has_more=True)),
        ("b", page("a", "b", has_more=None)),
        (None, page("a", "b", has_more=False, last_id="b")),
        (None, page(has_more=True, last_id="b")),
        (None, page(has_more=True)),
        ("b", page("a", "b", has_more=True, last_id="")),
    ],
)
def test_next_cursor(expected: str | None, body: dict[str, Any]) -> None:
    """The last id, or the last item's; none where the page is the last, or empty."""
    response = raw(200, body)(chatlib.build_list(CONFIG))
    assert expected == next_cursor(chatlib.read_completions(response))


def test_the_next_page_is_asked_for_alike() -> None:
    """All parameters stay, and the cursor wins over one in extra_query."""
    options: Any = {"extra_query": {"after": "x", "y": "z"}}
    operation = Operation(
        method="GET",
        path="/chat/completions",
        read=chatlib.read_completions,
        options=options,
        query={"limit": 2, "after": "a"},
    )
    request = after_cursor(operation, "b").build(CONFIG)
    assert "http://localhost/v1/chat/completions?limit=2&after=b&y=z" == request.url
    assert "after=x" in operation.build(CONFIG).url


@pytest.mark.parametrize("before", [0, 1, 5])
@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_a_circle_of_pages_ends(before: int, length: int) -> None:
    """Whatever the length of a circle of cursors, the walk notices it."""
    way = [f"p{number}" for number in range(before)]
    circle = itertools.cycle([f"c{number}" for number in range(length)])
    cursors = itertools.chain(way, circle)
    asked = 0

    def perform(operation: Operation[Any]) -> Any:
        nonlocal asked
        asked += 1
        assert asked < 4 * (before + length) + 4
        body = page(next(cursors), has_more=True)
        return operation.read(raw(200, body)(operation.build(CONFIG)))

    operation = chatlib.stored_operations.list_operation({})
    first = perform(paginate(SyncCursorPage, operation, perform))
    with pytest.raises(APIResponseValidationError, match="circle"):
        list(first)


def test_a_long_walk_has_a_short_trail() -> None:
    """What is remembered of the way does not grow."""
    history = CursorHistory()
    for number in range(1000):
        history = history.to(str(number))
    assert ("999", "511", 1000) == (history.last, history.mark, history.steps)


def served(*bodies: Any) -> InMemoryServer:
    """A server that answers these pages, whatever is asked."""
    replies = (body if callable(body) else raw(200, body) for body in bodies)
    return InMemoryServer(*replies, stored=False)


def ids_until(listed: Any, error: type[Exception], match: str = ".") -> list[Any]:
    """The ids that a list gives before it raises."""
    seen: list[Any] = []
    with pytest.raises(error, match=match):
        seen.extend(item.id for item in listed)
    return seen


def after_of(server: InMemoryServer) -> list[str | None]:
    """The cursor of each request."""
    return [
        request.url.partition("after=")[2].partition("&")[0] or None for request in server.requests
    ]


PAGES = [
    page("a", "b", has_more=True, last_id="b"),
    page("c", has_more=True, last_id="c"),
    page("d", has_more=False, last_id="d"),
]


def test_iterating_walks_all_pages(face: Face) -> None:
    """One request for a page, the next when its items are needed, each with the cursor before."""
    server = served(*PAGES)
    client = face.client(transport=server)
    walk = iter(client.chat.completions.list(limit=2, metadata={"k": "v"}))
    seen = []
    for item in walk:
        seen.append((item.id, len(server.requests)))
    assert [("a", 1), ("b", 1), ("c", 2), ("d", 3)] == seen
    assert [None, "b", "c"] == after_of(server)
    assert all("limit=2&metadata%5Bk%5D=v" in request.url for request in server.requests)


def test_a_page_in_hand(face: Face) -> None:
    """Its own data needs no further request; the next page comes when it is asked for."""
    server = served(*PAGES)
    first = face.page(face.client(transport=server).chat.completions.list())
    assert ["a", "b"] == [item.id for item in first.data]
    assert 1 == len(server.requests)
    assert first.has_next_page()
    second = first.get_next_page()
    third = second.get_next_page()
    assert (["c"], ["d"]) == ([i.id for i in second.data], [i.id for i in third.data])
    assert not third.has_next_page()
    with pytest.raises(RuntimeError, match="has_next_page"):
        third.get_next_page()


def test_iter_pages(face: Face) -> None:
    """This page and those after it, as pages."""
    server = served(*PAGES)
    first = face.page(face.client(transport=server).chat.completions.list())
    assert [2, 1, 1] == [len(each.data) for each in first.iter_pages()]


@pytest.mark.parametrize(
    ("ids", "bodies"),
    [
        ([], [page(has_more=True)]),
        (["a"], [page("a", has_more=True), page(has_more=True)]),
        (["a"], [page("a", has_more=False)]),
        (["a", "b"], [page("a", has_more=None), page("b", has_more=None), page()]),
    ],
)
def test_ends_of_a_walk(ids: list[str], bodies: list[Any], face: Face) -> None:
    """An empty page, or one that says it is the last; has_more is kept as it was sent."""
    server = served(*bodies)
    assert ids == [item.id for item in face.client(transport=server).chat.completions.list()]
    assert 0 == server.replies_left


def test_a_repeated_cursor_is_an_error(face: Face) -> None:
    """A server that comes back to where it was is not asked for ever, nor are items given twice."""
    server = served(page("a", has_more=True), page("x", "a", has_more=True))
    listed = face.client(transport=server).chat.completions.list()
    why = "circle: after 'a' comes 'a' again"
    assert ["a"] == ids_until(listed, APIResponseValidationError, why)
    assert 2 == len(server.requests)


def test_a_cursor_of_the_caller_that_is_repeated(face: Face) -> None:
    """The page that was asked for is given; what comes after it is the error."""
    server = served(page("a", has_more=True))
    first = face.page(face.client(transport=server).chat.completions.list(after="a"))
    assert ["a"] == [item.id for item in first.data]
    with pytest.raises(APIResponseValidationError, match="circle"):
        first.get_next_page()


def test_more_without_a_cursor_is_an_error(face: Face) -> None:
    """Where there is more, but nothing says after what, the end would be a lie."""
    body = {"object": "list", "data": [{"choices": []}], "has_more": True}
    server = served(body)
    listed = face.client(transport=server).chat.completions.list()
    assert [None] == ids_until(listed, APIResponseValidationError, "neither a last_id nor ids")


def test_a_page_that_fails_is_tried_again(face: Face) -> None:
    """Each page is a call of its own, with its retries."""
    server = served(PAGES[0], error(500), PAGES[2])
    client = face.client(transport=server, sleep=lambda seconds: None)
    assert ["a", "b", "d"] == [item.id for item in client.chat.completions.list()]
    server = served(PAGES[0], error(500))
    client = face.client(transport=server, max_retries=0)
    assert ["a", "b"] == ids_until(client.chat.completions.list(), InternalServerError)


# All of it, against a server that keeps


def test_the_life_of_a_completion(face: Face) -> None:
    """Created, fetched, changed, found, read, and deleted."""
    server = InMemoryServer("One.", "Two.", "Three.")
    client = face.client(transport=server)
    completions = client.chat.completions
    made = [
        completions.create(**ASK, store=True, metadata={"n": str(n), "odd": str(n % 2)})
        for n in range(3)
    ]
    assert 3 == len({each.id for each in made})
    stored = completions.retrieve(made[1].id)
    assert ("Two.", {"n": "1", "odd": "1"}) == (stored.text, stored.metadata)
    assert {"n": "one"} == completions.update(made[1].id, metadata={"n": "one"}).metadata
    assert [each.id for each in made] == [each.id for each in completions.list(limit=1)]
    backwards = completions.list(limit=2, order="desc")
    assert [each.id for each in reversed(made)] == [each.id for each in backwards]
    found = completions.list(metadata={"odd": "0"}, limit=1)
    assert ["One.", "Three."] == [each.text for each in found]
    (message,) = completions.messages.list(made[0].id)
    assert ("user", "Hi", f"{made[0].id}-0") == (message.role, message.content, message.id)
    gone = completions.delete(made[0].id)
    assert (made[0].id, True) == (gone.id, gone.deleted)
    assert gone.request_id
    with pytest.raises(NotFoundError, match=made[0].id):
        completions.retrieve(made[0].id)
    assert 2 == len(list(completions.list()))


def test_a_server_without_stored_completions(face: Face) -> None:
    """It says so in its own words, and is asked once; other calls work."""
    missing = raw(404, {"detail": "Not Found"})
    server = InMemoryServer(missing, missing, missing, missing, missing, "Hello!", stored=False)
    client = face.client(transport=server)
    completions = client.chat.completions
    calls = [
        lambda: completions.retrieve("c1"),
        lambda: face.page(completions.list()),
        lambda: completions.delete("c1"),
        lambda: face.page(completions.messages.list("c1")),
        lambda: completions.update("c1", metadata={}),
    ]
    for call in calls:
        with pytest.raises(NotFoundError, match="404 - Not Found") as caught:
            call()
        assert {"detail": "Not Found"} == caught.value.body
    assert "Hello!" == completions.create(**ASK).text
    assert 6 == len(server.requests)
