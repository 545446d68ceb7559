"""A stream and its completion: what has come so far, the whole, and what is neither."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from chatlib import (
    APIError,
    ChunkReader,
    HttpResponse,
    IncompleteStreamError,
    build_create,
    joined,
    read_chunks,
    read_completion,
    structure,
)
from chatlib.config import Config
from chatlib.testing import InMemoryServer, fault, stream
from chatlib.types import ChatCompletionChunk
from tests import faces

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def open_stream(*replies: Any, **params: Any) -> Any:
    client = faces.client(transport=InMemoryServer(*replies), max_retries=0)
    return client.chat.completions.create(stream=True, **ASK, **params)


def events(*chunks: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)


def piece(text: str | None = None, index: int = 0, **fields: Any) -> dict[str, Any]:
    delta = {"content": text} if text is not None else {}
    return {"id": "c1", "choices": [{"index": index, "delta": delta, **fields}]}


DONE = b"data: [DONE]\n\n"


# The stream of a client -------------------------------------------------------------------------


@pytest.mark.usefixtures("face")
def test_the_completion_of_a_stream_that_was_printed() -> None:
    """It is there after the loop, whole, as often as it is asked for."""
    chunks = open_stream(stream("Hel", "lo"))
    assert [] == chunks.completion.choices
    assert ["Hel", "lo", ""] == [chunk.text for chunk in chunks]
    for _ in range(2):
        final = chunks.get_final_completion()
        assert ("Hello", "stop") == (final.text, final.choices[0].finish_reason)
    assert final == chunks.completion
    assert 200 == final.http.status


@pytest.mark.usefixtures("face")
def test_the_completion_so_far() -> None:
    """It grows, and reading to the end begins where the loop stopped."""
    with open_stream(stream("Hel", "lo")) as chunks:
        next(chunks)
        early = chunks.completion
        assert "Hello" == chunks.get_final_completion().text
        assert "Hel" == early.text
        assert [] == list(chunks)


@pytest.mark.usefixtures("face")
def test_done_is_an_end() -> None:
    """With ``[DONE]`` alone no finish reason is invented."""
    final = open_stream(stream("Hi", finish_reason=None)).get_final_completion()
    assert ("Hi", None) == (final.text, final.choices[0].finish_reason)


@pytest.mark.usefixtures("face")
@pytest.mark.parametrize(
    "reply",
    [
        stream("Hel", "lo", finish_reason=None, done=False),
        fault("reset", after=stream("Hel", "lo", finish_reason=None, done=False)),
        fault("timeout", after=stream("Hel", "lo", finish_reason=None, done=False)),
        stream("Hel", "lo", {"error": {"message": "No more."}}),
    ],
)
def test_a_stream_that_failed(reply: Any) -> None:
    """Its whole is the error, each time; what came can be had."""
    chunks = open_stream(reply)
    for _ in range(2):
        with pytest.raises(APIError) as caught:
            chunks.get_final_completion()
        assert caught.value.completion is not None
        assert "Hello" == caught.value.completion.text
    assert "Hello" == chunks.completion.text


@pytest.mark.usefixtures("face")
def test_a_stream_that_was_left() -> None:
    """Half of it is no whole."""
    with open_stream(stream("Hel", "lo")) as chunks:
        next(chunks)
    with pytest.raises(IncompleteStreamError, match="closed before its end") as caught:
        chunks.get_final_completion()
    assert caught.value.completion is not None
    assert "Hel" == caught.value.completion.text == chunks.completion.text


@pytest.mark.usefixtures("face")
def test_a_whole_completion_in_place_of_a_stream() -> None:
    """It is the whole."""
    body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}}]}
    chunks = open_stream(lambda request: HttpResponse(200, {}, json.dumps(body).encode()))
    assert "Hi" == chunks.get_final_completion().text


# joined() ---------------------------------------------------------------------------------------


def sync_stream(*replies: Any, **params: Any) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faces, "now", faces.Face("sync"))
        return open_stream(*replies, **params)


def test_joined_stream() -> None:
    """All of a stream is its completion."""
    assert "Hello" == joined(sync_stream(stream("Hel", "lo"))).text
    assert "Hello" == joined(list(sync_stream(stream("Hel", "lo")))).text


@pytest.mark.parametrize("read", [1, 2, 3])
def test_joined_rest_of_a_stream(read: int) -> None:
    """It lacks its beginning: that is an error with all that came."""
    chunks = sync_stream(stream("Hel", "lo"))
    for _ in range(read):
        next(chunks)
    with pytest.raises(IncompleteStreamError, match="get_final_completion") as caught:
        joined(chunks)
    assert caught.value.completion is not None
    assert "Hello" == caught.value.completion.text
    assert "Hello" == chunks.get_final_completion().text


def test_joined_rest_of_a_list() -> None:
    """A list tells as well; an empty first chunk, which Azure sends, may be missing."""
    first = {"id": "", "choices": [], "prompt_filter_results": []}
    body = events(first, piece("Hel"), piece("lo"), piece(finish_reason="stop")) + DONE
    chunks = list(read_chunks(HttpResponse(200, {}, body)))
    assert "Hello" == joined(chunks).text == joined(chunks[1:]).text
    with pytest.raises(IncompleteStreamError, match="beginning is missing") as caught:
        joined(chunks[2:])
    assert caught.value.completion is not None
    assert "lo" == caught.value.completion.text
    assert "lo" == joined(chunks[2:], partial=True).text
    assert "Hello" == joined(pickle.loads(pickle.dumps(chunks))).text
    with pytest.raises(IncompleteStreamError):
        joined(copy.copy(chunk) for chunk in chunks[2:])


@pytest.mark.parametrize("reasons", [(), ("stop",)])
def test_joined_beginning_of_a_list(reasons: Any) -> None:
    """Each choice that began needs its finish reason."""
    chunks = [piece("A"), piece("B", 1), *(piece(finish_reason=reason) for reason in reasons)]
    made = [structure(chunk, ChatCompletionChunk) for chunk in chunks]
    with pytest.raises(IncompleteStreamError, match="end is missing") as caught:
        joined(made)
    assert caught.value.completion is not None
    assert ["A", "B"] == [c.message.content for c in caught.value.completion.choices]
    made.append(structure(piece("", 1, finish_reason="stop"), ChatCompletionChunk))
    assert bool(reasons) == (len(reasons) == 1)
    if reasons:
        assert "A" == joined(made).text


def test_joined_list_that_done_ended() -> None:
    """Chunks that were read to ``[DONE]`` are whole without a finish reason; fewer are not."""
    body = events(piece("Hel"), piece("lo")) + DONE
    for response in (HttpResponse(200, {}, body), None):
        reader = ChunkReader(response)
        chunks = list(reader.feed(body))
        assert "Hello" == joined(chunks).text
        with pytest.raises(IncompleteStreamError):
            joined(chunks[:1])
    assert "Hello" == joined(read_chunks(HttpResponse(200, {}, body))).text
    assert "Hello" == read_completion(HttpResponse(200, {}, body)).text


def test_joined_nothing() -> None:
    """No choice is no answer."""
    for nothing in ([], [structure({"choices": []}, ChatCompletionChunk)]):
        with pytest.raises(IncompleteStreamError, match="there is no choice"):
            joined(nothing)
        assert [] == joined(nothing, partial=True).choices


def test_joined_what_is_no_chunk() -> None:
    """The error says what it takes."""
    for wrong in (3, [3], [{"choices": []}]):
        with pytest.raises(TypeError, match=r"accumulate\(\) takes"):
            joined(wrong)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        face = faces.Face("async")
        patch.setattr(faces, "now", face)
        chunks = open_stream(stream("Hi"))
        with pytest.raises(TypeError, match=r"await stream\.get_final_completion"):
            joined(faces.unwrap(chunks))
        chunks.close()
        face.close()


# Indexes of choices -----------------------------------------------------------------------------

WORDS = ["Yes", ",", " may", "be"]


def counting(*, same_id: bool, start: int = 0) -> bytes:
    """One answer whose server counts chunks in the index."""
    chunks = [piece(word, start + at) for at, word in enumerate(WORDS)]
    chunks.append(piece("", start + len(WORDS), finish_reason="stop"))
    if not same_id:
        for at, chunk in enumerate(chunks):
            chunk["id"] = f"chat.id.{at}"
    return events(*chunks) + DONE


def reply(body: bytes) -> Any:
    return lambda request: HttpResponse(200, {"content-type": "text/event-stream"}, body)


def request(**params: Any) -> Any:
    return build_create(Config(api_key="k"), **ASK, stream=True, **params)


@pytest.mark.usefixtures("face")
@pytest.mark.parametrize("same_id", [True, False])
@pytest.mark.parametrize("start", [0, 1, 197])
@pytest.mark.parametrize("params", [{}, {"n": 1}, {"n": None}, {"metadata": {"n": "2"}}])
def test_an_index_that_counts_chunks(same_id: bool, start: int, params: Any) -> None:
    """Where one answer was asked for, it is one; each chunk has its text."""
    body = counting(same_id=same_id, start=start)
    client = faces.client(transport=InMemoryServer(default=reply(body)), max_retries=0)
    stream = client.chat.completions.create(stream=True, **ASK, **params)
    chunks = list(stream)
    assert [*WORDS, ""] == [chunk.text for chunk in chunks]
    assert [start + at for at in range(5)] == [chunk.choices[0].index for chunk in chunks]
    for made in (stream.get_final_completion(), joined(chunks)):
        assert ["Yes, maybe"] == [choice.message.content for choice in made.choices]
        assert "stop" == made.choices[0].finish_reason
    with client.chat.completions.stream(**ASK, **params) as told:
        seen = list(told)
    assert WORDS == [e.delta for e in seen if e.type == "content.delta" and e.delta]
    assert ["Yes, maybe"] == [e.content for e in seen if e.type == "content.done"]
    snapshots = [e.snapshot.text for e in seen if e.type == "chunk"]
    assert ["Yes", "Yes,", "Yes, may", "Yes, maybe", "Yes, maybe"] == snapshots
    assert 1 == len(told.get_final_completion().choices)


def test_an_index_that_counts_chunks_where_the_request_is_not_known() -> None:
    """The ids of the chunks, which differ, say that it is one answer."""
    chunks = list(read_chunks(HttpResponse(200, {}, counting(same_id=False))))
    assert [*WORDS, ""] == [chunk.text for chunk in chunks]
    assert ["Yes, maybe"] == [choice.message.content for choice in joined(chunks).choices]


def test_an_answer_longer_than_choices_can_be_many() -> None:
    """Whoever counts further than 128 counts chunks, whatever comes then."""
    chunks = [piece("x", at) for at in range(300)] + [piece("y", 0, finish_reason="stop")]
    response = HttpResponse(200, {}, events(*chunks) + DONE, request=request())
    assert ["x" * 300 + "y"] == [c.message.content for c in joined(read_chunks(response)).choices]


TWO = {
    "in turns": [(0, "A"), (1, "B"), (0, "a"), (1, "b"), (0, None), (1, None)],
    "one after the other": [(0, "A"), (0, "a"), (0, None), (1, "B"), (1, "b"), (1, None)],
    "the second first": [(1, "B"), (0, "A"), (0, "a"), (1, "b"), (1, None), (0, None)],
    "the end of one before the other": [
        (0, "A"),
        (1, "B"),
        (1, "b"),
        (1, None),
        (0, "a"),
        (0, None),
    ],
}


@pytest.mark.parametrize("order", TWO)
@pytest.mark.parametrize("known", ["n=2", "not known", "n=1"])
def test_two_answers_stay_two(order: str, known: str) -> None:
    """Also where nobody knows how many were asked for, or one was."""
    chunks = [
        piece(text, index) if text else piece("", index, finish_reason="stop")
        for index, text in TWO[order]
    ]
    asked = {"n=2": request(n=2), "not known": None, "n=1": request()}[known]
    for body in (events(*chunks), events(*chunks) + DONE):
        read = list(read_chunks(HttpResponse(200, {}, body, request=asked)))
        for made in (joined(read), joined(chunk for chunk in read)):
            assert ["Aa", "Bb"] == [choice.message.content for choice in made.choices]
            assert ["stop", "stop"] == [choice.finish_reason for choice in made.choices]
        if known != "n=1":
            assert "Aa" == "".join(chunk.text for chunk in read)


@pytest.mark.usefixtures("face")
@pytest.mark.parametrize("order", TWO)
def test_events_of_two_answers(order: str) -> None:
    """Where two were asked for, each has its own."""
    chunks = [
        piece(text, index) if text else piece("", index, finish_reason="stop")
        for index, text in TWO[order]
    ]
    client = faces.client(transport=InMemoryServer(default=reply(events(*chunks) + DONE)))
    with client.chat.completions.stream(n=2, **ASK) as told:
        done = {e.index: e.content for e in told if e.type == "content.done"}
    assert {0: "Aa", 1: "Bb"} == done


def test_two_choices_in_one_chunk_are_two() -> None:
    """Whatever was asked for."""
    both = {"choices": [*piece("B", 1)["choices"], *piece("A", 0)["choices"]]}
    body = events(both, piece("b", 1), piece("a", 0)) + DONE
    read = list(read_chunks(HttpResponse(200, {}, body, request=request())))
    assert ["Aa", "Bb"] == [choice.message.content for choice in joined(read).choices]
    assert "Aa" == "".join(chunk.text for chunk in read)
