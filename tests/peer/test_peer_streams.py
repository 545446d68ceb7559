"""``stream()`` beside the official package's: the same bytes, the same events, the same end.

:data:`STREAMS` holds what a server sends and how it was asked; both libraries read it from the
same server. An event is looked at when it comes, because the official one shows the snapshot of
whatever time it is read at. The second table, :data:`DIFFERENCES`, holds the streams that the
official package reads wrongly or not at all, with both behaviours spelled out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import attrs
import pytest

import chatlib
from chatlib.testing.loopback import Reply, Server

openai = pytest.importorskip(
    "openai", reason="the official package is not installed: pip install openai==3.51.0"
)
pydantic = pytest.importorskip("pydantic")

# The official package shows a parsed completion with a warning for each value in it.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")

BOTH: list[ModuleType] = [openai, chatlib]


class Step(pydantic.BaseModel):
    """One step of a solution."""

    why: str
    result: float | None


class Solution(pydantic.BaseModel):
    """A solution, step by step."""

    steps: list[Step]
    answer: int
    sure: bool


class GetWeather(pydantic.BaseModel):
    """The weather of a city."""

    city: str
    days: int


class Nothing(pydantic.BaseModel):
    """No parameters."""


# What both saw --------------------------------------------------------------------------------

FIELDS = {
    "chunk": ["chunk", "snapshot"],
    "content.delta": ["delta", "snapshot", "parsed"],
    "content.done": ["content", "parsed"],
    "refusal.delta": ["delta", "snapshot"],
    "refusal.done": ["refusal"],
    "tool_calls.function.arguments.delta": [
        "name",
        "index",
        "arguments",
        "arguments_delta",
        "parsed_arguments",
    ],
    "tool_calls.function.arguments.done": ["name", "index", "arguments", "parsed_arguments"],
    "logprobs.content.delta": ["content", "snapshot"],
    "logprobs.content.done": ["content"],
    "logprobs.refusal.delta": ["refusal", "snapshot"],
    "logprobs.refusal.done": ["refusal"],
}
"""All fields of the official events."""


@attrs.frozen
class Told:
    """What a stream told."""

    events: list[dict[str, Any]]
    final: Any
    """The completion at the end, with the values that its texts stand for."""
    error: str | None
    """The class of what was raised."""

    def named(self, *kinds: str) -> list[dict[str, Any]]:
        """The events of some types."""
        return [event for event in self.events if event["type"] in kinds]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events if event["type"] != "chunk"]


def seen(event: Any) -> dict[str, Any]:
    """An event as plain values, as it is now."""
    shown = {name: plain(getattr(event, name)) for name in FIELDS[event.type]}
    if event.type == "chunk":
        shown["snapshot"] = whole(event.snapshot, named=False)
    return {"type": event.type, **shown}


def plain(value: Any, named: bool = True) -> Any:
    """Values as plain JSON values; models with the name of their class, if so wanted."""
    if isinstance(value, pydantic.BaseModel) and not hasattr(value, "to_dict"):
        return (type(value).__name__, value.model_dump()) if named else value.model_dump()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if hasattr(value, "to_dict"):
        return value.to_dict()
    return json.loads(json.dumps(value))


def whole(completion: Any, named: bool = True) -> Any:
    """A completion, and what its texts stand for; nulls and empty texts count as missing.

    The official snapshots hold a model from the moment when its text has ended, chatlib's the plain
    value so far up to the end: these are shown alike where models are not named.
    """
    sent = without_nulls(completion.to_dict())
    for choice, shown in zip(completion.choices, sent["choices"], strict=True):
        message = choice.message
        shown["message"] = {"role": "assistant", **shown["message"]}
        if not message.content:
            shown["message"].pop("content", None)
        shown["message"]["parsed"] = plain(message.parsed, named)
        for call, told in zip(
            message.tool_calls or [], shown["message"].get("tool_calls", ()), strict=True
        ):
            told.pop("index", None)  # of the pieces; the official package keeps it
            value = plain(call.function.parsed_arguments, named)
            told["function"]["parsed_arguments"] = value
    return sent


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def make(package: ModuleType, url: str) -> Any:
    """A package's client."""
    settings: dict[str, Any] = {}
    if package is openai:  # without certificates, which take long to load
        settings["http_client"] = openai.DefaultHttpxClient(verify=False)
    return package.OpenAI(api_key="some-key", base_url=url, max_retries=0, **settings)


