"""The frozen nouns that travel between the parts of the triage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What an archive is."""

    AUTO = "auto"
    MBOX = "mbox"
    MAILDIR = "maildir"
    FOLDER = "folder"  # .eml and .msg files in a directory tree
    ZIP = "zip"
    TAR = "tar"
    MESSAGES = "ndjson"  # JSON lines with a message or a reply each
    TABLE = "csv"  # a table with a column of SMTP replies
    LOG = "log"  # any format of /v1/diagnose
    PST = "pst"


FOLDERS = frozenset({Kind.MAILDIR, Kind.FOLDER})
"""Kinds that are not one file."""


class Packing(StrEnum):
    """How a file is compressed."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of an archive that one worker reads by itself: a byte range, or a list of members.

    Args:
        number: from 0, in the order of the archive; names the part file.
        address: a path or an fsspec address.
        kind: what is there.
        packing: how the file is compressed; a compressed file is one chunk, or ranges of its content.
        start, end: the range of bytes whose items begin in it; ``end`` is ``None`` for the rest.
        members: names within the archive, instead of a range.
        first: how many items stand before it, where that is known, for ids that count.
        is_planned: whether the archive could be read when it was cut; if not, this is all of it, and the
            kind is what somebody said, or ``auto``.
    """

    number: int
    address: str
    kind: Kind
    packing: Packing = Packing.NONE
    start: int = 0
    end: int | None = None
    members: tuple[str, ...] = ()
    first: int = 0
    is_planned: bool = True


@dataclass(frozen=True, slots=True)
class Item:
    """One message or reply of an archive; with an ``error``, one that could not be read.

    Args:
        id: stable: the archive's name and where it stands in it, or the id that it came with.
        raw: its bytes.
        form: ``auto``, ``message``, ``text`` or ``msg``, as ``model.types.Form``.
        error: why it could not be read, in words for people that hold nothing of its text.
    """

    id: str
    raw: bytes
    form: str = "auto"
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One recipient of one item: what a line of the results says. The order is that of the columns.

    Times are ISO 8601 in UTC; what is not known is ``None``. An item without recipients is one row, and so is
    an item with an ``error``.
    """

    archive: str
    item: str
    recipient_number: int
    kind: str | None = None
    category: str | None = None
    confidence: float | None = None
    permanence: str | None = None
    action: str | None = None
    fix_owner: str | None = None
    stage: str | None = None
    cause: str | None = None
    recipient: str | None = None
    recipient_domain: str | None = None
    original_recipient: str | None = None
    sender: str | None = None
    smtp: int | None = None
    enhanced: str | None = None
    reply: str | None = None
    provider: str | None = None
    reporting_mta: str | None = None
    remote_mta: str | None = None
    reported_at: str | None = None
    original_message_id: str | None = None
    decided_by: str | None = None
    evidence: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a chunk: the part file that holds its rows, and counts.

    Args:
        chunk: its number.
        part: the address of the part file.
        items: how many were read, those with errors too.
        rows: how many rows the part file has.
        errors: how many items could not be read.
        size: how many bytes of the archive were read.
        seconds: of work.
        is_whole: whether it was worked off; nothing is kept of one that was stopped before.
    """

    chunk: int
    part: str
    items: int
    rows: int
    errors: int
    size: int
    seconds: float
    is_whole: bool = True


Work = Callable[[Chunk], Done]
"""Reads, diagnoses and stores one chunk; picklable, and safe to repeat."""

Execute = Callable[[Work, Iterable[Chunk]], Iterator[Done]]
"""Runs work over chunks, in this process or in others, and tells of each as it is done, in any order."""
