"""The command: ``chatlib "What is the capital of France?"``."""

from __future__ import annotations

import argparse
import codecs
import contextlib
import io
import os
import re
import select
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatlib._version import __version__
from chatlib.config import DEFAULT_BASE_URL
from chatlib.errors import OpenAIError

if TYPE_CHECKING:
    from chatlib.client.openai import OpenAI
    from chatlib.errors import APIError
    from chatlib.http import HttpRequest, HttpResponse

DEFAULT_MODEL = "gpt-4o-mini"

PATIENCE = 2.0
"""Seconds to wait for stdin before going on without it, or before saying what is waited for."""

NOTES = {
    "length": "the answer was cut at the token limit",
    "content_filter": "the answer was held back by the content filter",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    arguments = _parsed(sys.argv[1:] if argv is None else argv)
    if sys.stdout is None:  # closed by whoever started the command
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that can't show a character shows "?"
            stream.reconfigure(errors="replace")
    try:
        _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            print(flush=True)
        return 130
    except BrokenPipeError:  # the reader, such as head, has seen enough
        _discard_output()
        return 0
    except Exception as error:  # a traceback helps nobody who only typed a command
        _note(_line(error))
        try:
            sys.stdout.flush()
        except OSError:  # a full disk: the interpreter would report it once more at its end
            _discard_output()
        return 1
    return 0


def _parsed(argv: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    # Options may stand between the words, as in `chatlib Summarise --json -`; but argparse loses
    # what comes after "--" then.
    return (parser.parse_args if "--" in argv else parser.parse_intermixed_args)(argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chatlib",
        description="Ask a model. The answer is printed as it comes.",
        epilog="The key is read from OPENAI_API_KEY, the address from OPENAI_BASE_URL. With "
        "neither and no --base-url, a small scripted model inside the package answers, on a "
        "terminal or with --demo.",
    )
    parser.add_argument(
        "prompt",
        nargs="*",
        help="the question. Without one it is read from stdin. Beside one, a pipe or a file on "
        "stdin is put below it, unless the calling program reads it too, as a loop does; - as the "
        "first or last argument always reads stdin, and waits for its end",
    )
    parser.add_argument("-m", "--model", default=DEFAULT_MODEL, help="default: %(default)s")
    parser.add_argument("-s", "--system", help="instructions for the model")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--base-url", help="where the API is, such as http://localhost:8080/v1")
    where.add_argument("--demo", action="store_true", help="ask the scripted model")
    parser.add_argument(
        "--max-tokens",
        type=int,
        metavar="N",
        help="the longest answer, sent as max_completion_tokens; for a server that knows only "
        "max_tokens: --extra-body '{\"max_tokens\": N}'",
    )
    parser.add_argument(
        "--extra-body", type=_json_object, metavar="JSON", help="more fields for the request"
    )
    parser.add_argument(
        "--no-stream", action="store_true", help="print the answer when it is whole"
    )
    parser.add_argument("--json", action="store_true", help="print the whole completion as JSON")
    parser.add_argument("--version", action="version", version=f"chatlib {__version__}")
    return parser


def _json_object(text: str) -> dict[str, object]:
    import json

    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is not a JSON object")
    return value


def _run(arguments: argparse.Namespace) -> None:
    prompt = _prompt(arguments.prompt)
    if not prompt.strip():
        raise ValueError('nothing to ask; try: chatlib "What is the capital of France?"')
    messages = [{"role": "user", "content": prompt}]
    if arguments.system:
        messages.insert(0, {"role": "system", "content": _argument(arguments.system)})
    asked: Any = {"model": arguments.model, "messages": messages}
    if arguments.max_tokens is not None:
        asked["max_completion_tokens"] = arguments.max_tokens
    if arguments.extra_body is not None:
        asked["extra_body"] = arguments.extra_body
    with _client(arguments.base_url, arguments.demo) as client:
        if arguments.json or arguments.no_stream:
            completion = client.chat.completions.create(**asked)
            choice = completion.choices[0] if completion.choices else None
            if arguments.json:
                print(completion.to_json(indent=2))
            elif choice is not None:
                print(choice.message.text or choice.message.refusal or "")
            reason = choice.finish_reason if choice is not None else None
        else:
            reason, half = None, ""
            with client.chat.completions.create(stream=True, **asked) as chunks:
                for chunk in chunks:
                    for piece in chunk.choices[:1]:
                        text = half + (piece.delta.text or piece.delta.refusal or "")
                        # Servers may cut an emoji between its two UTF-16 code units.
                        half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
                        sys.stdout.write(_paired(text[: len(text) - len(half)]))
                        sys.stdout.flush()
                        reason = piece.finish_reason or reason
            print(half)
    if reason in NOTES:
        _note(NOTES[reason])


def _paired(text: str) -> str:
    """Return a text in which two halves of a surrogate pair are one character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# What is asked --------------------------------------------------------------------------------


def _prompt(words: Sequence[str]) -> str:
    """Return the question: the words of the command line, and what was read from stdin.

    With no words, stdin is the question. ``-``, as the first or the last word, reads stdin and puts
    it there (elsewhere it is a minus sign). Any other prompt is complete in itself, and takes stdin
    only where that is clearly meant for this command, see :func:`_piped`.
    """
    if not words and sys.stdin is not None and sys.stdin.isatty():
        return ""
    if not words or words[0] == "-":
        parts = [_stdin(), _question(words[1:])]
    elif words[-1] == "-":
        parts = [_question(words[:-1]), _stdin()]
    else:
        parts = [_question(words), _piped()]
    return "\n\n".join(filter(None, parts))


def _question(words: Sequence[str]) -> str:
    return " ".join(map(_argument, words)).removeprefix("\ufeff")


def _argument(text: str) -> str:
    """Return an argument as text, though its bytes were not in the encoding of the locale."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = _decoded(os.fsencode(text))
    return text


def _stdin() -> str:
    """Read stdin to its end, as long as that takes."""
    if sys.stdin is None:
        raise ValueError("nothing to ask: stdin is closed")
    try:
        fd = sys.stdin.fileno()
    except OSError:  # no file at all, where main() is called as a function
        return sys.stdin.read().removeprefix("\ufeff").strip()
    return _read(fd) or ""


def _piped() -> str:
    """Return what was piped or redirected into this command beside a prompt, or "".

    A prompt on the command line doesn't need stdin, and stdin may be anybody's: the rest of the
    lines of a ``while read`` loop, or a pipe that an editor, a CI runner or ssh opened and never
    writes to. So it is read only where it is

    - a regular file of which nothing has been read yet, as a loop has; it is read without moving
      the position in it, which the calling program may share;
    - a pipe that is not also the stdin of the calling program, as that of a loop or of a script is,
      and in which something arrives within :data:`PATIENCE` seconds.

    Where something was there and was not read, a line on stderr says so.
    """
    if sys.stdin is None:
        return ""
    try:
        fd = sys.stdin.fileno()
        mode = os.fstat(fd).st_mode
    except OSError:
        return ""
    if stat.S_ISREG(mode):
        is_ours = os.lseek(fd, 0, os.SEEK_CUR) == 0
    elif stat.S_ISFIFO(mode):
        is_ours = not _is_shared(fd, os.getppid())
    elif stat.S_ISSOCK(mode):
        is_ours = False
    else:  # a terminal, /dev/null
        return ""
    if is_ours:
        try:
            text = _read(fd, is_optional=True)
            if stat.S_ISREG(mode):
                os.lseek(fd, 0, os.SEEK_SET)
        except OSError:  # open for writing only
            return ""
        if text is None:
            _note(f"nothing came on stdin within {PATIENCE:g} s, so it is left out; - waits for it")
        return text or ""
    if _unread(fd):
        _note(
            "stdin was not read, since the calling program may read it too; - as the last argument "
            "reads it, < /dev/null leaves it out"
        )
    return ""


def _is_shared(fd: int, process: int) -> bool:
    """Return whether a pipe may also be read by a process that led to this one.

    Args:
        fd: The pipe.
        process: The parent process; or its parent, where that one only started this one.
    """
    proc = Path(f"/proc/{process}")
    try:
        name = (proc / "comm").read_text().strip()
        arguments = (proc / "cmdline").read_text("utf-8", "replace").split("\0")[:-1]
        parent = re.search(r"^PPid:\s*(\d+)", (proc / "status").read_text(), re.MULTILINE)
        # fish doesn't move the input of a block to descriptor 0, as other shells do.
        held = [other for other in (proc / "fd").iterdir() if name == "fish" or other.name == "0"]
    except FileNotFoundError:
        if process == 0 and Path("/proc/self").exists():  # started from outside of a container
            return False
    except OSError:  # a parent of another user, such as sshd or sudo
        pass
    else:
        if not any(_is_same(fd, other) for other in held):
            return False
        if parent is not None and _only_starts(name, arguments):
            return _is_shared(fd, int(parent[1]))
        return True
    # Without /proc there is only one sign: interactive shells and sshd start a command in a process
    # group of its own. Scripts don't, nor do loops.
    try:
        return os.getpgid(process) == os.getpgrp()
    except OSError:  # it has gone
        return True
    except AttributeError:  # Windows, whose shells have no such loops
        return False


def _only_starts(name: str, arguments: Sequence[str]) -> bool:
    """Return whether a process starts one command, and doesn't read stdin itself."""
    if name in ("timeout", "time", "uv"):
        return True
    if not name.endswith("sh") or len(arguments) != 3 or arguments[1] != "-c":
        return False
    import shlex

    # As subprocess.run("chatlib Summarise", shell=True) starts it: one command, no list of them.
    lexer = shlex.shlex(arguments[2].strip(), posix=True, punctuation_chars=";&|()")
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        words = list(lexer)
    except ValueError:
        return False
    return "\n" not in arguments[2].strip() and not any(set(word) <= set(";&|()") for word in words)


def _is_same(fd: int, other: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), other.stat())
    except OSError:  # closed meanwhile
        return False


def _unread(fd: int) -> int:
    """Return how many bytes could be read now, 0 where the system can't tell."""
    try:
        import fcntl
        import termios

        return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)
    except (ImportError, OSError):
        return 0


