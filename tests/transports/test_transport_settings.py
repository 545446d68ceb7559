"""Transports as values: how they are set, copied, pickled and shared by processes."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme

from chatlib import HttpRequest, OpenAI, Timeout, TransportError, TransportTimeout
from chatlib.testing.loopback import Reply, Server, chunk, completion, sse
from chatlib.transports._environment import authorities, origin_of, proxy_for, tls_context
from chatlib.transports.aborting import Abort
from chatlib.transports.requests import RequestsTransport
from chatlib.transports.urllib3 import Urllib3Transport
from tests.faces import LONGEST
from tests.forking import in_child

KINDS: dict[str, Any] = {"requests": RequestsTransport, "urllib3": Urllib3Transport}
over_both = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
OK = Reply.json(completion("ok"))


def post(url: str) -> HttpRequest:
    return HttpRequest("POST", url, {}, b"{}")


def ask(transport: Any, url: str) -> bytes:
    """What a server answers, as bytes: for a process of its own."""
    body: bytes = transport.send(post(url)).read()
    return body


# Proxies of an environment --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "environment", "url", "expected"),
    [
        ({}, {}, "https://a.test/", None),
        ({}, {"HTTPS_PROXY": "http://p:1"}, "https://a.test/", "http://p:1"),
        ({}, {"https_proxy": "http://p:1"}, "https://a.test/", "http://p:1"),
        (
            {},
            {"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"},
            "https://a/",
            "http://p:1",
        ),
        ({}, {"HTTPS_PROXY": "http://p:1"}, "http://a.test/", None),
        ({}, {"ALL_PROXY": "http://p:1"}, "http://a.test/", "http://p:1"),
        ({}, {"ALL_PROXY": "p:1"}, "http://a.test/", "http://p:1"),
        ({}, {"ALL_PROXY": " http://p:1/\n"}, "http://a.test/", "http://p:1"),
        ({}, {"ALL_PROXY": "http://me@p:1"}, "http://a.test/", "http://me:@p:1"),
        ({}, {"ALL_PROXY": "socks://p:1/"}, "http://a.test/", "socks5://p:1"),
        (
            {},
            {"ALL_PROXY": "socks://q:1/", "HTTP_PROXY": "http://p:1"},
            "http://a/",
            "http://p:1",
        ),
        ({"https": "p:1"}, {"HTTPS_PROXY": "http://q:1"}, "https://a.test/", "http://p:1"),
        ({"all": "p:1"}, {"HTTPS_PROXY": "http://q:1"}, "https://a.test/", "http://p:1"),
        ({"https": ""}, {"HTTPS_PROXY": "http://q:1"}, "https://a.test/", None),
        ({"https://a.test": "p:1", "https": "q:1"}, {}, "https://a.test/", "http://p:1"),
        ({"https://a.test": "p:1", "https": "q:1"}, {}, "https://b.test/", "http://q:1"),
        ({"all": "p:1", "no_proxy": "a.test"}, {}, "https://a.test/", None),
        ({"all": "p:1"}, {"NO_PROXY": "a.test"}, "https://a.test/", "http://p:1"),
    ],
)
def test_proxies(
    given: Any, environment: Any, url: str, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is given goes before the environment, what is particular before what is general."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert expected == proxy_for(url, given, trust_env=True)


@pytest.mark.parametrize(
    ("listed", "host", "expected"),
    [
        ("a.test", "a.test", True),
        ("a.test", "b.a.test", True),
        (".a.test", "b.a.test", True),
        ("*.a.test", "b.a.test", True),
        ("a.test", "ba.test", False),
        ("A.TEST", "a.test", True),
        ("x, a.test", "a.test", True),
        ("x a.test", "a.test", True),
        ("*", "a.test", True),
        ("", "a.test", False),
        (",", "a.test", False),
        ("a.test:8080", "a.test:8080", True),
        ("a.test:8080", "a.test:8081", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "10.test", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1:80", "127.0.0.1:80", True),
        ("::1", "[::1]", True),
        ("fe80::/10", "[fe80::1]:80", True),
        ("a.test,[::1]", "[::1]", True),
        ("[::1]:8080", "[::1]:8080", True),
        ("[::1]:8080", "[::1]:8081", False),
        ("[fe80::]/10", "[fe80::1]", True),
        ("http://a.test/", "a.test", True),
        ("https://a.test:8080", "a.test:8080", True),
        ("nonsense/99", "10.1.2.3", False),
    ],
)
def test_hosts_without_proxy(
    listed: str, host: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``NO_PROXY`` names hosts, domains with all that is in them, addresses and networks."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", listed)
    proxy = None if expected else "http://proxy:3128"
    assert proxy == proxy_for(f"http://{host}/v1", {}, trust_env=True)
    assert None is proxy_for(f"http://{host}/v1", {}, trust_env=False)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a/b/c", "http://a"),
        ("http://a:80801", "http://a:80801"),
        ("https://a?b=/c", "https://a"),
        ("https://u:p@a:1/b", "https://u:p@a:1"),
        ("nonsense", "nonsense"),
    ],
)
def test_origins(url: str, expected: str) -> None:
    """An origin is what comes before path and query."""
    assert expected == origin_of(url)


class SocksServer:
    """A SOCKS5 proxy of one connection, for a name that it looks up as loopback."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.asked = b""

    def __enter__(self) -> str:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(20)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return f"socks5h://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._thread.join(2)

    def _serve(self) -> None:
        conn = self._listener.accept()[0]
        conn.settimeout(20)
        with conn, socket.create_connection(("127.0.0.1", self._port), timeout=20) as server:
            conn.recv(3)  # version 5, one method, none
            conn.sendall(b"\5\0")
            head = conn.recv(5)
            self.asked = conn.recv(head[4] + 2)[:-2]
            conn.sendall(b"\5\0\0\1" + bytes(6))
            while ends := select.select([conn, server], [], [], 20)[0]:
                for ready in ends:
                    data = ready.recv(65536)
                    (server if ready is conn else conn).sendall(data)
                    if not data:
                        return


