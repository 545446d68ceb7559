"""The file of results: what is in it, what is asked again, and what a crash may do to it."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import stat
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatlib import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    BadRequestError,
    OpenAIError,
    RateLimitError,
    ToolRoundsExceededError,
    arun_many,
    decode,
    run_many,
)
from chatlib.many.jobs import Job, request_digest
from chatlib.many.result_lines import error_line, is_result, read_error
from chatlib.many.results_file import ResultsFile
from chatlib.testing import error, fault, raw
from tests.many_forms import (
    FORMS,
    ask,
    asked,
    awaited,
    both,
    collect,
    descriptors,
    echoing,
    lines_of,
)

REQUESTS = [ask(str(number)) for number in range(20)]


# What is in it


@both
async def test_lines(form: Any, tmp_path: Path) -> None:
    """Each result is a line as OpenAI's Batch API writes it, with a digest beside."""
    client, server = echoing("Paris", error(429, "slow", code="rate_limit"), fault("timeout"))
    path, requests = tmp_path / "r.jsonl", [ask(name, custom_id=name) for name in "abc"]
    options: Any = {"concurrency": 1, "results": path}
    await collect(form.many(client, [{**r, "max_retries": 0} for r in requests], **options))
    good, refused, lost = lines_of(path)
    assert "Paris" == good["response"]["body"]["choices"][0]["message"]["content"]
    assert (200, "req_scripted_1", None) == (
        good["response"]["status_code"],
        good["response"]["request_id"],
        good["error"],
    )
    assert (429, "rate_limit") == (
        refused["response"]["status_code"],
        refused["response"]["body"]["error"]["code"],
    )
    expected = {"code": "rate_limit", "message": "Error code: 429 - slow", "attempts": 1}
    assert expected.items() <= refused["error"].items()
    assert (None, "APITimeoutError") == (lost["response"], lost["error"]["class"])
    assert ["a", "b", "c"] == [line["custom_id"] for line in (good, refused, lost)]
    assert [request_digest(ask(name)) for name in "abc"] == [
        line["digest"] for line in (good, refused, lost)
    ]
    assert 3 == len({line["id"] for line in (good, refused, lost)})
    assert 3 == len(server.requests)


@both
async def test_written_as_they_come(form: Any, tmp_path: Path) -> None:
    """A result is in the file before it is handed over, and before those that are slower."""
    gate, path = form.gate(), tmp_path / "r.jsonl"

    async def call(number: int) -> int:
        if number == 0:
            await gate.wait()
        if number == 4:
            gate.open()
        return number

    requests = [{"number": number, "custom_id": str(number)} for number in range(5)]
    results = form.many(None, requests, call=call, concurrency=2, results=path)
    async for result in results:
        assert result.custom_id in {line["custom_id"] for line in lines_of(path)}
    assert "1" == lines_of(path)[0]["custom_id"]


def test_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is written by one call, and with fsync is on the disk when that returns."""
    written, synced = [], []
    write, fsync = os.write, os.fsync
    monkeypatch.setattr(os, "write", lambda fd, line: written.append(line) or write(fd, line))
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(len(written)) or fsync(fd))
    list(run_many(echoing()[0], REQUESTS, concurrency=1, results=tmp_path / "a"))
    assert ([], 20) == (synced, len(written))
    assert (tmp_path / "a").read_bytes() == b"".join(written)
    written.clear()
    list(run_many(echoing()[0], REQUESTS, concurrency=1, results=tmp_path / "b", fsync=True))
    assert list(range(21)) == synced  # the name of the file, and each line


@both
async def test_full_disk(form: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result that can't be written, or only in part, ends the run; what is whole is kept."""
    path, write = tmp_path / "r.jsonl", os.write

    def full(fd: int, line: bytes) -> int:
        return write(fd, line[:10]) if len(path.read_bytes().splitlines()) == 3 else write(fd, line)

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(OSError, match="only partly written") as caught:
            await collect(form.many(echoing()[0], REQUESTS, results=path))
    assert errno.ENOSPC == caught.value.errno
    await form.settle()
    client, server = echoing()
    assert 20 == len(await collect(form.many(client, REQUESTS, results=path)))
    assert (17, 20) == (len(server.requests), len(lines_of(path)))


# Resuming


