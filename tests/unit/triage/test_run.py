"""A job gives the same rows however it is run, killed and gone on with, and goes on with nothing else."""

import os
import pickle
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from model.types import Diagnosis, Form
from service.errors import JobRefused
from service.triage import parts, run
from service.triage.folders import folder_at
from service.triage.nouns import Chunk, Done, Execute, Item, Kind, Work
from service.triage.run import MOST_FAILURES, Job, prepare, serially, with_joblib
from service.triage.work import Options, rows_of
from service.wiring import Core

REPLIES = (
    "550 5.1.1 <user@example.com>: User unknown",
    "552 5.2.2 Mailbox full",
    "451 4.7.1 Greylisting in action, please come back later",
    "554 5.7.1 Relay access denied",
)
OPTIONS = Options(chunk_bytes=600)


@pytest.fixture
def archive(tmp_path: Path) -> str:
    path = tmp_path / "a.ndjson"
    lines = [orjson.dumps({"id": f"r{n}", "text": REPLIES[n % 4]}) for n in range(40)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return str(path)


@pytest.fixture
def job(tmp_path: Path, archive: str) -> Job:
    return prepare(folder_at(tmp_path / "job"), [archive], OPTIONS)


def rows(job: Job) -> list[dict[str, Any]]:
    return [row for done in parts.finished(job.folder) for row in pq.read_table(done.part).to_pylist()]


@pytest.fixture
def undisturbed(tmp_path: Path, archive: str) -> list[dict[str, Any]]:
    job = prepare(folder_at(tmp_path / "undisturbed"), [archive], OPTIONS)
    run.run(job, serially, ignored)
    return rows(job)


def ignored(_done: Done) -> None:
    pass


@dataclass
class Dying:
    """Runs some chunks, then its workers are killed, as often as it is told."""

    chunks: int
    times: int

    def __call__(self, work: Work, chunks: Iterable[Chunk]) -> Iterator[Done]:
        for count, chunk in enumerate(chunks):
            if count == self.chunks and self.times:
                self.times -= 1
                raise BrokenExecutor
            yield work(chunk)


@dataclass
class Killing:
    """Work that kills its process the first time."""

    work: Work
    mark: Path

    def __call__(self, chunk: Chunk) -> Done:
        if chunk.number == 2 and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.work(chunk)


class Picky:
    """A diagnoser that fails at some items."""

    rules_version = "1"
    model_version = None

    def diagnose(self, raw: bytes, *, form: Form = Form.AUTO, language: str = "en") -> Diagnosis:
        if raw.startswith(b"secret"):
            raise RecursionError("secret words")
        return Core(OPTIONS.diagnoser().diagnoser).diagnose(raw, form=form, language=language)  # type: ignore[attr-defined]


def test_every_reply_of_the_archive_is_a_row(undisturbed: list[dict[str, Any]]) -> None:
    assert [row["item"] for row in undisturbed] == [f"r{n}" for n in range(40)]
    assert {row["archive"] for row in undisturbed} == {"a.ndjson"}
    assert undisturbed[1]["category"] == "mailbox_full"


def test_a_job_tells_of_each_chunk_once_and_a_finished_one_of_none(job: Job) -> None:
    told: list[Done] = []
    run.run(job, serially, told.append)
    run.run(job, serially, told.append)

    assert [done.chunk for done in told] == list(range(job.chunks))
    assert sum(done.size for done in told) == Path(job.archives[0]).stat().st_size
    assert list(job.left()) == []


@pytest.mark.parametrize(("chunks", "times"), [(0, 1), (0, MOST_FAILURES - 1), (1, 3), (2, 1)])
def test_killed_workers_lose_and_repeat_no_row(
    job: Job, undisturbed: list[dict[str, Any]], chunks: int, times: int
) -> None:
    told: list[Done] = []
    run.run(job, Dying(chunks, times), told.append)

    assert rows(job) == undisturbed
    assert sorted(done.chunk for done in told) == list(range(job.chunks))


def test_workers_that_die_without_progress_end_the_job(job: Job) -> None:
    with pytest.raises(JobRefused, match="died 5 times"):
        run.run(job, Dying(0, MOST_FAILURES), ignored)


def test_a_part_that_is_not_there_at_the_end_is_no_success(job: Job) -> None:
    def elsewhere(work: Work, chunks: Iterable[Chunk]) -> Iterator[Done]:
        for done in serially(work, chunks):
            job.folder.remove(parts.part_of(done.chunk))
            yield done

    with pytest.raises(FileNotFoundError, match="parts of the results are missing"):
        run.run(job, elsewhere, ignored)


def test_a_job_that_stopped_goes_on_where_it_was(
    job: Job, archive: str, undisturbed: list[dict[str, Any]]
) -> None:
    def stopping(done: Done) -> None:
        if done.chunk == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.run(job, serially, stopping)
    told: list[Done] = []
    run.run(prepare(job.folder, [archive], OPTIONS), serially, told.append)

    assert [done.chunk for done in told] == list(range(2, job.chunks))
    assert rows(job) == undisturbed


def test_processes_give_the_same_rows_even_where_one_is_killed(
    job: Job, tmp_path: Path, undisturbed: list[dict[str, Any]]
) -> None:
    def execute(work: Work, chunks: Iterable[Chunk]) -> Iterator[Done]:
        return with_joblib(2)(Killing(work, tmp_path / "killed"), chunks)

    run.run(job, execute, ignored)

    assert (tmp_path / "killed").exists()
    assert rows(job) == undisturbed


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (replace(OPTIONS, chunk_bytes=700), "the options are others"),
        (replace(OPTIONS, kind=Kind.MESSAGES), "the options are others"),
        (replace(OPTIONS, column="reply"), "the options are others"),
    ],
)
def test_other_options_are_refused(job: Job, options: Options, reason: str) -> None:
    with pytest.raises(JobRefused, match=reason):
        prepare(job.folder, job.archives, options)


