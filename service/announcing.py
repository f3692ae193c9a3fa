"""Tells a receiver of each diagnosis that the service makes: beside the requests, in one thread a process."""

from __future__ import annotations

import atexit
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Condition, Thread
from threading import Event as Signal
from time import monotonic
from typing import TYPE_CHECKING

import structlog

from model.exhibits import Exhibit
from model.inquiry import Case, Question
from model.types import Diagnosis, Form
from service.answer import Answer
from service.clock import Clock, now
from service.errors import CallFailed, CallRefused
from service.event_data import event_data_of
from service.logs import places_of
from service.settings import Settings
from service.webhooks import DIAGNOSIS_MADE, Events, events_of, receiver_of

if TYPE_CHECKING:
    from service.wiring import Diagnoser

MOST_WAITING = 2000
"""So many events wait in a process. A further one takes the place of the oldest: the latest news counts."""

FLUSH_S = 3.0
"""How long a process that ends goes on sending what waits."""

REPORT_EVERY_S = 10.0
"""How often it is logged that events were dropped."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that is to be sent: what it tells, and when it happened."""

    data: Answer
    at: datetime


class Announcer:
    """Sends ``diagnosis.made`` in a thread that a process begins with its first event.

    A worker is therefore forked from a process that has told of nothing yet, as gunicorn's master.

    Args:
        events: signs and sends; blocks while it does.
        over: set when the process ends; who pauses between two tries then pauses no longer.
        ended: called when nothing more is sent.
        most_waiting: so many events wait; a further one takes the place of the oldest.
        clock: tells when a diagnosis was made.
    """

    def __init__(
        self,
        events: Events,
        *,
        over: Signal | None = None,
        ended: Callable[[], None] = lambda: None,
        most_waiting: int = MOST_WAITING,
        clock: Clock = now,
    ) -> None:
        self._events = events
        self._over = over or Signal()
        self._ended = ended
        self._most_waiting = most_waiting
        self._clock = clock
        self._waiting: deque[Waiting] = deque()
        self._changed = Condition()
        self._dropped = 0
        self._thread: Thread | None = None

    def around(self, diagnoser: Diagnoser) -> Diagnoser:
        """A diagnoser each of whose diagnoses is told."""
        return Announced(diagnoser, self)

    def announce(self, diagnosis: Diagnosis) -> None:
        """Has a diagnosis told where somebody wants to know; neither waits nor fails."""
        try:
            if self._events.wants_diagnosis(diagnosis.kind, diagnosis.lead.verdict.category):
                self._put(Waiting(event_data_of(diagnosis), self._clock()))
        except Exception as error:  # noqa: BLE001  # an event must not cost an answer
            _log.error("event_broke", error=type(error).__name__, places=places_of(error))

    def close(self, within_s: float = FLUSH_S) -> None:
        """Sends what waits, and nothing after that; does nothing in a process that sent nothing.

        Args:
            within_s: how long it may take; what is then left is counted in the log, and lost.
        """
        with self._changed:
            thread = self._thread
            if thread is None or self._over.is_set():
                return
            self._over.set()
            self._changed.notify_all()
        atexit.unregister(self.close)
        thread.join(within_s)
        with self._changed:
            unsent = len(self._waiting) + self._dropped + thread.is_alive()
        if unsent:
            _log.warning("events_unsent", count=unsent)

    def _put(self, event: Waiting) -> None:
        with self._changed:
            if self._over.is_set():
                _log.warning("events_unsent", count=1)
                return
            self._begin()
            if len(self._waiting) >= self._most_waiting:
                self._waiting.popleft()
                self._dropped += 1
            self._waiting.append(event)
            self._changed.notify_all()

    def _begin(self) -> None:
        """Begins the thread where there is none."""
        if self._thread is None:
            thread = Thread(target=self._work, name="events", daemon=True)
            thread.start()
            self._thread = thread
            atexit.register(self.close)

    def _work(self) -> None:
        report_at = 0.0
        while event := self._next():
            if not self._sent(event) and self._over.is_set():
                break  # a receiver that is down holds up no end
            if self._dropped and monotonic() >= report_at:
                self._report()
                report_at = monotonic() + REPORT_EVERY_S
        self._ended()

    def _next(self) -> Waiting | None:
        """The event that waits longest, once there is one; ``None`` at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._over.is_set())
            return self._waiting.popleft() if self._waiting else None

    def _sent(self, event: Waiting) -> bool:
        """Sends an event; whether the next one may come through."""
        try:
            self._events.diagnosis_made(event.data, event.at)
        except (CallFailed, CallRefused) as failure:
            _log.warning("event_not_sent", event_id=event.data["id"], reason=str(failure))
            return isinstance(failure, CallRefused)
        except Exception as error:  # noqa: BLE001  # one event must not end the thread
            _log.error("event_broke", error=type(error).__name__, places=places_of(error))
        return True

    def _report(self) -> None:
        with self._changed:
            dropped, self._dropped = self._dropped, 0
        _log.warning("events_dropped", count=dropped, most_waiting=self._most_waiting)


@dataclass(frozen=True, slots=True)
class Announced:
    """A diagnoser each of whose diagnoses is told.

    Args:
        diagnoser: makes them.
        announcer: has them told.
    """

    diagnoser: Diagnoser
    announcer: Announcer

    @property
    def rules_version(self) -> str:
        """Changes when any rule does."""
        return self.diagnoser.rules_version

    @property
    def model_version(self) -> str | None:
        """The learned half in use; ``None`` when there is none."""
        return self.diagnoser.model_version

    def diagnose(self, raw: bytes, *, form: Form = Form.AUTO, language: str = "en") -> Diagnosis:
        """Says what a piece of evidence means; see ``Diagnoser``."""
        diagnosis = self.diagnoser.diagnose(raw, form=form, language=language)
        self.announcer.announce(diagnosis)
        return diagnosis

    def investigate(self, exhibits: Sequence[Exhibit], question: Question) -> Case:
        """Makes one diagnosis of several pieces of evidence; see ``Diagnoser``."""
        case = self.diagnoser.investigate(exhibits, question)
        self.announcer.announce(case.diagnosis)
        return case


def announcer_of(settings: Settings) -> Announcer | None:
    """What tells of diagnoses as the settings say; ``None`` where they want none told.

    Raises:
        SettingError: events are to be sent, and there is no secret to sign them with.
    """
    receiver = receiver_of(settings)
    if receiver is None or DIAGNOSIS_MADE not in settings.webhook_events:
        return None
    from service.outgoing import HttpCaller  # brings urllib3

    over = Signal()

    def pause(seconds: float) -> None:
        over.wait(seconds)

    caller = HttpCaller(receiver.base, sleep=pause, most_pause_s=60.0)
    events = events_of(settings, caller)
    return Announcer(events, over=over, ended=caller.close) if events else None
