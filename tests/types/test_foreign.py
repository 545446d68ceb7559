"""Objects of other libraries, the real ones, as what they are in a request."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import io
import itertools
import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import attrs
import pytest

from chatlib import (
    Config,
    OpenAI,
    UserMessage,
    build_create,
    omit,
    structure,
    to_request,
    tool_results,
)
from chatlib.testing import InMemoryServer
from chatlib.types import ChatCompletionMessage

msgspec = pytest.importorskip("msgspec")
pydantic = pytest.importorskip("pydantic")

T = TypeVar("T")
PLAIN = {"role": "user", "content": "Hi"}


class Role(enum.Enum):
    USER = "user"


class PydanticMessage(pydantic.BaseModel):  # type: ignore[misc,name-defined]
    role: str
    content: str


class PydanticRole(pydantic.BaseModel):  # type: ignore[misc,name-defined]
    role: Role = Role.USER
    content: str
    name: str | None = None


@pydantic.dataclasses.dataclass
class PydanticDataclass:
    role: Role
    content: str


class MsgspecMessage(msgspec.Struct):  # type: ignore[misc,name-defined]
    role: str
    content: str


@dataclasses.dataclass
class Dataclass:
    content: str
    role: str = dataclasses.field(default="user", init=False)


@dataclasses.dataclass(frozen=True, slots=True)
class SlottedDataclass:
    role: Role
    content: str


@attrs.define
class Attrs:
    role: str
    content: str


@attrs.frozen(kw_only=True)
class FrozenAttrs:
    content: str
    role: Role = Role.USER


class Named(NamedTuple):
    role: str
    content: str


MESSAGES = [
    PydanticMessage(role="user", content="Hi"),
    PydanticRole(content="Hi"),
    pydantic.RootModel[dict[str, str]](PLAIN),
    PydanticDataclass(Role.USER, "Hi"),
    MsgspecMessage("user", "Hi"),
    Dataclass("Hi"),
    SlottedDataclass(Role.USER, "Hi"),
    Attrs("user", "Hi"),
    FrozenAttrs(content="Hi"),
    Named("user", "Hi"),
    collections.namedtuple("Old", ["role", "content"])("user", "Hi"),
]


def sent(**params: Any) -> Any:
    """The body of the request for these parameters."""
    asked = {"model": "m", "messages": [PLAIN], **params}
    return build_create(Config(api_key="secret"), **asked).json()


@pytest.mark.parametrize("message", MESSAGES, ids=lambda value: type(value).__name__)
def test_records_are_objects(message: Any) -> None:
    """Wherever it stands in a request, an object with fields is a JSON object."""
    assert [PLAIN, PLAIN] == sent(messages=[message, PLAIN])["messages"]
    assert [PLAIN] == sent(messages=iter([message]))["messages"]
    assert [{"role": "user", "content": [PLAIN]}] == (
        sent(messages=[UserMessage(content=[message])])["messages"]
    )
    for name in ("metadata", "response_format", "tool_choice", "audio", "stream_options"):
        assert PLAIN == sent(**{name: message})[name]
    assert [PLAIN] == sent(tools=[message])["tools"]
    body = sent(extra_body=message)
    assert ("user", "Hi") == (body["role"], body["content"])
    assert {"deep": [{"er": PLAIN}]} == sent(extra_body={"x": {"deep": [{"er": message}]}})["x"]
    assert {"inner": PLAIN} == to_request(Dataclass2(message))


@dataclasses.dataclass
class Dataclass2:
    inner: Any


def test_one_record_is_no_list_of_messages() -> None:
    """A message in place of a list of them is an error, never a list of its fields."""
    for message in MESSAGES:
        with pytest.raises(TypeError, match="it must be a list of messages"):
            sent(messages=message)


def test_lists_that_are_records() -> None:
    """A pydantic model of a list is that list."""
    kind = pydantic.RootModel[list[PydanticMessage]]
    assert [PLAIN] == sent(messages=kind([PLAIN]))["messages"]
    assert [PLAIN] == sent(tools=kind([PLAIN]))["tools"]
    assert "text" == to_request(pydantic.RootModel[str]("text"))


# pydantic


class Schema(pydantic.BaseModel):  # type: ignore[misc,name-defined]
    """With aliases, defaults of all kinds, and JSON of its own."""

    schema_: dict[str, Any] = pydantic.Field(alias="schema")
    kind: Literal["json"] = pydantic.Field("json", serialization_alias="type")
    name: str = pydantic.Field("n", validation_alias="NAME")
    strict: bool | None = None
    description: str | None = None
    day: datetime.date = datetime.date(2025, 1, 2)
    key: uuid.UUID = uuid.UUID(int=1)
    inner: list[PydanticRole] = pydantic.Field(default_factory=list)
    secret: str = pydantic.Field("x", exclude=True)

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def size(self) -> int:
        return len(self.schema_)


def test_pydantic_models_are_their_own_json() -> None:
    """By alias, with defaults, without the nulls that nobody set, inside too."""
    made = Schema(schema={"a": None}, strict=None, inner=[PydanticRole(content="a")])
    assert {
        "schema": {"a": None},
        "type": "json",
        "name": "n",
        "strict": None,
        "day": "2025-01-02",
        "key": str(uuid.UUID(int=1)),
        "inner": [{"role": "user", "content": "a"}],
        "size": 1,
    } == to_request(made)


def test_more_pydantic() -> None:
    """Extra fields, generics, serialisers of their own, configured aliases, the first version."""

    class Open(pydantic.BaseModel, extra="allow"):  # type: ignore[misc,name-defined,call-arg]
        role: str

    class Box(pydantic.BaseModel, Generic[T]):  # type: ignore[misc,name-defined]
        item: T

    class Own(pydantic.BaseModel):  # type: ignore[misc,name-defined]
        x: int = 1

        @pydantic.model_serializer
        def write(self) -> str:
            return f"own {self.x}"

    class Dumped(pydantic.BaseModel):  # type: ignore[misc,name-defined]
        x: int = 1

        def model_dump(self, **options: Any) -> dict[str, Any]:
            return {**super().model_dump(**options), "more": True}

    class Camel(pydantic.BaseModel):  # type: ignore[misc,name-defined]
        model_config = pydantic.ConfigDict(serialize_by_alias=False)
        tool_id: str = pydantic.Field("t", alias="toolId")

    assert {"role": "a", "seen": [1]} == to_request(Open(role="a", seen=[1]))
    assert {"item": PLAIN} == to_request(Box[PydanticMessage](item=MESSAGES[0]))
    assert ["own 1"] == to_request([Own()])
    assert {"x": 1, "more": True} == to_request(Dumped())
    assert {"tool_id": "t"} == to_request(Camel())

    class Holder(pydantic.BaseModel):  # type: ignore[misc,name-defined]
        items: list[Any]

    assert {"items": [PLAIN, PLAIN]} == to_request(
        Holder(items=[UserMessage(content="Hi"), MESSAGES[4]])
    )


def test_pydantic_of_the_first_version() -> None:
    """Its models are read as well."""
    first = pytest.importorskip("pydantic.v1")

    class Message(first.BaseModel):  # type: ignore[misc,name-defined]
        kind: str = first.Field("text", alias="type")
        role: Role
        name: str | None = None

    assert {"type": "text", "role": "user"} == to_request(Message(role=Role.USER))


# The official package


def official(**message: Any) -> Any:
    types = pytest.importorskip("openai.types.chat")
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return types.ChatCompletion.model_validate(body).choices[0].message


@pytest.mark.parametrize(
    ("expected", "fields"),
    [
        ({"content": "a"}, {"content": "a", "refusal": None, "annotations": []}),
        ({"content": "a", "reasoning": "r"}, {"content": "a", "reasoning": "r"}),
        ({"content": ""}, {"content": None}),
    ],
)
def test_messages_of_the_official_package(expected: dict[str, Any], fields: Any) -> None:
    """They go back as this library's own do."""
    assert [{"role": "assistant", **expected}] == sent(messages=[official(**fields)])["messages"]


