"""Characters that were cut in two between deltas are whole wherever they are read."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatlib import (
    ChatCompletionStreamState,
    ChunkReader,
    HttpResponse,
    joined,
    read_chunks,
    structure,
)
from chatlib.testing import InMemoryServer
from chatlib.types import ChatCompletionChunk
from chatlib.wire.surrogates import Halves, paired
from tests import faces

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
HIGH, LOW = "\ud83d", "\udca5"
WHOLE = "Boom \U0001f4a5!"
HALVES = (f"Boom {HIGH}", f"{LOW}!")


def body_of(*deltas: dict[str, Any], finish: str | None = "stop") -> bytes:
    """A stream of deltas as JSON escapes; the last one finishes the choice."""
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks[-1]["choices"][0]["finish_reason"] = finish
    return b"".join(b"data: %s\n\n" % json.dumps(c).encode() for c in chunks) + b"data: [DONE]\n\n"


def call(text: str, **fields: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, **fields, "function": {"name": "f", "arguments": text}}]}


PLACES: dict[str, Any] = {
    "content": (lambda text: {"content": text}, lambda m: m.content),
    "refusal": (lambda text: {"refusal": text}, lambda m: m.refusal),
    "reasoning_content": (lambda t: {"reasoning_content": t}, lambda m: m.reasoning_content),
    "arguments": (lambda text: call(text, id="a"), lambda m: m.tool_calls[0].function.arguments),
    "function_call": (
        lambda text: {"function_call": {"name": "f", "arguments": text}},
        lambda m: m.function_call.arguments,
    ),
    "custom": (
        lambda t: {"tool_calls": [{"index": 0, "id": "a", "custom": {"name": "f", "input": t}}]},
        lambda m: m.tool_calls[0].custom.input,
    ),
    "blocks": (
        lambda t: {"reasoning_details": [{"index": 0, "type": "reasoning.text", "text": t}]},
        lambda m: m.reasoning_details[0]["text"],
    ),
    "transcript": (lambda t: {"audio": {"transcript": t}}, lambda m: m.audio.transcript),
}


@pytest.mark.parametrize("place", PLACES)
def test_every_text_of_a_message(place: str) -> None:
    """Halves are paired in all of them, by the reader and where chunks were made by hand."""
    make, find = PLACES[place]
    body = body_of(*map(make, HALVES))
    chunks = list(read_chunks(HttpResponse(200, {}, body)))
    assert WHOLE == find(joined(chunks).choices[0].message)
    json.dumps([chunk.to_dict() for chunk in chunks], ensure_ascii=False).encode()
    raw = [structure({"choices": [{"delta": make(t)}]}, ChatCompletionChunk) for t in HALVES]
    assert WHOLE == find(joined(raw, partial=True).choices[0].message)


@pytest.mark.usefixtures("face")
@pytest.mark.parametrize("place", ["content", "refusal", "arguments"])
def test_events(place: str) -> None:
    """Deltas add up to the whole text, and each snapshot can be encoded."""
    make, _ = PLACES[place]
    response = HttpResponse(200, {}, body_of(*map(make, HALVES)))
    client = faces.client(transport=InMemoryServer(default=lambda request: response))
    with client.chat.completions.stream(**ASK) as told:
        seen = list(told)
    raw = [structure({"choices": [{"delta": make(t)}]}, ChatCompletionChunk) for t in HALVES]
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    for events in (seen, [event for chunk in raw for event in state.handle_chunk(chunk)]):
        deltas: list[Any] = [event for event in events if event.type.endswith("delta")]
        name = "arguments_delta" if place == "arguments" else "delta"
        assert ["Boom ", "\U0001f4a5!"] == [getattr(event, name) for event in deltas]
        name = "arguments" if place == "arguments" else "snapshot"
        assert ["Boom ", WHOLE] == [getattr(event, name) for event in deltas]
        for event in events:
            if event.type == "chunk":
                event.snapshot.to_json().encode()


@pytest.mark.usefixtures("face")
def test_the_text_of_chunks() -> None:
    """Printed piece by piece, it is the whole text."""
    response = HttpResponse(200, {}, body_of(*({"content": text} for text in HALVES)))
    client = faces.client(transport=InMemoryServer(default=lambda request: response))
    stream = client.chat.completions.create(stream=True, **ASK)
    texts = [chunk.text for chunk in stream]
    assert ["Boom ", "\U0001f4a5!"] == texts
    assert [text.encode() for text in texts]


def test_choices_and_calls_are_told_apart() -> None:
    """A half belongs to its own text, however the texts take turns."""

    def piece(index: int, text: str) -> dict[str, Any]:
        calls = [{"index": at, "function": {"arguments": text}} for at in (0, 1)]
        return {"index": index, "delta": {"content": text, "tool_calls": calls}}

    chunks = [
        {"choices": [piece(0, HIGH), piece(1, HIGH)]},
        {"choices": [piece(1, LOW)]},
        {"choices": [piece(0, LOW)]},
    ]
    data = b"".join(b"data: %s\n\n" % json.dumps(c).encode() for c in chunks)
    reader = ChunkReader()
    assert ["", "", "\U0001f4a5"] == [chunk.text for chunk in reader.feed(data)]
    for choice in reader.joined.completion().choices:
        assert "\U0001f4a5" == choice.message.content
        assert "\U0001f4a5" * 2 == "".join(
            call.function.arguments  # type: ignore[union-attr]
            for call in choice.message.tool_calls or []
        )


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((f"a{HIGH}", "b"), "a\ufffdb"),
        ((f"a{HIGH}", f"{HIGH}{LOW}"), "a\ufffd\U0001f4a5"),
        ((f"a{LOW}", "b"), "a\ufffdb"),
        ((f"a{HIGH}b", "c"), "a\ufffdbc"),
        ((f"a{HIGH}", "", f"{LOW}b"), "a\U0001f4a5b"),
        ((HIGH, LOW, HIGH, LOW), "\U0001f4a5" * 2),
        ((f"a{HIGH}", ""), "a\ufffd"),
    ],
)
def test_a_half_alone(pieces: tuple[str, ...], expected: str) -> None:
    """It is replaced as a broken character is, and what is printed is what is joined."""
    body = body_of(*({"content": text} for text in pieces))
    chunks = list(read_chunks(HttpResponse(200, {}, body)))
    assert expected == "".join(chunk.text for chunk in chunks) == joined(chunks).text


def test_a_half_at_the_end_of_a_stream() -> None:
    """A character that never came whole is left out."""
    body = body_of({"content": f"a{HIGH}"}, finish=None)
    assert "a" == joined(read_chunks(HttpResponse(200, {}, body))).text


@given(st.text(), st.data())
def test_any_cut_of_any_text(text: str, data: st.DataObject) -> None:
    """Cut between any two UTF-16 units, a text comes out as it was."""
    text = paired(text)
    units = text.encode("utf-16-le")
    at = data.draw(st.lists(st.integers(0, len(units) // 2), max_size=5))
    cuts = [0, *sorted(2 * place for place in at), len(units)]
    pieces = [units[a:b].decode("utf-16-le", "surrogatepass") for a, b in itertools.pairwise(cuts)]
    halves = Halves()
    told = [halves.feed(piece) for piece in pieces]
    assert text == "".join(told) == paired("".join(pieces))
    assert all(piece.encode() is not None for piece in told)
    body = body_of(*({"content": piece} for piece in pieces))
    assert text == joined(read_chunks(HttpResponse(200, {}, body))).text
