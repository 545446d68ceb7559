"""Whatever a server sends, each reader gives a value or an error of the library's own."""

from __future__ import annotations

import asyncio
import copy
import json
import math
import pickle
import sys
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatlib import (
    ChatCompletionStreamState,
    DecodeError,
    HttpResponse,
    OpenAI,
    OpenAIError,
    atool_results,
    function_tool,
    joined,
    parse_completion,
    read_chunks,
    read_completion,
    structure,
    to_request,
    tool_results,
)
from chatlib.stored_operations import read_completions, read_messages
from chatlib.testing import InMemoryServer, raw
from chatlib.types import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionMessage,
    JsonObject,
)
from chatlib.types.json_values import MOST_DEPTH
from chatlib.wire.codec import from_json


@attrs.define
class Answer:
    city: str


def weather(city: str) -> str:
    """Get the weather of a city."""
    return f"Rain in {city}"


TOOLS = [function_tool(weather)]
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Paris"}'},
}
CUSTOM = {"id": "call_2", "type": "custom", "custom": {"name": "sh", "input": "ls"}}
TOKEN = {"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}
MESSAGE = {
    "role": "assistant",
    "content": '{"city": "Paris"}',
    "refusal": None,
    "annotations": [{"type": "url_citation", "url_citation": {"url": "u"}}],
    "audio": {"id": "a", "data": "AAAA", "expires_at": 1, "transcript": "x"},
    "function_call": {"name": "f", "arguments": "{}"},
    "tool_calls": [CALL, CUSTOM],
    "reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "x"}],
}
BODY = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": MESSAGE,
            "logprobs": {"content": [TOKEN], "refusal": None},
        }
    ],
    "usage": {
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "total_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 1},
    },
    "moderation": {"input": {"type": "error", "code": "x"}, "output": None},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all that is in a value."""
    found = [path]
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(item, (*path, key))
    return found


def put(value: Any, path: tuple[Any, ...], what: Any) -> Any:
    """A copy of a value with something else in a place; omitted where it is ``...``."""
    if not path:
        return what
    made = copy.copy(value)
    if what is ... and len(path) == 1:
        del made[path[0]]
    else:
        made[path[0]] = put(value[path[0]], path[1:], what)
    return made


ODD = [
    *(None, True, False, 0, 1, -1.5, "", "x", "{", "{}", "null", [], [None], ["x"], [1], [[]]),
    *({}, {"x": 1}, [{}], {"a": {"b": []}}, {"type": "new"}, [{"type": "new"}], {"type": []}),
    *(float("nan"), "\ud83d", "a" * 300, 10**400),
]


def bears(reader: Callable[[], object]) -> Any:
    """What a reader gives, where it gives a value; it may raise an error of the library."""
    try:
        return reader()
    except (OpenAIError, DecodeError):
        return None
    except ValueError as error:  # a NaN that is to be sent back
        assert "which is not allowed in JSON" in str(error)  # noqa: PT017
        return None


def check_readers(value: JsonObject) -> None:
    plain = value.to_dict()
    assert plain.keys() == value.fields_set
    json.loads(value.to_json())
    json.loads(value.model_dump_json(exclude_none=True))
    value.model_dump()
    assert repr(value)
    for twin in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert repr(plain) == repr(twin.to_dict())
        assert isinstance(twin == value, bool)
    assert isinstance(value.replace(), type(value))


def check_completion(completion: Any, *, awaited: bool = False) -> None:
    """Every reader of a completion gives a value, or an error of the library."""
    check_readers(completion)
    assert isinstance(completion.text, str)
    for kind in (Answer, None):
        parsed = bears(lambda kind=kind: parse_completion(completion, kind, TOOLS))
        if parsed is not None:
            check_readers(parsed)
    for tools in (TOOLS, {"weather": weather, "sh": str.upper}):
        results = bears(lambda tools=tools: tool_results(completion, tools))
        if awaited:
            made = bears(lambda tools=tools: asyncio.run(atool_results(completion, tools)))
            assert repr(results) == repr(made)
        for result in results or []:
            assert isinstance(result.content, str)
            for foreign in ("TypeError", "AttributeError", "KeyError", "RecursionError"):
                assert foreign not in result.content
    for choice in completion.choices if isinstance(completion.choices, list) else ():
        message = getattr(choice, "message", None)
        if isinstance(message, JsonObject):
            assert isinstance(message.text, str)
            json.dumps(bears(lambda message=message: to_request([message])))
            bears(lambda message=message: tool_results(message, TOOLS))


def mutated(value: Any) -> st.SearchStrategy[Any]:
    """The value with some places of it changed."""

    @st.composite
    def mutate(draw: st.DrawFn) -> Any:
        made = value
        for _ in range(draw(st.integers(1, 3))):
            path = draw(st.sampled_from(places(made)[1:] or [()]))
            made = put(made, path, draw(st.sampled_from([..., *ODD])) if path else made)
        return made

    return mutate()


@pytest.mark.parametrize("what", [..., None, "x", [None]])
def test_each_place_of_a_completion(what: Any) -> None:
    """Each value of it may be something odd, or missing."""
    for body in [put(BODY, path, what) for path in places(BODY)[1:]]:
        text = json.dumps(body).encode()
        completion = bears(lambda text=text: read_completion(HttpResponse(200, {}, text)))
        if completion is not None:
            check_completion(completion)
        check_completion(structure(json.loads(text), ChatCompletion))


@given(body=mutated(BODY))
def test_odd_completions(body: Any) -> None:
    """Some of them at once."""
    text = json.dumps(body).encode()
    completion = bears(lambda: read_completion(HttpResponse(200, {}, text)))
    if completion is not None:
        check_completion(completion)
    check_completion(structure(json.loads(text), ChatCompletion), awaited=True)


@given(body=mutated({"object": "list", "data": [BODY], "has_more": False, "last_id": "c"}))
def test_odd_pages(body: Any) -> None:
    """Pages of completions and of messages."""
    text = json.dumps(body).encode()
    for read in (read_completions, read_messages):
        page: Any = bears(lambda read=read: read(HttpResponse(200, {}, text)))
        if page is not None:
            check_readers(page)
            for item in page.data:
                check_readers(item)


@settings(max_examples=30)
@given(body=mutated(BODY))
def test_odd_answers_to_clients(body: Any) -> None:
    """``parse()`` and ``run()`` too."""
    answer = raw(200, json.dumps(body).encode())
    with OpenAI(api_key="k", max_retries=0, transport=InMemoryServer(default=answer)) as client:
        ask = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
        chat = client.chat.completions
        bears(lambda: chat.parse(**ask, response_format=Answer, tools=TOOLS))
        bears(lambda: chat.run(**ask, tools=[weather], max_rounds=2))


# Depth


def nested(depth: int, opening: str = "[", closing: str = "]", inside: str = "") -> str:
    return opening * depth + inside + closing * depth


@pytest.mark.parametrize(
    "make",
    [
        lambda depth: nested(depth),
        lambda depth: nested(depth, '{"a":', "}", "1"),
        lambda depth: nested(depth // 2, '[{"a": ', "}]", '"[[[["') + " " * 9,
    ],
)
@pytest.mark.parametrize("encode", [str, str.encode])
def test_the_limit(make: Any, encode: Any) -> None:
    """JSON as deep as the limit is read, deeper JSON is a ValueError that says so."""
    assert from_json(encode(make(MOST_DEPTH)))
    for depth in (MOST_DEPTH + 2, 1000, 100_000):
        with pytest.raises(ValueError, match="nested too deeply"):
            from_json(encode(make(depth)))


def test_what_only_looks_deep() -> None:
    """Brackets in texts, and as many of them side by side, are not deep."""
    for value in ("[{" * 500, ["[" * 500], [[]] * 500, [{}] * 500, {"a": [[1]] * 500}):
        for text in (json.dumps(value), json.dumps(value).encode()):
            assert value == from_json(text)


def test_too_many_digits() -> None:
    """An integer of thousands of digits reads as infinity, as one with an exponent does."""
    digits = "9" * 5000
    if hasattr(sys, "get_int_max_str_digits"):
        for text in (f'{{"a": -{digits}}}', f'{{"a": -{digits}}}'.encode()):
            assert {"a": -math.inf} == from_json(text)
    body = f'{{"created": {digits}, "choices": [{{"index": {digits}, "x": {digits}}}]}}'
    check_completion(read_completion(HttpResponse(200, {}, body.encode())))


def deep_stack(frames: int, function: Callable[[], Any]) -> Any:
    """Call a function from below many frames."""
    return deep_stack(frames - 1, function) if frames else function()


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("place", ["unknown", "arguments", "content", "usage"])
def test_deep_answers(opening: str, closing: str, place: str) -> None:
    """What is as deep as it can be is borne by every reader, from a deep stack too."""
    deep = json.loads(nested(MOST_DEPTH - 12, opening, closing, "1"))
    body = json.loads(json.dumps(BODY))
    message = body["choices"][0]["message"]
    if place == "unknown":
        body["x"] = body["choices"][0]["x"] = message["x"] = deep
    elif place == "arguments":
        message["tool_calls"][0]["function"]["arguments"] = deep
    else:
        (body if place == "usage" else message)[place] = deep
    text = json.dumps(body).encode()

    def check() -> None:
        check_completion(read_completion(HttpResponse(200, {}, text)))

    deep_stack(300, check)


def test_deep_chunks() -> None:
    """A stream of them is joined and read as events, and its completion is read."""
    deep = nested(MOST_DEPTH - 8)
    choice = f'{{"index": 0, "delta": {{"content": "a", "x": {deep}, "y": {{"z": {deep}}}}}}}'
    end = '{"index": 0, "delta": {}, "finish_reason": "stop"}'
    wire = "".join(f'data: {{"choices": [{c}], "v": {deep}}}\n\n' for c in (choice, choice, end))
    response = HttpResponse(200, {}, f"{wire}data: [DONE]\n\n".encode())

    def check() -> None:
        state: Any = ChatCompletionStreamState()
        chunks = list(read_chunks(response))
        for chunk in chunks:
            check_readers(chunk)
            list(state.handle_chunk(chunk))
        check_completion(joined(chunks))
        check_completion(state.get_final_completion())

    deep_stack(300, check)


def test_deeper_answers_are_errors() -> None:
    """An answer that is deeper is an error of the library's, in both forms."""
    deep = nested(MOST_DEPTH + 1)
    with pytest.raises(OpenAIError, match="nested too deeply"):
        read_completion(HttpResponse(200, {}, f'{{"choices": [], "x": {deep}}}'.encode()))
    wire = f'data: {{"choices": [{{"delta": {{"x": {deep}}}}}]}}\n\n'.encode()
    with pytest.raises(OpenAIError):
        list(read_chunks(HttpResponse(200, {}, wire)))
    with pytest.raises(ValueError, match="nested too deeply"):
        structure({"x": json.loads(deep)}, ChatCompletionChunk)


