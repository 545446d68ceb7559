"""Function tools made from classes and functions.

A :class:`Tool` is the dict for ``tools=`` of a request. It can also decode the arguments of a call
and, if it was made from a function, call that function.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Any, cast, get_type_hints

import attrs

from chatlib.structured.decoder import decode_json
from chatlib.structured.json_schema import json_schema
from chatlib.types.text import json_text
from chatlib.wire.codec import as_list

if TYPE_CHECKING:
    from chatlib.types.tool import ChatCompletionFunctionToolParam


class Tool(dict[str, Any]):
    """A function tool as the API takes it, made by :func:`function_tool`."""

    def __init__(
        self,
        definition: Mapping[str, Any],
        kind: Any,
        function: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(type="function", function=dict(definition))
        self.kind = kind
        """The class that the arguments are decoded into."""
        self.function = function
        """The function that :meth:`call` calls, or None if the tool was made from a class."""

    @property
    def name(self) -> str:
        """The name of the tool in requests and tool calls."""
        return str(self["function"]["name"])

    def read(self, arguments: str) -> Any:
        """Decode the arguments of a tool call.

        Args:
            arguments: The JSON text of the arguments; an empty text counts as ``{}``.

        Returns:
            An instance of the class, or a dict of the parameters of the function.

        Raises:
            DecodeError: The arguments do not match the tool.
        """
        value = decode_json(self.kind, json_text(arguments).strip() or "{}")
        if self.function is None:
            return value
        return {field.name: getattr(value, field.name) for field in attrs.fields(self.kind)}

    def call(self, arguments: str) -> Any:
        """Call the function with the arguments of a tool call.

        Args:
            arguments: The JSON text of the arguments; an empty text counts as ``{}``.

        Returns:
            The return value of the function.

        Raises:
            DecodeError: The arguments do not match the parameters of the function.
            TypeError: The tool was made from a class.
        """
        if self.function is None:
            raise TypeError(f"the tool {self.name!r} was made from a class, not a function")
        return self.function(**self.read(arguments))

    def __reduce__(self) -> tuple[Any, ...]:
        source = self.function or self.kind
        return function_tool, (source, self.name, self["function"].get("description"))


def function_tool(source: Any, name: str | None = None, description: str | None = None) -> Tool:
    """Make a strict function tool from a class, or from a function with annotations.

    Args:
        source: A class that :func:`~chatlib.structured.json_schema.json_schema` supports, whose
            fields are the parameters; or a function, whose parameters its docstring describes
            (the sections of Google's style, or ``:param name:``).
        name: The name of the tool; by default the name of the class or function.
        description: The description; by default the first paragraph of the docstring.

    Returns:
        A new tool.

    Raises:
        TypeError: A parameter has no annotation, or one without a strict schema.

    >>> def add(a: int, b: int) -> int:
    ...     "Add two numbers."
    ...     return a + b
    >>> tool = function_tool(add)
    >>> tool["function"]["parameters"]["required"]
    ['a', 'b']
    >>> tool.call('{"a": 2, "b": 3}')
    5
    """
    is_class = isinstance(source, type) or not inspect.isroutine(source)
    kind = source if is_class else _parameters(source)
    schema = dict(json_schema(kind))
    own = schema.pop("description", None)
    if not is_class:
        own, _ = _documented(source)
    definition: dict[str, Any] = {"name": name or getattr(source, "__name__", "tool")}
    if description or own:
        definition["description"] = description or own
    definition |= {"parameters": schema, "strict": True}
    return Tool(definition, kind, None if is_class else source)


def pydantic_function_tool(
    model: Any, *, name: str | None = None, description: str | None = None
) -> ChatCompletionFunctionToolParam:
    """Make a tool with :func:`function_tool`; the class need not be a pydantic model."""
    made: Any = function_tool(model, name, description)
    return cast("ChatCompletionFunctionToolParam", made)


def _parameters(function: Callable[..., Any]) -> type:
    """Return a class with the parameters of a function as fields."""
    shown = f"{getattr(function, '__name__', function)}()"
    hints = get_type_hints(function, include_extras=True)
    _, described = _documented(function)
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{shown}: {parameter} cannot be passed by keyword")
        if name not in hints:
            raise TypeError(f"{shown}: the parameter {name!r} has no annotation")
        note = {"description": described[name]} if name in described else {}
        default = attrs.NOTHING if parameter.default is parameter.empty else parameter.default
        fields[name] = attrs.field(type=hints[name], default=default, metadata=note)
    return attrs.make_class(getattr(function, "__name__", "Parameters"), fields, kw_only=True)


_SECTION = re.compile(r"^(Args|Arguments|Parameters|Params):\s*$")
_ENTRY = re.compile(r"^\s+\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_FIELDS = re.compile(r"^:(param|type|returns?|rtype|raises)\b[^:]*:")
_FIELD = re.compile(r"^:param\s+(?:[^:]*\s)?(\w+)\s*:\s*(.*)$")


def _is_prose(line: str) -> bool:
    return bool(line.strip()) and not _SECTION.match(line) and not _FIELDS.match(line)


def _documented(function: Callable[..., Any]) -> tuple[str | None, dict[str, str]]:
    """Return the first paragraph of a docstring, and the description of each parameter."""
    text = inspect.getdoc(function) or ""
    summary = " ".join(" ".join(takewhile(_is_prose, text.splitlines())).split())
    described: dict[str, str] = {}
    inside, current, margin = False, "", 0
    for line in text.splitlines():
        field, entry = _FIELD.match(line), _ENTRY.match(line)
        depth = len(line) - len(line.lstrip())
        if _SECTION.match(line):
            inside, current, margin = True, "", 0
        elif field:
            current, described[field[1]] = field[1], field[2]
            margin = 0
        elif inside and entry and (not margin or depth <= margin):
            current, described[entry[1]] = entry[1], entry[2]
            margin = depth
        elif line.strip() and current and depth > margin:
            described[current] = f"{described[current]} {line.strip()}".strip()
        elif line.strip() and not depth:
            inside, current = False, ""
    return summary or None, described


def as_tools(tools: Iterable[Any] | Mapping[str, Any]) -> list[Any]:
    """Convert the tools of a request into a list; functions become tools.

    Raises:
        TypeError: The argument is not a list of tools.
    """
    whole = isinstance(tools, Mapping) and not isinstance(tools, Tool)
    listed = as_list(tools.values() if whole else tools)  # type: ignore[union-attr]
    if not isinstance(listed, list):
        raise TypeError(f"tools is a {type(tools).__name__}; it must be a list of tools")
    return [function_tool(tool) if inspect.isroutine(tool) else tool for tool in listed]
