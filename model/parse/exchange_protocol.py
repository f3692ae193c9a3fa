"""Reads Exchange's SMTP send and receive protocol logs, whose sessions are interleaved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from model.events import Event, LogFormat, Role
from model.exchange_csv import Rows, cells, field_names, stamped_rows
from model.exchange_session import Line, Session
from model.recent import Recent
from model.stamps import iso_stamp

_SEND, _RECEIVE = "smtp send protocol log", "smtp receive protocol log"
_COLUMNS = (
    "date-time",
    "connector-id",
    "session-id",
    "sequence-number",
    "local-endpoint",
    "remote-endpoint",
    "event",
    "data",
    "context",
)
_OWN_NAMES = frozenset(("session-id", "sequence-number", "remote-endpoint"))
_SIGNS = frozenset("+-<>*")
_SESSIONS = 2_000


def claims(head: str) -> bool:
    """Whether a text is a protocol log: by its header, its columns, or rows alone."""
    lower = head.lower()
    if f"log-type: {_SEND}" in lower or f"log-type: {_RECEIVE}" in lower:
        return True
    fields = (field_names(line) for line in head.splitlines() if "ields:" in line)
    return any(names and {*names} >= _OWN_NAMES for names in fields) or stamped_rows(head, 9, _is_row)


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """The events of a log; see ``LogFormat``."""
    log = _Log()
    for number, line in enumerate(lines, 1):
        yield from log.push(number, line.replace("\0", "").lstrip("\ufeff")) or (None,)
    yield from log.close()


def _is_row(row: list[str]) -> bool:
    return row[3].isdigit() and row[6] in _SIGNS and _is_session(row[2])


def _is_session(text: str) -> bool:
    return len(text) == 16 and all(digit in "0123456789ABCDEFabcdef" for digit in text)


class _Log:
    """The sessions that are under way."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = _COLUMNS
        self._is_send: bool | None = None
        self._sessions = Recent[Session](_SESSIONS)
        self._rows = Rows()
        self._number = 0

    def push(self, number: int, line: str) -> list[Event]:
        """What a line makes known."""
        self._number = number
        names = field_names(line)
        if names is not None or line[:1] == "#" or line[:9].lower() == "log-type:":
            self._header(line, names)
            return []
        return [event for row in self._rows.push(line) for event in self._events(row)]

    def close(self) -> list[Event]:
        """What a row makes known that waits for its end."""
        return [event for row in self._rows.close() for event in self._events(row)]

    def _header(self, line: str, names: tuple[str, ...] | None) -> None:
        if names is not None and {*names} >= _OWN_NAMES:
            self._names = names
        kinds = {_SEND: True, _RECEIVE: False}
        self._is_send = next((kinds[kind] for kind in kinds if kind in line.lower()), self._is_send)

    def _events(self, row: str) -> list[Event]:
        fields = dict(zip(self._names, cells(row), strict=False))
        name = fields.get("session-id", "")
        event = fields.get("event") or ("*" if "event" in fields else "")
        if not name or event not in _SIGNS:
            return []
        session = None if event == "+" and fields.get("sequence-number") == "0" else self._sessions.get(name)
        if session is None:
            session = Session(fields.get("connector-id", ""), name, is_send=self._is_send)
            self._sessions.put(name, session)
        if event == "-":
            self._sessions.pop(name)
        at = iso_stamp(fields.get("date-time", ""))
        line = Line(self._number, at, event, fields.get("data", ""), fields.get("context", ""))
        return session.push(line, fields.get("remote-endpoint", ""))


FORMAT = LogFormat("exchange_protocol", Role.TRANSPORT, claims, read)
