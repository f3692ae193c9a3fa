"""Opens one piece of evidence, whatever its format: a report, a log, a header block, an event log."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from model.charsets import decode
from model.errors import EvidenceError, UnknownName
from model.events import Event, LogFormat, Role
from model.evtx import event_texts, is_evtx
from model.parse import LOG_FORMATS, log_format

AUTO = "auto"
REPORT = "ndr"
HEAD_BYTES = 64 << 10
MAX_LINE_CHARS = 1 << 20
CHUNK_BYTES = 256 << 10
TYPES = (AUTO, REPORT, *(form.name for form in LOG_FORMATS))
"""What a caller may say that a piece of evidence is."""

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One piece of evidence as it was handed in.

    Args:
        name: how the caller knows it.
        open: its bytes from the start, in pieces of any size; may be called several times.
        type: one of ``TYPES``.
    """

    name: str
    open: Callable[[], Iterable[bytes]]
    type: str = AUTO

    @staticmethod
    def of(name: str, raw: bytes, kind: str = AUTO) -> Exhibit:
        """A piece of evidence that is all there."""
        return Exhibit(name, lambda: (raw,), kind)

    def raw(self, limit: int) -> bytes:
        """All bytes.

        Raises:
            EvidenceError: there are more than ``limit``.
        """
        pieces, size = [], 0
        for piece in self.open():
            size += len(piece)
            if size > limit:
                raise EvidenceError(f"{self.name}: a report has more than {limit} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    def head(self) -> bytes:
        """The first 64 KiB."""
        pieces, size = [], 0
        for piece in self.open():
            pieces.append(piece)
            size += len(piece)
            if size >= HEAD_BYTES:
                break
        return b"".join(pieces)[:HEAD_BYTES]


def format_of(exhibit: Exhibit) -> LogFormat | None:
    """The format of a log; ``None`` for a report.

    Raises:
        UnknownName: its type is none of ``TYPES``.
    """
    if exhibit.type == REPORT:
        return None
    if exhibit.type != AUTO:
        named = log_format(exhibit.type)
        if named is None:
            raise UnknownName("evidence type", exhibit.type)
        return named
    head = exhibit.head()
    if is_evtx(head):
        return log_format("exchange_event")
    text = _text_of(head)
    return next((form for form in LOG_FORMATS if form.claims(text)), None)


def lines_of(exhibit: Exhibit) -> Iterator[str]:
    """The lines of a log, decoded, without their ends; overlong ones are cut."""
    head = exhibit.head()
    if is_evtx(head):
        yield from _evtx_lines(b"".join(exhibit.open()))
        return
    rest = ""
    for piece in _decoded_pieces(exhibit.open(), _encoding(head)):
        lines = (rest + piece).split("\n")
        rest = lines.pop()[:MAX_LINE_CHARS]
        for line in lines:
            yield line[:-1] if line.endswith("\r") else line
    if rest:
        yield rest.rstrip("\r")


def role_of(form: LogFormat | None) -> Role:
    """What kind of witness speaks."""
    return form.role if form else Role.REPORT


def events_of(exhibit: Exhibit, form: LogFormat, *, needles: Iterable[str] = ()) -> Iterator[Event | None]:
    """The events of a log; where words are named, a reader that can may pass over lines without them."""
    wanted = tuple(needles)
    if form.read_wanted is None or not wanted:
        return form.read(lines_of(exhibit))
    return form.read_wanted(lines_of(exhibit), lambda line: any(needle in line for needle in wanted))


def _text_of(head: bytes) -> str:
    if head.startswith(_UTF16):
        return head.decode("utf-16", "replace")
    return decode(head)


def _encoding(head: bytes) -> str:
    """UTF-16 by its mark, else UTF-8, else what Chinese Windows writes."""
    if head.startswith(_UTF16):
        return "utf-16"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head)
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8"


def _decoded_pieces(pieces: Iterable[bytes], encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    return chain((decoder.decode(piece) for piece in pieces), (decoder.decode(b"", final=True) for _ in "."))


def _evtx_lines(raw: bytes) -> Iterator[str]:
    return (line for text in event_texts(raw) for line in text.splitlines())
