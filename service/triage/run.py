"""Runs a job: plans it into a folder, works off the chunks that are not done, and outlives killed workers."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import joblib
import orjson

from service.errors import JobRefused, UnreadableArchive
from service.triage import addresses, parts, planning
from service.triage.addresses import name_of, shown
from service.triage.brake import Brake
from service.triage.folders import Folder
from service.triage.job_folders import JOB
from service.triage.nouns import Chunk, Done, Execute, Kind, Packing, Work
from service.triage.work import Bound, ChunkWork, Options
from service.version import VERSION

MOST_FAILURES = 5
"""How often workers may die without that a chunk gets done in between."""

AHEAD = 2
"""Chunks that wait for each worker."""

_CHUNKS = "chunks.ndjson"
_FORMAT = 2

_CHANGES = (
    ("format", "it was begun by another version"),
    ("version", "it was begun by another version"),
    ("archives", "the archives are others, or were changed"),
    ("options", "the options are others"),
    ("rules", "the rules are others"),
    ("model", "the classifier is another"),
    ("chunks", "the archives are others, or were changed"),
)


@dataclass(frozen=True, slots=True)
class Job:
    """Some archives and what becomes of them, in a folder of its own.

    Args:
        folder: has ``job.json``, the list of chunks and the part files.
        archives: paths or fsspec addresses.
        options: what decides on the rows.
        chunks: how many there are.
        names: what the archives are called in rows, by address.
        brake: stops the work on chunks that has begun.
    """

    folder: Folder
    archives: tuple[str, ...]
    options: Options
    chunks: int
    names: Mapping[str, str]
    brake: Brake | None = None

    @property
    def work(self) -> ChunkWork:
        """The work on a chunk."""
        return ChunkWork(self.folder, self.options, self.names, self.brake)

    def left(self) -> Iterator[Chunk]:
        """The chunks that are not done, in order."""
        done = {each.chunk for each in parts.finished(self.folder)}
        with self.folder.opened(_CHUNKS) as lines:
            for number, line in enumerate(lines):
                if number not in done:
                    yield self._chunk(orjson.loads(line))

    def _chunk(self, values: dict[str, Any]) -> Chunk:
        address = self.archives[values.pop("archive")]
        kind, packing = Kind(values.pop("kind")), Packing(values.pop("packing"))
        members = tuple(values.pop("members"))
        return Chunk(address=address, kind=kind, packing=packing, members=members, **values)


def prepare(folder: Folder, archives: Sequence[str], options: Options) -> Job:
    """Plans a job in a folder; one that was begun there goes on.

    Args:
        folder: made where it is not there.
        archives: paths or fsspec addresses; the order is that of the results.
        options: what decides on the rows.

    Raises:
        JobRefused: the folder has a job on other archives, or with other options, rules or classifier.
        OSError: an archive is not there, or the folder cannot be written.
    """
    folder.make(parts.PARTS)
    known = is_begun(folder)
    with folder.writing(_CHUNKS) as path:
        count, digest = _write_plan(path, archives, options)
        told = _told(archives, options, digest)
        if known:
            _check(folder, told)
    if not known:
        with folder.writing(JOB) as path:
            path.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    for below in ("", parts.PARTS):
        folder.sweep(below)
    return Job(folder, tuple(archives), options, count, names_of(archives))


def is_begun(folder: Folder) -> bool:
    """Whether a folder has a job.

    Raises:
        OSError: the folder cannot be reached.
    """
    return folder.exists(JOB)


def run(job: Job, execute: Execute, on_done: Callable[[Done], None]) -> tuple[Done, ...]:
    """Works off the chunks of a job that are not done.

    Where a worker is killed it starts again with what is left, as long as anything gets done.

    Args:
        job: what to do.
        execute: how; ``serially``, or what ``with_joblib`` gives.
        on_done: is told of each chunk that is done now, once and in any order.

    Returns:
        All chunks of the job, those that were done earlier too.

    Raises:
        JobRefused: workers died over and over.
        OSError: an archive cannot be reached, the folder not written, or parts of the results are missing.
    """
    told = {done.chunk for done in parts.finished(job.folder)}
    failures = 0
    while failures < MOST_FAILURES:
        before = len(told)
        try:
            _tell(execute(job.work, job.left()), told, on_done)
        except BrokenExecutor:
            _tell(parts.finished(job.folder), told, on_done)
            failures = 1 if len(told) > before else failures + 1
        else:
            return _whole(job)
    raise JobRefused(f"the workers died {MOST_FAILURES} times without getting anything done")


def serially(work: Work, chunks: Iterable[Chunk]) -> Iterator[Done]:
    """One chunk after the other, in this process."""
    return map(work, chunks)


def with_joblib(jobs: int) -> Execute:
    """Runs chunks in so many processes on this machine."""

    def execute(work: Work, chunks: Iterable[Chunk]) -> Iterator[Done]:
        bound = Bound(work, os.getpid())
        return _parallel(bound, chunks, n_jobs=jobs, backend="loky", pre_dispatch=AHEAD * jobs)

    return execute


def names_of(archives: Sequence[str]) -> dict[str, str]:
    """What archives are called in rows: their names, or their addresses where several have one name.

    >>> names_of(["in/a.mbox", "out/a.mbox", "in/b.mbox"])
    {'in/a.mbox': 'in/a.mbox', 'out/a.mbox': 'out/a.mbox', 'in/b.mbox': 'b.mbox'}
    """
    count = Counter(name_of(address) for address in dict.fromkeys(archives))
    return {
        address: name_of(address) if count[name_of(address)] == 1 else shown(address) for address in archives
    }


def _parallel(work: Work, chunks: Iterable[Chunk], **how: Any) -> Iterator[Done]:  # joblib's own
    """Runs chunks with joblib; nothing is started where there are none."""
    waiting = iter(chunks)
    first = next(waiting, None)
    if first is None:
        return
    with joblib.parallel_config(backend=how.pop("backend")):
        calls = joblib.Parallel(return_as="generator_unordered", batch_size=1, **how)
    yield from calls(joblib.delayed(work)(chunk) for chunk in chain((first,), waiting))


def _tell(found: Iterator[Done], told: set[int], on_done: Callable[[Done], None]) -> None:
    for done in found:
        if done.chunk not in told:
            told.add(done.chunk)
            on_done(done)


def _whole(job: Job) -> tuple[Done, ...]:
    """All chunks of a job whose work is over.

    Raises:
        FileNotFoundError: some were removed since, or written to another folder of the same name.
    """
    found = tuple(parts.finished(job.folder))
    if len(found) != job.chunks:
        raise FileNotFoundError("parts of the results are missing; every worker must see the job's folder")
    return found


def _write_plan(path: Path, archives: Sequence[str], options: Options) -> tuple[int, str]:
    """Writes the chunks, one a line and without addresses; how many, and their digest."""
    places = {address: place for place, address in enumerate(archives)}
    digest, count = hashlib.sha256(), 0
    chunks = planning.plan(
        dict.fromkeys(archives),
        kind=options.kind,
        chunk_bytes=options.chunk_bytes,
        schemes=options.schemes,
        limits=options.limits,
        column=options.column,
    )
    with path.open("wb") as lines:
        for chunk in chunks:
            values = asdict(chunk) | {"archive": places[chunk.address]}
            del values["address"]
            line = orjson.dumps(values) + b"\n"
            lines.write(line)
            digest.update(line)
            count += 1
    return count, digest.hexdigest()


def _told(archives: Sequence[str], options: Options, digest: str) -> dict[str, Any]:
    """What a job is of, as it stands in ``job.json``."""
    diagnoser = options.diagnoser()
    return {
        "format": _FORMAT,
        "version": VERSION,
        "archives": [_archive(address, options) for address in archives],
        "options": {
            "kind": options.kind,
            "column": options.column,
            "chunk_bytes": options.chunk_bytes,
            "limits": asdict(options.limits),
            "schemes": sorted(options.schemes),
        },
        "rules": diagnoser.rules_version,
        "model": diagnoser.model_version,
        "chunks": digest,
    }


def _archive(address: str, options: Options) -> dict[str, Any]:
    """What tells an archive from others; its address is shown without what may be secret in it."""
    try:
        known = addresses.stat(address, schemes=options.schemes)
    except UnreadableArchive:
        return {"address": shown(address), "size": None, "version": ""}
    return {"address": shown(address), "size": known.size, "version": known.version}


def _check(folder: Folder, told: dict[str, Any]) -> None:
    """Refuses to go on with a job that is of something else.

    Raises:
        JobRefused: it is.
    """
    try:
        known = orjson.loads(folder.read(JOB))
    except ValueError:
        known = None
    if not isinstance(known, dict):
        raise JobRefused("the folder has a job whose description is damaged")
    for key, reason in _CHANGES:
        if known.get(key) != told[key]:
            raise JobRefused(f"the job in the folder cannot go on: {reason}")
