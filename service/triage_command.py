"""Performs ``ndr triage``: from archives to results and a report, with an exit code that says how it went."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any, Self

import click

from service.clock import in_short, now
from service.errors import JobRefused, UnreadableArchive
from service.settings import Settings
from service.text_answer import printable
from service.triage import addresses, parts, results
from service.triage.addresses import shown
from service.triage.chunk_size import chunk_bytes_for
from service.triage.executors import executor
from service.triage.folders import Folder, folder_at
from service.triage.nouns import Chunk, Done, Execute, Kind, Work
from service.triage.report import About, versions_of, write_report
from service.triage.run import Job, is_begun, prepare, run
from service.triage.work import Options, make_room
from service.triage_progress import Progress, Sums

TOP = 10
INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for.

    Args:
        paths: of the archives, or their addresses.
        out: the results.
        report: the page that sums them up.
        jobs: processes; as many as there are cores where it is not said.
        scheduler: the address of a Dask scheduler; the setting's where neither it nor ``jobs`` is said.
        work: where the work is kept, a path or an fsspec address; beside the results until they are complete,
            where it is not said.
        resume: whether to go on with an earlier run.
        kind: what the paths are.
        column: of replies in tables.
        language: of the report.
        show_addresses: whether the report shows them in full.
    """

    paths: tuple[str, ...]
    out: Path
    report: Path | None = None
    jobs: int | None = None
    scheduler: str | None = None
    work: str | Path | None = None
    resume: bool = False
    kind: Kind = Kind.AUTO
    column: str | None = None
    language: str | None = None
    show_addresses: bool = False

    @property
    def folder(self) -> Folder:
        """Where the work is kept."""
        return folder_at(self.work or self.out.with_name(f"{self.out.name}.work"))


def perform(request: Request) -> int:
    """Triages some archives and tells of it; the answer is an exit code.

    Raises:
        UsageError: the results have no known form, or the folder has another job.
        JobRefused: the workers died over and over, or the cluster cannot be used.
        OSError: an archive is not there or cannot be reached, or something cannot be written.
        SettingError: a setting is wrong.
        NdrError: the rules or the classifier of a setting are.
    """
    settings = Settings.read(os.environ)
    archives = _checked(request)
    chunk_bytes = chunk_bytes_for(archives)
    options = Options(
        request.kind, request.column, settings.rules_dir, settings.model_dir, chunk_bytes=chunk_bytes
    )
    try:
        job = _prepared(request.folder, archives, options)
        with Interrupts() as interrupts:
            sums = _run(job, executor(request.jobs, _scheduler(request, settings)), interrupts)
        _finish(job, sums, request, request.language or settings.language)
    except KeyboardInterrupt:
        click.echo("\nndr: interrupted; the same command with --resume goes on", err=True)
        return INTERRUPTED
    if request.work is None:
        job.folder.remove_all()
    return os.EX_OK if sums.items > sums.errors else os.EX_DATAERR


def _scheduler(request: Request, settings: Settings) -> str:
    """The scheduler that was asked for; that of the settings, unless processes of this machine were."""
    return request.scheduler or ("" if request.jobs else settings.dask_scheduler)


def _checked(request: Request) -> tuple[str, ...]:
    """The archives, each once and a local one with its whole path.

    Raises:
        OSError: one is not there.
        UsageError: the results have no known form, or the folder has a job that nobody speaks of.
    """
    if request.out.suffix.lower() not in results.SUFFIXES:
        raise click.UsageError(f"--out: the name must end in {', '.join(results.SUFFIXES)}.")
    if is_begun(request.folder) and not request.resume:
        raise click.UsageError(
            f"{shown(request.folder.address)} has the work of an earlier run: say --resume, or remove it."
        )
    for path in request.paths:
        with suppress(UnreadableArchive):  # what is there and refused becomes a row
            addresses.stat(path)
    if not request.out.absolute().parent.is_dir():
        raise FileNotFoundError(f"{request.out.parent}: no such folder")
    return tuple(dict.fromkeys(_absolute(path) for path in request.paths))


def _absolute(path: str) -> str:
    return path if "://" in path else str(Path(path).absolute())


def _prepared(folder: Folder, archives: tuple[str, ...], options: Options) -> Job:
    try:
        return prepare(folder, archives, options)
    except JobRefused as refusal:
        raise click.UsageError(
            f"{refusal}. Remove {shown(folder.address)}, or name another with --work."
        ) from refusal


def _run(job: Job, execute: Execute, interrupts: Interrupts) -> Sums:
    """Runs a job and shows how far it is."""
    earlier = Sums()
    for done in parts.finished(job.folder):
        earlier.add(done)

    def begun(work: Work, chunks: Iterable[Chunk]) -> Iterator[Done]:
        interrupts.check()
        for done in execute(work, chunks):
            yield done
            interrupts.check()

    with Progress(job.chunks, earlier) as progress:
        run(job, begun, progress.add)
        return progress.sums


class Interrupts:
    """Remembers Ctrl-C, which also kills workers: their end must not hide it."""

    def __init__(self) -> None:
        self._came = False
        self._before: Any = None

    def __enter__(self) -> Self:
        """Begins to listen."""
        if current_thread() is main_thread():
            self._before = signal.signal(signal.SIGINT, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it; raises what was hidden."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        self.check()

    def check(self) -> None:
        """Stops what was interrupted.

        Raises:
            KeyboardInterrupt: it was.
        """
        if self._came:
            raise KeyboardInterrupt

    def _take(self, *_: object) -> None:
        self._came = True
        raise KeyboardInterrupt


def _finish(job: Job, sums: Sums, request: Request, language: str) -> None:
    """Writes the results and the report, and says what there was."""
    about = About(", ".join(map(shown, request.paths)), in_short(now()), versions_of(job.options.diagnoser()))
    make_room()
    results.write_rows(job.folder, request.out)
    if request.report:
        write_report(job.folder, request.report, language, show_addresses=request.show_addresses, about=about)
    click.echo("\n".join(_summary(sums, results.tally(job.folder))))
    if sums.items == sums.errors:
        click.echo("ndr: nothing in it could be read", err=True)


def _summary(sums: Sums, found: results.Tally) -> Iterator[str]:
    yield f"items: {sums.items}, rows: {found.rows}, errors: {sums.errors}"
    yield from _table("kind", found.kinds)
    yield from _table("category", found.categories)
    yield from _table("error", found.reasons)


def _table(title: str, counts: Counter[str]) -> Iterator[str]:
    if counts:
        yield f"\nby {title}:"
    for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:TOP]:
        yield f"{count:>10}  {printable(name)}"
