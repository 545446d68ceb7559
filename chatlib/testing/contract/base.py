"""The base class of the contract: how a test gets its transport and its server."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest import SkipTest

from chatlib.http import Transport
from chatlib.testing.contract.scenarios import TIME_LIMIT, close
from chatlib.testing.loopback import Script, Server


class Unsupported(Exception):
    """Raise it in ``make`` for an unsupported setting: the test is skipped."""


class ContractBase:
    """Creates the transport and the server of a test; override :meth:`make`."""

    sockets = True
    """Whether the transport opens sockets."""
    pools = True
    """Whether the transport reuses connections."""
    streams = True
    """Whether the transport returns pieces of a body as they arrive."""

    def make(self, **settings: Any) -> Transport:
        """Return a new transport to test.

        Raises:
            Unsupported: If it does not have one of the settings.
        """
        raise NotImplementedError("override make() to return the transport to test")

    def serve(
        self,
        *replies: Script,
        tls: ssl.SSLContext | None = None,
        tunnel: ssl.SSLContext | None = None,
    ) -> AbstractContextManager[Any]:
        """Return a server with scripted replies that the transport can reach."""
        return Server(*replies, tls=tls, tunnel=tunnel, patience=TIME_LIMIT)

    @contextmanager
    def open_transport(self, **settings: Any) -> Iterator[Transport]:
        """Create a transport and close it at the end; skip the test if a setting is unsupported."""
        try:
            transport = self.make(**settings)
        except Unsupported as error:
            raise SkipTest(f"not supported: {str(error) or ', '.join(settings)}") from None
        try:
            yield transport
        finally:
            close(transport)

    def require(self, *features: str) -> None:
        """Skip the test unless the transport has these features, named by attributes."""
        for feature in features:
            if not getattr(self, feature):
                raise SkipTest(f"requires {feature}")
