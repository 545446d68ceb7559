"""The package as a whole: what it exports, what it loads, what its documents say."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import chatlib
from tests.environment import without_coverage

ROOT = Path(__file__).parents[1]
IO_LIBRARIES = "requests urllib3 socket ssl http.client aiohttp pydantic asyncio".split()
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(chatlib.__path__, "chatlib.")
    if not module.name.startswith("chatlib.compat.")  # they need the official package
)


def loaded_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after some code."""
    code += "\nimport sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=without_coverage(),
        capture_output=True,
        encoding="utf-8",
        check=True,
        cwd=ROOT,
        timeout=60,
    )
    return set(done.stdout.splitlines()[-1].split())


def test_core_loads_no_io_library() -> None:
    """Building a request and reading responses needs neither sockets nor HTTP libraries."""
    code = """
import chatlib
config = chatlib.Config(api_key="k")
request = chatlib.build_create(config, model="m", messages=[chatlib.UserMessage(content="a")])
body = b'{"choices": [{"message": {"content": "a"}}]}'
assert chatlib.read_completion(chatlib.HttpResponse(200, {}, body)).text == "a"
body = b'data: {"choices": [{"delta": {"content": "a"}}]}\\n\\ndata: [DONE]\\n\\n'
assert [c.text for c in chatlib.read_chunks(chatlib.HttpResponse(200, {}, body))] == ["a"]
try:
    chatlib.read_completion(chatlib.HttpResponse(429, {"retry-after": "3"}, b"{}"))
except chatlib.RateLimitError as error:
    assert chatlib.decide(chatlib.RetryPolicy(), 0, error) == 3
"""
    assert set() == loaded_after(code) & set(IO_LIBRARIES)


def test_client_loads_its_transport_late() -> None:
    """Making a client loads no I/O library either; the first call does."""
    assert set() == loaded_after("import chatlib; chatlib.OpenAI(api_key='k')") & set(IO_LIBRARIES)


def test_import_alone_loads_next_to_nothing() -> None:
    """import chatlib loads none of its own modules but the version."""
    ours = {name for name in loaded_after("import chatlib") if name.startswith("chatlib")}
    assert {"chatlib", "chatlib._version"} == ours


def test_names_resolve() -> None:
    """Each exported name is there, and is listed once for checkers and once for Python."""
    for name in chatlib.__all__:
        assert getattr(chatlib, name) is not None
    assert set(chatlib.__all__) <= set(dir(chatlib))
    tree = ast.parse(Path(chatlib.__file__).read_text(encoding="utf-8"))
    seen = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("chatlib")
        for alias in node.names
        if alias.asname is not None
    }
    assert {*chatlib.__all__} == seen | set(chatlib._OWN_NAMES)
    with pytest.raises(AttributeError, match="nonsense"):
        chatlib.nonsense  # noqa: B018


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__")])
def test_module(name: str) -> None:
    """It imports, says what it is, documents its public names, and its examples run."""
    module = importlib.import_module(name)
    assert module.__doc__
    for public, value in vars(module).items():
        if public.startswith("_") or getattr(value, "__module__", None) != name:
            continue
        if not (isinstance(value, type) or callable(value)):
            continue
        assert value.__doc__, f"{name}.{public} has no docstring"
    failed, _ = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert 0 == failed


def floors() -> dict[str, int]:
    """The floor of each room, as the architecture page tells."""
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| `([a-z_]+)(?:\.py|/)` \|", page, re.MULTILINE)
    return {"_version": 0, **{room: int(floor) for floor, room in rows}, "__main__": 99}


def imports(*, typed_too: bool = False) -> dict[str, set[str]]:
    """What each module imports at its top or inside a function; also for type checkers only."""
    package = Path(chatlib.__file__).parent
    found: dict[str, set[str]] = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        tree = ast.parse(path.read_text("utf-8"))
        typed = {
            inner
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
            for outer in node.body
            for inner in ast.walk(outer)
        }
        taken = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        found[name] = {
            f"{node.module}.{alias.name}"
            for node in taken
            if (typed_too or node not in typed) and (node.module or "").startswith("chatlib")
            for alias in node.names
        }
    return {
        name: {part for full in taken for part in (full, full.rpartition(".")[0]) if part in found}
        - {name, "chatlib"}
        for name, taken in found.items()
    }


def test_floors() -> None:
    """A room imports only from the floors below it; the page lists each room."""
    floor_of = floors()
    for name, taken in imports().items():
        room = name.split(".")[1] if "." in name else "__init__"
        for other in taken:
            below = other.split(".")[1]
            if "__init__" != room != below:
                assert floor_of[below] < floor_of[room], f"{name} imports {other}"


@pytest.mark.parametrize("typed_too", [False, True])
def test_no_circles(typed_too: bool) -> None:
    """No module imports itself by way of others, however deep in functions.

    In the client, not even by imports for type checkers.
    """
    graph = imports(typed_too=typed_too)
    if typed_too:
        graph = {
            name: {other for other in taken if other.startswith("chatlib.client")}
            for name, taken in graph.items()
            if name.startswith("chatlib.client")
        }
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way, name))
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_main_command_of_the_readme() -> None:
    """It needs neither a key nor a terminal: the demo answers it."""
    command = re.search(r"(?<=&& )\.venv/bin/chatlib .*", (ROOT / "README.md").read_text("utf-8"))
    assert command is not None
    assert " --demo " in command[0]


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_in_pages(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The Python examples of a page run, in their order, against a server in memory."""
    from chatlib.client.async_openai import AsyncOpenAI
    from chatlib.client.openai import OpenAI
    from chatlib.testing import InMemoryServer

    monkeypatch.chdir(tmp_path)  # where examples write their files
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    server = InMemoryServer(default="The capital of France is Paris.")
    for client in (OpenAI, AsyncOpenAI):
        monkeypatch.setattr(client, "_make_transport", staticmethod(lambda: server))
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(page), "exec", dont_inherit=True), names)
