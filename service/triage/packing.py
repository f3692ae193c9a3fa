"""Gives the content of an archive's file as blocks, unpacked and under guard."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module

from service.errors import UnreadableArchive
from service.triage.addresses import SCHEMES, Stat, Stream, name_of, open_at, stat
from service.triage.brake import Brake
from service.triage.guards import CUT_OFF, HEAD_BYTES, Limits, Meter
from service.triage.nouns import Packing

BLOCK_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPED = b"\x2a\x4d\x18"
"""After a byte of 0x50 to 0x5f: a frame that holds no content."""
_FEED_BYTES = 128 << 10
_WINDOW_BYTES = 128 << 20
_HEADER_BYTES = 18
"""The longest header of a zstd frame."""


@dataclass(frozen=True, slots=True)
class Source:
    """An archive as the formats read it.

    Args:
        address: a path or an fsspec address.
        packing: how it is compressed.
        limits: what it may hold.
        schemes: of addresses that may be read.
        column: the column of replies in a table, by name or by number from 1; ``None`` finds it.
        called: what its items are called after; empty: after its file.
        brake: stops reading.
    """

    address: str
    packing: Packing = Packing.NONE
    limits: Limits = field(default_factory=Limits)
    schemes: frozenset[str] = SCHEMES
    column: str | None = None
    called: str = ""
    brake: Brake | None = None

    @property
    def name(self) -> str:
        """What its items are called after."""
        return self.called or name_of(self.address)

    def stat(self) -> Stat:
        """What is known of it; see ``addresses.stat``."""
        return stat(self.address, schemes=self.schemes)

    def open(self, offset: int = 0) -> Stream:
        """Its bytes as they are stored; see ``addresses.open_at``."""
        return open_at(self.address, offset, schemes=self.schemes)

    def blocks(self, offset: int = 0) -> Iterator[bytes]:
        """Its content from an offset on, in blocks of any size but none empty.

        Args:
            offset: of the first byte; 0 where it is compressed.

        Raises:
            OSError: it cannot be read.
            UnreadableArchive: it is damaged, cut off or a bomb; what came before was whole.
            Stopped: nobody wants it any more.
        """
        with closing(self.open(offset)) as stream:
            found = unpacked(stream, self.packing, self.limits)
            yield from self.brake.watched(found) if self.brake else found

    def head(self) -> bytes:
        """The first 64 KiB of its content, or as much as can be read.

        Raises:
            OSError: it cannot be read.
            UnreadableArchive: it is damaged from the start.
        """
        head = b""
        try:
            for block in self.blocks():
                head += block
                if len(head) >= HEAD_BYTES:
                    break
        except UnreadableArchive:
            if not head:
                raise
        return head[:HEAD_BYTES]


def packing_of(head: bytes) -> Packing:
    """How a file with such a head is compressed."""
    if head.startswith(_GZIP_MAGIC):
        return Packing.GZIP
    if head.startswith(_ZSTD_MAGIC) or (head[1:4] == _ZSTD_SKIPPED and head[0] >> 4 == 5):
        return Packing.ZSTD
    return Packing.NONE


def unpacked(stream: Stream, packing: Packing, limits: Limits) -> Iterator[bytes]:
    """The content of a stream in blocks, none empty.

    Raises:
        UnreadableArchive: it is damaged, cut off or a bomb, or nothing here can unpack it.
    """
    if packing is Packing.NONE:
        yield from iter(partial(stream.read, BLOCK_BYTES), b"")
        return
    meter = Meter(limits)
    yield from _gathered(_gunzipped(stream, meter) if packing is Packing.GZIP else _unzstd(stream, meter))


def _gunzipped(stream: Stream, meter: Meter) -> Iterator[bytes]:
    """The content of gzip members that stand one behind the other; zeros may follow the last."""
    engine = None
    for piece in iter(partial(stream.read, _FEED_BYTES), b""):
        meter.add(len(piece), 0)
        rest = piece
        while rest := rest if engine else rest.lstrip(b"\0"):
            engine = engine or zlib.decompressobj(zlib.MAX_WBITS | 16)
            try:
                block = engine.decompress(rest, BLOCK_BYTES)
            except zlib.error as error:
                raise UnreadableArchive("the gzip data is damaged") from error
            meter.add(0, len(block))
            if block:
                yield block
            rest = engine.unused_data if engine.eof else engine.unconsumed_tail
            engine = None if engine.eof else engine
    if engine:
        raise UnreadableArchive(CUT_OFF)


def _unzstd(stream: Stream, meter: Meter) -> Iterator[bytes]:
    """The content of zstd frames that stand one behind the other."""
    try:
        library = import_module("zstandard")
    except ImportError as error:
        raise UnreadableArchive("reading zstd needs the package zstandard") from error
    followed = _Followed(stream, meter)
    engine = library.ZstdDecompressor(max_window_size=_WINDOW_BYTES)
    reader = engine.stream_reader(followed, read_size=_FEED_BYTES, read_across_frames=True)
    while True:
        try:
            block: bytes = reader.read(_FEED_BYTES)
        except library.ZstdError as error:
            raise UnreadableArchive("the zstd data is damaged") from error
        if not block:
            break
        meter.add(0, len(block))
        yield block
    if not followed.is_whole:
        raise UnreadableArchive(CUT_OFF)


class _Followed:
    """Zstd data on its way to the library, which cannot tell a cut from an end; frames can (RFC 8878)."""

    def __init__(self, stream: Stream, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter
        self._rest = b""
        self._skip = 0
        self._is_in_frame = False
        self._checksum_bytes = 0

    @property
    def is_whole(self) -> bool:
        """Whether the last frame has ended."""
        return not (self._is_in_frame or self._skip or self._rest)

    def read(self, size: int) -> bytes:
        """The next bytes, as the library asks for them."""
        piece = self._stream.read(size)
        self._meter.add(len(piece), 0)
        ahead, at = self._rest + piece, 0
        while at < len(ahead):
            passed = min(self._skip, len(ahead) - at)
            self._skip -= passed
            header = ahead[at : at + _HEADER_BYTES]
            taken = passed or (self._block(header) if self._is_in_frame else self._frame(header))
            if not taken:
                break
            at += taken
        self._rest = ahead[at : at + _HEADER_BYTES]
        return piece

    def _block(self, header: bytes) -> int:
        """The length of the header of a block; 0 where it is not all there."""
        if len(header) < 3:
            return 0
        fields = int.from_bytes(header[:3], "little")
        is_last, is_one_byte = fields & 1, fields >> 1 & 3 == 1
        self._skip = 1 if is_one_byte else fields >> 3
        if is_last:
            self._skip += self._checksum_bytes
            self._is_in_frame = False
        return 3

    def _frame(self, header: bytes) -> int:
        """The length of the header of a frame; 0 where it is none, or not all there."""
        if header[1:4] == _ZSTD_SKIPPED and len(header) >= 8:
            self._skip = int.from_bytes(header[4:8], "little")
            return 8
        if not header.startswith(_ZSTD_MAGIC) or len(header) < 5:
            return 0
        described = header[4]
        is_single = described >> 5 & 1
        window = 0 if is_single else 1
        length = 5 + window + (0, 1, 2, 4)[described & 3] + (is_single, 2, 4, 8)[described >> 6]
        if len(header) < length:
            return 0
        self._is_in_frame, self._checksum_bytes = True, 4 * (described >> 2 & 1)
        return length


def _gathered(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in fewer blocks; what came before a failure is given first."""
    waiting: list[bytes] = []
    size = 0
    failure: UnreadableArchive | None = None
    try:
        for block in blocks:
            waiting.append(block)
            size += len(block)
            if size >= BLOCK_BYTES:
                yield b"".join(waiting)
                waiting, size = [], 0
    except UnreadableArchive as error:
        failure = error
    if waiting:
        yield b"".join(waiting)
    if failure:
        raise failure
