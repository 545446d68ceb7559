"""Replies that break, stall or violate HTTP, each with the name of what is wrong."""

from __future__ import annotations

import gzip
import zlib

from chatlib.testing.loopback import Reply

PARTIAL = {"content-type": "application/json", "content-length": "9999"}
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

DRIBBLE: list[bytes | float] = [b"x", 0.05] * 400

BROKEN = {
    "before the headers, closed": Reply.nothing(),
    "before the headers, reset": Reply.nothing(abort="rst"),
    "inside the headers, reset": Reply(raw=[b"HTTP/1.1 200 OK\r\nContent-Ty", 0.05], abort="rst"),
    "not HTTP": Reply(raw=b"SSH-2.0-OpenSSH_9.9\r\n", abort="fin"),
    "after the headers, closed": Reply(200, PARTIAL, abort="fin"),
    "after the headers, reset": Reply(200, PARTIAL, [0.05], abort="rst"),
    "inside the body, closed": Reply(200, PARTIAL, b'{"a": ', framing="length", abort="fin"),
    "inside the body, reset": Reply(200, PARTIAL, [b'{"a": ', 0.05], framing="length", abort="rst"),
    "inside a chunk, closed": Reply(raw=CHUNKED + b"20\r\n{", abort="fin"),
    "between two chunks, closed": Reply.stream([b"a"], abort="fin"),
    "between two chunks, reset": Reply.stream([b"a", 0.05], abort="rst"),
    "before the last chunk, compressed": Reply.stream([b"a", b"b"], abort="fin", gzip=True),
}
"""Replies that break the connection, by where and how."""

_GZIPPED = gzip.compress(b"whole")
_TWICE = gzip.compress(_GZIPPED)
_DEFLATE = zlib.compressobj(wbits=-15)
_RAW_DEFLATE = _DEFLATE.compress(b"whole") + _DEFLATE.flush()
_IN_CHUNKS = b"2\r\nwh\r\n3\r\nole\r\n0\r\n\r\n"
_FIVE = "Content-Length: 5"


def _said(*lines: str | bytes, status: str = "HTTP/1.1 200 OK", end: bytes = b"\r\n") -> bytes:
    """Encode the head of a response from its lines."""
    first = status.encode("latin-1")
    rest = (line if isinstance(line, bytes) else line.encode("latin-1") for line in lines)
    return end.join([first, *rest, b"", b""])


TOLERATED: dict[str, bytes] = {
    "a length beside chunks": _said("Content-Length: 9999", "Transfer-Encoding: chunked")
    + _IN_CHUNKS,
    "a length behind chunks": _said("Transfer-Encoding: chunked", "Content-Length: 3") + _IN_CHUNKS,
    "chunked, twice": _said("Transfer-Encoding: chunked", "transfer-encoding: Chunked")
    + _IN_CHUNKS,
    "chunks with extensions, blanks, zeros and a trailer": _said("Transfer-Encoding: chunked")
    + b'2;a=b; c="d"\r\nwh\r\n003  \r\nole\r\n00;x\r\nX: 1\r\n\r\n',
    "chunks with lone line feeds": _said("Transfer-Encoding: chunked") + b"2\nwh\n3\nole\n0\n\n",
    "chunks that end with the connection": _said("Transfer-Encoding: chunked") + _IN_CHUNKS[:-2],
    "a length, twice": _said(_FIVE, _FIVE) + b"whole",
    "a length, twice in a line": _said("Content-Length: 5, 5") + b"whole",
    "more than its length": _said(_FIVE) + b"whole, and more",
    "more than its chunks": _said("Transfer-Encoding: chunked") + _IN_CHUNKS + b"more",
    "no length": _said() + b"whole",
    "an empty length": _said("Content-Length:") + b"whole",
    "a negative length": _said("Content-Length: -1") + b"whole",
    "identity as transfer encoding": _said("Transfer-Encoding: identity", _FIVE) + b"whole",
    "gzip as transfer encoding": _said("Transfer-Encoding: gzip, chunked")
    + b"%x\r\n%b\r\n0\r\n\r\n" % (len(_GZIPPED), _GZIPPED),
    "gzip": _said("Content-Encoding: gzip") + _GZIPPED,
    "x-gzip, in capitals": _said("CONTENT-ENCODING: X-GZIP") + _GZIPPED,
    "gzip, gzip": _said("Content-Encoding: gzip, gzip") + _TWICE,
    "gzip in two headers": _said("Content-Encoding: gzip", "Content-Encoding: gzip") + _TWICE,
    "gzip over deflate": _said("Content-Encoding: deflate,gzip")
    + gzip.compress(zlib.compress(b"whole")),
    "gzip of two members, and padding": _said("Content-Encoding: gzip")
    + gzip.compress(b"who")
    + gzip.compress(b"le")
    + b"\0\0",
    "deflate": _said("Content-Encoding: deflate") + zlib.compress(b"whole"),
    "deflate without its header": _said("Content-Encoding: deflate") + _RAW_DEFLATE,
    "not a coding: UTF-8": _said("Content-Encoding: UTF-8", _FIVE) + b"whole",
    "not a coding: none": _said("Content-Encoding: none", _FIVE) + b"whole",
    "not a coding: identity": _said("Content-Encoding: identity", _FIVE) + b"whole",
    "not a coding: empty": _said("Content-Encoding:", _FIVE) + b"whole",
    "not a coding: chunked": _said("Content-Encoding: aws-chunked", _FIVE) + b"whole",
    "gzip, and not a coding": _said("Content-Encoding: identity, gzip, utf-8") + _GZIPPED,
    "140 headers": _said(*(f"X-{n}: {n}" for n in range(140)), _FIVE) + b"whole",
    "150 cookies": _said(*(f"Set-Cookie: a{n}=b; Path=/" for n in range(150)), _FIVE) + b"whole",
    "a line without a colon": _said("X-A: 1", "what is this", _FIVE, "X-B: 2") + b"whole",
    "a header without a name": _said("X-A: 1", ": 2", _FIVE) + b"whole",
    "a name with a blank in it": _said("X-A: 1", "a b: 2", _FIVE) + b"whole",
    "a name of no letters": _said("X-A: 1", b"\xff\x00: 2", _FIVE) + b"whole",
    "a blank before the colon": _said("Content-Length : 5") + b"whole",
    "control characters": _said("X-A: \x01\x0b\x0c\x1c\x1f\x7f\x85", "X-B: \0", _FIVE) + b"whole",
    "a carriage return in a header": _said("X-A: 1\r2", _FIVE) + b"whole",
    "headers that are folded": _said("X-A: 1\r\n 2\r\n\t3", _FIVE) + b"whole",
    "bytes that are not ASCII": _said(b"X-A: \xe6\x97\xa5", b"X-B: \xe9", _FIVE) + b"whole",
    "lone line feeds": _said("X-A: 1", _FIVE, end=b"\n") + b"whole",
    "no reason": _said(_FIVE, status="HTTP/1.1 200 ") + b"whole",
    "no reason, and no blank": _said(_FIVE, status="HTTP/1.1 200") + b"whole",
    "two blanks": _said(_FIVE, status="HTTP/1.1  200  OK") + b"whole",
    "HTTP/1.0": _said(_FIVE, status="HTTP/1.0 200 OK") + b"whole",
    "HTTP/2, as text": _said(_FIVE, status="HTTP/2 200") + b"whole",
    "an empty line before it": b"\r\n" + _said(_FIVE) + b"whole",
    "hints before it": _said(status="HTTP/1.1 100 Continue")
    + _said("Link: </a>", status="HTTP/1.1 103 Early Hints")
    + _said(_FIVE)
    + b"whole",
    "a type of many parts": _said("Content-Type: multipart/mixed; boundary=a", _FIVE) + b"whole",
}
"""Malformed or unusual responses that must be accepted, with the body ``whole``."""