@over_both
def test_socks_proxy(kind: Any) -> None:
    """A SOCKS proxy is used, time limits included, where the package PySocks is installed."""
    pytest.importorskip("socks")
    with Server(OK, Reply(delay=30)) as server:
        proxy = SocksServer(server.port)
        with proxy as url:
            transport = kind(proxies={"all": url})
            assert b"ok" in ask(transport, "http://a.test:80/")
            late = HttpRequest("POST", "http://a.test:80/", {}, b"{}", Timeout(9, total=0.2))
            with pytest.raises(TransportTimeout):
                transport.send(late)
            transport.close()
        assert b"a.test" == proxy.asked


def test_socks_proxy_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where that is missing, nothing is sent past the proxy."""
    monkeypatch.setitem(sys.modules, "socks", None)
    monkeypatch.delitem(sys.modules, "urllib3.contrib.socks", raising=False)
    with pytest.raises(TransportError, match="PySocks") as caught:
        ask(Urllib3Transport(proxies={"all": "socks5://127.0.0.1:1"}), "http://a.test/")
    assert not caught.value.retryable


# Certificates ---------------------------------------------------------------------------------


def test_authorities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given goes before the variables, and these have an order."""
    names = ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"]
    for name in names:
        monkeypatch.delenv(name, raising=False)
    assert True is authorities(None, trust_env=True)
    for name in names:
        path = str(tmp_path / name)
        Path(path).write_text("-----BEGIN CERTIFICATE-----", encoding="utf-8")
        monkeypatch.setenv(name, path)
        assert path == authorities(None, trust_env=True) == authorities(True, trust_env=True)
    assert True is authorities(None, trust_env=False)
    assert False is authorities(False, trust_env=True)
    given = str(tmp_path)
    assert given == authorities(given, trust_env=True)


