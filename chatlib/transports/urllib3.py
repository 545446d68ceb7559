"""A leaner transport: HTTP by ``urllib3`` alone.

It does what :class:`~chatlib.transports.requests.RequestsTransport` does, by the same variables of
the environment, in less time for each call, and loads less. The pool of connections to an origin is
looked up once; then each request goes straight to it.
"""

from __future__ import annotations

import ssl
import threading
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import urllib3
from urllib3.util import Retry

from chatlib.headers import Headers
from chatlib.http import HttpRequest, TransportError
from chatlib.redaction import concealed_urls
from chatlib.transports._environment import (
    Certificate,
    authorities,
    origin_of,
    proxy_for,
    tls_context,
    without_credentials,
)
from chatlib.transports._urllib3 import OverUrllib3
from chatlib.transports._urllib3_connections import keep_time

if TYPE_CHECKING:
    from urllib3.connectionpool import HTTPConnectionPool
    from urllib3.response import HTTPResponse

_NEVER = Retry(False, redirect=False)
"""What is tried again, and where a redirect leads, is decided by others."""


class Urllib3Transport(OverUrllib3):
    """Sends by ``urllib3``, over a pool of connections that may be shared by threads.

    It is pickled and copied as its configuration; the copy, and a child process after a fork, open
    connections of their own.

    Args:
        verify: False to trust any server, or the path of a file of CA certificates to trust.
        cert: The path of a client certificate, or a pair of the paths of certificate and key.
        ssl_context: A context of yours, in place of both; a transport that has one can't be
            pickled.
        proxies: As in requests: ``{"https": "http://proxy:3128"}``.
        trust_env: False to disregard the proxies and CA bundles that the environment names.
        pool_size: How many idle connections to keep for one host.
    """

    def __init__(
        self,
        *,
        verify: bool | str | None = None,
        cert: Certificate | None = None,
        ssl_context: ssl.SSLContext | None = None,
        proxies: Mapping[str, str] | None = None,
        trust_env: bool = True,
        pool_size: int = 1000,
    ) -> None:
        proxies = concealed_urls(proxies)
        super().__init__(
            verify=verify,
            cert=cert,
            ssl_context=ssl_context,
            proxies=proxies,
            trust_env=trust_env,
            pool_size=pool_size,
        )
        if ssl_context is not None and not (verify is None and cert is None):
            raise ValueError("ssl_context: it takes the place of verify and cert; give one of them")
        self._verify, self._cert, self._ssl_context = verify, cert, ssl_context
        self._proxies = proxies
        self._trust_env = trust_env
        self._pool_size = pool_size
        self._made_context: ssl.SSLContext | None = None
        self._ways: dict[str, _Way] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the idle connections. A later call opens new ones."""
        self.in_this_process()
        with self._lock:
            ways, self._ways = self._ways, {}
        for way in ways.values():
            way.pool.close()

    def _open(self, request: HttpRequest, headers: Headers) -> HTTPResponse:
        url, timeout = request.url, request.timeout
        origin = origin_of(url)
        way = self._ways.get(origin) or self._find_way(origin)
        path = url[len(origin) :]
        answer = way.pool.urlopen(
            request.method,
            f"{way.prefix}{path}" if path.startswith("/") else f"{way.prefix}/{path}",
            body=request.content or None,
            headers=headers.reveal(),
            retries=_NEVER,
            redirect=False,
            assert_same_host=False,  # a proxy's pool never has the host of the URL
            timeout=urllib3.Timeout(connect=timeout.connect, read=timeout.read),
            preload_content=False,
        )
        return cast("HTTPResponse", answer)

    def _start_anew(self) -> None:
        self._lock, self._ways = threading.Lock(), {}

    def _find_way(self, origin: str) -> _Way:
        """Make the pool of an origin, once, as settings and environment say."""
        with self._lock:
            way = self._ways.get(origin)
            if way is None:
                way = self._ways[origin] = self._make_way(origin)
            return way

    def _make_way(self, origin: str) -> _Way:
        secure = origin.startswith("https:")
        proxy = proxy_for(origin, self._proxies, self._trust_env)
        options: dict[str, Any] = {"maxsize": self._pool_size}
        if secure or (proxy or "").startswith("https:"):
            options["ssl_context"] = self._tls()
        manager = urllib3.PoolManager(**options) if proxy is None else _through(proxy, options)
        keep_time(manager)
        pool = manager.connection_from_url(origin)
        forwarded = proxy is not None and not secure and not proxy.startswith("socks")
        return _Way(pool, origin if forwarded else "")

    def _tls(self) -> ssl.SSLContext:
        if self._ssl_context is not None:
            return self._ssl_context
        if self._made_context is None:  # which takes as long as a dozen calls
            self._made_context = tls_context(authorities(self._verify, self._trust_env), self._cert)
        return self._made_context


class _Way(NamedTuple):
    """How an origin is reached."""

    pool: HTTPConnectionPool
    prefix: str
    """What a request names before the path: the origin, where a proxy forwards it."""


def _through(proxy: str, options: dict[str, Any]) -> urllib3.PoolManager:
    """Return a pool manager that connects through a proxy."""
    if proxy.startswith("socks"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it warns of what it raises
                from urllib3.contrib.socks import SOCKSProxyManager
        except ImportError:
            why = "a SOCKS proxy needs the package PySocks"
            raise TransportError(why, retryable=False) from None
        return SOCKSProxyManager(str(proxy), **options)
    url, authorization = without_credentials(proxy)
    headers = {"Proxy-Authorization": authorization} if authorization else None
    return urllib3.ProxyManager(
        url, proxy_headers=headers, proxy_ssl_context=options.get("ssl_context"), **options
    )
