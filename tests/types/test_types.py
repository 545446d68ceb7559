from __future__ import annotations

import ast
import copy
import importlib
import inspect
import json
import os
import pickle
import re
import subprocess
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import attrs
import pytest
import typing_extensions

import chatlib.types
from chatlib.http import Timeout, omit
from chatlib.types import (
    CREATE_PARAMS,
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionMessage,
    ChatCompletionMessageFunctionToolCall,
    Choice,
    ChoiceDelta,
    ChunkChoice,
    CompletionUsage,
    CreateOptions,
    CreateParams,
    Function,
    JsonObject,
    ListParams,
    MessageListParams,
    ParsedChatCompletion,
    ParsedChatCompletionMessage,
    ParsedChoice,
    ParsedFunction,
    ParsedFunctionToolCall,
    RequestOptions,
    TypedAnswerParams,
    UpdateParams,
    events,
    params,
    text_of,
    values,
)
from tests.environment import without_coverage

WIRE_TYPES = Path(__file__).parents[1] / "data" / "wire-types.md"

# What differs from wire-types.md on purpose.

EXTRA_FIELDS = {
    "ChatCompletionStoreMessage": {"tool_call_id"},  # sent with tool messages
}
MORE_WORDS = {
    ("Create parameters", "prompt_cache_retention"): {"in-memory"},  # the older spelling
}
OPEN = {
    ("ChoiceDeltaToolCall", "type"),
    ("ChatCompletionStoreMessage", "role"),  # the stored prompt is listed as well
    ("ChatCompletionAudioParam", "voice"),
}
SAME_CLASS = {"ChunkChoiceLogprobs": "ChoiceLogprobs"}

# Objects of the requests whose name a class of the responses has.
PARAMS = {
    "Custom": "CustomParam",
    "Function": "FunctionParam",
    "FunctionCall": "FunctionCallParam",
    "ImageURL": "ImageURLParam",
    "PromptCacheBreakpoint": "PromptCacheBreakpointParam",
}
# The values, and the dict forms of those that have another name.
TWINS = {
    "AssistantMessage": "ChatCompletionAssistantMessageParam",
    "CustomToolCall": "ChatCompletionMessageCustomToolCallParam",
    "DeveloperMessage": "ChatCompletionDeveloperMessageParam",
    "FilePart": "File",
    "FunctionMessage": "ChatCompletionFunctionMessageParam",
    "FunctionTool": "ChatCompletionFunctionToolParam",
    "FunctionToolCall": "ChatCompletionMessageFunctionToolCallParam",
    "ImagePart": "ChatCompletionContentPartImageParam",
    "InputAudioPart": "ChatCompletionContentPartInputAudioParam",
    "RefusalPart": "ChatCompletionContentPartRefusalParam",
    "StreamOptions": "ChatCompletionStreamOptionsParam",
    "SystemMessage": "ChatCompletionSystemMessageParam",
    "TextPart": "ChatCompletionContentPartTextParam",
    "ToolMessage": "ChatCompletionToolMessageParam",
    "UserMessage": "ChatCompletionUserMessageParam",
}


class Field(NamedTuple):
    name: str
    json: str
    required: bool

    @property
    def nullable(self) -> bool:
        return self.json.endswith("or null")

    @property
    def words(self) -> set[str]:
        """The strings that the field is documented to hold, if they are listed."""
        return set(re.findall(r'`"([^"]+)"`', self.json))

    @property
    def objects(self) -> set[str]:
        """The objects that the field is documented to hold."""
        names = set(re.findall(r"\b[A-Z]\w+\b", re.sub(r"`[^`]*`", "", self.json))) - {"JSON"}
        return {SAME_CLASS.get(name, name) for name in names}


def wire_types() -> dict[str, dict[str, list[Field]]]:
    """The sections of wire-types.md, the objects in them, and their fields."""
    sections: dict[str, dict[str, list[Field]]] = {}
    objects: dict[str, list[Field]] = {}
    fields: list[Field] = []
    for line in WIRE_TYPES.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            fields = objects[line[3:].split(" (")[0]] = []
        elif line.startswith("# "):
            objects = sections[line[2:]] = {}
        elif line.startswith("| `"):
            name, json_type, required = re.split(r" \| ?", line[2:-1].rstrip("|"), maxsplit=2)
            fields.append(Field(name.strip("`"), json_type, "required" in required))
    return sections


