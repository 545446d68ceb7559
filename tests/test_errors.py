"""Every shape of error body is understood, and every error says what a person needs."""

from __future__ import annotations

import contextlib
import importlib
import json
import pickle
from typing import Any

import pytest
from hypothesis import given

import chatlib
from chatlib import HttpRequest, HttpResponse, read_chunks, read_completion
from chatlib.errors import (
    PREVIEW_LENGTH,
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    ContentFilterFinishReasonError,
    IncompleteStreamError,
    LengthFinishReasonError,
    RateLimitError,
)
from chatlib.wire.error_bodies import find_error
from tests.wire.test_codec import likely

REQUEST = HttpRequest(
    "POST", "https://api.test/v1/chat/completions", {"Authorization": "Bearer sk-secret-key-1"}
)


def error_of(status: int, body: Any, **headers: str) -> APIStatusError:
    """The exception for a response."""
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    with pytest.raises(APIStatusError) as caught:
        read_completion(HttpResponse(status, headers, content, request=REQUEST))
    return caught.value


@pytest.mark.parametrize(
    ("expected", "status"),
    [
        ("BadRequestError", 400),
        ("AuthenticationError", 401),
        ("PermissionDeniedError", 403),
        ("NotFoundError", 404),
        ("APIStatusError", 405),
        ("ConflictError", 409),
        ("APIStatusError", 418),
        ("UnprocessableEntityError", 422),
        ("RateLimitError", 429),
        ("InternalServerError", 500),
        ("InternalServerError", 529),
        ("APIStatusError", 304),
        ("APIStatusError", 307),
    ],
)
def test_class_by_status(expected: str, status: int) -> None:
    """Each status has its class; whatever is no success is an error."""
    error = error_of(status, {"error": {"message": "no"}}, **{"x-request-id": "req_1"})
    assert expected == type(error).__name__
    assert (status, "req_1") == (error.status_code, error.request_id)
    assert isinstance(error, chatlib.APIError)
    assert isinstance(error, chatlib.OpenAIError)


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        ("said so", {"error": {"message": "said so", "type": "t", "code": "c"}}),
        ("said so", {"error": "said so"}),
        ("said so", [{"error": {"message": "said so"}}]),
        ("said so", {"object": "error", "message": "said so"}),
        ("said so", {"message": "said so"}),
        ("said so", {"detail": "said so"}),
        ("body.x: said so", {"detail": [{"loc": ["body", "x"], "msg": "said so"}]}),
        ("said so", {"error": {"error": {"message": "said so"}}}),
        ("said so", {"error_code": 17, "error_msg": "said so"}),
        ("said so", {"error": True, "message": "said so"}),
        ("said so", {"error": 17, "detail": "said so"}),
        ("invalid_token: said so", {"error": "invalid_token", "error_description": "said so"}),
        ("Bad Gateway: said so", {"status": 502, "error": "Bad Gateway", "message": "said so"}),
        ("said so", {"error": "said so", "message": "said so"}),
        ("said so", 'data: {"error": {"message": "said so"}}\n\ndata: [DONE]\n\n'),
        ("said so", 'event: error\ndata: {"message": "said so"}\n\n'),
        ("said so", '{"error": {"message": "said so"}}\n{"a": 1}'),
        ("404 page not found", "404 page not found\n"),
        ("said so", "said so"),
        ("said so", '"said so"'),
        ('{"code": 3}', {"error": {"code": 3}}),
        ("(no body)", ""),
        ("502 Bad Gateway nginx", "<html><h1>502 Bad Gateway</h1>\n<hr>nginx</html>"),
        ("Oops", "<style>a{}</style><script>x()</script><!-- c --><p>Oops</p>"),
    ],
)
def test_message(expected: str, body: Any) -> None:
    """The message has the status and the server's own words, wherever it put them."""
    error = error_of(500, body)
    assert error.message.startswith(f"Error code: 500 - {expected}")
    assert str(error) == error.message


