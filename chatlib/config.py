"""Client configuration: base URL, credentials, timeouts and retries (immutable).

Nothing is read from the environment at import. :func:`config_from_env` reads it when called.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import attrs

from chatlib.errors import OpenAIError
from chatlib.headers import HIDDEN, redact_url
from chatlib.http import Omit, Timeout, is_omitted, omit
from chatlib.redaction import conceal, concealed, concealed_url, private_frames
from chatlib.secret import Secret as Secret
from chatlib.size_limits import (
    DEFAULT_MAX_ERROR_BYTES,
    DEFAULT_MAX_EVENT_BYTES,
    DEFAULT_MAX_RESPONSE_BYTES,
    SizeLimits,
)
from chatlib.timeouts import TimeoutLike as TimeoutLike
from chatlib.timeouts import as_timeout
from chatlib.urls import parse_url

DEFAULT_BASE_URL = "https://api.openai.com/v1"
DEFAULT_TIMEOUT = Timeout(600, connect=5)
DEFAULT_MAX_RETRIES = 2

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")

KeyFunction: TypeAlias = "Callable[[], str] | Callable[[], Awaitable[str]]"
"""A function that returns the API key; for asynchronous clients, also a coroutine function."""

KeyLike: TypeAlias = "str | Secret | KeyFunction"


_SECRETS = ("api_key", "azure_ad_token")


def hide_secrets(settings: dict[str, Any]) -> None:
    """Replace the secrets in a dict of settings by objects that hide them, in place.

    Args:
        settings: The settings.

    Raises:
        OpenAIError: A key cannot be sent in an HTTP header; it is removed from the settings.
        TypeError: A key is not a str; it is removed from the settings.
    """
    conceal(settings)
    for name in _SECRETS:
        given = settings.get(name)
        if given is None or callable(given) or isinstance(given, Secret):
            continue
        given = None
        settings[name] = Secret(settings.pop(name))


def hides_secrets(made: type[T]) -> type[T]:
    """Decorate a class so that its arguments are hidden even if its ``__init__`` fails.

    Args:
        made: The class.

    Returns:
        The same class.
    """
    init = made.__init__

    @wraps(init)
    def __init__(self: T, **fields: Any) -> None:
        hide_secrets(fields)
        with private_frames():
            init(self, **fields)

    made.__init__ = __init__  # type: ignore[assignment, method-assign]
    return made


def as_key(key: KeyLike | None) -> Secret | KeyFunction | None:
    """Return a key as a :class:`Secret`; a function or None is returned as it is.

    Args:
        key: The key.

    Raises:
        OpenAIError: It cannot be sent in an HTTP header.
        TypeError: It is not a str.
    """
    try:
        return key if key is None or callable(key) or isinstance(key, Secret) else Secret(key)
    finally:
        del key  # keep it out of tracebacks


_EXAMPLES = {
    "base_url": "https://api.openai.com/v1 or http://localhost:8080/v1",
    "azure_endpoint": "https://name.openai.azure.com",
}


def checked_base_url(url: str, name: str = "base_url") -> str:
    """Return a validated base URL, without ``/chat/completions``, which each call adds.

    Args:
        url: The URL.
        name: The name of the parameter, for the exception.

    Raises:
        OpenAIError: It is not a whole URL of HTTP, or it is ambiguous.
    """
    url = str(url).strip()
    try:
        if "\\" in url or " " in url or not url.isprintable():
            raise ValueError("the URL has a backslash, a blank or a control character in it")
        parse_url(url)
    except ValueError as error:
        why = str(error)
        shown = redact_url(url)
        if "@" in url or shown == url:  # it may be ambiguous
            shown = url.rpartition("@")[2].partition("?")[0]
            shown = f"{HIDDEN}@{shown}" if "@" in url else shown
        url = ""  # it may contain a password; keep it out of tracebacks with local variables
        raise OpenAIError(
            f"{name} is {shown[:500]!r}: {why}. It must be a whole address, such as "
            f"{_EXAMPLES[name]}"
        ) from None
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if path.endswith("/chat/completions"):  # providers often show it with this path
        url = urlunsplit(parts._replace(path=path.removesuffix("/chat/completions")))
    return concealed_url(url)


def path_segment(value: object, name: str) -> str:
    """Return an ID encoded as one segment of a URL path.

    Args:
        value: The ID.
        name: The name of the parameter, for the exception.

    Returns:
        The percent-encoded ID.

    Raises:
        ValueError: It is empty, ``.`` or ``..``, so that the URL would mean something else.
        TypeError: It is not a str.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} is a {type(value).__name__}; it must be a str")
    # Servers and proxies resolve dot segments, even percent-encoded ones.
    if value.strip() in ("", ".", ".."):
        raise ValueError(f"{name} is {value!r}; it must be the id that the server gave")
    return quote(value, safe="", errors="replace")


