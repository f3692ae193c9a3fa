"""Reads tables of comma-separated values with a column of SMTP replies."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from model.charsets import decode
from service.errors import UnreadableArchive
from service.triage.formats.records import LINES, WHOLE, Part, Record, records
from service.triage.nouns import Item, Packing
from service.triage.packing import Source

DELIMITERS = (",", ";", "\t", "|")
SURE_COLUMNS = (
    *("reply", "smtp_reply", "smtp_response", "dsn_diag", "dsndiag", "diagnostic_code", "diagnosticcode"),
    *("diagnostic", "bounce_reason", "bounce_message", "smtp_error", "error_message", "退信原因", "失败原因"),
)
"""Names of columns that hold replies, the surest first; lower case, with underscores."""

LIKELY_COLUMNS = (
    *("response", "bounce", "reason", "error", "failure", "message", "description", "details", "detail"),
    *("text", "status", "错误信息", "原因"),
)
"""Names of columns that hold replies where the cells look like some."""

_COLUMNS = frozenset({*SURE_COLUMNS, *LIKELY_COLUMNS})

RECIPIENT_COLUMNS = (
    *("recipient", "rcpt", "rcpt_to", "recipient_address", "final_recipient", "bounced_address", "to"),
    *("email", "email_address", "address", "mail", "收件人"),
)
_SAMPLE_ROWS = 200
_MAX_COLUMNS = 1_000
_CONSISTENT = 0.9
_PLAUSIBLE = 0.2
"""The share of cells from which on a column that nobody names holds replies."""
_BY_NAME = 0.05
_ALONE = 0.5
"""The same, for a list of lines that are no table."""
_BOM = b"\xef\xbb\xbf"
_REPLY = re.compile(r"\W{0,20}(?:smtp; ?)?(?:[245]\d\d[ -]|[245]\.\d{1,3}\.\d{1,3}\b)")
_CODES = re.compile(r"\b[245]\d\d[ -][245]\.\d{1,3}\.\d{1,3}\b")
_MAX_CELL_CHARS = 2_000
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class Layout(NamedTuple):
    """How a table is written: ``delimiter`` is empty where each line is one reply."""

    delimiter: str
    reply: int
    recipient: int | None
    has_header: bool


class _Row(NamedTuple):
    offset: int
    cells: Sequence[str]
    error: str | None = None


def claims(head: bytes) -> bool:
    r"""Whether a content opens like a table with a column of replies.

    >>> claims(b"when,reply\n1,550 5.1.1 No such user\n"), claims(b"name,size\na,1\nb,2\n")
    (True, False)
    """
    try:
        layout_of(head)
    except UnreadableArchive:
        return False
    return True


def layout_of(head: bytes, column: str | None = None) -> Layout:
    """How a table is written, by its first 64 KiB.

    Args:
        head: of its content.
        column: that of the replies, by name or by number from 1; ``None`` finds it.

    Raises:
        UnreadableArchive: no column holds replies, or there is none such as was named.
    """
    if head.startswith(_UTF_16):
        raise UnreadableArchive("the table is in UTF-16; save it as CSV in UTF-8")
    lines = _whole_lines(head)
    delimiter, rows = max(((each, _parsed(lines, each)) for each in DELIMITERS), key=_fitness)
    if _fitness((delimiter, rows)) < (False, _CONSISTENT, 0) or (not column and _is_list(lines)):
        delimiter, rows = "", [(line,) for line in lines if line.strip()]
    if not rows:
        raise UnreadableArchive("there is no row in it")
    names = [_name(cell) for cell in rows[0]]
    reply = _named(names, column) if column else _found(names, rows, alone=not delimiter)
    if reply is None:
        raise UnreadableArchive("no column of it holds SMTP replies; name the one that does")
    recipient = next((names.index(name) for name in RECIPIENT_COLUMNS if name in names), None)
    is_named = names[reply] in _COLUMNS or (column and names[reply] == _name(column))
    has_header = bool(is_named) or recipient is not None or _is_title(rows, reply)
    return Layout(delimiter, reply, recipient, has_header)


def parts(source: Source, chunk_bytes: int) -> Iterator[Part]:
    """Ranges that begin and end between rows; the table is read once for that.

    Raises:
        OSError: it cannot be read.
        UnreadableArchive: no column holds replies.
    """
    layout = layout_of(source.head(), source.column)
    size = source.stat().size
    if size is None or source.packing is not Packing.NONE:
        yield WHOLE
        return
    start = first = 0
    for number, row in enumerate(_rows(source, layout, WHOLE)):
        if row.offset - start >= chunk_bytes:
            yield Part(start, row.offset, first=first)
            start, first = row.offset, number
    if start < size:
        yield Part(start, size, first=first)


def read(source: Source, part: Part) -> Iterator[Item]:
    """The replies of the rows in a range; ids are numbers of rows, the first of the file being 1.

    Raises:
        OSError: it cannot be read.
        UnreadableArchive: no column holds replies.
    """
    layout = layout_of(source.head(), source.column)
    for number, row in enumerate(_rows(source, layout, part), part.first + 1):
        is_header = number == 1 and layout.has_header
        if row.error or (not is_header and any(cell.strip() for cell in row.cells)):
            yield _item(row, layout, str(number))


def _item(row: _Row, layout: Layout, number: str) -> Item:
    if row.error:
        return Item(number, b"", error=row.error)
    reply = row.cells[layout.reply].strip() if layout.reply < len(row.cells) else ""
    if not reply:
        return Item(number, b"", error="the row has no reply")
    column = layout.recipient
    recipient = row.cells[column].strip() if column is not None and column < len(row.cells) else ""
    is_told = "@" in recipient and recipient.lower() not in reply.lower()
    return Item(
        number, (f"<{recipient.strip('<>')}>: {reply}" if is_told else reply).encode("latin-1"), "text"
    )


def _rows(source: Source, layout: Layout, part: Part) -> Iterator[_Row]:
    """The rows of a range, each cell a byte a character."""
    lines = _Lines(records(source, LINES, part))
    if not layout.delimiter:
        yield from (_Row(lines.offset, (line,), lines.taken_error()) for line in lines)
        return
    reader = csv.reader(lines, delimiter=layout.delimiter)
    while True:
        try:
            cells: Sequence[str] = next(reader)
        except StopIteration:
            return
        except csv.Error:
            lines.fail("the row cannot be read: a cell is too long, or a quotation mark is not closed")
            cells = ()
        yield _Row(lines.offset, cells, lines.taken_error())


class _Lines:
    """Lines for the CSV reader; ``offset`` is that of the first since ``taken_error`` was asked."""

    def __init__(self, found: Iterator[Record]) -> None:
        self._found = found
        self._is_new = True
        self._error: str | None = None
        self.offset = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        record = next(self._found)
        if self._is_new:
            self.offset = record.offset
        self._is_new = False
        self._error = record.error or self._error
        raw = record.raw.removeprefix(_BOM) if record.offset == 0 else record.raw
        line = raw.decode("latin-1")
        return line.replace("\r\n", "\n").replace("\r", " ") if "\r" in line else line

    def fail(self, error: str) -> None:
        """Says why the lines so far are no row."""
        self._error = error

    def taken_error(self) -> str | None:
        """Why the row that ends here is not there; the next line opens another."""
        error, self._error = self._error, None
        self._is_new = True
        return error


def _whole_lines(head: bytes) -> list[str]:
    """The first lines of a head, without one that it cuts; a byte a character, as rows are read."""
    lines = head.removeprefix(_BOM).decode("latin-1").replace("\r\n", "\n").replace("\r", " ").split("\n")
    return [line for line in (lines[:-1] if len(lines) > 1 and lines[-1] else lines) if line][:_SAMPLE_ROWS]


def _parsed(lines: Sequence[str], delimiter: str) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = []
    with suppress(csv.Error):
        for row in islice(csv.reader([f"{line}\n" for line in lines], delimiter=delimiter), _SAMPLE_ROWS):
            rows.append(row[:_MAX_COLUMNS])
    return rows


def _fitness(table: tuple[str, Sequence[Sequence[str]]]) -> tuple[bool, float, int]:
    """Whether the first row names a column of replies, how many rows are as long as it, and how long that is.

    Nothing speaks for a table of one column.
    """
    rows = table[1]
    width = len(rows[0]) if rows else 0
    if width < 2:
        return False, 0.0, 0
    is_titled = not _COLUMNS.isdisjoint(map(_name, rows[0]))
    return is_titled, sum(len(row) == width for row in rows) / len(rows), width


def _name(cell: str) -> str:
    """The name of a column as the tables of names have it."""
    text = decode(cell.encode("latin-1", "replace"))[:_MAX_CELL_CHARS]
    return re.sub(r"[\W_]+", "_", text.strip().lower()).strip("_")


def _named(names: Sequence[str], column: str) -> int:
    if _name(column) in names:
        return names.index(_name(column))
    if column.isascii() and column.isdigit() and 1 <= int(column[:6]) <= len(names):
        return int(column[:6]) - 1
    raise UnreadableArchive(f"it has no column {column!r}; it has {len(names)} columns")


def _found(names: Sequence[str], rows: Sequence[Sequence[str]], *, alone: bool) -> int | None:
    """The column of replies: one that is named so and looks so, one that is surely named so, or looks so."""
    shares = [_share([row[number] for row in rows if number < len(row)]) for number in range(len(names))]
    named = [names.index(name) for name in (*SURE_COLUMNS, *LIKELY_COLUMNS) if name in names]
    sure = [names.index(name) for name in SURE_COLUMNS if name in names]
    likely = [number for number in named if shares[number] >= _BY_NAME] or sure
    if likely:
        return likely[0]
    best = max(range(len(names)), key=shares.__getitem__)
    return best if shares[best] >= (_ALONE if alone else _PLAUSIBLE) else None


def _is_list(lines: Sequence[str]) -> bool:
    """Whether the lines are replies themselves, whose commas mean nothing."""
    found = [_REPLY.match(line) is not None for line in lines]
    return sum(found) >= _CONSISTENT * len(found) and found[:1] != [False]


def _share(cells: Sequence[str]) -> float:
    return sum(map(_looks_like_reply, cells)) / len(cells) if cells else 0.0


def _looks_like_reply(cell: str) -> bool:
    return bool(_REPLY.match(cell) or _CODES.search(cell, 0, _MAX_CELL_CHARS))


def _is_title(rows: Sequence[Sequence[str]], column: int) -> bool:
    """Whether the first row names what the others hold."""
    titles, others = rows[0], rows[1:]
    told = titles[column] if column < len(titles) else ""
    is_reply = _looks_like_reply(told)
    return not is_reply and any(_looks_like_reply(row[column]) for row in others if column < len(row))
