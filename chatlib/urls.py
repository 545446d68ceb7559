r"""Parse URLs strictly; the parsed URL is the one that is validated and connected to.

Two parsers that disagree about an authority such as ``one.test\@two.test`` would let a redirect
pass the check of one and lead the other elsewhere. Ambiguous authorities are therefore rejected,
and the transports connect to the scheme, host and port that :func:`parse_url` returned, in a
spelling (:attr:`Url.origin`) that every parser reads alike.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import quote, urljoin

DEFAULT_PORTS = {"http": 80, "https": 443}

_ORIGIN = re.compile(r"[^/?#]*//[^/?#]*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_PORT = re.compile(r"[0-9]{1,5}")
_ZONE = re.compile(r"[A-Za-z0-9._~-]{1,32}")


class Url(NamedTuple):
    """A URL, parsed by :func:`parse_url`."""

    scheme: str
    """The scheme in lower case."""
    host: str
    """The host in lower case and ASCII; an IPv6 address in brackets."""
    port: int | None
    """The port; by default that of the scheme."""
    user: str
    """User and password, unchanged; empty if there are none."""
    rest: str
    """Path and query, without the fragment."""

    @property
    def origin(self) -> str:
        """Scheme, host and port as they are connected to."""
        shown = "" if self.port in (None, DEFAULT_PORTS.get(self.scheme)) else f":{self.port}"
        return f"{self.scheme}://{self.host}{shown}"

    @property
    def address(self) -> tuple[str, str, int | None]:
        """Scheme, host and port; two URLs with the same have the same origin."""
        return self.scheme, self.host, self.port

    def __str__(self) -> str:
        """Return the URL without user, password and fragment."""
        return self.origin + self.rest

    def __repr__(self) -> str:
        return f"Url({self.origin!r})"  # user, path and query may hold secrets


def parse_url(url: str, schemes: tuple[str, ...] = ("http", "https")) -> Url:
    """Parse a URL.

    Args:
        url: The URL.
        schemes: The allowed schemes.

    Returns:
        The parsed URL.

    Raises:
        ValueError: The URL is invalid, or its authority is ambiguous. The message does not quote
            the URL, since it may contain a password.
    """
    origin = origin_of(url)
    parsed = _parse_origin(origin)
    if parsed.scheme not in schemes:
        raise ValueError(f"the URL begins neither with {' nor '.join(schemes)}")
    return parsed._replace(rest=url[len(origin) :].partition("#")[0])


def origin_of(url: str) -> str:
    """Return the part of a URL before its path, unchanged.

    Args:
        url: The URL.
    """
    found = _ORIGIN.match(url)
    return url if found is None else found.group()


def with_host(why: str, url: str | None) -> str:
    """Return a description of a failure with the host that it happened at.

    Args:
        why: The description.
        url: The URL of the request; None if there is none.
    """
    try:
        host = host_of(url or "")
    except ValueError:
        host = ""
    return why if not host or host in why else f"{host}: {why}"


def host_of(url: str) -> str:
    """Return host and port as they stand in a URL, for messages: without user and password."""
    return origin_of(url).partition("//")[2].rpartition("@")[2]


@lru_cache(maxsize=256)
def _parse_origin(origin: str) -> Url:
    scheme, separator, authority = origin.partition("://")
    if not separator or not _SCHEME.fullmatch(f"{scheme}:"):
        raise ValueError("the URL does not begin with a scheme, such as https://")
    scheme = scheme.lower()
    if "\\" in authority or " " in authority or not authority.isprintable():
        raise ValueError("the URL has a backslash, a blank or a control character in its authority")
    user, _, where = authority.rpartition("@")
    if where.startswith("["):
        literal, bracket, port_text = where.partition("]")
        host = _ipv6(literal[1:]) if bracket else None
    else:
        name, colon, port = where.partition(":")
        host, port_text = _name(name), colon + port
    if host is None:
        raise ValueError("the URL has no valid host and port")
    if port_text in ("", ":"):
        number = DEFAULT_PORTS.get(scheme)
    elif _PORT.fullmatch(port_text[1:]) and port_text[0] == ":" and 0 < int(port_text[1:]) < 65536:
        number = int(port_text[1:])
    else:
        raise ValueError("the URL has no valid host and port")
    return Url(scheme, host, number, user, "")


def _ipv6(text: str) -> str | None:
    address, percent, zone = text.partition("%")
    if percent and not _ZONE.fullmatch(zone.removeprefix("25") or "?"):
        return None
    try:
        found = IPv6Address(address).compressed
    except ValueError:
        return None
    return f"[{found}%{zone.removeprefix('25')}]" if percent else f"[{found}]"


def _name(text: str) -> str | None:
    """Return a host name or an IPv4 address as it is resolved; None if it is invalid."""
    name = text
    if not name.isascii():
        try:
            import idna  # a dependency of requests

            name = idna.encode(name, uts46=True).decode()
        except (ImportError, UnicodeError):  # as an IDNAError is
            return None
    name = name.lower()
    labels = name.removesuffix(".").split(".")
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        return None
    return name


def redirect_target(url: str, location: str) -> Url:
    """Return the target of a redirect.

    Args:
        url: The URL of the request.
        location: The ``Location`` header.

    Returns:
        The parsed URL.

    Raises:
        ValueError: The target is not an HTTP URL, or its authority is ambiguous.
    """
    if _CONTROLS.search(location):
        raise ValueError("the Location has a control character in it")
    if _SCHEME.match(location):
        return parse_url(location)
    here = parse_url(url)
    if location.startswith("//"):
        return parse_url(f"{here.scheme}:{location}")
    return parse_url(urljoin(str(here), location))


def sent_url(url: str) -> str:
    """Return a URL as it is sent: invalid characters are percent-encoded.

    Args:
        url: The URL.

    >>> sent_url("http://host/my path?q=日%20")
    'http://host/my%20path?q=%E6%97%A5%20'
    """
    return url if _PLAIN.fullmatch(url) else quote(url, safe=_SAFE, errors="replace")


_SAFE = "%/?:@!$&'()*+,;=~-._#[]"
_PLAIN = re.compile(r"[A-Za-z0-9%/?:@!$&'()*+,;=~._#\[\]-]*")
