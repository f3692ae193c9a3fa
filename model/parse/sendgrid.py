"""Reads the events of SendGrid's event webhook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from model.events import Event, LogFormat, Role, What
from model.json_objects import Fields, events_of_objects, text
from model.log_heads import holds_json
from model.log_tables import log_table, what_table
from model.peers import detail, message_id, recipient
from model.stamps import epoch_stamp

NAME = "sendgrid"


def claims(head: str) -> bool:
    """Whether a text holds events of SendGrid."""
    return holds_json(head, ("event", "sg_event_id"), ("event", "sg_message_id"), ("event", "smtp-id"))


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """Every event about a delivery; opens and clicks are passed over."""
    return events_of_objects(lines, _events)


def _events(fields: Fields, line: int) -> Iterator[Event]:
    what = what_table(NAME).get(text(fields.get("event")))
    if what is None or "email" not in fields:
        return
    to = recipient(text(fields.get("email")))
    yield Event(
        what,
        line,
        at=epoch_stamp(text(fields.get("timestamp"))),
        message_id=message_id(text(fields.get("smtp-id"))),
        queue_id=text(fields.get("sg_message_id")) or None,
        recipients=(to,) if to else (),
        reply=text(fields.get("reason")) or text(fields.get("response")),
        detail=_facts(fields, what),
    )


def _facts(fields: Fields, what: What) -> dict[str, str]:
    event, reason = text(fields.get("event")), text(fields.get("reason"))
    classification = text(fields.get("bounce_classification"))
    by_class = log_table(NAME, "classification").get(classification.lower())
    dropped = log_table(NAME, "dropped").get(reason.lower()) if event == "dropped" else None
    return detail(
        event=event,
        type=text(fields.get("type")),
        status=text(fields.get("status")),
        attempt=text(fields.get("attempt")),
        tls=text(fields.get("tls")),
        source=text(fields.get("ip")),
        bounce_classification=classification,
        category="complaint" if what is What.NOTED else dropped or by_class,
    )


FORMAT = LogFormat(NAME, Role.PROVIDER, claims, read)
