"""Error responses, and errors inside streams and responses of status 200."""

from __future__ import annotations

from typing import Any

import pytest

from chatlib import (
    APIError,
    APIResponseValidationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    OpenAI,
    RateLimitError,
)
from chatlib.testing.loopback import Reply, Server, chunk, completion, sse
from tests.quirks.helpers import (
    HI,
    MESSAGES,
    STOP,
    Seen,
    case,
    see,
    see_stream,
)


@case("err-200-json-error")
def test_err_200_json_error(seen: Seen) -> None:
    assert isinstance(seen.error, RateLimitError)
    assert "Provider returned error" == seen.error.message
    assert 429 == seen.error.code
    assert "Hyperbolic" == seen.error.body["metadata"]["provider_name"]
    assert 200 == seen.error.status_code
    assert 3 == len(seen.requests)  # as a 429 is


@case("err-event-error-top-level")
def test_err_event_error_top_level(seen: Seen) -> None:
    assert "Par" == seen.text
    assert isinstance(seen.error, APIError)
    assert "Something went wrong" == seen.error.message
    assert "server_error" == seen.error.code
    assert "Par" == seen.error.completion.text
    assert 1 == len(seen.requests)


@case("err-openrouter-error-chunk")
def test_err_openrouter_error_chunk(seen: Seen) -> None:
    assert "Par" == seen.text
    assert isinstance(seen.error, APIError)
    assert "Provider disconnected unexpectedly" == seen.error.message
    assert "server_error" == seen.error.code
    assert "Par" == seen.error.completion.text


@case("err-benign-empty-error-field")
def test_err_benign_empty_error_field(seen: Seen) -> None:
    assert "ok" == seen.choice.message.content
    assert 1 == len(seen.requests)


@case("err-list-body")
def test_err_list_body(seen: Seen) -> None:
    assert isinstance(seen.error, BadRequestError)
    sentence = 'Invalid JSON payload received. Unknown name "thinking": Cannot find field.'
    assert f"Error code: 400 - {sentence}" == seen.error.message
    assert 400 == seen.error.code
    assert "INVALID_ARGUMENT" == seen.error.body["status"]
    assert "Unknown name" == seen.error.body["details"][0]["fieldViolations"][0]["description"]
    assert [{"error": seen.error.body}] == seen.error.response.json()


@case("err-flat-object")
def test_err_flat_object(seen: Seen) -> None:
    assert isinstance(seen.error, BadRequestError)
    assert (
        "Error code: 400 - This model's maximum context length is 2048 tokens. However, you "
        "requested 2723 tokens." == seen.error.message
    )
    assert 400 == seen.error.code
    assert "BadRequestError" == seen.error.type


@case("err-html-body")
def test_err_html_body(seen: Seen) -> None:
    assert isinstance(seen.error, InternalServerError)
    assert 3 == len(seen.requests)
    assert "502" in seen.error.message
    assert "502 Bad Gateway" in seen.error.message
    assert "<" not in seen.error.message
    assert "/v1/chat/completions" in seen.error.message
    assert seen.error.body.startswith("<html>\r\n<head>")
    assert seen.error.body.endswith("</html>\r\n")
    assert None is seen.error.__cause__


@case("err-429-insufficient-quota")
def test_err_429_insufficient_quota(seen: Seen) -> None:
    assert isinstance(seen.error, RateLimitError)
    assert "insufficient_quota" == seen.error.code
    assert 1 == len(seen.requests)
    assert [] == seen.waits


@case("err-retry-after-http-date")
def test_err_retry_after_http_date(seen: Seen) -> None:
    assert "ok" == seen.choice.message.content
    assert 2 == len(seen.requests)
    assert 1 == len(seen.waits)
    assert 0.375 <= seen.waits[0] <= 0.5
    assert 2 == seen.answer.http.attempts


@case("err-x-should-retry")
def test_err_x_should_retry(seen: Seen) -> None:
    assert isinstance(seen.error, InternalServerError)
    assert "Error code: 500 - do not repeat this" == seen.error.message
    assert 1 == len(seen.requests)


@case("err-azure-content-filter")
def test_err_azure_content_filter(seen: Seen) -> None:
    assert isinstance(seen.error, BadRequestError)
    assert 1 == len(seen.requests)
    assert "content_filter" == seen.error.code
    assert "prompt" == seen.error.param
    assert None is seen.error.type
    violence = seen.error.body["innererror"]["content_filter_result"]["violence"]
    assert {"filtered": True, "severity": "medium"} == violence


