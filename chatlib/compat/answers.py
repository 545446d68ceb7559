"""Answers of this library as objects of the official package.

Answers are made anew by ``construct()`` of the official classes. What answers come from, such as a
stream, a page, a raw response or a namespace of methods, is handed out as a :class:`View`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

import openai
from openai.lib.streaming import chat as official_streaming
from openai.pagination import AsyncCursorPage, SyncCursorPage
from openai.resources import chat as official_chat
from openai.resources import models as official_models
from openai.types import Model
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionDeleted,
    ChatCompletionStoreMessage,
    ParsedChatCompletion,
)

import chatlib.types as ours
from chatlib.client import (
    async_completions,
    async_raw,
    async_streams,
    async_typed_stream,
    closing,
    completions,
    models,
    namespaces,
    pagination,
    raw,
    streams,
    typed_stream,
)
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
    """Return an object of this library as the official package has it.

    Args:
        value: What a method or attribute of a client is.

    Returns:
        An object of the official package, a view, or the value itself: text, numbers and events
        are the same in both.
    """
    for mine, theirs in _CLASSES:
        if isinstance(value, mine):
            return _construct(theirs, value)
    if isinstance(value, list):
        return [official(item) for item in value]
    for kind, viewed, view in _VIEWS:
        if isinstance(value, kind):
            return view(value, viewed)
    return value


def _construct(theirs: Any, value: Any) -> Any:
    made = theirs.construct(**value.model_dump(exclude_unset=True))
    made._request_id = value.request_id
    if isinstance(value, ours.ParsedChatCompletion):
        _set_parsed(made, value)
    return made


def _set_parsed(made: Any, value: ours.ParsedChatCompletion[Any]) -> None:
    """Set the decoded values, which a dump has as plain ones."""
    for choice, source in zip(made.choices, value.choices, strict=False):
        choice.message.parsed = source.message.parsed
        calls: Any = source.message.tool_calls
        for call, from_ in zip(choice.message.tool_calls or [], calls or [], strict=False):
            if hasattr(from_, "function"):
                call.function.parsed_arguments = from_.function.parsed_arguments


class View:
    """An object of this library, whose attributes and results are of the official package.

    Its errors are of both packages. For ``isinstance`` it is what it stands for.

    Args:
        viewed: The object.
        kind: The class of the official package that it stands for, if there is one.
    """

    def __init__(self, viewed: Any, kind: type | None) -> None:
        self._viewed = viewed
        self._kind = kind or type(viewed)

    __class__ = property(lambda self: self._kind)

    def __getattr__(self, name: str) -> Any:
        if name in ("_viewed", "_kind") or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(name)  # also of a view that is being copied or unpickled
        with twins():
            value = getattr(self._viewed, name)
        if callable(value) and not isinstance(value, type):
            return self._call(value)
        made = official(value)
        if isinstance(value, _NAMESPACES):
            self.__dict__[name] = made  # so that a method can be replaced
        return made

    def _call(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def handed_out(result: Any) -> Any:
            return self if result is self._viewed else official(result)

        if inspect.iscoroutinefunction(method):

            @functools.wraps(method)
            async def acall(*args: Any, **kwargs: Any) -> Any:
                with twins():
                    return handed_out(await method(*args, **kwargs))

            return acall

        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            with twins():
                return handed_out(method(*args, **kwargs))

        return call

    def __dir__(self) -> list[str]:
        return dir(self._viewed)

    def __repr__(self) -> str:
        return repr(self._viewed)


class SyncView(View):
    """A view of something that is iterated over, or entered by ``with``."""

    def __iter__(self) -> Iterator[Any]:
        with twins():
            for item in self._viewed:
                yield official(item)

    def __next__(self) -> Any:
        with twins():
            return official(next(self._viewed))

    def __enter__(self) -> Any:
        with twins():
            entered = self._viewed.__enter__()
        return self if entered is self._viewed else official(entered)

    def __exit__(self, *exception: Any) -> Any:
        return self._viewed.__exit__(*exception)


class AsyncView(View):
    """A view of something that is iterated over, or entered, asynchronously."""

    async def __aiter__(self) -> AsyncIterator[Any]:
        with twins():
            async for item in self._viewed:
                yield official(item)

    async def __anext__(self) -> Any:
        with twins():
            return official(await anext(self._viewed))

    async def __aenter__(self) -> Any:
        with twins():
            entered = await self._viewed.__aenter__()
        return self if entered is self._viewed else official(entered)

    async def __aexit__(self, *exception: Any) -> Any:
        return await self._viewed.__aexit__(*exception)


class AwaitableView(AsyncView):
    """A view of the result of an asynchronous ``list()``."""

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._page().__await__()

    async def _page(self) -> Any:
        with twins():
            return official(await self._viewed)


_NAMESPACES = (
    completions.Chat,
    completions.Completions,
    completions.Messages,
    completions.RawCompletions,
    completions.RawMessages,
    completions.StreamedCompletions,
    completions.StreamedMessages,
    async_completions.AsyncChat,
    async_completions.AsyncCompletions,
    async_completions.AsyncMessages,
    async_completions.AsyncRawCompletions,
    async_completions.AsyncRawMessages,
    async_completions.AsyncStreamedCompletions,
    async_completions.AsyncStreamedMessages,
    models.Models,
    models.AsyncModels,
    namespaces.RawChat,
)
_VIEWS: tuple[tuple[Any, type | None, type[View]], ...] = (
    (completions.Chat, official_chat.Chat, View),
    (completions.Completions, official_chat.Completions, View),
    (async_completions.AsyncChat, official_chat.AsyncChat, View),
    (async_completions.AsyncCompletions, official_chat.AsyncCompletions, View),
    (models.Models, official_models.Models, View),
    (models.AsyncModels, official_models.AsyncModels, View),
    (_NAMESPACES, None, View),
    (streams.Stream, openai.Stream, SyncView),
    (async_streams.AsyncStream, openai.AsyncStream, AsyncView),
    (typed_stream.ChatCompletionStream, official_streaming.ChatCompletionStream, SyncView),
    (
        async_typed_stream.AsyncChatCompletionStream,
        official_streaming.AsyncChatCompletionStream,
        AsyncView,
    ),
    (pagination.SyncCursorPage, SyncCursorPage, SyncView),
    (pagination.AsyncCursorPage, AsyncCursorPage, AsyncView),
    (pagination.AsyncPaginator, None, AwaitableView),
    (raw.StreamedResponse, openai.APIResponse, SyncView),
    (async_raw.AsyncStreamedResponse, openai.AsyncAPIResponse, AsyncView),
    (raw.RawResponse, None, View),
    (closing.Opening, None, SyncView),
    (closing.AsyncOpening, None, AsyncView),
    (Iterator, None, SyncView),
    (AsyncIterator, None, AsyncView),
)
