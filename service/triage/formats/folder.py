"""Reads a directory tree of mails, one a file."""

from __future__ import annotations

from collections.abc import Iterator

from service.errors import UnreadableArchive
from service.triage.addresses import entries, read_entry
from service.triage.formats.members import grouped, item_of, refused
from service.triage.formats.records import Part
from service.triage.guards import check_name, is_clutter
from service.triage.nouns import Item
from service.triage.packing import Source


def parts(source: Source, chunk_bytes: int) -> Iterator[Part]:
    """Lists of the files below the folder, those too that are refused when they are read.

    Raises:
        OSError: a folder cannot be listed.
        UnreadableArchive: there are too many files.
    """
    found = entries(source.address, source.limits, schemes=source.schemes)
    yield from grouped(((each.name, each.size) for each in found if not is_clutter(each.name)), chunk_bytes)


def read(source: Source, part: Part) -> Iterator[Item]:
    """The mails in some files; one that is refused or gone is an error."""
    return (read_one(source, name) for name in part.members)


def read_one(source: Source, name: str) -> Item:
    """The mail in one file below the folder."""
    limits = source.limits
    try:
        check_name(name, limits)
        raw = read_entry(source.address, name, limits.message_bytes, schemes=source.schemes)
        limits.check_message(len(raw))
    except UnreadableArchive as refusal:
        return refused(name, refusal)
    except OSError as failure:
        return refused(
            name, UnreadableArchive(f"it cannot be read: {failure.strerror or 'input/output error'}")
        )
    return item_of(name, raw)
