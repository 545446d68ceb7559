"""chatlib beside the official package: the same calls, against the same server, side by side.

Whoever changes ``from openai import OpenAI`` to ``from chatlib import OpenAI`` keeps what these
tables show: the requests, the exceptions, the number of attempts, the values. The last table,
:data:`DIFFERENCES`, holds what is different on purpose, with both behaviours spelled out.
"""

from __future__ import annotations

import copy
import enum
import json
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import attrs
import pytest

import chatlib
from chatlib.testing.loopback import Reply, Request, Server, chunk, closed_port, completion, sse
from chatlib.types import CREATE_PARAMS

openai = pytest.importorskip(
    "openai", reason="the official package is not installed: pip install openai==3.51.0"
)

BOTH = [openai, chatlib]

Call = Callable[[Any], Any]


@attrs.frozen
class Outcome:
    """How a call ended, and what it sent."""

    value: Any
    """What came of it, as plain JSON values; a list of them from a stream."""
    error: Exception | None
    requests: list[Request]

    @property
    def sent(self) -> tuple[str, str, Any, dict[str, str]]:
        """What the only request said: method, target, JSON, and the headers that matter."""
        (request,) = self.requests
        body = request.json() if request.body else None
        return request.method, request.target, body, headers_that_matter(request)


def headers_that_matter(request: Request) -> dict[str, str]:
    """All headers, but for those that name the client or are about the connection."""
    free = {"host", "user-agent", "accept", "accept-encoding", "connection", "content-length"}
    return {
        name: value
        for name, value in request.headers.items()
        if name not in free and not name.startswith("x-stainless-")
    }


def make(package: ModuleType, **settings: Any) -> Any:
    """A package's client."""
    if package is openai:  # without certificates, which take long to load
        settings["http_client"] = openai.DefaultHttpxClient(verify=False)
    return package.OpenAI(**{"api_key": "some-key", **settings})


def play(package: ModuleType, call: Call, *replies: Any, **settings: Any) -> Outcome:
    """Make a call with a package's client against a server that plays the replies."""
    with Server(*replies) as server:
        settings = {"base_url": server.url, "max_retries": 0, **settings}
        with make(package, **settings) as client:
            value, error = None, None
            try:
                value = plain(call(client))
            except Exception as caught:
                error = caught
        return Outcome(value, error, server.requests)


