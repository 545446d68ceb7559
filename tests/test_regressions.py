"""Faults that were found once, each by a fact that keeps it away."""

from __future__ import annotations

import json
import os
import pickle
import traceback
import uuid
from typing import Any

import pytest

from chatlib import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    ChatCompletionStreamState,
    HttpResponse,
    OpenAI,
    OpenAIError,
    Timeout,
    joined,
    read_chunks,
    read_completion,
    structure,
    to_request,
)
from chatlib.testing import InMemoryServer, answer
from chatlib.testing.loopback import Reply, Server, chunk, closed_port, completion, sse
from chatlib.types import ChatCompletionChunk, ChatCompletionMessage
from tests.forking import in_child

ASK: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def client_of(server: Server, **options: Any) -> OpenAI:
    """A client of a loopback server."""
    return OpenAI(api_key="sk-secret-key", base_url=server.url, **options)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("timeout", [Timeout(10), Timeout(10, total=10)])
def test_connection_that_closes_after_its_body(stream: bool, timeout: Timeout) -> None:
    """A server that says ``Connection: close`` and the length of its body is a server like any."""
    body = sse(chunk("ok", "stop")) if stream else json.dumps(completion("ok")).encode()
    body = b"".join(body) if isinstance(body, list) else body
    head = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
    with Server(Reply(raw=head + body)) as server, client_of(server) as client:
        if stream:
            chunks = client.chat.completions.create(**ASK, stream=True, timeout=timeout)
            assert "ok" == joined(chunks).text
        else:
            assert "ok" == client.chat.completions.create(**ASK, timeout=timeout).text


def test_finished_stream_leaves_the_next_call_alone() -> None:
    """A stream whose body has ended does not touch the connection, which another call has now."""
    slow = Reply.stream([sse(chunk("a"), done=False), 0.5, sse(chunk("b", "stop"))])
    with Server(Reply.stream(sse(chunk("a", "stop")), framing="length"), slow) as server:
        client = client_of(server)
        first = client.chat.completions.create(**ASK, stream=True)
        next(first)
        second = client.chat.completions.create(**ASK, stream=True)
        assert "a" == next(second).text
        list(first)
        assert ["b"] == [c.text for c in second if c.text]
        client.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_processes_do_not_share_connections_after_a_fork() -> None:
    """Each gets its own answers, over its own connection."""
    with Server(Reply.json(completion("ok"))) as server:
        client = client_of(server)
        client.chat.completions.create(**ASK)
        assert 0 == in_child(lambda: client.chat.completions.create(**ASK))
        client.chat.completions.create(**ASK)
        assert 2 == server.connections
        client.close()


@pytest.mark.parametrize(
    "options",
    [
        {"idempotency_key": "a\n"},
        {"idempotency_key": "schlüssel€"},
        {"extra_headers": {"": "1"}},
        {"extra_headers": {1: "1"}},
        {"extra_headers": [("a", "b")]},
        {"extra_query": "x=1"},
        {"timeout": float("inf")},
        {"stream": "yes"},
    ],
)
def test_wrong_options_are_refused_before_anything_is_sent(options: Any) -> None:
    """Whatever no header, query or limit can be is a clear error."""
    server = InMemoryServer()
    with pytest.raises((TypeError, ValueError)):
        OpenAI(api_key="k", transport=server).chat.completions.create(**ASK, **options)
    assert [] == server.requests


def test_idempotency_key_of_any_kind() -> None:
    """A UUID is as good as a text."""
    server, key = InMemoryServer("ok"), uuid.uuid4()
    OpenAI(api_key="k", transport=server).chat.completions.create(**ASK, idempotency_key=key)  # type: ignore[call-overload]
    assert str(key) == server.requests[0].headers["idempotency-key"]


def delta_stream(*deltas: Any) -> HttpResponse:
    """A stream of some deltas, without an end."""
    events = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    return HttpResponse(200, {}, "".join(f"data: {json.dumps(e)}\n\n" for e in events).encode())


@pytest.mark.parametrize(
    "deltas",
    [
        [{"tool_calls": [{"index": 0, "function": {"name": name}}]} for name in (5, [], "f")],
        [{"foo": "a"}, {"foo": [{}]}, {"foo": "b"}],
        [{"audio": {"data": "a"}}, {"audio": {"data": []}}, {"audio": {"data": "b"}}],
        [{"content": [{"type": "text", "text": None}]}, {"content": "a"}],
        [{"content": [{"type": "text", "text": 5}]}, {"content": "a"}],
    ],
)
def test_odd_pieces_do_not_hide_that_a_stream_was_cut(deltas: Any) -> None:
    """They are folded somehow; the error is the stream's."""
    with pytest.raises(APIConnectionError):
        joined(read_chunks(delta_stream(*deltas)))


