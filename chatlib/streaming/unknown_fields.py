"""Merging of the fields that the library does not know, from chunk to chunk.

Strings are concatenated, labels are set once, numbers are replaced by the last, objects are merged
field by field, and null and "" replace nothing. Lists of objects that are the blocks of something,
such as reasoning_details (OpenRouter) and thinking_blocks (LiteLLM), are assembled like tool
calls; all other lists are concatenated.
"""

from __future__ import annotations

from typing import Any, TypeVar

from chatlib.types.base import JsonObject, converter
from chatlib.wire.surrogates import joined_text

J = TypeVar("J", bound=JsonObject)

_LABELS = frozenset(
    "id index name role type format signature object model provider url mime_type media_type "
    "encoding language detail encrypted_content thoughtSignature".split()
)
"""Fields that identify an object: equal in each delta that has them."""
_LABEL_ENDS = ("_id", "_type", "_format", "_signature", "_url")
_STATES = frozenset({"status", "state"})
"""Fields whose last value wins."""
_TEXTS = frozenset(
    "text thinking summary content reasoning reasoning_content reasoning_text thought thoughts "
    "refusal arguments input data delta transcript output code".split()
)
"""Fields whose values are concatenated, even if two successive ones are equal."""
_MAX_DEPTH = 50
"""The number of nested levels that are merged; a value nested more deeply replaces the old one."""


def _is_label(name: str) -> bool:
    return name in _LABELS or name.endswith(_LABEL_ENDS)


def merge(held: dict[str, Any], new: dict[str, Any], *, level: int = 0) -> None:
    """Merge unknown fields in place.

    A string equal to the one held is a repeated label, unless its name is that of a text.

    Args:
        held: The fields merged so far.
        new: The fields of the next delta.
        level: The nesting depth of ``held``.
    """
    for name, value in new.items():
        old = held.get(name)
        if value is None:
            held.setdefault(name, None)
        elif isinstance(value, str):
            if _is_label(name):
                held[name] = old or value
            elif name in _STATES:
                held[name] = value or old or value
            elif not isinstance(old, _TextParts):
                held[name] = _TextParts([value])
            elif name in _TEXTS or len(old) > 1 or old[0] != value:
                old.append(value)
        elif level >= _MAX_DEPTH:
            held[name] = value
        elif isinstance(value, list):
            if not isinstance(old, _Items):
                held[name] = old = _Items()
            _merge_list(old, value, level + 1)
        elif isinstance(value, dict):
            if not isinstance(old, dict):
                held[name] = old = {}
            merge(old, value, level=level + 1)
        else:
            held[name] = value


def _merge_list(held: _Items, new: list[Any], level: int) -> None:
    """Merge unknown lists in place: continue the matching block, or append."""
    taken: set[int] = set()  # ids of the blocks that this list has continued or begun
    for entry in new:
        if not isinstance(entry, dict):
            held.append(entry)
            continue
        if _is_encrypted(entry) and any(_is_repeated(entry, block) for block in held):
            continue
        block = _find_block(entry, held, taken)
        if block is None:
            block = {}
            held.append(block)
            if isinstance(entry.get("index"), (int, str)):
                held.by_index.setdefault(entry["index"], []).append(block)
        taken.add(id(block))
        merge(block, _without_repeats(entry, block), level=level)


def _without_repeats(entry: dict[str, Any], block: dict[str, Any]) -> dict[str, Any]:
    """Return an entry without the texts that repeat those of its block.

    LiteLLM sends the signature of a thinking block beside the whole of its text
    (open-webui#29860).
    """
    if not entry.get("signature") or block.get("signature"):
        return entry
    return {
        name: value
        for name, value in entry.items()
        if not (name in _TEXTS and value and copied(block.get(name)) == value)
    }


