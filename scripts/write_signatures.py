"""Write out the parameters of the clients' methods, for editors, ``help()`` and ``inspect``.

A parameter is said once: its type in a TypedDict, and a line about it in the docstring there. This
writes ``chatlib/client/methods.py`` and ``async_methods.py``, in which each method has each of its
parameters by name. ``--check`` writes nothing, and fails if a file differs.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLIENT = ROOT / "chatlib" / "client"
SOURCES = (ROOT / "chatlib" / "types" / "params.py", CLIENT / "settings.py")
WIDTH = 100


@dataclass
class Parameter:
    """A parameter: its type as it is written, and what is said about it."""

    name: str
    type: str
    doc: str
    required: bool = False
    default: str = ""

    def written(self) -> str:
        """Return the parameter as it stands in a signature."""
        return f"{self.name}: {self.type}" + (f" = {self.default}" if self.default else "")


@dataclass
class Table:
    """A TypedDict of parameters."""

    bases: list[str]
    parameters: dict[str, Parameter] = field(default_factory=dict)


def documented(docstring: str) -> dict[str, str]:
    """Return the line about each parameter in a docstring."""
    section = re.search(r"(?:Parameters|Attributes):\n((?:    .*\n?|\n)*)", docstring)
    lines = re.split(r"\n    (?=\w+: )", "\n" + section[1]) if section else []
    pairs = (line.partition(": ") for line in lines if ": " in line)
    return {name.strip(): " ".join(text.split()) for name, _, text in pairs}


def tables() -> dict[str, Table]:
    """Return the TypedDicts of parameters by name."""
    made: dict[str, Table] = {}
    docs: dict[str, str] = {}  # what a class says about parameters holds for those below it
    for source in SOURCES:
        for node in ast.parse(source.read_text()).body:
            if not isinstance(node, ast.ClassDef):
                continue
            docs |= documented(ast.get_docstring(node) or "")
            bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
            table = Table([base for base in bases if base in made])
            is_total = not any(word.arg == "total" for word in node.keywords)
            for item in node.body:
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                    text = ast.unparse(item.annotation)
                    inner = re.fullmatch(r"NotRequired\[(.*)\]", text, re.DOTALL)
                    name = item.target.id
                    table.parameters[name] = Parameter(
                        name,
                        inner[1] if inner else text,
                        docs.get(name, ""),
                        required=is_total and inner is None,
                    )
            made[node.name] = table
    return made


TABLES = tables()


def parameters_of(name: str, kind: str = "call") -> list[Parameter]:
    """Return the parameters of a TypedDict, those of its bases first, with their defaults.

    Args:
        name: The name of the TypedDict.
        kind: "call", "client" or "options", of which each has its own defaults.
    """
    table = TABLES[name]
    found = {p.name: p for base in table.bases for p in parameters_of(base, kind)}
    for each in table.parameters.values():
        made = Parameter(each.name, each.type, each.doc, each.required)
        if kind == "client" and each.type == "int":  # a number is never None
            made.default = f"DEFAULT_{each.name.upper()}"
        elif not each.required:
            is_none = re.search(r"\bNone\b", each.type) or each.type == "Any"
            is_none = is_none and kind != "call" and "Omit" not in each.type
            made.default = "None" if is_none else "omit"
        if made.default == "omit" and "Omit" not in made.type:
            made.type += " | Omit"
        found[each.name] = made
    return list(found.values())


def ordered(parameters: list[Parameter]) -> list[Parameter]:
    """Return the parameters of a completion: those required, those of the API, the options."""
    options = TABLES["RequestOptions"].parameters

    def place(each: Parameter) -> tuple[bool, int, str]:
        at = list(options).index(each.name) if each.name in options else -1
        return (not each.required, at, "" if each.required else each.name)

    return sorted(parameters, key=place)


@dataclass
class Method:
    """A method: what it is called, what it takes and returns, and how it is said."""

    name: str
    result: str
    doc: str
    parameters: list[Parameter]
    call: str
    returns: str
    overloads: list[tuple[dict[str, str], str]] = field(default_factory=list)
    positional: str = ""
    is_async: bool = False
    secrets: str = "extra_headers, extra_query, extra_body"

    def signature(self, changed: dict[str, str], result: str) -> str:
        """Return the definition's first part, with some parameters as an overload has them."""
        word = "async def" if self.is_async else "def"
        lines = [f"    {word} {self.name}("]
        lines.append("        self," + (f"\n        {self.positional}," if self.positional else ""))
        lines.append("        *,")
        for each in self.parameters:
            written = (
                f"{each.name}: {changed[each.name]}" if each.name in changed else each.written()
            )
            lines.append(f"        {written},")
        lines.append(f"    ) -> {result}:")
        return "\n".join(lines)

    def text(self) -> str:
        """Return the method."""
        parts = [
            f"    @overload\n{self.signature(changed, result)} ...\n"
            for changed, result in self.overloads
        ]
        doc = [f'        """{self.doc}', "", "        Args:"]
        if self.positional:
            doc.append("            completion_id: The ID of the completion.")
        for each in self.parameters:
            indent = " " * 12
            doc += textwrap.wrap(
                f"{each.name}: {each.doc}",
                WIDTH,
                initial_indent=indent,
                subsequent_indent=indent + "    ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        if self.returns:
            doc += ["", "        Returns:", f"            {self.returns}"]
        doc.append('        """')
        body = ["        given = arguments(locals())"]
        if self.secrets:
            body.append(f"        del {self.secrets}")
        body.append(f"        {self.call}")
        return "\n".join([*parts, self.signature({}, self.result), *doc, *body, ""])


STREAM = Parameter("stream", "bool | Omit | None", "True to return a stream of chunks.")
STREAM.default = "omit"


def answer_format(type_: str, doc: str) -> Parameter:
    """Return the parameter ``response_format`` of a method that decodes."""
    return Parameter("response_format", type_, doc, default="omit")


def completions(a: str) -> str:
    """Return the class of the methods of ``client.chat.completions``.

    Args:
        a: "Async" or "".
    """
    is_async = bool(a)
    wait = "await " if a else ""
    chunks = f"{a}Stream[ChatCompletionChunk]"
    manager = f"{a}ChatCompletionStreamManager"
    typed = parameters_of("TypedAnswerOptions")
    create = Method(
        "create",
        f"ChatCompletion | {chunks}",
        "Create a chat completion.",
        ordered([*parameters_of("CreateOptions"), STREAM]),
        f"return {wait}self._create(given)",
        "The completion; with ``stream=True``, an iterator over its chunks.",
        [
            ({"stream": "Literal[False] | Omit | None = omit"}, "ChatCompletion"),
            ({"stream": "Literal[True]"}, chunks),
            ({"stream": "bool"}, f"ChatCompletion | {chunks}"),
        ],
        is_async=is_async,
    )
    kind = answer_format("Any", "The type to decode the answer into.")
    parse = Method(
        "parse",
        "ParsedChatCompletion[Any]",
        "Create a chat completion and decode its content into a type.",
        ordered([*typed, kind]),
        f"return {wait}self._parse(given)",
        "The completion; ``choices[0].message.parsed`` is the decoded value.",
        [
            ({"response_format": "type[T]"}, "ParsedChatCompletion[T]"),
            ({"response_format": "Omit = omit"}, "ParsedChatCompletion[None]"),
        ],
        is_async=is_async,
    )
    stream = Method(
        "stream",
        f"{manager}[Any]",
        "Stream a chat completion as events, each with a snapshot of the completion so far.",
        ordered([*typed, answer_format("Any", "A type to decode the answer into, or a format.")]),
        "return self._stream(given)",
        "A context manager that opens the stream of events.",
        [
            ({"response_format": "type[T]"}, f"{manager}[T]"),
            ({"response_format": "Any = omit"}, f"{manager}[Any]"),
        ],
    )
    tools = Parameter("tools", "Iterable[Any]", "Functions, and tools made of them.", required=True)
    rounds = Parameter("max_rounds", "int", "The maximum number of completions.", default="10")
    event = "Callable[[ToolRunEvent], object] | None"
    told = Parameter("on_event", event, "Called with each completion and tool result.")
    told.default = "None"
    without = [
        p for p in parameters_of("CreateOptions") if p.name not in ("tools", "stream_options")
    ]
    run = Method(
        "run",
        "ToolRun",
        "Create completions and execute the tools that the model calls, until it answers.",
        ordered([*without, tools, rounds, told]),
        f"return {wait}self._run(given)",
        "The answer and the conversation that led to it.",
        is_async=is_async,
    )
    page = "AsyncPaginator" if a else "SyncCursorPage"
    first = "The first page; iterating over it also fetches the following pages."
    list_ = Method(
        "list",
        f"{page}[ChatCompletion]",
        "List the stored completions, one page at a time.",
        parameters_of("ListOptions"),
        "return self._list(given)",
        first,
    )
    id_ = "completion_id: str"
    retrieve = Method(
        "retrieve",
        "ChatCompletion",
        "Retrieve a stored completion.",
        parameters_of("RequestOptions"),
        f"return {wait}self._retrieve(given)",
        "The completion.",
        positional=id_,
        is_async=is_async,
    )
    metadata = parameters_of("UpdateOptions")
    for each in metadata:
        each.doc = each.doc or "The new metadata, which replaces all of the old."
    update = Method(
        "update",
        "ChatCompletion",
        "Update the metadata of a stored completion.",
        ordered(metadata),
        f"return {wait}self._update(given)",
        "The updated completion.",
        positional=id_,
        is_async=is_async,
    )
    delete = Method(
        "delete",
        "ChatCompletionDeleted",
        "Delete a stored completion.",
        parameters_of("RequestOptions"),
        f"return {wait}self._delete(given)",
        "The confirmation of the server.",
        positional=id_,
        is_async=is_async,
    )
    messages = Method(
        "list",
        f"{page}[ChatCompletionStoreMessage]",
        "List the messages of a stored completion, one page at a time.",
        parameters_of("MessageListOptions"),
        "return self._list(given)",
        first,
        positional=id_,
    )
    # ``list`` comes last: after it, the name is the method in the class.
    methods = [create, retrieve, update, delete, parse, stream, run, list_]
    hooks = ["create", "retrieve", "update", "delete", "parse", "stream", "run", "list"]
    return "\n".join(
        [
            f"class {a}Completions:",
            '    """The methods of ``client.chat.completions``, each parameter by its name."""',
            "",
            *(f"    _{name}: Callable[[dict[str, Any]], Any]" for name in hooks),
            "",
            *(method.text() for method in methods),
            "",
            f"class {a}Messages:",
            '    """The methods of ``client.chat.completions.messages``."""',
            "",
            "    _list: Callable[[dict[str, Any]], Any]",
            "",
            messages.text(),
        ]
    )


def client(a: str, azure: str) -> str:
    """Return the class of the constructor and ``with_options()`` of a client.

    Args:
        a: "Async" or "".
        azure: "Azure" or "".
    """
    either = "AsyncTransport | Transport | None" if a else "Transport | None"
    said = "A transport, in place of the default one." if not azure else "As for ``OpenAI``."
    transport = Parameter("transport", either, said, default="None")
    sleep = Parameter("sleep", "Callable[[float], object] | None", "Sleeps between attempts.")
    sleep.default = "None"
    settings = parameters_of("AzureSettings" if azure else "ClientSettings", "client")
    changes = parameters_of("AzureChanges" if azure else "Changes", "options")
    secrets = ["api_key", "default_headers", "default_query", "base_url"]
    secrets += ["azure_ad_token", "azure_ad_token_provider", "azure_endpoint"] if azure else []
    hidden = ", ".join(secrets)
    init = Method(
        "__init__",
        "None",
        "Make a client.",
        [*settings, transport, sleep, *parameters_of("UnusedSettings", "client")],
        "self._initialize(given)",
        "",
        secrets=hidden,
    )
    more = ", set_default_headers, set_default_query"
    options = Method(
        "with_options",
        "Self",
        "Return a copy of this client with some settings changed, which shares its connections.",
        [*changes, transport],
        "return self._with_changes(given)",
        "The copy.",
        secrets=hidden + more,
    )
    return "\n".join(
        [
            f"class {a}{azure}OpenAI:",
            '    """The constructor and the settings of the client, each by its name."""',
            "",
            "    _initialize: Callable[[dict[str, Any]], None]",
            "    _with_changes: Callable[[dict[str, Any]], Any]",
            "",
            init.text(),
            options.text(),
            "    copy = with_options",
            "",
        ]
    )


HEADER = '''"""The methods of the {kind} clients with each parameter by its name.

Written by ``scripts/write_signatures.py`` from the tables in ``chatlib/types/params.py`` and
``chatlib/client/settings.py``: change these, and run it.
"""

# mypy: disable-error-code=no-any-return

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from chatlib.client.arguments import arguments
from chatlib.config import DEFAULT_MAX_RETRIES
from chatlib.http import omit
from chatlib.size_limits import (
    DEFAULT_MAX_ERROR_BYTES,
    DEFAULT_MAX_EVENT_BYTES,
    DEFAULT_MAX_RESPONSE_BYTES,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from typing_extensions import Self

{imports}

T = TypeVar("T")


'''


def imports_of(text: str, a: str) -> str:
    """Return the imports of the names that the annotations have."""
    homes: dict[str, str] = {}
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("chatlib"):
                homes |= {alias.name: str(node.module) for alias in node.names}
    homes |= dict.fromkeys(("ExtraHeaders", "ExtraQuery", "ExtraBody"), "chatlib.types.params")
    streams = "async_streams" if a else "streams"
    typed = "async_typed_stream" if a else "typed_stream"
    homes |= {
        f"{a}Stream": f"chatlib.client.{streams}",
        f"{a}ChatCompletionStreamManager": f"chatlib.client.{typed}",
        "AsyncPaginator": "chatlib.client.pagination",
        "SyncCursorPage": "chatlib.client.pagination",
        "AsyncTransport": "chatlib.http",
        "Transport": "chatlib.http",
        "Omit": "chatlib.http",
        "ChatCompletion": "chatlib.types.completion",
        "ChatCompletionChunk": "chatlib.types.chunk",
        "ChatCompletionDeleted": "chatlib.types.stored",
        "ChatCompletionStoreMessage": "chatlib.types.stored",
        "ParsedChatCompletion": "chatlib.types.parsed",
        "ToolRun": "chatlib.structured.tool_runs",
        "ToolRunEvent": "chatlib.structured.tool_runs",
    }
    used: dict[str, list[str]] = {}
    for name, home in homes.items():
        if re.search(rf"\b{name}\b", text) and home != "chatlib.client.hooks":
            used.setdefault(home, []).append(name)
    lines = []
    for home, names in sorted(used.items()):
        line = f"    from {home} import {', '.join(sorted(names))}"
        if len(line) > WIDTH:
            inner = "".join(f"        {name},\n" for name in sorted(names))
            line = f"    from {home} import (\n{inner}    )"
        lines.append(line)
    return "\n".join(lines)


def files() -> dict[Path, str]:
    """Return the text of each file."""
    made = {}
    for a, name, kind in (
        ("", "methods.py", "synchronous"),
        ("Async", "async_methods.py", "async"),
    ):
        text = "\n\n".join([client(a, ""), client(a, "Azure"), completions(a)])
        made[CLIENT / name] = HEADER.format(kind=kind, imports=imports_of(text, a)) + text
    return made


def main() -> int:
    """Write or check the files; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    wrong = [
        path for path, text in files().items() if not path.exists() or path.read_text() != text
    ]
    for path in wrong:
        print(f"{'differs' if check else 'written'}: {path.relative_to(ROOT)}")
        if not check:
            path.write_text(files()[path])
    return 1 if check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
