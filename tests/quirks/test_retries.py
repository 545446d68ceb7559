"""What servers say about retries."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from chatlib import (
    APIStatusError,
    RateLimitError,
)
from chatlib.testing.loopback import Reply
from tests.quirks.helpers import (
    OK,
    see,
)


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"retry-after": "3"}, 3, 3),
        ({"retry-after": "0.25"}, 0.25, 0.25),
        ({"retry-after": "0"}, 0, 0),
        ({"retry-after-ms": "40", "retry-after": "9"}, 0.04, 0.04),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9, 9),
        ({"retry-after": "120"}, 120, 120),
        ({"retry-after": "-1"}, 0.375, 0.5),
        ({"retry-after": "soon"}, 0.375, 0.5),
        ({"retry-after": "nan"}, 0.375, 0.5),
        ({"retry-after": ""}, 0.375, 0.5),
        ({}, 0.375, 0.5),
    ],
)
@pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 529])
def test_how_long_is_waited(headers: dict[str, str], low: float, high: float, status: int) -> None:
    """The server's wish is followed where it makes sense, else the own rule."""
    seen = see(Reply.error(status, headers=headers), OK)
    assert "ok" == seen.answer.text
    assert 1 == len(seen.waits)
    assert low <= seen.waits[0] <= high


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("form", ["imf", "asctime", "rfc850", "minus-zero"])
def test_retry_after_a_date(form: str, zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A date in the near future is waited for, in each form of HTTP, and in any time zone."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        then = time.time() + 30
        at = time.gmtime(then)
        date = {
            "imf": formatdate(then, usegmt=True),
            "asctime": time.strftime("%a %b %d %H:%M:%S %Y", at),
            "rfc850": time.strftime("%A, %d-%b-%y %H:%M:%S GMT", at),
            "minus-zero": formatdate(then),
        }[form]
        seen = see(Reply.error(503, headers={"retry-after": date}), OK)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert "ok" == seen.answer.text
    assert 28 <= seen.waits[0] <= 30
    assert seen.waits[0] == seen.answer.http.retry_after


@pytest.mark.parametrize("far", ["121", "1e9", "Fri, 31 Dec 2060 23:59:59 GMT"])
def test_a_wish_for_too_long(far: str) -> None:
    """A server that asks for more than two minutes is not waited for."""
    seen = see(Reply.error(429, headers={"retry-after": far}), OK)
    assert RateLimitError is type(seen.error)
    assert 1 == len(seen.requests)
    assert seen.error.retry_after > 120


@pytest.mark.parametrize(
    ("status", "said", "requests"),
    [
        (400, "true", 3),
        (429, "true", 3),
        (401, "true", 3),
        (429, "false", 1),
        (503, "false", 1),
        (500, "maybe", 3),
        (400, "maybe", 1),
        (400, "1", 1),
        (404, "", 1),
        (503, "", 3),
    ],
)
def test_what_the_server_says_of_retries(status: int, said: str, requests: int) -> None:
    """``x-should-retry`` wins over the status; what is neither true nor false is ignored."""
    seen = see(Reply.error(status, headers={"x-should-retry": said}))
    assert isinstance(seen.error, APIStatusError)
    assert requests == len(seen.requests) == seen.error.attempts


def test_should_retry_does_not_exceed_the_number() -> None:
    """``x-should-retry: true`` never makes more attempts than are allowed."""
    reply = Reply.error(500, headers={"x-should-retry": "true"})
    assert 1 == len(see(reply, max_retries=0).requests)


@pytest.mark.parametrize(("header", "requests"), [({}, 1), ({"x-should-retry": "true"}, 3)])
@pytest.mark.parametrize("field", ["code", "type"])
def test_no_credit(header: dict[str, str], requests: int, field: str) -> None:
    """No wait brings credit: a 429 for want of it is raised at once, unless the server says so."""
    seen = see(Reply.error(429, headers=header, **{field: "insufficient_quota"}))
    assert RateLimitError is type(seen.error)
    assert requests == len(seen.requests)
