"""The program that the kill test kills: many requests, over threads or awaited, into a file."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

from chatlib import AsyncOpenAI, OpenAI, arun_many, run_many

CONCURRENCY = 8


def requests(count: int) -> Iterator[dict[str, Any]]:
    """Requests whose contents are numbers."""
    for number in range(count):
        yield {"model": "m", "messages": [{"role": "user", "content": str(number)}]}


def check(number: int, result: Any) -> None:
    """The result is that of the request."""
    assert (number, f"re: {number}") == (result.index, result.completion.text)


async def arun(settings: Any, count: int, path: str) -> None:
    """All of them, awaited."""
    async with AsyncOpenAI(**settings) as client:
        results = arun_many(client, requests(count), concurrency=CONCURRENCY, results=path)
        number = 0
        async for result in results:
            check(number, result)
            number += 1


def main(form: str, url: str, count: int, path: str) -> None:
    """All of them."""
    settings: Any = {"api_key": "k", "base_url": url, "max_retries": 0}
    if form == "tasks":
        asyncio.run(arun(settings, count, path))
        return
    with OpenAI(**settings) as client:
        results = run_many(client, requests(count), concurrency=CONCURRENCY, results=path)
        for number, result in enumerate(results):
            check(number, result)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
