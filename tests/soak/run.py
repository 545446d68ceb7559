"""Call for a long time and draw what it takes::

    python -m tests.soak.run --minutes 30 --picture docs/images/soak.svg

Threads and tasks create, stream, parse, leave streams early, drop them, cancel, time out, and meet
servers that reset, cut off and refuse; over each transport that opens sockets. Each answer is
compared with what was asked. Memory, open files, threads and objects are measured all the time: in
the second half of the run they must be where they were in the first, and when the clients are
closed, nothing is left.
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from tests.soak.load import Load, Sample, sample, samples

FIELDS = {
    "memory": "memory, MiB",
    "files": "open files and sockets",
    "threads": "threads",
    "objects": "objects that the garbage collector knows",
}


def soak(seconds: float, threads: int, tasks: int, rest: float) -> tuple[list[Sample], Load]:
    """Call for some time and return what was measured.

    Args:
        seconds: For how long.
        threads: The number of threads.
        tasks: The number of tasks.
        rest: How long each rests after a call, in seconds on average.

    Returns:
        The samples, of which the last one is that after the end, and the load.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "tests.soak.server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        load = Load(server.stdout.readline().strip(), threads=threads, tasks=tasks, rest=rest)
        start = time.monotonic()
        load.start()
        found = list(samples(load, seconds, max(seconds / 300, 0.2)))
        load.stop()
        del load._clients, load._aclients
        gc.collect()
        end = time.monotonic() + 20
        while threading.active_count() > 1 and time.monotonic() < end:
            time.sleep(0.1)
        found.append(sample(start, load))
        server.terminate()
    return found, load


def faults_of(found: Sequence[Sample], load: Load) -> list[str]:
    """Return what is wrong with a run: wrong answers, growth, and what is left at its end.

    Args:
        found: The samples; the last one is that after the end.
        load: The load.
    """
    faults = load.wrong[:20]
    *during, after = found
    quarter = len(during) // 4
    for name in FIELDS if quarter else ():
        early = median(getattr(each, name) for each in during[quarter : 2 * quarter])
        late = median(getattr(each, name) for each in during[-quarter:])
        if late > early * 1.1 + 10:
            faults.append(f"{FIELDS[name]}: {early:,.0f} in the first half, {late:,.0f} at the end")
    if after.threads > 1:
        faults.append(f"{after.threads - 1} threads are left")
    if after.files > during[0].files and after.files > 12:
        faults.append(f"{after.files} files are open after the end")
    return faults


def picture(found: Sequence[Sample], title: str) -> str:
    """Return the curves as SVG."""
    width, height, left, gap = 720, 90, 70, 50
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + left + 30}" '
        f'height="{(height + gap) * len(FIELDS) + 60}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{left}" y="22" font-size="14">{title}</text>',
    ]
    last = found[-1].seconds
    for at, (name, what) in enumerate(FIELDS.items()):
        top = 50 + at * (height + gap)
        values = [float(getattr(each, name)) for each in found]
        most = max(values) * 1.1
        points = " ".join(
            f"{left + each.seconds / last * width:.1f},{top + height * (1 - value / most):.1f}"
            for each, value in zip(found, values, strict=True)
        )
        lines += [
            f'<text x="{left}" y="{top - 6}">{what}</text>',
            f'<path d="M{left},{top} v{height} h{width}" fill="none" stroke="#888"/>',
            f'<text x="{left - 6}" y="{top + 10}" text-anchor="end">{most:,.0f}</text>',
            f'<text x="{left - 6}" y="{top + height}" text-anchor="end">0</text>',
            f'<polyline points="{points}" fill="none" stroke="#06c" stroke-width="1.5"/>',
            f'<text x="{left + width}" y="{top + height + 14}" text-anchor="end">'
            f"{last / 60:.0f} min</text>",
        ]
    return "\n".join([*lines, "</svg>", ""])


def main() -> None:
    """Run it, print what was found, and exit with 1 if anything is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--threads", type=int, default=32)
    parser.add_argument("--tasks", type=int, default=500)
    parser.add_argument("--rest", type=float, default=1.0, help="seconds between calls, on average")
    parser.add_argument("--picture", type=Path, help="where to draw the curves, as SVG")
    options = parser.parse_args()
    found, load = soak(options.minutes * 60, options.threads, options.tasks, options.rest)
    counted = sum(load.counts.values())
    for name, count in load.counts.most_common():
        print(f"{count:9,} {name}")
    for each in (found[0], found[len(found) // 2], found[-2], found[-1]):
        print(each)
    title = f"{counted:,} calls by {options.threads} threads and {options.tasks} tasks"
    if options.picture:
        options.picture.write_text(picture(found, title), "utf-8")
    faults = faults_of(found, load)
    print("\n".join(faults) if faults else f"{title}: nothing wrong, nothing left")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
