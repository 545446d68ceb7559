"""One target for each reader of the library: any bytes in, and an invariant that must hold.

The invariant of all is that a value comes out or one of the library's own errors, whatever comes in;
what more each target checks, it says. Hypothesis runs them in the test suite, and atheris for as
long as one likes (:mod:`tests.fuzz.run`).
"""

from __future__ import annotations

import json
import pickle
import re
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chatlib
from chatlib import (
    APIError,
    ChatCompletionStreamState,
    Config,
    DecodeError,
    HttpRequest,
    HttpResponse,
    OpenAIError,
    PartialJson,
    build_create,
    parse_completion,
    read_chunks,
    read_completion,
    read_completions,
    to_request,
    tool_results,
)
from chatlib.many.results_file import ResultsFile
from chatlib.testing import ReplayTransport
from chatlib.testing.loopback import chunk, completion, sse
from chatlib.transports._http1 import ChunkDecoder, HeadReader, MalformedResponse
from chatlib.wire.error_bodies import error_from_response
from chatlib.wire.redirects import follow_redirect
from chatlib.wire.sse import read_events

REQUEST = HttpRequest("POST", "https://one.test/v1/chat/completions", {"authorization": "Bearer k"})
JSON = {"content-type": "application/json"}


@dataclass
class Note:
    """What answers are decoded to."""

    title: str
    count: int = 0
    tags: list[str] | None = None


def f(a: int, b: str = "") -> str:
    """Add."""
    return f"{a}{b}"


TOOL = to_request(chatlib.function_tool(f))


def cuts(data: bytes) -> tuple[bytes, list[bytes]]:
    """Return the data, and the same in pieces of the sizes that its first byte says."""
    size = (data[0] % 7 if data else 0) + 1
    data = data[1:]
    return data, [data[at : at + size] for at in range(0, len(data), size)]


def fuzz_sse(data: bytes) -> None:
    """Where the bytes are cut makes no difference."""
    whole, pieces = cuts(data)
    assert list(read_events([whole])) == list(read_events(pieces))


def fuzz_chunks(data: bytes) -> None:
    """Where the bytes are cut makes no difference, in chunks, completion and error.

    What the message quotes of lines that are no events may be longer where more came at once.
    """

    def outcome(body: Iterable[bytes]) -> Any:
        texts, error = [], None
        try:
            for each in read_chunks(HttpResponse(200, {}, iter(body), request=REQUEST)):
                texts.append((each.text, each.to_json(), bool(repr(each))))
        except APIError as failed:
            error = type(failed), str(failed).partition("; ")[0], failed.completion
        return texts, error

    whole, pieces = cuts(data)
    assert outcome([whole]) == outcome(pieces)


def fuzz_answers(data: bytes) -> None:
    """An answer can be shown, dumped, copied, pickled and sent back."""
    for read in (read_completion, read_completions):
        try:
            made: Any = read(HttpResponse(200, JSON, data, request=REQUEST))
        except APIError as error:
            str(error)
            continue
        assert made == pickle.loads(pickle.dumps(made))
        repr(made), made.to_json(), made.model_dump_json(), dict(made)
        for choice in getattr(made, "choices", None) or ():
            if isinstance(choice.message, chatlib.types.ChatCompletionMessage):
                build_create(Config(api_key="k"), model="m", messages=[choice.message])


def fuzz_accumulator(data: bytes) -> None:
    """The completion of a stream is the same at the end as after each chunk, in all ways."""
    state = ChatCompletionStreamState[Any](response_format=Note, input_tools=[TOOL])
    try:
        for each in read_chunks(HttpResponse(200, {}, data, request=REQUEST)):
            for event in state.handle_chunk(each):
                repr(event), event.to_json()
            state.current_completion_snapshot.to_json()
        for event in state.end():
            repr(event)
        state.get_final_completion().to_json()
    except OpenAIError as error:
        str(error)


def fuzz_partial_json(data: bytes) -> None:
    """What is read of the whole of a JSON text is what ``json`` reads, however it is cut."""
    whole, pieces = cuts(data)
    try:
        parts = [piece.decode() for piece in pieces]
        value = json.loads(whole.decode())
    except (ValueError, RecursionError):
        reader = PartialJson()
        reader.feed(whole.decode("utf-8", "replace"))
        reader.value()
        return
    reader = PartialJson()
    for part in parts:
        reader.feed(part)
        reader.value()
    if "NaN" not in str(value).replace("nan", "NaN") and "inf" not in str(value):
        assert value == reader.value() or len(str(value)) > 4000


def fuzz_typed(data: bytes) -> None:
    """What is decoded is an instance of the type."""
    for kind in (Note, list[Note], dict[str, int], int | None | str):
        try:
            made = chatlib.decode_json(kind, data.decode("utf-8", "replace"))
        except (DecodeError, ValueError):
            continue
        assert kind is not Note or isinstance(made, Note)


def fuzz_errors(data: bytes) -> None:
    """An error has its status, and a message that is not long."""
    error = error_from_response(HttpResponse(data[0] % 200 + 400 if data else 500, JSON, data[1:]))
    assert len(str(error)) < 5000
    repr(error), error.code, error.retry_after
    assert str(error) == str(pickle.loads(pickle.dumps(error)))


def fuzz_tools(data: bytes) -> None:
    """A tool call gives a message for the model, whatever its arguments are."""
    text = data.decode("utf-8", "replace")
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": text}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    made = chatlib.structure(
        {**completion(), "choices": [{"message": message}]}, chatlib.types.ChatCompletion
    )
    (result,) = tool_results(made, [f])
    json.dumps(to_request(result))
    with suppress(OpenAIError):
        parse_completion(made, tools=[TOOL])