@over_both
@pytest.mark.parametrize("wrong", ["missing", "empty", "cert"])
def test_certificates_that_are_none(kind: Any, wrong: str, tmp_path: Path) -> None:
    """A file that is missing or holds no certificate is named, and the call not tried again."""
    path = tmp_path / f"{wrong}.pem"
    if wrong != "missing":
        path.write_text("")
    transport = kind(cert=str(path)) if wrong == "cert" else kind(verify=str(path))
    with Server(OK) as server, pytest.raises(TransportError) as caught:
        transport.send(post(f"https://127.0.0.1:{server.port}/"))
    if kind is Urllib3Transport or wrong != "cert":
        assert f"{wrong}.pem" in str(caught.value)
        assert not caught.value.retryable


def test_folder_of_authorities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``verify=`` may be a folder, as ``c_rehash`` makes it; so may ``SSL_CERT_DIR``."""
    assert ssl.CERT_REQUIRED == tls_context(str(tmp_path), None).verify_mode
    monkeypatch.setenv("SSL_CERT_DIR", os.pathsep.join(("/nowhere", str(tmp_path))))
    assert str(tmp_path) == authorities(None, trust_env=True)
    assert True is authorities(None, trust_env=False)
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    assert True is authorities(None, trust_env=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path))
    assert str(tmp_path) == authorities(None, trust_env=True)


def test_context_of_ones_own(tmp_path: Path) -> None:
    """``ssl_context=`` is what TLS is spoken by; it is shared by copies, and can't be pickled."""
    ca = trustme.CA()
    served, context = (
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        ssl.create_default_context(),
    )
    ca.issue_cert("127.0.0.1").configure_cert(served)
    ca.configure_trust(context)
    transport = Urllib3Transport(ssl_context=context)
    with Server(OK, tls=served) as server:
        for each in (transport, copy.copy(transport), copy.deepcopy(transport)):
            assert b"ok" in ask(each, server.url)
            each.close()
    with pytest.raises(TypeError, match="SSLContext"):
        pickle.dumps(transport)
    with pytest.raises(ValueError, match="ssl_context"):
        Urllib3Transport(ssl_context=context, verify=False)


# Copies and pickles ---------------------------------------------------------------------------

COPIES: dict[str, Any] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
}


@over_both
@pytest.mark.parametrize("again", COPIES.values(), ids=COPIES.keys())
def test_copies(kind: Any, again: Any, tmp_path: Path) -> None:
    """A copy has the same configuration, and connections of its own."""
    with Server(OK) as server, Server(OK) as proxy:
        transport = kind(proxies={"all": proxy.origin, "no_proxy": "127.0.0.1"}, pool_size=3)
        assert b"ok" in ask(transport, server.url)
        made = again(transport)
        assert kind is type(made)
        assert b"ok" in ask(made, server.url)
        assert b"ok" in ask(made, "http://a.test/")
        assert b"ok" in ask(transport, server.url)
        assert (2, 1) == (server.connections, len(proxy.requests))
        made.close()
        assert server.wait(lambda: server.open == 1)
        transport.close()


