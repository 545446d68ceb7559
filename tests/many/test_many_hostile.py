"""One hostile answer, or one damaged line, is the affair of one request and ends no run."""

from __future__ import annotations

import copy
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from chatlib import APIError, OpenAI, OpenAIError, run_many
from chatlib.errors import APIResponseValidationError
from chatlib.testing import InMemoryServer, error, raw
from tests.many_forms import ask, both, collect, content_of, echo, echoing, lines_of


def _answer(unknown: str) -> bytes:
    start = '{"choices":[{"finish_reason":"stop","message":{"content":"Hi","x":'
    return f"{start}{unknown}}}}}]}}".encode()


HOSTILE = {
    "nested 500 deep": _answer("[" * 500 + "]" * 500),
    "nested 960 deep": _answer("[" * 960 + "]" * 960),
    "nested 5000 deep": _answer("[" * 5000 + "]" * 5000),
    "objects, 500 deep": _answer('{"a":' * 500 + "1" + "}" * 500),
    "an integer of 5000 digits": _answer("1" * 5000),
    "not a number": _answer("NaN"),
    "half of a character": _answer('"\\ud83d"'),
    "names of Python's": _answer('{"__class__": 1, "self": 2}'),
    "an error, nested 500 deep": b'{"error": {"message": "x", "code": '
    + b"[" * 500
    + b"]" * 500
    + b"}}",
    "an error with a long code": b'{"error": {"message": "x", "code": ' + b"1" * 5000 + b"}}",
    "no object": b"[]",
    "no text": b"\xff\xfe",
    "tool calls that are true": b'{"choices":[{"message":{"content":null,"tool_calls":true}}]}',
    "a message that is null": b'{"choices":[{"message":null}]}',
    "numbers for texts": b'{"id":5,"choices":[{"finish_reason":5,"message":{"content":5}}]}',
}


@both
@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("name", HOSTILE)
async def test_answers(form: Any, name: str, kept: bool, status: int, tmp_path: Path) -> None:
    """All others are answered, also when the run is resumed; its own error is in the file."""
    path = tmp_path / "r.jsonl" if kept else None
    requests = [ask(str(number), custom_id=f"c{number}") for number in range(5)]

    def reply(request: Any) -> Any:
        wrong = content_of(request) == "2"
        return raw(status, HOSTILE[name])(request) if wrong else echo(request)

    for retry_failed in (True, True, False):
        server = InMemoryServer(default=reply)
        client = OpenAI(api_key="k", transport=server, max_retries=0)
        results = await collect(
            form.many(client, requests, results=path, retry_failed=retry_failed)
        )
        assert 5 == len(results)
        assert all(result.completion.text == f"re: {result.index}" for result in results[:2])
        assert all(result.completion.text == f"re: {result.index}" for result in results[3:])
        wrong = results[2].error
        assert wrong is None or isinstance(wrong, APIError)
        assert status == 200 or wrong is not None
        assert len(str(wrong)) < 4000
        if path is not None:
            assert 5 == len(lines_of(path))


def test_what_came_is_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that can't be written is in the error that takes its place."""
    client, _ = echoing("Hi")

    def fail(completion: Any) -> Any:
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr("chatlib.many.result_lines._response", fail)
    path = tmp_path / "r.jsonl"
    [result] = run_many(client, [ask("a")], results=path)
    assert isinstance(result.error, APIResponseValidationError)
    assert "cannot be written to the results file: RecursionError" in str(result.error)
    assert "Hi" == result.error.completion.text  # type: ignore[union-attr]
    [line] = lines_of(path)
    assert ("APIResponseValidationError", None) == (line["error"]["class"], line["response"])


@both
async def test_values_of_other_calls(form: Any, tmp_path: Path) -> None:
    """What a call makes of an answer, too, may be too deep; NaN comes back as it was."""
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    path = tmp_path / "r.jsonl"
    values = [1, deep, [math.nan, math.inf], 4]

    async def call(n: int) -> Any:
        return values[n]

    for _ in range(2):
        results = await collect(
            form.many(None, [{"n": n} for n in range(4)], call=call, results=path)
        )
        assert [1, 4] == [results[0].completion, results[3].completion]
        assert isinstance(results[1].error, APIResponseValidationError)
        assert "[nan, inf]" == repr(results[2].completion)


