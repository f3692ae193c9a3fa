"""Reads the events of Mailgun, from its webhooks or its events interface."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from model.events import Event, LogFormat, Role, What
from model.json_objects import Fields, events_of_objects, items, table, text
from model.log_heads import holds_json
from model.log_tables import log_table, what_table
from model.peers import coded, detail, mailbox, message_id, peer, recipient
from model.stamps import epoch_stamp

NAME = "mailgun"


def claims(head: str) -> bool:
    """Whether a text holds events of Mailgun."""
    return holds_json(
        head, ("event-data", "event"), ("delivery-status", "event"), ("recipient-domain", "event")
    )


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """Every event about a delivery; opens and clicks are passed over."""
    return events_of_objects(lines, _events)


def _events(fields: Fields, line: int) -> Iterator[Event]:
    told = items(fields.get("event-data")) or items(fields.get("items")) or [fields]
    for event in filter(None, map(table, told)):
        what = what_table(NAME).get(text(event.get("event")))
        if what is not None:
            yield _event(event, what, line)


def _event(event: Fields, what: What, line: int) -> Event:
    status, envelope = table(event.get("delivery-status")), table(event.get("envelope"))
    headers = table(table(event.get("message")).get("headers"))
    if what is What.FAILED and text(event.get("severity")) == "temporary":
        what = What.DEFERRED
    to = recipient(text(event.get("recipient")) or text(envelope.get("targets")))
    other = peer(f"{text(status.get('mx-host'))} ")
    return Event(
        what,
        line,
        at=epoch_stamp(text(event.get("timestamp"))),
        peer=other.name,
        message_id=message_id(text(headers.get("message-id"))),
        queue_id=text(event.get("id")) or None,
        sender=mailbox(text(envelope["sender"])) if "sender" in envelope else None,
        recipients=(to,) if to else (),
        reply=_reply(event, status),
        detail=_facts(event, status, envelope, what),
    )


def _reply(event: Fields, status: Fields) -> str:
    """The other side's words with their codes; Mailgun's own description where there are none."""
    words = text(status.get("message")) or text(status.get("description"))
    reject = table(event.get("reject"))
    refusal = " ".join(filter(None, (text(reject.get("reason")), text(reject.get("description")))))
    return coded(text(status.get("code")), text(status.get("enhanced-code")), words) or refusal


def _facts(event: Fields, status: Fields, envelope: Fields, what: What) -> dict[str, str]:
    reason = text(event.get("reason"))
    return detail(
        event=text(event.get("event")),
        severity=text(event.get("severity")),
        reason=reason,
        category="complaint" if what is What.NOTED else log_table(NAME, "category").get(reason),
        code=text(status.get("code")),
        description=text(status.get("description")),
        attempt=text(status.get("attempt-no")),
        retry_s=text(status.get("retry-seconds")),
        tls="yes" if status.get("tls") is True else "no" if status.get("tls") is False else None,
        source=text(envelope.get("sending-ip")),
    )


FORMAT = LogFormat(NAME, Role.PROVIDER, claims, read)
