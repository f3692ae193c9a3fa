"""Draws the way of a message from all that was seen of it: which part passed, and where it stopped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from model.events import STOPPING, Event, Role, What
from model.resources import data_file, read_toml
from model.sides import RECIPIENT, SENDER, Sides, is_address, is_gateway, is_relay, same_host
from model.types import Stage

CLIENT = "client"
PLACES = (
    CLIENT,
    *map(
        str,
        (
            Stage.SUBMISSION,
            Stage.SENDER_TRANSPORT,
            Stage.SENDER_GATEWAY,
            Stage.DNS,
            Stage.CONNECTION,
            Stage.RECIPIENT_GATEWAY,
            Stage.RECIPIENT_TRANSPORT,
            Stage.MAILBOX,
        ),
    ),
)
"""The places of the way, in its order."""

SUBMITTED = ("MAPI", "ESMTPA", "ESMTPSA", "HTTP", "HTTPS")
_BY_CLIENTS = ("STOREDRIVER", "MAPI")
TRANSPORT = {SENDER: Stage.SENDER_TRANSPORT, RECIPIENT: Stage.RECIPIENT_TRANSPORT}
_GATEWAY = {SENDER: Stage.SENDER_GATEWAY, RECIPIENT: Stage.RECIPIENT_GATEWAY}
_RECIPIENTS = PLACES[PLACES.index(Stage.RECIPIENT_GATEWAY) :]
_SENDERS = (Stage.SENDER_TRANSPORT, Stage.SENDER_GATEWAY)
_OUTSIDE = PLACES[PLACES.index(Stage.SENDER_GATEWAY) : PLACES.index(Stage.RECIPIENT_TRANSPORT)]
"""The places between two organisations."""


class Seen(StrEnum):
    """How a part of the way is known."""

    SEEN = "seen"
    INFERRED = "inferred"
    MISSING = "missing"


class Outcome(StrEnum):
    """What became of the message there."""

    PASSED = "passed"
    WAITING = "waiting"
    FAILED = "failed"
    NOT_REACHED = "not_reached"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Sighting:
    """An event, and the witness that tells it."""

    witness: str
    role: Role
    event: Event


@dataclass(frozen=True, slots=True)
class PathHop:
    """One part of the way.

    Args:
        place: one of ``PLACES``.
        seen: how it is known.
        outcome: what became of the message there.
        host, ip: the server, as far as it is known.
        first, last: the span of what was seen there.
        seen_by: the pieces of evidence that show it.
        words: what was said there against the message.
    """

    place: str
    seen: Seen = Seen.MISSING
    outcome: Outcome = Outcome.UNKNOWN
    host: str | None = None
    ip: str | None = None
    first: datetime | None = None
    last: datetime | None = None
    seen_by: tuple[str, ...] = ()
    words: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """Where and how a message stopped.

    Args:
        place: one of ``PLACES``; ``None`` where it is not known, or where nothing stopped it.
        outcome: what became of it there: waiting or failed, or passed at last.
        category: what the words on it mean.
        client: the server that could not submit it, where it stopped at its submission.
        sighting: the witness whose words decide.
        words: what was said there.
    """

    place: str | None = None
    outcome: Outcome = Outcome.FAILED
    category: str = ""
    client: str | None = None
    sighting: Sighting | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class _Mark:
    """That a message was at a place, and passed it or not."""

    place: str
    outcome: Outcome
    witness: str
    host: str | None = None
    ip: str | None = None
    at: datetime | None = None
    words: str = ""
    is_decisive: bool = False


def draw(sightings: Sequence[Sighting], stop: Stop, sides: Sides) -> tuple[PathHop, ...]:
    """The way, a hop for each of ``PLACES``.

    Args:
        sightings: trouble that concerns the message, then all that belongs to it in the order of time.
        stop: where it stopped.
        sides: whose servers are whose.
    """
    marks = [
        replace(mark, is_decisive=sighting == stop.sighting)
        for sighting in sightings
        for mark in _marks(sighting, sides, stop)
    ]
    hops = [_hop(place, [mark for mark in marks if mark.place == place]) for place in PLACES]
    return tuple(_completed(hops, stop, _skipped(marks, sides)))


def place_of(sighting: Sighting, sides: Sides, stop: Stop) -> str:
    """Where a witness stands on the way, one of ``PLACES``."""
    event = sighting.event
    if stop.client and same_host(event.host, stop.client):
        return CLIENT
    if sighting.role is Role.PROVIDER:
        return Stage.SENDER_GATEWAY
    is_filter = sighting.role is Role.GATEWAY or sides.is_filter(event.host, event.detail.get("software"))
    return str((_GATEWAY if is_filter else TRANSPORT)[sides.stands(event.host, sighting.witness)])


def by_time(sightings: Iterable[Sighting]) -> tuple[Sighting, ...]:
    """In the order of time; what has none stays where its neighbours of the same witness stand."""
    ordered: list[tuple[float, str, int, int, Sighting]] = []
    last, witness = float("-inf"), ""
    for number, each in enumerate(sightings):
        if each.witness != witness:
            last, witness = float("-inf"), each.witness
        last = each.event.at.timestamp() if each.event.at else last
        ordered.append((last, each.role, each.event.line, number, each))
    return tuple(entry[-1] for entry in sorted(ordered, key=lambda entry: entry[:-1]))


@cache
def path_facts() -> dict[str, Any]:
    """The facts on the way of a message."""
    return read_toml(data_file("path.toml"))


def _marks(sighting: Sighting, sides: Sides, stop: Stop) -> Iterator[_Mark]:
    """What one event shows of the way."""
    event, witness = sighting.event, sighting.witness
    if event.what in (What.NOTED, What.NOTIFIED):
        return
    place = place_of(sighting, sides, stop)
    if event.what is What.FAULT:
        yield from _troubled(sighting, place, stop)
        return
    if _is_of_another_queue(event, stop):
        return
    if event.what in STOPPING:
        yield from _stopped(sighting, place, stop, sides)
        return
    yield _Mark(place, Outcome.PASSED, witness, event.host, None, event.at)
    if event.what is What.DELIVERED or _is_at_the_mailbox(event):
        yield _Mark(Stage.MAILBOX, Outcome.PASSED, witness, None, None, event.at)
    elif event.what is What.SENT:
        yield from _handed_over(sighting, place, sides)
    elif event.what is What.RECEIVED and place == Stage.SENDER_TRANSPORT and _is_submission(event):
        yield _Mark(CLIENT, Outcome.PASSED, witness, event.peer, event.peer_ip, event.at)
        yield _Mark(Stage.SUBMISSION, Outcome.PASSED, witness, event.host, None, event.at)


def _stopped(sighting: Sighting, place: str, stop: Stop, sides: Sides) -> Iterator[_Mark]:
    """Where it stopped, and that it had come as far as the witness."""
    event, witness = sighting.event, sighting.witness
    stopped = stop.place or place
    is_one_house = sides.is_internal or (place in _RECIPIENTS and stopped in _RECIPIENTS)
    if PLACES.index(place) < PLACES.index(stopped):
        yield _Mark(place, Outcome.PASSED, witness, event.host, None, event.at)
        if place in _SENDERS and PLACES.index(stopped) > PLACES.index(Stage.CONNECTION) and _is_answer(event):
            yield _Mark(Stage.CONNECTION, Outcome.PASSED, witness, None, event.peer_ip, event.at)
        host = event.peer or _refuser(event, stopped, is_one_house=is_one_house)
        yield _Mark(stopped, stop.outcome, witness, host, event.peer_ip, event.at, event.reply)
    else:
        yield _Mark(stopped, stop.outcome, witness, event.host, None, event.at, event.reply)


def _refuser(event: Event, stopped: str, *, is_one_house: bool) -> str | None:
    """For want of the other server's name: the name looked up, or the witness where it tells of no other."""
    if stopped == Stage.DNS:
        return _destination(event)
    return event.host if is_one_house and not event.peer_ip else None


