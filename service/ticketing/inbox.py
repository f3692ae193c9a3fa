"""Takes events from webhooks and works them off beside the requests, in one thread for each system."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from threading import Event as Signal
from threading import Lock, Thread

import structlog

from service.errors import StoreUnavailable
from service.logs import places_of
from service.settings import Settings
from service.ticketing.config import read_systems
from service.ticketing.desks import desks_of
from service.ticketing.handling import Diagnoser, Handler
from service.ticketing.ledger import Ledger
from service.ticketing.nouns import Webhook

LONGEST_WAIT_S = 30.0
SHORTEST_WAIT_S = 0.05
TROUBLE_WAIT_S = 5.0


class Inbox:
    """What the web application needs of ticketing.

    Args:
        handler: works off the ledger.
        start: runs a function beside this one; a thread that does not keep the process alive.
    """

    def __init__(self, handler: Handler, start: Callable[[Callable[[], None]], None] | None = None) -> None:
        self.handler = handler
        self._start = start or _in_background
        self._signals = {system: Signal() for system in handler.desks}
        self._lock = Lock()
        self._working_in = 0

    def receive(self, system: str, request: Webhook) -> Receipt:
        """Writes down what a webhook tells, and sees to it that it is worked off.

        Raises:
            UnknownName: no system has that name.
            BadSignature: the system did not sign it.
            BadEvent: it does not say what it should.
            StoreUnavailable: it cannot be written down; the system should send it again.
        """
        event = self.handler.desk(system).adapter.read(request)
        if event is None:
            return Receipt("ignored")
        key = self.handler.take(system, event)
        if key is None:
            return Receipt("ignored" if event.is_own else "known")
        self.wake(system)
        return Receipt("noted", key)

    def wake(self, system: str | None = None) -> None:
        """Works off what is due, in threads that are begun where this process has none.

        Called at the start of a process, it also works off what an earlier one left.

        Args:
            system: only this one has news; a system that is slow holds up no other.
        """
        with self._lock:
            is_new = self._working_in != os.getpid()
            self._working_in = os.getpid()
        for name, signal in self._signals.items():
            if system in (None, name):
                signal.set()
            if is_new:
                self._start(partial(self._work_for_ever, name))

    def work_once(self, system: str) -> float:
        """Works off what is due in a system; how long to wait for more."""
        try:
            for _ in self.handler.work(system):
                pass
            due = self.handler.ledger.next_due(system)
        except StoreUnavailable as error:
            structlog.get_logger().error("ledger_unavailable", reason=str(error))
            return TROUBLE_WAIT_S
        except Exception as error:  # noqa: BLE001  # the thread must not end
            structlog.get_logger().error("tickets_broke", error=type(error).__name__, places=places_of(error))
            return TROUBLE_WAIT_S
        if due is None:
            return LONGEST_WAIT_S
        return min(LONGEST_WAIT_S, max(SHORTEST_WAIT_S, (due - datetime.now(UTC)).total_seconds()))

    def _work_for_ever(self, system: str) -> None:
        signal = self._signals[system]
        while True:
            signal.clear()
            signal.wait(self.work_once(system))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a webhook: ``noted``, ``known`` from before, or ``ignored``; with the event's key."""

    status: str
    key: str = ""


def inbox_of(settings: Settings, diagnoser: Diagnoser) -> Inbox:
    """What takes webhooks of the configured systems.

    Raises:
        SettingError: the file of the systems is wrong.
    """
    return Inbox(handler_of(settings, diagnoser))


def handler_of(settings: Settings, diagnoser: Diagnoser) -> Handler:
    """What works off events of the configured systems; of none where no file names them.

    Raises:
        SettingError: the file of the systems is wrong.
    """
    systems = read_systems(settings.tickets_file) if settings.tickets_file else {}
    return Handler(desks_of(systems), Ledger(settings.data_dir), diagnoser)


def _in_background(work: Callable[[], None]) -> None:
    Thread(target=work, name="tickets", daemon=True).start()