WIRE = wire_types()
RESPONSES = WIRE["Responses"]
CALLS = {
    "Create parameters": CreateParams,
    "List parameters": ListParams,
    "Update parameters": UpdateParams,
    "Message list parameters": MessageListParams,
}
# All but ``stream``: that one decides what the call returns, and belongs to the method itself.
PARAMETERS = {
    name: [field for field in WIRE["Requests"][name] if field.name != "stream"] for name in CALLS
}
REQUESTS = {name: fields for name, fields in WIRE["Requests"].items() if name not in CALLS} | {
    name: RESPONSES[name] for name in PARAMS
}
RESPONSE_CLASSES = sorted(
    {
        value
        for value in vars(chatlib.types).values()
        if isinstance(value, type) and issubclass(value, JsonObject) and value is not JsonObject
    },
    key=lambda cls: cls.__name__,
)
MODULES = [
    "chatlib.types",
    "chatlib.types.chat",
    "chatlib.types.values",
    *(
        f"chatlib.types.{'chat.' if path.parent.name == 'chat' else ''}{path.stem}"
        for path in sorted(Path(chatlib.types.__file__).parent.rglob("*.py"))
        if path.stem != "__init__"
    ),
]


def dict_of(name: str) -> Any:
    return getattr(chatlib.types, PARAMS.get(name, name))


def hints_of(dict_type: Any) -> dict[str, Any]:
    return typing_extensions.get_type_hints(dict_type, include_extras=True)


def is_required(hint: Any, *, total: bool) -> bool:
    return total and typing_extensions.get_origin(hint) is not typing_extensions.NotRequired


def leaves(hint: Any) -> Iterator[Any]:
    """The classes and the words (as strings) that a type hint is made of."""
    if typing.get_origin(hint) is Literal:
        yield from typing.get_args(hint)
    elif typing.get_args(hint):
        for arg in typing.get_args(hint):
            yield from leaves(arg)
    else:
        yield hint


def top(hint: Any) -> Iterator[Any]:
    """The members of a union, or the hint itself."""
    if typing_extensions.get_origin(hint) is typing_extensions.NotRequired:
        (hint,) = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        for arg in typing.get_args(hint):
            yield from top(arg)
    else:
        yield hint


def words_in(hint: Any) -> set[str]:
    return {leaf for leaf in leaves(hint) if isinstance(leaf, str)}


def known_fields(cls: Any) -> dict[str, Any]:
    """The fields of the JSON object that a class is made for."""
    fields: dict[str, Any] = attrs.fields_dict(cls)
    return {name: field for name, field in fields.items() if name not in ("extra", "_names")}


def cases(objects: dict[str, list[Field]]) -> list[Any]:
    return [
        pytest.param(name, field, id=f"{name}.{field.name}")
        for name, fields in objects.items()
        for field in fields
    ]


# The contract: every object, every field


def test_the_contract_is_read_whole() -> None:
    """The parser of wire-types.md finds the objects and fields that are in it."""
    text = WIRE_TYPES.read_text(encoding="utf-8")
    assert len(re.findall(r"^## ", text, re.M)) == sum(map(len, WIRE.values()))
    assert len(re.findall(r"^\| `", text, re.M)) == sum(
        len(fields) for objects in WIRE.values() for fields in objects.values()
    )


@pytest.mark.parametrize("name", RESPONSES)
def test_response_class_has_the_fields_of_the_contract(name: str) -> None:
    """Each object of the responses is an attrs class with exactly the documented fields."""
    cls = getattr(chatlib.types, name)
    expected = {field.name for field in RESPONSES[name]} | EXTRA_FIELDS.get(name, set())
    assert issubclass(cls, JsonObject)
    assert expected == set(known_fields(cls))


@pytest.mark.parametrize(("name", "field"), cases(RESPONSES))
def test_response_field_follows_the_contract(name: str, field: Field) -> None:
    """A required field has no default but its constant; an optional one reads as None."""
    cls = getattr(chatlib.types, name)
    attribute = attrs.fields_dict(cls)[field.name]
    hint = typing.get_type_hints(cls)[field.name]
    members = set(top(hint))
    if len(field.words) == 1 and field.required:
        assert field.words == {attribute.default}
    elif field.required:
        assert attribute.default is attrs.NOTHING
    else:
        assert attribute.default is None
    assert field.nullable == (type(None) in members)
    assert field.objects == {
        leaf.__name__
        for leaf in leaves(hint)
        if isinstance(leaf, type) and issubclass(leaf, JsonObject)
    }
    assert field.words <= words_in(hint)
    if len(field.words) > 1 or (name, field.name) in OPEN:
        assert str in set(leaves(hint))  # a server may send a word that is not listed