@case("err-groq-failed-generation")
def test_err_groq_failed_generation(seen: Seen) -> None:
    assert isinstance(seen.error, BadRequestError)
    assert '<function=f{"a": 1}</function>' == seen.error.body["failed_generation"]
    assert ("tool_use_failed", "") == (seen.error.code, seen.error.param)
    assert 1 == len(seen.requests)


@pytest.mark.parametrize(
    ("payload", "message", "code"),
    [
        ('{"error": {"message": "Boom", "code": "c"}}', "Boom", "c"),
        ('{"error": {"error": {"message": "Boom", "code": "c"}}}', "Boom", "c"),
        ('{"error": "Boom"}', "Boom", None),
        ('{"error": "Boom", "code": "c"}', "Boom", "c"),
        ('{"message": "Boom", "code": "c"}', "Boom", "c"),
        ('{"detail": "Boom"}', "Boom", None),
        ('[{"error": {"message": "Boom", "code": "c"}}]', "Boom", "c"),
        ('"Boom"', "Boom", None),
        ("Boom", "Boom", None),
        ("upstream: connection\ndata: reset", "upstream: connection\nreset", None),
        ('{"code": "c"}', '{"code": "c"}', "c"),
    ],
)
def test_payloads_of_an_error_event(payload: str, message: str, code: str | None) -> None:
    """Under ``event: error``, whatever came is the error, in its own words."""
    wire = sse(HI, done=False) + f"event: error\ndata: {payload}\n\ndata: [DONE]\n\n".encode()
    seen = see_stream(wire)
    assert "Hi" == seen.text
    assert APIError is type(seen.error)
    assert message == seen.error.message
    assert code == seen.error.code
    assert "Hi" == seen.error.completion.text


@pytest.mark.parametrize("payload", ["", "{}", "null"])
def test_error_event_without_words(payload: str) -> None:
    """The name of the event alone says that it failed: a ``[DONE]`` after it is no success."""
    wire = sse(HI, done=False) + f"event: error\ndata: {payload}\n\ndata: [DONE]\n\n".encode()
    seen = see_stream(wire)
    assert APIError is type(seen.error)
    assert "Hi" == seen.error.completion.text


@pytest.mark.parametrize(
    "choices", [{}, {"choices": []}, {"choices": None}, {"choices": HI["choices"]}]
)
@pytest.mark.parametrize("error", ["Boom", {"message": "Boom"}, {"error": {"message": "Boom"}}])
def test_error_beside_choices(choices: dict[str, Any], error: Any) -> None:
    """Whatever choices stand beside an error, it is raised, in a stream and in a plain answer."""
    seen = see_stream(sse(chunk("Par"), {**choices, "error": error}))
    assert "Par" == seen.text
    assert (APIError, "Boom") == (type(seen.error), seen.error.message)
    assert "Par" == seen.error.completion.text
    for stream in (False, True):
        seen = see(Reply.json({**choices, "error": error}), stream=stream)
        assert (APIError, "Boom") == (type(seen.error), seen.error.message)
        assert 1 == len(seen.requests)


@pytest.mark.parametrize("error", [None, {}, "", [], False, {"message": "", "code": None}])
def test_empty_error_beside_an_answer(error: Any) -> None:
    """An error field with nothing in it is none, in a stream and in a plain answer."""
    assert "ok" == see(Reply.json(completion("ok", error=error))).choice.message.content
    seen = see_stream(sse({**HI, "error": error}, {**STOP, "error": error}))
    assert "Hi" == seen.choice.message.content


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (429, RateLimitError),
        ("429", RateLimitError),
        (400, BadRequestError),
        (502, InternalServerError),
        ("server_error", APIError),
        (1302, APIError),
        (None, APIError),
    ],
)
def test_code_in_a_stream(code: Any, kind: type[APIError]) -> None:
    """An error inside a stream has the class of the status that it names; nothing is repeated."""
    seen = see(Reply.stream(sse(HI, {"error": {"message": "Boom", "code": code}})), stream=True)
    assert kind is type(seen.error)
    assert code == seen.error.code
    assert 1 == len(seen.requests)
    assert 1 == seen.error.attempts


@pytest.mark.parametrize(
    ("error", "requests"),
    [
        ({"message": "x", "code": 429}, 3),
        ({"message": "x", "code": 503}, 3),
        ({"message": "x", "code": 400}, 1),
        ({"message": "x", "code": "server_error"}, 1),
        ({"message": "x", "code": 429, "type": "insufficient_quota"}, 1),
    ],
)
def test_retries_of_an_error_inside_a_200(error: dict[str, Any], requests: int) -> None:
    """An error in a good answer is retried as the status that it names would be."""
    seen = see(Reply.json({"error": error}))
    assert isinstance(seen.error, APIError)
    assert requests == len(seen.requests) == seen.error.attempts


