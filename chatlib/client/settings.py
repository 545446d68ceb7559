"""The settings of clients: what constructors and ``with_options()`` take, to read and to assign."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

import attrs
from typing_extensions import TypedDict

from chatlib.client.hooks import Hooks
from chatlib.config import Config, KeyFunction, KeyLike, Secret, hide_secrets
from chatlib.headers import Headers
from chatlib.http import Omit, Timeout
from chatlib.redaction import private_frames
from chatlib.timeouts import TimeoutLike
from chatlib.url_text import UrlText
from chatlib.wire.request import USER_AGENT

if TYPE_CHECKING:
    from typing_extensions import Self

    from chatlib.azure import AzureConfig
    from chatlib.errors import APIError
    from chatlib.http import HttpRequest, HttpResponse


class ClientSettings(TypedDict, total=False):
    """The settings of a client; all are optional.

    Attributes:
        api_key: The API key, or a function that returns it and is called for each attempt. Default:
            the environment variable ``OPENAI_API_KEY``.
        base_url: The base URL, to which ``/chat/completions`` is added. Default: the environment
            variable ``OPENAI_BASE_URL``, or the OpenAI API.
        organization: The organization. Default: the environment variable ``OPENAI_ORG_ID``.
        project: The project. Default: the environment variable ``OPENAI_PROJECT_ID``.
        timeout: The timeout in seconds, a :class:`~chatlib.http.Timeout`, or None for no timeout.
            Default: 600 seconds, and 5 seconds to connect.
        max_retries: The maximum number of retries. Default: 2.
        default_headers: Headers for each request; the value None removes a header.
        default_query: Query parameters for each request.
        max_response_bytes: The maximum size of an answer that is not streamed, decompressed.
            Default: 256 MiB.
        max_event_bytes: The maximum size of one event of a stream. Default: 64 MiB.
        max_error_bytes: How much of the body of an error status is read. Default: 1 MiB.
        on_request: Called with each request before it is sent, including retries and redirects.
        on_response: Called with each response when its headers have arrived.
        on_retry: Called with the error of an attempt that is retried, and the delay in seconds.
        http_client: An ``httpx`` client or a ``requests.Session`` to send with, in place of
            ``transport``.
    """

    api_key: KeyLike | None
    base_url: str | None
    organization: str | None
    project: str | None
    timeout: TimeoutLike | Omit
    max_retries: int
    default_headers: Mapping[str, str | None] | None
    default_query: Mapping[str, object] | None
    max_response_bytes: int
    max_event_bytes: int
    max_error_bytes: int
    on_request: Callable[[HttpRequest], object] | None
    on_response: Callable[[HttpResponse], object] | None
    on_retry: Callable[[APIError, float], object] | None
    http_client: Any


class UnusedSettings(TypedDict, total=False):
    """Arguments of the official constructors that have no meaning here.

    Attributes:
        admin_api_key: Not used: the endpoints of administrators are not part of chatlib.
        webhook_secret: Not used: webhooks are not part of chatlib.
        websocket_base_url: Not used: the Realtime API is not part of chatlib.
        data_residency: Not used: ``base_url`` names the endpoint of a region.
        provider: Not used: ``base_url`` and ``api_key`` choose the provider.
        workload_identity: Not used: ``api_key`` takes a function that returns a token.
        _strict_response_validation: Not used: the fields of answers are not validated.
        _enforce_credentials: Not used: ``api_key="none"`` is for servers without authentication.
    """

    admin_api_key: None
    webhook_secret: None
    websocket_base_url: None
    data_residency: None
    provider: None
    workload_identity: None
    _strict_response_validation: bool | None
    _enforce_credentials: bool | None


UNUSED = frozenset(UnusedSettings.__annotations__)


class AzureSettings(ClientSettings, total=False):
    """The settings of an Azure OpenAI client, in addition to :class:`ClientSettings`.

    One of the credentials is required, or one of the environment variables
    ``AZURE_OPENAI_AD_TOKEN`` and ``AZURE_OPENAI_API_KEY``.

    Attributes:
        azure_endpoint: The endpoint of the resource. Default: ``AZURE_OPENAI_ENDPOINT``.
        azure_deployment: The deployment. Default: the one with the name of the model.
        api_version: The API version. Default: ``OPENAI_API_VERSION``.
        azure_ad_token: A Microsoft Entra ID token.
        azure_ad_token_provider: A function that returns a token, called for each attempt.
    """

    azure_endpoint: str | None
    azure_deployment: str | None
    api_version: str | None
    azure_ad_token: str | Secret | None
    azure_ad_token_provider: KeyFunction | None


class Changes(ClientSettings, total=False):
    """The settings that ``with_options()`` can change, in addition to :class:`ClientSettings`.

    Attributes:
        set_default_headers: Replaces all default headers; ``default_headers`` is merged into them.
        set_default_query: Replaces the default query; ``default_query`` is merged into it.
    """

    set_default_headers: Mapping[str, str | None] | None
    set_default_query: Mapping[str, object] | None


class AzureChanges(AzureSettings, Changes, total=False):
    """The settings that ``with_options()`` of an Azure OpenAI client can change."""


@attrs.define
class Held:
    """What a client and its ``chat`` have in common, so that an assignment counts for both."""

    config: Config
    hooks: Hooks


R = TypeVar("R")
W = TypeVar("W")


class Setting(Generic[R, W]):
    """A setting as an attribute: read from the configuration; an assignment replaces that.

    Args:
        name: The name of the setting in :class:`~chatlib.config.Config`.
        read: Converts the value of the configuration into what is read.
    """

    def __init__(self, name: str, read: Callable[[Any], R] | None = None) -> None:
        self._name = name
        self._read = read

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Self: ...

    @overload
    def __get__(self, client: Settings, owner: type[Any]) -> R: ...

    def __get__(self, client: Settings | None, owner: type[Any]) -> Any:
        if client is None:
            return self
        value = getattr(client.config, self._name)
        return value if self._read is None else self._read(value)

    def __set__(self, client: Settings, value: W) -> None:
        fields: dict[str, Any] = {self._name: value}
        try:
            hide_secrets(fields)
            with private_frames():
                client._held.config = attrs.evolve(client._held.config, **fields)
        finally:  # keep it out of tracebacks with local variables
            del value, fields
        if self._name == "api_key":
            client._key_is_from_env = False


def _revealed(key: object) -> str:
    return key.reveal().encode().decode() if isinstance(key, Secret) else ""


def _with_slash(base_url: str) -> UrlText:
    url, mark, query = base_url.partition("?")
    return UrlText(f"{url.rstrip('/')}/{mark}{query}")


class Settings:
    """The settings of a client as attributes; an assignment counts from the next call on."""

    _held: Held
    _key_is_from_env: bool

    @property
    def config(self) -> Config:
        """The configuration, which is immutable: an assignment of a setting replaces it."""
        return self._held.config

    api_key = Setting[str, "KeyLike"]("api_key", _revealed)
    """The API key; "" if a function returns it."""
    base_url = Setting[UrlText, "str | UrlText"]("base_url", _with_slash)
    """The base URL, with a slash at its end; ``chat/completions`` is added to it."""
    organization = Setting["str | None", "str | None"]("organization")
    """The organization."""
    project = Setting["str | None", "str | None"]("project")
    """The project."""
    timeout = Setting[Timeout, TimeoutLike]("timeout")
    """The timeout of calls that set none."""
    max_retries = Setting[int, int]("max_retries")
    """The maximum number of retries of calls that set none."""
    default_headers = Setting[Mapping[str, "str | None"], Mapping[str, "str | None"]](
        "default_headers"
    )
    """The headers for each request, as they were passed."""
    default_query = Setting[Mapping[str, object], Mapping[str, object]]("default_query")
    """The query parameters for each request, as they were passed."""
    max_response_bytes = Setting[int, int]("max_response_bytes")
    """The maximum size of an answer that is not streamed, in bytes, decompressed."""
    max_event_bytes = Setting[int, int]("max_event_bytes")
    """The maximum size of one event of a stream, in bytes."""
    max_error_bytes = Setting[int, int]("max_error_bytes")
    """How much of the body of an error status is read, in bytes."""

    # Names of the official package for them, private ones that programs read among them.

    @property
    def auth_headers(self) -> Headers:
        """The header with the API key; none if a function returns it."""
        key = self.config.api_key
        return Headers(self.config.credentials(key) if isinstance(key, Secret) else {})

    _custom_headers = default_headers
    _custom_query = default_query

    @property
    def _client(self) -> Settings:
        return self  # for its ``timeout``, ``base_url`` and ``is_closed``

    @property
    def user_agent(self) -> str:
        """What the client calls itself."""
        return USER_AGENT

    def __setattr__(self, name: str, value: object) -> None:
        # What the class has can be replaced in tests; subclasses have attributes of their own, and
        # instrumentation leaves marks, such as ``client.opik_tracked = True``.
        is_ours = type(self).__module__.partition(".")[0] == "chatlib"
        is_known = name.startswith("_") or hasattr(type(self), name) or value is True
        if is_ours and not is_known:
            raise AttributeError(
                f"{type(self).__name__} has no setting {name!r}, which could be assigned"
            )
        try:
            super().__setattr__(name, value)
        finally:  # keep it out of tracebacks with local variables
            del value


class AzureBaseUrl(Setting[UrlText, "str | UrlText"]):
    """``base_url`` of an Azure client: with the deployment, if there is one for all models."""

    def __get__(self, client: Settings | None, owner: type[Any]) -> Any:
        if client is None:
            return self
        config = cast("AzureConfig", client.config)
        url = _with_slash(config.base_url)
        path = config.path("", "") if config.deployment else ""
        return url.copy_with(path=f"{url.path.rstrip('/')}{path}/") if path else url


class AzureNames(Settings):
    """The settings of an Azure client, by the private names that programs read."""

    base_url = AzureBaseUrl("base_url")
    """The base URL, with the deployment and a slash at its end."""

    @property
    def _azure(self) -> AzureConfig:
        return cast("AzureConfig", self.config)

    @property
    def _api_version(self) -> str:
        return str(self._azure.default_query["api-version"])

    @property
    def _azure_ad_token(self) -> str | None:
        key = self._azure.api_key
        return key.reveal() if self._azure.is_token and isinstance(key, Secret) else None

    @property
    def _azure_ad_token_provider(self) -> KeyFunction | None:
        key = self._azure.api_key
        is_provider = self._azure.is_token and not isinstance(key, Secret)
        return cast("KeyFunction | None", key) if is_provider else None

    @property
    def _azure_deployment(self) -> str | None:
        return self._azure.deployment

    @property
    def _azure_endpoint(self) -> UrlText:
        return UrlText(self._azure.base_url.partition("/openai")[0])
