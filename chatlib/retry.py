"""Retry rules: whether a failed call is retried, and after which delay.

:func:`retry_delay` is a pure function of the failure. The loops that call it, synchronous and
asynchronous, contain no other retry rules.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from chatlib.errors import APIConnectionError, APIError, APIStatusError
from chatlib.types.json_values import read_json

RETRIED_STATUSES = frozenset({408, 409, 429})
"""Status codes below 500 that are retried: timeout, conflict, too many requests."""

EMPTY_ACCOUNT = frozenset(
    {
        # OpenAI (https://platform.openai.com/docs/guides/error-codes), and many that follow it
        "insufficient_quota",
        "credit_balance_exhausted",
        "billing_not_active",
        "billing_hard_limit_reached",
        "account_deactivated",
        "access_terminated",
        "exceeded_current_quota_error",  # Moonshot (MoonshotAI/kimi-code#1857)
        "insufficient_balance_error",  # MiniMax, ModelScope (modelscope/modelscope#1691)
        "insufficient_balance",  # Venice, CSGHub (OpenCSGs/csghub-server#1369), DeepSeek
        "insufficient_user_quota",  # one-api, new-api
        "pre_consume_token_quota_failed",  # one-api, new-api: the key's own limit
        "insufficient_credits",  # OpenRouter and gateways that sell credits
        "insufficient_funds",
        "credits_error",  # OpenCode Zen
        "payment_required",
        "1113",  # Zhipu, Z.ai (zai-org/GLM-5#148)
        "arrearage",  # Alibaba Model Studio
        "account_overdue_error",  # Volcengine Ark
        "budget_exceeded",  # LiteLLM
        "terminal_quota_exhausted",  # LiteLLM (NousResearch/hermes-agent#106427)
    }
)
"""Error codes and types that mean that the account has no credit, so that a retry is useless.

Case, separators and a trailing ``error`` are ignored. Codes that may also mean a rate limit, such
as ``quota_exceeded``, are not included.
"""


@attrs.frozen
class RetryPolicy:
    """How often a call is retried, and with which delays.

    The delay before retry ``n`` (from 0) is ``initial * 2**n`` seconds, at most ``maximum``,
    reduced by a random share of up to ``jitter``, so that clients that failed together do not retry
    together. A ``Retry-After`` header of the server replaces it, up to ``patience``; if the server
    asks for more, the call is not retried.
    """

    max_retries: int = 2
    initial: float = 0.5
    maximum: float = 8.0
    jitter: float = 0.25
    patience: float = 120.0
    random: Callable[[], float] = random.random
    """Returns a number from 0 to 1; tests pass their own."""


def retry_delay(
    policy: RetryPolicy, attempt: int, outcome: APIError, *, time_left: float | None = None
) -> float | None:
    """Return the delay in seconds before the next attempt; None means do not retry.

    Args:
        policy: The retry policy.
        attempt: The number of attempts before this one: 0 for the first.
        outcome: The error that ended the attempt.
        time_left: The time in seconds until the deadline of the call; None if there is none.

    Returns:
        The delay in seconds, or None.
    """
    if attempt >= policy.max_retries or not is_retryable(outcome):
        return None
    asked = outcome.retry_after
    if asked is not None and asked > policy.patience:
        return None
    wait = asked if asked is not None else backoff(policy, attempt)
    return None if time_left is not None and wait >= time_left else wait


decide = retry_delay
"""The former name of :func:`retry_delay`."""


def is_retryable(outcome: APIError) -> bool:
    """Return whether another attempt may succeed.

    Args:
        outcome: The error that ended the attempt.
    """
    if isinstance(outcome, APIConnectionError):
        return outcome.retryable
    if not isinstance(outcome, APIStatusError):
        return False
    # The server decides: https://github.com/openai/openai-python#retries
    if 300 <= outcome.status_code <= 399:  # a redirect that was not followed
        return False
    stated = outcome.response.headers.get("x-should-retry", "").lower()
    if stated in ("true", "false"):
        return stated == "true"
    if is_empty_account(outcome):
        return False
    status = outcome.embedded_status or outcome.status_code
    return status in RETRIED_STATUSES or status >= 500


def is_empty_account(outcome: APIError) -> bool:
    """Return whether one of the codes in an error means that the account has no credit left.

    Args:
        outcome: The error.
    """
    stated = {"code": outcome.code, "type": outcome.type, "error": outcome.body}
    return not _LABELS_OF_EMPTY.isdisjoint(_labels(stated))


def _labels(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield the codes and types in an error body, including errors that a gateway quotes."""
    if depth > 5:
        return
    if isinstance(value, list):
        for item in value[:20]:
            yield from _labels(item, depth + 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            if isinstance(item, (dict, list)):
                yield from _labels(item, depth + 1)
            elif name in _LABELLED and isinstance(item, (str, int)):
                yield _label(item)
            elif name == "raw" and isinstance(item, str):  # OpenRouter
                yield from _labels(_json_or_none(item[:10_000]), depth + 1)


def _json_or_none(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return None


def _label(text: str | int) -> str:
    return re.sub("[^a-z0-9]", "", str(text)[:100].lower()).removesuffix("error")


_LABELLED = frozenset({"code", "type", "status", "reason", "error_code", "error_type", "errcode"})
_LABELS_OF_EMPTY = frozenset(map(_label, EMPTY_ACCOUNT))


def backoff(policy: RetryPolicy, attempt: int) -> float:
    """Return the delay by exponential backoff with jitter.

    Args:
        policy: The retry policy.
        attempt: The number of attempts before this one.

    Returns:
        The delay in seconds.
    """
    wait = min(policy.initial * 2.0 ** min(attempt, 60), policy.maximum)
    return wait * (1 - policy.jitter * policy.random())
