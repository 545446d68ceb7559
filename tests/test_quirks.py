"""What real servers send, and what must come of it: the cases of ``data/quirks.json``.

Each case is served over loopback, and its ``expected`` is checked sentence by sentence by the
function that :func:`case` names for it. Event streams are also read by the pure functions: whole,
byte by byte, and cut in two at every place. What is alike but not in the file is tested below.
"""

from __future__ import annotations

import itertools
import json
import logging
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any, TypeVar

import attrs
import pytest

from chatlib import (
    Accumulator,
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APIStatusError,
    BadRequestError,
    HttpResponse,
    IncompleteStreamError,
    InternalServerError,
    LengthFinishReasonError,
    NotFoundError,
    OpenAI,
    ParseError,
    RateLimitError,
    Timeout,
    joined,
    parse_completion,
    read_chunks,
    read_completion,
    read_events,
    to_request,
)
from chatlib.testing.loopback import Reply, Server, chunk, completion, sse
from chatlib.types import ChatCompletion, ChatCompletionChunk

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "quirks.json").read_text("utf-8")
)
STORED = "stored"
"""The area whose cases are no answers to ``create``: they have checks of their own."""

Error = TypeVar("Error", bound=Exception)
EVENT_STREAM = {"content-type": "text/event-stream"}
MESSAGES = [{"role": "user", "content": "Hi"}]
SHORT_END = Timeout(60, stream_end=0.5)
"""The limits of a call whose server may keep its connection open after the answer."""


# What is seen of a call -----------------------------------------------------------------------


@attrs.define
class Seen:
    """What came of a call, seen from both ends."""

    requests: list[Any]
    """What the server got."""
    chunks: list[ChatCompletionChunk] = attrs.field(factory=list)
    completion: ChatCompletion | None = None
    """The answer; of a stream, its chunks joined."""
    error: Any = None
    """What was raised."""
    waits: list[float] = attrs.field(factory=list)
    """The seconds between attempts."""
    seconds: float = 0.0
    """How long it took, without them."""
    first_after: float = 0.0
    """How long the first chunk took."""
    connections: int = 0
    warnings: list[str] = attrs.field(factory=list)

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.chunks)

    @property
    def answer(self) -> ChatCompletion:
        """The answer, which there must be."""
        assert None is self.error
        assert self.completion is not None
        return self.completion

    @property
    def choice(self) -> Any:
        """The first choice of the answer."""
        return self.answer.choices[0]

    @property
    def calls(self) -> list[tuple[Any, Any, Any]]:
        """The tool calls of the first choice: id, name, arguments."""
        calls = self.choice.message.tool_calls
        return [(call.id, call.function.name, call.function.arguments) for call in calls]


def see(*replies: Any, stream: bool = False, **options: Any) -> Seen:
    """Make one call of a server that plays these replies."""
    with Server(*replies) as server:
        seen = Seen(server.requests)
        client = OpenAI(api_key="sk-test", base_url=server.url, sleep=seen.waits.append)
        start = time.monotonic()
        with client:
            try:
                answer = client.chat.completions.create(
                    model="m", messages=MESSAGES, stream=stream or False, **options
                )
                if stream:
                    for piece in answer:
                        seen.first_after = seen.first_after or time.monotonic() - start
                        seen.chunks.append(piece)
                    seen.completion = joined(seen.chunks)
                else:
                    seen.completion = answer
            except APIError as error:
                seen.error = error
            seen.seconds = time.monotonic() - start
            seen.connections = server.connections
    return seen


def see_pure(pieces: Iterable[bytes]) -> Seen:
    """What the pure functions make of an event stream."""
    seen = Seen([])
    try:
        for piece in read_chunks(HttpResponse(200, EVENT_STREAM, pieces)):
            seen.chunks.append(piece)
        seen.completion = joined(seen.chunks)
    except APIError as error:
        seen.error = error
    return seen


def see_stream(wire: bytes | str) -> Seen:
    """What a stream comes to, over loopback; the pure functions must see the same."""
    wire = wire.encode() if isinstance(wire, str) else wire
    seen = see(Reply.stream(wire), stream=True)
    assert outcome(seen) == outcome(see_pure([wire]))
    assert outcome(seen) == outcome(see_pure(wire[at : at + 1] for at in range(len(wire))))
    return seen


def outcome(seen: Seen) -> tuple[Any, ...]:
    """What must not depend on how the bytes were cut."""
    error = seen.error
    failed = error and (type(error), error.message, error.code, error.completion.to_dict())
    return [piece.to_dict() for piece in seen.chunks], failed


# The runner -----------------------------------------------------------------------------------

Check = Callable[[Seen], None]
CHECKS: dict[str, tuple[Check, bool]] = {}


def case(name: str, *, stream: bool = False) -> Callable[[Check], Check]:
    """The check of a case; ``stream`` says how to ask where the case is a whole response."""

    def register(check: Check) -> Check:
        assert name not in CHECKS
        CHECKS[name] = check, stream
        return check

    return register


def wire_of(found: dict[str, Any]) -> bytes:
    return expanded(found["wire"]).encode()


def expanded(text: str) -> str:
    """``{{REPEAT:A:3}}`` stands for ``AAA``."""
    return re.sub(r"\{\{REPEAT:(.+?):(\d+)\}\}", lambda m: m[1] * int(m[2]), text)


def reply_of(said: dict[str, Any], **manner: Any) -> Reply:
    """The ``wire`` of a case in mode ``http`` as a reply."""
    headers = {k: v for k, v in said["headers"].items() if k != "transfer-encoding"}
    return Reply(
        said["status"],
        headers,
        expanded(said["body"]).encode(),
        framing="chunked" if headers["content-type"] == "text/event-stream" else None,
        gzip=said.get("body_encoding") == "gzip",
        abort="fin" if said.get("abort") else None,
        hold=said.get("hold_open_s", 0),
        **manner,
    )


def replies_of(found: dict[str, Any]) -> list[Reply]:
    said = found["wire"]
    return [reply_of(one) for one in (said, *said.get("then", ()))]


CHECKED = [pytest.param(c, id=c["id"]) for c in CASES if c["area"] != STORED]
STREAMS = [
    pytest.param(c, id=c["id"]) for c in CASES if c["area"] != STORED and c["mode"] == "stream"
]


