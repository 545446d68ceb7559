"""The faults: what a server does instead of answering, and what a call should then say.

A fault is a reply of the loopback server, or an address at which there is none. The answer of a
plain call and that of a stream are cut at the same places.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from chatlib.testing.loopback import Reply, chunk, completion, sse

ANSWER = json.dumps(completion("Zürich ok"), ensure_ascii=False).encode()
STREAM = sse(chunk("Zür"), chunk("ich "), chunk("ok"), chunk(finish="stop"))
HANG = 30.0
"""How long a server is silent that hangs; the calls wait for less."""

Piece = bytes | float
CONNECTION, TIMEOUT, STATUS, INVALID = "connection", "timeout", "status", "invalid"
OK, ERROR = "ok", "error"


@attrs.frozen
class Fault:
    """A fault, and its outcome.

    Args:
        name: What happens.
        plain: The reply to a plain call.
        streamed: The reply to a stream; by default that to a plain call.
        outcome: What a plain call ends in: ``connection`` (an APIConnectionError), ``timeout``, a
            ``status``, ``invalid`` (an APIResponseValidationError), ``error`` (any error of the
            library), or ``ok``.
        stream_outcome: What a stream ends in; by default the same.
        words: What the message says.
    """

    name: str
    plain: Reply
    streamed: Reply
    outcome: str
    stream_outcome: str
    words: Sequence[str] = ()


def _head(kind: str, *more: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", *more]
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


JSON, EVENTS = "application/json", "text/event-stream"


def _chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def _replies(make: Callable[[str, bytes], Any]) -> tuple[Reply, Reply]:
    return make(JSON, ANSWER), make(EVENTS, STREAM)


ENDS: dict[str, tuple[str | None, float]] = {
    "closed": ("fin", 0.0),
    "reset": ("rst", 0.0),
    "silent": ("fin", HANG),
}


def _places(kind: str, body: bytes) -> dict[str, bytes]:
    """Return what was sent when it ends, by the name of the place."""
    half = body[: len(body) // 2]
    length = f"Content-Length: {len(body)}"
    chunked = "Transfer-Encoding: chunked"
    character = body[: body.index("ü".encode()) + 1] if "ü".encode() in body else half
    return {
        "before the answer": b"",
        "in the status line": b"HTTP/1.1 2",
        "in the headers": _head(kind, length)[:-4],
        "before the body": _head(kind, length) + b"\r\n",
        "in the body": _head(kind, length) + b"\r\n" + half,
        "in a character": _head(kind, length) + b"\r\n" + character,
        "before the first chunk": _head(kind, chunked) + b"\r\n",
        "in the size of a chunk": _head(kind, chunked) + b"\r\n" + _chunked(half) + b"1",
        "in a chunk": _head(kind, chunked) + b"\r\n" + _chunked(body)[: len(body) // 2],
        "after a chunk": _head(kind, chunked) + b"\r\n" + _chunked(half),
    }


def _cut() -> list[Fault]:
    faults = []
    for end, (abort, hold) in ENDS.items():
        plain, streamed = _places(JSON, ANSWER), _places(EVENTS, STREAM)
        for place in plain:
            outcome = TIMEOUT if end == "silent" else CONNECTION
            replies = [
                Reply(raw=[sent, *([hold] if hold else [])], abort=abort)
                for sent in (plain[place], streamed[place])
            ]
            faults.append(Fault(f"{end} {place}", *replies, outcome, outcome))
    return faults


def _raw(*pieces: Piece, abort: str = "fin") -> Reply:
    return Reply(raw=list(pieces), abort=abort)


def _both(
    name: str, make: Callable[[str, bytes], Reply], outcome: str, stream: str = "", *words: str
) -> Fault:
    return Fault(name, *_replies(make), outcome, stream or outcome, words)


def _with_headers(*headers: str) -> Callable[[str, bytes], Reply]:
    return lambda kind, body: _raw(_head(kind, *headers) + b"\r\n" + body)


def _length(body: bytes) -> str:
    return f"Content-Length: {len(body)}"


def _odd() -> list[Fault]:
    def text(sent: bytes) -> Callable[[str, bytes], Reply]:
        return lambda kind, body: _raw(sent)

    def body_of(sent: bytes) -> Callable[[str, bytes], Reply]:
        return lambda kind, body: _raw(_head(kind, _length(sent)) + b"\r\n" + sent)

    def status(line: str, *headers: str) -> Callable[[str, bytes], Reply]:
        def make(kind: str, body: bytes) -> Reply:
            sent = b'{"error": {"message": "no"}}'
            return _raw(_head(JSON, _length(sent), *headers, status=line) + b"\r\n" + sent)

        return make

    def chunks(sent: bytes) -> Callable[[str, bytes], Reply]:
        return lambda kind, body: _raw(_head(kind, "Transfer-Encoding: chunked") + b"\r\n" + sent)

    def coded(coding: str, encode: Callable[[bytes], bytes]) -> Callable[[str, bytes], Reply]:
        def make(kind: str, body: bytes) -> Reply:
            sent = encode(body)
            return _raw(_head(kind, _length(sent), f"Content-Encoding: {coding}") + b"\r\n" + sent)

        return make

    def whole(kind: str, body: bytes, *headers: str) -> bytes:
        return _head(kind, _length(body), *headers) + b"\r\n" + body

    deep = b'{"choices":' + b"[" * 5000 + b"]" * 5000 + b"}"
    odd = ANSWER.replace("Zürich ok".encode(), b"%s")
    return [
        _both("garbage", text(b"\x00\xff garbage\r\n\r\n"), CONNECTION, "", "no HTTP"),
        _both("another protocol", text(b"SSH-2.0-OpenSSH_9.6\r\n"), CONNECTION, "", "SSH-2.0"),
        _both("HTTP/0.9", text(ANSWER), CONNECTION, "", "no HTTP"),
        _both("status that is no number", text(b"HTTP/1.1 OK\r\n\r\n"), CONNECTION, "", "no HTTP"),
        _both("status of four digits", text(b"HTTP/1.1 2000 OK\r\n\r\n"), CONNECTION),
        _both("endless status line", text(b"HTTP/1.1 200 " + b"a" * 2_000_000), CONNECTION),
        _both("endless header", text(b"HTTP/1.1 200 OK\r\nA: " + b"a" * 2_000_000), CONNECTION),
        _both(
            "endless headers",
            text(b"HTTP/1.1 200 OK\r\n" + b"".join(b"A%d: b\r\n" % n for n in range(100_000))),
            CONNECTION,
        ),
        _both(
            "3,000 headers",
            lambda kind, body: _raw(whole(kind, body, *(f"X-{n}: b" for n in range(3000)))),
            CONNECTION,
        ),
        _both(
            "no body",
            lambda kind, body: _raw(_head(kind, "Content-Length: 0") + b"\r\n"),
            INVALID,
            CONNECTION,
        ),
        _both(
            "204",
            lambda kind, body: _raw(_head(kind, status="204 No Content") + b"\r\n"),
            INVALID,
            CONNECTION,
        ),
        _both("length that is too long", _with_headers("Content-Length: 999999"), CONNECTION, OK),
        _both("length that is no number", _with_headers("Content-Length: many"), CONNECTION),
        _both(
            "lengths that differ",
            _with_headers("Content-Length: 5", "Content-Length: 9"),
            CONNECTION,
        ),
        _both("length that is negative", _with_headers("Content-Length: -5"), OK),
        _both("no length", _with_headers("Connection: close"), OK),
        _both(
            "lengths that are alike", lambda kind, body: _raw(whole(kind, body, _length(body))), OK
        ),
        _both(
            "100 Continue before it",
            lambda kind, body: _raw(b"HTTP/1.1 100 Continue\r\n\r\n" + whole(kind, body)),
            OK,
        ),
        _both(
            "103 before it",
            lambda kind, body: _raw(b"HTTP/1.1 103 E\r\nA: b\r\n\r\n" + whole(kind, body)),
            OK,
        ),
        _both("101", text(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), CONNECTION),
        _both("a line without a colon", lambda kind, body: _raw(whole(kind, body, "no colon")), OK),
        _both("a name with blanks", lambda kind, body: _raw(whole(kind, body, "a b: c")), OK),
        _both("a folded header", lambda kind, body: _raw(whole(kind, body, "A: b", " c")), OK),
        _both("chunk size that is no number", chunks(b"zz\r\nabc\r\n"), CONNECTION),
        _both("chunk size that is negative", chunks(b"-5\r\nabc\r\n"), CONNECTION),
        _both("chunk size that is huge", chunks(b"f" * 40 + b"\r\nabc\r\n"), CONNECTION),
        _both(
            "chunk that is longer than its size", chunks(b"2\r\nabcdef\r\n0\r\n\r\n"), CONNECTION
        ),
        _both("chunk without its line end", chunks(b"3\r\nabc4\r\n"), CONNECTION),
        _both("not in chunks, as it says", chunks(ANSWER), CONNECTION),
        _both("gzip that is none", _with_headers("Content-Encoding: gzip"), CONNECTION),
        _both(
            "gzip that is cut", coded("gzip", lambda body: gzip.compress(body)[:-12]), INVALID, OK
        ),
        _both(
            "gzip that is corrupt",
            coded("gzip", lambda b: gzip.compress(b)[:20] + b"x" * 40),
            ERROR,
        ),
        _both("gzip", coded("gzip", gzip.compress), OK),
        _both(
            "gzip twice", coded("gzip, gzip", lambda body: gzip.compress(gzip.compress(body))), OK
        ),
        _both("a coding that nobody asked for", coded("snappy", lambda body: body), CONNECTION),
        _both("a name of no coding", coded("UTF-8", lambda body: body), OK),
        *(
            _both(str(code), status(f"{code} S"), STATUS)
            for code in (
                301,
                303,
                305,
                402,
                403,
                404,
                405,
                406,
                408,
                409,
                410,
                415,
                421,
                422,
                423,
                424,
                425,
                431,
                451,
                501,
                502,
                504,
                505,
                507,
                520,
                524,
                529,
            )
        ),
        _both(
            "500 without a body",
            lambda kind, body: _raw(_head(kind, "Content-Length: 0", status="500 S") + b"\r\n"),
            STATUS,
        ),
        _both(
            "500 with a page",
            lambda kind, body: _raw(
                _head("text/html", "Content-Length: 34", status="500 S")
                + b"\r\n<html><title>Down</title>\x00\xff</html>"[:36]
            ),
            STATUS,
        ),
        _both(
            "429 that is cut",
            lambda kind, body: _raw(
                _head(kind, "Content-Length: 999", status="429 S") + b'\r\n{"error"'
            ),
            STATUS,
        ),
        _both(
            "500 that is reset",
            lambda kind, body: _raw(
                _head(kind, "Content-Length: 999", status="500 S") + b'\r\n{"error"', abort="rst"
            ),
            STATUS,
        ),
        _both("deflate", coded("deflate", zlib.compress), OK),
        _both(
            "deflate without its header",
            coded("deflate", lambda body: zlib.compress(body)[2:-4]),
            OK,
        ),
        _both("x-gzip", coded("x-gzip", gzip.compress), OK),
        _both(
            "gzip in two members",
            coded("gzip", lambda body: gzip.compress(body[:50]) + gzip.compress(body[50:])),
            OK,
        ),
        _both(
            "gzip before padding", coded("gzip", lambda body: gzip.compress(body) + bytes(20)), OK
        ),
        _both("300 without a Location", status("300 Multiple Choices"), STATUS),
        _both("304", status("304 Not Modified"), STATUS),
        _both("307 to elsewhere", status("307 T", "Location: http://127.0.0.2:9/"), STATUS),
        _both("302", status("302 Found", "Location: /elsewhere"), STATUS),
        _both("308 to nowhere", status("308 P", "Location: http://"), STATUS),
        _both("400", status("400 Bad"), STATUS, "", "no"),
        _both("401", status("401 U"), STATUS, "", "no"),
        _both("407", status("407 P"), STATUS),
        _both("413", status("413 Large"), STATUS),
        _both("418", status("418 T"), STATUS),
        _both("429", status("429 T"), STATUS),
        _both("500", status("500 S"), STATUS),
        _both("503", status("503 S"), STATUS),
        _both("599", status("599 S"), STATUS),
        _both("999", status("999 S"), STATUS),
        _both("text", body_of(b"hello"), INVALID, ERROR, "hello"),
        _both("a page", body_of(b"<html><title>Sign in</title></html>"), INVALID, "", "Sign in"),
        _both("null", body_of(b"null"), INVALID, ERROR),
        _both("a list", body_of(b"[]"), INVALID),
        _both("an object", body_of(b"{}"), INVALID),
        _both("half of JSON", body_of(ANSWER[:60]), INVALID, ERROR),
        _both("deep nesting", body_of(deep), INVALID),
        _both("bytes that are no UTF-8", body_of(odd % b"\xff\xfe"), OK),
        _both("a lone surrogate", body_of(odd % rb"\ud83d"), OK),
        _both("NaN", body_of(odd.replace(b"1700000000", b"NaN") % b"a"), OK),
        _both("a huge integer", body_of(odd.replace(b"1700000000", b"1" * 5000) % b"a"), OK),
        _both("a BOM", body_of(b"\xef\xbb\xbf" + odd % b"a"), OK),
        _both("UTF-16", body_of((odd % b"a").decode().encode("utf-16")), OK, ERROR),
        _both(
            "an error with status 200",
            body_of(b'{"error": {"message": "sorry"}}'),
            ERROR,
            "",
            "sorry",
        ),
        _both("choices that are null", body_of(b'{"choices": null}'), INVALID),
        _both("choices that are numbers", body_of(b'{"choices": [1]}'), INVALID),
        _both(
            "data after the answer",
            lambda kind, body: _raw(whole(kind, body) + b"HTTP/1.1 200 OK\r\n\r\n"),
            OK,
        ),
    ]


def _streams() -> list[Fault]:
    """Return faults of streams only; a plain call is answered."""
    fine = Reply(
        raw=[_head(JSON, f"Content-Length: {len(ANSWER)}") + b"\r\n" + ANSWER], abort="fin"
    )

    def stream(*events: bytes, abort: str | None = None, hold: float = 0.0) -> Reply:
        return Reply.stream(list(events), abort=abort, hold=hold)

    half = STREAM[: STREAM.index(b"ok") - 60]
    rows: list[tuple[str, Reply, str, tuple[str, ...]]] = [
        ("stream without [DONE]", stream(STREAM.replace(b"data: [DONE]\n\n", b"")), OK, ()),
        ("stream without a finish reason", stream(sse(chunk("a"), done=False)), CONNECTION, ()),
        ("stream of [DONE] only", stream(b"data: [DONE]\n\n"), CONNECTION, ("without an answer",)),
        ("stream of comments only", stream(b": a\n\n" * 9), CONNECTION, ("without an answer",)),
        ("stream of nothing", stream(b""), CONNECTION, ()),
        (
            "stream with an error",
            stream(half, b'data: {"error": {"message": "sorry"}}\n\n'),
            ERROR,
            ("sorry",),
        ),
        (
            "stream with an error event",
            stream(half, b"event: error\ndata: sorry\n\n"),
            ERROR,
            ("sorry",),
        ),
        (
            "stream with broken JSON",
            stream(half, b'data: {"choices": [{\n\n'),
            INVALID,
            ("not JSON",),
        ),
        ("stream with text", stream(half, b"data: hello\n\n", STREAM), INVALID, ("hello",)),
        ("stream with a list", stream(half, b"data: [1]\n\n"), INVALID, ()),
        (
            "stream that is silent after its finish",
            stream(STREAM[: STREAM.index(b"data: [DONE]")], hold=HANG),
            OK,
            (),
        ),
        ("stream that is silent after [DONE]", stream(STREAM, hold=HANG), OK, ()),
        ("stream that is reset after [DONE]", stream(STREAM, abort="rst"), OK, ()),
        ("stream that ends in CR", stream(STREAM.replace(b"\n", b"\r")), OK, ()),
        ("stream of bytes that are no UTF-8", stream(STREAM.replace(b"ok", b"\xff\xfe")), OK, ()),
        (
            "stream in single bytes",
            stream(*(STREAM[at : at + 1] for at in range(len(STREAM)))),
            OK,
            (),
        ),
        ("stream of another type", Reply(200, {"content-type": "text/plain"}, STREAM), OK, ()),
        ("stream without a type", Reply(200, {}, STREAM), OK, ()),
        ("stream in gzip", Reply.stream([STREAM], gzip=True), OK, ()),
    ]
    return [Fault(name, fine, reply, OK, outcome, words) for name, reply, outcome, words in rows]


FAULTS = [*_cut(), *_odd(), *_streams()]
