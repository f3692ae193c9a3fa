"""Groups the members of an archive into parts, and judges each member that was read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from service.errors import UnreadableArchive
from service.triage.formats import mbox
from service.triage.formats.records import Part
from service.triage.guards import EMPTY, NESTED, id_of, is_packed
from service.triage.nouns import Item

MAX_MEMBERS = 1_000
_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ARCHIVES = re.compile(r"\.(?:mbox|ndjson|jsonl|csv|tsv|log)$", re.I)
"""Names of files that hold many replies and look like text."""
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_HEAD_BYTES = 1024


def grouped(members: Iterable[tuple[str, int]], chunk_bytes: int) -> Iterator[Part]:
    """Parts of at most 1,000 members and so many bytes, or of one member that is larger.

    Args:
        members: names and sizes.
        chunk_bytes: of a part, the names counted too.

    Raises:
        UnreadableArchive: the members end so; those before are in the parts.
    """
    waiting: list[str] = []
    size = first = 0
    refusal: UnreadableArchive | None = None
    try:
        for name, member_bytes in members:
            size += member_bytes + len(name)
            if waiting and (len(waiting) >= MAX_MEMBERS or size > chunk_bytes):
                yield Part(members=tuple(waiting), first=first)
                first += len(waiting)
                waiting, size = [], member_bytes + len(name)
            waiting.append(name)
    except UnreadableArchive as stopped:
        refusal = stopped
    if waiting:
        yield Part(members=tuple(waiting), first=first)
    if refusal:
        raise refusal


def item_of(name: str, raw: bytes) -> Item:
    """What a member is: a message, a text, or why it is neither.

    Args:
        name: its path within the archive.
        raw: all its bytes.
    """
    try:
        _check(name, raw)
    except UnreadableArchive as refusal:
        return refused(name, refusal)
    is_mail = name.lower().endswith(".eml") and not raw.startswith(_OLE_MAGIC)
    return Item(id_of(name), raw, "message" if is_mail else "auto")


def refused(name: str, refusal: UnreadableArchive) -> Item:
    """A member that is not read."""
    return Item(id_of(name), b"", error=refusal.reason)


def _check(name: str, raw: bytes) -> None:
    if not raw.strip():
        raise UnreadableArchive(EMPTY)
    if is_packed(raw[:_HEAD_BYTES]) or _ARCHIVES.search(name) or mbox.holds_several(raw):
        raise UnreadableArchive(NESTED)
    is_text = b"\0" not in raw[:_HEAD_BYTES] or raw.startswith((_OLE_MAGIC, *_UTF_16))
    if not is_text:
        raise UnreadableArchive("neither a mail nor a text")