@pytest.mark.parametrize("found", CHECKED)
def test_case(found: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """Over a real connection, what a server sends comes to what the case expects."""
    check, stream = CHECKS[found["id"]]
    if found["mode"] == "stream":
        seen = see(Reply.stream(wire_of(found)), stream=True)
    elif found["mode"] == "json":
        body = wire_of(found)
        seen = see(Reply(200, {"content-type": "application/json"}, body))
        sent = json.loads(body)
        for at, choice in enumerate(sent["choices"]):
            choice.setdefault("index", at)
        assert sent == seen.answer.to_dict()  # nothing lost, nothing invented
    else:
        options = {"timeout": SHORT_END} if stream else {}
        seen = see(*replies_of(found), stream=stream, **options)
    seen.warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    check(seen)


@pytest.mark.parametrize("found", STREAMS)
def test_cuts(found: dict[str, Any]) -> None:
    """However the network cuts an event stream, its chunks and its error are the same."""
    wire = wire_of(found)
    whole = outcome(see_pure([wire]))
    assert whole == outcome(see_pure(wire[at : at + 1] for at in range(len(wire))))
    places = [at for at in range(len(wire) + 1) if at < 400 or at % max(len(wire) // 700, 1) == 0]
    for at in places:
        assert whole == outcome(see_pure([wire[:at], wire[at:]])), f"cut at {at}"
    cuts = [0, *found.get("split_at", ()), len(wire)]
    pieces = [wire[a:b] for a, b in itertools.pairwise(cuts)]
    assert whole == outcome(see_pure(pieces))
    assert whole == outcome(see(Reply.stream(pieces), stream=True))


@pytest.mark.parametrize("found", STREAMS)
def test_bytes_after(found: dict[str, Any]) -> None:
    """What follows ``[DONE]`` changes nothing."""
    wire = wire_of(found)
    if not wire.rstrip().endswith(b"[DONE]"):
        return
    noise = wire.rstrip() + b"\n\ndata: {not json\n\nevent: error\ndata: late\n\n" + wire
    assert outcome(see_pure([wire])) == outcome(see_pure([noise]))


def test_every_case_is_checked() -> None:
    """No case is left out, and no check is left over."""
    assert {found["id"] for found in CASES} == set(CHECKS) | set(STORED_CHECKS)
    assert len(CASES) == len({found["id"] for found in CASES})


def test_repeats_are_expanded() -> None:
    """A case can say that a text comes many times."""
    assert "xAAAAy" == expanded("x{{REPEAT:A:4}}y")


# Framing --------------------------------------------------------------------------------------


@case("sse-no-space-after-colon")
def _(seen: Seen) -> None:
    assert "Hi" == seen.text
    assert "stop" == seen.choice.finish_reason
    assert ["x", "x", " x"] == [
        event.data for event in read_events([b"data:x\n\ndata: x\n\ndata:  x\n\n"])
    ]


@case("sse-mixed-line-endings")
def _(seen: Seen) -> None:
    assert ["A", "B", "C"] == [piece.text for piece in seen.chunks]
    assert "stop" == seen.choice.finish_reason


@case("sse-comment-keepalive")
def _(seen: Seen) -> None:
    assert ["Hi", ""] == [piece.text for piece in seen.chunks]
    assert "stop" == seen.choice.finish_reason


@case("sse-empty-data-and-ping")
def _(seen: Seen) -> None:
    assert ["Hi", ""] == [piece.text for piece in seen.chunks]
    assert "stop" == seen.choice.finish_reason


@case("sse-retry-and-id-only")
def _(seen: Seen) -> None:
    assert ["Hi", ""] == [piece.text for piece in seen.chunks]
    assert "stop" == seen.choice.finish_reason
    assert 1 == len(seen.requests)


@case("sse-multiline-data")
def _(seen: Seen) -> None:
    assert ["Hi"] == [piece.text for piece in seen.chunks]
    assert "stop" == seen.choice.finish_reason
    assert "c1" == seen.answer.id


@case("sse-done-without-blank-line")
def _(seen: Seen) -> None:
    assert ["", "Hi", ""] == [piece.text for piece in seen.chunks]
    assert "Hi" == seen.choice.message.content
    assert "stop" == seen.choice.finish_reason


@case("sse-finish-but-no-done")
def _(seen: Seen) -> None:
    assert "Hello" == seen.text
    assert "stop" == seen.choice.finish_reason
    assert [] == seen.warnings


@case("sse-error-field-line")
def _(seen: Seen) -> None:
    assert "Par" == seen.text
    assert isinstance(seen.error, APIError)
    assert (
        "the request exceeds the available context size. try increasing the context size or "
        "enable context shift" == seen.error.message
    )
    assert 400 == seen.error.code
    assert "invalid_request_error" == seen.error.type
    assert "Par" == seen.error.completion.text
    assert 1 == len(seen.requests)


@case("sse-leading-bom")
def _(seen: Seen) -> None:
    assert ["Hi", ""] == [piece.text for piece in seen.chunks]
    assert "stop" == seen.choice.finish_reason


# The shape of chunks --------------------------------------------------------------------------


@case("azure-first-chunk-empty-choices")
def _(seen: Seen) -> None:
    filtered = seen.chunks[0].prompt_filter_results
    assert "safe" == filtered[0]["content_filter_results"]["hate"]["severity"]
    assert ["", "Hi", ""] == [piece.text for piece in seen.chunks]
    assert ("c1", "m", 1700000000) == (seen.answer.id, seen.answer.model, seen.answer.created)
    assert filtered == seen.answer.prompt_filter_results


@case("azure-async-filter-no-delta")
def _(seen: Seen) -> None:
    absent, null = seen.chunks[1].choices[0], seen.chunks[2].choices[0]
    assert {} == absent.delta.to_dict() == null.delta.to_dict()
    assert 44 == absent.content_filter_offsets["check_offset"]
    assert "safe" == null.content_filter_results["hate"]["severity"]
    assert "Hi" == seen.text
    assert "safe" == seen.choice.content_filter_results["hate"]["severity"]
    assert 198 == seen.choice.content_filter_offsets["end_offset"]
    assert ("c1", "m") == (seen.answer.id, seen.answer.model)


@case("role-empty-string")
def _(seen: Seen) -> None:
    assert "assistant" == seen.choice.message.role
    assert "Hi" == seen.choice.message.content
    assert False is seen.chunks[0].input_sensitive
    assert "" == seen.chunks[0].choices[0].delta.reasoning_content
    assert 0 == seen.chunks[0].usage.total_characters


@case("role-null-or-every-chunk")
def _(seen: Seen) -> None:
    assert "assistant" == seen.choice.message.role
    assert "ABC" == seen.choice.message.content
    assert None is seen.choice.message.tool_calls
    assert None is seen.choice.message.function_call


@case("finish-reason-nonstandard")
def _(seen: Seen) -> None:
    assert "Hi" == seen.text
    assert "eos" == seen.choice.finish_reason
    assert "eos" == seen.chunks[-1].choices[0].finish_reason


@case("cumulative-content")
def _(seen: Seen) -> None:
    assert "TheThe catThe cat sat" == seen.choice.message.content


@case("identical-repeated-deltas")
def _(seen: Seen) -> None:
    assert "6666666666" == seen.choice.message.content


@case("content-parts-in-delta")
def _(seen: Seen) -> None:
    assert "42!" == seen.text
    assert "42!" == seen.answer.text
    parts = seen.choice.message.content
    assert {"type": "thinking", "thinking": [{"type": "text", "text": "hmm"}]} == parts[0]
    assert "42!" == "".join(part["text"] for part in parts[1:])


@case("n2-interleaved-choices")
def _(seen: Seen) -> None:
    assert [0, 1] == [choice.index for choice in seen.answer.choices]
    assert ["A", "B"] == [choice.message.content for choice in seen.answer.choices]
    assert [("f", '{"x":1}'), ("g", '{"y":2}')] == [
        (call.function.name, call.function.arguments)
        for choice in seen.answer.choices
        for call in choice.message.tool_calls
    ]
    assert ["tool_calls"] * 2 == [choice.finish_reason for choice in seen.answer.choices]
    assert "A" == seen.answer.text
    assert "A" == seen.text


@case("audio-deltas")
def _(seen: Seen) -> None:
    audio = seen.choice.message.audio
    assert ("audio_1", "Hello", "QUFBQkJC", 1729268602) == (
        audio.id,
        audio.transcript,
        audio.data,
        audio.expires_at,
    )
    assert None is seen.choice.finish_reason


# Tool calls -----------------------------------------------------------------------------------


@case("tc-index-missing-single")
def _(seen: Seen) -> None:
    assert [("call_1", "get_weather", '{"city":"Paris"}')] == seen.calls


@case("tc-index-missing-parallel")
def _(seen: Seen) -> None:
    assert [("call_1", "f", '{"a":1}'), ("call_2", "g", '{"b":2}')] == seen.calls


@case("tc-all-index-zero")
def _(seen: Seen) -> None:
    assert [
        ("call_1", "read", '{"path":"a.rs"}'),
        ("call_2", "read", '{"path":"b.rs"}'),
    ] == seen.calls
    assert [0, 0] == [piece.choices[0].delta.tool_calls[0].index for piece in seen.chunks[:2]]


@case("tc-duplicate-index-in-one-chunk")
def _(seen: Seen) -> None:
    assert [("functions.list_files:0", "list_files", ' {"path": "."}')] == seen.calls


@case("tc-null-fields-continuation")
def _(seen: Seen) -> None:
    assert [("call_abc", "get_weather", '{"city":"SF"}')] == seen.calls
    assert "function" == seen.choice.message.tool_calls[0].type


@case("tc-id-type-name-repeated")
def _(seen: Seen) -> None:
    assert [("call_1", "f", '{"a":1}')] == seen.calls
    assert "function" == seen.choice.message.tool_calls[0].type


@case("tc-id-missing")
def _(seen: Seen) -> None:
    assert [(None, "f", "{}")] == seen.calls


@case("tc-toolcalls-object-not-list")
def _(seen: Seen) -> None:
    assert [("f", '{"a":1}')] == [call[1:] for call in seen.calls]


@case("tc-empty-or-null-arguments")
def _(seen: Seen) -> None:
    assert [("call_1", "version", ""), ("call_2", "status", None)] == seen.calls
    replayed = to_request(seen.choice.message)["tool_calls"]
    assert ["{}", "{}"] == [call["function"]["arguments"] for call in replayed]


@case("tc-extra-content-signature")
def _(seen: Seen) -> None:
    assert [("call_1", "bash", '{"command":"ls"}')] == seen.calls
    signed = {"google": {"thought_signature": "AY89a18IwQsQ8in/"}}
    assert signed == seen.choice.message.tool_calls[0].extra_content
    assert signed == to_request(seen.choice.message)["tool_calls"][0]["extra_content"]


@case("tc-split-across-choices")
def _(seen: Seen) -> None:
    first, second = seen.answer.choices
    assert [0, 1] == [first.index, second.index]
    assert "I will look." == first.message.content
    assert None is first.message.tool_calls
    assert "tool_calls" == first.finish_reason
    assert None is second.message.content
    assert ["toolu_1"] == [call.id for call in second.message.tool_calls]
    assert '{"url":"https://x.test"}' == second.message.tool_calls[0].function.arguments


@case("tc-truncated-but-says-tool-calls")
def _(seen: Seen) -> None:
    assert [("call_1", "write_file", '{"path":"/tmp/a","content":"hel')] == seen.calls
    assert "tool_calls" == seen.choice.finish_reason


@case("tc-legacy-function-call")
def _(seen: Seen) -> None:
    function = seen.choice.message.function_call
    assert ("print_tags", '{\n"a":1}') == (function.name, function.arguments)
    assert "function_call" == seen.choice.finish_reason
    assert None is seen.choice.message.tool_calls


# The shape of completions ---------------------------------------------------------------------


@case("completion-missing-id-object-created")
def _(seen: Seen) -> None:
    assert "ok" == seen.choice.message.content
    assert (None, None) == (seen.answer.id, seen.answer.created)
    assert not {"id", "object", "created"} & seen.answer.fields_set
    assert "model" in seen.answer.fields_set


@case("completion-content-parts")
def _(seen: Seen) -> None:
    assert "The answer is 42." == seen.answer.text == seen.choice.message.text
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Let me reason..."}]},
        {"type": "text", "text": "The answer is 42."},
    ]
    assert content == seen.choice.message.content
    assert {"role": "assistant", "content": content} == to_request(seen.choice.message)


@case("completion-unknown-enums-and-fields")
def _(seen: Seen) -> None:
    assert "standard" == seen.answer.service_tier
    assert "Google" == seen.answer.provider
    assert "error" == seen.choice.finish_reason
    assert None is seen.choice.native_finish_reason
    assert "native_finish_reason" in seen.choice.fields_set


@case("completion-refusal")
def _(seen: Seen) -> None:
    message = seen.choice.message
    assert "I can't help with that." == message.refusal
    assert None is message.content
    assert "" == message.text
    assert None not in to_request(message).values()


@case("completion-logprobs-non-finite")
def _(seen: Seen) -> None:
    assert "ok" == seen.choice.message.content
    top = seen.choice.logprobs.content[0].top_logprobs
    assert [-0.1, float("-inf"), None] == [token.logprob for token in top]


# Errors ---------------------------------------------------------------------------------------


@case("err-200-json-error")
def _(seen: Seen) -> None:
    assert isinstance(seen.error, RateLimitError)
    assert "Provider returned error" == seen.error.message
    assert 429 == seen.error.code
    assert "Hyperbolic" == seen.error.body["metadata"]["provider_name"]
    assert 200 == seen.error.status_code
    assert 3 == len(seen.requests)  # as a 429 is


@case("err-event-error-top-level")
def _(seen: Seen) -> None:
    assert "Par" == seen.text
    assert isinstance(seen.error, APIError)
    assert "Something went wrong" == seen.error.message
    assert "server_error" == seen.error.code
    assert "Par" == seen.error.completion.text
    assert 1 == len(seen.requests)


@case("err-openrouter-error-chunk")
def _(seen: Seen) -> None:
    assert "Par" == seen.text
    assert isinstance(seen.error, APIError)
    assert "Provider disconnected unexpectedly" == seen.error.message
    assert "server_error" == seen.error.code
    assert "Par" == seen.error.completion.text


@case("err-benign-empty-error-field")
def _(seen: Seen) -> None:
    assert "ok" == seen.choice.message.content
    assert 1 == len(seen.requests)


@case("err-list-body")
def _(seen: Seen) -> None:
    assert isinstance(seen.error, BadRequestError)
    sentence = 'Invalid JSON payload received. Unknown name "thinking": Cannot find field.'
    assert f"Error code: 400 - {sentence}" == seen.error.message
    assert 400 == seen.error.code
    assert "INVALID_ARGUMENT" == seen.error.body["status"]
    assert "Unknown name" == seen.error.body["details"][0]["fieldViolations"][0]["description"]
    assert [{"error": seen.error.body}] == seen.error.response.json()


@case("err-flat-object")
def _(seen: Seen) -> None:
    assert isinstance(seen.error, BadRequestError)
    assert (
        "Error code: 400 - This model's maximum context length is 2048 tokens. However, you "
        "requested 2723 tokens." == seen.error.message
    )
    assert 400 == seen.error.code
    assert "BadRequestError" == seen.error.type


@case("err-html-body")
def _(seen: Seen) -> None:
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
def _(seen: Seen) -> None:
    assert isinstance(seen.error, RateLimitError)
    assert "insufficient_quota" == seen.error.code
    assert 1 == len(seen.requests)
    assert [] == seen.waits


@case("err-retry-after-http-date")
def _(seen: Seen) -> None:
    assert "ok" == seen.choice.message.content
    assert 2 == len(seen.requests)
    assert 1 == len(seen.waits)
    assert 0.375 <= seen.waits[0] <= 0.5
    assert 2 == seen.answer.http.attempts


@case("err-x-should-retry")
def _(seen: Seen) -> None:
    assert isinstance(seen.error, InternalServerError)
    assert "Error code: 500 - do not repeat this" == seen.error.message
    assert 1 == len(seen.requests)


@case("err-azure-content-filter")
def _(seen: Seen) -> None:
    assert isinstance(seen.error, BadRequestError)
    assert 1 == len(seen.requests)
    assert "content_filter" == seen.error.code
    assert "prompt" == seen.error.param
    assert None is seen.error.type
    violence = seen.error.body["innererror"]["content_filter_result"]["violence"]
    assert {"filtered": True, "severity": "medium"} == violence


@case("err-groq-failed-generation")
def _(seen: Seen) -> None:
    assert isinstance(seen.error, BadRequestError)
    assert '<function=f{"a": 1}</function>' == seen.error.body["failed_generation"]
    assert ("tool_use_failed", "") == (seen.error.code, seen.error.param)
    assert 1 == len(seen.requests)


# Transport ------------------------------------------------------------------------------------


@case("tr-abort-chunked", stream=True)
def _(seen: Seen) -> None:
    assert "Par" == seen.text
    assert isinstance(seen.error, APIConnectionError)
    assert isinstance(seen.error, IncompleteStreamError)
    assert "urllib3" == type(seen.error.__cause__).__module__.partition(".")[0]
    assert "Par" == seen.error.completion.text
    assert None is seen.error.completion.choices[0].finish_reason
    assert 1 == len(seen.requests)


@case("tr-open-after-finish", stream=True)
def _(seen: Seen) -> None:
    assert "Hi!" == seen.text
    assert "stop" == seen.choice.finish_reason
    assert seen.first_after < 1
    assert seen.seconds < 2.9


@case("tr-trickle-after-done", stream=True)
def _(seen: Seen) -> None:
    assert "Hi" == seen.text
    assert "stop" == seen.choice.finish_reason
    assert seen.seconds < 1


@case("tr-gzip-sse", stream=True)
def _(seen: Seen) -> None:
    assert "Hi" == seen.text
    assert "stop" == seen.choice.finish_reason
    advertised = seen.requests[0].headers["accept-encoding"].replace(" ", "").split(",")
    assert "gzip" in advertised
    assert {"gzip", "deflate", "br", "zstd", "identity"} >= set(advertised)


@case("tr-sse-for-plain-request")
def _(seen: Seen) -> None:
    assert "OK" == seen.choice.message.content
    assert "stop" == seen.choice.finish_reason
    assert False is seen.requests[0].json()["stream"]


@case("tr-json-plus-done")
def _(seen: Seen) -> None:
    assert "ok" == seen.choice.message.content
    assert 4 == seen.answer.usage.total_tokens


@case("tr-utf8-split")
def _(seen: Seen) -> None:
    assert "日本 ✅" == seen.text


# Usage ----------------------------------------------------------------------------------------


@case("usage-cumulative-every-chunk")
def _(seen: Seen) -> None:
    usage = seen.answer.usage
    assert (1965, 3, 1968) == (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
    assert "abc" == seen.text


@case("usage-missing-completion-tokens")
def _(seen: Seen) -> None:
    usage = seen.answer.usage
    assert (11, None, 11) == (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
    assert "completion_tokens" not in usage.fields_set


@case("usage-vendor-extensions")
def _(seen: Seen) -> None:
    usage = seen.answer.usage
    assert (14, 9, 23) == (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
    assert (0, 14) == (usage.prompt_cache_hit_tokens, usage.prompt_cache_miss_tokens)
    assert 14 == usage.to_dict()["prompt_cache_miss_tokens"]
    assert 0 == usage.prompt_tokens_details.cached_tokens
    assert "cached_tokens" in usage.prompt_tokens_details.fields_set
    assert None is usage.prompt_tokens_details.audio_tokens
    assert "audio_tokens" not in usage.prompt_tokens_details.fields_set


# Structured output ----------------------------------------------------------------------------


@attrs.define
class Facts:
    facts: list[str]


@attrs.define
class Town:
    name: str


@attrs.define
class Towns:
    towns: list[Town]


def unparsed(seen: Seen, kind: type, error: type[Error]) -> Error:
    """The error that reading an answer as a type makes; it holds the whole answer."""
    with pytest.raises(error) as caught:
        parse_completion(seen.answer, kind)
    found: Any = caught.value
    assert seen.answer.to_dict() == found.completion.to_dict()
    assert seen.answer.http is found.completion.http
    return caught.value


@case("so-truncated-length")
def _(seen: Seen) -> None:
    error = unparsed(seen, Facts, LengthFinishReasonError)
    assert '{"facts": ["alpha", "beta", "gam' == error.completion.text
    assert 143 == error.completion.usage.total_tokens
    nothing = seen.answer.replace(
        choices=[
            seen.choice.replace(message=seen.choice.message.replace(content=content))
            for content in (None, "")
        ]
    )
    with pytest.raises(LengthFinishReasonError):
        parse_completion(nothing, Facts)


@case("so-truncated-without-signal")
def _(seen: Seen) -> None:
    error = unparsed(seen, Facts, ParseError)
    assert ("truncated", seen.answer.text) == (error.reason, error.content)
    assert "it ends inside a string" in str(error)
    assert "char 28" in str(error)


@case("so-schema-ignored")
def _(seen: Seen) -> None:
    error = unparsed(seen, Towns, ParseError)
    assert ("mismatch", "$.towns[0]", seen.answer.text) == (error.reason, error.path, error.content)
    assert "Towns" in str(error)
    assert "$.towns[0]" in str(error)
    error = unparsed(seen, Facts, ParseError)
    assert ("mismatch", "$") == (error.reason, error.path)


# Alike, but not in the file: framing ----------------------------------------------------------

HI = chunk("Hi")
STOP = chunk(finish="stop")


def test_carriage_returns_alone_end_lines() -> None:
    """A lone CR ends a line, as the standard says."""
    seen = see_stream(sse(HI, STOP).replace(b"\n", b"\r"))
    assert ["Hi", ""] == [piece.text for piece in seen.chunks]
    assert "stop" == seen.choice.finish_reason


def test_crlf_after_a_bom() -> None:
    """A BOM and CRLF together do no harm, wherever the bytes are cut."""
    wire = b"\xef\xbb\xbf" + sse(HI, STOP).replace(b"\n", b"\r\n")
    seen = see_stream(wire)
    assert "Hi" == seen.text
    for at in range(len(wire)):
        assert outcome(seen) == outcome(see_pure([wire[:at], wire[at:]]))


def test_other_line_separators_are_text() -> None:
    """U+2028, U+2029 and U+0085 in a string are no line ends."""
    text = "a\u2028b\u2029c\u0085d"
    body = json.dumps(chunk(text), ensure_ascii=False)
    assert text == see_stream(sse(body, STOP)).text


def test_every_set_of_cuts_within_characters() -> None:
    """Characters of several bytes survive any set of cuts inside them."""
    wire = sse(json.dumps(chunk("日本 ✅"), ensure_ascii=False), STOP)
    start = wire.index("日".encode())
    size = len("日本 ✅".encode())
    for pattern in range(2 ** (size + 1)):
        cuts = [0, *(start + bit for bit in range(size + 1) if pattern >> bit & 1), len(wire)]
        pieces = [wire[a:b] for a, b in itertools.pairwise(cuts)]
        assert "日本 ✅" == see_pure(pieces).text


@pytest.mark.parametrize(
    "wire",
    [
        "",
        "\n\n",
        ": ping\n\n",
        "data:\n\nevent: ping\n\nevent: ping\ndata:\n\n",
        "retry: 1\n\nid: 7",
    ],
)
def test_nothing_but_frames_without_content(wire: str) -> None:
    """A stream that holds no answer is an error of its own, not one of decoding JSON."""
    seen = see_stream(wire)
    assert IncompleteStreamError is type(seen.error)
    assert "Connection error: the stream ended without an answer." == seen.error.message
    assert [] == seen.error.completion.choices


def test_retry_field_sends_nothing_again() -> None:
    """``retry:`` is the browser's business: a stream that is cut off after it is not repeated."""
    seen = see(Reply.stream(b"retry: 0\n\nid: 1\n" + sse(HI, done=False)), stream=True)
    assert IncompleteStreamError is type(seen.error)
    assert 1 == len(seen.requests)


@pytest.mark.parametrize("end", ["data: [DONE]", "data:[DONE]\n", "data: [DONE] \r\n\r\n"])
def test_done_alone_is_an_end(end: str) -> None:
    """With ``[DONE]`` and no finish reason, the stream is complete and nothing is invented."""
    seen = see_stream(sse(HI, done=False) + end.encode())
    assert "Hi" == seen.choice.message.content
    assert None is seen.choice.finish_reason


def test_one_choice_of_two_never_finishes() -> None:
    """A finish reason is needed for each choice that began."""
    second = chunk("B")
    second["choices"][0]["index"] = 1
    seen = see_stream(sse(HI, second, STOP, done=False))
    assert IncompleteStreamError is type(seen.error)
    assert ["Hi", "B"] == [choice.message.content for choice in seen.error.completion.choices]
    assert ["stop", None] == [choice.finish_reason for choice in seen.error.completion.choices]


def test_last_event_is_cut_after_the_finish() -> None:
    """Once all choices have finished, half an event at the end is no loss of the answer."""
    seen = see_stream(sse(HI, STOP, done=False) + b'data: {"choices": [], "usa')
    assert "stop" == seen.choice.finish_reason


def test_last_event_is_cut_before_the_finish() -> None:
    """Half an event before the finish says that the stream was cut off, not that JSON is bad."""
    seen = see_stream(sse(HI, done=False) + b'data: {"choices": [{"del')
    assert IncompleteStreamError is type(seen.error)
    assert "Hi" == seen.error.completion.text


def test_an_event_that_is_not_json() -> None:
    """Rubbish between events is an error that quotes it and keeps what had come."""
    seen = see_stream(sse(HI, "{rubbish", STOP))
    assert APIResponseValidationError is type(seen.error)
    assert "{rubbish" in seen.error.message
    assert "Hi" == seen.error.completion.text


@pytest.mark.parametrize("name", ["chunk", "completion.chunk", "message", "data"])
def test_events_with_a_name(name: str) -> None:
    """Chunks count under whatever name their event has."""
    wire = sse(HI, STOP).replace(b"data: {", f"event: {name}\ndata: {{".encode())
    assert "Hi" == see_stream(wire).text


def test_a_line_of_megabytes() -> None:
    """One long event is read whole, in a time that grows no faster than it does."""
    text = expanded("{{REPEAT:A:600000}}")
    wire = sse(chunk(text), STOP)
    start = time.process_time()
    seen = see_pure(wire[at : at + 64] for at in range(0, len(wire), 64))
    assert text == seen.text
    assert time.process_time() - start < 1
    assert text == see(Reply.stream(wire), stream=True).text


# Alike: chunks --------------------------------------------------------------------------------


def test_filter_results_after_the_finish() -> None:
    """A chunk without a delta may still come after the finish chunk."""
    late = {"choices": [{"index": 0, "finish_reason": None, "content_filter_results": {"a": 1}}]}
    seen = see_stream(sse(HI, STOP, late, done=False))
    assert {"a": 1} == seen.choice.content_filter_results
    assert "stop" == seen.choice.finish_reason


def test_finish_reason_that_is_empty() -> None:
    """An empty finish reason means that there is none yet."""
    seen = see_stream(sse(chunk("A", ""), chunk("B", ""), done=False))
    assert IncompleteStreamError is type(seen.error)
    seen = see_stream(sse(chunk("A", ""), chunk("B", ""), STOP, done=False))
    assert "AB" == seen.choice.message.content
    assert "stop" == seen.choice.finish_reason


def test_choices_without_index_or_list() -> None:
    """A choice without an index is the one in its place; choices null are none."""
    bare = {"choices": [{"delta": {"content": "A"}}, {"delta": {"content": "B"}}]}
    seen = see_stream(sse(bare, {"choices": None, "usage": {"total_tokens": 3}}))
    assert ["A", "B"] == [choice.message.content for choice in seen.answer.choices]
    assert 3 == seen.answer.usage.total_tokens


@pytest.mark.parametrize("delta", [[], "text", 1])
def test_a_delta_of_another_kind(delta: Any) -> None:
    """A delta that is not an object is an error that quotes it."""
    seen = see_stream(sse({"choices": [{"index": 0, "delta": delta or ["x"]}]}))
    assert APIResponseValidationError is type(seen.error)
    assert "choices[0].delta is not an object" in seen.error.message


def test_unknown_text_is_joined() -> None:
    """Text in fields that nobody knows is joined as the known text is."""
    first, second = chunk(""), chunk("")
    first["choices"][0]["delta"]["reasoning_content"] = "hm"
    second["choices"][0]["delta"]["reasoning_content"] = "m."
    seen = see_stream(sse(first, second, HI, STOP))
    assert "hmm." == seen.choice.message.reasoning_content
    assert "Hi" == seen.choice.message.content


def test_whole_messages_in_place_of_deltas() -> None:
    """A stream whose event has a message where a delta belongs loses nothing of it."""
    seen = see_stream(sse(completion("Hello")))
    assert "Hello" == seen.text
    assert "Hello" == seen.choice.message.content
    assert "stop" == seen.choice.finish_reason


def test_whole_message_beside_the_last_delta() -> None:
    """A message that repeats what the deltas have said is not said twice."""
    last = chunk(finish="stop")
    last["choices"][0]["message"] = {"role": "assistant", "content": "Hi"}
    assert "Hi" == see_stream(sse(HI, last)).choice.message.content
    del last["choices"][0]["delta"]
    seen = see_stream(sse(chunk("H"), chunk("i"), last))
    assert "Hi" == seen.choice.message.content
    assert "Hi" == seen.choice.to_dict()["message"]["content"]
    assert "message" not in seen.choice.extra


def test_message_fields_that_come_in_a_delta() -> None:
    """What a delta brings for a field of the message is found in that field."""
    citation = {"start_index": 0, "end_index": 2, "title": "T", "url": "https://x.test"}
    cited = chunk("Hi")
    cited["choices"][0]["delta"]["annotations"] = [
        {"type": "url_citation", "url_citation": citation}
    ]
    seen = see_stream(sse(cited, STOP))
    assert "https://x.test" == seen.choice.message.annotations[0].url_citation.url
    assert [citation] == [
        remark["url_citation"] for remark in seen.choice.message.to_dict()["annotations"]
    ]


def test_plain_completion_in_place_of_a_stream() -> None:
    """A server that answers a stream request with a whole completion loses nothing of it."""
    seen = see(Reply.json(completion("Hello")), stream=True)
    assert "Hello" == seen.text
    assert "Hello" == seen.choice.message.content
    assert 4 == seen.answer.usage.total_tokens


# Alike: tool calls ----------------------------------------------------------------------------


def tool_chunk(*pieces: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"tool_calls": list(pieces)}}]}


def tool_piece(**fields: Any) -> dict[str, Any]:
    function = {name: fields.pop(name) for name in ("name", "arguments") if name in fields}
    return {**fields, "function": function} if function else fields


def calls_of(*pieces: dict[str, Any]) -> list[tuple[Any, Any, Any]]:
    """The calls that these pieces come to, each in a chunk of its own, and all in one chunk."""
    end = chunk(finish="tool_calls")
    made = see_stream(sse(*map(tool_chunk, pieces), end)).calls
    assert made == see_stream(sse(tool_chunk(*pieces), end)).calls
    return made


def test_calls_interleaved_by_index() -> None:
    """With indexes and ids as they should be, pieces may come in any order of calls."""
    assert [("b", "g", '{"y":2}'), ("a", "f", '{"x":1}')] == calls_of(
        tool_piece(index=1, id="b", name="g", arguments='{"y":'),
        tool_piece(index=0, id="a", name="f", arguments='{"x":'),
        tool_piece(index=1, arguments="2}"),
        tool_piece(index=0, arguments="1}"),
    )


def test_calls_without_ids() -> None:
    """Where no id ever comes, the index tells calls apart."""
    assert [(None, "f", '{"x":1}'), (None, "g", "{}")] == calls_of(
        tool_piece(index=0, name="f", arguments='{"x":'),
        tool_piece(index=0, arguments="1}"),
        tool_piece(index=1, name="g", arguments="{}"),
    )


def test_calls_with_neither_id_nor_index() -> None:
    """Where neither comes, a name after complete arguments begins the next call."""
    assert [(None, "f", '{"x":1}'), (None, "f", '{"x":2}')] == calls_of(
        tool_piece(name="f", arguments='{"x":1}'),
        tool_piece(name="f", arguments='{"x":2}'),
    )


def test_id_that_comes_late() -> None:
    """An id may come after the first piece of its call."""
    assert [("a", "f", '{"x":1}')] == calls_of(
        tool_piece(index=0, name="f", arguments='{"x"'),
        tool_piece(index=0, id="a", arguments=":1}"),
    )


def test_empty_id_is_none() -> None:
    """An empty id, name or type erases nothing."""
    assert [("a", "f", '{"x":1}')] == calls_of(
        tool_piece(index=0, id="a", type="function", name="f", arguments='{"x"'),
        tool_piece(index=0, id="", type="", name="", arguments=":1}"),
    )


def test_arguments_that_are_an_object() -> None:
    """Arguments sent as JSON rather than as text become text."""
    made = calls_of(tool_piece(index=0, id="a", name="f", arguments={"x": 1}))
    assert [("a", "f", {"x": 1})] == [(made[0][0], made[0][1], json.loads(made[0][2]))]


def test_arguments_that_are_an_object_in_a_plain_answer() -> None:
    """Arguments sent as JSON are the text that they stand for, and go back as it."""
    body = completion(None, "tool_calls")
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}}
    body["choices"][0]["message"]["tool_calls"] = [call]
    seen = see(Reply.json(body))
    assert [("a", "f", '{"x": 1}')] == seen.calls
    sent = to_request(seen.choice.message)["tool_calls"][0]["function"]["arguments"]
    assert {"x": 1} == json.loads(sent)


