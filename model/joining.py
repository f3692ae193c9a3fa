"""Finds the events that belong to one message, among all that the evidence tells."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from model.events import Event, Role, What
from model.path import Sighting
from model.sides import Sides, is_address, same_host

SKEW = timedelta(hours=1)
"""How far the clocks of two witnesses may differ."""

PATIENCE = timedelta(days=7)
"""How long after a message was sent its queues may still speak of it."""

FAULT_NEAR = timedelta(hours=24)
"""How near in time trouble that names no message has to be."""

MAX_MOMENTS = 2_000
LONG_ID = 12
"""From this length on, a queue id is unique without the name of its server."""

_RANKS = {What.FAILED: 3, What.REJECTED: 2, What.QUARANTINED: 2, What.DISCARDED: 2, What.HELD: 2}
_AT_THE_DOOR = 0
_TAKEN = frozenset({What.RECEIVED, What.REJECTED, What.QUARANTINED, What.DISCARDED, What.HELD})
_PASSED_ON = frozenset({What.SENT, What.FAILED, What.DEFERRED})
_PLACES = ("destination", "next_hop")


@dataclass(slots=True)
class Keys:
    """What one message is known by; grows with each event that belongs to it.

    Args:
        message_ids: with angle brackets.
        network_ids: Exchange's network message ids.
        queue_ids: each with the first label of the server that gave it, and a blank between.
        recipients: lower case.
        sender: the envelope sender, lower case.
        moments: its known times, in order.
    """

    message_ids: set[str] = field(default_factory=set)
    network_ids: set[str] = field(default_factory=set)
    queue_ids: set[str] = field(default_factory=set)
    recipients: set[str] = field(default_factory=set)
    sender: str | None = None
    moments: list[datetime] = field(default_factory=list)

    @property
    def are_known(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self.message_ids or self.network_ids or self.queue_ids or self.recipients)

    @property
    def needles(self) -> tuple[str, ...]:
        """Words of which every line about the message holds one."""
        return tuple(sorted(self.message_ids | self.network_ids | self.recipients))

    @property
    def first(self) -> datetime | None:
        """The first known time."""
        return self.moments[0] if self.moments else None

    @property
    def last(self) -> datetime | None:
        """The last known time."""
        return self.moments[-1] if self.moments else None

    def own(self, event: Event) -> bool:
        """Whether an event is about the message."""
        if event.message_id and event.message_id in self.message_ids:
            return True
        if event.network_message_id and event.network_message_id in self.network_ids:
            return True
        if event.what is What.NOTIFIED and event.detail.get("reference") in self.message_ids:
            return True
        if self._is_another(event):
            return False
        return self._is_queued(event) or (self._is_for_its_recipient(event) and self._fits_in_time(event))

    def learn(self, event: Event) -> None:
        """Takes over what an event of the message names; of a notice about it, only what it refers to."""
        reference = event.detail.get("reference")
        if event.what is What.NOTIFIED and reference:
            self.message_ids.add(reference)
            self.see(event.at)
            return
        self.message_ids.update(filter(None, [event.message_id]))
        self.network_ids.update(filter(None, [event.network_message_id]))
        self.queue_ids.update(_queued(event.host, event.queue_id))
        self.queue_ids.update(_queued(event.peer, event.detail.get("queued_as")))
        self.recipients.update(event.recipients)
        self.sender = self.sender or (event.sender or "").lower() or None
        self.see(event.at)

    def see(self, moment: datetime | None) -> None:
        """Adds to its known times."""
        if moment is None or len(self.moments) >= MAX_MOMENTS:
            return
        place = bisect_left(self.moments, moment)
        if self.moments[place : place + 1] != [moment]:
            self.moments.insert(place, moment)

    def is_near(self, moment: datetime | None, *, patience: timedelta = PATIENCE) -> bool:
        """Whether a moment may concern the message; where one of both is not known, it may."""
        if moment is None or self.first is None or self.last is None:
            return True
        return self.first - SKEW <= moment <= self.last + patience

    def _is_queued(self, event: Event) -> bool:
        """Whether its id is known, of the same server; where a server is not named, the id must be long."""
        if not event.queue_id:
            return False
        if event.host and not self.queue_ids.isdisjoint(_queued(event.host, event.queue_id)):
            return True
        is_long = len(event.queue_id) >= LONG_ID
        return is_long and any(known.endswith(f" {event.queue_id}") for known in self.queue_ids)

    def _fits_in_time(self, event: Event) -> bool:
        """Another queue id is that of another message, unless it came at one of the known times."""
        if event.queue_id is None:
            return self.is_near(event.at)
        if event.at is None or not self.moments:
            return True
        place = bisect_left(self.moments, event.at)
        return any(abs(known - event.at) <= SKEW for known in self.moments[max(place - 1, 0) : place + 1])

    def _is_another(self, event: Event) -> bool:
        """Whether it names another message, by an id of a kind that is known of this one."""
        pairs = ((event.message_id, self.message_ids), (event.network_message_id, self.network_ids))
        return any(each and known and each not in known for each, known in pairs)

    def _is_for_its_recipient(self, event: Event) -> bool:
        if not self.recipients.intersection(event.recipients):
            return False
        return not (self.sender and event.sender is not None and event.sender.lower() != self.sender)


def names_nothing(event: Event) -> bool:
    """Whether an event names no message: trouble of a server, a refused session, or a whole queue."""
    if event.what is What.FAULT:
        return True
    if event.message_id or event.network_message_id or event.recipients:
        return False
    return event.queue_id is None or any(place in event.detail for place in _PLACES)


def related(
    faults: Iterable[Sighting],
    sightings: Sequence[Sighting],
    keys: Keys,
    sides: Sides,
    categories: frozenset[str],
) -> tuple[Sighting, ...]:
    """Trouble that names no message, but concerns this one.

    It is near in time, and the other server that it names has to do with the message; if it names none, its
    own server has. Where nothing is that near, trouble of the kind that stopped the message is taken.

    Args:
        faults: all of them.
        sightings: what is known of the message.
        keys: what it is known by.
        sides: whose servers are whose.
        categories: what the words on the message mean, without those that give no reason.
    """
    near = [fault for fault in faults if _is_near(fault.event, keys)]
    if not sightings:
        return tuple(near)
    found = _grown(near, _Known.of(sightings, sides), sides, categories)
    if any(_category(fault) in categories for fault in found):
        return found
    alike = [
        fault for fault in near if _category(fault) in categories and not _names_a_stranger(fault, sides)
    ]
    return tuple(fault for fault in near if fault in found or fault in alike)


@dataclass(frozen=True, slots=True)
class _Known:
    """Servers that have to do with a message: all names, and those of servers that had it."""

    names: set[str]
    senders: set[str]

    @staticmethod
    def of(sightings: Sequence[Sighting], sides: Sides) -> _Known:
        """Those that the events of a message name, and the domains of its recipients."""
        known = _Known(set(sides.recipient_domains), set())
        for sighting in sightings:
            known.add(sighting)
        return known

    def add(self, sighting: Sighting) -> None:
        """Takes over the servers that an event names."""
        event = sighting.event
        self.names.update(_parties(event, own=True))
        arrival = (event.peer, event.peer_ip) if _is_arrival(sighting) else ()
        self.senders.update(name.lower() for name in (event.host, *arrival) if name)


def _grown(
    faults: Sequence[Sighting], known: _Known, sides: Sides, categories: frozenset[str]
) -> tuple[Sighting, ...]:
    """The faults that known names lead to, and those that the names in these lead to."""
    found: list[Sighting] = []
    while new := [
        fault for fault in faults if fault not in found and _concerns(fault, known, sides, categories)
    ]:
        found += new
        for fault in new:
            known.add(fault)
    return tuple(fault for fault in faults if fault in found)


def _is_near(event: Event, keys: Keys) -> bool:
    if event.at is None or keys.first is None or keys.last is None:
        return True
    return keys.first - FAULT_NEAR <= event.at <= keys.last + FAULT_NEAR


def _concerns(fault: Sighting, known: _Known, sides: Sides, categories: frozenset[str]) -> bool:
    """By the other server that it names: of a refused client, one that had the message; else by its own."""
    others = _parties(fault.event, own=False)
    if others:
        names = known.senders if fault.event.what is What.REJECTED else known.names
        return any(same_host(other, name) for other in others for name in names)
    if categories and _category(fault) not in ("", *categories):
        return False
    host = fault.event.host
    if host is None or sides.of(host, fault.witness) is not None:
        return True
    return any(same_host(host, name) for name in known.names)


def _category(fault: Sighting) -> str:
    return fault.event.detail.get("category", "")


def _names_a_stranger(fault: Sighting, sides: Sides) -> bool:
    """Whether it names a server or domain of neither side, and not only an address that nobody knows."""
    names = [name for name in _parties(fault.event, own=False) if "." in name and not is_address(name)]
    return any(sides.of(name, fault.witness) is None for name in names)


def _parties(event: Event, *, own: bool) -> tuple[str, ...]:
    """The servers and destinations that an event names, with its own server or without."""
    names = (event.host if own else None, event.peer, event.peer_ip, *map(event.detail.get, _PLACES))
    return tuple(name.lower().strip(".[] ") for name in names if name)


def subject_of(
    failing: Iterable[Sighting], faults: Iterable[Sighting], told: Mapping[str, Collection[str]]
) -> Event | None:
    """The event that tells which message logs are handed in for.

    The message that most of them tell of, then what failed last, then what waits; what was refused at the
    door only where no other log tells of trouble.

    Args:
        failing: what failed or waits.
        faults: trouble that names no message.
        told: by Message-ID, the logs that tell of a message.
    """
    named = [each for each in failing if not names_nothing(each.event)]
    ranked = max(
        named, key=lambda each: (len(told.get(each.event.message_id or "", " ")), *_rank(each)), default=None
    )
    if ranked is None:
        return None
    is_told = any(_category(fault) and fault.witness != ranked.witness for fault in faults)
    return None if is_told and _rank(ranked)[0] == _AT_THE_DOOR else ranked.event


def _rank(sighting: Sighting) -> tuple[int, float, str, int]:
    """A refusal at the door, of a message whose id was never seen, happens all the time."""
    event = sighting.event
    is_at_the_door = event.what is What.REJECTED and not event.message_id
    rank = _AT_THE_DOOR if is_at_the_door else _RANKS.get(event.what, 1)
    return rank, event.at.timestamp() if event.at else 0.0, sighting.witness, event.line


def with_hosts(sightings: Sequence[Sighting]) -> Iterator[Sighting]:
    """The sightings; a witness that never names its server stands where others saw the same hand-over."""
    naming = {sighting.witness for sighting in sightings if sighting.event.host}
    silent = {sighting.witness for sighting in sightings} - naming
    hosts = {witness: _host_of(witness, sightings) for witness in silent}
    for sighting in sightings:
        host = hosts.get(sighting.witness)
        yield replace(sighting, event=replace(sighting.event, host=host)) if host else sighting


def _host_of(witness: str, sightings: Sequence[Sighting]) -> str | None:
    """Who, as others tell, took the message over from the one from whom the witness took it."""
    clients = {
        name
        for sighting in sightings
        if sighting.witness == witness and _is_arrival(sighting)
        for name in (sighting.event.peer, sighting.event.peer_ip)
        if name
    }
    others = [sighting.event for sighting in sightings if sighting.witness != witness and sighting.event.host]
    taken = (
        event.host
        for event in others
        if event.what is What.RECEIVED
        and not clients.isdisjoint((event.peer, event.peer_ip))
        and not any(same_host(event.host, name) for name in clients)
    )
    given = (
        event.peer
        for event in others
        if event.what in _PASSED_ON
        and event.peer
        and not same_host(event.peer, event.host)
        and any(same_host(event.host, name) for name in clients)
    )
    return next(taken, None) or next(given, None)


def _is_arrival(sighting: Sighting) -> bool:
    """Whether the peer of an event is the one who brought the message."""
    what = sighting.event.what
    return what in _TAKEN or (what is What.DEFERRED and sighting.role is Role.GATEWAY)


def _queued(host: str | None, queue_id: str | None) -> tuple[str, ...]:
    """A queue id with the first label of its server."""
    return (f"{(host or '').lower().partition('.')[0]} {queue_id}",) if queue_id else ()
