"""Whom to call, as whom, and with which limits: one immutable value.

Nothing is read from the environment at import. :func:`config_from_env` does it, once, when asked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

import attrs

from chatlib.errors import OpenAIError
from chatlib.headers import HIDDEN, redact_url
from chatlib.http import Omit, Timeout, omit
from chatlib.redaction import conceal, concealed, concealed_url, private_frames
from chatlib.urls import parse_url

DEFAULT_BASE_URL = "https://api.openai.com/v1"
DEFAULT_TIMEOUT = Timeout(600, connect=5)
DEFAULT_MAX_RETRIES = 2

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")

TimeoutLike: TypeAlias = "float | Timeout | None"
KeyFunction: TypeAlias = "Callable[[], str] | Callable[[], Awaitable[str]]"
"""Gives the key; an asynchronous client may be given one that is awaited."""

KeyLike: TypeAlias = "str | Secret | KeyFunction"


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


_SECRETS = ("api_key", "azure_ad_token")


def hide_secrets(settings: dict[str, Any]) -> None:
    """Make secrets, in place, of what is secret in some settings: no traceback shall show them.

    Raises:
        TypeError, OpenAIError: a key is none; it is in the settings no more.
    """
    conceal(settings)
    for name in _SECRETS:
        given = settings.get(name)
        if given is None or callable(given) or isinstance(given, Secret):
            continue
        given = None
        settings[name] = Secret(settings.pop(name))


def hides_secrets(made: type[T]) -> type[T]:
    """Let a class hide what it is made with, should its making fail."""
    init = made.__init__

    @wraps(init)
    def __init__(self: T, **fields: Any) -> None:
        hide_secrets(fields)
        with private_frames():
            init(self, **fields)

    made.__init__ = __init__  # type: ignore[assignment, method-assign]
    return made


def _as_key(key: KeyLike | None) -> Secret | KeyFunction | None:
    try:
        return key if key is None or callable(key) or isinstance(key, Secret) else Secret(key)
    finally:
        del key  # some tools print the variables of a traceback


def _as_timeout(timeout: TimeoutLike) -> Timeout:
    return timeout if isinstance(timeout, Timeout) else Timeout(timeout)


_EXAMPLES = {
    "base_url": "https://api.openai.com/v1 or http://localhost:8080/v1",
    "azure_endpoint": "https://name.openai.azure.com",
}


def _checked_base_url(url: str, name: str = "base_url") -> str:
    """Return a base URL, checked; without ``/chat/completions``, which every call adds."""
    url = str(url).strip()
    try:
        if "\\" in url or " " in url or not url.isprintable():
            raise ValueError("the URL has a backslash, a blank or a control character in it")
        parse_url(url)
    except ValueError as error:
        why = str(error)
        shown = redact_url(url)
        if "@" in url or shown == url:  # it may not be what it looks like
            shown = url.rpartition("@")[2].partition("?")[0]
            shown = f"{HIDDEN}@{shown}" if "@" in url else shown
        url = ""  # it may hold a password, and some tools print the variables of a traceback
        raise OpenAIError(
            f"{name} is {shown[:500]!r}: {why}. It must be a whole address, such as "
            f"{_EXAMPLES[name]}"
        ) from None
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if path.endswith("/chat/completions"):  # as providers and portals show it
        url = urlunsplit(parts._replace(path=path.removesuffix("/chat/completions")))
    return concealed_url(url)


def path_segment(value: object, name: str) -> str:
    """An id as a part of a path, so encoded that it can't be anything else.

    Args:
        name: What it is, for the exception.

    Raises:
        ValueError: it is empty, or ``.`` or ``..``, so that the request would mean something else.
        TypeError: it is no text.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} is a {type(value).__name__}; it must be a str")
    # To servers, and to much that is on the way, dots mean another path, percent-encoded or not.
    if value.strip() in ("", ".", ".."):
        raise ValueError(f"{name} is {value!r}; it must be the id that the server gave")
    return quote(value, safe="", errors="replace")


def check_max_retries(count: int) -> int:
    """A number of retries, checked."""
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise ValueError(f"max_retries is {count!r}; it must be a whole number, 0 for no retries")
    return count


