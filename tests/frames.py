"""The frames of a traceback that are the library's own, wherever it and its tests are installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType

import chatlib

LIBRARY = Path(chatlib.__file__).resolve().parent


def library_frames(traceback: TracebackType | None) -> list[FrameType]:
    """Return those frames of a traceback that are of the library, outermost first."""
    return [frame for frame in frames(traceback) if is_library(frame)]


def is_library(frame: FrameType) -> bool:
    """Return whether a frame is of the library."""
    return LIBRARY in Path(frame.f_code.co_filename).resolve().parents


def frames(traceback: TracebackType | None) -> Iterator[FrameType]:
    """Yield all frames of a traceback, outermost first."""
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next
