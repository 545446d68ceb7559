"""Chunks to the completion that they are pieces of: a fold.

The strategy: pieces are appended to lists and joined once, when somebody asks, so that a stream of
any length costs the same for each chunk. How two pieces join follows from what they are: text is
appended, identity (id, role, type, name) is set once, a report (usage) is replaced, and an empty
value never erases what is held. Fields that the library does not know join by their JSON type:
see :func:`_merge`.

Two questions are hard, because servers omit, repeat and reuse ``index``: which pieces of tool calls
belong together (:meth:`_Choice._call_of`), and which choice a piece belongs to
(:meth:`Accumulator._choice_of`).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import attrs

from chatlib.errors import IncompleteStreamError
from chatlib.http import ResponseInfo, omit
from chatlib.streaming.partial_json import PartialJson
from chatlib.types.audio import ChatCompletionAudio
from chatlib.types.base import JsonObject, converter, set_http
from chatlib.types.chunk import (
    ENDS,
    MANY,
    ONE,
    OPENS,
    ChatCompletionChunk,
    ChoiceDelta,
    ChoiceDeltaAudio,
    ChoiceDeltaFunctionCall,
    ChoiceDeltaToolCall,
    ChoiceDeltaToolCallFunction,
    ChunkChoice,
    marks_of,
)
from chatlib.types.completion import ChatCompletion, Choice
from chatlib.types.logprobs import ChoiceLogprobs
from chatlib.types.message import ChatCompletionMessage
from chatlib.types.text import json_text
from chatlib.types.tool_call import (
    ChatCompletionMessageCustomToolCall,
    ChatCompletionMessageFunctionToolCall,
    Custom,
    Function,
    FunctionCall,
)
from chatlib.types.usage import CompletionUsage
from chatlib.wire.codec import structure
from chatlib.wire.surrogates import joined_text

J = TypeVar("J", bound=JsonObject)

# Chunk fields of which the last report counts. An empty one is none.
_REPORTS = ("usage", "service_tier", "system_fingerprint", "moderation")


class Accumulator:
    """A completion under construction.

    >>> from chatlib.wire.codec import structure
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
        self._counted: _Counted | None = None
        self._is_apart = False  # each index is a choice of its own: that is settled

    @property
    def finished(self) -> bool:
        """Whether every choice that began has its finish reason.

        A choice that goes on after its finish reason has none until the next one.
        """
        return bool(self._choices) and not self._unfinished

    @property
    def goes_on_after_finish(self) -> bool:
        """Whether a finish reason came before the content that it is the end of.

        Some servers give one in each chunk or in the first, where it says nothing.
        """
        return any(choice.goes_on_after_finish for choice in self._choices.values())

    @property
    def started(self) -> bool:
        """Whether anything of a choice has come."""
        return bool(self._choices)

    @property
    def begun(self) -> int:
        """How many choices have begun."""
        return len(self._choices)

    @property
    def counts_chunks(self) -> bool:
        """Whether the server seems to count chunks where the index of the choice belongs."""
        return self._counted is not None

    def began(self, index: int) -> bool:
        """Whether anything of this choice has come."""
        return self.place(index) in self._choices

    def place(self, index: Any) -> int:
        """Return under which index the pieces with this one are joined."""
        if self._counted is not None:
            return self._counted.choice.index
        return index if isinstance(index, int) else 0

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
            _set(self._extra, chunk._extra)
        pieces: Any = chunk.choices
        for piece in pieces if pieces.__class__ is list else ():
            if piece.__class__ is not ChunkChoice:  # a server may send anything
                continue
            index = piece.index
            choice = None
            if index.__class__ is not int:
                index = self.place(index)
            if self._counted is None:
                choice = self._choices.get(index)
            if choice is None:
                choice = self._choice_of(index, piece, chunk)
            self._unfinished += choice.add(piece)

    def add_text(self, text: str) -> None:
        """Take in a chunk of which only the text of its first choice is known."""
        choice = self._choices.get(self.place(0)) or self._begin(0)
        if text or not choice.content:
            choice.content.append(text)

    def empty(self) -> Accumulator:
        """Return a new one that tells choices apart as this one has learned to."""
        made = Accumulator()
        made._is_apart = not self._counted
        if self._counted is not None:
            made._counted = _Counted(made._begin(self._counted.choice.index), 0)
        return made

    # Which choice a piece belongs to. Its index says, but for Foundry Local (foundry-local#144),
    # which counts the chunks of its one answer there: 0, 1, 2, ... So an index that is new and
    # larger than the only choice's, alone in its chunk, before that choice has its finish reason,
    # counts chunks where one answer was asked for. Where it is not known what was asked for, the
    # chunk's id must differ too: all chunks of a completion have the same, but Foundry's have not.
    #
    # A real second choice shows itself, although one was asked for, when two come in one chunk or a
    # smaller index comes again. Until that can't be any more, the pieces are joined both ways.

    def _choice_of(self, index: int, piece: ChunkChoice, chunk: ChatCompletionChunk) -> _Choice:
        """Return the choice of a piece whose index is new, or may count chunks."""
        counted = self._counted
        if counted is None:
            first = next(iter(self._choices.values()), None)
            if first is None or not self._may_count(index, first, chunk):
                return self._begin(index)
            try:
                apart = {first.index: copy.deepcopy(first), index: _Choice(index)}
            except RecursionError:
                return self._begin(index)
            self._counted = _Counted(first, index, apart)
            apart[index].add(piece)
            return first
        if counted.apart is not None:
            if len(chunk.choices) > 1 or index < counted.last:
                self._choices, self._counted, self._is_apart = counted.apart, None, True
                self._unfinished = sum(not each.is_finished for each in self._choices.values())
                return self._choices.get(index) or self._begin(index)
            counted.take(index, piece)
        return counted.choice

    def _may_count(self, index: int, first: _Choice, chunk: ChatCompletionChunk) -> bool:
        """Whether an index that is new may count chunks."""
        if self._is_apart or len(self._choices) > 1 or len(chunk.choices) > 1:
            return False
        marks = marks_of(chunk)
        if index < first.index or first.finish_reason or marks & MANY:
            return False
        return bool(marks & ONE) or bool(chunk.id and chunk.id != self._head.get("id", chunk.id))

    def _begin(self, index: int) -> _Choice:
        self._unfinished += 1
        self._choices[index] = made = _Choice(index)
        return made

    def choice(self, index: int) -> Choice:
        """What has come so far of one choice."""
        return self._choices[index].build()

    def touched(self, index: int) -> list[tuple[_Call, str, bool]]:
        """The tool calls of a choice that the last chunk brought pieces of, those, and whether they
        replace the arguments that had come."""
        return self._choices[index].touched

    def _report(self, name: str, value: Any) -> None:
        # One that holds nothing but nulls and zeros says nothing new.
        if not isinstance(value, JsonObject) or any(_values(value)):
            self._reports[name] = value
        elif value.fields_set:
            self._reports.setdefault(name, value)

    def completion(self) -> ChatCompletion:
        """What has come so far, as a completion of its own that later chunks do not change."""
        made = ChatCompletion(
            **{"id": omit, "created": omit, "model": omit, **self._head},
            **self._reports,
            choices=[choice.build() for _, choice in sorted(self._choices.items())],
        )
        set_http(made, self._http)
        if not self._reports.get("usage"):
            usage = self._usage_elsewhere()
            if usage is not None:
                made.usage = usage
        return _with_more(made, self._extra)

    def _usage_elsewhere(self) -> CompletionUsage | None:
        """The usage that Moonshot reports in the last chunk's choice, and Groq in ``x_groq``."""
        holders = [choice.extra for choice in self._choices.values()]
        for holder in (*holders, self._extra.get("x_groq")):
            usage = holder.get("usage") if isinstance(holder, dict) else None
            if usage and isinstance(usage, dict):
                return structure(usage, CompletionUsage)
        return None


