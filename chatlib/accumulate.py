"""Chunks to the completion that they are pieces of: a fold.

The strategy: pieces are appended to lists and joined once, when somebody asks, so that a stream of
any length costs the same for each chunk. How two pieces join follows from what they are: text is
appended, identity (id, role, type, name) is set once, a report (usage) is replaced, and an empty
value never erases what is held. Fields that the library does not know join by their JSON type.

Which pieces of tool calls belong together is the one hard question, because servers omit, repeat
and reuse ``index``: see :meth:`_Choice._call_of`.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from chatlib._omit import omit
from chatlib.codec import structure
from chatlib.http import ResponseInfo
from chatlib.types.base import JsonObject, set_http
from chatlib.types.chunk import (
    ChatCompletionChunk,
    ChoiceDelta,
    ChoiceDeltaAudio,
    ChoiceDeltaFunctionCall,
    ChoiceDeltaToolCall,
    ChoiceDeltaToolCallFunction,
    ChunkChoice,
)
from chatlib.types.completion import (
    ChatCompletion,
    ChatCompletionAudio,
    ChatCompletionMessage,
    ChatCompletionMessageCustomToolCall,
    ChatCompletionMessageFunctionToolCall,
    Choice,
    ChoiceLogprobs,
    Custom,
    Function,
    FunctionCall,
)

J = TypeVar("J", bound=JsonObject)

# Chunk fields of which the last report counts. An empty one is none.
_REPORTS = ("usage", "service_tier", "system_fingerprint", "moderation")


class Accumulator:
    """A completion under construction.

    >>> from chatlib.codec import structure
    >>> pieces = Accumulator()
    >>> for text in ("Hel", "lo"):
    ...     chunk = {"choices": [{"index": 0, "delta": {"content": text}}]}
    ...     pieces.add(structure(chunk, ChatCompletionChunk))
    >>> pieces.completion().text
    'Hello'
    """

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}  # id, created, model: from the first chunk that has them
        self._reports: dict[str, Any] = {}
        self._extra: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}
        self._unfinished = 0
        self._http: ResponseInfo | None = None

    @property
    def finished(self) -> bool:
        """Whether every choice that began has its finish reason."""
        return bool(self._choices) and not self._unfinished

    @property
    def started(self) -> bool:
        """Whether anything of a choice has come."""
        return bool(self._choices)

    @property
    def begun(self) -> int:
        """How many choices have begun."""
        return len(self._choices)

    def began(self, index: int) -> bool:
        """Whether anything of this choice has come."""
        return index in self._choices

    def add(self, chunk: ChatCompletionChunk) -> None:
        """Take in the next chunk. Costs the same however many came before."""
        # The hot path of a stream: what nearly all chunks have is looked at first, and once.
        names = chunk._names
        if len(self._head) < 3:
            self._http = chunk._http
            for name in ("id", "created", "model"):
                if name in names and name not in self._head and getattr(chunk, name):
                    self._head[name] = getattr(chunk, name)
        for name in _REPORTS:
            if name in names:
                value = getattr(chunk, name)
                if value:
                    self._report(name, value)
        if chunk._extra:
            self._extra.update(chunk._extra)
        for piece in chunk.choices:
            choice = self._choices.get(piece.index)
            if choice is None:
                choice = self._choices[piece.index] = _Choice(piece.index)
                self._unfinished += 1
            if choice.add(piece):
                self._unfinished -= 1

    def add_text(self, text: str) -> None:
        """Take in a chunk of which only the text of its first choice is known."""
        choice = self._choices.get(0)
        if choice is None:
            choice = self._choices[0] = _Choice(0)
            self._unfinished += 1
        if text:
            choice.content.append(text)

    def choice(self, index: int) -> Choice:
        """What has come so far of one choice."""
        return self._choices[index].build()

    def touched(self, index: int) -> list[tuple[_Call, str]]:
        """The tool calls of a choice that the last chunk brought pieces of, and those."""
        return self._choices[index].touched

    def _report(self, name: str, value: Any) -> None:
        if not (isinstance(value, JsonObject) and not value.fields_set):
            self._reports[name] = value

    def completion(self) -> ChatCompletion:
        """What has come so far, as a completion of its own that later chunks do not change."""
        made = ChatCompletion(
            **{"id": omit, "created": omit, "model": omit, **self._head},
            **self._reports,
            choices=[choice.build() for _, choice in sorted(self._choices.items())],
        )
        set_http(made, self._http)
        return _with_more(made, self._extra)


class _Choice:
    """One choice under construction."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.finish_reason: str | None = None
        self.role: str | None = None
        self.content: list[Any] = []
        self.refusal: list[str] = []
        self.calls: list[_Call] = []
        self.touched: list[tuple[_Call, str]] = []
        self.function_call: _Call | None = None
        self.audio: dict[str, Any] = {}
        self.logprobs: dict[str, list[Any]] = {}
        self.extra: dict[str, Any] = {}
        self.delta_extra: dict[str, Any] = {}

    def add(self, piece: ChunkChoice) -> bool:
        """Take in the next piece; the answer is whether it is the one that finishes the choice."""
        delta = piece.delta
        names = delta._names
        content = delta.content if "content" in names else None
        if content:
            self.content.append(content)
        if len(names) > 1 or not content:
            self._add_rest(delta)
        if delta._extra:
            _merge(self.delta_extra, delta._extra)
        if piece._extra:
            self.extra.update(piece._extra)
        if piece.logprobs is not None:
            self._add_logprobs(piece.logprobs)
        finishes = piece.finish_reason and self.finish_reason is None
        self.finish_reason = piece.finish_reason or self.finish_reason
        return bool(finishes)

    def _add_logprobs(self, logprobs: ChoiceLogprobs) -> None:
        if isinstance(logprobs, ChoiceLogprobs):
            for name, tokens in logprobs._items():
                if isinstance(tokens, list):
                    self.logprobs.setdefault(name, []).extend(tokens)

    def _add_rest(self, delta: ChoiceDelta) -> None:
        if delta.role and not self.role:
            self.role = delta.role
        if isinstance(delta.refusal, str):
            self.refusal.append(delta.refusal)
        touched: list[tuple[_Call, str]] = []
        # A server may send anything here; what has not even the right kind stays on the chunk.
        for piece in delta.tool_calls if isinstance(delta.tool_calls, list) else ():
            if isinstance(piece, ChoiceDeltaToolCall):
                call = self._call_of(piece)
                touched.append((call, call.add(piece)))
        self.touched = touched
        if isinstance(delta.function_call, ChoiceDeltaFunctionCall):
            if self.function_call is None:
                self.function_call = _Call(None)
            self.function_call.add_function(delta.function_call)
        if isinstance(delta.audio, ChoiceDeltaAudio):
            _merge(self.audio, dict(delta.audio._items()))

    def _call_of(self, piece: ChoiceDeltaToolCall) -> _Call:
        """The call that a piece belongs to: by its id, else by its index, else the latest one.

        An id that is new opens a call, whatever the index says: some servers give all parallel
        calls index 0. Without an id, the piece continues the latest call with its index, or the
        latest of all where it has none; unless it names a function although that call is complete,
        which is how servers that send no ids begin the next one.
        """
        calls = self.calls
        if piece.id:
            for call in reversed(calls):
                if call.id == piece.id:
                    return call
            held = self._latest(piece.index)
            if held is not None and held.id is None and piece.index is not None:
                return held  # its id comes late
        else:
            held = self._latest(piece.index)
            if held is None and not _name_in(piece):
                held = self._latest(None)  # nameless: it can only continue something
            if held is not None and not held.is_followed_by(piece):
                return held
        calls.append(_Call(piece.index, len(calls)))
        return calls[-1]

    def _latest(self, index: int | None) -> _Call | None:
        for call in reversed(self.calls):
            if index is None or call.index == index:
                return call
        return None

    def build(self) -> Choice:
        message = ChatCompletionMessage(
            role=self.role or "assistant",  # type: ignore[arg-type]
            content=_join_content(self.content),
            refusal="".join(self.refusal) if self.refusal else None,
        )
        _with_more(message, _copied(self.delta_extra))
        if self.calls:
            message.tool_calls = [call.build() for call in self.calls]
        if self.function_call is not None:
            message.function_call = FunctionCall(**self.function_call.named("arguments"))
        if self.audio:
            audio = _copied(self.audio)
            message.audio = ChatCompletionAudio(**{name: audio.pop(name, omit) for name in _AUDIO})
            message.audio.extra.update(audio)
        made = Choice(index=self.index, finish_reason=self.finish_reason, message=message)
        if self.logprobs:
            made.logprobs = ChoiceLogprobs(**{name: list(v) for name, v in self.logprobs.items()})
        return _with_more(made, self.extra)


