"""Reads the log records of KumoMTA: JSON objects, one a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from model.events import Event, LogFormat, Role, What
from model.json_objects import Fields, events_of_objects, items, table, text
from model.log_heads import holds_json
from model.log_tables import log_table, what_table
from model.peers import coded, detail, mailbox, message_id, peer, recipient, smtp_command
from model.stamps import epoch_stamp

NAME = "kumomta"
_STORES = frozenset({"Maildir", "LMTP"})


def claims(head: str) -> bool:
    """Whether a text holds log records of KumoMTA."""
    return holds_json(
        head,
        ("type", "sender", "recipient", "queue", "site", "peer_address"),
        ("type", "num_attempts", "bounce_classification", "egress_source"),
        ("type", "peer_address", "nodeid"),
    )


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """Every record that is about a delivery; one a recipient where a record has several."""
    return events_of_objects(lines, _events)


def _events(record: Fields, line: int) -> Iterator[Event]:
    kind = text(record.get("type"))
    what = what_table(NAME, "what").get(kind)
    if what is None or "id" not in record:
        return
    if what is What.SENT and text(record.get("delivery_protocol")) in _STORES:
        what = What.DELIVERED
    for to in _recipients(record):
        yield _event(record, line, what, to)


def _recipients(record: Fields) -> list[str]:
    """The recipients of a record; a complaint names them in the report it holds."""
    named = [recipient(text(each)) for each in items(record.get("recipient"))]
    report = table(record.get("feedback_report"))
    if report:
        named = [recipient(text(each)) for each in items(report.get("original_rcpto_to"))] or named
    return named or [""]


def _event(record: Fields, line: int, what: What, to: str) -> Event:
    answer, address = table(record.get("response")), table(record.get("peer_address"))
    report = table(record.get("feedback_report"))
    other = peer(f"{text(address.get('name'))}[{text(address.get('addr'))}]")
    sender = report.get("original_mail_from") if report else record.get("sender")
    return Event(
        what,
        line,
        at=epoch_stamp(text(record.get("timestamp"))),
        peer=other.name,
        peer_ip=other.ip,
        message_id=_message_id(table(record.get("headers"))),
        queue_id=text(record.get("id")) or None,
        sender=mailbox(text(sender)) if isinstance(sender, str) else None,
        recipients=(to,) if to else (),
        reply=_reply(answer) if what not in (What.RECEIVED, What.NOTED) else "",
        detail=_facts(record, answer) | detail(category="complaint" if report else None),
    )


def _reply(answer: Fields) -> str:
    enhanced = table(answer.get("enhanced_code"))
    parts = (text(enhanced.get(name)) for name in ("class", "subject", "detail"))
    return coded(text(answer.get("code")), ".".join(parts) if enhanced else "", text(answer.get("content")))


def _facts(record: Fields, answer: Fields) -> dict[str, str]:
    bounce_class = text(record.get("bounce_classification"))
    return detail(
        type=text(record.get("type")),
        command=smtp_command(text(answer.get("command"))),
        queue=text(record.get("queue")),
        site=text(record.get("site")),
        attempts=text(record.get("num_attempts")),
        source=text(record.get("egress_source")),
        protocol=text(record.get("delivery_protocol")) or text(record.get("reception_protocol")),
        tls=text(record.get("tls_protocol_version")),
        bounce_classification=bounce_class if bounce_class != "Uncategorized" else None,
        category=log_table(NAME, "category").get(bounce_class),
    )


def _message_id(headers: Fields) -> str | None:
    return next((message_id(text(value)) for name, value in headers.items() if _is_id(name)), None)


def _is_id(name: str) -> bool:
    return name.lower() == "message-id"


FORMAT = LogFormat(NAME, Role.TRANSPORT, claims, read)
