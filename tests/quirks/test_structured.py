"""Structured output that is incomplete or does not match."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from chatlib import (
    LengthFinishReasonError,
    ParseError,
    parse_completion,
)
from tests.quirks.helpers import (
    Error,
    Seen,
    case,
)


@attrs.define
class Facts:
    facts: list[str]


@attrs.define
class Town:
    name: str


@attrs.define
class Towns:
    towns: list[Town]


def unparsed(seen: Seen, kind: type, error: type[Error]) -> Error:
    """The error that reading an answer as a type makes; it holds the whole answer."""
    with pytest.raises(error) as caught:
        parse_completion(seen.answer, kind)
    found: Any = caught.value
    assert seen.answer.to_dict() == found.completion.to_dict()
    assert seen.answer.http is found.completion.http
    return caught.value


@case("so-truncated-length")
def test_so_truncated_length(seen: Seen) -> None:
    error = unparsed(seen, Facts, LengthFinishReasonError)
    assert '{"facts": ["alpha", "beta", "gam' == error.completion.text
    assert 143 == error.completion.usage.total_tokens
    nothing = seen.answer.replace(
        choices=[
            seen.choice.replace(message=seen.choice.message.replace(content=content))
            for content in (None, "")
        ]
    )
    with pytest.raises(LengthFinishReasonError):
        parse_completion(nothing, Facts)


@case("so-truncated-without-signal")
def test_so_truncated_without_signal(seen: Seen) -> None:
    error = unparsed(seen, Facts, ParseError)
    assert ("truncated", seen.answer.text) == (error.reason, error.content)
    assert "it ends inside a string" in str(error)
    assert "char 28" in str(error)


@case("so-schema-ignored")
def test_so_schema_ignored(seen: Seen) -> None:
    error = unparsed(seen, Towns, ParseError)
    assert ("mismatch", "$.towns[0]", seen.answer.text) == (error.reason, error.path, error.content)
    assert "Towns" in str(error)
    assert "$.towns[0]" in str(error)
    error = unparsed(seen, Facts, ParseError)
    assert ("mismatch", "$") == (error.reason, error.path)