@pytest.mark.parametrize("content", [None, "", "a"])
def test_calls_of_the_official_package(content: str | None) -> None:
    """The content stays beside them; a call can be sent in a message of one's own too."""
    function = {"name": "f", "arguments": "{}"}
    calls = [{"id": "1", "type": "function", "function": function, "sig": "s"}]
    message = official(content=content, tool_calls=calls)
    expected = {"role": "assistant", "content": content, "tool_calls": calls}
    assert [expected] == sent(messages=[message])["messages"]
    own = {"role": "assistant", "content": content, "tool_calls": message.tool_calls}
    assert [expected] == sent(messages=[own])["messages"]


def test_parsed_messages_of_the_official_package() -> None:
    """Their parsed values are not sent."""
    types = pytest.importorskip("openai.types.chat")
    function = {"name": "f", "arguments": "{}", "parsed_arguments": {}}
    call = {"id": "1", "type": "function", "function": function}
    message = types.ParsedChatCompletionMessage[PydanticMessage].model_validate(
        {"role": "assistant", "content": "x", "parsed": PLAIN, "tool_calls": [call]}
    )
    plain = {**call, "function": {"name": "f", "arguments": "{}"}}
    assert {"role": "assistant", "content": "x", "tool_calls": [plain]} == to_request(message)