def _is_answer(event: Event) -> bool:
    """Whether a server of the other side spoke."""
    return bool(event.reply and (event.peer or event.peer_ip))


def _troubled(sighting: Sighting, place: str, stop: Stop) -> Iterator[_Mark]:
    """Trouble that names no message shows where the message stopped, if it is there or of the same kind."""
    event = sighting.event
    is_alike = stop.category and event.detail.get("category") == stop.category
    if stop.place is None or not (place == stop.place or is_alike):
        return
    is_ahead = PLACES.index(place) < PLACES.index(stop.place) and stop.place != Stage.SUBMISSION
    host, address = (event.peer or _destination(event), event.peer_ip) if is_ahead else (event.host, None)
    yield _Mark(stop.place, stop.outcome, sighting.witness, host, address, event.at, event.reply)


def _is_of_another_queue(event: Event, stop: Stop) -> bool:
    """Whether it tells of a whole queue, and not of the one that decides."""
    decisive = stop.sighting.event if stop.sighting else None
    hop = event.detail.get("next_hop")
    return bool(hop and decisive and not event.message_id and decisive.detail.get("next_hop", hop) != hop)


def _destination(event: Event) -> str | None:
    return event.detail.get("destination") or event.detail.get("next_hop")


def _handed_over(sighting: Sighting, place: str, sides: Sides) -> Iterator[_Mark]:
    """The peer took the message over."""
    event, witness = sighting.event, sighting.witness
    if not (event.peer or event.peer_ip) or same_host(event.peer, event.host):
        return
    there = sides.of(event.peer or event.peer_ip, witness)
    here = sides.stands(event.host, witness)
    is_filter = sides.is_filter(event.peer)
    side = there or (RECIPIENT if here == SENDER and not is_gateway(event.peer) else here)
    if side == RECIPIENT and here == SENDER and not sides.is_internal:
        yield _Mark(Stage.CONNECTION, Outcome.PASSED, witness, None, event.peer_ip, event.at)
    crosses = side != here and not sides.is_internal
    beyond = _GATEWAY if is_filter or is_relay(event.peer) or crosses else TRANSPORT
    if beyond[side] != place:
        yield _Mark(beyond[side], Outcome.PASSED, witness, event.peer, event.peer_ip, event.at)


