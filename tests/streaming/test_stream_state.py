"""``stream()`` and its fold: events that show their own time, in linear time."""

from __future__ import annotations

import itertools
import json
import pickle
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chatlib.streaming.events
import chatlib.streaming.growing_text
from chatlib import (
    Accumulator,
    APIError,
    ChatCompletionStreamState,
    ContentFilterFinishReasonError,
    HttpResponse,
    IncompleteStreamError,
    LengthFinishReasonError,
    OpenAIError,
    ParseError,
    PartialJson,
    function_tool,
    read_chunks,
    structure,
)
from chatlib.testing import InMemoryServer, answer, error, stream
from chatlib.types import ChatCompletion, ChatCompletionChunk
from tests import faces

MESSAGES = [{"role": "user", "content": "Hi"}]

pytestmark = pytest.mark.usefixtures("face")  # each test holds for both faces


@attrs.define
class Step:
    why: str
    result: float


@attrs.define
class Solution:
    steps: list[Step]
    answer: str


TEXT = json.dumps(
    {"steps": [{"why": 'é "2"', "result": 1.5}, {"why": "🦙", "result": -2}], "answer": "4\n2"},
    ensure_ascii=False,
)
SOLUTION = Solution([Step('é "2"', 1.5), Step("🦙", -2)], "4\n2")
STRICT = function_tool(Solution, "solve")
LOOSE = {"type": "function", "function": {"name": "note"}}


def piece(delta: Any = None, finish: Any = None, index: int = 0, **fields: Any) -> dict[str, Any]:
    """A chunk with one choice; logprobs belong to the choice."""
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    if "logprobs" in fields:
        choice["logprobs"] = fields.pop("logprobs")
    return {"id": "c1", "created": 1700000000, "model": "m", "choices": [choice], **fields}


def chunk(*args: Any, **fields: Any) -> ChatCompletionChunk:
    return structure(piece(*args, **fields), ChatCompletionChunk)


def call(at: int, arguments: str, **fields: Any) -> dict[str, Any]:
    """A delta with a piece of a tool call."""
    function = {"arguments": arguments}
    if "name" in fields:
        function["name"] = fields.pop("name")
        fields = {"id": f"call_{at}", "type": "function", **fields}
    return {"tool_calls": [{"index": at, **fields, "function": function}]}


def fold(chunks: Any, **params: Any) -> list[Any]:
    """All events of some chunks."""
    state = ChatCompletionStreamState(**params)
    return [event for one in chunks for event in state.handle_chunk(one)]


def client_of(*replies: Any) -> tuple[Any, InMemoryServer]:
    server = InMemoryServer(*replies)
    return faces.client(transport=server, max_retries=0), server


def shown(event: Any) -> tuple[Any, ...]:
    """All that an event shows, by value."""
    held = [getattr(event, field.name) for field in attrs.fields(type(event))]
    held = [value for value in held if not callable(value)]
    for name in ("snapshot", "parsed", "arguments", "parsed_arguments"):
        if isinstance(getattr(type(event), name, None), property):
            held.append(getattr(event, name))
    return tuple(
        repr(value.to_dict()) + repr(value.choices) if isinstance(value, ChatCompletion) else value
        for value in held
    )


# Any completion, cut anyhow ---------------------------------------------------------------------

names = st.sampled_from(["solve", "note", "unknown"])
loose_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@st.composite
def choices(draw: st.DrawFn) -> dict[str, Any]:
    """What one choice says: a text or refusal, calls, and their logprobs."""
    said: dict[str, Any] = {}
    kind = draw(st.sampled_from(["typed", "refusal", "none"]))
    if kind == "typed":
        said["content"] = TEXT
    elif kind == "refusal":
        said["refusal"] = draw(loose_text.filter(bool))
    said["calls"] = [
        (name, TEXT if name == "solve" else draw(loose_text))
        for name in draw(st.lists(names, min_size=kind == "none", max_size=3))
    ]
    return said


