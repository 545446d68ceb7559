"""Many requests at once: order, failures, limits, ends. Each test runs in both forms."""

from __future__ import annotations

import asyncio
import gc
import io
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from chatlib import (
    APIConnectionError,
    BadRequestError,
    OpenAI,
    ParseError,
    Result,
    ToolRun,
    arun_many,
    run_many,
)
from chatlib.many.window import ORDERED_LOOKAHEAD, UNORDERED_LOOKAHEAD
from chatlib.testing import InMemoryServer, answer, completion, error, fault
from tests.many_forms import Tasks, ask, asked, awaited, both, collect, descriptors, echoing

REQUESTS = [ask(str(number)) for number in range(20)]


# Results


@both
async def test_results(form: Any) -> None:
    """Each request has a result, in their order, with its answer and what was asked."""
    client, server = echoing()
    results = await collect(form.many(client, REQUESTS))
    assert [f"re: {number}" for number in range(20)] == [r.completion.text for r in results]
    assert list(range(20)) == [result.index for result in results]
    assert REQUESTS == [result.params for result in results]
    assert 20 == len({result.custom_id for result in results})
    assert {(None, False)} == {(result.error, result.resumed) for result in results}
    assert sorted(map(str, range(20))) == sorted(asked(server))


@both
async def test_no_requests(form: Any) -> None:
    """None have no results."""
    assert [] == await collect(form.many(echoing()[0], []))


@both
async def test_failures_are_values(form: Any) -> None:
    """A request that fails has its error as result, and the others go on."""
    client, _ = echoing(error(400, "no"), *[fault("connect")] * 3)
    bad = [ask("wrong", temprature=1), ask("nan", seed=float("nan")), ask("s", stream=True)]
    results = await collect(form.many(client, [*REQUESTS[:2], *bad, *REQUESTS[2:]], concurrency=1))
    kinds = [type(result.error) for result in results[:6]]
    expected = [BadRequestError, APIConnectionError, TypeError, ValueError, TypeError, type(None)]
    assert expected == kinds
    with pytest.raises(BadRequestError, match="400 - no"):
        results[0].completion  # noqa: B018
    assert 18 == sum(result.error is None for result in results)


@both
async def test_custom_ids(form: Any) -> None:
    """A request's own name is its result's, and is not sent; lines for the Batch API have one."""
    client, server = echoing()
    line = {"custom_id": "b", "method": "POST", "url": "/v1/chat/completions", "body": ask("2")}
    results = await collect(form.many(client, [ask("1", custom_id="a"), line, ask("3")]))
    assert ["a", "b"] == [result.custom_id for result in results[:2]]
    assert ["re: 1", "re: 2", "re: 3"] == [result.completion.text for result in results]
    assert all(request.json().keys() == {"model", "messages"} for request in server.requests)


@both
async def test_generators_inside_a_request(form: Any) -> None:
    """A list of messages, or of parts, that can be read but once is sent whole."""
    client, server = echoing()
    parts = ({"type": "text", "text": text} for text in "ab")
    messages = iter([{"role": "user", "content": parts}])
    await collect(form.many(client, [{"model": "m", "messages": messages}]))
    assert ["a", "b"] == [p["text"] for p in server.requests[0].json()["messages"][0]["content"]]


@both
async def test_request_that_is_changed_later(form: Any) -> None:
    """A generator may fill the same dict again and again."""
    client, _ = echoing()
    request: dict[str, Any] = ask("")

    def requests() -> Iterator[dict[str, Any]]:
        for number in range(10):
            request["messages"][0]["content"] = str(number)
            yield request

    results = await collect(form.many(client, requests()))
    assert [f"re: {number}" for number in range(10)] == [r.completion.text for r in results]


# Order


@both
async def test_in_order(form: Any) -> None:
    """Results that come too early wait for those before them."""
    gate = form.gate()

    async def call(number: int) -> int:
        if number == 0:
            await gate.wait()
        if number == 3:
            gate.open()
        return number

    requests = [{"number": number} for number in range(10)]
    results = await collect(form.many(None, requests, call=call, concurrency=2))
    assert list(range(10)) == [result.completion for result in results]


