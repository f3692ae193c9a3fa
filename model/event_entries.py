"""Takes entries of the Windows event log out of text: Event Viewer's, PowerShell's, CSV and XML."""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from model.stamps import iso_stamp
from model.windows_events import labels
from model.windows_text import Piece, joined, local_stamp, width

MAX_TEXT_CHARS = 4000
MAX_EVENT_CHARS = 64 << 10
MAX_PARAMS = 50

_LABEL = re.compile(r"([^\W\d_][\w ]{0,23}?)(\s{0,24})[:：](?:\s|$)")
_STARTS = frozenset(("log", "provider", "level"))
"""Parts that may end a description, since no description is followed by others."""
_IDS = ("event_id", "instance_id")
_XML_START = re.compile(r"<Event[\s>]")
_XML_END = "</Event>"
_PROVIDER = re.compile(r"<Provider\b[^>]{0,500}?\bName=[\"']([^\"']{1,200})")
_EVENT_ID = re.compile(r"<EventID\b[^>]{0,100}>\s{0,50}(\d{1,10})")
_XML_LEVEL = re.compile(r"<Level>\s{0,50}(\w{1,20})")
_XML_TIME = re.compile(r"<TimeCreated\b[^>]{0,100}?\bSystemTime=[\"']([^\"']{1,40})")
_COMPUTER = re.compile(r"<Computer>\s{0,50}([^<\s]{1,255})")
_STRING = re.compile(r"<(?:Data|string)\b[^>/]{0,200}(?:/>|>([^<]{0,8000})</(?:Data|string)>)")
_MESSAGE = re.compile(r"<Message>([^<]{0,16000})")
_ROW = re.compile(
    r'"?\w{2,12}"?[,\t]"?([\d/.: APM上下午-]{14,30})"?[,\t]"?[^,\t"]{2,80}"?[,\t]"?\d{1,5}"?(?:[,\t]|$)'
)
_USUAL_COLUMNS = ("level", "date", "provider", "event_id", "task")
_MAX_ROW_LINES = 200
_MASK = 0xFFFF
"""The part of an instance id that is the event id."""


class Entry(NamedTuple):
    """One entry.

    Args:
        provider: its source, as the log names it.
        event_id: its number.
        line: its last line.
        level: ``error``, ``warning``, ``information`` or ``critical``; empty where it does not say.
        at: when; a time without a zone is taken for UTC.
        is_local: whether the time was given without a zone.
        computer: who wrote it.
        text: its description, with single blanks.
        params: the strings of its description, where they are given apart.
    """

    provider: str
    event_id: int
    line: int
    level: str = ""
    at: datetime | None = None
    is_local: bool = False
    computer: str | None = None
    text: str = ""
    params: tuple[str, ...] = ()


def entries(lines: Iterable[str]) -> Iterator[Entry | None]:
    """The entries, in order; ``None`` for each line that is of none."""
    reader = _Reader()
    number = 0
    for number, raw in enumerate(lines, 1):
        yield from reader.take(raw.replace("\0", "").lstrip("\ufeff").rstrip(), number)
    yield from reader.finish(number)


def xml_entry(text: str, line: int = 0) -> Entry | None:
    """The entry in the XML of one event."""
    provider, event_id = _PROVIDER.search(text), _EVENT_ID.search(text)
    if provider is None or event_id is None:
        return None
    level, time, computer = _XML_LEVEL.search(text), _XML_TIME.search(text), _COMPUTER.search(text)
    message = _MESSAGE.search(text)
    strings = (hit[1] or "" for hit in _STRING.finditer(text, max(text.find("</System>"), 0)))
    params = tuple(_clean(html.unescape(each)) for each, _ in zip(strings, range(MAX_PARAMS), strict=False))
    return Entry(
        provider=html.unescape(provider[1]),
        event_id=int(event_id[1]),
        line=line,
        level=_level(level[1] if level else ""),
        at=iso_stamp(time[1]) if time else None,
        computer=computer[1] if computer else None,
        text=_clean(html.unescape(message[1])) if message else "",
        params=params,
    )


def is_header(line: str) -> bool:
    """Whether a line names the columns of an export."""
    return _columns(line.lstrip("\ufeff")) is not None


def is_row(line: str) -> bool:
    """Whether a line is a row of Event Viewer's export, whose head may be cut off."""
    hit = _ROW.match(line)
    return hit is not None and local_stamp(hit[1]) is not None


