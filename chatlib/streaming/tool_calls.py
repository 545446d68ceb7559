"""Assembly of tool calls from the deltas of a stream.

The API numbers its calls by ``index``, and gives ``id``, ``type`` and ``name`` in the first delta
of each. Servers don't, so four things are weighed together: the id, the index, the name, and
whether the arguments so far are complete JSON. The rules are stated in :class:`ToolCallAssembler`.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

import attrs

from chatlib.streaming.partial_json import PartialJson
from chatlib.streaming.unknown_fields import copied, merge
from chatlib.types.base import JsonObject
from chatlib.types.chunk import (
    ChoiceDeltaFunctionCall,
    ChoiceDeltaToolCall,
    ChoiceDeltaToolCallFunction,
)
from chatlib.types.text import json_text
from chatlib.types.tool_call import (
    ChatCompletionMessageCustomToolCall,
    ChatCompletionMessageFunctionToolCall,
    Custom,
    Function,
)
from chatlib.wire.surrogates import joined_text

J = TypeVar("J", bound=JsonObject)


class ToolCallAssembler:
    """The tool calls of one choice, under construction."""

    def __init__(self) -> None:
        self.calls: list[ToolCallBuilder] = []
        """The calls, in the order in which they began."""
        self._latest: dict[tuple[Any, Any], ToolCallBuilder] = {}
        """The latest call with an id and an index, with an id (and None), with an index."""

    def add(self, deltas: list[Any]) -> list[tuple[ToolCallBuilder, str, bool]]:
        """Add the tool call deltas of a chunk.

        Args:
            deltas: The ``tool_calls`` of a delta. A server may send anything in it; what is not an
                object stays on the chunk only.

        Returns:
            For each delta, its call, the text that it adds to the arguments, and whether that text
            replaces the arguments so far.
        """
        updated: list[tuple[ToolCallBuilder, str, bool]] = []
        for sent in deltas:
            if isinstance(sent, ChoiceDeltaToolCall):
                piece = ToolCallDelta.of(sent)
                if piece is not None and (self.calls or piece.can_begin_call):
                    call = self._find_or_begin(piece)
                    updated.append((call, call.add(piece), call.restarted))
                    self._note_labels(call, piece)
        return updated

    # Which call a delta belongs to:
    #
    # 1. The candidate (:meth:`_candidate`) is the call with the same id and index, else with the
    #    same id, else with the same index, else the latest. Without an index it is the call with
    #    the same id, or the latest (Ollama, Gemini, mistral.rs: ollama#7881, openai-python#3246;
    #    Gemini sends a signature after the call without any label: inspect-robots#230). A nameless
    #    delta with a new index continues the latest call: the index counts deltas.
    # 2. A nameless delta can only continue a call (SGLang and vLLM send null for all labels:
    #    sglang#35542), even with a new id (mlx-openai-server gives each delta a new one:
    #    mlx-openai-server#216), unless that call's arguments are complete and the delta has more
    #    text under another id or index.
    # 3. Another name begins another call, unless it is the rest of a name that came in parts,
    #    before any arguments. The same name again is a header repeated in each delta
    #    (DIAL SDK: ai-dial-sdk#239) as long as the arguments so far are incomplete.
    # 4. If they are complete, the same name begins the next call: of servers that send no ids; of
    #    those that give every parallel call index 0 (Ollama, LiteLLM, NVIDIA Dynamo:
    #    vercel/ai#14277, litellm#21331, dynamo#4723); and of Gemini adapters whose id is the tool's
    #    name, so that two calls have the same (eino-ext#652, langchain#619). An exact repetition of
    #    a call under the same id adds nothing.
    # 5. If they are incomplete and the id or the index differs, the delta continues the call if its
    #    text is a valid continuation of that JSON, and begins another if not, or if it has no text.
    # 6. Arguments of ``{}`` followed by more text under the same labels were a placeholder
    #    (adapters of Anthropic's format): the text replaces them, see :meth:`ToolCallBuilder.add`.

    def _find_or_begin(self, piece: ToolCallDelta) -> ToolCallBuilder:
        """Return the call that a delta belongs to, a new one if need be."""
        held = self._candidate(piece)
        if held is None or self._begins_call(piece, held):
            held = ToolCallBuilder(piece.index, len(self.calls))
            self.calls.append(held)
        return held

    def _note_labels(self, call: ToolCallBuilder, piece: ToolCallDelta) -> None:
        """Note a call by its labels, of which a delta may have brought one."""
        if not (piece.id or piece.index is not None):
            return
        for labels in ((call.id, call.index), (call.id, None), (None, call.index)):
            other = self._latest.get(labels)
            if other is None or other.position < call.position:
                self._latest[labels] = call

    def _candidate(self, piece: ToolCallDelta) -> ToolCallBuilder | None:
        """Return the call whose labels match a delta best, else the latest."""
        if not self.calls:
            return None
        for labels in ((piece.id, piece.index), (piece.id, None), (None, piece.index)):
            if labels != (None, None) and (found := self._latest.get(labels)) is not None:
                return found
        return self.calls[-1]

    def _begins_call(self, piece: ToolCallDelta, held: ToolCallBuilder) -> bool:
        """Return whether a delta begins a new call rather than continues its candidate."""
        other_id = bool(piece.id) and bool(held.id) and piece.id != held.id
        has_index = piece.index is not None and held.index is not None
        other_index = has_index and piece.index != held.index
        same_index = has_index and piece.index == held.index
        same_id = bool(piece.id) and piece.id == held.id
        if not piece.name:
            if not piece.text:  # only a header with new labels begins a call
                return other_index and not same_id and bool(piece.id and piece.type)
            return (other_id or other_index) and held.is_complete() and not held.is_placeholder
        if not held.name:
            return other_id or (other_index and bool(piece.id))
        if held.is_custom or piece.is_custom:  # free text: no telling if it is complete
            return piece.name != held.name or other_id or other_index
        if piece.name != held.name and not held.extends_name(piece):
            return True
        is_of_tool = piece.id == piece.name  # all calls of the tool share this id
        if same_id and not other_index:
            if not held.is_complete() or held.repeats(piece.text):
                return False
            return is_of_tool if not piece.text or held.is_placeholder else True
        if held.is_complete():
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
        return not held.can_continue(piece.text)


@attrs.frozen
class ToolCallDelta:
    """The content of a :class:`ChoiceDeltaToolCall`, checked: labels and text."""

    index: int | str | None
    id: str | None
    type: str | None
    name: str | None
    text: str
    """The next part of the arguments, or of the input of a custom tool."""
    is_custom: bool
    extra: dict[str, Any]
    function_extra: dict[str, Any] | None

    @classmethod
    def of(cls, sent: ChoiceDeltaToolCall) -> ToolCallDelta | None:
        """Return the content of a delta, or None if it is empty."""
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
    def can_begin_call(self) -> bool:
        """Whether it can begin a call: some servers send an empty one with every text."""
        return bool(
            self.id or self.name or self.text or self.is_custom or self.extra or self.function_extra
        )


def _label(value: Any) -> Any:
    return value if value and isinstance(value, (str, int)) else None


def is_complete_object(text: str) -> bool:
    """Return whether a text is a complete JSON object."""
    if not text.rstrip().endswith("}"):
        return False
    try:
        json.loads(text, strict=False)
    except RecursionError:
        return True  # too deeply nested to be checked
    except ValueError:
        return False
    return True


def _decode_complete(text: str) -> Any:
    """Decode a complete JSON text; return the text itself if it is too deeply nested."""
    try:
        return json.loads(text, strict=False)
    except RecursionError:
        return text


class ToolCallBuilder:
    """One tool call, or a deprecated function call, under construction."""

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
        """Whether the last delta replaced the arguments so far."""
        self.is_cumulative = False
        """Whether each delta repeats the arguments so far."""

    @property
    def is_custom(self) -> bool:
        """Whether it is a call of a custom tool, whose input is free text."""
        return self.type == "custom"

    @property
    def is_placeholder(self) -> bool:
        """Whether the arguments so far are ``{}``, which may be a placeholder."""
        return len(self.arguments) == 1 and self.arguments[0].strip() == "{}"

    def text(self) -> str:
        """Return the arguments so far."""
        if len(self.arguments) > 1:
            self.arguments = ["".join(self.arguments)]
        return self.arguments[0] if self.arguments else ""

    def is_complete(self) -> bool:
        """Return whether the arguments so far are a complete JSON object."""
        # The last character rules out most, so that the whole text is rarely parsed.
        return (
            bool(self.arguments)
            and self.arguments[-1][-1:] in "} \t\r\n"
            and is_complete_object(self.text())
        )

    def can_continue(self, more: str) -> bool:
        """Return whether a text is a valid continuation of the arguments so far."""
        held = self.text()
        if not held.lstrip().startswith("{"):
            return False
        if self._reader is None or self._reader.length > len(held):
            self._reader = PartialJson()
        self._reader.feed(held[self._reader.length :])
        return self._reader.can_go_on(more) or is_complete_object(held + more)

    def extends_name(self, piece: ToolCallDelta) -> bool:
        """Return whether a different name is a longer form, or the rest, of this call's name."""
        assert self.name
        assert piece.name
        if piece.name.startswith(self.name):  # the name so far, repeated
            return not self.arguments
        # A header with a type or another id is not the rest of a name.
        return not (
            self.arguments or (piece.type and self.type) or (piece.id and piece.id != self.id)
        )

    def add(self, piece: ToolCallDelta) -> str:
        """Add a delta; return the text that it adds to the arguments."""
        self.id = self.id or piece.id
        if self.index is None:
            self.index = piece.index
        self.type = self.type or piece.type or ("custom" if piece.is_custom else None)
        if piece.extra:
            merge(self.extra, piece.extra)
        if piece.function_extra:
            merge(self.function_extra, piece.function_extra)
        return self._add_named(piece.name, piece.text)

    def add_function(self, function: ChoiceDeltaFunctionCall) -> None:
        """Add a delta of a deprecated function call."""
        name: Any = function.name
        if function._extra:
            merge(self.function_extra, function._extra)
        self._add_named(name if isinstance(name, str) else None, json_text(function.arguments))

    def _add_named(self, name: str | None, text: str) -> str:
        self.restarted = False
        if name and name != self.name:
            # A name in parts comes before the arguments; any other is the whole name.
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
                text = self._new_text(text)
        self.arguments.append(text)
        return text

    def repeats(self, text: str) -> bool:
        """Return whether a text equals the complete arguments, apart from whitespace."""
        held = self.text()
        return text == held or (
            is_complete_object(text)
            and is_complete_object(held)
            and _decode_complete(text) == _decode_complete(held)
        )

    def _new_text(self, text: str) -> str:
        """Return what a text that looks like the start of an object adds to the arguments.

        Some servers repeat the arguments so far in each delta, or all of them in a last one.
        """
        if self.is_cumulative or text.startswith(self.arguments[0]):
            held = self.text()
            if text.startswith(held) and (self.is_cumulative or not self.can_continue(text)):
                self.is_cumulative = len(text) > len(held)
                return text[len(held) :]
        return "" if self.is_complete() and self.repeats(text) else text

    def _fields(self, text: str) -> dict[str, Any]:
        """Return the name and the arguments as fields.

        Args:
            text: The name of the field for the arguments, which differs between kinds of tools.
        """
        return {"name": self.name, text: joined_text(self.arguments)}

    def build(self) -> ChatCompletionMessageFunctionToolCall | ChatCompletionMessageCustomToolCall:
        """Return the tool call so far, as a new object."""
        made: ChatCompletionMessageFunctionToolCall | ChatCompletionMessageCustomToolCall
        fields: dict[str, Any] = {"id": self.id, "type": self.type or "function"}
        if self.is_custom:
            custom = Custom(**self._fields("input"))
            made = ChatCompletionMessageCustomToolCall(**fields, custom=custom)
        else:
            function = self.function(Function)
            made = ChatCompletionMessageFunctionToolCall(**fields, function=function)
        made.extra.update(copied(self.extra))
        return made

    def function(self, kind: type[J]) -> J:
        """Return the function call so far, as a new object of the class given."""
        made = kind(**self._fields("arguments"))
        made.extra.update(copied(self.function_extra))
        return made
