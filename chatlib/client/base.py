"""The base of all clients: configuration, hooks, shared transport, copying and pickling."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakSet

import attrs
from typing_extensions import TypedDict

from chatlib.client.call import Call
from chatlib.client.hooks import Hooks, log_to_stderr
from chatlib.config import (
    AzureConfig,
    Config,
    KeyFunction,
    KeyLike,
    Secret,
    TimeoutLike,
    azure_config_from_env,
    config_from_env,
    hide_secrets,
)
from chatlib.http import Omit

if TYPE_CHECKING:
    from typing_extensions import Self

    from chatlib.errors import APIError
    from chatlib.http import HttpRequest, HttpResponse
    from chatlib.wire.request import Operation

TransportT = TypeVar("TransportT")


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
        on_request: Called with each request before it is sent, including retries and redirects.
        on_response: Called with each response when its headers have arrived.
        on_retry: Called with the error of an attempt that is retried, and the delay in seconds.
    """

    api_key: KeyLike | None
    base_url: str | None
    organization: str | None
    project: str | None
    timeout: TimeoutLike | Omit
    max_retries: int
    default_headers: Mapping[str, str | None] | None
    default_query: Mapping[str, object] | None
    on_request: Callable[[HttpRequest], object] | None
    on_response: Callable[[HttpResponse], object] | None
    on_retry: Callable[[APIError, float], object] | None


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


_CREDENTIALS = ("api_key", "azure_ad_token", "azure_ad_token_provider")
_HOOKS = tuple(field.name for field in attrs.fields(Hooks))


class SharedTransport(Generic[TransportT]):
    """The transport of a client and its copies: created on first use, closed with the last one.

    There is no lock, which a fork could leave locked: if two threads create a transport at the same
    time, one is used and the other is dropped before it opens a connection.

    Args:
        given: The transport that the user passed; None to create one.
        make: Creates the transport.
    """

    def __init__(self, given: TransportT | None, make: Callable[[], TransportT]) -> None:
        self.given = given
        """The transport that the user passed."""
        self._make = make
        self._made: dict[str, TransportT] = {}
        self._users: WeakSet[Any] = WeakSet()

    def get(self) -> TransportT:
        """Return the transport."""
        if self.given is not None:
            return self.given
        made = self._made.get("made")
        return self._made.setdefault("made", self._make()) if made is None else made

    def join(self, client: object) -> None:
        """Register a client that uses the transport.

        Args:
            client: The client.
        """
        self._users.add(client)

    def leave(self, client: object) -> TransportT | None:
        """Unregister a client that was closed.

        Args:
            client: The client.

        Returns:
            The transport to close, if this was the last client; otherwise None.
        """
        self._users.discard(client)
        if self._users:
            return None
        return self._made.get("made") if self.given is None else self.given


class BaseClient(Generic[TransportT]):
    """The base of all clients; see :class:`~chatlib.client.openai.OpenAI`."""

    config: Config
    _hooks: Hooks
    _key_is_from_env: bool
    _shared: SharedTransport[TransportT]

    def _initialize(
        self, transport: TransportT | None, sleep: Callable[[float], Any], settings: dict[str, Any]
    ) -> None:
        hide_secrets(settings)  # so that tracebacks with local variables do not show secrets
        _check_names(type(self).__name__, settings, self._setting_names())
        self._hooks = Hooks(**{name: settings.pop(name, None) for name in _HOOKS})
        self._key_is_from_env = all(settings.get(name) is None for name in _CREDENTIALS)
        self.config = self._make_config(settings)
        self._sleep = sleep
        self._use_transport(self._shared_transport(transport))
        log_to_stderr()

    @classmethod
    def _setting_names(cls) -> frozenset[str]:
        return frozenset(ClientSettings.__annotations__)

    @classmethod
    def _make_config(cls, settings: Mapping[str, Any]) -> Config:
        return config_from_env(**settings)

    @staticmethod
    def _make_transport() -> TransportT:
        raise NotImplementedError

    @staticmethod
    def _adapt_transport(transport: TransportT) -> TransportT:
        return transport

    def _shared_transport(self, given: TransportT | None) -> SharedTransport[TransportT]:
        adapted = None if given is None else self._adapt_transport(given)
        return SharedTransport(adapted, self._make_transport)

    def _use_transport(self, shared: SharedTransport[TransportT]) -> None:
        self._shared = shared
        shared.join(self)

    @property
    def base_url(self) -> str:
        """The base URL, to which ``/chat/completions`` is added."""
        return self.config.base_url

    @property
    def max_retries(self) -> int:
        """The maximum number of retries."""
        return self.config.max_retries

    @property
    def transport(self) -> TransportT:
        """The transport; the default one is created on first use."""
        return self._shared.get()

    def _new_call(self, operation: Operation[Any]) -> Call[Any]:
        return Call(operation, self.config, self._hooks)

    def _with_changes(self, transport: TransportT | None, changes: dict[str, Any]) -> Self:
        hide_secrets(changes)
        _check_names(
            "with_options()", changes, self._setting_names() | Changes.__annotations__.keys()
        )
        hooks = Hooks(**{name: changes.pop(name, None) for name in _HOOKS})
        twin = self._shallow_copy()
        twin._hooks = self._hooks.merged(hooks)
        twin.config = self.config.changed(**changes)
        if any(changes.get(name) is not None for name in _CREDENTIALS):
            twin._key_is_from_env = False
        twin._use_transport(
            self._shared if transport is None else self._shared_transport(transport)
        )
        return twin

    def _copy_for_chat(self) -> Self:
        """Return a shallow copy for ``chat`` to avoid a reference cycle.

        A client in a cycle would not be freed when its last user is gone, and would still count
        among the users of the transport.
        """
        return self._shallow_copy()

    def _shallow_copy(self) -> Self:
        twin = type(self).__new__(type(self))
        vars(twin).update({k: v for k, v in vars(self).items() if k not in ("chat", "beta")})
        return twin

    def __copy__(self) -> Self:
        return self._with_changes(None, {})

    def __deepcopy__(self, memo: Mapping[int, Any]) -> Self:
        # Like a pickle, it gets its own transport; one that the user passed is shared.
        twin = self._shallow_copy()
        twin._use_transport(self._shared_transport(self._shared.given))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        state = {k: v for k, v in vars(self).items() if k not in ("chat", "beta", "_shared")}
        state["transport"] = self._shared.given
        if self._key_is_from_env:  # a pickle contains the key only if it was passed explicitly
            state["config"] = attrs.evolve(self.config, api_key=None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        given = state.pop("transport")
        vars(self).update(state)
        if self._key_is_from_env:
            self.config = self.config.with_key_from(os.environ)
        self._use_transport(self._shared_transport(given))

    def __repr__(self) -> str:
        # Tools that print local variables call this even if __init__ failed.
        return f"{type(self).__name__}({getattr(self, 'config', None)!r})"


class AzureClient(BaseClient[TransportT]):
    """The base of the Azure OpenAI clients."""

    @classmethod
    def _setting_names(cls) -> frozenset[str]:
        return frozenset(AzureSettings.__annotations__)

    @classmethod
    def _make_config(cls, settings: Mapping[str, Any]) -> AzureConfig:
        return azure_config_from_env(**settings)


def _check_names(call: str, given: Mapping[str, Any], known: frozenset[str]) -> None:
    for name in given:
        if name not in known:
            hint = f"valid settings: {', '.join(sorted(known))}"
            if name == "http_client":
                hint = "a transport takes its place"
            raise TypeError(f"{call} has no setting {name!r}; {hint}")
