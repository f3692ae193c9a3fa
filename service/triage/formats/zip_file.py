"""Reads the members of a zip file, each found by its place in the list at the file's end."""

from __future__ import annotations

import stat as modes
import struct
import zlib
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

from model.charsets import decode
from service.errors import UnreadableArchive
from service.triage.addresses import Stream
from service.triage.formats.members import grouped, item_of, refused
from service.triage.formats.records import Part
from service.triage.guards import CUT_OFF, LINKED, SPECIAL, Limits, Meter, check_name, id_of, is_clutter
from service.triage.nouns import Item
from service.triage.packing import Source

_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_LISTED = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MAX_COMMENT_BYTES = 65_535
_MANY, _MUCH = 0xFFFF, 0xFFFFFFFF
"""What stands in a field whose number is in the 64-bit record."""
_ZIP_64 = 1
_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
_IN_UTF_8 = 1 << 11
_STORED, _DEFLATED = 0, 8
_UNIX = 3
_STEP_BYTES = 64 << 10
_DAMAGED = "the list of its members is damaged"
_SPLIT = "it is one of several volumes"


class _List(NamedTuple):
    """Where the list of members stands; ``shift`` is what stands before the zip file itself."""

    start: int
    end: int
    shift: int


class _Entry(NamedTuple):
    """A member as the list has it; ``at`` and ``after`` are where its entry begins and ends."""

    name: str
    flags: int
    method: int
    checksum: int
    packed: int
    size: int
    offset: int
    mode: int
    at: int
    after: int


def claims(head: bytes) -> bool:
    """Whether a file begins like a zip file."""
    return head.startswith(_MAGICS)


def parts(source: Source, chunk_bytes: int) -> Iterator[Part]:
    """Lists of members; the range of a part is that of their entries in the list.

    Raises:
        OSError: it cannot be read.
        UnreadableArchive: it is no zip file, damaged, or a bomb; the parts before are sound.
    """
    with closing(source.open()) as stream:
        entries: list[_Entry] = []

        def members() -> Iterator[tuple[str, int]]:
            for entry in _guarded(stream, source.limits):
                entries.append(entry)
                yield id_of(entry.name), min(entry.size, source.limits.message_bytes)

        for part in grouped(members(), chunk_bytes):
            count = len(part.members)
            yield part._replace(start=entries[0].at, end=entries[count - 1].after)
            del entries[:count]


def read(source: Source, part: Part) -> Iterator[Item]:
    """The messages of some members; one that is refused or damaged is an error.

    Raises:
        OSError: it cannot be read.
        UnreadableArchive: it is no zip file.
    """
    with closing(source.open()) as stream:
        listed = _list_of(stream)
        for entry in _messages(stream, listed._replace(start=part.start, end=part.end or listed.end)):
            try:
                raw = _content(stream, entry, listed.shift, source.limits)
            except UnreadableArchive as refusal:
                yield refused(entry.name, refusal)
            else:
                yield item_of(entry.name, raw)


def _guarded(stream: Stream, limits: Limits) -> Iterator[_Entry]:
    """The members, as long as they are neither too many nor a bomb."""
    listed = _list_of(stream)
    meter = Meter(limits)
    for number, entry in enumerate(_messages(stream, listed), 1):
        limits.check_count(number)
        meter.add(entry.packed, entry.size if entry.size <= limits.message_bytes else 0)
        if meter.packed > listed.start:
            raise UnreadableArchive("its members lie one upon the other: an archive bomb")
        yield entry


def _messages(stream: Stream, listed: _List) -> Iterator[_Entry]:
    """The members that may be messages: no folders, and nothing that nobody means."""
    for entry in _entries(stream, listed):
        if not entry.name.endswith("/") and not modes.S_ISDIR(entry.mode) and not is_clutter(entry.name):
            yield entry


def _list_of(stream: Stream) -> _List:
    size = stream.seek(0, 2)
    tail_start = max(0, size - _END.size - _MAX_COMMENT_BYTES)
    stream.seek(tail_start)
    tail = stream.read(size - tail_start)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise UnreadableArchive("the list of its members is missing: it is cut off, or no zip file")
    _, disk, first_disk, _, count, length, start, _ = _END.unpack_from(tail, at)
    end = tail_start + at
    if _MANY in (count, disk) or _MUCH in (length, start):
        length, start, end = _end_64(stream, end)
    elif disk or first_disk:
        raise UnreadableArchive(_SPLIT)
    shift = end - length - start
    if shift < 0 or length < 0 or end - length < 0:
        raise UnreadableArchive(_DAMAGED)
    return _List(end - length, end, shift)


def _end_64(stream: Stream, end: int) -> tuple[int, int, int]:
    """The length and the start of the list by the 64-bit record, and where that stands."""
    stream.seek(max(0, end - _LOCATOR_64.size))
    locator = stream.read(_LOCATOR_64.size)
    if len(locator) < _LOCATOR_64.size or not locator.startswith(b"PK\x06\x07"):
        raise UnreadableArchive(_DAMAGED)
    _, _, declared, disks = _LOCATOR_64.unpack(locator)
    for at in (declared, end - _LOCATOR_64.size - _END_64.size):
        if disks > 1 or not 0 <= at < end:
            continue
        stream.seek(at)
        record = stream.read(_END_64.size)
        if record.startswith(b"PK\x06\x06") and len(record) == _END_64.size:
            *_, length, start = _END_64.unpack(record)
            return length, start, at
    raise UnreadableArchive(_SPLIT if disks > 1 else _DAMAGED)


