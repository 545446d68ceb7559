"""Replies of the in-memory server; each function returns one."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Literal, TypeAlias

from chatlib.http import HttpRequest, HttpResponse, TransportError, TransportTimeout
from chatlib.testing.bodies import Body, Step, steps_of

Reply: TypeAlias = Callable[[HttpRequest], HttpResponse]
Cut: TypeAlias = "int | Sequence[int] | None"

ID = "chatcmpl-scripted"
MODEL = "scripted-model"
CREATED = 1_700_000_000

_id: ContextVar[str] = ContextVar("_id", default=ID)


@contextlib.contextmanager
def use_completion_id(completion_id: str) -> Iterator[None]:
    """Give this id to replies without an id of their own, within the context."""
    before = _id.set(completion_id)
    try:
        yield
    finally:
        _id.reset(before)


def _with_current_id(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**body, "id": _id.get()} if body.get("id") == ID else body


def completion(content: str | None = None, **message: Any) -> dict[str, Any]:
    """Return the body of a completion as a new dict.

    Args:
        content: The text of the answer.
        **message: Further fields of the message, such as ``tool_calls`` or ``refusal``.
    """
    calls = bool(message.get("tool_calls"))
    return {
        "id": ID,
        "object": "chat.completion",
        "created": CREATED,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, **message},
                "finish_reason": "tool_calls" if calls else "stop",
            }
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21},
    }


def answer(
    content: str | Mapping[str, Any] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    cut: Cut = None,
    pause: float = 0,
    finish_reason: str | None = None,
    **message: Any,
) -> Reply:
    """Return a reply with a completion; as a stream if the request asks for one.

    Args:
        content: The text, or a whole body as returned by :func:`completion`.
        headers: Further headers of the response.
        cut: The size of the pieces in bytes, or the positions to cut at; by default, one piece for
            each event.
        pause: Seconds between two pieces.
        finish_reason: The finish reason of each choice; by default ``"stop"``, or
            ``"tool_calls"`` if there are any.
        **message: Further fields of the message.
    """
    body = completion(content, **message) if not isinstance(content, Mapping) else dict(content)
    if finish_reason is not None:
        body["choices"] = [{**choice, "finish_reason": finish_reason} for choice in body["choices"]]

    def reply(request: HttpRequest) -> HttpResponse:
        if _wants_stream(request):
            usage = (request.json().get("stream_options") or {}).get("include_usage")
            return _stream(_chunks_of(body, usage=bool(usage)), headers, cut, pause, done=True)
        return raw(200, body, headers=headers)(request)

    return reply


def stream(
    *pieces: str | Mapping[str, Any] | bytes,
    finish_reason: str | None = "stop",
    done: bool = True,
    headers: Mapping[str, str] | None = None,
    cut: Cut = None,
    pause: float = 0,
) -> Reply:
    """Return a reply with an event stream, whether or not the request asks for one.

    Args:
        *pieces: A str is the content of a chunk, a dict a whole event; bytes are sent as they are.
        finish_reason: The finish reason in the last chunk; None to omit that chunk.
        done: Whether ``[DONE]`` is sent at the end.
        headers: Further headers of the response.
        cut: The size of the pieces in bytes, or the positions to cut at; by default, one piece for
            each event.
        pause: Seconds between two pieces.
    """
    events: list[Any] = [_chunk({"content": p}) if isinstance(p, str) else p for p in pieces]
    if finish_reason is not None:
        events.append(_chunk({}, finish_reason))
    return lambda request: _stream(events, headers, cut, pause, done=done)


def error(
    status: int,
    message: str = "scripted error",
    *,
    headers: Mapping[str, str] | None = None,
    **fields: Any,
) -> Reply:
    """Return a reply with an error status and OpenAI's error body.

    Args:
        status: The status code.
        message: The error message.
        headers: Further headers of the response.
        **fields: The ``code``, ``type`` and ``param`` of the error, and any other fields.
    """
    body = {"error": {"message": message, "type": None, "param": None, "code": None, **fields}}
    return raw(status, body, headers=headers)


def raw(
    status: int,
    body: bytes | str | Mapping[str, Any] | Sequence[Any] = b"",
    *,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Return a reply with any body: bytes and str as they are, other values as JSON."""
    kind = "text/plain" if isinstance(body, (bytes, str)) else "application/json"
    text = body if isinstance(body, (bytes, str)) else json.dumps(body)
    content = text.encode() if isinstance(text, str) else text
    sent = {"content-type": kind, **(headers or {})}

    def reply(request: HttpRequest) -> HttpResponse:
        named = _with_current_id(body) if isinstance(body, Mapping) else body
        return HttpResponse(status, sent, content if named is body else json.dumps(named).encode())

    return reply