@both
async def test_as_completed(form: Any) -> None:
    """Out of order, a result is there as soon as it has come."""
    gate = form.gate()

    async def call(number: int) -> int:
        if number == 0:
            await gate.wait()
        return number

    requests = [{"number": number} for number in range(5)]
    results = form.many(None, requests, call=call, concurrency=2, ordered=False)
    first = [(await anext(results)).completion for _ in range(4)]
    gate.open()
    assert ([1, 2, 3, 4], [0]) == (first, [r.completion for r in await collect(results)])


# Limits


@both
@pytest.mark.parametrize("ordered", [True, False])
async def test_concurrency(form: Any, ordered: bool) -> None:
    """So many run at once as may, and never more."""
    full, lock = form.gate(), threading.Lock()
    running = most = 0

    async def call(number: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if most == 5:
            full.open()
        await full.wait()
        with lock:
            running -= 1

    requests = ({"number": number} for number in range(40))
    assert 40 == len(
        await collect(form.many(None, requests, call=call, concurrency=5, ordered=ordered))
    )
    assert 5 == most


@both
@pytest.mark.parametrize("ordered", [True, False])
async def test_requests_are_taken_as_there_is_room(form: Any, ordered: bool) -> None:
    """Neither a slow consumer nor a slow request makes the requests pile up."""
    client, _ = echoing()
    taken = 0

    def requests() -> Iterator[dict[str, Any]]:
        nonlocal taken
        while True:
            taken += 1
            yield ask(str(taken))

    results = form.many(client, requests(), concurrency=3, ordered=ordered)
    assert 0 == taken
    for number in range(50):
        await anext(results)
        await form.settle()
        assert taken <= number + 3 * (ORDERED_LOOKAHEAD if ordered else UNORDERED_LOOKAHEAD)
    await results.aclose()


@both
async def test_slow_request_holds_back_only_so_many(form: Any) -> None:
    """In order, those after a slow one go on, up to a bound."""
    gate, taken = form.gate(), []

    async def call(number: int) -> int:
        if number == 0:
            await gate.wait()
        elif number == 2 * ORDERED_LOOKAHEAD - 1:
            gate.open()
        return number

    def requests() -> Iterator[dict[str, Any]]:
        for number in range(100):
            taken.append(number)
            yield {"number": number}

    results = form.many(None, requests(), call=call, concurrency=2)
    assert 0 == (await anext(results)).completion
    assert 2 * ORDERED_LOOKAHEAD == len(taken)
    assert 99 == len(await collect(results))


@both
async def test_results_do_not_wait_for_requests_to_come(form: Any) -> None:
    """While an asynchronous iterable is waited for, results are handed over."""
    if not isinstance(form, Tasks):
        return
    client, _ = echoing()
    gate = form.gate()

    async def requests() -> AsyncIterator[dict[str, Any]]:
        yield ask("first")
        await gate.wait()
        yield ask("second")

    results = form.many(client, requests())
    assert "re: first" == (await anext(results)).completion.text
    gate.open()
    assert ["re: second"] == [result.completion.text for result in await collect(results)]


# Ends


@both
@pytest.mark.parametrize("ordered", [True, False])
async def test_left_early(form: Any, ordered: bool, tmp_path: Path) -> None:
    """No more requests are made; those of threads end, tasks are cancelled; nothing is left."""
    client, server = echoing()
    path, before = tmp_path / "r.jsonl", form.running()
    requests = [ask(str(number)) for number in range(100)]
    for leave in ("aclose", "break"):
        results = form.many(client, requests, concurrency=2, ordered=ordered, results=path)
        async for _ in results:
            break
        if leave == "aclose":
            await results.aclose()
            await results.aclose()
        del results
        gc.collect()
        await form.settle()
        if leave == "break" and form.waits_for_what_runs:  # in the background
            until = time.monotonic() + 20
            while (before, []) != (form.running(), descriptors(path)) and time.monotonic() < until:
                time.sleep(0.001)
        assert (before, []) == (form.running(), descriptors(path))
    sent = len(server.requests)
    assert sent <= 2 * 2 * ORDERED_LOOKAHEAD
    await form.settle()
    assert sent == len(server.requests)
    rest = await collect(form.many(client, requests, results=path))
    assert [f"re: {number}" for number in range(100)] == [r.completion.text for r in rest]
    if form.waits_for_what_runs:
        assert 100 == len(server.requests)


@both
async def test_never_begun(form: Any, tmp_path: Path) -> None:
    """Results that nobody asked for send nothing and keep nothing open."""
    client, server = echoing()
    path = tmp_path / "r.jsonl"
    results = form.many(client, REQUESTS, results=path)
    await results.aclose()
    assert [] == await collect(results)
    results = form.many(client, REQUESTS, results=path)
    del results
    gc.collect()
    assert ([], []) == (server.requests, descriptors(path))


def test_threads_that_run_are_waited_for(tmp_path: Path) -> None:
    """What has been sent when the results are closed is paid for, and is in the file."""
    path, entered, leave = tmp_path / "r.jsonl", threading.Event(), threading.Event()

    def call(number: int) -> int:
        if number:
            entered.set()
            leave.wait(20)
        return number

    requests = [{"number": number} for number in range(9)]
    results = run_many(None, requests, call=call, concurrency=2, ordered=False, results=path)
    next(results)
    assert entered.wait(20)
    threading.Timer(0.05, leave.set).start()
    results.close()
    assert 2 <= len(path.read_text("utf-8").splitlines()) <= 3


def test_tasks_that_run_are_cancelled() -> None:
    """The end of an async with waits until they have ended."""

    async def go() -> None:
        ends: list[int] = []

        async def call(number: int) -> int:
            try:
                if number:
                    await asyncio.sleep(20)
            except asyncio.CancelledError:
                await asyncio.sleep(0)
                ends.append(number)
                raise
            return number

        requests = [{"number": number} for number in range(9)]
        async with arun_many(None, requests, call=call, concurrency=3) as results:
            assert 0 == (await anext(results)).completion
        assert ([1, 2], 1) == (sorted(ends), len(asyncio.all_tasks()))

    asyncio.run(go())


def test_cancelled_consumer() -> None:
    """Whoever cancels the task that iterates cancels the requests as well."""

    async def go() -> None:
        started = asyncio.Event()

        async def call(number: int) -> None:
            started.set()
            await asyncio.sleep(20)

        requests = [{"number": number} for number in range(9)]
        task = asyncio.create_task(collect(arun_many(None, requests, call=call)))
        await asyncio.wait_for(started.wait(), 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert 1 == len(asyncio.all_tasks())

    asyncio.run(go())


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
@pytest.mark.parametrize("form", [0, 1], ids=["threads", "tasks"])
def test_what_is_no_failure_passes(form: int, kind: type[BaseException], tmp_path: Path) -> None:
    """An interrupt inside a call ends the run at once; what has come before is in the file."""
    path = tmp_path / "r.jsonl"

    def call(number: int) -> int:
        if number == 3:
            raise kind
        return number

    async def acall(number: int) -> int:
        return call(number)

    def run() -> None:
        requests = [{"number": number} for number in range(9)]
        if form:
            asyncio.run(collect(arun_many(None, requests, call=acall, concurrency=1, results=path)))
        else:
            list(run_many(None, requests, call=call, concurrency=1, results=path))

    with pytest.raises(kind):
        run()
    assert (3, []) == (len(path.read_text("utf-8").splitlines()), descriptors(path))


def test_interrupted_consumer_does_not_wait() -> None:
    """An interrupt where the results are waited for leaves the threads to themselves."""
    leave = threading.Event()

    def call(number: int) -> None:
        leave.wait(20)

    def requests() -> Iterator[dict[str, Any]]:
        yield {"number": 0}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(run_many(None, requests(), call=call))
    left = [thread for thread in threading.enumerate() if thread.name == "chatlib-many-0"]
    leave.set()
    assert 1 == len(left)
    left[0].join(20)
    assert not left[0].is_alive()


@both
async def test_requests_that_fail_to_come(form: Any, tmp_path: Path) -> None:
    """What their iterable raises passes, after those that run have ended."""
    client, _ = echoing()
    path = tmp_path / "r.jsonl"

    def requests() -> Iterator[dict[str, Any]]:
        yield ask("a")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await collect(form.many(client, requests(), results=path))
    await form.settle()
    assert [] == descriptors(path)


def test_end_of_a_program() -> None:
    """A program that ends in the middle of a run ends."""
    code = """
import time
from chatlib import run_many
results = run_many(None, ({"n": n} for n in range(9)), call=lambda n: n and time.sleep(60))
print(next(results).completion, flush=True)
"""
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, timeout=30
    )
    assert ("0\n", "") == (done.stdout, done.stderr)
    assert time.monotonic() - start < 30


def test_interrupted_program() -> None:
    """An interrupt from the keyboard ends a program whose requests take for ever."""
    code = """
import os, time
from chatlib import run_many
def call(number):
    os.write(1, b"running\\n")  # print() may hold a lock that the ending interpreter needs
    time.sleep(60)
list(run_many(None, [{"number": 1}], call=call))
"""
    command = [sys.executable, "-c", code]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )
    assert child.stdout is not None
    assert "running\n" == child.stdout.readline()
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=30)
    assert child.returncode != 0
    # Inside of Thread.start(), the lock of a Condition may fail upon it ("release unlocked lock").
    assert "KeyboardInterrupt" in errors


