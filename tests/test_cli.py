"""The ``chatlib`` command: as a process of its own, where that matters, else as a function."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, TextIO

import pytest

import chatlib
from chatlib.cli import _is_shared, _only_starts, main
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
    *arguments: str, piped: str | bytes | int | None = None, **variables: str | None
) -> tuple[int, str, str]:
    """Run the command; its exit code, and what it wrote to stdout and to stderr.

    Args:
        piped: What is piped in, or a descriptor to be its stdin; without it, the input is empty as
            that of a service.
        variables: Of the environment.
    """
    done = subprocess.run(
        [sys.executable, "-m", "chatlib", *arguments],
        env=environment(**variables),
        capture_output=True,
        timeout=30,
        **(
            {"stdin": subprocess.DEVNULL if piped is None else piped}
            if piped is None or isinstance(piped, int)
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


NOBODY: Any = {"OPENAI_API_KEY": None, "OPENAI_BASE_URL": None}


@pytest.mark.parametrize("variables", [NOBODY, {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}])
def test_nobody_to_ask(variables: dict[str, str | None]) -> None:
    """With neither key nor address, a program that reads the output gets an error, no demo."""
    code, out, err = chat("What is the capital of France?", **variables)
    assert (1, "") == (code, out)
    assert "OPENAI_API_KEY" in said(err)
    assert "--demo" in err


@pytest.mark.parametrize(
    "variables", [NOBODY, {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://h"}]
)
def test_demo(variables: dict[str, str | None]) -> None:
    """``--demo`` asks the scripted model, whatever the environment has; stderr says so."""
    code, out, err = chat("--demo", "What is the capital of France?", **variables)
    assert (0, "The capital of France is Paris.\n") == (code, out)
    assert "a scripted model" in said(err)


def test_demo_and_an_address() -> None:
    """Both at once is a mistake."""
    code, out, err = chat("--demo", "--base-url", "http://h/v1", "Hello")
    assert (2, "") == (code, out)
    assert "not allowed with" in err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_demo_on_a_terminal() -> None:
    """On a terminal, with neither key nor address, the scripted model answers and is named."""
    import pty

    ours, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "chatlib", "What is the capital of France?"],
        env=environment(**NOBODY),
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.PIPE,
    )
    os.close(terminal)
    _, err = process.communicate(timeout=30)
    assert b"The capital of France is Paris." in os.read(ours, 1000)
    os.close(ours)
    assert 0 == process.returncode
    assert "no OPENAI_API_KEY" in said(lines(err))


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
    assert 0 == main([question, "--no-stream", "--demo"])
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
    ("arguments", "expected"),
    [
        (["-"], "text"),
        (["Summarize:", "-"], "Summarize:\n\ntext"),
        (["Summarize:", "--model", "m", "-"], "Summarize:\n\ntext"),
        (["-", "Summarize", "this."], "text\n\nSummarize this."),
    ],
)
def test_dash(arguments: list[str], expected: str) -> None:
    """``-`` reads stdin: above or below the prompt, where it stands."""
    body, _ = asked(*arguments, piped="text\n")
    assert expected == body["messages"][0]["content"]


@pytest.mark.parametrize("words", [["5", "-", "3"], ["--", "-m", "is", "an", "option?"]])
def test_words_that_look_like_options(words: list[str]) -> None:
    """``-`` between words is a minus sign, and after ``--`` all is the prompt."""
    body, _ = asked(*words)
    assert " ".join(word for word in words if word != "--") == body["messages"][0]["content"]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"\xef\xbb\xbfGr\xc3\xbc\xc3\x9fe,\r\nAnn", "ascii"),
        ("\ufeffGrüße,\nAnn\n".encode("utf-16-le"), "utf-8"),
        ("\ufeffGrüße,\nAnn\n".encode("utf-16-be"), "utf-8"),
        ("\ufeffGrüße,\nAnn\n".encode("utf-32-le"), "utf-8"),
        ("Grüße,\rAnn".encode(), "latin-1"),
        ("Grüße,\nAnn\n".encode("latin-1"), "latin-1"),
    ],
)
@pytest.mark.parametrize("arguments", [[], ["-"], ["Say:"]])
def test_encodings(
    content: bytes,
    encoding: str,
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A byte order mark tells the encoding and is removed; each kind of newline is one."""
    (tmp_path / "text").write_bytes(content)
    with Server(streamed("ok")) as server, open(tmp_path / "text", encoding=encoding) as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert 0 == main([*arguments, "--base-url", server.url])
    sent = server.last.json()["messages"][0]["content"]
    assert "Grüße,\nAnn" == sent.removeprefix("Say:\n\n")


