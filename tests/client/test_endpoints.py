"""Requests as values and responses as values, with nobody between them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatlib import (
    APIStatusError,
    Config,
    Headers,
    HttpRequest,
    HttpResponse,
    OpenAIError,
    Secret,
    Timeout,
    UserMessage,
    build_create,
    build_list,
    config_from_env,
    omit,
    read_chunks,
    read_completion,
)
from chatlib.types import CREATE_PARAMS, ChatCompletion
from chatlib.types.values import FunctionDefinition, FunctionTool
from chatlib.wire.redirects import follow_redirect

CONFIG = Config(api_key="sk-secret")
HELLO = [{"role": "user", "content": "Hello"}]


def build(config: Config = CONFIG, **params: Any) -> HttpRequest:
    """The request of a create call."""
    return build_create(config, **{"model": "m", "messages": HELLO, **params})


# Requests


def test_request() -> None:
    """A create call is a POST of its parameters, and nothing else, as JSON."""
    request = build(temperature=0.5)
    assert ("POST", "https://api.openai.com/v1/chat/completions") == (request.method, request.url)
    assert {"model": "m", "messages": HELLO, "temperature": 0.5} == request.json()
    headers = request.headers
    assert "Bearer sk-secret" == headers["authorization"]
    assert "application/json" == headers["content-type"] == headers["accept"]
    assert headers["user-agent"].startswith("chatlib/")


def test_every_parameter_is_sent() -> None:
    """Whatever the API knows goes into the body under its own name."""
    params: Any = {name: f"a {name}" for name in CREATE_PARAMS - {"messages", "stream"}}
    params["stream"] = False
    assert {**params, "messages": HELLO} == build(**params).json()


def test_omitted_and_null() -> None:
    """What is omitted is absent; None is null."""
    body = build(stop=None, seed=omit, stream=omit).json()
    assert {"model": "m", "messages": HELLO, "stop": None} == body


def test_values_and_dicts_make_the_same_request() -> None:
    """An attrs value is another way to write the dict."""
    schema = {"type": "object", "properties": {}}
    values = build(
        messages=[UserMessage(content="Hello")],
        tools=[FunctionTool(function=FunctionDefinition(name="f", parameters=schema))],
    )
    dicts = build(
        tools=[{"function": {"name": "f", "parameters": schema}, "type": "function"}],
    )
    assert dicts.json() == values.json()


def test_answer_goes_into_the_next_question() -> None:
    """A message that came is sent as it is, among others."""
    body = b'{"choices": [{"message": {"role": "assistant", "content": "Hi", "refusal": null}}]}'
    completion = read_completion(HttpResponse(200, {}, body))
    request = build(messages=[*HELLO, completion.choices[0].message, *HELLO])
    assert [*HELLO, {"role": "assistant", "content": "Hi"}, *HELLO] == request.json()["messages"]


def test_stream_asks_for_an_event_stream() -> None:
    """stream=True is in the body and in the Accept header."""
    request = build(stream=True)
    assert "text/event-stream" == request.headers["accept"]
    assert request.json()["stream"] is True


def test_extras_win() -> None:
    """extra_headers, extra_query and extra_body win; bodies are merged, nested ones too."""
    config = Config(
        api_key="k",
        default_headers={"X-A": "1", "X-B": "1", "X-C": "1"},
        default_query={"a": "1", "b": "1"},
    )
    request = build(
        config,
        metadata={"a": "1", "b": "1"},
        extra_headers={"x-b": "2", "X-C": None, "Authorization": "Basic x"},
        extra_query={"b": "2", "metadata": {"k": "v w"}, "flag": True},
        extra_body={"model": "n", "metadata": {"b": "2"}, "vendor": {"x": None}},
    )
    assert ("1", "2", "Basic x") == tuple(
        request.headers[name] for name in ("x-a", "x-b", "authorization")
    )
    assert "x-c" not in request.headers
    assert request.url.endswith("/chat/completions?a=1&b=2&metadata%5Bk%5D=v+w&flag=true")
    body = request.json()
    assert ("n", {"a": "1", "b": "2"}, {"x": None}) == (
        body["model"],
        body["metadata"],
        body["vendor"],
    )


def test_header_left_out() -> None:
    """None leaves out even what the library would send."""
    request = build(extra_headers={"Authorization": None, "User-Agent": None})
    assert not {"authorization", "user-agent"} & {name.lower() for name in request.headers}


def test_identity_headers() -> None:
    """Organisation, project and idempotency key have headers of their own."""
    config = Config(api_key="k", organization="org", project="proj")
    request = build(config, idempotency_key="once")
    assert ("org", "proj", "once") == tuple(
        request.headers[name]
        for name in ("openai-organization", "openai-project", "idempotency-key")
    )


@pytest.mark.parametrize(
    ("expected", "base_url"),
    [
        ("http://h:1/v1/chat/completions", "http://h:1/v1"),
        ("http://h:1/v1/chat/completions", "http://h:1/v1/"),
        ("http://h/chat/completions", "http://h"),
        ("http://h/v1/chat/completions?api-version=1", "http://h/v1?api-version=1"),
        ("http://h/v1/chat/completions", " http://h/v1\n"),
        ("http://h/v1/chat/completions", "http://h/v1//"),
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        ("http://h/v1/chat/completions?k=v", "http://h/v1/chat/completions/?k=v"),
        ("http://[::1]:8/v1/chat/completions", "http://[::1]:8/v1"),
        ("http://a_b.test/v1/chat/completions", "http://a_b.test/v1#part"),
    ],
)
def test_base_url(expected: str, base_url: str) -> None:
    """With or without a slash or the operation at its end, and with a query, which is kept."""
    assert expected == build(Config(api_key="k", base_url=base_url)).url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8080",
        "localhost:8080/v1",
        "ftp://h/v1",
        "http://",
        "/v1",
        '"http://h/v1"',
        "http://one.test\\@two.test/v1",
        "http://one.test/v1\\x",
        "http://one.test\t.two.test/v1",
        "http://one test/v1",
        "http://h/v1 x",
        "http://h/v1\u200b",
        "http://h:99999/v1",
        "http://[::1/v1",
    ],
)
def test_base_url_that_is_none(url: str) -> None:
    """It is refused at once, and shown."""
    with pytest.raises(OpenAIError, match=r"base_url is .* such as https://"):
        Config(api_key="k", base_url=url)


def test_base_url_with_a_password_that_is_none() -> None:
    """The password is not shown."""
    for url in ("user:sk-secret@h/v1", "http://user:sk-secret@h\\x/v1"):
        with pytest.raises(OpenAIError, match="base_url is") as caught:
            Config(api_key="k", base_url=url)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("query", "settings", "options"),
    [
        ("a=1&a=2&b=x%2Fy&c", {}, {}),
        ("b=x%2Fy&c&a=3", {"default_query": {"a": 3}}, {}),
        ("b=x%2Fy&c&a=5", {"default_query": {"a": 3}}, {"extra_query": {"a": 5}}),
        ("a=1&a=2&c&b=0", {}, {"extra_query": {"b": "0"}}),
        ("a=1&a=2&b=x%2Fy", {}, {"extra_query": {"c": None}}),
        ("a=1&a=2&b=x%2Fy", {"default_query": {"c": None, "d": [1]}}, {"extra_query": {"d": None}}),
        ("", {}, {"extra_query": {"a": None, "b": None, "c": None}}),
    ],
)
def test_query_of_the_base_url(
    query: str, settings: dict[str, Any], options: dict[str, Any]
) -> None:
    """Each parameter is as the call says, or else the client, or else the address."""
    config = Config(api_key="k", base_url="http://h/v1?a=1&a=2&b=x%2Fy&c", **settings)
    expected = "http://h/v1/chat/completions" + ("?" + query if query else "")
    assert expected == build(config, **options).url


def test_query_of_an_operation() -> None:
    """A parameter of the call wins over the address and the client, extra_query over it."""
    config = Config(
        api_key="k",
        base_url="http://h/v1?limit=1&metadata%5Bk%5D=1",
        default_query={"limit": 2},
    )
    for url, options in (
        ("metadata%5Bk%5D=1&limit=3", {"limit": 3}),
        ("metadata%5Bk%5D=1&limit=4", {"limit": 3, "extra_query": {"limit": 4}}),
        ("limit=2&metadata%5Bk%5D=3", {"metadata": {"k": "3"}}),
    ):
        request = build_list(config, **options)
        assert f"http://h/v1/chat/completions?{url}" == request.url


def test_timeouts() -> None:
    """600 s for reading and 5 s for connecting, unless the client or the call says otherwise."""
    assert Timeout(600, connect=5) == build().timeout
    assert Timeout(3) == build(Config(api_key="k", timeout=3)).timeout
    assert Timeout(None) == build(timeout=None).timeout
    assert Timeout(7, total=9) == build(timeout=Timeout(7, total=9)).timeout


@pytest.mark.parametrize("limit", [0, -1, float("nan"), "3", True])
def test_timeouts_that_are_none(limit: Any) -> None:
    """Only a number of seconds above 0 is a limit."""
    with pytest.raises(ValueError, match="timeout: connect is"):
        Timeout(limit)


@pytest.mark.parametrize(
    ("expected", "params"),
    [
        ("no parameter 'temprature'; did you mean 'temperature'", {"temprature": 1}),
        ("extra_body", {"top_k": 1}),
        ("create.. needs 'model'", {"model": omit}),
        ("messages is a str", {"messages": "Hello"}),
        ("messages is a dict", {"messages": HELLO[0]}),
        ("messages is a int", {"messages": 3}),
        (r"messages\[0\] is a str", {"messages": ["Hello"]}),
        (r"messages\[0\] is a completion.*choices\[0\]", {"messages": [ChatCompletion]}),
        ("response_format is a class.*parse", {"response_format": ChatCompletion}),
        (r"tools\[0\] is a object", {"tools": [object()]}),
        (r"extra_body.x is a bytes", {"extra_body": {"x": b""}}),
    ],
)
def test_wrong_arguments(expected: str, params: Any) -> None:
    """A wrong argument is named, and what to do about it."""
    if params.get("messages") == [ChatCompletion]:
        params["messages"] = [read_completion(HttpResponse(200, {}, b'{"choices": []}'))]
    with pytest.raises(TypeError, match=expected):
        build(**params)


@pytest.mark.parametrize("value", ["a\nb", "a\r\nX: y", "a\0", "日本"])
def test_headers_that_cannot_be_sent(value: str) -> None:
    """A header with a newline could smuggle another one in: it is refused."""
    with pytest.raises(ValueError, match="header 'X-A'"):
        build(extra_headers={"X-A": value})


# Keys


def test_key_function_is_called_for_each_request() -> None:
    """A key that expires is asked for when it is needed."""
    keys = iter(["k1", "k2"])
    config = Config(api_key=lambda: next(keys))
    assert ["Bearer k1", "Bearer k2"] == [
        build(config).headers["Authorization"],
        build(config).headers["Authorization"],
    ]


@pytest.mark.parametrize("key", ["sk-abc\n", "sk\rabc", " sk-abc", "sk-äbc", "sk\x00abc"])
def test_keys_that_cannot_be_sent(key: str) -> None:
    """They are refused when the client is made, and not shown."""
    with pytest.raises(OpenAIError) as caught:
        Config(api_key=key)
    assert key.strip() not in str(caught.value)


def test_keys_do_not_show() -> None:
    """Not in the repr of anything that holds one."""
    request = build(Config(api_key="sk-very-secret"))
    config = Config(api_key="sk-very-secret", base_url="http://user:sk-very-secret@h/v1")
    for holder in (config, Secret("sk-very-secret"), request, request.headers, [request]):
        assert "sk-very-secret" not in f"{holder!r} {holder!s}"


def test_environment() -> None:
    """The four variables are read, and what is given wins."""
    environ = {
        "OPENAI_API_KEY": "k",
        "OPENAI_BASE_URL": "http://h/v1",
        "OPENAI_ORG_ID": "o",
        "OPENAI_PROJECT_ID": "p",
    }
    config = config_from_env(environ)
    assert Config(api_key="k", base_url="http://h/v1", organization="o", project="p") == config
    given = config_from_env(environ, api_key="k2", base_url="http://i", organization="o2")
    assert ("http://i", "o2", "p") == (given.base_url, given.organization, given.project)
    assert Secret("k2") == given.api_key


@pytest.mark.parametrize("around", ["{}\n", "{}\r", " {} ", "\ufeff{}", "{}\r\n"])
def test_environment_with_blanks(around: str) -> None:
    """Files with variables or secrets add blanks, which are no part of what they hold."""
    given = {
        "OPENAI_API_KEY": "k",
        "OPENAI_BASE_URL": "http://h/v1",
        "OPENAI_ORG_ID": "o",
        "OPENAI_PROJECT_ID": "p",
    }
    written = {name: around.format(value) for name, value in given.items()}
    assert config_from_env(given) == config_from_env(written)


@pytest.mark.parametrize("environ", [{}, {"OPENAI_API_KEY": ""}, {"OPENAI_API_KEY": "\n"}])
def test_no_key(environ: dict[str, str]) -> None:
    """Without a key, the error says which variable to set."""
    with pytest.raises(OpenAIError, match="OPENAI_API_KEY"):
        config_from_env(environ)


# Redirects


@pytest.mark.parametrize(
    ("expected", "url", "status", "location"),
    [
        ("http://h/b", "http://h/a", 307, "/b"),
        ("http://h/b", "http://h/a", 308, "http://h:80/b".replace(":80", "")),
        ("http://h/b", "http://h/a", 308, "http://h:80/b"),
        ("https://h/a", "http://h/a", 307, "https://h/a"),
    ],
)
def test_redirect_that_is_followed(expected: str, url: str, status: int, location: str) -> None:
    """Within the origin, and from http to https, with method, headers and body kept."""
    request = HttpRequest("POST", url, {"Authorization": "x"}, b"{}", Timeout(3))
    following = follow_redirect(request, HttpResponse(status, {"Location": location}))
    assert HttpRequest("POST", expected, request.headers, b"{}", Timeout(3)) == following


@pytest.mark.parametrize(
    ("method", "url", "status", "location"),
    [
        ("POST", "https://h/a", 307, "https://evil/a"),
        ("POST", "https://h/a", 307, "//evil/a"),
        ("POST", "https://h/a", 308, "https://h:444/a"),
        ("POST", "https://h/a", 307, "http://h/a"),
        ("POST", "https://h/a", 302, "/b"),
        ("POST", "https://h/a", 301, "/b"),
        ("POST", "https://h/a", 303, "/b"),
        ("GET", "https://h/a", 302, "https://evil/a"),
    ],
)
def test_redirect_that_is_refused(method: str, url: str, status: int, location: str) -> None:
    """To another origin, or when a POST would become a GET; the target is named."""
    with pytest.raises(APIStatusError) as caught:
        follow_redirect(HttpRequest(method, url), HttpResponse(status, {"Location": location}))
    assert location.lstrip("/") in caught.value.message
    assert status == caught.value.status_code


def test_no_redirect() -> None:
    """Other statuses, and a redirect to nowhere, are responses like any other."""
    request = HttpRequest("POST", "https://h/a")
    assert follow_redirect(request, HttpResponse(200, {"Location": "/b"})) is None
    assert follow_redirect(request, HttpResponse(307)) is None


# Responses


def test_completion_carries_its_response() -> None:
    """Status, headers, attempts and the request id can be read on it."""
    response = HttpResponse(200, {"X-Request-Id": "r"}, b'{"choices": []}', attempts=3)
    completion = read_completion(response)
    assert completion.http is not None
    assert ("r", "r", 3) == (
        completion.request_id,
        completion._request_id,
        completion.http.attempts,
    )


def test_choices_without_index() -> None:
    """They are counted."""
    body = b'{"choices": [{"message": {"content": "a"}}, {"message": {"content": null}}]}'
    completion = read_completion(HttpResponse(200, {}, body))
    assert [(0, "a"), (1, None)] == [(c.index, c.message.content) for c in completion.choices]


@pytest.mark.parametrize("end", ["", "\n", "data: [DONE]\n\n", "\n\ndata:[DONE]"])
def test_completion_that_ends_like_a_stream(end: str) -> None:
    """The mark of a stream's end, behind a plain answer, is no reason to lose it."""
    body = b'{"choices": [{"message": {"content": "ok"}}]}' + end.encode()
    assert "ok" == read_completion(HttpResponse(200, {}, body)).text


