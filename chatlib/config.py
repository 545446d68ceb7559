"""Whom to call, as whom, and with which limits: one immutable value.

Nothing is read from the environment at import. :func:`config_from_env` does it, once, when asked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias
from urllib.parse import urlsplit

import attrs

from chatlib._omit import Omit, omit
from chatlib.errors import OpenAIError
from chatlib.headers import HIDDEN, redact_url
from chatlib.http import Timeout

DEFAULT_BASE_URL = "https://api.openai.com/v1"
DEFAULT_TIMEOUT = Timeout(600, connect=5)
DEFAULT_MAX_RETRIES = 2

TimeoutLike: TypeAlias = "float | Timeout | None"
KeyLike: TypeAlias = "str | Secret | Callable[[], str]"


class Secret:
    """A text that no ``repr``, log line or traceback shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            kind, text = type(text).__name__, ""
            raise TypeError(f"api_key is a {kind}; it must be a str, or a function that gives one")
        # A key read from a file often ends in a newline, and http libraries quote a header that
        # they refuse: so it is refused here, where it can't be quoted.
        if not re.fullmatch(r"[\x20-\x7e]*", text) or text != text.strip():
            text = ""
            raise OpenAIError(
                "api_key has a newline, a control or non-ASCII character, or blanks around it, "
                "which no HTTP header may carry. Was it read from a file? Then .strip() it."
            )
        self._text = text

    def reveal(self) -> str:
        """The text itself: for sending, not for showing."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Secret({HIDDEN!r})"

    __str__ = __repr__


def _key(key: KeyLike | None) -> Secret | Callable[[], str] | None:
    return (
        Secret(key)
        if isinstance(key, str) or not (key is None or callable(key) or isinstance(key, Secret))
        else key
    )


def _timeout(timeout: TimeoutLike) -> Timeout:
    return timeout if isinstance(timeout, Timeout) else Timeout(timeout)


def _base_url(url: str) -> str:
    try:
        parts = urlsplit(str(url).strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an IPv6 address without its bracket, a port that is none
        usable = False
    if not usable:
        raise OpenAIError(
            f"base_url is {redact_url(str(url))!r}; it must be a whole address "
            "such as https://api.openai.com/v1 or http://localhost:8080/v1"
        )
    return str(url).strip()


def retries(count: int) -> int:
    """A number of retries, checked."""
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise ValueError(f"max_retries is {count!r}; it must be a whole number, 0 for no retries")
    return count


def _headers(headers: Mapping[str, str | None] | None) -> Mapping[str, str | None]:
    return dict(headers or {})


def _query(query: Mapping[str, object] | None) -> Mapping[str, object]:
    return dict(query or {})


@attrs.frozen(kw_only=True)
class Config:
    """Everything that stays the same from call to call.

    Args:
        api_key: The key; or a function that gives it, called for each attempt (tokens that
            expire); or None for a server that wants none.
        base_url: What comes before ``/chat/completions``. A query in it is kept.
        organization, project: Sent as ``OpenAI-Organization`` and ``OpenAI-Project``.
        timeout: Seconds, a :class:`~chatlib.http.Timeout`, or None for no limit.
        max_retries: How often a failed call is tried again.
        default_headers: Sent with each request; None as a value leaves a header out.
        default_query: Added to each URL.
    """

    api_key: Secret | Callable[[], str] | None = attrs.field(default=None, converter=_key)
    base_url: str = attrs.field(default=DEFAULT_BASE_URL, converter=_base_url)
    organization: str | None = None
    project: str | None = None
    timeout: Timeout = attrs.field(default=DEFAULT_TIMEOUT, converter=_timeout)
    max_retries: int = attrs.field(default=DEFAULT_MAX_RETRIES, converter=retries)
    default_headers: Mapping[str, str | None] = attrs.field(factory=dict, converter=_headers)
    default_query: Mapping[str, object] = attrs.field(factory=dict, converter=_query)

    def __repr__(self) -> str:
        # Also asked of a config that is not finished, by tools that print a traceback's variables.
        held = attrs.asdict(self, recurse=False) if hasattr(self, "default_query") else {}
        key = "a function" if callable(held.get("api_key")) else held.get("api_key")
        return f"Config(base_url={redact_url(held.get('base_url', ''))!r}, api_key={key!r})"


def config_from_env(
    environ: Mapping[str, str] | None = None,
    *,
    api_key: KeyLike | None = None,
    base_url: str | None = None,
    organization: str | None = None,
    project: str | None = None,
    timeout: TimeoutLike | Omit = omit,
    max_retries: int = DEFAULT_MAX_RETRIES,
    default_headers: Mapping[str, str | None] | None = None,
    default_query: Mapping[str, object] | None = None,
) -> Config:
    """A :class:`Config` from what is given and, where nothing is, from the environment.

    Read are ``OPENAI_API_KEY``, ``OPENAI_BASE_URL``, ``OPENAI_ORG_ID`` and ``OPENAI_PROJECT_ID``.

    Args:
        environ: What to read in place of :data:`os.environ`.

    Raises:
        OpenAIError: there is no key, or it can't be sent; the base URL is not a URL.
    """
    environ = os.environ if environ is None else environ
    try:
        if api_key is None:
            api_key = environ.get("OPENAI_API_KEY")
        if api_key is None:
            raise OpenAIError(
                "There is no API key. Set the environment variable OPENAI_API_KEY, or give "
                'api_key= to the client (any text, such as "none", for a server that wants no key).'
            )
        return Config(
            api_key=Secret(api_key) if isinstance(api_key, str) else api_key,
            base_url=base_url or environ.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL,
            organization=organization or environ.get("OPENAI_ORG_ID") or None,
            project=project or environ.get("OPENAI_PROJECT_ID") or None,
            timeout=DEFAULT_TIMEOUT if isinstance(timeout, Omit) else timeout,
            max_retries=max_retries,
            default_headers=default_headers,
            default_query=default_query,
        )
    finally:
        del api_key, environ  # some tools print the variables of a traceback
