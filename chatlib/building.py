"""What every call is: an operation; and what every request has: a URL, headers, a key, limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, cast
from urllib.parse import unquote_plus, urlencode, urlsplit, urlunsplit

import attrs

from chatlib._omit import Omit, omit
from chatlib._version import __version__
from chatlib.config import Config, Secret
from chatlib.errors import APIStatusError
from chatlib.headers import Headers, redact_url
from chatlib.http import HttpRequest, HttpResponse, Timeout, sized
from chatlib.redaction import conceal, concealed_url, private_frames
from chatlib.types.params import RequestOptions
from chatlib.urls import Url, parse_url, redirect_target

REQUEST_OPTIONS = frozenset(RequestOptions.__annotations__)
"""The names of the options that any call takes, and that are no parameters of the API."""

USER_AGENT = f"chatlib/{__version__}"


T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


def _concealed_options(options: RequestOptions) -> RequestOptions:
    shown = dict(options)
    conceal(shown)
    return cast("RequestOptions", shown)


@attrs.frozen(kw_only=True)
class Operation(Generic[T_co]):
    """One call, but for the carrying: what is sent, and how what comes is read.

    The functions of :mod:`chatlib.endpoints` make them; a client carries them.
    """

    method: str
    path: str
    """What comes after the base URL."""
    read: Callable[[HttpResponse], T_co]
    """A response, whose body is there, to what it says; or raises an exception."""
    options: RequestOptions = attrs.field(converter=_concealed_options)
    """How the call is made, as its caller said."""
    content: bytes = attrs.field(default=b"", repr=sized)
    query: Mapping[str, object] | None = None
    model: object = None
    """The model, where it decides about the path."""
    is_stream: bool = False
    """Whether the answer is asked for as an event stream."""

    def build(self, config: Config, key: Secret | None = None) -> HttpRequest:
        """The request.

        Args:
            config: Whom to ask, and as whom.
            key: In place of the key in ``config``, which is called where it is a function.
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
        """The same, whose answer is read in another way."""
        return cast("Operation[T]", attrs.evolve(self, read=read))  # type: ignore[arg-type]


def split_options(params: Mapping[str, Any]) -> tuple[RequestOptions, dict[str, Any]]:
    """The options of a request, and the rest: what goes into its body or query."""
    options: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in params.items():
        if value is not omit:
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
    """Any request to the API: the URL, the headers and the limits of a call, put together.

    Args:
        path: What comes after the base URL.
        options: What the caller gave for this call: its headers, query and timeout win.
        key: In place of the key in ``config``.
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
    if key:  # no variable holds the header: some tools print the variables of a traceback
        headers = headers.merged(config.credentials(key))
    headers = headers.merged(_checked(config.default_headers, "default_headers"))
    headers = headers.merged(_checked(options.get("extra_headers") or {}, "extra_headers"))
    return HttpRequest(
        method,
        _url(config.base_url, path, config.default_query, query, options.get("extra_query")),
        headers,
        content,
        timeout_of(config, options),
    )


def timeout_of(config: Config, options: RequestOptions) -> Timeout:
    """The limits of a call: its own, or the config's."""
    timeout = options.get("timeout", omit)
    if isinstance(timeout, Omit):
        return config.timeout
    return timeout if isinstance(timeout, Timeout) else Timeout(timeout)


def current_key(config: Config) -> Secret | None:
    """The key to send now: where the config has a function for it, that is called."""
    key = config.api_key
    if key is None or isinstance(key, Secret):
        return key
    return Secret(cast("str", key()))  # which refuses what is no text


def _checked(headers: object, what: str) -> dict[str, str | None]:
    if not isinstance(headers, Mapping):
        raise TypeError(f"{what} is a {type(headers).__name__}; it must be a dict")
    return {name: _header(name, value) for name, value in headers.items()}


# https://www.rfc-editor.org/rfc/rfc9110#name-tokens
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _header(name: object, value: object) -> str | None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} can't be the name of a header")
    if value is None or value is omit:
        return None
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    if any(letter in text for letter in "\r\n\0"):
        raise ValueError(f"the header {name!r} has a newline in its value")
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"the header {name!r} has characters that no header can carry") from None
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
    # What stands in the base URL stays as it is spelled, unless it is said anew.
    kept = [
        pair
        for pair in parts.query.split("&")
        if pair and unquote_plus(pair.partition("=")[0]) not in pairs
    ]
    said = {name: value for name, value in pairs.items() if value is not None}
    added = urlencode(said, doseq=True, errors="replace")
    query_text = "&".join([*kept, added] if added else kept)
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + path, query_text, ""))


def _add_pair(pairs: dict[str, object], name: str, value: object) -> None:
    """Set a pair of a query; None stands for one that is left out."""
    # Nested objects are written as the API reads them: metadata[key]=value.
    if isinstance(value, Mapping):
        for key, item in value.items():
            _add_pair(pairs, f"{name}[{key}]", item)
    elif isinstance(value, (list, tuple)):
        pairs[f"{name}[]"] = value
    elif value is None or value is omit:
        pairs[name] = pairs[f"{name}[]"] = None
    elif isinstance(value, bool):
        pairs[name] = "true" if value else "false"
    else:
        pairs[name] = value


def follow_redirect(request: HttpRequest, response: HttpResponse) -> HttpRequest | None:
    """The request to send next, where the response is a redirect that may be followed, else None.

    Followed are, method and body kept, 307 and 308 within the origin, and from http to https on the
    same host, where both ports are the default ones or the same; and all kinds for a GET. Anything
    else would hand the key and the prompt to someone who was not meant to have them, or turn a POST
    into a GET.

    Raises:
        APIStatusError: the redirect is refused; the message names its target.
    """
    location = response.headers.get("location")
    if not 301 <= response.status <= 308 or location is None:
        return None
    target = location = concealed_url(location)
    try:
        here, there = parse_url(request.url), redirect_target(request.url, location)
    except ValueError as error:
        why = str(error)
    else:
        target = concealed_url(str(there))
        if here.address != there.address and not _is_upgrade(here, there):
            why = "it is another origin, which was sent neither the key nor the prompt"
        elif response.status not in (307, 308) and request.method != "GET":
            why = f"it would turn the {request.method} into a GET"
        else:
            return HttpRequest(
                request.method, target, request.headers, request.content, request.timeout
            )
    response.request = response.request or request
    raise APIStatusError(
        f"Error code: {response.status} - the redirect to {redact_url(target)[:500]} was refused: "
        f"{why}. If that is where the API lives now, make it the base_url.",
        response=response,
    )


def _is_upgrade(here: Url, there: Url) -> bool:
    """Return whether a redirect leads from http to https on one host, and to no other server."""
    ports = (here.port, there.port)
    return (
        (here.scheme, there.scheme) == ("http", "https")
        and here.host == there.host
        and (ports == (80, 443) or here.port == there.port)
    )
