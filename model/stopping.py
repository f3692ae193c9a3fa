"""Tells where on the way a message stopped, who can mend it there, and whether it went on at last."""

from __future__ import annotations

from collections.abc import Sequence

from model.events import FINAL, STOPPED_HERE, STOPPING, Role, What
from model.path import TRANSPORT, Outcome, Sighting, Stop, path_facts, place_of
from model.sides import RECIPIENT, SENDER, Sides, same_host
from model.types import FixOwner, Stage, Verdict


def stage_of(sighting: Sighting | None, verdict: Verdict, sides: Sides) -> Stage:
    """Where it stopped: by what the witness names, else by who refused, else by what was said."""
    if sighting is None:
        return verdict.stage
    event, facts = sighting.event, path_facts()
    told = facts["event"].get(event.detail.get("event", "")) or facts["source"].get(
        event.detail.get("source", "").upper()
    )
    if told is not None and event.what in STOPPING and _may_tell(Stage(told), verdict):
        return _on_this_side(Stage(told), sighting, verdict, sides)
    if verdict.stage is Stage.SUBMISSION or verdict.category in facts["login"]["categories"]:
        return _stage_of_login(sighting, verdict, sides)
    if _is_own_refusal(sighting, verdict):
        return Stage(place_of(sighting, sides, Stop()))
    return _refined(verdict, sighting, sides)


def stop_of(sighting: Sighting | None, verdict: Verdict, sides: Sides) -> Stop:
    """Where it stopped, by the verdict's stage and the witness that tells of it; it failed there.

    Args:
        sighting: the witness whose words decide.
        verdict: with the stage that ``stage_of`` found.
        sides: whose servers are whose.
    """
    place = None if verdict.stage is Stage.UNKNOWN else str(verdict.stage)
    if verdict.stage is Stage.RULE_OR_MODERATION:
        place = _transport_of_rule(sighting, sides)
    client = None
    if sighting is not None and place == Stage.SUBMISSION:
        event = sighting.event
        client = event.host if event.what in (What.FAILED, What.DEFERRED) and event.peer else event.peer
    return Stop(place, Outcome.FAILED, verdict.category, client, sighting)


def owner_of(verdict: Verdict, place: str | None) -> FixOwner:
    """Who can mend it: for a fault of a server whoever runs the hop, else as the verdict says."""
    found = (
        entry["owner"]
        for entry in path_facts()["owner"]
        if place in entry["places"] and verdict.category in entry["categories"]
    )
    return FixOwner(next(found, verdict.fix_owner))


def is_resolved(sightings: Sequence[Sighting], decisive: Sighting | None, sides: Sides) -> bool:
    """Whether what made the message wait passed at last."""
    if decisive is None or decisive.event.what in FINAL or decisive.event.at is None:
        return False
    wanted = set(decisive.event.recipients)
    later = (each for each in sightings if each.event.at and each.event.at > decisive.event.at)
    return any(
        _goes_on(each, decisive, sides)
        for each in later
        if not wanted or not each.event.recipients or wanted.intersection(each.event.recipients)
    )


def _is_own_refusal(sighting: Sighting, verdict: Verdict) -> bool:
    """Whether the witness itself refused, held or threw the message away; a filter may also bounce it."""
    event = sighting.event
    is_bounced = (
        sighting.role is Role.GATEWAY
        and event.what is What.FAILED
        and not (event.peer or event.peer_ip)
        and verdict.stage in (Stage.RECIPIENT_GATEWAY, Stage.RULE_OR_MODERATION)
    )
    return is_bounced or (event.what in STOPPED_HERE and sighting.role is not Role.REPORT)


def _goes_on(later: Sighting, stopped: Sighting, sides: Sides) -> bool:
    """Whether a later event shows that the message got past where it waited."""
    what, event = later.event.what, later.event
    if what is What.DELIVERED:
        return True
    if what is What.SENT:
        return same_host(event.host, stopped.event.host) or later.witness == stopped.witness
    if what is not What.RECEIVED or later.witness != stopped.witness:
        return what is What.RECEIVED and later.role is Role.HEADERS and sides.of(event.host) == RECIPIENT
    return later.role is Role.GATEWAY


def _transport_of_rule(sighting: Sighting | None, sides: Sides) -> str:
    """Rules and moderators sit in the transport of whoever refused; within one house in the recipient's."""
    if sighting is None or sides.is_internal:
        return Stage.RECIPIENT_TRANSPORT
    event = sighting.event
    if event.peer or event.peer_ip:
        return TRANSPORT[sides.of(event.peer or event.peer_ip, sighting.witness) or RECIPIENT]
    return TRANSPORT[sides.stands(event.host, sighting.witness)]


def _may_tell(told: Stage, verdict: Verdict) -> bool:
    """Whether a component's name says more of the place than the words do."""
    if verdict.stage is Stage.SUBMISSION:
        return False
    if told is Stage.RULE_OR_MODERATION:
        return verdict.category not in path_facts()["filter"]["categories"]
    return told is not Stage.SENDER_TRANSPORT or verdict.stage not in (
        Stage.RECIPIENT_TRANSPORT,
        Stage.MAILBOX,
        Stage.DNS,
    )


def _on_this_side(stage: Stage, sighting: Sighting, verdict: Verdict, sides: Sides) -> Stage:
    """A stage in the transport of whoever keeps the log, unless only the recipient's can be meant."""
    if stage is Stage.SENDER_TRANSPORT:
        return TRANSPORT[sides.stands(sighting.event.host, sighting.witness)]
    if stage is Stage.MAILBOX and verdict.stage is Stage.RULE_OR_MODERATION:
        return verdict.stage
    return stage


def _stage_of_login(sighting: Sighting, verdict: Verdict, sides: Sides) -> Stage:
    """What the sender's side refuses was not submitted; what the other side refuses was not delivered."""
    event = sighting.event
    there = sides.of(event.peer or event.peer_ip, sighting.witness)
    if event.what not in (What.FAILED, What.DEFERRED) or there is None:
        return verdict.stage
    return Stage.SUBMISSION if there == SENDER else Stage.RECIPIENT_TRANSPORT


def _refined(verdict: Verdict, sighting: Sighting, sides: Sides) -> Stage:
    """The verdict's stage; between two servers of one side it is that side's transport or gateway."""
    event, witness = sighting.event, sighting.witness
    here, there = sides.stands(event.host, witness), sides.of(event.peer or event.peer_ip, witness)
    if verdict.category == "internal_auth_failed":
        return TRANSPORT[there or here]
    is_refusal = verdict.stage in (Stage.RECIPIENT_GATEWAY, Stage.RECIPIENT_TRANSPORT, Stage.SENDER_TRANSPORT)
    if not is_refusal or here != there or not event.peer or sides.is_internal:
        return verdict.stage
    if here == RECIPIENT:
        is_behind = sides.is_filter(event.host) and not sides.is_filter(event.peer)
        return Stage.RECIPIENT_TRANSPORT if is_behind else verdict.stage
    is_filter = sides.is_filter(event.peer) or verdict.category in path_facts()["filter"]["categories"]
    return Stage.SENDER_GATEWAY if is_filter else Stage.SENDER_TRANSPORT
