"""The default transport: HTTP by the ``requests`` package.

What requests users expect holds: proxies and CA bundles from the environment (``HTTPS_PROXY``,
``NO_PROXY``, ``REQUESTS_CA_BUNDLE``, ...), ``verify=`` and ``cert=``, connections kept in a pool.
Two conveniences of requests are left out on purpose: a ``.netrc`` would replace the API key, and
redirects would carry key and prompt to wherever they point.

The request is prepared by hand and given to the session's adapter, which takes about half the time
of ``session.post``.
"""

from __future__ import annotations

import os
import threading
from typing import Any
from weakref import WeakValueDictionary

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

from chatlib.http import HttpRequest, HttpResponse
from chatlib.transports._urllib3 import (
    ACCEPT_ENCODING,
    Limits,
    keep_time,
    limits,
    response_of,
    showable,
    transport_error,
    unless_stale,
)


class RequestsTransport:
    """Sends by ``requests``, over a pool of connections that may be shared by threads.

    Args:
        session: A session of yours, for its adapters, proxies and TLS settings. Its headers, auth,
            hooks and cookies are not used. Where it mounts adapters of its own, a deadline is only
            noticed between two pieces of a body.
        verify: False to trust any server, or the path of a file of CA certificates to trust.
        cert: The path of a client certificate, or a pair of the paths of certificate and key.
        proxies: As in requests: ``{"https": "http://proxy:3128"}``.
        trust_env: False to disregard the proxies and CA bundles that the environment names.
        pool_size: How many idle connections to keep for one host.
    """

    def __init__(
        self,
        session: requests.Session | None = None,
        *,
        verify: bool | str | None = None,
        cert: str | tuple[str, str] | None = None,
        proxies: dict[str, str] | None = None,
        trust_env: bool = True,
        pool_size: int = 100,
    ) -> None:
        if session is None:
            session = requests.Session()
            session.trust_env = trust_env
            _mount(session, pool_size)
        if verify is not None:
            session.verify = verify
        if cert is not None:
            session.cert = cert
        if proxies is not None:
            session.proxies.update(proxies)
        self.session = session
        self._pool_size = pool_size
        self._process = os.getpid()
        self._settings: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send a request; see :meth:`chatlib.http.Transport.send`."""
        if self._process != os.getpid():
            self._start_anew()
        prepared = requests.PreparedRequest()
        prepared.method = request.method
        prepared.url = request.url
        prepared.body = request.content or None
        prepared.headers = CaseInsensitiveDict(request.headers.reveal())
        prepared.headers.setdefault("Accept-Encoding", ACCEPT_ENCODING)
        if request.content or request.method in ("POST", "PUT", "PATCH"):
            prepared.headers["Content-Length"] = str(len(request.content))
        limited = limits.set(Limits(request.timeout))
        try:
            answer = unless_stale(lambda: self._send(prepared, request))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise transport_error(error, request.url) from showable(error, request.url)
        finally:
            limits.reset(limited)
        return response_of(answer.raw, str(prepared.headers["Accept-Encoding"]))

    def _send(self, prepared: requests.PreparedRequest, request: HttpRequest) -> requests.Response:
        timeout = request.timeout
        return self.session.get_adapter(request.url).send(
            prepared,
            stream=True,
            timeout=(timeout.connect, timeout.read),
            **self._settings_for(request.url),
        )

    def close(self) -> None:
        """Close the idle connections."""
        self.session.close()

    def _start_anew(self) -> None:
        """After a fork: the connections, and a lock that may be held, are the parent's."""
        self._process, self._lock = os.getpid(), threading.Lock()
        if isinstance(self.session.adapters.get("https://"), _Adapter):
            _mount(self.session, self._pool_size)

    def _settings_for(self, url: str) -> dict[str, Any]:
        """Proxies, CA bundle and certificate for a URL, from the session and the environment.

        Asked once for each origin: looking through the environment costs as much as a call.
        """
        origin = _origin(url)
        found = self._settings.get(origin)
        if found is None:
            # What the session was told goes before the environment; requests by itself does it the
            # other way round.
            told = self.session.verify
            found = {
                **self.session.merge_environment_settings(
                    url, dict(self.session.proxies), True, None if told is True else told, None
                )
            }
            del found["stream"]
            with self._lock:
                self._settings[origin] = found
        return found


def _mount(session: requests.Session, pool_size: int) -> None:
    for prefix in ("http://", "https://"):
        session.mount(prefix, _Adapter(pool_maxsize=pool_size))


def _origin(url: str) -> str:
    return url[: url.find("/", 8)]


class _Adapter(HTTPAdapter):
    """An adapter whose connections can change their time limits, and that does only what is used.

    requests looks up the pool, and fills in a response, anew for each call; that takes as long as
    the call itself on a connection that is open.
    """

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        answer = requests.Response()
        answer.request, answer.raw = req, resp
        return answer

    def request_url(self, request: Any, proxies: Any) -> str:
        return super().request_url(request, proxies) if proxies else str(request.path_url)

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        # The proxies need not be part of the key: they are the same for all calls to an origin.
        key = (_origin(request.url), verify, cert)
        pool = self._pools.get(key)
        if pool is None:
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            self._pools[key] = pool
        return pool

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        # Weak, since urllib3 closes a pool when the last reference to it is gone.
        self._pools: WeakValueDictionary[Any, Any] = WeakValueDictionary()
        super().init_poolmanager(*args, **kwargs)
        keep_time(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        keep_time(manager)
        return manager
