"""Classes of programs that derive from those of answers, and what serializers ask of both."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
from typing import Any, Generic, TypeVar

import attrs
import pytest

from chatlib import BaseModel, structure
from chatlib.types import (
    ChatCompletion,
    ChatCompletionMessage,
    Choice,
    CompletionUsage,
    ContentDeltaEvent,
)

BODY: dict[str, Any] = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "a", "reasoning_content": "r"},
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}
MESSAGE: dict[str, Any] = BODY["choices"][0]["message"]


class Reasoned(ChatCompletionMessage):
    """A message of a server that reasons."""

    reasoning_content: str | None = None
    note: str = "n"


class ReasonedChoice(Choice):
    """A choice with such a message."""

    message: Reasoned


class Priced(ChatCompletion):
    """A completion of a server that says the price."""

    cost: float = 0.0
    choices: list[ReasonedChoice]  # type: ignore[assignment]

    def answer(self) -> str:
        """Return the text."""
        return self.choices[0].message.content or ""


@attrs.define
class Defined(ChatCompletionMessage):
    """A subclass made by attrs."""

    reasoning_content: str | None = None


@pytest.mark.parametrize("cls", [Reasoned, Defined])
def test_declared_fields(cls: Any) -> None:
    """A field that a subclass declares is a field: it is read, dumped, set, deleted and copied."""
    made = structure(dict(MESSAGE), cls)
    assert "r" == made.reasoning_content
    assert {} == made.extra
    assert MESSAGE == made.to_dict() == made.model_dump(exclude_unset=True)
    assert "reasoning_content" in cls.model_fields
    assert "reasoning_content" in {field.name for field in attrs.fields(cls)}
    for twin in (
        copy.copy(made),
        copy.deepcopy(made),
        pickle.loads(pickle.dumps(made)),
        made.replace(),
        made.model_copy(deep=True),
    ):
        assert made == twin
        assert "r" == twin.reasoning_content
    made.reasoning_content = "better"
    assert "better" == made.to_dict()["reasoning_content"]
    assert made != structure(dict(MESSAGE), cls)
    del made.reasoning_content
    assert made.reasoning_content is None
    assert "reasoning_content" not in made.to_dict()


def test_defaults() -> None:
    """A declared field that did not come reads as its default, and is dumped as it reads."""
    made = structure({"role": "assistant", "content": "a"}, Reasoned)
    assert (None, "n") == (made.reasoning_content, made.note)
    assert {"reasoning_content": None, "note": "n"}.items() <= made.model_dump().items()
    assert {"role": "assistant", "content": "a"} == made.to_dict()
    given = Reasoned(role="assistant", reasoning_content="z")
    assert ("z", "z") == (given.reasoning_content, given.to_dict()["reasoning_content"])


def test_unknown_fields_of_subclasses() -> None:
    """What a program sets on an object of its own class is dumped; private names are its own."""
    made = structure(dict(MESSAGE), Reasoned)
    made.mood = "good"
    made._private = 1
    assert "good" == made.to_dict()["mood"] == copy.copy(made).mood
    assert "_private" not in made.model_dump()
    assert 1 == made._private == copy.copy(made)._private


def test_nested() -> None:
    """Objects in objects are of the declared classes."""
    made = Priced.model_validate({**BODY, "cost": 1.5})
    assert ("a", 1.5, "r") == (
        made.answer(),
        made.cost,
        made.choices[0].message.reasoning_content,
    )
    assert isinstance(made.choices[0], ReasonedChoice)
    assert 2.0 == Priced(**{**made.model_dump(), "cost": 2.0}).cost


def test_models_of_ones_own() -> None:
    """``BaseModel`` can be the base of a model, of a function's classes too."""

    class Inner:
        pass

    class Model(BaseModel):
        x: int
        y: str | None = None
        z: Inner | None = None  # a name that cannot be resolved outside

    assert {"x": 1, "y": None, "z": None} == Model(x=1).model_dump()
    assert {"x": 2, "w": 3} == Model.model_validate({"x": 2, "w": 3}).to_dict()
    with pytest.raises(ValueError, match="x"):
        Model()


T = TypeVar("T")


class Held(ChatCompletionMessage, Generic[T]):
    """A generic subclass without fields."""


