"""Each fault of the table ends as it says, over each transport, by an error that says why."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from chatlib.testing.loopback import Reply, Server, completion
from chatlib.testing.loopback.addresses import closed_port
from tests.faults.outcomes import (
    AWAITED,
    CALLS,
    LIMITS,
    TRANSPORTS,
    Outcome,
    is_of,
    outcome_at,
    outcome_of,
    untrusted,
)
from tests.faults.table import ANSWER, FAULTS, Fault

HTTPX = ("httpx", "async httpx")
READ_BY_HTTPX = {
    "another protocol",
    "HTTP/0.9",
    "3,000 headers",
    "length that is negative",
    "a line without a colon",
    "a name with blanks",
}
"""Faults that httpx's own parser reads in another way: as an error or as an answer."""

TEXTS = ("Zürich ok", "Zürich \ufffd\ufffd", "Zürich a", "a")
"""The texts that a server may have begun to send."""


def check(fault: Fault, call: str, transport: str, found: Outcome) -> None:
    """Check the outcome of a call.

    Raises:
        AssertionError: It is not the one of the fault.
    """
    outcome = fault.outcome if call == "create" else fault.stream_outcome
    about = f"{call} over {transport}: {found}"
    assert found.seconds < 20, about
    assert found.requests <= 1, about
    if found.kind == "ok":
        assert outcome == "ok" or (transport in HTTPX and fault.name in READ_BY_HTTPX), about
        return
    assert found.is_ours, about
    if transport in HTTPX and fault.name in READ_BY_HTTPX:
        return
    assert is_of(found, outcome), about
    assert all(word in found.message for word in fault.words), about
    if outcome in ("connection", "timeout"):
        ended = "the stream ended" in found.message  # as HTTP, it was whole
        assert ended or "127.0.0.1:" in found.message, about
        assert "timed out: timed out" not in found.message, about
    if outcome == "timeout":
        assert f"Timeout: read={LIMITS.read:g} s" in found.message, about
    assert any(text.startswith(found.text) for text in TEXTS) or call == "create", about


ROWS = [pytest.param(at, fault, id=fault.name) for at, fault in enumerate(FAULTS)]


def run_all(fault: Fault, runs: list[tuple[str, str]]) -> None:
    """Make calls at once and check their outcomes."""
    with ThreadPoolExecutor(len(runs)) as threads:
        outcomes = threads.map(lambda run: outcome_of(fault, *run), runs)
        for (call, transport), found in zip(runs, outcomes, strict=True):
            check(fault, call, transport, found)


@pytest.mark.parametrize(("at", "fault"), ROWS)
def test_fault(at: int, fault: Fault) -> None:
    """Each kind of call, over one transport each."""
    kinds = list(TRANSPORTS)
    run_all(fault, [(call, kinds[(at + turn) % len(kinds)]) for turn, call in enumerate(CALLS)])


@pytest.mark.slow
@pytest.mark.parametrize(("at", "fault"), ROWS)
def test_fault_over_all_transports(at: int, fault: Fault) -> None:
    """Each kind of call over each transport."""
    run_all(fault, [(call, kind) for call in CALLS for kind in TRANSPORTS])


def test_enough_faults() -> None:
    """The names differ, and there are more than 150."""
    assert len(FAULTS) == len({fault.name for fault in FAULTS}) > 150


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nContent-Len"])
def test_closed_inside_the_headers(sent: bytes, transport: str) -> None:
    """The call is tried again: the server has not answered."""
    whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
    replies = [Reply(raw=sent, abort="fin"), Reply(raw=whole % (len(ANSWER), ANSWER))]
    with Server(*replies) as server:
        found = outcome_at(server.url, "create", transport, max_retries=1)
        assert ("ok", "Zürich ok") == (found.kind, found.text), found
        assert 2 == len(server.requests)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("call", CALLS)
def test_refused(call: str, transport: str) -> None:
    """Nobody listens: the message has the address and what the system says."""
    port = closed_port()
    found = outcome_at(f"http://127.0.0.1:{port}/v1", call, transport)
    assert is_of(found, "connection"), found
    assert f"127.0.0.1:{port}" in found.message
    assert "refused" in found.message or "connection attempts failed" in found.message, found


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_unknown_host(transport: str) -> None:
    """The name cannot be resolved: the message has it."""
    found = outcome_at("http://nowhere.invalid/v1", "create", transport)
    assert is_of(found, "connection"), found
    assert "nowhere.invalid" in found.message


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("call", CALLS)
def test_untrusted_certificate(call: str, transport: str) -> None:
    """A certificate that nobody trusts is a connection error that is not tried again."""
    with Server(Reply.json(completion()), tls=untrusted()) as server:
        url = server.url.replace("http:", "https:")
        found = outcome_at(url, call, transport, max_retries=2)
    assert is_of(found, "connection"), found
    assert "certificate" in found.message.lower()
    assert server.connections <= 1


@contextmanager
def plain_server() -> Iterator[str]:
    """A server that answers 400 to whatever comes first, as servers of plain HTTP do to TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)

        def answer() -> None:
            with listener.accept()[0] as conn:
                conn.recv(1 << 16)
                conn.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/v1"
        thread.join(20)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_no_tls(transport: str) -> None:
    """Plain HTTP on the port of https is a connection error."""
    with plain_server() as url:
        found = outcome_at(url, "create", transport)
    assert is_of(found, "connection"), found
    assert "127.0.0.1:" in found.message
    assert "SSL" in found.message or "TLS" in found.message, found


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_tls_where_none_is_expected(transport: str) -> None:
    """https on the port of plain HTTP is a connection error."""
    with Server(Reply.json(completion()), tls=untrusted()) as server:
        found = outcome_at(server.url.replace("https:", "http:"), "create", transport)
    assert is_of(found, "connection") or is_of(found, "timeout"), found


def test_transports_are_known() -> None:
    """The awaited transports are among all of them."""
    assert set(AWAITED) < set(TRANSPORTS)
