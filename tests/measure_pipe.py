"""Measures how long ``ndr pipe`` takes for one mail, and how much of that is Python's own start, as JSON.

    ndr serve &
    python tests/measure_pipe.py --runs 50

The service must run where ``ndr pipe`` looks for it: ``NDR_URL``, or port 8080 of this machine.
"""

# ruff: noqa: T201  # a script that talks

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

NDR = Path(sys.executable).with_name("ndr")
MAIL = Path(__file__).parent / "samples" / "cases" / "exchange-internal-auth" / "ndr.eml"
WARM_UP = 5


def timed(command: Sequence[str | Path], mail: bytes, runs: int) -> list[float]:
    """The milliseconds of each run of a command that is given a mail.

    Raises:
        CalledProcessError: a run failed.
    """
    taken = []
    for _ in range(runs + WARM_UP):
        began = time.perf_counter()
        subprocess.run(command, input=mail, stdout=subprocess.DEVNULL, check=True)
        taken.append((time.perf_counter() - began) * 1000)
    return taken[WARM_UP:]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--mail", type=Path, default=MAIL)
    given = parser.parse_args()
    mail = given.mail.read_bytes()
    pipe = timed([NDR, "pipe"], mail, given.runs)
    bare = timed([sys.executable, "-c", ""], mail, given.runs)
    print(
        json.dumps(
            {
                "runs": given.runs,
                "median_ms": round(statistics.median(pipe), 1),
                "p95_ms": round(statistics.quantiles(pipe, n=20)[-1], 1),
                "python_alone_median_ms": round(statistics.median(bare), 1),
            }
        )
    )


if __name__ == "__main__":
    main()
