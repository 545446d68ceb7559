"""Who is compared, and at what; as a program, one measurement in a process of its own::

    python contenders.py CONTENDER TASK URL SIZE REPEAT

prints the wall and the CPU seconds that ``REPEAT`` runs of the task took, after a warm-up. A task
is a method of a contender; where one lacks it, the table has a gap. Imports count, so a contender
makes its own.
"""

import json
import sys
import time
from collections.abc import AsyncIterator, Iterator
from functools import cached_property
from typing import Any

PARAMS: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello!"}],
    "temperature": 0.5,
}


AT_ONCE = 64
"""How many calls are under way at once, where many are."""


class Contender:
    """What all of them do."""

    only: tuple[str, ...] = ()
    """The tasks that it does, where it does not do all that it has methods for."""

    def start(self, size: int) -> None:
        """Nothing: to be made is all."""

    def create(self, size: int) -> None:
        """Some completions."""
        for _ in range(size):
            assert self.text().startswith("Hello")

    def stream(self, size: int) -> None:
        """A stream of some chunks with content."""
        assert sum(map(bool, self.texts(size))) == size

    def page(self, size: int) -> None:
        """Some pages of 100 completions."""
        for _ in range(size):
            assert self.ids() == 100

    def creates_at_once(self, size: int) -> None:
        """Some completions, asked for by tasks at once."""

        async def one(client: Any) -> None:
            for _ in range(max(size // AT_ONCE, 1)):
                assert (await self.atext(client)).startswith("Hello")

        self.all_at_once(one)

    def streams_at_once(self, size: int) -> None:
        """Streams at once, of some chunks in all."""
        each = max(size // AT_ONCE, 1)

        async def one(client: Any) -> None:
            count = 0
            async for text in self.atexts(client, each):
                count += bool(text)
            assert count == each

        self.all_at_once(one)

    def all_at_once(self, one: Any) -> None:
        """Run as many tasks as there may be, with one client."""
        import asyncio  # here, as it counts where it is used

        async def main() -> None:
            async with self.aclient() as client:
                await asyncio.gather(*(one(client) for _ in range(AT_ONCE)))

        asyncio.run(main())

    def text(self) -> str:
        raise NotImplementedError

    def texts(self, size: int) -> Iterator[str | None]:
        raise NotImplementedError

    def ids(self) -> int:
        raise NotImplementedError

    def aclient(self) -> Any:
        raise NotImplementedError

    async def atext(self, client: Any) -> str:
        raise NotImplementedError

    def atexts(self, client: Any, size: int) -> AsyncIterator[str | None]:
        raise NotImplementedError


class Chatlib(Contender):
    """This library."""

    package = "chatlib"

    def __init__(self, url: str) -> None:
        self.url = url
        client = __import__(self.package).OpenAI(api_key="sk-bench", base_url=url)
        self.completions: Any = client.chat.completions

    def create_by_urllib3(self, size: int) -> None:
        """Some completions over the leaner transport."""
        from chatlib import OpenAI
        from chatlib.transports.urllib3 import Urllib3Transport

        client = OpenAI(api_key="sk-bench", base_url=self.url, transport=Urllib3Transport())
        for _ in range(size):
            completion = client.chat.completions.create(**PARAMS)
            assert str(completion.choices[0].message.content).startswith("Hello")

    def parse(self, size: int) -> None:
        """Some completions with a type."""
        for _ in range(size):
            completion = self.completions.parse(**PARAMS, response_format=self.answer)
            assert completion.choices[0].message.parsed.steps[1].output

    def events(self, size: int) -> None:
        """The events of a stream, of which nothing is read."""
        with self.completions.stream(**PARAMS, max_tokens=size) as stream:
            assert sum(event.type == "content.delta" for event in stream) >= size

    def typed_events(self, size: int) -> None:
        """The events of a stream with a type, and the value so far at each piece of the text."""
        asked = {**PARAMS, "max_tokens": size, "response_format": self.answer}
        with self.completions.stream(**asked) as stream:
            steps = [
                len((event.parsed or {}).get("steps", ()))
                for event in stream
                if event.type == "content.delta"
            ]
            parsed = stream.get_final_completion().choices[0].message.parsed
        assert len(steps) >= size
        assert steps[-1] == len(parsed.steps) > 0

    @cached_property
    def answer(self) -> Any:
        """The type of the answers."""
        import attrs

        @attrs.define
        class Step:
            explanation: str
            output: str

        @attrs.define
        class Answer:
            steps: list[Step]
            final_answer: str

        return Answer

    def text(self) -> str:
        return str(self.completions.create(**PARAMS).choices[0].message.content)

    def texts(self, size: int) -> Iterator[str | None]:
        for chunk in self.completions.create(**PARAMS, stream=True, max_tokens=size):
            yield chunk.choices[0].delta.content

    def ids(self) -> int:
        return sum(bool(item.id) for item in self.completions.list(limit=100).data)

    def aclient(self) -> Any:
        return __import__(self.package).AsyncOpenAI(api_key="sk-bench", base_url=self.url)

    async def atext(self, client: Any) -> str:
        return str((await client.chat.completions.create(**PARAMS)).choices[0].message.content)

    async def atexts(self, client: Any, size: int) -> AsyncIterator[str | None]:
        stream = await client.chat.completions.create(**PARAMS, stream=True, max_tokens=size)
        async for chunk in stream:
            yield chunk.choices[0].delta.content


class Official(Chatlib):
    package = "openai"

    def create_by_urllib3(self, size: int) -> None:
        """Some completions: this package has one transport."""
        self.create(size)

    @cached_property
    def answer(self) -> Any:
        import pydantic

        class Step(pydantic.BaseModel):
            explanation: str
            output: str

        class Answer(pydantic.BaseModel):
            steps: list[Step]
            final_answer: str

        return Answer


class OfficialAiohttp(Official):
    """The official package over aiohttp, which it can use where calls are awaited."""

    only = ("creates_at_once", "streams_at_once")

    def aclient(self) -> Any:
        import openai

        http_client = openai.DefaultAioHttpClient()
        return openai.AsyncOpenAI(api_key="sk-bench", base_url=self.url, http_client=http_client)


class HandWritten(Contender):
    """What one writes without a library: requests or aiohttp, lines, and ``json.loads``."""

    def __init__(self, url: str) -> None:
        import requests

        self.session = requests.Session()
        self.session.headers["Authorization"] = "Bearer sk-bench"
        self.url = f"{url}/chat/completions"

    def text(self) -> str:
        response = self.session.post(self.url, json=PARAMS, timeout=600)
        response.raise_for_status()
        return str(response.json()["choices"][0]["message"]["content"])

    def texts(self, size: int) -> Iterator[str | None]:
        body = {**PARAMS, "stream": True, "max_tokens": size}
        with self.session.post(self.url, json=body, stream=True, timeout=600) as response:
            response.raise_for_status()
            for line in response.iter_lines():
                if line.startswith(b"data: ") and line != b"data: [DONE]":
                    yield json.loads(line[6:])["choices"][0]["delta"].get("content")

    def ids(self) -> int:
        response = self.session.get(self.url, params={"limit": 100}, timeout=600)
        response.raise_for_status()
        return sum(bool(item["id"]) for item in response.json()["data"])

    def aclient(self) -> Any:
        import aiohttp

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            headers={"Authorization": "Bearer sk-bench"},
            raise_for_status=True,
        )

    async def atext(self, client: Any) -> str:
        async with client.post(self.url, json=PARAMS) as response:
            return str((await response.json())["choices"][0]["message"]["content"])

    async def atexts(self, client: Any, size: int) -> AsyncIterator[str | None]:
        body = {**PARAMS, "stream": True, "max_tokens": size}
        async with client.post(self.url, json=body) as response:
            async for line in response.content:
                if line.startswith(b"data: ") and line != b"data: [DONE]\n":
                    yield json.loads(line[6:])["choices"][0]["delta"].get("content")


CONTENDERS = {
    "chatlib": Chatlib,
    "openai": Official,
    "openai+aiohttp": OfficialAiohttp,
    "hand-written": HandWritten,
}

if __name__ == "__main__":
    name, task, url, size, repeat = sys.argv[1:]
    run = getattr(CONTENDERS[name](url), task)
    run(min(int(size), 50))
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(int(repeat)):
        run(int(size))
    print(time.perf_counter() - wall, time.process_time() - cpu)
