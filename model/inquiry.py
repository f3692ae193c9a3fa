"""Makes one diagnosis of several pieces of evidence: finds where it stopped, and says what to ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from model.causes import fitting, raised_causes, ranked_by_evidence
from model.deciding import Judged, categories, decisive, heard, heard_of_faults, reported
from model.errors import EvidenceError
from model.events import FINAL, STOPPING, Role, What
from model.exhibits import Exhibit
from model.gathering import Gathered, gather
from model.gathering import Reading as Reading
from model.joining import Keys, related, with_hosts
from model.next_steps import Heard, Step, next_steps
from model.path import (
    Outcome,
    PathHop,
    Sighting,
    Stop,
    by_time,
    draw,
    path_facts,
    place_of,
)
from model.pipeline import Diagnoser
from model.sides import RECIPIENT, SENDER, Own, Sides, domains_of, side_of_log
from model.stopping import is_resolved, owner_of, stage_of, stop_of
from model.types import Action, Diagnosis, Failure, FixOwner, Kind, RecipientDiagnosis, Report, Stage, Verdict

MAX_EXHIBITS = 50

_REFUSED = frozenset({What.REJECTED, What.QUARANTINED, What.DISCARDED})
_ENDED = frozenset({What.SENT, What.DELIVERED})
_LOGS = (Role.TRANSPORT, Role.GATEWAY)
_KINDS = (Kind.BOUNCE, Kind.DELAY, Kind.SUCCESS)
_BETWEEN = ("dns", "connection")
_SHARED: dict[str, tuple[str, ...]] = {"mailbox": ("recipient_transport",)}
"""Places in whose logs others are told of."""

_WRITTEN = (Role.TRANSPORT, Role.GATEWAY, Role.SYSTEM)


@dataclass(frozen=True, slots=True)
class Case:
    """The answer for several pieces of evidence on one delivery."""

    diagnosis: Diagnosis
    path: tuple[PathHop, ...]
    sightings: tuple[Sighting, ...]
    faults: tuple[Sighting, ...]
    readings: tuple[Reading, ...]
    steps: tuple[Step, ...]
    sides: Sides
    is_resolved: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What the caller knows beside the evidence.

    Args:
        own: what is his own.
        message_id: the message he asks about.
        recipient: whom it was for.
        near: about when it was; stamps without a year are taken to be near it.
        language: of the answer.
    """

    own: Own = field(default_factory=Own)
    message_id: str | None = None
    recipient: str | None = None
    near: datetime | None = None
    language: str = "en"


def investigate(diagnoser: Diagnoser, exhibits: Sequence[Exhibit], question: Question) -> Case:
    """One diagnosis of all that is known of a delivery.

    Args:
        diagnoser: judges words.
        exhibits: the pieces of evidence, in any order.
        question: what the caller knows beside them.

    Raises:
        EvidenceError: there is none, or a report cannot be read.
        UnknownName: a type or the language is not known.
    """
    if not 0 < len(exhibits) <= MAX_EXHIBITS:
        raise EvidenceError(f"1 to {MAX_EXHIBITS} pieces of evidence are allowed, not {len(exhibits)}")
    file = gather(diagnoser, exhibits, _asked(question), near=question.near, language=question.language)
    sightings = by_time(with_hosts(file.own))
    sides = _sides(file, sightings, question.own)
    told = [*reported(file.reports, sightings), *heard(sightings, diagnoser, question.language)]
    faults = related(file.faults, sightings, file.keys, sides, categories(told))
    told += heard_of_faults(faults, diagnoser, question.language)
    decided = decisive(told) or Judged(None, _nothing_wrong(file, sightings, diagnoser, question))
    return _concluded(file, sightings, faults, sides, decided, diagnoser, question)


def _asked(question: Question) -> Keys:
    return Keys(
        message_ids=set(filter(None, [question.message_id])),
        recipients={question.recipient.lower()} if question.recipient else set(),
    )


