"""Keeps the rows of each chunk in a part file, written at once or not at all, with a note that it is done."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from service.triage.nouns import Done, Row
from service.triage.rows import SCHEMA

PARTS = "parts"
GROUP_ROWS = 5_000
"""Rows of a row group: what is held in memory at once."""

COMPRESSION = "zstd"
_TYPES = {"string": pa.string(), "integer": pa.int32(), "number": pa.float64()}
_REQUIRED = ("archive", "item", "recipient_number")

ARROW = pa.schema(
    [
        pa.field(
            column.name,
            _TYPES[column.type],
            nullable=column.name not in _REQUIRED,
            metadata={"description": column.description},
        )
        for column in SCHEMA
    ]
)
"""The schema of Parquet files of rows."""


def part_of(folder: Path, chunk: int) -> Path:
    """Where the rows of a chunk lie.

    >>> part_of(Path("job"), 123).as_posix()
    'job/parts/000123.parquet'
    """
    return folder / PARTS / f"{chunk:06}.parquet"


def write(folder: Path, chunk: int, rows: Iterable[Row]) -> int:
    """Writes the part file of a chunk, in place of an earlier one; tells how many rows it has.

    Args:
        folder: of the job.
        chunk: its number.
        rows: read as they come; a few thousand are held.

    Raises:
        OSError: it cannot be written.
    """
    count = 0
    waiting = iter(rows)
    with (
        replaced(part_of(folder, chunk)) as path,
        pq.ParquetWriter(path, ARROW, compression=COMPRESSION) as part,
    ):
        while group := list(islice(waiting, GROUP_ROWS)):
            part.write_table(table_of(group))
            count += len(group)
    return count


def finish(folder: Path, done: Done) -> None:
    """Notes that a chunk is done; its part file must be there.

    Raises:
        OSError: it cannot be written.
    """
    part = part_of(folder, done.chunk)
    with replaced(part.with_suffix(".done")) as path:
        path.write_bytes(orjson.dumps(asdict(replace(done, part=part.name))))


def finished(folder: Path) -> Iterator[Done]:
    """The chunks that are done, in order; a note that cannot be read counts as none."""
    for path in _numbered(folder, ".done"):
        part = path.with_suffix(".parquet")
        try:
            done = Done(**orjson.loads(path.read_bytes()))
        except (ValueError, TypeError):
            continue
        if part.exists() and done.chunk == int(path.stem):
            yield replace(done, part=str(part))


def files(folder: Path) -> tuple[Path, ...]:
    """The part files of the chunks that are done, in the order of the archives."""
    return tuple(Path(done.part) for done in finished(folder))


def sweep(folder: Path) -> None:
    """Removes what processes left that were killed while they wrote."""
    for path in (folder / PARTS).glob(".*.tmp"):
        path.unlink(missing_ok=True)


def table_of(rows: list[Row]) -> pa.Table:
    """Some rows as a table."""
    columns = [
        pa.array([getattr(row, field.name) for row in rows], type=field.type, from_pandas=False)
        for field in ARROW
    ]
    return pa.Table.from_arrays(columns, schema=ARROW)


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """A new file to write under another name, which then takes the place of a file; nothing where it fails.

    Raises:
        OSError: it cannot be written.
    """
    path = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        yield path
        _settle(path)
        path.replace(target)
        _settle(target.parent)
    finally:
        path.unlink(missing_ok=True)


def _settle(path: Path) -> None:
    """Waits until the disk has a file, or the names in a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _numbered(folder: Path, suffix: str) -> list[Path]:
    found = (path for path in (folder / PARTS).glob(f"*{suffix}") if path.stem.isdecimal())
    return sorted(found, key=lambda path: int(path.stem))
