"""A URL as text whose parts can be read, as those of ``httpx.URL`` can."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import (
    SplitResult,
    parse_qs,
    parse_qsl,
    quote,
    unquote,
    urlencode,
    urljoin,
    urlsplit,
)

from chatlib.headers import redact_url
from chatlib.redaction import Concealed

if TYPE_CHECKING:
    from typing_extensions import Self

_PARTS = frozenset(
    "scheme userinfo username password host port netloc path query raw_path fragment".split()
)


class UrlText(Concealed):
    """A URL: a str, whose parts can be read, and whose ``repr`` shows no password.

    Query and user are bytes where they are in httpx.

    >>> url = UrlText("http://localhost:8080/v1/")
    >>> url.host, url.port, url.join("models"), url.copy_with(port=None)
    ('localhost', 8080, 'http://localhost:8080/v1/models', 'http://localhost/v1/')
    """

    def __new__(cls, url: str) -> Self:
        """Create the text.

        Args:
            url: The URL.
        """
        return str.__new__(cls, url)

    @property
    def shown(self) -> str:  # type: ignore[override]
        """The URL without its secrets, which ``repr`` shows."""
        return redact_url(str(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self),)

    @property
    def _split(self) -> SplitResult:
        return urlsplit(str(self))

    @property
    def scheme(self) -> str:
        """The scheme, such as "https"."""
        return self._split.scheme

    @property
    def raw_scheme(self) -> bytes:
        """The scheme as bytes."""
        return self.scheme.encode()

    @property
    def host(self) -> str:
        """The host; "" if there is none."""
        return self._split.hostname or ""

    @property
    def raw_host(self) -> bytes:
        """The host as bytes."""
        return self.host.encode()

    @property
    def port(self) -> int | None:
        """The port; None for the default port of the scheme."""
        return self._split.port

    @property
    def netloc(self) -> bytes:
        """The host and the port, without the user."""
        return self._split.netloc.rpartition("@")[2].encode()

    @property
    def userinfo(self) -> bytes:
        """The user and the password, as they are in the URL."""
        return self._split.netloc.rpartition("@")[0].encode()

    @property
    def username(self) -> str:
        """The user."""
        return unquote(self._split.username or "")

    @property
    def password(self) -> str:
        """The password."""
        return unquote(self._split.password or "")

    @property
    def path(self) -> str:
        """The path."""
        return unquote(self._split.path) or "/"

    @property
    def raw_path(self) -> bytes:
        """The path and the query, as they are sent."""
        parts = self._split
        return ((parts.path or "/") + (f"?{parts.query}" if parts.query else "")).encode()

    @property
    def query(self) -> bytes:
        """The query."""
        return self._split.query.encode()

    @property
    def params(self) -> dict[str, str]:
        """The parameters of the query; of those with the same name, the last one."""
        return dict(parse_qsl(self._split.query, keep_blank_values=True))

    @property
    def fragment(self) -> str:
        """The fragment."""
        return unquote(self._split.fragment)

    @property
    def is_absolute_url(self) -> bool:
        """Whether the URL has a scheme and a host."""
        return bool(self.scheme and self.host)

    @property
    def is_relative_url(self) -> bool:
        """Whether the URL lacks a scheme or a host."""
        return not self.is_absolute_url

    def join(self, url: str | Iterable[str]) -> UrlText:
        """Return the URL that a relative one means here.

        Args:
            url: The relative URL. Any other iterable of strings is joined as by :meth:`str.join`.
        """
        return UrlText(urljoin(str(self), url) if isinstance(url, str) else str(self).join(url))

    def copy_with(self, **parts: Any) -> UrlText:
        """Return a copy with some parts changed, named as the properties; or with ``params``.

        Args:
            parts: The parts, str or bytes; None removes a part.

        Raises:
            TypeError: A URL has no such part.
        """
        if "params" in parts:
            parts["query"] = urlencode(parts.pop("params") or {}, doseq=True)
        for name in parts.keys() - _PARTS:
            raise TypeError(
                f"a URL has no part {name!r}; its parts are {', '.join(sorted(_PARTS))}"
            )
        texts = {n: v.decode() if isinstance(v, bytes) else v for n, v in parts.items()}
        if "raw_path" in texts:
            texts["path"], _, texts["query"] = (texts.pop("raw_path") or "").partition("?")
        old = self._split
        user = texts.get("userinfo", self.userinfo.decode())
        if "username" in texts or "password" in texts:
            names = (texts.get(n, getattr(self, n)) or "" for n in ("username", "password"))
            user = ":".join(quote(name, safe="") for name in names).removesuffix(":")
        host, port = texts.get("host", self.host), texts.get("port", self.port)
        host = f"[{host}]" if host and ":" in host and not host.startswith("[") else host
        netloc = texts.get("netloc", (host or "") + (f":{port}" if port is not None else ""))
        changed = old._replace(
            scheme=texts.get("scheme", old.scheme) or "",
            netloc=f"{user}@{netloc}" if user else netloc or "",
            path=quote(texts["path"] or "/", safe="/%:@!$&'()*+,;=~")
            if "path" in texts
            else old.path,
            query=texts.get("query", old.query) or "",
            fragment=texts.get("fragment", old.fragment) or "",
        )
        return UrlText(changed.geturl())

    def copy_set_param(self, name: str, value: Any = None) -> UrlText:
        """Return a copy with a parameter of the query set.

        Args:
            name: The name of the parameter.
            value: Its value.
        """
        return self.copy_with(params={**self.params, name: value})

    def copy_add_param(self, name: str, value: Any = None) -> UrlText:
        """Return a copy with a parameter added to the query.

        Args:
            name: The name of the parameter.
            value: Its value.
        """
        values = parse_qs(self._split.query, keep_blank_values=True)
        return self.copy_with(params={**values, name: [*values.get(name, []), value]})

    def copy_remove_param(self, name: str) -> UrlText:
        """Return a copy without a parameter of the query.

        Args:
            name: The name of the parameter.
        """
        return self.copy_with(params={n: v for n, v in self.params.items() if n != name})

    def copy_merge_params(self, params: Mapping[str, Any]) -> UrlText:
        """Return a copy with several parameters of the query set.

        Args:
            params: The parameters.
        """
        return self.copy_with(params={**self.params, **params})
