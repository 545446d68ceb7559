"""chatlib against a real server, whichever it is: ``docs/live-server.md`` says how to start one.

Named by ``CHATLIB_TEST_BASE_URL``; model and key by ``CHATLIB_TEST_MODEL`` and
``CHATLIB_TEST_API_KEY``. With ``-s`` each test shows what the server said.
"""

from __future__ import annotations

import enum
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import attrs
import pytest

import chatlib
from chatlib import BadRequestError, InternalServerError, OpenAI
from tests.faces import Face

T = TypeVar("T")

BASE_URL = os.environ.get("CHATLIB_TEST_BASE_URL", "")
MODEL = os.environ.get("CHATLIB_TEST_MODEL", "any")
KEY = os.environ.get("CHATLIB_TEST_API_KEY", "none")

if not BASE_URL:
    pytest.skip(
        "CHATLIB_TEST_BASE_URL names no server; see docs/live-server.md", allow_module_level=True
    )

SHORT: dict[str, Any] = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "Count from one to ten."}],
    "max_tokens": 16,
    "timeout": 120.0,
}


@pytest.fixture
def client(face: Face) -> Any:
    """A client of each face, in turn; the type checker sees the plain one."""
    return face.client(api_key=KEY, base_url=BASE_URL)


def show(**what: Any) -> None:
    """Print what came, for ``-s``."""
    print("\n  " + "\n  ".join(f"{name}: {value!r}" for name, value in what.items()))


def test_completion(client: OpenAI) -> None:
    """A completion has text or a reason for having none, and its usage adds up."""
    completion = client.chat.completions.create(**SHORT)
    choice = completion.choices[0]
    show(
        content=choice.message.content,
        finish_reason=choice.finish_reason,
        usage=completion.usage,
        model=completion.model,
        unknown_fields=sorted(completion.extra),
    )
    assert "assistant" == choice.message.role
    assert choice.message.content
    assert choice.finish_reason in ("stop", "length")
    assert completion.http is not None
    assert 1 == completion.http.attempts
    if completion.usage is not None:
        used = completion.usage
        assert used.total_tokens == used.prompt_tokens + used.completion_tokens


def test_round_trip(client: OpenAI) -> None:
    """Nothing of the body is lost or changed in ``to_dict()``."""
    response = client.chat.completions.with_raw_response.create(**SHORT)
    sent = json.loads(response.content)
    show(bytes=len(response.content), fields=sorted(sent))
    assert sent == response.parse().to_dict()


def test_stream(client: OpenAI) -> None:
    """A stream comes in pieces, ends with a finish reason, and reports the usage if asked to."""
    start = time.perf_counter()
    times, chunks = [], []
    options = {"include_usage": True}
    with client.chat.completions.create(stream=True, stream_options=options, **SHORT) as stream:
        for chunk in stream:
            times.append(time.perf_counter() - start)
            chunks.append(chunk)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices]
    show(
        chunks=len(chunks),
        text=text,
        usage=chunks[-1].usage,
        first_after=f"{times[0]:.3f} s",
        last_after=f"{times[-1]:.3f} s",
    )
    assert text
    assert len(chunks) > 2
    assert [reason for reason in reasons if reason] == ["length"] or "stop" in reasons
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0


def test_stream_says_what_a_completion_says(client: OpenAI) -> None:
    """Without chance, the pieces of a stream make up the text that comes in one piece."""
    steady = {**SHORT, "temperature": 0, "seed": 1}
    whole = client.chat.completions.create(**steady).choices[0].message.content
    with client.chat.completions.create(stream=True, **steady) as stream:
        joined = "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
    show(whole=whole, joined=joined)
    if whole != joined:
        pytest.skip("the server is not deterministic")
    assert whole == joined


def test_several_choices(client: OpenAI) -> None:
    """``n=2`` gives two choices, told apart by their index."""
    try:
        completion = client.chat.completions.create(n=2, **SHORT)
    except BadRequestError as error:
        pytest.skip(f"the server refuses n=2: {error}")
    show(choices=[(choice.index, choice.message.content) for choice in completion.choices])
    if len(completion.choices) == 1:
        pytest.skip("the server disregards n")
    assert [0, 1] == sorted(choice.index for choice in completion.choices)


