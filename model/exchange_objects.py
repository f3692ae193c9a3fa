"""Takes apart what PowerShell prints of objects: as a list, as a table, or as CSV."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from model.exchange_csv import Rows, cells, column_names, kebab

_PAIR = re.compile(r"([A-Za-z]\w{1,60}) {1,60}:(?: (.*))?$", re.DOTALL)
_RULE = re.compile(r"-{2,}(?: {1,200}-{2,}){1,40} *$")
_PROMPT = re.compile(r"\[PS\] |PS [A-Za-z]:\\")
_DASHES = re.compile(r"-+")
_MAX_VALUE = 20_000
_MAX_FIELDS = 200


class Record(NamedTuple):
    """One object: the line where it ends, and its properties by their names in kebab case."""

    line: int
    fields: dict[str, str]


def records(
    lines: Iterable[str], known: frozenset[str], aliases: Mapping[str, str] | None = None
) -> Iterator[Record | None]:
    """The objects in some lines; ``None`` for each line that ends none.

    Args:
        lines: what was printed, with foreign lines around it.
        known: names of properties, three of which make a line the header of a CSV.
        aliases: names of properties to the names that the records shall have.
    """
    objects = _Objects(known, aliases or {})
    for number, line in enumerate(lines, 1):
        yield from objects.push(number, line.replace("\0", "").lstrip("\ufeff")) or (None,)
    yield from objects.close()


def list_names(head: str) -> frozenset[str]:
    """The names of the properties that a text prints as a list (``Name   : value``)."""
    pairs = map(_PAIR.match, head.splitlines())
    return frozenset(kebab(pair[1]) for pair in pairs if pair)


def table_names(head: str) -> frozenset[str]:
    """The names of the columns of the tables in a text."""
    pairs = pairwise(head.splitlines())
    return frozenset(kebab(name) for above, rule in pairs if _RULE.match(rule) for name in above.split())


def csv_names(head: str, known: frozenset[str]) -> frozenset[str]:
    """The names in the header rows of a text, of which three at least are known."""
    lines = (line for line in head.splitlines() if any(delimiter in line for delimiter in ",;\t"))
    found = (column_names(line, known) for line in lines)
    return frozenset(name for names in found if names for name in names[0])


class _Objects:
    """The object that is being read, in whichever form."""

    def __init__(self, known: frozenset[str], aliases: Mapping[str, str]) -> None:
        self._known = known
        self._aliases = aliases
        self._fields: dict[str, str] = {}
        self._last = ""
        self._line = 0
        self._is_dense = False
        self._after_pair = False
        self._above = ""
        self._columns: list[tuple[str, int]] = []
        self._names: tuple[str, ...] = ()
        self._delimiter = ","
        self._rows = Rows()

    def push(self, number: int, line: str) -> list[Record]:
        """The objects that a line ends."""
        if not line.strip():
            return self._blank()
        if self._names:
            return self._row(number, line)
        if self._columns:
            return self._cells(number, line)
        if _RULE.match(line.strip()) and self._above:
            return self._start_table(line)
        if _PROMPT.match(line):
            return self._finish()
        self._above, previous = line, self._above
        pair = _PAIR.match(line)
        if pair:
            return self._pair(number, self._name(pair[1]), (pair[2] or "").strip())
        return self._start_csv(line) or self._continue(number, line, previous)

    def close(self) -> list[Record]:
        """The object that the text ends with."""
        rest = (record for row in self._rows.close() for record in self._record(self._line, row))
        return [*self._finish(), *rest]

    def _blank(self) -> list[Record]:
        """A blank line ends a table; it ends a list's object unless blank lines stand everywhere."""
        self._above, was_table, self._columns = "", bool(self._columns), []
        self._after_pair = False
        return self._finish() if was_table or self._is_dense else []

    def _finish(self) -> list[Record]:
        done = [Record(self._line, self._fields)] if self._fields else []
        self._fields, self._last, self._is_dense = {}, "", False
        return done

    def _pair(self, number: int, name: str, value: str) -> list[Record]:
        """A property; the second of its name belongs to the next object."""
        done = self._finish() if name in self._fields or len(self._fields) >= _MAX_FIELDS else []
        self._is_dense = self._is_dense or (self._after_pair and bool(self._fields))
        self._fields[name], self._last = value[:_MAX_VALUE], name
        self._line, self._after_pair = number, True
        return done

    def _continue(self, number: int, line: str, previous: str) -> list[Record]:
        """A value that goes on: indented, or in a copy that lost its form, right after it."""
        if self._last and (line[:1] == " " or previous or not self._is_dense):
            self._extend(self._last, line.strip())
            self._line = number
        return []

    def _extend(self, name: str, more: str) -> None:
        value = self._fields.get(name, "")
        if len(value) < _MAX_VALUE:
            self._fields[name] = f"{value} {more}".strip()[:_MAX_VALUE]

    def _start_table(self, rule: str) -> list[Record]:
        starts = [dashes.start() for dashes in _DASHES.finditer(rule)]
        ends = [*starts[1:], max(len(self._above), starts[-1] + 1)]
        names = (self._name(self._above[start:end]) for start, end in zip(starts, ends, strict=True))
        self._columns = list(zip(names, starts, strict=True))
        return self._finish()

    def _cells(self, number: int, line: str) -> list[Record]:
        """A row of a table; one that leaves the first column empty goes on with the one above."""
        values = list(_cut(line, [start for _, start in self._columns]))
        done = self._finish() if values[0] else []
        for (name, _), value in zip(self._columns, values, strict=True):
            if value:
                self._extend(name, value)
        self._line = number
        return done

    def _start_csv(self, line: str) -> list[Record]:
        found = column_names(line, self._known)
        if found is None:
            return []
        self._names, self._delimiter = tuple(map(self._name, found[0])), found[1]
        return self._finish()

    def _row(self, number: int, line: str) -> list[Record]:
        self._line = number
        return [record for row in self._rows.push(line) for record in self._record(number, row)]

    def _record(self, number: int, row: str) -> list[Record]:
        """A row of a CSV, unless it is a header, of this one or of one that was put after it."""
        values = cells(row, self._delimiter)
        if kebab(values[0]) in self._known:
            return self._start_csv(row)
        return [Record(number, dict(zip(self._names, values, strict=False)))]

    def _name(self, name: str) -> str:
        name = kebab(name)
        return self._aliases.get(name, name)


def _cut(line: str, starts: list[int]) -> Iterator[str]:
    """The cells of a table's row; a wide number may stick out to the left of its column."""
    places = [0, *(_shifted(line, start) for start in starts[1:]), len(line)]
    return (line[start:end].strip() for start, end in pairwise(places))


def _shifted(line: str, start: int) -> int:
    if line[start - 1 : start] in ("", " "):
        return start
    gap = line.rfind(" ", 0, start)
    return gap + 1 if gap > 0 else start
