"""Gathers what all pieces of evidence tell of one message, reading logs again for what ties them to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from model.events import STOPPING, Event, LogFormat, Role, What
from model.exhibits import Exhibit, events_of, format_of, role_of
from model.joining import Keys, names_nothing, subject_of
from model.path import Sighting, path_facts
from model.pipeline import MAX_RAW_BYTES, Diagnoser
from model.sides import domains_of
from model.stamps import with_year
from model.types import Diagnosis, Kind

MAX_OWN_EVENTS = 2_000
MAX_FAULTS = 200
MAX_FAILING = 1_000
MAX_TOLD = 20_000
MAX_COUNTED = 5_000
MAX_PASSES = 4
"""How often logs are read, until nothing new is known of the message."""

_WHAT = {Kind.BOUNCE: What.FAILED, Kind.DELAY: What.DEFERRED, Kind.SUCCESS: What.DELIVERED}

Logs = Sequence[tuple[Exhibit, LogFormat]]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was made of one piece of evidence.

    Args:
        name: as the caller knows it.
        format: as what it was read.
        role: what kind of witness it is.
        lines: how many lines were passed over or told nothing, and events were read.
        events: of these, those that were understood.
        used: of these, those that belong to the message or concern its servers.
    """

    name: str
    format: str
    role: Role
    lines: int = 0
    events: int = 0
    used: int = 0

    @property
    def set_aside(self) -> int:
        """Events of other messages."""
        return self.events - self.used


@dataclass(slots=True)
class Gathered:
    """What is known of a message in the course of an inquiry.

    Args:
        keys: what it is known by.
        near: about when it was; stamps without a year are taken to be near it.
        own: the events that belong to it.
        faults: events that name no message.
        failing: events of other messages that failed, or wait.
        told: by Message-ID, which logs tell of a message; only until it is known which is meant.
        provided: the first event of another message that a sending service tells.
        mails: for each log, how many mails each domain has a part in.
        readings: what was made of each piece of evidence.
        reports: the diagnoses of the reports among them.
    """

    keys: Keys = field(default_factory=Keys)
    near: datetime | None = None
    own: list[Sighting] = field(default_factory=list)
    faults: list[Sighting] = field(default_factory=list)
    failing: list[Sighting] = field(default_factory=list)
    told: dict[str, set[str]] = field(default_factory=dict)
    provided: Event | None = None
    mails: dict[str, Counter[str]] = field(default_factory=dict)
    readings: list[Reading] = field(default_factory=list)
    reports: list[Diagnosis] = field(default_factory=list)


def gather(
    diagnoser: Diagnoser,
    exhibits: Sequence[Exhibit],
    keys: Keys,
    *,
    near: datetime | None = None,
    language: str = "en",
) -> Gathered:
    """All that the evidence tells of a message; where nothing names one, of the one that failed last.

    Args:
        diagnoser: judges reports.
        exhibits: the pieces of evidence, in any order.
        keys: what the message is known by, as far as the caller knows it.
        near: about when it was.
        language: of the diagnoses.

    Raises:
        EvidenceError: a report cannot be read.
        UnknownName: a type or the language is not known.
    """
    file = Gathered(keys=keys, near=near)
    forms = sorted(((exhibit, format_of(exhibit)) for exhibit in exhibits), key=_reports_first)
    for exhibit, form in forms:
        if form is None:
            _take_report(file, exhibit, diagnoser, language)
    _take_logs(file, [(exhibit, form) for exhibit, form in forms if form is not None])
    return file


def _reports_first(entry: tuple[Exhibit, LogFormat | None]) -> int:
    """Reports and headers name the message that the logs are searched for."""
    order = (Role.REPORT, Role.HEADERS)
    role = role_of(entry[1])
    return order.index(role) if role in order else len(order)


def _take_report(file: Gathered, exhibit: Exhibit, diagnoser: Diagnoser, language: str) -> None:
    diagnosis = diagnoser.diagnose(exhibit.raw(MAX_RAW_BYTES), language=language)
    file.reports.append(diagnosis)
    file.readings.append(Reading(exhibit.name, "ndr", Role.REPORT, 0, 1, 1))
    for event, role in _events_of_report(diagnosis):
        file.keys.learn(event)
        file.own.append(Sighting(exhibit.name, role, event))