# Tool calls


def called(call: Any) -> ChatCompletion:
    message = {"role": "assistant", "tool_calls": call if isinstance(call, str) else [call]}
    return structure({"choices": [{"index": 0, "message": message}]}, ChatCompletion)


@pytest.mark.parametrize(
    ("expected", "call"),
    [
        ("is not an object: null", None),
        ('is not an object: "x"', "x"),
        ("is not an object: [1]", [1]),
        ("is not an object: 7", 7),
        ('has neither an id nor a name: {"type": "new"}', {"type": "new"}),
        ("has neither an id nor a name: {}", {}),
    ],
)
def test_what_is_no_call(expected: str, call: Any) -> None:
    """It can't be answered: the error says what it is, and holds the completion."""
    made = structure({"choices": [{"message": {"tool_calls": [CALL, call]}}]}, ChatCompletion)
    ran: list[str] = []
    with pytest.raises(OpenAIError) as caught:
        tool_results(made, {"weather": ran.append})
    assert f"choices[0].message.tool_calls[1] {expected}" == str(caught.value)
    assert made is caught.value.completion  # type: ignore[attr-defined]
    assert [] == ran
    parse_completion(made, tools=TOOLS)  # where nothing has to be answered, it stays as it is


@pytest.mark.parametrize("calls", ["x", 7, True, 1.5])
def test_calls_that_are_no_list(calls: Any) -> None:
    """They can't be answered either; an empty object is none."""
    made = structure({"choices": [{"message": {"tool_calls": calls}}]}, ChatCompletion)
    with pytest.raises(OpenAIError, match=r"choices\[0\]\.message\.tool_calls is not a list"):
        tool_results(made, TOOLS)
    with pytest.raises(OpenAIError, match=r"^tool_calls is not a list"):
        tool_results(made.choices[0].message, TOOLS)
    assert [] == tool_results(structure({"tool_calls": {}}, ChatCompletionMessage), TOOLS)


