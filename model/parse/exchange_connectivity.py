"""Reads Exchange's connectivity logs: for which destination no name, or no connection, was found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

from model.events import Event, LogFormat, Role, What
from model.exchange_csv import Rows, cells, field_names, host_and_port, stamped_rows
from model.recent import Recent
from model.resources import data_file, read_toml
from model.stamps import iso_stamp

_LOG_TYPE = "log-type: transport connectivity log"
_COLUMNS = ("date-time", "session", "source", "destination", "direction", "description")
_OWN_NAMES = frozenset(("session", "destination", "direction", "description"))
_SIGNS = frozenset("+->*")
_REFUSAL = re.compile(r"(?<![\d.])[45]\d\d[ -]\d\.\d\.\d{1,3}")
_TARGET = re.compile(r"connection to ([0-9A-Fa-f.:\[\]%]{3,60})")
_ANSWERED = "Established connection to "
_SESSIONS = 10_000


def claims(head: str) -> bool:
    """Whether a text is a connectivity log: by its header, its columns, or rows alone."""
    if _LOG_TYPE in head.lower():
        return True
    fields = (field_names(line) for line in head.splitlines() if "ields:" in line)
    return any(names and {*names} >= _OWN_NAMES for names in fields) or stamped_rows(head, 6, _is_row)


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """The events of a log; see ``LogFormat``."""
    log = _Log()
    for number, line in enumerate(lines, 1):
        yield from log.push(number, line.replace("\0", "").lstrip("\ufeff")) or (None,)
    yield from log.close()


def _is_row(row: list[str]) -> bool:
    return row[2] in _sources() and row[4] in _SIGNS and len(row[1]) in (0, 16)


class _Queue(NamedTuple):
    """What a session tells: whither, by which kind of delivery and connector, and which server answered."""

    next_hop: str = ""
    delivery_type: str = ""
    connector: str = ""
    peer: str = ""
    peer_ip: str = ""


class _Log:
    """The sessions that are under way."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = _COLUMNS
        self._queues = Recent[_Queue](_SESSIONS)
        self._rows = Rows()
        self._number = 0

    def push(self, number: int, line: str) -> list[Event]:
        """What a line makes known."""
        self._number = number
        names = field_names(line)
        if names is not None and {*names} >= _OWN_NAMES:
            self._names = names
        if names is not None or line[:1] == "#":
            return []
        return [event for row in self._rows.push(line) for event in self._events(row)]

    def close(self) -> list[Event]:
        """What a row makes known that waits for its end."""
        return [event for row in self._rows.close() for event in self._events(row)]

    def _events(self, row: str) -> list[Event]:
        fields = dict(zip(self._names, cells(row), strict=False))
        session, words, sign = (fields.get(name, "") for name in ("session", "description", "direction"))
        if sign not in _SIGNS:
            return []
        if sign == "+":
            self._queues.put(session, _queue(fields.get("destination", ""), words))
            return []
        queue = (self._queues.pop(session) if sign == "-" else self._queues.get(session)) or _Queue()
        if words.startswith(_ANSWERED):
            peer = fields.get("destination", "").lower()
            self._queues.put(
                session, queue._replace(peer=peer, peer_ip=words.removeprefix(_ANSWERED).strip())
            )
        category = _category(words)
        return [] if category is None else [_fault(fields, queue, self._number, category)]


def _queue(destination: str, words: str) -> _Queue:
    kind, _, rest = words.partition(" ")
    connector = rest.partition(";")[0].partition(" ")[0]
    return _Queue(destination, kind, connector if connector.strip("0-") else "")


def _category(words: str) -> str | None:
    """What the words prove, an empty string where they tell trouble of no kind, ``None`` for no trouble."""
    trouble = next((entry for entry in _data()["trouble"] if entry["text"] in words), None)
    if trouble is not None:
        return str(trouble.get("category", ""))
    return "" if _REFUSAL.search(words) else None


def _fault(fields: dict[str, str], queue: _Queue, line: int, category: str) -> Event:
    words, destination = fields.get("description", ""), fields.get("destination", "") or queue.next_hop
    target = _TARGET.search(words)
    detail = {
        "destination": destination,
        "source": fields.get("source", ""),
        "session": fields.get("session", ""),
        "next_hop": queue.next_hop,
        "delivery_type": queue.delivery_type,
        "connector": queue.connector,
        "category": category,
    }
    return Event(
        what=What.FAULT,
        line=line,
        at=iso_stamp(fields.get("date-time", "")),
        peer=(destination.lower() if target and "." in destination else queue.peer) or None,
        peer_ip=(host_and_port(target[1].rstrip("."))[0] if target else queue.peer_ip) or None,
        reply=_words(words),
        detail={key: value for key, value in detail.items() if value},
    )


def _words(description: str) -> str:
    """A refusal in the description; else what stands in brackets after the counts; else all of it."""
    counts, bracket, inner = description.partition(" (")
    words = inner.removesuffix(")") if bracket and counts.startswith("Messages:") else description
    refusal = _REFUSAL.search(words)
    return words[refusal.start() :] if refusal else words


@cache
def _sources() -> frozenset[str]:
    return frozenset(_data()["sources"]["names"])


@cache
def _data() -> dict[str, Any]:
    return read_toml(data_file("logs", "exchange_connectivity.toml"))


FORMAT = LogFormat("exchange_connectivity", Role.TRANSPORT, claims, read)