def _entries(stream: Stream, listed: _List) -> Iterator[_Entry]:
    at = listed.start
    while at < listed.end:
        stream.seek(at)
        fixed = stream.read(_LISTED.size)
        if len(fixed) < _LISTED.size or not fixed.startswith(b"PK\x01\x02"):
            raise UnreadableArchive(_DAMAGED)
        entry, variable = _entry(fixed, at)
        rest = stream.read(variable)
        at = entry.after
        yield _completed(entry, rest, *struct.unpack_from("<2H", fixed, 28))


def _entry(fixed: bytes, at: int) -> tuple[_Entry, int]:
    """A member by the fixed part of its entry, and the length of the rest."""
    _, made_by, _, flags, method, _, _, checksum, packed, size, *rest = _LISTED.unpack(fixed)
    *lengths, _, _, attributes, offset = rest
    variable = sum(lengths)  # of the name, the extra fields and the comment
    mode = attributes >> 16 if made_by >> 8 == _UNIX else 0
    after = at + _LISTED.size + variable
    return _Entry("", flags, method, checksum, packed, size, offset, mode, at, after), variable


def _completed(entry: _Entry, rest: bytes, name_bytes: int, extra_bytes: int) -> _Entry:
    """The member with its name, and with the numbers that stand in the 64-bit field."""
    raw = rest[:name_bytes]
    name = raw.decode("utf-8", "replace") if entry.flags & _IN_UTF_8 else decode(raw)
    numbers = iter(_numbers_64(rest[name_bytes : name_bytes + extra_bytes]))
    size = next(numbers, entry.size) if entry.size == _MUCH else entry.size
    packed = next(numbers, entry.packed) if entry.packed == _MUCH else entry.packed
    offset = next(numbers, entry.offset) if entry.offset == _MUCH else entry.offset
    return entry._replace(name=name, size=size, packed=packed, offset=offset)


def _numbers_64(extra: bytes) -> tuple[int, ...]:
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == _ZIP_64:
            count = min(length, len(extra) - 4) // 8
            return struct.unpack_from(f"<{count}Q", extra, 4)
        extra = extra[4 + length :]
    return ()


def _content(stream: Stream, entry: _Entry, shift: int, limits: Limits) -> bytes:
    """The bytes of a member.

    Raises:
        UnreadableArchive: it is refused, damaged, or not packed as is common.
    """
    _check(entry, limits)
    stream.seek(entry.offset + shift)
    local = stream.read(_LOCAL.size)
    if len(local) < _LOCAL.size or not local.startswith(b"PK\x03\x04"):
        raise UnreadableArchive("it is not where the list of members says")
    *_, name_bytes, extra_bytes = _LOCAL.unpack(local)
    stream.seek(entry.offset + shift + _LOCAL.size + name_bytes + extra_bytes)
    raw = _stored(stream, entry) if entry.method == _STORED else _inflated(stream, entry)
    if zlib.crc32(raw) != entry.checksum or len(raw) != entry.size:
        raise UnreadableArchive("its checksum is wrong: it is damaged")
    return raw


def _check(entry: _Entry, limits: Limits) -> None:
    check_name(entry.name, limits)
    if modes.S_ISLNK(entry.mode):
        raise UnreadableArchive(LINKED)
    if modes.S_IFMT(entry.mode) not in (0, modes.S_IFREG):
        raise UnreadableArchive(SPECIAL)
    if entry.flags & _ENCRYPTED:
        raise UnreadableArchive("it is encrypted")
    if entry.method not in (_STORED, _DEFLATED):
        raise UnreadableArchive(f"it is packed by method {entry.method}; stored and deflated ones are read")
    limits.check_message(entry.size)


def _stored(stream: Stream, entry: _Entry) -> bytes:
    raw = stream.read(entry.size)
    if len(raw) < entry.size:
        raise UnreadableArchive(CUT_OFF)
    return raw


def _inflated(stream: Stream, entry: _Entry) -> bytes:
    """The content; no more of it than was declared is ever unpacked."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    pieces, left, wanted = [], entry.packed, entry.size
    while not engine.eof and wanted >= 0:
        packed = engine.unconsumed_tail or stream.read(min(left, _STEP_BYTES))
        left -= 0 if engine.unconsumed_tail else len(packed)
        try:
            piece = engine.decompress(packed, wanted + 1)
        except zlib.error as error:
            raise UnreadableArchive("it is damaged") from error
        if not piece and not packed:
            raise UnreadableArchive(CUT_OFF)
        pieces.append(piece)
        wanted -= len(piece)
    if wanted < 0:
        raise UnreadableArchive("it unpacks to more than it declares")
    return b"".join(pieces)