def is_label(line: str) -> str | None:
    """The part that a line gives, by its label."""
    label = _label(line)
    return label.part if label else None


def is_xml(text: str) -> bool:
    """Whether there is an event in XML."""
    start = _XML_START.search(text)
    return start is not None and "<Provider " in text and "<EventID" in text[start.start() :]


class _Label(NamedTuple):
    part: str
    name: str
    value: str
    is_list: bool


@dataclass(slots=True)
class _Draft:
    """An entry that grows line by line."""

    parts: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    text: list[Piece] = field(default_factory=list)
    chars: int = 0
    line: int = 0
    open: str = ""
    is_list: bool = False
    is_after_blank: bool = False
    xml: Entry | None = None

    def ends_before(self, label: _Label) -> bool:
        """Whether a label starts another entry."""
        is_whole = {"provider", "date"} <= self.parts.keys() and not self.parts.keys().isdisjoint(_IDS)
        another = label.is_list and self.is_after_blank and is_whole
        return label.name in self.names or another or (self.open == "xml" and label.part in _STARTS)


class _Reader:
    """Reads labelled entries, tables and XML, each as it comes."""

    def __init__(self) -> None:
        self._draft = _Draft()
        self._xml: list[str] | None = None
        self._xml_chars = 0
        self._table: tuple[str, ...] | None = None
        self._delimiter = ","
        self._row: list[str] = []
        self._quotes = 0

    def take(self, line: str, number: int) -> Iterator[Entry | None]:
        """What a line completes."""
        if self._xml is not None and _is_log_label(line):
            self._xml = None
            yield None
        columns = _columns(line) if self._xml is None else None
        if self._table is None and is_row(line):
            self._delimiter, self._table = "\t" if "\t" in line else ",", _USUAL_COLUMNS
        if self._xml is not None or _XML_START.search(line):
            yield from self._take_xml(line, number)
        elif columns is not None:
            yield from self.finish(number)
            self._delimiter, self._table = columns
            yield None
        elif self._table is not None and not _is_log_label(line):
            yield from self._take_row(line, number)
        else:
            self._table = None
            yield from self._take_labelled(line, number)

    def finish(self, number: int) -> Iterator[Entry | None]:
        """The entry that is still open."""
        if self._row:
            yield _table_entry(self._row, self._table or (), self._delimiter, number)
            self._row, self._quotes = [], 0
        if self._draft.line:
            yield _labelled_entry(self._draft)
            self._draft = _Draft()

    def _take_xml(self, line: str, number: int) -> Iterator[Entry | None]:
        start = _XML_START.search(line)
        if self._xml is None or (start and _XML_END not in line[: start.start()]):
            yield from [None] if self._xml else ()
            self._xml, self._xml_chars = [], 0
        if self._xml_chars < MAX_EVENT_CHARS:
            self._xml.append(line)
        self._xml_chars += len(line)
        if _XML_END not in line and self._xml_chars < 2 * MAX_EVENT_CHARS:
            return
        *events, rest = "\n".join(self._xml).split(_XML_END)
        self._xml = [rest] if _XML_START.search(rest) and self._xml_chars < 2 * MAX_EVENT_CHARS else None
        self._xml_chars = len(rest)
        for event in events:
            yield from self._xml_event(xml_entry(event, number), number)

    def _xml_event(self, entry: Entry | None, number: int) -> Iterator[Entry | None]:
        """An entry of its own, or the XML that Event Viewer copies after the text of the same one."""
        if self._draft.open == "xml" and entry is not None:
            self._draft.xml = entry
            self._draft.line = number
            yield from self.finish(number)
        else:
            yield from self.finish(number)
            yield entry

    def _take_row(self, line: str, number: int) -> Iterator[Entry | None]:
        """A row ends where its quotes are even."""
        self._row.append(line[:MAX_TEXT_CHARS])
        self._quotes += line[:MAX_TEXT_CHARS].count('"')
        if self._quotes % 2 == 0 or len(self._row) > _MAX_ROW_LINES:
            yield _table_entry(self._row, self._table or (), self._delimiter, number)
            self._row, self._quotes = [], 0

    def _take_labelled(self, line: str, number: int) -> Iterator[Entry | None]:
        label = _label(line)
        if label is not None and self._draft.open in ("description", "xml") and not self._may_follow(label):
            label = None
        if label is not None:
            if self._draft.ends_before(label):
                yield from self.finish(number)
            self._put(label, number, width(line))
        elif self._draft.open:
            self._continue(Piece(line.strip(), width(line)), number)
        elif line:
            yield None
        self._draft.is_after_blank = not line

    def _may_follow(self, label: _Label) -> bool:
        """After a description only another entry follows, or in a list, what is not indented."""
        return label.is_list or label.part in _STARTS or label.part == "xml"

    def _put(self, label: _Label, number: int, columns: int) -> None:
        draft = self._draft
        draft.names.add(label.name)
        draft.parts.setdefault(label.part, label.value)
        draft.open = label.part
        draft.is_list = label.is_list
        draft.line = number
        if label.part == "description" and label.value:
            self._continue(Piece(label.value, columns), number)

    def _continue(self, piece: Piece, number: int) -> None:
        """More of the description; what other parts go on with is of no use."""
        draft = self._draft
        if piece.text and draft.open == "description" and draft.chars < MAX_TEXT_CHARS:
            draft.text.append(piece)
            draft.chars += len(piece.text)
            draft.line = number


