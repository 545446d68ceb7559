"""What a client is, whichever way it waits: config, hooks, shared transport, copies, pickles."""

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
    """What a client is made with; all of it can be left out.

    Parameters:
        api_key: The key, or a function that gives it and is called for each attempt. Without it,
            the environment variable ``OPENAI_API_KEY``.
        base_url: What comes before ``/chat/completions``. Without it, ``OPENAI_BASE_URL``, or
            OpenAI's own.
        organization: Without it, ``OPENAI_ORG_ID``.
        project: Without it, ``OPENAI_PROJECT_ID``.
        timeout: Seconds for each wait, or a :class:`~chatlib.http.Timeout` with a limit for each
            kind of wait, for the whole call and for the silence at the end of a stream, or None
            for no limit. 600 s for reading and 5 s for connecting, unless given.
        max_retries: How often a call that failed for a passing reason is tried again: 2, unless
            given.
        default_headers: Headers for each request; None as a value leaves a header out.
        default_query: Query parameters for each request.
        on_request: Called with each request just before it is sent: each attempt, each redirect.
        on_response: Called with each response when its headers are there; its body is not read.
        on_retry: Called with the exception after which there is another attempt, and the seconds
            until then.
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
    """What a client of Azure OpenAI is made with: as :class:`ClientSettings`, and these.

    Of the credentials one is needed, or one of ``AZURE_OPENAI_AD_TOKEN`` and
    ``AZURE_OPENAI_API_KEY``.

    Parameters:
        azure_endpoint: The address of the resource. Without it, ``AZURE_OPENAI_ENDPOINT``.
        azure_deployment: The deployment to ask; without it, the one that is named like the model.
        api_version: The version of the API. Without it, ``OPENAI_API_VERSION``.
        azure_ad_token: A token of Entra ID.
        azure_ad_token_provider: A function that gives one, called for each attempt.
    """

    azure_endpoint: str | None
    azure_deployment: str | None
    api_version: str | None
    azure_ad_token: str | Secret | None
    azure_ad_token_provider: KeyFunction | None


class Changes(ClientSettings, total=False):
    """What can be changed about a client: as :class:`ClientSettings`, and these.

    Parameters:
        set_default_headers: In place of all default headers; ``default_headers`` adds to them.
        set_default_query: In place of the whole default query; ``default_query`` adds to it.
    """

    set_default_headers: Mapping[str, str | None] | None
    set_default_query: Mapping[str, object] | None


class AzureChanges(AzureSettings, Changes, total=False):
    """What can be changed about a client of Azure OpenAI."""


_CREDENTIALS = ("api_key", "azure_ad_token", "azure_ad_token_provider")
_HOOKS = tuple(field.name for field in attrs.fields(Hooks))


class SharedTransport(Generic[TransportT]):
    """The transport of a client and its copies: made when first needed, closed with the last.

    There is no lock, which a fork could leave held: of two transports that threads make at once,
    one is used and the other is dropped before it has a connection.
    """

    def __init__(self, given: TransportT | None, make: Callable[[], TransportT]) -> None:
        self.given = given
        """The transport that somebody else made."""
        self._make = make
        self._made: dict[str, TransportT] = {}
        self._users: WeakSet[Any] = WeakSet()

    def get(self) -> TransportT:
        """The transport."""
        if self.given is not None:
            return self.given
        made = self._made.get("made")
        return self._made.setdefault("made", self._make()) if made is None else made

    def join(self, client: object) -> None:
        """A client uses it."""
        self._users.add(client)

    def leave(self, client: object) -> TransportT | None:
        """A client was closed: the transport, where it was the last that used it."""
        self._users.discard(client)
        if self._users:
            return None
        return self._made.get("made") if self.given is None else self.given


class BaseClient(Generic[TransportT]):
    """What all clients have; see :class:`~chatlib.client.openai.OpenAI`."""

    config: Config
    _hooks: Hooks
    _key_is_from_env: bool
    _shared: SharedTransport[TransportT]

    def _initialize(
        self, transport: TransportT | None, sleep: Callable[[float], Any], settings: dict[str, Any]
    ) -> None:
        hide_secrets(settings)  # some tools print the variables of a traceback
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
        """What comes before ``/chat/completions``."""
        return self.config.base_url

    @property
    def max_retries(self) -> int:
        """How often a call that failed for a passing reason is tried again."""
        return self.config.max_retries

    @property
    def transport(self) -> TransportT:
        """Who carries the requests; the default one is made when it is first needed."""
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
        """What ``chat`` holds in place of this client, which would make a circle of them.

        A client that is in a circle is not gone when nobody has it any more, and would count among
        those that use the transport.
        """
        return self._shallow_copy()

    def _shallow_copy(self) -> Self:
        twin = type(self).__new__(type(self))
        vars(twin).update({k: v for k, v in vars(self).items() if k not in ("chat", "beta")})
        return twin

    def __copy__(self) -> Self:
        return self._with_changes(None, {})

    def __deepcopy__(self, memo: Mapping[int, Any]) -> Self:
        # As a pickle, it has a pool of its own; a transport that was given is not copied.
        twin = self._shallow_copy()
        twin._use_transport(self._shared_transport(self._shared.given))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        state = {k: v for k, v in vars(self).items() if k not in ("chat", "beta", "_shared")}
        state["transport"] = self._shared.given
        if self._key_is_from_env:  # a pickle carries the key only if it was given
            state["config"] = attrs.evolve(self.config, api_key=None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        given = state.pop("transport")
        vars(self).update(state)
        if self._key_is_from_env:
            self.config = self.config.with_key_from(os.environ)
        self._use_transport(self._shared_transport(given))

    def __repr__(self) -> str:
        # Also asked of a client whose making failed, by tools that print a traceback's variables.
        return f"{type(self).__name__}({getattr(self, 'config', None)!r})"


class AzureClient(BaseClient[TransportT]):
    """What the clients of Azure OpenAI have beside."""

    @classmethod
    def _setting_names(cls) -> frozenset[str]:
        return frozenset(AzureSettings.__annotations__)

    @classmethod
    def _make_config(cls, settings: Mapping[str, Any]) -> AzureConfig:
        return azure_config_from_env(**settings)


def _check_names(call: str, given: Mapping[str, Any], known: frozenset[str]) -> None:
    for name in given:
        if name not in known:
            hint = f"there are: {', '.join(sorted(known))}"
            if name == "http_client":
                hint = "a transport takes its place"
            raise TypeError(f"{call} has no setting {name!r}; {hint}")
