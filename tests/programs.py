"""Programs of their own, for tests: in a known environment, and ended where they do not end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

import chatlib

KEPT = {"HOME", "PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "USERPROFILE"}
"""The variables that a program inherits; no key, address, proxy or language is among them."""

PACKAGES = str(Path(chatlib.__file__).parents[1])
"""Where the ``chatlib`` that is tested lies."""


def clean_environment(**variables: str) -> dict[str, str]:
    """Return an environment for a program: none of the caller's settings, and these variables."""
    kept = {name: text for name, text in os.environ.items() if name.upper() in KEPT}
    return {**kept, "PYTHONPATH": PACKAGES, "PYTHONUTF8": "1", **variables}


def run(
    program: str,
    *args: str,
    folder: Path,
    seconds: float = 30.0,
    options: Iterable[str] = (),
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run a program by the Python of the tests, and return what it printed and its exit status.

    Args:
        program: The source text.
        args: The arguments of the program.
        folder: The working directory; the program is written into it.
        seconds: The time limit; the program is killed then.
        options: Options of Python.
        variables: Added to the environment.

    Raises:
        AssertionError: the program has not ended in time.
    """
    path = folder / "program.py"
    path.write_text(program, "utf-8")
    command = [sys.executable, *options, str(path), *args]
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=clean_environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as stuck:
        raise AssertionError(
            f"the program has not ended after {seconds:g} s; it printed {stuck.output!r}, "
            f"on stderr {stuck.stderr!r}"
        ) from None


def installed_command() -> str:
    """Return the path of the ``chatlib`` command beside the Python of the tests.

    Where the package is not installed, the test is skipped.
    """
    found = shutil.which("chatlib", path=os.path.dirname(sys.executable))
    if found is None:
        pytest.skip("the chatlib command is not installed beside this Python")
    return found
