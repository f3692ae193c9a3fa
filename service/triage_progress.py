"""Shows how far a triage is: a live bar on a terminal, a line every 10 seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from service.triage.nouns import Done

EVERY_S = 10.0


@dataclass(slots=True)
class Sums:
    """What was done so far: chunks, items, rows, errors, and bytes read."""

    chunks: int = 0
    items: int = 0
    rows: int = 0
    errors: int = 0
    size: int = 0

    def add(self, done: Done) -> None:
        """Counts a chunk."""
        self.chunks += 1
        self.items += done.items
        self.rows += done.rows
        self.errors += done.errors
        self.size += done.size


class Progress:
    """Takes chunks as they are done and tells of them on standard error.

    Args:
        chunks: how many there are.
        earlier: what an earlier run did.
        clock: seconds that only grow.
    """

    def __init__(self, chunks: int, earlier: Sums, clock: Callable[[], float] = time.monotonic) -> None:
        self.sums = earlier
        self._chunks = chunks
        self._clock = clock
        self._began = self._shown = clock()
        self._before = Sums(earlier.chunks, earlier.items, earlier.rows, earlier.errors, earlier.size)
        self._bar = _bar() if sys.stderr.isatty() else None
        self._task = self._bar.add_task("", total=chunks, told="", completed=0) if self._bar else None

    def __enter__(self) -> Self:
        """Begins to show."""
        if self._bar:
            self._bar.start()
            self._update()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends it."""
        if self._bar:
            self._bar.stop()

    def add(self, done: Done) -> None:
        """Counts a chunk that is done."""
        self.sums.add(done)
        if self._bar:
            self._update()
        elif self._clock() - self._shown >= EVERY_S:
            self._shown = self._clock()
            click.echo(self.line(), err=True)

    def line(self) -> str:
        """How far it is, in one line."""
        share = self.sums.chunks / max(1, self._chunks)
        return f"{share:4.0%}  {self._told()}, {_duration(self._left_s())} left"

    def _told(self) -> str:
        sums = self.sums
        spent = max(0.001, self._clock() - self._began)
        rate = (sums.rows - self._before.rows) / spent
        return f"{_size(sums.size)}, {sums.items} items, {rate:.0f} rows/s"

    def _left_s(self) -> float:
        done = self.sums.chunks - self._before.chunks
        return (self._clock() - self._began) / max(1, done) * (self._chunks - self.sums.chunks)

    def _update(self) -> None:
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=self.sums.chunks, told=self._told())


def _bar() -> Bar:
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[told]}", markup=False))
    return Bar(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True))


def _size(count: int) -> str:
    """A count of bytes for people.

    >>> _size(900), _size(8 << 20), _size(3 << 30)
    ('0.0 MB', '8.4 MB', '3221.2 MB')
    """
    return f"{count / 1e6:.1f} MB"


def _duration(seconds: float) -> str:
    """Some seconds for people.

    >>> _duration(75), _duration(4000)
    ('1:15', '1:06:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
