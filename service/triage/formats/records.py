"""Cuts a content into records, each of which belongs to the range of bytes that it begins in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from service.errors import UnreadableArchive
from service.triage.guards import Limits, too_large
from service.triage.packing import Source

Find = Callable[[bytes, int, int], int]
"""Takes a window of the content and two places in it: the first place from the one on and before the other
where a record begins, or -1."""


class Cut(NamedTuple):
    """How records are told apart.

    Args:
        find: where the next one begins.
        before: how many bytes before a place ``find`` looks at; a content counts as following empty lines.
        ahead: how many bytes from a place on it looks at.
    """

    find: Find
    before: int
    ahead: int = 0


class Record(NamedTuple):
    """A record: where it begins, and its bytes, or why they are not there."""

    offset: int
    raw: bytes
    error: str | None = None


class Part(NamedTuple):
    """A part of an archive that one worker reads by itself; see ``nouns.Chunk``."""

    start: int = 0
    end: int | None = None
    members: tuple[str, ...] = ()
    first: int = 0


WHOLE = Part()


def ranges(source: Source, chunk_bytes: int) -> Iterator[Part]:
    """Ranges that cover a file once; one range where it is compressed or its size is not known."""
    size = source.stat().size
    if size is None or source.packing is not source.packing.NONE:
        yield WHOLE
        return
    for start in range(0, size, chunk_bytes):
        yield Part(start, min(start + chunk_bytes, size))


def records(source: Source, cut: Cut, part: Part) -> Iterator[Record]:
    """The records that begin in a range; the last one may end behind it.

    Holds one record and one block in memory. A record above the limit, and one at which the content breaks
    off, have an error instead of bytes.

    Raises:
        OSError: the file cannot be read.
    """
    window = b"\n" * max(0, cut.before - part.start)
    base, scan, begin = part.start - cut.before, cut.before, cut.before
    held: _Held | None = None
    blocks = _Blocks(source.blocks(max(0, base)))
    while True:
        block = blocks.next()
        window += block
        sure = len(window) - (cut.ahead if block else 0)
        while (found := cut.find(window, scan, sure)) >= 0:
            if held:
                yield held.ended(window[begin:found])
            if part.end is not None and base + found >= part.end:
                return
            held = _Held(base + found, source.limits)
            begin, scan = found, found + 1
        scan = max(scan, sure)
        if not block:
            break
        if held:
            held.add(window[begin:scan])
        elif part.end is not None and base + scan >= part.end:
            return
        base += scan - cut.before
        window = window[scan - cut.before :]
        begin = scan = cut.before
    if blocks.failure:
        yield Record(held.offset if held else base + scan, b"", blocks.failure)
    elif held:
        yield held.ended(window[begin:])


class _Blocks:
    """The blocks of a content, an empty one at its end; ``failure`` says why it ends too early."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self.failure: str | None = None

    def next(self) -> bytes:
        """The next block."""
        try:
            return next(self._blocks, b"")
        except UnreadableArchive as failure:
            self.failure = failure.reason
            return b""


def next_line(window: bytes, start: int, stop: int) -> int:
    """The first place where a line begins."""
    return window.find(b"\n", start - 1, stop - 1) + 1 or -1


LINES = Cut(next_line, before=1)


class _Held:
    """A record whose end was not seen yet; beyond the limit only its size is kept."""

    def __init__(self, offset: int, limits: Limits) -> None:
        self.offset = offset
        self._limits = limits
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        """Takes the next bytes."""
        self._size += len(piece)
        if self._size > self._limits.message_bytes:
            self._pieces.clear()
        else:
            self._pieces.append(piece)

    def ended(self, piece: bytes) -> Record:
        """The record, with its last bytes."""
        self.add(piece)
        if self._size > self._limits.message_bytes:
            return Record(self.offset, b"", too_large(self._limits))
        return Record(self.offset, b"".join(self._pieces))