def test_mark_in_an_argument() -> None:
    """A mark that the shell took from a file is removed too."""
    body, _ = asked("\ufeffHello")
    assert "Hello" == body["messages"][0]["content"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows passes text, not bytes")
def test_argument_in_another_encoding() -> None:
    """Bytes that are not in the locale's encoding are replaced, as they are in what is piped in."""
    body, _ = asked(os.fsdecode(b"caf\xe9"))
    assert "caf\ufffd" == body["messages"][0]["content"]


# What is not read -----------------------------------------------------------------------------

ON_POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")


def in_shell(
    script: str, *, shell: str = "bash", stdin: int = subprocess.DEVNULL
) -> tuple[list[str], str]:
    """Run a script in which ``$CHATLIB`` is the command; what was asked, and what stderr shows."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    folder, python = os.path.split(sys.executable)  # the folder's name may have a blank in it
    path = os.pathsep.join((folder, os.environ.get("PATH", os.defpath)))
    with Server(*[streamed("ok")] * 9) as server:
        done = subprocess.run(
            [shell, "-c", script.replace("$CHATLIB", f"{python} -m chatlib")],
            env=environment(OPENAI_API_KEY=KEY, OPENAI_BASE_URL=server.url, PATH=path),
            stdin=stdin,
            capture_output=True,
            timeout=60,
        )
    assert 0 == done.returncode, done.stderr
    assert b"Traceback" not in done.stderr
    return [sent.json()["messages"][0]["content"] for sent in server.requests], lines(done.stderr)


LOOPS = {
    "pipe": "printf 'a\\nb\\n' | while read -r l; do $CHATLIB q $l; done",
    "file": "printf 'a\\nb\\n' > f; while read -r l; do $CHATLIB q $l; done < f",
    "here-document": "while read -r l; do $CHATLIB q $l; done <<END\na\nb\nEND\n",
    "substitution": "printf 'a\\nb\\n' | while read -r l; do x=$($CHATLIB q $l | cat); done",
    "wrapped": "printf 'a\\nb\\n' | while read -r l; do (timeout 50 $CHATLIB q $l); done",
    "sh -c": "printf 'a\\nb\\n' | while read -r l; do sh -c \"timeout 50 $CHATLIB q $l\"; done",
}


@ON_POSIX
@pytest.mark.parametrize(
    ("shell", "loop"),
    [*(("bash", loop) for loop in LOOPS), *(("sh", loop) for loop in ("pipe", "file"))],
)
def test_loop_keeps_its_lines(
    shell: str, loop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command in a ``while read`` loop leaves the next lines to the loop, and says so."""
    monkeypatch.chdir(tmp_path)
    prompts, err = in_shell(LOOPS[loop], shell=shell)
    assert ["q a", "q b"] == prompts
    assert "stdin was not read" in said(err)


@ON_POSIX
def test_loop_of_fish() -> None:
    """fish keeps the input of a loop at another descriptor."""
    script = "printf 'a\\nb\\n' | while read l; $CHATLIB q $l; end; echo text | $CHATLIB q"
    assert ["q a", "q b", "q\n\ntext"] == in_shell(script, shell="fish")[0]


@ON_POSIX
@pytest.mark.parametrize(
    ("shell", "script"),
    [
        ("bash", "echo text | $CHATLIB q; true"),
        ("bash", "echo text > f; $CHATLIB q < f; true"),
        ("bash", "(sleep 0.5; echo text) | $CHATLIB q; true"),
        ("bash", "echo line | while read -r l; do echo text | $CHATLIB q; done"),
        ("sh", "echo text > f; $CHATLIB q < f; true"),
        ("sh", "echo text | sh -c '$CHATLIB q'; true"),
        ("bash", "echo text | timeout 50 $CHATLIB q; true"),
    ],
    ids=["pipe", "file", "late", "pipe in a loop", "file in sh", "sh -c", "timeout"],
)
def test_own_input_is_read(
    script: str, shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is piped or redirected into the command itself is read."""
    monkeypatch.chdir(tmp_path)
    assert (["q\n\ntext"], "") == in_shell(script, shell=shell)


@ON_POSIX
def test_input_of_a_script() -> None:
    """The input of a script is the script's: it is not read, and stderr says how it would be."""
    source, end = os.pipe()
    os.write(end, b"text")
    os.close(end)
    prompts, err = in_shell("$CHATLIB q; cat >&2; true", stdin=source)
    os.close(source)
    assert ["q"] == prompts
    note, _, rest = err.partition("\n")
    assert "stdin was not read" in note
    assert "text" == rest


@ON_POSIX
def test_open_pipe() -> None:
    """A pipe to which nobody writes: after a while the prompt is asked alone; stderr says so."""
    source, end = os.pipe()
    with Server(streamed("ok")) as server:
        code, out, err = chat("Hello", "--base-url", server.url, piped=source)
    os.close(source)
    os.close(end)
    assert (0, "ok\n") == (code, out)
    assert "no data on stdin" in said(err)
    assert "Hello" == server.last.json()["messages"][0]["content"]


@ON_POSIX
@pytest.mark.parametrize("arguments", [[], ["Hello", "-"]])
def test_waits_where_it_is_asked_to(arguments: list[str]) -> None:
    """Without a prompt, and with ``-``, stdin is read to its end; stderr says that it waits."""
    with (
        Server(streamed("ok")) as server,
        subprocess.Popen(
            [sys.executable, "-m", "chatlib", *arguments, "--base-url", server.url],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b"te")
        process.stdin.flush()
        assert b"chatlib: waiting for the end of stdin\n" == process.stderr.readline()
        out, err = process.communicate(b"xt", timeout=30)
    assert (b"ok\n", b"") == (out, err)
    assert server.last.json()["messages"][0]["content"].endswith("text")


@ON_POSIX
@pytest.mark.parametrize("content", [b"", b"text"])
def test_socket(content: bytes) -> None:
    """A socket, which may be anybody's, is read only where that is asked for."""
    ours, theirs = socket.socketpair()
    ours.sendall(content)
    with ours, theirs, Server(streamed("ok"), streamed("ok")) as server:
        code, out, err = chat("Hello", "--base-url", server.url, piped=theirs.fileno())
        assert (0, "ok\n") == (code, out)
        assert bool(content) == ("stdin was not read" in err)
        ours.shutdown(socket.SHUT_WR)
        chat("Hello", "-", "--base-url", server.url, piped=theirs.fileno())
    sent = [request.json()["messages"][0]["content"] for request in server.requests]
    assert ["Hello", "\n\n".join(filter(None, ["Hello", content.decode()]))] == sent


@ON_POSIX
def test_file_of_a_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read without taking its lines from a loop that comes later."""
    monkeypatch.chdir(tmp_path)
    prompts, err = in_shell(
        "printf 'a\\nb\\n' > f; { $CHATLIB q; while read -r l; do echo $l >&2; done; } < f"
    )
    assert (["q\n\na\nb"], "a\nb\n") == (prompts, err)


@ON_POSIX
@pytest.mark.parametrize("closed", ["<&- 2>&-", "0> f"])
def test_closed_descriptors(closed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where stdin or stderr is closed or unusable, the prompt is asked all the same."""
    monkeypatch.chdir(tmp_path)
    assert (["Hello"], "") == in_shell(f"test ok = $($CHATLIB Hello {closed})")


@ON_POSIX
def test_dash_and_no_stdin() -> None:
    """Nothing can be read from a closed stdin: an error, where it was asked for."""
    for arguments in ("", "-", "Hello -"):
        prompts, err = in_shell(f"! $CHATLIB {arguments} <&-")
        assert [] == prompts
        assert "nothing to ask: stdin is closed" in said(err)


@ON_POSIX
def test_examples_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples of the page run as they stand, and ask what the page says."""
    page = Path(__file__).parents[1] / "docs" / "command.md"
    monkeypatch.chdir(tmp_path)
    for name, text in {"notes": "a note", "log": "Error!", "words": "a\nb"}.items():
        (tmp_path / f"{name}.txt").write_text(text + "\n")
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
    prompts, _ = in_shell(re.sub(r"(?m)^( *|.*\| )chatlib ", r"\1$CHATLIB ", blocks))
    note = "Summarise this:\n\na note"
    assert [
        "What is the capital of France?",
        "a note",
        note,
        "What went wrong?\n\nError!",
        note,
        note,
        "Explain the word a.",
        "Explain the word b.",
    ] == prompts


@ON_POSIX
def test_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the parent's descriptors can't be seen, its process group tells what it is."""
    monkeypatch.setattr("chatlib.cli.Path", lambda path: Path("/nowhere" + path))
    assert _is_shared(0, os.getppid()) == (os.getpgid(os.getppid()) == os.getpgrp())


@pytest.mark.parametrize(
    ("expected", "name", "arguments"),
    [
        (True, "sh", ["sh", "-c", "chatlib 'Summarise; and be (very) brief' > out\n"]),
        (True, "timeout", ["timeout", "9", "chatlib", "q"]),
        (False, "sh", ["sh", "-c", "chatlib q; cat"]),
        (False, "sh", ["sh", "-c", "chatlib q\ncat"]),
        (False, "sh", ["sh", "-c", "chatlib q&& cat"]),
        (False, "sh", ["sh", "-c", "chatlib 'q"]),
        (False, "sh", ["sh", "script"]),
        (False, "bash", ["bash", "-i"]),
        (False, "python3", ["python3", "-c", "import os"]),
    ],
)
def test_only_starts(expected: bool, name: str, arguments: list[str]) -> None:
    """What runs one command and nothing else doesn't need stdin for itself."""
    assert expected == _only_starts(name, arguments)


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


def test_max_tokens() -> None:
    """``--max-tokens`` is what today's models call it; other fields go as they are given."""
    body, _ = asked("Hello", "--max-tokens", "7")
    assert 7 == body["max_completion_tokens"]
    assert "max_tokens" not in body
    body, _ = asked("Hello", "--extra-body", '{"max_tokens": 7}')
    assert 7 == body["max_tokens"]
    assert 2 == chat("Hello", "--extra-body", "[7]")[0]


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
    assert "chatlib: the answer was truncated at the token limit\n" == err


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
    """Nobody listens: a line for each attempt, exit code 1, and no traceback."""
    code, out, err = chat(
        "Hello", "--base-url", f"http://127.0.0.1:{closed_port()}/v1", OPENAI_API_KEY=KEY
    )
    assert (1, "") == (code, out)
    *retries, last = err.splitlines(keepends=True)
    assert "Connection error" in said(last)
    assert "refused" in last
    assert 2 == len(retries)
    assert all("retrying in" in said(line) for line in retries)


@pytest.mark.parametrize("arguments", [[], ["--no-stream"], ["--json"]])
def test_retry_is_told(arguments: list[str]) -> None:
    """A line on stderr says why and when it is tried again; the answer is as it would be."""
    busy = Reply.error(429, f"Slow down, {KEY}.", headers={"retry-after": "0.2"})
    whole = Reply.json(completion("Hello!"))
    with Server(busy, whole if arguments else streamed("Hello!")) as server:
        code, out, err = chat("Hi", "--base-url", server.url, *arguments, OPENAI_API_KEY=KEY)
    assert 0 == code
    assert "Hello!" in out
    assert "429 - Slow down, ***. (retrying in 0.2 s)" in said(err)


@pytest.mark.parametrize("address", ["localhost:8080", "example.com/v1", "ftp://x/v1", "http://"])
@pytest.mark.usefixtures("_no_input")
def test_bad_base_url(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is no address is quoted, with an example of one."""
    assert 1 == main(["Hello", "--base-url", address])
    out, err = capsys.readouterr()
    assert "" == out
    assert address in said(err)
    assert "such as https://" in err


@pytest.mark.parametrize("key", [f"{KEY}\r\nX-Evil: 1", f"{KEY}ä"])
def test_key_that_no_header_may_carry(key: str) -> None:
    """The line says what is wrong with the key, but not the key."""
    with Server() as server:
        code, out, err = chat("Hello", OPENAI_API_KEY=key, OPENAI_BASE_URL=server.url)
    assert (1, "") == (code, out)
    assert "api_key" in said(err)
    assert [] == server.requests


def test_key_of_a_file_that_ends_in_a_newline() -> None:
    """Blanks around the key of the environment are no part of it."""
    with Server(streamed("ok")) as server:
        code, _, err = chat("Hello", OPENAI_API_KEY=f" {KEY}\r\n", OPENAI_BASE_URL=server.url)
    assert (0, "") == (code, err)
    assert f"Bearer {KEY}" == server.last.headers["authorization"]


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


@pytest.mark.parametrize("arguments", [[], ["--no-stream"], ["--json"]])
def test_surrogates(arguments: list[str]) -> None:
    """Half a character can't be shown; it is no error."""
    text = "\udca5 Boom \ud83d"
    reply = Reply.json(completion(text)) if arguments else streamed(text)
    with Server(reply) as server:
        code, out, err = chat("Hello", "--base-url", server.url, *arguments)
    assert (0, "") == (code, err)
    assert " Boom " in out


def test_character_in_two_pieces() -> None:
    """A character whose halves come one after the other is shown whole."""
    _, out = asked("Hello", reply=streamed("Boom \ud83d", "\udca5!", "\ud83d"))
    assert "Boom \N{COLLISION SYMBOL}!" == out.rstrip("\n")[:7]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_full_disk() -> None:
    """An answer that can't be written is an error, said once."""
    with Server(streamed("ok")) as server, open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "chatlib", "Hello", "--base-url", server.url],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=30,
        )
    assert 1 == done.returncode
    assert "No space left" in said(lines(done.stderr))


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