def plain(value: Any) -> Any:
    """Results as plain JSON values."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    return [item.to_dict() for item in value] if hasattr(value, "__next__") else value


def create(**params: Any) -> Call:
    """A call of create() with some parameters, and the two that are needed."""
    params = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], **params}
    return lambda client: client.chat.completions.create(**params)


def both(call: Call, *replies: Any, **settings: Any) -> list[Outcome]:
    """The outcomes of a call: the official package's, and chatlib's."""
    return [play(package, call, *replies, **settings) for package in BOTH]


# Requests -------------------------------------------------------------------------------------

USER = {"role": "user", "content": "Hello"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather.",
        "parameters": SCHEMA,
        "strict": True,
    },
}
BREAKPOINT = {"mode": "explicit", "ttl": "30m"}


NULLABLE = [
    "audio",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "modalities",
    "moderation",
    "n",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "top_logprobs",
    "top_p",
    "verbosity",
]


class Effort(str, enum.Enum):
    """An enum whose members are text, as people make them for their settings."""

    LOW = "low"


def generator(items: list[Any]) -> Iterator[Any]:
    yield from items


CALLS: dict[str, dict[str, Any]] = {
    "nothing but what is needed": {},
    "model of any name": {"model": "vendor/some-model:free"},
    # Messages.
    "system and developer": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "Really."}], "name": "dev"},
            USER,
        ]
    },
    "names": {"messages": [{"role": "user", "content": "Hello", "name": "ann"}]},
    "tool round trip": {
        "messages": [
            USER,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'},
                    },
                    {"id": "call_2", "type": "custom", "custom": {"name": "sql", "input": "?"}},
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
            {
                "role": "tool",
                "tool_call_id": "call_2",
                "content": [{"type": "text", "text": "rainy"}],
            },
        ]
    },
    "assistant's parts": {
        "messages": [
            USER,
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}], "name": "a"},
            {"role": "assistant", "refusal": "No.", "content": None},
            {"role": "assistant", "audio": {"id": "audio_1"}},
            {"role": "assistant", "audio": None, "content": "text"},
        ]
    },
    "deprecated function call": {
        "messages": [
            {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "assistant", "content": "", "function_call": None},
            {"role": "function", "name": "f", "content": None},
        ]
    },
    "parts of all kinds": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "See", "prompt_cache_breakpoint": BREAKPOINT},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                    {
                        "type": "image_url",
                        "image_url": {"url": "https://example.com/i.png", "detail": "low"},
                    },
                    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                    {"type": "file", "file": {"file_id": "file_1"}},
                    {"type": "file", "file": {"file_data": "AAAA", "filename": "a.pdf"}},
                ],
            }
        ]
    },
    "fields that nobody knows": {
        "messages": [{"role": "user", "content": "Hello", "signature": {"of": ["someone", 1]}}]
    },
    "a role that nobody knows": {"messages": [{"role": "critic", "content": "Hm."}]},
    "a tuple of messages": {"messages": (USER, USER)},
    "a generator of messages": {"messages": lambda: generator([USER, USER])},
    "a generator of parts": {
        "messages": lambda: [
            {"role": "user", "content": generator([{"type": "text", "text": "Hello"}])}
        ]
    },
    "no messages": {"messages": []},
    "unicode": {
        "messages": [
            {"role": "user", "content": 'Grüße, 東京 😀 \u2028 \x00 "quoted" \\ \r\n\t </script>'}
        ],
        "user": "ä\u00a0\ufeff",
    },
    "empty text": {"messages": [{"role": "user", "content": ""}]},
    # Each parameter with a value of its own.
    "audio": {
        "audio": {"format": "wav", "voice": "alloy"},
        "modalities": ["text", "audio"],
    },
    "a custom voice": {"audio": {"format": "mp3", "voice": {"id": "voice_1"}}},
    "numbers": {
        "frequency_penalty": -1.5,
        "presence_penalty": 0.5,
        "temperature": 0,
        "top_p": 0.25,
        "max_tokens": 100,
        "max_completion_tokens": 2**53 + 1,
        "n": 2,
        "seed": -1,
        "top_logprobs": 5,
        "logprobs": True,
    },
    "deprecated functions": {
        "functions": [{"name": "f", "description": "F.", "parameters": SCHEMA}],
        "function_call": {"name": "f"},
    },
    "function_call as a word": {"function_call": "auto"},
    "logit_bias": {"logit_bias": {"50256": -100}},
    "logit_bias with int keys": {"logit_bias": {50256: -100, 7: 1}},
    "metadata": {"metadata": {"user_id": "user123", "": "empty"}, "store": True},
    "moderation": {
        "moderation": {
            "model": "omni-moderation-latest",
            "policy": {"input": {"mode": "score"}, "output": {"mode": "block"}},
        }
    },
    "tools": {"tools": [FUNCTION], "tool_choice": "auto", "parallel_tool_calls": False},
    "a tuple of tools": {"tools": (FUNCTION,)},
    "a generator of tools": {"tools": lambda: generator([FUNCTION])},
    "custom tools": {
        "tools": [
            {"type": "custom", "custom": {"name": "a", "format": {"type": "text"}}},
            {
                "type": "custom",
                "custom": {
                    "name": "b",
                    "description": "B.",
                    "format": {
                        "type": "grammar",
                        "grammar": {"syntax": "regex", "definition": "[a-z]+"},
                    },
                },
            },
        ],
        "tool_choice": {"type": "custom", "custom": {"name": "a"}},
    },
    "tool_choice by name": {
        "tools": [FUNCTION],
        "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
    },
    "tool_choice among some": {
        "tools": [FUNCTION],
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "required",
                "tools": [{"type": "function", "function": {"name": "get_weather"}}],
            },
        },
    },
    "prediction": {
        "prediction": {"type": "content", "content": [{"type": "text", "text": "def f():"}]}
    },
    "prompt cache": {
        "prompt_cache_key": "key",
        "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
        "prompt_cache_retention": "24h",
    },
    "words": {
        "reasoning_effort": "high",
        "verbosity": "low",
        "service_tier": "flex",
        "safety_identifier": "hash",
        "user": "ann",
    },
    "an enum of text": {"reasoning_effort": Effort.LOW},
    "response_format text": {"response_format": {"type": "text"}},
    "response_format json_object": {"response_format": {"type": "json_object"}},
    "response_format json_schema": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "place", "strict": True, "schema": SCHEMA, "description": "P"},
        }
    },
    "stop as text": {"stop": "\n"},
    "stop as a list": {"stop": ["\n", "END"]},
    "web search": {
        "web_search_options": {
            "search_context_size": "low",
            "user_location": {
                "type": "approximate",
                "approximate": {"city": "Rome", "country": "IT", "region": "", "timezone": "x"},
            },
        }
    },
    # None is not the same as nothing.
    "None": dict.fromkeys(NULLABLE),
    "None in nested values": {
        "web_search_options": {"user_location": None},
        "moderation": {"model": "m", "policy": {"input": None}},
        "metadata": {"a": None},
    },
    "stream=False": {"stream": False},
    # Options of the request.
    "extra_body": {"extra_body": {"top_k": 40, "nested": {"a": [1, None, {"b": True}]}}},
    "extra_body wins": {"temperature": 1, "extra_body": {"temperature": 0.5, "model": "other"}},
    "extra_body with null": {"temperature": 1, "extra_body": {"temperature": None}},
    "extra_query": {"extra_query": {"a": 1, "b": "x y&z=ä", "c": True, "nested": {"d": "e"}}},
    "extra_headers": {"extra_headers": {"X-Custom": "1", "x-other": "two"}},
    "extra_headers win": {"extra_headers": {"authorization": "Bearer other", "X-Custom": "1"}},
    "Content-Type of one's own": {"extra_headers": {"content-type": "application/json; v=2"}},
    "timeout": {"timeout": 30.0},
}


def fresh(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters that nobody has used up: generators are made anew."""
    return {name: v() if callable(v) else copy.deepcopy(v) for name, v in params.items()}


@pytest.mark.parametrize("params", CALLS.values(), ids=CALLS)
def test_same_request(params: dict[str, Any]) -> None:
    """A call sends the same method, path, query, JSON and headers."""
    theirs, ours = (play(package, create(**fresh(params))) for package in BOTH)
    assert None is theirs.error
    assert None is ours.error
    assert theirs.sent == ours.sent


