"""Measures ``ndr triage``: memory of each process, time, and messages a second, as JSON.

    python tests/measure_triage.py big.mbox --jobs 2

Reads ``/proc``, so it needs Linux. What a killed process used is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PERIOD_S = 0.2
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
ITEMS = re.compile(r"^items: (\d+), rows: (\d+), errors: (\d+)$", re.M)


@dataclass(slots=True)
class Seen:
    """The most memory and the CPU time that each process of a tree had, by its id."""

    memory: dict[int, int] = field(default_factory=dict)
    cpu_s: dict[int, float] = field(default_factory=dict)
    together: int = 0

    def look(self, root: int) -> None:
        """Looks at a process and all below it."""
        together = 0
        for pid in tree(root):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
            except (OSError, IndexError):  # it has just ended
                continue
            together += resident
            self.memory[pid] = max(self.memory.get(pid, 0), resident)
            self.cpu_s[pid] = (int(fields[11]) + int(fields[12])) / TICKS
        self.together = max(self.together, together)


def tree(root: int) -> Iterator[int]:
    """A process and all below it."""
    yield root
    try:
        threads = list(Path(f"/proc/{root}/task").iterdir())
        children = [child for each in threads for child in (each / "children").read_text().split()]
    except OSError:
        return
    for child in children:
        yield from tree(int(child))


def measure(command: list[str]) -> tuple[Seen, float, str]:
    """Runs a command; what was seen of its processes, its seconds, and what it wrote.

    Raises:
        SystemExit: it failed.
    """
    seen, began = Seen(), time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out)
        while process.poll() is None:
            seen.look(process.pid)
            time.sleep(PERIOD_S)
        seconds = time.perf_counter() - began
        out.seek(0)
        text = out.read().decode()
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return seen, seconds, text


def told(seen: Seen, seconds: float, text: str, root_first: list[int]) -> dict[str, object]:
    """What a run came to."""
    counts = ITEMS.search(text)
    items, rows, errors = map(int, counts.groups()) if counts else (0, 0, 0)
    runner, *workers = [round(seen.memory[pid] / 1e6) for pid in root_first]
    cpu_s = sum(seen.cpu_s.values())
    return {
        "items": items,
        "rows": rows,
        "errors": errors,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_s, 1),
        "items_per_second": round(items / seconds, 1),
        "items_per_core_second": round(items / cpu_s, 1),
        "runner_peak_mb": runner,
        "worker_peak_mb": sorted(workers, reverse=True),
        "together_peak_mb": round(seen.together / 1e6),
        "load_average": os.getloadavg()[0],
    }


def main() -> None:
    """Runs the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, help="keep the results here")
    parser.add_argument("--report", type=Path, help="write the report too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = given.out or Path(folder) / "rows.parquet"
        report = ["--report", str(given.report)] if given.report else []
        ndr = str(Path(sys.executable).with_name("ndr"))
        command = [ndr, "triage", str(given.archive), "--out", str(out), "--jobs", str(given.jobs), *report]
        seen, seconds, text = measure(command)
    sys.stdout.write(json.dumps({"jobs": given.jobs, **told(seen, seconds, text, list(seen.memory))}) + "\n")


if __name__ == "__main__":
    main()
