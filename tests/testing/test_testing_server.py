"""The server in memory: its script, its headers, its limits, and how it is awaited."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from chatlib import (
    APIConnectionError,
    HttpRequest,
    HttpResponse,
    OpenAI,
    RateLimitError,
    RateLimits,
    TransportError,
    TransportTimeout,
)
from chatlib.testing import (
    InMemoryServer,
    NoReplyLeft,
    answer,
    completion,
    error,
    fault,
    raw,
    stream,
)
from chatlib.testing.bodies import Body
from chatlib.testing.limits import TokenCounter, format_duration
from tests.test_package import IO_LIBRARIES, loaded_after

URL = "https://h.test/v1/chat/completions"
ASK: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def create(**params: Any) -> HttpRequest:
    """A plain request for a completion."""
    return HttpRequest("POST", URL, content=json.dumps({**ASK, **params}).encode())


def client_of(server: InMemoryServer, **options: Any) -> OpenAI:
    """A client that lets the server's time pass in place of sleeping."""
    return OpenAI(api_key="k", transport=server, sleep=server.sleep, **options)


# Names of answers


def test_request_ids() -> None:
    """Each response has an id of its own, counted by the requests; a reply's own stays."""
    server = InMemoryServer("a", fault(), error(500), raw(200, headers={"X-Request-ID": "mine"}))
    ids = []
    for _ in range(4):
        try:
            ids.append(server.send(create()).request_id)
        except TransportError:
            ids.append(None)
    assert ["req_scripted_1", None, "req_scripted_3", "mine"] == ids
    assert "req_scripted_1" == InMemoryServer(HttpResponse(200)).send(create()).request_id


def test_a_response_that_is_given_again_is_not_changed() -> None:
    """One response value may answer many requests, each by its own id."""
    given = HttpResponse(200, {}, b"{}")
    server = InMemoryServer(default=given)
    assert ["req_scripted_1", "req_scripted_2"] == [
        server.send(create()).request_id for _ in range(2)
    ]
    assert {} == given.headers