def _read(fd: int, *, is_optional: bool = False) -> str | None:
    """Read a descriptor to its end and return its text; say on stderr if that takes long.

    Args:
        fd: What to read. A buffer over it would wait for more than there is.
        is_optional: Whether to give up, and return None, if nothing comes for a while.
    """
    pieces: list[bytes] = []
    is_told = os.isatty(fd)
    while True:
        try:
            is_ready = bool(select.select([fd], [], [], PATIENCE)[0])
        except OSError:  # Windows can select sockets only
            is_ready = True
        if is_ready:
            try:
                piece = os.read(fd, 1 << 16)
            except BlockingIOError:  # somebody else was faster, or select() was wrong
                continue
            if not piece:
                return _decoded(b"".join(pieces)).strip()
            pieces.append(piece)
        elif is_optional and not pieces:
            return None
        elif not is_told:
            is_told = True
            _note("waiting for the end of stdin")


_MARKS = {  # The longer ones first: that of UTF-32 begins as that of UTF-16 does.
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


def _decoded(content: bytes) -> str:
    """Return bytes as text: by their byte order mark, which is removed, as UTF-8, or as stdin's."""
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            text = content[len(mark) :].decode(encoding, "replace")
            break
    else:
        try:
            text = content.decode()
        except UnicodeDecodeError:
            text = content.decode(getattr(sys.stdin, "encoding", None) or "latin-1", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


# Who answers ----------------------------------------------------------------------------------


def _client(base_url: str | None, is_demo: bool) -> OpenAI:
    from chatlib.client.openai import OpenAI

    key = os.environ.get("OPENAI_API_KEY", "").strip()
    is_unset = not key and not (base_url or os.environ.get("OPENAI_BASE_URL"))
    if is_unset and not is_demo and not sys.stdout.isatty():
        raise OpenAIError(
            "no OPENAI_API_KEY and no base URL: set OPENAI_API_KEY or OPENAI_BASE_URL, give "
            "--base-url, or ask the scripted model with --demo"
        )
    if is_demo or is_unset:
        from chatlib.testing import InMemoryServer

        why = "--demo" if is_demo else "no OPENAI_API_KEY and no base URL"
        _note(f"{why}: a scripted model inside the package answers")
        return OpenAI(
            api_key="none",
            base_url=DEFAULT_BASE_URL,
            transport=InMemoryServer(default=_scripted_model),
        )
    return OpenAI(api_key=None if key else "none", base_url=base_url, on_retry=_note_retry)


def _note_retry(error: APIError, seconds: float) -> None:
    _note(f"{_line(error)} (retrying in {seconds:.1f} s)")


CAPITALS = {
    "austria": "Vienna",
    "brazil": "Brasília",
    "canada": "Ottawa",
    "france": "Paris",
    "germany": "Berlin",
    "india": "New Delhi",
    "italy": "Rome",
    "japan": "Tokyo",
    "kenya": "Nairobi",
    "spain": "Madrid",
}


def _scripted_model(request: HttpRequest) -> HttpResponse:
    """The model that answers where there is no other. It knows ten capitals."""
    from chatlib.testing import answer

    question = str(request.json()["messages"][-1]["content"])
    country = re.search(r"capital of (\w+)", question, re.IGNORECASE)
    capital = CAPITALS.get(country[1].lower()) if country else None
    if country and capital:
        text = f"The capital of {country[1].capitalize()} is {capital}."
    else:
        text = (
            "I am a script, not a model: I know the capitals of ten countries. "
            "Set OPENAI_API_KEY, or give --base-url, to ask somebody who knows more."
        )
    return answer(text, pause=0.02)(request)


# What is said besides -------------------------------------------------------------------------


def _line(error: Exception) -> str:
    """Return what an exception says on one line, without what would steer a terminal."""
    said = "".join(letter if letter.isprintable() else " " for letter in str(error))
    words = said.split()
    if not words or not isinstance(error, (OpenAIError, ValueError, TypeError, OSError)):
        words.insert(0, type(error).__name__)
    return " ".join(words)


def _note(text: str) -> None:
    if sys.stderr is not None:  # closed by whoever started the command; print() would take stdout
        print(f"chatlib: {text}", file=sys.stderr)


def _discard_output() -> None:
    """Give what stdout still holds nowhere to fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