@pytest.mark.parametrize("name", REQUESTS)
def test_request_dict_has_the_fields_of_the_contract(name: str) -> None:
    """Each object of the requests is a TypedDict with exactly the documented fields."""
    assert {field.name for field in REQUESTS[name]} == set(hints_of(dict_of(name)))


@pytest.mark.parametrize(("name", "field"), cases(REQUESTS))
def test_request_field_follows_the_contract(name: str, field: Field) -> None:
    """A TypedDict requires what the API requires, and takes null and words as the API does."""
    dict_type = dict_of(name)
    hint = hints_of(dict_type)[field.name]
    assert field.required == is_required(hint, total=dict_type.__total__)
    assert field.nullable == (type(None) in set(top(hint)))
    assert field.words == words_in(hint)
    if field.words and (name, field.name) not in OPEN:
        assert str not in set(top(hint))
    dicts = {PARAMS.get(other, other) for other in field.objects}
    assert dicts == {leaf.__name__ for leaf in leaves(hint) if typing_extensions.is_typeddict(leaf)}


@pytest.mark.parametrize("name", values.__all__)
def test_value_is_the_twin_of_a_dict_form(name: str) -> None:
    """A value is an attrs class with the fields and constants of a request's dict form."""
    known = known_fields(getattr(values, name))
    fields = REQUESTS[TWINS.get(name, name)]
    assert {field.name for field in fields} == set(known)
    for field in fields:
        if field.required and len(field.words) == 1:
            assert field.words == {known[field.name].default}
        elif field.required:
            assert attrs.NOTHING is known[field.name].default
        else:
            assert known[field.name].default is None


# Hints at run time

TYPED_DICTS = {
    name: value
    for module in (chatlib.types, params)
    for name, value in vars(module).items()
    if typing_extensions.is_typeddict(value)
}


@pytest.mark.parametrize("name", TYPED_DICTS)
def test_hints_of_dict_forms_resolve(name: str) -> None:
    """Hints are plain types, and ``__required_keys__`` says what they say, on every Python."""
    dict_type: Any = TYPED_DICTS[name]
    hints = hints_of(dict_type)
    assert set(hints) == set(typing.get_type_hints(dict_type))
    assert dict_type.__required_keys__ | dict_type.__optional_keys__ == set(hints)
    assert dict_type.__required_keys__ == required_keys(dict_type)


def required_keys(dict_type: Any) -> set[str]:
    """The required keys by the hints: those of the bases, and what the class adds."""
    own, keys = hints_of(dict_type), set[str]()
    for base in filter(
        typing_extensions.is_typeddict, typing_extensions.get_original_bases(dict_type)
    ):
        own = {key: hint for key, hint in own.items() if key not in hints_of(base)}
        keys |= required_keys(base)
    return keys | {key for key, hint in own.items() if is_required(hint, total=dict_type.__total__)}


@pytest.mark.parametrize("name", REQUESTS)
def test_dict_forms_hold_dict_forms(name: str) -> None:
    """What is in a dict form can be read back: it holds no objects."""
    for hint in hints_of(dict_of(name)).values():
        for leaf in leaves(hint):
            assert not (isinstance(leaf, type) and issubclass(leaf, JsonObject))


@pytest.mark.parametrize("name", TYPED_DICTS)
def test_pydantic_knows_every_dict_form(name: str) -> None:
    """A pydantic adapter can be made of each TypedDict, and gives its JSON schema where it can."""
    pydantic = pytest.importorskip("pydantic")
    adapter = pydantic.TypeAdapter(TYPED_DICTS[name])
    if name in REQUESTS:
        required = {field.name for field in REQUESTS[name] if field.required}
        assert required == set(adapter.json_schema().get("required", ()))


REQUEST: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "user", "content": "Hi"},
        {"role": "tool", "content": "42", "tool_call_id": "t1"},
        values.UserMessage(content="Hi"),
        ChatCompletionMessage(content="Hi"),
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    "tool_choice": "auto",
    "response_format": {"type": "json_object"},
    "temperature": omit,
    "timeout": Timeout(3),
}


