"""The clients, which hand out objects of the official package."""

from __future__ import annotations

import functools
from typing import Any

import openai

from chatlib.client import async_completions, async_openai, completions
from chatlib.client import openai as clients
from chatlib.compat.answers import OfficialPaginator, official
from chatlib.compat.errors import twins


class Completions(completions.Completions):
    """The methods of ``client.chat.completions``; what they return is of the official package."""

    def _create(self, params: dict[str, Any]) -> Any:
        with twins():
            return official(super()._create(params))

    def _parse(self, params: dict[str, Any]) -> Any:
        with twins():
            return official(super()._parse(params))

    def _retrieve(self, params: dict[str, Any]) -> Any:
        with twins():
            return official(super()._retrieve(params))

    def _update(self, params: dict[str, Any]) -> Any:
        with twins():
            return official(super()._update(params))

    def _delete(self, params: dict[str, Any]) -> Any:
        with twins():
            return official(super()._delete(params))

    def _list(self, params: dict[str, Any]) -> Any:
        with twins():
            return official(super()._list(params))

    @property
    def with_raw_response(self) -> Any:
        """The same methods; each returns the HTTP response with its content."""
        return _Raw(super().with_raw_response)


class _Raw:
    def __init__(self, methods: Any) -> None:
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._methods, name)
        if not callable(method):
            return _Raw(method)

        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            with twins():
                return official(method(*args, **kwargs))

        return call


class AsyncCompletions(async_completions.AsyncCompletions):
    """The methods of ``client.chat.completions``; what they return is of the official package."""

    async def _create(self, params: dict[str, Any]) -> Any:
        with twins():
            return official(await super()._create(params))

    async def _parse(self, params: dict[str, Any]) -> Any:
        with twins():
            return official(await super()._parse(params))

    async def _retrieve(self, params: dict[str, Any]) -> Any:
        with twins():
            return official(await super()._retrieve(params))

    async def _update(self, params: dict[str, Any]) -> Any:
        with twins():
            return official(await super()._update(params))

    async def _delete(self, params: dict[str, Any]) -> Any:
        with twins():
            return official(await super()._delete(params))

    def _list(self, params: dict[str, Any]) -> Any:
        return OfficialPaginator(super()._list(params))

    @property
    def with_raw_response(self) -> Any:
        """The same methods; each returns the HTTP response with its content."""
        return _AsyncRaw(super().with_raw_response)


class _AsyncRaw:
    def __init__(self, methods: Any) -> None:
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._methods, name)
        if not callable(method):
            return _AsyncRaw(method)

        @functools.wraps(method)
        async def call(*args: Any, **kwargs: Any) -> Any:
            with twins():
                return official(await method(*args, **kwargs))

        return call


class _Chat(completions.Chat):
    def __init__(self, client: Any) -> None:
        self.completions = Completions(client)


class _AsyncChat(async_completions.AsyncChat):
    def __init__(self, client: Any) -> None:
        self.completions = AsyncCompletions(client)


class OpenAI(clients.OpenAI):
    """A client that ``isinstance`` takes for the official one."""

    __class__ = property(lambda self: openai.OpenAI)

    @functools.cached_property
    def chat(self) -> Any:
        """The namespace ``client.chat``."""
        return _Chat(self._copy_for_chat())


class AzureOpenAI(clients.AzureOpenAI):
    """A client that ``isinstance`` takes for the official one for Azure."""

    __class__ = property(lambda self: openai.AzureOpenAI)

    @functools.cached_property
    def chat(self) -> Any:
        """The namespace ``client.chat``."""
        return _Chat(self._copy_for_chat())


class AsyncOpenAI(async_openai.AsyncOpenAI):
    """A client that ``isinstance`` takes for the official asynchronous one."""

    __class__ = property(lambda self: openai.AsyncOpenAI)

    @functools.cached_property
    def chat(self) -> Any:
        """The namespace ``client.chat``."""
        return _AsyncChat(self._copy_for_chat())


class AsyncAzureOpenAI(async_openai.AsyncAzureOpenAI):
    """A client that ``isinstance`` takes for the official asynchronous one for Azure."""

    __class__ = property(lambda self: openai.AsyncAzureOpenAI)

    @functools.cached_property
    def chat(self) -> Any:
        """The namespace ``client.chat``."""
        return _AsyncChat(self._copy_for_chat())
