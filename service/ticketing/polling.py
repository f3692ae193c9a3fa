"""Asks systems for news, for those that send none themselves, and for what webhooks lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from service.errors import CallFailed, CallRefused
from service.ticketing.errors import MoreNews
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

    def once(self, *, now: datetime | None = None) -> int | None:
        """Asks for news, works off what is due, and tells how many events were new.

        A system that cannot be reached is asked again the next time, from the same moment on.

        Returns:
            ``None`` when the system could not be asked.
        """
        moment = now or datetime.now(UTC)
        new = None
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
        new = 0
        try:
            for event in desk.adapter.poll(desk.caller, since - OVERLAP):
                new += self.handler.take(self.system, event) is not None
        except MoreNews as more:
            moment = self._next_from(more, since, moment)
        ledger.move_cursor(self.system, moment)
        return new

    def _next_from(self, more: MoreNews, since: datetime, moment: datetime) -> datetime:
        """From where to go on; where a look came no further than the last one, the rest is passed over."""
        goes_on = more.up_to is not None and more.up_to > since
        structlog.get_logger().warning("poll_incomplete", system=self.system, is_rest_lost=not goes_on)
        return min(more.up_to, moment) if more.up_to and goes_on else moment
