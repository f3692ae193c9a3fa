"""Keeps orders in SQLite or PostgreSQL for all processes that take them, work on them and tell of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from model.errors import UnknownName
from service.clock import Clock, now
from service.errors import StillRunning, StoreUnavailable
from service.once import KEYS_KEPT_FOR, Once
from service.settings import Settings
from service.triage.order_database import Database
from service.triage.order_tables import ANSWERED, ORDERS, Moment, order_of, row_of
from service.triage.orders import Order, Standing, State, Wish

LEASE_S = 30.0
"""How long a runner that is not heard of keeps an order."""

KEEP_DAYS = 7
MOST_DEATHS = 10
"""So many runners may vanish over one order without that a chunk gets done; then it fails."""

TELL_AGAIN_S = 30.0
"""How long after its first failure an end is told again; each further wait is twice as long."""

TELL_FOR = timedelta(hours=24)
TELLING = timedelta(minutes=5)
"""How long one who tells has for it before another tries."""

TOLD_AT_ONCE = 5

_DEADLY = f"{MOST_DEATHS} runners died over it without getting anything done"
_ENDS = [each.value for each in State if each.is_end]
_MOST_DOUBLINGS = 12


class SqlOrderStore:
    """An ``OrderStore`` in a database; the clocks of those who share it must agree to some seconds.

    Args:
        place: a folder for a SQLite file, or an SQLAlchemy address; ``None`` when nobody named one.
        clock: tells the time.
        lease_s: how long a runner that is not heard of keeps an order.
        keep_days: after how many days an order that ended expires.

    Raises:
        StoreUnavailable: the address cannot be read.
    """

    def __init__(
        self,
        place: str | Path | None,
        clock: Clock = now,
        *,
        lease_s: float = LEASE_S,
        keep_days: int = KEEP_DAYS,
    ) -> None:
        self._database = Database(place)
        self._clock = clock
        self._lease = timedelta(seconds=lease_s)
        self._kept_for = timedelta(days=keep_days)

    def add(self, wish: Wish, once: Once | None = None) -> tuple[Order, bool]:
        """Takes a wish; see ``OrderStore``. A wish that is known by its id is not taken again."""
        try:
            return self._add(wish, once)
        except IntegrityError:
            pass  # the same came at the same time, and is there now
        try:
            return self._add(wish, once)
        except IntegrityError as error:
            raise StoreUnavailable("the store of jobs cannot be used: it contradicts itself") from error

    def get(self, order_id: str) -> Order:
        """One order; see ``OrderStore``."""
        found = self._found(select(ORDERS).where(ORDERS.c.id == order_id))
        if not found:
            raise UnknownName("job", order_id)
        return found[0]

    def listed(self, limit: int) -> tuple[Order, ...]:
        """The newest orders first; see ``OrderStore``."""
        newest = (ORDERS.c.created_at.desc(), ORDERS.c.id)
        return self._found(select(ORDERS).order_by(*newest).limit(limit))

    def cancel(self, order_id: str) -> Order:
        """Ends a queued order, asks the runner of a running one to stop; see ``OrderStore``."""
        self.get(order_id)
        now = self._clock()
        with self._database.changing() as connection:
            this = ORDERS.c.id == order_id
            free = update(ORDERS).where(this, _is_free(now)).values(self._ended(State.CANCELLED, now))
            connection.execute(free)
            running = ORDERS.c.state == State.RUNNING.value
            connection.execute(update(ORDERS).where(this, running).values(is_cancelling=True))
            row = connection.execute(select(ORDERS).where(this)).mappings().first()
        if row is None:
            raise UnknownName("job", order_id)
        return order_of(row)

    def remove(self, order_id: str) -> None:
        """Forgets an order and the keys it came with; see ``OrderStore``."""
        if not self.get(order_id).state.is_end:
            raise StillRunning("the job has not ended")
        with self._database.changing() as connection:
            connection.execute(delete(ANSWERED).where(ANSWERED.c.order_id == order_id))
            connection.execute(delete(ORDERS).where(ORDERS.c.id == order_id))

    def claim(self, runner: str) -> Order | None:
        """The oldest order that is free; see ``OrderStore``. One that kills its runners fails."""
        now = self._clock()
        if not self._found(select(ORDERS).where(_is_free(now)).limit(1)):
            return None
        with self._database.changing() as connection:
            deadly = and_(_is_silent(now), ORDERS.c.deaths + 1 >= MOST_DEATHS)
            connection.execute(update(ORDERS).where(deadly).values(self._ended(State.FAILED, now, _DEADLY)))
            return self._claimed(connection, runner, now)

    def beat(self, order_id: str, runner: str, standing: Standing) -> bool:
        """Renews a lease; see ``OrderStore``."""
        if not self._database.is_there:
            return False
        progressed = ORDERS.c.chunks_done < standing.chunks_done
        with self._database.changing() as connection:
            cancelling = connection.execute(
                update(ORDERS)
                .where(_is_held(order_id, runner))
                .values(_plain(standing))
                .values(
                    lease_until=self._clock() + self._lease,
                    deaths=case((progressed, 0), else_=ORDERS.c.deaths),
                )
                .returning(ORDERS.c.is_cancelling)
            ).scalar()
        return cancelling is False

    def release(self, order_id: str, runner: str) -> bool:
        """Gives an order back; see ``OrderStore``."""
        asked = and_(_is_held(order_id, runner), ORDERS.c.is_cancelling)
        queued = {"state": State.QUEUED.value, "runner": None, "lease_until": None}
        ended = self._ended(State.CANCELLED, self._clock())
        return self._changed(asked, ended) or self._changed(_is_held(order_id, runner), queued)

    def finish(self, order_id: str, runner: str, state: State, reason: str | None = None) -> bool:
        """Ends an order; see ``OrderStore``."""
        return self._changed(_is_held(order_id, runner), self._ended(state, self._clock(), reason))

    def expired(self) -> tuple[Order, ...]:
        """The orders whose time is over; see ``OrderStore``."""
        over = and_(ORDERS.c.state.in_(_ENDS), ORDERS.c.expires_at <= self._clock())
        return self._found(select(ORDERS).where(over).order_by(ORDERS.c.expires_at))

    def untold(self) -> tuple[Order, ...]:
        """Some orders whose end is to be told now; see ``OrderStore``. For a while nobody else gets them."""
        now = self._clock()
        due = and_(ORDERS.c.tell_at <= now, ORDERS.c.finished_at > now - TELL_FOR)
        chosen = select(ORDERS.c.id).where(due).order_by(ORDERS.c.tell_at).limit(TOLD_AT_ONCE)
        if not self._found(select(ORDERS).where(due).limit(1)):
            return ()
        with self._database.changing() as connection:
            ids = connection.execute(chosen.with_for_update(skip_locked=True)).scalars().all()
            told = update(ORDERS).where(ORDERS.c.id.in_(ids)).values(tell_at=now + TELLING)
            rows = connection.execute(told.returning(ORDERS)).mappings().all()
        return tuple(order_of(row) for row in sorted(rows, key=lambda row: (row["finished_at"], row["id"])))

    def told(self, order_id: str, *, arrived: bool) -> None:
        """Notes that an end was told, or tried in vain; see ``OrderStore``."""
        if not self._database.is_there:
            return
        with self._database.changing() as connection:
            this = ORDERS.c.id == order_id
            row = connection.execute(select(ORDERS).where(this).with_for_update()).mappings().first()
            if row is not None and row["finished_at"] is not None:
                again = None if arrived else self._again(row["tries"], row["finished_at"])
                tried = {"tell_at": again, "tries": ORDERS.c.tries + 1}
                connection.execute(update(ORDERS).where(this).values(tried))

    def _again(self, tries: int, finished_at: datetime) -> datetime | None:
        """When to tell an end again; not at all after a day."""
        wait = timedelta(seconds=TELL_AGAIN_S * 2 ** min(tries, _MOST_DOUBLINGS))
        again = self._clock() + wait
        return again if again < finished_at + TELL_FOR else None

    def _add(self, wish: Wish, once: Once | None) -> tuple[Order, bool]:
        now = self._clock()
        with self._database.changing() as connection:
            earlier = _earlier(connection, wish, once, now)
            if earlier:
                return earlier, False
            row = (
                connection.execute(insert(ORDERS).values(row_of(wish, now)).returning(ORDERS))
                .mappings()
                .one()
            )
            if once:
                answer = {"key": once.key, "body": once.body, "order_id": wish.id, "created_at": now}
                connection.execute(insert(ANSWERED).values(answer))
            return order_of(row), True

    def _claimed(self, connection: Connection, runner: str, now: datetime) -> Order | None:
        oldest = select(ORDERS.c.id).where(_is_free(now)).order_by(ORDERS.c.created_at, ORDERS.c.id).limit(1)
        chosen = connection.scalar(oldest.with_for_update(skip_locked=True))
        vanished = case((ORDERS.c.state == State.RUNNING.value, 1), else_=0)
        taken = {
            "state": State.RUNNING.value,
            "runner": runner,
            "lease_until": now + self._lease,
            "started_at": func.coalesce(ORDERS.c.started_at, literal(now, Moment())),
            "deaths": ORDERS.c.deaths + vanished,
        }
        claim = update(ORDERS).where(ORDERS.c.id == chosen, _is_free(now)).values(taken).returning(ORDERS)
        row = connection.execute(claim).mappings().first()
        return order_of(row) if row else None

    def _ended(self, state: State, now: datetime, reason: str | None = None) -> dict[str, Any]:
        return {
            "state": state.value,
            "reason": reason,
            "finished_at": now,
            "expires_at": now + self._kept_for,
            "tell_at": now,
            "runner": None,
            "lease_until": None,
        }

    def _found(self, statement: Select[Any]) -> tuple[Order, ...]:
        if not self._database.is_there:
            return ()
        with self._database.reading() as connection:
            return tuple(order_of(row) for row in connection.execute(statement).mappings())

    def _changed(self, which: ColumnElement[bool], values: dict[str, Any]) -> bool:
        if not self._database.is_there:
            return False
        with self._database.changing() as connection:
            return connection.execute(update(ORDERS).where(which).values(values)).rowcount == 1


def store_of(settings: Settings, clock: Clock = now, *, lease_s: float = LEASE_S) -> SqlOrderStore:
    """The store that the settings name.

    Raises:
        StoreUnavailable: the address cannot be read.
    """
    place = settings.database_url or settings.data_dir
    return SqlOrderStore(place, clock, lease_s=lease_s, keep_days=settings.archive_days)


def _is_free(now: datetime) -> ColumnElement[bool]:
    """Nobody works on it: it is queued, or its runner was not heard of."""
    return or_(ORDERS.c.state == State.QUEUED.value, _is_silent(now))


def _is_silent(now: datetime) -> ColumnElement[bool]:
    return and_(ORDERS.c.state == State.RUNNING.value, ORDERS.c.lease_until < now)


def _is_held(order_id: str, runner: str) -> ColumnElement[bool]:
    return and_(ORDERS.c.id == order_id, ORDERS.c.runner == runner, ORDERS.c.state == State.RUNNING.value)


def _plain(standing: Standing) -> dict[str, Any]:
    return {name: getattr(standing, name) for name in Standing.__slots__}


def _earlier(connection: Connection, wish: Wish, once: Once | None, now: datetime) -> Order | None:
    """The order that this request got before.

    Raises:
        KeyReused: its key came with another body.
    """
    known = wish.id
    if once:
        connection.execute(delete(ANSWERED).where(ANSWERED.c.created_at < now - KEYS_KEPT_FOR))
        answer = connection.execute(select(ANSWERED).where(ANSWERED.c.key == once.key)).mappings().first()
        if answer:
            once.check(answer["body"])
        known = answer["order_id"] if answer else known
    row = connection.execute(select(ORDERS).where(ORDERS.c.id == known)).mappings().first()
    return order_of(row) if row else None