def _conceal_headers(headers: Mapping[str, str | None] | None) -> Mapping[str, str | None]:
    made: Mapping[str, str | None] = concealed(dict(headers or {}))
    return made


def _conceal_query(query: Mapping[str, object] | None) -> Mapping[str, object]:
    made: Mapping[str, object] = concealed(dict(query or {}))
    return made


@hides_secrets
@attrs.frozen(kw_only=True)
class Config:
    """Everything that stays the same from call to call.

    Args:
        api_key: The key; or a function that gives it, called for each attempt (tokens that
            expire); or None for a server that wants none.
        base_url: What comes before ``/chat/completions`` (which is left out where it is there). A
            query in it goes with each request; ``default_query``, parameters of a call and
            ``extra_query`` win over it, in this order.
        organization, project: Sent as ``OpenAI-Organization`` and ``OpenAI-Project``.
        timeout: Seconds, a :class:`~chatlib.http.Timeout`, or None for no limit.
        max_retries: How often a failed call is tried again.
        default_headers: Sent with each request; None as a value leaves a header out.
        default_query: Added to each URL.
    """

    api_key: Secret | KeyFunction | None = attrs.field(default=None, converter=_as_key)
    base_url: str = attrs.field(default=DEFAULT_BASE_URL, converter=_checked_base_url)
    organization: str | None = None
    project: str | None = None
    timeout: Timeout = attrs.field(default=DEFAULT_TIMEOUT, converter=_as_timeout)
    max_retries: int = attrs.field(default=DEFAULT_MAX_RETRIES, converter=check_max_retries)
    default_headers: Mapping[str, str | None] = attrs.field(
        factory=dict, converter=_conceal_headers
    )
    default_query: Mapping[str, object] = attrs.field(factory=dict, converter=_conceal_query)

    def credentials(self, key: Secret) -> Mapping[str, str]:
        """The headers that carry the key."""
        return {"Authorization": f"Bearer {key.reveal()}"}

    def path(self, path: str, model: object) -> str:
        """What follows the base URL.

        Args:
            path: As it is in OpenAI's API, such as ``/chat/completions``.
            model: The model of a request that creates something; else None.
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
        """A copy with some fields changed; None, but for ``timeout``, leaves one as it is.

        Args:
            default_headers: Are added to those of the config.
            set_default_headers: Take their place.
            default_query: Is added to that of the config.
            set_default_query: Takes its place.
            fields: Others of the config.
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
            if value is not omit and (value is not None or name == "timeout")
        }
        return attrs.evolve(self, **given)

    def with_key_from(self, environ: Mapping[str, str]) -> Self:
        """A copy with the key that the environment names.

        Raises:
            OpenAIError: it names none, or one that can't be sent.
        """
        try:
            if environ.get("OPENAI_API_KEY") is None:
                raise OpenAIError(_NO_KEY)
            return attrs.evolve(self, api_key=Secret(environ["OPENAI_API_KEY"]))
        finally:
            del environ  # some tools print the variables of a traceback

    def __repr__(self) -> str:
        # Also asked of a config that is not finished, by tools that print a traceback's variables.
        held = attrs.asdict(self, recurse=False) if hasattr(self, "default_query") else {}
        key = "a function" if callable(held.get("api_key")) else held.get("api_key")
        base_url = redact_url(held.get("base_url", ""))
        return f"{type(self).__name__}(base_url={base_url!r}, api_key={key!r})"