def listen(package: ModuleType, case: Case) -> Told:
    """What a package's stream tells of a case."""
    events: list[dict[str, Any]] = []
    final, failed = None, None
    params = {"stream_options": {"include_usage": True}, **case.params}
    if case.tools is not None:
        params["tools"] = case.tools(package)
    with Server(Reply.stream(case.pieces())) as server, make(package, server.url) as client:
        try:
            with client.chat.completions.stream(
                model="m", messages=[{"role": "user", "content": "Hi"}], **params
            ) as stream:
                for event in stream:
                    events.append(seen(event))
                final = whole(stream.get_final_completion())
        except Exception as error:
            failed = type(error).__name__
    return Told(events, final, failed)


# What a server sends --------------------------------------------------------------------------

Tools = Callable[[ModuleType], list[Any]]


@attrs.frozen
class Case:
    """A stream, and what was asked for."""

    name: str
    chunks: Sequence[Any]
    params: dict[str, Any] = attrs.field(factory=dict)
    tools: Tools | None = None
    cut: int | None = None
    """Send so many bytes at a time."""
    done: bool = True

    def pieces(self) -> list[bytes]:
        lines = [
            c if isinstance(c, str) else json.dumps(c, ensure_ascii=False) for c in self.chunks
        ]
        body = "".join(f"data: {line}\n\n" for line in [*lines, *["[DONE]"] * self.done]).encode()
        size = self.cut or len(body)
        return [body[at : at + size] for at in range(0, len(body), size)]


def piece(
    delta: dict[str, Any] | None = None, finish: str | None = None, index: int = 0, **fields: Any
) -> dict[str, Any]:
    """A chunk with one choice; logprobs belong to the choice."""
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    if "logprobs" in fields:
        choice["logprobs"] = fields.pop("logprobs")
    return {**HEAD, "choices": [choice], **fields}


HEAD = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1700000000,
    "model": "gpt-5-2025-08-07",
    "system_fingerprint": "fp_1",
}
USAGE = {
    **HEAD,
    "choices": [],
    "usage": {
        "prompt_tokens": 14,
        "completion_tokens": 30,
        "total_tokens": 44,
        "completion_tokens_details": {"reasoning_tokens": 0},
    },
}
ROLE = piece({"role": "assistant", "content": "", "refusal": None})
NO_TEXT = piece({"role": "assistant", "content": None})
STOP = piece({}, "stop")


def texts(*parts: str, field: str = "content", index: int = 0) -> list[dict[str, Any]]:
    return [piece({field: part}, index=index) for part in parts]


