"""Give a client of this library to frameworks, and count what works as with the official one.

    python tests/frameworks/run.py [--client official] [NAME ...]

Each framework is installed into an environment of its own below ``--folder``, which takes a while,
and runs its cases against a canned server on loopback: plain chat, a stream, a tool, a typed
answer, an awaited call, and the errors 401 and 429. Not part of the test suite.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from chatlib.testing.loopback import Reply, Request, Server, chunk, completion, sse  # noqa: E402
from tests.frameworks.programs import FRAMEWORKS, PRELUDE  # noqa: E402

ANSWER = '{"name": "Ulm"}'


def reply(request: Request) -> Reply:
    """Answer a request as its key and its content ask."""
    if request.target.endswith("/models"):
        return Reply.json({"object": "list", "data": []})
    key = request.headers.get("authorization", "")
    if "bad" in key or "busy" in key:
        status = 401 if "bad" in key else 429
        body = {"error": {"message": "no", "code": "c", "type": "t", "param": None}}
        return Reply.json(body, status=status)
    asked = request.json()
    tools = [each["function"]["name"] for each in asked.get("tools") or []]
    has_result = any(each.get("role") == "tool" for each in asked["messages"])
    if tools and not has_result:
        called = {"name": tools[0], "arguments": ANSWER}
        call = {"index": 0, "id": "call_1", "type": "function", "function": called}
        return _streamed_call(call) if asked.get("stream") else Reply.json(_calling(call))
    if asked.get("stream"):
        parts = [chunk(ANSWER[:5]), chunk(ANSWER[5:]), chunk(finish="stop")]
        return Reply.stream([sse(*parts)])
    return Reply.json(completion(ANSWER))


def _calling(call: dict[str, Any]) -> dict[str, Any]:
    made = completion(None)
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    made["choices"] = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
    return made


def _streamed_call(call: dict[str, Any]) -> Reply:
    first, last = chunk(), chunk(finish="tool_calls")
    first["choices"][0]["delta"] = {"role": "assistant", "tool_calls": [call]}
    return Reply.stream([sse(first, last)])


def environment(folder: Path, name: str, requirements: list[str]) -> Path:
    """Return the Python of an environment with a framework and this library."""
    python = folder / name / "bin" / "python"
    if not python.exists():
        venv.create(folder / name, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *requirements, ROOT], check=True)
    return python


def run(python: Path, code: str) -> tuple[bool, str]:
    """Run a program from a file; return whether it worked, and what it said on stderr."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.py"
        path.write_text(code)
        variables = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": folder}
        try:
            done = subprocess.run(
                [python, path],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
                env=variables,
            )
        except subprocess.TimeoutExpired:
            return False, "took more than a minute"
    return done.returncode == 0 and "WORKED" in done.stdout, done.stderr


def main() -> None:
    """Run the cases, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--client", choices=("chatlib", "official"), default="chatlib")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "frameworks")
    options = parser.parse_args()
    for name, framework in FRAMEWORKS.items():
        if options.names and name not in options.names:
            continue
        try:
            python = environment(options.folder, name, framework.requirements)
        except subprocess.CalledProcessError as error:
            print(f"{name:16} could not be installed: {error}")
            continue
        cells = []
        for case, program in framework.cases.items():
            with Server(reply) as server:
                home = "openai" if options.client == "official" else framework.home
                code = PRELUDE.format(home=home, url=server.url) + framework.setup + program
                worked, said = run(python, code)
            cells.append(f"{case}: {'ok' if worked else 'FAILED'}")
            if not worked:
                print(f"--- {name}, {case}\n{said[-1500:]}", file=sys.stderr)
        print(f"{name:16} {framework.home:15} {'; '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