@both
@pytest.mark.parametrize("ordered", [True, False])
async def test_resume(form: Any, ordered: bool, tmp_path: Path) -> None:
    """What is in the file is not asked again; it comes from there, like what is new."""
    path = tmp_path / "r.jsonl"
    before = await collect(form.many(echoing()[0], REQUESTS[5:15], results=path))
    client, server = echoing()
    after = await collect(form.many(client, REQUESTS, results=path, ordered=ordered))
    if ordered:
        assert list(range(20)) == [result.index for result in after]
    after.sort(key=lambda result: result.index)
    assert [5 <= number < 15 for number in range(20)] == [result.resumed for result in after]
    assert [f"re: {number}" for number in range(20)] == [r.completion.text for r in after]
    assert [r.completion for r in before] == [r.completion for r in after[5:15]]
    assert before[2].completion.request_id == after[7].completion.request_id
    assert 10 == len(server.requests)
    assert 20 == len(lines_of(path))


@both
async def test_failures_are_retried(form: Any, tmp_path: Path) -> None:
    """Unless they are to be kept; an old failure is not left beside the new result."""
    path = tmp_path / "r.jsonl"
    path.touch(0o640)
    path.chmod(0o640)
    client, _ = echoing(error(400, "first"), error(400, "second"))
    options: Any = {"results": path, "concurrency": 1}
    await collect(form.many(client, REQUESTS[:4], **options))
    client, server = echoing()
    kept = await collect(form.many(client, REQUESTS[:4], retry_failed=False, **options))
    assert ["400 - first", "400 - second"] == [str(r.error)[12:] for r in kept[:2]]
    assert ([True] * 4, []) == ([r.resumed for r in kept], server.requests)
    again = await collect(form.many(client, REQUESTS[:4], **options))
    assert ["re: 0", "re: 1", "re: 2", "re: 3"] == [r.completion.text for r in again]
    assert [False, False, True, True] == [r.resumed for r in again]
    assert {result.custom_id for result in again} == {line["custom_id"] for line in lines_of(path)}
    assert (4, 0o640) == (len(lines_of(path)), path.stat().st_mode & 0o777)
    assert [path] == list(tmp_path.iterdir())


@both
async def test_other_requests_stay_in_the_file(form: Any, tmp_path: Path) -> None:
    """Results of requests that are not made this time are not touched."""
    path = tmp_path / "r.jsonl"
    await collect(form.many(echoing()[0], REQUESTS[:10], results=path))
    await collect(form.many(echoing()[0], REQUESTS[5:15], results=path))
    assert 15 == len(lines_of(path))


@both
async def test_changed_request(form: Any, tmp_path: Path) -> None:
    """A custom_id whose request asks something else now is an error, and the file stays."""
    path = tmp_path / "r.jsonl"
    await collect(form.many(echoing()[0], [ask("old", custom_id="a")], results=path))
    client, server = echoing()
    before = path.read_bytes()
    with pytest.raises(ValueError, match="'a': the request has changed"):
        await collect(form.many(client, [ask("new", custom_id="a")], results=path))
    assert ([], before) == (server.requests, path.read_bytes())
    same = ask("old", custom_id="a", timeout=3, max_retries=9)
    [result] = await collect(form.many(client, [same], results=path))
    assert result.resumed


CONTENTS = st.lists(st.sampled_from("abcdefgh"), max_size=12)