def check_max_retries(count: int) -> int:
    """Return a number of retries after validation.

    Args:
        count: The number.

    Raises:
        ValueError: It is not a non-negative integer.
    """
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise ValueError(f"max_retries is {count!r}; it must be a whole number, 0 for no retries")
    return count


def _conceal_headers(headers: Mapping[str, str | None] | None) -> Mapping[str, str | None]:
    made: Mapping[str, str | None] = concealed(dict(headers or {}))
    return made


def _conceal_query(query: Mapping[str, object] | None) -> Mapping[str, object]:
    made: Mapping[str, object] = concealed(dict(query or {}))
    return made


def _size_limits(config: Config) -> SizeLimits:
    return SizeLimits(config.max_response_bytes, config.max_event_bytes, config.max_error_bytes)


@hides_secrets
@attrs.frozen(kw_only=True)
class Config:
    """Client configuration: everything that is the same for all calls.

    Args:
        api_key: The API key, or a function that returns it and is called for each attempt (for
            tokens that expire), or None for a server without authentication.
        base_url: The base URL; ``/chat/completions`` at its end is removed. Its query is sent with
            each request; ``default_query``, the parameters of a call and ``extra_query`` override
            it, in this order.
        organization: The value of the ``OpenAI-Organization`` header.
        project: The value of the ``OpenAI-Project`` header.
        timeout: The timeout in seconds, a :class:`~chatlib.http.Timeout`, or None for no timeout.
        max_retries: The maximum number of retries.
        default_headers: Headers for each request; the value None removes a header.
        default_query: Query parameters for each request.
        max_response_bytes: The maximum size of an answer that is not streamed, decompressed.
        max_event_bytes: The maximum size of one event of a stream.
        max_error_bytes: How much of the body of an error status is read.

    Attributes:
        size_limits: The three limits, as each request holds them.
    """

    api_key: Secret | KeyFunction | None = attrs.field(default=None, converter=as_key)
    base_url: str = attrs.field(default=DEFAULT_BASE_URL, converter=checked_base_url)
    organization: str | None = None
    project: str | None = None
    timeout: Timeout = attrs.field(default=DEFAULT_TIMEOUT, converter=as_timeout)
    max_retries: int = attrs.field(default=DEFAULT_MAX_RETRIES, converter=check_max_retries)
    default_headers: Mapping[str, str | None] = attrs.field(
        factory=dict, converter=_conceal_headers
    )
    default_query: Mapping[str, object] = attrs.field(factory=dict, converter=_conceal_query)
    max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES
    max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES
    max_error_bytes: int = DEFAULT_MAX_ERROR_BYTES
    size_limits: SizeLimits = attrs.field(
        init=False, repr=False, eq=False, default=attrs.Factory(_size_limits, takes_self=True)
    )

    def credentials(self, key: Secret) -> Mapping[str, str]:
        """Return the headers with the credentials.

        Args:
            key: The API key.
        """
        return {"Authorization": f"Bearer {key.reveal()}"}

    def path(self, path: str, model: object) -> str:
        """Return the path of an operation, relative to the base URL.

        Args:
            path: The path in the OpenAI API, such as ``/chat/completions``.
            model: The model of a request that creates something; otherwise None.
        """
        return path

    def changed(
        self,
        *,
        default_headers: Mapping[str, str | None] | None = None,
        set_default_headers: Mapping[str, str | None] | None = None,
        default_query: Mapping[str, object] | None = None,
        set_default_query: Mapping[str, object] | None = None,
        **fields: Any,
    ) -> Self:
        """Return a copy with some settings changed; None, except for ``timeout``, changes nothing.

        Args:
            default_headers: Headers to merge into the default headers.
            set_default_headers: Headers that replace the default headers.
            default_query: Query parameters to merge into the default query.
            set_default_query: Query parameters that replace the default query.
            fields: Other settings.

        Returns:
            The copy.

        Raises:
            TypeError: A setting is unknown.
            ValueError: A setting has an invalid value.
        """
        default_headers, set_default_headers = map(
            concealed, (default_headers, set_default_headers)
        )
        default_query, set_default_query = map(concealed, (default_query, set_default_query))
        hide_secrets(fields)
        for added, replaced, name in (
            (default_headers, set_default_headers, "default_headers"),
            (default_query, set_default_query, "default_query"),
        ):
            if added is not None and replaced is not None:
                raise ValueError(f"{name} and set_{name} can't both be given")
            if replaced is not None:
                fields[name] = replaced
            elif added is not None:
                fields[name] = {**getattr(self, name), **added}
        known = attrs.fields_dict(type(self))
        for name in fields:
            if name not in known:
                raise TypeError(f"{type(self).__name__} has no setting {name!r}")
        given = {
            name: value
            for name, value in fields.items()
            if not is_omitted(value) and (value is not None or name == "timeout")
        }
        return attrs.evolve(self, **given)

    def with_key_from(self, environ: Mapping[str, str]) -> Self:
        """Return a copy with the API key from the environment.

        Args:
            environ: The environment variables.

        Raises:
            OpenAIError: The key is missing or invalid.
        """
        try:
            key = Secret(variable(environ, "OPENAI_API_KEY") or "")
            if not key:
                raise OpenAIError(_NO_KEY)
            return attrs.evolve(self, api_key=key)
        finally:
            del environ  # keep it out of tracebacks with local variables

    def __repr__(self) -> str:
        # Tools that print local variables call this even if __init__ failed.
        held = attrs.asdict(self, recurse=False) if hasattr(self, "default_query") else {}
        key = "a function" if callable(held.get("api_key")) else held.get("api_key")
        base_url = redact_url(held.get("base_url", ""))
        return f"{type(self).__name__}(base_url={base_url!r}, api_key={key!r})"


