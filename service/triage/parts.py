"""Keeps the rows of each chunk in a part file, written at once or not at all, with a note that it is done."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from itertools import islice

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import json

from service.triage.folders import Folder
from service.triage.nouns import Done, Row
from service.triage.rows import SCHEMA

PARTS = "parts"
_PART, _NOTE = ".parquet", ".done"
GROUP_ROWS = 500
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

_IN_THIS_THREAD = json.ReadOptions(use_threads=False)
_AS_ARROW = json.ParseOptions(explicit_schema=ARROW, unexpected_field_behavior="error")


def part_of(chunk: int) -> str:
    """Where in a job's folder the rows of a chunk lie.

    >>> part_of(123)
    'parts/000123.parquet'
    """
    return _name(chunk, _PART)


def write(folder: Folder, chunk: int, rows: Iterable[Row]) -> int:
    """Writes the part file of a chunk, in place of an earlier one; tells how many rows it has.

    Args:
        folder: of the job.
        chunk: its number.
        rows: read as they come; a few hundred are held.

    Raises:
        OSError: it cannot be written.
    """
    count = 0
    waiting = iter(rows)
    with (
        folder.writing(part_of(chunk)) as path,
        pq.ParquetWriter(path, ARROW, compression=COMPRESSION) as part,
    ):
        while group := list(islice(waiting, GROUP_ROWS)):
            part.write_table(table_of(group))
            count += len(group)
    return count


def finish(folder: Folder, done: Done) -> None:
    """Notes that a chunk is done; its part file must be there.

    Raises:
        OSError: it cannot be written.
    """
    part = part_of(done.chunk).rpartition("/")[2]
    with folder.writing(_name(done.chunk, _NOTE)) as path:
        path.write_bytes(orjson.dumps(asdict(replace(done, part=part))))


def finished(folder: Folder) -> Iterator[Done]:
    """The chunks that are done, in order; a note that cannot be read counts as none.

    Raises:
        OSError: the folder cannot be read.
    """
    names = frozenset(folder.names(PARTS))
    stems = (name.removesuffix(_NOTE) for name in names if name.endswith(_NOTE))
    chunks = sorted(int(stem) for stem in stems if stem.isdecimal() and f"{stem}{_PART}" in names)
    notes = folder.read_all(_name(chunk, _NOTE) for chunk in chunks)
    for name, note in notes:
        try:
            done = Done(**orjson.loads(note))
        except (ValueError, TypeError):
            continue
        if _name(done.chunk, _NOTE) == name:
            yield replace(done, part=folder.address_of(part_of(done.chunk)))


def files(folder: Folder) -> tuple[str, ...]:
    """The names of the part files of the chunks that are done, in the order of the archives.

    Raises:
        OSError: the folder cannot be read.
    """
    return tuple(part_of(done.chunk) for done in finished(folder))


def table_of(rows: list[Row]) -> pa.Table:
    """Some rows as a table.

    They go by way of JSON: ``pyarrow.array`` would load pandas where it is installed, which takes 50 MB.
    """
    lines = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    found = json.read_json(io.BytesIO(lines), read_options=_IN_THIS_THREAD, parse_options=_AS_ARROW)
    return pa.Table.from_arrays(found.columns, schema=ARROW)


def _name(chunk: int, suffix: str) -> str:
    return f"{PARTS}/{chunk:06}{suffix}"
