"""Reads NDJSON: lines with a mail, a reply, or either, and perhaps an id."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from service.errors import UnreadableArchive
from service.triage.formats.records import LINES, Part, Record, ranges, records
from service.triage.nouns import Item
from service.triage.packing import Source

CONTENTS = ("message", "text", "raw")
"""The keys that evidence stands under: a whole mail, a reply, or either."""

_OURS = frozenset({*CONTENTS, "id", "encoding", "form", "language"})
_OPENS = re.compile(rb'\{\s*"(?:message|text|raw|id|encoding)"\s*:')
_BOM = b"\xef\xbb\xbf"
_MAX_ID_CHARS = 1_000

parts = ranges


def claims(head: bytes) -> bool:
    r"""Whether a content opens with a line of this kind and holds no keys of others.

    >>> claims(b'{"id": 1, "text": "550 5.1.1 No such user"}'), claims(b'{"event": "failed", "message": {}}')
    (True, False)
    """
    line, end, _ = head.removeprefix(_BOM).lstrip().partition(b"\n")
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return not end and _OPENS.match(line) is not None
    if isinstance(value, str):
        return line.startswith(b'"')
    return isinstance(value, dict) and _OURS.issuperset(value) and _content_of(value) is not None


def claims_loosely(head: bytes) -> bool:
    """Whether the first line of a content has one of our keys, whatever else it has."""
    line = head.removeprefix(_BOM).lstrip().partition(b"\n")[0]
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and _content_of(value) is not None


def read(source: Source, part: Part) -> Iterator[Item]:
    """What the lines hold that begin in a range; empty lines are passed over."""
    for record in records(source, LINES, part):
        if record.error or record.raw.strip(b"\xef\xbb\xbf \t\r\n"):
            yield _item(record, f"{source.name}#{record.offset}", source)


def _item(record: Record, place: str, source: Source) -> Item:
    if record.error:
        return Item(place, b"", error=record.error)
    line = record.raw.removeprefix(_BOM) if record.offset == 0 else record.raw
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return Item(place, b"", error="the line is no JSON")
    name = _id_of(value, place)
    try:
        raw, form = _evidence(value)
        source.limits.check_message(len(raw))
    except UnreadableArchive as refusal:
        return Item(name, b"", error=refusal.reason)
    return Item(name, raw, form)


def _id_of(value: Any, place: str) -> str:  # noqa: ANN401  # any JSON value may come
    given = value.get("id") if isinstance(value, dict) else None
    if isinstance(given, bool) or not isinstance(given, str | int):
        return place
    return str(given) if 0 < len(str(given)) <= _MAX_ID_CHARS else place


def _content_of(value: Mapping[str, Any]) -> str | None:
    return next((key for key in CONTENTS if isinstance(value.get(key), str)), None)


def _evidence(value: Any) -> tuple[bytes, str]:  # noqa: ANN401  # any JSON value may come
    """The bytes that a line stands for, and their form.

    Raises:
        UnreadableArchive: it holds none.
    """
    if isinstance(value, str):
        return _not_blank(value.encode()), "auto"
    key = _content_of(value) if isinstance(value, dict) else None
    if key is None:
        raise UnreadableArchive(f"the line holds none of {', '.join(CONTENTS)} as a string")
    if key != "text" and value.get("encoding") == "base64":
        return _not_blank(_decoded(value[key], key)), "auto"
    raw = _bytes_of(value[key]) if key == "raw" else value[key].encode()
    return _not_blank(raw), {"message": "message", "text": "text"}.get(key, "auto")


def _bytes_of(text: str) -> bytes:
    """Bytes that were written one character each, else the text in UTF-8."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def _decoded(encoded: str, key: str) -> bytes:
    try:
        return b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableArchive(f"{key} is not base64") from None


def _not_blank(raw: bytes) -> bytes:
    if not raw.strip():
        raise UnreadableArchive("the evidence is empty")
    return raw