def test_several_choices_in_a_stream(client: OpenAI) -> None:
    """So it does in a stream, where their pieces come mixed."""
    texts: dict[int, str] = {}
    try:
        with client.chat.completions.create(n=2, stream=True, **SHORT) as stream:
            for chunk in stream:
                for choice in chunk.choices:
                    texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
    except BadRequestError as error:
        pytest.skip(f"the server refuses n=2: {error}")
    show(texts=texts)
    if len(texts) == 1:
        pytest.skip("the server disregards n")
    assert [0, 1] == sorted(texts)


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": [{"role": "user"}]},
        {"extra_body": {"temperature": "warm"}},
        {"extra_body": {"messages": "Hello"}},
    ],
    ids=["a message without content", "a temperature that is a text", "messages that are a text"],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_refusal(client: OpenAI, wrong: dict[str, Any], stream: bool) -> None:
    """What the server refuses raises its words, and is not tried again."""
    with pytest.raises(chatlib.APIStatusError) as raised:
        client.chat.completions.create(stream=stream, **{**SHORT, **wrong})
    error = raised.value
    show(error=error, type=error.type, code=error.code, body=error.body)
    assert error.status_code in (400, 422, 500)
    assert error.message.startswith(f"Error code: {error.status_code} - ")
    assert len(error.message) > len("Error code: 400 - ")
    if error.status_code < 500:
        assert 1 == error.attempts


def test_wrong_path() -> None:
    """An address that is not that of the API is a NotFoundError with a hint."""
    with (
        OpenAI(api_key=KEY, base_url=BASE_URL.rstrip("/") + "/nowhere") as client,
        pytest.raises(chatlib.APIStatusError) as raised,
    ):
        client.chat.completions.create(**SHORT)
    show(error=raised.value)
    assert raised.value.status_code in (404, 405)


def test_interrupted_stream(client: OpenAI) -> None:
    """A stream that is closed after two chunks is over, and the next call works."""
    start = time.perf_counter()
    with client.chat.completions.create(stream=True, **{**SHORT, "max_tokens": 256}) as stream:
        two = [next(stream), next(stream)]
    closed = time.perf_counter() - start
    assert [] == list(stream)
    after = client.chat.completions.create(**SHORT)
    show(
        closed_after=f"{closed:.3f} s",
        chunks=len(two),
        next_call=after.choices[0].message.content,
    )
    assert after.choices[0].message.content


def test_many_calls(client: OpenAI) -> None:
    """Calls one right after the other, whole and streamed, all get their answer.

    Some servers close a connection after a stream without having said so; a call that was about to
    use it again is then made twice. How often that happened is shown.
    """
    one = {**SHORT, "max_tokens": 1}
    attempts = []
    start = time.perf_counter()
    for _ in range(10):
        completion = client.chat.completions.create(**one)
        assert completion.http is not None
        attempts.append(completion.http.attempts)
        with client.chat.completions.create(stream=True, **one) as stream:
            assert list(stream)
            attempts.append(stream.response.attempts)
    took = time.perf_counter() - start
    show(calls=len(attempts), requests=sum(attempts), took=f"{took:.2f} s")


@pytest.mark.parametrize("arguments", [[], ["--no-stream"], ["--json"]], ids=" ".join)
def test_command(arguments: list[str]) -> None:
    """The command prints an answer: streamed, in one piece, or as JSON."""
    question = "Reply with one short word."
    done = subprocess.run(
        [sys.executable, "-m", "chatlib", question, "--model", MODEL, *arguments],
        env={
            **os.environ,
            "OPENAI_BASE_URL": BASE_URL,
            "OPENAI_API_KEY": KEY,
            "PYTHONPATH": str(Path(chatlib.__file__).parent.parent),
            "PYTHONIOENCODING": "utf-8",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    show(command=["chatlib", question, *arguments], stdout=done.stdout[:400], stderr=done.stderr)
    assert 0 == done.returncode
    assert done.stdout.strip()
    if arguments == ["--json"]:
        assert json.loads(done.stdout)["choices"]


# Answers with a type ----------------------------------------------------------------------------


class Size(NamedTuple):
    """Bounds, as an ``Annotated`` may carry them: so small that even a small model ends."""

    min_length: int | None = None
    max_length: int | None = None


class Between(NamedTuple):
    ge: int
    le: int


Word = Annotated[str, Size(1, 12)]


class Diet(enum.Enum):
    PLANTS = "plants"
    MEAT = "meat"
    BOTH = "both"


@attrs.frozen
class Animal:
    name: Word
    legs: Annotated[int, Between(0, 8)]
    diet: Diet


@attrs.frozen
class Zoo:
    city: Annotated[Word, "Where it is"]
    mood: Literal["calm", "wild"]
    animals: Annotated[list[Animal], Size(1, 2)]


ZOO: dict[str, Any] = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "Make up a zoo with two animals, as JSON."}],
    "response_format": Zoo,
    "max_tokens": 200,
    "timeout": 120.0,
}


