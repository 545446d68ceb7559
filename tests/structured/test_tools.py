"""Tools out of classes and functions, their calls, and conversations that run them."""

from __future__ import annotations

import copy
import datetime
import json
import pickle
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import attrs
import pytest

from chatlib import (
    BadRequestError,
    DecodeError,
    OpenAIError,
    Tool,
    ToolRoundsExceededError,
    function_tool,
    json_schema,
    pydantic_function_tool,
    structure,
    tool_results,
)
from chatlib.testing import InMemoryServer, completion, error
from chatlib.types import ChatCompletion
from chatlib.types.values import ToolMessage
from tests import faces

MESSAGES = [{"role": "user", "content": "Hi"}]

pytestmark = pytest.mark.usefixtures("face")  # each test holds for both faces


@attrs.define
class Place:
    """Where it is."""

    city: str
    country: str = "FR"


def add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: The first one.
        b (int): The second one,
            which may be negative.

    Returns:
        Their sum: a number.
    """
    return a + b


def forecast(
    place: Place,
    day: Annotated[datetime.date, "Which day."],
    unit: Literal["C", "F"] = "C",
    *,
    hours: list[int] | None = None,
) -> str:
    """Tell the weather
    of a place.

    :param place: Where.
    :param str unit: In which unit,
        Celsius or Fahrenheit.
    :returns: A text: short.
    """
    return f"{place.city}/{place.country} {day:%d.%m.} {unit} {hours}"


class Shop:
    """Has things."""

    def __init__(self, prices: dict[str, float]) -> None:
        self.prices = prices

    def price(self, item: str) -> float:
        """What an item costs."""
        return self.prices[item]

    @staticmethod
    def hours() -> str:
        """When it is open."""
        return "9-17"


def definition(source: Any) -> Any:
    return function_tool(source)["function"]


def described(source: Any) -> dict[str, Any]:
    """What a tool says of its parameters."""
    properties = definition(source)["parameters"]["properties"]
    return {name: shown.get("description") for name, shown in properties.items()}


# Making them ------------------------------------------------------------------------------------


def test_a_tool_is_a_plain_request_value() -> None:
    """It equals the dict that one would write, and is JSON."""
    expected = {
        "type": "function",
        "function": {
            "name": "add",
            "description": "Add two numbers.",
            "parameters": {
                "type": "object",
                "properties": {
                    "a": {"type": "integer", "description": "The first one."},
                    "b": {
                        "type": "integer",
                        "description": "The second one, which may be negative.",
                    },
                },
                "required": ["a", "b"],
                "additionalProperties": False,
            },
            "strict": True,
        },
    }
    tool = function_tool(add)
    assert expected == tool
    assert expected == json.loads(json.dumps(tool))
    assert isinstance(tool, dict)


def test_a_tool_of_a_class() -> None:
    """The fields are the parameters, and a call becomes an instance."""
    tool = function_tool(Place)
    schema = json_schema(Place)
    about = schema.pop("description")
    assert {
        "name": "Place",
        "description": about,
        "parameters": schema,
        "strict": True,
    } == tool["function"]
    assert "Where it is." == about
    assert Place("Paris", "FR") == tool.read('{"city": "Paris", "country": "FR"}')
    assert (Place, None, "Place") == (tool.kind, tool.function, tool.name)
    with pytest.raises(TypeError, match="'Place' was made from a class"):
        tool.call("{}")


def test_name_and_description_can_be_given() -> None:
    """They take the place of the source's own."""
    for tool in (
        function_tool(Place, "locate", "Find it."),
        pydantic_function_tool(Place, name="locate", description="Find it."),
        function_tool(Place, name="locate", description="Find it."),
    ):
        assert ("locate", "Find it.") == (tool.name, tool["function"]["description"])
    assert function_tool(Place) == pydantic_function_tool(Place)


def test_a_docstring_with_fields() -> None:
    """``:param name:`` describes a parameter; ``Annotated`` does too."""
    assert "Tell the weather of a place." == definition(forecast)["description"]
    expected = {"day": "Which day.", "unit": "In which unit, Celsius or Fahrenheit.", "hours": None}
    got = described(forecast)
    got.pop("place")
    assert expected == got


def test_fields_alone() -> None:
    """A docstring that begins with fields has no first paragraph."""

    def lookup(word: str, deep: bool) -> None:
        """:param word: Which word.
        :param bool deep: Look everywhere."""

    assert "description" not in definition(lookup)
    assert {"word": "Which word.", "deep": "Look everywhere."} == described(lookup)


