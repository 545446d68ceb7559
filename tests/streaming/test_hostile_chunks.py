"""Whatever a server puts into its chunks, readers give values or errors of the library."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatlib import (
    Accumulator,
    APIResponseValidationError,
    ChatCompletionStreamState,
    HttpResponse,
    OpenAI,
    OpenAIError,
    function_tool,
    joined,
    read_chunks,
)
from chatlib.testing import InMemoryServer, raw
from chatlib.types import ChatCompletionChunk
from chatlib.wire.codec import converter

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


@function_tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def nested(levels: int, inner: Any = 1) -> Any:
    for level in range(levels):
        inner = {"x": inner} if level % 2 else [inner]
    return inner


def choice(delta: Any, **fields: Any) -> dict[str, Any]:
    return {"index": 0, "delta": delta, **fields}


def tool(index: Any, **fields: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, **fields}]}


VALID: list[dict[str, Any]] = [
    {"id": "c", "created": 1, "model": "m", "choices": [choice({"role": "assistant"})]},
    {
        "choices": [
            choice(
                {"content": "Hi", "reasoning_content": "hm"},
                logprobs={"content": [{"token": "Hi", "logprob": -1, "top_logprobs": []}]},
            )
        ]
    },
    {"choices": [choice({"content": " \ud83d", "refusal": "No"})]},
    {"choices": [choice({"reasoning_details": [{"index": 0, "type": "t", "text": "a"}]})]},
    {"choices": [choice(tool(0, id="a", type="function", function={"name": "add"}))]},
    {"choices": [choice(tool(0, function={"arguments": '{"a": 1, '}))]},
    {"choices": [choice(tool(0, function={"arguments": '"b": 2}'}))]},
    {"choices": [choice(tool(1, id="b", custom={"name": "c", "input": "x"}))]},
    {"choices": [choice({"function_call": {"name": "f", "arguments": "{}"}})]},
    {"choices": [choice({"audio": {"id": "a", "data": "AA", "transcript": "Hi"}})]},
    {"choices": [{**choice({"content": "B"}), "index": 1}]},
    {"choices": [choice({}, finish_reason="stop")], "usage": {"total_tokens": 3}},
    {"choices": [{**choice({}), "index": 1, "finish_reason": "tool_calls"}]},
]


def body_of(chunks: list[Any], done: bool = True) -> bytes:
    events = b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks)
    return events + b"data: [DONE]\n\n" * done


def bear(chunks: list[Any]) -> None:
    """Read chunks in every way; foreign exceptions come through."""
    body = body_of(chunks)
    read: list[ChatCompletionChunk] = []
    try:
        for chunk in read_chunks(HttpResponse(200, {}, body)):
            assert isinstance(chunk.text, str)
            read.append(chunk)
    except OpenAIError:
        pass
    with_errors = [*read]
    for sent in chunks:  # by hand, without what the reader checks
        if isinstance(sent, dict):
            own = json.loads(json.dumps(sent))
            with_errors.append(converter().structure(own, ChatCompletionChunk))
    for some in (read, with_errors):
        with contextlib.suppress(OpenAIError):
            joined(some)
        pieces = Accumulator()
        for chunk in some:
            pieces.add(chunk)
            chunk.text.encode("utf-8", "surrogatepass")
        made = pieces.completion()
        assert isinstance(made.text, str)
        for tools in ([], [add]):
            state: ChatCompletionStreamState[Any] = ChatCompletionStreamState(input_tools=tools)
            shown: list[Any] = []
            try:
                for chunk in some:
                    shown += state.handle_chunk(chunk)
                state.get_final_completion()
            except OpenAIError:
                pass
            for event in shown:
                for name in ("snapshot", "parsed", "arguments", "parsed_arguments"):
                    getattr(event, name, None)


junk = st.sampled_from(
    [
        *[None, True, 0, -1, 1.5, "", "x", "\ud83d", 10**30, [], {}, [[]], [None], ["x"], [1]],
        *[{"x": 1}, {"index": 0}, [{"index": 0}], {"type": "custom"}, {"id": ["a"]}, nested(40)],
    ]
).map(copy.deepcopy)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values inside a value."""
    found = [path] if path else []
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        found += places(item, (*path, key))
    return found


@given(st.data())
@settings(max_examples=100)
def test_any_change_of_valid_chunks(data: st.DataObject) -> None:
    """A value that is replaced, deleted or added somewhere never ends in a foreign exception."""
    chunks = copy.deepcopy(VALID)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(chunks)))
        *way, last = path
        holder: Any = chunks
        for key in way:
            holder = holder[key]
        how = data.draw(st.sampled_from(["replace", "replace", "delete", "add"]))
        if how == "delete":
            del holder[last]
        elif how == "add" and isinstance(holder[last], dict):
            holder[last][data.draw(st.sampled_from(["index", "new", "error", "text", "id"]))] = (
                data.draw(junk)
            )
        else:
            holder[last] = data.draw(junk)
        if not chunks:
            return
    bear(chunks)