def cuts(draw: st.DrawFn, text: str) -> list[str]:
    """A text in pieces, some of them empty."""
    ends = draw(st.lists(st.integers(0, len(text)), max_size=6))
    return [text[a:b] for a, b in itertools.pairwise([0, *sorted(ends), len(text)])]


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[Any], list[dict[str, Any]]]:
    """Chunks of some choices, interleaved; and the choices."""
    said = draw(st.lists(choices(), min_size=1, max_size=3))
    queues: list[list[Any]] = []
    for index, one in enumerate(said):
        queue = [piece({"role": "assistant"}, index=index)]
        for field in ("content", "refusal"):
            for part in cuts(draw, one.get(field, "")) if field in one else ():
                extra: dict[str, Any] = {}
                if draw(st.booleans()):
                    extra["logprobs"] = {field: [{"token": part, "logprob": -1.0}]}
                queue.append(piece({field: part}, index=index, **extra))
        for at, (name, arguments) in enumerate(one["calls"]):
            first, *rest = cuts(draw, arguments)
            queue.append(piece(call(at, first, name=name), index=index))
            queue.extend(piece(call(at, part), index=index) for part in rest)
        finish = "tool_calls" if one["calls"] else "stop"
        if draw(st.booleans()):
            queue[-1]["choices"][0]["finish_reason"] = finish
        else:
            queue.append(piece({}, finish, index))
        queues.append(queue)
    order = draw(st.permutations([i for i, queue in enumerate(queues) for _ in queue]))
    chunks = [queues[index].pop(0) for index in order]
    if draw(st.booleans()):
        chunks.append({**piece(), "choices": [], "usage": {"total_tokens": 7}})
    return chunks, said


TYPED = {"response_format": Solution, "input_tools": [STRICT, LOOSE]}


@given(streams())
@settings(max_examples=60)
def test_any_cut(made: tuple[list[Any], list[dict[str, Any]]]) -> None:
    """Deltas add up to the text, snapshots are its beginnings, and each end comes once."""
    chunks, said = made
    state = ChatCompletionStreamState(**TYPED)
    told: list[tuple[Any, tuple[Any, ...]]] = []
    for one in chunks:
        events = state.handle_chunk(structure(one, ChatCompletionChunk))
        assert "chunk" == events[0].type
        assert "chunk" not in [event.type for event in events[1:]]
        told += [(event, shown(event)) for event in events]
    events = [event for event, _ in told]

    for index, one in enumerate(said):
        for field in ("content", "refusal"):
            deltas = [e for e in events if e.type == f"{field}.delta" and e.index == index]
            text = ""
            for event in deltas:
                text += event.delta
                assert text == event.snapshot
            assert one.get(field, "") == text
            done = [e for e in events if e.type == f"{field}.done" and e.index == index]
            assert [text] * bool(text) == [getattr(event, field) for event in done]
            if field == "content" and done:
                assert SOLUTION == done[0].parsed
                assert json.loads(TEXT) == deltas[-1].parsed
        of_calls = [e for e in events if getattr(e, "choice_index", None) == index]
        for at, (name, arguments) in enumerate(one["calls"]):
            mine = [e for e in of_calls if e.index == at]
            *parts, done = mine
            assert {"tool_calls.function.arguments.delta"} == {event.type for event in parts}
            assert "tool_calls.function.arguments.done" == done.type
            text = ""
            for event in parts:
                text += event.arguments_delta
                assert (name, text) == (event.name, event.arguments)
            expected = SOLUTION if name == "solve" else None
            assert (name, arguments, expected) == (
                done.name,
                done.arguments,
                done.parsed_arguments,
            )
        ended = [e.index for e in of_calls if e.type.endswith("done")]
        assert list(range(len(one["calls"]))) == ended

    for event, then in told:
        assert then == shown(event)
    for event, then in reversed(told):
        assert then == shown(event)

    final = state.get_final_completion()
    assert len(said) == len(final.choices)
    for one, choice in zip(said, final.choices, strict=True):
        assert (one.get("content") or None) == choice.message.content
        assert (SOLUTION if "content" in one else None) == choice.message.parsed
        assert (one.get("refusal") or None) == choice.message.refusal
        calls = choice.message.tool_calls or []
        assert one["calls"] == [(c.function.name, c.function.arguments) for c in calls]


