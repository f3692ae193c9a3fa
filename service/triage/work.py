"""Does the work on one chunk in whatever process it is called: reads, diagnoses and stores its rows."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import current_thread, main_thread

from model.types import Form
from service.orphan import when_orphaned
from service.triage import parts, reading, rows
from service.triage.addresses import SCHEMES
from service.triage.brake import Brake, Stopped
from service.triage.folders import Folder
from service.triage.frugal import Seen, forget, frugal_diagnoser, give_back
from service.triage.guards import Limits
from service.triage.nouns import Chunk, Done, Item, Kind, Row, Work
from service.triage.planning import CHUNK_BYTES
from service.wiring import Diagnoser

TIDY_ITEMS = 500
"""After how many items of a chunk, and after each chunk, this process is made small."""


@dataclass(frozen=True, slots=True)
class Options:
    """What decides which rows an archive gives.

    Args:
        kind: what the archives are; ``auto`` looks.
        column: the column of replies in tables, by name or by number from 1.
        rules_dir: a folder of the user's own rules.
        model_dir: a folder with a classifier in place of the shipped one.
        chunk_bytes: about how large a chunk is.
        schemes: of addresses that are allowed.
        limits: what an archive may hold.
    """

    kind: Kind = Kind.AUTO
    column: str | None = None
    rules_dir: Path | None = None
    model_dir: Path | None = None
    chunk_bytes: int = CHUNK_BYTES
    schemes: frozenset[str] = SCHEMES
    limits: Limits = field(default_factory=Limits)

    def diagnoser(self) -> Diagnoser:
        """The diagnoser with these rules, one for each process.

        Raises:
            RuleError: one of the user's own rules is wrong.
            DataError: the classifier is damaged.
        """
        return _diagnoser(self.rules_dir, self.model_dir)


@dataclass(slots=True)
class _Count:
    items: int = 0
    errors: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class ChunkWork:
    """The work on a chunk; it can be pickled, and be done again.

    Args:
        folder: of the job; every process must see the same there.
        options: what decides on the rows.
        names: what the archives are called in rows, by address.
        brake: stops the work before its end.
    """

    folder: Folder
    options: Options
    names: Mapping[str, str]
    brake: Brake | None = None

    def __call__(self, chunk: Chunk) -> Done:
        """Reads, diagnoses and stores one chunk, unless it is stopped; an item that fails is a row.

        Raises:
            OSError: the archive cannot be reached, or the part file not written; to try again may help.
        """
        began, count = time.perf_counter(), _Count()
        try:
            written = parts.write(self.folder, chunk.number, self._rows(chunk, count))
        except Stopped:
            return Done(chunk.number, "", items=0, rows=0, errors=0, size=0, seconds=0.0, is_whole=False)
        done = Done(
            chunk=chunk.number,
            part=self.folder.address_of(parts.part_of(chunk.number)),
            items=count.items,
            rows=written,
            errors=count.errors,
            size=count.size if chunk.end is None else chunk.end - chunk.start,
            seconds=round(time.perf_counter() - began, 3),
        )
        parts.finish(self.folder, done)
        _tidy(count.items % TIDY_ITEMS)
        return done

    def _rows(self, chunk: Chunk, count: _Count) -> Iterator[Row]:
        options, archive = self.options, self.names[chunk.address]
        items = reading.items(
            chunk,
            schemes=options.schemes,
            limits=options.limits,
            column=options.column,
            called=archive,
            brake=self.brake,
        )
        for item in items:
            found = rows_of(options.diagnoser(), archive, item)
            count.items += 1
            count.errors += found[0].error is not None
            count.size += len(item.raw)
            yield from found
            if count.items % TIDY_ITEMS == 0:
                _tidy(TIDY_ITEMS)


@dataclass(frozen=True, slots=True)
class Bound:
    """Work in a process that ends when the one that started it was killed.

    Args:
        work: what to do.
        runner: the id of the process that started this one.
    """

    work: Work
    runner: int

    def __call__(self, chunk: Chunk) -> Done:
        """Does the work on a chunk."""
        _end_with(self.runner)
        return self.work(chunk)


@cache
def _end_with(runner: int) -> None:
    """Watches, from now on, whether this process became an orphan; Ctrl-C is for the one that started it."""
    when_orphaned(runner, lambda: os._exit(os.EX_UNAVAILABLE))
    if current_thread() is main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def rows_of(diagnoser: Diagnoser, archive: str, item: Item) -> tuple[Row, ...]:
    """The rows of an item; whatever goes wrong is a row that names the kind of error, and no text.

    Args:
        diagnoser: says what it means.
        archive: its name.
        item: what was read.
    """
    if item.error is not None:
        return (rows.failed(archive, item.id, item.error),)
    try:
        return rows.rows_of(archive, item.id, diagnoser.diagnose(item.raw, form=Form(item.form)))
    except Exception as error:  # noqa: BLE001  # one item in a million must not stop the rest
        return (rows.failed(archive, item.id, type(error).__name__),)


_SEEN = Seen()


def _tidy(items: int) -> None:
    """Keeps this process small after so many items more."""
    if _SEEN.is_enough_with(items):
        _forget()
    give_back()


def make_room() -> None:
    """Drops what work in this process has left, so that a report that follows has room for its own."""
    if _SEEN.taken():
        _forget()
        give_back()


def _forget() -> None:
    _diagnoser.cache_clear()
    forget()


@cache
def _diagnoser(rules_dir: Path | None, model_dir: Path | None) -> Diagnoser:
    return frugal_diagnoser(rules_dir, model_dir)