def test_errors_that_can_not_be_written(tmp_path: Path) -> None:
    """Their class and their words are."""

    class Odd(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

    deep: Any = {}
    for _ in range(5000):
        deep = {"a": deep}

    def call(n: int) -> None:
        raise Odd if n == 0 else APIError("words", body=deep)

    path = tmp_path / "r.jsonl"
    results = list(run_many(None, [{"n": 0}, {"n": 1}], call=call, results=path))
    assert [Odd, APIError] == [type(result.error) for result in results]
    again = run_many(None, [{"n": 0}, {"n": 1}], call=call, results=path, retry_failed=False)
    assert ["Odd: Odd", "words"] == [str(result.error) for result in again]


def test_a_line_that_is_too_deep_to_be_read(tmp_path: Path) -> None:
    """It is taken out, and its request is made again: how deep one can read is no constant."""
    path = tmp_path / "r.jsonl"
    requests = [ask(name, custom_id=name) for name in "abc"]
    list(run_many(echoing()[0], requests, results=path))
    lines = path.read_bytes().splitlines(keepends=True)
    deep = b"[" * 5000 + b"]" * 5000
    path.write_bytes(b"".join(line.replace(b'"re: b"', deep) for line in lines))
    client, server = echoing()
    assert [None] * 3 == [result.error for result in run_many(client, requests, results=path)]
    assert ["b"] == [content_of(request) for request in server.requests]
    assert 3 == len(lines_of(path))


def test_a_foreign_line_that_is_too_deep(tmp_path: Path) -> None:
    """It is no result."""
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"[" * 5000 + b"]" * 5000 + b"\n")
    with pytest.raises(ValueError, match="line 1 is not a result"):
        run_many(echoing()[0], [ask("a")], results=path)


ODD: list[Any] = [None, True, 5, -1, 1.5, "", "text", [], [1], {}, {"a": 1}, math.nan, [[None]]]
ODD += ["TypeError", "APIError", "ToolRoundsExceededError", "DecodeError", "json", "tool_run", 404]


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = [path] if path else []
    for name, item in inner if isinstance(value, (dict, list)) else ():
        nested = isinstance(item, (dict, list))
        found += _places(item, (*path, name)) if nested else [(*path, name)]
    return found


def _damaged(line: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    damaged = copy.deepcopy(line)
    for _ in range(chance.randint(1, 3)):
        places = _places(damaged)
        if not places:
            break
        *way, last = chance.choice(places)
        inner = damaged
        for name in way:
            inner = inner[name]
        if chance.random() < 0.3:
            del inner[last]
        else:
            inner[last] = chance.choice(ODD)
    return damaged


def _lines(path: Path) -> list[dict[str, Any]]:
    """A line of each kind."""
    client, _ = echoing("Hi", error(429, "slow", code="x"), raw(200, b"no"), raw(400, b"<p>"))
    requests = [ask(str(n), custom_id="c", max_retries=0) for n in range(4)]
    found = []
    for number, request in enumerate(requests):
        list(run_many(client, [request], results=path.with_name(f"a{number}")))
        found += lines_of(path.with_name(f"a{number}"))
    for number, value in enumerate([5, ValueError("no"), OpenAIError("x")]):

        def call(value: Any = value, **_: Any) -> Any:
            if isinstance(value, Exception):
                raise value
            return value

        list(run_many(None, [requests[0]], call=call, results=path.with_name(f"b{number}")))
        found += lines_of(path.with_name(f"b{number}"))
    run = {"messages": [{"role": "user", "content": "Hi"}], "rounds": 1}
    return [*found, {**found[0], "kind": "tool_run", "run": run}]


def test_damaged_lines(tmp_path: Path) -> None:
    """Whatever a line says, it is no result, or gives an answer or an error of the library's."""
    path, chance = tmp_path / "r.jsonl", random.Random(9)
    kinds = _lines(path)
    refused = read = 0
    for _ in range(500):
        line = _damaged(chance.choice(kinds), chance)
        line.pop("digest", None)
        path.write_text(json.dumps(line) + "\n")
        client, server = echoing()
        try:
            [result] = run_many(client, [ask("0", custom_id="c")], results=path, retry_failed=False)
        except ValueError as told:
            assert "line 1 is not a result" in str(told)  # noqa: PT017
            refused += 1
            continue
        repr(result), str(result.error), repr(result.error)
        read += not server.requests
    assert refused > 50
    assert read > 50