def within(zoo: Zoo | None) -> bool:
    """Whether a value is all that its type says, bounds included."""
    return (
        isinstance(zoo, Zoo)
        and 1 <= len(zoo.city) <= 12
        and zoo.mood in ("calm", "wild")
        and 1 <= len(zoo.animals) <= 2
        and all(isinstance(one, Animal) and 0 <= one.legs <= 8 for one in zoo.animals)
        and all(1 <= len(one.name) <= 12 and one.diet in Diet for one in zoo.animals)
    )


def until_whole(ask: Callable[[], T], tools: bool = False) -> T:
    """What a function gives; asked again where the model, which is small, did not come to an end.

    That a server knows no schemas or tools, and answers with anything, is no reason to fail.
    """
    for _ in range(3):
        try:
            return ask()
        except chatlib.LengthFinishReasonError as error:
            show(cut=error, text=error.completion.text)
            if tools and not error.completion.choices[0].message.tool_calls:
                pytest.skip("the server does not make the model call a tool")
        except chatlib.ParseError as error:
            show(not_readable=error, reason=error.reason, text=error.content)
        except (BadRequestError, InternalServerError) as error:
            pytest.skip(f"the server refuses, or fails at what the model said: {error}")
    pytest.skip("the model gives no whole answer of the type")


def test_parse(client: OpenAI) -> None:
    """An answer of a nested type comes as its classes, and all of it is within its bounds."""
    completion = until_whole(lambda: client.chat.completions.parse(**ZOO))
    message = completion.choices[0].message
    show(content=message.content, parsed=message.parsed, usage=completion.usage)
    assert within(message.parsed)
    assert message.parsed == chatlib.decode_json(Zoo, message.content or "")


def test_parse_that_is_cut(client: OpenAI) -> None:
    """An answer that is cut at the token limit is an error, which has what came."""
    try:
        with pytest.raises(chatlib.LengthFinishReasonError) as raised:
            client.chat.completions.parse(**{**ZOO, "max_tokens": 5})
    except BadRequestError as error:
        pytest.skip(f"the server refuses: {error}")
    show(error=raised.value, text=raised.value.completion.text)
    assert raised.value.completion.choices[0].finish_reason == "length"


def test_events(client: OpenAI) -> None:
    """The values so far of a streamed answer grow into the value of the whole."""

    def ask() -> tuple[list[Any], list[Any], Any]:
        with client.chat.completions.stream(**ZOO) as stream:
            events, values = [], []
            for event in stream:
                events.append(event)
                if event.type == "content.delta":
                    values.append(event.parsed)
            return events, values, stream.get_final_completion()

    events, values, final = until_whole(ask)
    deltas = [event for event in events if event.type == "content.delta"]
    done = [event for event in events if event.type == "content.done"]
    parsed = final.choices[0].message.parsed
    seen = [value for at, value in enumerate(values) if value and value != values[at - 1]]
    show(events=len(events), deltas=len(deltas), parsed=parsed, usage=final.usage)
    print("\n".join(f"  so far: {value!r}" for value in seen))
    assert within(parsed)
    assert len(done) == 1
    assert done[0].parsed == parsed
    text = final.choices[0].message.content
    assert (
        text == done[0].content == "".join(event.delta for event in deltas) == deltas[-1].snapshot
    )
    assert values == [event.parsed for event in deltas]  # the same when they are read late
    assert values[-1] == json.loads(text)
    assert len(seen) > 3


# Tools ------------------------------------------------------------------------------------------


def weather(city: Word, unit: Literal["celsius", "fahrenheit"]) -> dict[str, Any]:
    """Get the weather of a city.

    Args:
        city: Such as Paris.
        unit: Of the temperature.
    """
    return {"city": city, "temperature": 21, "unit": unit, "sky": "clear"}


