"""A canned server: prints its port, and answers completions until its standard input ends."""

import json
import sys
import threading
from functools import lru_cache
from itertools import pairwise
from socketserver import StreamRequestHandler, ThreadingTCPServer

EVENTS_PER_WRITE = 20
HEADERS = """HTTP/1.1 200 OK\r\ndate: Thu, 09 Oct 2025 08:53:20 GMT\r\nopenai-processing-ms: 1\r
openai-version: 2020-10-01\r\nx-ratelimit-limit-tokens: 2000000\r\nx-ratelimit-limit-requests: 10\r
x-request-id: req_2f0c1d9a7b6e4c53\r\ncontent-type: %s\r\n%s\r\n\r\n"""
SHARED = """{"id":"chatcmpl-CPyG2nZkZ0dJ5bWq1uXb8s7fVt3Qa","created":1760000000,\
"model":"gpt-4o-2024-08-06","service_tier":"default","system_fingerprint":"fp_44709d6fcb","""
COMPLETION = """"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",
"content":%s,"refusal":null,"annotations":[]},
"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,
"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},
"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,
"rejected_prediction_tokens":0}}}"""
STEPS = [
    {
        "explanation": "Subtract 7 from both sides of the equation.",
        "output": "8x + 7 - 7 = -23 - 7",
    },
    {"explanation": 'Simplify; the "+7" and \u201c-7\u201d cancel.', "output": "8x = -30"},
    {"explanation": "Divide both sides by 8 to isolate x.", "output": "x = -30 / 8"},
]
EVENT = f"""data: {SHARED}"object":"chat.completion.chunk","choices":[{{"index":0,"delta":{{%s}},\
"logprobs":null,"finish_reason":%s}}],"obfuscation":"x7Kq"}}\n\n"""


def pieces(count: int, typed: bool) -> list[str]:
    """The text of an answer, in pieces of about the size that a model gives."""
    if not typed:
        return [f" word{number}" for number in range(count)]
    text = json.dumps({"steps": STEPS * (count * 4 // len(json.dumps(STEPS)) + 1)})
    text = f'{text[:-1]}, "final_answer": "x = -3.75"}}'
    cuts = [len(text) * number // count for number in range(count + 1)]
    return [text[start:end] for start, end in pairwise(cuts)]


@lru_cache(maxsize=1)
def page() -> bytes:
    """A page of 100 stored completions."""
    item = SHARED + COMPLETION % json.dumps("Hello there! How may I help you today?")
    items = ",".join(item.replace('"chatcmpl-', f'"chatcmpl-{number}-') for number in range(100))
    body = f'{{"object":"list","data":[{items}],"has_more":false,"first_id":"a","last_id":"b"}}'
    return (HEADERS % ("application/json", f"content-length: {len(body)}") + body).encode()


@lru_cache(maxsize=4)
def response(count: int | None, typed: bool) -> list[bytes]:
    """A completion, or a stream of some chunks of content: as the writes that it is sent in."""
    if count is None:
        content = "".join(pieces(1, typed)) if typed else "Hello there! How may I help you today?"
        body = SHARED + COMPLETION % json.dumps(content)
        return [(HEADERS % ("application/json", f"content-length: {len(body)}") + body).encode()]
    events = [EVENT % ('"role":"assistant","content":"","refusal":null', "null")]
    events += [EVENT % (f'"content":{json.dumps(p)}', "null") for p in pieces(count, typed)]
    events += [EVENT % ("", '"stop"'), "data: [DONE]\n\n", ""]
    frames = [f"{len(text):x}\r\n{text}\r\n" for text in events]
    head = HEADERS % ("text/event-stream; charset=utf-8", "transfer-encoding: chunked")
    cuts = range(0, len(frames), EVENTS_PER_WRITE)
    return [w.encode() for w in (head, *("".join(frames[c : c + EVENTS_PER_WRITE]) for c in cuts))]


class Connection(StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Answer until the other side closes; ``max_tokens`` is the number of a stream's chunks.

        Who sends a response format gets JSON, whichever it is: :data:`STEPS`, over and over.
        """
        while self.rfile.readline():
            size = 0
            while (line := self.rfile.readline().lower()) not in (b"\r\n", b""):
                size = int(line[15:]) if line.startswith(b"content-length:") else size
            if not size:
                self.wfile.write(page())
                continue
            asked = json.loads(self.rfile.read(size))
            count = asked["max_tokens"] if asked.get("stream") else None
            for write in response(count, "response_format" in asked):
                self.wfile.write(write)


if __name__ == "__main__":
    ThreadingTCPServer.request_queue_size = 128
    server = ThreadingTCPServer(("127.0.0.1", 0), Connection)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
