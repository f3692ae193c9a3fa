"""Holds an order for a runner: a thread of its own renews the lease and tells how far the work is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import takewhile
from threading import Event, Thread
from typing import Self

import structlog

from service.errors import StoreUnavailable
from service.triage.brake import Brake
from service.triage.nouns import Chunk, Done, Execute, Work
from service.triage.orders import Order, OrderStore, Standing

BEAT_S = 2.0

_log = structlog.get_logger()


class Halted(Exception):
    """The work on an order is to stop: it was cancelled, another runner has it, or this one is to end."""


class Lease:
    """An order that a runner holds as long as the store says so.

    Args:
        store: keeps the order.
        order: as it was claimed.
        runner: who holds it.
        stop: is set when the runner is to end.
        beat_s: how often the lease is renewed.
        ticks: counts seconds.
    """

    def __init__(
        self,
        store: OrderStore,
        order: Order,
        runner: str,
        stop: Event,
        *,
        beat_s: float = BEAT_S,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._id = order.wish.id
        self._runner = runner
        self._stop = stop
        self._beat_s = beat_s
        self._ticks = ticks
        self._began = ticks() - order.standing.worked_s
        self._standing = order.standing
        self._lost = Event()
        self._over = Event()
        self._brake: Brake | None = None
        self._thread = Thread(target=self._renew, name="lease", daemon=True)
        if order.is_cancelling:
            self._lost.set()

    def __enter__(self) -> Self:
        """Begins to renew the lease."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it."""
        self._over.set()
        self._thread.join()

    @property
    def standing(self) -> Standing:
        """How far the work is."""
        return replace(self._standing, worked_s=round(self._ticks() - self._began, 3))

    @property
    def is_halted(self) -> bool:
        """Whether the work is to stop."""
        return self._lost.is_set() or self._stop.is_set()

    def check(self) -> None:
        """Stops work that nobody wants any more.

        Raises:
            Halted: it is such.
        """
        if self.is_halted:
            raise Halted

    def count(self, chunks: int, done: Iterable[Done]) -> Standing:
        """Counts anew what is done of so many chunks."""
        self._standing = Standing(chunks=chunks)
        for each in done:
            self.add(each)
        return self._standing

    def add(self, done: Done) -> None:
        """Counts a chunk that is done."""
        known = self._standing
        self._standing = replace(
            known,
            chunks_done=known.chunks_done + 1,
            items=known.items + done.items,
            rows=known.rows + done.rows,
            errors=known.errors + done.errors,
            read_bytes=known.read_bytes + done.size,
        )

    def guarded(self, execute: Execute, brake: Brake) -> Execute:
        """Runs work as ``execute`` does, until it is to stop.

        Args:
            execute: runs it.
            brake: stops what has begun.
        """

        def run(work: Work, chunks: Iterable[Chunk]) -> Iterator[Done]:
            self.check()
            self._brake = brake
            try:
                for done in execute(work, takewhile(self._is_wanted, chunks)):
                    if done.is_whole:
                        yield done
            finally:
                self._brake = None
            self.check()

        return run

    def beat(self) -> None:
        """Renews the lease once; a store that cannot be reached may come back before somebody else has it."""
        try:
            goes_on = self._store.beat(self._id, self._runner, self.standing)
        except StoreUnavailable as error:
            _log.warning("store_unavailable", order=self._id, reason=str(error))
        else:
            if not goes_on:
                self._lost.set()

    def _is_wanted(self, _chunk: Chunk) -> bool:
        return not self.is_halted

    def _renew(self) -> None:
        while not self._over.wait(self._beat_s):
            self.beat()
            if self.is_halted and (brake := self._brake):
                self._pull(brake)

    def _pull(self, brake: Brake) -> None:
        try:
            brake.pull()
        except OSError as error:
            _log.warning("work_not_stopped", order=self._id, reason=error.strerror or type(error).__name__)
        else:
            self._brake = None