def fuzz_results(data: bytes) -> None:
    """A results file is read, or refused as it is; a run never ends in anything else.

    Incomplete lines are removed before a request turns out to have changed.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "r.jsonl")
        path.write_bytes(data)
        asks = [{"custom_id": "a", "model": "m", "messages": []}]
        try:
            for each in chatlib.run_many(None, asks, call=lambda **_: None, results=path):
                repr(each)
        except (ValueError, OpenAIError) as error:
            if "request has changed" not in str(error) and data != path.read_bytes():
                raise
        ResultsFile(Path(folder, "new")).close()


def fuzz_recordings(data: bytes) -> None:
    """A recording is read, or refused with the name of its file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "recording.json")
        path.write_bytes(data)
        with suppress(AssertionError, OpenAIError, chatlib.TransportError):
            try:
                ReplayTransport(path).send(REQUEST)
            except ValueError as error:
                if "recording.json" not in str(error):
                    raise


def fuzz_settings(data: bytes) -> None:
    """A base URL is taken or refused, and what is taken is where requests go."""
    text = data.decode("utf-8", "replace")
    try:
        config = Config(api_key="k", base_url=text)
        request = build_create(config, model="m", messages=[])
    except (OpenAIError, ValueError):
        return
    base = re.split("[?#]", config.base_url)[0].rstrip("/")
    assert request.url.lower().startswith(base.lower())  # a scheme is sent in lower case


def fuzz_redirects(data: bytes) -> None:
    """A redirect is refused, or stays at the origin, or goes from http to https."""
    response = HttpResponse(307, {"location": data.decode("latin-1")}, b"")
    try:
        following = follow_redirect(REQUEST, response)
    except APIError:
        return
    if following is not None:
        assert "one.test" == following.url.host
        assert "https" == following.url.scheme


def fuzz_http(data: bytes) -> None:
    """The head and the chunks of a response are read, or refused as malformed, however cut."""

    def outcome(parts: list[bytes]) -> Any:
        head, chunks, body = HeadReader("POST"), ChunkDecoder(), b""
        found = None
        try:
            for part in parts:
                if found is None:
                    found = head.feed(part)
                    part = head.rest if found is not None else b""
                if found is not None and not chunks.done and chunks.error is None:
                    body += chunks.feed(part)
        except MalformedResponse as error:
            return type(error)
        return found, body, chunks.done

    whole, pieces = cuts(data)
    assert outcome([whole]) == outcome(pieces)


EVENTS = sse(
    chunk("Hel"),
    {
        **chunk(),
        "choices": [
            {
                "index": 0,
                "delta": {
                    "tool_calls": [
                        {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a": 1}'}}
                    ],
                    "reasoning_details": [{"index": 0, "text": "x"}],
                },
                "finish_reason": None,
            }
        ],
    },
    chunk(finish="stop"),
)
ANSWER = json.dumps(completion('{"title": "a", "count": 1}', usage={"total_tokens": 3})).encode()
LINE = (
    b'{"custom_id": "a", "digest": null, "response": {"status_code": 200, "body": '
    + ANSWER
    + b'}, "error": null}\n'
)
RECORDING = b'{"version": 1, "exchanges": [{"request": {"method": "POST", "url": "https://one.test/v1/chat/completions"}, "response": {"status": 200, "headers": {}, "body": {"text": "{}"}}}]}'

TARGETS: dict[str, tuple[Callable[[bytes], None], list[bytes]]] = {
    "sse": (fuzz_sse, [b"\x03" + EVENTS, b"\x00event: a\r\nid: 1\rdata: {}\n\n: c\nretry: 3\n\n"]),
    "chunks": (fuzz_chunks, [b"\x03" + EVENTS, b"\x02" + ANSWER, b'\x01event: error\ndata: {"message": "no"}\n\n']),
    "answers": (fuzz_answers, [ANSWER, b'{"data": [' + ANSWER + b'], "has_more": false}', EVENTS]),
    "accumulator": (fuzz_accumulator, [EVENTS, ANSWER]),
    "partial_json": (fuzz_partial_json, [b'\x02{"a": [1, -2.5e3, "\\u00e9\\n", null, {"b": []}]}', b"\x01123"]),
    "typed": (fuzz_typed, [b'{"title": "a", "count": 2, "tags": ["x"]}', b'[{"title": "a"}]', b'{"a": 1}']),
    "errors": (fuzz_errors, [b'\x1d{"error": {"message": "no", "code": 3, "type": "t"}}', b"\x00<html><title>x</title>", b'\x05{"detail": [{"msg": "a"}]}']),
    "tools": (fuzz_tools, [b'{"a": 1, "b": "x"}', b"{}", b""]),
    "results": (fuzz_results, [LINE, LINE * 2, LINE[:-9]]),
    "recordings": (fuzz_recordings, [RECORDING]),
    "settings": (fuzz_settings, [b"https://user:pass@one.test:8443/v1?a=b#c", b"http://[::1]/v1/chat/completions"]),
    "redirects": (fuzz_redirects, [b"https://one.test/v2", b"/v2?x=1", b"//two.test", b"http://one.test:80/"]),
    "http": (fuzz_http, [b"\x02HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n", b"\x00HTTP/1.1 100 C\r\n\r\nHTTP/1.0 200\r\nContent-Length: 3\r\n\r\nabc"]),
}  # fmt: skip
"""The targets, each with texts to begin with."""
