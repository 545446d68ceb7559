"""The program that the kill test kills: many requests, over threads or awaited, into a file."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

from chatlib import OpenAI, arun_many, run_many

CONCURRENCY = 8


def requests(count: int) -> Iterator[dict[str, Any]]:
    """Requests whose contents are numbers."""
    for number in range(count):
        yield {"model": "m", "messages": [{"role": "user", "content": str(number)}]}


def check(number: int, result: Any) -> None:
    """The result is that of the request."""
    assert (number, f"re: {number}") == (result.index, result.completion.text)


class Awaited:
    """A client that is awaited, over one that is not."""

    def __init__(self, client: OpenAI) -> None:
        self.chat = self.completions = self
        self._client = client

    async def create(self, **params: Any) -> Any:
        return await asyncio.to_thread(self._client.chat.completions.create, **params)


async def arun(client: OpenAI, count: int, path: str) -> None:
    """All of them, awaited."""
    results = arun_many(Awaited(client), requests(count), concurrency=CONCURRENCY, results=path)
    number = 0
    async for result in results:
        check(number, result)
        number += 1


def main(form: str, url: str, count: int, path: str) -> None:
    """All of them."""
    with OpenAI(api_key="k", base_url=url, max_retries=0) as client:
        if form == "tasks":
            asyncio.run(arun(client, count, path))
            return
        results = run_many(client, requests(count), concurrency=CONCURRENCY, results=path)
        for number, result in enumerate(results):
            check(number, result)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
