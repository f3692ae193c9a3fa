"""Asks systems for news, for those that send none themselves, and for what webhooks lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from service.errors import CallFailed, CallRefused
from service.ticketing.handling import ODD_ANSWER, Handler

FIRST_LOOK_BACK = timedelta(hours=1)
OVERLAP = timedelta(minutes=2)
"""What was looked at is looked at again: clocks differ, and a long change shows late."""


@dataclass(frozen=True, slots=True)
class Poller:
    """Asks one system.

    Args:
        handler: takes and works off events.
        system: its name.
    """

    handler: Handler
    system: str

    def once(self, *, now: datetime | None = None) -> int:
        """Asks for news, works off what is due, and tells how many events were new.

        A system that cannot be reached is asked again the next time, from the same moment on.
        """
        moment = now or datetime.now(UTC)
        new = 0
        try:
            new = self._noted(moment)
        except (CallFailed, CallRefused) as failure:
            structlog.get_logger().warning("poll_failed", system=self.system, reason=str(failure))
        except ODD_ANSWER as error:
            structlog.get_logger().warning("poll_failed", system=self.system, reason=type(error).__name__)
        for _ in self.handler.work(self.system):
            pass
        return new

    def _noted(self, moment: datetime) -> int:
        desk, ledger = self.handler.desk(self.system), self.handler.ledger
        since = ledger.cursor(self.system) or moment - FIRST_LOOK_BACK
        taken = [
            self.handler.take(self.system, event) for event in desk.adapter.poll(desk.caller, since - OVERLAP)
        ]
        ledger.move_cursor(self.system, moment)
        return sum(key is not None for key in taken)
