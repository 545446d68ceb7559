"""How a contract gets its transport and its server: the part that its user overrides."""

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
    """Raised by ``make`` for a setting that the transport does not have: the test is skipped."""


class ContractBase:
    """Derive from it, and override :meth:`make`; see the top of the module."""

    sockets = True
    """Whether it opens sockets."""
    pools = True
    """Whether it keeps connections for later calls."""
    streams = True
    """Whether it brings a body in pieces as they come, not as a whole."""

    def make(self, **settings: Any) -> Transport:
        """The transport to be tested; a new one each time.

        Raises:
            Unsupported: it does not have one of these settings.
        """
        raise NotImplementedError("override make(), so that it returns your transport")

    def serve(
        self,
        *replies: Script,
        tls: ssl.SSLContext | None = None,
        tunnel: ssl.SSLContext | None = None,
    ) -> AbstractContextManager[Any]:
        """A server that plays replies, and that the transport can reach."""
        return Server(*replies, tls=tls, tunnel=tunnel, patience=TIME_LIMIT)

    @contextmanager
    def open_transport(self, **settings: Any) -> Iterator[Transport]:
        """A transport that is closed in the end."""
        try:
            transport = self.make(**settings)
        except Unsupported as error:
            raise SkipTest(f"not supported: {str(error) or ', '.join(settings)}") from None
        try:
            yield transport
        finally:
            close(transport)

    def require(self, *features: str) -> None:
        """Skip the test unless the transport has these: ``sockets``, ``pools``, ``streams``."""
        for feature in features:
            if not getattr(self, feature):
                raise SkipTest(f"has no meaning without {feature}")
