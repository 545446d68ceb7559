"""What users write around a call, in both faces; checked by mypy and pyright, and never run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
from typing_extensions import assert_type

from chatlib import (
    APIError,
    AsyncAzureOpenAI,
    AsyncChatCompletionStream,
    AsyncCursorPage,
    AsyncOpenAI,
    AsyncStream,
    AsyncStreamedResponse,
    AzureOpenAI,
    Headers,
    HttpRequest,
    HttpResponse,
    OpenAI,
    RawResponse,
    Stream,
    StreamedResponse,
    SyncCursorPage,
    Timeout,
    ToolRun,
)
from chatlib.types import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionDeleted,
    ChatCompletionStoreMessage,
    ParsedChatCompletion,
)

ASK = [{"role": "user", "content": "Hello"}]


@attrs.define
class Event:
    name: str


# Clients and their options


def told(request: HttpRequest) -> None: ...


def answered(response: HttpResponse) -> None: ...


def again(error: APIError, seconds: float) -> None: ...


def clients() -> None:
    client = OpenAI(
        api_key="k",
        base_url="http://localhost/v1",
        timeout=Timeout(3, total=9),
        on_request=told,
        on_response=answered,
        on_retry=again,
    )
    OpenAI(api_key=lambda: "k", default_headers={"a": None}, default_query={"a": 1})
    OpenAI(tmeout=3)  # type: ignore[call-arg]  # pyright: ignore
    assert_type(client.with_options(timeout=None, max_retries=0), OpenAI)
    assert_type(client.copy(set_default_headers={}), OpenAI)
    with client as entered:
        assert_type(entered, OpenAI)
    azure = AzureOpenAI(azure_endpoint="https://x", api_version="v", azure_ad_token="t")
    assert_type(azure.with_options(api_version="v2"), AzureOpenAI)
    azure.chat.completions.create(model="m", messages=ASK)


# Stored completions


def stored(client: OpenAI) -> None:
    completions = client.chat.completions
    assert_type(completions.retrieve("c", timeout=3), ChatCompletion)
    assert_type(completions.update("c", metadata={"a": "b"}), ChatCompletion)
    assert_type(completions.delete("c"), ChatCompletionDeleted)
    completions.update("c")  # type: ignore[call-arg]  # pyright: ignore
    page = completions.list(limit=3, order="asc", metadata={"a": "b"})
    assert_type(page, SyncCursorPage[ChatCompletion])
    assert_type(page.data, list[ChatCompletion])
    assert_type(page.get_next_page(), SyncCursorPage[ChatCompletion])
    for completion in page:
        assert_type(completion, ChatCompletion)
    for each in page.iter_pages():
        assert_type(each, SyncCursorPage[ChatCompletion])
    for message in completions.messages.list("c", limit=3):
        assert_type(message, ChatCompletionStoreMessage)
    completions.list(order="up")  # type: ignore[arg-type]  # pyright: ignore


# Raw access


def raw(client: OpenAI) -> None:
    access = client.chat.completions.with_raw_response
    response = access.create(model="m", messages=ASK)
    assert_type(response.status_code, int)
    assert_type(response.headers, Headers)
    assert_type(response.request_id, str | None)
    assert_type(response.retries_taken, int)
    assert_type(response.rate_limits.remaining_tokens, int | None)
    assert_type(access.retrieve("c"), RawResponse[ChatCompletion])
    assert_type(access.retrieve("c").parse(), ChatCompletion)
    assert_type(access.list(limit=3).parse(), SyncCursorPage[ChatCompletion])
    assert_type(access.delete("c").parse(), ChatCompletionDeleted)
    assert_type(access.messages.list("c").parse(), SyncCursorPage[ChatCompletionStoreMessage])
    access.retrieve()  # type: ignore[call-arg]  # pyright: ignore


def streamed(client: OpenAI, path: Path) -> None:
    access = client.chat.completions.with_streaming_response
    with access.retrieve("c") as response:
        assert_type(response, StreamedResponse[ChatCompletion])
        for line in response.iter_lines():
            assert_type(line, str)
        for piece in response.iter_bytes(9):
            assert_type(piece, bytes)
        response.stream_to_file(path)
        assert_type(response.parse(), ChatCompletion)
    with access.create(model="m", messages=ASK, stream=True) as streaming:
        assert_type(streaming.status_code, int)


# The same, awaited


async def awaited(client: AsyncOpenAI) -> str:
    create = client.chat.completions.create
    assert_type(await create(model="m", messages=ASK), ChatCompletion)
    stream = await create(model="m", messages=ASK, stream=True)
    assert_type(stream, AsyncStream[ChatCompletionChunk])
    text = ""
    async for chunk in stream:
        text += chunk.text
    parsed = await client.chat.completions.parse(model="m", messages=ASK, response_format=Event)
    assert_type(parsed, ParsedChatCompletion[Event])
    async with client.chat.completions.stream(
        model="m", messages=ASK, response_format=Event
    ) as events:
        assert_type(events, AsyncChatCompletionStream[Event])
        async for event in events:
            if event.type == "content.delta":
                text += event.delta
        final = await events.get_final_completion()
        assert_type(final.choices[0].message.parsed, Event | None)
    page = await client.chat.completions.list(limit=3)
    assert_type(page, AsyncCursorPage[ChatCompletion])
    assert_type(await page.get_next_page(), AsyncCursorPage[ChatCompletion])
    async for item in client.chat.completions.list():
        assert_type(item, ChatCompletion)
    async for message in page:
        assert_type(message, ChatCompletion)
    response = await client.chat.completions.with_raw_response.retrieve("c")
    assert_type(response, RawResponse[ChatCompletion])
    async with client.chat.completions.with_streaming_response.retrieve("c") as body:
        assert_type(body, AsyncStreamedResponse[ChatCompletion])
        async for line in body.iter_lines():
            text += line
        assert_type(await body.parse(), ChatCompletion)
    run = await client.chat.completions.run(model="m", messages=ASK, tools=[search])
    assert_type(run, ToolRun)
    await client.close()
    return text


async def search(query: str) -> list[str]:
    return [query]


async def token() -> str:
    return "t"


def async_clients() -> None:
    client = AsyncOpenAI(api_key=token, timeout=3)
    assert_type(client.with_options(timeout=None), AsyncOpenAI)
    AsyncAzureOpenAI(azure_endpoint="https://x", api_version="v", azure_ad_token_provider=token)


class Mine:
    async def asend(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200)


def traced(method: Callable[..., Awaitable[HttpResponse]]) -> Any:
    return method


class Decorated:
    @traced
    async def asend(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200)


class Plain:
    def send(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200)


def transports() -> None:
    OpenAI(transport=Plain())
    AsyncOpenAI(transport=Mine())
    AsyncOpenAI(transport=Decorated())
    AsyncOpenAI(transport=Plain())
    OpenAI(transport=Mine())  # type: ignore[arg-type]  # pyright: ignore


def of_any_kind(client: OpenAI, stream: bool) -> Stream[ChatCompletionChunk] | ChatCompletion:
    awaitable: Awaitable[Any] = AsyncOpenAI().chat.completions.list()
    assert awaitable
    return client.chat.completions.create(model="m", messages=ASK, stream=stream)