def test_fields_right_after_the_first_line() -> None:
    """What follows the first line without a blank one is not taken for prose."""

    def lookup(word: str) -> str:
        """Look a word up.
        :param word: Which word.
        :return: What it means.
        """
        return word

    def search(word: str) -> str:
        """Search.
        Args:
            word: Which word.
        """
        return word

    for source, summary in [(lookup, "Look a word up."), (search, "Search.")]:
        assert summary == definition(source)["description"]
        assert {"word": "Which word."} == described(source)


def test_no_docstring() -> None:
    """Nothing is described, and nothing is invented."""

    def lookup(word: str) -> None: ...

    assert "description" not in definition(lookup)
    assert {"word": None} == described(lookup)


def test_no_parameters() -> None:
    """A function without parameters is called with an empty object."""
    tool = function_tool(Shop.hours)
    assert {} == tool["function"]["parameters"]["properties"]
    assert ["9-17"] * 3 == [tool.call(text) for text in ("{}", "", " ")]


def test_methods() -> None:
    """A bound method has no parameter for its object, and is called on it."""
    tool = function_tool(Shop({"tea": 2.5}).price)
    assert ("price", ["item"]) == (tool.name, list(tool["function"]["parameters"]["properties"]))
    assert 2.5 == tool.call('{"item": "tea"}')


def test_decoded_parameters() -> None:
    """Parameters are given as the types that they ask for."""
    tool = function_tool(forecast)
    value = {
        "place": {"city": "Paris", "country": "BE"},
        "day": "2025-02-03",
        "unit": "F",
        "hours": [1, 2],
    }
    read = tool.read(json.dumps(value))
    assert Place("Paris", "BE") == read["place"]
    assert datetime.date(2025, 2, 3) == read["day"]
    assert "Paris/BE 03.02. F [1, 2]" == tool.call(json.dumps(value))
    value["hours"] = None
    assert "Paris/BE 03.02. F None" == tool.call(json.dumps(value))


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ('{"a": 1, "b": "2"}', "$.b"),
        ('{"a": 1, "b": 2, "c": 3}', "$"),
        ('{"a": 1', "$"),
        ("[1, 2]", "$"),
        ('{"a": true, "b": 2}', "$.a"),
    ],
)
def test_wrong_arguments(arguments: str, path: str) -> None:
    """They are an error that says where, and the function is not called."""
    with pytest.raises(DecodeError) as caught:
        function_tool(add).call(arguments)
    assert path == caught.value.path


def test_functions_that_can_not_be_tools() -> None:
    """They are refused by the name of the function and of the parameter."""

    def no_note(a, b: int):  # type: ignore[no-untyped-def]
        ...

    def many(*names: str) -> None: ...

    def any_of(**options: int) -> None: ...

    def by_place(a: int, /) -> None: ...

    def odd(size: complex) -> None: ...

    for source, message in [
        (no_note, r"no_note\(\): the parameter 'a' has no annotation"),
        (many, r"many\(\): \*names"),
        (any_of, r"any_of\(\): \*\*options"),
        (by_place, r"by_place\(\): a: "),
        (odd, r"odd\.size: complex is not supported"),
        (lambda x: x, r"<lambda>\(\): the parameter 'x' has no annotation"),
    ]:
        with pytest.raises(TypeError, match=message):
            function_tool(source)


def test_copies() -> None:
    """A copied or pickled tool equals the first one and works like it."""
    for tool, arguments in [
        (function_tool(add, "plus", "Add."), '{"a": 1, "b": 2}'),
        (function_tool(Place), '{"city": "Paris", "country": "FR"}'),
    ]:
        for again in (pickle.loads(pickle.dumps(tool)), copy.copy(tool), copy.deepcopy(tool)):
            assert tool == again
            assert isinstance(again, Tool)
            assert tool.read(arguments) == again.read(arguments)
            assert (tool.kind is Place) == (again.kind is Place)
            assert tool.function is again.function


# Their calls ------------------------------------------------------------------------------------


def called(*calls: tuple[str, Any], **message: Any) -> dict[str, Any]:
    """The body of an answer that calls tools: name and arguments of each."""
    made = [
        {"id": f"call_{at}", "type": "function", "function": {"name": name, "arguments": text}}
        for at, (name, text) in enumerate(calls)
    ]
    return completion(message.pop("content", None), tool_calls=made, **message)


