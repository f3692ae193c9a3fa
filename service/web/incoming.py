"""Reads a request body as it arrives: block by block, unpacked where it is gzip, and cut into lines."""

from __future__ import annotations

import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator

from flask import request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from model.errors import TooLarge
from service.errors import UnreadableArchive
from service.triage.guards import Limits, Meter

BLOCK_BYTES = 1 << 20
"""How much is read at once, where so much has arrived."""

GZIP = frozenset({"gzip", "x-gzip"})
_PLAIN = frozenset({"", "identity"})
_GZIP_FORM = 31  # zlib's own number for a header and trailer of gzip


def encoding() -> str:
    """The ``Content-Encoding`` of this request in lower case; empty where the body is as it is.

    Raises:
        UnsupportedMediaType: there are several.
    """
    named = (request.content_encoding or "").strip().lower()
    if "," in named:
        raise UnsupportedMediaType("Send the body with one Content-Encoding, or none.")
    return "" if named in _PLAIN else named


def blocks(most: int | None) -> Iterator[bytes]:
    """The body as it arrives, none of its blocks empty; needs the request only at its beginning.

    Args:
        most: how many bytes it may have; ``None``: as many as come in time.

    Raises:
        RequestEntityTooLarge: it has more.
        BadRequest: it broke off.
    """
    if most is None:
        return _read(request.environ["wsgi.input"].read)
    request.max_content_length = most
    return _read(request.stream.read)


def unpacked(packed: Iterable[bytes], named: str) -> Iterator[bytes]:
    """A body without its ``Content-Encoding``, in blocks of bounded size.

    Args:
        packed: the body as it arrives.
        named: its encoding; empty: none.

    Raises:
        UnsupportedMediaType: it is not gzip.
        BadRequest: it is damaged.
        TooLarge: it unpacks to absurdly much.
    """
    if named and named not in GZIP:
        raise UnsupportedMediaType("Send the body without Content-Encoding, or with gzip.")
    return _gunzipped(packed) if named else iter(packed)


def lines_of(content: Iterable[bytes], limit: int) -> Iterator[bytes | TooLarge]:
    """The lines that are not blank; in place of one that is too long, what is to be said of it.

    A line is given as soon as its end has arrived, and no more than ``limit`` bytes and a block are held.

    Args:
        content: blocks of any size.
        limit: how many bytes a line may have.
    """
    held = bytearray()
    is_skipping = False
    for block in without_mark(content):
        *ends, rest = block.split(b"\n")
        for end in ends:
            if is_skipping or len(held) + len(end) > limit:
                yield _too_long(limit)
            elif line := bytes(held + end).strip():
                yield line
            held.clear()
            is_skipping = False
        is_skipping = is_skipping or len(held) + len(rest) > limit
        if is_skipping:
            held.clear()
        else:
            held += rest
    if is_skipping:
        yield _too_long(limit)
    elif line := bytes(held).strip():
        yield line


def without_mark(content: Iterable[bytes]) -> Iterator[bytes]:
    """The same blocks without the byte order mark that some programs of Windows begin a text with."""
    head, blocks = b"", iter(content)
    for block in blocks:
        head += block
        if len(head) >= len(BOM_UTF8):
            break
    yield head.removeprefix(BOM_UTF8)
    yield from blocks


def _read(read: Callable[[int], bytes]) -> Iterator[bytes]:
    try:
        while block := read(BLOCK_BYTES):
            yield block
    except OSError as error:
        raise BadRequest("The body broke off, or its chunks cannot be read.") from error


def _gunzipped(packed: Iterable[bytes]) -> Iterator[bytes]:
    """Unpacks one or several members after each other."""
    meter, member = Meter(Limits()), zlib.decompressobj(_GZIP_FORM)
    for block in packed:
        meter.add(len(block), 0)
        left, is_full = block, False
        while left or is_full:
            if member.eof:
                member = zlib.decompressobj(_GZIP_FORM)
            content, left = _some(member, left, meter)
            is_full = len(content) == BLOCK_BYTES and not member.eof
            if content:
                yield content
    if not member.eof:
        raise BadRequest("The gzip of the body broke off.")


def _some(member: zlib._Decompress, packed: bytes, meter: Meter) -> tuple[bytes, bytes]:
    """A block of content, and what is left to unpack."""
    try:
        content = member.decompress(packed, BLOCK_BYTES)
        meter.add(0, len(content))
    except zlib.error as error:
        raise BadRequest("The body is not the gzip it claims to be.") from error
    except UnreadableArchive as error:
        raise TooLarge(f"The body is refused: {error.reason}.") from error
    return content, member.unused_data if member.eof else member.unconsumed_tail


def _too_long(limit: int) -> TooLarge:
    return TooLarge(f"The line has more than {limit} bytes.")
