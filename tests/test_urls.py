"""URLs: what is judged is what is connected to."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatlib import HttpRequest, HttpResponse, OpenAI, OpenAIError, Timeout, TransportError
from chatlib.errors import APIStatusError
from chatlib.testing.loopback import Reply, Server, completion
from chatlib.transports.aiohttp import AiohttpTransport
from chatlib.transports.requests import RequestsTransport
from chatlib.transports.urllib3 import Urllib3Transport
from chatlib.urls import parse_url, redirect_target, sent_url
from chatlib.wire.redirects import follow_redirect

PARTS = [
    *("one.test", "two.test", "127.0.0.1", "localhost", "[::1]", "[fe80::1%25lo]", "1.1", "0x7f.1"),
    *("@", "\\", "/", "//", "\\\\", ":", ":80", ":8000", ":0", ":99999", ":+80", ": 80", "#", "?"),
    *("%2f", "%40", "%5c", "%00", "%", " ", "\t", "\n", "\r\n", "\0", "\x7f", "\x85", "\xa0"),
    *(
        "user",
        "user:pass",
        ".",
        "..",
        "xn--a",
        "-",
        "_",
        "a" * 64,
        "[",
        "]",
        "<",
        ">",
        "^",
        "|",
        ";",
    ),
    # Full-width colon and digits, other dots and slashes, letters that lower or fold to ASCII ones.
    *(
        ":\uff18\uff10",
        "\u3002",
        "\uff0e",
        "\uff0f",
        "\uff20",
        "\uff3c",
        "\uff1a",
        "\u017f",
        "\u212a",
    ),
    *("\xdf", "\xe9", "\u65e5", "\u2100", "\xad", "\u200b", "\u2028", "\ufeff", "\ud800"),
]
SCHEMES = ["http://", "https://", "HTTP://", "http:", "http:/", "http:\\\\", "http:/\\", "http:///"]
SCHEMES += ["//", "///", "", "ftp://", " http://", "ht\ttp://"]
urls = st.builds(
    lambda scheme, parts, rest: scheme + "".join(parts) + rest,
    st.sampled_from(SCHEMES),
    st.lists(st.sampled_from(PARTS), max_size=6),
    st.sampled_from(["", "/v1", "/\\@two.test/", "?a=@two.test", "#@two.test", "/a b\u2028é"]),
)


class Connected(Exception):
    """Somebody would connect."""


def plain(kind: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Where a plain transport would connect for a URL."""
    found: list[tuple[str, int]] = []

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        found.append((host, port))
        raise socket.gaierror("not in this test")

    transport = kind(trust_env=False)
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    def connect(request: HttpRequest) -> list[tuple[str, int]]:
        found.clear()
        with pytest.raises(TransportError) as caught:
            transport.send(request)
        assert bool(found) == caught.value.retryable
        return list(found)

    return connect