def test_other_objects_of_the_official_package() -> None:
    """Unset fields of theirs are no nulls."""
    shared = pytest.importorskip("openai.types.shared")
    made = shared.ResponseFormatJSONSchema.model_validate(
        {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    )
    assert {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"type": "object"}},
    } == to_request(made)


# msgspec


def test_msgspec_structs_are_their_own_json() -> None:
    """Renamed and tagged fields, defaults that are left out, arrays on purpose."""

    class Tagged(msgspec.Struct, tag="text", tag_field="type", rename="camel"):  # type: ignore[misc,name-defined,call-arg]
        long_name: str
        day: datetime.date = datetime.date(2025, 1, 2)

    class Small(msgspec.Struct, omit_defaults=True):  # type: ignore[misc,name-defined,call-arg]
        a: int = 1
        b: Any = msgspec.UNSET
        c: list[Any] = msgspec.field(default_factory=list)

    class Row(msgspec.Struct, array_like=True):  # type: ignore[misc,name-defined,call-arg]
        a: int
        b: Any

    assert {"type": "text", "longName": "x", "day": "2025-01-02"} == to_request(Tagged("x"))
    assert [{}, {"a": 2}] == to_request([Small(), Small(2)])
    assert [1, [2, None]] == to_request(Row(1, Row(2, None)))
    mixed = Row(1, [UserMessage(content="Hi"), MESSAGES[0], Attrs("user", "Hi")])
    assert [1, [PLAIN] * 3] == to_request(mixed)


# The others


def test_fields_of_records() -> None:
    """A None is null, omit is left out, what they hold is converted too."""

    @attrs.define
    class Holder:
        a: Any = None
        _b: Any = omit
        c: Any = attrs.field(factory=list)

    assert {"a": None, "c": []} == to_request(Holder())
    assert {"a": PLAIN, "_b": ["user"], "c": [PLAIN]} == to_request(
        Holder(MESSAGES[0], {Role.USER}, (m for m in [Named("user", "Hi")]))
    )


class Row:
    """What dict() takes: keys and items."""

    def keys(self) -> list[str]:
        return ["a", "b"]

    def __getitem__(self, name: str) -> str:
        return name.upper()

    def __iter__(self) -> Iterator[str]:
        return iter("xy")


class Tensor:
    """As an array of numpy's."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def tolist(self) -> Any:
        return self.value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.value)

    def keys(self) -> list[int]:
        return [0]

    def __getitem__(self, name: Any) -> Any:
        return None


def test_rows_are_objects() -> None:
    """What dict() takes is an object, whatever iterating it gives."""
    assert {"a": "A", "b": "B"} == to_request(Row())
    with sqlite3.connect(":memory:") as connection:
        connection.row_factory = sqlite3.Row
        row = connection.execute("select 'user' as role, 'Hi' as content").fetchone()
    connection.close()
    assert PLAIN == to_request(row)


ARRAYS: list[tuple[Any, Any]] = [
    ([1, 2], (1, 2)),
    ([1, 2], range(1, 3)),
    ([1], {1}),
    ([1], frozenset({1})),
    ([1, 2], collections.deque([1, 2])),
    (["a"], {"a": 1}.keys()),
    ([1], {"a": 1}.values()),
    ([["a", 1]], {"a": 1}.items()),
    ([1, 2], (n for n in (1, 2))),
    (["1"], map(str, [1])),
    ([1, 2], itertools.chain([1], [2])),
    ([2, 1], reversed([1, 2])),
    ([1, 2], collections.UserList([1, 2])),
    ([1, [2.5]], Tensor([1, [2.5]])),
    (1.5, Tensor(1.5)),
    ("ab", collections.UserString("ab")),
    ({"user": 1}, {Role.USER: 1}),
]


@pytest.mark.parametrize(("expected", "value"), ARRAYS, ids=lambda value: type(value).__name__)
def test_arrays(expected: Any, value: Any) -> None:
    """Sequences, sets, iterators, views and arrays of numbers are arrays."""
    assert expected == to_request(value)


class Iterated:
    """It can be iterated, and that is all that is known."""

    def __iter__(self) -> Iterator[Any]:
        return iter([("role", "user")])


@pytest.mark.parametrize(
    ("expected", "make"),
    [
        (r"x\.y\[0\] is a Iterated, .*list\(", Iterated),
        (r"x\.y\[0\] is a StringIO, .*read\(\)", lambda: io.StringIO("a\nb")),
        (r"x\.y\[0\] is a datetime, .*isoformat\(\)", lambda: datetime.datetime(2025, 1, 2)),
        (r"x\.y\[0\] is a UUID, ", lambda: uuid.UUID(int=1)),
        (r"x\.y\[0\] is a object, ", object),
        (r"x\.y\[0\] is a EnumMeta|EnumType, .*the class Role", lambda: Role),
        (r"x\.y\[0\] is a ModelMetaclass, .*PydanticMessage", lambda: PydanticMessage),
        (r"x\.y\[0\]\.a is a bytes, .*base64", lambda: attrs.make_class("A", ["a"])(b"x")),
        (r"x\.y\[0\] is a Config, ", lambda: Config(api_key="secret")),
        (r"x\.y\[0\].*object", lambda: MsgspecMessage("user", object())),
        (r"x\.y\[0\].*object", lambda: pydantic.RootModel[Any]([object()])),
    ],
)
def test_anything_else_is_an_error(expected: str, make: Callable[[], Any]) -> None:
    """It is a TypeError that says where it is, never an array by accident."""
    with pytest.raises(TypeError, match=expected):
        to_request({"x": {"y": [make()]}})


def test_whatever_can_be_iterated_is_a_list_of_messages() -> None:
    """The parameters that are lists take an object of one's own that gives their items."""

    class History:
        def __iter__(self) -> Iterator[Any]:
            yield from MESSAGES

    assert [PLAIN] * len(MESSAGES) == sent(messages=History())["messages"]
    assert [PLAIN] * len(MESSAGES) == sent(tools=History())["tools"]