def test_pydantic_checks_requests() -> None:
    """Dicts stay dicts, objects stay objects; a wrong value is an error."""
    pydantic = pytest.importorskip("pydantic")
    adapter = pydantic.TypeAdapter(CreateOptions)
    made = adapter.validate_python(REQUEST)
    made["messages"] = list(made["messages"])
    made["tools"] = list(made["tools"])
    assert REQUEST == made
    with pytest.raises(pydantic.ValidationError, match="temperature"):
        adapter.validate_python({**REQUEST, "temperature": "hot"})
    message = pydantic.TypeAdapter(chatlib.types.ChatCompletionMessageParam)
    with pytest.raises(pydantic.ValidationError, match="tool_call_id"):
        message.validate_python({"role": "tool", "content": "42"})


def test_typeguard_checks_requests() -> None:
    """The hints are understood by typeguard too."""
    typeguard = pytest.importorskip("typeguard")
    everything = typeguard.CollectionCheckStrategy.ALL_ITEMS

    def check(value: Any, kind: Any) -> None:
        typeguard.check_type(value, kind, collection_check_strategy=everything)

    check(REQUEST, CreateOptions)
    for dict_type in TYPED_DICTS.values():
        with pytest.raises(typeguard.TypeCheckError):
            check(3, dict_type)
    user = chatlib.types.ChatCompletionUserMessageParam
    check({"role": "user", "content": "Hi"}, user)
    for wrong in ({"role": "user"}, {"role": "user", "content": 3}, {"role": "a", "content": ""}):
        with pytest.raises(typeguard.TypeCheckError):
            check(wrong, user)


def test_fields_of_pydantic_models() -> None:
    """A field of a pydantic model can be an object of the API: from JSON, and to JSON."""
    pydantic = pytest.importorskip("pydantic")
    record = pydantic.create_model("record", answer=(ChatCompletion, ...))
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "cost": 1}
    made = record(answer={**COMPLETION_JSON, "usage": usage})
    assert 1 == made.answer.usage.cost
    assert made == record.model_validate_json(made.model_dump_json())
    assert made.answer.model_dump() == json.loads(made.model_dump_json())["answer"]
    sent = made.model_dump(exclude_unset=True)["answer"]
    assert made.answer.to_dict() == sent
    assert "object" == record.model_json_schema()["properties"]["answer"]["type"]
    with pytest.raises(pydantic.ValidationError, match="ChatCompletion"):
        record(answer=3)


@pytest.mark.parametrize(("name", "field"), cases(PARAMETERS))
def test_parameter_follows_the_contract(name: str, field: Field) -> None:
    """Each call takes the documented parameters, required and nullable as documented."""
    hints = hints_of(CALLS[name])
    hint = hints[field.name]
    assert field.required == is_required(hint, total=CALLS[name].__total__)
    assert field.nullable == (type(None) in set(top(hint)))
    assert field.required != (type(omit) in set(top(hint)))
    more = MORE_WORDS.get((name, field.name), set())
    if field.words:
        assert field.words | more == set(top_words(hint))


def top_words(hint: Any) -> Iterator[str]:
    for member in top(hint):
        if not typing_extensions.is_typeddict(member):
            yield from words_in(member)


@pytest.mark.parametrize("name", CALLS)
def test_call_takes_no_more_than_the_contract(name: str) -> None:
    """No parameter is made up."""
    assert {field.name for field in PARAMETERS[name]} == set(hints_of(CALLS[name]))


def test_names_of_the_body_parameters() -> None:
    """CREATE_PARAMS has all parameters of a completion, ``stream`` included, and no options."""
    assert {field.name for field in WIRE["Requests"]["Create parameters"]} == CREATE_PARAMS
    assert set(hints_of(RequestOptions)).isdisjoint(CREATE_PARAMS)
    assert CREATE_PARAMS - {"stream"} | set(hints_of(RequestOptions)) == set(
        hints_of(CreateOptions)
    )


def test_every_create_parameter_is_documented() -> None:
    """The docstring of its base has a line on each parameter, in the order of the alphabet."""
    text = inspect.cleandoc(TypedAnswerParams.__doc__ or "")
    documented = re.findall(r"^    (\w+): ", text, re.M)
    assert set(CreateParams.__annotations__) == set(documented)
    assert sorted(documented[2:]) == documented[2:]


