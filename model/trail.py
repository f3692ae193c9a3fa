"""Makes events, and the route of an answer, of the hops that a mail's Received fields tell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from model.events import Event, What
from model.received import Received, hops
from model.types import Hop, Route


def trail_of(received_headers: Sequence[str]) -> tuple[Event, ...]:
    """An event for each hop, oldest first, with the seconds since the one before as ``delay_s``."""
    events: list[Event] = []
    last: datetime | None = None
    for number, hop in enumerate(hops(received_headers)):
        events.append(hop_event(hop, line=len(received_headers) - number, after=last))
        last = hop.at or last
    return tuple(events)


def hop_event(hop: Received, *, line: int, after: datetime | None) -> Event:
    """A server took the mail over.

    Args:
        hop: what its field tells.
        line: where the field stands.
        after: when the hop before was.
    """
    delay = f"{(hop.at - after).total_seconds():.0f}" if hop.at and after else ""
    detail = {
        "protocol": hop.protocol,
        "tls": hop.tls,
        "delay_s": delay,
        "software": hop.software,
        "via": hop.via,
        "helo": hop.helo,
    }
    return Event(
        What.RECEIVED,
        line,
        at=hop.at,
        host=hop.by,
        peer=hop.sender,
        peer_ip=hop.sender_ip,
        queue_id=hop.queue_id,
        sender=hop.envelope_from,
        recipients=(hop.recipient,) if hop.recipient else (),
        detail={key: value for key, value in detail.items() if value},
    )


def route_of(trail: Sequence[Event]) -> Route:
    """The hops with their delays; a negative delay shows that clocks differ."""
    delays = [float(event.detail["delay_s"]) for event in trail if "delay_s" in event.detail]
    return Route(
        hops=tuple(map(_hop, trail)),
        max_delay_s=max(delays, default=None),
        clock_skew_s=min((delay for delay in delays if delay < 0), default=None),
    )


def _hop(event: Event) -> Hop:
    delay = event.detail.get("delay_s")
    return Hop(
        by=event.host,
        sender=event.peer,
        protocol=event.detail.get("protocol"),
        at=event.at.isoformat() if event.at else None,
        delay_s=float(delay) if delay else None,
    )