def test_subclasses_without_fields() -> None:
    """They are what they were."""
    made = structure(dict(MESSAGE), Held)
    assert "r" == made.extra["reasoning_content"]
    assert MESSAGE == made.to_dict()


def test_vars() -> None:
    """``vars()`` and ``__dict__`` have the fields, for serializers that know no better."""
    made = structure(dict(BODY), ChatCompletion)
    assert dict(made) == vars(made) == made.__dict__
    sent = json.loads(json.dumps(made, default=vars))
    assert "a" == sent["choices"][0]["message"]["content"]
    event = ContentDeltaEvent(type="content.delta", delta="a", snapshot="a", parsed=None)
    assert "a" == vars(event)["delta"]


@pytest.mark.parametrize("cls", [ChatCompletion, CompletionUsage, Priced])
def test_signature(cls: Any) -> None:
    """The constructor takes each field by keyword; those that the API always sends are required."""
    parameters = inspect.signature(cls).parameters
    assert [*cls._defaults, "extra_data"] == sorted(
        parameters, key=[*cls._defaults, "extra_data"].index
    )
    required = {p.name for p in parameters.values() if p.default is p.empty} - {"extra_data"}
    assert set(cls._required) == required


def test_missing_fields() -> None:
    """A missing field is caught as a ValueError, as with pydantic, and as a TypeError."""
    for kind in (ValueError, TypeError):
        with pytest.raises(kind, match="needs the keyword arguments: 'choices'"):
            ChatCompletion(id="x", created=1, model="m")


def test_schema() -> None:
    """The JSON schema of a class has those of the objects in it under ``$defs``, each once."""
    schema = ChatCompletion.model_json_schema()
    assert {"Choice", "ChatCompletionMessage", "CompletionUsage"} <= schema["$defs"].keys()
    assert {"type": "array", "items": {"$ref": "#/$defs/Choice"}} == schema["properties"]["choices"]
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid(structure(dict(BODY), ChatCompletion).model_dump())
    assert not validator.is_valid({**BODY, "choices": [{}]})
    assert schema == ChatCompletion.schema() == json.loads(ChatCompletion.schema_json())


def test_former_names() -> None:
    """What pydantic 1 called the fields, and what others read of its models."""
    made = structure({**BODY, "zz": 1}, ChatCompletion)
    assert ChatCompletion.__fields__.keys() == ChatCompletion.model_fields.keys()
    assert made.model_fields_set == made.__fields_set__ == made.__pydantic_fields_set__
    assert {"zz": 1} == made.__pydantic_extra__
    assert dict(made) == dict(made.__repr_args__())


def test_pydantic() -> None:
    """pydantic serializes an answer that it was not told of, and refuses an incomplete one."""
    pydantic = pytest.importorskip("pydantic")
    core = pytest.importorskip("pydantic_core")
    made = structure(dict(BODY), ChatCompletion)
    assert made.model_dump() == core.to_jsonable_python({"a": [made]})["a"][0]

    class Anything(pydantic.BaseModel):  # type: ignore[name-defined, misc]
        value: Any

    assert "c" == json.loads(Anything(value=made).model_dump_json())["value"]["id"]
    assert "c" == Anything(value=made).model_dump()["value"]["id"]

    class Holder(pydantic.BaseModel):  # type: ignore[name-defined, misc]
        value: ChatCompletion

    assert "c" == Holder(value=BODY).value.id
    with pytest.raises(pydantic.ValidationError, match=r"field required: ChatCompletion\.choices"):
        Holder(value={"id": "c", "created": 1, "model": "m"})


def test_fastapi() -> None:
    """An answer is the body of a request by ``Body()``, and of a response as it is."""
    fastapi = pytest.importorskip("fastapi")
    testclient = pytest.importorskip("fastapi.testclient")
    app = fastapi.FastAPI()

    def echo(body: Any) -> Any:
        return body

    echo.__annotations__ = {"body": ChatCompletion, "return": ChatCompletion}
    echo.__defaults__ = (fastapi.Body(),)
    app.post("/x")(echo)
    answer = testclient.TestClient(app).post("/x", json=BODY)
    assert (200, "c") == (answer.status_code, answer.json()["id"])
    assert 422 == testclient.TestClient(app).post("/x", json={"id": 1}).status_code
