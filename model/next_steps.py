"""Says which evidence is missing, and how to get it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from model.joining import Keys
from model.path import PLACES, Outcome, PathHop, path_facts
from model.sides import Sides
from model.types import Stage, Verdict

MARGIN = timedelta(minutes=5)
MAX_STEPS = 3
_PROTOCOL = "exchange_protocol"


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of evidence to ask for.

    Args:
        id: an entry of the words on steps.
        side: whose it is: ``sender`` or ``recipient``.
        since, until: the span to look at, in UTC; ``None`` where no time is known.
        message_id: the message to look for.
        recipient: whom it was for.
        sender: who sent it.
    """

    id: str
    side: str
    since: datetime | None
    until: datetime | None
    message_id: str | None
    recipient: str | None
    sender: str | None


class Heard(NamedTuple):
    """A kind of evidence that is there: the witness's role, the format, and on which side it was written."""

    role: str
    format: str
    side: str


def next_steps(
    verdict: Verdict,
    keys: Keys,
    sides: Sides,
    heard: Iterable[Heard],
    path: Sequence[PathHop],
    exchange: frozenset[str],
) -> tuple[Step, ...]:
    """What to ask for next, the most telling first: of whoever asks before the other side.

    Args:
        verdict: with the stage where it stopped.
        keys: what the message is known by.
        sides: whose servers are whose.
        heard: the evidence that is there.
        path: the way of the message.
        exchange: the sides on which Exchange took part.
    """
    there = tuple(heard)
    fitting = [entry for entry in path_facts()["step"] if _fits(entry, verdict, sides, path, exchange)]
    missing = [entry for entry in fitting if not any(_shows(each, entry) for each in there)]
    near_first = sorted(missing, key=lambda entry: not entry.get("anywhere") and entry["side"] != sides.home)
    return tuple(islice((_step(entry, keys) for entry in _once(near_first)), MAX_STEPS))


def _once(entries: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        found.setdefault(entry["id"], entry)
    return found.values()


def _fits(
    entry: dict[str, Any], verdict: Verdict, sides: Sides, path: Sequence[PathHop], exchange: frozenset[str]
) -> bool:
    if "exchange" in entry and entry["exchange"] != (entry["side"] in exchange):
        return False
    if "categories" in entry and verdict.category not in entry["categories"]:
        return False
    if "place" in entry and _is_skipped(entry["place"], path):
        return False
    stages = (
        entry.get("stages") if entry["side"] == sides.home else entry.get("far_stages", entry.get("stages"))
    )
    if verdict.stage is Stage.UNKNOWN:
        return not entry.get("is_sure")
    return stages is None or str(verdict.stage) in stages


def _is_skipped(place: str, path: Sequence[PathHop]) -> bool:
    """Whether the message went on without having been seen there."""
    places = [hop.place for hop in path if hop.outcome not in (Outcome.UNKNOWN, Outcome.NOT_REACHED)]
    return place not in places and any(PLACES.index(each) > PLACES.index(place) for each in places)


def _shows(heard: Heard, entry: dict[str, Any]) -> bool:
    """Whether a piece of evidence is what an entry asks for."""
    needs = entry["needs"]
    if needs == "report":
        return heard.role in ("report", "provider")
    if not entry.get("anywhere") and entry["side"] != heard.side:
        return False
    if needs == "protocol":
        return heard.format == _PROTOCOL
    return heard.role == needs and heard.format not in path_facts()["partial"]["formats"]


def _step(entry: dict[str, Any], keys: Keys) -> Step:
    return Step(
        id=entry["id"],
        side=entry["side"],
        since=keys.first - MARGIN if keys.first else None,
        until=keys.last + MARGIN if keys.last else None,
        message_id=next(iter(sorted(keys.message_ids)), None),
        recipient=next(iter(sorted(keys.recipients)), None),
        sender=keys.sender,
    )
