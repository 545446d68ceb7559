"""The ``chatlib`` command: ``chatlib "What is the capital of France?"``."""

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

DEFAULT_MODEL = "gpt-4o-mini"

PATIENCE = 2.0
"""Seconds to wait for stdin before ignoring it, or before printing that it is waited for."""

NOTES = {
    "length": "the answer was truncated at the token limit",
    "content_filter": "the answer was blocked by the content filter",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The arguments; by default those of the process.

    Returns:
        The exit code: 0, 1 for an error, 2 for invalid arguments, 130 for an interrupt.
    """
    arguments = _parsed(sys.argv[1:] if argv is None else argv)
    if sys.stdout is None:  # closed by the parent process
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # print "?" for characters outside the encoding
            stream.reconfigure(errors="replace")
    try:
        _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            print(flush=True)
        return 130
    except BrokenPipeError:  # the reader, such as head, has closed the pipe
        _discard_output()
        return 0
    except Exception as error:  # print the message without a traceback
        _note(_line(error))
        try:
            sys.stdout.flush()
        except OSError:  # disk full: avoid a second error at exit
            _discard_output()
        return 1
    return 0


def _parsed(argv: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    # Options may stand between words, as in `chatlib Summarise --json -`, but parse_intermixed_args
    # drops the arguments after "--".
    return (parser.parse_args if "--" in argv else parser.parse_intermixed_args)(argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chatlib",
        description="Ask a model and print its answer while it is generated.",
        epilog="The API key is read from OPENAI_API_KEY, the base URL from OPENAI_BASE_URL. With "
        "neither and no --base-url, a scripted model inside the package answers, in a terminal or "
        "with --demo.",
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
                print(completion.to_json())
            elif choice is not None:
                print(choice.message.text or choice.message.refusal or "")
            reason = choice.finish_reason if choice is not None else None
        else:
            reason, half = None, ""
            with client.chat.completions.create(stream=True, **asked) as chunks:
                for chunk in chunks:
                    for piece in chunk.choices[:1]:
                        text = half + (piece.delta.text or piece.delta.refusal or "")
                        # Servers may split an emoji between its two UTF-16 code units.
                        half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
                        sys.stdout.write(_paired(text[: len(text) - len(half)]))
                        sys.stdout.flush()
                        reason = piece.finish_reason or reason
            print(half)
    if reason in NOTES:
        _note(NOTES[reason])


def _paired(text: str) -> str:
    """Return text in which surrogate pairs are joined into characters."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# Read the prompt -------------------------------------------------------------------------------


def _prompt(words: Sequence[str]) -> str:
    """Return the prompt made of the arguments and stdin.

    Without arguments, stdin is the prompt. ``-`` as the first or last argument is replaced by stdin
    (elsewhere it is a minus sign). Any other prompt reads stdin only if it is clearly meant for
    this command, see :func:`_piped`.
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
    """Return an argument as text, even if it was not in the encoding of the locale."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = _decoded(os.fsencode(text))
    return text


def _stdin() -> str:
    """Read stdin to its end, without a time limit."""
    if sys.stdin is None:
        raise ValueError("nothing to ask: stdin is closed")
    try:
        fd = sys.stdin.fileno()
    except OSError:  # not a file: main() was called with a replaced stdin
        return sys.stdin.read().removeprefix("\ufeff").strip()
    return _read(fd) or ""


def _piped() -> str:
    """Return the text piped or redirected into this command besides a prompt, or "".

    With a prompt in the arguments, stdin may be meant for another program: the remaining lines of a
    ``while read`` loop, or a pipe that an editor, a CI runner or ssh opened and never writes to. So
    it is read only if it is

    - a regular file at position 0 (a loop has moved it); it is read without moving the position,
      which the calling program may share;
    - a pipe that is not the stdin of the calling program, as that of a loop or a script is, and
      that has data within :data:`PATIENCE` seconds.

    If data was available and not read, a note is printed to stderr.
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
        except OSError:  # write-only
            return ""
        if text is None:
            _note(f"no data on stdin within {PATIENCE:g} s, so it is ignored; - waits for it")
        return text or ""
    if _unread(fd):
        _note(
            "stdin was not read, since the calling program may read it too; - as the last argument "
            "reads it, < /dev/null ignores it"
        )
    return ""


def _is_shared(fd: int, process: int) -> bool:
    """Return whether a pipe may also be read by a parent process.

    Args:
        fd: The file descriptor of the pipe.
        process: The id of the parent process, or of an ancestor if the processes between only
            start this one.
    """
    proc = Path(f"/proc/{process}")
    try:
        name = (proc / "comm").read_text().strip()
        arguments = (proc / "cmdline").read_text("utf-8", "replace").split("\0")[:-1]
        parent = re.search(r"^PPid:\s*(\d+)", (proc / "status").read_text(), re.MULTILINE)
        # fish does not move the input of a block to descriptor 0 as other shells do.
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
    # Without /proc, use the process group: interactive shells and sshd start a command in its own,
    # scripts and loops do not.
    try:
        return os.getpgid(process) == os.getpgrp()
    except OSError:  # it has exited
        return True
    except AttributeError:  # Windows, whose shells have no such loops
        return False


def _only_starts(name: str, arguments: Sequence[str]) -> bool:
    """Return whether a process only starts one command and does not read stdin."""
    if name in ("timeout", "time", "uv"):
        return True
    if not name.endswith("sh") or len(arguments) != 3 or arguments[1] != "-c":
        return False
    import shlex

    # As started by subprocess.run("chatlib Summarise", shell=True): a single command.
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
    """Return the number of bytes that can be read now, 0 if the system does not tell."""
    try:
        import fcntl
        import termios

        return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)
    except (ImportError, OSError):
        return 0


def _read(fd: int, *, is_optional: bool = False) -> str | None:
    """Read a file descriptor to its end; print a note to stderr if that takes long.

    Args:
        fd: The file descriptor. A buffered reader would wait for more data than available.
        is_optional: Whether to return None if there is no data within :data:`PATIENCE` seconds.

    Returns:
        The decoded text, or None.
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
            except BlockingIOError:  # another reader was faster, or a spurious wakeup
                continue
            if not piece:
                return _decoded(b"".join(pieces)).strip()
            pieces.append(piece)
        elif is_optional and not pieces:
            return None
        elif not is_told:
            is_told = True
            _note("waiting for the end of stdin")


_MARKS = {  # The byte order mark of UTF-32 starts with that of UTF-16.
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


def _decoded(content: bytes) -> str:
    """Decode bytes by their byte order mark, which is removed, as UTF-8, or as stdin."""
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


# Create the client -----------------------------------------------------------------------------


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
        from chatlib.cli.scripted_model import answer_question
        from chatlib.testing import InMemoryServer

        why = "--demo" if is_demo else "no OPENAI_API_KEY and no base URL"
        _note(f"{why}: a scripted model inside the package answers")
        return OpenAI(
            api_key="none",
            base_url=DEFAULT_BASE_URL,
            transport=InMemoryServer(default=answer_question),
        )
    return OpenAI(api_key=None if key else "none", base_url=base_url, on_retry=_note_retry)


def _note_retry(error: APIError, seconds: float) -> None:
    _note(f"{_line(error)} (retrying in {seconds:.1f} s)")


# Messages on stderr ----------------------------------------------------------------------------


def _line(error: Exception) -> str:
    """Return the message of an exception on one line, without control characters."""
    said = "".join(letter if letter.isprintable() else " " for letter in str(error))
    words = said.split()
    if not words or not isinstance(error, (OpenAIError, ValueError, TypeError, OSError)):
        words.insert(0, type(error).__name__)
    return " ".join(words)


def _note(text: str) -> None:
    if sys.stderr is not None:  # closed by the parent process; print() would use stdout
        print(f"chatlib: {text}", file=sys.stderr)


def _discard_output() -> None:
    """Redirect stdout to the null device, so that flushing it at exit cannot fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