@attrs.define
class _Counted:
    """The one choice of a stream whose server seems to count chunks in its index."""

    choice: _Choice
    last: int
    """The index that came last."""
    apart: dict[int, _Choice] | None = None
    """The choices, if it does not count chunks after all; None when that is settled."""
    steps: int = 1
    """How many times the index has grown."""

    def take(self, index: int, piece: ChunkChoice) -> None:
        assert self.apart is not None
        if index > self.last:
            self.steps += 1
            self.last = index
            if self.steps > _MOST_CHOICES:
                self.apart = None
                return
            self.apart[index] = _Choice(index)
        self.apart[index].add(piece)


_MOST_CHOICES = 128  # that can be asked for


class _Choice:
    """One choice under construction."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.finish_reason: str | None = None
        self.is_finished = False
        self.goes_on_after_finish = False
        self._began = False
        self.role: str | None = None
        self.content: list[Any] = []
        self.refusal: list[str] = []
        self.calls: list[_Call] = []
        self.touched: list[tuple[_Call, str, bool]] = []
        self.function_call: _Call | None = None
        self.audio: dict[str, Any] = {}
        self.logprobs: dict[str, list[Any]] = {}
        self.extra: dict[str, Any] = {}
        self.delta_extra: dict[str, Any] = {}

    def add(self, piece: ChunkChoice) -> int:
        """Take in the next piece; return -1 if it finishes the choice, 1 if it opens it again."""
        delta = piece.delta
        if delta.__class__ is ChoiceDelta:
            names = delta._names
            content: Any = delta.content if "content" in names else None
            if content or (not self.content and (content == "" or content == [])):
                self.content.append(content)
            if len(names) > 1 or not content:
                self._add_rest(delta)
            if delta._extra:
                _merge(self.delta_extra, delta._extra)
        if piece._extra:
            _set(self.extra, piece._extra)
        if piece.logprobs is not None:
            self._add_logprobs(piece.logprobs)
        change = self._note_end(piece) if piece.finish_reason or self.is_finished else 0
        self._began = True
        return change

    def _note_end(self, piece: ChunkChoice) -> int:
        adds, was_finished = _adds_something(piece.delta), self.is_finished
        if adds or not was_finished:
            self.is_finished = bool(piece.finish_reason)
        if (was_finished and adds) or not (was_finished or adds or self._began):
            self.goes_on_after_finish = True
        self.finish_reason = piece.finish_reason or self.finish_reason
        return was_finished - self.is_finished

    def _add_logprobs(self, logprobs: ChoiceLogprobs) -> None:
        if isinstance(logprobs, ChoiceLogprobs):
            # Those of old-style completions (tokens, token_logprobs, text_offset, ...) too.
            for name, tokens in logprobs._items():
                if isinstance(tokens, list):
                    self.logprobs.setdefault(name, []).extend(tokens)

    def _add_rest(self, delta: ChoiceDelta) -> None:
        if delta.role and not self.role:
            self.role = delta.role
        if isinstance(delta.refusal, str):
            self.refusal.append(delta.refusal)
        touched: list[tuple[_Call, str, bool]] = []
        # A server may send anything here; what has not even the right kind stays on the chunk.
        for sent in delta.tool_calls if isinstance(delta.tool_calls, list) else ():
            if isinstance(sent, ChoiceDeltaToolCall):
                piece = _CallPiece.of(sent)
                if piece is not None and (self.calls or piece.says_something):
                    call = self._call_of(piece)
                    touched.append((call, call.add(piece), call.restarted))
        self.touched = touched
        function = delta.function_call
        if isinstance(function, ChoiceDeltaFunctionCall) and any(_values(function)):
            if self.function_call is None:
                self.function_call = _Call(None)
            self.function_call.add_function(function)
        if isinstance(delta.audio, ChoiceDeltaAudio):
            _merge(self.audio, dict(delta.audio._items()))

    # Which call a piece belongs to. The API numbers its calls by ``index``, and gives ``id``,
    # ``type`` and ``name`` in the first piece of each. Servers don't, so four things are weighed
    # together: the id, the index, the name, and whether the arguments held are whole JSON.
    #
    # 1. Whom the piece means (:meth:`_meant`): the call with its id and index, else with its id,
    #    else with its index, else the latest. Without an index that is the id or the latest
    #    (Ollama, Gemini, mistral.rs: ollama#7881, openai-python#3246; Gemini sends a signature
    #    behind the call without any label: inspect-robots#230). A nameless piece with an index that
    #    never came continues the latest: the index counts pieces.
    # 2. A nameless piece can only continue a call (SGLang and vLLM send null for all labels:
    #    sglang#35542), also with an id of its own (mlx-openai-server gives each piece a new one:
    #    mlx-openai-server#216), unless that call's arguments are whole and the piece brings more
    #    under another id or index.
    # 3. Another name begins another call, unless it is the rest of a name that came in pieces,
    #    before any arguments. The same name again is a header that is repeated in each piece
    #    (DIAL SDK: ai-dial-sdk#239) as long as the arguments held are unfinished.
    # 4. Where they are whole, it begins the next call: of servers that send no ids; of those that
    #    give every parallel call index 0 (Ollama, LiteLLM, NVIDIA Dynamo: vercel/ai#14277,
    #    litellm#21331, dynamo#4723); and of Gemini adapters whose id is the tool's name, so that
    #    two calls have the same (eino-ext#652, langchain#619). What repeats a call to the letter
    #    under the same id adds nothing.
    # 5. Where they are unfinished and the id or the index differs, the piece continues the call if
    #    its text goes on with that JSON, and begins another if it can't or brings none.
    # 6. Arguments of ``{}`` that more text follows under the same labels were a place holder
    #    (adapters of Anthropic's format): the text replaces them, see :meth:`_Call.add`.

    def _call_of(self, piece: _CallPiece) -> _Call:
        """Return the call that a piece belongs to, begun if need be."""
        held = self._meant(piece)
        if held is None or self._begins_another(piece, held):
            held = _Call(piece.index, len(self.calls))
            self.calls.append(held)
        return held

    def _meant(self, piece: _CallPiece) -> _Call | None:
        found, best = None, 0
        most = 2 * bool(piece.id) + (piece.index is not None)
        for call in reversed(self.calls):
            if best == most:
                break
            same_id = bool(piece.id) and call.id == piece.id
            same_index = piece.index is not None and call.index == piece.index
            fits = 2 * same_id + same_index
            if fits > best:
                found, best = call, fits
        return found or (self.calls[-1] if self.calls else None)

    def _begins_another(self, piece: _CallPiece, held: _Call) -> bool:
        """Whether a piece begins a call rather than continues the one that it seems to mean."""
        other_id = bool(piece.id) and bool(held.id) and piece.id != held.id
        has_index = piece.index is not None and held.index is not None
        other_index = has_index and piece.index != held.index
        same_index = has_index and piece.index == held.index
        same_id = bool(piece.id) and piece.id == held.id
        if not piece.name:
            if not piece.text:  # nothing to be told apart by, but a header under labels of its own
                return other_index and not same_id and bool(piece.id and piece.type)
            return (other_id or other_index) and held.is_whole() and not held.is_placeholder
        if not held.name:
            return other_id or (other_index and bool(piece.id))
        if held.is_custom or piece.is_custom:  # free text, of which nobody knows if it is whole
            return piece.name != held.name or other_id or other_index
        if piece.name != held.name and not held.name_grows(piece):
            return True
        is_of_tool = piece.id == piece.name  # the id is that of all calls of the tool
        if same_id and not other_index:
            if not held.is_whole() or held.repeats(piece.text):
                return False
            return is_of_tool if not piece.text or held.is_placeholder else True
        if held.is_whole():
            is_late_id = bool(piece.id) and not held.id and not other_index and not piece.text
            return not is_late_id
        if not (other_id or other_index):
            return False
        if not piece.text:
            return not (same_index and held.arguments)
        if not held.arguments:
            return not (same_index or same_id)
        if piece.text[:1] == "{" and not same_index:
            return True  # as the API begins one
        return not held.goes_on(piece.text)

    def build(self) -> Choice:
        message = ChatCompletionMessage(
            role=self.role or "assistant",  # type: ignore[arg-type]
            content=_join_content(self.content),
            refusal=joined_text(self.refusal) if self.refusal else None,
        )
        _with_more(message, self.delta_extra)
        if self.calls:
            message.tool_calls = [call.build() for call in self.calls]
        if self.function_call is not None:
            message.function_call = self.function_call.function(FunctionCall)
        if self.audio:
            audio = _copied(self.audio)
            message.audio = ChatCompletionAudio(**{name: audio.pop(name, omit) for name in _AUDIO})
            message.audio.extra.update(audio)
        reason: Any = self.finish_reason  # None where the server did not say
        made = Choice(index=self.index, finish_reason=reason, message=message)
        if self.logprobs:
            held = {name: list(tokens) for name, tokens in self.logprobs.items()}
            known = {name: held.pop(name, omit) for name in ("content", "refusal")}
            made.logprobs = ChoiceLogprobs(**known)  # type: ignore[arg-type]
            made.logprobs.extra.update(held)
        return _with_more(made, self.extra)


def _values(sent: JsonObject) -> Iterator[Any]:
    """What an object holds, whatever the names are."""
    return (value for _, value in sent._items())


def _adds_something(delta: object) -> bool:
    """Whether a piece holds any of the answer."""
    if not isinstance(delta, ChoiceDelta):
        return False
    extra = delta._extra or {}
    known = (delta.content, delta.tool_calls, delta.refusal, delta.function_call)
    return any(known) or bool(extra.get("reasoning_content") or extra.get("reasoning"))


_AUDIO = ("id", "data", "expires_at", "transcript")


@attrs.frozen
class _CallPiece:
    """A piece of a tool call: what it says of which call it is of, and what it brings."""

    index: int | str | None
    id: str | None
    type: str | None
    name: str | None
    text: str
    """The next piece of the arguments, or of the input of a custom tool."""
    is_custom: bool
    extra: dict[str, Any]
    function_extra: dict[str, Any] | None

    @classmethod
    def of(cls, sent: ChoiceDeltaToolCall) -> _CallPiece | None:
        """Return a piece understood; None for one that holds nothing."""
        extra = dict(sent._extra) if sent._extra else {}
        function: Any = sent.function
        custom = extra.pop("custom", None) if isinstance(extra.get("custom"), dict) else None
        name = text = more = None
        if isinstance(function, ChoiceDeltaToolCallFunction):
            name, text, more = function.name, function.arguments, function._extra
        elif custom is not None:
            name, text = custom.get("name"), custom.get("input")
        if not (sent.id or sent.type or name or extra or more or custom) and text is None:
            return None
        index: Any = sent.index
        return cls(
            index if isinstance(index, (int, str)) else None,
            _label(sent.id),
            _label(sent.type),
            name if isinstance(name, str) else None,
            json_text(text),
            custom is not None and name == custom.get("name"),
            extra,
            more,
        )

    @property
    def says_something(self) -> bool:
        """Whether it can begin a call: some servers put an empty one beside every text."""
        return bool(
            self.id or self.name or self.text or self.is_custom or self.extra or self.function_extra
        )


def _label(value: Any) -> Any:
    return value if value and isinstance(value, (str, int)) else None


def is_whole(text: str) -> bool:
    """Whether a text is a JSON object, complete."""
    if not text.rstrip().endswith("}"):
        return False
    try:
        json.loads(text, strict=False)
    except RecursionError:
        return True  # what is nested so deeply is not looked into
    except ValueError:
        return False
    return True


def _value_of(text: str) -> Any:
    """The value of a text that is whole; of one that is nested too deeply, the text."""
    try:
        return json.loads(text, strict=False)
    except RecursionError:
        return text


class _Call:
    """One tool call, or a legacy function call, under construction."""

    def __init__(self, index: Any, position: int = 0) -> None:
        self.index = index
        self.position = position
        self.id: str | None = None
        self.type: str | None = None
        self.name: str | None = None
        self.arguments: list[str] = []  # the input, for a custom tool
        self.extra: dict[str, Any] = {}
        self.function_extra: dict[str, Any] = {}
        self._reader: PartialJson | None = None
        self.restarted = False
        """Whether the last piece replaced the arguments that were held."""
        self.is_cumulative = False
        """Whether each piece repeats the arguments that came before."""

    @property
    def is_custom(self) -> bool:
        """Whether it calls a custom tool, whose input is free text."""
        return self.type == "custom"

    @property
    def is_placeholder(self) -> bool:
        """Whether all arguments so far are ``{}``, which may stand for what is still to come."""
        return len(self.arguments) == 1 and self.arguments[0].strip() == "{}"

    def text(self) -> str:
        """The arguments so far."""
        if len(self.arguments) > 1:
            self.arguments = ["".join(self.arguments)]
        return self.arguments[0] if self.arguments else ""

    def is_whole(self) -> bool:
        """Whether the arguments so far are a whole JSON object."""
        # The last piece spares most a look at the whole.
        return (
            bool(self.arguments) and self.arguments[-1][-1:] in "} \t\r\n" and is_whole(self.text())
        )

    def goes_on(self, more: str) -> bool:
        """Whether the arguments so far can go on with a text and become a JSON object."""
        held = self.text()
        if not held.lstrip().startswith("{"):
            return False
        if self._reader is None or self._reader.length > len(held):
            self._reader = PartialJson()
        self._reader.feed(held[self._reader.length :])
        return self._reader.can_go_on(more) or is_whole(held + more)

    def name_grows(self, piece: _CallPiece) -> bool:
        """Whether a name that differs belongs to this call: it came in pieces, or grows."""
        assert self.name
        assert piece.name
        if piece.name.startswith(self.name):  # the name so far is repeated
            return not self.arguments
        # A header with a type or an id of its own is no rest of a name.
        return not (
            self.arguments or (piece.type and self.type) or (piece.id and piece.id != self.id)
        )

    def add(self, piece: _CallPiece) -> str:
        """Take in a piece; the answer is the text that it adds to the arguments."""
        self.id = self.id or piece.id
        if self.index is None:
            self.index = piece.index
        self.type = self.type or piece.type or ("custom" if piece.is_custom else None)
        if piece.extra:
            _merge(self.extra, piece.extra)
        if piece.function_extra:
            _merge(self.function_extra, piece.function_extra)
        return self._add_named(piece.name, piece.text)

    def add_function(self, function: ChoiceDeltaFunctionCall) -> None:
        """Take in a piece of a legacy function call."""
        name: Any = function.name
        if function._extra:
            _merge(self.function_extra, function._extra)
        self._add_named(name if isinstance(name, str) else None, json_text(function.arguments))

    def _add_named(self, name: str | None, text: str) -> str:
        self.restarted = False
        if name and name != self.name:
            # A name comes whole; where it comes in pieces, it does so before the arguments.
            grows = self.name and not self.arguments and not name.startswith(self.name)
            self.name = f"{self.name}{name}" if grows else name
        if not text:
            return ""
        if self.arguments and not self.is_custom:
            if self.is_placeholder and text.strip():
                if text.strip() == "{}":
                    return ""
                self.arguments, self._reader, self.restarted = [], None, True
            elif text[:1] == "{" == self.arguments[0][:1]:
                text = self._news_in(text)
        self.arguments.append(text)
        return text

    def repeats(self, text: str) -> bool:
        """Whether a text is the whole arguments once more, perhaps with other blanks."""
        held = self.text()
        return text == held or (
            is_whole(text) and is_whole(held) and _value_of(text) == _value_of(held)
        )

    def _news_in(self, text: str) -> str:
        """Return what a piece that looks like a beginning adds to the arguments.

        Some servers repeat in each piece all that came before, or in a last one the whole.
        """
        if self.is_cumulative or text.startswith(self.arguments[0]):
            held = self.text()
            if text.startswith(held) and (self.is_cumulative or not self.goes_on(text)):
                self.is_cumulative = len(text) > len(held)
                return text[len(held) :]
        return "" if self.is_whole() and self.repeats(text) else text

    def named(self, text: str) -> dict[str, Any]:
        """The name and the text, as fields; the text's is called differently for each kind."""
        return {"name": self.name, text: joined_text(self.arguments)}

    def build(self) -> ChatCompletionMessageFunctionToolCall | ChatCompletionMessageCustomToolCall:
        made: ChatCompletionMessageFunctionToolCall | ChatCompletionMessageCustomToolCall
        fields: dict[str, Any] = {"id": self.id, "type": self.type or "function"}
        if self.is_custom:
            custom = Custom(**self.named("input"))
            made = ChatCompletionMessageCustomToolCall(**fields, custom=custom)
        else:
            function = self.function(Function)
            made = ChatCompletionMessageFunctionToolCall(**fields, function=function)
        made.extra.update(_copied(self.extra))
        return made

    def function(self, kind: type[J]) -> J:
        """The function that is called, and with what."""
        made = kind(**self.named("arguments"))
        made.extra.update(_copied(self.function_extra))
        return made