def _name_in(piece: ChoiceDeltaToolCall) -> str | None:
    """The name in a piece of a call, whose function may be anything that a server sends."""
    function = piece.function
    return function.name if isinstance(function, ChoiceDeltaToolCallFunction) else None


_AUDIO = ("id", "data", "expires_at", "transcript")


class _Call:
    """One tool call, or a legacy function call, under construction."""

    def __init__(self, index: int | None, position: int = 0) -> None:
        self.index = index
        self.position = position
        self.id: str | None = None
        self.type: str | None = None
        self.name: str | None = None
        self.arguments: list[str] = []  # the input, for a custom tool
        self.extra: dict[str, Any] = {}

    def add(self, piece: ChoiceDeltaToolCall) -> str:
        """Take in a piece; the answer is the text that it adds to the arguments."""
        before = len(self.arguments)
        self.id = self.id or piece.id or None
        self.type = self.type or piece.type or None
        if isinstance(piece.function, ChoiceDeltaToolCallFunction):
            self.add_function(piece.function)
        extra = dict(piece._extra or {})
        custom = extra.pop("custom", None)
        if isinstance(custom, dict):
            self.type = self.type or "custom"
            self._add_named(custom.get("name"), custom.get("input"))
        _merge(self.extra, extra)
        return "".join(self.arguments[before:])

    def add_function(self, function: Any) -> None:
        self._add_named(function.name, function.arguments)

    def _add_named(self, name: str | None, text: Any) -> None:
        if isinstance(name, str) and name and name != self.name:
            # A name comes whole; where it comes in pieces, it does so before the arguments.
            grows = self.name and not self.arguments and not name.startswith(self.name)
            self.name = f"{self.name}{name}" if grows else name
        if text:
            self.arguments.append(text if isinstance(text, str) else json.dumps(text))

    def is_followed_by(self, piece: ChoiceDeltaToolCall) -> bool:
        """Whether a piece without an id begins the next call rather than continues this one."""
        if not _name_in(piece) or not self.name or not self.arguments:
            return False
        if not self.arguments[-1].rstrip().endswith("}"):  # spares most pieces a look at the whole
            return False
        try:
            json.loads("".join(self.arguments))
        except (ValueError, RecursionError):
            return False
        return True

    def named(self, text: str) -> dict[str, Any]:
        """The name and the text, as fields; the text's is called differently for each kind."""
        return {"name": self.name, text: "".join(self.arguments)}

    def build(self) -> ChatCompletionMessageFunctionToolCall | ChatCompletionMessageCustomToolCall:
        made: ChatCompletionMessageFunctionToolCall | ChatCompletionMessageCustomToolCall
        fields: dict[str, Any] = {"id": self.id, "type": self.type or "function"}
        if self.type == "custom":
            custom = Custom(**self.named("input"))
            made = ChatCompletionMessageCustomToolCall(**fields, custom=custom)
        else:
            function = Function(**self.named("arguments"))
            made = ChatCompletionMessageFunctionToolCall(**fields, function=function)
        made.extra.update(_copied(self.extra))
        return made


