"""Works off orders, one after the other: claims one, triages its archives, and ends it or gives it back."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TypeVar
from uuid import uuid4

import structlog

from model.errors import NdrError, UnknownName
from service.clock import Clock, now
from service.errors import CallFailed, CallRefused, ServiceError, StoreUnavailable
from service.logs import places_of
from service.triage.job_folders import job_folder, sweep_uploads, unordered_uploads
from service.triage.lease import BEAT_S, Halted, Lease
from service.triage.nouns import Execute
from service.triage.order_work import OrderWork
from service.triage.orders import Order, OrderStore, State
from service.triage.work import Options
from service.webhooks import Events

POLL_S = 1.0
"""How often an idle runner looks for orders."""

STORE_PAUSE_S = 3.0
"""How long to wait for a store that cannot be reached, before each further try."""

FILE_PAUSES_S = (2.0, 10.0)
"""How long to wait after trouble with files, before each further try."""

SWEEP_EVERY = timedelta(minutes=1)
NO_UPLOAD_TAKES = timedelta(days=2)
QUIET_FOR = timedelta(seconds=30)
"""How long nothing is told after a receiver could not be reached."""

Given = TypeVar("Given")

_log = structlog.get_logger()


def runner_name() -> str:
    """A name that no other runner has, in whatever container or machine."""
    return f"{socket.gethostname()[:64]}:{os.getpid()}:{uuid4().hex}"


class Runner:
    """Works off the orders of a store.

    Args:
        store: keeps the orders.
        root: where the folders of jobs lie.
        options: what decides on the rows, beside what an order says.
        execute: how chunks are run.
        events: tells of ends; ``None`` where nobody wants to know.
        clock: tells the time.
        stop: is set when the runner is to end; an order is then given back.
        name: which no other runner has.
        beat_s: how often a lease is renewed.
        pauses_s: before each further try, after trouble with files.
    """

    def __init__(
        self,
        store: OrderStore,
        root: str,
        options: Options,
        execute: Execute,
        events: Events | None = None,
        clock: Clock = now,
        *,
        stop: Event | None = None,
        name: str = "",
        beat_s: float = BEAT_S,
        pauses_s: tuple[float, ...] = FILE_PAUSES_S,
    ) -> None:
        self.name = name or runner_name()
        self._store = store
        self._root = root
        self._options = options
        self._execute = execute
        self._events = events
        self._clock = clock
        self._stop = stop or Event()
        self._beat_s = beat_s
        self._pauses_s = pauses_s
        self._quiet_until = self._sweep_at = datetime.min.replace(tzinfo=UTC)

    def run(self, *, until_idle: bool = False) -> None:
        """Works until it is stopped.

        Args:
            until_idle: end when no order waits.

        Raises:
            StoreUnavailable: it cannot be reached, and nobody wants to wait.
        """
        while not self._stop.is_set():
            pause_s = POLL_S
            try:
                if self._turn():
                    continue
            except StoreUnavailable as error:
                if until_idle:
                    raise
                _log.warning("store_unavailable", reason=str(error))
                pause_s = STORE_PAUSE_S
            if until_idle:
                return
            self._stop.wait(pause_s)

    def work_once(self) -> bool:
        """Works on the next order until it ends or is given back; whether there was one.

        Raises:
            StoreUnavailable: the store cannot be reached; while it has an order, a runner waits for it.
        """
        order = self._store.claim(self.name)
        if order is None:
            return False
        _log.info("order_claimed", order=order.wish.id, archives=len(order.wish.archives))
        with Lease(self._store, order, self.name, self._stop, beat_s=self._beat_s) as lease:
            try:
                state, reason = self._outcome(order, lease)
            except Halted:
                lease.beat()
                was_ours = self._patiently(lambda: self._store.release(order.wish.id, self.name))
                _log.info("order_released", order=order.wish.id, was_ours=was_ours)
            else:
                lease.beat()
                self._finish(order, state, reason, lease)
        return True

    def sweep(self) -> None:
        """Deletes the orders whose time is over, each with its folder, and uploads that never became one.

        Raises:
            StoreUnavailable: the store cannot be reached.
        """
        for order in self._store.expired():
            if not self._delete(order.wish.id):
                continue
            with suppress(UnknownName):  # another runner was faster
                self._store.remove(order.wish.id)
                _log.info("order_deleted", order=order.wish.id)
        before = self._clock() - NO_UPLOAD_TAKES
        count = sweep_uploads(self._root, before) + self._sweep_unordered(before)
        if count:
            _log.info("uploads_deleted", count=count)

    def tell(self) -> None:
        """Tells of the orders that ended; after a failure it is quiet for a while.

        Raises:
            StoreUnavailable: the store cannot be reached.
        """
        if self._events is None or self._clock() < self._quiet_until:
            return
        for order in self._store.untold():
            try:
                self._events.archive_finished(order)
            except (CallFailed, CallRefused) as failure:
                _log.warning("event_not_sent", order=order.wish.id, reason=str(failure))
                self._store.told(order.wish.id, arrived=False)
                self._quiet_until = self._clock() + QUIET_FOR
                return
            self._store.told(order.wish.id, arrived=True)

    def _turn(self) -> bool:
        worked = self.work_once()
        self.tell()
        if self._clock() >= self._sweep_at:
            self.sweep()
            self._sweep_at = self._clock() + SWEEP_EVERY
        return worked

    def _sweep_unordered(self, before: datetime) -> int:
        count = 0
        for order_id in unordered_uploads(self._root, before):
            try:
                self._store.get(order_id)
            except UnknownName:
                count += self._delete(order_id)
        return count

    def _delete(self, order_id: str) -> bool:
        """Deletes the folder of a job; whether that went well: trouble with it does not end the runner."""
        try:
            job_folder(self._root, order_id).remove_all()
        except OSError as error:
            _log.warning("order_not_deleted", order=order_id, reason=_reason(error))
            return False
        return True

    def _finish(self, order: Order, state: State, reason: str | None, lease: Lease) -> None:
        was_ours = self._patiently(lambda: self._store.finish(order.wish.id, self.name, state, reason))
        standing = lease.standing
        _log.info(
            "order_finished",
            order=order.wish.id,
            state=state,
            was_ours=was_ours,
            items=standing.items,
            rows=standing.rows,
            errors=standing.errors,
            seconds=standing.worked_s,
        )

    def _outcome(self, order: Order, lease: Lease) -> tuple[State, str | None]:
        """How the work on an order ends.

        Raises:
            Halted: it does not end here.
        """
        try:
            self._triage_at_last(order, lease)
        except Halted:
            raise
        except (ServiceError, NdrError) as error:
            return State.FAILED, str(error)
        except OSError as error:
            return State.FAILED, f"an archive or the job's folder cannot be used: {_reason(error)}"
        except Exception as error:  # noqa: BLE001  # one order must not end the work on all others
            kind = type(error).__name__
            _log.error("order_broke", order=order.wish.id, error=kind, places=places_of(error))
            return State.FAILED, f"an error in this program: {kind}"
        return State.SUCCEEDED, None

    def _triage_at_last(self, order: Order, lease: Lease) -> None:
        """Triages again after trouble with files, which may pass: a full disk, a place that is away."""
        work = OrderWork(order.wish, job_folder(self._root, order.wish.id), self._options, self._execute)
        for pause_s in self._pauses_s:
            try:
                return work.perform(lease, self._clock)
            except OSError as error:
                _log.warning("files_unavailable", order=order.wish.id, reason=_reason(error))
                if self._stop.wait(pause_s):
                    raise Halted from error
        return work.perform(lease, self._clock)

    def _patiently(self, call: Callable[[], Given]) -> Given | None:
        """Calls until the store can be reached; ``None`` where the runner is to end before that.

        The lease then runs out, and whoever takes the order over finds the work done.
        """
        while True:
            try:
                return call()
            except StoreUnavailable as error:
                _log.warning("store_unavailable", reason=str(error))
            if self._stop.wait(STORE_PAUSE_S):
                return None


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