def test_a_custom_tool_call() -> None:
    """The free text of a custom tool is joined, and stays apart from functions."""
    seen = see_stream(
        sse(
            tool_chunk({"index": 0, "id": "a", "type": "custom", "custom": {"name": "sh"}}),
            tool_chunk({"index": 0, "custom": {"input": "ls"}}),
            tool_chunk({"index": 0, "custom": {"input": " -l"}}),
            chunk(finish="tool_calls"),
        )
    )
    (call,) = seen.choice.message.tool_calls
    assert ("a", "custom", "sh", "ls -l") == (
        call.id,
        call.type,
        call.custom.name,
        call.custom.input,
    )


@pytest.mark.parametrize("nothing", [None, []])
def test_no_tool_calls(nothing: Any) -> None:
    """Tool calls that are null or an empty list are none."""
    empty = chunk("A")
    empty["choices"][0]["delta"]["tool_calls"] = nothing
    seen = see_stream(sse(empty, STOP))
    assert not seen.choice.message.tool_calls
    assert "tool_calls" not in to_request(seen.choice.message)


# Alike: completions ---------------------------------------------------------------------------


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


# Alike: errors --------------------------------------------------------------------------------


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


# Alike: retries -------------------------------------------------------------------------------

OK = Reply.json(completion("ok"))


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"retry-after": "3"}, 3, 3),
        ({"retry-after": "0.25"}, 0.25, 0.25),
        ({"retry-after": "0"}, 0, 0),
        ({"retry-after-ms": "40", "retry-after": "9"}, 0.04, 0.04),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9, 9),
        ({"retry-after": "120"}, 120, 120),
        ({"retry-after": "-1"}, 0.375, 0.5),
        ({"retry-after": "soon"}, 0.375, 0.5),
        ({"retry-after": "nan"}, 0.375, 0.5),
        ({"retry-after": ""}, 0.375, 0.5),
        ({}, 0.375, 0.5),
    ],
)
@pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 529])
def test_how_long_is_waited(headers: dict[str, str], low: float, high: float, status: int) -> None:
    """The server's wish is followed where it makes sense, else the own rule."""
    seen = see(Reply.error(status, headers=headers), OK)
    assert "ok" == seen.answer.text
    assert 1 == len(seen.waits)
    assert low <= seen.waits[0] <= high


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("form", ["imf", "asctime", "rfc850", "minus-zero"])
def test_retry_after_a_date(form: str, zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A date in the near future is waited for, in each form of HTTP, and in any time zone."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        then = time.time() + 30
        at = time.gmtime(then)
        date = {
            "imf": formatdate(then, usegmt=True),
            "asctime": time.strftime("%a %b %d %H:%M:%S %Y", at),
            "rfc850": time.strftime("%A, %d-%b-%y %H:%M:%S GMT", at),
            "minus-zero": formatdate(then),
        }[form]
        seen = see(Reply.error(503, headers={"retry-after": date}), OK)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert "ok" == seen.answer.text
    assert 28 <= seen.waits[0] <= 30
    assert seen.waits[0] == seen.answer.http.retry_after


@pytest.mark.parametrize("far", ["121", "1e9", "Fri, 31 Dec 2060 23:59:59 GMT"])
def test_a_wish_for_too_long(far: str) -> None:
    """A server that asks for more than two minutes is not waited for."""
    seen = see(Reply.error(429, headers={"retry-after": far}), OK)
    assert RateLimitError is type(seen.error)
    assert 1 == len(seen.requests)
    assert seen.error.retry_after > 120


@pytest.mark.parametrize(
    ("status", "said", "requests"),
    [
        (400, "true", 3),
        (429, "true", 3),
        (401, "true", 3),
        (429, "false", 1),
        (503, "false", 1),
        (500, "maybe", 3),
        (400, "maybe", 1),
        (400, "1", 1),
        (404, "", 1),
        (503, "", 3),
    ],
)
def test_what_the_server_says_of_retries(status: int, said: str, requests: int) -> None:
    """``x-should-retry`` wins over the status; what is neither true nor false is ignored."""
    seen = see(Reply.error(status, headers={"x-should-retry": said}))
    assert isinstance(seen.error, APIStatusError)
    assert requests == len(seen.requests) == seen.error.attempts


def test_should_retry_does_not_exceed_the_number() -> None:
    """``x-should-retry: true`` never makes more attempts than are allowed."""
    reply = Reply.error(500, headers={"x-should-retry": "true"})
    assert 1 == len(see(reply, max_retries=0).requests)


@pytest.mark.parametrize(("header", "requests"), [({}, 1), ({"x-should-retry": "true"}, 3)])
@pytest.mark.parametrize("field", ["code", "type"])
def test_no_credit(header: dict[str, str], requests: int, field: str) -> None:
    """No wait brings credit: a 429 for want of it is raised at once, unless the server says so."""
    seen = see(Reply.error(429, headers=header, **{field: "insufficient_quota"}))
    assert RateLimitError is type(seen.error)
    assert requests == len(seen.requests)


# Alike: transport -----------------------------------------------------------------------------


def see_by_event(framing: str, gzip: bool) -> Iterator[str]:
    """The chunks of a stream whose server sends an event when the one before has been read."""
    events = [sse(HI, done=False), sse(chunk("you"), done=False), sse(STOP)]
    headers = {"content-length": str(sum(map(len, events)))} if framing == "length" else {}
    if gzip and framing == "length":
        packer = zlib.compressobj(wbits=31)
        parts = [packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH) for event in events]
        headers = {"content-length": str(sum(map(len, [*parts, packer.flush()])))}
    read = threading.Semaphore()

    def body() -> Iterator[bytes]:
        for event in events:
            assert read.acquire(timeout=10)
            yield event

    reply = Reply.stream(body(), headers, framing=framing, gzip=gzip)  # type: ignore[arg-type]
    with (
        Server(reply) as server,
        OpenAI(api_key="sk-test", base_url=server.url, max_retries=0) as client,
        client.chat.completions.create(model="m", messages=MESSAGES, stream=True) as got,
    ):
        for piece in got:
            yield piece.text
            read.release()