@pytest.mark.parametrize(
    ("expected", "call"),
    [
        (
            "Rain in Paris",
            {**CALL, "function": {"name": "weather", "arguments": {"city": "Paris"}}},
        ),
        ("Rain in Paris", {**CALL, "id": None}),
        ("Error: the call (of type 'new') does not name a tool", {"id": "a", "type": "new"}),
        ("Error: the call (of type 'function') does not name a tool", {**CALL, "function": None}),
        ("Error: the call (of type 'function') does not name a tool", {**CALL, "function": "x"}),
        ("Error: there is no tool 'y' to call", {**CALL, "function": {"name": "y"}}),
        (
            "Error: the arguments of 'weather' are invalid: $: expected an object",
            {**CALL, "function": {"name": "weather", "arguments": [1]}},
        ),
        (
            "Error: the arguments of 'weather' are invalid: $.city: expected a string, got 1",
            {**CALL, "function": {"name": "weather", "arguments": {"city": 1}}},
        ),
    ],
)
def test_odd_calls_are_answered(expected: str, call: Any) -> None:
    """A call is executed where that is possible; else the model is told in words about its call."""
    (result,) = tool_results(called(call), TOOLS)
    assert str(result.content).startswith(expected)
    assert call["id"] == result.tool_call_id


def test_arguments_that_do_not_fit() -> None:
    """A function that is known by its name only is called with what its signature takes."""
    (result,) = tool_results(called({**CALL}), {"weather": lambda town: town})
    assert "Error: the arguments of 'weather' are invalid: $: " in str(result.content)


def test_arguments_as_an_object() -> None:
    """They are parsed, they are text, and they go back as text."""
    made = called({**CALL, "function": {"name": "weather", "arguments": {"city": "Ä"}}})
    parsed = parse_completion(made, tools=TOOLS).choices[0].message
    function = (parsed.tool_calls or [])[0].function  # type: ignore[union-attr]
    assert {"city": "Ä"} == function.parsed_arguments
    assert '{"city": "Ä"}' == function.arguments
    for message in (parsed, made.choices[0].message):
        sent = to_request(message)["tool_calls"][0]["function"]
        assert {"name": "weather", "arguments": '{"city": "Ä"}'} == sent
