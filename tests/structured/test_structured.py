"""``parse()``: an answer becomes a value of the type that was asked for, or a clear error."""

from __future__ import annotations

import datetime
import enum
import json
import pickle
import subprocess
import sys
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import attrs
import pytest

from chatlib import (
    ContentFilterFinishReasonError,
    LengthFinishReasonError,
    OpenAIError,
    ParseError,
    function_tool,
    json_schema,
    parse_completion,
    response_format_of,
    structure,
)
from chatlib.testing import InMemoryServer, completion
from chatlib.types import ChatCompletion
from tests import faces

MESSAGES = [{"role": "user", "content": "Hi"}]

pytestmark = pytest.mark.usefixtures("face")  # each test holds for both faces


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@attrs.define
class Line:
    item: str
    price: float
    color: Color | None = None


@attrs.define
class Order:
    """What somebody bought."""

    lines: list[Line]
    day: datetime.date
    note: str | None


@dataclass
class Point:
    x: int
    y: int


class City(TypedDict):
    name: str
    people: int


class Pair(NamedTuple):
    left: str
    right: float


@attrs.define
class Circle:
    kind: Literal["circle"]
    radius: float


@attrs.define
class Square:
    kind: Literal["square"]
    side: float


@attrs.define
class Drawing:
    shapes: list[Circle | Square]


ORDER = {
    "lines": [
        {"item": "a", "price": 1.5, "color": "red"},
        {"item": "b", "price": 2, "color": None},
    ],
    "day": "2025-02-03",
    "note": None,
}


def client_of(*replies: Any) -> tuple[Any, InMemoryServer]:
    server = InMemoryServer(*replies)
    return faces.client(transport=server, max_retries=0), server


def parse(reply: Any, kind: Any, **params: Any) -> Any:
    """What ``parse()`` makes of one reply: a body, or a value that becomes JSON text."""
    if not (isinstance(reply, dict) and "choices" in reply):
        reply = json.dumps(reply)
    client, _ = client_of(reply)
    return client.chat.completions.parse(
        model="m", messages=MESSAGES, response_format=kind, **params
    )


def refused(content: Any, kind: Any = Order, **message: Any) -> ParseError:
    """The error that a content makes."""
    with pytest.raises(ParseError) as caught:
        parse(completion(content, **message), kind)
    return caught.value


def finished(body: dict[str, Any], reason: Any) -> dict[str, Any]:
    body["choices"][0]["finish_reason"] = reason
    return body


def tool_call(name: str, arguments: Any, at: int = 0) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": f"call_{at}", "type": "function", "function": function}


# Types ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "sent", "expected"),
    [
        (
            Order,
            ORDER,
            Order(
                [Line("a", 1.5, Color.RED), Line("b", 2.0, None)], datetime.date(2025, 2, 3), None
            ),
        ),
        (Point, {"x": 1, "y": -2}, Point(1, -2)),
        (City, {"name": "東京", "people": 14}, {"name": "東京", "people": 14}),
        (Pair, {"left": "a", "right": 0.5}, Pair("a", 0.5)),
        (
            Drawing,
            {"shapes": [{"kind": "square", "side": 2}, {"kind": "circle", "radius": 1}]},
            Drawing([Square("square", 2.0), Circle("circle", 1.0)]),
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_objects(kind: Any, sent: Any, expected: Any) -> None:
    """Classes of all kinds come back as themselves, their fields decoded."""
    answer = parse(sent, kind)
    value = answer.choices[0].message.parsed
    assert expected == value
    assert type(expected) is type(value)
    assert json.dumps(sent) == answer.text


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (list[Point], [{"x": 1, "y": 2}], [Point(1, 2)]),
        (Circle | Square, {"kind": "square", "side": 2}, Square("square", 2.0)),
        (Color, "blue", Color.BLUE),
        (Literal["yes", "no"], "no", "no"),
        (Point | None, None, None),
    ],
)
def test_roots_that_are_no_objects(kind: Any, value: Any, expected: Any) -> None:
    """What the API can't ask for at the root is wrapped in an object, and comes out of it."""
    schema = response_format_of(kind)["json_schema"]["schema"]
    assert "object" == schema["type"]
    (wrapper,) = schema["properties"]
    assert expected == parse({wrapper: value}, kind).choices[0].message.parsed