def _with_more(made: J, extra: dict[str, Any]) -> J:
    """An object with what chunks held besides; some of it may be a field of the whole."""
    if extra:
        more = converter().structure(_copied(extra), type(made))
        for name in more._names:
            if name in more._defaults and name not in made._names:
                setattr(made, name, getattr(more, name))
        made.extra.update(more.extra)
    return made


def _join_content(pieces: list[Any]) -> Any:
    if all(isinstance(piece, str) for piece in pieces):
        return joined_text(pieces) if pieces else None
    # Mistral's reasoning models mix strings and lists of typed parts in one stream.
    parts: list[Any] = []
    for piece in pieces:
        if not isinstance(piece, str):
            parts.extend(piece if isinstance(piece, list) else [piece])
        elif parts and _is_text(parts[-1]):
            parts[-1] = {**parts[-1], "text": joined_text([parts[-1]["text"], piece])}
        elif piece:
            parts.append({"type": "text", "text": piece})
    return parts


def _is_text(part: Any) -> bool:
    plain = isinstance(part, dict) and part.keys() == {"type", "text"}
    return plain and isinstance(part["text"], str)


def _set(held: dict[str, Any], more: dict[str, Any]) -> None:
    """Replace what is held by what came; null erases nothing."""
    for name, value in more.items():
        if value is not None or name not in held:
            held[name] = value


