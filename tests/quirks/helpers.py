"""Cases of ``data/quirks.json`` and what a call of the server that each of them scripts returns."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import attrs
import pytest

from chatlib import (
    APIError,
    HttpResponse,
    OpenAI,
    Timeout,
    joined,
    read_chunks,
)
from chatlib.testing.loopback import Reply, Server, chunk, completion
from chatlib.types import ChatCompletion, ChatCompletionChunk

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "quirks.json").read_text("utf-8")
)
STORED = "stored"
"""The area whose cases are no answers to ``create``: they have checks of their own."""

Error = TypeVar("Error", bound=Exception)
EVENT_STREAM = {"content-type": "text/event-stream"}
MESSAGES = [{"role": "user", "content": "Hi"}]
SHORT_END = Timeout(60, stream_end=0.5)
"""The limits of a call whose server may keep its connection open after the answer."""
HI = chunk("Hi")
STOP = chunk(finish="stop")
OK = Reply.json(completion("ok"))

checked_ids: set[str] = set()
"""The cases that have a check, filled by the decorators."""


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


def case(name: str, *, stream: bool = False) -> Any:
    """Mark a test as the check of a case, whose outcome it gets as ``seen``.

    Args:
        name: The id of the case in ``data/quirks.json``.
        stream: Whether to ask for a stream if the case is a whole response.
    """
    assert name not in checked_ids
    checked_ids.add(name)
    return pytest.mark.parametrize("seen", [pytest.param((name, stream), id=name)], indirect=True)


def find_case(name: str) -> dict[str, Any]:
    """Return a case of ``data/quirks.json`` by its id."""
    return next(found for found in CASES if found["id"] == name)


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