_NO_KEY = (
    "There is no API key. Set the environment variable OPENAI_API_KEY, or give "
    'api_key= to the client (any text, such as "none", for a server that wants no key).'
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
        made = Config(
            api_key=Secret(api_key) if isinstance(api_key, str) else api_key,
            base_url=base_url or environ.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL,
            organization=organization or environ.get("OPENAI_ORG_ID") or None,
            project=project or environ.get("OPENAI_PROJECT_ID") or None,
            timeout=DEFAULT_TIMEOUT if isinstance(timeout, Omit) else timeout,
            max_retries=max_retries,
            default_headers=default_headers,
            default_query=default_query,
        )
        return made.with_key_from(environ) if api_key is None else made
    finally:  # some tools print the variables of a traceback
        del api_key, environ, base_url, default_headers, default_query


# Azure ----------------------------------------------------------------------------------------


@hides_secrets
@attrs.frozen(kw_only=True, repr=False)
class AzureConfig(Config):
    """As :class:`Config`, for a resource of Azure OpenAI.

    ``POST {base_url}/deployments/{deployment or model}/chat/completions?api-version=...``
    (https://learn.microsoft.com/azure/ai-services/openai/reference).

    Args:
        deployment: The deployment that answers; without it, the one that is named like the model.
        is_token: Whether ``api_key`` is a token of Entra ID, and no key of the resource.
    """

    deployment: str | None = None
    is_token: bool = False

    def credentials(self, key: Secret) -> Mapping[str, str]:
        """The headers that carry the key, or the token."""
        return super().credentials(key) if self.is_token else {"api-key": key.reveal()}

    def path(self, path: str, model: object) -> str:
        """What follows the base URL: to create something, the path of a deployment."""
        if model is None or "/deployments" in urlsplit(self.base_url).path:
            return path
        return f"/deployments/{path_segment(self.deployment or str(model), 'the deployment')}{path}"

    def changed(
        self,
        *,
        api_version: str | None = None,
        azure_endpoint: str | None = None,
        azure_deployment: str | None = None,
        azure_ad_token: str | Secret | None = None,
        azure_ad_token_provider: KeyFunction | None = None,
        **fields: Any,
    ) -> Self:
        """A copy with some settings changed, by their names as in :func:`azure_config_from_env`."""
        azure_ad_token = azure_ad_token and cast("Secret", _as_key(azure_ad_token))
        azure_endpoint = azure_endpoint and concealed_url(azure_endpoint)
        hide_secrets(fields)
        name = (
            "set_default_query" if fields.get("set_default_query") is not None else "default_query"
        )
        if azure_endpoint is not None:
            fields["base_url"], deployment = _split_azure_endpoint(azure_endpoint)
            azure_deployment = azure_deployment or deployment
        query = fields.get(name) or {}
        version = (
            api_version
            or query.get("api-version")
            or _api_version_of(fields.get("base_url"))
            or self.default_query.get("api-version")
        )
        if version is not None:
            fields[name] = {**query, "api-version": version}
        credentials = [azure_ad_token, azure_ad_token_provider, fields.get("api_key")]
        given = [at for at, value in enumerate(credentials) if value is not None]
        if len(given) > 1:
            raise OpenAIError(
                "Of api_key, azure_ad_token and azure_ad_token_provider only one can be given."
            )
        if given:
            fields |= {"api_key": credentials[given[0]], "is_token": given[0] < 2}
        return super().changed(deployment=azure_deployment, **fields)

    def with_key_from(self, environ: Mapping[str, str]) -> Self:
        """A copy with the token or the key that the environment names.

        Raises:
            OpenAIError: it names neither, or one that can't be sent.
        """
        names = {"AZURE_OPENAI_AD_TOKEN": True, "AZURE_OPENAI_API_KEY": False}
        try:
            for name, is_token in names.items():
                if environ.get(name):
                    return attrs.evolve(self, api_key=Secret(environ[name]), is_token=is_token)
        finally:
            del environ
        raise OpenAIError(
            "There are no credentials. Set the environment variable AZURE_OPENAI_API_KEY or "
            "AZURE_OPENAI_AD_TOKEN, or give the client api_key=, azure_ad_token= or "
            "azure_ad_token_provider=."
        )


def azure_config_from_env(
    environ: Mapping[str, str] | None = None,
    *,
    azure_endpoint: str | None = None,
    azure_deployment: str | None = None,
    api_version: str | None = None,
    api_key: KeyLike | None = None,
    azure_ad_token: str | Secret | None = None,
    azure_ad_token_provider: KeyFunction | None = None,
    base_url: str | None = None,
    default_query: Mapping[str, object] | None = None,
    **settings: Any,
) -> AzureConfig:
    """An :class:`AzureConfig` from what is given and, where nothing is, from the environment.

    Read are ``AZURE_OPENAI_ENDPOINT``, ``OPENAI_API_VERSION`` and, where no credentials are given,
    ``AZURE_OPENAI_AD_TOKEN`` and ``AZURE_OPENAI_API_KEY``.

    Args:
        environ: What to read in place of :data:`os.environ`.
        azure_endpoint: The address of the resource, such as ``https://name.openai.azure.com``; or
            the target URI that the portal shows, whose deployment and version count where no other
            is given.
        azure_deployment: The deployment to ask; without it, the one named like the model.
        api_version: The version of the API, such as ``2024-10-21``.
        api_key: A key of the resource, or a function that gives it.
        azure_ad_token: A token of Entra ID, which goes before a key.
        azure_ad_token_provider: A function that gives the token, called for each attempt.
        base_url: In place of the endpoint: all that comes before ``/chat/completions``, or before
            ``/deployments``.
        settings: As for :func:`config_from_env`.

    Raises:
        OpenAIError: the endpoint, the version or the credentials are missing.
    """
    environ = os.environ if environ is None else environ
    base_url = base_url and concealed_url(base_url)
    azure_endpoint = azure_endpoint and concealed_url(azure_endpoint)
    default_query = concealed(default_query)
    hide_secrets(settings)
    try:
        if base_url is not None and azure_endpoint is not None:
            raise ValueError("base_url and azure_endpoint can't both be given")
        endpoint = azure_endpoint or concealed_url(environ.get("AZURE_OPENAI_ENDPOINT") or "")
        if base_url is None and not endpoint:
            raise OpenAIError(
                "There is no endpoint. Set the environment variable AZURE_OPENAI_ENDPOINT, or give "
                "azure_endpoint= or base_url= to the client."
            )
        version = (
            api_version
            or (default_query or {}).get("api-version")
            or _api_version_of(base_url if base_url is not None else azure_endpoint)
            or environ.get("OPENAI_API_VERSION")
            or _api_version_of(endpoint)
        )
        if not version:
            raise OpenAIError(
                "There is no API version. Set the environment variable OPENAI_API_VERSION, or give "
                "api_version= to the client, such as 2024-10-21."
            )
        address, deployment = (
            (base_url, None) if base_url is not None else _split_azure_endpoint(endpoint)
        )
        made = AzureConfig(
            base_url=address,
            deployment=azure_deployment or deployment,
            default_query={**(default_query or {}), "api-version": version},
            organization=settings.pop("organization", None) or environ.get("OPENAI_ORG_ID") or None,
            project=settings.pop("project", None) or environ.get("OPENAI_PROJECT_ID") or None,
            **{name: value for name, value in settings.items() if value is not omit},
        )
        made = made.changed(
            api_key=api_key,
            azure_ad_token=azure_ad_token,
            azure_ad_token_provider=azure_ad_token_provider,
        )
        return made.with_key_from(environ) if made.api_key is None else made
    finally:
        del api_key, azure_ad_token, environ  # some tools print the variables of a traceback


_AZURE_HOST = re.compile(r".+\.(openai|cognitiveservices|services\.ai)\.azure\.(com|us|cn)")


def _split_azure_endpoint(endpoint: str) -> tuple[str, str | None]:
    """Return the base URL that an endpoint means, and the deployment if it names one.

    The endpoint is the address of a resource, or of a gateway in front of one; or the target URI of
    a deployment, with or without the operation.
    """
    with private_frames():
        parts = urlsplit(_checked_base_url(endpoint, "azure_endpoint"))
    root, _, deployment = parts.path.rstrip("/").partition("/openai/deployments/")
    is_azure = _AZURE_HOST.fullmatch(parts.hostname or "") is not None
    if "/" in deployment or (is_azure and root not in ("", "/openai")):
        del parts  # some tools print the variables of a traceback
        raise OpenAIError(
            f"azure_endpoint is {redact_url(endpoint)!r}; it must be the address of the resource, "
            "such as https://name.openai.azure.com, or the target URI of its chat completions. "
            "(An address with /openai/v1 is one for OpenAI(base_url=...), without api_version.)"
        )
    root = "" if is_azure else root
    base_url = concealed_url(urlunsplit(parts._replace(path=f"{root}/openai")))
    return base_url, unquote(deployment) or None


def _api_version_of(url: str | None) -> str | None:
    """Return the API version in the query of a URL."""
    return dict(parse_qsl((url or "").strip().partition("?")[2])).get("api-version")
