"""Chunks fold to the completion that they are pieces of, however it was cut."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatlib import Accumulator, APIError, HttpResponse, read_chunks, structure
from chatlib import joined as joined_or_error
from chatlib.types import ChatCompletion, ChatCompletionChunk
from tests.wire.test_codec import likely, names


def chunk(
    delta: dict[str, Any] | None = None, index: int = 0, **fields: Any
) -> ChatCompletionChunk:
    """A chunk with one choice; fields named finish_reason and logprobs belong to the choice."""
    choice = {"index": index, "delta": delta or {}}
    for name in ("finish_reason", "logprobs"):
        if name in fields:
            choice[name] = fields.pop(name)
    return structure({"id": "c", "model": "m", "choices": [choice], **fields}, ChatCompletionChunk)


def joined(chunks: Iterable[ChatCompletionChunk]) -> ChatCompletion:
    """What the chunks fold to, whether it is whole or not."""
    return joined_or_error(chunks, partial=True)


def calls(*deltas: Any) -> list[dict[str, Any]]:
    """The tool calls that the pieces of some deltas fold to."""
    message = joined(chunk({"tool_calls": pieces}) for pieces in deltas).choices[0].message
    return [call.to_dict() for call in message.tool_calls or []]


def call(id: Any, name: Any, arguments: str, **extra: Any) -> dict[str, Any]:
    """A whole tool call."""
    function = {"name": name, "arguments": arguments}
    return {"id": id, "type": "function", "function": function, **extra}


def piece(arguments: Any = None, **fields: Any) -> dict[str, Any]:
    """A piece of a tool call; name goes into its function."""
    function = {"name": fields.pop("name")} if "name" in fields else {}
    if arguments is not None:
        function["arguments"] = arguments
    return {**fields, **({"function": function} if function else {})}


@pytest.mark.parametrize(
    ("expected", "deltas"),
    [
        # As the API does it.
        (
            [call("a", "f", '{"x":1}'), call("b", "g", "{}")],
            [
                [piece("", index=0, id="a", type="function", name="f")],
                [piece('{"x"', index=0)],
                [piece(":1}", index=0)],
                [piece("", index=1, id="b", type="function", name="g")],
                [piece("{}", index=1)],
            ],
        ),
        # Interleaved.
        (
            [call("a", "f", "12"), call("b", "g", "34")],
            [
                [piece("1", index=0, id="a", name="f"), piece("3", index=1, id="b", name="g")],
                [piece("4", index=1), piece("2", index=0)],
            ],
        ),
        # No index.
        ([call("a", "f", "{}")], [[piece("{}", id="a", name="f")]]),
        (
            [call("a", "f", "{}"), call("b", "g", "12")],
            [[piece("{}", id="a", name="f")], [piece("1", id="b", name="g")], [piece("2")]],
        ),
        # The same index for all.
        (
            [call("a", "f", "{}"), call("b", "f", "12")],
            [
                [piece("{}", index=0, id="a", name="f")],
                [piece("1", index=0, id="b", name="f")],
                [piece("2", index=0)],
            ],
        ),
        # The index counts the pieces, not the calls.
        (
            [call("a", "f", "12")],
            [[piece("1", index=0, id="a", name="f")], [piece("2", index=1)]],
        ),
        # Everything repeated, or null.
        (
            [call("a", "f", "12")],
            [
                [piece("1", index=0, id="a", type="function", name="f")],
                [piece("2", index=0, id="a", type="function", name="f")],
            ],
        ),
        (
            [call("a", "f", "12")],
            [
                [piece(index=0, id="a", name="f")],
                [{"index": 0, "id": None, "function": {"name": None, "arguments": "1"}}],
                [{"index": 0, "id": "", "type": "", "function": {"name": "", "arguments": "2"}}],
            ],
        ),
        # No id.
        ([call(None, "f", "12")], [[piece("1", index=0, name="f")], [piece("2", index=0)]]),
        (
            [call(None, "f", "{}"), call(None, "f", "{}"), call(None, "g", "{}")],
            [[piece("{}", index=0, name=name)] for name in "ffg"],
        ),
        (
            [call(None, "f", '{"a":1}')],
            [[piece('{"a"', index=0, name="f")], [piece(":1}", index=0, name="f")]],
        ),
        ([call("a", "f", "1")], [[piece("1", index=0, name="f")], [piece(index=0, id="a")]]),
        # A name in pieces.
        (
            [call("a", "get_it", "1")],
            [[piece(index=0, id="a", name="get_")], [piece("1", name="it")]],
        ),
        (
            [call("a", "get_it", "1")],
            [[piece(index=0, id="a", name="get_")], [piece("1", name="get_it")]],
        ),
        # Arguments that are an object.
        ([call("a", "f", '{"x": 1}')], [[piece({"x": 1}, id="a", name="f")]]),
        # Fields of others, also behind the call.
        (
            [call("a", "f", "{}", extra_content={"google": {"thought_signature": "AY"}})],
            [
                [piece("{}", index=0, id="a", name="f")],
                [{"extra_content": {"google": {"thought_signature": "AY"}}}],
            ],
        ),
        # A custom tool.
        (
            [{"id": "a", "type": "custom", "custom": {"name": "c", "input": "12"}}],
            [
                [{"index": 0, "id": "a", "type": "custom", "custom": {"name": "c", "input": "1"}}],
                [{"index": 0, "custom": {"input": "2"}}],
            ],
        ),
    ],
)
def test_tool_calls(expected: list[Any], deltas: list[Any]) -> None:
    """Pieces find their call by id, then by index, then by being next."""
    assert expected == calls(*deltas)


def test_role_is_set_never_joined() -> None:
    """Repeated, null or empty, it is what was sent first, or else assistant."""
    for roles, expected in [
        ((None, "assistant", "assistant", ""), "assistant"),
        (("", None), "assistant"),
        (("tool", "assistant"), "tool"),
    ]:
        assert expected == joined(chunk({"role": role}) for role in roles).choices[0].message.role


def test_text_is_appended_as_it_comes() -> None:
    """Nothing is dropped for resembling its neighbour, and empty pieces change nothing."""
    pieces = ["666", "666", None, "", "6", "66"]
    assert "666666666" == joined(chunk({"content": text}) for text in pieces).text


def test_content_of_parts() -> None:
    """Lists of parts and texts in one stream stay parts, in their order."""
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    contents: list[Any] = ["", [thinking], [{"type": "text", "text": "4"}], "2", "!"]
    completion = joined(chunk({"content": content}) for content in contents)
    assert [thinking, {"type": "text", "text": "42!"}] == completion.choices[0].message.content
    assert "42!" == completion.text


def test_unknown_delta_fields_join() -> None:
    """Text grows, lists grow, objects join, the rest is replaced; null erases nothing."""
    deltas = [
        {"reasoning_content": "a", "list": [1], "object": {"text": "x", "type": "t"}, "n": 1},
        {"reasoning_content": "b", "list": [2], "object": {"text": "y", "type": "t"}, "n": 2},
        {"reasoning_content": None, "list": None, "object": None, "n": None},
    ]
    message = joined(map(chunk, deltas)).choices[0].message
    expected = {"reasoning_content": "ab", "list": [1, 2], "n": 2}
    assert {**expected, "object": {"text": "xy", "type": "t"}} == message.extra


def test_reports_are_replaced() -> None:
    """The last usage counts, never the sum; null erases nothing."""
    usages: list[Any] = [{"total_tokens": 1}, None, {"total_tokens": 2}, None]
    completion = joined(chunk({"content": "a"}, usage=usage) for usage in usages)
    assert completion.usage is not None
    assert {"total_tokens": 2} == completion.usage.to_dict()


def test_head_comes_from_the_first_that_has_it() -> None:
    """Azure's first chunk has an empty id and model."""
    empty = structure({"id": "", "model": "", "created": 0, "choices": []}, ChatCompletionChunk)
    completion = joined([empty, chunk(created=5), chunk(id="d", created=6)])
    assert ("c", "m", 5) == (completion.id, completion.model, completion.created)


