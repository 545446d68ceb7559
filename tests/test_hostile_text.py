"""Whatever bytes a server sends: values, or the library's own errors, in linear time."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatlib import (
    APIError,
    APIResponseValidationError,
    APIStatusError,
    HttpResponse,
    IncompleteStreamError,
    LengthFinishReasonError,
    OpenAI,
    RateLimits,
    read_chunks,
    read_completion,
    structure,
)
from chatlib.errors import preview
from chatlib.headers import Headers, retry_after
from chatlib.retry import RetryPolicy, retry_delay
from chatlib.testing import InMemoryServer, raw
from chatlib.testing.loopback import chunk, completion, sse
from chatlib.types import ChatCompletion
from chatlib.wire.error_bodies import find_error
from tests.wire.test_codec import likely

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
LONGEST = 3000
DIGITS = "9" * 5000


def read(response: HttpResponse) -> tuple[Any, Any]:
    """A completion, or the error in its place, which must be the library's."""
    try:
        return read_completion(response), None
    except APIError as error:
        return None, error


def read_stream(pieces: bytes | tuple[bytes, ...]) -> tuple[list[Any], Any]:
    """The chunks of a stream, and the error that it ends in."""
    chunks: list[Any] = []
    try:
        chunks.extend(iter(read_chunks(HttpResponse(200, {}, pieces))))
    except APIError as error:
        return chunks, error
    return chunks, None


def outcome(body: bytes, *pieces: bytes) -> tuple[Any, ...]:
    """What an event stream comes to: its chunks, the class of its error, and the message."""
    chunks, error = read_stream(pieces or body)
    assert all(isinstance(made.text, str) for made in chunks)
    assert len(str(error)) < LONGEST
    return chunks, error and type(error), str(error)


def failure(body: bytes, status: int = 200) -> APIError:
    """The error that a plain answer is."""
    _, error = read(HttpResponse(status, {}, body))
    assert isinstance(error, APIError)
    assert len(str(error)) < LONGEST
    return error


# Time and size ------------------------------------------------------------------------------------

PAGES = [
    "<!--",
    "<!-- -",
    "<script",
    "<script>",
    "<script></script",
    "<style ",
    "<style></styl",
    "<",
    "< ",
    "<a ",
    "<a>",
    ">",
    "<></",
    " ",
    "\n\t",
    "<\u0130",
    "\x00",
    "a",
    "[",
    "{",
    '{"a":',
    '"',
    "\\",
    "data: ",
    "data: [\n\n",
    ": x\n",
    "\n",
    "\r",
    "event: x\ndata: {\n\n",
    "-",
]


@pytest.mark.parametrize("part", PAGES)
def test_a_page_of_a_megabyte(part: str) -> None:
    """An error page, an answer or a stream of any pattern is read in linear time."""
    start = time.process_time()
    for page in ((part * 1_000_000)[:1_000_000], "<" + (part * 1_000_000)[:1_000_000]):
        body = page.encode()
        failure(body, 500)
        failure(body)
        outcome(body)
        failure(json.dumps({"error": page}).encode())
        failure(json.dumps({"error": {"message": page, "code": page}}).encode(), 429)
        assert len(preview(page)) < LONGEST
    assert time.process_time() - start < 4  # quadratic, it takes hours


@pytest.mark.parametrize("part", [b" ", b"\n", b"\xef", b":\n", b"data: x\n", b"\r\n", b"x"])
def test_a_stream_in_small_pieces(part: bytes) -> None:
    """Neither blanks before the stream nor a line without end cost more for each byte."""
    start = time.process_time()
    outcome(b"", *[part] * 200_000)
    assert time.process_time() - start < 4


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("502 Bad Gateway nginx", "<html><h1>502 Bad Gateway</h1>\n<hr>nginx</html>"),
        ("Oops", "<style>a{}</style><script>x()</script><!-- c --><p>Oops</p>"),
        ("Oops", "<STYLE type=a>a{}</Style ><ScRiPt>if (a<b) x('>')</sCrIpT\n>Oops"),
        ("Oops", "<!DOCTYPE html>Oops<script>never closed <b>x</b>"),
        ("Oops", "<p>Oops</p><!-- never closed <b>x</b>"),
        ("Oops 1 < 2", "<p>Oops</p> 1 < 2"),
        ("Oops", "<scripty>Oops</scripty>"),
        ("Access Denied", "<?xml version='1.0'?><Error><Code/>Access Denied</Error>"),
    ],
)
def test_the_text_of_a_page(words: str, page: str) -> None:
    """Tags, comments, scripts and styles are left out of a message."""
    assert words == preview(page)