@given(streams(), st.data())
@settings(max_examples=30)
def test_events_first_read_late(made: Any, data: st.DataObject) -> None:
    """Events that nobody read in time show what they would have shown then, in any order."""
    chunks = [structure(one, ChatCompletionChunk) for one in made[0]]
    in_time: list[Any] = []
    state = ChatCompletionStreamState(**TYPED)
    for one in chunks:
        in_time += [shown(event) for event in state.handle_chunk(one)]
    late = fold(chunks, **TYPED)
    for at in data.draw(st.permutations(range(len(late)))):
        assert in_time[at] == shown(late[at])


@given(streams(), st.integers(1, 40))
@settings(max_examples=30)
def test_any_cut_of_the_bytes(made: Any, size: int) -> None:
    """However the network cuts the bytes, the events are the same."""
    lines = [json.dumps(one, ensure_ascii=False) for one in made[0]]
    wire = "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]).encode()
    kind = {"content-type": "text/event-stream"}
    pieces = [wire[at : at + size] for at in range(0, len(wire), size)]
    seen = [
        [shown(e) for e in fold(read_chunks(HttpResponse(200, kind, body)), **TYPED)]
        for body in ([wire], pieces)
    ]
    assert seen[0] == seen[1]


def test_order_within_a_chunk() -> None:
    """The chunk, then the deltas in the order of the table, then what has ended."""
    token = {"token": "a", "logprob": -1.0}
    delta = {"content": "a", "refusal": "b", **call(0, "{}", name="note")}
    one = chunk(delta, "stop", logprobs={"content": [token], "refusal": [token]})
    expected = """
        chunk content.delta refusal.delta tool_calls.function.arguments.delta
        logprobs.content.delta logprobs.refusal.delta
        content.done refusal.done logprobs.content.done logprobs.refusal.done
        tool_calls.function.arguments.done
    """
    assert expected.split() == [event.type for event in fold([one])]


def test_a_second_finish_ends_nothing_again() -> None:
    """What has ended does not end once more, whatever a server repeats."""
    events = fold(
        [chunk({"content": "a"}, "stop"), chunk({}, "stop"), chunk({"content": ""}, "stop")]
    )
    assert 1 == [event.type for event in events].count("content.done")


def test_values_are_the_readers_own() -> None:
    """Changing what an event gave changes no other event, nor the end."""
    state = ChatCompletionStreamState(response_format=Solution)
    given: list[Any] = []
    for text in TEXT:
        for event in state.handle_chunk(chunk({"content": text})):
            if event.type == "content.delta":
                given.append((event, event.parsed))
    first = next(value for _, value in given if value and value.get("steps"))
    first["steps"].clear()
    first["more"] = 1
    assert json.loads(TEXT) == given[-1][0].parsed


# Linear cost ------------------------------------------------------------------------------------


@attrs.define
class Counted:
    """How much work was done."""

    fed: int = 0
    values: int = 0
    folds: int = 0
    built: int = 0


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """Counts the characters that are read as JSON, and the completions that are folded."""
    count = Counted()

    class Reader(PartialJson):
        def feed(self, text: str) -> None:
            count.fed += len(text)
            super().feed(text)

        def value(self) -> Any:
            count.values += 1
            return super().value()

    class Fold(Accumulator):
        def __init__(self) -> None:
            count.folds += 1
            super().__init__()

        def completion(self) -> ChatCompletion:
            count.built += 1
            return super().completion()

    monkeypatch.setattr(chatlib.streaming.growing_text, "PartialJson", Reader)
    monkeypatch.setattr(chatlib.streaming.events, "Accumulator", Fold)
    return count