# Unknown fields. Texts grow, labels are set once, numbers are replaced by the last, objects join
# field by field, and null and "" erase nothing. Lists of objects that are the blocks of something,
# such as reasoning_details (OpenRouter) and thinking_blocks (LiteLLM), are assembled like tool
# calls; all other lists grow.

_LABELS = frozenset(
    "id index name role type format signature object model provider url mime_type media_type "
    "encoding language detail encrypted_content thoughtSignature".split()
)
"""Fields that say what something is: the same in each piece that has them."""
_LABEL_ENDS = ("_id", "_type", "_format", "_signature", "_url")
_STATES = frozenset({"status", "state"})
"""Fields of which the last value counts."""
_TEXTS = frozenset(
    "text thinking summary content reasoning reasoning_content reasoning_text thought thoughts "
    "refusal arguments input data delta transcript output code".split()
)
"""Fields that are pieces of a text, also where two pieces are alike."""
_DEEPEST = 50
"""How many levels are joined; what is nested more deeply is set as it is."""


def _is_label(name: str) -> bool:
    return name in _LABELS or name.endswith(_LABEL_ENDS)


def _merge(held: dict[str, Any], more: dict[str, Any], *, level: int = 0) -> None:
    """Join unknown fields.

    A text that equals the one held is a label that was repeated, unless it is known to be a text.

    Args:
        held: What has come so far.
        more: What comes now.
        level: How deep.
    """
    for name, value in more.items():
        old = held.get(name)
        if value is None:
            held.setdefault(name, None)
        elif isinstance(value, str):
            if _is_label(name):
                held[name] = old or value
            elif name in _STATES:
                held[name] = value or old or value
            elif not isinstance(old, _Text):
                held[name] = _Text([value])
            elif name in _TEXTS or len(old) > 1 or old[0] != value:
                old.append(value)
        elif level >= _DEEPEST:
            held[name] = value
        elif isinstance(value, list):
            if not isinstance(old, list) or isinstance(old, _Text):
                held[name] = old = []
            _merge_list(old, value, level + 1)
        elif isinstance(value, dict):
            if not isinstance(old, dict):
                held[name] = old = {}
            _merge(old, value, level=level + 1)
        else:
            held[name] = value