@pytest.mark.parametrize("framing", ["chunked", "close", "length"])
@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
def test_events_come_when_they_are_sent(framing: str, gzip: bool) -> None:
    """Each event is given when its bytes are there, compressed or not, however it is framed."""
    assert ["Hi", "you", ""] == list(see_by_event(framing, gzip))


def test_gzip_of_plain_answers_and_errors() -> None:
    """JSON bodies may be compressed as well."""
    assert "ok" == see(Reply.json(completion("ok"), gzip=True)).answer.text
    seen = see(Reply.error(400, "Boom", manner={"gzip": True}))
    assert "Error code: 400 - Boom" == seen.error.message


def test_gzip_that_is_none() -> None:
    """A body that is not what its header says is an error that says so."""
    seen = see(Reply.json(completion(), headers={"content-encoding": "gzip"}))
    assert isinstance(seen.error, APIConnectionError)
    assert "decompressing" in seen.error.message
    assert 1 == len(seen.requests)


def test_gzip_that_is_cut_off() -> None:
    """A compressed stream that ends too early is one that was cut off."""
    seen = see(Reply.stream(sse(HI, done=False), gzip=True, abort="fin"), stream=True)
    assert "Hi" == seen.text
    assert IncompleteStreamError is type(seen.error)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("encoding", ["br", "compress", "x-unknown"])
