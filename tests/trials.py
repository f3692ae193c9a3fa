"""Kills workers, runners and whole services with SIGKILL while archives are triaged; no row may differ.

    python tests/trials.py --trials 50 --store sqlite --messages 20000 [--kinds worker,runner] [--seed 1]

An undisturbed run says which rows are right. Each trial hands in the same archive, kills at random moments,
starts again what was killed, waits for success and compares every row. It ends with 1 where one differs.
"""

# ruff: noqa: S311, T201  # repeatable on purpose, and a script that talks

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from service.errors import StoreUnavailable
from service.triage.job_folders import job_folder
from service.triage.order_store import SqlOrderStore
from service.triage.orders import Order, State, Wish
from service.triage.results import rows_as_ndjson

TESTS = Path(__file__).parent
BYTES_EACH = 5_000
PATIENCE_S = 600.0
MOST_KILLS = 3
MOST_TRIES = 5
"""So often a trial is made again that was over before anything was killed."""

LEASE_S = 3
RUNNER = (sys.executable, "-c", "from service.runner_cli import runner; runner()", "--lease", str(LEASE_S))
SERVE = (sys.executable, "-m", "service", "serve", "--with-runner")
STAND_IN = """
import os, sys
from service import logs
from service.runner_keeper import Keeper
from service.server import run
from service.settings import Settings
settings = Settings.read(os.environ)
logs.configure(settings.log_level)
with Keeper([*sys.argv[1:], "--parent", str(os.getpid())]):
    run(settings)
"""
KINDS = ("worker", "runner", "service", "master")
"""What is killed: a process of a runner, a runner, all of a service with one, or only its first process."""


@dataclass
class Group:
    """Some processes that were started together, and are started again when they are killed.

    Args:
        command: of the first of them.
        environment: theirs.
        log: where their words go.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as words:
            self.process = subprocess.Popen(
                self.command, env=self.environment, stdout=words, stderr=words, start_new_session=True
            )

    def kill(self, kind: str, dice: random.Random) -> bool:
        """Kills some of it; whether there was something to kill."""
        if kind == "worker":
            workers = [each for each in children_of(self.process.pid) if is_worker(each)]
            return bool(workers) and kill(dice.choice(workers))
        if kind == "service":
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait()
        return True

    def end(self) -> None:
        """Kills what is left of it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@dataclass(frozen=True)
class Outcome:
    """The rows of a run: how many, and their digest."""

    rows: int
    digest: str


@dataclass(frozen=True)
class Ended:
    """How a trial ended: what to tell of it, how often something was killed, and how long the work took."""

    told: str
    kills: int
    worked_s: float
    is_right: bool


@dataclass(frozen=True)
class Bench:
    """Where trials happen.

    Args:
        folder: with everything that they write.
        archive: what is triaged.
        place: of the store of orders.
        dice: decides on victims and moments.
    """

    folder: Path
    archive: Path
    place: str | Path
    dice: random.Random

    @property
    def root(self) -> str:
        return str(self.folder / "archives")

    @property
    def store(self) -> SqlOrderStore:
        return SqlOrderStore(self.place)

    def started(self, kind: str) -> Group:
        """The runner, or the service with one, that a trial of a kind needs."""
        command = RUNNER if kind in ("worker", "runner") else service_command()
        return Group(command, self._environment(), self.folder / f"{kind}.log")

    def order(self) -> str:
        """Hands in the archive."""
        return self.store.add(Wish(uuid4().hex, (str(self.archive),), "trial"))[0].wish.id

    def outcome(self, order_id: str) -> Outcome:
        """The rows of a job that succeeded, in order."""
        digest, count = hashlib.sha256(), 0
        for block in rows_as_ndjson(job_folder(self.root, order_id)):
            digest.update(block)
            count += block.count(b"\n")
        return Outcome(count, digest.hexdigest())

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NDR_")}
        url = self.place if isinstance(self.place, str) else ""
        return kept | {
            "NDR_DATA_DIR": str(self.folder / "data"),
            "NDR_DATABASE_URL": url,
            "NDR_ARCHIVE_DIR": self.root,
            "NDR_TRIAGE_JOBS": "2",
            "NDR_PORT": "0",
            "NDR_WORKERS": "1",
        }


def main() -> int:
    """Runs the script."""
    given = arguments()
    dice = random.Random(given.seed)
    kills = bad = 0
    with ExitStack() as stack:
        bench = stack.enter_context(prepared(given, dice))
        expected, seconds = undisturbed(bench)
        print(f"undisturbed: {expected.rows} rows in {seconds:.1f} s, {expected.digest[:16]}", flush=True)
        for number in range(1, given.trials + 1):
            kind = given.kinds[(number - 1) % len(given.kinds)]
            for _ in range(MOST_TRIES):
                ended = trial(bench, kind, expected, seconds)
                seconds = min(seconds, ended.worked_s)
                if ended.kills or not ended.is_right:
                    break
            kills, bad = kills + ended.kills, bad + (not ended.is_right)
            print(f"{number:4} {given.store:10} {kind:8} {ended.told}", flush=True)
        print(
            f"{given.trials} trials on {given.store}, seed {given.seed}: {kills} kills, {bad} differ",
            flush=True,
        )
        if bad:
            stack.callback(print, f"what they left: {keep(bench.folder)}")
    return min(bad, 1)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"of {', '.join(KINDS)}")
    given = parser.parse_args()
    given.kinds = given.kinds.split(",")
    for name in set(given.kinds) - set(KINDS):
        parser.error(f"--kinds: {name} is none of {', '.join(KINDS)}")
    return given