# Modules


def test_modules_make_no_circle() -> None:
    """No module of ``types`` imports itself by way of others, for type checkers either."""
    folder = Path(chatlib.types.__file__).parent
    imports = {
        path.stem: {
            (node.module or "").removeprefix("chatlib.types.")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom)
        }
        for path in folder.glob("*.py")
        if path.stem != "__init__"
    }
    while imports:
        free = {name for name, taken in imports.items() if not taken & imports.keys()}
        assert free, f"a circle among {sorted(imports)}"
        imports = {name: taken for name, taken in imports.items() if name not in free}


def test_events_are_exported() -> None:
    """The events, which are loaded late, are among the names, and nothing else is made up."""
    assert set(events.__all__) <= set(chatlib.types.__all__)
    assert not hasattr(chatlib.types, "NoSuchEvent")
    assert not hasattr(chatlib.types, "ChatCompletionMesage")


@pytest.mark.parametrize("module", MODULES)
def test_all_names_resolve(module: str) -> None:
    """Every name in ``__all__`` is there, once."""
    names = getattr(importlib.import_module(module), "__all__", [])
    assert sorted(set(names)) == sorted(names)
    assert [] == [name for name in names if not hasattr(sys.modules[module], name)]


def test_types_and_chat_export_the_same() -> None:
    """``chatlib.types.chat`` has the names of ``chatlib.types``, and the deep modules besides."""
    from chatlib.types import chat
    from chatlib.types.chat import chat_completion, chat_completion_chunk

    assert set(chatlib.types.__all__) == set(chat.__all__)
    assert chatlib.types.Choice is chat_completion.Choice
    assert chatlib.types.ChunkChoice is chat_completion_chunk.Choice


def test_import_loads_no_library_that_does_io() -> None:
    """The types can be had without any HTTP library, socket, decoder or pydantic."""
    code = (
        "import sys, chatlib.types, chatlib.types.values, chatlib.types.chat;"
        "print(*(name for name in sys.argv[1:] if name in sys.modules))"
    )
    heavy = ["requests", "urllib3", "socket", "ssl", "http.client", "asyncio", "pydantic", "cattrs"]
    run = subprocess.run(
        [sys.executable, "-c", code, *heavy],
        env={**without_coverage(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    )
    assert "" == run.stdout.strip()


@pytest.mark.parametrize("cls", RESPONSE_CLASSES, ids=lambda cls: cls.__name__)
def test_response_hints_resolve(cls: type) -> None:
    """The decoder can resolve the type of every field at run time."""
    hints = typing.get_type_hints(cls)
    assert set(attrs.fields_dict(cls)) <= set(hints)


@pytest.mark.parametrize("cls", RESPONSE_CLASSES, ids=lambda cls: cls.__name__)
def test_every_class_says_what_it_is(cls: type) -> None:
    """Every class of the responses has a docstring of its own."""
    assert (cls.__doc__ or "").rstrip().endswith(".")


# Objects


def completion() -> ChatCompletion:
    made = ChatCompletion(
        id="c1",
        choices=[
            Choice(
                index=0,
                finish_reason="stop",
                message=ChatCompletionMessage(
                    content="Hi",
                    tool_calls=[
                        ChatCompletionMessageFunctionToolCall(
                            id="t1", function=Function(name="f", arguments="{}")
                        )
                    ],
                ),
            )
        ],
        created=1700000000,
        model="m",
        usage=None,
    )
    made.extra["provider"] = {"name": "acme"}
    return made


COMPLETION_JSON = {
    "id": "c1",
    "choices": [
        {
            "finish_reason": "stop",
            "index": 0,
            "message": {
                "content": "Hi",
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": "t1",
                        "function": {"arguments": "{}", "name": "f"},
                        "type": "function",
                    }
                ],
            },
        }
    ],
    "created": 1700000000,
    "model": "m",
    "object": "chat.completion",
    "usage": None,
    "provider": {"name": "acme"},
}


def test_to_dict_gives_what_was_given() -> None:
    """``to_dict`` has given fields, nulls, constants and extras, and nothing that was left out."""
    assert COMPLETION_JSON == completion().to_dict()
    assert COMPLETION_JSON == json.loads(completion().to_json())