def test_an_encoding_that_was_not_asked_for(encoding: str, stream: bool) -> None:
    """An encoding that can't be decoded is named by a clear error, and not tried again."""
    reply = Reply.json(completion(), headers={"content-encoding": encoding})
    seen = see(reply, stream=stream, extra_headers={"Accept-Encoding": "gzip"})
    assert isinstance(seen.error, APIConnectionError)
    assert f"encoded as {encoding}" in seen.error.message
    assert 1 == len(seen.requests)
    assert "gzip" == seen.requests[0].headers["accept-encoding"]


def test_identity_is_no_encoding() -> None:
    """``Content-Encoding: identity`` says nothing."""
    assert (
        "ok"
        == see(Reply.json(completion("ok"), headers={"content-encoding": "identity"})).answer.text
    )


def test_error_in_a_stream_that_nobody_asked_for() -> None:
    """An error inside a stream that came unasked is raised."""
    seen = see(Reply.stream(sse(HI, {"error": {"message": "Boom"}})))
    assert (APIError, "Boom") == (type(seen.error), seen.error.message)


def test_whole_completion_in_one_event() -> None:
    """A completion wrapped in an event, for a request without stream, is not lost."""
    seen = see(Reply.stream(sse(completion("Hello"))))
    assert "Hello" == seen.choice.message.content
    assert "stop" == seen.choice.finish_reason


