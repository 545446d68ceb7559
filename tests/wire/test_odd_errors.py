"""Errors in odd places, keep-alives in odd forms, empty accounts: in answers and in streams."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatlib import (
    APIError,
    APIResponseValidationError,
    APIStatusError,
    AuthenticationError,
    HttpResponse,
    IncompleteStreamError,
    InternalServerError,
    RateLimitError,
    read_chunks,
    read_completion,
)
from chatlib.retry import EMPTY_ACCOUNT
from chatlib.testing import InMemoryServer, raw
from chatlib.testing.loopback import chunk, completion, sse
from chatlib.wire.error_bodies import find_error
from tests import faces

pytestmark = pytest.mark.usefixtures("face")  # each test holds for both faces

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
PAR, HI, STOP = chunk("Par"), chunk("Hi"), chunk(finish="stop")
BOOM = {"code": 502, "message": "Boom"}


def client_of(*bodies: bytes, status: int = 200, headers: Any = None) -> tuple[Any, InMemoryServer]:
    """A client of a server that answers all requests with one body."""
    replies = [raw(status, body, headers=headers) for body in bodies]
    server = InMemoryServer(*replies[:-1], default=replies[-1])
    return faces.client(transport=server, sleep=lambda _: None), server


def read(client: Any, how: str) -> str:
    """The text of an answer that is asked for in one of three ways."""
    completions = client.chat.completions
    if how == "create":
        return str(completions.create(**ASK).text)
    if how == "chunks":
        return "".join(piece.text for piece in completions.create(**ASK, stream=True))
    with completions.stream(**ASK) as stream:
        stream.until_done()
        return str(stream.get_final_completion().choices[0].message.content)


def failure(client: Any, how: str) -> APIError:
    """The exception that such a call ends in."""
    with pytest.raises(APIError) as caught:
        read(client, how)
    return caught.value


def inside(error: Any, **fields: Any) -> dict[str, Any]:
    """A choice that holds an error."""
    return {"index": 0, "delta": {}, "finish_reason": "error", "error": error, **fields}


SHAPES: list[tuple[type[APIError], Any, Any]] = [
    (InternalServerError, 502, {"choices": [inside(BOOM)]}),
    (InternalServerError, 502, {"choices": [inside(BOOM, native_finish_reason="error")]}),
    (InternalServerError, 502, {"choices": [{"index": 0, "error": BOOM}]}),
    (InternalServerError, 502, {"choices": [HI["choices"][0], inside(BOOM, index=1)]}),
    (APIError, None, {"choices": [inside("Boom")]}),
    (APIError, None, {"choices": [inside({"error": {"message": "Boom"}})]}),
    (APIError, 1008, {"choices": None, "base_resp": {"status_code": 1008, "status_msg": "Boom"}}),
    (APIError, 1002, {"base_resp": {"status_code": 1002, "status_msg": "Boom"}}),
    (APIError, 1027, {**HI, "base_resp": {"status_code": 1027, "status_msg": "Boom"}}),
    (APIError, 1302, {"code": 1302, "msg": "Boom"}),
    (APIError, "1302", {"code": "1302", "msg": "Boom", "choices": []}),
    (APIError, "InvalidParameter", {"code": "InvalidParameter", "message": "Boom"}),
    (RateLimitError, 429, {"code": 429, "msg": "Boom", "data": None, "choices": None}),
    (APIError, 50501, {"code": 50501, "message": "Boom", "data": None}),
    (APIStatusError, None, {"status": "439", "msg": "Boom", "body": None}),
    (APIError, None, {"success": False, "msg": "Boom"}),
    (APIError, None, {"status": "failed", "message": "Boom"}),
    (APIError, 336, {"error_code": 336, "error_msg": "Boom"}),
    (APIError, 40001, {"errcode": 40001, "errmsg": "Boom"}),
    (APIError, None, {"choices": None, "error_type": "BadRequestError", "error_message": "Boom"}),
    (AuthenticationError, None, {"error": {"message": "Boom"}, "status_code": 401}),
    (APIError, None, {"message": "Boom"}),
    (APIError, None, {"detail": [{"msg": "Boom"}]}),
    (APIError, None, {"type": "error", "error": {"type": "overloaded_error", "message": "Boom"}}),
]


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("how", ["chunks", "stream"])
@pytest.mark.parametrize(("kind", "code", "event"), SHAPES)
def test_an_error_in_a_stream(
    kind: type[APIError], code: Any, event: Any, how: str, done: bool
) -> None:
    """It is raised with the server's words, its code, the class of its status and what had come."""
    client, server = client_of(sse(PAR, event, done=done))
    error = failure(client, how)
    assert (kind, "Boom", code) == (type(error), error.message, error.code)
    assert error.completion is not None
    assert "Par" == error.completion.text
    assert (200, 1, 1) == (error.status_code, error.attempts, len(server.requests))


