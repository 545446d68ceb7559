"""What editors show of the clients' methods: by jedi, and by the language server of pyright."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chatlib.types.params import CREATE_PARAMS
from chatlib.wire.request import REQUEST_OPTIONS

PARAMETERS = CREATE_PARAMS | REQUEST_OPTIONS | {"stream"}
ROOT = Path(__file__).resolve().parent.parent
CODE = "import chatlib\nclient = chatlib.{}()\nclient.chat.completions.create("


@pytest.mark.parametrize("client", ["OpenAI", "AsyncOpenAI"])
def test_jedi(client: str, request: pytest.FixtureRequest) -> None:
    """jedi, which pylsp, IPython and Jupyter ask: completion, signature and documentation."""
    jedi = pytest.importorskip("jedi")
    request.addfinalizer(importlib.import_module("parso.cache").parser_cache.clear)
    code = CODE.format(client)
    script = jedi.Script(code, project=jedi.Project(str(ROOT)))
    line, column = 3, len(code.splitlines()[-1])
    offered = {each.name.rstrip("=") for each in script.complete(line, column)}
    assert offered >= PARAMETERS
    signatures = script.get_signatures(line, column)
    assert any({p.name for p in each.params} >= PARAMETERS for each in signatures)
    assert any("temperature: The sampling temperature" in each.docstring() for each in signatures)


class LanguageServer:
    """pyright's language server, spoken to over its standard input and output."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._count = 0
        folders = [{"uri": folder.as_uri(), "name": "x"}]
        self.ask(
            "initialize",
            processId=None,
            rootUri=folder.as_uri(),
            workspaceFolders=folders,
            capabilities={"textDocument": {"hover": {"contentFormat": ["markdown"]}}},
        )
        self.tell("initialized")

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        length = 0
        while (line := self.process.stdout.readline().strip()) or not length:
            assert line, "the language server has ended"
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message: dict[str, Any] = json.loads(self.process.stdout.read(length))
        return message

    def tell(self, method: str, **params: Any) -> None:
        self._send({"method": method, "params": params})

    def ask(self, method: str, **params: Any) -> Any:
        self._count += 1
        self._send({"id": self._count, "method": method, "params": params})
        while True:
            message = self._receive()
            if "method" in message:
                if "id" in message:  # it asks for the configuration
                    items = message.get("params", {}).get("items", [])
                    self._send({"id": message["id"], "result": [None for _ in items]})
                continue
            if message["id"] == self._count:
                return message["result"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_pyright(tmp_path: Path) -> None:
    """pyright, which Pylance is made of: completion, hover and signature help."""
    installed = Path(sys.executable).with_name("pyright-langserver")
    command = str(installed) if installed.exists() else shutil.which("pyright-langserver")
    if command is None:
        pytest.skip("pyright is not installed")
    code = CODE.format("OpenAI")
    path = tmp_path / "program.py"
    path.write_text(code)
    settings = {"extraPaths": [str(ROOT)], "venvPath": ".", "pythonVersion": "3.11"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    server = LanguageServer([command, "--stdio"], tmp_path)
    try:
        document = {"uri": path.as_uri()}
        opened = {**document, "languageId": "python", "version": 1, "text": code}
        server.tell("textDocument/didOpen", textDocument=opened)
        end = {"line": 2, "character": len(code.splitlines()[-1])}
        found = server.ask("textDocument/completion", textDocument=document, position=end)
        items = found["items"] if isinstance(found, dict) else found
        assert {item["label"].rstrip("=") for item in items} >= PARAMETERS
        helped = server.ask("textDocument/signatureHelp", textDocument=document, position=end)
        labels = [each["label"] for each in helped["signatures"]]
        assert any(all(f"{name}: " in label for name in PARAMETERS) for label in labels)
        at = {"line": 2, "character": code.splitlines()[-1].index("create") + 1}
        shown = server.ask("textDocument/hover", textDocument=document, position=at)
        assert "The sampling temperature" in shown["contents"]["value"]
    finally:
        server.process.kill()
        server.process.communicate()