@contextmanager
def prepared(given: argparse.Namespace, dice: random.Random) -> Iterator[Bench]:
    """A scratch folder with an archive, and an empty store."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ndr-trials-")))
        archive = folder / "archive.mbox"
        size = str(given.messages * BYTES_EACH)
        options = ("--messages", str(given.messages), "--size", size, "--seed", str(given.seed))
        command = [sys.executable, str(TESTS / "big_archive.py"), "--out", str(archive), *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        place: str | Path = folder / "data"
        if given.store == "postgresql":
            import postgresql  # beside this script

            place = stack.enter_context(postgresql.server()).new_database()
        yield Bench(folder, archive, place, dice)


def undisturbed(bench: Bench) -> tuple[Outcome, float]:
    """What comes out where nobody is killed, and after how long a work."""
    group = bench.started("runner")
    try:
        order = awaited(bench, bench.order())
    finally:
        group.end()
    if order.state is not State.SUCCEEDED:
        raise SystemExit(f"the undisturbed run {order.state}: {order.reason}")
    return bench.outcome(order.wish.id), order.standing.worked_s


def trial(bench: Bench, kind: str, expected: Outcome, seconds: float) -> Ended:
    """One run with kills."""
    began, group = time.monotonic(), bench.started(kind)
    try:
        order_id = bench.order()
        killed = disturb(bench, group, kind, order_id, seconds)
        order = awaited(bench, order_id)
        took = time.monotonic() - began
    finally:
        group.end()
    told = f"killed at {', '.join(killed) or 'no moment'}, {took:.1f} s, {order.state}"
    if order.state is not State.SUCCEEDED:
        return Ended(f"{told}: {order.reason}", len(killed), order.standing.worked_s, is_right=False)
    found = bench.outcome(order_id)
    is_right = found == expected and order.standing.rows == expected.rows
    if is_right:
        shutil.rmtree(Path(bench.root, order_id))
    told = f"{told}, {found.rows} rows, {'the same' if is_right else 'NOT THE SAME'}"
    return Ended(told, len(killed), order.standing.worked_s, is_right=is_right)


def disturb(bench: Bench, group: Group, kind: str, order_id: str, seconds: float) -> list[str]:
    """Kills at some random moments before the order ends, and starts again what was killed; tells when."""
    while state(bench, order_id) is State.QUEUED:
        time.sleep(0.02)
    began, moments = time.monotonic(), []
    for _ in range(bench.dice.randint(1, MOST_KILLS)):
        time.sleep(bench.dice.uniform(0, seconds))
        while not (before := state(bench, order_id)).is_end:
            if group.kill(kind, bench.dice):
                moments.append(f"{time.monotonic() - began:.2f} ({before})")
                break
            time.sleep(0.05)
        if before.is_end:
            break
        if kind != "worker":
            time.sleep(bench.dice.uniform(0, 1))
            group.start()
    return moments


def awaited(bench: Bench, order_id: str) -> Order:
    """The order when it has ended."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if state(bench, order_id).is_end:
            return bench.store.get(order_id)
        time.sleep(0.05)
    raise SystemExit(f"the order did not end within {PATIENCE_S:.0f} s")


def state(bench: Bench, order_id: str) -> State:
    """How an order stands; where the store cannot be read for a moment, as if it ran."""
    try:
        return bench.store.get(order_id).state
    except StoreUnavailable:
        return State.RUNNING


def service_command() -> tuple[str, ...]:
    """The service with a runner, or the same put together here where the command has no such option."""
    told = subprocess.run([*SERVE, "--help"], capture_output=True, timeout=60)
    return SERVE if told.returncode == 0 else (sys.executable, "-c", STAND_IN, *RUNNER)


def children_of(process: int) -> list[int]:
    """The processes that one started and that live."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(place.read_text().rpartition(")")[2].split()[1]) == process:
                found.append(int(place.parent.name))
    return found


def is_worker(process: int) -> bool:
    """Whether a process works on chunks."""
    with suppress(OSError):
        return b"popen_loky" in Path(f"/proc/{process}/cmdline").read_bytes()
    return False


def kill(process: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
        return True
    return False


def keep(folder: Path) -> Path:
    """Saves what trials left from being removed."""
    kept = folder.with_name(f"{folder.name}-kept")
    shutil.copytree(folder, kept)
    return kept


if __name__ == "__main__":
    sys.exit(main())
