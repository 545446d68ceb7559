"""The examples of the API reference, run as they stand there, but for the name of the package.

They are the files in ``tests/reference``. Each runs in a process of its own, which is told by
``OPENAI_API_KEY`` and ``OPENAI_BASE_URL`` of a server on loopback; nothing else is different from a
user's machine. Where the official package is installed, it must print the same.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import attrs
import pytest

import chatlib
import chatlib.types
from chatlib.testing import InMemoryServer, serve
from chatlib.testing.loopback import Reply, Server, chunk, completion, sse
from chatlib.types import CREATE_PARAMS, RequestOptions

EXAMPLES = Path(__file__).parent / "reference"

PACKAGES = [
    "chatlib",
    pytest.param(
        "openai",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("openai") is None,
            reason="the official package is not installed: pip install openai==3.51.0",
        ),
    ),
]


def run(example: str, package: str, folder: Path, base_url: str) -> str:
    """Run an example with one of the packages; what it printed."""
    source = (EXAMPLES / f"{example}.py").read_text("utf-8")
    source, changed = re.subn(r"^from openai\b", f"from {package}", source, flags=re.MULTILINE)
    assert changed
    script = folder / f"{example}.py"
    script.write_text(source, "utf-8")
    done = subprocess.run(
        [sys.executable, *(["-W", "error"] if package == "chatlib" else []), str(script)],
        env={
            **os.environ,
            "OPENAI_API_KEY": "some-key",
            "OPENAI_BASE_URL": base_url,
            "PYTHONPATH": str(Path(chatlib.__file__).parent.parent),
            "PYTHONIOENCODING": "utf-8",
        },
        capture_output=True,
        encoding="utf-8",
        timeout=30,
    )
    assert "" == done.stderr
    assert 0 == done.returncode
    return done.stdout


def told(*pieces: str, **last: Any) -> Reply:
    """A stream of these pieces; its last chunk has more fields."""
    return Reply.stream(sse(chunk(""), *map(chunk, pieces), chunk(None, "stop", **last)))


PARIS = Reply.json(completion("The capital of France is Paris."))
WEATHER = Reply.json(
    completion(
        choices=[
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "message": {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {
                                "name": "get_weather",
                                "arguments": '{"location":"Boston"}',
                            },
                        }
                    ],
                },
            }
        ]
    )
)
OK = Reply.json(completion())


@pytest.mark.parametrize("package", PACKAGES)
def test_create(package: str, tmp_path: Path) -> None:
    """The examples of ``create``: plain, image, tools, stream, reasoning effort, JSON schema."""
    story = told("Once ", "upon a time.")
    with Server(PARIS, OK, OK, WEATHER, story, OK, OK) as server:
        printed = run("create", package, tmp_path, server.url)
    assert (
        "The capital of France is Paris.\n"
        "Function: get_weather\n"
        'Arguments: {"location":"Boston"}\n'
        "Once upon a time."
    ) == printed
    bodies = [request.json() for request in server.requests]
    assert ["/v1/chat/completions"] * 7 == [request.target for request in server.requests]
    assert ["Bearer some-key"] * 7 == [r.headers["authorization"] for r in server.requests]
    names = [sorted(body.keys() - {"model", "messages"}) for body in bodies]
    assert [
        [],
        ["max_tokens", "temperature"],
        [],
        ["tool_choice", "tools"],
        ["stream"],
        ["reasoning_effort"],
        ["response_format"],
    ] == names
    assert ["text", "image_url"] == [part["type"] for part in bodies[2]["messages"][0]["content"]]
    assert True is bodies[6]["response_format"]["json_schema"]["strict"]


@pytest.mark.parametrize("package", PACKAGES)
def test_streaming(package: str, tmp_path: Path) -> None:
    """The examples of streams: in a ``with``, without one, with the usage in the last chunk.

    The example reads ``chunk.choices[0]`` of each chunk, so the server reports the usage beside the
    finish reason, as many do, and not in a chunk without choices.
    """
    count = told("1", " 2", " 3", " 4", " 5\n")
    joke = told("Knock, ", "knock.\n")
    usage = {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    with Server(count, joke, told("Hi ", "there.", usage=usage)) as server:
        printed = run("streaming", package, tmp_path, server.url)
    assert "1 2 3 4 5\nKnock, knock.\nHi there.\nTokens used: 5\n" == printed
    assert [True] * 3 == [request.json()["stream"] for request in server.requests]
    assert {"include_usage": True} == server.last.json()["stream_options"]


@pytest.mark.parametrize("package", PACKAGES)
def test_types(package: str, tmp_path: Path) -> None:
    """The names that the reference imports from ``types.chat``."""
    with Server() as server:
        assert "True\n" * 3 == run("type_imports", package, tmp_path, server.url)


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize(
    ("status", "printed"),
    [
        (200, ""),
        (400, "API error: 400 - Error code: 400 - "),
        (401, "API error: 401 - Error code: 401 - "),
        (429, "Rate limit hit: Error code: 429 - "),
        (500, "API error: 500 - Error code: 500 - "),
    ],
)
def test_errors(status: int, printed: str, package: str, tmp_path: Path) -> None:
    """The example of errors: a RateLimitError, or an APIError with status and message."""
    soon = {"retry-after-ms": "1"}
    reply = OK if status == 200 else Reply.error(status, "Oh no.", soon)
    with Server(reply) as server:
        text = run("errors", package, tmp_path, server.url)
    assert text.startswith(printed)
    assert ("Oh no." in text) == (status != 200)
    assert (3 if status in (429, 500) else 1) == len(server.requests)


def test_beta(monkeypatch: pytest.MonkeyPatch) -> None:
    """``client.beta.chat.completions.create`` is the same under an older name."""
    with Server(PARIS) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "some-key")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        question = [{"role": "user", "content": "What is the capital of France?"}]
        with chatlib.OpenAI() as client:
            usual = client.chat.completions.create(model="gpt-4", messages=question)
            older = client.beta.chat.completions.create(model="gpt-4", messages=question)
    assert usual.to_dict() == older.to_dict()
    assert server.requests[0].body == server.requests[1].body
    assert server.requests[0].target == server.requests[1].target


# The types and parameters that the reference lists.

FIELDS: dict[str, str] = {
    "ChatCompletionSystemMessageParam": "role content name",
    "ChatCompletionUserMessageParam": "role content name",
    "ChatCompletionAssistantMessageParam": "role content name tool_calls",
    "ChatCompletionToolMessageParam": "role content tool_call_id",
    "ChatCompletion": "id choices created model object system_fingerprint usage",
    "Choice": "finish_reason index logprobs message",
    "ChatCompletionMessage": "content role tool_calls function_call audio",
    "ChatCompletionStoreMessage": "content role tool_calls tool_call_id",
    "ChatCompletionMessageToolCall": "id function type",
    "Function": "arguments name",
    "CompletionUsage": ("completion_tokens prompt_tokens total_tokens completion_tokens_details"),
    "ChatCompletionChunk": "id choices created model object system_fingerprint usage",
    "ChunkChoice": "delta finish_reason index logprobs",
    "ChoiceDelta": "content role tool_calls",
    "ParsedChatCompletion": "choices",
    "ParsedChoice": "message",
    "ParsedChatCompletionMessage": "parsed tool_calls",
    "ParsedFunctionToolCall": "function type",
    "ParsedFunction": "parsed_arguments",
    "ChatCompletionDeleted": "id deleted object",
    "ChatCompletionToolParam": "type function",
    "FunctionDefinition": "name description parameters strict",
    "ResponseFormatText": "type",
    "ResponseFormatJSONObject": "type",
    "ResponseFormatJSONSchema": "type json_schema",
    "JSONSchema": "name description schema strict",
    "ChatCompletionAudioParam": "voice format",
    "ChatCompletionStreamOptionsParam": "include_usage",
    "ToolChoiceFunction": "type function",
    "FunctionChoice": "name",
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields_of_a_type(name: str) -> None:
    """Each class that the reference lists is in ``chatlib.types``, with these fields."""
    kind: Any = getattr(chatlib.types, name)
    kind = typing.get_origin(kind) or kind
    has = attrs.fields_dict(kind) if attrs.has(kind) else typing.get_type_hints(kind)
    assert set() == set(FIELDS[name].split()) - has.keys()


@pytest.mark.parametrize(
    "name",
    [
        "ChatCompletionMessageParam",
        "ChatModel",
        "ChatCompletionToolChoiceOptionParam",
        "ChatCompletionToolUnionParam",
        "FunctionCall",
        "Audio",
        "Logprobs",
        "CompletionTokensDetails",
        "ChoiceDeltaToolCall",
    ],
)
def test_other_types(name: str) -> None:
    """The names that the reference uses without saying more are there as well."""
    assert None is not getattr(chatlib.types, name)
    assert name in chatlib.types.__all__


def test_stream_type() -> None:
    """``Stream`` is an iterator, a context manager, and can be closed."""
    methods = ["__iter__", "__next__", "__enter__", "__exit__", "close"]
    assert [] == [name for name in methods if not hasattr(chatlib.Stream, name)]
    assert chatlib.Stream is typing.get_origin(chatlib.Stream[chatlib.types.ChatCompletionChunk])


@pytest.mark.parametrize("package", PACKAGES)
def test_stored(package: str, tmp_path: Path) -> None:
    """The example of stored completions: create, retrieve, update, list, messages, delete."""
    server = InMemoryServer("A language.")
    with serve(server) as base_url:
        printed = run("stored", package, tmp_path, base_url)
    assert (
        "Stored completion: chatcmpl-scripted-1\n"
        "A language.\n"
        "chatcmpl-scripted-1: 1700000000\n"
        "user: Tell me about Python\n"
        "Deleted: True\n"
    ) == printed
    assert ["POST", "GET", "POST", "GET", "GET", "DELETE"] == [
        request.method for request in server.requests
    ]
    assert {"user_id": "user123", "session": "abc", "reviewed": "true"} == (
        server.requests[2].json()["metadata"]
    )
    assert [] == server.store.completions


@pytest.mark.parametrize("package", PACKAGES)
def test_awaited(package: str, tmp_path: Path) -> None:
    """The example of ``AsyncOpenAI``: create, stream, parse."""
    pytest.importorskip("pydantic", reason="the example's type is a pydantic model")
    event = '{"name": "Meeting", "date": "Friday", "participants": ["Alice", "Bob"]}'
    with serve(InMemoryServer("Hello.", "Once upon a time.", event)) as base_url:
        printed = run("awaited", package, tmp_path, base_url)
    assert "Hello.\nOnce upon a time.\nMeeting: Alice, Bob\n" == printed


@pytest.mark.parametrize(
    "path",
    [
        "types.chat.ChatCompletion",
        "types.chat.ChatCompletionChunk",
        "types.chat.ChatCompletionMessage",
        "types.chat.ChatCompletionMessageParam",
        "types.chat.chat_completion.Choice",
        "types.chat.chat_completion_chunk.Choice",
        "types.chat.chat_completion_chunk.ChoiceDelta",
        "types.chat.completion_create_params.ResponseFormat",
        "types.completion_usage.CompletionUsage",
    ],
)
def test_homes_of_types(path: str) -> None:
    """The places from which programs commonly import types."""
    module, _, name = path.rpartition(".")
    assert hasattr(importlib.import_module(f"chatlib.{module}"), name)


PARAMETERS = """
    messages model audio frequency_penalty function_call functions logit_bias logprobs
    max_completion_tokens max_tokens metadata modalities n parallel_tool_calls prediction
    presence_penalty prompt_cache_key prompt_cache_retention reasoning_effort response_format
    safety_identifier seed service_tier stop store stream stream_options temperature tool_choice
    tools top_logprobs top_p user verbosity web_search_options
"""


def test_parameters_of_create() -> None:
    """``create`` takes every parameter that the reference lists."""
    assert set() == set(PARAMETERS.split()) - CREATE_PARAMS
    options = {"extra_headers", "extra_query", "extra_body", "timeout"}
    assert set() == options - RequestOptions.__annotations__.keys()