def test_stream_unasked() -> None:
    """An event stream in place of a completion is joined to one."""
    body = b'data: {"choices":[{"delta":{"content":"O"}}]}\n\ndata: {"choices":[{"delta":'
    body += b'{"content":"K"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    completion = read_completion(HttpResponse(200, {"x-request-id": "r"}, body))
    assert ("OK", "stop", "r") == (
        completion.text,
        completion.choices[0].finish_reason,
        completion.request_id,
    )


@pytest.mark.parametrize("cut", [1, 7, 10_000])
def test_completion_in_place_of_a_stream(cut: int) -> None:
    """A plain completion, where a stream was asked for, is the one chunk that it amounts to."""
    body = json.dumps(
        {
            "id": "c",
            "choices": [
                {"message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
            ],
            "usage": {"total_tokens": 3},
        }
    ).encode()
    pieces = [body[at : at + cut] for at in range(0, len(body), cut)]
    (chunk,) = read_chunks(HttpResponse(200, {}, pieces))
    assert ("ok", "stop", 3) == (
        chunk.text,
        chunk.choices[0].finish_reason,
        chunk.usage and chunk.usage.total_tokens,
    )


def test_headers() -> None:
    """Names compare without case, repeated ones join, and equality is by content."""
    headers = Headers([("A", "1"), ("a", "2"), ("B", "3")])
    assert ("1, 2", 2, ["A", "B"]) == (headers["a"], len(headers), list(headers))
    assert headers == {"b": "3", "a": "1, 2"}
    assert headers.merged({"b": None, "C": "4"}) == {"a": "1, 2", "c": "4"}
    assert "a" in headers
    assert 3 not in headers
