"""Many requests at once, as type checkers see them. It is checked, and never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
from typing_extensions import assert_type

from chatlib import (
    AsyncOpenAI,
    AsyncResults,
    OpenAI,
    Result,
    Results,
    ToolRun,
    arun_many,
    run_many,
)
from chatlib.types import ChatCompletion, CreateParams, ParsedChatCompletion


@attrs.frozen
class City:
    name: str


def weather(place: str) -> str:
    return place


def literals(client: OpenAI) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    for result in run_many(
        client,
        [
            {"model": "gpt-5", "messages": messages, "custom_id": "a"},
            {"model": "gpt-5", "messages": messages, "seed": 1},
        ],
    ):
        assert_type(result, Result[ChatCompletion])
        assert_type(result.error, Exception | None)
        if result.error is None:
            print(result.index, result.custom_id, result.completion.text, result.resumed)


def options(client: OpenAI) -> None:
    def requests() -> Iterator[CreateParams]:
        yield {"model": "gpt-5", "messages": [{"role": "user", "content": "Hi"}]}

    with run_many(
        client,
        requests(),
        concurrency=64,
        ordered=False,
        results=Path("answers.jsonl"),
        retry_failed=False,
        fsync=True,
        progress=True,
    ) as results:
        assert_type(results, Results[ChatCompletion])
    run_many(client, [], concurency=8)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


def typed(client: OpenAI, requests: list[dict[str, Any]]) -> None:
    for result in run_many(client, requests, response_format=City):
        assert_type(result, Result[ParsedChatCompletion[City]])
        parsed = result.completion.choices[0].message.parsed
        assert_type(parsed, City | None)


def other_calls(client: OpenAI, requests: list[dict[str, Any]]) -> None:
    run = partial(client.chat.completions.run, tools=[weather])
    for result in run_many(client, requests, call=run):
        assert_type(result, Result[ToolRun])

    def text(**params: Any) -> str:
        completion: ChatCompletion = client.chat.completions.create(**params)
        return completion.text

    assert_type(run_many(client, requests, call=text), Results[str])


async def awaited(client: AsyncOpenAI, requests: list[dict[str, Any]]) -> None:
    async def later() -> AsyncIterator[CreateParams]:
        yield {"model": "gpt-5", "messages": [{"role": "user", "content": "Hi"}]}

    async for result in arun_many(client, later(), concurrency=64, results="answers.jsonl"):
        assert_type(result, Result[ChatCompletion])
    async with arun_many(client, requests) as results:
        assert_type(results, AsyncResults[ChatCompletion])
    async for typed in arun_many(client, requests, response_format=City):
        assert_type(typed, Result[ParsedChatCompletion[City]])

    async def text(**params: Any) -> str:
        completion: ChatCompletion = await client.chat.completions.create(**params)
        return completion.text

    assert_type(arun_many(client, requests, call=text), AsyncResults[str])


def of_the_other_form(client: OpenAI, other: AsyncOpenAI, requests: list[dict[str, Any]]) -> None:
    run_many(other, requests)  # type: ignore[call-overload]  # pyright: ignore
    arun_many(client, requests)  # type: ignore[call-overload]  # pyright: ignore
