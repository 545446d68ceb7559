"""The shape of completions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatlib import (
    APIError,
    APIResponseValidationError,
    HttpResponse,
    IncompleteStreamError,
    read_completion,
    to_request,
)
from chatlib.testing.loopback import Reply, chunk, completion, sse
from tests.quirks.helpers import (
    Seen,
    case,
    see,
)


@case("completion-missing-id-object-created")
def test_completion_missing_id_object_created(seen: Seen) -> None:
    assert "ok" == seen.choice.message.content
    assert (None, None) == (seen.answer.id, seen.answer.created)
    assert not {"id", "object", "created"} & seen.answer.fields_set
    assert "model" in seen.answer.fields_set


@case("completion-content-parts")
def test_completion_content_parts(seen: Seen) -> None:
    assert "The answer is 42." == seen.answer.text == seen.choice.message.text
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Let me reason..."}]},
        {"type": "text", "text": "The answer is 42."},
    ]
    assert content == seen.choice.message.content
    assert {"role": "assistant", "content": content} == to_request(seen.choice.message)


@case("completion-unknown-enums-and-fields")
def test_completion_unknown_enums_and_fields(seen: Seen) -> None:
    assert "standard" == seen.answer.service_tier
    assert "Google" == seen.answer.provider
    assert "error" == seen.choice.finish_reason
    assert None is seen.choice.native_finish_reason
    assert "native_finish_reason" in seen.choice.fields_set


@case("completion-refusal")
def test_completion_refusal(seen: Seen) -> None:
    message = seen.choice.message
    assert "I can't help with that." == message.refusal
    assert None is message.content
    assert "" == message.text
    assert None not in to_request(message).values()


@case("completion-logprobs-non-finite")
def test_completion_logprobs_non_finite(seen: Seen) -> None:
    assert "ok" == seen.choice.message.content
    top = seen.choice.logprobs.content[0].top_logprobs
    assert [-0.1, float("-inf"), None] == [token.logprob for token in top]


@pytest.mark.parametrize(
    ("logprobs", "expected"),
    [("null", None), ('{"content": null}', None), ('{"content": []}', []), (None, "absent")],
)
def test_logprobs_that_are_missing(logprobs: str | None, expected: Any) -> None:
    """Logprobs may be absent, null, or hold nothing."""
    body = json.dumps(completion("ok"))
    if logprobs is not None:
        body = body.replace('"index": 0', f'"index": 0, "logprobs": {logprobs}')
    seen = see(Reply(200, {"content-type": "application/json"}, body.encode()))
    assert "ok" == seen.choice.message.content
    if expected == "absent":
        assert "logprobs" not in seen.choice.fields_set
    elif seen.choice.logprobs is not None:
        assert expected == seen.choice.logprobs.content
    else:
        assert None is expected


def test_numbers_that_are_not_json() -> None:
    """NaN, Infinity and -Infinity are read, in a stream as well."""
    piece = chunk("ok", "stop")
    tokens = [{"token": "ok", "logprob": n} for n in (float("-inf"), float("inf"), float("nan"))]
    piece["choices"][0]["logprobs"] = {"content": tokens}
    seen = see(Reply.stream(sse(piece)), stream=True)
    read = [token.logprob for token in seen.choice.logprobs.content]
    assert "[-inf, inf, nan]" == repr(read)


@pytest.mark.parametrize("message", [None, "absent"])
def test_a_choice_without_a_message(message: Any) -> None:
    """A choice whose message is null or absent reads as one that says nothing."""
    body = completion()
    body["choices"][0]["message"] = message
    if message == "absent":
        del body["choices"][0]["message"]
    seen = see(Reply.json(body))
    assert "" == seen.answer.text
    assert None is seen.choice.message.content


@pytest.mark.parametrize("before", ["", "\n\n \r\n", "\ufeff"])
@pytest.mark.parametrize("after", ["", "\n\n", "\n\ndata: [DONE]\n\n", "data:[DONE]", " \r\n"])
def test_what_may_stand_around_json(before: str, after: str) -> None:
    """Blanks, a BOM and a stray ``[DONE]`` around a JSON answer do no harm."""
    body = f"{before}{json.dumps(completion('é'))}{after}".encode()
    answer = read_completion(HttpResponse(200, {"content-type": "application/json"}, body))
    assert "é" == answer.text


def test_two_json_documents() -> None:
    """What else follows a JSON answer is not lost silently: the error quotes it."""
    body = (json.dumps(completion("A")) + json.dumps({"more": "B"})).encode()
    seen = see(Reply(200, {"content-type": "application/json"}, body))
    assert APIResponseValidationError is type(seen.error)
    assert '{"more": "B"}' in seen.error.message


@pytest.mark.parametrize(
    "body",
    [b"", b"OK", b"null", b"3", b'"text"', b"[]", b"{}", b'{"choices": null}', b'{"choices":'],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_200_that_is_no_answer(body: bytes, stream: bool) -> None:
    """A body that is no completion is an error of this library, never a value that is none."""
    reply = Reply(200, {"content-type": "application/json"}, body)
    seen = see(reply, stream=stream)
    assert isinstance(seen.error, APIError)
    assert (APIResponseValidationError, IncompleteStreamError)[
        stream and body in _NO_EVENTS
    ] is type(seen.error)
    assert 200 == seen.error.status_code


_NO_EVENTS = (b"", b"OK", b"null", b"3", b'"text"')
