"""Reads Mimecast's logs of receipt, processing and delivery, as JSON or as ``key=value|…``, joined by aCode.

Source: https://integrations.mimecast.com/documentation/tutorials/understanding-siem-logs
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from model.events import Event, LogFormat, Role, What
from model.json_objects import Fields, events_of_objects, text
from model.log_heads import is_log_of
from model.peers import detail, mailbox, message_id, recipient
from model.recent import Recent
from model.resources import data_file, read_toml
from model.stamps import epoch_stamp, iso_stamp

_PAIRS_START = "datetime="
_MAX_RECIPIENTS = 100
_ROOM_FOR_MESSAGES = 5_000
_NO_VALUES = frozenset({"null", "N/A", "None"})
_OWN_NAMES = ("type", "datetime", "timestamp", "IP", "senderIp", "destinationIp", "ReceiptAck", "Recipient")


@dataclass(frozen=True, slots=True)
class _Message:
    """What the records of one aCode have told so far."""

    sender: str | None = None
    recipients: tuple[str, ...] = ()
    message_id: str | None = None


def claims(head: str) -> bool:
    """Whether a text is such a log."""
    return is_log_of(head, _is_record)


def _is_record(line: str) -> bool:
    if _PAIRS_START in line and "|" in line:
        return "|acc=" in line and ("|aCode=" in line or "|MsgId=" in line)
    first = '"aCode"' in line and '"acc"' in line and '"datetime"' in line
    return first or ('"aggregateId"' in line and '"processingId"' in line and '"accountId"' in line)


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """What came in, was held, refused or delivered, one event for each recipient."""
    return events_of_objects(map(_as_json, lines), _Reader().events)


def _as_json(line: str) -> str:
    """A line of pairs as an object; of a key that comes twice the first counts: subjects may hold bars."""
    start = line.find(_PAIRS_START)
    if start < 0 or "|" not in line:
        return line
    fields: dict[str, str] = {}
    for key, _, value in (part.partition("=") for part in line[start:].split("|")):
        fields.setdefault(key.strip(), value.strip(" \\"))
    return json.dumps(fields)


class _Reader:
    """Holds the messages that are under way."""

    def __init__(self) -> None:
        self._messages = Recent[_Message](_ROOM_FOR_MESSAGES)

    def events(self, fields: Fields, number: int) -> list[Event]:
        """The events of one object: a record, or an answer of the interface with a list of them."""
        records = fields["data"] if isinstance(fields.get("data"), list) else [fields]
        return [event for record in records if isinstance(record, dict) for event in self._of(record, number)]

    def _of(self, fields: Fields, number: int) -> list[Event]:
        record = _named(fields)
        stage = _stage(record)
        what = _what(record, stage)
        if what is None:
            return []
        known = self._joined(record)
        event = _event(record, what, stage, number)
        event = replace(event, message_id=known.message_id, sender=known.sender)
        addresses = _recipients(record) or known.recipients
        return [replace(event, recipients=(address,)) for address in addresses] or [event]

    def _joined(self, record: dict[str, str]) -> _Message:
        """What is known of a message with this record; nothing is kept of one without an aCode."""
        code = record["aCode"]
        known = (self._messages.get(code) if code else None) or _Message()
        addresses = tuple(dict.fromkeys(known.recipients + _recipients(record)))[:_MAX_RECIPIENTS]
        known = _Message(
            sender=mailbox(record["Sender"]) if record["Sender"] else known.sender,
            recipients=addresses,
            message_id=message_id(record["MsgId"]) or known.message_id,
        )
        if code:
            self._messages.put(code, known)
        return known


def _named(fields: Fields) -> dict[str, str]:
    """The fields by the names of the first edition, as text; empty where there is none."""
    return {key: _value(fields.get(key, fields.get(second))) for key, second in _names().items()}


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    words = ",".join(map(text, value)) if isinstance(value, list) else text(value)
    return "" if words in _NO_VALUES else words


def _stage(record: dict[str, str]) -> str:
    """Which of the three it is: the second edition says so, the first shows it."""
    if record["type"] in ("receipt", "process", "delivery"):
        return record["type"]
    if record["Delivered"]:
        return "delivery"
    return "receipt" if record["Rcpt"] or record["IP"] else "process"


def _what(record: dict[str, str], stage: str) -> What | None:
    if record["Delivered"]:
        failed = What.FAILED if record["RejCode"].startswith("5") else What.DEFERRED
        return What.SENT if record["Delivered"].lower() == "true" else failed
    if not record["Act"]:
        return What.NOTED if record["Virus"] else None
    what = _table("act").get(record["Act"].lower())
    passed = what == What.RECEIVED and stage == "process"
    return What.NOTED if passed else What(what) if what else None


def _event(record: dict[str, str], what: What, stage: str, number: int) -> Event:
    rejection, hold = record["RejType"].lower(), record["Hld"].lower()
    said = record["RejInfo"] or record["Err"] or record["RejType"]
    good = what in (What.SENT, What.RECEIVED, What.NOTED, What.HELD)
    return Event(
        what=what,
        line=number,
        at=iso_stamp(record["datetime"]) if record["datetime"] else epoch_stamp(record["timestamp"]),
        peer_ip=record["IP"] or record["destinationIp" if stage == "delivery" else "senderIp"] or None,
        queue_id=record["aCode"] or None,
        reply=record["ReceiptAck"] if good else f"{record['RejCode']} {said}".strip(),
        detail=detail(
            stage=stage,
            action=record["Act"],
            rejection=record["RejType"],
            error=record["Err"],
            hold=record["Hld"],
            route=record["Route"],
            direction=record["Dir"],
            attempt=record["Attempt"],
            tls=record["TlsVer"],
            virus=record["Virus"],
            score=record["SpamScore"],
            category=_table("rejection").get(rejection) or _table("hold").get(hold),
        ),
    )


def _recipients(record: dict[str, str]) -> tuple[str, ...]:
    parts = (record["Rcpt"] or record["Recipient"]).split(",")[:_MAX_RECIPIENTS]
    return tuple(recipient(part) for part in parts if recipient(part))


@cache
def _names() -> dict[str, str]:
    """The keys that are read, each with its name in the second edition."""
    seconds = {
        entry["key"]: entry["second"] for entry in read_toml(data_file("logs", "mimecast.toml"))["name"]
    }
    return {key: key for key in _OWN_NAMES} | seconds


@cache
def _table(kind: str) -> dict[str, str]:
    """``act``, ``rejection`` or ``hold`` by lower-case name."""
    value = "what" if kind == "act" else "category"
    entries = read_toml(data_file("logs", "mimecast.toml"))[kind]
    return {entry["name"].lower(): entry[value] for entry in entries}


FORMAT = LogFormat("mimecast", Role.GATEWAY, claims, read)
