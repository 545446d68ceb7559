"""Stored completions of the in-memory server, and the operations on them.

https://platform.openai.com/docs/api-reference/chat/list
"""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

from chatlib.errors import APIError
from chatlib.http import HttpRequest, HttpResponse, TransportError
from chatlib.redaction import private_frames
from chatlib.streaming.accumulator import Accumulator
from chatlib.streaming.chunk_reader import ChunkReader
from chatlib.testing.bodies import BodyObserver
from chatlib.testing.replies import CREATED, ID, MODEL, Reply, error, raw
from chatlib.wire.response import check_choices, read_object

Name: TypeAlias = Literal["create", "retrieve", "update", "list", "delete", "messages"]

MOST_PAIRS, LONGEST_KEY, LONGEST_VALUE = 16, 64, 512
"""The limits of metadata: https://platform.openai.com/docs/api-reference/chat/update"""


# Requests --------------------------------------------------------------------------------------


@attrs.frozen
class Route:
    """The operation that a request asks for, and the id of the completion."""

    name: Name
    id: str = ""


_PATH = re.compile(r"(?:/.*)?/chat/completions(?:/(?P<id>[^/]+)(?P<messages>/messages)?)?/?")
_OPERATIONS: dict[tuple[str, bool, bool], Name] = {
    ("POST", False, False): "create",
    ("GET", False, False): "list",
    ("GET", True, False): "retrieve",
    ("POST", True, False): "update",
    ("DELETE", True, False): "delete",
    ("GET", True, True): "messages",
}


def match_route(request: HttpRequest) -> Route | None:
    """Return the route of a request with any base URL, or None if there is none.

    >>> match_route(HttpRequest("GET", "http://any/v1/chat/completions/a%2Fb/messages"))
    Route(name='messages', id='a/b')
    """
    found = _PATH.fullmatch(urlsplit(request.url).path)
    if found is None:
        return None
    completion_id, messages = found["id"], found["messages"]
    name = _OPERATIONS.get((request.method, completion_id is not None, messages is not None))
    return Route(name, unquote(completion_id or "")) if name is not None else None