@given(st.data())
@settings(max_examples=60)
def test_the_cut_of_the_bytes_never_matters(data: st.DataObject) -> None:
    """Changed chunks give the same chunks and the same error, however they are cut."""
    chunks = copy.deepcopy(VALID)
    *way, last = data.draw(st.sampled_from(places(chunks)))
    holder: Any = chunks
    for key in way:
        holder = holder[key]
    holder[last] = data.draw(junk)
    body = body_of(chunks, data.draw(st.booleans()))

    def outcome(pieces: Any) -> Any:
        read: list[Any] = []
        try:
            read.extend(chunk.to_dict() for chunk in read_chunks(HttpResponse(200, {}, pieces)))
        except OpenAIError as error:
            return read, type(error), str(error)
        return read

    at = data.draw(st.integers(0, len(body)))
    whole = outcome([body])
    assert whole == outcome([body[:at], body[at:]])
    size = data.draw(st.integers(1, 50))
    assert whole == outcome([body[a : a + size] for a in range(0, len(body), size)])


DEEP = nested(600)

HOSTILE: dict[str, Any] = {
    "logprobs.content is true": choice({"content": "Hi"}, logprobs={"content": True}),
    "logprobs is a text": choice({"content": "Hi"}, logprobs="x"),
    "logprobs of numbers": choice({"content": "Hi"}, logprobs={"content": [1], "refusal": {}}),
    "tool_calls is an empty object": choice({"content": "Hi", "tool_calls": {}}),
    "tool_calls is a text": choice({"content": "Hi", "tool_calls": "x"}),
    "tool_calls of anything": choice(
        {"content": "Hi", "tool_calls": [None, "x", [], 3, {}, {"type": "new"}, {"id": {"a": 1}}]}
    ),
    "index is a list": choice(tool([[1]], function={"name": "f", "arguments": {"a": [1]}})),
    "function is a list": choice({"content": "Hi", **tool(0, id="a", function=["f"])}),
    "names are numbers": choice(tool(0, id=3, type=4, function={"name": 5, "arguments": 6})),
    "arguments are nested": choice(tool(0, function={"name": "f", "arguments": DEEP})),
    "another kind later": [
        choice(tool(0, id="a", function={"name": "add", "arguments": "{}"})),
        choice(tool(0, id="a", type="custom", custom={"name": "add", "input": "x"})),
    ],
    "an unknown field is nested": [choice({"content": "Hi", "x": DEEP}), choice({"x": DEEP})],
    "an unknown field of a choice is nested": choice({"content": "Hi"}, x=DEEP),
    "an unknown field of a call is nested": choice(tool(0, id="a", x=DEEP)),
    "blocks are nested": [choice({"x": [{"index": 0, "type": DEEP, "text": DEEP}]})] * 2,
    "labels are nested": [choice({"x": [{"index": DEEP, "id": DEEP}]})] * 2,
    "encrypted blocks are nested": [choice({"x": [{"type": "encrypted", "y": DEEP}]})] * 2,
    "role is an object": choice({"role": {"a": 1}, "content": "Hi"}),
    "content is an object": choice({"content": {"type": "text", "text": "Hi"}}),
    "content is a number": choice({"content": 3}),
    "finish_reason is a list": choice({"content": "Hi"}, finish_reason=["stop"]),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("position", [0, 1])
def test_values_of_another_kind(name: str, position: int) -> None:
    """They are borne by the reader, the fold, events and the client; too deep ones are refused."""
    hostile = HOSTILE[name] if isinstance(HOSTILE[name], list) else [HOSTILE[name]]
    chunks = [{"choices": [one]} for one in hostile]
    chunks.insert(position * len(chunks), {"choices": [choice({"content": "Hello"})]})
    chunks.append({"choices": [choice({}, finish_reason="stop")], "usage": []})
    bear(chunks)
    kind = {"content-type": "text/event-stream"}
    server = InMemoryServer(default=raw(200, body_of(chunks), headers=kind))
    with OpenAI(api_key="test", transport=server, max_retries=0) as client:
        if name.endswith("nested"):
            with pytest.raises(APIResponseValidationError):
                client.chat.completions.create(stream=True, **ASK).get_final_completion()
            return
        with client.chat.completions.stream(**ASK) as events:
            assert events.until_done().get_final_completion().choices
        stream = client.chat.completions.create(stream=True, **ASK)
        assert "Hello" in stream.get_final_completion().text


def test_an_answer_that_was_cut_whose_usage_is_no_object() -> None:
    """The error says so as for any other."""
    chunks = [{"choices": [choice({"content": "Hi"}, finish_reason="length")], "usage": [1]}]
    server = InMemoryServer(default=raw(200, body_of(chunks)))
    with OpenAI(api_key="test", transport=server, max_retries=0) as client:
        manager = client.chat.completions.stream(**ASK, tools=[add])
        with manager as events, pytest.raises(OpenAIError, match="token limit"):
            events.until_done()


def test_field_names_within_the_data() -> None:
    """A field name that is there twice is skipped, in lines of text and nowhere else."""
    event = b'data: data: {"choices": [{"delta": {"content": "data: x"}}]}\n\ndata: [DONE]\n\n'
    assert ["data: x"] == [chunk.text for chunk in read_chunks(HttpResponse(200, {}, event))]
    nested = b"data:" + b"da" * 2000 + b"data:" + b"ta:" * 2000 + b"\n\n"
    with pytest.raises(APIResponseValidationError):
        list(read_chunks(HttpResponse(200, {}, b"data: " + nested)))
