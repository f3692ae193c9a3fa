"""Counts names and moments of any number of rows in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from itertools import accumulate

MAX_NAMES = 2_000
"""So many names of a tally outlive a pruning; up to twice as many are held."""

MAX_NAME_CHARS = 255
MAX_HASHES = 20_000
MAX_MOMENTS = 5_000
MAX_COLUMNS = 96
MAX_SHARE_OUTSIDE = 0.01
"""So many of the dated rows may lie outside the time that is shown, for clocks are wrong."""


@dataclass(frozen=True, slots=True)
class Named:
    """A name and how many rows have it."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """The commonest names; ``top``, ``others`` and ``missing`` add up to the rows that were counted.

    Args:
        top: the commonest, the biggest first.
        others: the rows of all other names.
        missing: the rows without a name.
        uncertainty: by how much any count of ``top`` may be too low, because there were too many names.
    """

    top: tuple[Named, ...] = ()
    others: int = 0
    missing: int = 0
    uncertainty: int = 0

    @property
    def total(self) -> int:
        """All rows that were counted."""
        return self.named + self.missing

    @property
    def named(self) -> int:
        """The rows that have a name."""
        return sum(each.count for each in self.top) + self.others

    def first(self, number: int) -> Ranking:
        """The same with fewer names; the rest are among the others."""
        rest = sum(each.count for each in self.top[number:])
        return Ranking(self.top[:number], self.others + rest, self.missing, self.uncertainty)


@dataclass(slots=True)
class Entry:
    """A name that is held: its rows since it is held, how many it may have had before, and notes."""

    count: int
    floor: int
    notes: list[str] = field(default_factory=list)


class Tally:
    """Counts names with Space-Saving, pruned in bulk: a name that comes often enough is never lost.

    When twice the allowed names are held, the rarer half is dropped. A name that comes (again) later may
    have had up to ``floor`` rows before, and ranks as if it had; the count that is told is of rows really
    seen, so it may be too low and is never too high.
    """

    def __init__(self, limit: int = MAX_NAMES) -> None:
        self._limit = limit
        self._entries: dict[str, Entry] = {}
        self._floor = 0
        self.rows = 0
        self.missing = 0

    def add(self, name: str | None) -> Entry | None:
        """Counts a row; gives what is held of its name, if it has one."""
        self.rows += 1
        if not name:
            self.missing += 1
            return None
        entry = self._entries.get(name[:MAX_NAME_CHARS])
        if entry is None:
            entry = self._new(name[:MAX_NAME_CHARS])
        entry.count += 1
        return entry

    def leaders(self, number: int) -> list[tuple[str, Entry]]:
        """The commonest names with what is held of them."""
        return self._ordered()[:number]

    def ranking(self, number: int, shown: Callable[[str], str] = str) -> Ranking:
        """The commonest names.

        Args:
            number: how many.
            shown: what stands for a name.
        """
        leaders = self.leaders(number)
        top = tuple(Named(shown(name), entry.count) for name, entry in leaders)
        others = self.rows - self.missing - sum(each.count for each in top)
        return Ranking(top, others, self.missing, max((entry.floor for _, entry in leaders), default=0))

    def _new(self, name: str) -> Entry:
        if len(self._entries) >= 2 * self._limit:
            self._prune()
        return self._entries.setdefault(name, Entry(0, self._floor))

    def _prune(self) -> None:
        ordered = self._ordered()
        dropped = ordered[self._limit][1]
        self._floor = max(self._floor, dropped.count + dropped.floor)
        self._entries = dict(ordered[: self._limit])

    def _ordered(self) -> list[tuple[str, Entry]]:
        return sorted(self._entries.items(), key=_biggest_first)


class Distinct:
    """How many different names there are: exact up to a number, then an estimate from a sample of hashes."""

    def __init__(self, limit: int = MAX_HASHES) -> None:
        self._limit = limit
        self._level = 0
        self._hashes: set[int] = set()

    def add(self, name: str) -> None:
        """Takes a name in."""
        digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        number = int.from_bytes(digest, "big")
        if number & self._mask:
            return
        self._hashes.add(number)
        while len(self._hashes) > self._limit:
            self._level += 1
            self._hashes = {each for each in self._hashes if not each & self._mask}

    @property
    def number(self) -> int:
        """How many; about 1 % off where it is an estimate."""
        return len(self._hashes) << self._level

    @property
    def is_exact(self) -> bool:
        """Whether none was left out."""
        return self._level == 0

    @property
    def _mask(self) -> int:
        return (1 << self._level) - 1


class Unit(StrEnum):
    """How long a column of a timeline lasts."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"


_UNITS = tuple(Unit)
_CHARS = {Unit.HOUR: 13, Unit.DAY: 10, Unit.MONTH: 7, Unit.YEAR: 4}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a timeline: the beginning of a time as ISO 8601 writes it, and the rows of each group."""

    start: str
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """All its rows."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Timeline:
    """When rows were reported, without gaps between the columns.

    Args:
        unit: how long each column lasts.
        groups: the names of the counts of each column.
        columns: the oldest first.
        undated: rows without a time.
        outside: rows of a few stray times, before or after the columns.
    """

    unit: Unit
    groups: tuple[str, ...]
    columns: tuple[Column, ...] = ()
    undated: int = 0
    outside: int = 0


