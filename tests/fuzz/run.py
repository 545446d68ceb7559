"""Run a target under atheris, for as long as one likes::

    pip install atheris
    python -m tests.fuzz.run chunks --seconds 600 --folder fuzzing

What it finds is written to the folder, as is the corpus, so that a later run goes on. A finding
becomes a mend, and a line of ``FOUND`` in ``tests/fuzz/test_targets.py``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> None:
    """Run a target; the process ends with the status of the fuzzer."""
    import atheris

    with atheris.instrument_imports(include=["chatlib"]):  # before anything else imports it
        from tests.fuzz.targets import TARGETS
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--folder", type=Path, default=Path("fuzzing"))
    options = parser.parse_args()
    target, seeds = TARGETS[options.target]
    corpus = options.folder / options.target
    corpus.mkdir(parents=True, exist_ok=True)
    for at, seed in enumerate(seeds):
        (corpus / f"seed{at}").write_bytes(seed)
    found = f"-artifact_prefix={options.folder}/found-{options.target}-"
    limits = [
        f"-max_total_time={options.seconds}",
        "-timeout=10",
        "-max_len=4096",
        "-rss_limit_mb=2000",
    ]
    atheris.Setup([sys.argv[0], str(corpus), found, *limits], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