def test_what_never_came_is_absent() -> None:
    """No id, model, usage or finish reason is invented."""
    nothing = joined([structure({"choices": [{"delta": {}}]}, ChatCompletionChunk)])
    assert {"object", "choices"} == nothing.fields_set
    assert nothing.choices[0].finish_reason is None


def test_audio() -> None:
    """Its data and transcript grow, its id and expiry are set."""
    audios: list[Any] = [
        {"id": "a", "transcript": "He"},
        {"transcript": "y"},
        {"data": "AA"},
        {"data": "BB"},
        {"expires_at": 7, "id": None},
    ]
    audio = joined(chunk({"audio": audio}) for audio in audios).choices[0].message.audio
    assert audio is not None
    assert {"id": "a", "transcript": "Hey", "data": "AABB", "expires_at": 7} == audio.to_dict()


def test_function_call() -> None:
    """The older form stays the older form."""
    deltas = [{"function_call": f} for f in ({"name": "f", "arguments": ""}, {"arguments": "{}"})]
    message = joined(map(chunk, deltas)).choices[0].message
    assert message.function_call is not None
    assert {"name": "f", "arguments": "{}"} == message.function_call.to_dict()
    assert message.tool_calls is None


def test_choices_do_not_mix() -> None:
    """Each has its own text, calls and end; they come out in order."""
    pieces = Accumulator()
    pieces.add(chunk({"content": "B"}, 1))
    pieces.add(chunk({"content": "A"}, 0, finish_reason="stop"))
    assert not pieces.finished
    pieces.add(chunk({"content": "b"}, 1, finish_reason="length"))
    assert pieces.finished
    choices = pieces.completion().choices
    assert [(0, "A", "stop"), (1, "Bb", "length")] == [
        (c.index, c.message.content, c.finish_reason) for c in choices
    ]