def _concluded(
    file: Gathered,
    sightings: tuple[Sighting, ...],
    faults: tuple[Sighting, ...],
    sides: Sides,
    decided: Judged,
    diagnoser: Diagnoser,
    question: Question,
) -> Case:
    """The case, once it is known which words decide."""
    kind, found = _kind(file, sightings, faults), decided.found
    resolved = is_resolved(sightings, decided.sighting, sides)
    verdict = replace(found.verdict, stage=stage_of(decided.sighting, found.verdict, sides))
    stop = stop_of(decided.sighting, verdict, sides)
    stop = replace(stop, outcome=_outcome(kind, is_resolved=resolved), words=_words(found))
    verdict = replace(verdict, fix_owner=owner_of(verdict, stop.place))
    verdict = replace(verdict, action=_action(verdict, is_resolved=resolved))
    lead = _with_causes(replace(found, verdict=verdict), file, (*sightings, *faults), sides, stop, question)
    path = draw((*faults, *_of_lead(sightings, lead)), stop, sides)
    there, exchange = _kinds_heard(file, sightings, sides), _exchange(file, sightings, faults, lead, sides)
    return Case(
        diagnosis=_diagnosis(file, lead, kind, diagnoser, question),
        path=path,
        sightings=sightings,
        faults=faults,
        readings=tuple(_counted(file, faults)),
        steps=() if resolved else next_steps(_placed(verdict, stop), file.keys, sides, there, path, exchange),
        sides=sides,
        is_resolved=resolved,
    )


def _words(found: RecipientDiagnosis) -> str:
    """The innermost of what was said."""
    return found.unwrapped.innermost.text if found.unwrapped.chain else ""


def _placed(verdict: Verdict, stop: Stop) -> Verdict:
    """The verdict with the server's place for its stage, where a rule of the sender's side refused."""
    is_own_rule = verdict.stage is Stage.RULE_OR_MODERATION and stop.place == Stage.SENDER_TRANSPORT
    return replace(verdict, stage=Stage.SENDER_TRANSPORT) if is_own_rule else verdict


def _action(verdict: Verdict, *, is_resolved: bool) -> Action:
    """Nothing where it arrived at last; and nobody writes to the other side about a fault of his own."""
    if is_resolved:
        return Action.IGNORE
    is_own = verdict.fix_owner in (FixOwner.SENDER_ADMIN, FixOwner.GATEWAY_ADMIN)
    is_letter = verdict.action is Action.CONTACT_RECIPIENT_ADMIN
    return Action.FIX_SENDER if is_own and is_letter else verdict.action


def _counted(file: Gathered, faults: Sequence[Sighting]) -> Iterator[Reading]:
    """The readings, with the trouble that concerns the message counted as used."""
    for reading in file.readings:
        of_it = sum(fault.witness == reading.name for fault in faults)
        yield replace(reading, used=reading.used + of_it)


def _sides(file: Gathered, sightings: Sequence[Sighting], own: Own) -> Sides:
    senders = domains_of([file.keys.sender, *(sighting.event.sender for sighting in sightings)])
    sides = Sides(senders, domains_of(file.keys.recipients), own)
    witnesses = dict(_witnesses(file, sightings, sides))
    logs = {
        witnesses[reading.name]
        for reading in _telling(file, sightings)
        if reading.role in _LOGS and reading.name in witnesses
    }
    is_theirs = SENDER not in logs if logs else _refused_a_stranger(file, sightings)
    filters = {
        sighting.event.host for sighting in sightings if sighting.role is Role.GATEWAY and sighting.event.host
    }
    return replace(
        sides,
        witness=RECIPIENT if is_theirs else SENDER,
        witnesses=witnesses,
        filters=frozenset(filters),
    )


def _telling(file: Gathered, sightings: Sequence[Sighting]) -> Sequence[Reading]:
    """The pieces that tell of the message; all of them, where none does."""
    names = {sighting.witness for sighting in sightings}
    return [reading for reading in file.readings if reading.name in names] or file.readings


