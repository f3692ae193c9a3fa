"""Remembers which events came and what became of them, in one SQLite file that many processes share."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

from model.errors import UnknownName
from service.clock import Clock, now
from service.sqlite_file import SqliteFile
from service.ticketing.calls import quoted
from service.ticketing.nouns import Event

FILE = "tickets.sqlite"
LEASE_S = 60.0
"""How long a process may take for an event before another one tries."""

PAUSES_S = (1.0, 5.0, 30.0, 120.0, 600.0, 3600.0, 4 * 3600.0, 12 * 3600.0)
"""How long an event waits after each try that failed; after the last one it waits for ``replay``."""

KEPT_FOR = timedelta(days=90)
"""How long it is known that an event was handled, and its diagnosis can be read."""

MIGRATIONS = (
    """
    CREATE TABLE entry (
        key TEXT PRIMARY KEY, system TEXT NOT NULL, ticket TEXT NOT NULL, message TEXT NOT NULL, raw BLOB,
        state TEXT NOT NULL, tries INTEGER NOT NULL, due_at REAL NOT NULL, came_at REAL NOT NULL,
        result_id TEXT NOT NULL, outcome TEXT NOT NULL
    ) STRICT;
    CREATE INDEX entry_due ON entry (state, due_at);
    CREATE INDEX entry_came ON entry (came_at);
    CREATE TABLE note (
        system TEXT NOT NULL, subject TEXT NOT NULL, entry TEXT NOT NULL, written_at REAL NOT NULL,
        PRIMARY KEY (system, subject)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX note_written ON note (written_at);
    CREATE TABLE root (
        system TEXT NOT NULL, ticket TEXT NOT NULL, root TEXT NOT NULL, seen_at REAL NOT NULL,
        PRIMARY KEY (system, ticket)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX root_seen ON root (seen_at);
    CREATE TABLE cursor (system TEXT PRIMARY KEY, seen_at REAL NOT NULL) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE page (name TEXT PRIMARY KEY, content BLOB NOT NULL, made_at REAL NOT NULL) STRICT;
    CREATE INDEX page_made ON page (made_at);
    """,
)


class State(StrEnum):
    """What became of an event."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    DONE = "done"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Entry:
    """One event in the ledger; ``tries`` counts the one that is under way."""

    key: str
    system: str
    event: Event
    state: State
    tries: int
    due_at: datetime
    came_at: datetime
    result_id: str = ""
    outcome: str = ""


def key_of(system: str, event: Event) -> str:
    """The name of an event: the same message in the same ticket has the same one.

    >>> key_of("helpdesk", Event("12", "345"))
    'helpdesk/12/345'
    """
    digest = sha256(event.raw).hexdigest()[:32] if event.raw else "-"
    message = event.message or digest
    return "/".join((system, quoted(event.ticket), quoted(message)))


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger below a folder, which is made when the first event comes.

    Args:
        folder: where the file lies; ``None`` when nobody named a place.
        clock: tells the time.
    """

    folder: Path | None
    clock: Clock = now

    def note(self, system: str, event: Event) -> str | None:
        """Writes down that an event came.

        Returns:
            Its key; ``None`` where it came before.
        """
        key = key_of(system, event)
        with self._file.opened() as database:
            now = self._now()
            _forget(database, now - KEPT_FOR.total_seconds())
            added = database.execute(
                "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, '', '') ON CONFLICT DO NOTHING",
                (key, system, event.ticket, event.message, event.raw, State.WAITING, now, now),
            ).rowcount
        return key if added else None

    def claim(self, system: str | None = None) -> Entry | None:
        """Takes the event that has been due for longest, so that nobody else does.

        Args:
            system: only events of this one.
        """
        with self._file.opened() as database:
            row = database.execute(
                "UPDATE entry SET state = ?1, tries = tries + 1, due_at = ?2 WHERE key ="
                " (SELECT key FROM entry WHERE state IN (?3, ?1) AND due_at <= ?4 AND ?5 IN (system, '')"
                " ORDER BY due_at LIMIT 1)"
                " RETURNING *",
                (State.CLAIMED, self._now() + LEASE_S, State.WAITING, self._now(), system or ""),
            ).fetchone()
        return _entry(row) if row else None

    def bind(self, entry: Entry, result_id: str) -> str:
        """Gives an event the id that its note will bear; a later try gets that of the first one."""
        with self._file.opened() as database:
            row = database.execute(
                "UPDATE entry SET result_id = iif(result_id = '', ?, result_id) WHERE key = ?"
                " RETURNING result_id",
                (result_id, entry.key),
            ).fetchone()
        return str(row["result_id"]) if row else result_id

    def renew(self, entry: Entry) -> bool:
        """Keeps an event for as long again; whether it still is ours."""
        with self._file.opened() as database:
            return bool(
                database.execute(
                    "UPDATE entry SET due_at = ? WHERE key = ? AND state = ? AND tries = ?",
                    (self._now() + LEASE_S, entry.key, State.CLAIMED, entry.tries),
                ).rowcount
            )

    def finish(self, entry: Entry, outcome: str) -> None:
        """Writes down that an event is handled, unless another try took it over; its mail is forgotten."""
        with self._file.opened() as database:
            database.execute(
                "UPDATE entry SET state = ?, outcome = ?, raw = NULL WHERE key = ? AND tries = ?",
                (State.DONE, outcome, entry.key, entry.tries),
            )

    def postpone(self, entry: Entry, reason: str, wait_s: float | None = None) -> State:
        """Lets an event wait for its next try, or for somebody to look, after the last one.

        Args:
            entry: the event.
            reason: what went wrong, without secrets and text of mails.
            wait_s: what the other side asks for.
        """
        is_last = entry.tries > len(PAUSES_S)
        pause = PAUSES_S[min(entry.tries, len(PAUSES_S)) - 1]
        state = State.DEAD if is_last else State.WAITING
        self._leave(entry, state, reason, max(pause, wait_s or 0.0))
        return state

    def bury(self, entry: Entry, reason: str) -> None:
        """Keeps an event that no further try would help, until somebody replays it."""
        self._leave(entry, State.DEAD, reason, 0.0)

    def letters(self, *states: State) -> tuple[Entry, ...]:
        """The events in some states, oldest first."""
        if not self.is_begun:
            return ()
        marks = ", ".join("?" * len(states))
        with self._file.opened() as database:
            query = f"SELECT * FROM entry WHERE state IN ({marks}) ORDER BY came_at, key"  # noqa: S608
            return tuple(_entry(row) for row in database.execute(query, states))

    def replay(self, system: str | None = None) -> int:
        """Makes events that failed due at once; how many they are."""
        if not self.is_begun:
            return 0
        with self._file.opened() as database:
            return database.execute(
                "UPDATE entry SET state = ?1, tries = min(tries, 1), due_at = ?2"
                " WHERE (state = ?3 OR (state = ?1 AND tries > 0)) AND ?4 IN (system, '')",
                (State.WAITING, self._now(), State.DEAD, system or ""),
            ).rowcount

    def next_due(self, system: str) -> datetime | None:
        """When the next event of a system is due, if one waits."""
        if not self.is_begun:
            return None
        with self._file.opened() as database:
            row = database.execute(
                "SELECT min(due_at) AS due FROM entry WHERE state IN (?, ?) AND system = ?",
                (State.WAITING, State.CLAIMED, system),
            ).fetchone()
        return _moment(row["due"]) if row["due"] is not None else None

    def may_note(self, entry: Entry, subject: str, *, recent: str, most: int, within_s: float) -> bool:
        """Whether a note on a subject may be written: once, and not too often on what is alike.

        Args:
            entry: the event that asks; it may ask again.
            subject: names what the note tells of, and where.
            recent: the beginning of such subjects that are counted together.
            most: how many of these are allowed within a time.
            within_s: that time.
        """
        with self._file.opened() as database:
            now = self._now()
            count = database.execute(
                "SELECT count(*) AS n FROM note WHERE system = ? AND substr(subject, 1, ?) = ? AND entry != ?"
                " AND written_at > ?",
                (entry.system, len(recent), recent, entry.key, now - within_s),
            ).fetchone()["n"]
            if count >= most:
                return False
            database.execute(
                "INSERT INTO note VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (entry.system, subject, entry.key, now),
            )
            row = database.execute(
                "SELECT entry FROM note WHERE system = ? AND subject = ?", (entry.system, subject)
            ).fetchone()
            return bool(row["entry"] == entry.key)

    def root_of(self, system: str, ticket: str, parent: str | None) -> str:
        """The ticket at which a chain of bounces began, each of which opened the next ticket.

        Args:
            system: the system.
            ticket: the ticket that the bounce is in.
            parent: the ticket whose mail came back, where that is known.
        """
        with self._file.opened() as database:
            query = "SELECT root FROM root WHERE system = ? AND ticket = ?"
            row = database.execute(query, (system, parent or ticket)).fetchone()
            root = str(row["root"]) if row else parent or ticket
            database.execute(
                "INSERT INTO root VALUES (?, ?, ?, ?) ON CONFLICT (system, ticket)"
                " DO UPDATE SET seen_at = excluded.seen_at",
                (system, ticket, root, self._now()),
            )
        return root

    def cursor(self, system: str) -> datetime | None:
        """Up to when a system was asked for news."""
        if not self.is_begun:
            return None
        with self._file.opened() as database:
            row = database.execute("SELECT seen_at FROM cursor WHERE system = ?", (system,)).fetchone()
        return _moment(row["seen_at"]) if row else None

    def move_cursor(self, system: str, moment: datetime) -> None:
        """Writes down up to when a system was asked for news."""
        with self._file.opened() as database:
            database.execute(
                "INSERT INTO cursor VALUES (?, ?) ON CONFLICT (system)"
                " DO UPDATE SET seen_at = excluded.seen_at",
                (system, moment.timestamp()),
            )

    def keep(self, content: bytes) -> str:
        """Keeps what a note links to; its name, which nobody can guess."""
        name = token_hex(16)
        with self._file.opened() as database:
            database.execute("INSERT INTO page VALUES (?, ?, ?)", (name, content, self._now()))
        return name

    def kept(self, name: str) -> bytes:
        """What was kept under a name.

        Raises:
            UnknownName: nothing, or its time is over.
        """
        if self.is_begun:
            with self._file.opened() as database:
                row = database.execute("SELECT content FROM page WHERE name = ?", (name,)).fetchone()
            if row:
                return bytes(row["content"])
        raise UnknownName("diagnosis", name[:40])

    @property
    def _file(self) -> SqliteFile:
        return SqliteFile(self.folder, FILE, MIGRATIONS, is_durable=True)

    @property
    def is_begun(self) -> bool:
        """Whether there is a file yet."""
        return self._file.exists

    def _leave(self, entry: Entry, state: State, reason: str, pause_s: float) -> None:
        with self._file.opened() as database:
            is_ours = database.execute(
                "UPDATE entry SET state = ?, outcome = ?, due_at = ?"
                " WHERE key = ? AND state = ? AND tries = ?",
                (state, reason, self._now() + pause_s, entry.key, State.CLAIMED, entry.tries),
            ).rowcount
            if is_ours and state is State.DEAD:  # what it did not write another may
                database.execute("DELETE FROM note WHERE entry = ?", (entry.key,))

    def _now(self) -> float:
        return self.clock().timestamp()


def _forget(database: sqlite3.Connection, before: float) -> None:
    database.execute("DELETE FROM entry WHERE came_at < ? AND state = ?", (before, State.DONE))
    database.execute("DELETE FROM note WHERE written_at < ?", (before,))
    database.execute("DELETE FROM root WHERE seen_at < ?", (before,))
    database.execute("DELETE FROM page WHERE made_at < ?", (before,))


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        key=row["key"],
        system=row["system"],
        event=Event(row["ticket"], row["message"], row["raw"]),
        state=State(row["state"]),
        tries=row["tries"],
        due_at=_moment(row["due_at"]),
        came_at=_moment(row["came_at"]),
        result_id=row["result_id"],
        outcome=row["outcome"],
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