def _is_submission(event: Event) -> bool:
    """By its protocol, by the component that took it, or because somebody logged in."""
    detail = event.detail
    by_protocol = detail.get("protocol", "").upper() in SUBMITTED
    return by_protocol or detail.get("source", "").upper() in _BY_CLIENTS or bool(detail.get("login"))


def _is_at_the_mailbox(event: Event) -> bool:
    facts = path_facts()["delivered"]
    return event.detail.get("protocol") in facts["protocols"] or event.detail.get("via") in facts["via"]


def _hop(place: str, marks: Sequence[_Mark]) -> PathHop:
    """A place with all that was seen there; the last that happened is what became of the message."""
    if not marks:
        return PathHop(place)
    times = [mark.at for mark in marks if mark.at]
    named = sorted((mark for mark in marks if mark.host), key=_fullness)
    return PathHop(
        place=place,
        seen=Seen.SEEN,
        outcome=marks[-1].outcome,
        host=(named[-1].host or "").lower() or None if named else None,
        ip=next((mark.ip for mark in reversed(marks) if mark.ip), None),
        first=min(times, default=None),
        last=max(times, default=None),
        seen_by=tuple(dict.fromkeys(mark.witness for mark in marks)),
        words=next((mark.words for mark in reversed(marks) if mark.words), ""),
    )


def _fullness(mark: _Mark) -> tuple[int, bool]:
    """An address tells less than a name, and that less than one with its domain; the deciding words most."""
    host = mark.host or ""
    return 0 if is_address(host) else 1 + ("." in host), mark.is_decisive


def _skipped(marks: Sequence[_Mark], sides: Sides) -> frozenset[str]:
    """Places that were not on the way: what is outside of one house, a gateway that nobody went through."""
    if sides.is_internal:
        return frozenset(_OUTSIDE)
    seen = {mark.place for mark in marks}
    is_direct = Stage.SENDER_TRANSPORT in seen and not seen.isdisjoint((Stage.DNS, Stage.CONNECTION))
    return frozenset({str(Stage.SENDER_GATEWAY)}) if is_direct else frozenset()


def _completed(hops: Sequence[PathHop], stop: Stop, skipped: frozenset[str]) -> Iterator[PathHop]:
    """What follows from the rest: before the stop all passed, behind it nothing was reached."""
    at = PLACES.index(stop.place) if stop.place else None
    furthest = max((n for n, hop in enumerate(hops) if hop.outcome is Outcome.PASSED), default=-1)
    for number, hop in enumerate(hops):
        if number == at:
            seen = hop.seen if hop.seen is Seen.SEEN else Seen.INFERRED
            yield replace(hop, seen=seen, outcome=stop.outcome, words=stop.words or hop.words)
        elif hop.seen is Seen.SEEN:
            yield hop
        elif number < max(furthest, at or 0):
            is_skipped = hop.place in skipped
            yield hop if is_skipped else replace(hop, seen=Seen.INFERRED, outcome=Outcome.PASSED)
        else:
            is_stopped = at is not None and stop.outcome is not Outcome.PASSED
            yield replace(hop, outcome=Outcome.NOT_REACHED if is_stopped else Outcome.UNKNOWN)