@given(first=CONTENTS, second=CONTENTS, concurrency=st.integers(1, 4))
@pytest.mark.parametrize("form", FORMS)
def test_moved_requests(form: Any, first: list[str], second: list[str], concurrency: int) -> None:
    """Requests that are added, removed, moved or doubled get the results that are theirs."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "r.jsonl"

        async def run(contents: list[str]) -> tuple[list[str], list[str]]:
            client, server = echoing()
            requests = ({**ask(content), "seed": 1} for content in contents)
            options = {"results": path, "concurrency": concurrency}
            results = await collect(form.many(client, requests, **options))
            return [r.completion.text for r in results], asked(server)

        assert [f"re: {content}" for content in first] == form.go(run(first))[0]
        texts, sent = form.go(run(second))
        assert [f"re: {content}" for content in second] == texts
        assert Counter(second) - Counter(first) == Counter(sent)
        held = Counter(line["response"]["body"]["choices"][0]["message"]["content"][4:]
                       for line in lines_of(path))  # fmt: skip
        assert Counter(first) | Counter(second) == held


# Crashes


@given(data=st.data(), retry_failed=st.booleans())
@pytest.mark.parametrize("form", FORMS)
def test_any_beginning_of_the_file(form: Any, data: Any, retry_failed: bool) -> None:
    """Wherever a crash cuts the file, what is whole is kept and the rest is made again, once."""
    requests = [ask(f"{number}\u2028é"[: data.draw(st.integers(1, 9))]) for number in range(6)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "r.jsonl"
        replies = data.draw(st.lists(st.sampled_from([error(400), "fine"]), max_size=6))
        form.go(collect(form.many(echoing(*replies)[0], requests, results=path, concurrency=1)))
        content = path.read_bytes()
        cut = data.draw(st.integers(0, len(content)))
        path.write_bytes(content[:cut])
        # A line that lacks but its end is whole.
        whole = [json.loads(line) for line in _whole(content[:cut])]
        kept = [line for line in whole if line["error"] is None or not retry_failed]

        client, server = echoing()
        options: Any = {"results": path, "retry_failed": retry_failed}
        results = form.go(collect(form.many(client, requests, **options)))
        assert len(kept) == sum(result.resumed for result in results)
        assert 6 - len(kept) == len(server.requests)
        names = [result.custom_id for result in results]
        assert sorted(names) == sorted(line["custom_id"] for line in lines_of(path))
        assert kept == lines_of(path)[: len(kept)]
        assert [path] == list(path.parent.iterdir())


def _whole(content: bytes) -> list[bytes]:
    lines = content.split(b"\n")
    try:
        json.loads(lines[-1])
    except ValueError:
        lines.pop()
    return lines


@pytest.mark.parametrize("damage", [b"\0" * 4096, b"\0" * 10 + b'ice"}}\n', b'{"i', b'{"id":"x"'])
def test_damage_of_a_crash(damage: bytes, tmp_path: Path) -> None:
    """Zeros, which a lost power may leave, and torn lines are taken out."""
    path = tmp_path / "r.jsonl"
    list(run_many(echoing()[0], REQUESTS[:5], results=path))
    before = path.read_bytes()
    path.write_bytes(before + damage)
    list(run_many(echoing()[0], REQUESTS[:5], results=path))
    assert before == path.read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b"What is the capital of France?",
        b"{}\n",
        b'{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {}}\n',
        b'{"id": "x", "custom_id": "a", "response": null, "error": null}\n',
        b'{"id": "x", "custom_id": "a", "response": {}, "error": null\n{}\n',
        b"\n\n",
        b'{"custom_id": "a", "response": {"status_code": 200, "body": null}, "error": null}\n',
        b'{"custom_id": "a", "response": {"body": {}}, "error": null}\n',
        b'{"custom_id": "a", "response": null, "error": "no"}\n',
    ],
)
def test_file_of_something_else(content: bytes, tmp_path: Path) -> None:
    """A file that holds no results is not touched."""
    path = tmp_path / "questions.txt"
    path.write_bytes(content)
    client, server = echoing()
    with pytest.raises(ValueError, match=r"questions\.txt: line 1 is not a result"):
        run_many(client, REQUESTS, results=path)
    assert (content, [], []) == (path.read_bytes(), server.requests, descriptors(path))


def test_no_place_for_a_file(tmp_path: Path) -> None:
    """A folder that is not there, or something that is no file, is an error at once."""
    client, _ = echoing()
    with pytest.raises(FileNotFoundError):
        run_many(client, [], results=tmp_path / "nowhere" / "r.jsonl")
    with pytest.raises(ValueError, match="regular file"):
        run_many(client, [], results=os.devnull)


def test_doubled_lines(tmp_path: Path) -> None:
    """Of two lines by one custom_id the answer stays, and of two answers the first."""
    path = tmp_path / "r.jsonl"
    client, _ = echoing(error(400), "first", "second")
    for name in "abc":
        list(run_many(client, [ask("x", custom_id="n")], results=tmp_path / name))
    path.write_bytes(b"".join((tmp_path / name).read_bytes() for name in "abc"))
    [result] = run_many(client, [ask("x", custom_id="n")], results=path, retry_failed=False)
    assert ("first", 1) == (result.completion.text, len(lines_of(path)))


def test_link(tmp_path: Path) -> None:
    """A link to the file stays one."""
    path, link = tmp_path / "r.jsonl", tmp_path / "link"
    link.symlink_to(path)
    list(run_many(echoing(error(400))[0], REQUESTS[:2], results=link))
    list(run_many(echoing()[0], REQUESTS[:2], results=link))
    assert link.is_symlink()
    assert 2 == len(lines_of(path))


# Two at once


@both
async def test_two_runs_on_a_file(form: Any, tmp_path: Path) -> None:
    """The second is told at once; when the first has ended, the file is free."""
    path = tmp_path / "r.jsonl"
    results = form.many(echoing()[0], REQUESTS, results=path)
    await anext(results)
    for _ in range(2):
        with pytest.raises(OpenAIError, match=r"r\.jsonl is locked"):
            form.many(echoing()[0], REQUESTS, results=path)
    await results.aclose()
    assert 20 == len(await collect(form.many(echoing()[0], REQUESTS, results=path)))


def test_file_that_is_replaced_while_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is on the file that is in place, not on the one that was."""
    import fcntl

    path, flock = tmp_path / "r.jsonl", fcntl.flock
    path.touch()

    def replaced(fd: int, how: int) -> None:
        monkeypatch.undo()
        (tmp_path / "new").touch()
        os.replace(tmp_path / "new", path)
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", replaced)
    list(run_many(echoing()[0], REQUESTS, results=path))
    assert 20 == len(lines_of(path))