@pytest.mark.parametrize(("kind", "code", "event"), SHAPES)
def test_an_error_in_an_answer(kind: type[APIError], code: Any, event: Any) -> None:
    """A plain answer with the same in it raises the same."""
    client, server = client_of(json.dumps(event).encode())
    for how in ("create", "chunks"):
        server.requests.clear()
        error = failure(client, how)
        assert (kind, "Boom", code) == (type(error), error.message, error.code)
        retried = how == "create" and kind in (InternalServerError, RateLimitError)
        assert (3 if retried else 1) == len(server.requests) == error.attempts


def test_what_had_come_of_an_answer_with_an_error_in_it() -> None:
    """The choices beside the error are on the exception."""
    body = completion("Par", choices=[{"message": {"content": "Par"}, "error": BOOM}])
    error = failure(client_of(json.dumps(body).encode())[0], "create")
    assert error.completion is not None
    assert "Par" == error.completion.text


FINE = [
    {"error": None},
    {"error": {"message": "", "code": None}},
    {"base_resp": {"status_code": 0, "status_msg": ""}},
    {"base_resp": {"status_code": "0", "status_msg": "success"}},
    {"base_resp": None},
    {"base_resp": []},
    {"code": 0, "msg": "ok"},
    {"code": 0, "message": "Success", "sid": "cha1"},
    {"code": 200, "msg": "success", "success": True},
    {"code": "200", "message": "OK", "status": "completed"},
]


@pytest.mark.parametrize("beside", FINE)
def test_reports_of_success(beside: dict[str, Any]) -> None:
    """What says that all is well, beside an answer or alone, is no error."""
    client, _ = client_of(json.dumps(completion("ok", **beside)).encode())
    assert "ok" == read(client, "create")
    client, _ = client_of(sse({**HI, **beside}, beside, {**STOP, **beside}))
    assert "Hi" == "".join(
        piece.text for piece in client.chat.completions.create(**ASK, stream=True)
    )
    assert None is find_error(beside)


FILTERED = {"content_filter_result": {"error": {"code": "content_filter_error", "message": "late"}}}


