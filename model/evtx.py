"""Turns a Windows event log file (.evtx) into the XML texts of its events."""

from __future__ import annotations

import io
from collections.abc import Iterator

from evtx import PyEvtxParser, PyRecordsIterator

from model.errors import EvidenceError

MAX_EVENTS = 200_000
MAX_EVENT_CHARS = 64 << 10

_MAGIC = b"ElfFile\0"
_HEADER_BYTES = 4096
_CHUNK_BYTES = 65536
_MAX_BROKEN = 10_000


def is_evtx(raw: bytes) -> bool:
    """Whether these bytes open like a Windows event log file."""
    return raw.startswith(_MAGIC)


def event_texts(raw: bytes, *, max_events: int = MAX_EVENTS) -> Iterator[str]:
    """One XML text an event, in the order of the file; what is damaged is passed over.

    Raises:
        EvidenceError: it is no such file, or its header cannot be read.
    """
    if not is_evtx(raw):
        raise EvidenceError("no Windows event log file (.evtx)")
    try:
        parser = PyEvtxParser(io.BytesIO(_whole(raw)), number_of_threads=1)
    except (RuntimeError, OSError, ValueError) as error:
        raise EvidenceError("the Windows event log file cannot be read") from error
    return _texts(parser.records(), max_events)


def _whole(raw: bytes) -> bytes:
    """The file with its last chunk filled up, so that a cut one gives what it still holds."""
    missing = -max(len(raw) - _HEADER_BYTES, 0) % _CHUNK_BYTES
    return raw + bytes(missing)


def _texts(records: PyRecordsIterator, max_events: int) -> Iterator[str]:
    """The texts of the records; the reader goes on after each that it cannot read."""
    broken = 0
    found = 0
    while found < max_events and broken < _MAX_BROKEN:
        try:
            record = next(records)
        except StopIteration:
            return
        except (RuntimeError, OSError, ValueError):
            broken += 1
            continue
        found += 1
        yield _text(record)


def _text(record: object) -> str:
    text = record.get("data") if isinstance(record, dict) else None
    return str(text or "").partition("?>")[2].strip()[:MAX_EVENT_CHARS]
