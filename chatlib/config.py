"""Client configuration: base URL, credentials, timeouts and retries (immutable).

Nothing is read from the environment at import. :func:`config_from_env` reads it when called.
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
from chatlib.http import Omit, Timeout, is_omitted, omit
from chatlib.redaction import conceal, concealed, concealed_url, private_frames
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


class Secret:
    """A text that is hidden in every ``repr``, log line and traceback.

    Args:
        text: The text.

    Raises:
        OpenAIError: The text cannot be sent in an HTTP header.
        TypeError: It is not a str.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            kind, text = type(text).__name__, ""
            raise TypeError(
                f"api_key is a {kind}; it must be a str, or a function that returns one"
            )
        # A key read from a file often ends in a newline. HTTP libraries quote invalid headers in
        # their errors, so it is rejected here, without quoting it.
        if not re.fullmatch(r"[\x20-\x7e]*", text) or text != text.strip():
            text = ""
            raise OpenAIError(
                "api_key has a newline, a control or non-ASCII character, or blanks around it, "
                "which is invalid in an HTTP header. If it was read from a file, call .strip()."
            )
        self._text = text

    def reveal(self) -> str:
        """Return the text itself: for sending, not for display."""
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


def _as_key(key: KeyLike | None) -> Secret | KeyFunction | None:
    try:
        return key if key is None or callable(key) or isinstance(key, Secret) else Secret(key)
    finally:
        del key  # keep it out of tracebacks with local variables


_EXAMPLES = {
    "base_url": "https://api.openai.com/v1 or http://localhost:8080/v1",
    "azure_endpoint": "https://name.openai.azure.com",
}


