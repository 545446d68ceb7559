"""The server of the soak test: what a request asks for is how it is answered."""

from __future__ import annotations

import json
import sys
from typing import Any

from chatlib.testing.loopback import Reply, Server, chunk, completion, sse
from chatlib.testing.loopback import Request as Received


class Script:
    """Answers ``"what number"``: ``what`` says how, and the number is in the answer."""

    def __init__(self) -> None:
        self.server: Server | None = None
        self._failed: set[str] = set()

    def __call__(self, request: Received) -> Reply:
        assert self.server is not None
        if len(self.server.requests) > 1000:
            del self.server.requests[:500]
        body = json.loads(request.body)
        what, number = body["messages"][-1]["content"].split()
        if what in ("retried", "limited") and number not in self._failed:
            self._failed.add(number)
            status = 500 if what == "retried" else 429
            return Reply.error(status, headers={"retry-after-ms": "5"})
        self._failed.discard(number)
        if what == "reset":
            return Reply(200, {"content-type": "application/json"}, b'{"id', abort="rst")
        if what == "slow":
            return Reply.json(answer(number), delay=3.0)
        if not body.get("stream"):
            return Reply.json(answer(number), gzip=int(number) % 3 == 0)
        events = [sse(chunk(word), done=False) for word in words(number)]
        if what == "cut":
            return Reply.stream(events[:-3], abort="fin")
        if what in ("left", "dropped", "cancelled"):
            return Reply.stream([*events, 3.0, *events], hold=1.0)
        return Reply.stream([*events, sse(chunk(finish="stop"))])


def words(number: str) -> list[str]:
    """Return the pieces of the streamed answer to a number."""
    return [f"{number} ", *(f"word{at} " for at in range(20)), number]


def answer(number: str) -> dict[str, Any]:
    """Return the whole answer to a number, which is JSON, so that it can be parsed."""
    return completion(json.dumps({"number": int(number)}))


def main() -> None:
    """Serve until stdin ends; the address is printed."""
    script = Script()
    with Server(script, patience=3600) as server:
        script.server = server
        print(server.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
