"""The ``chatlib`` command: as a process of its own, where that matters, else as a function."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, TextIO

import pytest

import chatlib
from chatlib.cli import main
from chatlib.testing.loopback import Reply, Server, chunk, closed_port, completion, sse

KEY = "sk-a-key-that-is-a-secret"

# The command, where the process that runs the tests may have been told to ignore Ctrl-C.
INTERRUPTIBLE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from chatlib.cli import main
sys.exit(main())
"""


def environment(**variables: str | None) -> dict[str, str]:
    """The environment of the command."""
    named = {
        **os.environ,
        "PYTHONPATH": str(Path(chatlib.__file__).parent.parent),
        "PYTHONIOENCODING": "utf-8",
        **variables,
    }
    return {name: value for name, value in named.items() if value is not None}


def chat(
    *arguments: str, piped: str | bytes | None = None, **variables: str | None
) -> tuple[int, str, str]:
    """Run the command; its exit code, and what it wrote to stdout and to stderr.

    Args:
        piped: What is piped in; without it, the input is empty as that of a service.
        variables: Of the environment.
    """
    done = subprocess.run(
        [sys.executable, "-m", "chatlib", *arguments],
        env=environment(**variables),
        capture_output=True,
        timeout=30,
        **(
            {"stdin": subprocess.DEVNULL}
            if piped is None
            else {"input": piped.encode() if isinstance(piped, str) else piped}
        ),
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.returncode, lines(done.stdout), lines(done.stderr)


def lines(output: bytes) -> str:
    """Output as text, whatever ends a line on this system."""
    return output.decode("utf-8", "backslashreplace").replace("\r\n", "\n")


def streamed(*pieces: str, finish: str = "stop") -> Reply:
    """The stream of an answer."""
    return Reply.stream(sse(*map(chunk, pieces), chunk(None, finish)))


@pytest.fixture
def _no_input(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Nothing is piped in."""
    with open(os.devnull, encoding="utf-8") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        yield


# Without a key --------------------------------------------------------------------------------


@pytest.mark.parametrize("variables", [{}, {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}])
def test_scripted_model(variables: dict[str, str]) -> None:
    """With neither key nor address, a scripted model answers, and one line says so on stderr."""
    code, out, err = chat("What is the capital of France?", **variables)
    assert (0, "The capital of France is Paris.\n") == (code, out)
    assert 1 == err.count("\n")
    assert err.startswith("chatlib: no OPENAI_API_KEY")


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("what's the CAPITAL OF JAPAN", "The capital of Japan is Tokyo."),
        ("the capital of brazil", "The capital of Brazil is Brasília."),
        ("the capital of Atlantis", "I am a script"),
        ("Who are you?", "I am a script"),
    ],
)
@pytest.mark.usefixtures("_no_input")
def test_scripted_model_says(
    question: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It knows some capitals, and what to do for a better answer."""
    assert 0 == main([question, "--no-stream"])
    assert capsys.readouterr().out.startswith(expected)


def test_scripted_model_is_for_nobody_else() -> None:
    """A key or an address means that a real server is to be asked."""
    address = f"http://127.0.0.1:{closed_port()}/v1"
    for variables in ({"OPENAI_BASE_URL": address}, {"OPENAI_API_KEY": KEY}):
        arguments = ["--base-url", address] if "OPENAI_API_KEY" in variables else []
        code, out, err = chat("Hello", *arguments, **variables)
        assert (1, "") == (code, out)
        assert "scripted" not in err


# What is asked --------------------------------------------------------------------------------


def asked(*arguments: str, reply: Reply | None = None, **settings: Any) -> tuple[Any, str]:
    """What the server was sent, as JSON, and what the command printed."""
    with Server(reply or streamed("Hel", "lo!")) as server:
        variables = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url}
        code, out, err = chat(*arguments, **{**variables, **settings})
        assert (0, "") == (code, err)
        assert 1 == len(server.requests)
        assert "/v1/chat/completions" == server.last.target
        assert f"Bearer {KEY}" == server.last.headers["authorization"]
    return server.last.json(), out


def test_streams() -> None:
    """The prompt is sent as one message, the answer printed as it comes."""
    body, out = asked("What", "is", "this?")
    assert "Hello!\n" == out
    assert {
        "stream": True,
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "What is this?"}],
    } == body


