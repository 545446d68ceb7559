"""What is done for a stream grows with it, and not with its square: counted, not timed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatlib import ChatCompletionStreamState, PartialJson, structure
from chatlib.streaming import unknown_fields
from chatlib.streaming.accumulator import Accumulator
from chatlib.streaming.tool_calls import ToolCallAssembler, ToolCallBuilder, ToolCallDelta
from chatlib.types import ChatCompletionChunk, ChoiceDeltaToolCall


def chunk(delta: dict[str, Any], finish: str | None = None) -> ChatCompletionChunk:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"id": "c", "created": 1, "model": "m", "choices": [choice]}
    return structure(body, ChatCompletionChunk)


def call(at: int) -> dict[str, Any]:
    function = {"name": "f", "arguments": '{"a": 1}'}
    return {"index": at, "id": f"c{at}", "type": "function", "function": function}


class Counter:
    """Counts the calls of a function."""

    def __init__(self, function: Any) -> None:
        self.count = 0
        self._function = function

    def __get__(self, owner: Any, cls: Any) -> Any:
        return lambda *args: self(owner, *args)

    def __call__(self, *args: Any) -> Any:
        self.count += 1
        return self._function(*args)


def test_events_of_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event of a call that has ended needs that call, and not all of the completion."""
    counter = Counter(ToolCallBuilder.build)
    monkeypatch.setattr(ToolCallBuilder, "build", counter)
    state = ChatCompletionStreamState[Any]()
    kinds = [
        event.type
        for at in range(50)
        for event in state.handle_chunk(chunk({"tool_calls": [call(at)]}))
    ]
    kinds += [event.type for event in state.handle_chunk(chunk({}, "tool_calls"))]
    assert 50 == kinds.count("tool_calls.function.arguments.done")
    assert 50 == counter.count


def test_items_with_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """The item that an entry continues is found by its index."""
    counter = Counter(unknown_fields._is_compatible)
    monkeypatch.setattr(unknown_fields, "_is_compatible", lambda *args: counter(*args))
    accumulator = Accumulator()
    for part in ("a", "b"):
        for at in range(50):
            accumulator.add(chunk({"details": [{"index": at, "text": part}]}))
    (choice,) = accumulator.completion().choices
    assert [{"index": at, "text": "ab"} for at in range(50)] == choice.message.extra["details"]
    assert 50 == counter.count


def best_match(calls: list[ToolCallBuilder], piece: ToolCallDelta) -> ToolCallBuilder | None:
    """The call whose labels match best, of those the latest, else the latest of all."""
    found, best = calls[-1] if calls else None, 0
    for held in reversed(calls):
        same_id = bool(piece.id) and held.id == piece.id
        fits = 2 * same_id + (piece.index is not None and held.index == piece.index)
        if fits > best:
            found, best = held, fits
    return found


labels = st.sampled_from([None, "a", "b", "c"])
deltas = st.builds(
    lambda id, index, name, text: {
        **{k: v for k, v in {"id": id, "index": index}.items() if v is not None},
        "function": {"name": name, "arguments": text},
    },
    labels,
    st.sampled_from([None, 0, 1, 2]),
    st.sampled_from([None, "f", "g"]),
    st.sampled_from(["", "{}", '{"a":', "1}"]),
)


@given(sent=st.lists(deltas, max_size=12))
def test_candidates(sent: list[dict[str, Any]]) -> None:
    """The call that a delta may continue is the one that a search through all would find."""
    assembler = ToolCallAssembler()
    for delta in sent:
        typed = structure(delta, ChoiceDeltaToolCall)
        piece = ToolCallDelta.of(typed)
        if piece is not None:
            assert best_match(assembler.calls, piece) is assembler._candidate(piece)
        assembler.add([typed])


def test_long_numbers() -> None:
    """Of a number that is too long for Python, no more is kept than shows that."""
    reader = PartialJson()
    for _ in range(20_000):
        reader.feed("1")
    assert len(reader._word) < 5000
    assert reader.value() is None
    assert 20_000 == reader.length