def fault(
    kind: Literal["connect", "timeout", "reset"] = "reset",
    *,
    after: str | bytes | Reply | None = None,
    size: int | None = None,
) -> Reply:
    """Return a reply that fails with a connection error.

    Args:
        kind: The failure: connection refused, timeout, or connection reset.
        after: What arrives before it: the body of a stream, or another reply.
        size: The number of bytes of that body that arrive; by default all.
    """

    def failure() -> TransportError:
        if kind == "timeout":
            return TransportTimeout("scripted timeout")
        return TransportError("scripted refusal" if kind == "connect" else "scripted reset")

    def reply(request: HttpRequest) -> HttpResponse:
        if after is None:
            raise failure()
        if isinstance(after, (str, bytes)):
            content = after.encode() if isinstance(after, str) else after
            response = HttpResponse(200, {"content-type": "text/event-stream"}, content)
        else:
            response = after(request)
        whole = response.body

        def steps() -> Iterator[Step]:
            left = size
            for step in steps_of(whole):
                if isinstance(step, bytes) and left is not None:
                    step, left = step[:left], max(left - len(step), 0)
                yield step
                if left == 0:
                    break
            raise failure()

        return HttpResponse(
            response.status, response.headers, Body(steps), on_close=response.on_close
        )

    return reply


def _wants_stream(request: HttpRequest) -> bool:
    try:
        body = request.json()
    except (ValueError, RecursionError):
        return False
    return isinstance(body, dict) and body.get("stream") is True


def _chunk(delta: Mapping[str, Any], finish_reason: str | None = None, index: int = 0) -> Any:
    return {
        "id": ID,
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": MODEL,
        "choices": [{"index": index, "delta": dict(delta), "finish_reason": finish_reason}],
    }


def _chunks_of(body: Mapping[str, Any], *, usage: bool) -> list[Any]:
    """Return the chunks of a stream for a completion."""
    head = {k: v for k, v in body.items() if k not in ("choices", "usage")}
    chunks: list[Any] = []
    for choice in body.get("choices", []):
        message = dict(choice["message"])
        text = message.pop("content", None)
        calls = message.pop("tool_calls", None)
        deltas = [message, *({"content": part} for part in re.findall(r"\s*\S+\s*", text or ""))]
        for at, call in enumerate(calls or ()):
            deltas.append({"tool_calls": [{"index": at, **call}]})
        for delta in deltas:
            chunks.append(_chunk(delta, index=choice["index"]))
        last = _chunk({}, choice["finish_reason"], choice["index"])
        if "logprobs" in choice:
            last["choices"][0]["logprobs"] = choice["logprobs"]
        chunks.append(last)
    if usage and body.get("usage") is not None:
        chunks.append({**_chunk({}), "choices": [], "usage": body["usage"]})
    return [{**chunk, **head, "object": "chat.completion.chunk"} for chunk in chunks]


def _stream(
    events: Iterable[Any], headers: Mapping[str, str] | None, cut: Cut, pause: float, *, done: bool
) -> HttpResponse:
    pieces = [
        e if isinstance(e, bytes) else f"data: {json.dumps(_with_current_id(e))}\n\n".encode()
        for e in events
    ]
    if done:
        pieces.append(b"data: [DONE]\n\n")
    if cut is not None:
        pieces = cut_at(b"".join(pieces), cut)

    def steps() -> Iterator[Step]:
        for at, piece in enumerate(pieces):
            if pause and at:
                yield float(pause)
            yield piece

    kind = {"content-type": "text/event-stream"}
    return HttpResponse(200, {**kind, **(headers or {})}, Body(steps))


def cut_at(content: bytes, cut: int | Sequence[int]) -> list[bytes]:
    """Split bytes into pieces of a size, or at these positions.

    >>> cut_at(b"abcdef", 4)
    [b'abcd', b'ef']
    >>> cut_at(b"abcdef", [1, 3])
    [b'a', b'bc', b'def']
    """
    ends = list(range(cut, len(content), cut)) if isinstance(cut, int) else sorted(cut)
    starts = [0, *ends]
    return [content[start:end] for start, end in zip(starts, [*ends, len(content)], strict=True)]
