"""What people write, as type checkers see it. It is checked by mypy and pyright, and never run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict

import attrs
from typing_extensions import Unpack, assert_type

from chatlib import (
    AsyncOpenAI,
    ChatCompletionStream,
    HttpRequest,
    OpenAI,
    RateLimits,
    Tool,
    ToolRun,
    ToolRunEvent,
    function_tool,
    parse_completion,
    tool_results,
)
from chatlib.http import Timeout, omit
from chatlib.testing import (
    InMemoryServer,
    RecordingTransport,
    ReplayTransport,
    error,
    recorded,
    serve,
    stream,
)
from chatlib.types import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionMessageCustomToolCall,
    ChatCompletionMessageFunctionToolCall,
    ChatCompletionMessageParam,
    ChatCompletionToolParam,
    Choice,
    CreateOptions,
    CreateParams,
    FinishReason,
    ListParams,
    MessageLike,
    MessageListParams,
    ParsedChatCompletion,
    ParsedFunctionToolCall,
    RequestOptions,
    ToolLike,
    UpdateParams,
)
from chatlib.types.chat import ChatCompletionToolUnionParam, completion_create_params
from chatlib.types.chat.chat_completion_chunk import Choice as ChunkChoice
from chatlib.types.chat.chat_completion_message_tool_call import Function
from chatlib.types.values import (
    AssistantMessage,
    FunctionDefinition,
    FunctionTool,
    ImagePart,
    ImageURL,
    JSONSchema,
    ResponseFormatJSONSchema,
    StreamOptions,
    SystemMessage,
    TextPart,
    ToolMessage,
    UserMessage,
)


def create(**params: Unpack[CreateOptions]) -> ChatCompletion: ...  # type: ignore[empty-body]
def listing(**params: Unpack[ListParams]) -> None: ...
def messages_of(**params: Unpack[MessageListParams]) -> None: ...
def update(**params: Unpack[UpdateParams]) -> None: ...
def call(**options: Unpack[RequestOptions]) -> None: ...


# Messages: dict literals, variables of plain dicts, values, answers, and all of them mixed


def dict_literals() -> None:
    create(
        model="gpt-5",
        messages=[
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:", "detail": "low"}},
                ],
            },
            UserMessage(content=[ImagePart(image_url=ImageURL(url="data:"))]),
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": "t1",
                        "type": "function",
                        "function": {"name": "f", "arguments": "{}"},
                    }
                ],
            },
            {"role": "tool", "content": "42", "tool_call_id": "t1"},
        ],
    )


def variables() -> None:
    plain = [{"role": "user", "content": "Hi"}]
    create(model="m", messages=plain)

    annotated: list[dict[str, str]] = plain
    create(model="m", messages=annotated)

    loose: list[dict[str, Any]] = []
    create(model="m", messages=loose)

    exact: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]
    exact.append({"role": "assistant", "content": None, "refusal": "No."})
    create(model="m", messages=exact)
    create(model="m", messages=tuple(exact))
    create(model="m", messages=(message for message in exact))

    read_only: Iterable[Mapping[str, Any]] = plain
    create(model="m", messages=read_only)
    create(model="m", messages=[{"role": "system", "content": "Be brief."}, *loose])


def values_and_answers(completion: ChatCompletion) -> None:
    history: list[MessageLike] = [
        SystemMessage(content="Be brief."),
        UserMessage(
            content=[
                TextPart(text="What is this?"),
                ImagePart(image_url={"url": "data:"}),
                {"type": "text", "text": "And this?"},
            ],
            name="ann",
        ),
    ]
    message = completion.choices[0].message
    history.append(message)
    for tool_call in message.tool_calls or []:
        history.append(ToolMessage(content="42", tool_call_id=tool_call.id))
    history.append({"role": "user", "content": "Thanks"})
    history.append(AssistantMessage(content=message.content, tool_calls=message.tool_calls))
    create(model="m", messages=history)

    users = [UserMessage(content="a"), UserMessage(content="b")]
    create(model="m", messages=users)

    UserMessage(text="Hi")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    UserMessage(content="Hi", role="system")  # type: ignore[arg-type]
    ToolMessage(content="42")  # type: ignore[call-arg]


# Parameters


def parameters(
    messages: list[dict[str, str]],
    tools: list[ChatCompletionToolUnionParam],
    schema: dict[str, Any],
) -> None:
    create(
        model="m",
        messages=messages,
        temperature=0,
        top_p=omit,
        stop=["\n"],
        seed=None,
        max_completion_tokens=100,
        metadata={"user": "7"},
        logit_bias={"50256": -100},
        modalities=["text", "audio"],
        audio={"voice": "alloy", "format": "wav"},
        reasoning_effort="minimal",
        prompt_cache_retention="in-memory",
        service_tier="flex",
        stream_options=StreamOptions(include_usage=True),
        tools=tools,
        tool_choice={"type": "function", "function": {"name": "f"}},
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": schema, "strict": True},
        },
        extra_headers={"X-Trace": "1", "User-Agent": None},
        extra_body={"top_k": 40},
        timeout=Timeout(total=30),
        max_retries=0,
        idempotency_key="once",
    )
    weather: ChatCompletionToolParam = {
        "type": "function",
        "function": {"name": "weather", "parameters": schema},
    }
    mixed: list[ToolLike] = [weather, FunctionTool(function=FunctionDefinition(name="g"))]
    answer = JSONSchema(name="answer", schema=schema)
    create(
        model="m",
        messages=messages,
        tools=mixed,
        tool_choice="required",
        response_format=ResponseFormatJSONSchema(json_schema=answer),
        timeout=None,
    )
    create(model="m", messages=messages, tools=[weather], timeout=2.5)
    vendor: dict[str, Any] = {"type": "vendor_search"}
    create(model="m", messages=messages, tools=[vendor], tool_choice=vendor)
    create(model="m", messages=messages, response_format=vendor, stream_options=vendor)
    assert_type(weather["function"]["name"], str)
    listing(limit=10, order="desc", metadata={"user": "7"})
    messages_of(after="m1")
    update(metadata=None)
    call(extra_query={"q": ["a", 1]})


def mistakes(messages: list[dict[str, str]]) -> None:
    create(model="m")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    create(model="m", messages=messages, temprature=1)  # type: ignore[call-arg]
    create(model="m", messages=messages, temperature="hot")  # type: ignore[arg-type]
    create(model="m", messages=messages, service_tier="first")  # type: ignore[arg-type]
    create(model="m", messages="Hi")  # type: ignore[arg-type]
    create(model="m", messages=messages, tools=[UserMessage(content="")])  # type: ignore[list-item]
    update()  # type: ignore[call-arg]


def mistakes_in_literals() -> None:
    """A wrong key, a missing one or a wrong value in a dict literal is an error, however deep."""
    hi: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]
    create(model="m", messages=[{"role": "user", "content": 3}])  # type: ignore
    create(model="m", messages=[{"role": "user", "content": [{"type": "text"}]}])  # type: ignore
    create(model="m", messages=[*hi, {"role": "tool", "tool_call_id": 1}])  # type: ignore
    create(model="m", messages=[{"role": "user", "content": [{"type": "image_url", "image_url": "data:"}]}])  # type: ignore  # fmt: skip  # noqa: E501
    create(model="m", messages=hi, tools=[{"type": "function"}])  # type: ignore
    create(model="m", messages=hi, tools=[{"type": "function", "function": {"nam": ""}}])  # type: ignore
    create(model="m", messages=hi, tool_choice={"type": "function", "name": "f"})  # type: ignore
    create(model="m", messages=hi, tool_choice="any")  # type: ignore
    create(model="m", messages=hi, response_format={"type": "jsn"})  # type: ignore
    create(model="m", messages=hi, response_format={"type": "json_schema"})  # type: ignore
    create(model="m", messages=hi, stream_options={"include_usge": True})  # type: ignore
    create(model="m", messages=hi, audio={"voice": "alloy", "format": "ogg"})  # type: ignore
    create(model="m", messages=hi, prediction={"type": "text", "content": ""})  # type: ignore
    create(model="m", messages=hi, web_search_options={"search_context": "low"})  # type: ignore
    create(model="m", messages=hi, moderation={"name": "m"})  # type: ignore
    create(model="m", messages=hi, functions=[{"description": "no name"}])  # type: ignore
    create(model="m", messages=hi, function_call={"function": "f"})  # type: ignore
    create(model="m", messages=hi, prompt_cache_options={"ttl": "1h"})  # type: ignore
    hi.append({"role": "usr", "content": "Hi"})  # type: ignore
    UserMessage(content=[{"type": "text", "txt": "Hi"}])  # type: ignore
    FunctionTool(function={"params": {}})  # type: ignore


def misspelt_imports() -> None:
    from chatlib.types import ChatCompletionMesage  # type: ignore  # noqa: F401
    from chatlib.types.chat import ChatCompletionChunks  # type: ignore  # noqa: F401
    from chatlib.types.values import UsrMessage  # type: ignore  # noqa: F401


def read_back(
    message: ChatCompletionMessageParam, tool: ChatCompletionToolUnionParam, made: ChatCompletion
) -> str:
    """Dict forms hold dict forms, and the documented strings are told apart."""
    if message["role"] == "assistant":
        for call in message.get("tool_calls", ()):
            if call["type"] == "function":
                assert_type(call["function"]["arguments"], str)
    elif message["role"] == "user" and not isinstance(message["content"], str):
        for part in message["content"]:
            if part["type"] == "image_url":
                assert_type(part["image_url"]["url"], str)
    if tool["type"] == "custom":
        assert_type(tool["custom"]["name"], str)
    reason: Literal["stop", "length", "tool_calls", "content_filter", "function_call"]
    reason = made.choices[0].finish_reason
    tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None
    tier = made.service_tier
    return f"{reason} {tier}"


def kept_parameters(messages: list[dict[str, str]]) -> None:
    params: CreateParams = {"model": "m", "messages": messages, "n": 2}
    create(**params)
    base: completion_create_params.CompletionCreateParamsBase = params
    create(**base, max_retries=5)
    text: completion_create_params.ResponseFormat = {"type": "text"}
    create(model="m", messages=messages, response_format=text)


# Answers


def answer(completion: ChatCompletion) -> str:
    choice = completion.choices[0]
    assert_type(choice, Choice)
    assert_type(choice.finish_reason, FinishReason)
    assert_type(choice.message.content, str | None)
    assert_type(completion.usage.total_tokens if completion.usage else 0, int)
    for call in choice.message.tool_calls or []:
        if call.type == "function":
            assert_type(call, ChatCompletionMessageFunctionToolCall)
            assert_type(call.function, Function)
        else:
            assert_type(call, ChatCompletionMessageCustomToolCall)
            assert_type(call.custom.input, str)
    assert_type(completion.extra, dict[str, Any])
    assert_type(completion.replace(model="x"), ChatCompletion)
    completion.replace(model="x").nothing  # type: ignore[attr-defined]  # noqa: B018  # pyright: ignore
    return completion.text


def pieces(chunks: Iterable[ChatCompletionChunk]) -> str:
    text = ""
    for chunk in chunks:
        for choice in chunk.choices:
            assert_type(choice, ChunkChoice)
            for call in choice.delta.tool_calls or []:
                assert_type(call.function.arguments if call.function else None, str | None)
        text += chunk.text
    return text


@attrs.define
class Event:
    name: str


def parsed(completion: ParsedChatCompletion[Event]) -> str:
    message = completion.choices[0].message
    assert_type(message.parsed, Event | None)
    for call in message.tool_calls or []:
        if call.type == "function":
            assert_type(call, ParsedFunctionToolCall)
            assert_type(call.function.parsed_arguments, Any)
    plain: ChatCompletion = completion
    create(model="m", messages=[message, {"role": "user", "content": "Thanks"}])
    return message.parsed.name if message.parsed else plain.text


# Answers with a type


class Town(TypedDict):
    name: str


def typed(client: OpenAI, messages: list[dict[str, str]], completion: ChatCompletion) -> str:
    answer = client.chat.completions.parse(model="m", messages=messages, response_format=Event)
    assert_type(answer, ParsedChatCompletion[Event])
    assert_type(answer.choices[0].message.parsed, Event | None)
    town = client.chat.completions.parse(model="m", messages=messages, response_format=Town)
    assert_type(town.choices[0].message.parsed, Town | None)
    many = client.chat.completions.parse(model="m", messages=messages, response_format=list[Event])
    assert_type(many.choices[0].message.parsed, list[Event] | None)
    older = client.beta.chat.completions.parse(
        model="m", messages=messages, response_format=Event, temperature=0, timeout=3
    )
    assert_type(older, ParsedChatCompletion[Event])
    again = parse_completion(completion, Event)
    assert_type(again.choices[0].message.parsed, Event | None)
    plain: ChatCompletion = client.chat.completions.parse(model="m", messages=messages)
    event: Event | None = answer.choices[0].message.parsed
    client.chat.completions.parse(model="m", response_format=Event)  # type: ignore[call-overload]  # pyright: ignore
    return event.name if event else plain.text


def events(client: OpenAI, messages: list[dict[str, str]]) -> str:
    text = ""
    with client.chat.completions.stream(
        model="m", messages=messages, response_format=Event
    ) as stream:
        assert_type(stream, ChatCompletionStream[Event])
        for event in stream:
            if event.type == "chunk":
                assert_type(event.chunk, ChatCompletionChunk)
                assert_type(event.snapshot, ParsedChatCompletion[Event])
            elif event.type == "content.delta":
                text += event.delta
                assert_type(event.snapshot, str)
            elif event.type == "content.done":
                assert_type(event.parsed, Event | None)
            elif event.type == "refusal.done":
                assert_type(event.refusal, str)
            elif event.type == "tool_calls.function.arguments.delta":
                assert_type(event.arguments_delta, str)
            elif event.type == "tool_calls.function.arguments.done":
                assert_type(event.parsed_arguments, Any)
            elif event.type == "logprobs.content.delta":
                assert_type(event.snapshot[0].logprob, float)
        assert_type(stream.response.model, str)
        assert_type(stream.until_done().get_final_completion(), ParsedChatCompletion[Event])
        parsed: Event | None = stream.get_final_completion().choices[0].message.parsed
    with client.chat.completions.stream(model="m", messages=messages) as stream_of_text:
        for piece in stream_of_text:
            if piece.type == "content.delta":
                text += piece.delta
    return parsed.name if parsed else text


def running(client: OpenAI, messages: list[dict[str, str]], completion: ChatCompletion) -> str:
    def add(a: int, b: int) -> int:
        return a + b

    def watch(event: ToolRunEvent) -> None:
        assert_type(event.result, ToolMessage | None)

    tool = function_tool(add)
    assert_type(tool, Tool)
    run = client.chat.completions.run(
        model="m", messages=messages, tools=[add, tool], max_rounds=3, on_event=watch
    )
    assert_type(run, ToolRun)
    assert_type(tool_results(completion, [add]), list[ToolMessage])
    create(model="m", messages=[*run.messages, *tool_results(completion, [tool])], tools=[tool])
    return run.completion.text


def scripted(path: Path) -> None:
    """Servers in memory, and recordings."""

    async def later(request: HttpRequest) -> str:
        return "later"

    server = InMemoryServer(
        "text",
        {"choices": []},
        stream("text", b": ping\n\n", pause=0.1),
        ValueError("no"),
        lambda request: request.method,
        later,
        default=error(500),
        limits=RateLimits(limit_requests=3),
    )
    server.add(error(404), to="retrieve")
    OpenAI(api_key="k", transport=server, sleep=server.sleep)
    with serve(server, port=8080) as base_url:
        assert_type(base_url, str)
    transport = recorded(path, server, mode="replay", timing=True)
    assert_type(transport, RecordingTransport | ReplayTransport)
    OpenAI(api_key="k", transport=transport)
    AsyncOpenAI(api_key="k", transport=transport)
