"""The page of promises names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "promises.md"
NAMED = re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE.read_text("utf-8")) if PAGE.exists() else []


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_named_tests(file: str, name: str) -> None:
    """Each of them is in its file."""
    text = (ROOT / "tests" / file).read_text("utf-8")
    assert re.search(rf"^(?:async )?(?:def|class) {name}\b", text, re.MULTILINE)


def test_each_promise_has_one() -> None:
    """Each row of a table names a test."""
    rows = [row for row in PAGE.read_text("utf-8").splitlines() if re.match(r"\| [A-Z`]", row)]
    assert len(rows) > 15
    assert all("::test_" in row or "::Test" in row for row in rows)