def test_omitted_null_and_given_stay_apart() -> None:
    """All three read as expected, and only the omitted one is left out of ``to_dict``."""
    made = values.AssistantMessage(content=None, name="bot", refusal=typing.cast("Any", omit))
    assert (None, "bot", None) == (made.content, made.name, made.refusal)
    assert {"content": None, "name": "bot", "role": "assistant"} == made.to_dict()
    assert {"content", "name", "role"} == made.fields_set


def test_constants_need_not_be_given() -> None:
    """``role`` and ``type`` are filled in and sent."""
    assert {"role": "user", "content": "hi"} == values.UserMessage(content="hi").to_dict()
    assert {"type": "text", "text": "hi"} == values.TextPart(text="hi").to_dict()


def test_values_and_dicts_mix() -> None:
    """A value may hold dicts and values side by side; ``to_dict`` makes all of it plain."""
    made = values.UserMessage(
        content=[
            {"type": "text", "text": "What is this?"},
            values.ImagePart(image_url={"url": "https://example.org/a.png"}),
            values.ImagePart(image_url=values.ImageURL(url="https://example.org/b.png")),
        ]
    )
    assert {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
            {"type": "image_url", "image_url": {"url": "https://example.org/b.png"}},
        ],
    } == made.to_dict()


def test_unknown_argument_is_refused() -> None:
    """A misspelt field is an error at once."""
    with pytest.raises(TypeError, match="contents"):
        values.UserMessage(contents="hi")  # type: ignore[call-arg]  # pyright: ignore


def test_required_field_must_be_given() -> None:
    """A constructor asks for the required fields."""
    with pytest.raises(TypeError, match="tool_call_id"):
        values.ToolMessage(content="42")  # type: ignore[call-arg]  # pyright: ignore


def test_replace_makes_a_changed_copy() -> None:
    """``replace`` changes the copy only, drops fields by ``omit``, and knows the field names."""
    first = completion()
    second = first.replace(model="other", usage=omit, provider="zeta")
    expected = {**COMPLETION_JSON, "model": "other", "provider": "zeta"}
    del expected["usage"]
    assert expected == second.to_dict()
    assert COMPLETION_JSON == first.to_dict()
    with pytest.raises(TypeError, match="modell"):
        first.replace(modell="x")


@pytest.mark.parametrize(
    "twin_of",
    [
        copy.copy,
        copy.deepcopy,
        *(
            lambda value, protocol=protocol: pickle.loads(pickle.dumps(value, protocol))
            for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
        ),
    ],
)
def test_copies_are_equal(twin_of: Any) -> None:
    """Copying, deep-copying and pickling keep fields, absence and extras."""
    twin = twin_of(completion())
    assert completion() == twin
    assert completion().fields_set == twin.fields_set
    assert completion().to_dict() == twin.to_dict()
    parsed = ParsedChatCompletionMessage[int](content="1", parsed=1)
    assert parsed == twin_of(parsed)


def test_equality_is_by_what_is_read() -> None:
    """Absent and null are equal, extras count, and another class is another thing."""
    assert ChoiceDelta(content=None) == ChoiceDelta()
    assert ChoiceDelta(content="a") != ChoiceDelta()
    other = ChoiceDelta()
    other.extra["reasoning"] = "hm"
    assert ChoiceDelta() != other
    assert values.SystemMessage(content="a") != values.DeveloperMessage(content="a")
    assert Function(name="f", arguments="") != {"name": "f", "arguments": ""}


def test_repr() -> None:
    """The repr reads like the call that makes the object: a response's with all of its fields."""
    delta = ChoiceDelta(content="a")
    delta.extra["reasoning"] = "hm"
    for shown in ("ChoiceDelta(audio=None, content='a', ", "tool_calls=None, reasoning='hm')"):
        assert shown in repr(delta)
    assert "UserMessage(role='user', content='a')" == repr(values.UserMessage(content="a"))


def test_extra_reads_as_attributes() -> None:
    """Unknown fields are attributes too; what is neither field nor extra is an AttributeError."""
    delta: Any = ChoiceDelta(content="a")
    delta.extra["reasoning"] = "hm"
    assert "hm" == delta.reasoning
    with pytest.raises(AttributeError, match="'ChoiceDelta' object has no attribute 'nothing'"):
        _ = delta.nothing