@pytest.mark.parametrize("params", CALLS.values(), ids=CALLS)
def test_same_streaming_request(params: dict[str, Any]) -> None:
    """So does a call with ``stream=True``, which says so in its JSON."""
    reply = Reply.stream(sse(chunk("a", "stop")))
    params = {**params, "stream_options": {"include_usage": True, "include_obfuscation": False}}
    theirs, ours = (
        play(package, create(**fresh(params) | {"stream": True}), reply) for package in BOTH
    )
    assert theirs.sent == ours.sent
    assert True is ours.sent[2]["stream"]


def test_every_parameter_is_compared() -> None:
    """No parameter of ``create`` is missing from the table."""
    compared = {"messages", "model", *(name for params in CALLS.values() for name in params)}
    assert set() == CREATE_PARAMS - compared - {"stream_options"}


@pytest.mark.parametrize("word", ["omit", "not_given", "NOT_GIVEN"])
def test_same_request_with_what_is_left_out(word: str) -> None:
    """``omit`` and its older names stand for a parameter that is not there."""

    def outcome(package: ModuleType) -> Outcome:
        absent = getattr(package, word)
        return play(package, create(stop=absent, tools=absent, stream=absent, temperature=None))

    theirs, ours = map(outcome, BOTH)
    assert theirs.sent == ours.sent
    assert {"model": "m", "messages": [USER], "temperature": None} == ours.sent[2]


CLIENTS: dict[str, dict[str, Any]] = {
    "organization and project": {"organization": "org-1", "project": "proj-1"},
    "default_headers": {"default_headers": {"X-Team": "blue", "OpenAI-Organization": "other"}},
    "default_query": {"default_query": {"api-version": "1", "a": "b c"}},
    "a function for the key": {"api_key": lambda: "made-key"},
    "an empty organization": {"organization": "org-1", "project": None},
}


@pytest.mark.parametrize("settings", CLIENTS.values(), ids=CLIENTS)
def test_same_request_of_a_client_with(settings: dict[str, Any]) -> None:
    """What is given to the client reaches the server in the same form."""
    call = create(extra_query={"q": "1"}, extra_headers={"X-Call": "1"})
    theirs, ours = both(call, **settings)
    assert theirs.sent == ours.sent


@pytest.mark.parametrize("ending", ["", "/", "/nested", "/nested/"])
def test_same_path_below_a_base_url(ending: str) -> None:
    """A slash at the end of the base URL makes no difference."""
    targets = []
    for package in BOTH:
        with (
            Server() as server,
            make(package, base_url=server.url + ending) as client,
        ):
            create()(client)
            targets.append(server.last.target)
    assert targets[0] == targets[1]


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OPENAI_ORG_ID": "org-e"},
        {"OPENAI_PROJECT_ID": "proj-e"},
        {"OPENAI_ORG_ID": "org-e", "OPENAI_PROJECT_ID": "proj-e"},
    ],
    ids=lambda variables: " ".join(variables) or "key and address only",
)
def test_same_request_by_the_environment(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same variables name key, address, organization and project."""
    sent = []
    for package in BOTH:
        with Server() as server:
            environment = {"OPENAI_API_KEY": "env-key", "OPENAI_BASE_URL": server.url, **variables}
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            with make(package, api_key=None) as client:
                create()(client)
            sent.append((server.last.target, headers_that_matter(server.last)))
    assert sent[0] == sent[1]
    assert "Bearer env-key" == sent[1][1]["authorization"]


def test_arguments_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given to the client goes before the same variables."""
    monkeypatch.setenv("OPENAI_API_KEY", "env-key")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-e")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-e")
    theirs, ours = both(create(), organization="org-1", project="proj-1")
    assert theirs.sent == ours.sent
    assert "Bearer some-key" == ours.sent[3]["authorization"]


def test_same_exception_without_a_key() -> None:
    """No key at all: an OpenAIError when the client is made, which names the variable."""
    for package in BOTH:
        with pytest.raises(package.OpenAIError, match="OPENAI_API_KEY"):
            package.OpenAI(base_url="http://127.0.0.1:1/v1")


ANSWERS: dict[str, dict[str, Any]] = {
    "text": {"role": "assistant", "content": "Hello!"},
    "a tool call": {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "get_weather", "arguments": '{"city": "Rome"}'},
            }
        ],
    },
    "a custom tool call": {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "call_1", "type": "custom", "custom": {"name": "a", "input": "b"}}],
    },
    "a refusal": {"role": "assistant", "content": "", "refusal": "No."},
    "a field that nobody knows": {
        "role": "assistant",
        "content": "Hello!",
        "reasoning_content": "They greet.",
    },
}


@pytest.mark.parametrize("message", ANSWERS.values(), ids=ANSWERS)
def test_same_message_sent_again(message: dict[str, Any]) -> None:
    """A message out of an answer, put into the next call, is sent in the same form."""

    def converse(client: Any) -> Any:
        first = create()(client)
        return create(messages=[USER, first.choices[0].message, USER])(client)

    body = completion()
    body["choices"][0]["message"] = message
    theirs, ours = both(converse, Reply.json(body))
    assert theirs.requests[1].json() == ours.requests[1].json()
    assert [USER, message, USER] == ours.requests[1].json()["messages"]


# Errors ---------------------------------------------------------------------------------------

STATUSES = [400, 401, 403, 404, 409, 418, 422, 429, 500, 502, 503, 529]

ERROR_BODIES: dict[str, tuple[str, bytes]] = {
    "JSON": (
        "application/json",
        b'{"error": {"message": "No.", "type": "some_type", "param": "p", "code": "some_code"}}',
    ),
    "JSON with nulls": (
        "application/json",
        b'{"error": {"message": "No.", "type": null, "param": null, "code": null}}',
    ),
    "JSON without error": ("application/json", b'{"message": "No.", "code": "some_code"}'),
    "error as a text": ("application/json", b'{"error": "No."}'),
    "text": ("text/plain", b"upstream connect error"),
    "HTML": ("text/html", b"<html><body><h1>Bad</h1></body></html>"),
    "nothing": ("text/plain", b""),
}