@pytest.mark.parametrize(
    "body",
    [
        {"object": "error", "message": "Boom", "code": 40303},
        {"type": "error", "error": {"type": "overloaded_error", "message": "Boom"}},
        {"detail": "Boom"},
        {"message": "Boom", "request_id": "r"},
        {"error_msg": "Boom", "error_code": 336},
        [{"error": {"message": "Boom"}}],
    ],
)
def test_shapes_of_errors_inside_a_200(body: Any) -> None:
    """However a server words its failure, its words are the message."""
    seen = see(Reply.json(body))
    assert APIError is type(seen.error)
    assert "Boom" == seen.error.message
    assert 200 == seen.error.status_code


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (b'{"error": {"message": "Boom", "code": "c"}}', "Boom", "c"),
        (b'{"error": {"error": {"message": "Boom", "code": "c"}}}', "Boom", "c"),
        (b'{"error": "Boom"}', "Boom", None),
        (b'{"error": "Boom", "code": "c"}', "Boom", "c"),
        (b'{"message": "Boom", "code": "c"}', "Boom", "c"),
        (b'{"detail": "Boom"}', "Boom", None),
        (b'{"detail": [{"loc": ["body", "model"], "msg": "Boom"}]}', "body.model: Boom", None),
        (b'[{"error": {"message": "Boom"}}]', "Boom", None),
        (b'"Boom"', "Boom", None),
        (b"Boom", "Boom", None),
        (b'{"error": {"mess', '{"error": {"mess', None),
        (b"\xef\xbb\xbfBoom", "Boom", None),
        (b'\xef\xbb\xbf{"error": {"message": "Boom", "code": "c"}}', "Boom", "c"),
        (b"", "(no body)", None),
        (b"{}", "{}", None),
        (b"\xff\xfe", "\ufffd\ufffd", None),
    ],
)
def test_shapes_of_error_bodies(body: bytes, message: str, code: str | None) -> None:
    """However a server words its refusal, status and words are in the message."""
    seen = see(Reply(400, {"content-type": "application/json"}, body))
    assert BadRequestError is type(seen.error)
    assert f"Error code: 400 - {message}" == seen.error.message.partition(" (from ")[0]
    assert code == seen.error.code
    assert 1 == len(seen.requests)


def test_attempts_of_a_stream_that_breaks() -> None:
    """The error of a stream says how many attempts there were, as that of the call does."""
    busy = Reply.error(503, headers={"retry-after": "7"})
    wire = sse(HI, done=False)
    for reply in (Reply.stream(wire), Reply.stream([wire, 0.05], abort="rst")):
        seen = see(busy, reply, stream=True)
        assert "Hi" == seen.text
        assert 2 == len(seen.requests) == seen.error.attempts


def test_error_answer_to_a_stream_request() -> None:
    """A refusal of a stream is raised by the call, before there is a stream."""
    with Server(Reply.error(400, "Boom", code="c")) as server:
        client = OpenAI(api_key="sk-test", base_url=server.url)
        with client, pytest.raises(BadRequestError, match="Boom"):
            client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        assert 1 == len(server.requests)


HTML = (
    b"<!DOCTYPE html><html><head><style>p {}</style><title>Hello</title></head>"
    b"<p>Welcome</p></html>"
)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["text/html", "text/event-stream", "application/json"])
def test_html_with_a_good_status(stream: bool, kind: str) -> None:
    """A web page is an error even with status 200; it is quoted without its tags."""
    seen = see(Reply(200, {"content-type": kind}, HTML), stream=stream)
    assert APIResponseValidationError is type(seen.error)
    assert "Hello Welcome" in seen.error.message
    assert "<p>" not in seen.error.message
    assert HTML.decode() == seen.error.body
    assert 1 == len(seen.requests)


def test_html_of_a_wrong_address() -> None:
    """A web page with 404 makes the message speak of base_url, and of the address."""
    seen = see(Reply(404, {"content-type": "text/html"}, HTML))
    assert NotFoundError is type(seen.error)
    assert "base_url" in seen.error.message
    assert "/v1/chat/completions" in seen.error.message
    assert 1 == len(seen.requests)


def test_html_of_great_length() -> None:
    """A message quotes a sane length of a body; the body is whole."""
    page = b"<html>" + b"<p>no service</p>" * 10_000
    seen = see(Reply(400, {"content-type": "text/html"}, page))
    assert len(seen.error.message) < 700
    assert len(page) == len(seen.error.body)
