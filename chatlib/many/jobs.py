"""Which request is which: the name by which it is known again, and a digest of what it asks.

A request is the parameters of a call, with a ``custom_id`` among them if it has one, or a line of
an input file of OpenAI's Batch API. One that has no ``custom_id`` gets one from its digest and from
how many equal ones came before it, so that requests that are added, removed or moved do not change
the names of the others.

The digest covers what the model is asked, in a canonical form: the order of keys does not count,
nor do the options of the call, such as a timeout.
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
    """A request that is to be made, or was."""

    index: int
    custom_id: str
    params: dict[str, Any]
    digest: str


class JobFactory:
    """Makes a job of each request, in their order.

    Args:
        shared: Parameters of all requests; those of a request win.
    """

    def __init__(self, shared: Mapping[str, Any]) -> None:
        self._shared = shared
        self._index = 0
        self._times: Counter[str] = Counter()

    def create(self, request: Mapping[str, object]) -> Job:
        """The next job.

        Raises:
            TypeError: the request is no mapping, or its ``custom_id`` is no text.
            ValueError: an earlier request has its ``custom_id``.
        """
        index = self._index
        custom_id, given = split_request(request, index)
        params = {**self._shared, **given}
        digest = request_digest(params)
        name = custom_id or digest[:16]
        self._times[name] += 1
        if self._times[name] > 1:
            if custom_id is not None:
                raise ValueError(f"request {index} has the custom_id {name!r} of an earlier one")
            name = f"{name}-{self._times[name]}"
        self._index += 1
        conceal(params)
        return Job(index, name, params, digest)


def split_request(request: Mapping[str, object], index: int) -> tuple[str | None, dict[str, Any]]:
    """The ``custom_id`` of a request, None where it has none, and the parameters of its call.

    >>> split_request({"custom_id": "a", "model": "m"}, 0)
    ('a', {'model': 'm'})
    >>> line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}
    >>> split_request({**line, "body": {"model": "m"}}, 0)
    ('a', {'model': 'm'})
    """
    if not isinstance(request, Mapping):
        raise TypeError(
            f"request {index} is a {type(request).__name__}; it must be a dict of parameters, "
            'such as {"model": "gpt-5", "messages": [...]}'
        )
    params = {name: materialize(value) for name, value in request.items()}
    custom_id = params.pop("custom_id", None)
    if custom_id is not None and not (isinstance(custom_id, str) and custom_id):
        raise TypeError(f"request {index} has the custom_id {custom_id!r}; it must be a text")
    if isinstance(params.get("body"), dict) and "messages" not in params:
        url = params.get("url", "/chat/completions")
        if not str(url).endswith("/chat/completions"):
            raise ValueError(f"request {index} is for {url!r}, not for /v1/chat/completions")
        params = params["body"]
    return custom_id, params


def materialize(value: Any) -> Any:
    """A value that can be read more than once: what can't, such as a generator, becomes a list."""
    if type(value) is dict:  # a tool is a dict too, and more
        return {name: materialize(item) for name, item in value.items()}
    if type(value) is list or isinstance(value, Iterator):
        return [materialize(item) for item in value]
    return value


def request_digest(params: Mapping[str, Any]) -> str:
    """A digest of what a request asks, the same in each run of a program.

    >>> request_digest({"model": "m", "messages": []}) == request_digest({"messages": [], "model": "m"})
    True
    """
    options, body = split_options(params)
    # A function among the parameters, such as run()'s on_event, is no part of the question.
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
    except (TypeError, ValueError):  # not what the API takes: the call will say so
        text = re.sub(r" at 0x\w+", "", repr(sorted(asked.items())))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
