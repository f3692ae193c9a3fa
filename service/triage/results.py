"""Merges the part files of a job into one Parquet, CSV or NDJSON file, and counts what is in them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from service.errors import JobRefused
from service.triage.parts import ARROW, COMPRESSION, replaced

GROUP_ROWS = 20_000
"""About how many rows a row group of the merged Parquet file has."""

_FORMULA = ("=", "+", "-", "@")


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


def merge(files: Iterable[Path], target: Path) -> int:
    """Writes the rows of part files into one file, in order and all at once; tells how many.

    Args:
        files: part files, in order.
        target: ends in ``.parquet``, ``.csv`` or ``.ndjson``; one that is there is replaced.

    Raises:
        JobRefused: the name ends in something else.
        OSError: it cannot be written.
    """
    write = _WRITERS.get(target.suffix.lower())
    if write is None:
        raise JobRefused(f"results are written as {', '.join(SUFFIXES)}")
    with replaced(target) as path:
        return write(groups(files), path)


def groups(files: Iterable[Path]) -> Iterator[pa.Table]:
    """The row groups of part files, in order; one is held at a time.

    Raises:
        OSError: one cannot be read.
    """
    for file in files:
        with pq.ParquetFile(file) as part:
            for number in range(part.num_row_groups):
                yield part.read_row_group(number, use_threads=False)


def tally(files: Iterable[Path]) -> Tally:
    """Counts the rows of part files.

    Raises:
        OSError: one cannot be read.
    """
    found, rows, errors = Tally(), 0, 0
    for table in groups(files):
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


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    pairs = pc.value_counts(column.drop_null()).to_pylist()
    return {pair["values"]: pair["counts"] for pair in pairs}


def _write_parquet(tables: Iterator[pa.Table], path: Path) -> int:
    count = 0
    with pq.ParquetWriter(path, ARROW, compression=COMPRESSION) as file:
        for table in _gathered(tables):
            file.write_table(table)
            count += table.num_rows
    return count


def _write_csv(tables: Iterator[pa.Table], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(ARROW.names)
        for row in _rows(tables):
            lines.writerow(neutral(value) for value in row.values())
            count += 1
    return count


def _write_ndjson(tables: Iterator[pa.Table], path: Path) -> int:
    count = 0
    with path.open("wb") as file:
        for row in _rows(tables):
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count


def _rows(tables: Iterator[pa.Table]) -> Iterator[dict[str, Any]]:
    return (row for table in tables for row in table.to_pylist())


def _gathered(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
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


_WRITERS: dict[str, Callable[[Iterator[pa.Table], Path], int]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".ndjson": _write_ndjson,
}
SUFFIXES = tuple(_WRITERS)
"""What the names of results may end in."""
