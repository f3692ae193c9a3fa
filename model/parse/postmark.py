"""Reads the webhooks of Postmark, and the answers of its bounce interface."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from model.events import Event, LogFormat, Role, What
from model.json_objects import Fields, events_of_objects, items, table, text
from model.log_heads import holds_json
from model.log_tables import log_table, what_table
from model.peers import detail, diagnostic, mailbox, recipient
from model.stamps import iso_stamp

NAME = "postmark"
_TIMES = ("BouncedAt", "DeliveredAt", "ChangedAt")
_DIGITS_OF_A_SECOND = 6


def claims(head: str) -> bool:
    """Whether a text holds webhooks or bounces of Postmark."""
    return holds_json(
        head, ("RecordType", "MessageID"), ("RecordType", "TypeCode"), ("TypeCode", "BouncedAt")
    )


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """Every record about a delivery; opens and clicks are passed over."""
    return events_of_objects(lines, _events)


def _events(fields: Fields, line: int) -> Iterator[Event]:
    for record in map(table, items(fields.get("Bounces")) or [fields]):
        kind = text(record.get("RecordType")) or ("Bounce" if "TypeCode" in record else "")
        what = what_table(NAME).get(kind)
        if what is not None:
            yield _event(record, kind, what, line)


def _event(record: Fields, kind: str, what: What, line: int) -> Event:
    bounce = text(record.get("Type")) if what is not What.SENT else ""
    if what is What.FAILED:
        what = what_table(NAME, "bounce").get(bounce, what)
    to = recipient(text(record.get("Recipient")) or text(record.get("Email")))
    sender = text(record.get("From"))
    return Event(
        what,
        line,
        at=next((_stamp(text(record[key])) for key in _TIMES if key in record), None),
        queue_id=text(record.get("MessageID")) or None,
        sender=mailbox(sender) if sender else None,
        recipients=(to,) if to else (),
        reply=diagnostic(text(record.get("Details"))) or text(record.get("Description")),
        detail=_facts(record, kind, bounce),
    )


def _stamp(words: str) -> datetime | None:
    """Postmark writes seven digits of a second."""
    before, dot, rest = words.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return iso_stamp(before + dot + digits[:_DIGITS_OF_A_SECOND] + rest[len(digits) :])


def _facts(record: Fields, kind: str, bounce: str) -> dict[str, str]:
    return detail(
        record_type=kind,
        type=bounce,
        name=text(record.get("Name")),
        description=text(record.get("Description")),
        category=log_table(NAME, "category").get(bounce),
        inactive="yes" if record.get("Inactive") is True else None,
        stream=text(record.get("MessageStream")),
        reason=text(record.get("SuppressionReason")),
    )


FORMAT = LogFormat(NAME, Role.PROVIDER, claims, read)
