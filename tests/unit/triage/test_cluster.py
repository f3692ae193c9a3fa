"""A real Dask cluster gives the rows of one process, whoever is killed, and is refused where it cannot."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import orjson
import pyarrow.parquet as pq
import pytest

from service.errors import JobRefused
from service.triage import parts, run
from service.triage.executors import executor
from service.triage.folders import folder_at
from service.triage.nouns import Done, Execute
from service.triage.run import Job, prepare, serially
from service.triage.work import Options
from service.version import VERSION

pytest.importorskip("distributed", reason="a Dask cluster needs the extra cluster")

from service.triage.cluster import Errand, Release, with_dask

Process: TypeAlias = "subprocess.Popen[bytes]"
REPLIES = (
    "550 5.1.1 <user@example.com>: User unknown",
    "552 5.2.2 Mailbox full",
    "554 5.7.1 Relay access denied",
)
ITEMS = 1_200
OPTIONS = Options(chunk_bytes=1_500)
PATIENCE_S = 30.0
OTHER_PRODUCT = "import service.version\nservice.version.VERSION = '0.0.1'\n"
NO_PRODUCT = "import sys\nsys.modules['service'] = None\n"
STRICT = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
RULE = """
[[rule]]
id = "own.purple"
category = "mailbox_full"
permanence = "permanent"
text = 'purple'
strength = 0.9
source = "our own server"
examples = ["550 {word} purple"]
"""


@dataclass(frozen=True)
class Dask:
    """Starts schedulers and workers, each a process that ends with the stack."""

    stack: ExitStack
    folder: Path

    def scheduler(self, environment: dict[str, str] | None = None) -> tuple[str, Process]:
        port = free_port()
        process = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", str(port), environment=environment
        )
        while process.poll() is None and not answers(port):
            pass
        return f"tcp://127.0.0.1:{port}", process

    def worker(self, scheduler: str, first: str = "") -> Process:
        """A worker; ``first`` is Python that it runs before anything else."""
        customs = self.folder / f"first-{len(first)}"
        customs.mkdir(exist_ok=True)
        (customs / "sitecustomize.py").write_text(first)
        own = ("--nthreads", "1", "--nworkers", "1", "--no-nanny", "--host", "127.0.0.1")
        paths = os.pathsep.join(filter(None, (str(customs), os.environ.get("PYTHONPATH", ""))))
        return self._start("worker", scheduler, *own, environment={"PYTHONPATH": paths})

    def _start(self, what: str, *arguments: str, environment: dict[str, str] | None) -> Process:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", what, *arguments, "--no-dashboard"],
            cwd=self.folder,
            env={**os.environ, "DASK_TEMPORARY_DIRECTORY": str(self.folder), **(environment or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        time.sleep(0.05)
        return False
    return True


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ExitStack() as stack:
        yield Dask(stack, tmp_path_factory.mktemp("scheduler")).scheduler()[0]


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Dask]:
    folder = tmp_path / "dask"
    folder.mkdir()
    with ExitStack() as stack:
        yield Dask(stack, folder)


@pytest.fixture
def archive(tmp_path: Path) -> str:
    path = tmp_path / "a.ndjson"
    lines = (orjson.dumps({"id": f"r{n}", "text": f"{REPLIES[n % 3]} {n}"}) for n in range(ITEMS))
    path.write_bytes(b"\n".join(lines) + b"\n")
    return str(path)


@pytest.fixture
def job(tmp_path: Path, archive: str) -> Job:
    return prepare(folder_at(tmp_path / "job"), [archive], OPTIONS)


@pytest.fixture
def undisturbed(tmp_path: Path, archive: str) -> list[dict[str, Any]]:
    job = prepare(folder_at(tmp_path / "undisturbed"), [archive], OPTIONS)
    run.run(job, serially, ignored)
    return rows(job)


def rows(job: Job) -> list[dict[str, Any]]:
    return [row for done in parts.finished(job.folder) for row in pq.read_table(done.part).to_pylist()]


def ignored(_done: Done) -> None:
    pass


def killing(process: Process, told: list[int], after: int) -> Callable[[Done], None]:
    """Kills a process once so many chunks are done, and notes them."""

    def note(done: Done) -> None:
        told.append(done.chunk)
        if len(told) == after:
            process.kill()

    return note


@pytest.mark.parametrize("environment", [{}, STRICT], ids=["tried again by dask", "given up by dask"])
def test_a_killed_worker_loses_and_repeats_no_row(
    dask: Dask, job: Job, undisturbed: list[dict[str, Any]], environment: dict[str, str]
) -> None:
    scheduler, _ = dask.scheduler(environment)
    doomed, _ = dask.worker(scheduler), dask.worker(scheduler)
    told: list[int] = []

    run.run(job, with_dask(scheduler, patience_s=PATIENCE_S), killing(doomed, told, after=3))

    assert doomed.wait() == -signal.SIGKILL
    assert sorted(told) == list(range(job.chunks))
    assert rows(job) == undisturbed


def test_a_job_whose_workers_all_died_is_refused_and_goes_on_with_a_new_one(
    dask: Dask, scheduler: str, job: Job, tmp_path: Path, undisturbed: list[dict[str, Any]]
) -> None:
    told: list[int] = []
    doomed = dask.worker(scheduler)
    warm = prepare(folder_at(tmp_path / "warm"), job.archives, OPTIONS)
    run.run(warm, with_dask(scheduler, patience_s=PATIENCE_S), ignored)

    with pytest.raises(JobRefused, match="has no workers since 1 s"):
        run.run(job, with_dask(scheduler, patience_s=1), killing(doomed, told, after=2))
    dask.worker(scheduler)
    run.run(job, with_dask(scheduler, patience_s=PATIENCE_S), lambda done: told.append(done.chunk))

    assert sorted(told) == list(range(job.chunks))
    assert rows(job) == undisturbed


def test_a_scheduler_that_is_killed_ends_the_job(dask: Dask, job: Job) -> None:
    scheduler, process = dask.scheduler()
    dask.worker(scheduler)
    told: list[int] = []

    with pytest.raises(JobRefused, match="no Dask scheduler answers"):
        run.run(job, with_dask(scheduler, patience_s=3), killing(process, told, after=2))
    assert 2 <= len(told) < job.chunks


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (OTHER_PRODUCT, f"a worker of the cluster has ndr-triage 0.0.1, not {VERSION}"),
        (NO_PRODUCT, f"the worker tcp://.* has no ndr-triage {VERSION}: no service"),
    ],
    ids=["another product", "no product"],
)
def test_a_worker_without_this_product_is_refused(
    dask: Dask, scheduler: str, job: Job, first: str, reason: str
) -> None:
    dask.worker(scheduler, first)

    with pytest.raises(JobRefused, match=reason):
        run.run(job, with_dask(scheduler, patience_s=PATIENCE_S), ignored)
    assert list(parts.files(job.folder)) == []


def test_a_worker_with_other_rules_is_refused(
    dask: Dask, scheduler: str, archive: str, tmp_path: Path
) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "own.toml").write_text(RULE.format(word="Deep"))
    options = replace(OPTIONS, rules_dir=folder)
    job = prepare(folder_at(tmp_path / "job"), [archive], options)
    (folder / "own.toml").write_text(RULE.replace("0.9", "0.8").format(word="Deep"))
    dask.worker(scheduler)

    with pytest.raises(JobRefused, match="a worker of the cluster has other rules"):
        run.run(job, with_dask(scheduler, patience_s=PATIENCE_S), ignored)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"product": "0.0.1"}, f"has ndr-triage {VERSION}, not 0.0.1"),
        ({"rules": "others"}, "has other rules: .*, not others"),
        ({"model": "another"}, "has another classifier: .*, not another"),
        ({"model": None}, "has another classifier: .*, not None"),
    ],
)
def test_an_errand_wants_the_release_of_the_runner(job: Job, change: dict[str, str], reason: str) -> None:
    (chunk, *_) = job.left()
    errand = Errand(job.work, chunk, OPTIONS, replace(Release.here(OPTIONS), **change))

    with pytest.raises(JobRefused, match=reason):
        errand()


def test_a_worker_that_cannot_load_the_rules_says_so(job: Job, tmp_path: Path) -> None:
    (chunk, *_) = job.left()
    (tmp_path / "own.toml").write_text("nonsense")
    errand = Errand(job.work, chunk, Options(rules_dir=tmp_path), Release.here(OPTIONS))

    with pytest.raises(JobRefused, match="cannot load the rules or the classifier"):
        errand()


def test_what_dask_may_log_shows_no_address(job: Job) -> None:
    (chunk, *_) = job.left()

    assert repr(Errand(job.work, chunk, OPTIONS, Release.here(OPTIONS))) == "Errand(chunk 0)"


def test_an_archive_that_the_workers_do_not_see_is_an_error_of_its_own(
    dask: Dask, scheduler: str, job: Job
) -> None:
    Path(job.archives[0]).unlink()
    dask.worker(scheduler)

    with pytest.raises(FileNotFoundError):
        run.run(job, with_dask(scheduler, patience_s=PATIENCE_S), ignored)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("tcp://127.0.0.1:1", "no Dask scheduler answers at tcp://127.0.0.1:1"),
        (
            "http://user:word@127.0.0.1:1",
            "http://127.0.0.1:1 is no Dask scheduler: it must begin with tcp, tls",
        ),
        ("tcp://127.0.0.1:none", "no Dask scheduler answers"),
    ],
)
def test_an_address_without_a_scheduler_is_refused(job: Job, address: str, reason: str) -> None:
    with pytest.raises(JobRefused, match=reason):
        run.run(job, executor(None, address, patience_s=0.5), ignored)


def test_a_scheduler_without_workers_is_refused(scheduler: str, job: Job) -> None:
    with pytest.raises(JobRefused, match=f"the Dask scheduler at {scheduler} has no workers since 1 s"):
        run.run(job, with_dask(scheduler, patience_s=1), ignored)


@pytest.mark.parametrize("execute", [with_dask("tcp://127.0.0.1:1"), executor(1), executor(2)])
def test_nothing_to_do_starts_nothing(execute: Execute, job: Job) -> None:
    assert list(execute(job.work, [])) == []


def test_one_process_is_this_one() -> None:
    assert executor(1) is serially
