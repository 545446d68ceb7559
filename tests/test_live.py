"""chatlib against a real server, whichever it is: ``docs/live-server.md`` says how to start one.

Named by ``CHATLIB_TEST_BASE_URL``; model and key by ``CHATLIB_TEST_MODEL`` and
``CHATLIB_TEST_API_KEY``. With ``-s`` each test shows what the server said.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import chatlib
from chatlib import BadRequestError, OpenAI, build_create

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


@pytest.fixture(scope="module")
def client() -> Iterator[OpenAI]:
    with OpenAI(api_key=KEY, base_url=BASE_URL) as client:
        yield client


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
    response = client.transport.send(build_create(client.config, **SHORT))
    sent = json.loads(response.read())
    completion = chatlib.read_completion(response)
    show(bytes=len(response.read()), fields=sorted(sent))
    assert sent == completion.to_dict()


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
