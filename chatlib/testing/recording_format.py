"""Read the file of a recording, and say what is wrong in one that was edited."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chatlib.testing.exchanges import VERSION
from chatlib.types.json_values import read_json

MOST_DEPTH = 300
"""How many levels deep the JSON of a recording may be nested."""


def read_recording(path: Path) -> list[dict[str, Any]]:
    """Return the exchanges of a recording.

    Args:
        path: The file.

    Raises:
        ValueError: It is not a recording of a supported version. The message has the file, the
            place in it, and what is wrong there.
        FileNotFoundError: There is no file.
    """
    content = path.read_bytes()
    try:
        whole = read_json(content, depth=MOST_DEPTH)
    except ValueError as error:
        raise ValueError(f"{path} is not a recording: it is not JSON: {error}") from None
    if not isinstance(whole, dict) or whole.get("version") != VERSION:
        raise ValueError(f"{path} is not a recording, or of an unsupported version")
    try:
        exchanges = _required(whole, "exchanges", _is_list, "a list", "")
        for at, exchange in enumerate(exchanges):
            _check_exchange(exchange, f"exchanges[{at}]")
    except _Invalid as invalid:
        raise ValueError(f"{path} is not a valid recording: {invalid}") from None
    return exchanges  # type: ignore[no-any-return]


class _Invalid(Exception):
    """The place of what is wrong, and what is expected there."""


_Check = Callable[[Any], bool]


def _required(outer: dict[str, Any], name: str, check: _Check, kind: str, where: str) -> Any:
    place = f"{where}.{name}" if where else name
    if name not in outer:
        raise _Invalid(f"{place} is missing")
    if not check(outer[name]):
        raise _Invalid(f"{place} must be {kind}, not {_shown(outer[name])}")
    return outer[name]


def _optional(outer: dict[str, Any], name: str, check: _Check, kind: str, where: str) -> Any:
    return _required(outer, name, check, kind, where) if name in outer else None


def _check_exchange(exchange: Any, where: str) -> None:
    if not _is_object(exchange):
        raise _Invalid(f"{where} must be an object, not {_shown(exchange)}")
    request = _required(exchange, "request", _is_object, "an object", where)
    inside = f"{where}.request"
    for name in ("method", "url"):
        _required(request, name, _is_text, "a string", inside)
    _check_content(request, inside)
    _optional(exchange, "after", _is_seconds, "a number of seconds", where)
    if "error" in exchange:
        _check_error(exchange, where)
        return
    response = _required(exchange, "response", _is_object, "an object", where)
    inside = f"{where}.response"
    _required(response, "status", _is_status, "an HTTP status", inside)
    _required(response, "headers", _are_headers, "an object of strings", inside)
    _optional(response, "after", _is_seconds, "a number of seconds", inside)
    if "error" in response:
        _check_error(response, inside)
    if "pieces" not in response:
        _check_content(response, inside)
        return
    pieces = _required(response, "pieces", _is_list, "a list", inside)
    for at, piece in enumerate(pieces):
        if not _is_object(piece):
            raise _Invalid(f"{inside}.pieces[{at}] must be an object, not {_shown(piece)}")
        _optional(piece, "after", _is_seconds, "a number of seconds", f"{inside}.pieces[{at}]")
        _check_content(piece, f"{inside}.pieces[{at}]")


def _check_error(outer: dict[str, Any], where: str) -> None:
    error = _required(outer, "error", _is_object, "an object", where)
    _required(error, "kind", _is_text, "a string", f"{where}.error")
    _required(error, "message", _is_text, "a string", f"{where}.error")
    _optional(error, "retryable", _is_bool, "true or false", f"{where}.error")
    _optional(error, "limit", _is_limit, "the name of a timeout", f"{where}.error")


def _check_content(outer: dict[str, Any], where: str) -> None:
    _optional(outer, "text", _is_utf8, "a string that UTF-8 can encode", where)
    _optional(outer, "base64", _is_base64, "a string in base64", where)


def _is_limit(value: Any) -> bool:
    return value in ("", "connect", "read", "write", "pool", "total")


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_seconds(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and 0 <= value <= 1e9


def _is_status(value: Any) -> bool:
    return isinstance(value, int) and 100 <= value <= 999


def _are_headers(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _is_utf8(value: Any) -> bool:
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def _is_base64(value: Any) -> bool:
    try:
        return isinstance(value, str) and base64.b64decode(value) is not None
    except ValueError:
        return False


def _shown(value: Any) -> str:
    """Name a value by its JSON type: it may be long, and hold what is nobody's business."""
    if isinstance(value, str):
        return "a string"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    return {"None": "null", "True": "true", "False": "false"}.get(repr(value), "a number")
