"""Redirects and proxies."""

from __future__ import annotations

from chatlib.errors import APIStatusError
from chatlib.testing.contract.base import ContractBase
from chatlib.testing.contract.scenarios import (
    ASK,
    ELSEWHERE,
    KEY,
    OK,
    PASSWORD,
    CertificateAuthority,
    environment,
    expect_error,
    find_secret,
    make_client,
    request_to,
    with_password,
)
from chatlib.testing.loopback import Reply, closed_port


class RoutingContract(ContractBase):
    """Return redirects to the client; send through proxies."""

    def test_redirects_are_not_followed(self) -> None:
        """A redirect is returned like any response."""
        statuses = (301, 302, 303, 307, 308)
        replies = [Reply(status, {"location": "/elsewhere"}) for status in statuses]
        with self.serve(*replies) as server, self.open_transport() as transport:
            for status in statuses:
                response = transport.send(request_to(server))
                response.read()
                assert (status, "/elsewhere") == (response.status, response.headers["location"])
            assert len(statuses) == len(server.requests)

    def test_redirects_by_a_client(self) -> None:
        """A client follows redirects within the origin, with the same method and body."""
        redirect = Reply(307, {"location": "/v2/there"})
        with self.serve(redirect, OK) as server, self.open_transport() as transport:
            assert make_client(server.url, transport).chat.completions.create(**ASK).text == "ok"
            first, second = server.requests
            assert (second.method, second.target) == ("POST", "/v2/there")
            assert first.body == second.body
            assert first.headers == second.headers

    def test_redirects_to_another_host_by_a_client(self) -> None:
        """A client sends nothing to another origin, and the error names the target."""
        self.require("sockets")
        with self.serve(OK) as other, self.open_transport() as transport:
            with self.serve(Reply(307, {"location": f"{other.url}/x"})) as server:
                try:
                    make_client(server.url, transport).chat.completions.create(**ASK)
                except APIStatusError as error:
                    assert f"{other.url}/x" in error.message
                else:
                    raise AssertionError("the redirect was followed")
            assert other.connections == 0

    def test_a_proxy(self) -> None:
        """A configured proxy gets the whole URL and its own credentials."""
        self.require("sockets")
        with self.serve(OK) as proxy:
            with self.open_transport(proxies={"http": with_password(proxy.origin)}) as transport:
                for _ in range(2):
                    transport.send(request_to(f"{ELSEWHERE}/a?b=c")).read()
            assert f"{ELSEWHERE}/a?b=c" == proxy.last.target
            assert proxy.last.headers["host"] == "api.example.test"
            assert proxy.last.headers["proxy-authorization"] == "Basic dXNlcjpwcm94eS9zZWNyZXQ="
            assert not self.pools or proxy.connections == 1

    def test_a_proxy_of_the_environment(self) -> None:
        """Each environment variable for proxies works, in upper and lower case."""
        self.require("sockets")
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            with self.serve(OK) as proxy, environment({name: with_password(proxy.origin)}):
                with self.open_transport(trust_env=True) as transport:
                    transport.send(request_to(ELSEWHERE)).read()
                assert proxy.last.target == ELSEWHERE
                assert "Basic" in proxy.last.headers["proxy-authorization"]

    def test_hosts_without_a_proxy(self) -> None:
        """Hosts in ``NO_PROXY`` are reached directly."""
        self.require("sockets")
        for name in ("NO_PROXY", "no_proxy"):
            with self.serve(OK) as proxy, self.serve(OK) as server:
                with environment({"HTTP_PROXY": proxy.origin, name: "a.test,127.0.0.1"}):
                    with self.open_transport(trust_env=True) as transport:
                        transport.send(request_to(server)).read()
                assert (proxy.connections, len(server.requests)) == (0, 1)

    def test_an_environment_that_is_ignored(self) -> None:
        """``trust_env=False`` ignores the proxies of the environment."""
        self.require("sockets")
        with self.serve(OK) as proxy, self.serve(OK) as server:
            with environment({"HTTP_PROXY": proxy.origin}):
                with self.open_transport(trust_env=False) as transport:
                    transport.send(request_to(server)).read()
            assert (proxy.connections, len(server.requests)) == (0, 1)

    def test_a_proxy_for_tls(self) -> None:
        """TLS goes through a tunnel; the proxy sees only the host and port."""
        self.require("sockets")
        authority, url = CertificateAuthority.shared(), "https://api.example.test/v1"
        with self.serve(OK, tunnel=authority.context("api.example.test")) as proxy:
            settings = {"ca": authority.bundle, "proxies": {"https": with_password(proxy.origin)}}
            with self.open_transport(**settings) as transport:
                for _ in range(2):
                    assert b"ok" in transport.send(request_to(url)).read()
            connect, *inside = proxy.requests
            assert (connect.method, connect.target) == ("CONNECT", "api.example.test:443")
            assert KEY not in str(connect.headers)
            assert "Basic" in connect.headers["proxy-authorization"]
            assert inside[0].target == "/v1"
            assert "proxy-authorization" not in inside[0].headers
            assert not self.pools or proxy.connections == 1

    def test_a_proxy_that_is_not_there(self) -> None:
        """The error for an unreachable proxy names the proxy, without its password."""
        self.require("sockets")
        proxy = with_password(f"http://127.0.0.1:{closed_port()}")
        with self.open_transport(proxies={"all": proxy}) as transport:
            for url in (ELSEWHERE, ELSEWHERE.replace("http", "https")):
                with expect_error() as caught:
                    transport.send(request_to(url))
                assert "proxy" in str(caught[0]).lower()
                assert find_secret(caught[0], PASSWORD) == []

    def test_a_proxy_that_refuses(self) -> None:
        """A rejected request is a response; a rejected tunnel is an error with the status."""
        self.require("sockets")
        with self.serve(Reply(407, body=b"who are you?")) as proxy:
            with self.open_transport(proxies={"all": with_password(proxy.origin)}) as transport:
                response = transport.send(request_to(ELSEWHERE))
                assert (response.status, response.read()) == (407, b"who are you?")
                with expect_error() as caught:
                    transport.send(request_to(ELSEWHERE.replace("http", "https")))
                assert "407" in str(caught[0])
                assert find_secret(caught[0], PASSWORD) == []
