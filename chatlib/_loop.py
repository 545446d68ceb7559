"""The running asyncio event loop, or an error that says what to do without one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the running event loop.

    Raises:
        RuntimeError: asyncio does not run here.
    """
    import asyncio  # here, as a program that awaits nothing does not load it

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(_no_loop()) from None


def _no_loop() -> str:
    found = "trio is running" if _in_trio() else "no event loop is running"
    return (
        f"chatlib's asynchronous calls need asyncio, and {found}: run them with asyncio.run(); "
        "under trio (or anyio on trio), use the synchronous client, by "
        "trio.to_thread.run_sync(), or trio-asyncio"
    )


def _in_trio() -> bool:
    trio: Any = sys.modules.get("trio")
    try:
        return trio is not None and bool(trio.lowlevel.in_trio_run())
    except AttributeError:  # an older trio
        return False