def sized(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def call(at: int, arguments: str | None = None, **fields: Any) -> dict[str, Any]:
    """A piece of a tool call; with a name, its first."""
    function = {"name": fields.pop("name")} if "name" in fields else {}
    if arguments is not None:
        function["arguments"] = arguments
    if "name" in function:
        fields = {"id": f"call_{at}", "type": "function", **fields}
    return {"index": at, **fields, "function": function}


def calling(*pieces: dict[str, Any], finish: str | None = None, index: int = 0) -> dict[str, Any]:
    return piece({"tool_calls": list(pieces)}, finish, index)


def one_call(name: str, arguments: str, size: int = 4, at: int = 0) -> list[dict[str, Any]]:
    """A tool call as OpenAI streams it."""
    begin = calling(call(at, "", name=name))
    return [begin, *(calling(call(at, part)) for part in sized(arguments, size))]


CALLED = piece({}, "tool_calls")


def logprob(token: str, chance: float = -0.25) -> dict[str, Any]:
    top = [{"token": token, "bytes": list(token.encode()), "logprob": chance}]
    return {"token": token, "bytes": list(token.encode()), "logprob": chance, "top_logprobs": top}


def scored(field: str, *tokens: str) -> list[dict[str, Any]]:
    """Pieces of text with their logprobs."""
    other = "refusal" if field == "content" else "content"
    return [
        piece({field: token}, logprobs={field: [logprob(token)], other: None}) for token in tokens
    ]


def strict(*models: Any) -> Tools:
    """The same pydantic models as tools, made by each package."""
    return lambda package: [
        chatlib.function_tool(m) if package is chatlib else openai.pydantic_function_tool(m)
        for m in models
    ]


def plain_tools(strict: bool) -> Tools:
    properties = {"city": {"type": "string"}, "days": {"type": "integer"}}
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    made = [
        {"type": "function", "function": {"name": name, "parameters": schema, "strict": strict}}
        for name in ("get_weather", "get_forecast")
    ]
    return lambda package: made


TYPED = {"response_format": Solution}
JSON_TEXT = (
    '{"steps": [{"why": "2 \\u2764 \\"2\\"", "result": -1.5e2}, {"why": "", "result": null}], '
    '"answer": 42, "sure": true}'
)
PARIS = '{"city": "Par\\u00eds, 東京", "days": 12}'

STREAMS = [
    # Text
    Case("text", [ROLE, *texts("Hel", "lo", "!"), STOP]),
    Case("text with usage", [ROLE, *texts("Hel", "lo"), STOP, USAGE]),
    Case(
        "text in one chunk with its finish", [piece({"role": "assistant", "content": "A"}, "stop")]
    ),
    Case("text in the chunk that finishes", [ROLE, *texts("A"), piece({"content": "B"}, "stop")]),
    Case("no text at all", [ROLE, STOP]),
    Case("no text, but null", [NO_TEXT, STOP, USAGE]),
    Case("role alone in the first delta", [piece({"role": "assistant"}), *texts("A", "B"), STOP]),
    Case("no role", [*texts("A", "B"), STOP]),
    Case("empty pieces of text", [ROLE, *texts("", "A", "", "", "B", ""), STOP]),
    Case("empty deltas", [ROLE, piece(), *texts("A"), piece(), piece(), *texts("B"), STOP]),
    Case(
        "null text between pieces", [ROLE, *texts("A"), piece({"content": None}), *texts("B"), STOP]
    ),
    Case("blanks and line ends", [ROLE, *texts(" ", "\n\n", "\t", "\u2028", " x"), STOP]),
    Case("every byte alone", [ROLE, *texts("né", "🦙", "漢字", "👩‍👩‍👧"), STOP, USAGE], cut=1),
    Case("cut within characters", [ROLE, *texts("né", "🦙", "漢字", "👩‍👩‍👧"), STOP], cut=7),
    Case(
        "long text", [ROLE, *texts(*sized("All work and no play. " * 20, 3)), STOP, USAGE], cut=999
    ),
    Case("no end mark", [ROLE, *texts("A"), STOP], done=False),
    Case("padding and tiers", [{**p, "obfuscation": "xyz"} for p in [ROLE, *texts("A"), STOP]]),
    Case(
        "model in later chunks only",
        [{**HEAD, "choices": [], "model": "m"}, ROLE, *texts("A"), STOP],
    ),
    Case("filter results first", [{**HEAD, "choices": []}, ROLE, *texts("A", "B"), STOP]),
    Case(
        "unknown text in deltas",
        [ROLE, *texts("Let", " me", field="reasoning_content"), *texts("A"), STOP],
    ),
    Case("without asking for usage", [ROLE, *texts("A"), STOP], {"stream_options": {}}),
    Case(
        "a response format that is a dict",
        [ROLE, *texts('{"a"', ": 1}"), STOP],
        {"response_format": {"type": "json_object"}},
    ),
    # Refusals
    Case(
        "refusal",
        [
            piece({"role": "assistant", "refusal": ""}),
            *texts("I'm", " sorry", field="refusal"),
            STOP,
        ],
    ),
    Case(
        "refusal after null text",
        [NO_TEXT, *texts("I'm", " sorry", "", field="refusal"), STOP, USAGE],
    ),
    Case("refusal in one chunk", [piece({"role": "assistant", "refusal": "No."}, "stop")]),
    Case("refusal after some text", [ROLE, *texts("Well"), *texts("No", field="refusal"), STOP]),
    Case(
        "refusal where a type was asked for",
        [NO_TEXT, *texts("I'm", " sorry", field="refusal"), STOP],
        TYPED,
    ),
    # Logprobs
    Case("logprobs", [ROLE, *scored("content", "Foo", "!", "é"), STOP], {"logprobs": True}),
    Case(
        "logprobs of a refusal",
        [NO_TEXT, *scored("refusal", "I'm", " sorry"), STOP],
        {"logprobs": True},
    ),
    Case(
        "several logprobs in one chunk",
        [
            ROLE,
            piece(
                {"content": "ab"},
                logprobs={"content": [logprob("a"), logprob("b")], "refusal": None},
            ),
            STOP,
        ],
    ),
    Case(
        "logprobs in some chunks",
        [ROLE, *scored("content", "a"), *texts("b"), *scored("content", "c"), STOP],
    ),
    Case(
        "logprobs with the finish",
        [
            ROLE,
            piece({"content": "a"}, "stop", logprobs={"content": [logprob("a")], "refusal": None}),
        ],
    ),
    Case(
        "logprobs and a type",
        [ROLE, *scored("content", *sized(JSON_TEXT, 5)), STOP],
        {**TYPED, "logprobs": True},
    ),
    # Types
    Case("type", [ROLE, *texts(*sized(JSON_TEXT, 7)), STOP, USAGE], TYPED),
    Case("type, character by character", [ROLE, *texts(*JSON_TEXT), STOP], TYPED),
    Case("type in one piece", [ROLE, *texts(JSON_TEXT), STOP], TYPED),
    Case(
        "type, blanks first", [ROLE, *texts("\n", "  ", *sized(JSON_TEXT, 11), "\n"), STOP], TYPED
    ),
    Case(
        "type, indented",
        [ROLE, *texts(*sized(json.dumps(json.loads(JSON_TEXT), indent=2), 6)), STOP],
        TYPED,
    ),
    Case(
        "type cut at the limit",
        [ROLE, *texts('{"steps": [{"why": "a'), piece({}, "length"), USAGE],
        TYPED,
    ),
    Case("type held back", [ROLE, *texts('{"steps": ['), piece({}, "content_filter")], TYPED),
    Case("type cut at the limit before it began", [ROLE, piece({}, "length")], TYPED),
    # Tool calls
    Case("call", [NO_TEXT, *one_call("get_weather", PARIS), CALLED, USAGE]),
    Case(
        "call of a tool that is not strict",
        [NO_TEXT, *one_call("get_weather", PARIS), CALLED],
        tools=plain_tools(False),
    ),
    Case(
        "call of a plain strict tool",
        [NO_TEXT, *one_call("get_weather", PARIS, 1), CALLED],
        tools=plain_tools(True),
    ),
    Case(
        "call of a model",
        [NO_TEXT, *one_call("GetWeather", PARIS), CALLED, USAGE],
        tools=strict(GetWeather),
    ),
    Case(
        "call of a model, character by character",
        [NO_TEXT, *one_call("GetWeather", PARIS, 1), CALLED],
        tools=strict(GetWeather),
    ),
    Case(
        "call of a model without parameters",
        [NO_TEXT, *one_call("Nothing", "{}"), CALLED],
        tools=strict(Nothing),
    ),
    Case(
        "call of an unknown tool",
        [NO_TEXT, *one_call("other", "{}"), CALLED],
        tools=strict(GetWeather),
    ),
    Case(
        "two calls",
        [NO_TEXT, *one_call("GetWeather", PARIS), *one_call("Nothing", "{}", at=1), CALLED],
        tools=strict(GetWeather, Nothing),
    ),
    Case(
        "three calls of one tool",
        [NO_TEXT, *(p for at in range(3) for p in one_call("get_weather", PARIS, 5, at)), CALLED],
        tools=plain_tools(True),
    ),
    Case(
        "two calls in one chunk, the finish in the next",
        [
            NO_TEXT,
            calling(call(0, PARIS, name="GetWeather"), call(1, "{}", name="Nothing")),
            CALLED,
        ],
        tools=strict(GetWeather, Nothing),
    ),
    Case(
        "calls interleaved",
        [
            NO_TEXT,
            *one_call("a", '{"x"'),
            *one_call("b", '{"y"', at=1),
            calling(call(0, ": 1}")),
            calling(call(1, ": 2}")),
            CALLED,
        ],
    ),
    Case(
        "call with its name in a later chunk than its id",
        [
            NO_TEXT,
            calling(
                {
                    "index": 0,
                    "id": "c",
                    "type": "function",
                    "function": {"name": "f", "arguments": ""},
                }
            ),
            calling(call(0, "{}")),
            CALLED,
        ],
    ),
    Case(
        "call after text",
        [ROLE, *texts("Let me ", "look."), *one_call("GetWeather", PARIS), CALLED],
        tools=strict(GetWeather),
    ),
    Case(
        "call in the chunk of the last text",
        [
            ROLE,
            *texts("Let me"),
            piece({"content": " look.", "tool_calls": [call(0, "", name="f")]}),
            calling(call(0, "{}")),
            CALLED,
        ],
    ),
    Case(
        "call after a typed answer",
        [ROLE, *texts(*sized(JSON_TEXT, 9)), *one_call("GetWeather", PARIS), CALLED],
        TYPED,
        tools=strict(GetWeather),
    ),
    Case(
        "call where a type was asked for",
        [NO_TEXT, *one_call("GetWeather", PARIS), CALLED],
        TYPED,
        tools=strict(GetWeather),
    ),
    Case(
        "call cut at the limit",
        [NO_TEXT, *one_call("GetWeather", PARIS[:9]), piece({}, "length")],
        tools=strict(GetWeather),
    ),
    Case(
        "call held back",
        [NO_TEXT, *one_call("GetWeather", PARIS[:9]), piece({}, "content_filter")],
        tools=strict(GetWeather),
    ),
    Case(
        "call that ends with stop",
        [NO_TEXT, *one_call("GetWeather", PARIS), STOP],
        tools=strict(GetWeather),
    ),
    Case("call and logprobs", [ROLE, *scored("content", "Hm"), *one_call("f", "{}"), CALLED]),
    Case(
        "legacy call",
        [
            piece(
                {
                    "role": "assistant",
                    "content": None,
                    "function_call": {"name": "f", "arguments": ""},
                }
            ),
            piece({"function_call": {"arguments": '{"a"'}}),
            piece({"function_call": {"arguments": ": 1}"}}),
            piece({}, "function_call"),
        ],
    ),
    # Several choices
    Case(
        "three choices in turn",
        [
            *(piece({"role": "assistant", "content": ""}, index=i) for i in range(3)),
            *(
                p
                for w in ("one ", "two ", "six")
                for i in range(3)
                for p in texts(f"{w}{i} ", index=i)
            ),
            *(piece({}, "stop", i) for i in range(3)),
            USAGE,
        ],
        {"n": 3},
    ),
    Case(
        "three choices of unlike length",
        [
            *(piece({"role": "assistant", "content": ""}, index=i) for i in range(3)),
            *texts("c", "cc", index=2),
            piece({}, "stop", 2),
            *texts("a", index=0),
            *texts("b", "bb", "bbb", index=1),
            piece({}, "stop", 0),
            piece({}, "stop", 1),
        ],
        {"n": 3},
    ),
    Case(
        "three choices in one chunk",
        [
            {
                **HEAD,
                "choices": [
                    {"index": i, "delta": {"content": f"{w}{i}"}, "finish_reason": None}
                    for i in range(3)
                ],
            }
            for w in "abc"
        ]
        + [
            {
                **HEAD,
                "choices": [{"index": i, "delta": {}, "finish_reason": "stop"} for i in range(3)],
            }
        ],
        {"n": 3},
    ),
    Case(
        "three typed choices",
        [
            *(piece({"role": "assistant", "content": ""}, index=i) for i in range(3)),
            *(p for part in sized(JSON_TEXT, 13) for i in range(3) for p in texts(part, index=i)),
            *(piece({}, "stop", i) for i in (2, 0, 1)),
        ],
        {**TYPED, "n": 3},
    ),
    Case(
        "a text, a refusal and a call",
        [
            *(piece({"role": "assistant"}, index=i) for i in range(3)),
            *texts("A", index=0),
            *texts("No", field="refusal", index=1),
            calling(call(0, "{}", name="Nothing"), index=2),
            piece({}, "stop", 0),
            piece({}, "stop", 1),
            piece({}, "tool_calls", 2),
        ],
        {"n": 3},
        tools=strict(Nothing),
    ),
    # Sound
    Case(
        "sound",
        [
            piece({"role": "assistant", "audio": {"id": "audio_1", "transcript": "Hel"}}),
            piece({"audio": {"transcript": "lo"}}),
            piece({"audio": {"data": "UklG"}}),
            piece({"audio": {"data": "RgAA"}}),
            piece({"audio": {"expires_at": 1700003600}}),
            STOP,
            USAGE,
        ],
    ),
]


@pytest.mark.parametrize("case", STREAMS, ids=lambda case: case.name)
def test_both_tell_the_same(case: Case) -> None:
    """Both libraries give the same events, field by field, and the same completion or error."""
    official, ours = (listen(package, case) for package in BOTH)
    assert official.types == ours.types
    for expected, event in zip(official.events, ours.events, strict=True):
        assert expected == event
    assert official.error == ours.error
    assert official.final == ours.final


def test_enough_is_compared() -> None:
    """The table has more than forty streams, and each type of event occurs in it."""
    assert len(STREAMS) == len({case.name for case in STREAMS})
    assert len(STREAMS) > 40
    told = {event["type"] for case in STREAMS for event in listen(chatlib, case).events}
    assert set(FIELDS) == told


# What is different on purpose -----------------------------------------------------------------


@attrs.frozen
class Difference:
    """A stream that both read, and what each then makes of it."""

    case: Case
    look: Callable[[Told], Any]
    official: Any
    ours: Any


def ends(told: Told) -> Any:
    """The types of the done events, and the error."""
    return [kind for kind in told.types if kind.endswith("done")], told.error


def message(told: Told) -> Any:
    """The message at the end, or the error."""
    return told.error or told.final["choices"][0]["message"]


CALL_DONE = "tool_calls.function.arguments.done"
DIFFERENCES = [
    # A call that comes in one chunk with its finish, as many servers send it, ends there.
    Difference(
        Case(
            "call and finish in one chunk",
            [ROLE, calling(call(0, "{}", name="f"), finish="tool_calls")],
        ),
        ends,
        ([], None),
        ([CALL_DONE], None),
    ),
    Difference(
        Case(
            "last call and finish in one chunk",
            [ROLE, *one_call("f", "{}"), calling(call(1, "{}", name="g"), finish="tool_calls")],
        ),
        lambda told: [(event["name"], event["arguments"]) for event in told.named(CALL_DONE)],
        [("f", "{}")],
        [("f", "{}"), ("g", "{}")],
    ),
    # A report of usage is kept, whatever comes after it.
    Difference(
        Case("usage before the last chunk", [ROLE, *texts("A"), USAGE, STOP]),
        lambda told: (told.final.get("usage") or {}).get("total_tokens"),
        None,
        44,
    ),
    Difference(
        Case("fingerprint in the first chunk alone", [ROLE, {**STOP, "system_fingerprint": None}]),
        lambda told: told.final.get("system_fingerprint"),
        None,
        "fp_1",
    ),
    # Identity is set, not appended.
    Difference(
        Case(
            "role in each delta",
            [piece({"role": "assistant", "content": w}) for w in "ab"] + [STOP],
        ),
        lambda told: told.final["choices"][0]["message"]["role"],
        "assistantassistant",
        "assistant",
    ),
    Difference(
        Case(
            "name and id in each piece",
            [calling(call(0, w, name="f")) for w in ("{", "}")] + [CALLED],
        ),
        lambda told: [(e["name"], e["arguments"]) for e in told.named(CALL_DONE)],
        [("ff", "{}")],
        [("f", "{}")],
    ),
    # Calls are found by id and order where the index is missing or wrong.
    Difference(
        Case(
            "call without an index",
            [
                ROLE,
                calling(
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ),
                CALLED,
            ],
        ),
        ends,
        ([], "TypeError"),
        ([CALL_DONE], None),
    ),
    Difference(
        Case("first call has index 1", [ROLE, *one_call("f", "{}", at=1), CALLED]),
        ends,
        ([], "IndexError"),
        ([CALL_DONE], None),
    ),
    Difference(
        Case(
            "all calls have index 0",
            [calling({**call(0, "{}", name=n), "id": n}) for n in "fg"] + [CALLED],
        ),
        lambda told: [(e["name"], e["arguments"]) for e in told.named(CALL_DONE)],
        [("fg", "{}{}")],
        [("f", "{}"), ("g", "{}")],
    ),
    # A choice may begin at any time.
    Difference(
        Case(
            "second choice first",
            [*texts("B", index=1), *texts("A"), piece({}, "stop", 1), STOP],
            {"n": 2},
        ),
        lambda told: told.error or [c["message"]["content"] for c in told.final["choices"]],
        "IndexError",
        ["A", "B"],
    ),
    # Chunks are known by what they hold: some servers leave out "object".
    Difference(
        Case(
            "chunks without their kind",
            [{k: v for k, v in p.items() if k != "object"} for p in [ROLE, *texts("A"), STOP]],
        ),
        lambda told: told.types,
        [],
        ["content.delta", "content.delta", "content.done"],
    ),
    # The value so far is there from the first chunk on.
    Difference(
        Case(
            "type in one chunk with its finish",
            [piece({"role": "assistant", "content": JSON_TEXT}, "stop")],
            TYPED,
        ),
        lambda told: told.named("content.delta")[0]["parsed"],
        None,
        json.loads(JSON_TEXT),
    ),
    # What can't be parsed is one error, when the text has ended.
    Difference(
        Case("prose where a type was asked for", [ROLE, *texts("Here", " you are"), STOP], TYPED),
        lambda told: (told.types, told.error),
        (["content.delta"], "ValueError"),
        (["content.delta"] * 3, "ParseError"),
    ),
    Difference(
        Case("another type", [ROLE, *texts('{"a":', " 1}"), STOP], TYPED),
        lambda told: told.error,
        "ValidationError",
        "ParseError",
    ),
    Difference(
        Case("no answer where a type was asked for", [ROLE, STOP], TYPED),
        message,
        {"role": "assistant", "parsed": None},
        "ParseError",
    ),
    # Models without parameters are called with nothing.
    Difference(
        Case(
            "call without arguments",
            [ROLE, *one_call("Nothing", ""), CALLED],
            tools=strict(Nothing),
        ),
        lambda told: told.error or told.named(CALL_DONE)[0]["parsed_arguments"],
        "ValidationError",
        ("Nothing", {}),
    ),
    # Without anything to parse, what came before the limit is the answer.
    *(
        Difference(
            Case(
                f"{reason} without anything to parse", [ROLE, *texts("A"), piece({}, reason), USAGE]
            ),
            message,
            error,
            {"role": "assistant", "content": "A", "parsed": None},
        )
        for reason, error in [
            ("length", "LengthFinishReasonError"),
            ("content_filter", "ContentFilterFinishReasonError"),
        ]
    ),
    # An empty refusal is none.
    Difference(
        Case("empty refusal", [piece({"role": "assistant", "refusal": "", "content": "A"}), STOP]),
        ends,
        (["content.done", "refusal.done"], None),
        (["content.done"], None),
    ),
    # Neither a finish nor an end mark: the answer was cut off.
    Difference(
        Case("cut off", [ROLE, *texts("A")], done=False),
        lambda told: told.error,
        None,
        "IncompleteStreamError",
    ),
]


@pytest.mark.parametrize("found", DIFFERENCES, ids=lambda found: found.case.name)
def test_differences(found: Difference) -> None:
    """Where the official package is wrong, both do what the table says."""
    official, ours = (listen(package, found.case) for package in BOTH)
    assert found.ours == found.look(ours)
    assert found.official == found.look(official)


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_events_of_an_answer_that_is_not_whole(reason: str) -> None:
    """Without anything to parse, the events are those of any other answer, for both."""
    case = Case(reason, [ROLE, *texts("A", "B"), piece({}, reason), USAGE])
    official, ours = (listen(package, case) for package in BOTH)
    assert ["content.delta"] * 3 + ["content.done"] == ours.types
    assert official.events == ours.events


def test_events_that_are_read_late() -> None:
    """The official snapshots change after their time; here they show it for ever."""
    case = Case("late", [ROLE, *texts("A", "B"), STOP])
    late = []
    for package in BOTH:
        with Server(Reply.stream(case.pieces())) as server, make(package, server.url) as client:
            with client.chat.completions.stream(
                model="m", messages=[{"role": "user", "content": "Hi"}]
            ) as stream:
                events = [event for event in stream if event.type == "chunk"]
            late.append([event.snapshot.choices[0].message.content or "" for event in events])
    assert [["AB"] * 4, ["", "A", "AB", "AB"]] == late
