"""Whether a failed call is tried again, and after how long: the rules, once, as pure functions.

:func:`decide` looks at one failure and answers with seconds to wait, or None. The loops that ask
it, synchronous and not, know nothing else about retries.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import attrs

from chatlib.errors import APIConnectionError, APIError, APIStatusError, embedded_status

RETRIED_STATUSES = frozenset({408, 409, 429})
"""The statuses below 500 that are worth another try: timeout, conflict, too many requests."""


@attrs.frozen
class RetryPolicy:
    """How often, and how patiently.

    The wait before retry ``n`` (from 0) is ``initial * 2**n`` seconds, at most ``maximum``, made
    shorter by a random share of up to ``jitter``, so that clients that failed together do not
    come back together. A server's own ``Retry-After`` counts in its place, up to ``patience``;
    one that asks for longer is not waited for.
    """

    max_retries: int = 2
    initial: float = 0.5
    maximum: float = 8.0
    jitter: float = 0.25
    patience: float = 120.0
    random: Callable[[], float] = random.random
    """Gives a number from 0 to 1; tests give their own."""


def decide(
    policy: RetryPolicy, attempt: int, outcome: APIError, *, time_left: float | None = None
) -> float | None:
    """Seconds to wait before the next attempt, or None where there shall be none.

    Args:
        policy: The limits.
        attempt: How many attempts came before this one: 0 for the first.
        outcome: What the attempt ended in.
        time_left: Seconds until the call's deadline; None without one.
    """
    if attempt >= policy.max_retries or not is_retryable(outcome):
        return None
    asked = outcome.retry_after
    if asked is not None and asked > policy.patience:
        return None
    wait = asked if asked is not None else backoff(policy, attempt)
    return None if time_left is not None and wait >= time_left else wait


def is_retryable(outcome: APIError) -> bool:
    """Whether another try could end better than this one did."""
    if isinstance(outcome, APIConnectionError):
        return outcome.retryable
    if not isinstance(outcome, APIStatusError):
        return False
    # The server knows best: https://github.com/openai/openai-python#retries
    if 300 <= outcome.status_code <= 399:  # a redirect that was refused
        return False
    said = outcome.response.headers.get("x-should-retry", "").lower()
    if said in ("true", "false"):
        return said == "true"
    status = outcome.status_code
    if status < 400:  # an error inside a 200 counts as the status that it names
        status = embedded_status({"code": outcome.code}) or embedded_status(outcome.body) or status
    if "insufficient_quota" in (outcome.code, outcome.type):  # no wait brings credit
        return False
    return status in RETRIED_STATUSES or status >= 500


def backoff(policy: RetryPolicy, attempt: int) -> float:
    """The wait of our own choosing: doubled each time, bounded, shortened by jitter."""
    wait = min(policy.initial * 2.0 ** min(attempt, 60), policy.maximum)
    return wait * (1 - policy.jitter * policy.random())