def _merge_list(held: list[Any], more: list[Any], level: int) -> None:
    """Join unknown lists: objects that continue a block are joined to it, the rest is appended."""
    taken: set[int] = set()  # the blocks that this piece of the list brought something for
    for entry in more:
        if not isinstance(entry, dict):
            held.append(entry)
            continue
        if _is_opaque(entry) and any(_is_same(entry, block) for block in held):
            continue
        block = _block_of(entry, held, taken)
        if block is None:
            block = {}
            held.append(block)
        taken.add(id(block))
        _merge(block, _without_repeats(entry, block), level=level)


def _without_repeats(entry: dict[str, Any], block: dict[str, Any]) -> dict[str, Any]:
    """An entry without the texts that are the block's once more.

    LiteLLM sends the signature of a thinking block beside the whole of its text
    (open-webui#29860).
    """
    if not entry.get("signature") or block.get("signature"):
        return entry
    return {
        name: value
        for name, value in entry.items()
        if not (name in _TEXTS and value and _copied(block.get(name)) == value)
    }


def _block_of(entry: dict[str, Any], held: list[Any], taken: set[int]) -> dict[str, Any] | None:
    """The block that an entry continues; None where it begins one."""
    index = entry.get("index")
    if isinstance(index, (int, str)):
        alike = (b for b in reversed(held) if isinstance(b, dict) and b.get("index") == index)
        return next((block for block in alike if _is_alike(entry, block)), None)
    # Without an index, it can only continue the latest block, as a piece of its text or as the
    # signature that ends it. An object that holds anything else is an item of its own.
    block = held[-1] if held else None
    if not (isinstance(block, dict) and block.get("index") is None and entry.get("type")):
        return None
    if not (_is_piece(entry) and _is_piece(block) and block.get("type") == entry["type"]):
        return None
    brings_text = any(entry.get(name) for name in entry.keys() & _TEXTS)
    if brings_text and (block.get("signature") or id(block) in taken):
        return None
    return block if _is_alike(entry, block) else None