LONG = json.dumps({"steps": [{"why": "x" * 20, "result": i} for i in range(300)], "answer": ""})


def test_each_character_is_read_once(counted: Counted) -> None:
    """Reading ``parsed`` at every event reads each character of the text exactly once."""
    state = ChatCompletionStreamState(response_format=Solution)
    for at in range(0, len(LONG), 3):
        for event in state.handle_chunk(chunk({"content": LONG[at : at + 3]})):
            if event.type == "content.delta":
                assert event.snapshot == LONG[: at + 3]
                value = event.parsed
    assert json.loads(LONG) == value
    assert len(LONG) == counted.fed
    assert (1, 0) == (counted.folds, counted.built)


def test_each_character_of_arguments_is_read_once(counted: Counted) -> None:
    """So it is with the arguments of a strict tool."""
    state = ChatCompletionStreamState(input_tools=[STRICT])
    state.handle_chunk(chunk(call(0, "", name="solve")))
    for at in range(0, len(LONG), 5):
        for event in state.handle_chunk(chunk(call(0, LONG[at : at + 5]))):
            if event.type != "chunk":
                value = event.parsed_arguments
    assert json.loads(LONG) == value
    assert len(LONG) == counted.fed
    assert (1, 0) == (counted.folds, counted.built)


def test_what_nobody_reads_costs_nothing(counted: Counted) -> None:
    """Without a look at ``parsed`` or ``snapshot``, no JSON is read and no completion is built."""
    state = ChatCompletionStreamState(response_format=Solution)
    for at in range(0, len(LONG), 3):
        state.handle_chunk(chunk({"content": LONG[at : at + 3]}))
    assert Counted(folds=1) == counted


def test_late_values_are_read_in_order_once(counted: Counted) -> None:
    """Events that are kept and then read from the first to the last cost no more."""
    events = fold([chunk({"content": c}) for c in TEXT], response_format=Solution)
    values = [event.parsed for event in events if event.type == "content.delta"]
    assert json.loads(TEXT) == values[-1]
    assert len(TEXT) == counted.fed


def test_snapshots_in_step_fold_nothing_again(counted: Counted) -> None:
    """``ChunkEvent.snapshot`` read in time is built from the one fold that there is."""
    state = ChatCompletionStreamState()
    for at in range(100):
        (event, *_) = state.handle_chunk(chunk({"content": "ab"}))
        assert 2 * (at + 1) == len(event.snapshot.text)
    assert (1, 100) == (counted.folds, counted.built)


# How it ends ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("length", LengthFinishReasonError), ("content_filter", ContentFilterFinishReasonError)],
)
@pytest.mark.parametrize("params", [{"response_format": Solution}, {"input_tools": [STRICT]}])
def test_answers_that_are_not_whole(reason: str, kind: Any, params: Any) -> None:
    """With something to parse, they raise an error that holds what had come."""
    state = ChatCompletionStreamState(**params)
    state.handle_chunk(chunk({"content": '{"steps": ['}))
    with pytest.raises(kind) as caught:
        state.handle_chunk(chunk({}, reason))
    assert '{"steps": [' == caught.value.completion.text
    assert reason == caught.value.completion.choices[0].finish_reason
    assert isinstance(caught.value, OpenAIError)


def test_errors_travel_between_processes() -> None:
    """The error of an answer that was cut keeps its completion when it is pickled."""
    with pytest.raises(LengthFinishReasonError) as caught:
        fold([chunk({"content": "{"}, "length")], **TYPED)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(caught.value) == str(again)
    assert caught.value.completion.to_dict() == again.completion.to_dict()


