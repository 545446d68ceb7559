"""Compare chatlib with the official package and with a loop written by hand::

    pip install -e '.[bench]'
    python tests/bench/run.py --rounds 7 --only stream

Each runs in a process of its own, in turns, so that what else the machine does hits all alike. A
ratio is the median of those within each round. Judged is wall time, which includes waiting for the
server. A further row is a line in ``ROWS``, and a method in ``contenders.py`` if the task is new.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from statistics import median
from typing import NamedTuple

from contenders import CONTENDERS

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20 if sys.platform == "darwin" else 1 << 10  # in the units of ru_maxrss


class Work(NamedTuple):
    """What a process does: ``repeat`` runs of a task, or with 0 its first run, start included."""

    task: str
    size: int = 1
    repeat: int = 0
    alone: bool = False
    """Only chatlib does it: others would take hours."""


class Sample(NamedTuple):
    """What it took: µs for one item, or ms for a whole process; and MiB."""

    wall: float
    cpu: float
    peak: float


class Row(NamedTuple):
    """A line of the table. The target is a share of what openai takes, over its better transport
    where there are two, or of chatlib's ``over``."""

    name: str
    work: Work
    field: str
    target: float | None = None
    over: Work | None = None


TYPED_2K = Work("typed_events", 2_000, 2)
TYPED_50K = Work("typed_events", 50_000, 1, alone=True)
S500, S5K, S50K = Work("stream", 500, 20), Work("stream", 5_000, 2), Work("stream", 50_000, 1)
ROWS = [
    Row("import and client, ms", Work("start"), "wall", 1 / 5),
    Row("import and client, MiB", Work("start"), "peak", 1 / 2),
    Row("import to first answer, ms", Work("create"), "wall"),
    Row("import to first answer, MiB", Work("create"), "peak"),
    Row("create, µs", Work("create", 300, 3), "wall", 1 / 2.5),
    Row("create by urllib3, µs", Work("create_by_urllib3", 300, 3), "wall", 1 / 4),
    Row("stream 500, µs per chunk", S500, "wall", 1 / 8),
    Row("stream 5000, µs per chunk", S5K, "wall", 1 / 8),
    Row("stream 50000, µs per chunk", S50K, "wall", 1 / 8),
    Row("stream 50000 over 500, per chunk", S50K, "wall", 1.15, over=S500),
    Row("stream 50000, MiB", S50K, "peak"),
    Row("parse, µs", Work("parse", 300, 3), "wall", 1 / 4),
    Row("events 5000, µs per chunk", Work("events", 5_000, 2), "wall", 1 / 10),
    Row("typed events 2000, µs per chunk", TYPED_2K, "wall", 1 / 6),
    Row("page of 100, µs", Work("page", 50, 3), "wall", 1 / 5),
    Row("64 creates at once, µs per call", Work("creates_at_once", 1_280, 2), "wall", 1 / 2),
    Row("64 streams at once, µs per chunk", Work("streams_at_once", 12_800, 2), "wall", 1 / 7),
    Row("typed events 50000 over 2000, per chunk", TYPED_50K, "wall", 1.3, over=TYPED_2K),
]
Taken = dict[tuple[Work, str], list[Sample]]


def run_once(name: str, work: Work, url: str, env: dict[str, str]) -> Sample:
    """One measurement, in a new process."""
    # On Linux that inherits the peak memory of this one, which so imports little.
    what = [name, work.task, url, str(work.size), str(work.repeat)]
    command, started = [sys.executable, f"{HERE}/contenders.py", *what], time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=env)
    assert process.stdout is not None
    with process.stdout:
        printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{name} failed at {work}")
    wall, cpu = time.perf_counter() - started, usage.ru_utime + usage.ru_stime
    if work.repeat:
        wall, cpu = (float(seconds) for seconds in printed.split())
    scale = 1e6 / (work.size * work.repeat or 1_000)
    return Sample(wall * scale, cpu * scale, usage.ru_maxrss / MIB)


def doing(work: Work) -> list[str]:
    """Who does it."""
    able = [
        name
        for name, kind in CONTENDERS.items()
        if hasattr(kind, work.task) and (not kind.only or work.task in kind.only)
    ]
    return ["chatlib"] if work.alone else able


def run_rounds(works: list[Work], rounds: int) -> Taken:
    """The samples of each work and contender, who take turns."""
    taken: Taken = {}
    command, pipe = [sys.executable, f"{HERE}/server.py"], subprocess.PIPE
    # Bytecode is kept, as it is when a package is installed, but not in this checkout.
    with tempfile.TemporaryDirectory() as cache:
        env = {**os.environ, "PYTHONPYCACHEPREFIX": cache, "PYTHONDONTWRITEBYTECODE": ""}
        with subprocess.Popen(command, stdin=pipe, stdout=pipe) as server:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
            for name in doing(Work("creates_at_once")):
                run_once(name, Work("creates_at_once"), url, env)
            for work, number in [(work, number) for work in works for number in range(rounds)]:
                print(f"\r{work}: {number + 1}\033[K", end="", file=sys.stderr, flush=True)
                for name in doing(work):
                    taken.setdefault((work, name), []).append(run_once(name, work, url, env))
    print("\r\033[K", end="", file=sys.stderr, flush=True)
    return taken


def judge(row: Row, taken: Taken) -> dict[str, str | float]:
    """A row's medians, the ratio that is judged, its range over the rounds, and the verdict."""

    def values(work: Work, name: str) -> list[float]:
        return [getattr(sample, row.field) for sample in taken.get((work, name), ())]

    own = values(row.work, "chatlib")
    theirs = [
        found for name in CONTENDERS if "openai" in name and (found := values(row.work, name))
    ]
    best = [min(each) for each in zip(*theirs, strict=True)]
    below = values(row.over, "chatlib") if row.over is not None else best
    ratios = sorted(mine / other for mine, other in zip(own, below, strict=True))
    found: dict[str, str | float] = {"row": row.name, **dict.fromkeys(CONTENDERS, "-")}
    found |= {n: median(values(row.work, n)) for n in CONTENDERS if (row.work, n) in taken}
    found |= {"ratio": median(ratios), "least": ratios[0], "most": ratios[-1]}
    verdict = "MISSED" if row.target and median(ratios) > row.target else "ok"
    return found | {"target": row.target or "", "verdict": verdict if row.target else ""}


def main() -> None:
    """Run the rows that were asked for and print them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", metavar="TEXT", help="rows with this in their name")
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    asked = parser.parse_args()
    rows: list[Row] = []
    for row in [row for row in ROWS if asked.only in row.name]:
        rows.append(row)
        if row.field == "wall":
            rows.append(row._replace(name="  the same in CPU time", field="cpu", target=None))
    works = dict.fromkeys(work for row in rows for work in (row.work, row.over) if work is not None)
    taken = run_rounds(list(works), asked.rounds)
    lines = [judge(row, taken) for row in rows]
    if asked.json:
        print(json.dumps(lines, indent=2, ensure_ascii=False))
        return
    form = "{:40}" + "{:>15}" * len(CONTENDERS) + "{:>8}" * 4 + "  {}"
    print(form.format("", *CONTENDERS, "ratio", "least", "most", "target", ""))
    for found in lines:
        print(form.format(*(f"{v:.4g}" if isinstance(v, float) else v for v in found.values())))


if __name__ == "__main__":
    main()
