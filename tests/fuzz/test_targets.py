"""Each target, with what Hypothesis makes of its texts; and what was found once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatlib.testing.loopback import chunk, sse
from tests.fuzz.targets import TARGETS


def streamed(*choices: dict[str, object]) -> bytes:
    """A stream of these choices."""
    return sse(*({**chunk(), "choices": [each]} for each in choices))


FOUND = [
    (
        "accumulator",  # a call of a choice whose index turned out to count chunks
        streamed(
            {"index": 0, "delta": {"role": "assistant"}},
            {"index": 5, "delta": {"tool_calls": [{"index": 0, "x": "y"}]}},
            {"index": 0, "delta": {}, "finish_reason": "stop"},
        ),
    ),
]
"""What the targets have failed with."""

BITS = [b"{", b"}", b"[", b"]", b'"', b",", b":", b"\n", b"\n\n", b"\r\n", b"data: ", b"null", b"1"]
BITS += [
    b"-",
    b"\xff",
    b"\\",
    b"\\ud83d",
    b"true",
    b"[DONE]",
    b'""',
    b"0" * 5000,
    b"[" * 300,
    b" ",
    b"@",
]


@st.composite
def changed(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A text with parts left out, doubled, replaced and put in."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 30)))
        inserted = draw(st.sampled_from([*BITS, data[start:end] * 2]) | st.binary(max_size=4))
        data = data[:start] + inserted + data[end:]
    return data


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.data())
def test_target(name: str, data: st.DataObject) -> None:
    """The invariant holds."""
    target, seeds = TARGETS[name]
    target(data.draw(changed(seeds) | st.binary(max_size=100)))


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str) -> None:
    """It holds for the texts themselves, and for each beginning of them."""
    target, seeds = TARGETS[name]
    for seed in seeds:
        target(seed)
        for end in range(0, len(seed), max(1, len(seed) // 20)):
            target(seed[:end])


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_found(name: str, data: bytes) -> None:
    """What was found once stays mended."""
    TARGETS[name][0](data)
