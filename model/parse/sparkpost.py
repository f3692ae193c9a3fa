"""Reads the events of SparkPost, from its webhooks or its events interface."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from model.events import Event, LogFormat, Role, What
from model.json_objects import Fields, events_of_objects, items, table, text
from model.log_heads import holds_json
from model.log_tables import log_table, what_table
from model.peers import coded, detail, mailbox, peer, recipient
from model.stamps import epoch_stamp, iso_stamp

NAME = "sparkpost"


def claims(head: str) -> bool:
    """Whether a text holds events of SparkPost."""
    return holds_json(head, ("msys",), ("type", "rcpt_to", "transmission_id"), ("rcpt_to", "bounce_class"))


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """Every event about a delivery; opens and clicks are passed over."""
    return events_of_objects(lines, _events)


def _events(fields: Fields, line: int) -> Iterator[Event]:
    """A webhook wraps each event once more, in the name of its kind."""
    wrapped = table(fields.get("msys")).values()
    for event in map(table, [*wrapped] or items(fields.get("results")) or [fields]):
        what = what_table(NAME).get(text(event.get("type")))
        if what is not None and ("rcpt_to" in event or "msg_from" in event):
            yield _event(event, what, line)


def _event(event: Fields, what: What, line: int) -> Event:
    stamp = text(event.get("timestamp"))
    to = recipient(text(event.get("raw_rcpt_to")) or text(event.get("rcpt_to")))
    other = peer(f"[{text(event.get('ip_address'))}]")
    words = text(event.get("raw_reason")) or text(event.get("reason"))
    return Event(
        what,
        line,
        at=epoch_stamp(stamp) if stamp.isdigit() else iso_stamp(stamp),
        peer_ip=other.ip,
        queue_id=text(event.get("message_id")) or None,
        sender=mailbox(text(event["msg_from"])) if "msg_from" in event else None,
        recipients=(to,) if to else (),
        reply=coded(text(event.get("error_code")), "", words),
        detail=_facts(event, what),
    )


def _facts(event: Fields, what: What) -> dict[str, str]:
    bounce_class = text(event.get("bounce_class"))
    return detail(
        type=text(event.get("type")),
        bounce_class=bounce_class,
        category="complaint" if what is What.NOTED else log_table(NAME, "category").get(bounce_class),
        feedback_type=text(event.get("fbtype")),
        source=text(event.get("sending_ip")),
        domain=text(event.get("routing_domain")),
        retries=text(event.get("num_retries")),
        transmission=text(event.get("transmission_id")),
        tls=text(event.get("outbound_tls")),
        protocol=text(event.get("delv_method")),
    )


FORMAT = LogFormat(NAME, Role.PROVIDER, claims, read)