class ErrorReply(Exception):
    """An invalid request, with the error that the server returns."""

    def __init__(
        self,
        message: str,
        param: str | None = None,
        code: str | None = None,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.reply: Reply = error(
            status, message, headers=headers, type=kind, param=param, code=code
        )
        """The reply with the error."""


# The store -------------------------------------------------------------------------------------


@attrs.frozen
class _StoredCompletion:
    completion: dict[str, Any]
    messages: list[Any]
    model: str | None

    def matches(self, query: Mapping[str, str]) -> bool:
        model = query.get("model")
        if model is not None and model not in (self.model, self.completion.get("model")):
            return False
        metadata = self.completion["metadata"]
        wanted = {
            name[len("metadata[") : -1]: value
            for name, value in query.items()
            if name.startswith("metadata[") and name.endswith("]")
        }
        return all(metadata.get(key) == value for key, value in wanted.items())


class Store:
    """Stored completions and the operations on them. It is thread-safe.

    >>> store = Store()
    >>> store.keep({"choices": []}, metadata={"topic": "tests"})
    'chatcmpl-scripted-1'
    >>> [kept["metadata"] for kept in store.completions]
    [{'topic': 'tests'}]
    """

    def __init__(self) -> None:
        self._kept: dict[str, _StoredCompletion] = {}
        self._named = 0
        self._lock = threading.Lock()

    @property
    def completions(self) -> list[dict[str, Any]]:
        """The stored completions, oldest first, as JSON values."""
        with self._lock:
            return [copy.deepcopy(kept.completion) for kept in self._kept.values()]

    def __len__(self) -> int:
        return len(self._kept)

    def new_id(self) -> str:
        """Return an unused id."""
        with self._lock:
            return self._new_id()

    def _new_id(self) -> str:
        while True:
            self._named += 1
            made = f"{ID}-{self._named}"
            if made not in self._kept:
                return made

    def keep(
        self,
        completion: Mapping[str, Any],
        *,
        messages: Iterable[Mapping[str, Any]] = (),
        metadata: Mapping[str, str] | None = None,
        model: str | None = None,
    ) -> str:
        """Store a completion.

        Args:
            completion: Its body, as returned by :func:`chatlib.testing.completion`. It keeps an id
                of its own, and replaces a stored completion with that id.
            messages: The messages of the request.
            metadata: Its metadata.
            model: The requested model, if it is not the one in the body. Lists find the completion
                by either.

        Returns:
            The id of the stored completion.
        """
        if completion.get("id") == ID:
            completion = {**completion, "id": None}
        return self.keep_sent(completion, messages, metadata, model)

    def keep_sent(
        self,
        completion: Mapping[str, Any],
        messages: Iterable[Mapping[str, Any]],
        metadata: Mapping[str, str] | None,
        model: str | None,
    ) -> str:
        """Store a completion that was sent already; any id in it is kept. See :meth:`keep`."""
        body = copy.deepcopy(dict(completion))
        with self._lock:
            body["id"] = body.get("id") or self._new_id()
            head = {
                "id": body["id"],
                "object": "chat.completion",
                "created": body.get("created", CREATED),
                "model": body.get("model") or model or MODEL,
            }
            body = {**head, **body, **head, "metadata": dict(metadata or {})}
            self._kept.pop(body["id"], None)
            self._kept[body["id"]] = _StoredCompletion(body, copy.deepcopy(list(messages)), model)
        made: str = body["id"]
        return made

    def answer(self, operation: Route, request: HttpRequest) -> Reply:
        """Return the reply to an operation on stored completions."""
        with private_frames():
            query = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
        try:
            with self._lock:
                return raw(200, _HANDLERS[operation.name](self, operation.id, query, request))
        except ErrorReply as failure:
            return failure.reply

    def _find(self, completion_id: str) -> _StoredCompletion:
        kept = self._kept.get(completion_id)
        if kept is None:
            raise ErrorReply(
                f"No chat completion found with id '{completion_id}'.",
                code="not_found",
                status=404,
            )
        return kept

    def _retrieve(self, completion_id: str, query: Any, request: Any) -> dict[str, Any]:
        return self._find(completion_id).completion

    def _update(self, completion_id: str, query: Any, request: HttpRequest) -> dict[str, Any]:
        kept = self._find(completion_id)
        body = json_body(request)
        if "metadata" not in body:
            raise ErrorReply(
                "Missing required parameter: 'metadata'.", "metadata", "missing_required_parameter"
            )
        kept.completion["metadata"] = validate_metadata(body["metadata"])
        return kept.completion

    def _delete(self, completion_id: str, query: Any, request: Any) -> dict[str, Any]:
        self._find(completion_id)
        del self._kept[completion_id]
        return {"object": "chat.completion.deleted", "id": completion_id, "deleted": True}

    def _list(self, _: str, query: Mapping[str, str], request: Any) -> dict[str, Any]:
        found = [(kept.completion, kept.matches(query)) for kept in self._kept.values()]
        return _page(found, query)

    def _messages(
        self, completion_id: str, query: Mapping[str, str], request: Any
    ) -> dict[str, Any]:
        messages = self._find(completion_id).messages
        made = [_stored_message(m, f"{completion_id}-{at}") for at, m in enumerate(messages)]
        return _page([(message, True) for message in made], query)


_HANDLERS: dict[str, Callable[[Store, str, Any, Any], dict[str, Any]]] = {
    "retrieve": Store._retrieve,
    "update": Store._update,
    "delete": Store._delete,
    "list": Store._list,
    "messages": Store._messages,
}


def _stored_message(message: Mapping[str, Any], message_id: str) -> dict[str, Any]:
    content = message.get("content")
    parts = content if isinstance(content, list) else None
    return {
        **message,
        "id": message_id,
        "role": message.get("role"),
        "content": content if parts is None else None,
        "name": message.get("name"),
        "content_parts": parts,
    }


def _page(items: list[tuple[dict[str, Any], bool]], query: Mapping[str, str]) -> dict[str, Any]:
    """Return the page of matching items after the cursor of the query."""
    limit, order, after = _limit(query.get("limit")), query.get("order", "asc"), query.get("after")
    if order not in ("asc", "desc"):
        raise ErrorReply(
            f"Invalid value: '{order}'. Supported values are: 'asc' and 'desc'.",
            "order",
            "invalid_value",
        )
    if order == "desc":
        items = items[::-1]
    if after is not None:
        ids = [item["id"] for item, _ in items]
        if after not in ids:
            raise ErrorReply(
                f"Invalid 'after': nothing has the id '{after}'.", "after", "invalid_value"
            )
        items = items[ids.index(after) + 1 :]
    found = [item for item, matches in items if matches]
    data = found[:limit]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": len(found) > limit,
    }