def results(body: dict[str, Any], tools: Any) -> list[str]:
    """The contents of the messages that answer the calls, whose ids must be right."""
    made = tool_results(structure(body, ChatCompletion), tools)
    calls = body["choices"][0]["message"]["tool_calls"]
    assert [call["id"] for call in calls] == [message.tool_call_id for message in made]
    assert all(isinstance(message, ToolMessage) for message in made)
    return [message.content for message in made]  # type: ignore[misc]


def test_results_keep_the_order() -> None:
    """One message for each call, in the order of the calls."""
    body = called(("add", '{"a": 1, "b": 2}'), ("hours", ""), ("add", '{"a": 3, "b": 4}'))
    expected = ["3", "9-17", "7"]
    assert expected == results(body, [add, Shop.hours])
    assert expected == results(body, [function_tool(add), function_tool(Shop.hours)])
    assert expected == results(body, {"add": add, "hours": function_tool(Shop.hours)})
    assert expected == results(body, iter([add, Shop.hours]))


def test_results_of_a_message() -> None:
    """A message will do in place of its completion; an answer without calls has no results."""
    answer = structure(called(("add", '{"a": 1, "b": 2}')), ChatCompletion)
    expected = [ToolMessage(content="3", tool_call_id="call_0")]
    assert expected == tool_results(answer, [add]) == tool_results(answer.choices[0].message, [add])
    assert [] == tool_results(structure(completion("Hi"), ChatCompletion), [add])
    assert [] == tool_results(structure({**completion(), "choices": []}, ChatCompletion), [add])


def test_errors_are_text() -> None:
    """What goes wrong in one tool is said to the model, and the others run."""

    def fail(why: str) -> None:
        raise KeyError(why)

    body = called(("fail", '{"why": "late"}'), ("add", '{"a": 1, "b": 2}'))
    first, second = results(body, [fail, add])
    assert ("Error: KeyError: 'late'", "3") == (first, second)


def test_an_interrupt_is_not_swallowed() -> None:
    """Somebody who stops the program stops it inside a tool too."""

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        results(called(("stop", "{}")), [stop])


def test_unknown_tools() -> None:
    """A call of a tool that there is none of is answered with those that there are."""
    (text,) = results(called(("minus", "{}")), [add, Shop.hours])
    assert "Error: there is no tool 'minus' to call; there are: add, hours" == text
    (text,) = results(called(("Place", "{}")), [function_tool(Place)])
    assert "Error: there is no tool 'Place' to call; there are: none" == text


@pytest.mark.parametrize(
    "arguments",
    ['{"a": 1, "b": 2', '{"a": 1', "a=1", "[]", '{"a": 1}', '{"a": 1, "b": 2}}', "null"],
)
def test_incomplete_arguments_are_never_executed(arguments: str) -> None:
    """Neither by a tool nor by a function that stands for a name."""
    ran = []

    def act(a: int, b: int = 2) -> None:
        ran.append((a, b))

    (text,) = results(called(("act", arguments)), [act])
    assert text.startswith("Error: the arguments of 'act' are invalid: ")
    if arguments != '{"a": 1}':  # nothing is known of what a plain function needs
        (text,) = results(called(("act", arguments)), {"act": act})
        assert text.startswith("Error: ")
    assert [] == ran


def test_custom_tools() -> None:
    """The function for a custom tool's name is given its text."""
    calls = [{"id": "c", "type": "custom", "custom": {"name": "shell", "input": '{"ls'}}]
    body = completion(None, tool_calls=calls)
    assert ['{"LS'] == results(body, {"shell": str.upper})
    assert results(body, [add])[0].startswith("Error: there is no tool 'shell'")


@dataclass
class Box:
    size: int
    day: datetime.date


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("é", "é"),
        ("", ""),
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        (["é", 1], '["é", 1]'),
        ({"a": None}, '{"a": null}'),
        (Place("Paris"), '{"city": "Paris", "country": "FR"}'),
        ([Place("Paris")], '[{"city": "Paris", "country": "FR"}]'),
        (Box(1, datetime.date(2025, 2, 3)), '{"size": 1, "day": "2025-02-03"}'),
        (ToolMessage(content="a", tool_call_id="b"), None),
        (3 + 4j, "(3+4j)"),
    ],
)
def test_what_tools_return(value: Any, expected: Any) -> None:
    """Text as it is, everything else as JSON, and what JSON can't say as Python shows it."""

    def give() -> Any:
        return value

    (text,) = results(called(("give", "{}")), [give])
    assert (json.dumps(value.to_dict()) if expected is None else expected) == text


# Conversations ----------------------------------------------------------------------------------


