"""Reads Exchange's message-tracking logs, and what Get-MessageTrackingLog exports or prints of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

from model.events import Event, LogFormat, Role
from model.exchange_csv import Rows, cells, column_names, field_names, stamped_rows
from model.exchange_message import aliases, column, layouts, message_events, sources
from model.exchange_objects import csv_names, list_names, records

_LOG_TYPE = "log-type: message tracking log"
_PEEKED = 60
_FEWEST_FIELDS = 18
_MARK = "EventId"
"""Stands in the header of an export, and in hardly any other row."""
_OWN_NAMES = frozenset(("event-id", "source"))
_EXPORTED = frozenset(
    ("recipients", "recipient-status", "message-id", "sender", "connector-id", "source-context")
)
_NAMES = _OWN_NAMES | _EXPORTED | {"timestamp"}
_REMARKS = ("#", "\ufeff")
_REPORT = "sender_address"
"""Stands in the header of a report of Exchange Online, whose rows look the same."""


def claims(head: str) -> bool:
    """Whether a text is a message-tracking log: by its header, its columns, or rows alone."""
    if _LOG_TYPE in head.lower():
        return True
    if any(_is_fields_line(line) for line in head.splitlines() if "ields:" in line):
        return True
    if _MARK in head and any(map(_are_exported, (list_names(head), csv_names(head, _NAMES)))):
        return True
    return _REPORT not in head and stamped_rows(head, _FEWEST_FIELDS, _is_row)


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """The events of a log; see ``LogFormat``."""
    return read_wanted(lines, _any)


def read_wanted(lines: Iterable[str], wanted: Callable[[str], bool]) -> Iterator[Event | None]:
    """The events of some lines alone, for a log that is too long to take every line apart.

    Args:
        lines: the log's.
        wanted: a cheap test of a line as it stands. All other lines yield ``None`` and are not split, but
            for headers. What ``Format-List`` printed is read whole.
    """
    every = iter(lines)
    start = list(islice(every, _PEEKED))
    is_list = _are_exported(list_names("\n".join(start)))
    return _listed(chain(start, every)) if is_list else _rows(chain(start, every), wanted)


def _any(_line: str) -> bool:
    return True


def _is_fields_line(line: str) -> bool:
    names = field_names(line)
    return names is not None and {"event-id", "source", "internal-message-id"} <= {*names}


def _are_exported(names: frozenset[str]) -> bool:
    return "timestamp" in names and names >= _OWN_NAMES and not names.isdisjoint(_EXPORTED)


def _is_row(row: list[str]) -> bool:
    return row[7] in sources() and row[8].isalpha() and row[8].isupper()


def _listed(lines: Iterable[str]) -> Iterator[Event | None]:
    for record in records(lines, _NAMES, aliases()):
        events = message_events(record.fields, record.line) if record else iter(())
        first = next(events, None)
        yield first
        yield from events


def _rows(lines: Iterable[str], wanted: Callable[[str], bool]) -> Iterator[Event | None]:
    table = _Table()
    for number, line in enumerate(lines, 1):
        if wanted(line) or table.is_open:
            yield from table.read(number, line) or (None,)
        else:
            table.note(line)
            yield None
    yield from table.close()


class _Table:
    """The columns of the rows that follow, and a row that goes on."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._delimiter = ","
        self._rows = Rows()
        self._line = 0

    @property
    def is_open(self) -> bool:
        """Whether the last row goes on in the next line."""
        return self._rows.is_open

    def note(self, line: str) -> bool:
        """Whether a line is no row; the columns of a header hold from here on."""
        is_remark = line[:1] in _REMARKS
        if not is_remark and _MARK not in line and line[:7] != "Fields:":
            return False
        names, delimiter = field_names(line), ","
        if names is None and _MARK in line:
            names, delimiter = column_names(line, _NAMES) or (None, ",")
        if names is None or "event-id" not in names:
            return is_remark
        self._names, self._delimiter = tuple(map(column, names)), delimiter
        return True

    def read(self, number: int, line: str) -> list[Event]:
        """The events of a line, and of a row before it that was given up."""
        self._line = number
        if self.note(line):
            return []
        return [event for row in self._rows.push(line) for event in self._events(row)]

    def close(self) -> list[Event]:
        """The events of a row that waits for its end."""
        return [event for row in self._rows.close() for event in self._events(row)]

    def _events(self, row: str) -> list[Event]:
        values = cells(row, self._delimiter)
        names = self._names or _layout(values)
        return list(message_events(dict(zip(names, values, strict=False)), self._line))


def _layout(values: list[str]) -> tuple[str, ...]:
    """The columns of a row without header: only the newer ones have a GUID before the recipients."""
    newer, older = layouts()
    has_guid = len(values) > 11 and values[11].count("-") == 4 and "@" not in values[11]
    return newer if has_guid or len(values) > len(older) else older


FORMAT = LogFormat("exchange_tracking", Role.TRANSPORT, claims, read, read_wanted)
