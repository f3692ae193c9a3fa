"""Turns a case into the answer that callers get: the diagnosis, the way, and what was read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from model.inquiry import Case, Reading
from model.next_steps import Step
from model.path import PathHop, Sighting
from model.sides import Sides
from model.stamps import NO_YEAR
from model.step_words import StepWords, place_title, words_of
from service.answer import Answer, answer_of, trimmed

MOST_EVENTS = 200
MOST_RECIPIENTS = 50
MOST_CHARS = 2000


def case_answer_of(case: Case, fields: Iterable[str] = ()) -> Answer:
    """The answer for several pieces of evidence.

    Args:
        case: what the core found.
        fields: the names to keep; none means all.

    Raises:
        UnknownName: no field has that name.
    """
    return trimmed({**answer_of(case.diagnosis), **_way(case, case.diagnosis.language)}, fields)


def shown(moment: datetime | None) -> str | None:
    """A moment in UTC as ISO 8601; ``None`` for none, and for one that names no year.

    >>> from datetime import UTC
    >>> shown(datetime(2026, 11, 2, 10, 14, 7, tzinfo=UTC))
    '2026-11-02T10:14:07.000Z'
    """
    if moment is None or moment.year == NO_YEAR:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def words_on(step: Step, case: Case) -> StepWords:
    """How to get a piece of evidence that is missing in a case, in the language of its answer."""
    lead = case.diagnosis.lead.unwrapped
    reply = lead.innermost.text if lead.chain else ""
    return words_of(step, case.diagnosis.language, home=case.sides.home, reply=reply)


def _way(case: Case, language: str) -> Answer:
    return {
        "resolved": case.is_resolved,
        "path": [_hop(hop, language) for hop in case.path],
        "events": [_event(sighting) for sighting in _first_and_last(case.sightings)],
        "events_total": len(case.sightings),
        "faults": [_event(sighting) for sighting in _first_and_last(case.faults)],
        "evidence_read": [_reading(reading) for reading in case.readings],
        "sides": _sides(case.sides),
        "next": [_step(step, words_on(step, case)) for step in case.steps],
    }


def _hop(hop: PathHop, language: str) -> Answer:
    return {
        "place": hop.place,
        "title": place_title(hop.place, language),
        "state": hop.seen,
        "outcome": hop.outcome,
        "host": hop.host,
        "ip": hop.ip,
        "first": shown(hop.first),
        "last": shown(hop.last),
        "seen_by": list(hop.seen_by),
        "words": hop.words[:MOST_CHARS],
    }


def _first_and_last(sightings: Sequence[Sighting]) -> Sequence[Sighting]:
    """All sightings; where there are too many, those from both ends, for the way begins and stops there."""
    half = MOST_EVENTS // 2
    return sightings if len(sightings) <= MOST_EVENTS else (*sightings[:half], *sightings[-half:])


def _event(sighting: Sighting) -> Answer:
    event = sighting.event
    return {
        "at": shown(event.at),
        "what": event.what,
        "host": event.host,
        "peer": event.peer,
        "peer_ip": event.peer_ip,
        "queue_id": event.queue_id,
        "message_id": event.message_id,
        "sender": event.sender,
        "recipients": list(event.recipients[:MOST_RECIPIENTS]),
        "reply": event.reply[:MOST_CHARS],
        "detail": {name: value[:MOST_CHARS] for name, value in event.detail.items()},
        "evidence": sighting.witness,
        "line": event.line,
    }


def _reading(reading: Reading) -> Answer:
    return {
        "name": reading.name,
        "format": reading.format,
        "role": reading.role,
        "lines": reading.lines,
        "events": reading.events,
        "used": reading.used,
        "set_aside": reading.set_aside,
    }


def _sides(sides: Sides) -> Answer:
    return {
        "home": sides.home,
        "sender_domains": sorted(sides.sender_domains),
        "recipient_domains": sorted(sides.recipient_domains),
        "told": sides.is_told,
    }


def _step(step: Step, words: StepWords) -> Answer:
    return {
        "id": step.id,
        "side": step.side,
        "title": words.title,
        "text": words.text,
        "command": words.command or None,
        "since": shown(step.since),
        "until": shown(step.until),
    }