def test_threads_load_no_asyncio() -> None:
    """Whoever makes requests in threads does not pay for the other form."""
    code = """
import sys
from chatlib import OpenAI, run_many
from chatlib.testing import InMemoryServer
client = OpenAI(api_key="k", transport=InMemoryServer(default="a"))
assert 1 == len(list(run_many(client, [{"model": "m", "messages": []}], progress=True)))
assert not {"asyncio", "rich"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


# Arguments


@both
@pytest.mark.parametrize("wrong", [0, -1, True, 1.5, "8"])
async def test_wrong_concurrency(form: Any, wrong: Any) -> None:
    """It is a number above 0."""
    with pytest.raises(ValueError, match="concurrency"):
        form.many(echoing()[0], [], concurrency=wrong)


@both
async def test_wrong_requests(form: Any) -> None:
    """An error that says where, and sends nothing after it."""
    client, _ = echoing()
    with pytest.raises(TypeError, match="iterable of dicts"):
        form.many(client, ask("a"))
    with pytest.raises(TypeError, match="concurency"):
        form.many(client, [], concurency=1)
    for wrong, message in [
        ("a", "request 1 is a str"),
        (ask("a", custom_id=7), "custom_id must be a non-empty str, not 7"),
        (ask("a", custom_id=""), "custom_id must be a non-empty str, not ''"),
    ]:
        with pytest.raises(TypeError, match=message):
            await collect(form.many(client, [ask("a"), wrong]))
    for twice, message in [
        (ask("b", custom_id="a"), "request 1: duplicate custom_id 'a'"),
        ({"url": "/v1/embeddings", "body": {}}, "'/v1/embeddings'"),
    ]:
        with pytest.raises(ValueError, match=message):
            await collect(form.many(client, [ask("a", custom_id="a"), twice]))


def test_wrong_form() -> None:
    """A client of the other form is found out at the first answer."""
    client, _ = echoing()
    with pytest.raises(TypeError, match="arun_many"):
        list(run_many(awaited(client), REQUESTS, concurrency=1))
    with pytest.raises(TypeError, match=r"run_many\(\)"):
        asyncio.run(collect(arun_many(client, REQUESTS, concurrency=1)))


# Other calls


@attrs.frozen
class City:
    name: str


@both
async def test_typed_answers(form: Any, tmp_path: Path) -> None:
    """A type as response_format, for all or for one, is what the answers are; also from a file."""
    server = InMemoryServer(default='{"name": "Paris"}')
    client = OpenAI(api_key="k", transport=server)
    plain = {"type": "json_object"}
    requests = [ask("a"), ask("b", response_format=plain)]
    for resumed in (False, True):
        results = await collect(
            form.many(client, requests, response_format=City, results=tmp_path / "r.jsonl")
        )
        assert [resumed] * 2 == [result.resumed for result in results]
        assert City("Paris") == results[0].completion.choices[0].message.parsed
        assert not hasattr(results[1].completion.choices[0].message, "parsed")
    assert 2 == len(server.requests)
    sent = [request.json()["response_format"]["type"] for request in server.requests]
    assert ["json_object", "json_schema"] == sorted(sent)


@both
async def test_answer_of_the_wrong_type(form: Any, tmp_path: Path) -> None:
    """The error has the whole answer; also from a file."""
    client = OpenAI(api_key="k", transport=InMemoryServer("Paris"))
    for _ in range(2):
        [result] = await collect(
            form.many(
                client,
                [ask("a")],
                response_format=City,
                results=tmp_path / "r.jsonl",
                retry_failed=False,
            )
        )
        assert isinstance(result.error, ParseError)
        assert ("not_json", "Paris") == (result.error.reason, result.error.content)
        assert result.error.completion is not None
        assert ("Paris", "req_scripted_1") == (
            result.error.completion.text,
            result.error.completion.request_id,
        )


@both
async def test_answer_in_a_file_that_is_not_of_the_type(form: Any, tmp_path: Path) -> None:
    """It is the error of its result, and nothing is asked."""
    client, server = echoing()
    options: Any = {"response_format": City, "results": tmp_path / "r.jsonl"}

    async def unread(**params: Any) -> Any:
        return client.chat.completions.create(**ask("a"))

    await collect(form.many(client, [ask("a")], call=unread, **options))
    [result] = await collect(form.many(client, [ask("a")], **options))
    assert isinstance(result.error, ParseError)
    assert (True, 1) == (result.resumed, len(server.requests))


def double(number: int) -> int:
    """Twice the number."""
    return 2 * number


def test_tool_runs(tmp_path: Path) -> None:
    """run() as call gives runs; also from a file."""
    function = {"name": "double", "arguments": '{"number": 21}'}
    call = {"id": "c", "type": "function", "function": function}
    server = InMemoryServer(answer(completion(None, tool_calls=[call])), "42")
    client = OpenAI(api_key="k", transport=server)
    run = partial(client.chat.completions.run, tools=[double])
    found = []
    for _ in range(2):
        [result] = run_many(client, [ask("a")], call=run, results=tmp_path / "r.jsonl")
        found.append(result)
        assert isinstance(result.completion, ToolRun)
        assert ("42", 2) == (result.completion.completion.text, result.completion.rounds)
        assert 3 == len(result.completion.messages)
    assert [False, True] == [result.resumed for result in found]


@both
async def test_calls_of_other_things(form: Any, tmp_path: Path) -> None:
    """JSON values come back from a file as they were; anything else is refused at once."""

    async def call(value: Any) -> Any:
        return value

    path = tmp_path / "r.jsonl"
    values = [None, 0, "a\nb\x85c\u2028d\u2029", [1, {"a": None}], {"choices": []}, 1.5]
    requests = [{"value": value} for value in values]
    for resumed in (False, True):
        results = await collect(form.many(None, requests, call=call, results=path))
        assert values == [result.completion for result in results]
        assert {resumed} == {result.resumed for result in results}
    for wrong in ((1, 2), {1: 2}, City("Paris"), object()):
        with pytest.raises(TypeError, match="omit results="):
            await collect(form.many(None, [{"value": wrong}], call=call, results=path))
    assert 6 == len(path.read_text("utf-8").splitlines())


# Progress


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


@both
async def test_progress(form: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On a terminal, a bar counts the results, the failures, and what was there already."""
    path = tmp_path / "r.jsonl"
    for name, value in {"TERM": "xterm", "COLUMNS": "120"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    client, _ = echoing()
    await collect(form.many(client, REQUESTS[:3], results=path))
    assert "" == terminal.getvalue()
    client, _ = echoing(error(400))
    await collect(form.many(client, REQUESTS[:5], results=path, concurrency=1, progress=True))
    for told in ("5/5", "1 failed", "3 resumed"):
        assert told in terminal.getvalue()
    assert "left" in terminal.getvalue()
    await collect(form.many(client, iter(REQUESTS), progress=True), most=4)
    assert "/?" in terminal.getvalue()


def test_progress_without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is named where it would be shown, and not missed elsewhere."""
    for name in [name for name in sys.modules if name.split(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)
    client, _ = echoing()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert 20 == len(list(run_many(client, REQUESTS, progress=True)))
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert 20 == len(list(run_many(client, REQUESTS)))
    with pytest.raises(ImportError, match=r"pip install 'chatlib\[progress\]'"):
        run_many(client, REQUESTS, progress=True)


def test_repr() -> None:
    """A result shows what it is, and not the prompt."""
    shown = repr(Result(0, "a", params={"messages": "secret"}, answer="yes"))
    assert "secret" not in shown
    assert "'yes'" in shown