def fields_of(error: Exception | None) -> tuple[Any, ...]:
    """What programs read of an exception."""
    names = ("status_code", "code", "param", "type", "request_id", "body")
    return type(error).__name__, *(getattr(error, name, None) for name in names)


def roots_of(error: Exception | None) -> set[str]:
    """The names that ``except`` can catch it by."""
    return {cls.__name__ for cls in type(error).__mro__}


@pytest.mark.parametrize("kind", ERROR_BODIES)
@pytest.mark.parametrize("status", STATUSES)
def test_same_exception_for_a_status(status: int, kind: str) -> None:
    """The class, ``status_code``, ``code``, ``param``, ``type``, ``request_id``, ``body``."""
    media_type, body = ERROR_BODIES[kind]
    reply = Reply(status, {"content-type": media_type, "x-request-id": "req_1"}, body)
    theirs, ours = both(create(), reply)
    assert fields_of(theirs.error) == fields_of(ours.error)
    assert roots_of(theirs.error) == roots_of(ours.error)
    assert str(theirs.error).startswith(f"Error code: {status}")
    assert str(ours.error).startswith(f"Error code: {status}")


@pytest.mark.parametrize("status", [400, 429, 503])
def test_same_exception_for_a_status_of_a_stream(status: int) -> None:
    """A refused stream raises at the call, before the first chunk."""
    theirs, ours = both(
        lambda client: create(stream=True)(client).close(),
        Reply.error(status, "No.", {"x-request-id": "req_1"}, code="some_code"),
    )
    assert fields_of(theirs.error) == fields_of(ours.error)


def test_same_exception_where_nobody_listens() -> None:
    """A refused connection is an APIConnectionError."""
    address = f"http://127.0.0.1:{closed_port()}/v1"
    theirs, ours = both(create(), base_url=address)
    assert "APIConnectionError" == type(theirs.error).__name__
    assert fields_of(theirs.error) == fields_of(ours.error)


@pytest.mark.parametrize("stream", [False, True])
def test_same_exception_for_a_timeout(stream: bool) -> None:
    """A server that does not answer in time is an APITimeoutError."""
    theirs, ours = both(create(stream=stream), Reply.nothing(delay=5), timeout=0.2)
    assert "APITimeoutError" == type(theirs.error).__name__
    assert fields_of(theirs.error) == fields_of(ours.error)
    assert roots_of(theirs.error) == roots_of(ours.error)


def test_same_exception_for_a_timeout_in_a_stream() -> None:
    """So is one that falls silent inside a stream."""
    reply = Reply.stream(sse(chunk("a"), done=False), hold=5)
    theirs, ours = both(create(stream=True), reply, timeout=0.2)
    assert "APITimeoutError" == type(theirs.error).__name__
    assert type(theirs.error).__name__ == type(ours.error).__name__


@pytest.mark.parametrize("abort", ["fin", "rst"])
def test_same_exception_for_a_broken_stream(abort: str) -> None:
    """A connection that breaks inside a stream is an APIConnectionError."""
    reply = Reply.stream(sse(chunk("a"), done=False), abort=abort)
    theirs, ours = both(create(stream=True), reply)
    assert "APIConnectionError" == type(theirs.error).__name__
    assert "APIConnectionError" in roots_of(ours.error)


@pytest.mark.parametrize("abort", ["fin", "rst"])
def test_same_exception_for_no_answer(abort: str) -> None:
    """A connection that ends in place of an answer is an APIConnectionError."""
    theirs, ours = both(create(), Reply.nothing(abort=abort))
    assert "APIConnectionError" == type(theirs.error).__name__
    assert fields_of(theirs.error) == fields_of(ours.error)


EVENTS: dict[str, bytes] = {
    "data": sse(chunk("a"), {"error": {"message": "No.", "type": "t", "code": "c", "param": "p"}}),
    "data, first of all": sse({"error": {"message": "No.", "type": "t", "code": None}}),
    "event: error": b'event: error\ndata: {"error": {"message": "No.", "code": "c"}}\n\n',
}


@pytest.mark.parametrize("body", EVENTS.values(), ids=EVENTS)
def test_same_exception_for_an_error_inside_a_stream(body: bytes) -> None:
    """It is an APIError with the server's message, code, param, type."""
    theirs, ours = both(create(stream=True), Reply.stream(body))
    for outcome in (theirs, ours):
        assert "APIError" == type(outcome.error).__name__
        assert "No." == str(outcome.error)
    for name in ("message", "code", "param", "type", "body"):
        assert getattr(theirs.error, name) == getattr(ours.error, name)


EXCEPTIONS = [
    name
    for name in dir(chatlib)
    if isinstance(getattr(chatlib, name), type)
    and issubclass(getattr(chatlib, name), Exception)
    and hasattr(openai, name)
]


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_same_tree_of_exceptions(name: str) -> None:
    """Each exception that both have has the same ancestors, so ``except`` clauses move over."""
    theirs, ours = (getattr(package, name).__mro__ for package in BOTH)
    assert [cls.__name__ for cls in theirs] == [cls.__name__ for cls in ours]


# Retries --------------------------------------------------------------------------------------