def awaited(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Where the asynchronous transport would connect for a URL."""
    found: list[tuple[str, int]] = []

    async def resolve(self: Any, host: str, port: int, traces: Any = None) -> Any:
        found.append((host, port))
        raise OSError("not in this test")

    monkeypatch.setattr(aiohttp.TCPConnector, "_resolve_host", resolve)

    async def send(request: HttpRequest) -> None:
        transport = AiohttpTransport(trust_env=False)
        try:
            await transport.asend(request)
        finally:
            await transport.aclose()

    def connect(request: HttpRequest) -> list[tuple[str, int]]:
        found.clear()
        with pytest.raises(TransportError) as caught:
            asyncio.run(send(request))
        assert bool(found) == caught.value.retryable
        return list(found)

    return connect


@pytest.mark.parametrize("kind", [Urllib3Transport, RequestsTransport, AiohttpTransport])
def test_what_is_judged_is_what_is_connected_to(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over each transport a URL leads to the host and port that were found in it, or nowhere."""
    connect = awaited(monkeypatch) if kind is AiohttpTransport else plain(kind, monkeypatch)

    @settings(max_examples=250, deadline=None, database=None, derandomize=True)
    @given(urls)
    @example("http://one.test\\@two.test/")
    @example("http://two.test:80\\@one.test:8000/v1")
    @example("http://one.test。two.test/")
    @example("http://[fe80::1%25lo]:8000/")
    @example("http://[::ffff:1.2.3.4]/")
    @example("http://user:p@ss@one.test:8000/")
    @example("HTTPS://ONE.test.:0443")
    def check(url: str) -> None:
        try:
            judged = parse_url(url)
            expected = [(judged.host.strip("[]"), judged.port)]
        except ValueError:
            expected = []
        connected = connect(HttpRequest("GET", url, {}, b"", Timeout(5)))
        # Some versions of requests know no zones of IPv6 addresses.
        refused = kind is RequestsTransport and "%25" in url and not connected
        assert expected == connected or refused

    check()


@settings(max_examples=500, deadline=None, database=None, derandomize=True)
@given(urls)
@example("http://two.test:80\\@one.test:8000/v1")
@example("/\\two.test/")
@example("\\\\two.test/")
@example("http:/\\two.test/")
@example("//one.test:8000@two.test/")
def test_redirects_stay_where_they_are(location: str) -> None:
    """Wherever a Location seems to lead, the next request goes to the same server, or nowhere."""
    response = HttpResponse(307, {"location": location})
    request = HttpRequest("POST", "http://one.test:8000/v1/x", {}, b"", Timeout(5))
    with suppress(APIStatusError):
        followed = follow_redirect(request, response)
        assert followed is not None
        assert ("http", "one.test", 8000) == parse_url(followed.url).address


@pytest.mark.parametrize(
    ("here", "there", "follows"),
    [
        ("http://a.test/", "https://a.test/", True),
        ("http://a.test:80/", "https://a.test:443/x", True),
        ("http://a.test:8000/", "https://a.test:8000/", True),
        ("http://a.test/", "https://a.test:80/", True),
        ("http://A.test/", "HTTPS://a.TEST/", True),
        ("http://a.test/", "https://user:pass@a.test/", True),
        ("http://a.test/", "https://a.test:8443/", False),
        ("http://a.test:8000/", "https://a.test/", False),
        ("http://a.test:8000/", "https://a.test:443/", False),
        ("http://a.test/", "https://b.test/", False),
        ("https://a.test/", "http://a.test/", False),
        ("https://a.test/", "http://a.test:443/", False),
        ("https://a.test/", "https://a.test:444/", False),
        ("http://[::1]:80/", "https://[0:0::1]/", True),
    ],
)
def test_from_http_to_https(here: str, there: str, follows: bool) -> None:
    """It is an upgrade between the default ports, or on one port; else it is another server."""
    request = HttpRequest("POST", here, {}, b"{}", Timeout(5))
    response = HttpResponse(307, {"location": there})
    if not follows:
        with pytest.raises(APIStatusError, match="another origin"):
            follow_redirect(request, response)
        return
    followed = follow_redirect(request, response)
    assert followed is not None
    assert ("POST", b"{}") == (followed.method, followed.content)
    assert "pass" not in followed.url


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/x", "http://a.test/x"),
        ("x?y#z", "http://a.test/v1/x?y"),
        ("?y", "http://a.test/v1/chat?y"),
        ("//a.test/x", "http://a.test/x"),
        ("/my path\\x", "http://a.test/my path\\x"),
    ],
)
def test_where_a_redirect_leads(location: str, expected: str) -> None:
    """A Location is seen from the URL that was asked."""
    assert expected == str(redirect_target("http://me:pass@a.test/v1/chat", location))


def test_a_url_as_it_is_sent() -> None:
    """What no URL may hold is encoded, also a backslash."""
    assert "http://a.test/%5Cb%20c" == sent_url("http://a.test/\\b c")


@pytest.mark.parametrize("kind", [Urllib3Transport, RequestsTransport])
def test_a_backslash_in_a_redirect(kind: Any) -> None:
    """Neither key nor prompt go to the server that stands before it."""
    with Server(Reply.json(completion("ok"))) as other:

        def redirect(_: Any) -> Reply:
            where = f"http://127.0.0.1:{other.port}\\@127.0.0.1:{server.port}/v1"
            return Reply(307, {"location": where})

        with Server(redirect) as server:
            client = OpenAI(api_key="k", base_url=server.url, transport=kind(), max_retries=0)
            with client, pytest.raises(APIStatusError, match="backslash"):
                client.chat.completions.create(model="m", messages=[])
            assert (1, 0) == (len(server.requests), other.connections)


@pytest.mark.parametrize(
    "url",
    [
        "http://a.test\\@b.test/v1", "http://a.test\\v1", "http://a b.test/", "http://a.test%2f/",
        "http:/\\a.test/", "http://a..test/", "http://a.test:x/", "http://a.test:0/", "http://@/",
        "http://user@/", "http://a\u2028.test/", "http://℀.test/", "http://[::1/", "http://[::1]a/",
    ],
)  # fmt: skip
def test_base_urls_that_are_ambiguous(url: str) -> None:
    """They are refused where they are given."""
    with pytest.raises(OpenAIError, match="base_url"):
        OpenAI(api_key="k", base_url=url)


@pytest.mark.parametrize("kind", [Urllib3Transport, RequestsTransport])
@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1@", "http://a\\@b:1", "a b:1", "http://:pw@"])
def test_proxies_that_are_none(kind: Any, proxy: str) -> None:
    """The error says so, without the password, and nothing is tried again."""
    with pytest.raises(TransportError, match="proxy") as caught:
        kind(proxies={"all": proxy}).send(HttpRequest("GET", "http://a.test/", {}, b"", Timeout(5)))
    assert not caught.value.retryable
    assert "pw" not in str(caught.value)