def test_no_message_is_long(caplog: pytest.LogCaptureFixture) -> None:
    """Neither that of an error nor the line that a retry writes to the log."""
    caplog.set_level(logging.DEBUG, "chatlib")
    text = "word " * 100_000
    server = InMemoryServer(default=raw(500, text, headers={"x-request-id": "r"}))
    client = OpenAI(api_key="sk-test", transport=server, sleep=lambda _: None)
    with pytest.raises(APIStatusError) as caught:
        client.chat.completions.create(**ASK, extra_query={"q": text})
    assert len(str(caught.value)) < LONGEST
    failed = [r.getMessage() for r in caplog.records if "attempt" in r.getMessage()]
    assert 2 == len(failed)
    assert all(len(line) < LONGEST for line in failed)
    assert len(str(IncompleteStreamError(message=text))) < LONGEST
    assert len(str(APIResponseValidationError(None, text, message=text))) < LONGEST
    usage = {"choices": [], "usage": {"x": text}}
    error = LengthFinishReasonError(completion=structure(usage, ChatCompletion))
    assert len(str(error)) < LONGEST


# Numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digits", [DIGITS, f'"{DIGITS}"', f"-{DIGITS}", f"{DIGITS}.0", "1e999"])
@pytest.mark.parametrize("name", ["code", "status", "status_code", "type", "param", "message"])
def test_a_number_of_thousands_of_digits_in_an_error(name: str, digits: str) -> None:
    """The error keeps the server's words."""
    body = f'{{"error": {{"message": "Boom", "{name}": {digits}}}}}'
    for status in (200, 429):
        error = failure(body.encode(), status)
        assert "Boom" in str(error) or name == "message"
        assert retry_delay(RetryPolicy(), 0, error) is None or status == 429
        pickle.loads(pickle.dumps(error))
    _, kind, message = outcome(f"data: {body}\n\n".encode())
    assert APIError is kind
    assert "Boom" in message or name == "message"


@pytest.mark.parametrize("field", ["created", "index", "usage", "code", "n", "status"])
def test_a_number_of_thousands_of_digits_in_an_answer(field: str) -> None:
    """It does not make the answer unreadable."""
    body = json.dumps({**completion("ok"), field: "@"}).replace('"@"', DIGITS)
    assert "ok" == read_completion(HttpResponse(200, {}, body.encode())).text
    event = json.dumps({**chunk("ok", "stop"), field: "@"}).replace('"@"', DIGITS)
    made, error, _ = outcome(sse(event))
    assert (["ok"], None) == ([piece.text for piece in made], error)


def test_a_reconnection_time_of_thousands_of_digits() -> None:
    """It is not kept, and the stream goes on."""
    made, error, _ = outcome(f"retry: {DIGITS}\n".encode() + sse(chunk("Hi", "stop")))
    assert (["Hi"], None) == ([piece.text for piece in made], error)


JUNK = [DIGITS, "1e400", "nan", "-inf", "inf", "", " ", "-1", "\u0663", "soon", "1" * 70, "1_0_0"]
JUNK += ["Fri, " + DIGITS, "Mon, 99 " * 9, "0 0 0", "Wed, 21 Oct 99999999 07:28:00 GMT", ", ,", "("]


@pytest.mark.parametrize("value", JUNK)
def test_headers_of_no_sense(value: str) -> None:
    """What servers say about waiting is a sensible number, or nothing."""
    for name in ("retry-after", "retry-after-ms"):
        seconds = retry_after(Headers({name: value}))
        assert seconds is None or 0 <= seconds < 1e99
    names = [f"x-ratelimit-{a}-{b}" for a in ("limit", "remaining") for b in ("requests", "tokens")]
    names += ["x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"]
    limits = RateLimits.from_headers(dict.fromkeys(names, value))
    assert len(repr(limits)) < 2000
    assert "inf" not in repr(limits)


@given(st.text(max_size=40), st.sampled_from(["retry-after", "retry-after-ms"]))
def test_any_header(value: str, name: str) -> None:
    """No text in these headers is an exception."""
    retry_after(Headers({name: value}))
    RateLimits.from_headers({"x-ratelimit-reset-tokens": value, "x-ratelimit-limit-tokens": value})


# Depth --------------------------------------------------------------------------------------------


def nested(depth: int, opening: str, closing: str, inside: str = "1") -> str:
    return opening * depth + inside + closing * depth


NESTS = [
    ("[", "]"),
    ('{"error":', "}"),
    ('{"message":', "}"),
    ('[{"detail":', "}]"),
    ("[[1],", "]"),
]
PLACES = [
    '{"error": %s}',
    '{"error": {"message": "Boom", "inner": %s}}',
    '{"error": {"message": %s}}',
    '{"detail": [{"msg": "Boom", "loc": %s}]}',
    '{"choices": [{"index": 0, "error": %s}]}',
    '{"base_resp": {"status_code": 1, "status_msg": %s}}',
    '{"choices": {"x": %s}}',
    '{"code": 1, "msg": "Boom", "x": %s}',
    '{"code": %s, "error_msg": "Boom"}',
    '{"type": "error", "x": %s}',
]


