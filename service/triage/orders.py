"""An order: archives that a caller asked to have triaged as a job, how far it is, and what keeps orders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from service.once import Once
from service.triage.nouns import Kind


class State(StrEnum):
    """How an order stands; the last three are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_end(self) -> bool:
        """Whether nothing follows."""
        return self in (State.SUCCEEDED, State.FAILED, State.CANCELLED)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller asks for.

    Args:
        id: 32 hex digits; names the job's folder too.
        archives: paths or fsspec addresses.
        name: what people know it by; harmless, at most 200 characters.
        kind: what the archives are; ``auto`` looks.
        column: the column of replies in tables.
        show_addresses: whether the report shows addresses in full.
        is_uploaded: whether the archives lie in the job's folder and go with it.
    """

    id: str
    archives: tuple[str, ...]
    name: str
    kind: Kind = Kind.AUTO
    column: str | None = None
    show_addresses: bool = False
    is_uploaded: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an order is.

    Args:
        chunks: into how many parts the archives were cut; 0 until that is known.
        chunks_done: how many of them are done.
        items, rows, errors: what they held.
        read_bytes: of the archives.
        worked_s: seconds since work on it began, in all runs together.
    """

    chunks: int = 0
    chunks_done: int = 0
    items: int = 0
    rows: int = 0
    errors: int = 0
    read_bytes: int = 0
    worked_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Order:
    """A wish that was taken, and what became of it; times are in UTC.

    Args:
        wish: what was asked for.
        state: how it stands.
        standing: how far it is.
        created_at, started_at, finished_at: when; ``None`` for what has not happened.
        expires_at: when it is deleted; ``None`` before its end.
        reason: why it failed, in words for people that hold nothing of a mail.
        is_cancelling: whether somebody asked to stop it.
    """

    wish: Wish
    state: State
    standing: Standing
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    reason: str | None = None
    is_cancelling: bool = False


class OrderStore(Protocol):
    """Keeps orders for all processes. A runner holds an order by a lease that it renews by heartbeats."""

    def add(self, wish: Wish, once: Once | None = None) -> tuple[Order, bool]:
        """Takes a wish; with the key of an earlier request gives that one's order again.

        Returns:
            The order, and whether it is new.

        Raises:
            KeyReused: the key came with another body before.
            StoreUnavailable: the store cannot be reached.
        """

    def get(self, order_id: str) -> Order:
        """One order.

        Raises:
            UnknownName: there is none.
            StoreUnavailable: the store cannot be reached.
        """

    def listed(self, limit: int) -> tuple[Order, ...]:
        """The newest orders first.

        Raises:
            StoreUnavailable: the store cannot be reached.
        """

    def cancel(self, order_id: str) -> Order:
        """Ends a queued order, asks the runner of a running one to stop; an end stays what it is.

        Raises:
            UnknownName: there is none.
            StoreUnavailable: the store cannot be reached.
        """

    def remove(self, order_id: str) -> None:
        """Forgets an order; removing its folder is the caller's.

        Raises:
            UnknownName: there is none.
            StillRunning: it has not ended.
            StoreUnavailable: the store cannot be reached.
        """

    def claim(self, runner: str) -> Order | None:
        """The oldest order that is queued, or whose runner is not heard of; it is the runner's from now on.

        Raises:
            StoreUnavailable: the store cannot be reached.
        """

    def beat(self, order_id: str, runner: str, standing: Standing) -> bool:
        """Renews a lease and tells how far it is; whether to go on: not when cancelled, or another has it.

        Raises:
            StoreUnavailable: the store cannot be reached.
        """

    def release(self, order_id: str, runner: str) -> bool:
        """Gives an order back: it is queued again, or cancelled where asked; whether the runner had it.

        Raises:
            StoreUnavailable: the store cannot be reached.
        """

    def finish(self, order_id: str, runner: str, state: State, reason: str | None = None) -> bool:
        """Ends an order; whether that runner still had it.

        Raises:
            StoreUnavailable: the store cannot be reached.
        """

    def expired(self) -> tuple[Order, ...]:
        """The orders whose time is over.

        Raises:
            StoreUnavailable: the store cannot be reached.
        """

    def untold(self) -> tuple[Order, ...]:
        """The orders that ended and whose end is to be told now: never tried, or due to be tried again.

        Raises:
            StoreUnavailable: the store cannot be reached.
        """

    def told(self, order_id: str, *, arrived: bool) -> None:
        """Notes that an end was told, or that it was tried in vain: then it is tried again ever more rarely.

        Raises:
            StoreUnavailable: the store cannot be reached.
        """
