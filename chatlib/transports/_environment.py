"""Proxies and certificates, as they are given or as the environment names them.

All transports ask here, so that a variable means the same to each of them. What is given goes
before the environment.
"""

from __future__ import annotations

import os
import re
import ssl
from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import quote, unquote
from urllib.request import getproxies, proxy_bypass

import attrs

from chatlib.http import HttpRequest, TransportError
from chatlib.urls import origin_of as origin_of
from chatlib.urls import parse_url, sent_url

Certificate = str | tuple[str, str]
"""The path of a client certificate, or those of certificate and key."""

CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""The variables that may name a file of CA certificates, in their order. Without them,
``SSL_CERT_DIR`` may name a folder, or several."""

PROXY_SCHEMES = ("http", "https", "socks", "socks4", "socks4a", "socks5", "socks5h")


def connectable(request: HttpRequest) -> HttpRequest:
    """Return a request whose URL is spelled as it is connected to, which all parsers read alike.

    Raises:
        TransportError: It is no URL of http or https, or an ambiguous one.
    """
    try:
        plain = _plain(request.url)
    except ValueError as error:
        raise TransportError(str(error), retryable=False) from None
    return request if plain == request.url else attrs.evolve(request, url=plain)


@lru_cache(maxsize=256)
def _plain(url: str) -> str:
    return sent_url(str(parse_url(url)))


def proxy_for(url: str, given: Mapping[str, str], trust_env: bool) -> str | None:
    """Return the URL of the proxy to use for a URL; None for no proxy.

    Args:
        url: The URL of a request.
        given: As in requests: a proxy for ``"https://host"``, for ``"https"``, ``"all://host"`` or
            ``"all"``, and under ``"no_proxy"`` the hosts that need none.
        trust_env: Whether the environment is asked for what is not given.

    Raises:
        TransportError: The proxy's URL can't be used.
    """
    try:
        parts = parse_url(url)
    except ValueError:
        return None  # it is no URL, which whoever is to send to it says better
    host, port = parts.host.strip("[]"), parts.port
    without = given.get("no_proxy")
    if without and _is_listed(host, port, without):
        return None
    found = _select(parts.scheme, host, given)
    if found is None and trust_env and not _is_bypassed(host, port):
        found = _select(parts.scheme, host, getproxies())
    return _proxy_url(found) if found else None


def _proxy_url(proxy: str) -> str:
    """Return the URL of a proxy, in the spelling that all parsers read alike."""
    proxy = proxy.strip()
    try:
        url = parse_url(proxy if "://" in proxy else f"http://{proxy}", PROXY_SCHEMES)
    except ValueError as error:
        why = f"the proxy can't be used: {error}".replace("the URL", "its URL")
        raise TransportError(why, retryable=False) from None
    if url.scheme == "socks":  # as desktops set ALL_PROXY
        url = url._replace(scheme="socks5")
    user = quote(url.user, safe="%:!$&'()*+,;=~")
    if user and ":" not in user:  # without a password, requests would leave it out
        user += ":"
    return url.origin.replace("://", f"://{user}@" if user else "://")


def _select(scheme: str, host: str, proxies: Mapping[str, str]) -> str | None:
    names = (f"{scheme}://{host}", scheme, f"all://{host}", "all")
    return next((proxies[name] for name in names if proxies.get(name) is not None), None)


def _is_bypassed(host: str, port: int | None) -> bool:
    listed = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    # The standard library knows what systems other than Linux are set to.
    return _is_listed(host, port, listed) or bool(proxy_bypass(host))


def _is_listed(host: str, port: int | None, listed: str) -> bool:
    """Return whether a host matches a comma-separated list of names, domains and networks."""
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    for item in re.split(r"[\s,]+", listed.lower()):
        # An IPv6 address may stand in brackets, as it does in a URL.
        item = item.removeprefix("http://").removeprefix("https://").strip("/")
        item = item.replace("[", "").replace("]", "")
        if item == "*" or (item and item in (host, f"{host}:{port}")):
            return True
        if address is not None:
            try:
                if address in ip_network(item, strict=False):
                    return True
            except ValueError:
                continue
        elif (domain := item.removeprefix("*").lstrip(".")) and any(
            f".{name}".endswith(f".{domain}") for name in (host, f"{host}:{port}")
        ):
            return True
    return False


def without_credentials(proxy: str) -> tuple[str, str | None]:
    """Return the URL of a proxy without credentials, and the header with them.

    >>> without_credentials("http://me:p%40ss@proxy:3128")
    ('http://proxy:3128', 'Basic bWU6cEBzcw==')
    >>> without_credentials("http://proxy:3128")
    ('http://proxy:3128', None)
    """
    scheme, _, rest = proxy.partition("://")
    user, _, where = rest.rpartition("@")
    name, _, password = user.partition(":")
    if not user:
        return proxy, None
    both = f"{unquote(name)}:{unquote(password)}".encode()
    return f"{scheme}://{where}", f"Basic {b64encode(both).decode()}"


def authorities(given: bool | str | None, trust_env: bool, *, secure: bool = True) -> bool | str:
    """Return whom to trust: a bundle's path, True for the usual authorities, False for anybody.

    Args:
        given: The setting ``verify``.
        trust_env: Whether the environment may name a bundle.
        secure: Whether TLS is spoken at all; a bundle that is gone matters only then.

    Raises:
        TransportError: The bundle is not there.
    """
    if given is False:
        return False
    if isinstance(given, str):
        path, whose = given, ""
    else:
        named = [name for name in CA_VARIABLES if trust_env and os.environ.get(name)]
        if not named:
            return (_folder() if trust_env else None) or True
        path, whose = os.environ[named[0]], f", named by {named[0]}"
    if secure:
        _must_exist(path, whose)
        _must_hold_certificates(path, whose)
    return path


def _folder() -> str | None:
    """Return a folder of CA certificates, as ``c_rehash`` makes it, that the environment names."""
    folders = os.environ.get("SSL_CERT_DIR", "").split(os.pathsep)
    return next(filter(os.path.isdir, folders), None)


def _must_hold_certificates(path: str, whose: str) -> None:
    """Refuse a file that is none; else requests would try again, and not say which file it was."""
    try:
        if os.path.isdir(path) or b"-----BEGIN " in Path(path).read_bytes():
            return
        why = "no PEM file"
    except OSError as error:
        why = str(error.strerror)
    raise TransportError(f"no certificates in {path}{whose}: {why}", retryable=False)


def tls_context(trusted: bool | str, cert: Certificate | None) -> ssl.SSLContext:
    """Return the TLS context for the result of :func:`authorities` and a client certificate.

    Raises:
        TransportError: a file is not there, or is no certificate.
    """
    path = _usual_authorities() if trusted is True else trusted or None
    files = (cert, None) if isinstance(cert, str) else cert
    for name in files or ():
        if name is not None:
            _must_exist(name)
    try:
        if path is None:
            context = ssl.create_default_context()
        elif os.path.isdir(path):
            context = ssl.create_default_context(capath=path)
        else:
            context = ssl.create_default_context(cafile=path)
        if files is not None:
            context.load_cert_chain(*files)
    except OSError as error:  # as an SSLError is
        shown = " or ".join(filter(None, (path, *(files or ()))))
        raise TransportError(f"no certificates in {shown}: {error}", retryable=False) from error
    context.set_alpn_protocols(["http/1.1"])
    context.post_handshake_auth = files is not None
    if trusted is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _usual_authorities() -> str | None:
    try:
        import certifi
    except ImportError:  # the system has its own
        return None
    return certifi.where()


def _must_exist(path: str, whose: str = "") -> None:
    if not os.path.exists(path):
        why = f"no certificates at {path}{whose}, which does not exist"
        raise TransportError(why, retryable=False)
