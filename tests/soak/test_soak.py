"""The soak test, in short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import clean_environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="it is measured by /proc")
def test_short(tmp_path: Path) -> None:
    """No answer is wrong, nothing grows and nothing is left, in a quarter of a minute."""
    picture = tmp_path / "soak.svg"
    options = ["--minutes=0.25", "--threads=6", "--tasks=40", "--rest=0.2", f"--picture={picture}"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak.run", *options],
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "nothing wrong, nothing left" in done.stdout
    assert 4 == picture.read_text().count("<polyline")
