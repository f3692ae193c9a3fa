"""Reads the items of a chunk, one after the other, in memory that does not grow with it."""

from __future__ import annotations

from collections.abc import Iterator

from service.errors import UnreadableArchive
from service.triage.addresses import SCHEMES
from service.triage.brake import Brake
from service.triage.formats import format_of
from service.triage.formats.records import WHOLE, Part
from service.triage.guards import Limits, id_of
from service.triage.nouns import Chunk, Item, Kind
from service.triage.packing import Source
from service.triage.planning import CHUNK_BYTES, source_of

_NOTHING = "there is no message in it"


def items(
    chunk: Chunk,
    *,
    schemes: frozenset[str] = SCHEMES,
    limits: Limits | None = None,
    column: str | None = None,
    called: str = "",
    brake: Brake | None = None,
) -> Iterator[Item]:
    """The items of a chunk, in order; one that cannot be read has an error, and the rest goes on.

    The same chunk of the same archive gives the same items.

    Args:
        chunk: a part of an archive, as ``planning.plan`` gives it.
        schemes: of addresses that are allowed, as it was planned.
        limits: what an archive may hold, as it was planned.
        column: the column of replies in tables, as it was planned.
        called: what the archive is called in ids; left out: as its file is.
        brake: stops reading.

    Raises:
        OSError: the archive is not there, or cannot be reached; to try again may help.
        Stopped: nobody wants it any more.
    """
    source = Source(chunk.address, chunk.packing, limits or Limits(), schemes, column, called, brake)
    try:
        found = _items(source, chunk)
        yield from brake.watched(found) if brake else found
    except UnreadableArchive as refusal:
        yield Item(id_of(source.name), b"", error=refusal.reason)


def _items(source: Source, chunk: Chunk) -> Iterator[Item]:
    part = Part(chunk.start, chunk.end, chunk.members, chunk.first)
    if not chunk.is_planned:
        yield from _all(*source_of(source, chunk.kind))
    elif format_of(chunk.kind).has_members and not part.members:
        _explain(source, chunk.kind)
    else:
        yield from format_of(chunk.kind).read(source, part)


def _all(kind: Kind, source: Source) -> Iterator[Item]:
    """All items of an archive that could not be planned, but can be read by now."""
    form = format_of(kind)
    parts = form.parts(source, CHUNK_BYTES) if form.has_members else iter((WHOLE,))
    for part in parts:
        yield from form.read(source, part)


def _explain(source: Source, kind: Kind) -> None:
    """Says why an archive, or the rest of it, has no members that can be read.

    Raises:
        UnreadableArchive: always.
    """
    for _ in format_of(kind).parts(source, CHUNK_BYTES):
        pass
    raise UnreadableArchive(_NOTHING)