def _is_alike(entry: dict[str, Any], block: dict[str, Any], level: int = 0) -> bool:
    """Whether no label of an entry contradicts a block, and neither is encrypted."""
    if _is_opaque(entry) or _is_opaque(block):
        return False
    for name, value in entry.items():
        held = block.get(name)
        if not value or not held:
            continue
        if isinstance(value, dict) and isinstance(held, dict):
            if level < 3 and not _is_alike(value, held, level + 1):
                return False
        elif _is_label(name) and isinstance(value, (str, int)) and value != held:
            return False
    return True


def _is_same(entry: dict[str, Any], block: Any) -> bool:
    """Whether an entry, which is encrypted, came before."""
    return isinstance(block, dict) and all(
        _copied(block.get(name)) == value
        for name, value in entry.items()
        if isinstance(value, (str, int))
    )


def _is_opaque(entry: dict[str, Any]) -> bool:
    """Whether an entry is encrypted: it comes whole."""
    kind = entry.get("type")
    return isinstance(kind, str) and ("encrypted" in kind or "redacted" in kind)


def _is_piece(entry: dict[str, Any]) -> bool:
    """Whether an entry holds nothing but labels and text."""
    return any(name in _TEXTS or "signature" in name for name in entry) and all(
        value is None
        or (name in _TEXTS and isinstance(value, (str, _Text)))
        or (_is_label(name) and isinstance(value, str))
        for name, value in entry.items()
    )


