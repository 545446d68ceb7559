"""TLS verification, and secrets in exceptions."""

from __future__ import annotations

from chatlib.errors import APIConnectionError
from chatlib.http import TransportTimeout
from chatlib.testing.contract.base import ContractBase
from chatlib.testing.contract.malformed import BROKEN
from chatlib.testing.contract.scenarios import (
    ASK,
    KEY,
    OK,
    CertificateAuthority,
    elapsed_within,
    environment,
    expect_error,
    find_secret,
    make_client,
    request_to,
    with_password,
)
from chatlib.testing.loopback import Reply, closed_port


class SecurityContract(ContractBase):
    """Verify certificates; show no secret in an exception."""

    def test_an_authority_of_ones_own(self) -> None:
        """A server with a certificate of the given CA is trusted."""
        self.require("sockets")
        authority = CertificateAuthority.shared()
        with self.serve(OK, tls=authority.context()) as server:
            with self.open_transport(ca=authority.bundle) as transport:
                for _ in range(3):
                    assert b"ok" in transport.send(request_to(server)).read()
            assert not self.pools or server.connections == 1

    def test_streams_over_tls(self) -> None:
        """Streams, read timeouts and closing work over TLS."""
        self.require("sockets", "streams")
        authority = CertificateAuthority.shared()
        with self.serve(Reply.stream([b"a", 30.0]), tls=authority.context()) as server:
            with self.open_transport(ca=authority.bundle) as transport:
                response = transport.send(request_to(server, read=0.3))
                pieces = iter(response)
                assert next(pieces) == b"a"
                with elapsed_within(0, 4.0), expect_error(TransportTimeout):
                    next(pieces)
                response.close()
                response = transport.send(request_to(server))
                assert next(iter(response)) == b"a"
                response.close()

    def test_an_authority_of_the_environment(self) -> None:
        """Each environment variable for a CA bundle works, unless ``trust_env`` is False."""
        self.require("sockets")
        authority = CertificateAuthority.shared()
        with self.serve(OK, tls=authority.context()) as server:
            for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
                with environment({name: authority.bundle}):
                    with self.open_transport(trust_env=True) as transport:
                        assert b"ok" in transport.send(request_to(server)).read()
                    with self.open_transport(trust_env=False) as transport, expect_error():
                        transport.send(request_to(server))

    def test_an_authority_that_nobody_knows(self) -> None:
        """An unknown CA is a final error that says why, and nothing is sent."""
        self.require("sockets")
        with self.serve(OK, tls=CertificateAuthority.shared().context()) as server:
            with environment({}), self.open_transport() as transport, expect_error() as caught:
                transport.send(request_to(server))
            assert "certificate" in str(caught[0]).lower()
            assert not caught[0].retryable
            assert (server.connections, server.requests) == (1, [])

    def test_a_certificate_for_another_name(self) -> None:
        """A certificate for another host is a final error that names the host."""
        self.require("sockets")
        authority = CertificateAuthority.shared()
        with self.serve(OK, tls=authority.context("other.test")) as server:
            with self.open_transport(ca=authority.bundle) as transport, expect_error() as caught:
                transport.send(request_to(server))
            assert "certificate" in str(caught[0]).lower()
            assert "127.0.0.1" in str(caught[0])
            assert not caught[0].retryable
            assert server.requests == []

    def test_secrets_are_not_shown(self) -> None:
        """No message, traceback with local variables, or pickle of an error holds a secret."""
        failing = {**BROKEN, "timeout": Reply(delay=30), "slow body": Reply(body=[b"a", 30.0])}
        for name, reply in failing.items():
            with self.serve(reply) as server, self.open_transport() as transport:
                url = f"{server.url}/x?api-key={KEY}"
                with expect_error() as caught:
                    transport.send(request_to(url, read=0.2)).read()
                assert find_secret(caught[0], KEY) == [], name

    def test_secrets_are_not_shown_where_nobody_listens(self) -> None:
        """No error of a failed connection attempt holds a secret."""
        self.require("sockets")
        url = with_password(f"http://127.0.0.1:{closed_port()}/x?api-key={KEY}")
        with self.open_transport() as transport, expect_error() as caught:
            transport.send(request_to(url))
        assert find_secret(caught[0], KEY) == []
        assert find_secret(caught[0], "%2Fsecret") == []

    def test_client_errors_carry_what_the_transport_says(self) -> None:
        """The error of a client has the message and the cause of the transport error."""
        with self.serve(Reply.nothing()) as server, self.open_transport() as transport:
            with expect_error() as caught:
                transport.send(request_to(server))
            try:
                make_client(server.url, transport).chat.completions.create(**ASK)
            except APIConnectionError as error:
                assert str(caught[0]) in error.message
                assert type(caught[0].__cause__) is type(error.__cause__)
            else:
                raise AssertionError("did not raise APIConnectionError")
