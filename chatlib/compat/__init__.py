"""Clients for programs that hold the official package too: ``pip install chatlib[compat]``.

``from chatlib.compat import OpenAI`` gives a client of this library whose answers are objects of
the official package, made by its own ``construct()``, whose errors are caught by its ``except``
clauses, and which ``isinstance`` takes for its client. So a framework that checks can be given it
in one line::

    from chatlib.compat import OpenAI

    llm = Framework(client=OpenAI())

Nothing else of the library imports the official package.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatlib.compat.clients import AsyncAzureOpenAI as AsyncAzureOpenAI
    from chatlib.compat.clients import AsyncOpenAI as AsyncOpenAI
    from chatlib.compat.clients import AzureOpenAI as AzureOpenAI
    from chatlib.compat.clients import OpenAI as OpenAI
    from chatlib.compat.errors import APIConnectionError as APIConnectionError
    from chatlib.compat.errors import APIError as APIError
    from chatlib.compat.errors import APIResponseValidationError as APIResponseValidationError
    from chatlib.compat.errors import APIStatusError as APIStatusError
    from chatlib.compat.errors import APITimeoutError as APITimeoutError
    from chatlib.compat.errors import AuthenticationError as AuthenticationError
    from chatlib.compat.errors import BadRequestError as BadRequestError
    from chatlib.compat.errors import ConflictError as ConflictError
    from chatlib.compat.errors import InternalServerError as InternalServerError
    from chatlib.compat.errors import NotFoundError as NotFoundError
    from chatlib.compat.errors import OpenAIError as OpenAIError
    from chatlib.compat.errors import PermissionDeniedError as PermissionDeniedError
    from chatlib.compat.errors import RateLimitError as RateLimitError
    from chatlib.compat.errors import UnprocessableEntityError as UnprocessableEntityError

_CLIENTS = ("AsyncAzureOpenAI", "AsyncOpenAI", "AzureOpenAI", "OpenAI")


def __getattr__(name: str) -> Any:
    # Lazily: the shim beside this must be importable before the official package is.
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "clients" if name in _CLIENTS else "errors"
    return getattr(importlib.import_module(f"chatlib.compat.{home}"), name)
