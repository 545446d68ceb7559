"""Snapshots of ``stream()``: typed where a text or call has ended, and with the index of calls."""

from __future__ import annotations

from typing import Any

import attrs

from chatlib import OpenAI, function_tool
from chatlib.testing.loopback import Reply, Server, sse


@attrs.define
class Place:
    """A place."""

    name: str


@attrs.define
class Weather:
    """Ask for the weather of a city."""

    city: str


def call(arguments: str, **start: Any) -> dict[str, Any]:
    name = {"name": "Weather"} if start else {}
    return {"index": 0, **start, "function": {**name, "arguments": arguments}}


def chunk(finish_reason: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


CHUNKS = [
    chunk(content='{"name": '),
    chunk(content='"Ulm"}'),
    chunk(tool_calls=[call("", id="t", type="function")]),
    chunk(tool_calls=[call('{"city": "Ulm"}')]),
    chunk(finish_reason="tool_calls"),
]


def test_snapshots_are_typed_once_done() -> None:
    """What has ended is a value of its class in each snapshot from then on; before, plain JSON."""
    with Server(Reply.stream([sse(*CHUNKS)])) as server:
        client = OpenAI(api_key="k", base_url=server.url)
        with client.chat.completions.stream(
            model="m", messages=[], response_format=Place, tools=[function_tool(Weather)]
        ) as stream:
            events = list(stream)
            final = stream.get_final_completion()
            last = stream.current_completion_snapshot
    snapshots = [event.snapshot.choices[0].message for event in events if event.type == "chunk"]
    parsed = [message.parsed for message in snapshots]
    assert [{}, {"name": "Ulm"}, Place("Ulm"), Place("Ulm"), Place("Ulm")] == parsed
    arguments = [message.tool_calls[0].function.parsed_arguments for message in snapshots[3:]]
    assert [{"city": "Ulm"}, Weather("Ulm")] == arguments
    assert final.choices[0].message == last.choices[0].message == snapshots[-1]


def test_calls_have_their_index() -> None:
    """As deltas had it; it is dumped, and not sent back."""
    with Server(Reply.stream([sse(*CHUNKS)]), Reply.json({"choices": []})) as server:
        client = OpenAI(api_key="k", base_url=server.url, max_retries=0)
        with client.chat.completions.stream(model="m", messages=[]) as stream:
            message = stream.get_final_completion().choices[0].message
        assert message.tool_calls is not None
        assert 0 == message.tool_calls[0].index  # type: ignore[union-attr]
        assert 0 == message.model_dump()["tool_calls"][0]["index"]
        assert "index" not in message.to_dict()["tool_calls"][0]
        client.chat.completions.create(model="m", messages=[message])
        (sent,) = server.requests[-1].json()["messages"][0]["tool_calls"]
        assert ["function", "id", "type"] == sorted(sent)
