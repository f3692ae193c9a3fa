"""Reads the notifications and events of Amazon SES, bare or in the envelopes of SNS, SQS and EventBridge."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from model.events import Event, LogFormat, Role, What
from model.json_objects import Fields, events_of_objects, items, table, text
from model.log_heads import holds_json
from model.log_tables import log_table, what_table
from model.peers import detail, diagnostic, mailbox, message_id, peer, recipient
from model.stamps import iso_stamp

NAME = "ses_notification"
_TYPES = ("notificationType", "eventType")
_ENVELOPES = ("Message", "Sns", "Records", "body", "detail")
_RECIPIENTS = ("bouncedRecipients", "complainedRecipients", "delayedRecipients", "recipients")
_MAX_DEPTH = 8
_MAX_RECIPIENTS = 1_000


def claims(head: str) -> bool:
    """Whether a text holds notifications of Amazon SES."""
    return holds_json(head, *((kind, "mail") for kind in _TYPES))


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """Every notification about a message, once for each recipient that it names."""
    return events_of_objects(lines, _events)


def _events(fields: Fields, line: int) -> Iterator[Event]:
    for notification in _opened(fields, _MAX_DEPTH):
        yield from _told(notification, line)


def _opened(value: Any, depth: int) -> Iterator[Fields]:  # noqa: ANN401  # whatever JSON holds
    """The notifications in an envelope, which may hold another one as a string."""
    if depth == 0:
        return
    if isinstance(value, str) and value.lstrip().startswith("{"):
        yield from _opened(_loaded(value), depth - 1)
    for fields in items(value) if not isinstance(value, str) else ():
        if isinstance(fields, dict) and _type(fields):
            yield fields
        elif isinstance(fields, dict):
            for key in _ENVELOPES:
                yield from _opened(fields.get(key), depth - 1)


def _loaded(words: str) -> Any:  # noqa: ANN401  # whatever JSON holds
    try:
        return json.loads(words)
    except (ValueError, RecursionError):
        return None


def _type(fields: Fields) -> str:
    return next((text(fields[key]) for key in _TYPES if key in fields), "")


def _told(notification: Fields, line: int) -> Iterator[Event]:
    kind = _type(notification)
    what = what_table(NAME).get(kind)
    if what is None:
        return
    section = table(notification.get(log_table(NAME, "section")[kind]))
    mail = table(notification.get("mail"))
    named = next((section[key] for key in _RECIPIENTS if key in section), mail.get("destination"))
    for entry in items(named)[:_MAX_RECIPIENTS] or [""]:
        yield _event(kind, what, section, mail, entry, line)


def _event(
    kind: str,
    what: What,
    section: Fields,
    mail: Fields,
    entry: Any,  # noqa: ANN401  # whatever JSON holds
    line: int,
) -> Event:
    about = table(entry)
    to = recipient(text(about.get("emailAddress")) or text(entry))
    other = peer(f"[{text(section.get('remoteMtaIp'))}]")
    if what is What.RECEIVED:
        other = peer(f"[{text(mail.get('sourceIp'))}]")
    return Event(
        what,
        line,
        at=iso_stamp(text(section.get("timestamp")) or text(mail.get("timestamp"))),
        peer=other.name,
        peer_ip=other.ip,
        message_id=_message_id(mail),
        queue_id=text(mail.get("messageId")) or None,
        sender=mailbox(text(mail["source"])) if "source" in mail else None,
        recipients=(to,) if to else (),
        reply=_reply(section, about),
        detail=_facts(kind, section, about),
    )


def _message_id(mail: Fields) -> str | None:
    """The sender's own, as the headers had it; SES sends the message with another."""
    named = text(table(mail.get("commonHeaders")).get("messageId"))
    headers = (table(header) for header in items(mail.get("headers")))
    values = (text(each.get("value")) for each in headers if text(each.get("name")).lower() == "message-id")
    return message_id(named) or message_id(next(values, ""))


def _reply(section: Fields, about: Fields) -> str:
    said = diagnostic(text(about.get("diagnosticCode"))) or text(section.get("smtpResponse"))
    return said or text(section.get("errorMessage")) or text(section.get("reason"))


def _facts(kind: str, section: Fields, about: Fields) -> dict[str, str]:
    bounce = "/".join(filter(None, (text(section.get("bounceType")), text(section.get("bounceSubType")))))
    delay, feedback = text(section.get("delayType")), text(section.get("complaintFeedbackType"))
    categories = log_table(NAME, "category")
    return detail(
        type=kind,
        bounce_type=bounce,
        delay_type=delay,
        feedback_type=feedback,
        category=categories.get(bounce) or categories.get(delay) or categories.get(kind),
        action=text(about.get("action")),
        status=text(about.get("status")),
        reporting_mta=text(section.get("reportingMTA")).rpartition(";")[2].strip(),
        delay_ms=text(section.get("processingTimeMillis")),
        expires=text(section.get("expirationTime")),
    )


FORMAT = LogFormat(NAME, Role.PROVIDER, claims, read)