def test_another_or_a_changed_archive_is_refused(job: Job, archive: str, tmp_path: Path) -> None:
    other = tmp_path / "b.ndjson"
    other.write_bytes(Path(archive).read_bytes())
    with pytest.raises(JobRefused, match="the archives are others"):
        prepare(job.folder, [str(other)], OPTIONS)

    with Path(archive).open("ab") as file:
        file.write(b'{"text": "550 no"}\n')
    with pytest.raises(JobRefused, match="the archives are others, or were changed"):
        prepare(job.folder, [archive], OPTIONS)


@pytest.mark.parametrize(
    ("key", "reason"), [("rules", "the rules"), ("model", "the classifier"), ("version", "another version")]
)
def test_other_rules_and_classifiers_are_refused(job: Job, key: str, reason: str) -> None:
    path = Path(job.folder.address_of("job.json"))
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | {key: "another"}))

    with pytest.raises(JobRefused, match=reason):
        prepare(job.folder, job.archives, OPTIONS)


def test_a_refused_job_keeps_its_plan(job: Job) -> None:
    before = job.folder.read("chunks.ndjson")
    with pytest.raises(JobRefused):
        prepare(job.folder, job.archives, replace(OPTIONS, chunk_bytes=300))

    assert job.folder.read("chunks.ndjson") == before


def test_a_damaged_description_is_refused(job: Job) -> None:
    Path(job.folder.address_of("job.json")).write_bytes(b"{")

    with pytest.raises(JobRefused, match="damaged"):
        prepare(job.folder, job.archives, OPTIONS)


def test_no_secret_of_an_address_is_written_down(tmp_path: Path) -> None:
    options = replace(OPTIONS, schemes=frozenset({"file"}))
    prepare(folder_at(tmp_path / "job"), ["https://user:word@example.com/a.mbox?sig=key"], options)

    written = b"".join(path.read_bytes() for path in (tmp_path / "job").iterdir() if path.is_file())
    assert b"https://example.com/a.mbox" in written
    assert b"word" not in written
    assert b"sig" not in written


def test_the_work_can_be_pickled(job: Job) -> None:
    assert pickle.loads(pickle.dumps(job.work)) == job.work  # noqa: S301  # our own


@pytest.mark.parametrize(
    ("item", "error"),
    [
        (Item("1", b"secret"), "RecursionError"),
        (Item("1", b""), "EmptyEvidence"),
        (Item("1", b"x", form="none"), "ValueError"),
        (Item("1", b"", error="it is cut off"), "it is cut off"),
        (Item("1", b"550 no such user"), None),
    ],
)
def test_an_item_that_fails_is_a_row_without_its_text(item: Item, error: str | None) -> None:
    (row,) = rows_of(Picky(), "a", item)  # type: ignore[arg-type]

    assert row.error == error


@pytest.mark.parametrize("execute", [serially, with_joblib(2)])
def test_nothing_to_do_starts_nothing(execute: Execute, job: Job) -> None:
    assert list(execute(job.work, [])) == []
