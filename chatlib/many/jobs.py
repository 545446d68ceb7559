"""Identify requests by a ``custom_id`` and a digest.

A request is a dict of the parameters of a call, optionally with a ``custom_id``, or a line of an
input file of OpenAI's Batch API. The default ``custom_id`` is made of the digest and the number of
equal requests before it, so that adding, removing or moving requests does not change the ids of
others.

The digest covers the request body in a canonical form: the order of keys does not matter, nor do
options of the call such as a timeout.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from chatlib.http import omit
from chatlib.redaction import conceal
from chatlib.structured.completions import is_typed, response_format_of
from chatlib.structured.tools import as_tools
from chatlib.wire.codec import to_request
from chatlib.wire.request import split_options


@attrs.frozen
class Job:
    """A request with its index, id and digest."""

    index: int
    custom_id: str
    params: dict[str, Any]
    digest: str


class JobFactory:
    """Creates the jobs of a run from its requests, in order.

    Args:
        shared: Parameters of all requests; those of a request take precedence.
    """

    def __init__(self, shared: Mapping[str, Any]) -> None:
        self._shared = shared
        self._index = 0
        self._times: Counter[str] = Counter()

    def create(self, request: Mapping[str, object]) -> Job:
        """Create the next job.

        Raises:
            TypeError: If the request is not a mapping, or its ``custom_id`` not a str.
            ValueError: If its ``custom_id`` is not unique.
        """
        index = self._index
        custom_id, given = split_request(request, index)
        params = {**self._shared, **given}
        digest = request_digest(params)
        name = custom_id or digest[:16]
        self._times[name] += 1
        if self._times[name] > 1:
            if custom_id is not None:
                raise ValueError(f"request {index}: duplicate custom_id {name!r}")
            name = f"{name}-{self._times[name]}"
        self._index += 1
        conceal(params)
        return Job(index, name, params, digest)


def split_request(request: Mapping[str, object], index: int) -> tuple[str | None, dict[str, Any]]:
    """Split a request into its ``custom_id``, or None, and the parameters of its call.

    Raises:
        TypeError: If the request is not a mapping, or its ``custom_id`` not a str.
        ValueError: If it is a line of a batch for another endpoint.

    >>> split_request({"custom_id": "a", "model": "m"}, 0)
    ('a', {'model': 'm'})
    >>> line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}
    >>> split_request({**line, "body": {"model": "m"}}, 0)
    ('a', {'model': 'm'})
    """
    if not isinstance(request, Mapping):
        raise TypeError(
            f"request {index} is a {type(request).__name__}; expected a dict of parameters, "
            'such as {"model": "gpt-5", "messages": [...]}'
        )
    params = {name: materialize(value) for name, value in request.items()}
    custom_id = params.pop("custom_id", None)
    if custom_id is not None and not (isinstance(custom_id, str) and custom_id):
        raise TypeError(f"request {index}: custom_id must be a non-empty str, not {custom_id!r}")
    if isinstance(params.get("body"), dict) and "messages" not in params:
        url = params.get("url", "/chat/completions")
        if not str(url).endswith("/chat/completions"):
            raise ValueError(f"request {index}: url must be /v1/chat/completions, not {url!r}")
        params = params["body"]
    return custom_id, params


def materialize(value: Any) -> Any:
    """Return a value in which iterators, such as generators, are replaced by lists."""
    if type(value) is dict:  # exactly: a function tool is a subclass
        return {name: materialize(item) for name, item in value.items()}
    if type(value) is list or isinstance(value, Iterator):
        return [materialize(item) for item in value]
    return value


def request_digest(params: Mapping[str, Any]) -> str:
    """Return the digest of a request, which is stable across processes.

    >>> first, second = {"model": "m", "messages": []}, {"messages": [], "model": "m"}
    >>> request_digest(first) == request_digest(second)
    True
    """
    options, body = split_options(params)
    # Functions, such as on_event of run(), are not part of the request.
    asked: dict[str, Any] = {
        name: value
        for name, value in body.items()
        if not callable(value) or name == "response_format"
    }
    asked["extra_body"] = options.get("extra_body") or omit
    try:
        if is_typed(asked.get("response_format")):
            asked["response_format"] = response_format_of(asked["response_format"])
        if isinstance(asked.get("tools"), (list, tuple)):
            asked["tools"] = as_tools(asked["tools"])
        text = json.dumps(to_request(asked), sort_keys=True)
    except (TypeError, ValueError):  # invalid parameters: the call raises the error
        text = re.sub(r" at 0x\w+", "", repr(sorted(asked.items())))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