def test_piped_input() -> None:
    """What is piped in is the prompt."""
    body, _ = asked(piped="Grüße,\nsagt er.\n")
    assert [{"role": "user", "content": "Grüße,\nsagt er."}] == body["messages"]


def test_prompt_and_piped_input() -> None:
    """What is piped in is put below the prompt."""
    body, _ = asked("Summarize:", piped="A long text.\n")
    assert "Summarize:\n\nA long text." == body["messages"][0]["content"]


def test_prompt_and_a_file(tmp_path: Path) -> None:
    """So is a file that is redirected."""
    (tmp_path / "text").write_text("A long text.")
    with Server(streamed("ok")) as server, open(tmp_path / "text", encoding="utf-8") as file:
        subprocess.run(
            [sys.executable, "-m", "chatlib", "Summarize:", "--base-url", server.url],
            env=environment(OPENAI_API_KEY=KEY),
            stdin=file,
            capture_output=True,
            check=True,
            timeout=30,
        )
    assert "Summarize:\n\nA long text." == server.last.json()["messages"][0]["content"]


@pytest.mark.parametrize(
    ("arguments", "model", "system"),
    [
        (["-m", "other"], "other", None),
        (["--model", "vendor/other", "--system", "Be brief."], "vendor/other", "Be brief."),
        (["-s", "Be brief."], "gpt-4o-mini", "Be brief."),
    ],
)
def test_model_and_system(arguments: list[str], model: str, system: str | None) -> None:
    """``--model`` and ``--system`` reach the server."""
    body, _ = asked("Hello", *arguments)
    assert model == body["model"]
    messages = [{"role": "system", "content": system}] if system else []
    assert [*messages, {"role": "user", "content": "Hello"}] == body["messages"]


def test_base_url_wins_over_the_environment() -> None:
    """``--base-url`` goes before OPENAI_BASE_URL; a key is not needed then."""
    with Server(streamed("ok")) as server:
        nobody = f"http://127.0.0.1:{closed_port()}/v1"
        code, out, err = chat("Hello", "--base-url", server.url, OPENAI_BASE_URL=nobody)
    assert (0, "ok\n", "") == (code, out, err)
    assert "Bearer none" == server.last.headers["authorization"]


def test_no_stream() -> None:
    """``--no-stream`` asks for the whole, and prints its text."""
    body, out = asked("Hello", "--no-stream", reply=Reply.json(completion("Grüße!")))
    assert "Grüße!\n" == out
    assert not body.get("stream")


def test_json() -> None:
    """``--json`` prints the whole completion, with what the library does not know."""
    whole = completion("Grüße!", timings={"ms": 1.5})
    body, out = asked("Hello", "--json", reply=Reply.json(whole))
    assert whole == json.loads(out)
    assert "Grüße!" in out
    assert not body.get("stream")


@pytest.mark.parametrize("arguments", [[], ["--no-stream"]])
def test_refusal(arguments: list[str]) -> None:
    """A refusal is printed in place of the text that there is not."""
    message = {"role": "assistant", "content": None, "refusal": "I can't."}
    choice = {"index": 0, "finish_reason": "stop"}
    whole = Reply.json(completion(choices=[{**choice, "message": message}]))
    parts = Reply.stream(sse(chunk(choices=[{**choice, "delta": message}])))
    _, out = asked("Hello", *arguments, reply=whole if arguments else parts)
    assert "I can't.\n" == out


