"""Print what becomes of each fault with the official package and with this one, as a page::

    python -m tests.faults.page > docs/faults.md

The official package must be installed.
"""

from __future__ import annotations

import logging
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chatlib.testing.loopback import Server
from tests.faults.outcomes import ASK, outcome_of
from tests.faults.table import FAULTS, Fault

INTRODUCTION = """# What becomes of faults

What a server does, and what a plain call and a stream then end in, with the official package
(3.51.0) and here. In **bold** are exceptions that are not the package's own, so that
`except APIError` misses them, and ends that should be errors and are none. Each line is a test
here, over six transports (`tests/faults/`); the page is printed by `python -m tests.faults.page`.

| fault | openai, plain | openai, streamed | chatlib, plain | chatlib, streamed |
|---|---|---|---|---|"""


def official(fault: Fault, call: str) -> str:
    """Return what a call of the official package ends in."""
    import openai

    reply = fault.plain if call == "create" else fault.streamed
    texts: list[str] = []
    with Server(reply) as server:
        limits: Any = openai.Timeout(20, read=0.5)
        client = openai.OpenAI(api_key="k", base_url=server.url, timeout=limits, max_retries=0)
        try:
            if call == "create":
                texts.append(client.chat.completions.create(**ASK).choices[0].message.content or "")
            else:
                for chunk in client.chat.completions.create(**ASK, stream=True):
                    texts += [choice.delta.content or "" for choice in chunk.choices]
        except Exception as error:
            name = type(error).__name__
            return name if isinstance(error, openai.APIError) else f"**{name}**"
        finally:
            client.close()
    expected = fault.outcome if call == "create" else fault.stream_outcome
    return "answer" if expected == "ok" else f"**answer** {''.join(texts)!r}"


def ours(fault: Fault, call: str) -> str:
    """Return what a call of this package ends in."""
    found = outcome_of(fault, call, "requests")
    return "answer" if found.kind == "ok" else found.kind


def main() -> None:
    """Print the page."""
    warnings.simplefilter("ignore")
    logging.disable()
    jobs = [(fault, call) for fault in FAULTS for call in ("create", "streamed")]
    with ThreadPoolExecutor(8) as threads:
        theirs = list(threads.map(lambda job: official(*job), jobs))
        own = list(threads.map(lambda job: ours(*job), jobs))
    print(INTRODUCTION)
    for at, fault in enumerate(FAULTS):
        cells = [fault.name, *theirs[2 * at : 2 * at + 2], *own[2 * at : 2 * at + 2]]
        print(f"| {' | '.join(cells)} |")
    bold = sum(cell.startswith("**") for cell in theirs)
    print(f"\nOf {len(jobs)} calls, {bold} of the official package end in bold.")


if __name__ == "__main__":
    main()
