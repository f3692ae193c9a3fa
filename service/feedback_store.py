"""Keeps corrections in one SQLite file."""

from __future__ import annotations

import sqlite3
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from model.errors import UnknownName
from service.clock import Clock, in_iso, now
from service.feedback import Correction, Draft, Status, correction_of, kept
from service.once import KEYS_KEPT_FOR, Once
from service.sqlite_file import SqliteFile

FILE = "feedback.sqlite"

MIGRATIONS = (
    """
    CREATE TABLE correction (
        id TEXT PRIMARY KEY, status TEXT NOT NULL, canonical TEXT NOT NULL, features TEXT NOT NULL,
        correct_category TEXT NOT NULL, answered_category TEXT NOT NULL, rules_version TEXT NOT NULL,
        correct_permanence TEXT, note TEXT NOT NULL, result_id TEXT, model_version TEXT,
        count INTEGER NOT NULL, created_at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE answered (
        key TEXT PRIMARY KEY, body TEXT NOT NULL, correction TEXT NOT NULL, created_at TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
)
_NAMES = tuple(each.name for each in fields(Correction))
_COLUMNS = ", ".join(_NAMES)
_INSERT = f"INSERT INTO correction ({_COLUMNS}) VALUES ({', '.join(f':{name}' for name in _NAMES)})"  # noqa: S608
_SELECT = f"SELECT {_COLUMNS} FROM correction"  # noqa: S608  # the names are ours


class SqliteStore:
    """A ``FeedbackStore`` below a folder, which is made when the first correction comes.

    Args:
        folder: where the file lies; ``None`` when nobody named a place.
        clock: tells the time.
    """

    def __init__(self, folder: Path | None, clock: Clock = now) -> None:
        self._file = SqliteFile(folder, FILE, MIGRATIONS)
        self._clock = clock

    def add(self, draft: Draft, once: Once | None = None) -> Correction:
        """Keeps a correction, or counts it up; with the key of an earlier request gives its answer again.

        Raises:
            KeyReused: the key came with another body before.
            StoreUnavailable: the place cannot be written.
        """
        now = self._clock()
        with self._file.opened() as database:
            earlier = _answer_before(database, once) if once else None
            if earlier:
                return earlier
            database.execute(
                f"{_INSERT} ON CONFLICT (id) DO UPDATE SET count = count + 1",
                _row(kept(draft, at=in_iso(now))),
            )
            correction = _one(database, draft.id)
            if once:
                _remember(database, once, correction, now)
            return correction

    def listed(self, status: Status | None = None) -> tuple[Correction, ...]:
        """All corrections, or those of one status, oldest first.

        Raises:
            StoreUnavailable: the place cannot be read.
        """
        if not self._file.exists:
            return ()
        with self._file.opened() as database:
            rows = database.execute(
                f"{_SELECT} WHERE ?1 IS NULL OR status = ?1 ORDER BY created_at, id", (status,)
            )
            return tuple(_correction(row) for row in rows)

    def review(self, correction_id: str, status: Status, category: str | None = None) -> Correction:
        """Settles a correction, perhaps for another category.

        Raises:
            UnknownName: there is no such correction.
            StoreUnavailable: the place cannot be written.
        """
        if not self.listed():
            raise UnknownName("correction", correction_id)
        with self._file.opened() as database:
            _settle(database, correction_id, status, category)
            return _one(database, correction_id)

    def take(self, correction: Correction) -> bool:
        """Takes a correction from elsewhere; a settled one settles a pending one.

        Returns:
            Whether that changed anything here.

        Raises:
            StoreUnavailable: the place cannot be written.
        """
        with self._file.opened() as database:
            added = database.execute(f"{_INSERT} ON CONFLICT (id) DO NOTHING", _row(correction)).rowcount
            if added or correction.status is Status.PENDING:
                return bool(added)
            if _one(database, correction.id).status is not Status.PENDING:
                return False
            _settle(database, correction.id, correction.status, correction.correct_category)
            return True


def _one(database: sqlite3.Connection, correction_id: str) -> Correction:
    row = database.execute(f"{_SELECT} WHERE id = ?", (correction_id,)).fetchone()
    if row is None:
        raise UnknownName("correction", correction_id)
    return _correction(row)


def _settle(database: sqlite3.Connection, correction_id: str, status: Status, category: str | None) -> None:
    database.execute(
        "UPDATE correction SET status = ?, correct_category = coalesce(?, correct_category) WHERE id = ?",
        (status, category, correction_id),
    )


def _answer_before(database: sqlite3.Connection, once: Once) -> Correction | None:
    """What an earlier request with this key was answered, if there was one."""
    row = database.execute("SELECT body, correction FROM answered WHERE key = ?", (once.key,)).fetchone()
    if row is None:
        return None
    once.check(row["body"])
    return correction_of(orjson.loads(row["correction"]))


def _remember(database: sqlite3.Connection, once: Once, correction: Correction, now: datetime) -> None:
    database.execute("DELETE FROM answered WHERE created_at < ?", (in_iso(now - KEYS_KEPT_FOR),))
    database.execute(
        "INSERT INTO answered VALUES (?, ?, ?, ?)",
        (once.key, once.body, orjson.dumps(correction).decode(), in_iso(now)),
    )


def _row(correction: Correction) -> dict[str, Any]:
    row = {name: getattr(correction, name) for name in _NAMES}
    return {**row, "features": orjson.dumps(correction.features).decode()}


def _correction(row: sqlite3.Row) -> Correction:
    return correction_of({**dict(row), "features": orjson.loads(row["features"])})
