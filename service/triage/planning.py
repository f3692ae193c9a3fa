"""Says what an archive is, and cuts archives into chunks that workers read by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace

from service.errors import UnreadableArchive
from service.triage import addresses
from service.triage.addresses import SCHEMES, shown
from service.triage.formats import CLAIMS, SURE_CLAIMS, UNPACKED_ONLY, csv_table, format_of, maildir
from service.triage.formats.records import WHOLE, Part
from service.triage.guards import EMPTY, HEAD_BYTES, NESTED, Limits, is_packed
from service.triage.nouns import FOLDERS, Chunk, Kind, Packing
from service.triage.packing import Source, packing_of

CHUNK_BYTES = 8 << 20
_BLANK = b"\xef\xbb\xbf\0 \t\r\n"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_UNKNOWN = (
    "no archive that is read here: no mbox, zip, tar, NDJSON of messages or replies, Outlook data file, log "
    "of a mail server, and no table with a column of SMTP replies; one message alone goes to classify"
)


def recognise(
    address: str, *, schemes: frozenset[str] = SCHEMES, limits: Limits | None = None
) -> tuple[Kind, Packing]:
    """What an archive is and how it is compressed, by its content.

    Args:
        address: a path or an fsspec address.
        schemes: of addresses that are allowed.
        limits: what it may hold.

    Raises:
        OSError: it is not there, or cannot be reached.
        UnreadableArchive: it is empty, damaged, none that is read here, or its scheme is not allowed.
    """
    kind, found = _recognised(Source(address, limits=limits or Limits(), schemes=schemes))
    return kind, found.packing


def plan(
    archives: Iterable[str],
    *,
    kind: Kind = Kind.AUTO,
    chunk_bytes: int = CHUNK_BYTES,
    schemes: frozenset[str] = SCHEMES,
    limits: Limits | None = None,
    column: str | None = None,
) -> Iterator[Chunk]:
    """The chunks of some archives, numbered on; together they hold every item once.

    The same archives give the same chunks. One that cannot be read as a whole is a chunk too: reading it
    gives an item that says why.

    Args:
        archives: paths or fsspec addresses.
        kind: what they are; ``auto`` looks.
        chunk_bytes: about how large a chunk is; what is compressed, a tar, a log and an Outlook data file are
            one chunk.
        schemes: of addresses that are allowed.
        limits: what an archive may hold.
        column: the column of replies in tables, by name or by number from 1.

    Raises:
        OSError: one is not there, or cannot be reached.
    """
    number = 0
    for address in archives:
        source = Source(address, limits=limits or Limits(), schemes=schemes, column=column)
        for chunk in _chunks(source, kind, chunk_bytes, number):
            yield chunk
            number = chunk.number + 1


def parts_of(source: Source, kind: Kind, chunk_bytes: int) -> Iterator[Part]:
    """The parts of an archive; one without members where it has none, or is refused from some place on."""
    form = format_of(kind)
    is_bare = form.has_members
    try:
        for part in form.parts(source, chunk_bytes):
            is_bare = False
            yield part
    except UnreadableArchive:
        is_bare = True
    if is_bare:
        yield WHOLE


def source_of(source: Source, kind: Kind) -> tuple[Kind, Source]:
    """The kind of an archive, and the archive with its packing; a kind that is named is mostly believed.

    Raises:
        OSError: it is not there, or cannot be reached.
        UnreadableArchive: it is none that is read here, or not what it is said to be.
    """
    return _recognised(source) if kind is Kind.AUTO else (kind, _believed(source, kind))


def _chunks(source: Source, kind: Kind, chunk_bytes: int, number: int) -> Iterator[Chunk]:
    try:
        kind, source = source_of(source, kind)
    except UnreadableArchive:
        yield Chunk(number, source.address, kind, is_planned=False)
        return
    for count, part in enumerate(parts_of(source, kind, chunk_bytes), number):
        yield Chunk(
            count,
            source.address,
            kind,
            source.packing,
            start=part.start,
            end=part.end,
            members=part.members,
            first=part.first,
        )


def _recognised(source: Source) -> tuple[Kind, Source]:
    name = shown(source.address)
    try:
        if source.stat().is_folder:
            below = addresses.folders(source.address, schemes=source.schemes)
            return (Kind.MAILDIR if maildir.claims(below) else Kind.FOLDER), source
        found, head = _opened(source)
        return _kind_of(head, found), found
    except UnreadableArchive as refusal:
        raise UnreadableArchive(refusal.reason, name) from refusal


def _opened(source: Source) -> tuple[Source, bytes]:
    """A file with its packing, and what its content begins with."""
    found = replace(source, packing=packing_of(_stored_head(source)))
    head = found.head()
    if not head.strip(_BLANK):
        raise UnreadableArchive(EMPTY)
    return found, head


def _kind_of(head: bytes, source: Source) -> Kind:
    kind = next((kind for kind, claims in CLAIMS if claims(head)), None)
    if kind is not None:
        _check(kind, head, source)
        return kind
    if is_packed(head):
        raise UnreadableArchive(_packed(source.packing))
    if head.startswith(_UTF_16):
        raise UnreadableArchive("a text in UTF-16 that is no log; save it in UTF-8")
    raise UnreadableArchive(_UNKNOWN)


def _believed(source: Source, kind: Kind) -> Source:
    """An archive with its packing, of which somebody says what it is.

    Raises:
        OSError: it is not there, or cannot be reached.
        UnreadableArchive: it is surely something else.
    """
    if kind in FOLDERS:
        return source
    if source.stat().is_folder:
        raise UnreadableArchive(f"it is a folder, not {kind}")
    found, head = _opened(source)
    if not any(claims(head) for each, claims in CLAIMS if each is kind):
        _check_is_no_other(head, found.packing, kind)
    _check(kind, head, found)
    return found


def _check_is_no_other(head: bytes, packing: Packing, kind: Kind) -> None:
    other = next((each for each, claims in SURE_CLAIMS if claims(head)), None)
    if other is not None:
        raise UnreadableArchive(f"it is {other}, not {kind}; without a kind its content tells what it is")
    if is_packed(head):
        raise UnreadableArchive(_packed(packing))


def _packed(packing: Packing) -> str:
    """Why something packed is not read."""
    return NESTED if packing is not Packing.NONE else "archives of this kind are not read"


def _check(kind: Kind, head: bytes, source: Source) -> None:
    """Refuses a packed file that is only read unpacked, and a table without the column of replies."""
    if source.packing is not Packing.NONE and kind in UNPACKED_ONLY:
        raise UnreadableArchive(NESTED)
    if kind is Kind.TABLE:
        csv_table.layout_of(head, source.column)


def _stored_head(source: Source) -> bytes:
    with closing(source.open()) as stream:
        return stream.read(HEAD_BYTES)