def _events_of_report(diagnosis: Diagnosis) -> Iterator[tuple[Event, Role]]:
    """The hops of the returned message, and for each recipient that it failed."""
    report = diagnosis.report
    for event in report.trail:
        yield replace(event, message_id=report.original_message_id), Role.HEADERS
    what = _WHAT.get(diagnosis.kind)
    if what is None:
        return
    for number, recipient in enumerate(diagnosis.recipients):
        addresses = (recipient.address, recipient.original_address)
        event = Event(
            what,
            line=number + 1,
            at=report.reported_at,
            host=report.reporting_mta,
            peer=recipient.remote_mta,
            peer_ip=recipient.unwrapped.remote_ip,
            message_id=report.original_message_id,
            sender=report.original_sender,
            recipients=tuple(dict.fromkeys(address.lower() for address in addresses if address)),
            reply=recipient.unwrapped.innermost.text,
        )
        yield event, Role.REPORT


def _take_logs(file: Gathered, logs: Logs) -> None:
    """Reads the logs until they tie nothing more to the message."""
    own, readings = tuple(file.own), tuple(file.readings)
    for _ in range(MAX_PASSES):
        file.own, file.readings = list(own), list(readings)
        file.faults, file.failing, file.mails = [], [], {}
        known = _extent(file.keys)
        for exhibit, form in logs:
            _take_log(file, exhibit, form)
        if not file.keys.are_known:
            subject = subject_of(file.failing, file.faults, file.told) or file.provided
            if subject is None:
                return
            file.keys.learn(subject)
        elif known == _extent(file.keys):
            return


def _extent(keys: Keys) -> int:
    return sum(map(len, (keys.message_ids, keys.network_ids, keys.queue_ids, keys.recipients)))


def _take_log(file: Gathered, exhibit: Exhibit, form: LogFormat) -> None:
    """The events of the message, trouble that may concern it, and failures of others for want of it."""
    needles = file.keys.needles if file.keys.are_known else path_facts()["failing"]["words"]
    lines = events = used = 0
    for event in events_of(exhibit, form, needles=needles):
        lines += 1
        if event is None:
            continue
        events += 1
        used += _sorted_in(file, exhibit.name, form.role, _dated(event, file))
    file.readings.append(Reading(exhibit.name, form.name, form.role, lines, events, used))


def _dated(event: Event, file: Gathered) -> Event:
    """The event with a year, where its stamp has none."""
    near = file.keys.last or file.near
    return event if near is None else replace(event, at=with_year(event.at, near))


def _sorted_in(file: Gathered, witness: str, role: Role, event: Event) -> bool:
    """Whether an event was kept as one of the message."""
    sighting = Sighting(witness, role, event)
    if names_nothing(event):
        if len(file.faults) < MAX_FAULTS:
            file.faults.append(sighting)
        return False
    _count(file.mails.setdefault(witness, Counter()), event)
    if not file.keys.are_known and role is Role.HEADERS:
        file.keys.learn(event)
    if file.keys.are_known and file.keys.own(event):
        file.keys.learn(event)
        if len(file.own) < MAX_OWN_EVENTS:
            file.own.append(sighting)
        return True
    if not file.keys.are_known and event.message_id and len(file.told) < MAX_TOLD:
        file.told.setdefault(event.message_id, set()).add(witness)
    _set_aside(file, sighting)
    return False


def _set_aside(file: Gathered, sighting: Sighting) -> None:
    """Another message may turn out to be the one that is meant."""
    if sighting.role is Role.PROVIDER:
        file.provided = file.provided or sighting.event
    if sighting.event.what in STOPPING:
        file.failing.append(sighting)
        del file.failing[:-MAX_FAILING]


def _count(mails: Counter[str], event: Event) -> None:
    """Counts a mail for the domains of both its ends."""
    ends = domains_of([event.sender]), domains_of(event.recipients)
    if all(ends) and mails.total() < MAX_COUNTED:
        mails.update(ends[0] | ends[1])