# Rate limits


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0004, "1ms"),
        (0.02, "20ms"),
        (0.9999, "1s"),
        (59.2, "1m0s"),
        (360, "6m0s"),
        (3725, "1h2m5s"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    """They are written as OpenAI writes them, and can be read back."""
    assert text == format_duration(seconds)
    read = RateLimits.from_headers({"x-ratelimit-reset-tokens": text}).reset_tokens
    assert read is not None
    assert seconds <= read < seconds + 1


def test_limits_are_on_each_answer() -> None:
    """Counted down by the requests, and by the tokens of what was answered."""
    server = InMemoryServer("a", error(500), stream("b", {"usage": {"total_tokens": 4}}), "c")
    seen = []
    for _ in range(4):
        response = server.send(create())
        response.read()
        limits = response.info().rate_limits
        seen.append((limits.remaining_requests, limits.remaining_tokens))
    assert [(9999, 1_999_979), (9998, 1_999_979), (9997, 1_999_979), (9996, 1_999_954)] == seen
    limits = response.info().rate_limits
    assert (10_000, 2_000_000, 60, 60) == (
        limits.limit_requests,
        limits.limit_tokens,
        limits.reset_requests,
        limits.reset_tokens,
    )


def test_generous_limits_are_never_enforced() -> None:
    """Unless limits are asked for, no number of requests is too many."""
    server = InMemoryServer(default=raw(200, b'{"usage": {"total_tokens": 999999999}}'))
    for _ in range(10):
        assert 200 == server.send(create()).status


def test_own_headers_of_a_reply_win() -> None:
    """What a reply says about limits is what is sent."""
    server = InMemoryServer(answer("a", headers={"X-RateLimit-Remaining-Tokens": "5"}))
    limits = server.send(create()).info().rate_limits
    assert (5, 9999) == (limits.remaining_tokens, limits.remaining_requests)


def test_requests_that_are_used_up() -> None:
    """One too many is refused, with a time to wait; the script is not asked."""
    server = InMemoryServer("a", "b", "c", limits=RateLimits(limit_requests=2, reset_requests=90))
    first, _, refused = (server.send(create()) for _ in range(3))
    assert ("2", "1", "1m30s") == tuple(
        first.headers[f"x-ratelimit-{what}-requests"] for what in ("limit", "remaining", "reset")
    )
    assert "x-ratelimit-limit-tokens" not in first.headers
    assert (429, "90", "0") == (
        refused.status,
        refused.headers["retry-after"],
        refused.headers["x-ratelimit-remaining-requests"],
    )
    assert ("rate_limit_exceeded", "requests") == (
        refused.json()["error"]["code"],
        refused.json()["error"]["type"],
    )
    assert 1 == server.replies_left
    server.sleep(90)
    assert 200 == server.send(create()).status


def test_tokens_that_are_used_up() -> None:
    """Likewise; a client that waits as long as it is told gets its answer."""
    server = InMemoryServer(
        default="a", limits=RateLimits(limit_tokens=100, remaining_tokens=30, reset_tokens=7)
    )
    client = client_of(server)
    for _ in range(2):
        client.chat.completions.create(**ASK)
    assert [] == server.slept
    third = client.chat.completions.create(**ASK)
    assert third.http is not None
    assert (2, 7.0) == (third.http.attempts, third.http.retry_after)
    assert [7.0] == server.slept
    assert 100 - 21 == third.http.rate_limits.remaining_tokens


def test_limits_bound_a_client_that_does_not_wait() -> None:
    """The refusal is the usual error."""
    server = InMemoryServer(default="a", limits=RateLimits(limit_requests=1))
    client = client_of(server, max_retries=0)
    client.chat.completions.create(**ASK)
    with pytest.raises(RateLimitError, match="limit is 1") as caught:
        client.chat.completions.create(**ASK)
    assert 60 == caught.value.retry_after


@pytest.mark.parametrize("cut", [1, 2, 7, 1000])
def test_tokens_are_found_in_any_pieces(cut: int) -> None:
    """However the bytes are cut; a later report takes the place of an earlier one; text counts
    nothing."""
    said = {"content": 'an example: "total_tokens": 999}'}
    body = json.dumps([said, {"total_tokens": 3}, {"usage": {"total_tokens": 1234}, "x": 1}])
    pieces = [body.encode()[at : at + cut] for at in range(0, len(body), cut)]
    counter = TokenCounter()
    assert 1234 == sum(counter.feed(piece) for piece in pieces)


# The script


def test_no_reply_left() -> None:
    """It says which request was one too many; what the store answered does not count."""
    server = InMemoryServer("a")
    server.send(create())
    server.send(HttpRequest("GET", URL))
    with pytest.raises(
        NoReplyLeft, match=r"no scripted reply is left for request 3 \(1 were scripted"
    ):
        server.send(create())


@pytest.mark.parametrize("size", [None, 0, 5, 12, 1000])
def test_fault_inside_a_stream(size: int | None) -> None:
    """What arrives before it arrives piece by piece, as many bytes as there are to be."""
    pieces = [b"data: 1\n\n", b"data: 2\n\n"]
    whole = stream(*pieces, finish_reason=None, done=False)
    response = InMemoryServer(fault("timeout", after=whole, size=size)).send(create())
    came: list[bytes] = []
    with pytest.raises(TransportTimeout):
        came.extend(response)
    assert b"".join(pieces)[:size] == b"".join(came)


# Awaited


def test_asend_is_send() -> None:
    """The same answers, and the same accounts."""
    server = InMemoryServer("a", fault("connect"))

    async def talk() -> str:
        response = await server.asend(create())
        body = json.loads(await response.aread())
        with pytest.raises(TransportError, match="refusal"):
            await server.asend(create())
        text: str = body["choices"][0]["message"]["content"]
        return text

    assert "a" == asyncio.run(talk())
    assert 2 == len(server.requests)


def test_awaited_pauses_stop_nobody_else() -> None:
    """Streams that pause are read side by side."""
    pause = 0.05
    server = InMemoryServer(*[stream("a", "b", "c", pause=pause)] * 100)

    async def read() -> bytes:
        response = await server.asend(create(stream=True))
        assert 1 <= server.open_responses
        pieces = [piece async for piece in response]
        await response.aclose()
        return b"".join(pieces)

    async def all_of_them() -> list[bytes]:
        return await asyncio.gather(*(read() for _ in range(100)))

    start = time.monotonic()
    bodies = asyncio.run(all_of_them())
    assert 4 * pause <= time.monotonic() - start < 200 * pause
    assert 1 == len(set(bodies))
    assert bodies[0].endswith(b"data: [DONE]\n\n")
    assert 0 == server.open_responses


def test_coroutine_functions_are_replies() -> None:
    """They are awaited, side by side; a server that is not awaited can't have them."""
    everyone = []

    async def reply(request: HttpRequest) -> str:
        everyone.append(request)
        end = time.monotonic() + 20
        while len(everyone) < 3 and time.monotonic() < end:
            await asyncio.sleep(0)
        return f"answer {len(server.store)}"

    server = InMemoryServer(default=reply)

    async def ask() -> str:
        content = await (await server.asend(create(store=True))).aread()
        made: str = json.loads(content)["id"]
        return made

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(ask() for _ in range(3)))

    assert {f"chatcmpl-scripted-{n}" for n in (1, 2, 3)} == set(asyncio.run(all_of_them()))
    with pytest.raises(TypeError, match="asend"):
        server.send(create())


