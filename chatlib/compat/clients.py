"""The clients, which hand out objects of the official package."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import openai

from chatlib.client import async_openai
from chatlib.client import openai as clients
from chatlib.client.call import Call
from chatlib.compat.answers import official
from chatlib.compat.errors import twins
from chatlib.http import HttpResponse
from chatlib.wire.request import Operation

R = TypeVar("R")


class _Namespaces:
    """The namespaces of a client, whose methods return objects of the official package."""

    @functools.cached_property
    def chat(self) -> Any:
        """The namespace ``client.chat``."""
        return official(super().chat)  # type: ignore[misc]

    @functools.cached_property
    def models(self) -> Any:
        """The namespace ``client.models``."""
        return official(super().models)  # type: ignore[misc]


class OpenAI(_Namespaces, clients.OpenAI):
    """A client that ``isinstance`` takes for the official one."""

    __class__ = property(lambda self: openai.OpenAI)

    def perform_with(
        self, operation: Operation[Any], receive: Callable[[HttpResponse, Call[Any]], R]
    ) -> R:
        """Execute an operation; its errors are of both packages."""
        with twins():
            return super().perform_with(operation, receive)


class AsyncOpenAI(_Namespaces, async_openai.AsyncOpenAI):
    """A client that ``isinstance`` takes for the official asynchronous one."""

    __class__ = property(lambda self: openai.AsyncOpenAI)

    async def perform_with(
        self, operation: Operation[Any], receive: Callable[[HttpResponse, Call[Any]], Awaitable[R]]
    ) -> R:
        """Execute an operation; its errors are of both packages."""
        with twins():
            return await super().perform_with(operation, receive)


class AzureOpenAI(OpenAI, clients.AzureOpenAI):
    """A client that ``isinstance`` takes for the official one for Azure."""

    __class__ = property(lambda self: openai.AzureOpenAI)


class AsyncAzureOpenAI(AsyncOpenAI, async_openai.AsyncAzureOpenAI):
    """A client that ``isinstance`` takes for the official asynchronous one for Azure."""

    __class__ = property(lambda self: openai.AsyncAzureOpenAI)
