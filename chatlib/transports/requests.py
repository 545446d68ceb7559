"""The default transport: HTTP by the ``requests`` package.

What requests users expect holds: proxies and CA bundles from the environment (``HTTPS_PROXY``,
``NO_PROXY``, ``REQUESTS_CA_BUNDLE``, ...), ``verify=`` and ``cert=``, connections kept in a pool.
Two conveniences of requests are left out on purpose: a ``.netrc`` would replace the API key, and
redirects would carry key and prompt to wherever they point.

The request is prepared by hand and given to ``Session.send``: whatever replaces that, an adapter or
a connection (requests-mock, responses, vcrpy, OpenTelemetry, a session of yours) sees each call. Of
a response that such a replacement gave, only public names are used.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakValueDictionary

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar, extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from chatlib.headers import Headers
from chatlib.http import HttpRequest
from chatlib.redaction import concealed_urls
from chatlib.transports._environment import Certificate, authorities, origin_of, proxy_for
from chatlib.transports._replaced import pieces_of
from chatlib.transports._urllib3 import OverUrllib3
from chatlib.transports._urllib3_connections import keep_time

if TYPE_CHECKING:
    from urllib3.response import HTTPResponse


class RequestsTransport(OverUrllib3):
    """Sends by ``requests``, over a pool of connections that may be shared by threads.

    It is pickled and copied as its configuration; the copy, and a child process after a fork, open
    connections of their own.

    Args:
        session: A session of yours, for its adapters, proxies and TLS settings. Its headers, auth
            and cookies are not used; its response hooks are called. Where it mounts adapters of its
            own, a deadline is only noticed between two pieces of a body, and there is no limit for
            writing.
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
        cert: Certificate | None = None,
        proxies: Mapping[str, str] | None = None,
        trust_env: bool = True,
        pool_size: int = 1000,
    ) -> None:
        proxies = concealed_urls(proxies)
        super().__init__(
            session=session,
            verify=verify,
            cert=cert,
            proxies=proxies,
            trust_env=trust_env,
            pool_size=pool_size,
        )
        if session is None:
            session = requests.Session()
            session.trust_env = trust_env
            session.cookies = _NoCookies()
            _mount(session, pool_size)
        if verify is not None:
            session.verify = verify
        if cert is not None:
            session.cert = cert
        session.proxies.update(proxies)
        self.session = session
        self._pool_size = pool_size
        self._settings: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the idle connections. A later call opens new ones."""
        self.in_this_process().session.close()

    def _open(self, request: HttpRequest, headers: Headers) -> HTTPResponse:
        prepared = requests.PreparedRequest()
        prepared.method = request.method
        prepared.url = str(request.url)
        prepared.body = request.content or None
        prepared.headers = CaseInsensitiveDict(headers.reveal())
        session, timeout = self.session, request.timeout
        prepared.hooks = {"response": [*session.hooks.get("response", ()), _not_followed]}
        try:
            answer = session.send(
                prepared,
                stream=True,
                timeout=(timeout.connect, timeout.read),
                allow_redirects=False,
                **self._settings_for(request.url),
            )
        except requests.HTTPError as error:  # of a hook that calls raise_for_status()
            if error.response is None:
                raise
            answer = error.response
        raw: Any = answer.raw
        if hasattr(raw, "sock") and raw.connection is not None:
            return cast("HTTPResponse", raw)
        # No connection of ours made it, or its body has been read: perhaps by a hook.
        return cast("HTTPResponse", _Replaced(answer))

    def _start_anew(self) -> None:
        self._lock = threading.Lock()
        if isinstance(self.session.adapters.get("https://"), _Adapter):
            _mount(self.session, self._pool_size)
        else:  # closes this process's copies of the connections only
            self.session.close()

    def _settings_for(self, url: str) -> dict[str, Any]:
        """Return proxy, CA bundle and certificate for a URL, from the session and the environment.

        Asked once for each origin: looking through the environment costs as much as a call.
        """
        origin, session = origin_of(url), self.session
        found = self._settings.get(origin)
        if found is None:
            proxy = proxy_for(url, session.proxies, session.trust_env)
            told = session.verify
            secure = url.startswith("https:") or (proxy or "").startswith("https:")
            found = {
                "proxies": {} if proxy is None else {"all": str(proxy)},
                "verify": authorities(
                    None if told is True else told, session.trust_env, secure=secure
                ),
                "cert": session.cert if secure else None,
            }
            with self._lock:
                self._settings[origin] = found
        return found


class _NotFollowed(requests.Response):
    """A redirect that is given back as it came.

    Of any other, requests reads the whole body to prepare the request that would come next.
    """

    @property
    def is_redirect(self) -> bool:
        return False


class _Answer(_NotFollowed):
    """A response over a connection of ours; what only tools ask for is made when asked."""

    def __init__(self, request: requests.PreparedRequest, raw: Any, adapter: HTTPAdapter) -> None:
        super().__init__()
        del self.headers, self.cookies, self.encoding
        self.status_code, self.reason = raw.status, raw.reason
        self.url, self.request, self.raw = request.url or "", request, raw
        self.connection = adapter

    @cached_property
    def headers(self) -> CaseInsensitiveDict[str]:  # type: ignore[override]
        return CaseInsensitiveDict(self.raw.headers)

    @cached_property
    def cookies(self) -> RequestsCookieJar:  # type: ignore[override]
        jar = RequestsCookieJar()
        extract_cookies_to_jar(jar, self.request, self.raw)
        return jar

    @cached_property
    def encoding(self) -> str | None:  # type: ignore[override]
        return get_encoding_from_headers(self.headers)


def _not_followed(answer: requests.Response, **_: object) -> requests.Response | None:
    if not answer.is_redirect:
        return None
    kept = _NotFollowed()
    vars(kept).update(vars(answer))
    return kept


class _NoCookies(RequestsCookieJar):
    """A jar that takes nothing: cookies are not sent, and to look for them takes time."""

    def extract_cookies(self, response: object, request: object) -> None:
        pass


class _Replaced:
    """A response that a replaced session or adapter gave, read as any user of requests does."""

    def __init__(self, answer: requests.Response) -> None:
        self._answer = answer
        self.status: int = answer.status_code
        self.headers = answer.headers

    def stream(self, amt: int, decode_content: bool = True) -> Iterator[bytes]:
        answer = self._answer
        if answer.raw is None:
            yield answer.content
        elif getattr(answer.raw, "connection", None) is not None:
            yield from pieces_of(answer.raw)
        else:
            yield from answer.iter_content(amt)

    def close(self) -> None:
        raw: Any = self._answer.raw
        if raw is None:
            return
        if sys.is_finalizing():  # a thread that was stopped may hold the lock of its pool
            raw.close()
        else:
            self._answer.close()


def _mount(session: requests.Session, pool_size: int) -> None:
    for prefix in ("http://", "https://"):
        session.mount(prefix, _Adapter(pool_maxsize=pool_size))


class _Adapter(HTTPAdapter):
    """An adapter whose connections can change their time limits, and that does only what is used.

    requests looks up the pool, and fills in a response, anew for each call; that takes as long as
    the call itself on a connection that is open.
    """

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        if hasattr(resp, "sock"):  # it came over a connection of ours
            return _Answer(req, resp, self)
        return super().build_response(req, resp)

    def request_url(self, request: Any, proxies: Any) -> str:
        return super().request_url(request, proxies) if proxies else str(request.path_url)

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        # The proxies need not be part of the key: they are the same for all calls to an origin.
        key = (origin_of(request.url), verify, cert)
        pool = self._pools.get(key)
        if pool is None:
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            self._pools[key] = pool
        return pool

    def close(self) -> None:
        for pool in list(self._pools.values()):  # an open response keeps its pool from being gone
            pool.close()
        self._pools.clear()
        super().close()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        # Weak, since urllib3 closes a pool when the last reference to it is gone.
        self._pools: WeakValueDictionary[Any, Any] = WeakValueDictionary()
        super().init_poolmanager(*args, **kwargs)
        keep_time(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        keep_time(manager)
        return manager