@pytest.mark.parametrize("missing", [True, False])
def test_system_without_locks(
    missing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All the rest works without."""
    import fcntl

    def flock(fd: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    path = tmp_path / "r.jsonl"
    if missing:
        monkeypatch.setitem(sys.modules, "fcntl", None)
    else:
        monkeypatch.setattr(fcntl, "flock", flock)
    list(run_many(echoing(error(400))[0], REQUESTS, results=path))
    client, server = echoing()
    assert 20 == len(list(run_many(client, REQUESTS, results=path)))
    assert (1, 20) == (len(server.requests), len(lines_of(path)))


def test_append_after_close(tmp_path: Path) -> None:
    """A thread that nobody waited for writes nothing more."""
    file = ResultsFile(tmp_path / "r.jsonl")
    file.close()
    file.append(b"late\n")
    assert b"" == (tmp_path / "r.jsonl").read_bytes()


# Errors, and lines that others wrote

JOB = Job(0, "a", {}, "d")


def _errors() -> list[Exception]:
    client, _ = echoing(
        error(429, "slow down", headers={"retry-after": "7"}, code="rate_limit", type="requests"),
        raw(400, b"<html>no</html>"),
        raw(200, {"error": {"message": "inside", "code": 503}}),
        raw(200, {"error": "plain words"}),
        raw(200, b"not json"),
        fault("connect"),
        fault("timeout"),
    )
    asks = [ask(str(number), max_retries=0) for number in range(7)]
    results = list(run_many(client, asks, concurrency=1))
    return [result.error for result in results if result.error is not None]


@pytest.mark.parametrize("made", _errors(), ids=lambda made: type(made).__name__)
def test_errors_come_back(made: Exception) -> None:
    """With their class, their words, and what the server said."""
    again = read_error(json.loads(error_line(JOB, made)))
    assert (type(made), str(made)) == (type(again), str(again))
    for name in (
        "message code param type body status_code request_id attempts retry_after completion"
    ).split():
        assert getattr(made, name) == getattr(again, name), name
    assert isinstance(again, APIError)
    assert again.request is None


def test_kinds_of_errors() -> None:
    """The errors of the test above are as many as there are kinds."""
    kinds = [type(made) for made in _errors()]
    assert {RateLimitError, BadRequestError, APIConnectionError, APITimeoutError} <= set(kinds)
    assert 7 == len(kinds)


def test_other_errors_come_back() -> None:
    """Those of the library by their class, those of others by their name."""
    with pytest.raises(ValueError, match="int") as caught:
        decode(int, "x")
    rounds = ToolRoundsExceededError(3, _completion(), [ask("a")["messages"][0]])
    for made in (caught.value, rounds, TypeError("no"), OpenAIError("no")):
        again = read_error(json.loads(error_line(JOB, made)))
        assert (type(made), str(made)) == (type(again), str(again))
    again = read_error(json.loads(error_line(JOB, rounds)))
    assert isinstance(again, ToolRoundsExceededError)
    assert (3, rounds.completion, rounds.messages) == (
        again.rounds,
        again.completion,
        again.messages,
    )
    again = read_error(json.loads(error_line(JOB, ZeroDivisionError("by zero"))))
    assert (OpenAIError, "ZeroDivisionError: by zero") == (type(again), str(again))


def _completion() -> Any:
    [result] = run_many(echoing()[0], [ask("a")])
    return result.completion


def test_keys_are_not_in_the_file(tmp_path: Path) -> None:
    """A server that quotes the key does not bring it there."""
    client, _ = echoing(error(401, "sk-verysecretkey123 is wrong"))
    client = type(client)(api_key="sk-verysecretkey123", transport=client.transport)
    list(run_many(client, [ask("a")], results=tmp_path / "r.jsonl"))
    content = (tmp_path / "r.jsonl").read_text("utf-8")
    assert "is wrong" in content
    assert "verysecret" not in content


def test_lines_that_openai_wrote(tmp_path: Path) -> None:
    """The output and error files of a batch are files of results too."""
    path = tmp_path / "batch.jsonl"
    refused = {"message": "no such model", "type": "invalid_request_error", "code": "model"}
    lines: list[dict[str, Any]] = [
        {
            "id": "batch_req_1",
            "custom_id": "a",
            "response": {
                "status_code": 200,
                "request_id": "req_1",
                "body": {"choices": [{"message": {"content": "Paris"}}]},
            },
            "error": None,
        },
        {
            "id": "batch_req_2",
            "custom_id": "b",
            "response": {"status_code": 404, "request_id": "r", "body": {"error": refused}},
            "error": None,
        },
        {
            "id": "batch_req_3",
            "custom_id": "c",
            "response": None,
            "error": {"code": "batch_expired", "message": "too late"},
        },
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert all(map(is_result, lines))
    requests = [ask(name, custom_id=name) for name in "abc"]
    client, server = echoing()
    a, b, c = run_many(client, requests, results=path, retry_failed=False)
    assert ("Paris", "req_1") == (a.completion.text, a.completion.request_id)
    assert isinstance(b.error, APIError)
    assert ("NotFoundError", "model", "Error code: 404 - no such model") == (
        type(b.error).__name__,
        b.error.code,
        str(b.error),
    )
    assert isinstance(c.error, APIError)
    assert ("batch_expired", "too late") == (c.error.code, str(c.error))
    assert [] == server.requests
    list(run_many(client, requests, results=path))
    assert ["b", "c"] == sorted(asked(server))


# Digests


def _tool(number: int) -> int:
    """A function."""
    return number


def test_digests() -> None:
    """They cover what the model is asked, and nothing else."""
    base = ask("a", temperature=1)
    same: list[dict[str, Any]] = [
        dict(reversed(base.items())),
        {**base, "timeout": 3, "max_retries": 1, "extra_headers": {"a": "b"}, "extra_body": None},
        {**base, "on_event": print},
        {**base, "messages": tuple(base["messages"])},
    ]
    other: list[dict[str, Any]] = [
        {**base, "temperature": 0},
        {**base, "extra_body": {"top_k": 1}},
        {**base, "response_format": dict[str, int]},
        {**base, "tools": [_tool]},
        {**base, "stop": None},
        {**base, "seed": object()},
        {**base, "seed": float("nan")},
    ]
    assert {request_digest(base)} == {request_digest(params) for params in same}
    assert len(other) + 1 == len({request_digest(params) for params in [base, *other]})
    assert request_digest({**base, "seed": object()}) == request_digest({**base, "seed": object()})


def test_digest_stays() -> None:
    """It is the same in each version: files are resumed by it."""
    expected = "de4ca6a9fdd3ab2a1680ce66d1907e40"
    assert expected == request_digest(ask("a", temperature=1, response_format={"type": "text"}))


def test_both_forms_share_files(tmp_path: Path) -> None:
    """What one form wrote the other resumes."""
    client, server = echoing()
    path = tmp_path / "r.jsonl"
    list(run_many(client, REQUESTS[:10], results=path))
    asyncio.run(collect(arun_many(awaited(client), REQUESTS, results=path)))
    assert all(result.resumed for result in run_many(client, REQUESTS, results=path))
    assert 20 == len(server.requests)


@pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")
def test_results_are_private_while_they_are_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No link is followed that somebody has put beside the file, and nobody else can read it."""
    path, other = tmp_path / "r.jsonl", tmp_path / "other"
    client, _ = echoing(error(400, "no"))
    requests = [ask(str(n), max_retries=0) for n in range(3)]
    list(run_many(client, requests, results=path))
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    other.write_text("kept", encoding="utf-8")
    path.with_name("r.jsonl.tmp").symlink_to(other)
    modes, opened = [], os.open

    def seen(name: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        if flags & os.O_EXCL:
            modes.append(mode)
        return opened(name, flags, mode, **more)

    monkeypatch.setattr(os, "open", seen)
    path.chmod(0o640)
    list(run_many(client, requests, results=path))
    assert [0o600] == modes
    assert 0o640 == stat.S_IMODE(path.stat().st_mode)
    assert "kept" == other.read_text(encoding="utf-8")
    assert {"r.jsonl", "r.jsonl.tmp", "other"} == {each.name for each in tmp_path.iterdir()}
