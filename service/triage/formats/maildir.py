"""Reads a maildir: mails in the folders ``cur`` and ``new``, and in those of its subfolders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from service.triage.addresses import entries
from service.triage.formats.folder import read_one
from service.triage.formats.members import grouped
from service.triage.formats.records import Part
from service.triage.nouns import Item
from service.triage.packing import Source

_MAIL = re.compile(r"(?:\.[^/]{1,250}/)?(?:cur|new)/[^/.][^/]*")
"""A mail of the maildir or of a subfolder (``.Sub``), but no hidden file."""


def claims(folders: frozenset[str]) -> bool:
    """Whether a folder with such folders in it is a maildir."""
    return folders >= {"cur", "new"}


def parts(source: Source, chunk_bytes: int) -> Iterator[Part]:
    """Lists of the mails; what is still being delivered (``tmp``) is none yet.

    Raises:
        OSError: a folder cannot be listed.
        UnreadableArchive: there are too many files.
    """
    found = entries(source.address, source.limits, schemes=source.schemes)
    yield from grouped(((each.name, each.size) for each in found if _MAIL.fullmatch(each.name)), chunk_bytes)


def read(source: Source, part: Part) -> Iterator[Item]:
    """The mails in some files; one that is refused or gone is an error."""
    for name in part.members:
        item = read_one(source, name)
        yield item if item.error else replace(item, form="message")
