"""Handles events: gets the mail, diagnoses it, and writes tags and at most one note to the ticket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from model.errors import EvidenceError, UnknownName
from model.types import Diagnosis, Form, Kind
from service.errors import CallFailed, CallRefused, StoreUnavailable
from service.logs import places_of
from service.ticketing.calls import GONE
from service.ticketing.deciding import cautious, change_of, likeness_of, note_of
from service.ticketing.desks import Desk
from service.ticketing.errors import BadEvent
from service.ticketing.ledger import PAUSES_S, Entry, Ledger, State
from service.ticketing.nouns import Event, Note, Origin
from service.ticketing.pages import PAGES, page_of
from service.ticketing.seeing import is_about_a_note, original_of

MOST_NOTES_ALIKE = 10
ALIKE_WITHIN_S = 3600.0
"""The last dam against loops: so many notes on the same bounce, in whatever tickets, within that time."""

TRIES_FOR_GONE = 3
ODD_ANSWER = (BadEvent, LookupError, TypeError, ValueError, AttributeError)
"""What reading an answer raises that does not look as the system's answers do."""


class Diagnoser(Protocol):
    """What is needed of the core."""

    def diagnose(self, raw: bytes, *, form: Form = Form.AUTO, language: str = "en") -> Diagnosis:
        """Says what a piece of evidence means."""


@dataclass(frozen=True, slots=True)
class Handler:
    """Works off the ledger.

    Args:
        desks: the configured systems by name.
        ledger: what came, and what became of it.
        diagnoser: the core.
    """

    desks: Mapping[str, Desk]
    ledger: Ledger
    diagnoser: Diagnoser

    def desk(self, system: str) -> Desk:
        """A configured system.

        Raises:
            UnknownName: there is none of that name.
        """
        if system not in self.desks:
            raise UnknownName("ticketing system", system)
        return self.desks[system]

    def take(self, system: str, event: Event) -> str | None:
        """Writes down an event, unless we caused it; its key, or ``None`` where there is nothing to do."""
        return None if event.is_own else self.ledger.note(system, event)

    def work(self, system: str | None = None) -> Iterator[Entry]:
        """Handles all events that are due, and yields each with what became of it."""
        while entry := self.ledger.claim(system):
            self._handle(entry)
            yield entry

    def _handle(self, entry: Entry) -> None:
        log = structlog.get_logger().bind(system=entry.system, ticket=entry.event.ticket, tries=entry.tries)
        try:
            outcome = self._outcome(entry)
        except CallFailed as failure:
            state = self.ledger.postpone(entry, str(failure), failure.retry_after_s)
            log.warning("ticket_postponed", reason=str(failure), dead=state is State.DEAD)
        except (CallRefused, UnknownName) as refusal:
            self._refused(entry, refusal)
            log.warning("ticket_refused", reason=str(refusal))
        except ODD_ANSWER as error:
            reason = f"the system's answer is not understood: {type(error).__name__}"
            self.ledger.bury(entry, reason)
            log.warning("ticket_refused", reason=reason)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  # one event must not end the work on all others
            self.ledger.postpone(entry, f"an error in this program: {type(error).__name__}")
            kind, places = type(error).__name__, places_of(error)
            log.error("ticket_broke", error=kind, places=places)  # noqa: TRY400  # no text of mails
        else:
            self.ledger.finish(entry, outcome)
            log.info("ticket_handled", outcome=outcome)

    def _refused(self, entry: Entry, refusal: CallRefused | UnknownName) -> None:
        """Waits a little for what is not there yet: some systems tell of a message before they show it."""
        status = refusal.status if isinstance(refusal, CallRefused) else None
        if status in GONE and entry.tries <= TRIES_FOR_GONE:
            self.ledger.postpone(entry, str(refusal))
        else:
            self.ledger.bury(entry, str(refusal))

    def _outcome(self, entry: Entry) -> str:
        """Handles one event; what was done, in a word."""
        desk = self.desk(entry.system)
        if entry.tries > len(PAUSES_S) + 1:
            raise CallRefused("it was tried too often without an end", 0)
        raw = entry.event.raw or desk.adapter.fetch(desk.caller, entry.event)
        if raw is None:
            return "no_mail"
        if is_about_a_note(raw):
            return "own_note"
        try:
            diagnosis = self.diagnoser.diagnose(raw, form=Form.MESSAGE, language=desk.system.language)
        except EvidenceError:
            return "unreadable"
        if diagnosis.kind is Kind.NOT_NDR or diagnosis.kind not in desk.system.tag_kinds:
            return str(diagnosis.kind)
        return self._written(entry, desk, diagnosis, raw)

    def _written(self, entry: Entry, desk: Desk, diagnosis: Diagnosis, raw: bytes) -> str:
        original = original_of(raw)
        origin = desk.adapter.origin(desk.caller, original) if original else None
        advised = diagnosis if origin and origin.by_id else cautious(diagnosis)
        note = self._note(entry, desk, advised, origin)
        change = change_of(advised, desk.system, note, origin)
        if not self.ledger.renew(entry):
            raise CallFailed("another process took the event over")
        desk.adapter.write(desk.caller, entry.event, change)
        return "noted" if change.note else "tagged"

    def _note(self, entry: Entry, desk: Desk, diagnosis: Diagnosis, origin: Origin | None) -> Note | None:
        """The note, where the system wants one of this kind and none tells the same already.

        Bounces of mails that no ticket is known to have sent get one note wherever they come in: among
        them are those of mails about our notes, each of which may open a ticket.
        """
        if diagnosis.kind not in desk.system.note_kinds:
            return None
        likeness = likeness_of(diagnosis)
        root = self.ledger.root_of(entry.system, entry.event.ticket, origin.ticket) if origin else ""
        if not self.ledger.may_note(
            entry, f"{likeness}/{root}", recent=likeness, most=MOST_NOTES_ALIKE, within_s=ALIKE_WITHIN_S
        ):
            return None
        result_id = self.ledger.bind(entry, diagnosis.id)
        link = self._link(desk, diagnosis)
        note = note_of(diagnosis, result_id=result_id, link=link, is_known=bool(origin and origin.by_id))
        if entry.tries > 1 and desk.adapter.has_note(desk.caller, entry.event, note.marker):
            return None
        return note

    def _link(self, desk: Desk, diagnosis: Diagnosis) -> str:
        """Where all of a diagnosis can be read, when our address is known."""
        if not desk.system.link:
            return ""
        name = self.ledger.keep(page_of(diagnosis))
        return f"{desk.system.link.rstrip('/')}{PAGES}/{name}"
