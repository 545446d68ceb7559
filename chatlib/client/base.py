"""The base of all clients: configuration, hooks, shared transport, copying and pickling."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakSet

import attrs

from chatlib.client.call import Call
from chatlib.client.hooks import Hooks, log_to_stderr
from chatlib.client.settings import UNUSED, AzureNames, Held, Settings
from chatlib.client.verbs import Verbs
from chatlib.config import Config, config_from_env, hide_secrets

if TYPE_CHECKING:
    from typing_extensions import Self

    from chatlib.azure import AzureConfig
    from chatlib.wire.request import Operation

TransportT = TypeVar("TransportT")


OUTSIDE = frozenset(
    """
    admin audio batches containers conversations embeddings evals files fine_tuning
    images moderations realtime responses skills uploads vector_stores videos webhooks
    """.split()
)
"""The namespaces of the official clients that chatlib does not have."""

_NAMESPACES = ("chat", "beta", "models")
_CREDENTIALS = ("api_key", "azure_ad_token", "azure_ad_token_provider")
_HOOKS = tuple(field.name for field in attrs.fields(Hooks))


class LegacyCompletions:
    """The legacy Completions API, which chatlib does not have."""

    def create(self, *_: object, **__: object) -> Any:
        """Raise an error that names the way.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            "the legacy Completions API is not part of chatlib: use client.chat.completions, or "
            'client.post("/completions", cast_to=dict, body=...)'
        )


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

    def __contains__(self, client: object) -> bool:
        return client in self._users

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


class BaseClient(Settings, Verbs, Generic[TransportT]):
    """The base of all clients; see :class:`~chatlib.client.openai.OpenAI`."""

    _shared: SharedTransport[TransportT]
    _default_sleep: Callable[[float], Any]
    """Sleeps between attempts."""

    def _initialize(self, settings: dict[str, Any]) -> None:
        hide_secrets(settings)  # so that tracebacks with local variables do not show secrets
        for name in UNUSED & settings.keys():
            if settings.pop(name):
                raise TypeError(f"{type(self).__name__}() has no use for {name!r}; see its help")
        sleep = settings.pop("sleep", None)
        transport = self._chosen_transport(settings)
        hooks = Hooks(**{name: settings.pop(name, None) for name in _HOOKS})
        self._key_is_from_env = all(settings.get(name) is None for name in _CREDENTIALS)
        self._held = Held(self._make_config(settings), hooks)
        self._sleep = sleep or self._default_sleep
        self._use_transport(self._shared_transport(transport))
        log_to_stderr()

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

    def _chosen_transport(self, settings: dict[str, Any]) -> Any:
        """Return the transport that was passed, or one that sends with ``http_client``."""
        given, client = settings.pop("transport", None), settings.pop("http_client", None)
        if client is None:
            return given
        if given is not None:
            raise TypeError("transport and http_client can't both be given")
        from chatlib.transports.clients import transport_of

        return transport_of(client)

    def _use_transport(self, shared: SharedTransport[TransportT]) -> None:
        self._shared = shared
        shared.join(self)

    @property
    def transport(self) -> TransportT:
        """The transport; the default one is created on first use."""
        return self._shared.get()

    def _new_call(self, operation: Operation[Any]) -> Call[Any]:
        return Call(operation, self._held.config, self._held.hooks)

    def is_closed(self) -> bool:
        """Return whether the client was closed."""
        return self not in self._shared

    def _with_changes(self, changes: dict[str, Any]) -> Self:
        hide_secrets(changes)
        transport = self._chosen_transport(changes)
        hooks = Hooks(**{name: changes.pop(name, None) for name in _HOOKS})
        twin = self._shallow_copy()
        twin._held = Held(self.config.changed(**changes), self._held.hooks.merged(hooks))
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
        vars(twin).update({k: v for k, v in vars(self).items() if k not in _NAMESPACES})
        return twin

    def __copy__(self) -> Self:
        return self._with_changes({})

    def __deepcopy__(self, memo: Mapping[int, Any]) -> Self:
        # Like a pickle, it gets its own transport; one that the user passed is shared.
        twin = self._shallow_copy()
        twin._held = attrs.evolve(self._held)
        twin._use_transport(self._shared_transport(self._shared.given))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        state = {k: v for k, v in vars(self).items() if k not in (*_NAMESPACES, "_shared")}
        state["transport"] = self._shared.given
        if self._key_is_from_env:  # a pickle contains the key only if it was passed explicitly
            state["_held"] = attrs.evolve(
                self._held, config=attrs.evolve(self.config, api_key=None)
            )
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        given = state.pop("transport")
        vars(self).update(state)
        if self._key_is_from_env:
            self._held.config = self.config.with_key_from(os.environ)
        self._use_transport(self._shared_transport(given))

    @property
    def completions(self) -> LegacyCompletions:
        """The namespace of the legacy Completions API, which instrumentation looks for."""
        return LegacyCompletions()

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            hint = ""
            if name in OUTSIDE:
                hint = (
                    ": chatlib is for chat completions. client.post(path, cast_to=dict, body=...) "
                    "and client.perform(operation) reach other endpoints; the official package has "
                    "methods for them"
                )
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}{hint}")

    def __repr__(self) -> str:
        # Tools that print local variables call this even if __init__ failed.
        return f"{type(self).__name__}({getattr(self, 'config', None)!r})"


class AzureClient(AzureNames, BaseClient[TransportT]):
    """The base of the Azure OpenAI clients."""

    @classmethod
    def _make_config(cls, settings: Mapping[str, Any]) -> AzureConfig:
        from chatlib.azure import azure_config_from_env

        return azure_config_from_env(**settings)
