"""The fixture ``seen``: the outcome of a call to a server that behaves like a case."""

from __future__ import annotations

import json
import logging

import pytest

from chatlib.testing.loopback import Reply
from tests.quirks.helpers import SHORT_END, Seen, find_case, replies_of, see, wire_of


@pytest.fixture
def seen(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Seen:
    """Make a call over a real connection; whole completions must be read without loss."""
    name, stream = request.param
    found = find_case(name)
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
    return seen
