"""When to try again, and how long to wait: a table, and the loop that obeys it, without a clock."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any

import pytest

from chatlib.client.async_call import arun
from chatlib.client.call import Call, run
from chatlib.config import Config
from chatlib.errors import APIConnectionError, APIError, APIResponseValidationError, APITimeoutError
from chatlib.headers import Headers, retry_after
from chatlib.http import HttpRequest, HttpResponse, Timeout
from chatlib.retry import RetryPolicy, backoff, is_retryable, retry_delay
from chatlib.wire.error_bodies import error_from_response, error_inside, find_error
from chatlib.wire.request import Operation
from tests import faces

POLICY = RetryPolicy(random=lambda: 0.0)


def failed(status: int, code: Any = None, **headers: str) -> APIError:
    """The error of a status, with some headers (underscores stand for dashes)."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = b'{"error": {"message": "no", "code": "%s"}}' % (code or "x").encode()
    return error_from_response(HttpResponse(status, named, body))


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529, 599])
def test_retried_statuses(status: int) -> None:
    """Timeouts, conflicts, rate limits and server faults are tried again."""
    assert is_retryable(failed(status))


@pytest.mark.parametrize("status", [300, 307, 400, 401, 403, 404, 413, 418, 422])
def test_other_statuses(status: int) -> None:
    """What the server will say again is not tried again."""
    assert not is_retryable(failed(status))


@pytest.mark.parametrize(
    ("expected", "error"),
    [
        (True, APIConnectionError()),
        (True, APITimeoutError()),
        (False, APIResponseValidationError(None, None)),
        (False, failed(429, "insufficient_quota")),
        (True, failed(429, "insufficient_quota", x_should_retry="true")),
        (True, failed(400, x_should_retry="true")),
        (False, failed(500, x_should_retry="false")),
        (True, failed(500, x_should_retry="maybe")),
        (False, failed(400, x_should_retry="")),
    ],
)
def test_what_is_retryable(expected: bool, error: APIError) -> None:
    """Lost connections are; no credit is not; the server's own word wins over both."""
    assert expected is is_retryable(error)


def test_no_credit_is_recognised_by_type_too() -> None:
    """Some servers name insufficient_quota as the type."""
    body = b'{"error": {"message": "no", "type": "insufficient_quota"}}'
    assert not is_retryable(error_from_response(HttpResponse(429, {}, body)))


def test_error_inside_a_200_counts_as_the_status_it_names() -> None:
    """A 429 that a gateway wrapped into a 200 is tried again, a 400 is not."""

    def inside(code: object) -> APIError:
        found = find_error({"error": {"message": "no", "code": code}})
        assert found is not None
        return error_inside(found, HttpResponse(200))

    assert [True, True, False, False] == [
        is_retryable(inside(code)) for code in (429, "503", 400, "server_error")
    ]


def test_connection_error_that_cannot_pass() -> None:
    """A certificate that does not verify will not do so next time."""
    error = APIConnectionError()
    error.retryable = False
    assert not is_retryable(error)


def test_backoff_doubles_up_to_its_bound() -> None:
    """0.5 s, doubled for each retry, at most 8 s."""
    assert [0.5, 1, 2, 4, 8, 8, 8] == [
        backoff(POLICY, attempt) for attempt in (0, 1, 2, 3, 4, 5, 999)
    ]


def test_jitter_only_shortens() -> None:
    """By up to a quarter."""
    assert (0.375, 6.0) == (
        backoff(RetryPolicy(random=lambda: 1.0), 0),
        backoff(RetryPolicy(random=lambda: 1.0), 9),
    )
    assert all(0.375 <= backoff(RetryPolicy(), 0) <= 0.5 for _ in range(200))


NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("expected", "headers"),
    [
        (None, {}),
        (1.5, {"Retry-After": "1.5"}),
        (0, {"retry-after": "0"}),
        (0.25, {"retry-after-ms": "250", "retry-after": "9"}),
        (9, {"retry-after-ms": "soon", "retry-after": "9"}),
        (300, {"retry-after": "300"}),
        (7, {"retry-after": "7, 7"}),
        (5, {"retry-after": "5s"}),
        (62.5, {"retry-after": "1m2.5s"}),
        (30, {"retry-after": formatdate(NOW + 30, usegmt=True)}),
        (None, {"retry-after": formatdate(NOW - 30, usegmt=True)}),
        (None, {"retry-after": "-1"}),
        (None, {"retry-after": "nan"}),
        (None, {"retry-after": "inf"}),
        (None, {"retry-after": "soon"}),
        (None, {"retry-after": "Fri, 99 Nov 2023 99:99:99 GMT"}),
        (None, {"retry-after": ""}),
    ],
)
def test_retry_after(expected: float | None, headers: dict[str, str]) -> None:
    """Milliseconds, seconds, or an HTTP date; nonsense and the past are no answer."""
    assert expected == retry_after(Headers(headers), now=lambda: NOW)