@pytest.mark.parametrize("reason", ["length", "content_filter"])
@pytest.mark.parametrize(
    "params", [{}, {"response_format": {"type": "json_object"}}, {"input_tools": [LOOSE]}]
)
def test_nothing_to_parse(reason: str, params: Any) -> None:
    """Without anything to parse, what has come is the answer."""
    state = ChatCompletionStreamState(**params)
    events = state.handle_chunk(chunk({"content": "a"}, reason))
    assert ["chunk", "content.delta", "content.done"] == [event.type for event in events]
    assert (reason, "a") == (
        state.get_final_completion().choices[0].finish_reason,
        state.get_final_completion().text,
    )


@pytest.mark.parametrize(
    ("text", "reason", "path"),
    [
        ("Here you are", "not_json", "$"),
        ('{"steps": [', "truncated", "$"),
        ('{"steps": [], "answer": 42}', "mismatch", "$.answer"),
    ],
)
def test_answers_that_are_something_else(text: str, reason: str, path: str) -> None:
    """They are an error where they end, with the answer and its text."""
    client, _ = client_of(stream(text))
    with client.chat.completions.stream(
        model="m", messages=MESSAGES, response_format=Solution
    ) as events:
        next(events)
        with pytest.raises(ParseError, match=r"^choices\[0\]\.message\.content ") as caught:
            events.until_done()
    assert (reason, path, text) == (caught.value.reason, caught.value.path, caught.value.content)
    assert text == caught.value.completion.text


def test_a_stream_that_is_cut_off() -> None:
    """It is an error with what had come; the events before it have come too."""
    client, server = client_of(stream("a", "b", finish_reason=None, done=False))
    seen: list[str] = []
    with client.chat.completions.stream(model="m", messages=MESSAGES) as events:
        with pytest.raises(IncompleteStreamError) as caught:
            seen.extend(event.type for event in events)
        assert "ab" == events.current_completion_snapshot.text
    assert ["chunk", "content.delta"] * 2 == seen
    assert "ab" == caught.value.completion.text
    assert 0 == server.open_responses


def test_an_error_instead_of_a_stream() -> None:
    """It is raised where the stream would be opened."""
    client, _ = client_of(error(401))
    manager = client.chat.completions.stream(model="m", messages=MESSAGES)
    with pytest.raises(APIError), manager:
        pass


# The stream in a program ------------------------------------------------------------------------


def test_reading_to_the_end() -> None:
    """``get_final_completion`` reads what is left, as often as it is asked."""
    client, server = client_of(answer(TEXT))
    with client.chat.completions.stream(
        model="m", messages=MESSAGES, response_format=Solution
    ) as events:
        assert "chunk" == next(events).type
        final = events.get_final_completion()
        assert SOLUTION == final.choices[0].message.parsed
        assert SOLUTION == events.get_final_completion().choices[0].message.parsed
        assert [] == list(events)
    assert 0 == server.open_responses
    assert TEXT == final.text


def test_until_done() -> None:
    """It reads to the end and is the stream, so that calls can follow."""
    client, _ = client_of(answer("Hello there"))
    with client.chat.completions.stream(model="m", messages=MESSAGES) as events:
        assert faces.unwrap(events) is faces.unwrap(events.until_done())
        assert "Hello there" == events.until_done().get_final_completion().text


def test_what_has_come() -> None:
    """The snapshot grows; ``response`` is the same, with the model and usage after the loop."""
    client, _ = client_of(answer("Hello there you"))
    lengths = []
    with client.chat.completions.stream(model="m", messages=MESSAGES) as events:
        for _ in events:
            lengths.append(len(events.current_completion_snapshot.text))
        assert "scripted-model" == events.response.model
        assert 21 == events.response.usage.total_tokens
        assert 200 == events.http_response.status
    assert sorted(lengths) == lengths
    assert 15 == lengths[-1]


def test_values_of_what_has_come() -> None:
    """The snapshot of a typed answer holds the values so far, of the text and of each call."""
    state = ChatCompletionStreamState(**TYPED)
    assert [] == state.current_completion_snapshot.choices
    state.handle_chunk(chunk({"content": '{"steps": [], "answ'}))
    state.handle_chunk(chunk(call(0, '{"answer": "4", "st', name="solve"), index=1))
    state.handle_chunk(chunk(call(1, '{"a": 1', name="note"), index=2))
    first, second, third = state.current_completion_snapshot.choices
    assert {"steps": []} == first.message.parsed
    (solve,), (note,) = second.message.tool_calls or [], third.message.tool_calls or []
    assert {"answer": "4"} == solve.function.parsed_arguments
    assert None is note.function.parsed_arguments


