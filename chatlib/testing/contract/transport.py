"""All tests of the contract in one class."""

from __future__ import annotations

from chatlib.testing.contract.connections import ConnectionContract
from chatlib.testing.contract.messages import MessageContract
from chatlib.testing.contract.routing import RoutingContract
from chatlib.testing.contract.security import SecurityContract
from chatlib.testing.contract.timeouts import TimeoutContract


class TransportContract(
    MessageContract, TimeoutContract, ConnectionContract, RoutingContract, SecurityContract
):
    """All tests that a transport must pass; override :meth:`make`."""
