"""Keep secrets out of ``repr``, rich output and tracebacks with local variables.

Three rules, each implemented once:

- A value that is secret by its name, or contains a password, is held as :class:`Concealed`, which
  hides itself in the ``repr`` of the object around it (:func:`conceal`).
- A field of an attrs class that could show one has a ``repr=`` of its own, which rich respects too.
- Where plain headers are needed, in transports and while a request is built, the frames clear their
  local variables when an exception leaves them (:func:`private_frames`).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, SupportsIndex, TypeVar

from chatlib.headers import HIDDEN, is_secret, redact_url

T = TypeVar("T")

DEEPEST = 8
"""The maximum depth at which secrets are searched in the extra fields of a body."""


class Concealed(str):
    """A str whose ``repr`` shows another text; in all other ways it is a normal str.

    >>> token = Concealed("secret")
    >>> token, [token], f"Bearer {token}", token == "secret"
    ('***', ['***'], 'Bearer secret', True)
    """

    shown: str

    def __new__(cls, text: str, shown: str = HIDDEN) -> Concealed:
        """Create the text.

        Args:
            text: The text.
            shown: The text that ``repr`` shows in its place.
        """
        made = super().__new__(cls, text)
        made.shown = shown
        return made

    def __repr__(self) -> str:
        return repr(self.shown)

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        found = super().__getitem__(key)  # rich truncates long texts by slicing
        return Concealed(found, self.shown) if isinstance(key, slice) else found


def concealed_url(url: str) -> str:
    """Return a URL whose ``repr`` shows no secrets; unchanged if it contains none.

    Args:
        url: The URL.
    """
    shown = redact_url(url)
    return url if shown == url else Concealed(url, shown)


def conceal(settings: Any) -> None:
    """Conceal the secrets in a dict of client settings or call options, in place.

    If this is interrupted, the dict is cleared: frames of the caller still hold it.

    Args:
        settings: The dict.
    """
    try:
        with private_frames():
            _conceal(settings)
    except BaseException:
        settings.clear()
        raise


def _conceal(settings: dict[str, Any]) -> None:
    for name in settings.keys() - _SHOWN:
        value = settings[name]
        if name in _WITH_SECRETS:
            settings[name] = concealed(value)
        elif isinstance(value, str):
            is_url = name in ("base_url", "azure_endpoint")
            settings[name] = concealed_url(value) if is_url else concealed(value, name)


_SHOWN = {"messages", "model", "stream", "prompt_cache_key", "idempotency_key"}
"""Settings without secrets, which need not be searched."""

_WITH_SECRETS = {
    "default_headers",
    "set_default_headers",
    "default_query",
    "set_default_query",
    "extra_headers",
    "extra_query",
    "extra_body",
}


def concealed(value: Any, name: str = "", depth: int = 0) -> Any:
    """Return a value with the secrets in its mappings and lists concealed.

    Args:
        value: Headers, a query or JSON.
        name: The name of the value.
        depth: The nesting depth of the value.
    """
    if isinstance(value, str):
        return Concealed(value) if is_secret(name) and type(value) is str else value
    if isinstance(value, bytes):
        return Concealed(value.decode("latin-1")) if is_secret(name) else value
    if depth < DEEPEST:
        if isinstance(value, dict) or (depth == 0 and _is_plain_mapping(value)):
            return {key: concealed(item, str(key), depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
            pair = len(value) == 2 and isinstance(value[0], str)
            name = value[0] if pair else name
            return type(value)(concealed(item, name, depth + 1) for item in value)
    return value


def concealed_urls(proxies: Mapping[str, str] | None) -> dict[str, str]:
    """Return the URLs of proxies with their passwords concealed.

    Args:
        proxies: The URLs by scheme or host.
    """
    return {name: concealed_url(url) for name, url in (proxies or {}).items()}


class private_frames:
    """Clear the local variables of frames that an exception leaves.

    The exception keeps its traceback with files and lines; only the local variables of the frames
    below are removed, which test runners, crash reporters and rich would print.

    Args:
        only_exits: Ignore every ``Exception``: user code may have raised it and may want to inspect
            it. KeyboardInterrupt, SystemExit, cancellations and the like are not ignored.

    >>> def show():
    ...     key = "secret"
    ...     raise ValueError("no")
    >>> try:
    ...     with private_frames():
    ...         show()
    ... except ValueError as error:
    ...     error.__traceback__.tb_next.tb_frame.f_locals
    {}
    """

    __slots__ = ("_spared",)

    def __init__(self, *, only_exits: bool = False) -> None:
        self._spared: tuple[type[BaseException], ...] = (
            (Exception, GeneratorExit) if only_exits else (GeneratorExit,)
        )

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and not isinstance(error, self._spared):
            forget_frames(error)


def forget_frames(error: BaseException) -> None:
    """Clear the local variables of the frames in the tracebacks of an exception and its causes.

    Running frames are left alone: those of the caller and everything around it. So is an exception
    that one of these handles, since it happened before.

    Args:
        error: The exception.
    """
    running, frame = set(), inspect.currentframe()
    try:
        while frame is not None:
            running.add(frame)
            frame = frame.f_back
        _forget_frames(error, running)
    finally:
        running.clear()  # breaks a reference cycle through this frame


def _forget_frames(error: BaseException, running: set[FrameType]) -> None:
    seen: set[int] = {id(None)}
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        step = link.__traceback__
        if link is not error and step is not None and step.tb_frame in running:
            continue
        links += [link.__cause__, link.__context__]
        while step is not None:
            # A generator that caught it may be suspended and resumed later.
            caught = link is not error and step is link.__traceback__
            if not (caught and step.tb_frame.f_code.co_flags & _WAITS):
                with suppress(RuntimeError):  # the frame is running
                    step.tb_frame.clear()
            step = step.tb_next


def private(pieces: Iterable[T]) -> Iterator[T]:
    """Yield the items of an iterable within :class:`private_frames`.

    Args:
        pieces: The iterable.
    """
    with private_frames():
        yield from pieces


_WAITS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def _is_plain_mapping(value: object) -> bool:
    # Headers objects of this library hide their secrets themselves.
    return isinstance(value, Mapping) and not hasattr(value, "redacted")