def test_pydantic_models() -> None:
    """A model is validated by itself, and its errors are the library's."""
    pydantic = pytest.importorskip("pydantic")
    fields = {"name": (str, ...), "age": (Annotated[int, pydantic.Field(ge=0)], ...)}
    model = pydantic.create_model("Person", **fields)
    assert model(name="a", age=1) == parse({"name": "a", "age": 1}, model).choices[0].message.parsed
    error = refused('{"name": "a", "age": -1}', model)
    assert ("mismatch", "$.age") == (error.reason, error.path)


def test_msgspec_structs() -> None:
    """A struct is decoded by msgspec, and its errors are the library's."""
    msgspec = pytest.importorskip("msgspec")
    struct = msgspec.defstruct("Person", [("name", str), ("age", int)])
    assert struct("a", 1) == parse({"name": "a", "age": 1}, struct).choices[0].message.parsed
    assert "mismatch" == refused('{"name": "a", "age": "1"}', struct).reason


def test_what_is_sent() -> None:
    """A type becomes a strict schema with a name."""
    client, server = client_of(json.dumps(ORDER))
    client.chat.completions.parse(model="m", messages=MESSAGES, response_format=Order)
    sent = server.requests[0].json()["response_format"]
    assert response_format_of(Order) == sent
    assert ("json_schema", "Order", True, json_schema(Order)) == (
        sent["type"],
        sent["json_schema"]["name"],
        sent["json_schema"]["strict"],
        sent["json_schema"]["schema"],
    )


def test_the_schema_is_merged_with_extra_body() -> None:
    """A body has each key once, the same bytes as create() sends, and extra_body goes over it."""
    client, server = client_of(*[json.dumps(ORDER)] * 3)
    asked: dict[str, Any] = {"model": "m", "messages": MESSAGES}
    kind = response_format_of(Order)
    extra = {"response_format": {"json_schema": {"name": "other"}}, "top_k": 3}
    client.chat.completions.parse(**asked, response_format=Order)
    client.chat.completions.create(**asked, response_format=kind)
    client.chat.completions.parse(**asked, response_format=Order, extra_body=extra)
    parsed, created, merged = (request.content for request in server.requests)
    assert created == parsed
    kind["json_schema"]["name"] = "other"
    assert {**json.loads(created), "response_format": kind, "top_k": 3} == json.loads(merged)


def test_types_that_no_schema_can_say() -> None:
    """They are refused before anything is sent, by their path."""

    @attrs.define
    class Odd:
        size: complex

    client, server = client_of("{}")
    with pytest.raises(TypeError, match=r"Odd\.size: complex is not supported"):
        client.chat.completions.parse(model="m", messages=MESSAGES, response_format=Odd)
    assert [] == server.requests


def test_create_with_a_type() -> None:
    """``create()`` takes no types: its error names ``parse()``."""
    client, server = client_of("{}")
    with pytest.raises(TypeError, match=r"parse\(\)"):
        client.chat.completions.create(model="m", messages=MESSAGES, response_format=Order)
    assert [] == server.requests


def test_without_a_type() -> None:
    """Nothing is parsed, and the answer is as for ``create()``."""
    for given in ({}, {"response_format": {"type": "json_object"}}):
        client, _ = client_of("Hello")
        answer = client.chat.completions.parse(model="m", messages=MESSAGES, **given)
        assert ("Hello", None) == (answer.text, answer.choices[0].message.parsed)


# Answers ----------------------------------------------------------------------------------------