@pytest.mark.parametrize("how", ["leave", "close", "stream with"])
def test_the_connection_is_given_back(how: str) -> None:
    """Whoever leaves early has given the connection back by then."""
    client, server = client_of(stream("a", "b", "c"))
    with client.chat.completions.stream(model="m", messages=MESSAGES) as events:
        next(events)
        assert 1 == server.open_responses
        if how == "close":
            events.close()
            events.close()
            assert 0 == server.open_responses
        elif how == "stream with":
            with events:
                next(events)
            assert 0 == server.open_responses
    assert 0 == server.open_responses


def test_an_exception_gives_the_connection_back() -> None:
    """So does an exception in the middle of the loop."""
    client, server = client_of(stream("a", "b", "c"))

    def read() -> None:
        with client.chat.completions.stream(model="m", messages=MESSAGES) as events:
            for _ in events:
                raise KeyError

    with pytest.raises(KeyError):
        read()
    assert 0 == server.open_responses


def test_nothing_is_sent_before_it_is_entered() -> None:
    """A manager that is not entered makes no request; each time that it is, one."""
    client, server = client_of(answer("a"), answer("b"))
    manager = client.chat.completions.stream(model="m", messages=MESSAGES)
    assert [] == server.requests
    for expected in ("a", "b"):
        with manager as events:
            assert expected == events.get_final_completion().text
    assert 2 == len(server.requests)


@pytest.mark.parametrize(
    ("params", "sent"),
    [
        ({}, {"include_usage": True}),
        ({"stream_options": {"include_usage": False}}, {"include_usage": False}),
        ({"stream_options": {"include_obfuscation": False}}, {"include_obfuscation": False}),
        ({"stream_options": None}, None),
    ],
)
def test_usage_is_asked_for(params: dict[str, Any], sent: Any) -> None:
    """The usage is asked for, unless the options of the stream are given."""
    client, server = client_of(answer("a"))
    with client.chat.completions.stream(model="m", messages=MESSAGES, **params) as events:
        events.until_done()
    body = server.requests[0].json()
    assert (True, sent) == (body["stream"], body.get("stream_options"))


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}])
def test_the_chunk_of_the_usage(options: dict[str, Any]) -> None:
    """It has an event where it was asked for; otherwise each chunk event has a choice."""
    client, _ = client_of(answer("a"))
    with client.chat.completions.stream(model="m", messages=MESSAGES, **options) as events:
        counts = [len(event.chunk.choices) for event in events if event.type == "chunk"]
        final = events.get_final_completion()
    assert bool(options) == (0 in counts)
    assert final.usage is not None


def test_what_is_sent_for_a_type() -> None:
    """The type becomes a schema, functions become tools, as for ``parse()``."""

    def note(text: str) -> str:
        """Write down."""
        return text

    client, server = client_of(answer(TEXT), answer(TEXT))
    with client.chat.completions.stream(
        model="m", messages=MESSAGES, response_format=Solution, tools=iter([note])
    ) as events:
        events.until_done()
    client.chat.completions.parse(
        model="m", messages=MESSAGES, response_format=Solution, tools=[note]
    )
    streamed, parsed = (request.json() for request in server.requests)
    assert parsed["response_format"] == streamed["response_format"]
    assert parsed["tools"] == streamed["tools"]
    assert "note" == streamed["tools"][0]["function"]["name"]


# Chunks of other kinds --------------------------------------------------------------------------