@over_both
def test_no_secret_of_the_environment_is_pickled(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password of a proxy that the environment names stays there."""
    with Server(OK) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.origin.replace("//", "//user:proxysecret@"))
        transport = kind()
        assert b"ok" in ask(transport, "http://a.test/")
        assert b"proxysecret" not in pickle.dumps(transport)
        assert "proxysecret" not in repr(transport)
        transport.close()


def test_session_of_ones_own_is_pickled_with_its_settings() -> None:
    """A copy of a transport has a session that is set alike."""
    with Server(OK) as proxy, requests.Session() as session:
        session.proxies["http"] = proxy.origin
        made = pickle.loads(pickle.dumps(RequestsTransport(session)))
        assert b"ok" in ask(made, "http://a.test/")
        assert session is not made.session
        made.close()


# Processes ------------------------------------------------------------------------------------

forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@over_both
@forking
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_fork(kind: Any) -> None:
    """A child opens connections of its own; the parent keeps its own."""
    with Server(OK) as server:
        transport = kind()
        assert b"ok" in ask(transport, server.url)
        assert 0 == in_child(lambda: ask(transport, server.url))
        assert b"ok" in ask(transport, server.url)
        assert [1, 2, 1] == [request.connection for request in server.requests]
        transport.close()


@over_both
@forking
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_fork_while_another_thread_holds_the_lock(kind: Any) -> None:
    """Locks that were held when the process was forked hold nobody up."""
    with Server(OK) as server:
        transport = kind()
        with transport._lock:
            assert 0 == in_child(lambda: ask(transport, server.url))
        transport.close()


@over_both
@forking
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_fork_inside_a_stream(kind: Any) -> None:
    """A stream that a child inherits and drops goes on for the parent."""
    pieces = [sse(chunk("a"), done=False), 0.3, sse(chunk("b", "stop"))]
    ask_for: Any = {"model": "m", "messages": [], "stream": True}
    with Server(Reply.stream(pieces)) as server:
        client = OpenAI(api_key="k", base_url=server.url, transport=kind())
        stream = client.chat.completions.create(**ask_for)
        assert "a" == next(stream).text
        assert 0 == in_child(stream.close)
        assert ["b"] == [piece.text for piece in stream]
        client.close()


@over_both
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_multiprocessing(kind: Any, method: str) -> None:
    """A transport can be given to another process, however that is started."""
    code = f"""
import multiprocessing
from {kind.__module__} import {kind.__name__} as kind
from tests.transports.test_transport_settings import ask
if __name__ == "__main__":
    transport = kind()
    with multiprocessing.get_context({method!r}).Pool(1) as pool:
        ask(transport, URL)
        assert b"ok" in pool.apply(ask, (transport, URL))
    transport.close()
"""
    with Server(OK) as server, tempfile.TemporaryDirectory() as folder:
        # In a program of its own, which has no other threads when it forks.
        program = Path(folder, "program.py")
        program.write_text(code.replace("URL", repr(server.url)), encoding="utf-8")
        path = {"PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, "-W", "ignore", str(program)]
        subprocess.run(command, check=True, timeout=60, env={**os.environ, **path})
        assert 2 == server.connections


# Threads --------------------------------------------------------------------------------------


@over_both
@pytest.mark.parametrize("turns", [8, pytest.param(40, marks=pytest.mark.slow)])
def test_closing_while_others_send(kind: Any, turns: int) -> None:
    """A transport that is closed again and again by one thread works for the others."""
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(turns):
                ask(transport, server.url)
        except BaseException as error:
            failed.append(error)

    with Server(OK) as server:
        transport = kind()
        threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + LONGEST
        while any(thread.is_alive() for thread in threads) and time.monotonic() < end:
            transport.close()
        assert [] == [thread for thread in threads if thread.is_alive()]
        assert [] == failed
        transport.close()
        assert server.wait(lambda: server.open == 0)


def test_an_abort_that_came_before() -> None:
    """What is watched after the abort is ended at once."""
    abort, ended = Abort(), []
    abort.watch(lambda: ended.append(1))
    assert [] == ended
    abort.set()
    assert [1] == ended
    abort.watch(lambda: ended.append(2))
    assert [1, 2] == ended


def test_the_leaner_transport_loads_no_requests() -> None:
    """Calls over urllib3 alone never import requests."""
    code = """
import sys
from chatlib import OpenAI
from chatlib.transports.urllib3 import Urllib3Transport
OpenAI(api_key="k", transport=Urllib3Transport()).close()
sys.exit("requests" in sys.modules or "asyncio" in sys.modules)
"""
    assert 0 == subprocess.run([sys.executable, "-c", code], timeout=60).returncode