def _witnesses(file: Gathered, sightings: Sequence[Sighting], sides: Sides) -> Iterator[tuple[str, str]]:
    """On which side each log was written: by its server's name, else by whose mails are in it."""
    hosts = {sighting.witness: sighting.event.host for sighting in (*file.faults, *sightings)}
    for reading in file.readings:
        host = hosts.get(reading.name) or ""
        named = sides.of(host) if "." in host else None
        counted = side_of_log(
            file.mails.get(reading.name, Counter()), sides.sender_domains, sides.recipient_domains
        )
        side = named or counted
        if side and reading.role is not Role.REPORT:
            yield reading.name, side


def _refused_a_stranger(file: Gathered, sightings: Sequence[Sighting]) -> bool:
    """Whether, for want of a report, the logs are those of whoever refused the message."""
    is_refused = any(
        sighting.event.what in _REFUSED
        or (sighting.event.what is What.DEFERRED and sighting.role is Role.GATEWAY)
        for sighting in sightings
    )
    is_client = any(sighting.event.detail.get("category") in _of_clients() for sighting in sightings)
    return not file.reports and is_refused and not is_client


def _kind(file: Gathered, sightings: Sequence[Sighting], faults: Sequence[Sighting]) -> Kind:
    """The gravest kind that a report or a log tells."""
    whats = {sighting.event.what for sighting in (*sightings, *faults) if sighting.role is not Role.REPORT}
    kinds = [diagnosis.kind for diagnosis in file.reports]
    if whats & FINAL or Kind.BOUNCE in kinds:
        return Kind.BOUNCE
    if whats & STOPPING or Kind.DELAY in kinds:
        return Kind.DELAY
    if kinds:
        return next((kind for kind in _KINDS if kind in kinds), kinds[0])
    if any(fault.event.detail.get("category") for fault in faults):
        return Kind.BOUNCE
    return Kind.SUCCESS if whats & _ENDED else Kind.NOT_NDR


def _outcome(kind: Kind, *, is_resolved: bool) -> Outcome:
    if is_resolved:
        return Outcome.PASSED
    return Outcome.WAITING if kind is Kind.DELAY else Outcome.FAILED


def _of_lead(sightings: Sequence[Sighting], lead: RecipientDiagnosis) -> Iterator[Sighting]:
    """What happened to the recipient in question; to all, where a list or a forwarding changed the names."""
    wanted = {address.lower() for address in (lead.address, lead.original_address) if address}
    is_expanded = any(sighting.event.what is What.EXPANDED for sighting in sightings)
    for sighting in sightings:
        named = sighting.event.recipients
        if is_expanded or not wanted or not named or wanted.intersection(named):
            yield sighting


def _nothing_wrong(
    file: Gathered, sightings: Sequence[Sighting], diagnoser: Diagnoser, question: Question
) -> RecipientDiagnosis:
    failure = Failure(next(iter(sorted(file.keys.recipients)), None))
    kind = _kind(file, sightings, ())
    reason = "the logs show that it was handed over" if kind is Kind.SUCCESS else "no failure is seen"
    return diagnoser.judge(failure, Report(kind, reason, (failure,)), question.language)


def _diagnosis(
    file: Gathered, lead: RecipientDiagnosis, kind: Kind, diagnoser: Diagnoser, question: Question
) -> Diagnosis:
    """The gravest report's diagnosis with the case's lead; one of its own where there is no report."""
    base = min(
        file.reports, key=lambda each: _KINDS.index(each.kind) if each.kind in _KINDS else 9, default=None
    )
    if base is None:
        failure = Failure(lead.address)
        message_id = next(iter(sorted(file.keys.message_ids)), None)
        report = Report(kind, "logs", (failure,), original_message_id=message_id)
        return diagnoser.assembled(report, lead, question.language, _told_apart(file).encode())
    others = tuple(each for each in base.recipients if each.address != (lead.address or base.lead.address))
    lead = replace(lead, address=lead.address or base.lead.address)
    return replace(base, kind=kind, lead=lead, recipients=(lead, *others) if base.recipients else ())