def test_an_unasked_stream_that_is_cut_off() -> None:
    """As nothing was given out, a stream that came unasked and incomplete is tried again."""
    seen = see(Reply.stream(sse(HI, done=False)), OK)
    assert "ok" == seen.answer.text
    assert 2 == len(seen.requests)


@pytest.mark.parametrize("abort", ["fin", "rst"])
@pytest.mark.parametrize("framing", ["chunked", "close", "length"])
def test_the_end_of_the_connection_after_the_finish(framing: str, abort: str) -> None:
    """Once every choice has finished, a connection that dies takes nothing with it."""
    wire = sse(HI, STOP, done=False)
    headers = {"content-length": str(len(wire) + 9)} if framing == "length" else None
    reply = Reply.stream([wire, 0.05], headers, framing=framing, abort=abort)
    seen = see(reply, stream=True)
    assert "Hi" == seen.text
    assert "stop" == seen.choice.finish_reason


@pytest.mark.parametrize("abort", ["fin", "rst"])
@pytest.mark.parametrize("framing", ["chunked", "close", "length"])
def test_the_end_of_the_connection_inside_the_answer(framing: str, abort: str) -> None:
    """A connection that dies inside an answer is one kind of error, however it dies."""
    wire = sse(HI, done=False)
    headers = {"content-length": str(len(wire) + 9)} if framing == "length" else None
    seen = see(Reply.stream([wire, 0.05], headers, framing=framing, abort=abort), stream=True)
    assert "Hi" == seen.text
    assert IncompleteStreamError is type(seen.error)
    assert "Hi" == seen.error.completion.text
    assert 1 == len(seen.requests)


