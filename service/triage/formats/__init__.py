"""The formats of archives, one module each: whether it claims a content, its parts, and their items."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from service.triage.formats import csv_table, folder, log, maildir, mbox, ndjson, pst, tar_file, zip_file
from service.triage.formats.records import Part
from service.triage.nouns import Item, Kind
from service.triage.packing import Source


class Format(NamedTuple):
    """One format of archives.

    Args:
        kind: what it is called.
        parts: the parts that workers read, which hold each item once; raises ``UnreadableArchive``.
        read: the items of one part; raises ``UnreadableArchive`` where that holds for the whole archive.
        has_members: whether parts are lists of members; a file of that kind cannot be compressed.
    """

    kind: Kind
    parts: Callable[[Source, int], Iterator[Part]]
    read: Callable[[Source, Part], Iterator[Item]]
    has_members: bool = False


FORMATS = (
    Format(Kind.MBOX, mbox.parts, mbox.read),
    Format(Kind.MAILDIR, maildir.parts, maildir.read, has_members=True),
    Format(Kind.FOLDER, folder.parts, folder.read, has_members=True),
    Format(Kind.ZIP, zip_file.parts, zip_file.read, has_members=True),
    Format(Kind.TAR, tar_file.parts, tar_file.read),
    Format(Kind.MESSAGES, ndjson.parts, ndjson.read),
    Format(Kind.TABLE, csv_table.parts, csv_table.read),
    Format(Kind.LOG, log.parts, log.read),
    Format(Kind.PST, pst.parts, pst.read),
)
"""All formats."""

Claim = tuple[Kind, Callable[[bytes], bool]]

SURE_CLAIMS: tuple[Claim, ...] = (
    (Kind.ZIP, zip_file.claims),
    (Kind.PST, pst.claims),
    (Kind.TAR, tar_file.claims),
    (Kind.MBOX, mbox.claims),
    (Kind.MESSAGES, ndjson.claims),
)
"""What a content begins with that is of no other kind, whatever somebody says of it."""

CLAIMS: tuple[Claim, ...] = (
    *SURE_CLAIMS,
    (Kind.LOG, log.claims),
    (Kind.MESSAGES, ndjson.claims_loosely),
    (Kind.TABLE, csv_table.claims),
)
"""What tells the kind of a file by the first 64 KiB of its content, the surest first."""

UNPACKED_ONLY = frozenset({Kind.ZIP, Kind.PST})
"""Kinds that are not read where the file is compressed once more."""


def format_of(kind: Kind) -> Format:
    """The format of a kind other than ``auto``."""
    return next(each for each in FORMATS if each.kind is kind)
