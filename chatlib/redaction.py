"""Keeping secrets out of what tools show of a program: ``repr``, rich, variables of tracebacks.

Three rules, each in one place:

- What is a secret by its name, or carries a password, is held as a :class:`Concealed` text, which
  shows itself to nobody who prints the object around it (:func:`conceal`).
- A field of an attrs class that could show one has a ``repr=`` of its own, which rich respects too.
- Where headers have to be plain, in transports and while a request is built, the frames forget
  their variables when an exception leaves them (:func:`private_frames`).
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
"""How deep secrets are looked for in the extra fields of a body."""


class Concealed(str):
    """A text whose ``repr`` shows another one. To whoever uses it, it is the text.

    >>> token = Concealed("secret")
    >>> token, [token], f"Bearer {token}", token == "secret"
    ('***', ['***'], 'Bearer secret', True)
    """

    shown: str

    def __new__(cls, text: str, shown: str = HIDDEN) -> Concealed:
        """Make one.

        Args:
            text: The text.
            shown: What is shown in its place.
        """
        made = super().__new__(cls, text)
        made.shown = shown
        return made

    def __repr__(self) -> str:
        return repr(self.shown)

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        found = super().__getitem__(key)  # rich shows the beginning of a long text
        return Concealed(found, self.shown) if isinstance(key, slice) else found


def concealed_url(url: str) -> str:
    """Return a URL that shows neither its password nor its keys; the same where it has none."""
    shown = redact_url(url)
    return url if shown == url else Concealed(url, shown)


def conceal(settings: Any) -> None:
    """Conceal, in place, what is secret in a dict of settings of a client or options of a call.

    Where that is interrupted, nothing is left in it: frames of the caller's still hold the dict.
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
"""What is looked at in vain, or by its name would be concealed in vain."""

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
    """Return a value in whose mappings and lists the texts with a secret's name are concealed.

    Args:
        value: Headers, a query, a piece of JSON.
        name: By which name it is known.
        depth: How deep it lies.
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
    """Return the URLs of proxies, each of which shows no password."""
    return {name: concealed_url(url) for name, url in (proxies or {}).items()}


class private_frames:
    """Around code whose variables must be plain: what an exception passes through forgets them.

    The exception keeps its traceback, file and line; only the variables of the frames below are
    gone, which test runners, crash reporters and rich would print.

    Args:
        only_exits: Leave an ``Exception`` alone: code of the user's may have raised it, who will
            want to look at it. Ctrl-C, SystemExit, cancellations and their like are not theirs.

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
    """Clear the variables of the frames that an exception, and those below it, went through.

    Frames that are running are left alone: the caller's, and all around it. So is an exception that
    one of these handles: it happened before, and belongs to somebody else.
    """
    running, frame = set(), inspect.currentframe()
    try:
        while frame is not None:
            running.add(frame)
            frame = frame.f_back
        _forget_frames(error, running)
    finally:
        running.clear()  # this frame is in it: that circle would keep all that the callers hold


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
            # Who caught it, if that is a generator, may be waiting for its next turn.
            caught = link is not error and step is link.__traceback__
            if not (caught and step.tb_frame.f_code.co_flags & _WAITS):
                with suppress(RuntimeError):  # it is running
                    step.tb_frame.clear()
            step = step.tb_next


def private(pieces: Iterable[T]) -> Iterator[T]:
    """Yield what is iterated, in :class:`private_frames`."""
    with private_frames():
        yield from pieces


_WAITS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def _is_plain_mapping(value: object) -> bool:
    # Headers of this library hide what is secret by themselves.
    return isinstance(value, Mapping) and not hasattr(value, "redacted")