def test_a_completion_stays_as_it_was() -> None:
    """What has been given out is not changed by later chunks."""
    pieces = Accumulator()
    delta = {"content": "a", "why": "x", "audio": {"data": "A"}, "tool_calls": [piece("1", id="i")]}
    pieces.add(chunk({**delta, "list": [{"a": 1}]}, logprobs={"content": [{"token": "a"}]}))
    early = pieces.completion()
    before = json.dumps(early.to_dict())
    pieces.add(chunk({**delta, "list": [{"a": 2}]}, logprobs={"content": [{"token": "b"}]}))
    assert before == json.dumps(early.to_dict())


# Any completion, cut into any chunks, folds back to that completion.

texts = st.text(min_size=1, max_size=12)
logprobs = st.lists(
    st.builds(
        lambda token, p: {"token": token, "logprob": p, "bytes": None, "top_logprobs": []},
        texts,
        st.floats(-9, 0),
    ),
    min_size=1,
    max_size=5,
)
messages = st.fixed_dictionaries(
    {"role": st.just("assistant")},
    optional={
        "content": texts,
        "refusal": texts,
        "reasoning_content": texts,
        "function_call": st.fixed_dictionaries({"name": texts, "arguments": texts}),
        "audio": st.fixed_dictionaries(
            {"id": texts, "data": texts, "expires_at": st.integers(1, 9), "transcript": texts}
        ),
        "tool_calls": st.lists(
            st.fixed_dictionaries(
                {
                    "type": st.just("function"),
                    "function": st.fixed_dictionaries({"name": texts, "arguments": texts}),
                }
            ),
            min_size=1,
            max_size=3,
        ),
    },
)
choices = st.fixed_dictionaries(
    {"finish_reason": st.sampled_from(["stop", "length", "eos"]), "message": messages},
    optional={"logprobs": st.fixed_dictionaries({"content": logprobs})},
)
completions = st.fixed_dictionaries(
    {
        "id": texts,
        "model": texts,
        "created": st.integers(1, 9),
        "choices": st.lists(choices, min_size=1, max_size=3),
    },
    optional={"usage": st.just({"total_tokens": 3}), "service_tier": texts, "vendor": texts},
)


