"""Measures ``ndr triage`` on a Dask cluster of this machine, with one worker and with two, as JSON.

    python tests/measure_cluster.py archive.mbox --rounds 2

Each round has a fresh scheduler and fresh workers, one thread each; the time is that of the whole command.
"""

# ruff: noqa: T201  # a script that talks

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from distributed import Client

from tests.measure_triage import ITEMS

COUNTS = (1, 2)
READY_S = 60.0
ONE_THREAD = ("--nworkers", "1", "--nthreads", "1")


@contextmanager
def started(part: str, *arguments: str) -> Iterator[None]:
    """A part of a cluster as a process that ends with the block."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{part}", "--no-dashboard", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def cluster(workers: int, scratch: Path) -> Iterator[str]:
    """The address of a scheduler with so many workers, which are there."""
    address = f"tcp://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        host, _, port = address.removeprefix("tcp://").partition(":")
        stack.enter_context(started("scheduler", "--host", host, "--port", port))
        for number in range(workers):
            place = str(scratch / f"worker{number}")
            stack.enter_context(started("worker", address, *ONE_THREAD, "--local-directory", place))
        wait_for(address, workers)
        yield address


def wait_for(address: str, workers: int) -> None:
    """Waits until the workers have come.

    Raises:
        TimeoutError: they do not.
    """
    with Client(address, timeout=READY_S, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=READY_S)


def free_port() -> int:
    """A port of loopback that nobody has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def timed(archive: str, address: str, out: Path) -> tuple[float, tuple[str, ...]]:
    """The seconds that a triage takes, and its items, rows and errors.

    Raises:
        SystemExit: it failed.
    """
    command = [sys.executable, "-m", "service", "triage", archive, "--out", str(out), "--scheduler", address]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    found = ITEMS.search(done.stdout)
    if done.returncode or found is None:
        raise SystemExit(f"ndr triage ended with {done.returncode}: {done.stderr[-500:]}")
    return seconds, found.groups()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive")
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    seconds: dict[int, list[float]] = {count: [] for count in COUNTS}
    counted = set()
    with tempfile.TemporaryDirectory(prefix="ndr-") as scratch:
        for number in range(given.rounds):
            for count in COUNTS:
                out = Path(scratch, f"{number}.{count}.parquet")
                with cluster(count, Path(scratch, f"{number}.{count}")) as address:
                    took, told = timed(given.archive, address, out)
                seconds[count].append(round(took, 1))
                counted.add(told)
    if len(counted) != 1:
        raise SystemExit(f"the rows differ: {sorted(counted)}")
    one, two = (statistics.median(seconds[count]) for count in COUNTS)
    items, rows, errors = (int(each) for each in counted.pop())
    print(
        json.dumps(
            {
                "items": items,
                "rows": rows,
                "errors": errors,
                "cores": os.cpu_count(),
                "seconds_one": seconds[1],
                "seconds_two": seconds[2],
                "ratio": round(one / two, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