def _label(line: str) -> _Label | None:
    hit = _LABEL.match(line)
    if hit is None:
        return None
    name = hit[1].strip().lower()
    part = labels().parts.get(name)
    return _Label(part, name, line[hit.end() :].strip(), bool(hit[2])) if part else None


def _is_log_label(line: str) -> bool:
    label = _label(line)
    return label is not None and label.part == "log"


def _columns(line: str) -> tuple[str, tuple[str, ...]] | None:
    """The delimiter and the columns of a table's head: it must name source and event id as only they do."""
    delimiter = "\t" if "\t" in line else ","
    if line.count(delimiter) < 3:
        return None
    names = [name.strip().strip('"').lower() for name in line[:2000].split(delimiter)]
    columns = tuple(labels().parts.get(name, "") for name in names)
    sure = {"date", "event_id", "provider"} <= set(columns)
    told = any(" " in name or name == "providername" for name in names if name in labels().parts)
    return (delimiter, columns) if sure and told else None


def _table_entry(row: list[str], columns: tuple[str, ...], delimiter: str, number: int) -> Entry | None:
    """An entry in a row; Event Viewer gives the description's column no name."""
    try:
        values = next(
            csv.reader(["\n".join(row)[:MAX_EVENT_CHARS].replace("\n", " ")], delimiter=delimiter), []
        )
    except csv.Error:
        return None
    names = [*columns, "description"] if "description" not in columns else list(columns)
    parts: dict[str, str] = {}
    for name, value in zip(names, values, strict=False):
        parts.setdefault(name, value.strip())
    draft = _Draft(parts, text=[Piece(parts.get("description", ""), 0)], line=number)
    return _labelled_entry(draft)


def _labelled_entry(draft: _Draft) -> Entry | None:
    parts = draft.parts
    told = re.match(r"\d{1,10}", parts.get("event_id") or "")
    instance = re.match(r"\d{1,10}", parts.get("instance_id") or "")
    provider = parts.get("provider", "")
    if not provider or (told is None and instance is None):
        return draft.xml
    date = f"{parts.get('date', '')} {parts.get('time', '')}".strip()
    exact = iso_stamp(date) if "T" in date else None
    at = (draft.xml.at if draft.xml else None) or exact
    return Entry(
        provider=provider,
        event_id=int(told[0]) if told else int((instance or [0])[0]) & _MASK,
        line=draft.line,
        level=_level(parts.get("level", "")),
        at=at or local_stamp(date),
        is_local=at is None,
        computer=parts.get("computer") or None,
        text=_clean(joined(draft.text, is_cut=draft.is_list and date[:4].isdigit()))[:MAX_TEXT_CHARS],
        params=draft.xml.params if draft.xml else _braced(parts.get("params", "")),
    )


def _braced(text: str) -> tuple[str, ...]:
    """``{a, b, c}``."""
    inside = text.strip()
    if not inside.startswith("{"):
        return ()
    return tuple(piece.strip() for piece in inside.strip("{}").split(",", MAX_PARAMS))


def _level(text: str) -> str:
    return labels().levels.get(text.strip().lower(), "")


def _clean(text: str) -> str:
    return " ".join(text.split())
