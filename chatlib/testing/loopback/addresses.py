"""Loopback addresses on which no server answers."""

from __future__ import annotations

import socket
import threading


def closed_port() -> int:
    """Return a loopback port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


class Unreachable:
    """An address that neither accepts nor refuses connections: its backlog is full.

    Args:
        seconds: The time limit in seconds, after which it refuses connections.
    """

    def __init__(self, seconds: float = 30.0) -> None:
        self._seconds = seconds

    def __enter__(self) -> str:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        address = self._listener.getsockname()
        self._waiting = []
        for _ in range(8):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(address)
            self._waiting.append(waiting)
        self._end = threading.Timer(self._seconds, self._listener.close)
        self._end.daemon = True
        self._end.start()
        return f"http://127.0.0.1:{address[1]}/v1"

    def __exit__(self, *_: object) -> None:
        self._end.cancel()
        self._end.join(1)
        for held in (*self._waiting, self._listener):
            held.close()