class _Text(list[str]):
    """A text that is still growing."""


def _copied(value: Any, level: int = 0) -> Any:
    """Unknown fields as they are given out: growing texts joined, containers copied."""
    if isinstance(value, _Text):
        return joined_text(value)
    if level > _DEEPEST + 2:  # nothing is joined there
        return value
    if isinstance(value, dict):
        return {name: _copied(item, level + 1) for name, item in value.items()}
    return [_copied(item, level + 1) for item in value] if isinstance(value, list) else value


def joined(chunks: Iterable[ChatCompletionChunk], *, partial: bool = False) -> ChatCompletion:
    """Return the completion that chunks are the pieces of.

    Args:
        chunks: All chunks of a stream, in their order. Of a stream that was read in part before,
            ``stream.completion`` and ``stream.get_final_completion()`` have what came.
        partial: Take what there is, whether it is whole or not.

    Raises:
        IncompleteStreamError: the beginning or the end is missing, or no choice ever came. Its
            ``completion`` is what there is. The end is there when each choice that began has a
            finish reason, or when the last chunk was followed by ``[DONE]``.
        TypeError: they are no chunks.
    """
    if not isinstance(chunks, Iterable):
        hint = "; await stream.get_final_completion()" if hasattr(chunks, "__aiter__") else ""
        raise TypeError(f"joined() takes an iterable of chunks, not {type(chunks).__name__}{hint}")
    pieces = Accumulator()
    problem: str | None = None
    last: ChatCompletionChunk | None = None
    for chunk in chunks:
        if not isinstance(chunk, ChatCompletionChunk):
            raise TypeError(f"joined() takes chunks, not {type(chunk).__name__}")
        # Only of a chunk that was read from a response is it known whether it was the first.
        was_read = chunk._http is not None and bool(chunk.choices)
        if was_read and not (pieces.started or marks_of(chunk) & OPENS):
            problem = "their beginning is missing: some were read before"
        pieces.add(chunk)
        last = chunk
    if last is None or not pieces.started:
        problem = "no choice came"
    elif not (problem or pieces.finished or marks_of(last) & ENDS):
        problem = "their end is missing: no finish reason came"
    if problem is None or partial:
        return pieces.completion()
    so_far = getattr(chunks, "completion", None)  # a stream knows what it gave before
    raise IncompleteStreamError(
        message=f"The chunks are not a whole answer: {problem}. joined(..., partial=True) takes "
        "what there is; stream.get_final_completion() returns the whole answer of a stream.",
        completion=so_far if isinstance(so_far, ChatCompletion) else pieces.completion(),
    )