SOON = {"retry-after-ms": "1"}
OK = Reply.json(completion())


def failed(status: int, **headers: str) -> Reply:
    """An error after which a retry need not wait."""
    return Reply.error(status, "No.", SOON | {n.replace("_", "-"): v for n, v in headers.items()})


RETRIES: dict[str, tuple[int, int, list[Reply]]] = {
    # name: (max_retries, requests that are made, replies)
    "200": (2, 1, [OK]),
    "429, 200": (2, 2, [failed(429), OK]),
    "500, 500, 200": (2, 3, [failed(500), failed(500), OK]),
    "500 thrice": (2, 3, [failed(500)]),
    "500 for ever, 4 retries": (4, 5, [failed(500)]),
    "408, 409, 200": (2, 3, [failed(408), failed(409), OK]),
    "502, 503, 529, 200": (3, 4, [failed(502), failed(503), failed(529), OK]),
    "400": (2, 1, [failed(400), OK]),
    "401": (2, 1, [failed(401), OK]),
    "403": (2, 1, [failed(403), OK]),
    "404": (2, 1, [failed(404), OK]),
    "422": (2, 1, [failed(422), OK]),
    "429, then 400": (2, 2, [failed(429), failed(400), OK]),
    "max_retries=0": (0, 1, [failed(429), OK]),
    "max_retries=1": (1, 2, [failed(429), failed(429), OK]),
    "400 with x-should-retry: true": (2, 2, [failed(400, x_should_retry="true"), OK]),
    "500 with x-should-retry: false": (2, 1, [failed(500, x_should_retry="false"), OK]),
    "429 with x-should-retry: other": (2, 2, [failed(429, x_should_retry="maybe"), OK]),
    "retry-after in fractions": (1, 2, [Reply.error(429, "No.", {"retry-after": "0.01"}), OK]),
    "retry-after, longer than patience": (
        2,
        1,
        [Reply.error(429, "No.", {"retry-after": "999"}), OK],
    ),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("count", "made", "replies"), RETRIES.values(), ids=RETRIES)
def test_same_number_of_requests(count: int, made: int, replies: list[Reply], stream: bool) -> None:
    """Both try as often, and end in the same way."""
    if stream:
        events = Reply.stream(sse(chunk("a", "stop")))
        replies = [events if reply is OK else reply for reply in replies]
    theirs, ours = both(create(stream=stream), *replies, max_retries=count)
    assert made == len(theirs.requests)
    assert made == len(ours.requests)
    assert fields_of(theirs.error) == fields_of(ours.error)
    assert theirs.value == ours.value
    assert all(request.json() == ours.requests[0].json() for request in ours.requests)


def test_same_number_of_requests_without_max_retries() -> None:
    """Nothing said about retries: two."""
    counts = []
    for package in BOTH:
        with Server(failed(503)) as server:
            with (
                make(package, base_url=server.url) as client,
                pytest.raises(package.InternalServerError),
            ):
                create()(client)
            counts.append(len(server.requests))
    assert [3, 3] == counts


@pytest.mark.parametrize("count", [0, 1, 3])
def test_same_number_of_requests_set_for_one_call(count: int) -> None:
    """``max_retries`` as an option of the call does what ``with_options`` does there."""
    theirs = play(
        openai, lambda client: create()(client.with_options(max_retries=count)), failed(500)
    )
    ours = play(chatlib, create(max_retries=count), failed(500), max_retries=2)
    assert count + 1 == len(theirs.requests)
    assert count + 1 == len(ours.requests)


def test_same_number_of_requests_after_a_broken_connection() -> None:
    """A connection that broke before an answer is worth another try."""
    theirs, ours = both(create(), Reply.nothing(abort="rst"), OK, max_retries=1)
    assert [2, 2] == [len(theirs.requests), len(ours.requests)]
    assert theirs.value == ours.value


def test_same_number_of_requests_after_a_timeout() -> None:
    """So is one that was too slow."""
    theirs, ours = both(create(), Reply.nothing(delay=5), OK, max_retries=1, timeout=0.25)
    assert [2, 2] == [len(theirs.requests), len(ours.requests)]
    assert theirs.value == ours.value


# Values ---------------------------------------------------------------------------------------

