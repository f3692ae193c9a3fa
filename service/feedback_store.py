"""Keeps corrections in one SQLite file; each call opens it anew, so that forks and threads share nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from model.errors import UnknownName
from service.clock import Clock, in_iso, now
from service.errors import StoreUnavailable
from service.feedback import Correction, Draft, Status, correction_of, kept
from service.once import KEYS_KEPT_FOR, Once

FILE = "feedback.sqlite"
WAIT_S = 5.0

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
"""Each brings the file one ``user_version`` further; one that is out in the world is never changed."""

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
        self._folder = folder
        self._clock = clock

    def add(self, draft: Draft, once: Once | None = None) -> Correction:
        """Keeps a correction, or counts it up; with the key of an earlier request gives its answer again.

        Raises:
            KeyReused: the key came with another body before.
            StoreUnavailable: the place cannot be written.
        """
        now = self._clock()
        with self._opened() as database:
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
        if self._folder is None or not (self._folder / FILE).exists():
            return ()
        with self._opened() as database:
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
        with self._opened() as database:
            _settle(database, correction_id, status, category)
            return _one(database, correction_id)

    def take(self, correction: Correction) -> bool:
        """Takes a correction from elsewhere; a settled one settles a pending one.

        Returns:
            Whether that changed anything here.

        Raises:
            StoreUnavailable: the place cannot be written.
        """
        with self._opened() as database:
            added = database.execute(f"{_INSERT} ON CONFLICT (id) DO NOTHING", _row(correction)).rowcount
            if added or correction.status is Status.PENDING:
                return bool(added)
            if _one(database, correction.id).status is not Status.PENDING:
                return False
            _settle(database, correction.id, correction.status, correction.correct_category)
            return True

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The file, of the newest form, in one transaction that is undone by an error."""
        if self._folder is None:
            raise StoreUnavailable("NDR_DATA_DIR is not set, and there is no home folder")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with closing(_connected(self._folder / FILE)) as database, _transaction(database):
                _migrate(database)
                yield database
        except (sqlite3.Error, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise StoreUnavailable(f"the folder of NDR_DATA_DIR cannot be used: {reason}") from error


def _connected(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=WAIT_S, isolation_level=None)
    database.row_factory = sqlite3.Row
    try:
        database.execute("PRAGMA journal_mode = WAL")
    except sqlite3.Error:
        database.close()
        raise
    return database


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _migrate(database: sqlite3.Connection) -> None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise StoreUnavailable("the corrections were written by a newer version of this program")
    for script in MIGRATIONS[version:]:
        for statement in filter(str.strip, script.split(";")):
            database.execute(statement)
    if version < len(MIGRATIONS):
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


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