def client_of(*replies: Any) -> tuple[Any, InMemoryServer]:
    server = InMemoryServer(*replies)
    return faces.client(transport=server, max_retries=0), server


def test_a_run() -> None:
    """Calls are executed and answered until the model answers; parallel ones in their order."""
    first = called(("add", '{"a": 1, "b": 2}'), ("add", '{"a": 3, "b": 4}'), content="Let me see")
    second = called(("hours", "{}"))
    client, server = client_of(first, second, "Done")
    run = client.chat.completions.run(
        model="m", messages=MESSAGES, tools=[add, Shop.hours], temperature=0
    )
    assert ("Done", 3) == (run.completion.text, run.rounds)
    bodies = [request.json() for request in server.requests]
    assert [1, 4, 6] == [len(body["messages"]) for body in bodies]
    sent = bodies[-1]["messages"]
    assert ["user", "assistant", "tool", "tool", "assistant", "tool"] == [m["role"] for m in sent]
    assert ["3", "7", "9-17"] == [m["content"] for m in sent if m["role"] == "tool"]
    assert first["choices"][0]["message"] == sent[1]
    assert [function_tool(add), function_tool(Shop.hours)] == bodies[0]["tools"]
    assert [0] * 3 == [body["temperature"] for body in bodies]
    assert 6 == len(run.messages)
    assert [{"role": "user", "content": "Hi"}] == MESSAGES


def test_a_run_without_calls() -> None:
    """The first answer is the last one."""
    client, server = client_of("Hello")
    given = list(MESSAGES)
    run = client.chat.completions.run(model="m", messages=iter(given), tools=[add])
    assert ("Hello", 1, MESSAGES) == (run.completion.text, run.rounds, run.messages)
    assert 1 == len(server.requests)


def test_a_run_can_go_on() -> None:
    """The messages of a run, its answer and a new question are the next conversation."""
    client, server = client_of(called(("add", '{"a": 1, "b": 2}')), "3", "6")
    run = client.chat.completions.run(model="m", messages=MESSAGES, tools=[add])
    messages = [*run.messages, run.completion.choices[0].message, {"role": "user", "content": "x2"}]
    again = client.chat.completions.run(model="m", messages=messages, tools=[add])
    assert "6" == again.completion.text
    roles = [message["role"] for message in server.requests[-1].json()["messages"]]
    assert ["user", "assistant", "tool", "assistant", "user"] == roles


def test_events_of_a_run() -> None:
    """Each completion and each result is told, in order."""
    first = called(("add", '{"a": 1, "b": 2}'), ("add", "{"))
    client, _ = client_of(first, "Done")
    told: list[Any] = []
    client.chat.completions.run(model="m", messages=MESSAGES, tools=[add], on_event=told.append)
    assert [1, 1, 1, 2] == [event.round for event in told]
    assert [None, "call_0", "call_1", None] == [
        event.result and event.result.tool_call_id for event in told
    ]
    assert first == told[0].completion.to_dict() == told[1].completion.to_dict()
    assert "Done" == told[-1].completion.text


def test_errors_are_given_back_to_the_model() -> None:
    """A tool that fails does not end the run."""
    client, server = client_of(called(("add", '{"a": 1}')), "Sorry")
    run = client.chat.completions.run(model="m", messages=MESSAGES, tools=[add])
    assert "Sorry" == run.completion.text
    content = server.requests[1].json()["messages"][-1]["content"]
    assert content.startswith("Error: the arguments of 'add' are invalid: ")


def test_the_limit_of_a_run() -> None:
    """After the last round, the error holds the conversation, results included."""
    call = called(("add", '{"a": 1, "b": 2}'))
    client, server = client_of(call, call, call)
    with pytest.raises(ToolRoundsExceededError, match="after 2 rounds") as caught:
        client.chat.completions.run(model="m", messages=MESSAGES, tools=[add], max_rounds=2)
    assert 2 == len(server.requests)
    assert (2, 5, call) == (
        caught.value.rounds,
        len(caught.value.messages),
        caught.value.completion.to_dict(),
    )
    assert isinstance(caught.value, OpenAIError)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(caught.value), 2, 5) == (str(again), again.rounds, len(again.messages))


def test_an_error_of_the_server_ends_a_run() -> None:
    """It is raised as by ``create()``."""
    client, _ = client_of(called(("add", '{"a": 1, "b": 2}')), error(400))
    with pytest.raises(BadRequestError):
        client.chat.completions.run(model="m", messages=MESSAGES, tools=[add])