def variable(environ: Mapping[str, str], name: str) -> str | None:
    """Return an environment variable, or None if it is empty.

    Whitespace around it is removed: files with variables may end their lines by a carriage return,
    and files with secrets by a newline.

    Args:
        environ: The environment variables.
        name: The name of the variable.
    """
    return (environ.get(name) or "").strip("\ufeff \t\r\n") or None


_NO_KEY = (
    "There is no API key. Set the environment variable OPENAI_API_KEY, or pass "
    'api_key= to the client (any text, such as "none", for a server without authentication).'
)


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
    max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES,
    max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
    max_error_bytes: int = DEFAULT_MAX_ERROR_BYTES,
) -> Config:
    """Return a :class:`Config` from arguments and, for missing ones, environment variables.

    The variables are ``OPENAI_API_KEY``, ``OPENAI_BASE_URL``, ``OPENAI_ORG_ID`` and
    ``OPENAI_PROJECT_ID``.

    Args:
        environ: The environment variables; by default :data:`os.environ`.
        api_key: As for :class:`Config`.
        base_url: As for :class:`Config`.
        organization: As for :class:`Config`.
        project: As for :class:`Config`.
        timeout: As for :class:`Config`.
        max_retries: As for :class:`Config`.
        default_headers: As for :class:`Config`.
        default_query: As for :class:`Config`.
        max_response_bytes: As for :class:`Config`.
        max_event_bytes: As for :class:`Config`.
        max_error_bytes: As for :class:`Config`.

    Returns:
        The configuration.

    Raises:
        OpenAIError: The API key is missing or invalid, or the base URL is invalid.
    """
    environ = os.environ if environ is None else environ
    try:
        made = Config(
            api_key=Secret(api_key) if isinstance(api_key, str) else api_key,
            base_url=base_url or variable(environ, "OPENAI_BASE_URL") or DEFAULT_BASE_URL,
            organization=organization or variable(environ, "OPENAI_ORG_ID"),
            project=project or variable(environ, "OPENAI_PROJECT_ID"),
            timeout=DEFAULT_TIMEOUT if is_omitted(timeout) else timeout,
            max_retries=max_retries,
            default_headers=default_headers,
            default_query=default_query,
            max_response_bytes=max_response_bytes,
            max_event_bytes=max_event_bytes,
            max_error_bytes=max_error_bytes,
        )
        return made.with_key_from(environ) if api_key is None else made
    finally:  # keep it out of tracebacks with local variables
        del api_key, environ, base_url, default_headers, default_query