def _checked_base_url(url: str, name: str = "base_url") -> str:
    """Return a validated base URL, without ``/chat/completions``, which each call adds."""
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
    """

    api_key: Secret | KeyFunction | None = attrs.field(default=None, converter=_as_key)
    base_url: str = attrs.field(default=DEFAULT_BASE_URL, converter=_checked_base_url)
    organization: str | None = None
    project: str | None = None
    timeout: Timeout = attrs.field(default=DEFAULT_TIMEOUT, converter=as_timeout)
    max_retries: int = attrs.field(default=DEFAULT_MAX_RETRIES, converter=check_max_retries)
    default_headers: Mapping[str, str | None] = attrs.field(
        factory=dict, converter=_conceal_headers
    )
    default_query: Mapping[str, object] = attrs.field(factory=dict, converter=_conceal_query)

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
            key = Secret(_variable(environ, "OPENAI_API_KEY") or "")
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


def _variable(environ: Mapping[str, str], name: str) -> str | None:
    """Return a variable; None where it is empty.

    Blanks around it are left out: files with variables may end their lines by a carriage return,
    and files with secrets by a newline.
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

    Returns:
        The configuration.

    Raises:
        OpenAIError: The API key is missing or invalid, or the base URL is invalid.
    """
    environ = os.environ if environ is None else environ
    try:
        made = Config(
            api_key=Secret(api_key) if isinstance(api_key, str) else api_key,
            base_url=base_url or _variable(environ, "OPENAI_BASE_URL") or DEFAULT_BASE_URL,
            organization=organization or _variable(environ, "OPENAI_ORG_ID"),
            project=project or _variable(environ, "OPENAI_PROJECT_ID"),
            timeout=DEFAULT_TIMEOUT if is_omitted(timeout) else timeout,
            max_retries=max_retries,
            default_headers=default_headers,
            default_query=default_query,
        )
        return made.with_key_from(environ) if api_key is None else made
    finally:  # keep it out of tracebacks with local variables
        del api_key, environ, base_url, default_headers, default_query


# Azure ----------------------------------------------------------------------------------------


@hides_secrets
@attrs.frozen(kw_only=True, repr=False)
class AzureConfig(Config):
    """Client configuration for an Azure OpenAI resource, like :class:`Config`.

    Requests go to
    ``{base_url}/deployments/{deployment or model}/chat/completions?api-version=...``
    (https://learn.microsoft.com/azure/ai-services/openai/reference).

    Args:
        deployment: The deployment; by default the one with the name of the model.
        is_token: Whether ``api_key`` is a Microsoft Entra ID token and not a key of the resource.
    """

    deployment: str | None = None
    is_token: bool = False

    def credentials(self, key: Secret) -> Mapping[str, str]:
        """Return the headers with the key or the token.

        Args:
            key: The API key or the token.
        """
        return super().credentials(key) if self.is_token else {"api-key": key.reveal()}

    def path(self, path: str, model: object) -> str:
        """Return the path of an operation; if it creates something, with the deployment.

        Args:
            path: The path in the OpenAI API, such as ``/chat/completions``.
            model: The model of a request that creates something; otherwise None.
        """
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
        """Return a copy with some settings changed, named as in :func:`azure_config_from_env`.

        Args:
            api_version: The API version.
            azure_endpoint: The endpoint.
            azure_deployment: The deployment.
            azure_ad_token: A Microsoft Entra ID token.
            azure_ad_token_provider: A function that returns a token.
            fields: Other settings, as for :meth:`Config.changed`.

        Returns:
            The copy.

        Raises:
            OpenAIError: A setting is invalid, or there is more than one credential.
        """
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
        """Return a copy with the token or the key from the environment.

        Args:
            environ: The environment variables.

        Raises:
            OpenAIError: Both are missing, or one is invalid.
        """
        names = {"AZURE_OPENAI_AD_TOKEN": True, "AZURE_OPENAI_API_KEY": False}
        try:
            for name, is_token in names.items():
                key = Secret(_variable(environ, name) or "")
                if key:
                    return attrs.evolve(self, api_key=key, is_token=is_token)
        finally:
            del environ
        raise OpenAIError(
            "There are no credentials. Set the environment variable AZURE_OPENAI_API_KEY or "
            "AZURE_OPENAI_AD_TOKEN, or pass api_key=, azure_ad_token= or "
            "azure_ad_token_provider= to the client."
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
    """Return an :class:`AzureConfig` from arguments and, for missing ones, environment variables.

    The variables are ``AZURE_OPENAI_ENDPOINT``, ``OPENAI_API_VERSION`` and, without credentials,
    ``AZURE_OPENAI_AD_TOKEN`` and ``AZURE_OPENAI_API_KEY``.

    Args:
        environ: The environment variables; by default :data:`os.environ`.
        azure_endpoint: The endpoint of the resource, such as ``https://name.openai.azure.com``, or
            the target URI that the portal shows; its deployment and API version are used if no
            others are given.
        azure_deployment: The deployment; by default the one with the name of the model.
        api_version: The API version, such as ``2024-10-21``.
        api_key: A key of the resource, or a function that returns it.
        azure_ad_token: A Microsoft Entra ID token, which takes precedence over a key.
        azure_ad_token_provider: A function that returns a token, called for each attempt.
        base_url: The base URL in place of the endpoint: everything before ``/chat/completions`` or
            ``/deployments``.
        default_query: As for :class:`Config`.
        settings: Other settings, as for :func:`config_from_env`.

    Returns:
        The configuration.

    Raises:
        OpenAIError: The endpoint, the API version or the credentials are missing or invalid.
        ValueError: Both ``base_url`` and ``azure_endpoint`` are given.
    """
    environ = os.environ if environ is None else environ
    base_url = base_url and concealed_url(base_url)
    azure_endpoint = azure_endpoint and concealed_url(azure_endpoint)
    default_query = concealed(default_query)
    hide_secrets(settings)
    try:
        if base_url is not None and azure_endpoint is not None:
            raise ValueError("base_url and azure_endpoint can't both be given")
        endpoint = azure_endpoint or concealed_url(
            _variable(environ, "AZURE_OPENAI_ENDPOINT") or ""
        )
        if base_url is None and not endpoint:
            raise OpenAIError(
                "There is no endpoint. Set the environment variable AZURE_OPENAI_ENDPOINT, or pass "
                "azure_endpoint= or base_url= to the client."
            )
        version = (
            api_version
            or (default_query or {}).get("api-version")
            or _api_version_of(base_url if base_url is not None else azure_endpoint)
            or _variable(environ, "OPENAI_API_VERSION")
            or _api_version_of(endpoint)
        )
        if not version:
            raise OpenAIError(
                "There is no API version. Set the environment variable OPENAI_API_VERSION, or pass "
                "api_version= to the client, such as 2024-10-21."
            )
        address, deployment = (
            (base_url, None) if base_url is not None else _split_azure_endpoint(endpoint)
        )
        made = AzureConfig(
            base_url=address,
            deployment=azure_deployment or deployment,
            default_query={**(default_query or {}), "api-version": version},
            organization=settings.pop("organization", None) or _variable(environ, "OPENAI_ORG_ID"),
            project=settings.pop("project", None) or _variable(environ, "OPENAI_PROJECT_ID"),
            **{name: value for name, value in settings.items() if not is_omitted(value)},
        )
        made = made.changed(
            api_key=api_key,
            azure_ad_token=azure_ad_token,
            azure_ad_token_provider=azure_ad_token_provider,
        )
        return made.with_key_from(environ) if made.api_key is None else made
    finally:
        del api_key, azure_ad_token, environ  # keep it out of tracebacks with local variables


_AZURE_HOST = re.compile(r".+\.(openai|cognitiveservices|services\.ai)\.azure\.(com|us|cn)")


def _split_azure_endpoint(endpoint: str) -> tuple[str, str | None]:
    """Return the base URL of an Azure endpoint, and the deployment if it contains one.

    The endpoint is the address of a resource or of a gateway; or the target URI of a deployment,
    with or without the operation.
    """
    with private_frames():
        parts = urlsplit(_checked_base_url(endpoint, "azure_endpoint"))
    root, _, deployment = parts.path.rstrip("/").partition("/openai/deployments/")
    is_azure = _AZURE_HOST.fullmatch(parts.hostname or "") is not None
    if "/" in deployment or (is_azure and root not in ("", "/openai")):
        del parts  # keep it out of tracebacks with local variables
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
