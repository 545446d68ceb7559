"""Usage in chunks and completions."""

from __future__ import annotations

from typing import Any

import pytest

from chatlib import (
    Accumulator,
)
from chatlib.testing.loopback import Reply, chunk, completion, sse
from tests.quirks.helpers import (
    HI,
    STOP,
    Seen,
    case,
    see,
    see_stream,
)


@case("usage-cumulative-every-chunk")
def test_usage_cumulative_every_chunk(seen: Seen) -> None:
    usage = seen.answer.usage
    assert (1965, 3, 1968) == (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
    assert "abc" == seen.text


@case("usage-missing-completion-tokens")
def test_usage_missing_completion_tokens(seen: Seen) -> None:
    usage = seen.answer.usage
    assert (11, None, 11) == (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
    assert "completion_tokens" not in usage.fields_set


@case("usage-vendor-extensions")
def test_usage_vendor_extensions(seen: Seen) -> None:
    usage = seen.answer.usage
    assert (14, 9, 23) == (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
    assert (0, 14) == (usage.prompt_cache_hit_tokens, usage.prompt_cache_miss_tokens)
    assert 14 == usage.to_dict()["prompt_cache_miss_tokens"]
    assert 0 == usage.prompt_tokens_details.cached_tokens
    assert "cached_tokens" in usage.prompt_tokens_details.fields_set
    assert None is usage.prompt_tokens_details.audio_tokens
    assert "audio_tokens" not in usage.prompt_tokens_details.fields_set


USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


@pytest.mark.parametrize("after", [{"usage": None}, {"usage": {}}, {}])
def test_null_after_usage(after: dict[str, Any]) -> None:
    """A later chunk without usage, or with null, erases no report."""
    seen = see_stream(sse({**HI, "usage": USAGE}, {**STOP, **after}))
    assert USAGE == seen.answer.usage.to_dict()


def test_usage_in_a_chunk_without_choices() -> None:
    """The report that ``include_usage`` asks for comes last, without choices."""
    nothing = {"usage": None}
    seen = see_stream(
        sse({**HI, **nothing}, {**STOP, **nothing}, {**HI, "choices": [], "usage": USAGE})
    )
    assert USAGE == seen.answer.usage.to_dict()
    assert "Hi" == seen.text


def test_usage_of_a_stream_that_is_cut_off() -> None:
    """What was reported before a stream broke can be read on its error."""
    seen = see_stream(sse({**HI, "usage": USAGE}, done=False))
    assert USAGE == seen.error.completion.usage.to_dict()


def test_vendors_counters_in_a_stream() -> None:
    """Counters that nobody knows survive the joining of a stream."""
    usage = {**USAGE, "cost": 0.1, "prompt_tokens_details": {"cached_tokens": 0, "new": 4}}
    seen = see_stream(sse(HI, {**STOP, "usage": usage}))
    assert usage == seen.answer.usage.to_dict()
    assert 4 == seen.answer.usage.prompt_tokens_details.new


@pytest.mark.parametrize("usage", [None, {}, {"total_tokens": None}])
def test_usage_with_nothing_in_it(usage: Any) -> None:
    """Usage that says nothing reads as nothing, never as zero."""
    answer = see(Reply.json(completion("ok", usage=usage))).answer
    assert not (answer.usage and answer.usage.total_tokens)
    assert usage == answer.to_dict()["usage"]


def test_the_snapshot_can_be_taken_at_any_time() -> None:
    """What has been joined so far does not change when more comes."""
    pieces = Accumulator()
    taken = []
    for piece in see_stream(sse(chunk("A"), chunk("B"), STOP)).chunks:
        pieces.add(piece)
        taken.append(pieces.completion())
    assert ["A", "AB", "AB"] == [snapshot.text for snapshot in taken]
    assert [None, None, "stop"] == [snapshot.choices[0].finish_reason for snapshot in taken]