def test_body_is_what_stands_under_error() -> None:
    """body is the JSON under "error", with its code, param and type as they were sent."""
    inner = {"message": "no", "code": 400, "param": "stop", "type": "t", "innererror": {"a": 1}}
    error = error_of(400, {"error": inner})
    assert (inner, 400, "stop", "t") == (error.body, error.code, error.param, error.type)


def test_body_without_error_is_the_whole() -> None:
    """Without it, body is the whole JSON, or the text; the response has all of it."""
    assert {"detail": "no"} == error_of(404, {"detail": "no"}).body
    page = "<html>" + "x" * 5000 + "</html>"
    error = error_of(502, page)
    assert (page, page) == (error.body, error.response.text)
    assert len(error.message) < PREVIEW_LENGTH + 200


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [
        ("utf-8", "text/html; charset=iso-8859-1"),
        ("utf-8-sig", "application/json"),
        ("gbk", "text/html; charset=GBK"),
        ("latin-1", 'application/json; charset="iso-8859-1"'),
        ("utf-16", "application/json"),
        ("utf-16", "text/plain; charset=utf-16"),
    ],
)
def test_text_in_another_encoding(encoding: str, content_type: str) -> None:
    """A body that is not UTF-8 is read in the charset that its type names, or by its mark."""
    said = "网关错误" if encoding == "gbk" else "clé"
    body = json.dumps({"error": said}, ensure_ascii=False).encode(encoding)
    assert said == json.loads(HttpResponse(502, {"Content-Type": content_type}, body).text)["error"]


@pytest.mark.parametrize("charset", ["none", "hex", "idna", "utf-8", ""])
def test_text_in_no_encoding(charset: str) -> None:
    """What can't be decoded is marked so."""
    response = HttpResponse(502, {"Content-Type": f"text/html; charset={charset}"}, b"a\xe9.\xff")
    assert "a\ufffd.\ufffd" == response.text


def test_url_helps_where_the_server_does_not() -> None:
    """A page that is no API's says where it came from; a 404 hints at the base URL."""
    message = error_of(404, "<html><h1>404</h1></html>").message
    assert "https://api.test/v1/chat/completions" in message
    assert "base_url" in message


@pytest.mark.parametrize(
    ("cls", "body"),
    [
        ("RateLimitError", {"choices": None, "error": {"message": "no", "code": 429}}),
        ("RateLimitError", {"error": {"message": "no", "code": "429"}}),
        ("APIError", {"error": {"message": "no", "code": "server_error"}}),
        ("APIError", {"error": "no", "choices": []}),
        ("APIError", {"object": "error", "message": "no"}),
        ("BadRequestError", {"object": "error", "message": "no", "code": 400}),
        ("APIError", {"detail": "no"}),
    ],
)
def test_error_inside_a_200(cls: str, body: Any) -> None:
    """It is raised with the server's message and the class of the status that it names."""
    response = HttpResponse(200, {"x-request-id": "req_1"}, json.dumps(body).encode())
    with pytest.raises(APIError) as caught:
        read_completion(response)
    error = caught.value
    assert (cls, "no") == (type(error).__name__, error.message)
    assert (200, "req_1") == (error.status_code, error.request_id)


@pytest.mark.parametrize("empty", [None, {}, "", [], {"message": "", "code": None}])
def test_empty_error_beside_an_answer(empty: Any) -> None:
    """An error that says nothing, beside choices, is none."""
    body = json.dumps({"choices": [{"message": {"content": "ok"}}], "error": empty}).encode()
    assert "ok" == read_completion(HttpResponse(200, {}, body)).text


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        ("not JSON", b"<html><h1>Welcome</h1></html>"),
        ("Welcome", b"<html><h1>Welcome</h1></html>"),
        ("not JSON", b""),
        ("(empty)", b""),
        ("not JSON", b'{"choices": [{"message"'),
        ("not a JSON object", b"[]"),
        ("not a JSON object", b"3"),
        ("not a JSON object", b"null"),
        ("no list of choices", b"{}"),
        ("no list of choices", b'{"choices": "oops"}'),
        ("no list of choices", b'{"choices": null}'),
        (r"choices[0] is not an object", b'{"choices": ["a"]}'),
        (r"choices[1].message is not an object", b'{"choices": [{}, {"message": 3}]}'),
        ("extra data after", b'{"choices": []} and more'),
        ("nested too deeply", b"[" * 100_000),
    ],
)
def test_no_completion_at_all(expected: str, body: bytes) -> None:
    """A body that is no completion is an error that shows how it starts."""
    with pytest.raises(APIResponseValidationError) as caught:
        read_completion(HttpResponse(200, {"x-request-id": "req_1"}, body))
    assert expected in str(caught.value)
    assert "req_1" == caught.value.request_id


