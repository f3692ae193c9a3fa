"""Judges what reports, logs and events say of a message, and finds the words that decide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from model.events import FINAL, STOPPING, Event, Role, What
from model.path import Sighting, by_time
from model.pipeline import Diagnoser
from model.taxonomy import UNKNOWN, taxonomy
from model.types import Diagnosis, Failure, Kind, RecipientDiagnosis, Report

MAX_JUDGED = 40
_UNTOLD = (UNKNOWN, "delivery_delayed", "message_expired")


@dataclass(frozen=True, slots=True)
class Judged:
    """A witness's words, and what they mean."""

    sighting: Sighting | None
    found: RecipientDiagnosis


def reported(diagnoses: Iterable[Diagnosis], sightings: Sequence[Sighting]) -> Iterator[Judged]:
    """What the reports say, each with its own sighting."""
    for diagnosis in diagnoses:
        address = (diagnosis.lead.address or "").lower()
        own = (
            each
            for each in sightings
            if each.role is Role.REPORT
            and address in each.event.recipients
            and each.event.at == diagnosis.report.reported_at
        )
        yield Judged(next(own, None), diagnosis.lead)


def heard(sightings: Sequence[Sighting], diagnoser: Diagnoser, language: str) -> Iterator[Judged]:
    """What stopped or delayed the message, the last first, each with what it means."""
    stopping = [each for each in sightings if each.event.what in STOPPING and each.role is not Role.REPORT]
    for sighting in islice(reversed(stopping), MAX_JUDGED):
        yield Judged(sighting, judged_event(diagnoser, sighting.event, language))


def heard_of_faults(faults: Sequence[Sighting], diagnoser: Diagnoser, language: str) -> Iterator[Judged]:
    """Trouble whose meaning is sure, and queues that wait."""
    telling = [each for each in faults if each.event.detail.get("category") or each.event.what in STOPPING]
    for sighting in islice(reversed(by_time(telling)), MAX_JUDGED):
        yield Judged(sighting, judged_event(diagnoser, sighting.event, language))


def categories(told: Iterable[Judged]) -> frozenset[str]:
    """What all these words mean, without those that give no reason."""
    return frozenset(each.found.verdict.category for each in told).difference(_UNTOLD)


def decisive(told: Sequence[Judged]) -> Judged | None:
    """The words that decide, with the log that has them before the report that repeats them."""
    if not told:
        return None
    best = max(told, key=_weight)
    category = best.found.verdict.category
    logged = (
        each
        for each in told
        if each.found.verdict.category == category
        and each.sighting is not None
        and each.sighting.role is not Role.REPORT
        and each.sighting.event.what is not What.FAULT
    )
    sighting = next((each.sighting for each in logged), best.sighting)
    return Judged(sighting, best.found)


def _weight(judged: Judged) -> tuple[bool, bool, bool, bool, bool, float]:
    """A reason, words on the message and not on a server, its end and no delay, the narrow, the surer."""
    verdict = judged.found.verdict
    is_told = verdict.category not in _UNTOLD
    what = judged.sighting.event.what if judged.sighting else What.FAILED
    is_narrow = not taxonomy()[verdict.category].broad
    is_proven = verdict.cause is not None
    return is_told, what is not What.FAULT, what in FINAL, is_narrow, is_proven, verdict.confidence


def judged_event(diagnoser: Diagnoser, event: Event, language: str) -> RecipientDiagnosis:
    """What an event of a log means.

    What was given up will not be tried again, whatever the reply. The description of a server's trouble is
    no reply of a mail server: there the category counts that the log itself names.

    Args:
        diagnoser: judges words.
        event: what a log tells.
        language: of the answer.
    """
    command, said = event.detail.get("command"), event.detail.get("category")
    words = f"{event.reply} (in reply to {command} command)" if command and event.reply else event.reply
    if said and event.what is What.FAULT and not event.reply[:3].isdigit():
        words = ""
    failure = Failure(
        address=next(iter(event.recipients), None),
        action="delayed" if event.what is What.DEFERRED else "failed",
        diagnostic=words,
        remote_mta=event.peer,
    )
    kind = Kind.DELAY if event.what is What.DEFERRED else Kind.BOUNCE
    report = Report(
        kind, "a log", (failure,), reporting_mta=event.host, is_bare_text=event.what is not What.FAILED
    )
    return diagnoser.judge(failure, report, language, said=said)
