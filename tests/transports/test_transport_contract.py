"""Every transport of the library, and the one in its pages, through the contract of all."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from chatlib import AsyncTransport, Transport
from chatlib.testing.async_contract import AsyncTransportContract
from chatlib.testing.contract import TransportContract, Unsupported
from chatlib.testing.contract.in_memory import InMemoryLoopback
from chatlib.transports.aiohttp import AiohttpTransport
from chatlib.transports.requests import RequestsTransport
from chatlib.transports.threads import ThreadTransport
from chatlib.transports.urllib3 import Urllib3Transport


def options_of(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a scenario by the names that the transports of the library have for them."""
    options = dict(settings)
    if "ca" in options:
        options["verify"] = options.pop("ca")
    return options


class TestRequestsTransport(TransportContract):
    def make(self, **settings: Any) -> Transport:
        return RequestsTransport(**options_of(settings))


class TestUrllib3Transport(TransportContract):
    def make(self, **settings: Any) -> Transport:
        return Urllib3Transport(**options_of(settings))


class TestInMemoryServer(TransportContract):
    sockets = False

    def serve(self, *replies: Any, **tls: Any) -> AbstractContextManager[Any]:
        self.wire = InMemoryLoopback(*replies)
        return self.wire

    def make(self, **settings: Any) -> Transport:
        if settings:
            raise Unsupported("it is reached without any")
        return self.wire.transport


class TestAiohttpTransport(AsyncTransportContract):
    def make_async(self, **settings: Any) -> AsyncTransport:
        return AiohttpTransport(**options_of(settings))


class TestThreadsOverRequests(AsyncTransportContract):
    def make_async(self, **settings: Any) -> AsyncTransport:
        return ThreadTransport(RequestsTransport(**options_of(settings)))


class TestThreadsOverUrllib3(AsyncTransportContract):
    def make_async(self, **settings: Any) -> AsyncTransport:
        return ThreadTransport(Urllib3Transport(**options_of(settings)), max_threads=32)
