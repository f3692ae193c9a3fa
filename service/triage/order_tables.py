"""The tables that orders lie in, their form's version, and the way from a row to an order and back."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    TypeDecorator,
    insert,
    select,
    text,
    update,
)

from service.errors import StoreUnavailable
from service.triage.nouns import Kind
from service.triage.orders import Order, Standing, State, Wish

UPGRADES: tuple[tuple[str, ...], ...] = ((),)
"""The statements that bring the tables one version further; what is out in the world is never changed."""

LOCK = 0x6E64722D  # any number of ours: PostgreSQL has one lock for each


class Moment(TypeDecorator[datetime]):
    """A time, which is in UTC in every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The time as the database gets it; SQLite has text, which must compare as the times do."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """The time as the database has it."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


METADATA = MetaData()

ORDERS = Table(
    "orders",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("wish", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("is_cancelling", Boolean, nullable=False),
    Column("reason", Text),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Column("expires_at", Moment),
    Column("runner", String(200)),
    Column("lease_until", Moment),
    Column("deaths", Integer, nullable=False),
    Column("tell_at", Moment),
    Column("tries", Integer, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("chunks_done", Integer, nullable=False),
    Column("items", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("read_bytes", BigInteger, nullable=False),
    Column("worked_s", Float, nullable=False),
)
"""One row for each order.

``deaths`` counts runners that vanished since the last progress, ``tell_at`` says when to tell its end again,
and ``tries`` how often that was tried.
"""

Index("orders_by_state", ORDERS.c.state, ORDERS.c.created_at)

ANSWERED = Table(
    "answered",
    METADATA,
    Column("key", String(200), primary_key=True),
    Column("body", String(200), nullable=False),
    Column("order_id", String(32), nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
)
"""Keys of requests that were answered, and by which order."""

VERSION = Table("schema_version", METADATA, Column("version", Integer, nullable=False))

_STANDING = tuple(each.name for each in fields(Standing))


def bring_up(connection: Connection) -> None:
    """Makes the tables, or brings them to the newest version; one process at a time.

    Raises:
        StoreUnavailable: a newer version of this program wrote them.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    METADATA.create_all(connection)
    version = connection.scalar(select(VERSION.c.version))
    if version is None:
        connection.execute(insert(VERSION).values(version=len(UPGRADES)))
        return
    if version > len(UPGRADES):
        raise StoreUnavailable("the store of jobs was written by a newer version of this program")
    for statements in UPGRADES[version:]:
        for statement in statements:
            connection.execute(text(statement))
    if version < len(UPGRADES):
        connection.execute(update(VERSION).values(version=len(UPGRADES)))


def row_of(wish: Wish, now: datetime) -> dict[str, Any]:
    """A new order as a row."""
    return {
        "id": wish.id,
        "wish": orjson.dumps(asdict(wish)).decode(),
        "state": State.QUEUED.value,
        "is_cancelling": False,
        "created_at": now,
        "deaths": 0,
        "tries": 0,
        **asdict(Standing()),
    }


def order_of(row: RowMapping) -> Order:
    """The order that a row tells of."""
    return Order(
        wish=_wish_of(row["wish"]),
        state=State(row["state"]),
        standing=Standing(**{name: row[name] for name in _STANDING}),
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        expires_at=row["expires_at"],
        reason=row["reason"],
        is_cancelling=row["is_cancelling"],
    )


def _wish_of(written: str) -> Wish:
    values = orjson.loads(written)
    return Wish(**{**values, "archives": tuple(values["archives"]), "kind": Kind(values["kind"])})
