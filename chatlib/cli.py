"""The command: ``chatlib "What is the capital of France?"``."""

from __future__ import annotations

import argparse
import io
import os
import re
import stat
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from chatlib._version import __version__
from chatlib.errors import OpenAIError

if TYPE_CHECKING:
    from chatlib.client.client import OpenAI
    from chatlib.http import HttpRequest, HttpResponse

DEFAULT_MODEL = "gpt-4o-mini"

NOTES = {
    "length": "the answer was cut at the token limit",
    "content_filter": "the answer was held back by the content filter",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the result is the exit code."""
    arguments = _parser().parse_args(argv)
    if sys.stdout is None:  # closed by whoever started the command
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that can't show a character shows "?"
            stream.reconfigure(errors="replace")
    try:
        _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print()
        return 130
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OpenAIError, ValueError, TypeError, OSError) as error:
        _note(" ".join(str(error).split()) or type(error).__name__)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chatlib",
        description="Ask a model. The answer is printed as it comes.",
        epilog="The key is read from OPENAI_API_KEY, the address from OPENAI_BASE_URL. With "
        "neither and no --base-url, a small scripted model inside the package answers.",
    )
    parser.add_argument("prompt", nargs="*", help="the question; what is piped in is put below it")
    parser.add_argument("-m", "--model", default=DEFAULT_MODEL, help="default: %(default)s")
    parser.add_argument("-s", "--system", help="instructions for the model")
    parser.add_argument("--base-url", help="where the API is, such as http://localhost:8080/v1")
    parser.add_argument("--max-tokens", type=int, help="how long the answer may become")
    parser.add_argument(
        "--no-stream", action="store_true", help="print the answer when it is whole"
    )
    parser.add_argument("--json", action="store_true", help="print the whole completion as JSON")
    parser.add_argument("--version", action="version", version=f"chatlib {__version__}")
    return parser


def _run(arguments: argparse.Namespace) -> None:
    prompt = "\n\n".join(filter(None, (" ".join(arguments.prompt), _piped(arguments.prompt))))
    if not prompt.strip():
        raise ValueError('nothing to ask; try: chatlib "What is the capital of France?"')
    messages = [{"role": "user", "content": prompt}]
    if arguments.system:
        messages.insert(0, {"role": "system", "content": arguments.system})
    asked: Any = {"model": arguments.model, "messages": messages}
    if arguments.max_tokens is not None:
        asked["max_tokens"] = arguments.max_tokens
    with _client(arguments.base_url) as client:
        if arguments.json or arguments.no_stream:
            completion = client.chat.completions.create(**asked)
            choice = completion.choices[0] if completion.choices else None
            if arguments.json:
                print(completion.to_json(indent=2))
            elif choice is not None:
                print(choice.message.text or choice.message.refusal or "")
            reason = choice.finish_reason if choice is not None else None
        else:
            reason = None
            with client.chat.completions.create(stream=True, **asked) as chunks:
                for chunk in chunks:
                    for piece in chunk.choices[:1]:
                        sys.stdout.write(piece.delta.text or piece.delta.refusal or "")
                        sys.stdout.flush()
                        reason = piece.finish_reason or reason
            print()
    if reason in NOTES:
        _note(NOTES[reason])


def _piped(prompt: Sequence[str]) -> str:
    """What was piped or redirected into the command."""
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    if prompt:
        # Beside a prompt, only what is clearly meant to be read: services and editors start
        # programs with an input that never ends.
        try:
            mode = os.fstat(sys.stdin.fileno()).st_mode
        except OSError:  # no file at all, where main() is called as a function
            return ""
        if not (stat.S_ISFIFO(mode) or stat.S_ISREG(mode)):
            return ""
    return sys.stdin.read().strip()


def _client(base_url: str | None) -> OpenAI:
    from chatlib.client.client import OpenAI

    key = os.environ.get("OPENAI_API_KEY")
    if not key and not (base_url or os.environ.get("OPENAI_BASE_URL")):
        from chatlib.testing import InMemoryServer

        _note("no OPENAI_API_KEY and no base URL: a scripted model inside the package answers")
        return OpenAI(api_key="none", transport=InMemoryServer(default=_scripted_model))
    return OpenAI(api_key="none" if key is None else key, base_url=base_url)


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


def _note(text: str) -> None:
    print(f"chatlib: {text}", file=sys.stderr)