def test_secret_quoted_by_the_server_is_struck_out() -> None:
    """A server that quotes the key does not make the error show it."""
    error = error_of(401, {"error": {"message": "bad key sk-secret-key-1"}})
    assert "Error code: 401 - bad key ***" == str(error)


def stream_error(wire: str) -> APIError:
    """The exception that ends a stream."""
    response = HttpResponse(200, {"x-request-id": "req_1"}, wire.encode(), request=REQUEST)
    with pytest.raises(APIError) as caught:
        list(read_chunks(response))
    return caught.value


PART = 'data: {"choices":[{"index":0,"delta":{"content":"Par"}}]}\n\n'


@pytest.mark.parametrize(
    ("cls", "message", "wire"),
    [
        ("APIError", "no", 'data: {"error":{"message":"no"}}\n\n'),
        ("APIError", "no", 'data: {"error":{"message":"no"},"choices":[]}\n\n'),
        ("APIError", "no", 'event: error\ndata: {"message":"no","code":"server_error"}\n\n'),
        ("APIError", "no", 'event: error\ndata: {"error":{"message":"no"}}\n\n'),
        ("APIError", "no", 'event: error\ndata: {"error":"no"}\n\n'),
        ("APIError", "no", "event: error\ndata: no\n\n"),
        ("APIError", "no", 'error: {"message":"no"}\n\n'),
        ("RateLimitError", "no", 'data: {"error":{"message":"no","code":429}}\n\n'),
        ("APIResponseValidationError", "not JSON", "data: nope\n\n"),
        ("APIResponseValidationError", "not a JSON object", "data: 3\n\n"),
        ("APIResponseValidationError", "choices", 'data: {"choices": 3}\n\n'),
        ("IncompleteStreamError", "before the answer was complete", ""),
        ("IncompleteStreamError", "before the answer was complete", 'data: {"id":"c","cho'),
    ],
)
def test_error_inside_a_stream(cls: str, message: str, wire: str) -> None:
    """It carries what had come, the request id and the server's words."""
    error = stream_error(PART + wire)
    assert cls == type(error).__name__
    assert message in error.message
    assert "req_1" == error.request_id
    assert error.completion is not None
    assert "Par" == error.completion.text


@pytest.mark.parametrize(
    "wire", ["", ": ping\n\n", "data:\n\nevent: ping\n\nevent: ping\ndata:\n\n"]
)
def test_stream_of_nothing(wire: str) -> None:
    """A stream that ends without an answer is incomplete, not bad JSON."""
    error = stream_error(wire)
    assert IncompleteStreamError is type(error)
    assert "without an answer" in error.message