INVALID: dict[str, bytes] = {
    "another protocol": b"SSH-2.0-OpenSSH_9.9\r\n",
    "another protocol, without a line end": b"+OK",
    "JSON": b'{"a": 1}',
    "letters": b"a" * 40_000,
    "a long word": b"Connection" * 3_000 + b"\r\n",
    "an invalid version": _said(status="HTTP/x 200 OK"),
    "an invalid status": b"HTTP/1.1 OK 200\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n",
    "a status line without an end": b"HTTP/1.1 200 " + b"O" * 40_000,
    "another protocol from now on": _said("Upgrade: x", status="HTTP/1.1 101 Switching Protocols"),
    "lengths that contradict each other": _said(_FIVE, "Content-Length: 6") + b"whole",
    "an invalid length": _said("Content-Length: five") + b"whole",
    "a length of 5000 digits": _said("Content-Length: " + "9" * 5000) + b"whole",
    "too many headers": _said(*["a: b"] * 3000, _FIVE) + b"whole",
    "too long headers": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 600_000,
    "chunked, without chunks": _said("Transfer-Encoding: chunked") + b"whole",
    "a chunk that is longer than its size": _said("Transfer-Encoding: chunked") + b"2\r\nwhole",
    "a chunk of a negative size": _said("Transfer-Encoding: chunked") + b"-5\r\nwhole\r\n",
    "a size without an end": _said("Transfer-Encoding: chunked") + b"1" * 20_000,
    "an unsupported coding": _said("Content-Encoding: compress", "Content-Length: 999") + b"whole",
    "a coding that does not match": _said("Content-Encoding: gzip", "Content-Length: 999")
    + b"whole",
    "too many codings": _said("Content-Encoding: " + ", ".join(["gzip"] * 9), "Content-Length: 999")
    + b"whole",
}
"""Malformed responses that must be rejected, although the connection stays open."""

DRIPPING: dict[str, tuple[bytes, bytes]] = {
    "a status line": (b"HTTP/1.1 200 ", b"x"),
    "a header": (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n"),
    "hints": (b"", _said(status="HTTP/1.1 103 Early Hints")),
    "the size of a chunk": (CHUNKED, b"0"),
    "a chunk's extension": (CHUNKED + b"5;", b"x"),
    "a chunk": (CHUNKED + b"10000\r\n", b"x"),
    "a trailer": (CHUNKED + b"5\r\nwhole\r\n0\r\nX: ", b"x"),
    "trailers": (CHUNKED + b"5\r\nwhole\r\n0\r\n", b"X: 1\r\n"),
    "a body": (_said("Content-Length: 10000"), b"x"),
    "a body without a length": (_said(), b"x"),
}
"""Responses that arrive byte by byte: their beginning, and what is sent repeatedly."""
