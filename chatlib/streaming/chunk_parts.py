"""The parts of a chunk that events are made of."""

from __future__ import annotations

from chatlib.types.chunk import ChatCompletionChunk, ChoiceDelta, ChunkChoice


def parts_of(
    chunk: ChatCompletionChunk, pieces: list[ChunkChoice]
) -> list[tuple[ChatCompletionChunk, list[ChunkChoice]]]:
    """Split a chunk so that each part has each choice once; nearly always the chunk itself."""
    if len(pieces) < 2 or len(pieces) == len({_index(piece) for piece in pieces}):
        return [(chunk, pieces)]
    return [(chunk.replace(choices=[piece]), [piece]) for piece in pieces]


def _index(piece: ChunkChoice) -> int:
    return piece.index if isinstance(piece.index, int) else 0


def choices_of(chunk: ChatCompletionChunk) -> list[ChunkChoice]:
    """Return the valid choices of a chunk; a server may send anything."""
    pieces = chunk.choices
    if not isinstance(pieces, list):
        return []
    if len(pieces) == 1 and isinstance(pieces[0], ChunkChoice):
        return pieces
    return [piece for piece in pieces if isinstance(piece, ChunkChoice)]


def log_entry(chunk: ChatCompletionChunk, pieces: list[ChunkChoice]) -> str | ChatCompletionChunk:
    """Return the text of a chunk that only adds text to the first choice, else the chunk."""
    if len(pieces) == 1 and not (chunk._extra or chunk.usage or chunk.moderation):
        piece = pieces[0]
        delta = piece.delta
        if (
            piece.index == 0
            and isinstance(delta, ChoiceDelta)
            and delta._names == ("content",)
            and delta.content.__class__ is str
            and not (piece.finish_reason or piece.logprobs or piece._extra or delta._extra)
        ):
            return str(delta.content)
    return chunk
