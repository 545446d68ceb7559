"""Operations, and the parts common to all requests: URL, headers, credentials and timeout."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, cast
from urllib.parse import unquote_plus, urlencode, urlsplit, urlunsplit

import attrs

from chatlib._version import __version__
from chatlib.config import Config, Secret
from chatlib.headers import Headers
from chatlib.http import HttpRequest, HttpResponse, Timeout, is_omitted, omit, sized
from chatlib.redaction import conceal, private_frames
from chatlib.timeouts import as_timeout
from chatlib.types.params import RequestOptions

REQUEST_OPTIONS = frozenset(RequestOptions.__annotations__)
"""The names of the options that any call accepts, which are not parameters of the API."""

USER_AGENT = f"chatlib/{__version__}"


T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


def _concealed_options(options: RequestOptions) -> RequestOptions:
    shown = dict(options)
    conceal(shown)
    return cast("RequestOptions", shown)


@attrs.frozen(kw_only=True)
class Operation(Generic[T_co]):
    """One API call as a value: what is sent, and how the response is read.

    The functions of :mod:`chatlib.operations` make operations; a client executes them.
    """

    method: str
    path: str
    """The path after the base URL."""
    read: Callable[[HttpResponse], T_co]
    """Converts a response, whose body has been read, into a result, or raises an exception."""
    options: RequestOptions = attrs.field(converter=_concealed_options)
    """The request options of the caller."""
    content: bytes = attrs.field(default=b"", repr=sized)
    query: Mapping[str, object] | None = None
    model: object = None
    """The model, if the path depends on it."""
    is_stream: bool = False
    """Whether an event stream is requested."""

    def build(self, config: Config, key: Secret | None = None) -> HttpRequest:
        """Build the request.

        Args:
            config: The client configuration.
            key: The API key to use instead of the one of ``config``.

        Returns:
            A new request.
        """
        return build_request(
            config,
            self.method,
            config.path(self.path, self.model),
            content=self.content,
            query=self.query,
            accept="text/event-stream" if self.is_stream else "application/json",
            options=self.options,
            key=key,
        )

    def reading(self, read: Callable[[HttpResponse], T]) -> Operation[T]:
        """Return the operation with another function to read the response."""
        return cast("Operation[T]", attrs.evolve(self, read=read))  # type: ignore[arg-type]


def split_options(params: Mapping[str, Any]) -> tuple[RequestOptions, dict[str, Any]]:
    """Split parameters into request options and parameters of the API; drop those omitted."""
    options: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in params.items():
        if not is_omitted(value):
            (options if name in REQUEST_OPTIONS else rest)[name] = value
    return cast("RequestOptions", options), rest


def build_request(
    config: Config,
    method: str,
    path: str,
    *,
    content: bytes = b"",
    query: Mapping[str, object] | None = None,
    accept: str = "application/json",
    options: RequestOptions | None = None,
    key: Secret | None = None,
) -> HttpRequest:
    """Build a request to the API: URL, headers, credentials and timeout.

    Args:
        config: The client configuration.
        method: The HTTP method.
        path: The path after the base URL.
        content: The encoded body.
        query: The query parameters of the operation.
        accept: The media type for the ``Accept`` header.
        options: The request options of the caller: its headers, query and timeout take precedence.
        key: The API key to use instead of the one of ``config``.

    Returns:
        A new request.
    """
    options = _concealed_options(options) if options else {}
    key = key or current_key(config)
    with private_frames():
        return _build_request(config, method, path, content, query, accept, options, key)


def _build_request(
    config: Config,
    method: str,
    path: str,
    content: bytes,
    query: Mapping[str, object] | None,
    accept: str,
    options: RequestOptions,
    key: Secret | None,
) -> HttpRequest:
    headers = Headers({"Accept": accept, "User-Agent": USER_AGENT})
    if content:
        headers = headers.merged({"Content-Type": "application/json"})
    own = {
        "OpenAI-Organization": config.organization,
        "OpenAI-Project": config.project,
        "Idempotency-Key": options.get("idempotency_key"),
    }
    headers = headers.merged(_checked(own, "a header"))
    if key:  # not kept in a variable: some tools print the variables of a traceback
        headers = headers.merged(config.credentials(key))
    headers = headers.merged(_checked(config.default_headers, "default_headers"))
    headers = headers.merged(_checked(options.get("extra_headers") or {}, "extra_headers"))
    return HttpRequest(
        method,
        _url(config.base_url, path, config.default_query, query, options.get("extra_query")),
        headers,
        content,
        timeout_of(config, options),
        config.size_limits,
    )


def timeout_of(config: Config, options: RequestOptions) -> Timeout:
    """Return the timeout of a call: its own, or that of the configuration."""
    timeout = options.get("timeout", omit)
    if is_omitted(timeout):
        return config.timeout
    return as_timeout(timeout)


def current_key(config: Config) -> Secret | None:
    """Return the API key of a configuration; a function for it is called."""
    key = config.api_key
    if key is None or isinstance(key, Secret):
        return key
    return Secret(cast("str", key()))  # raises a TypeError if it is not a string


def _checked(headers: object, what: str) -> dict[str, str | None]:
    if not isinstance(headers, Mapping):
        raise TypeError(f"{what} is a {type(headers).__name__}; it must be a dict")
    return {name: _header(name, value) for name, value in headers.items()}


# https://www.rfc-editor.org/rfc/rfc9110#name-tokens
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _header(name: object, value: object) -> str | None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a valid header name")
    if value is None or is_omitted(value):
        return None
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    if any(letter in text for letter in "\r\n\0"):
        raise ValueError(f"the header {name!r} has a line break or null character in its value")
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(
            f"the header {name!r} has characters that are not Latin-1, which a header cannot have"
        ) from None
    return text


def _url(base: str, path: str, *queries: Mapping[str, object] | None) -> str:
    if "?" not in base and "#" not in base and not any(queries):
        return base.rstrip("/") + path
    parts = urlsplit(base)
    pairs: dict[str, object] = {}
    for query in queries:
        if not isinstance(query, (Mapping, type(None))):
            raise TypeError(f"a query is a {type(query).__name__}; it must be a dict")
        for name, value in (query or {}).items():
            _add_pair(pairs, name, value)
    # Parameters of the base URL keep their spelling, unless they are overridden.
    kept = [
        pair
        for pair in parts.query.split("&")
        if pair and unquote_plus(pair.partition("=")[0]) not in pairs
    ]
    values = {name: value for name, value in pairs.items() if value is not None}
    added = urlencode(values, doseq=True, errors="replace")
    query_text = "&".join([*kept, added] if added else kept)
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + path, query_text, ""))


def _add_pair(pairs: dict[str, object], name: str, value: object) -> None:
    """Set a query parameter; None removes it. Nested objects become ``metadata[key]=value``."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            _add_pair(pairs, f"{name}[{key}]", item)
    elif isinstance(value, (list, tuple)):
        pairs[f"{name}[]"] = value
    elif value is None or is_omitted(value):
        pairs[name] = pairs[f"{name}[]"] = None
    elif isinstance(value, bool):
        pairs[name] = "true" if value else "false"
    else:
        pairs[name] = value