# Alike: usage ---------------------------------------------------------------------------------

USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


@pytest.mark.parametrize("after", [{"usage": None}, {"usage": {}}, {}])
def test_null_after_usage(after: dict[str, Any]) -> None:
    """A later chunk without usage, or with null, erases no report."""
    seen = see_stream(sse({**HI, "usage": USAGE}, {**STOP, **after}))
    assert USAGE == seen.answer.usage.to_dict()


def test_usage_in_a_chunk_without_choices() -> None:
    """The report that ``include_usage`` asks for comes last, without choices."""
    nothing = {"usage": None}
    seen = see_stream(
        sse({**HI, **nothing}, {**STOP, **nothing}, {**HI, "choices": [], "usage": USAGE})
    )
    assert USAGE == seen.answer.usage.to_dict()
    assert "Hi" == seen.text


def test_usage_of_a_stream_that_is_cut_off() -> None:
    """What was reported before a stream broke can be read on its error."""
    seen = see_stream(sse({**HI, "usage": USAGE}, done=False))
    assert USAGE == seen.error.completion.usage.to_dict()


def test_vendors_counters_in_a_stream() -> None:
    """Counters that nobody knows survive the joining of a stream."""
    usage = {**USAGE, "cost": 0.1, "prompt_tokens_details": {"cached_tokens": 0, "new": 4}}
    seen = see_stream(sse(HI, {**STOP, "usage": usage}))
    assert usage == seen.answer.usage.to_dict()
    assert 4 == seen.answer.usage.prompt_tokens_details.new


