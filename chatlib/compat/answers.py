"""Answers of this library as objects of the official package."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
from openai.types import Model
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionDeleted,
    ChatCompletionStoreMessage,
    ParsedChatCompletion,
)

import chatlib.types as ours
from chatlib.client.async_streams import AsyncStream
from chatlib.client.pagination import AsyncPaginator
from chatlib.client.raw import RawResponse
from chatlib.client.streams import Stream
from chatlib.compat.errors import twins
from chatlib.types.base import JsonObject
from chatlib.types.model import Model as OurModel

_CLASSES: tuple[tuple[type[JsonObject], Any], ...] = (
    (ours.ParsedChatCompletion, ParsedChatCompletion),
    (ours.ChatCompletion, ChatCompletion),
    (ours.ChatCompletionChunk, ChatCompletionChunk),
    (ours.ChatCompletionDeleted, ChatCompletionDeleted),
    (ours.ChatCompletionStoreMessage, ChatCompletionStoreMessage),
    (OurModel, Model),
)


def official(value: Any) -> Any:
    """Return an answer, a stream or a page as the official package has it.

    Args:
        value: What a method of a client returns.
    """
    for mine, theirs in _CLASSES:
        if isinstance(value, mine):
            dumped = value.model_dump(exclude_unset=True)
            made = theirs.construct(**dumped)
            made._request_id = value.request_id
            if isinstance(value, ours.ParsedChatCompletion):
                _set_parsed(made, value)
            return made
    if isinstance(value, Stream):
        return OfficialStream(value)
    if isinstance(value, AsyncStream):
        return AsyncOfficialStream(value)
    if isinstance(value, RawResponse):
        parse = value._parse
        value._parse = lambda: official(parse())
        return value
    if hasattr(value, "data") and isinstance(value.data, list):  # a page
        value.data = [official(item) for item in value.data]
    return value


def _set_parsed(made: Any, value: ours.ParsedChatCompletion[Any]) -> None:
    """Set the decoded values, which a dump has as plain ones."""
    for choice, source in zip(made.choices, value.choices, strict=False):
        choice.message.parsed = source.message.parsed
        calls: Any = source.message.tool_calls
        for call, from_ in zip(choice.message.tool_calls or [], calls or [], strict=False):
            if hasattr(from_, "function"):
                call.function.parsed_arguments = from_.function.parsed_arguments


class OfficialStream:
    """A stream whose chunks are objects of the official package.

    Args:
        stream: The stream.
    """

    def __init__(self, stream: Stream[Any]) -> None:
        self._stream = stream

    __class__ = property(lambda self: openai.Stream)

    def __iter__(self) -> Iterator[Any]:
        with twins():
            for chunk in self._stream:
                yield official(chunk)

    def __next__(self) -> Any:
        with twins():
            return official(next(self._stream))

    def __enter__(self) -> OfficialStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class AsyncOfficialStream:
    """An asynchronous stream whose chunks are objects of the official package.

    Args:
        stream: The stream.
    """

    def __init__(self, stream: AsyncStream[Any]) -> None:
        self._stream = stream

    __class__ = property(lambda self: openai.AsyncStream)

    async def __aiter__(self) -> AsyncIterator[Any]:
        with twins():
            async for chunk in self._stream:
                yield official(chunk)

    async def __anext__(self) -> Any:
        with twins():
            return official(await self._stream.__anext__())

    async def __aenter__(self) -> AsyncOfficialStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class OfficialPaginator:
    """The result of an asynchronous ``list()``, whose items are of the official package.

    Args:
        paginator: The paginator.
    """

    def __init__(self, paginator: AsyncPaginator[Any]) -> None:
        self._paginator = paginator

    def __await__(self) -> Any:
        return self._page().__await__()

    async def _page(self) -> Any:
        with twins():
            return official(await self._paginator)

    async def __aiter__(self) -> AsyncIterator[Any]:
        with twins():
            async for item in self._paginator:
                yield official(item)