def test_the_filter_s_own_failure_is_no_error() -> None:
    """Azure's filter may fail beside an answer: that is the filter's error, not the answer's."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": "ok"}, **FILTERED}
    client, _ = client_of(json.dumps(completion(choices=[choice])).encode())
    assert "ok" == read(client, "create")
    late = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", **FILTERED}]}
    first = {"choices": [], "prompt_filter_results": [{"prompt_index": 0, **FILTERED}]}
    client, _ = client_of(sse(first, HI, late))
    assert "Hi" == "".join(
        piece.text for piece in client.chat.completions.create(**ASK, stream=True)
    )


def test_an_error_inside_a_choice_that_is_empty() -> None:
    """null, {} and "" are none."""
    for empty in (None, {}, "", {"message": None}):
        client, _ = client_of(sse(HI, {"choices": [{**STOP["choices"][0], "error": empty}]}))
        assert "Hi" == read(client, "chunks")


# Keep-alives -------------------------------------------------------------------------------------

KEEP_ALIVES = [
    ":",
    ": ping\n\n: OPENROUTER PROCESSING",
    "data:",
    "data: ",
    "data: {}",
    "data: null",
    'data: ""',
    "data: []",
    "data: : OPENROUTER PROCESSING",
    "data: :",
    "data::keepalive",
    "data: ping",
    "data: [PING]",
    "data: keep-alive",
    'data: "ping"',
    'data: {"type": "ping"}',
    'data: {"type": "heartbeat", "time": 1700000000}',
    'data: {"event": "ping"}',
    "event: ping",
    "event: ping\ndata:",
    "event: ping\ndata: 2026-11-26 00:00:00",
    'event: ping\ndata: {"type": "ping"}',
    'event: heartbeat\ndata: {"message": "still there"}',
    "event: keepalive\ndata: {}",
    "event: status\ndata: processing",
    "retry: 3000",
    "id: 7",
]


@pytest.mark.parametrize("event", KEEP_ALIVES)
@pytest.mark.parametrize("how", ["chunks", "stream"])
def test_keep_alives(event: str, how: str) -> None:
    """Whatever it is dressed as, it brings no chunk and no error, first, between and last."""
    ping = f"{event}\n\n".encode()
    wire = ping * 2 + sse(HI, done=False) + ping + sse(STOP, done=False) + ping + sse()
    client, _ = client_of(wire)
    assert "Hi" == read(client, how)
    assert 2 == len(list(client.chat.completions.create(**ASK, stream=True)))


@pytest.mark.parametrize("event", KEEP_ALIVES)
def test_nothing_but_keep_alives(event: str) -> None:
    """They are no answer."""
    for end in ("", "data: [DONE]\n\n"):
        error = failure(client_of(f"{event}\n\n{event}\n\n{end}".encode())[0], "chunks")
        assert error.message.startswith("Connection error: the stream ended without an answer")


@pytest.mark.parametrize("name", ["", "event: chunk\n", "event: message\n", "event: x\n"])
@pytest.mark.parametrize("cut", ['{"choices": [{"delta": {"content": "LO', '[{"a"', "{]}", " {x"])
def test_an_event_that_is_cut(name: str, cut: str) -> None:
    """What begins as JSON and is not is an error that quotes it, whatever its event is called."""
    wire = sse(PAR, done=False) + f"{name}data: {cut}\n\n".encode() + sse(HI, STOP)
    error = failure(client_of(wire)[0], "chunks")
    assert APIResponseValidationError is type(error)
    assert cut.strip() in error.message
    assert error.completion is not None
    assert "Par" == error.completion.text


@pytest.mark.parametrize("how", ["chunks", "stream"])
@pytest.mark.parametrize(
    ("kind", "stray"),
    [
        (APIError, '{"error": {"message": "Boom"}}'),
        (InternalServerError, '{"error": {"message": "Boom", "code": 502}}\n'),
        (APIError, '{"detail": "Boom"}\n\n'),
        (IncompleteStreamError, "Boom"),
        (IncompleteStreamError, "<html><body>\n<h1>Boom</h1></body></html>"),
    ],
)
def test_an_error_that_is_no_event(kind: type[APIError], stray: str, how: str) -> None:
    """What a gateway writes into a stream, in place of an event, is shown where it ends early."""
    client, _ = client_of(sse(PAR, done=False) + stray.encode())
    error = failure(client, how)
    assert kind is type(error)
    assert "Boom" in error.message
    assert error.completion is not None
    assert "Par" == error.completion.text
    client, _ = client_of(sse(HI, STOP, done=False) + stray.encode())
    if kind is IncompleteStreamError:
        assert "Hi" == read(client, how)
    else:  # an error counts wherever it comes before the end
        assert kind is type(failure(client, how))


@pytest.mark.parametrize("name", ["error", "Error", "ERROR"])
def test_an_error_event_by_another_case(name: str) -> None:
    """The name of an error event is one in any case."""
    wire = sse(PAR, done=False) + f"event: {name}\ndata: Boom\n\n".encode() + sse()
    assert "Boom" == failure(client_of(wire)[0], "chunks").message


@pytest.mark.parametrize("end", ["[DONE]", " [DONE]", "[done]", '"[DONE]"', "[DONE] "])
def test_the_end_in_other_forms(end: str) -> None:
    """What follows it is not read."""
    wire = sse(HI, done=False) + f"data: {end}\n\ndata: rubbish\n\n".encode()
    assert ["Hi"] == [piece.text for piece in read_chunks(HttpResponse(200, {}, wire))]


# Empty accounts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(EMPTY_ACCOUNT))
def test_an_empty_account_is_not_asked_again(code: str) -> None:
    """Whether its code or its type says so, whatever stands beside it."""
    for error in (
        {"code": code, "message": "x"},
        {"type": code, "message": "x", "code": None},
        {"type": code.upper(), "message": "x", "code": 429},
        {"code": code.title().replace("_", ""), "message": "x"},
        {"message": "x", "metadata": {"raw": json.dumps({"error": {"type": code}})}},
        {"message": "x", "innererror": {"code": code}},
    ):
        client, server = client_of(json.dumps({"error": error}).encode(), status=429)
        assert isinstance(failure(client, "create"), RateLimitError)
        assert 1 == len(server.requests), error
        assert isinstance(failure(client, "chunks"), RateLimitError)
        assert 2 == len(server.requests), error


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"http_code": "429", "message": "x", "type": "insufficient_balance_error"}},
        {"error": "x", "type": "insufficient_balance_error"},
        {"error": {"message": "x"}, "code": "insufficient_user_quota"},
        {"code": "exceeded_current_quota_error", "message": "x"},
        {"error": {"error": {"message": "x", "type": "billing_not_active"}}},
        {"error": {"code": 1113, "message": "x"}},
        [{"error": {"message": "x", "code": "insufficient_quota"}}],
        {"detail": {"type": "insufficient_quota", "message": "x"}},
    ],
)
def test_where_the_code_of_an_empty_account_stands(body: Any) -> None:
    """Wherever it stands, with an error status or inside a 200."""
    for status in (429, 500):
        client, server = client_of(json.dumps(body).encode(), status=status)
        assert "x" in failure(client, "create").message
        assert 1 == len(server.requests)
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = {**body, "error": {**body["error"], "status": 429}}
    client, server = client_of(json.dumps(body).encode())
    failure(client, "create")
    assert 1 == len(server.requests)


def test_the_server_knows_better() -> None:
    """``x-should-retry: true`` wins over the code."""
    body = json.dumps({"error": {"message": "x", "type": "insufficient_balance_error"}}).encode()
    client, server = client_of(body, status=429, headers={"x-should-retry": "true"})
    assert isinstance(failure(client, "create"), RateLimitError)
    assert 3 == len(server.requests)


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "quota_exceeded", "1302", 429, None, {}])
def test_other_codes_of_a_429(code: Any) -> None:
    """A limit that time lifts is waited for."""
    body = json.dumps({"error": {"message": "insufficient", "code": code, "type": code}}).encode()
    client, server = client_of(body, status=429)
    assert isinstance(failure(client, "create"), RateLimitError)
    assert 3 == len(server.requests)


def test_a_status_beside_an_error_inside_a_200() -> None:
    """It decides whether the call is made again, wherever it stands."""
    for body in ({"error": "x", "status": 503}, {"error": {"message": "x"}, "code": "503"}):
        client, server = client_of(json.dumps(body).encode())
        error = failure(client, "create")
        assert (InternalServerError, 200, 503) == (
            type(error),
            error.status_code,
            error.embedded_status,
        )
        assert 3 == len(server.requests)


@pytest.mark.parametrize(("kind", "code", "event"), SHAPES)
def test_the_pure_functions_raise_the_same(kind: type[APIError], code: Any, event: Any) -> None:
    """An error in an event stream that answers a plain request, too."""
    for read in (lambda r: list(read_chunks(r)), read_completion):
        for body in (sse(PAR, event), json.dumps(event).encode()):
            with pytest.raises(APIError) as caught:
                read(HttpResponse(200, {}, body))
            error = caught.value
            assert (kind, "Boom", code) == (type(error), error.message, error.code)