def _find_block(entry: dict[str, Any], held: _Items, taken: set[int]) -> dict[str, Any] | None:
    """Return the block that an entry continues, or None if it begins a new one."""
    index = entry.get("index")
    if isinstance(index, (int, str)):
        alike = reversed(held.by_index.get(index, []))
        return next((block for block in alike if _is_compatible(entry, block)), None)
    # Without an index, an entry can only continue the latest block, with more of its text or with
    # the signature that ends it. An object with any other field is a new item.
    block = held[-1] if held else None
    if not (isinstance(block, dict) and block.get("index") is None and entry.get("type")):
        return None
    if not (_is_text_delta(entry) and _is_text_delta(block) and block.get("type") == entry["type"]):
        return None
    brings_text = any(entry.get(name) for name in entry.keys() & _TEXTS)
    if brings_text and (block.get("signature") or id(block) in taken):
        return None
    return block if _is_compatible(entry, block) else None


def _is_compatible(entry: dict[str, Any], block: dict[str, Any], level: int = 0) -> bool:
    """Return whether no label of an entry conflicts with a block and neither is encrypted."""
    if _is_encrypted(entry) or _is_encrypted(block):
        return False
    for name, value in entry.items():
        held = block.get(name)
        if not value or not held:
            continue
        if isinstance(value, dict) and isinstance(held, dict):
            if level < 3 and not _is_compatible(value, held, level + 1):
                return False
        elif _is_label(name) and isinstance(value, (str, int)) and value != held:
            return False
    return True


def _is_repeated(entry: dict[str, Any], block: Any) -> bool:
    """Return whether an encrypted entry repeats a block."""
    return isinstance(block, dict) and all(
        copied(block.get(name)) == value
        for name, value in entry.items()
        if isinstance(value, (str, int))
    )


def _is_encrypted(entry: dict[str, Any]) -> bool:
    """Return whether an entry is encrypted, and therefore complete in itself."""
    kind = entry.get("type")
    return isinstance(kind, str) and ("encrypted" in kind or "redacted" in kind)


def _is_text_delta(entry: dict[str, Any]) -> bool:
    """Return whether an entry has no fields but labels and texts."""
    return any(name in _TEXTS or "signature" in name for name in entry) and all(
        value is None
        or (name in _TEXTS and isinstance(value, (str, _TextParts)))
        or (_is_label(name) and isinstance(value, str))
        for name, value in entry.items()
    )


class _TextParts(list[str]):
    """A string under construction, as a list of its parts."""


class _Items(list[Any]):
    """A list under construction, with the objects in it by their ``index``."""

    def __init__(self) -> None:
        super().__init__()
        self.by_index: dict[int | str, list[dict[str, Any]]] = {}


def copied(value: Any, level: int = 0) -> Any:
    """Return a copy of merged fields, with strings joined.

    Args:
        value: The value of a field, as :func:`merge` left it.
        level: Its nesting depth.
    """
    if isinstance(value, _TextParts):
        return joined_text(value)
    if level > _MAX_DEPTH + 2:  # nothing is merged there
        return value
    if isinstance(value, dict):
        return {name: copied(item, level + 1) for name, item in value.items()}
    return [copied(item, level + 1) for item in value] if isinstance(value, list) else value


def replace_fields(held: dict[str, Any], new: dict[str, Any]) -> None:
    """Update unknown fields in place, the new values winning; null replaces nothing."""
    for name, value in new.items():
        if value is not None or name not in held:
            held[name] = value


def add_extra(value: J, extra: dict[str, Any]) -> J:
    """Add merged unknown fields to an object, in place.

    Args:
        value: An object of the API, assembled from chunks.
        extra: The merged fields; one may be a known field of the assembled object.

    Returns:
        The same object.
    """
    if extra:
        decoded = converter().structure(copied(extra), type(value))
        for name in decoded._names:
            if name in decoded._defaults and name not in value._names:
                setattr(value, name, getattr(decoded, name))
        value.extra.update(decoded.extra)
    return value
