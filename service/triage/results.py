"""Reads the rows of a job: all or the wanted ones, as Parquet, CSV or NDJSON, or counted."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from service.errors import JobRefused, UnreadableArchive
from service.triage import parts
from service.triage.folders import Folder, replaced
from service.triage.parts import ARROW, COMPRESSION

GROUP_ROWS = 20_000
"""About how many rows a row group of a Parquet file of results has."""

ROWS_AT_ONCE = 1_000
"""So many rows are turned into text at once."""

_FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows are wanted: those that have one of the values in each column that has any.

    Args:
        kind, category, action, recipient_domain: the values that are wanted; none: all.
        has_error: whether items are wanted that could not be read, or the others; ``None``: both.
    """

    kind: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    action: tuple[str, ...] = ()
    recipient_domain: tuple[str, ...] = ()
    has_error: bool | None = None

    def of(self, table: pa.Table) -> pa.Table:
        """The wanted rows of a table, in its order."""
        for name in ("kind", "category", "action", "recipient_domain"):
            values = getattr(self, name)
            if values:
                table = table.filter(pc.is_in(table[name], value_set=pa.array(values, pa.string())))
        if self.has_error is not None:
            table = table.filter((pc.is_valid if self.has_error else pc.is_null)(table["error"]))
        return table


@dataclass(frozen=True, slots=True)
class Tally:
    """What rows there are.

    Args:
        rows: all of them.
        errors: those of items that could not be read or diagnosed.
        kinds: rows by kind.
        categories: rows by category.
        reasons: errors by what they say.
    """

    rows: int = 0
    errors: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)


def rows_as_ndjson(folder: Folder, wanted: Wanted | None = None) -> Iterator[bytes]:
    """The rows of a job as lines with an object each, some lines at a time.

    Args:
        folder: of the job.
        wanted: which rows; ``None``: all.

    Raises:
        OSError: a part cannot be read.
        UnreadableArchive: a part is damaged.
    """
    return _as_ndjson(tables(folder, wanted))


def rows_as_csv(folder: Folder, wanted: Wanted | None = None) -> Iterator[bytes]:
    """The rows of a job as CSV with a header, some lines at a time; no text is taken for a formula.

    Args:
        folder: of the job.
        wanted: which rows; ``None``: all.

    Raises:
        OSError: a part cannot be read.
        UnreadableArchive: a part is damaged.
    """
    return _as_csv(tables(folder, wanted))


def write_rows(folder: Folder, target: Path, wanted: Wanted | None = None) -> int:
    """Writes the rows of a job into one file, in order and all at once; tells how many.

    Args:
        folder: of the job.
        target: ends in ``.parquet``, ``.csv`` or ``.ndjson``; one that is there is replaced.
        wanted: which rows; ``None``: all.

    Raises:
        JobRefused: the name ends in something else.
        OSError: a part cannot be read, or the file not be written.
        UnreadableArchive: a part is damaged.
    """
    write = _WRITERS.get(target.suffix.lower())
    if write is None:
        raise JobRefused(f"results are written as {', '.join(SUFFIXES)}")
    counted = _Counted(tables(folder, wanted))
    with replaced(target) as path:
        write(counted, path)
    return counted.rows


def batches(folder: Folder, wanted: Wanted | None = None) -> Iterator[pa.RecordBatch]:
    """The same as ``tables`` in small pieces, to be turned into text or objects.

    Raises:
        OSError: a part cannot be read.
        UnreadableArchive: a part is damaged.
    """
    return _batches(tables(folder, wanted))


def tables(folder: Folder, wanted: Wanted | None = None) -> Iterator[pa.Table]:
    """The row groups of a job's parts with the wanted rows, in order; one is held at a time.

    Args:
        folder: of the job; chunks that are not done are left out.
        wanted: which rows; ``None``: all.

    Raises:
        OSError: a part cannot be read.
        UnreadableArchive: a part is damaged.
    """
    for name in parts.files(folder):
        for table in _groups(folder, name):
            found = wanted.of(table) if wanted else table
            if found.num_rows:
                yield found


def tally(folder: Folder) -> Tally:
    """Counts the rows of a job.

    Raises:
        OSError: a part cannot be read.
        UnreadableArchive: a part is damaged.
    """
    found, rows, errors = Tally(), 0, 0
    for table in tables(folder):
        rows += table.num_rows
        errors += table.num_rows - table["error"].null_count
        for column, counter in (
            ("kind", found.kinds),
            ("category", found.categories),
            ("error", found.reasons),
        ):
            counter.update(_counted(table[column]))
    return Tally(rows, errors, found.kinds, found.categories, found.reasons)


def neutral(value: object) -> object:
    """A value that no spreadsheet takes for a formula.

    >>> neutral("=1+1"), neutral("user@example.com"), neutral(-1), neutral(None)
    ("'=1+1", 'user@example.com', -1, '')
    """
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _groups(folder: Folder, name: str) -> Iterator[pa.Table]:
    try:
        with folder.opened(name) as file, pq.ParquetFile(file) as part:
            if not part.schema_arrow.equals(ARROW):
                raise _damaged(name)
            for number in range(part.num_row_groups):
                yield part.read_row_group(number, use_threads=False)
    except pa.ArrowException as error:
        raise _damaged(name) from error


def _damaged(name: str) -> UnreadableArchive:
    return UnreadableArchive("this part of the results is damaged", name.rpartition("/")[2])


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    pairs = pc.value_counts(column.drop_null()).to_pylist()
    return {pair["values"]: pair["counts"] for pair in pairs}


class _Counted:
    """Some tables, whose rows are counted on the way."""

    def __init__(self, tables: Iterator[pa.Table]) -> None:
        self._tables = tables
        self.rows = 0

    def __iter__(self) -> Iterator[pa.Table]:
        for table in self._tables:
            self.rows += table.num_rows
            yield table


def _batches(tables: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
    return (batch for table in tables for batch in table.to_batches(max_chunksize=ROWS_AT_ONCE))


def _as_ndjson(tables: Iterable[pa.Table]) -> Iterator[bytes]:
    for batch in _batches(tables):
        yield b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in batch.to_pylist())


def _as_csv(tables: Iterable[pa.Table]) -> Iterator[bytes]:
    yield _csv_lines([ARROW.names])
    for batch in _batches(tables):
        yield _csv_lines(map(neutral, row.values()) for row in batch.to_pylist())


def _csv_lines(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _write_parquet(tables: Iterable[pa.Table], path: Path) -> None:
    with pq.ParquetWriter(path, ARROW, compression=COMPRESSION) as file:
        for table in _gathered(tables):
            file.write_table(table)


def _write_csv(tables: Iterable[pa.Table], path: Path) -> None:
    _write(_as_csv(tables), path)


def _write_ndjson(tables: Iterable[pa.Table], path: Path) -> None:
    _write(_as_ndjson(tables), path)


def _write(blocks: Iterator[bytes], path: Path) -> None:
    with path.open("wb") as file:
        file.writelines(blocks)


def _gathered(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in fewer tables."""
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        waiting.append(table)
        count += table.num_rows
        if count >= GROUP_ROWS:
            yield pa.concat_tables(waiting)
            waiting, count = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


_WRITERS: dict[str, Callable[[Iterable[pa.Table], Path], None]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".ndjson": _write_ndjson,
}
SUFFIXES = tuple(_WRITERS)
"""What the names of results may end in."""