@pytest.mark.parametrize("depth", [500, 800, 2000, 20_000])
def test_deep_bodies(depth: int) -> None:
    """However deep a body is nested, it is a completion or an error of the library."""
    deep = b"[" * depth + b"]" * depth
    for body in (b'{"choices": [], "x": %b}', b'{"error": %b}', b'{"choices": %b}', b"%b"):
        for status in (200, 500):
            try:
                read_completion(HttpResponse(status, {}, body % deep))
            except APIError as error:
                assert len(str(error)) < 2000  # noqa: PT017


def test_body_of_an_error_in_a_stream() -> None:
    """What was not read of it is empty, and can be asked for."""
    with Server(Reply.stream([b'data: {"error": {"message": "no"}}\n\n', 0.1])) as server:
        with pytest.raises(APIError, match="no") as caught:
            list(client_of(server).chat.completions.create(**ASK, stream=True))
        assert caught.value.response is not None
        assert "" == caught.value.response.text


def test_keys_in_a_query_do_not_show() -> None:
    """Not in a traceback, not in a pickle."""
    client = OpenAI(
        api_key="k",
        base_url=f"http://user:sk-in-the-url@127.0.0.1:{closed_port()}/v1",
        default_query={"api-key": "sk-in-the-query"},
        default_headers={"X-Api-Key": "sk-in-a-header"},
        max_retries=0,
    )
    with pytest.raises(APIConnectionError) as caught:
        client.chat.completions.create(**ASK)
    shown = "".join(traceback.format_exception(caught.value))
    pickled = pickle.dumps(caught.value)
    for secret in ("sk-in-the-url", "sk-in-the-query", "sk-in-a-header"):
        assert secret not in shown
        assert secret.encode() not in pickled


def test_key_that_a_server_echoes() -> None:
    """Whichever header it was sent in."""
    server = InMemoryServer(
        lambda request: answer({"error": f"bad {request.headers['x-api-key']}"})
    )
    client = OpenAI(api_key="k", transport=server, default_headers={"X-Api-Key": "sk-in-a-header"})
    with pytest.raises(APIError) as caught:
        client.chat.completions.create(**ASK)
    assert "bad ***" == str(caught.value)


def test_server_that_dies_at_work_was_asked() -> None:
    """A connection that ends long after the request was sent is not a stale one."""
    with Server(Reply.json(completion("ok")), Reply.nothing(delay=0.7)) as server:
        client = client_of(server, max_retries=0)
        client.chat.completions.create(**ASK)
        with pytest.raises(APIConnectionError):
            client.chat.completions.create(**ASK)
        assert 2 == len(server.requests)
        client.close()


def test_message_without_role_can_be_sent() -> None:
    """Nulls that stand for nothing are made good."""
    call = {"id": "1", "type": None, "function": {"name": "f", "arguments": "{}"}}
    came = structure({"role": None, "content": "x", "tool_calls": [call]}, ChatCompletionMessage)
    expected = {"role": "assistant", "content": "x", "tool_calls": [{**call, "type": "function"}]}
    assert expected == to_request(came)


@pytest.mark.parametrize("url", ["http://[::1", "http://h:99999/v1", "http://h:x/v1"])
def test_urls_that_are_none(url: str) -> None:
    """They are refused when the client is made, in its own words."""
    with pytest.raises(OpenAIError, match="base_url"):
        OpenAI(api_key="k", base_url=url)


def test_validation_error_of_a_deep_body_is_short() -> None:
    """Its message does not try to show it."""
    with pytest.raises(APIResponseValidationError):
        read_completion(HttpResponse(200, {}, b"[" * 100_000))


def test_an_event_read_late_after_an_empty_piece_of_content() -> None:
    """Its snapshot is what it was then: an empty piece makes the content empty."""
    deltas: list[dict[str, Any]] = [{"role": "assistant"}, {"content": ""}, {"content": "Hi"}]
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    events = [
        event
        for delta in deltas
        for event in state.handle_chunk(
            structure({"choices": [{"index": 0, "delta": delta}]}, ChatCompletionChunk)
        )
        if event.type == "chunk"
    ]
    contents = [event.snapshot.choices[0].message.content for event in events]
    assert [None, "", "Hi"] == contents


@pytest.mark.parametrize("function", [[], "f", 3, [{"name": "f"}]])
def test_a_piece_of_a_call_whose_function_is_no_object(function: Any) -> None:
    """It is kept on its chunk, and breaks nothing."""
    calls = [{"index": 0, "function": function}, {"index": 1, "function": {"name": "f"}}]
    piece = {"choices": [{"index": 0, "delta": {"tool_calls": calls}}]}
    made = joined([structure(piece, ChatCompletionChunk)], partial=True)
    assert "f" == made.choices[0].message.tool_calls[-1].function.name  # type: ignore[index,union-attr]
