"""Tests that every transport must pass.

Derive a class in a test module and override ``make``; pytest collects the tests::

    from chatlib.testing.contract import TransportContract

    class TestMyTransport(TransportContract):
        def make(self, **settings):
            return MyTransport(**settings)

``make`` gets the settings that a test needs: ``ca``, the path of a CA bundle to trust, ``proxies``,
as in requests, and ``trust_env``, whether to read proxies and CA bundles from the environment. For
a setting that your transport does not have, raise :class:`Unsupported`, which skips the test. Tests
of features that the attributes of the class turn off are skipped too.

For an asynchronous transport, derive from :class:`AsyncTransportContract` and override
``make_async``.

The server is :class:`chatlib.testing.loopback.Server`. For pytest to show the compared values, call
``pytest.register_assert_rewrite("chatlib.testing.contract")`` before the first import.
"""

from __future__ import annotations

from chatlib.testing.contract.async_transport import AsyncTransportContract
from chatlib.testing.contract.base import Unsupported
from chatlib.testing.contract.transport import TransportContract

__all__ = ["AsyncTransportContract", "TransportContract", "Unsupported"]