def _limit(text: str | None) -> int:
    if text is None:
        return 20
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text):
        raise ErrorReply(
            f"Invalid 'limit': expected an integer, but got '{text}' instead.",
            "limit",
            "invalid_type",
        )
    limit = int(text)
    if limit < 1:
        raise ErrorReply(
            f"Invalid 'limit': integer below minimum value. Expected a value >= 1, but got {limit} "
            "instead.",
            "limit",
            "integer_below_min_value",
        )
    if limit > 100:
        raise ErrorReply(
            "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got "
            f"{limit} instead.",
            "limit",
            "integer_above_max_value",
        )
    return limit


def json_body(request: HttpRequest) -> dict[str, Any]:
    """Return the JSON object in the body of a request.

    Raises:
        ErrorReply: If the body is not a JSON object.
    """
    try:
        body = request.json()
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise ErrorReply("We could not parse the JSON body of your request.")
    return body


def validate_metadata(metadata: object) -> dict[str, str]:
    """Return metadata as a dict, an empty one for None.

    Raises:
        ErrorReply: If it is not a dict of str, or exceeds a limit.
    """
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise ErrorReply(
            "Invalid type for 'metadata': expected an object.", "metadata", "invalid_type"
        )
    if len(metadata) > MOST_PAIRS:
        raise ErrorReply(
            "Invalid 'metadata': too many properties. Expected an object with at most "
            f"{MOST_PAIRS} properties, but got an object with {len(metadata)} properties instead.",
            "metadata",
            "object_above_max_properties",
        )
    for key, value in metadata.items():
        if not isinstance(value, str):
            raise ErrorReply(
                f"Invalid type for 'metadata.{key}': expected a string.",
                f"metadata.{key}",
                "invalid_type",
            )
        for text, longest in ((key, LONGEST_KEY), (value, LONGEST_VALUE)):
            if len(text) > longest:
                raise ErrorReply(
                    f"Invalid 'metadata': string too long. Expected a string with maximum length "
                    f"{longest}, but got a string with length {len(text)} instead.",
                    "metadata",
                    "string_above_max_length",
                )
    return dict(metadata)


# Observers -------------------------------------------------------------------------------------


class StoringObserver(BodyObserver):
    """Stores the answer to a ``create`` request when it is complete.

    Raises:
        ErrorReply: If the metadata of the request is invalid.
    """

    def __init__(self, store: Store, asked: Mapping[str, Any]) -> None:
        self._store = store
        self._metadata = validate_metadata(asked.get("metadata"))
        messages, model = asked.get("messages"), asked.get("model")
        self._messages = [
            m for m in (messages if isinstance(messages, list) else ()) if isinstance(m, dict)
        ]
        self._model = model if isinstance(model, str) else None
        self._pieces: list[bytes] = []
        self._reader: ChunkReader | None = ChunkReader()

    def on_piece(self, piece: bytes) -> None:
        """Handle a piece. ``[DONE]`` completes the answer: clients stop reading there."""
        reader = self._reader
        if reader is None:
            return
        self._pieces.append(piece)
        try:
            for _ in reader.feed(piece):
                pass
        except APIError:
            self._reader = None
            return
        if reader.done:
            self._store_accumulated(reader.joined)

    def on_end(self, error: TransportError | None) -> None:
        """Handle the end of the body."""
        reader = self._reader
        if reader is None or error is not None:
            return
        try:
            whole = _whole_completion(b"".join(self._pieces))
            if whole is not None:
                self._keep(whole)
                return
            for _ in reader.end():
                pass
        except APIError:
            return
        self._store_accumulated(reader.joined)

    def _store_accumulated(self, joined: Accumulator) -> None:
        self._keep(joined.completion().to_dict() if joined.started else None)

    def _keep(self, completion: dict[str, Any] | None) -> None:
        self._reader = None
        if completion is not None:
            self._store.keep_sent(completion, self._messages, self._metadata, self._model)


def _whole_completion(body: bytes) -> dict[str, Any] | None:
    """Return the completion in a body, or None if the body is a stream."""
    try:
        if not isinstance(json.loads(body), dict):
            return None
    except (ValueError, RecursionError):
        return None
    response = HttpResponse(200, {}, body)
    value = read_object(response)
    check_choices(value, response, required=True)
    return value