def cut(text: str, data: st.DataObject) -> list[str]:
    """A text in pieces."""
    at = data.draw(st.integers(0, len(text)))
    return [text[:at], text[at:]]


def pieces_of(choice: dict[str, Any], data: st.DataObject) -> Iterable[dict[str, Any]]:
    """The deltas of a choice, each list of them in the order in which it must arrive."""
    message = dict(choice["message"])
    for name in ("content", "refusal", "reasoning_content"):
        if name in message:
            for text in cut(message[name], data):
                yield {"delta": {name: text}}
    if "function_call" in message:
        function = message["function_call"]
        for text in cut(function["arguments"], data):
            yield {"delta": {"function_call": {"name": function["name"], "arguments": text}}}
    if "audio" in message:
        audio = message["audio"]
        yield {"delta": {"audio": {"id": audio["id"], "expires_at": audio["expires_at"]}}}
        for name in ("data", "transcript"):
            for text in cut(audio[name], data):
                yield {"delta": {"audio": {name: text}}}
    for at, tool in enumerate(message.get("tool_calls", [])):
        tool["id"] = f"call_{at}"
        name, arguments = tool["function"]["name"], tool["function"]["arguments"]
        head = {"index": at, "id": tool["id"], "type": "function", "function": {"name": name}}
        yield {"delta": {"tool_calls": [head]}}
        for text in cut(arguments, data):
            yield {"delta": {"tool_calls": [{"index": at, "function": {"arguments": text}}]}}
    for token in choice.get("logprobs", {}).get("content", []):
        yield {"delta": {}, "logprobs": {"content": [token]}}
    yield {"delta": {}, "finish_reason": choice["finish_reason"]}


@given(completion=completions, data=st.data())
def test_any_completion_in_any_chunks(completion: dict[str, Any], data: st.DataObject) -> None:
    """It folds back to itself, its choices interleaved at will."""
    queues = []
    for index, choice in enumerate(completion["choices"]):
        choice["index"] = index
        queues.append([{"index": index, **piece} for piece in pieces_of(choice, data)])
    head = {name: value for name, value in completion.items() if name not in ("choices", "usage")}
    folded = Accumulator()
    while queues:
        queue = data.draw(st.sampled_from(queues))
        folded.add(structure({**head, "choices": [queue.pop(0)]}, ChatCompletionChunk))
        queues = [queue for queue in queues if queue]
    if "usage" in completion:
        usage = {**head, "choices": [], "usage": completion["usage"]}
        folded.add(structure(usage, ChatCompletionChunk))
    assert folded.finished
    assert structure(completion, ChatCompletion) == folded.completion()


anything = st.dictionaries(names, likely, max_size=6)


@given(
    chunks=st.lists(
        st.fixed_dictionaries(
            {
                "choices": st.lists(
                    anything.flatmap(
                        lambda more: anything.map(lambda delta: {**more, "delta": delta})
                    ),
                    max_size=2,
                )
            }
        ).flatmap(lambda known: anything.map(lambda more: {**more, **known})),
        max_size=4,
    )
)
def test_any_chunks_fold(chunks: list[dict[str, Any]]) -> None:
    """Whatever stands in a chunk where something else belongs, the fold goes on."""
    events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    body = f": any\n\n{events}data: [DONE]\n\n".encode()
    with contextlib.suppress(APIError):
        json.dumps(joined(read_chunks(HttpResponse(200, {}, body))).to_dict())