def _with_more(made: J, extra: dict[str, Any]) -> J:
    """An object with what chunks held besides; some of it may be a field of the whole."""
    more = structure(extra, type(made))
    for name in more._names:
        if name in more._defaults and name not in made._names:
            setattr(made, name, getattr(more, name))
    made.extra.update(more.extra)
    return made


def _join_content(pieces: list[Any]) -> Any:
    if all(isinstance(piece, str) for piece in pieces):
        return "".join(pieces) if pieces else None
    # Mistral's reasoning models mix strings and lists of typed parts in one stream.
    parts: list[Any] = []
    for piece in pieces:
        if not isinstance(piece, str):
            parts.extend(piece if isinstance(piece, list) else [piece])
        elif parts and _is_text(parts[-1]):
            parts[-1] = {**parts[-1], "text": parts[-1]["text"] + piece}
        else:
            parts.append({"type": "text", "text": piece})
    return parts


def _is_text(part: Any) -> bool:
    plain = isinstance(part, dict) and part.keys() == {"type", "text"}
    return plain and isinstance(part["text"], str)


def _merge(held: dict[str, Any], more: dict[str, Any]) -> None:
    """Join unknown fields: text and lists grow, objects join field by field, the rest is set."""
    for name, value in more.items():
        old = held.get(name)
        if value is None and old is not None:
            continue
        if isinstance(value, str) and name not in _IDENTITY:
            if isinstance(old, _Text):
                old.append(value)
            else:
                held[name] = _Text([value])
        elif isinstance(value, list) and isinstance(old, list) and not isinstance(old, _Text):
            old.extend(value)
        elif isinstance(value, dict) and isinstance(old, dict):
            _merge(old, value)
        elif isinstance(value, dict):
            held[name] = {}
            _merge(held[name], value)
        else:
            held[name] = list(value) if isinstance(value, list) else value


_IDENTITY = frozenset({"id", "index", "name", "role", "type"})


class _Text(list[str]):
    """A text that is still growing."""


def _copied(value: Any) -> Any:
    """Unknown fields as they are given out: growing texts joined, containers copied."""
    if isinstance(value, _Text):
        return "".join(value)
    if isinstance(value, dict):
        return {name: _copied(item) for name, item in value.items()}
    return list(value) if isinstance(value, list) else value


def joined(chunks: Any) -> ChatCompletion:
    """The completion that an iterable of chunks is the pieces of."""
    pieces = Accumulator()
    for chunk in chunks:
        pieces.add(chunk)
    return pieces.completion()