@pytest.mark.parametrize("depth", [50, 300, 500, 900, 985, 3000, 100_000])
@pytest.mark.parametrize("nest", NESTS)
def test_errors_nested_deeply(nest: tuple[str, str], depth: int) -> None:
    """They are errors, which can be shown, pickled, copied, and judged for another try."""
    for place in PLACES:
        body = place.replace("%s", nested(depth, *nest)).encode()
        for status in (200, 429):
            error = failure(body, status)
            retry_delay(RetryPolicy(), 0, error)
            assert str(error) == str(pickle.loads(pickle.dumps(error)))
            copy.deepcopy(error.body)
            repr(error.body)
        outcome(b"data: " + body + b"\n\n")
        outcome(b"event: error\ndata: " + body + b"\n\n")
        outcome(body)


# Any bytes ----------------------------------------------------------------------------------------

EVENTS = st.one_of(
    st.binary(max_size=20),
    likely.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [
            json.dumps(chunk("Hi")).encode(),
            json.dumps(chunk("Hi", "stop")).encode(),
            json.dumps(chunk(finish="stop")).encode(),
            b"[DONE]",
            b": ping",
            b'{"error": {"message": "Boom", "code": 429}}',
            b'{"code": 1, "msg": "Boom"}',
            b'{"base_resp": {"status_code": 1008, "status_msg": "Boom"}}',
            b'{"choices": [{"index": 0, "error": []}, {"index": true}]}',
            b'{"choices": [{"delta": {"content": "\\ud83d"}}]}',
            b'{"choices": [{"finish_reason": [], "index": 1.5}], "usage": []}',
            b'{"choices": [{"delta": {"tool_calls": {}}, "finish_reason": {}}], "usage": [1]}',
            b'{"choices": {}}',
            b'{"type": "ping"}',
            b'{"choices": [{"del',
            b"9" * 5000,
        ]
    ),
)
FIELDS = st.sampled_from(
    [b"data: ", b"data:", b"event: ", b"event: error\ndata: ", b"error: ", b""]
)
ENDS = st.sampled_from([b"\n\n", b"\n", b"\r\n\r\n", b"\r\r", b""])
WIRES = st.one_of(
    st.binary(max_size=60),
    st.lists(st.tuples(FIELDS, EVENTS, ENDS).map(b"".join), max_size=6).map(b"".join),
)


@given(wire=WIRES, data=st.data())
def test_any_event_stream(wire: bytes, data: st.DataObject) -> None:
    """Any bytes are chunks and perhaps an error of the library's; where they are cut is all one."""
    whole = outcome(wire)
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=5).map(sorted))
    pieces = [wire[a:b] for a, b in pairwise([0, *cuts, len(wire)])]
    assert whole == outcome(b"", *pieces)
    assert whole == outcome(b"", *(wire[at : at + 1] for at in range(len(wire))), b"")


@given(wire=WIRES)
def test_any_answer(wire: bytes) -> None:
    """Any bytes are a completion or an error of the library's, with a good status as with a bad."""
    for status in (200, 429, 500):
        answer, error = read(HttpResponse(status, {}, wire))
        if error is None:
            assert isinstance(answer.text, str)
        else:
            assert len(str(error)) < LONGEST
            retry_delay(RetryPolicy(), 0, error)


@given(value=likely)
def test_any_value(value: Any) -> None:
    """Any JSON is an error or none; one that is certain has words."""
    for certain in (False, True):
        found = find_error(value, certain=certain)
        assert found is None or isinstance(found.message, str)


LISTS: list[Any] = [[], [1], {}, {"a": 1}, "x", "", 3, 1.5, True, None, [{}], [[]], [None], ["x"]]


@pytest.mark.parametrize("value", LISTS, ids=repr)
@pytest.mark.parametrize(
    "name", ["usage", "id", "created", "model", "object", "service_tier", "error", "moderation"]
)
def test_odd_values_on_the_top(name: str, value: Any) -> None:
    """Fields of a kind that nobody expects are given as they came."""
    for body in ({**completion("ok"), name: value}, {**chunk("ok", "stop"), name: value}):
        answer, error = read(HttpResponse(200, {}, json.dumps(body).encode()))
        assert error is None or (name == "error" and value)
        assert error is not None or answer.to_dict()
        outcome(sse(body))


@pytest.mark.parametrize("value", LISTS, ids=repr)
@pytest.mark.parametrize("name", ["index", "finish_reason", "logprobs", "error", "x"])
@pytest.mark.parametrize("where", ["choice", "delta"])
def test_odd_values_in_a_choice(where: str, name: str, value: Any) -> None:
    """The same in a choice, and in what it holds."""
    names = [name] if where == "choice" else ["content", "tool_calls", "function_call", "refusal"]
    for field in names:
        body = chunk("ok", "stop")
        target = body["choices"][0] if where == "choice" else body["choices"][0]["delta"]
        target[field] = value
        outcome(sse(body, chunk("more"), body))
        body["choices"][0]["message"] = body["choices"][0].pop("delta")
        answer, error = read(HttpResponse(200, {}, json.dumps(body).encode()))
        assert error is None or (field == "error" and value)
        assert error is not None or answer.to_dict()
