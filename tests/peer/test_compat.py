"""``chatlib.compat``: clients, answers and errors that the official classes accept."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from chatlib import errors
from chatlib.testing.loopback import Reply, Server, chunk, completion, sse

openai = pytest.importorskip("openai")

from chatlib import compat  # noqa: E402

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
OK = Reply.json(completion("ok"))
EVENTS = Reply.stream([sse(chunk("a"), chunk("b", finish="stop"))])
LIST = Reply.json({"object": "list", "data": [completion("ok")], "has_more": False})


def refused(status: int) -> Reply:
    return Reply.json({"error": {"message": "no", "code": "c"}}, status=status)


def test_clients_are_taken_for_the_official_ones() -> None:
    """By ``isinstance``, and as fields of pydantic models."""
    import pydantic

    for name in ("OpenAI", "AsyncOpenAI"):
        client = getattr(compat, name)(api_key="k")
        theirs = getattr(openai, name)
        assert isinstance(client, theirs)
        made = pydantic.create_model(
            "Holder", client=(theirs, ...), __config__={"arbitrary_types_allowed": True}
        )
        assert made(client=client).client is client
        assert isinstance(client.with_options(timeout=3), theirs)


def test_answers() -> None:
    """They are the official objects, equal to what the official client makes of the same bytes."""
    with Server(OK, EVENTS, OK, LIST, OK) as server:
        client = compat.OpenAI(api_key="k", base_url=server.url)
        answer = client.chat.completions.create(**ASK)
        assert isinstance(answer, openai.types.chat.ChatCompletion)
        stream = client.chat.completions.create(**ASK, stream=True)
        assert isinstance(stream, openai.Stream)
        chunks = list(stream)
        assert all(isinstance(each, openai.types.chat.ChatCompletionChunk) for each in chunks)
        raw = client.chat.completions.with_raw_response.create(**ASK)
        assert isinstance(raw.parse(), openai.types.chat.ChatCompletion)
        assert raw.headers["content-type"] == "application/json"
        (item,) = client.chat.completions.list()
        assert isinstance(item, openai.types.chat.ChatCompletion)
        theirs = openai.OpenAI(api_key="k", base_url=server.url).chat.completions.create(**ASK)
        assert theirs == answer
        assert theirs.model_dump_json() == answer.model_dump_json()


def test_parsed_answers() -> None:
    """The decoded value is in them."""
    import pydantic

    place = pydantic.create_model("Place", name=(str, ...))
    with Server(Reply.json(completion('{"name": "Ulm"}'))) as server:
        client = compat.OpenAI(api_key="k", base_url=server.url)
        answer = client.chat.completions.parse(**ASK, response_format=place)
    assert isinstance(answer, openai.types.chat.ParsedChatCompletion)
    assert place(name="Ulm") == answer.choices[0].message.parsed


def test_awaited() -> None:
    """The same of the asynchronous client."""

    async def ask(url: str) -> None:
        async with compat.AsyncOpenAI(api_key="k", base_url=url, max_retries=0) as client:
            answer = await client.chat.completions.create(**ASK)
            assert isinstance(answer, openai.types.chat.ChatCompletion)
            stream = await client.chat.completions.create(**ASK, stream=True)
            assert isinstance(stream, openai.AsyncStream)
            assert ["a", "b"] == [each.choices[0].delta.content async for each in stream]
            raw = await client.chat.completions.with_raw_response.create(**ASK)
            assert isinstance(raw.parse(), openai.types.chat.ChatCompletion)
            with pytest.raises(openai.RateLimitError):
                await client.chat.completions.create(**ASK)

    with Server(OK, EVENTS, OK, refused(429)) as server:
        asyncio.run(ask(server.url))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500])
def test_errors_of_a_status(status: int) -> None:
    """They are caught by the official class and by that of this library."""
    mine = errors.error_class(status)
    with Server(*[refused(status)] * 2) as server:
        client = compat.OpenAI(api_key="k", base_url=server.url, max_retries=0)
        for method in (client.chat.completions, client.chat.completions.with_raw_response):
            with pytest.raises(mine) as caught:
                method.create(**ASK)
            assert isinstance(caught.value, getattr(openai, mine.__name__))
            assert (status, "c") == (caught.value.status_code, caught.value.code)
            assert status == caught.value.response.status_code


def test_errors_of_a_connection() -> None:
    """So are these."""
    client = compat.OpenAI(api_key="k", base_url="http://127.0.0.1:9/v1", max_retries=0)
    with pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(**ASK)
    with Server(Reply.nothing(delay=30)) as server:
        slow = client.with_options(base_url=server.url, timeout=0.2)
        with pytest.raises(openai.APITimeoutError):
            slow.chat.completions.create(**ASK)
    cut = Reply.stream([sse(chunk("a"), done=False)])
    with Server(cut) as server:
        stream = client.with_options(base_url=server.url).chat.completions.create(
            **ASK, stream=True
        )
        with pytest.raises(openai.APIConnectionError):
            list(stream)


def test_following_pages() -> None:
    """Their items are official objects too, as are those of the models and of raw access."""
    pages = [
        Reply.json({"object": "list", "data": [completion("a") | {"id": "1"}], "has_more": True}),
        Reply.json({"object": "list", "data": [completion("b") | {"id": "2"}], "has_more": False}),
    ]
    kind = openai.types.chat.ChatCompletion
    known = Reply.json({"object": "list", "data": [{"id": "m", "object": "model"}]})
    with Server(*pages, *pages, *pages, known) as server:
        client = compat.OpenAI(api_key="k", base_url=server.url)
        assert [kind, kind] == [type(item) for item in client.chat.completions.list()]
        page = client.chat.completions.list()
        assert isinstance(page, openai.pagination.SyncCursorPage)
        assert ["2"] == [item.id for item in page.get_next_page().data]
        read = client.chat.completions.with_raw_response.list().parse()
        assert [kind, kind] == [type(item) for item in read]
        assert [openai.types.Model] == [type(item) for item in client.models.list()]


def test_errors_of_events_and_bodies() -> None:
    """Whatever reads a response raises errors that the official classes match."""
    cut = Reply.stream([sse(chunk("a"), done=False)])
    with Server(refused(429), cut, EVENTS, cut, refused(401)) as server:
        client = compat.OpenAI(api_key="k", base_url=server.url, max_retries=0)
        chat = client.chat.completions
        with pytest.raises(openai.RateLimitError), chat.stream(**ASK):
            pass
        with pytest.raises(openai.APIConnectionError), chat.stream(**ASK) as stream:
            list(stream)
        with chat.stream(**ASK) as stream:
            final = stream.get_final_completion()
        assert isinstance(final, openai.types.chat.ParsedChatCompletion)
        with chat.with_streaming_response.create(**ASK, stream=True) as response:
            assert isinstance(response, openai.APIResponse)
            with pytest.raises(openai.APIConnectionError):
                list(response.parse())
        with pytest.raises(openai.AuthenticationError):
            client.models.list()


def test_methods_can_be_replaced() -> None:
    """As ``mock.patch.object`` does it."""
    from unittest import mock

    client = compat.OpenAI(api_key="k")
    with mock.patch.object(client.chat.completions, "create", return_value=3) as create:
        assert 3 == client.chat.completions.create(**ASK)
    create.assert_called_once_with(**ASK)


SHIM = """
import chatlib.compat.openai_shim
import openai
from openai import OpenAI
from openai.types.chat import ChatCompletion
from openai.types.chat.chat_completion import Choice
import chatlib
assert openai.OpenAI is OpenAI is chatlib.OpenAI
assert ChatCompletion is chatlib.types.ChatCompletion
try:
    import openai.types.responses
except ModuleNotFoundError as error:
    print(error)
try:
    openai.embeddings
except AttributeError as error:
    print(error)
"""


def test_shim() -> None:
    """``openai`` is this library, and says what is not there."""
    command = [sys.executable, "-c", SHIM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert 0 == done.returncode, done.stderr
    first, second = done.stdout.splitlines()
    assert "openai.types.responses is not part of chatlib" in first
    assert "embeddings" in second
    late = "import openai, chatlib.compat.openai_shim"
    done = subprocess.run(
        [sys.executable, "-c", late], capture_output=True, text=True, timeout=60, check=False
    )
    assert "import the shim first" in done.stderr
