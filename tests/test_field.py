"""What servers were seen to send, from public bug reports, in all ways of reading an answer."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from chatlib import APIError, IncompleteStreamError, function_tool
from chatlib.testing import InMemoryServer, raw
from chatlib.testing.loopback import chunk, completion, sse
from chatlib.types import ChatCompletionMessage
from tests import faces

pytestmark = pytest.mark.usefixtures("face")  # each test holds for both faces

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
STOP, CALLS = chunk(finish="stop"), chunk(finish="tool_calls")
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


def client_of(body: bytes) -> Any:
    """A client of a server that answers with a body."""
    return faces.client(transport=InMemoryServer(default=raw(200, body)), max_retries=0)


def both(body: bytes) -> list[Any]:
    """The completion that ``create(stream=True)`` and ``stream()`` make of a body."""
    completions = client_of(body).chat.completions
    with completions.create(**ASK, stream=True) as chunks:
        plain = chunks.get_final_completion()
    with completions.stream(**ASK) as events:
        return [plain, events.get_final_completion()]


def choice(delta: Any = None, finish: Any = None, **fields: Any) -> dict[str, Any]:
    """A chunk with one choice."""
    made: dict[str, Any] = {"index": 0, "finish_reason": finish, **fields}
    return {"id": "c", "choices": [made if delta is None else {**made, "delta": delta}]}


def piece(index: int, arguments: str | None, id: str = "", name: str = "") -> dict[str, Any]:
    """A chunk with a piece of a tool call."""
    labels = {"id": id} if id else {}
    function = {"name": name, "arguments": arguments}
    call = {"index": index, **labels, "function": function if name else {"arguments": arguments}}
    return choice({"tool_calls": [call]})


def calls_of(made: Any) -> list[tuple[Any, Any, Any]]:
    """The tool calls of a completion."""
    calls = made.choices[0].message.tool_calls or []
    return [(call.id, call.function.name, call.function.arguments) for call in calls]


ONE, TWO = ("a", "f", '{"x": 1}'), ("b", "g", '{"y": 2}')
REPEATS: dict[str, tuple[list[Any], list[Any]]] = {
    # eliza#16973: a last piece holds the whole call, written anew
    "whole at the end": (
        [piece(0, '{"x": ', "a", "f"), piece(0, "1}"), piece(0, '{"x":1}', "a", "f")],
        [ONE],
    ),
    # opencodex#361
    "whole without a name": (
        [
            *(piece(0, '{"x": 1}', "a", "f"), piece(0, '{"x": 1}')),
            *(piece(1, '{"y": 2}', "b", "g"), piece(1, '{"y": 2}')),
        ],
        [ONE, TWO],
    ),
    # hermes-agent#35718: DeepSeek and Qianfan
    "all so far": ([piece(0, part, "a", "f") for part in ('{"x"', '{"x": ', '{"x": 1}')], [ONE]),
    "all so far, bare": (
        [piece(0, "", "a", "f"), *(piece(0, part) for part in ('{"', '{"x": ', '{"x": 1}'))],
        [ONE],
    ),
    # opencode#17339
    "whole after a part": (
        [piece(0, '{"x": "h', "a", "f"), piece(0, '{"x": "hi"}')],
        [("a", "f", '{"x": "hi"}')],
    ),
    # What only looks like it.
    "nested": (
        [piece(0, '{"x":', "a", "f"), piece(0, '{"x":'), piece(0, "1}}")],
        [("a", "f", '{"x":{"x":1}}')],
    ),
    "braces in a text": (
        [piece(0, '{"x": "', "a", "f"), *(piece(0, part) for part in ("{", "{", '{"}'))],
        [("a", "f", '{"x": "{{{"}')],
    ),
}


@pytest.mark.parametrize(("chunks", "expected"), REPEATS.values(), ids=REPEATS)
def test_arguments_that_repeat(chunks: list[Any], expected: list[Any]) -> None:
    """What repeats the arguments that came adds nothing; the deltas of the events say the same."""
    body = sse(*chunks, CALLS)
    assert [expected, expected] == [calls_of(made) for made in both(body)]
    with client_of(body).chat.completions.stream(**ASK) as stream:
        deltas = [e for e in stream if e.type == "tool_calls.function.arguments.delta"]
    for at, (_, _, arguments) in enumerate(expected):
        assert arguments == "".join(e.arguments_delta for e in deltas if e.index == at)


def test_stubs_of_calls() -> None:
    """An empty call beside a text is none (workbuddy-gateway#3)."""
    call = {"index": 0, "id": "", "type": "function", "function": {"name": "", "arguments": ""}}
    stubs = {"function_call": {"name": "", "arguments": ""}, "tool_calls": [call]}
    for made in both(sse(choice({"content": "Hi", **stubs}), choice(stubs, "stop"))):
        message = made.choices[0].message
        assert ("Hi", None, None) == (message.content, message.tool_calls, message.function_call)


def test_stubs_are_not_sent() -> None:
    """Nor is one of a whole answer sent back; arguments of blanks are an empty object."""
    server = InMemoryServer(default=raw(200, json.dumps(completion()).encode()))
    stub = {"name": "", "arguments": ""}
    message = completion("Hi")["choices"][0]["message"]
    blank = [{"id": "a", "function": {"name": "f", "arguments": " "}}]
    for fields in ({"function_call": stub}, {"tool_calls": blank}):
        client = client_of(json.dumps({"choices": [{"message": {**message, **fields}}]}).encode())
        answer = client.chat.completions.create(**ASK).choices[0].message
        assert isinstance(answer, ChatCompletionMessage)
        faces.client(transport=server).chat.completions.create(model="m", messages=[answer])
    first, second = (json.loads(sent.content)["messages"][0] for sent in server.requests)
    assert {"role": "assistant", "content": "Hi"} == first
    assert "{}" == second["tool_calls"][0]["function"]["arguments"]


EMPTY = dict.fromkeys(USAGE, 0)
REPORTS: dict[str, list[Any]] = {
    "then nulls": [{**choice({}), "usage": USAGE}, {**STOP, "usage": dict.fromkeys(USAGE)}],
    "then zeros": [{**choice({}), "usage": USAGE}, {**STOP, "usage": EMPTY}],
    "zeros first": [{**choice({}), "usage": EMPTY}, {**STOP, "usage": USAGE}],
    "in the choice": [choice({}, "stop", usage=USAGE)],  # Moonshot: pi#2017
    "in x_groq": [{**STOP, "x_groq": {"id": "r", "usage": USAGE}}],
}


@pytest.mark.parametrize("chunks", REPORTS.values(), ids=REPORTS)
def test_usage(chunks: list[Any]) -> None:
    """Usage is what a server reported last that says anything, wherever it is reported."""
    for made in both(sse(choice({"content": "Hi"}), *chunks)):
        assert USAGE == made.usage.to_dict()


def test_usage_of_zeros_only() -> None:
    """Zeros are a report as long as there is no other."""
    for made in both(sse(choice({"content": "Hi"}), {**STOP, "usage": EMPTY})):
        assert EMPTY == made.usage.to_dict()


def line(event: Any) -> str:
    """An event without the blank line that ends it."""
    return f"data: {json.dumps(event)}\n"


A, B = choice({"content": "A"}), choice({"content": "B"})
FRAMES = {
    # eventsource-parser#31: GLM and Kimi behind a gateway
    "no blank lines": line(A) + line(B) + line(STOP) + "data: [DONE]\n",
    "no blank lines, no space": (line(A) + line(B) + line(STOP)).replace("data: ", "data:"),
    # openclaw#96497
    "framed twice": "".join(f"data: {line(each)}\n" for each in (A, B, STOP))
    + "data: data: [DONE]\n\n",
    "without names": ": any\n\n" + "".join(f"{json.dumps(each)}\n\n" for each in (A, B, STOP)),
    "control characters": sse(A, B, STOP).decode().replace('"A"', '"A\t"'),
}


@pytest.mark.parametrize("body", FRAMES.values(), ids=FRAMES)
def test_frames(body: str) -> None:
    """Events are read however they are framed."""
    for made in both(body.encode()):
        assert "AB" == made.text.replace("\t", "")


FAILURES = {
    # Ollama: its errors have no frame
    "without a frame": sse(A, done=False) + b'{"error": {"message": "Boom", "code": 500}}\n',
    "Groq": sse(A, {"choices": [], "x_groq": {"id": "r", "error": "Boom"}}),
    "Groq, beside a choice": sse(A, {**B, "x_groq": {"id": "r", "error": "Boom"}}),
    "Cloudflare": json.dumps({"success": False, "errors": [{"message": "Boom"}]}).encode(),
    "a proxy's text": b"upstream error: Boom",
    "a proxy's text after a chunk": sse(A, done=False) + b"upstream error: Boom",
}


@pytest.mark.parametrize("body", FAILURES.values(), ids=FAILURES)
def test_words_of_failures(body: bytes) -> None:
    """The error has the server's words, wherever they stand."""
    with pytest.raises(APIError, match="Boom"):
        both(body)


def whole(text: str, finish: Any = None) -> dict[str, Any]:
    """A chunk with a message in place of a delta."""
    return choice(None, finish, message={"role": "assistant", "content": text})


MESSAGES = {
    # hermes-browser-extension#11
    "all at the end": [A, B, whole("AB", "stop")],
    "all at the end, trimmed": [choice({"content": " AB"}), whole("AB", "stop")],
    "all so far": [whole("A"), whole("AB"), whole("AB", "stop")],
    "pieces": [whole("A"), whole("B"), whole("", "stop")],
    "the rest at the end": [A, whole("AB", "stop")],
}


@pytest.mark.parametrize("chunks", MESSAGES.values(), ids=MESSAGES)
def test_messages_in_place_of_deltas(chunks: list[Any]) -> None:
    """No text is lost or doubled."""
    body = sse(*chunks)
    for made in both(body):
        assert ("AB", "stop") == (made.text.strip(), made.choices[0].finish_reason)
    streamed = client_of(body).chat.completions.create(**ASK, stream=True)
    assert "AB" == "".join(each.text for each in streamed).strip()


def test_labels_of_deltas() -> None:
    """What each delta repeats is no text that grows; thoughts are."""
    deltas = [{"content": "6", "channel": "final", "thoughts": "6"}] * 3
    for made in both(sse(*map(choice, deltas), STOP)):
        message = made.choices[0].message
        assert ("666", "final", "666") == (message.content, message.channel, message.thoughts)


def test_halves_of_characters_in_plain_answers() -> None:
    """A character that was cut in two can be printed."""
    body = b'{"choices": [{"message": {"content": "Boom \\ud83d", "reasoning": "\\ud83d\\ude00"}}]}'
    message = client_of(body).chat.completions.create(**ASK).choices[0].message
    assert ("Boom \ufffd", "\U0001f600") == (message.content, message.reasoning)


@attrs.define
class Answer:
    """A typed answer."""

    x: int


def early(*deltas: Any, finish: str) -> bytes:
    """A stream whose chunks all have the finish reason."""
    return sse(*(choice(delta, finish) for delta in deltas))


def test_content_that_goes_on_after_finish_reasons() -> None:
    """The content is done when the stream is, and once (litellm#2195, one-api#1477)."""
    parts = [{"content": text} for text in ('{"x"', ": ", "1}")]
    body = early({"role": "assistant", "content": ""}, *parts, finish="stop")
    for typed in ({}, {"response_format": Answer}):
        with client_of(body).chat.completions.stream(**ASK, **typed) as stream:
            done = [event for event in stream if event.type == "content.done"]
            assert '{"x": 1}' == stream.get_final_completion().text
        parsed = Answer(1) if typed else None
        assert [('{"x": 1}', parsed)] == [(event.content, event.parsed) for event in done]


def test_content_after_the_only_finish_reason() -> None:
    """It is done at the end of the stream."""
    body = sse(choice({"content": ""}, "stop"), A, B)
    with client_of(body).chat.completions.stream(**ASK) as stream:
        assert ["AB"] == [event.content for event in stream if event.type == "content.done"]


def test_calls_that_go_on_after_finish_reasons() -> None:
    """A call is done when the stream is, and once."""
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x"'}}
    rest = {"index": 0, "function": {"arguments": ": 1}"}}
    body = early({"tool_calls": [call]}, {"tool_calls": [rest]}, finish="tool_calls")
    tools = [function_tool(Answer, "f")]
    with client_of(body).chat.completions.stream(**ASK, tools=tools) as stream:
        done = [e for e in stream if e.type == "tool_calls.function.arguments.done"]
    assert [('{"x": 1}', Answer(1))] == [(e.arguments, e.parsed_arguments) for e in done]


def test_content_that_is_an_object() -> None:
    """The JSON that was asked for may come as an object; then its text is the answer."""
    body = json.dumps({"choices": [{"message": {"content": {"x": 1}}}]}).encode()
    completions = client_of(body).chat.completions
    assert Answer(1) == completions.parse(**ASK, response_format=Answer).choices[0].message.parsed
    assert '{"x": 1}' == completions.create(**ASK).text


def test_raw_control_characters_in_typed_answers() -> None:
    """A line break inside a text of the JSON is read as one."""

    @attrs.define
    class Text:
        text: str

    body = json.dumps(completion('{"text": "a\nb"}')).encode()
    made = client_of(body).chat.completions.parse(**ASK, response_format=Text)
    assert Text("a\nb") == made.choices[0].message.parsed


def test_stray_lines_of_a_whole_answer() -> None:
    """What stands between events changes nothing; without an end, the error quotes it."""
    assert ["A", "A"] == [made.text for made in both(b"hello\n" + sse(A, STOP))]
    with pytest.raises(IncompleteStreamError, match="hello"):
        both(b"hello\n" + sse(A, done=False))


def test_a_second_answer_that_is_missing() -> None:
    """A stream of events that was left before it is no whole answer, as a plain one."""
    body = sse(choice({"content": "A"}, "stop"), choice({"content": "B"}, "stop", index=1))
    completions = client_of(body).chat.completions
    with (
        completions.stream(**ASK, n=2) as events,
        completions.create(**ASK, n=2, stream=True) as chunks,
    ):
        for stream in (events, chunks):
            next(stream)
            stream.close()
            with pytest.raises(IncompleteStreamError, match="closed before its end"):
                stream.get_final_completion()


def test_an_error_that_says_success() -> None:
    """Beside an answer it is none; without one, it may be all that a server says."""
    fine = {"error": {"code": 0, "message": "success"}}
    assert ["A", "A"] == [made.text for made in both(sse({**A, **fine}, STOP))]


@pytest.mark.parametrize("text", ["done", "[END]", "[done]", "eof"])
def test_words_for_the_end(text: str) -> None:
    """They end nothing and break nothing."""
    assert ["A", "A"] == [made.text for made in both(sse(A, STOP, text, done=False))]
    if text != "[done]":
        with pytest.raises(IncompleteStreamError):
            both(sse(A, text, done=False))


def test_signatures_beside_the_whole_text() -> None:
    """The text of a thinking block that comes again with its signature is not doubled."""
    parts = [("One. ", ""), ("Two.", ""), ("One. Two.", "S"), ("Three.", ""), ("", "T")]
    blocks = [{"type": "thinking", "thinking": text, "signature": s} for text, s in parts]
    for made in both(sse(*(choice({"thinking_blocks": [each]}) for each in blocks), STOP)):
        expected = [("One. Two.", "S"), ("Three.", "T")]
        assert expected == [
            (each["thinking"], each["signature"])
            for each in made.choices[0].message.thinking_blocks
        ]
