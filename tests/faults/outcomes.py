"""Make a call that fails, over a transport, and say what became of it."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import attrs
import httpx
import pytest

import chatlib
from chatlib import APIError, AsyncOpenAI, OpenAI, Timeout
from chatlib.testing.loopback import Server
from chatlib.transports.aiohttp import AiohttpTransport
from chatlib.transports.requests import RequestsTransport
from chatlib.transports.threads import ThreadTransport
from chatlib.transports.urllib3 import Urllib3Transport
from tests.faults.table import Fault

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
LIMITS = Timeout(20, read=0.5, stream_end=0.3)
CALLS = ("create", "streamed", "stream()")
TRANSPORTS: dict[str, Callable[[], dict[str, Any]]] = {
    "requests": lambda: {"transport": RequestsTransport()},
    "urllib3": lambda: {"transport": Urllib3Transport()},
    "httpx": lambda: {"http_client": httpx.Client()},
    "aiohttp": lambda: {"transport": AiohttpTransport()},
    "async httpx": lambda: {"http_client": httpx.AsyncClient()},
    "threads": lambda: {"transport": ThreadTransport(Urllib3Transport())},
}
"""The transports that open sockets; the last three are awaited."""
AWAITED = ("aiohttp", "async httpx", "threads")


@attrs.frozen
class Outcome:
    """What became of a call."""

    kind: str
    """The class of the error, or "ok"."""
    message: str = ""
    text: str = ""
    """The text that was received."""
    is_ours: bool = True
    seconds: float = 0.0
    requests: int = 0


def outcome_of(fault: Fault, call: str, transport: str) -> Outcome:
    """Make a call to a server that has a fault.

    Args:
        fault: The fault.
        call: One of :data:`CALLS`.
        transport: The name of the transport.
    """
    reply = fault.plain if call == "create" else fault.streamed
    with Server(reply) as server:
        found = outcome_at(server.url, call, transport)
        return attrs.evolve(found, requests=len(server.requests))


def outcome_at(url: str, call: str, transport: str, **settings: Any) -> Outcome:
    """Make a call to an address; see :func:`outcome_of`."""
    made = {"api_key": "k", "base_url": url, "timeout": LIMITS, "max_retries": 0, **settings}
    start = time.monotonic()
    if transport in AWAITED:
        found = asyncio.run(_awaited(made, call, transport))
    else:
        found = _blocking(made, call, transport)
    return attrs.evolve(found, seconds=time.monotonic() - start)


def _blocking(settings: dict[str, Any], call: str, transport: str) -> Outcome:
    texts: list[str] = []
    over = TRANSPORTS[transport]()
    with over.get("http_client", nullcontext()), OpenAI(**over, **settings) as client:
        try:
            if call == "create":
                texts.append(client.chat.completions.create(**ASK).text)
            elif call == "streamed":
                with client.chat.completions.create(**ASK, stream=True) as stream:
                    texts.extend(chunk.text for chunk in stream)
            else:
                with client.chat.completions.stream(**ASK) as events:
                    for event in events:
                        texts += [event.delta] if event.type == "content.delta" else []
                    events.get_final_completion()
        except Exception as error:
            return _failed(error, texts)
    return Outcome("ok", text="".join(texts))


async def _awaited(settings: dict[str, Any], call: str, transport: str) -> Outcome:
    texts: list[str] = []
    over = TRANSPORTS[transport]()
    async with over.get("http_client", nullcontext()), AsyncOpenAI(**over, **settings) as client:
        try:
            if call == "create":
                texts.append((await client.chat.completions.create(**ASK)).text)
            elif call == "streamed":
                async with await client.chat.completions.create(**ASK, stream=True) as stream:
                    async for chunk in stream:
                        texts.append(chunk.text)
            else:
                async with client.chat.completions.stream(**ASK) as events:
                    async for event in events:
                        texts += [event.delta] if event.type == "content.delta" else []
                    await events.get_final_completion()
        except Exception as error:
            return _failed(error, texts)
    return Outcome("ok", text="".join(texts))


def _failed(error: Exception, texts: list[str]) -> Outcome:
    held = getattr(error, "completion", None)
    text = held.text if held is not None and held.choices else "".join(texts)
    return Outcome(type(error).__name__, str(error), text, isinstance(error, APIError))


def is_of(found: Outcome, outcome: str) -> bool:
    """Return whether a call ended as a fault says."""
    if found.kind == "ok" or outcome == "ok":
        return found.kind == outcome
    kind: Any = getattr(chatlib, found.kind, None)
    if not (isinstance(kind, type) and issubclass(kind, APIError)):
        return False
    wanted: dict[str, Any] = {
        "connection": chatlib.APIConnectionError,
        "timeout": chatlib.APITimeoutError,
        "status": chatlib.APIStatusError,
        "invalid": chatlib.APIResponseValidationError,
        "error": APIError,
    }
    is_timeout = issubclass(kind, chatlib.APITimeoutError)
    return issubclass(kind, wanted[outcome]) and (outcome == "timeout" or not is_timeout)


def untrusted() -> ssl.SSLContext:
    """Return the TLS context of a server whose certificate nobody trusts."""
    trustme = pytest.importorskip("trustme")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context
