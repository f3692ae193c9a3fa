"""Opens a SQLite file that many processes share, brings it to its newest form, and tells what fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from service.errors import StoreUnavailable

WAIT_S = 10.0
"""How long one waits for others that write."""


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A file below a folder, which is made when the file is first opened.

    Each call opens it anew, so that forks and threads share nothing.

    Args:
        folder: where it lies; ``None`` when nobody named a place.
        name: of the file.
        migrations: scripts, each of which brings the file one ``user_version`` further; one that is out in
            the world is never changed.
        is_durable: whether what was written outlives a crash of the machine, at the price of some speed.
        place: what to call it where it cannot be used.
    """

    folder: Path | None
    name: str
    migrations: tuple[str, ...]
    is_durable: bool = False
    place: str = "the folder of NDR_DATA_DIR"

    @property
    def exists(self) -> bool:
        """Whether there is such a file yet."""
        return self.folder is not None and (self.folder / self.name).exists()

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """The file, of the newest form, in one transaction that is undone by an error.

        Raises:
            StoreUnavailable: it cannot be read or written.
        """
        if self.folder is None:
            raise StoreUnavailable("NDR_DATA_DIR is not set, and there is no home folder")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with closing(self._connected(self.folder / self.name)) as database, _transaction(database):
                self._migrate(database)
                yield database
        except (sqlite3.Error, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise StoreUnavailable(f"{self.place} cannot be used: {reason}") from error

    def _connected(self, file: Path) -> sqlite3.Connection:
        database = sqlite3.connect(file, timeout=WAIT_S, isolation_level=None)
        database.row_factory = sqlite3.Row
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(f"PRAGMA synchronous = {'FULL' if self.is_durable else 'NORMAL'}")
        except sqlite3.Error:
            database.close()
            raise
        return database

    def _migrate(self, database: sqlite3.Connection) -> None:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > len(self.migrations):
            raise StoreUnavailable(f"{self.name} was written by a newer version of this program")
        for script in self.migrations[version:]:
            for statement in filter(str.strip, script.split(";")):
                database.execute(statement)
        if version < len(self.migrations):
            database.execute(f"PRAGMA user_version = {len(self.migrations)}")


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
