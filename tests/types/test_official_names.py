"""What programs call on answers and events, by the names of the official package."""

from __future__ import annotations

import copy
import json
from typing import Annotated, Any

import pytest

from chatlib import OpenAI
from chatlib.testing import InMemoryServer
from chatlib.types import ChatCompletion, ChatCompletionChunk, ChatCompletionMessage, UserMessage
from chatlib.types.chat.chat_completion import Choice
from chatlib.types.events import ContentDeltaEvent, ContentDoneEvent
from chatlib.wire.codec import structure

BODY: dict[str, Any] = {
    "object": "chat.completion",
    "id": "c1",
    "created": 1,
    "model": "m",
    "cost": {"cents": 3, "of": [1, 2]},
    "choices": [
        {
            "finish_reason": "stop",
            "index": 0,
            "logprobs": None,
            "message": {"role": "assistant", "content": "Zürich", "refusal": None, "mood": "good"},
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}


def completion(**changes: Any) -> ChatCompletion:
    return structure({**BODY, **changes}, ChatCompletion)


DUMPS: list[dict[str, Any]] = [
    {},
    {"exclude_unset": True},
    {"exclude_none": True},
    {"exclude_defaults": True},
    {"exclude_unset": True, "exclude_none": True},
    {"include": {"id", "cost"}},
    {"exclude": {"choices", "nothing"}},
    {"include": {"choices": {0: {"message": {"content"}}}}},
    {"exclude": {"choices": {"__all__": {"message": {"refusal", "annotations"}}}}},
    {"include": {"choices": ..., "usage": {"total_tokens": True}}},
    {"exclude": {"choices": {0}}},
    {"include": {"choices": {"__all__": {"index"}}}, "exclude": {"usage": True}},
    {"include": {"choices": {0: True}}, "exclude": {"choices": {0: {"message": True}}}},
    {"include": set()},
    {"exclude": {"cost": {"of": {0}}}},
    {"by_alias": True, "warnings": False, "round_trip": True},
]


@pytest.mark.parametrize("options", DUMPS)
def test_dumps_as_the_official_package(options: dict[str, Any]) -> None:
    """``model_dump`` and ``model_dump_json`` give what the official classes give, in its order."""
    official = pytest.importorskip("openai.types.chat").ChatCompletion
    theirs, ours = official.model_validate(BODY), completion()
    assert json.dumps(theirs.model_dump(**options)) == json.dumps(ours.model_dump(**options))
    assert theirs.model_dump_json(**options) == ours.model_dump_json(**options)
    assert theirs.model_dump_json(indent=2, **options) == ours.model_dump_json(indent=2, **options)


@pytest.mark.parametrize("name", ["model_fields_set", "model_extra"])
def test_what_is_known_of_it(name: str) -> None:
    """The names of the fields that came, and the fields that no class knows."""
    official = pytest.importorskip("openai.types.chat").ChatCompletion
    theirs, ours = official.model_validate(BODY), completion()
    assert getattr(theirs, name) == getattr(ours, name)
    assert getattr(theirs.choices[0], name) == getattr(ours.choices[0], name)
    assert list(official.model_fields) == list(ChatCompletion.model_fields)
    assert list(official.model_fields) == list(ours.model_fields)
    assert list(dict(theirs)) == list(dict(ours))
    assert theirs.model_dump_json() == ours.json()
    assert theirs.model_dump() == ours.dict()
    assert repr(theirs.choices[0].message) == repr(ours.choices[0].message)
    for field in official.model_fields:
        required = official.model_fields[field].is_required()
        assert required == ChatCompletion.model_fields[field].is_required()


def test_to_dict_with_options() -> None:
    """Without options, what came in its order; with them, as the official method."""
    made = completion()
    assert list(BODY) == list(made.to_dict())
    assert BODY == json.loads(made.to_json()) == json.loads(made.to_json(indent=None))
    assert made.model_dump() == made.to_dict(mode="json", exclude_unset=False)
    assert "refusal" not in made.to_dict(exclude_none=True)["choices"][0]["message"]
    assert '{\n  "object"' == made.to_json()[: len('{\n  "object"')]


def test_validation() -> None:
    """A dict, its JSON or another object becomes an object; what is missing is named."""
    for made in (
        ChatCompletion.model_validate(BODY),
        ChatCompletion.model_validate_json(json.dumps(BODY)),
        ChatCompletion.parse_obj(BODY),
        ChatCompletion.model_validate(completion()),
        ChatCompletion.model_construct(**BODY),
        ChatCompletion.construct(**BODY),
    ):
        assert completion() == made
    kept = copy.deepcopy(BODY)
    ChatCompletion.model_validate(BODY).choices[0].message.content = "changed"
    assert kept == BODY
    with pytest.raises(ValueError, match=r"ChatCompletion\.choices\[0\]\.message"):
        ChatCompletion.model_validate({**BODY, "choices": [{"index": 0, "finish_reason": "stop"}]})
    with pytest.raises(ValueError, match="a dict or an instance of ChatCompletion"):
        ChatCompletion.model_validate("text")
    with pytest.raises(ValueError, match="Expecting value"):
        ChatCompletion.model_validate_json("no JSON")
    with pytest.raises(ValueError, match="deep"):
        ChatCompletion.model_validate_json("[" * 100_000)


def test_official_objects_are_taken() -> None:
    """An object of the official package becomes one of this library's."""
    official = pytest.importorskip("openai.types.chat").ChatCompletion
    assert completion() == ChatCompletion.model_validate(official.model_validate(BODY))


def test_construct_checks_nothing() -> None:
    """Fields that are missing read as None."""
    chunk = ChatCompletionChunk.model_construct(id="1", choices=[])
    assert ("1", [], None) == (chunk.id, chunk.choices, chunk.model)
    message = ChatCompletionMessage.construct(content="x")
    assert "x" == Choice.construct(message=message).message.content


def test_copies() -> None:
    """A copy is shallow unless asked for, and takes changes."""
    made = completion()
    changed = made.model_copy(update={"model": "z", "cost": 4})
    assert ("z", 4, "m", 3) == (changed.model, changed.cost, made.model, made.cost["cents"])
    assert made.choices is made.copy().choices
    assert made.choices is not made.model_copy(deep=True).choices
    assert made == made.model_copy(deep=True)


def test_fields_named_like_methods() -> None:
    """A server's fields of those names are in ``extra``, and in what is dumped."""
    named = {"json": 1, "copy": {"a": 2}, "dict": None, "model_dump": "x"}
    made = completion(**named)
    assert named == {name: made.extra[name] for name in named}
    assert {**BODY, **named} == made.to_dict()
    assert named.items() <= made.model_dump().items()
    assert callable(made.json)


def test_a_request_object_is_not_iterable() -> None:
    """One message in place of a list of messages stays an error."""
    with pytest.raises(TypeError):
        iter(UserMessage(content="x"))  # type: ignore[call-overload]


def test_parsed_values_are_dumped() -> None:
    """``parsed`` is in every dump, as JSON in JSON; ``to_dict`` is what can be sent back."""
    pydantic = pytest.importorskip("pydantic")
    import datetime

    place = pydantic.create_model("Place", name=(str, ...), since=(datetime.date, ...))
    server = InMemoryServer('{"name": "Ulm", "since": "2020-01-02"}')
    client = OpenAI(api_key="k", transport=server)
    made = client.chat.completions.parse(model="m", messages=[], response_format=place)
    day = datetime.date(2020, 1, 2)
    message = made.choices[0].message
    assert {"name": "Ulm", "since": day} == message.model_dump()["parsed"]
    for dumped in (
        message.model_dump(mode="json"),
        json.loads(message.model_dump_json()),
        json.loads(message.json()),
        json.loads(made.model_dump_json())["choices"][0]["message"],
    ):
        assert {"name": "Ulm", "since": "2020-01-02"} == dumped["parsed"]
    assert "parsed" not in message.to_dict()
    assert "parsed" == list(message.model_dump())[-1]


def test_json_schema() -> None:
    """The schema names all fields, and those that are required."""
    schema = ChatCompletionMessage.model_json_schema()
    assert list(ChatCompletionMessage.model_fields) == list(schema["properties"])
    assert {"type": "string"} in schema["properties"]["content"]["anyOf"]
    choice = ChatCompletion.model_json_schema()["$defs"]["Choice"]
    assert "message" in choice["required"]


def test_in_pydantic() -> None:
    """pydantic validates and serializes it as ``model_validate`` and ``model_dump`` do."""
    pydantic = pytest.importorskip("pydantic")
    adapter = pydantic.TypeAdapter(ChatCompletion)
    made = adapter.validate_python(BODY)
    assert completion() == made == adapter.validate_json(json.dumps(BODY))
    assert made.model_dump_json().encode() == adapter.dump_json(made)
    assert made.model_dump(exclude_none=True) == adapter.dump_python(made, exclude_none=True)
    assert made.to_dict() == adapter.dump_python(made, exclude_unset=True)
    assert ChatCompletion.model_json_schema()["required"] == adapter.json_schema()["required"]
    messages = pydantic.TypeAdapter(list[ChatCompletionMessage])
    assert "Zürich" == messages.validate_python([made.choices[0].message])[0].content


def test_in_fastapi() -> None:
    """Answers and bodies of FastAPI are objects, and its page of the API knows their fields."""
    fastapi = pytest.importorskip("fastapi")
    client_of = pytest.importorskip("fastapi.testclient").TestClient
    app = fastapi.FastAPI()

    def echo(body: ChatCompletion) -> ChatCompletion:
        assert isinstance(body, ChatCompletion)
        return body

    body = Annotated[ChatCompletion, fastapi.Body()]
    echo.__annotations__ = {"body": body, "return": ChatCompletion}
    app.post("/")(echo)
    with client_of(app) as client:
        assert completion().model_dump() == client.post("/", json=BODY).json()
        assert 422 == client.post("/", json=[1]).status_code
        assert "choices" in json.dumps(client.get("/openapi.json").json())


def test_events_are_dumped() -> None:
    """An event of ``stream()`` is dumped with what it shows of the answer so far."""
    pydantic = pytest.importorskip("pydantic")
    place = pydantic.create_model("Place", name=(str, ...))
    server = InMemoryServer('{"name": "Ulm"}')
    client = OpenAI(api_key="k", transport=server)
    with client.chat.completions.stream(model="m", messages=[], response_format=place) as stream:
        events = list(stream)
    kinds = set()
    for event in events:
        dumped = event.model_dump(mode="json")
        assert dumped == json.loads(event.model_dump_json())
        assert event.to_dict() == json.loads(event.to_json())
        assert event.to_dict() == event.model_dump(mode="json", exclude_unset=True)
        assert "type" == next(iter(dumped))
        assert event.type == dumped["type"]
        assert dict(event)["type"] == event.type
        kinds.add(event.type)
        if event.type == "content.delta":
            assert event.snapshot == dumped["snapshot"]
        if event.type == "content.done":
            assert {"name": "Ulm"} == dumped["parsed"]
            assert {"name": "Ulm"} == event.model_dump()["parsed"]
        if event.type == "chunk":
            assert event.snapshot.model_dump(mode="json") == dumped["snapshot"]
    assert {"chunk", "content.delta", "content.done"} <= kinds


def test_events_of_ones_own() -> None:
    """Events can be made as those of the official package are made in tests."""
    delta = ContentDeltaEvent(type="content.delta", delta="b", snapshot="ab", parsed=None)
    assert ("ab", None) == (delta.snapshot, delta.parsed)
    assert "ab" == delta.model_dump()["snapshot"]
    done = ContentDoneEvent.model_construct(type="content.done", content="ab", parsed=1)
    assert ("ab", 1) == (done.content, done.parsed)
    assert "x" == done.model_copy(update={"content": "x"}).content
