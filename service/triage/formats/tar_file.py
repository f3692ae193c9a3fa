"""Reads the members of a tar file as they come, from a stream that is never sought in."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from service.errors import UnreadableArchive
from service.triage.formats.members import item_of, refused
from service.triage.formats.records import WHOLE, Part
from service.triage.guards import CUT_OFF, LINKED, SPECIAL, check_name, is_clutter
from service.triage.nouns import Item
from service.triage.packing import Source

_BLOCK_BYTES = 512
_MAX_NOTE_BYTES = 1 << 20
"""Of what stands before a member for want of room in its header, such as its path."""
_MAX_NOTES = 16
_LONG_NAME, _LONG_LINK, _OWN_FIELDS, _ALL_FIELDS = b"L", b"K", b"x", b"g"
_NOTES = (_LONG_NAME, _LONG_LINK, _OWN_FIELDS, _ALL_FIELDS, b"X")
_FILES = (b"0", b"\0", b"7")
_LINKS = (b"1", b"2")
_FOLDER, _SPARSE = b"5", b"S"
_BARE = (*_LINKS, b"3", b"4", _FOLDER, b"6")
"""Members without a content, whatever size they name."""
_MAX_DIGITS = 18
_WHOLE_NUMBER = re.compile(rb"\d{1,18}")
_DAMAGED = "the header of a member is damaged; what follows it is not read"


class _Header(NamedTuple):
    name: str
    kind: bytes
    size: int
    is_continued: bool


def claims(head: bytes) -> bool:
    """Whether a content begins with the header of a member."""
    try:
        header = _header(head[:_BLOCK_BYTES])
    except UnreadableArchive:
        return False
    return header is not None


def parts(_source: Source, _chunk_bytes: int) -> Iterator[Part]:
    """One part: where a member begins, only the one before tells."""
    yield WHOLE


def read(source: Source, _part: Part) -> Iterator[Item]:
    """The messages of all members; one that is refused is an error, and so is where the archive breaks off.

    Raises:
        OSError: it cannot be read.
        UnreadableArchive: there is no message in it.
    """
    tar = _Tar(source.blocks())
    name = source.name
    count = 0
    try:
        while header := _next(tar):
            name = header.name
            if header.kind == _FOLDER or is_clutter(name):
                tar.skip(header)
                continue
            count += 1
            source.limits.check_count(count)
            yield _member(tar, header, source)
            name = source.name
    except UnreadableArchive as failure:
        yield refused(name, failure)
        return
    if not count:
        raise UnreadableArchive("there is no message in it")


def _member(tar: _Tar, header: _Header, source: Source) -> Item:
    """The message of a member.

    Raises:
        UnreadableArchive: the archive breaks off within it.
    """
    try:
        check_name(header.name, source.limits)
        _check_kind(header.kind)
        source.limits.check_message(header.size)
    except UnreadableArchive as refusal:
        tar.skip(header)
        return refused(header.name, refusal)
    return item_of(header.name, tar.content(header.size))


def _check_kind(kind: bytes) -> None:
    if kind in _LINKS:
        raise UnreadableArchive(LINKED)
    if kind == _SPARSE:
        raise UnreadableArchive("a sparse file is not read")
    if kind not in _FILES:
        raise UnreadableArchive(SPECIAL)


class _Tar:
    """The content, read forwards."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def block(self) -> bytes:
        """The next 512 bytes, or fewer at the end."""
        return b"".join(self._pieces(_BLOCK_BYTES))

    def content(self, size: int) -> bytes:
        """Some bytes, with what fills their last block passed over."""
        raw = b"".join(self._pieces(size))
        if len(raw) < size:
            raise UnreadableArchive(CUT_OFF)
        self._pass_over(-size % _BLOCK_BYTES)
        return raw

    def skip(self, header: _Header) -> None:
        """Passes over the content of a member."""
        if header.is_continued:
            while self.block()[504:505] == b"\1":
                pass
        if self._pass_over(header.size) < header.size:
            raise UnreadableArchive(CUT_OFF)
        self._pass_over(-header.size % _BLOCK_BYTES)

    def _pass_over(self, size: int) -> int:
        return sum(len(piece) for piece in self._pieces(size))

    def _pieces(self, size: int) -> Iterator[memoryview]:
        while size:
            if not self._rest:
                self._rest = memoryview(next(self._blocks, b""))
            if not self._rest:
                return
            piece, self._rest = self._rest[:size], self._rest[size:]
            size -= len(piece)
            yield piece


@dataclass(slots=True)
class _Notes:
    """What stands before the header of a member and overrules it."""

    name: str | None = None
    size: int | None = None

    def take(self, kind: bytes, content: bytes) -> None:
        """Takes one note more."""
        if kind == _LONG_NAME:
            self.name = _text(content.rstrip(b"\0"))
        elif kind in (_OWN_FIELDS, b"X"):
            fields = dict(_fields(content))
            self.name = _text(fields[b"path"]) if b"path" in fields else self.name
            self.size = (
                int(fields[b"size"]) if _WHOLE_NUMBER.fullmatch(fields.get(b"size", b"")) else self.size
            )


def _next(tar: _Tar) -> _Header | None:
    """The header of the next member; ``None`` at the end."""
    notes = _Notes()
    for _ in range(_MAX_NOTES):
        header = _header(tar.block())
        if header is None:
            return None
        if header.kind not in _NOTES:
            size = header.size if notes.size is None or header.kind in _BARE else notes.size
            return header._replace(name=notes.name or header.name, size=size)
        if header.size > _MAX_NOTE_BYTES:
            raise UnreadableArchive(_DAMAGED)
        notes.take(header.kind, tar.content(header.size))
    raise UnreadableArchive(_DAMAGED)


def _header(block: bytes) -> _Header | None:
    """A header; ``None`` where the archive ends.

    Raises:
        UnreadableArchive: it is none, or cut off.
    """
    if not block.strip(b"\0"):
        return None
    if len(block) < _BLOCK_BYTES:
        raise UnreadableArchive(CUT_OFF)
    try:
        found = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise UnreadableArchive(_DAMAGED) from error
    if found.size < 0:
        raise UnreadableArchive(_DAMAGED)
    is_continued = found.type == _SPARSE and block[482:483] == b"\1"
    name = _text(found.name.encode("utf-8", "surrogateescape"))
    return _Header(name, found.type, 0 if found.type in _BARE else found.size, is_continued)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _fields(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The fields of an extended header: ``length key=value`` and a line end, as long as they are sound."""
    at = 0
    while at < len(content):
        length = content[at : at + _MAX_DIGITS + 1].partition(b" ")[0]
        end = at + int(length) if _WHOLE_NUMBER.fullmatch(length) else at
        if not at + len(length) < end <= len(content):
            return
        key, equals, value = content[at + len(length) + 1 : end - 1].partition(b"=")
        if equals:
            yield key, value
        at = end