def test_custom_tool_calls_have_no_events() -> None:
    """They have no JSON arguments: they are in the completion."""
    custom = {"index": 0, "id": "c", "type": "custom", "custom": {"name": "sh", "input": "ls"}}
    state = ChatCompletionStreamState()
    chunks = [chunk({"tool_calls": [custom]}), chunk({}, "tool_calls")]
    assert ["chunk", "chunk"] == [e.type for one in chunks for e in state.handle_chunk(one)]
    (made,) = state.get_final_completion().choices[0].message.tool_calls or []
    assert ("custom", "sh", "ls") == (made.type, made.custom.name, made.custom.input)


def test_sound_legacy_calls_and_unknown_fields_are_kept() -> None:
    """What has no event of its own is joined like text."""
    deltas = [
        {"audio": {"id": "a", "data": "Ukl"}, "reasoning_content": "Let"},
        {"audio": {"data": "GR", "transcript": "Hi"}, "reasoning_content": " me"},
        {"function_call": {"name": "f", "arguments": '{"a"'}},
        {"function_call": {"arguments": ": 1}"}},
    ]
    events = fold(chunk(delta) for delta in deltas)
    assert {"chunk"} == {event.type for event in events}
    message = events[-1].snapshot.choices[0].message
    assert ("a", "UklGR", "Hi") == (message.audio.id, message.audio.data, message.audio.transcript)
    assert ("f", '{"a": 1}') == (message.function_call.name, message.function_call.arguments)
    assert "Let me" == message.extra["reasoning_content"]


def test_content_in_parts() -> None:
    """Pieces of text that come as lists of parts are deltas of that text."""
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "a"}]
    events = fold([chunk({"content": parts}), chunk({"content": "b"}), chunk({}, "stop")])
    assert ["a", "ab"] == [e.snapshot for e in events if e.type == "content.delta"]
    assert ["ab"] == [e.content for e in events if e.type == "content.done"]


def test_two_pieces_of_a_choice_in_one_chunk() -> None:
    """Each is an event of its own, in their order."""
    first, second = piece({"content": "a"}), piece({"content": "b"}, "stop")
    both = {**first, "choices": first["choices"] + second["choices"]}
    events = fold([structure(both, ChatCompletionChunk)])
    assert ["a", "ab"] == [e.snapshot for e in events if e.type == "content.delta"]
    assert ["ab"] == [e.content for e in events if e.type == "content.done"]


def test_two_pieces_of_a_call_in_two_pieces_of_a_choice() -> None:
    """A chunk may hold a choice twice, each time with a piece of a call."""
    first, second = piece(call(0, '{"a"', name="note")), piece(call(0, ": 1}"), "tool_calls")
    both = {**first, "choices": first["choices"] + second["choices"]}
    events = fold([structure(both, ChatCompletionChunk)])
    expected = ['{"a"', '{"a": 1}']
    assert expected == [e.arguments for e in events if e.type.endswith("arguments.delta")]
    assert expected[1:] == [e.arguments for e in events if e.type.endswith("arguments.done")]


def test_tools_may_be_an_iterator() -> None:
    """The tools of a state are looked at as often as needed."""
    state = ChatCompletionStreamState(input_tools=iter([STRICT]))
    for _ in range(2):
        state.handle_chunk(chunk(call(0, "", name="solve")))
    state.handle_chunk(chunk(call(0, TEXT), "tool_calls"))
    (made,) = state.get_final_completion().choices[0].message.tool_calls or []
    assert SOLUTION == made.function.parsed_arguments


def test_before_any_chunk() -> None:
    """Nothing has come, and nothing is invented."""
    state = ChatCompletionStreamState(response_format=Solution)
    assert [] == state.current_completion_snapshot.choices
    assert [] == state.get_final_completion().choices