def test_extra_never_shadows_methods() -> None:
    """A server's field called like a method or property is in ``extra`` and nowhere else."""
    delta = ChoiceDelta(content="a")
    delta.extra.update(to_dict=1, text=2, replace=3, extra=4)
    assert {"content": "a", "to_dict": 1, "text": 2, "replace": 3, "extra": 4} == delta.to_dict()
    assert "a" == delta.text
    assert "b" == delta.replace(content="b").text


# Text


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("", None),
        ("", ""),
        ("Hi", "Hi"),
        ("", []),
        ("42!", [{"type": "text", "text": "42"}, {"type": "text", "text": "!"}]),
        ("42", [{"type": "thinking", "thinking": []}, {"type": "text", "text": "42"}]),
        ("42", {"type": "text", "text": "42"}),
        ("", [{"type": "text", "text": None}, {"type": "text"}, {"text": "?"}, "?", 1, None]),
    ],
)
def test_text_of_content(text: str, content: Any) -> None:
    """The text is the string, or the parts of type text; it is never None and never fails."""
    assert text == text_of(content)
    assert text == ChatCompletionMessage(content=content).text
    assert text == ChoiceDelta(content=content).text


def test_text_of_a_completion_is_that_of_its_first_choice() -> None:
    """A completion's text is its first choice's, and empty where there is no choice."""
    made = completion()
    assert "Hi" == made.text
    assert "" == made.replace(choices=[]).text
    assert "" == made.replace(choices=None).text
    other = Choice(index=1, finish_reason=None, message=ChatCompletionMessage(content="Ho"))
    assert "Hi" == made.replace(choices=[*made.choices, other]).text
    assert "" == made.replace(choices=[made.choices[0].replace(message=None)]).text


def test_text_of_a_chunk_is_that_of_choice_0() -> None:
    """A chunk's text never mixes choices; a choice without index or delta does no harm."""

    def chunk(*choices: ChunkChoice) -> ChatCompletionChunk:
        return ChatCompletionChunk(id="c1", choices=list(choices), created=1, model="m")

    zero = ChunkChoice(index=0, delta=ChoiceDelta(content="A"))
    one = ChunkChoice(index=1, delta=ChoiceDelta(content="B"))
    assert "" == chunk().text
    assert "A" == chunk(zero).text
    assert "" == chunk(one).text
    assert "A" == chunk(one, zero).text
    assert "A" == chunk(zero.replace(index=omit), one).text
    assert "" == chunk(zero.replace(delta=None)).text


# Parsed completions


def test_parsed_values_are_not_sent() -> None:
    """``to_dict`` of a parsed completion is what came: the parsed values are left out of it."""
    made = ParsedChatCompletion[int](
        id="c1",
        choices=[
            ParsedChoice[int](
                index=0,
                finish_reason="tool_calls",
                message=ParsedChatCompletionMessage[int](
                    content="1",
                    parsed=1,
                    tool_calls=[
                        ParsedFunctionToolCall(
                            id="t1",
                            function=ParsedFunction(
                                name="f", arguments='{"a": 1}', parsed_arguments={"a": 1}
                            ),
                        )
                    ],
                ),
            )
        ],
        created=1,
        model="m",
    )
    assert 1 == made.choices[0].message.parsed
    assert {
        "content": "1",
        "role": "assistant",
        "tool_calls": [
            {
                "id": "t1",
                "type": "function",
                "function": {"name": "f", "arguments": '{"a": 1}'},
            }
        ],
    } == made.to_dict()["choices"][0]["message"]
    assert {"id", "choices", "created", "model", "object"} == made.fields_set


def test_parsed_objects_are_the_plain_ones() -> None:
    """A parsed object passes wherever a plain one does."""
    assert issubclass(ParsedChatCompletion, ChatCompletion)
    assert issubclass(ParsedChoice, Choice)
    assert issubclass(ParsedChatCompletionMessage, ChatCompletionMessage)
    assert issubclass(ParsedFunctionToolCall, ChatCompletionMessageFunctionToolCall)
    assert issubclass(ParsedFunction, Function)


def test_usage_fields_can_be_missing() -> None:
    """An object that came without a required field reads None there, as the decoder leaves it."""
    usage = CompletionUsage(prompt_tokens=1, completion_tokens=2, total_tokens=3)
    del usage.completion_tokens
    assert usage.completion_tokens is None
    assert {"prompt_tokens": 1, "total_tokens": 3} == usage.to_dict()