def _told_apart(file: Gathered) -> str:
    """What tells this message from others, whatever the order of its evidence."""
    keys = file.keys
    known = (keys.message_ids, keys.network_ids, keys.queue_ids, keys.recipients)
    return repr([sorted(names) for names in known])


def _kinds_heard(file: Gathered, sightings: Sequence[Sighting], sides: Sides) -> Iterator[Heard]:
    """The kinds of witnesses that were heard, also in the returned headers of a report."""
    for reading in file.readings:
        own = sides.witnesses.get(reading.name, sides.home)
        for side in (SENDER, RECIPIENT) if sides.is_internal else (own,):
            yield Heard(str(reading.role), reading.format, side)
    if any(sighting.role is Role.HEADERS for sighting in sightings):
        yield Heard(str(Role.HEADERS), "headers", sides.home)


def _exchange(
    file: Gathered,
    sightings: Sequence[Sighting],
    faults: Sequence[Sighting],
    lead: RecipientDiagnosis,
    sides: Sides,
) -> frozenset[str]:
    """The sides on which Exchange took part: by its logs, its reports, the hops, and whose words they are."""
    telling = _telling(file, (*sightings, *faults))
    logs = (reading for reading in telling if reading.format.startswith("exchange"))
    found = {sides.witnesses.get(reading.name, sides.home) for reading in logs}
    for diagnosis in file.reports:
        if (diagnosis.report.software or "").startswith("exchange"):
            found.add(sides.of(diagnosis.report.reporting_mta) or sides.home)
    for sighting in sightings:
        made_by = (sighting.event.detail.get("software") or "").lower(), sighting.event.detail.get("protocol")
        if sighting.role is Role.HEADERS and (made_by[0].startswith("exchange") or made_by[1] == "MAPI"):
            found.add(sides.stands(sighting.event.host, sighting.witness))
    if (lead.provider or "").startswith("exchange"):
        found.add(RECIPIENT if str(lead.verdict.stage).startswith(("recipient", "mailbox")) else SENDER)
    return frozenset(found)


def _with_causes(
    lead: RecipientDiagnosis,
    file: Gathered,
    sightings: Sequence[Sighting],
    sides: Sides,
    stop: Stop,
    question: Question,
) -> RecipientDiagnosis:
    """The lead with the causes of the programs where it stopped, ranked by the evidence.

    Their logs tell which they are; between two servers, or where none was written there, others may be too.
    """
    formats = {reading.name: reading.format for reading in file.readings if reading.role in _WRITTEN}
    near = [each for each in sightings if each.witness in formats and _is_near(each, sides, stop)]
    there = [
        each
        for each in near
        if place_of(each, sides, stop) in (stop.place, *_SHARED.get(stop.place or "", ()))
    ]
    parties = frozenset(_maker(formats[each.witness]) for each in there or near)
    raised = raised_causes(sightings)
    fit = fitting(lead, parties, raised, question.language, are_all=bool(there))
    return replace(fit, advice=ranked_by_evidence(fit.advice, raised))


def _is_near(sighting: Sighting, sides: Sides, stop: Stop) -> bool:
    """Whether a log was written on the side where it stopped."""
    if stop.place is None or stop.place in _BETWEEN:
        return True
    side = SENDER if stop.place.startswith(("s", "c")) else RECIPIENT
    return sides.stands(sighting.event.host, sighting.witness) == side


def _maker(form: str) -> str:
    """The provider or program that writes logs of a format."""
    made_by = (entry["name"] for entry in path_facts()["made_by"] if form.startswith(entry["format"]))
    return next(made_by, form)


def _of_clients() -> tuple[str, ...]:
    return tuple(path_facts()["clients"]["categories"])
