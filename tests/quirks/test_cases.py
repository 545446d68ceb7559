"""What holds for all cases of event streams, however their bytes are cut."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path
from typing import Any

import pytest

from chatlib.testing.loopback import Reply
from tests.quirks.helpers import (
    CASES,
    STORED,
    checked_ids,
    expanded,
    outcome,
    see,
    see_pure,
    wire_of,
)

STREAMS = [
    pytest.param(c, id=c["id"]) for c in CASES if c["area"] != STORED and c["mode"] == "stream"
]


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
    """Each case has a check, and each check a case."""
    for module in Path(__file__).parent.glob("test_*.py"):
        importlib.import_module(f"tests.quirks.{module.stem}")
    assert {found["id"] for found in CASES} == checked_ids
    assert len(CASES) == len({found["id"] for found in CASES})


def test_repeats_are_expanded() -> None:
    """A case can say that a text comes many times."""
    assert "xAAAAy" == expanded("x{{REPEAT:A:4}}y")
