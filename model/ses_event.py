"""Reads the JSON notifications that Amazon SES sends by mail through SNS.

Source: https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from model.types import Failure, Kind, Report

_TYPE = re.compile(r'\{\s*"(?:notificationType|eventType)"\s*:\s*"(\w+)"')
_FOLD = re.compile(r"!\n ")
_KINDS = {
    "Bounce": Kind.BOUNCE,
    "Complaint": Kind.COMPLAINT,
    "Delivery": Kind.SUCCESS,
    "DeliveryDelay": Kind.DELAY,
    "Reject": Kind.BOUNCE,
}
_LISTS = {
    "Bounce": ("bounce", "bouncedRecipients"),
    "Complaint": ("complaint", "complainedRecipients"),
    "Delivery": ("delivery", "recipients"),
    "DeliveryDelay": ("deliveryDelay", "delayedRecipients"),
}


def read_ses_event(text: str) -> Report | None:
    """The report in a notification, ``None`` where the text holds none."""
    start = _TYPE.search(text)
    if start is None or start.group(1) not in _KINDS:
        return None
    try:
        event, _ = json.JSONDecoder().raw_decode(_FOLD.sub("", text[start.start() :]))
    except (json.JSONDecodeError, RecursionError):
        return None
    return _report(event, start.group(1))


def _report(event: dict[str, Any], name: str) -> Report:
    section, recipients = _LISTS.get(name, ("reject", ""))
    body = _table(event.get(section))
    entries = body.get(recipients) if isinstance(body.get(recipients), list) else []
    failures = tuple(_failure(entry, body) for entry in entries or [])
    mail = _table(event.get("mail"))
    return Report(
        kind=_KINDS[name],
        kind_reason=f"an Amazon SES notification of type {name}",
        failures=failures if _KINDS[name] is not Kind.COMPLAINT else (),
        notice=_words(body),
        reporting_mta=_text(body, "reportingMTA").rpartition(";")[2].strip() or None,
        software="ses",
        original_message_id=_text(mail, "messageId") or None,
        original_seen=bool(mail),
    )


def _failure(entry: Any, body: dict[str, Any]) -> Failure:  # noqa: ANN401  # whatever JSON holds
    fields = _table(entry)
    address = _text(fields, "emailAddress") if fields else str(entry)
    return Failure(
        address=address or None,
        action=_text(fields, "action").lower() or None,
        status=_text(fields, "status") or None,
        diagnostic=_text(fields, "diagnosticCode"),
        reason=_words(body),
    )


def _words(body: dict[str, Any]) -> str:
    """The event's own classification, as words that rules can read."""
    named = (_text(body, key) for key in ("bounceType", "bounceSubType", "delayType", "reason"))
    words = "/".join(word for word in named if word)
    return f"Amazon SES says {words}" if words else ""


def _table(value: Any) -> dict[str, Any]:  # noqa: ANN401  # whatever JSON holds
    return value if isinstance(value, dict) else {}


def _text(fields: dict[str, Any], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""
