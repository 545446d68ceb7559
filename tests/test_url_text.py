"""URLs as text whose parts can be read, beside those of httpx."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from chatlib import OpenAI
from chatlib.http import HttpRequest
from chatlib.url_text import UrlText

httpx = pytest.importorskip("httpx")

URLS = [
    "https://api.openai.com/v1/",
    "http://user:p%40ss@h.test:8080/v1/a%20b?x=1&y=two%20words&y=3#end",
    "http://[::1]:80/",
    "http://h.test",
    "/relative/path?q",
    "",
]
PARTS = [
    "scheme",
    "raw_scheme",
    "host",
    "raw_host",
    "netloc",
    "userinfo",
    "username",
    "password",
    "query",
    "raw_path",
    "fragment",
    "is_absolute_url",
    "is_relative_url",
]


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("url", URLS)
def test_parts(url: str, name: str) -> None:
    """They are what httpx says, as text or bytes as there."""
    if url and not (name == "raw_path" and url == "/relative/path?q"):
        expected = getattr(httpx.URL(url), name)
        if name == "netloc" and url == "http://[::1]:80/":
            expected = b"[::1]:80"  # httpx leaves default ports out
        assert expected == getattr(UrlText(url), name)


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "/v2/"},
        {"scheme": "https", "host": "other.test", "port": 8443},
        {"port": None},
        {"username": "ann", "password": "a:b@c"},
        {"query": b"a=b"},
        {"raw_path": b"/x?y=z"},
        {"fragment": "here"},
        {"params": {"a": "1", "b": ["2", "3"]}},
        {"host": "::1"},
        {"netloc": b"h:5"},
    ],
)
def test_changes(changes: dict[str, Any]) -> None:
    """A copy with other parts is the one of httpx; the original stays."""
    url = "http://h.test:8080/v1/?x=1"
    made = UrlText(url)
    assert str(httpx.URL(url).copy_with(**changes)) == str(made.copy_with(**changes))
    assert url == made


def test_parameters() -> None:
    """They are set, added, merged and removed as in httpx."""
    url = "http://h.test/v1?a=1&b=2"
    ours, theirs = UrlText(url), httpx.URL(url)
    for method, args in (
        ("copy_set_param", ("a", "3")),
        ("copy_add_param", ("a", "3")),
        ("copy_remove_param", ("a",)),
        ("copy_merge_params", ({"b": "5", "c": "6"},)),
    ):
        assert str(getattr(theirs, method)(*args)) == str(getattr(ours, method)(*args))
    assert dict(theirs.params) == ours.params


@pytest.mark.parametrize("other", ["models", "/models", "https://x.test/a", "../b?c=d", ""])
def test_join(other: str) -> None:
    """A relative URL is joined; other iterables are, as with any str."""
    url = "http://h.test:8080/v1/"
    assert str(httpx.URL(url).join(other)) == UrlText(url).join(other)
    assert "a/b" == UrlText("/").join(["a", "b"])


def test_unknown_part() -> None:
    """A part that there is not is an error that names those that there are."""
    with pytest.raises(TypeError, match=r"no part 'prt'; its parts are .*port"):
        UrlText("http://h.test").copy_with(prt=1)


def test_text() -> None:
    """It is a str in all other ways, and shows no password."""
    url = UrlText("http://ann:secret@h.test/v1/")
    for copied in (copy.copy(url), copy.deepcopy(url), pickle.loads(pickle.dumps(url))):
        assert url == copied
        assert type(copied) is UrlText
    assert "secret" not in f"{url!r} {[url]} {HttpRequest('GET', url)!r} {url[:20]!r}"
    assert "secret" == url.password
    assert "http://ann:secret@h.test/v1" == url.rstrip("/")


def test_where_it_is() -> None:
    """The base URL of a client and the URL of a request can be read so."""
    client = OpenAI(api_key="k", base_url="http://h.test:8080/v1")
    assert "http://h.test:8080/v1/models" == client.base_url.join("models")
    assert "h.test" == HttpRequest("GET", "http://h.test/").url.host
