"""The contract of an asynchronous transport; see :mod:`chatlib.testing.contract`."""

from __future__ import annotations

from chatlib.testing.contract.async_transport import AsyncTransportContract

__all__ = ["AsyncTransportContract"]