@pytest.mark.parametrize("usage", [None, {}, {"total_tokens": None}])
def test_usage_with_nothing_in_it(usage: Any) -> None:
    """Usage that says nothing reads as nothing, never as zero."""
    answer = see(Reply.json(completion("ok", usage=usage))).answer
    assert not (answer.usage and answer.usage.total_tokens)
    assert usage == answer.to_dict()["usage"]


def test_the_snapshot_can_be_taken_at_any_time() -> None:
    """What has been joined so far does not change when more comes."""
    pieces = Accumulator()
    taken = []
    for piece in see_stream(sse(chunk("A"), chunk("B"), STOP)).chunks:
        pieces.add(piece)
        taken.append(pieces.completion())
    assert ["A", "AB", "AB"] == [snapshot.text for snapshot in taken]
    assert [None, None, "stop"] == [snapshot.choices[0].finish_reason for snapshot in taken]


# Stored completions ---------------------------------------------------------------------------

StoredCheck = Callable[[OpenAI, Server], None]
STORED_CHECKS: dict[str, StoredCheck] = {}


def stored(name: str) -> Callable[[StoredCheck], StoredCheck]:
    """The check of a case of stored completions, which is given a client and its server."""
    return lambda check: STORED_CHECKS.setdefault(name, check)


@pytest.mark.parametrize(
    "found", [pytest.param(c, id=c["id"]) for c in CASES if c["area"] == STORED]
)
def test_stored_case(found: dict[str, Any]) -> None:
    """Over a real connection, what is said of stored completions comes to what is expected."""
    with (
        Server(*replies_of(found)) as server,
        OpenAI(api_key="sk-test", base_url=server.url) as client,
    ):
        STORED_CHECKS[found["id"]](client, server)


@stored("stored-unsupported")
def _(client: OpenAI, server: Server) -> None:
    completions = client.chat.completions
    for call in (
        lambda: completions.messages.list("c1"),
        lambda: completions.list(),
        lambda: completions.delete("c1"),
    ):
        before = len(server.requests)
        with pytest.raises(NotFoundError, match="Not Found") as caught:
            call()
        assert {"detail": "Not Found"} == caught.value.body  # an unknown id has a code
        assert caught.value.code is None
        assert 1 == len(server.requests) - before


@stored("stored-has-more-wrong")
def _(client: OpenAI, server: Server) -> None:
    page = client.chat.completions.list()
    assert page.has_more is True
    assert not page.has_next_page()
    assert [] == list(page)
    assert 1 == len(server.requests)


@stored("stored-limit-is-page-size")
def _(client: OpenAI, server: Server) -> None:
    page = client.chat.completions.messages.list("chatcmpl-899", limit=1)
    assert ["chatcmpl-899-0"] == [message.id for message in page.data]
    assert 1 == len(server.requests)
    assert ["Be brief.", "Say hello"] == [message.content for message in page]
    assert 2 == len(server.requests)
    assert server.last.target.endswith("/messages?limit=1&after=chatcmpl-899-0")