# A small model calls nothing by itself, but can repeat how its chat template writes a call.
WANTED = """Say exactly this:
<tool_call>
{"name": "weather", "arguments": {"city": "Paris", "unit": "celsius"}}
</tool_call>"""
WEATHER: dict[str, Any] = {
    "model": MODEL,
    "messages": [{"role": "user", "content": WANTED}],
    "temperature": 0,
    "stop": ["</tool_call>"],
    "max_tokens": 64,
    "timeout": 120.0,
}


def test_tool_call(client: OpenAI) -> None:
    """A call has decoded arguments; its result goes back, and the model answers."""
    tools = [chatlib.function_tool(weather)]
    asked = {**WEATHER, "tools": tools, "tool_choice": "required"}
    completion = until_whole(lambda: client.chat.completions.parse(**asked), tools=True)
    message = completion.choices[0].message
    if not message.tool_calls:
        pytest.skip(f"the server does not make the model call a tool: {message.content!r}")
    called = message.tool_calls[0]
    assert isinstance(called, chatlib.types.ParsedFunctionToolCall)
    results = chatlib.tool_results(completion, tools)
    messages = [*WEATHER["messages"], message, *results]
    after = client.chat.completions.create(
        **{**WEATHER, "messages": messages, "max_tokens": 24}, tools=tools, tool_choice="none"
    )
    show(
        name=called.function.name,
        arguments=called.function.arguments,
        parsed=called.function.parsed_arguments,
        results=[result.content for result in results],
        answer=after.text,
    )
    assert "weather" == called.function.name
    assert {"city", "unit"} == set(called.function.parsed_arguments)
    assert len(results) == len(message.tool_calls)
    assert 21 == json.loads(str(results[0].content))["temperature"]
    assert after.choices[0].message.content
    assert not after.choices[0].message.tool_calls


def test_tool_call_in_events(client: OpenAI) -> None:
    """A streamed call comes in pieces, and ends with its decoded arguments."""
    asked = {**WEATHER, "tools": [chatlib.function_tool(weather)], "tool_choice": "required"}

    def ask() -> list[Any]:
        with client.chat.completions.stream(**asked) as stream:
            return list(stream)

    kind = "tool_calls.function.arguments"
    events = [event for event in until_whole(ask, tools=True) if event.type.startswith(kind)]
    if not events:
        pytest.skip("the server does not make the model call a tool")
    deltas = [event for event in events if event.type == f"{kind}.delta" and event.index == 0]
    done = next(event for event in events if event.type == f"{kind}.done")
    show(deltas=[event.arguments_delta for event in deltas], parsed=done.parsed_arguments)
    assert "weather" == done.name
    assert done.arguments == "".join(event.arguments_delta for event in deltas)
    assert {"city", "unit"} == set(done.parsed_arguments)


def test_run(client: OpenAI) -> None:
    """A run ends with an answer, or where it is told to: a model that must call never answers."""
    events: list[chatlib.ToolRunEvent] = []
    asked = {**WEATHER, "tools": [weather], "max_rounds": 2, "on_event": events.append}
    try:
        run = client.chat.completions.run(**asked, tool_choice="auto")
        show(rounds=run.rounds, answer=run.completion.text)
        assert 1 <= run.rounds <= 2
    except chatlib.ToolRoundsExceededError as error:
        show(error=error)
    except InternalServerError as error:
        pytest.skip(f"the server fails at what the model said: {error}")
    calls = [event for event in events if event.result is None]
    assert 1 <= len(calls) <= 2


def test_run_without_end(client: OpenAI) -> None:
    """A model that must call a tool never answers: the run ends where it is told to."""
    asked = {**WEATHER, "tools": [weather], "max_rounds": 1, "tool_choice": "required"}
    events: list[chatlib.ToolRunEvent] = []
    try:
        run = client.chat.completions.run(**asked, on_event=events.append)
    except chatlib.ToolRoundsExceededError as error:
        exceeded = error
    except InternalServerError as error:
        pytest.skip(f"the server fails at what the model said: {error}")
    else:
        pytest.skip(f"the server does not make the model call a tool: {run.completion.text!r}")
    results = [event.result.content for event in events if event.result is not None]
    show(error=exceeded, messages=len(exceeded.messages), results=results)
    assert 1 == exceeded.rounds
    assert results
