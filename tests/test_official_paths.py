"""The module paths, the clients' methods and the stubs that are written from tables."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import chatlib
from chatlib import AsyncOpenAI, AzureOpenAI, OpenAI
from chatlib.official_paths import PATHS, names_of
from chatlib.testing import InMemoryServer
from chatlib.types.params import CREATE_PARAMS
from chatlib.wire.request import REQUEST_OPTIONS

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("script", ["write_stubs.py", "write_signatures.py"])
def test_what_is_written_is_up_to_date(script: str) -> None:
    """Each file is what its script makes of the table."""
    command = [sys.executable, str(ROOT / "scripts" / script), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (0, "") == (done.returncode, done.stdout), done.stderr


@pytest.mark.parametrize("path", PATHS)
def test_path(path: str) -> None:
    """Each module of the table imports, and has its names."""
    module = importlib.import_module(f"chatlib.{path}")
    for name in names_of(path):
        assert getattr(module, name) is not None
        assert name in dir(module)
    with pytest.raises(AttributeError, match="no_such_name"):
        module.no_such_name  # noqa: B018
    with pytest.raises(ImportError):
        importlib.import_module(f"chatlib.{path}.no_such_module")


def test_names_are_the_classes_of_the_library() -> None:
    """A name is the same object wherever it is found."""
    from chatlib.lib.streaming.chat import ChatCompletionStream
    from chatlib.resources.chat.completions import Completions
    from chatlib.types.chat.chat_completion import Choice
    from chatlib.types.chat.chat_completion_chunk import Choice as ChunkChoice

    assert chatlib.types.Choice is Choice
    assert chatlib.types.ChunkChoice is ChunkChoice
    assert chatlib.ChatCompletionStream is ChatCompletionStream
    with OpenAI(api_key="k") as client:
        assert type(client.chat.completions) is Completions
        with mock.patch("chatlib.resources.chat.completions.Completions.create", return_value=7):
            assert 7 == client.chat.completions.create(model="m", messages=[])


LEFT_OUT = {
    # Of other endpoints
    "AllModels",
    "ComparisonFilter",
    "CompoundFilter",
    "CustomFormat",
    "CustomToolInputFormat",
    "DecisionInputJSON",
    "DecisionQuestionInputImage",
    "DecisionQuestionInputPart",
    "DecisionQuestionInputText",
    "ErrorObject",
    "Filter",
    "Grammar",
    "Misalignment",
    "MisalignmentSteer",
    "OAuthErrorCode",
    "Reasoning",
    "ResponseFormatTextGrammar",
    "ResponseFormatTextPython",
    "ResponsesModel",
    "Text",
    # Of the way in which the official package is made
    "Base64FileInput",
    "ContentType",
    "GenericModel",
    "PropertyInfo",
    "FieldInfo",
    "SequenceNotStr",
}


def test_all_paths_of_the_official_package() -> None:
    """Each class in a module of its chat part is found at the same path, or is left out by name."""
    pytest.importorskip("openai")
    missing = []
    for package in ("types.chat", "types.shared", "types.shared_params"):
        found = importlib.import_module(f"openai.{package}")
        for info in pkgutil.iter_modules(found.__path__):
            path = f"{package}.{info.name}"
            for name, value in vars(importlib.import_module(f"openai.{path}")).items():
                home = str(getattr(value, "__module__", ""))
                is_theirs = home.startswith("openai.") and name[0].isupper()
                if not is_theirs or name in LEFT_OUT or name == "BaseModel":
                    continue
                try:
                    getattr(importlib.import_module(f"chatlib.{path}"), name)
                except (ImportError, AttributeError):
                    missing.append(f"{path}.{name}")
    assert [] == missing


# Parameters


def methods_of(client: Any) -> dict[str, Any]:
    completions = client.chat.completions
    return {
        "create": completions.create,
        "parse": completions.parse,
        "stream": completions.stream,
        "run": completions.run,
        "raw create": completions.with_raw_response.create,
        "streaming create": completions.with_streaming_response.create,
    }


@pytest.mark.parametrize("client_class", [OpenAI, AsyncOpenAI])
def test_parameters_are_seen(client_class: Any) -> None:
    """By ``inspect`` and ``help()``: names, defaults and a line about each."""
    for name, method in methods_of(client_class(api_key="k")).items():
        seen = inspect.signature(method).parameters
        expected = (CREATE_PARAMS | REQUEST_OPTIONS) - {"stream"}
        if name == "run":
            expected -= {"stream_options"}
        assert expected <= seen.keys()
        assert not any(each.kind is each.VAR_KEYWORD for each in seen.values())
        assert seen["model"].default is inspect.Parameter.empty
        assert seen["temperature"].default is chatlib.omit
        assert expected <= set(inspect.getfullargspec(method).kwonlyargs)
        for parameter in expected:
            assert f"\n    {parameter}: " in inspect.cleandoc(method.__doc__ or "")


@pytest.mark.parametrize("client_class", [OpenAI, AsyncOpenAI, AzureOpenAI])
def test_settings_are_seen(client_class: Any) -> None:
    """Those of the constructors and of ``with_options()``."""
    for function in (client_class, client_class.with_options):
        seen = inspect.signature(function).parameters
        assert {"api_key", "base_url", "timeout", "max_retries", "default_headers"} <= seen.keys()
        assert not any(each.kind is each.VAR_KEYWORD for each in seen.values())


def test_autospec() -> None:
    """A mock made of a client takes what the client takes, and nothing else."""
    client = mock.create_autospec(OpenAI(api_key="k"))
    client.chat.completions.create(model="m", messages=[], temperature=0.5)
    with pytest.raises(TypeError, match="temprature"):
        client.chat.completions.create(model="m", messages=[], temprature=0.5)
    with pytest.raises(TypeError, match="messages"):
        client.chat.completions.create(model="m")


def test_wrong_names() -> None:
    """An unknown parameter and a missing one are named."""
    completions = OpenAI(api_key="k", transport=InMemoryServer("x")).chat.completions
    with pytest.raises(TypeError, match=r"create\(\) got an unexpected .*'temprature'"):
        completions.create(model="m", messages=[], temprature=1)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="'messages'"):
        completions.create(model="m")  # type: ignore[call-overload]