def test_records_that_contain_themselves() -> None:
    """They are refused, without a crash."""
    holder = Dataclass2(None)
    holder.inner = [holder]
    with pytest.raises(ValueError, match="contains itself"):
        to_request({"x": holder})


def test_numbers_of_records() -> None:
    """A NaN is refused inside a record too."""

    class Model(pydantic.BaseModel):  # type: ignore[misc,name-defined]
        x: Annotated[float, "number"]

    for record in (Model(x=float("nan")), MsgspecMessage("user", float("nan"))):
        with pytest.raises(ValueError, match="is nan"):
            to_request({"x": record})


def test_results_of_tools_that_are_records() -> None:
    """What a tool returns is written in the same way."""
    function = {"name": "give", "arguments": "{}"}
    call = {"id": "1", "type": "function", "function": function}
    message = structure({"role": "assistant", "tool_calls": [call]}, ChatCompletionMessage)
    for record in (MESSAGES[0], MESSAGES[3], MESSAGES[4], MESSAGES[7], UserMessage(content="Hi")):
        for value, expected in ((record, PLAIN), ([record], [PLAIN])):
            (result,) = tool_results(message, {"give": partial(lambda it: it, value)})
            assert expected == json.loads(str(result.content))


class Tool(pydantic.BaseModel):  # type: ignore[misc,name-defined]
    """A tool as people write it down with pydantic."""

    type: str = "function"
    function: dict[str, Any]


def test_every_way_to_ask() -> None:
    """What creates takes, parsing, streaming and running take."""
    definition = {"name": "f", "parameters": {}, "strict": True}
    tool = Tool(function=definition)
    schema = Schema(schema={})
    messages = pydantic.RootModel[list[PydanticMessage]]([PLAIN])
    server = InMemoryServer(default="Hi")
    client = OpenAI(api_key="k", transport=server, max_retries=0)
    chat = client.chat.completions
    ask: dict[str, Any] = {"model": "m", "messages": messages, "tools": [tool]}
    chat.create(**ask, response_format=schema)
    parsed = chat.parse(**ask, response_format=schema)
    with chat.stream(**ask, response_format=schema) as stream:
        stream.until_done()
    run = chat.run(**{**ask, "messages": MESSAGES[:1]})
    assert None is parsed.choices[0].message.parsed
    assert MESSAGES[:1] == run.messages
    for request in server.requests:
        body = request.json()
        assert [PLAIN] == body["messages"]
        assert [{"type": "function", "function": definition}] == body["tools"]
    assert 4 == len(server.requests)
    for method in (chat.create, chat.parse, chat.run):
        with pytest.raises(TypeError, match="it must be a list"):
            method(**{**ask, "messages": MESSAGES[0]})
    for method in (chat.parse, chat.run):
        with pytest.raises(TypeError, match="tools is a Tool; it must be a list"):
            method(**{**ask, "tools": tool})