def test_strict_calls_whose_pieces_come_in_turn() -> None:
    """A call is done when its arguments are whole, not when a piece of another one comes."""

    def add(a: int, b: int) -> int:
        return a + b

    def piece(index: int, arguments: str, name: str | None = None) -> dict[str, object]:
        head = {"id": f"call_{index}"} if name else {}
        return {"index": index, "function": {"name": name, "arguments": arguments}, **head}

    pieces = [
        piece(0, '{"a": 1,', "add"),
        piece(1, '{"a": 3,', "add"),
        piece(0, ' "b": 2}'),
        piece(1, ' "b": 4}'),
    ]
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState(
        input_tools=[function_tool(add)]
    )
    events = []
    for at, sent in enumerate(pieces):
        last = {"finish_reason": "tool_calls"} if at == len(pieces) - 1 else {}
        chunk = {"choices": [{"index": 0, "delta": {"tool_calls": [sent]}, **last}]}
        events += state.handle_chunk(structure(chunk, ChatCompletionChunk))
    done = [e for e in events if e.type == "tool_calls.function.arguments.done"]
    assert [(0, {"a": 1, "b": 2}), (1, {"a": 3, "b": 4})] == [
        (event.index, event.parsed_arguments) for event in done
    ]


ASK: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
CUT = stream("Hal", "f a", finish_reason=None, done=False)


def test_half_an_answer_is_no_final_completion() -> None:
    """After a stream that failed, or was left, asking for the whole is an error each time."""
    client = faces.client(transport=InMemoryServer(CUT, stream("Hal", "f a"), stream("Hal", "f a")))
    with client.chat.completions.stream(**ASK) as events:
        for _ in range(2):
            with pytest.raises(IncompleteStreamError) as caught:
                events.get_final_completion()
            assert caught.value.completion is not None
            assert "Half a" == caught.value.completion.text
    with client.chat.completions.stream(**ASK) as events:
        next(iter(events))
    with pytest.raises(IncompleteStreamError, match="closed before its end"):
        events.get_final_completion()
    with client.chat.completions.stream(**ASK) as events:
        assert any(event.type == "content.done" for event in events)
    assert "Half a" == events.get_final_completion().text


def opened(sent: list[dict[str, Any]]) -> Any:
    """What ``stream()`` of a client returns, over a server that sends these chunks."""
    client, _ = client_of(stream(*sent, finish_reason=None))
    return client.chat.completions.stream(model="m", messages=MESSAGES, tools=[STRICT])


def test_each_chunk_is_accumulated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The events of a client use what its reader has accumulated, and parse it."""
    added: list[ChatCompletionChunk] = []
    add = Accumulator.add

    def counting(self: Accumulator, chunk: ChatCompletionChunk) -> None:
        added.append(chunk)
        add(self, chunk)

    monkeypatch.setattr(Accumulator, "add", counting)
    sent = [piece({"role": "assistant", "content": "a"})]
    sent += [piece({"content": "b"}) for _ in range(50)]
    sent += [piece(call(0, "{", id="1", name="note"))]
    sent += [piece(call(0, "}")), piece({}, "tool_calls")]
    with opened(sent) as events:
        kinds = [event.type for event in events]
        completion = events.get_final_completion()
    assert len(sent) == len(added) == kinds.count("chunk")
    assert "a" + "b" * 50 == completion.text == events.current_completion_snapshot.text


def test_a_choice_twice_in_a_chunk_of_a_client() -> None:
    """Events show the state between the two, as those of chunks that are handled by hand."""
    begun = call(0, '{"steps": [], ', id="1", name="solve", type="function")
    twice = piece(call(0, '"answer": "4"}'))
    twice["choices"] += piece(call(1, "{}", id="2", name="note"))["choices"]
    sent = [piece({"role": "assistant", "content": "a"}), piece(begun), twice]
    sent += [piece({}, "tool_calls")]
    chunks = [structure(each, ChatCompletionChunk) for each in sent]
    expected = fold(chunks, input_tools=[STRICT])
    with opened(sent) as events:
        given = list(events)
        assert 2 == len(events.get_final_completion().choices[0].message.tool_calls)
    assert [event.type for event in expected] == [event.type for event in given]
    assert [*map(shown, expected)] == [*map(shown, given)]