@pytest.mark.parametrize("arguments", [[], ["--no-stream"], ["--json"]])
def test_note_of_a_cut_answer(arguments: list[str]) -> None:
    """An answer that was cut at the limit is printed, and a line on stderr says that it was cut."""
    whole = bool(arguments)
    reply = Reply.json(completion("Once", "length")) if whole else streamed("Once", finish="length")
    with Server(reply) as server:
        code, out, err = chat("Hello", "--base-url", server.url, *arguments)
    assert 0 == code
    assert "Once" in out
    assert "chatlib: the answer was cut at the token limit\n" == err


# What goes wrong ------------------------------------------------------------------------------

HTML = Reply(404, {"content-type": "text/html"}, b"<html><h1>Not Found</h1></html>")
REFUSED = Reply.error(401, f"Incorrect API key provided: {KEY}.", code="invalid_api_key")


def said(err: str) -> str:
    """The one line on stderr; the key is not in it."""
    assert KEY not in err
    assert err.startswith("chatlib: ")
    assert 1 == err.count("\n")
    return err


@pytest.mark.parametrize("arguments", [[], ["--no-stream"], ["--json"]])
@pytest.mark.parametrize(
    ("reply", "words"),
    [(REFUSED, "401 - Incorrect API key provided: ***."), (HTML, "404 - Not Found")],
    ids=["401", "404"],
)
@pytest.mark.usefixtures("_no_input")
def test_error_status(
    reply: Reply,
    words: str,
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A refused request: one line in the server's words, without the key; the exit code is 1."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Server(reply) as server:
        code = main(["Hello", "--base-url", server.url, *arguments])
    out, err = capsys.readouterr()
    assert (1, "") == (code, out)
    assert words in said(err)


def test_refused_connection() -> None:
    """Nobody listens: one line, exit code 1, and no traceback."""
    code, out, err = chat(
        "Hello", "--base-url", f"http://127.0.0.1:{closed_port()}/v1", OPENAI_API_KEY=KEY
    )
    assert (1, "") == (code, out)
    assert "Connection error" in said(err)
    assert "refused" in err


@pytest.mark.parametrize("address", ["localhost:8080", "example.com/v1", "ftp://x/v1", "http://"])
@pytest.mark.usefixtures("_no_input")
def test_bad_base_url(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is no address is quoted, with an example of one."""
    assert 1 == main(["Hello", "--base-url", address])
    out, err = capsys.readouterr()
    assert "" == out
    assert address in said(err)
    assert "such as https://" in err


@pytest.mark.parametrize("key", [f"{KEY}\n", f"{KEY}\r\nX-Evil: 1", f"{KEY}ä"])
def test_key_that_no_header_may_carry(key: str) -> None:
    """The line says what is wrong with the key, but not the key."""
    with Server() as server:
        code, out, err = chat("Hello", OPENAI_API_KEY=key, OPENAI_BASE_URL=server.url)
    assert (1, "") == (code, out)
    assert "api_key" in said(err)
    assert [] == server.requests


@pytest.mark.parametrize(
    ("reply", "printed", "words"),
    [
        (Reply.stream(sse(chunk("Once"), done=False)), "Once", "before the answer was complete"),
        (Reply.stream(sse(chunk("Once"), {"error": {"message": "Too busy."}})), "Once", "busy"),
        (Reply.stream(b"data: {oops\n\n"), "", "not JSON"),
        (Reply(200, {"content-type": "text/html"}, b"<html>Log in</html>"), "", "Log in"),
    ],
    ids=["cut", "error", "no JSON", "HTML"],
)
@pytest.mark.usefixtures("_no_input")
def test_broken_stream(
    reply: Reply, printed: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What came is printed; what went wrong stands on stderr, and the exit code is 1."""
    with Server(reply) as server:
        assert 1 == main(["Hello", "--base-url", server.url])
    out, err = capsys.readouterr()
    assert printed == out.rstrip("\n")
    assert words in said(err)


@pytest.mark.parametrize("piped", [None, "", " \n\t"], ids=["none", "empty", "blank"])
def test_nothing_to_ask(piped: str | None) -> None:
    """Without a question there is an example of one, and no request."""
    with Server() as server:
        code, out, err = chat(piped=piped, OPENAI_API_KEY=KEY, OPENAI_BASE_URL=server.url)
    assert (1, "") == (code, out)
    assert "nothing to ask" in said(err)
    assert [] == server.requests


def test_unknown_option(capsys: pytest.CaptureFixture[str]) -> None:
    """argparse says it, and exits with 2."""
    with pytest.raises(SystemExit) as stopped:
        main(["--nonsense"])
    assert 2 == stopped.value.code
    assert "--nonsense" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """``--version`` names the package and its version."""
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert 0 == stopped.value.code
    assert f"chatlib {chatlib.__version__}\n" == capsys.readouterr().out


# How it stops ---------------------------------------------------------------------------------


def started(server: Server, *command: str, **variables: str | None) -> subprocess.Popen[bytes]:
    """The command, running."""
    return subprocess.Popen(
        [sys.executable, *command, "Hello", "--base-url", server.url],
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_interrupted() -> None:
    """Ctrl-C ends it at once: what came stays, exit code 130, no traceback."""
    with (
        Server(Reply.stream(sse(chunk("Once upon"), done=False), hold=30)) as server,
        started(server, "-c", INTERRUPTIBLE) as process,
    ):
        assert process.stdout is not None
        first = process.stdout.read(9)
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=20)
        assert server.wait(lambda: server.open == 0)
    assert b"Once upon" == first
    assert b"" == rest.strip()
    assert "" == lines(err)
    assert 130 == process.returncode


@pytest.mark.parametrize("pause", [0.0, 0.3], ids=["at once", "later"])
def test_closed_output(pause: float) -> None:
    """A reader that has seen enough, such as head, is no error."""
    text = [sse(chunk("x" * 1000), done=False)] * 100
    pieces = [sse(chunk("Hello, "), done=False), pause, *text, sse(chunk(None, "stop"))]
    with (
        Server(Reply.stream(pieces)) as server,
        started(server, "-m", "chatlib") as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.read(5)
        process.stdout.close()
        err = process.stderr.read()
        process.wait(20)
    assert b"Hello" == first
    assert "" == lines(err)
    assert 0 == process.returncode


@pytest.mark.parametrize(
    "locale",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": None, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["ascii", "latin-1", "C"],
)
@pytest.mark.parametrize("arguments", [[], ["--no-stream"], ["--json"]])
def test_terminal_that_cannot_show_it(arguments: list[str], locale: dict[str, str | None]) -> None:
    """A character that the terminal can't show is replaced; it is no error."""
    text = "Paris 😀 東京!"
    reply = Reply.json(completion(text)) if arguments else streamed(text)
    with Server(reply) as server:
        code, out, err = chat(
            "Hello", "--base-url", server.url, *arguments, piped="Grüße".encode(), **locale
        )
    assert (0, "") == (code, err)
    assert "Paris" in out


def test_error_that_the_terminal_cannot_show() -> None:
    """The same goes for what stands on stderr."""
    with Server(Reply.error(400, "Ungültig 😀")) as server:
        code, out, err = chat("Hello", "--base-url", server.url, PYTHONIOENCODING="ascii")
    assert (1, "") == (code, out)
    assert "Ung" in said(err)


@pytest.mark.parametrize("stdin", ["none", "text"])
def test_input_that_is_no_file(
    stdin: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a function it is called where ``sys.stdin`` is None, or no file at all."""
    source: TextIO | None = io.StringIO("below") if stdin == "text" else None
    monkeypatch.setattr(sys, "stdin", source)
    with Server(streamed("ok")) as server:
        code = main(["Hello", "--base-url", server.url])
    assert (0, ("ok\n", "")) == (code, tuple(capsys.readouterr()))
    assert server.last.json()["messages"][0]["content"].startswith("Hello")