class Moments:
    """Counts rows by hour and group; by a longer time once there are too many hours."""

    def __init__(self, groups: tuple[str, ...]) -> None:
        self._groups = groups
        self._places = {name: place for place, name in enumerate(groups)}
        self._unit = Unit.HOUR
        self._counts: dict[str, list[int]] = {}
        self._undated = 0

    def add(self, moment: str | None, group: str) -> bool:
        """Counts a row; tells whether it has a time.

        Args:
            moment: ISO 8601 in UTC.
            group: one of the names.
        """
        start = (moment or "")[: _CHARS[self._unit]].replace(" ", "T")
        counts = self._counts.get(start) or self._new(moment or "")
        if counts is None:
            self._undated += 1
            return False
        counts[self._places[group]] += 1
        return True

    def timeline(self) -> Timeline:
        """The columns in the shortest unit of which there are not too many."""
        unit = self._unit
        columns, outside = self._columns(unit)
        while len(columns) > MAX_COLUMNS and unit is not Unit.YEAR:
            unit = _UNITS[_UNITS.index(unit) + 1]
            columns, outside = self._columns(unit)
        return Timeline(unit, self._groups, columns, self._undated, outside)

    def _new(self, moment: str) -> list[int] | None:
        try:
            hour = datetime.fromisoformat(moment[:13]).isoformat()
        except ValueError:
            return None
        if len(self._counts) >= MAX_MOMENTS and self._unit is not Unit.YEAR:
            self._unit = _UNITS[_UNITS.index(self._unit) + 1]
            self._counts = self._by(self._unit)
        return self._counts.setdefault(hour[: _CHARS[self._unit]], [0] * len(self._groups))

    def _by(self, unit: Unit) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for start, counts in self._counts.items():
            sums = found.setdefault(start[: _CHARS[unit]], [0] * len(self._groups))
            for place, count in enumerate(counts):
                sums[place] += count
        return found

    def _columns(self, unit: Unit) -> tuple[tuple[Column, ...], int]:
        counts = self._by(unit)
        starts = _without_strays({start: sum(each) for start, each in sorted(counts.items())})
        outside = sum(sum(each) for start, each in counts.items() if not starts[0] <= start <= starts[-1])
        none = [0] * len(self._groups)
        span = _span(starts[0], starts[-1], unit) if starts[0] else ()
        return tuple(Column(start, tuple(counts.get(start, none))) for start in span), outside


def _without_strays(totals: dict[str, int]) -> tuple[str, str]:
    """The first and last time, or those between which nearly all rows lie where others are far away."""
    starts = tuple(totals)
    if len(starts) < 3:
        return (starts[0], starts[-1]) if starts else ("", "")
    allowed = sum(totals.values()) * MAX_SHARE_OUTSIDE / 2
    first = _inner(starts, totals, allowed)
    last = _inner(starts[::-1], totals, allowed)
    return (first, last) if first <= last else (starts[0], starts[-1])


def _inner(starts: tuple[str, ...], totals: dict[str, int], allowed: float) -> str:
    """The first time that may not be left out; what lies close to it stays, too."""
    sums = accumulate(totals[start] for start in starts)
    place = next(place for place, rows in enumerate(sums) if rows > allowed)
    while place and _hours_between(starts[place - 1], starts[place]) <= _NEAR[len(starts[place])]:
        place -= 1
    return starts[place]


_NEAR = {13: 12, 10: 7 * 24, 7: 93 * 24, 4: 366 * 24}
"""Up to so many hours times belong together, by how ISO 8601 writes them."""


def _hours_between(first: str, second: str) -> float:
    return abs((_moment(first) - _moment(second)).total_seconds()) / 3600


def _moment(start: str) -> datetime:
    return datetime.fromisoformat((start + "-01-01"[len(start) - 4 :])[: max(10, len(start))])


def _span(first: str, last: str, unit: Unit) -> Iterator[str]:
    """Each start from the first to the last; stops soon after there are too many."""
    start, produced = first, 0
    while start <= last and (produced <= MAX_COLUMNS or unit is Unit.YEAR):
        yield start
        start, produced = _next(start, unit), produced + 1


def _next(start: str, unit: Unit) -> str:
    if unit is Unit.YEAR:
        return f"{int(start) + 1:04}"
    if unit is Unit.MONTH:
        year, month = divmod(int(start[:4]) * 12 + int(start[5:]), 12)
        return f"{year:04}-{month + 1:02}"
    step = timedelta(hours=1) if unit is Unit.HOUR else timedelta(days=1)
    try:
        return (_moment(start) + step).isoformat()[: _CHARS[unit]]
    except OverflowError:
        return "~"


def _biggest_first(item: tuple[str, Entry]) -> tuple[int, str]:
    name, entry = item
    return -entry.count - entry.floor, name