def test_what_is_no_reply() -> None:
    """Is told by its type."""
    with pytest.raises(TypeError, match="int is not a valid reply"):
        InMemoryServer(lambda request: 7).send(create())


def test_pauses_are_slept_otherwise() -> None:
    """Who iterates waits."""
    response = InMemoryServer(stream("a", "b", pause=0.02)).send(create(stream=True))
    start = time.monotonic()
    assert 4 == len(list(response))
    assert 0.06 <= time.monotonic() - start


def test_body_may_be_asynchronous_alone() -> None:
    """A scripted response whose body can only be awaited is passed on, and stored."""

    class Pieces:
        async def __aiter__(self) -> Any:
            yield json.dumps(completion("a")).encode()[:30]
            yield json.dumps(completion("a")).encode()[30:]

    server = InMemoryServer(HttpResponse(200, {}, Pieces()))

    async def read() -> bytes:
        return await (await server.asend(create(store=True))).aread()

    assert completion("a") == json.loads(asyncio.run(read()))
    assert 1 == len(server.store)
    with pytest.raises(TypeError, match="await"):
        InMemoryServer(HttpResponse(200, {}, Pieces())).send(create()).read()


def test_body_may_be_read_again() -> None:
    """A body of steps begins anew for each reader."""
    body = Body(lambda: iter([b"a", 0.0, b"b"]))
    assert [[b"a", b"b"]] * 2 == [list(body), list(body)]
    assert [b"a", 0.0, b"b"] == list(body.steps())


def test_importing_loads_no_io_library() -> None:
    """Neither the package nor the server, whatever it is asked."""
    code = """
import chatlib.testing
from chatlib import OpenAI
from chatlib.testing import *
client = OpenAI(api_key="k", transport=InMemoryServer("a"))
client.chat.completions.create(model="m", messages=[], store=True)
"""
    assert set() == loaded_after(code) & set(IO_LIBRARIES)


def test_import_alone_loads_next_to_nothing() -> None:
    """Its names are loaded when they are used."""
    loaded = loaded_after("import chatlib.testing.plugin")
    ours = {name for name in loaded if name.startswith("chatlib")}
    assert {"chatlib", "chatlib._version", "chatlib.testing", "chatlib.testing.plugin"} == ours


def test_names_resolve() -> None:
    """Each exported name is there."""
    import chatlib.testing

    for name in chatlib.testing.__all__:
        assert getattr(chatlib.testing, name) is not None
    assert set(chatlib.testing.__all__) <= set(dir(chatlib.testing))
    with pytest.raises(AttributeError, match="nonsense"):
        chatlib.testing.nonsense  # noqa: B018


def test_options_of_answers() -> None:
    """An answer has the given finish reason; the chunks of its stream have its logprobs too."""
    body = completion("Hi")
    body["choices"][0]["logprobs"] = {"content": [], "refusal": None}
    server = InMemoryServer(
        answer("Hi", finish_reason="length"), answer(body), fault(after=answer("Hi"), size=4)
    )
    client = OpenAI(api_key="k", transport=server, max_retries=0)
    ask: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    assert "length" == client.chat.completions.create(**ask).choices[0].finish_reason
    last = list(client.chat.completions.create(**ask, stream=True))[-1]
    assert {"content": [], "refusal": None} == last.to_dict()["choices"][0]["logprobs"]
    with pytest.raises(APIConnectionError, match="scripted reset"):
        client.chat.completions.create(**ask)