def choice(index: int, content: Any, **message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": content, **message}
    return {"index": index, "message": said, "finish_reason": "stop"}


def test_several_choices() -> None:
    """Each choice has its own value."""
    points = [Point(1, 2), Point(3, 4)]
    texts = ['{"x": 1, "y": 2}', '{"x": 3, "y": 4}']
    body = {**completion(), "choices": [choice(at, text) for at, text in enumerate(texts)]}
    answer = parse(body, Point, n=2)
    assert points == [one.message.parsed for one in answer.choices]


def test_an_error_in_the_second_choice() -> None:
    """It is named, and the completion holds the other one."""
    body = {**completion(), "choices": [choice(0, '{"x": 1, "y": 2}'), choice(1, '{"x": 1}')]}
    with pytest.raises(ParseError, match=r"^choices\[1\]\.message\.content ") as caught:
        parse(body, Point, n=2)
    assert '{"x": 1}' == caught.value.content
    assert body == caught.value.completion.to_dict()


def test_refusals() -> None:
    """A refusal is no error: it is there, and there is no value."""
    message = parse(completion(None, refusal="I won't."), Order).choices[0].message
    assert ("I won't.", None) == (message.refusal, message.parsed)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("length", LengthFinishReasonError), ("content_filter", ContentFilterFinishReasonError)],
)
@pytest.mark.parametrize("content", [None, "", '{"lines": [{"it', json.dumps(ORDER)])
def test_answers_that_are_not_whole(reason: str, kind: Any, content: Any) -> None:
    """They are an error of their own, whatever is there, with the completion."""
    body = finished(completion(content), reason)
    with pytest.raises(kind) as caught:
        parse(body, Order)
    assert body == caught.value.completion.to_dict()
    assert "req_scripted_1" == caught.value.completion.http.request_id
    assert isinstance(caught.value, OpenAIError)


def test_a_parsed_message_goes_back() -> None:
    """It can be sent like any other: the value does not travel."""
    client, server = client_of(json.dumps(ORDER), "Thanks")
    answer = client.chat.completions.parse(model="m", messages=MESSAGES, response_format=Order)
    client.chat.completions.create(model="m", messages=[*MESSAGES, answer.choices[0].message])
    said = server.requests[1].json()["messages"][1]
    assert {"role": "assistant", "content": json.dumps(ORDER)} == said


def test_the_plain_completion_is_not_changed() -> None:
    """``parse_completion`` is pure."""
    before = structure(completion('{"x": 1, "y": 2}'), ChatCompletion)
    after = parse_completion(before, Point)
    assert completion('{"x": 1, "y": 2}') == before.to_dict() == after.to_dict()
    assert type(before) is ChatCompletion
    assert not hasattr(before.choices[0].message, "parsed")
    assert Point(1, 2) == after.choices[0].message.parsed


# Errors -----------------------------------------------------------------------------------------

DEEP = "[" * 5000 + "]" * 5000
VALID = json.dumps(ORDER)


@pytest.mark.parametrize(
    ("content", "reason", "path"),
    [
        (None, "empty", "$"),
        ("", "empty", "$"),
        (" \n\t", "empty", "$"),
        (VALID[:40], "truncated", "$"),
        (VALID[:-1], "truncated", "$"),
        ('{"lines": [', "truncated", "$"),
        ('{"lines": [], "day": "2025', "truncated", "$"),
        ('{"lines": [], "day":', "truncated", "$"),
        ("Here is your order.", "not_json", "$"),
        (f"```json\n{VALID}\n```", "not_json", "$"),
        (f"{VALID}\n\nAnything else?", "not_json", "$"),
        (VALID.replace("1.5", "NaN"), None, None),
        (VALID.replace("1.5", "1e999"), None, None),
        ('{"day": "2025-01-01", ' + VALID[1:], None, None),
        (DEEP, None, "$"),
        (f'{{"lines": {DEEP}, "day": "2025-02-03", "note": null}}', None, None),
        (VALID.replace("1.5", '"1.5"'), "mismatch", "$.lines[0].price"),
        (VALID.replace("2025-02-03", "tomorrow"), "mismatch", "$.day"),
        (VALID.replace('"red"', '"pink"'), "mismatch", "$.lines[0].color"),
        (VALID.replace('"note"', '"memo"'), "mismatch", None),
        ("[]", "mismatch", "$"),
        ("null", "mismatch", "$"),
    ],
)
def test_what_can_not_be_read(content: Any, reason: Any, path: Any) -> None:
    """Why, where in the answer and where in its value; with the whole answer and its text."""
    error = refused(content)
    assert str(error).startswith("choices[0].message.content ")
    assert len(str(error)) < 600
    assert (content or "") == error.content
    assert completion(content) == error.completion.to_dict()
    assert error.reason in ("empty", "truncated", "not_json", "mismatch")
    assert reason in (None, error.reason)
    assert path in (None, error.path)
    assert isinstance(error, OpenAIError)
    assert error.path in str(error) or error.reason == "empty"


