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
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from chatlib.http import TransportError

Certificate = str | tuple[str, str]
"""The path of a client certificate, or those of certificate and key."""

CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""The variables that may name a file of CA certificates, in their order."""

_ORIGIN = re.compile(r"[^/?#]*//[^/?#]*")


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, as they stand in it."""
    found = _ORIGIN.match(url)
    return url if found is None else found.group()


def proxy_for(url: str, given: Mapping[str, str], trust_env: bool) -> str | None:
    """The proxy to use for a URL; None for no proxy.

    Args:
        given: As in requests: a proxy for ``"https://host"``, for ``"https"``, ``"all://host"`` or
            ``"all"``, and under ``"no_proxy"`` the hosts that need none.
        trust_env: Whether the environment is asked for what is not given.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None  # it is no URL, which whoever is to send to it says better
    without = given.get("no_proxy")
    if without and _is_listed(host, port, without):
        return None
    found = _select(parts.scheme, host, given)
    if found is None and trust_env and not _is_bypassed(host, port):
        found = _select(parts.scheme, host, getproxies())
    if not found:
        return None
    return found if "://" in found else f"http://{found}"


def _select(scheme: str, host: str, proxies: Mapping[str, str]) -> str | None:
    names = (f"{scheme}://{host}", scheme, f"all://{host}", "all")
    return next((proxies[name] for name in names if proxies.get(name) is not None), None)


def _is_bypassed(host: str, port: int | None) -> bool:
    listed = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    # The standard library knows what systems other than Linux are set to.
    return _is_listed(host, port, listed) or bool(proxy_bypass(host))


def _is_listed(host: str, port: int | None, listed: str) -> bool:
    """Whether a host is among names, domains, addresses and networks, set apart by commas."""
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    for item in re.split(r"[\s,]+", listed.lower()):
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
    """The URL of a proxy without user and password, and the header that they make.

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


def authorities(given: bool | str | None, trust_env: bool) -> bool | str:
    """Whom to trust: the path of a bundle, True for the usual authorities, False for anybody.

    Raises:
        TransportError: the bundle is not there.
    """
    if given is False:
        return False
    path = given if isinstance(given, str) else None
    if path is None and trust_env:
        path = next(filter(None, map(os.environ.get, CA_VARIABLES)), None)
    if path is None:
        return True
    _must_exist(path)
    return path


def tls_context(trusted: bool | str, cert: Certificate | None) -> ssl.SSLContext:
    """What TLS is spoken by: of :func:`authorities`, and with a client certificate.

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


def _must_exist(path: str) -> None:
    if not os.path.exists(path):
        raise TransportError(f"no certificates at {path}, which does not exist", retryable=False)