@pytest.mark.parametrize(
    "error",
    [
        error_of(429, {"error": {"message": "no"}}, **{"retry-after": "3"}),
        chatlib.APIConnectionError(request=REQUEST),
        chatlib.APITimeoutError(REQUEST),
        chatlib.APIResponseValidationError(HttpResponse(200, {}, b"x"), "x"),
        stream_error(PART),
        ContentFilterFinishReasonError(),
        LengthFinishReasonError(
            completion=read_completion(HttpResponse(200, {}, b'{"choices":[]}'))
        ),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_travel_without_the_key(error: Exception) -> None:
    """Errors survive pickling, which a task queue does to them; the key does not go along."""
    pickled = pickle.dumps(error)
    assert b"sk-secret" not in pickled
    twin = pickle.loads(pickled)
    assert (type(error), str(error)) == (type(twin), str(twin))
    assert getattr(error, "status_code", 0) == getattr(twin, "status_code", 0)
    assert getattr(error, "retry_after", 0) == getattr(twin, "retry_after", 0)


def test_familiar_constructors() -> None:
    """Tests that make errors for the official package make them here."""
    response = HttpResponse(429, {"x-request-id": "r"})
    error = chatlib.RateLimitError("slow down", response=response, body={"code": "x"})
    assert ("slow down", 429, "r", "x") == (
        error.message,
        error.status_code,
        error.request_id,
        error.code,
    )
    assert "Connection error." == chatlib.APIConnectionError(request=REQUEST).message
    assert isinstance(chatlib.APITimeoutError(REQUEST), chatlib.APIConnectionError)


@given(body=likely)
def test_any_body_ends_well(body: Any) -> None:
    """Any JSON in a 200 is a completion or an APIError; in an error status it has its class."""
    content = json.dumps(body).encode()
    with contextlib.suppress(APIError):
        read_completion(HttpResponse(200, {}, content))
    with pytest.raises(chatlib.InternalServerError):
        read_completion(HttpResponse(500, {}, content))
    find_error(body)


# Made in a test, as everybody makes them --------------------------------------------------------


def _responses() -> dict[str, Any]:
    from unittest.mock import MagicMock, Mock

    import requests

    of_requests = requests.Response()
    of_requests.status_code = 429
    of_requests.headers["retry-after"] = "5"
    of_requests._content = b'{"a": 1}'
    made = {
        "requests": of_requests,
        "mock": Mock(status_code=429, headers={"retry-after": "5"}, content=b'{"a": 1}'),
    }
    for name in ("httpx", "httpx2"):
        try:
            library = importlib.import_module(name)
        except ImportError:
            continue
        request = library.Request("POST", "http://h/v1")
        made[name] = library.Response(
            429, headers={"retry-after": "5"}, request=request, content=b'{"a": 1}'
        )
        mocked = MagicMock(spec=library.Response)
        mocked.status_code, mocked.headers = 429, {"retry-after": "5"}
        mocked.content = b'{"a": 1}'
        made[f"mock of {name}"] = mocked
    return made


@pytest.mark.parametrize("name", _responses())
def test_made_from_a_response_of_another_library(name: str) -> None:
    """The status, the headers and the body of the response are those of the error."""
    response = _responses()[name]
    body = {"code": "c", "message": "m", "param": "p", "type": "t"}
    error = RateLimitError("said", response=response, body=body)
    assert ("said", 429, "c", "p", "t") == (
        error.message,
        error.status_code,
        error.code,
        error.param,
        error.type,
    )
    assert "5" == error.response.headers["retry-after"]
    assert (429, True, False) == (
        error.response.status_code,
        error.response.is_error,
        error.response.is_success,
    )
    assert {"a": 1} == error.response.json()
    assert "Too Many Requests" == error.response.reason_phrase
    with pytest.raises(Exception, match="429 Too Many Requests"):
        error.response.raise_for_status()
    assert 429 == pickle.loads(pickle.dumps(error)).status_code


def test_made_from_a_request_of_another_library() -> None:
    """Positionally, by name, or as None."""
    httpx = pytest.importorskip("httpx")
    request = httpx.Request("POST", "http://h/v1", headers={"X-A": "1"})
    for error in (
        APIError("x", request, body=None),
        APITimeoutError(request),
        APITimeoutError(request=request),
        APIConnectionError(message="x", request=request),
    ):
        assert ("POST", "http://h/v1", "1") == (
            error.request.method,
            error.request.url,
            error.request.headers["x-a"],
        )
    assert APITimeoutError(request=None).request is None
    assert "Connection error." == str(APIConnectionError(request=request))
