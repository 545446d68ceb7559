"""Fields that nobody knows and that stream come to what an answer in one piece would hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatlib import ChatCompletionStreamState, joined, structure, to_request
from chatlib.types import ChatCompletion, ChatCompletionChunk


def joined_deltas(*deltas: dict[str, Any], **fields: Any) -> Any:
    """The message that some deltas come to, and its choice."""
    sent = [{"index": 0, "delta": delta, **fields} for delta in deltas]
    chunks = [structure({"choices": [one]}, ChatCompletionChunk) for one in sent]
    return joined(chunks, partial=True).choices[0]


def detail(index: int | None = 0, **fields: Any) -> dict[str, Any]:
    entry = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": index, **fields}
    return {name: value for name, value in entry.items() if value is not None}


def thinking(text: str, signature: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": signature, **fields}


ENCRYPTED = {"type": "reasoning.encrypted", "data": "AAAA", "id": "rs_1", "index": 0}

# The entries of each delta, and the entries that they are.
BLOCKS: dict[str, tuple[list[list[Any]], list[Any]]] = {
    "one block in pieces": (
        [[detail(text="Let")], [detail(text=" me.")], [detail(signature="Et8")]],
        [detail(text="Let me.", signature="Et8")],
    ),
    "labels in the first piece only": (
        [[detail(text="a")], [{"index": 0, "text": "b"}], [{"index": 0, "signature": "s"}]],
        [detail(text="ab", signature="s")],
    ),
    "labels and signature in every piece": (
        [[detail(text="6", id="x", signature="s")], [detail(text="6", id="x", signature="s")]],
        [detail(text="66", id="x", signature="s")],
    ),
    "null and empty labels": (
        [[detail(text="a", signature="")], [{**detail(text="b"), "signature": None, "id": None}]],
        [{**detail(text="ab", signature=""), "id": None}],
    ),
    "two blocks": (
        [[detail(0, text="a")], [detail(1, text="b"), detail(0, text="c")], [detail(1, text="d")]],
        [detail(0, text="ac"), detail(1, text="bd")],
    ),
    "two pieces of a block in one delta": (
        [[detail(text="a"), detail(text="b")], [detail(signature="s")]],
        [detail(text="ab", signature="s")],
    ),
    "another type at the same index": (
        [[detail(text="a")], [ENCRYPTED], [detail(text="b")]],
        [detail(text="ab"), ENCRYPTED],
    ),
    "encrypted blocks": (
        [[ENCRYPTED], [{**ENCRYPTED, "data": "BBBB"}], [ENCRYPTED]],
        [ENCRYPTED, {**ENCRYPTED, "data": "BBBB"}],
    ),
    "other ids at the same index": (
        [[detail(text="a", id="x")], [detail(text="b", id="y")], [detail(text="c", id="x")]],
        [detail(text="ac", id="x"), detail(text="b", id="y")],
    ),
    "other signatures at the same index": (
        [[detail(text="a", signature="s")], [detail(text="b", signature="t")]],
        [detail(text="a", signature="s"), detail(text="b", signature="t")],
    ),
    "summaries": (
        [[{"type": "reasoning.summary", "summary": "a", "index": 0, "id": "x"}]] * 2,
        [{"type": "reasoning.summary", "summary": "aa", "index": 0, "id": "x"}],
    ),
    "a text that nobody knows": (
        [[{"index": 0, "kind": "k", "thought": "a"}], [{"index": 0, "kind": "k", "thought": "b"}]],
        [{"index": 0, "kind": "k", "thought": "ab"}],
    ),
    "without an index": (
        [[thinking("Let")], [thinking(" me.")], [thinking("", "Et8")]],
        [thinking("Let me.", "Et8")],
    ),
    "without an index, two blocks": (
        [[thinking("a")], [thinking("b", "s")], [thinking("c")], [thinking("d", "t")]],
        [thinking("ab", "s"), thinking("cd", "t")],
    ),
    "without an index, two whole blocks": (
        [[thinking("a", "s"), thinking("b", "t")]],
        [thinking("a", "s"), thinking("b", "t")],
    ),
    "without an index, two blocks in one delta": (
        [[thinking("a"), thinking("b")]],
        [thinking("a"), thinking("b")],
    ),
    "without an index, encrypted": (
        [[thinking("a", "s")], [{"type": "redacted_thinking", "data": "x"}], [thinking("b")]],
        [thinking("a", "s"), {"type": "redacted_thinking", "data": "x"}, thinking("b")],
    ),
    "items, not blocks": (
        [[{"type": "url_citation", "url_citation": {"url": "a"}}]] * 2,
        [{"type": "url_citation", "url_citation": {"url": "a"}}] * 2,
    ),
    "results": (
        [[{"title": "a", "snippet": "b"}], [{"title": "c", "snippet": "d"}]],
        [{"title": "a", "snippet": "b"}, {"title": "c", "snippet": "d"}],
    ),
    "images that all have index 0": (
        [[{"type": "image_url", "index": 0, "image_url": {"url": url}}] for url in "ab"],
        [{"type": "image_url", "index": 0, "image_url": {"url": url}} for url in "ab"],
    ),
    "inner blocks": (
        [
            [{"index": 0, "type": "r", "summary": [{"index": 0, "type": "s", "text": text}]}]
            for text in "ab"
        ],
        [{"index": 0, "type": "r", "summary": [{"index": 0, "type": "s", "text": "ab"}]}],
    ),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks(name: str) -> None:
    """Blocks are put together, items stay apart; what is sent back is what one piece would be."""
    deltas, expected = BLOCKS[name]
    made = joined_deltas(*({"role": "assistant", "content": "x", "blocks": d} for d in deltas))
    assert expected == made.message.blocks
    content = "x" * len(deltas)
    whole = {"role": "assistant", "content": content, "refusal": None, "blocks": expected}
    completion = structure({"choices": [{"index": 0, "message": whole}]}, ChatCompletion)
    assert to_request(completion.choices[0].message) == to_request(made.message)


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=3), st.booleans(), st.data())
def test_any_blocks_in_any_pieces(
    blocks: list[tuple[str, str]], has_index: bool, data: st.DataObject
) -> None:
    """Texts cut anywhere, then the signature, come to the blocks that they were cut from."""
    whole, deltas = [], []
    for at, (text, signature) in enumerate(blocks):
        index = at if has_index else None
        whole.append(detail(index, text=text, signature=signature))
        cut = data.draw(st.integers(1, len(text)))
        deltas += [detail(index, text=part) for part in (text[:cut], text[cut:]) if part]
        deltas.append(detail(index, signature=signature))
    made = joined_deltas(*({"reasoning_details": [one]} for one in deltas))
    assert whole == made.message.reasoning_details


def test_labels_are_set_once() -> None:
    """Also outside of lists; texts that are alike are texts all the same."""
    deltas = [
        {"reasoning": "6", "thought_signature": "AY", "model": "m", "state": state}
        for state in "ab"
    ]
    message = joined_deltas(*deltas).message
    assert ("66", "AY", "m", "b") == (
        message.reasoning,
        message.thought_signature,
        message.model,
        message.state,
    )


def test_logprobs_of_old_style_completions() -> None:
    """Their four lists go on."""
    parts = [
        {"tokens": [t], "token_logprobs": [-1.0], "top_logprobs": [{t: -1.0}], "text_offset": [at]}
        for at, t in enumerate("ab")
    ]
    sent = [{"index": 0, "delta": {"content": "x"}, "logprobs": part} for part in parts]
    chunks = [structure({"choices": [one]}, ChatCompletionChunk) for one in sent]
    logprobs = joined(chunks, partial=True).choices[0].logprobs
    assert logprobs is not None
    assert {
        "tokens": ["a", "b"],
        "token_logprobs": [-1.0, -1.0],
        "top_logprobs": [{"a": -1.0}, {"b": -1.0}],
        "text_offset": [0, 1],
    } == logprobs.to_dict()


@pytest.mark.parametrize("field", ["content", "refusal", "reasoning_content"])
@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([""], ""),
        ([None], None),
        ([None, ""], ""),
        (["", None], ""),
        (["", "a"], "a"),
        (["a", "", None], "a"),
    ],
)
def test_empty_and_null(field: str, pieces: list[Any], expected: Any) -> None:
    """An empty piece makes the text empty, null leaves it as it is."""
    deltas = [{"role": "assistant", field: piece} for piece in pieces]
    message = joined_deltas(*deltas).message
    assert expected == getattr(message, field)
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    seen: list[Any] = []
    for delta in deltas:
        sent = {"choices": [{"index": 0, "delta": delta}]}
        seen += state.handle_chunk(structure(sent, ChatCompletionChunk))
    snapshot = state.current_completion_snapshot.choices[0].message
    assert expected == getattr(snapshot, field)
    told = [event for event in seen if event.type == "chunk"]
    assert expected == getattr(told[-1].snapshot.choices[0].message, field)
    if field != "reasoning_content":
        told = [event for event in seen if event.type == f"{field}.delta"]
        assert [piece for piece in pieces if piece is not None] == [event.delta for event in told]
        assert expected == (told[-1].snapshot if told else None)