LOGPROB = {
    "token": " ä",
    "logprob": -0.25,
    "bytes": [32, 195, 164],
    "top_logprobs": [{"token": "x", "logprob": -1.5, "bytes": None}],
}
USAGE = {
    "prompt_tokens": 3,
    "completion_tokens": 5,
    "total_tokens": 8,
    "prompt_tokens_details": {"cached_tokens": 1, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 2,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
FLAGS = {
    "flagged": False,
    "model": "omni",
    "type": "moderation_result",
    "categories": {"hate": False},
    "category_scores": {"hate": 1e-7},
    "category_applied_input_types": {"hate": ["text"]},
}


def answer(finish: str = "stop", choice: Any = (), **message: Any) -> dict[str, Any]:
    """The body of a completion with a message of one's own."""
    message = {"role": "assistant", "content": None, "refusal": None, **message}
    only = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    return completion(choices=[only | dict(choice)])


BODIES: dict[str, dict[str, Any]] = {
    "text": answer(content="Hello! Grüße 😀"),
    "usage in detail": completion(usage=USAGE),
    "no usage": {name: v for name, v in completion().items() if name != "usage"},
    "nulls": completion(usage=None, system_fingerprint=None, service_tier=None),
    "system_fingerprint and service_tier": completion(
        system_fingerprint="fp_1", service_tier="default", metadata={"a": "b"}
    ),
    "a tool call": answer(
        "tool_calls",
        tool_calls=[
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "call_2", "type": "custom", "custom": {"name": "g", "input": "x"}},
        ],
    ),
    "a deprecated function call": answer(
        "function_call", function_call={"name": "f", "arguments": "{}"}
    ),
    "logprobs": answer(content=" ä", choice={"logprobs": {"content": [LOGPROB], "refusal": None}}),
    "n=2 with logprobs": completion(
        choices=[
            {
                "index": index,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text},
                "logprobs": {"content": [LOGPROB] * 2, "refusal": []},
            }
            for index, text in enumerate(["a", "b"])
        ]
    ),
    "a refusal": answer(refusal="I can't.", annotations=[]),
    "annotations": answer(
        content="See.",
        annotations=[
            {
                "type": "url_citation",
                "url_citation": {"start_index": 0, "end_index": 3, "title": "T", "url": "u"},
            }
        ],
    ),
    "audio": answer(audio={"id": "a", "data": "AAAA", "expires_at": 1, "transcript": "Hi"}),
    "moderation": completion(
        moderation={
            "input": {"type": "moderation_results", "model": "omni", "results": [FLAGS]},
            "output": {"type": "error", "code": "c", "message": "No."},
        }
    ),
    "unknown fields everywhere": completion(
        choices=[
            {
                "index": 0,
                "finish_reason": "stop",
                "stop_reason": None,
                "message": {"role": "assistant", "content": "a", "reasoning": {"text": ["b"]}},
            }
        ],
        usage={**USAGE, "cost": 0.25},
        timings={"predicted_ms": 1.5},
    ),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_same_completion(body: dict[str, Any]) -> None:
    """A completion says the same in ``to_dict()``: what came, no more and no less."""
    theirs, ours = both(create(), Reply.json(body))
    assert body == theirs.value
    assert body == ours.value


ATTRIBUTES = [
    "id",
    "object",
    "created",
    "model",
    "system_fingerprint",
    "service_tier",
    "choices[0].index",
    "choices[0].finish_reason",
    "choices[0].message.role",
    "choices[0].message.content",
    "choices[0].message.refusal",
    "choices[-1].message.content",
]


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_same_attributes_of_a_completion(body: dict[str, Any]) -> None:
    """Its attributes read the same, those of fields that did not come included."""

    def read(client: Any) -> Any:
        made = create()(client)
        values = [eval(f"made.{path}", {"made": made}) for path in ATTRIBUTES]
        usage = made.usage and (made.usage.total_tokens, made.usage.completion_tokens)
        calls = [(call.id, call.type) for call in made.choices[0].message.tool_calls or ()]
        return values, usage, calls, made._request_id

    theirs, ours = both(read, Reply.json(body, headers={"x-request-id": "req_1"}))
    assert None is ours.error
    assert theirs.value == ours.value


def call_piece(index: int, arguments: str, **fields: Any) -> dict[str, Any]:
    """A piece of a tool call."""
    function = {"arguments": arguments, **({"name": "f"} if fields else {})}
    return {"index": index, "function": function, **fields}


def delta(finish: str | None = None, index: int = 0, choice: Any = (), **fields: Any) -> Any:
    """A chunk with a delta of one's own."""
    only = {"index": index, "delta": fields, "logprobs": None, "finish_reason": finish}
    return chunk(choices=[only | dict(choice)])


STREAMS: dict[str, list[Any]] = {
    "text": [
        delta(role="assistant", content="", refusal=None),
        delta(content="Hel"),
        delta(content="lo 😀\u2028!"),
        delta("stop"),
    ],
    "usage": [delta(content="a"), delta("stop"), chunk(choices=[], usage=USAGE)],
    "usage null in each chunk": [chunk("a", usage=None), chunk(None, "stop", usage=USAGE)],
    "two tool calls": [
        delta(role="assistant", content=None),
        delta(tool_calls=[call_piece(0, "", id="call_1", type="function")]),
        delta(tool_calls=[call_piece(0, '{"city"')]),
        delta(tool_calls=[call_piece(0, ':"Rome"}')]),
        delta(tool_calls=[call_piece(1, "{}", id="call_2", type="function")]),
        delta("tool_calls"),
    ],
    "logprobs, n=2": [
        delta(index=0, content="a", choice={"logprobs": {"content": [LOGPROB], "refusal": None}}),
        delta(index=1, content="b", choice={"logprobs": {"content": [LOGPROB], "refusal": None}}),
        delta("stop", index=1),
        delta("stop", index=0),
    ],
    "a refusal": [delta(role="assistant", refusal="I "), delta(refusal="can't."), delta("stop")],
    "a deprecated function call": [
        delta(function_call={"name": "f", "arguments": ""}),
        delta(function_call={"arguments": "{}"}),
        delta("function_call"),
    ],
    "cut at the limit": [delta(content="a"), delta("length")],
    "unknown fields": [
        chunk(choices=[{"index": 0, "delta": {"reasoning": "hm"}, "finish_reason": None, "x": 1}]),
        chunk("a", "stop", obfuscation="abc", provider={"name": "x"}),
    ],
    "no choices at first": [chunk(choices=[], prompt_filter_results=[]), chunk("a", "stop")],
    "one chunk": [chunk("Hello", "stop", usage=USAGE)],
}


@pytest.mark.parametrize("events", STREAMS.values(), ids=STREAMS)
def test_same_chunks(events: list[Any]) -> None:
    """A stream yields the same chunks, which say the same in ``to_dict()``."""
    theirs, ours = both(create(stream=True), Reply.stream(sse(*events)))
    assert events == theirs.value
    assert events == ours.value


FORMS: dict[str, Callable[[bytes], Any]] = {
    "CRLF": lambda body: body.replace(b"\n", b"\r\n"),
    "CR": lambda body: body.replace(b"\n", b"\r"),
    "no blank after the colon": lambda body: body.replace(b"data: ", b"data:"),
    "a comment first": lambda body: b": hello\n\n" + body,
    "comments between": lambda body: body.replace(b"\n\n", b"\n\n: ping\n\n"),
    "ids and names of events": lambda body: body.replace(b"data: ", b"id: 1\nevent: x\ndata: "),
    "a byte at a time": lambda body: [body[at : at + 1] for at in range(len(body))],
    "seven bytes at a time": lambda body: [body[at : at + 7] for at in range(0, len(body), 7)],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_same_chunks_in_any_form(form: Callable[[bytes], Any]) -> None:
    """The line ends, comments and cuts that a server chooses change nothing."""
    events = STREAMS["text"]
    body = sse(*(json.dumps(event, ensure_ascii=False) for event in events))
    theirs, ours = both(create(stream=True), Reply.stream(form(body)))
    assert events == theirs.value
    assert events == ours.value


def test_same_stream_with_a_context() -> None:
    """A stream is a context manager; what comes after the ``with`` is not read."""

    def two(client: Any) -> Any:
        with create(stream=True)(client) as stream:
            return [next(stream).to_dict(), next(stream).to_dict()]

    theirs, ours = both(two, Reply.stream(sse(*STREAMS["text"])))
    assert STREAMS["text"][:2] == theirs.value
    assert theirs.value == ours.value


# What differs on purpose ----------------------------------------------------------------------


@attrs.frozen
class Difference:
    """A case in which the two packages do different things, and both things."""

    call: Call
    replies: list[Any]
    theirs: Callable[[Outcome], Any]
    """What is looked at, in the outcome of the official package; it must be true."""
    ours: Callable[[Outcome], Any]
    settings: dict[str, Any] = attrs.field(factory=dict)


def raised(name: str, words: str = "") -> Callable[[Outcome], bool]:
    """The outcome is an exception of this class, with these words in it."""
    return lambda outcome: name == type(outcome.error).__name__ and words in str(outcome.error)


def came(*expected: Any) -> Callable[[Outcome], bool]:
    """The outcome is a stream of these chunks."""
    return lambda outcome: outcome.error is None and list(expected) == outcome.value


def requests(count: int) -> Callable[[Outcome], bool]:
    """So many requests were made."""
    return lambda outcome: count == len(outcome.requests)


def sent_json(path: str, expected: Any) -> Callable[[Outcome], bool]:
    """The last request had this at a place of its JSON; ``...`` for nothing there."""

    def check(outcome: Outcome) -> bool:
        value = outcome.requests[-1].json()
        for name in path.split("."):
            value = value[int(name)] if name.isdecimal() else value.get(name, ...)
        return bool(expected == value)

    return check


def again(message: dict[str, Any]) -> tuple[Call, list[Any]]:
    """A call whose message is sent with the next one."""

    def converse(client: Any) -> Any:
        first = create()(client)
        return create(messages=[USER, first.choices[0].message])(client)

    body = completion()
    body["choices"][0]["message"] = message
    return converse, [Reply.json(body)]


A, STOP = chunk("a"), chunk(None, "stop")
STREAM = create(stream=True)
WHOLE = completion()

DIFFERENCES: dict[str, Difference] = {
    # No wait brings credit: each retry costs the user time, and counts against the rate limit.
    "no retry without credit": Difference(
        create(),
        [Reply.error(429, "No credit.", SOON, code="insufficient_quota")],
        requests(3),
        requests(1),
        {"max_retries": 2},
    ),
    # A stream that ends without [DONE] and without a finish reason was cut off: the user must not
    # take half an answer for a whole one.
    "a cut stream is an error": Difference(
        STREAM,
        [Reply.stream(sse(A, done=False))],
        came(A),
        raised("IncompleteStreamError"),
    ),
    "an empty stream is an error": Difference(
        STREAM, [Reply.stream(b"")], came(), raised("IncompleteStreamError")
    ),
    # Servers that can't stream answer a streaming call with the whole.
    "plain JSON in place of a stream": Difference(
        STREAM,
        [Reply.json(WHOLE)],
        came(),
        lambda outcome: "ok" == outcome.value[0]["choices"][0]["delta"]["content"],
    ),
    # And some stream where they were not asked to.
    "a stream in place of plain JSON": Difference(
        create(),
        [Reply.stream(sse(A, STOP))],
        lambda outcome: not isinstance(outcome.value, dict),
        lambda outcome: "a" == outcome.value["choices"][0]["message"]["content"],
    ),
    # The standard: a byte order mark in front is no part of the first line.
    "a byte order mark": Difference(
        STREAM,
        [Reply.stream(b"\xef\xbb\xbf" + sse(A, STOP))],
        came(STOP),
        came(A, STOP),
    ),
    # The standard: a block without data is no event.
    "a block without data": Difference(
        STREAM,
        [Reply.stream(b"retry: 1000\n\n" + sse(A, STOP))],
        raised("JSONDecodeError"),
        came(A, STOP),
    ),
    "a ping that is no JSON": Difference(
        STREAM,
        [Reply.stream(b"event: ping\ndata: x\n\n" + sse(A, STOP))],
        raised("JSONDecodeError"),
        came(A, STOP),
    ),
    "an event: error that holds the error itself": Difference(
        STREAM,
        [Reply.stream(b'event: error\ndata: {"message": "No.", "code": "c"}\n\n')],
        came({"message": "No.", "code": "c"}),
        raised("APIError", "No."),
    ),
    "an error that is a text": Difference(
        STREAM,
        [Reply.stream(b'data: {"error": "No."}\n\n')],
        raised("APIError", "An error occurred during streaming"),
        raised("APIError", "No."),
    ),
    # An error is an error, whatever the status says.
    "an error inside a 200": Difference(
        create(),
        [Reply.json({"error": {"message": "No.", "code": "c"}})],
        lambda outcome: outcome.error is None and "error" in outcome.value,
        raised("APIError", "No."),
    ),
    "an HTML page inside a 200": Difference(
        create(),
        [Reply(200, {"content-type": "text/html"}, b"<html>Log in</html>")],
        lambda outcome: "<html>Log in</html>" == outcome.value,
        raised("APIResponseValidationError", "Log in"),
    ),
    "an empty 200": Difference(
        create(),
        [Reply(200, {"content-type": "application/json"})],
        raised("JSONDecodeError"),
        raised("APIResponseValidationError"),
    ),
    # A number that is an HTTP status says which class the error belongs to; it stays a number.
    "a status as code of an error in a stream": Difference(
        STREAM,
        [Reply.stream(sse(A, {"error": {"message": "No.", "code": 503}}))],
        lambda outcome: raised("APIError")(outcome) and "503" == outcome.error.code,
        lambda outcome: raised("InternalServerError")(outcome) and 503 == outcome.error.code,
    ),
    # What a person sees first are the server's words.
    "the words of a proxy": Difference(
        create(),
        [Reply(502, {"content-type": "text/html"}, b"<html><b>Bad</b> gateway</html>")],
        lambda outcome: "Error code: 502" == str(outcome.error),
        raised("InternalServerError", "Error code: 502 - Bad gateway"),
    ),
    "the words in a list": Difference(
        create(),
        [Reply.json([{"error": {"message": "No.", "code": "c"}}], 400)],
        lambda outcome: outcome.error.code is None,
        lambda outcome: "c" == outcome.error.code and "No." in str(outcome.error),
    ),
    # A 301 must not make a GET of a POST: the answer would be a list of stored completions.
    "a redirect that would lose the body": Difference(
        create(),
        [Reply(301, {"location": "/v2/chat/completions"}), Reply.json(WHOLE)],
        lambda outcome: "GET" == outcome.requests[-1].method,
        lambda outcome: (
            raised("APIStatusError", "/v2/chat/completions")(outcome) and requests(1)(outcome)
        ),
    ),
    # extra_body changes what it names, and nothing beside it.
    "extra_body inside an object": Difference(
        create(metadata={"a": "1", "b": "2"}, extra_body={"metadata": {"b": "3"}}),
        [],
        sent_json("metadata", {"b": "3"}),
        sent_json("metadata", {"a": "1", "b": "3"}),
    ),
    # Servers may choose by it.
    "Accept of a stream": Difference(
        STREAM,
        [Reply.stream(sse(A, STOP))],
        lambda outcome: "application/json" == outcome.requests[0].headers["accept"],
        lambda outcome: "text/event-stream" == outcome.requests[0].headers["accept"],
    ),
    # What only answers have is left out where the message is sent again: strict servers refuse it.
    "annotations are not sent again": Difference(
        *again({"role": "assistant", "content": "a", "annotations": []}),
        sent_json("messages.1.annotations", []),
        sent_json("messages.1.annotations", ...),
    ),
    "nulls are not sent again": Difference(
        *again({"role": "assistant", "content": "a", "refusal": None, "tool_calls": None}),
        sent_json(
            "messages.1",
            {"role": "assistant", "content": "a"} | dict.fromkeys(["refusal", "tool_calls"]),
        ),
        sent_json("messages.1", {"role": "assistant", "content": "a"}),
    ),
    "of audio only the id is sent again": Difference(
        *again(
            {
                "role": "assistant",
                "content": None,
                "audio": {"id": "a1", "data": "AAAA", "expires_at": 1, "transcript": "Hi"},
            }
        ),
        lambda outcome: "data" in outcome.requests[-1].json()["messages"][1]["audio"],
        sent_json("messages.1", {"role": "assistant", "audio": {"id": "a1"}}),
    ),
    # Mistakes that are cheap to find before anything is sent.
    "a text in place of messages": Difference(
        create(messages="Hello"),
        [],
        requests(1),
        requests(0),
    ),
}


@pytest.mark.parametrize("case", DIFFERENCES.values(), ids=DIFFERENCES)
def test_what_differs_on_purpose(case: Difference) -> None:
    """Each behaves as the table says: chatlib for good, the other one at the version compared."""
    theirs, ours = both(case.call, *case.replies, **case.settings)
    assert case.ours(ours), ours
    assert case.theirs(theirs), theirs


def test_a_redirect_to_another_origin() -> None:
    """The official package sends the prompt to wherever a 307 points; chatlib sends nothing."""
    seen = []
    for package in BOTH:
        with Server() as other:
            redirect = Reply(307, {"location": f"{other.url}/chat/completions"})
            outcome = play(package, create(), redirect)
            seen.append(len(other.requests))
            if package is chatlib:
                assert raised("APIStatusError", other.url)(outcome)
    assert [1, 0] == seen