@pytest.mark.parametrize("megabytes", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_a_long_text(megabytes: int) -> None:
    """It is read as it is; where it is wrong, the message stays short and the text is there."""
    text = "x" * megabytes * 1_000_000
    value = {"left": text, "right": 0.5}
    assert Pair(text, 0.5) == parse(value, Pair).choices[0].message.parsed
    for content in (json.dumps({"left": 1, "right": text}), json.dumps(value)[:-20], text):
        error = refused(content, Pair)
        assert len(str(error)) < 600
        assert content == error.content


def test_errors_travel_between_processes() -> None:
    """All that an error says is there after it was pickled."""
    error = refused('{"x": 1, "y": "2"}', Point)
    again = pickle.loads(pickle.dumps(error))
    expected = (str(error), error.content, error.reason, error.path, error.completion.to_dict())
    held = (str(again), again.content, again.reason, again.path, again.completion.to_dict())
    assert expected == held
    assert ParseError is type(again)


def test_the_cause() -> None:
    """The error of the decoder is the cause."""
    assert isinstance(refused("[]").__cause__, ValueError)


# Tool calls -------------------------------------------------------------------------------------

PLAIN = {
    "type": "function",
    "function": {"name": "plain", "strict": True, "parameters": json_schema(Point)},
}
CUSTOM = {"type": "custom", "custom": {"name": "shell"}}


def parse_calls(*calls: Any, tools: Any, **params: Any) -> Any:
    """The tool calls of an answer that makes them."""
    client, _ = client_of(completion(None, tool_calls=list(calls)))
    answer = client.chat.completions.parse(model="m", messages=MESSAGES, tools=tools, **params)
    return answer.choices[0].message.tool_calls


def test_arguments() -> None:
    """An instance where the tool came from a class, plain JSON where it came from none."""
    calls = [
        tool_call("Point", '{"x": 1, "y": 2}'),
        tool_call("plain", '{"x": 3, "y": 4}', 1),
        tool_call("unknown", '{"x": 5}', 2),
    ]
    made = parse_calls(*calls, tools=[function_tool(Point), PLAIN])
    expected = [Point(1, 2), {"x": 3, "y": 4}, None]
    assert expected == [call.function.parsed_arguments for call in made]
    assert calls == [call.to_dict() for call in made]


def test_arguments_of_a_function() -> None:
    """A function among the tools is made into one; its arguments are its parameters."""

    def move(to: Point, fast: bool) -> None: ...

    (made,) = parse_calls(
        tool_call("move", '{"to": {"x": 1, "y": 2}, "fast": true}'), tools=iter([move])
    )
    assert {"to": Point(1, 2), "fast": True} == made.function.parsed_arguments


@pytest.mark.parametrize("arguments", ["", " ", None])
def test_no_arguments(arguments: Any) -> None:
    """None at all are an empty object."""

    @attrs.define
    class Now:
        """What time it is."""

    tools = [function_tool(Now)]
    (made,) = parse_calls(tool_call("Now", arguments), tools=tools)
    assert Now() == made.function.parsed_arguments


def test_custom_tool_calls() -> None:
    """They pass through untouched."""
    call = {"id": "c", "type": "custom", "custom": {"name": "shell", "input": "{ls"}}
    (made,) = parse_calls(call, tools=[CUSTOM, function_tool(Point)])
    assert call == made.to_dict()


@pytest.mark.parametrize("strict", [{}, {"strict": False}, {"strict": None}])
def test_tools_that_are_not_strict(strict: Any) -> None:
    """They are refused by name before anything is sent."""
    client, server = client_of("a")
    tool = {"type": "function", "function": {"name": "get_weather", **strict}}
    with pytest.raises(ValueError, match="'get_weather' is not strict"):
        client.chat.completions.parse(model="m", messages=MESSAGES, tools=[PLAIN, tool])
    assert [] == server.requests


@pytest.mark.parametrize(
    ("name", "arguments", "reason", "path"),
    [
        ("Point", '{"x": 1, "y', "truncated", "$"),
        ("plain", '{"x": 1, "y', "truncated", "$"),
        ("Point", "x=1", "not_json", "$"),
        ("plain", "[1]", "mismatch", "$"),
        ("Point", '{"x": 1, "y": "2"}', "mismatch", "$.y"),
        ("Point", "", "mismatch", None),
        ("Point", DEEP, None, "$"),
        ("plain", DEEP, None, "$"),
    ],
)
def test_arguments_that_can_not_be_read(name: str, arguments: str, reason: Any, path: Any) -> None:
    """The error names the choice, the call and its tool."""
    calls = [tool_call("unknown", "{"), tool_call(name, arguments, 1)]
    with pytest.raises(ParseError) as caught:
        parse_calls(*calls, tools=[function_tool(Point), PLAIN])
    error = caught.value
    start = f"choices[0].message.tool_calls[1].function.arguments ({name}) "
    assert str(error).startswith(start)
    assert len(str(error)) < 600
    assert reason in (None, error.reason)
    assert path in (None, error.path)
    assert (arguments or "{}") == error.content
    assert calls == [call.to_dict() for call in error.completion.choices[0].message.tool_calls]


def test_calls_in_place_of_an_answer() -> None:
    """Where a tool is called, an empty content is no error; a content beside it is read."""
    tools = [function_tool(Point)]
    call = tool_call("Point", '{"x": 1, "y": 2}')
    for content, expected in [
        (None, None),
        ("", None),
        ("\n", None),
        ('{"x": 3, "y": 4}', Point(3, 4)),
    ]:
        message = (
            parse(completion(content, tool_calls=[call]), Point, tools=tools).choices[0].message
        )
        assert expected == message.parsed
        assert Point(1, 2) == message.tool_calls[0].function.parsed_arguments


# What is loaded ---------------------------------------------------------------------------------


def test_pydantic_is_not_loaded() -> None:
    """Parsing attrs classes and dataclasses loads neither pydantic nor msgspec."""
    code = """
import sys, dataclasses
from chatlib import OpenAI, function_tool
from chatlib.testing import InMemoryServer

@dataclasses.dataclass
class Point:
    x: int

client = OpenAI(api_key="k", transport=InMemoryServer('{"x": 1}', '{"x": 2}'))
asked = dict(model="m", messages=[{"role": "user", "content": "Hi"}], response_format=Point)
tools = [function_tool(Point)]
assert Point(1) == client.chat.completions.parse(**asked, tools=tools).choices[0].message.parsed
with client.chat.completions.stream(**asked, tools=tools) as events:
    assert Point(2) == events.get_final_completion().choices[0].message.parsed
print(sorted({"pydantic", "pydantic_core", "msgspec", "openai"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False, timeout=60
    )
    assert ("[]\n", "") == (done.stdout, done.stderr)
