"""Server-sent events: any bytes, cut anywhere."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatlib.wire.sse import ServerSentEvent, SSEDecoder, read_events


def events(wire: bytes) -> list[ServerSentEvent]:
    """The events of a wire: read whole, and checked to be the same byte by byte and cut in two."""
    whole = list(read_events([wire]))
    assert whole == list(read_events(wire[at : at + 1] for at in range(len(wire))))
    for at in range(len(wire) + 1):
        assert whole == list(read_events([wire[:at], b"", wire[at:]])), at
    return whole


def data(wire: bytes) -> list[str]:
    """The data of the events of a wire."""
    return [event.data for event in events(wire)]


@pytest.mark.parametrize(
    ("expected", "wire"),
    [
        (["a"], b"data: a\n\n"),
        (["a", "b"], b"data: a\n\ndata: b\n\n"),
        (["a", "b", "c"], b"data: a\r\n\r\ndata: b\r\rdata: c\n\n"),
        (["a\nb"], b"data: a\ndata: b\n\n"),
        (["a\n\nb"], b"data: a\ndata\ndata: b\n\n"),
        (["a"], b"data:a\n\n"),
        ([" a"], b"data:  a\n\n"),
        ([""], b"data:\n\n"),
        ([""], b"data\n\n"),
        ([], b": comment\n\n:\n\n"),
        ([], b"event: ping\n\nid: 7\n\nretry: 3000\n\n\n\n"),
        (["a"], b"\xef\xbb\xbfdata: a\n\n"),
        (["\ufeff"], b"data: \xef\xbb\xbf\n\n"),
        (["last"], b"data: last"),
        (["last"], b"data: last\n"),
        (
            ["a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"],
            "data: a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\n\n".encode(),
        ),
        (["日本 ✅"], "data: 日本 ✅\n\n".encode()),
        (["\ufffd"], b"data: \xff\n\n"),
        (["a"], b"data: a\nunknown: b\n\n"),
        ([], b""),
        ([], b"\n\r\n\r"),
    ],
)
def test_data(expected: list[str], wire: bytes) -> None:
    """The examples of the standard, and what servers make of it, wherever the bytes are cut."""
    assert expected == data(wire)


def test_names_and_ids() -> None:
    """A name holds for one event, an id for all that follow."""
    expected = [
        ServerSentEvent("a", "greeting", "7"),
        ServerSentEvent("b", "message", "7"),
        ServerSentEvent("c", "message", ""),
    ]
    wire = b"event: greeting\nid: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n"
    assert expected == events(wire)


def test_name_without_data_is_forgotten() -> None:
    """The name of a block without data does not stick to the next event."""
    assert [ServerSentEvent("a")] == events(b"event: ping\n\ndata: a\n\n")


def test_id_with_nul_is_ignored() -> None:
    """The standard wants an id with a NUL ignored."""
    assert [ServerSentEvent("a")] == events(b"id: x\0y\ndata: a\n\n")


def test_error_field() -> None:
    """A field named error, which llama.cpp sends, reads as an event of that name."""
    assert [ServerSentEvent('{"code":400}', "error")] == events(b'error: {"code":400}\n\n')


def test_retry_is_kept() -> None:
    """The reconnection time is kept where it is a number."""
    decoder = SSEDecoder()
    decoder.feed(b"retry: 3000\nretry: soon\n\n")
    assert 3000 == decoder.retry


def test_event_is_given_with_its_last_byte() -> None:
    """No event waits for the byte after its blank line, not even after a lone CR."""
    decoder = SSEDecoder()
    assert [ServerSentEvent("a")] == decoder.feed(b"data: a\r\r")
    assert [] == decoder.feed(b"\n")
    assert [ServerSentEvent("b")] == decoder.feed(b"data: b\n\n")


line = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [b"data: x", b"data:", b"data", b": c", b"event: e", b"id: 1", b"retry: 2", b""]
    ),
)
wires = st.lists(
    st.tuples(line, st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n"])), max_size=12
).map(lambda lines: b"".join(text + end for text, end in lines))


@given(wire=wires, cuts=st.lists(st.integers(0, 100), max_size=8))
def test_cuts_never_matter(wire: bytes, cuts: list[int]) -> None:
    """Any bytes give the same events, however they are cut."""
    ends = sorted({min(cut, len(wire)) for cut in cuts} | {0, len(wire)})
    pieces = [wire[start:end] for start, end in pairwise(ends)]
    assert list(read_events([wire])) == list(read_events(pieces))


@given(
    texts=st.lists(
        st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1)
    )
)
def test_what_was_written_is_read(texts: list[str]) -> None:
    """Any text without newlines comes back as it was."""
    wire = "".join(f"data: {text}\n\n" for text in texts).encode()
    assert texts == [event.data for event in read_events([wire])]
