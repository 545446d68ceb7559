"""What every transport must do, as tests that any transport can be run through.

Derive a class in a test module, and say how your transport is made; pytest does the rest::

    from chatlib.testing.contract import TransportContract

    class TestMyTransport(TransportContract):
        def make(self, **settings):
            return MyTransport(**settings)

``make`` is given settings where a scenario needs them: ``ca``, the path of a file of CA
certificates to trust, ``proxies``, as in requests, and ``trust_env``, whether the environment
names proxies and certificates. For one that your transport does not have, raise
:class:`Unsupported`: the scenario is skipped. So it is where one of the attributes of the class
says that it has no meaning.

An asynchronous transport is tested in the same way by
:class:`chatlib.testing.async_contract.AsyncTransportContract`.

The server is :class:`chatlib.testing.loopback.Server`. pytest shows what was compared if it is told
to before the import: ``pytest.register_assert_rewrite("chatlib.testing.contract")``.
"""

from __future__ import annotations

from chatlib.testing.contract.async_transport import AsyncTransportContract
from chatlib.testing.contract.base import Unsupported
from chatlib.testing.contract.transport import TransportContract

__all__ = ["AsyncTransportContract", "TransportContract", "Unsupported"]