@pytest.mark.parametrize(
    ("expected", "attempt", "error", "left"),
    [
        (0.5, 0, failed(500), None),
        (1.0, 1, failed(500), None),
        (None, 2, failed(500), None),
        (None, 0, failed(400), None),
        (3.0, 0, failed(429, retry_after="3"), None),
        (120.0, 0, failed(429, retry_after="120"), None),
        (None, 0, failed(429, retry_after="120.5"), None),
        (3.0, 0, failed(429, retry_after="3"), 3.5),
        (None, 0, failed(429, retry_after="3"), 3.0),
        (None, 0, failed(500), 0.1),
        (0.5, 0, failed(503, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"), None),
    ],
)
def test_decide(expected: float | None, attempt: int, error: APIError, left: float | None) -> None:
    """The server's wait before our own; none beyond its patience, its count, or its deadline."""
    assert expected == retry_delay(POLICY, attempt, error, time_left=left)


# One table of scripts for both loops: what each attempt ends in, the waits, and the end of it all.
SCRIPTS = [
    (["ok"], [], "ok", 1),
    ([failed(500), "ok"], [0.5], "ok", 2),
    ([failed(500), failed(429, retry_after="2"), "ok"], [0.5, 2.0], "ok", 3),
    ([failed(500), APITimeoutError(), failed(502)], [0.5, 1.0], 2, 3),
    ([failed(400)], [], 0, 1),
    ([failed(429, retry_after="500")], [], 0, 1),
]


class Played:
    """A loop that is given outcomes, one for each attempt: what it slept, and how it ended."""

    def __init__(self, outcomes: list[Any], policy: RetryPolicy = POLICY, **timeout: Any) -> None:
        self.outcomes = list(outcomes)
        self.slept: list[float] = []
        self.asked: list[float | None] = []
        self.now = 0.0
        operation = build(timeout)
        self.call = Call(operation, Config(api_key="k"), policy=policy, clock=lambda: self.now)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def send(self, request: HttpRequest) -> HttpResponse:
        self.now += 1
        return HttpResponse(200)

    def receive(self, response: HttpResponse, call: Call[Any]) -> Any:
        assert call.attempts + 1 == response.attempts
        self.asked.append(response.asked_to_wait)
        outcome = self.outcomes[call.attempts]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def asend(self, request: HttpRequest) -> HttpResponse:
        return self.send(request)

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)

    async def areceive(self, response: HttpResponse, call: Call[Any]) -> Any:
        return self.receive(response, call)

    def run(self) -> Any:
        if not faces.now.is_async:
            return run(self.call, self.send, self.sleep, self.receive)
        return faces.loop().run(arun(self.call, self.asend, self.asleep, self.areceive))


def build(timeout: dict[str, Any]) -> Operation[Any]:
    options: Any = {"timeout": Timeout(60, **timeout)}
    return Operation(method="GET", path="/", read=lambda response: None, options=options)


@pytest.mark.usefixtures("face")
@pytest.mark.parametrize(("outcomes", "waits", "end", "attempts"), SCRIPTS)
def test_loop(outcomes: list[Any], waits: list[float], end: Any, attempts: int) -> None:
    """The loop sleeps as decided, and ends in the answer or in the last error as it came."""
    played = Played(outcomes)
    if isinstance(end, int):
        with pytest.raises(APIError) as caught:
            played.run()
        assert outcomes[end] is caught.value
        assert attempts == caught.value.attempts
    else:
        assert end == played.run()
    assert waits == played.slept
    assert attempts == len(played.asked)


@pytest.mark.usefixtures("face")
def test_loop_tells_what_the_server_asked_for() -> None:
    """Each response is told what the one before asked to wait."""
    failures = [failed(429, retry_after=str(seconds)) for seconds in (1, 2)]
    played = Played([*failures, "ok"])
    assert "ok" == played.run()
    assert [None, 1.0, 2.0] == played.asked


@pytest.mark.usefixtures("face")
@pytest.mark.parametrize("foreign", [KeyboardInterrupt(), ZeroDivisionError(), TimeoutError()])
def test_loop_lets_foreign_exceptions_pass(foreign: BaseException) -> None:
    """What is no failure of the call passes at once and is never tried again."""
    played = Played([foreign, "ok"])
    with pytest.raises(type(foreign)):
        played.run()
    assert (1, []) == (len(played.asked), played.slept)


@pytest.mark.usefixtures("face")
def test_deadline_ends_retries() -> None:
    """No retry is begun whose wait reaches the deadline."""
    played = Played([failed(500)] * 9, RetryPolicy(9, random=lambda: 0.0), total=2.0)
    with pytest.raises(APIError):
        played.run()
    assert [0.5] == played.slept
