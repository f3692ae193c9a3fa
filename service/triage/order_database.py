"""Opens the database of orders, SQLite or PostgreSQL: each transaction has a connection of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from service.errors import StoreUnavailable
from service.triage.order_tables import bring_up

FILE = "jobs.sqlite"
WAIT_S = 5
"""How long a connection, or a lock, is waited for."""

_READING = {"ndr_reading": True}
_SECRETS = ("password", "sslpassword")
_PSYCOPG = {
    "connect_timeout": WAIT_S,
    "tcp_user_timeout": 2000 * WAIT_S,
    "keepalives_idle": WAIT_S,
    "prepare_threshold": None,  # so that it goes through a pooler, too
}
_LIMITS = (
    f"SELECT set_config('lock_timeout', '{WAIT_S}s', true), "
    f"set_config('statement_timeout', '{4 * WAIT_S}s', true), "
    f"set_config('idle_in_transaction_session_timeout', '{4 * WAIT_S}s', true)"
)


class Database:
    """The database of orders, opened when it is first needed.

    Args:
        place: a folder for a SQLite file, or an SQLAlchemy address; ``None`` when nobody named one.

    Raises:
        StoreUnavailable: it is neither.
    """

    def __init__(self, place: str | Path | None) -> None:
        self._url = None if place is None else _url_of(place)
        self._engine: Engine | None = None
        self._is_ready = False

    @property
    def is_there(self) -> bool:
        """Whether something can be in it: a SQLite file is made when the first order comes."""
        if self._url is None:
            return False
        return self._url.get_backend_name() != "sqlite" or Path(self._url.database or "").exists()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads.

        Raises:
            StoreUnavailable: the database cannot be used.
        """
        with self._told():
            self._get_ready()
            with self._opened().execution_options(**_READING).begin() as connection:
                yield connection

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """A transaction that is undone by an error.

        Raises:
            IntegrityError: somebody else was faster to add the same; to try again helps.
            StoreUnavailable: the database cannot be used.
        """
        with self._told():
            self._get_ready()
            with self._opened().begin() as connection:
                yield connection

    def _get_ready(self) -> None:
        if not self._is_ready:
            with self._opened().begin() as connection:
                bring_up(connection)
            self._is_ready = True

    def _opened(self) -> Engine:
        if self._url is None:
            raise StoreUnavailable("NDR_DATA_DIR is not set, and there is no home folder")
        if self._url.get_backend_name() == "sqlite":
            Path(self._url.database or "").parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._engine is None:
            self._engine = _engine_of(self._url)
        return self._engine

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tells of what goes wrong without secrets and without what was to be written."""
        try:
            yield
        except IntegrityError:
            raise
        except ModuleNotFoundError as error:
            raise StoreUnavailable(f"the store of jobs needs the package {error.name}") from error
        except (SQLAlchemyError, OSError) as error:
            self._is_ready = False
            raise StoreUnavailable(f"the store of jobs cannot be used: {self._reason(error)}") from error

    def _reason(self, error: Exception) -> str:
        if isinstance(error, OSError):
            return error.strerror or type(error).__name__
        told = getattr(error, "orig", None) or error
        reason = next(iter(str(told).splitlines()), type(told).__name__)
        for secret in _secrets_of(self._url):
            reason = reason.replace(secret, "…")
        return reason


def _url_of(place: str | Path) -> URL:
    if isinstance(place, Path) or "://" not in place:
        return URL.create("sqlite", database=str(Path(place) / FILE))
    try:
        url = make_url(place)
    except (ArgumentError, ValueError):
        raise StoreUnavailable("NDR_DATABASE_URL cannot be read") from None
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise StoreUnavailable("NDR_DATABASE_URL names no file, and what lies in memory is not shared")
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def _secrets_of(url: URL | None) -> Iterator[str]:
    if url is None:
        return
    values = (url.password, *(url.query.get(name) for name in _SECRETS))
    yield from (str(value) for value in values if value)


def _engine_of(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        engine = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=dict(_PSYCOPG))
        event.listen(engine, "begin", _set_limits)
        return engine
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args={"timeout": WAIT_S})
    event.listen(engine, "connect", _prepare_file)
    event.listen(engine, "begin", _begin)
    return engine


def _set_limits(connection: Connection) -> None:
    """Nobody waits for a process that was frozen within a transaction."""
    connection.exec_driver_sql(_LIMITS)


def _prepare_file(raw: Any, _record: object) -> None:  # noqa: ANN401  # the driver's own
    """Leaves transactions to us; readers and a writer do not wait for each other."""
    raw.isolation_level = None
    raw.execute("PRAGMA journal_mode = WAL").close()


def _begin(connection: Connection) -> None:
    """Who changes something waits for its turn at the beginning, where waiting is possible."""
    reads = connection.get_execution_options().get("ndr_reading")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
