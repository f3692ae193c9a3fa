"""Reads the message traces of Exchange Online: lists of messages, steps of one message, and reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from model.events import Event, LogFormat, Role, What
from model.exchange_csv import message_id, moment
from model.exchange_message import Kind, aliases, kinds_of, message_events
from model.exchange_objects import csv_names, list_names, records
from model.exchange_status import read_status
from model.recent import Recent
from model.resources import data_file, read_toml

_TRACE = frozenset(("received", "sender-address", "recipient-address", "status"))
_STEPS = frozenset(("message-trace-id", "event", "detail"))
_FEW_STEPS = frozenset(("date", "event", "action", "detail"))
_SUMMARY = frozenset(("origin-timestamp-utc", "sender-address", "recipient-status"))
_REPORT = frozenset(("date-time-utc", "event-id", "sender-address", "recipient-address"))
_SHAPES = (_TRACE, _STEPS, _FEW_STEPS, _SUMMARY, _REPORT)
_NAMES = frozenset.union(*_SHAPES, {"message-id", "network-message-id", "custom-data"})
_MARKS = ("MessageTraceId", "SenderAddress", "Detail", "origin_timestamp", "date_time_utc")
_REFUSED = frozenset((What.DEFERRED, What.FAILED))
_BY, _TO, _FROM = "received by: ", " to: ", "transferred from: "
_SUMMED = "##"
_MAX_DETAIL = 1000


def claims(head: str) -> bool:
    """Whether a text is a trace, by the names of its columns or properties."""
    if not any(mark in head for mark in _MARKS):
        return False
    return any(names >= shape for names in (list_names(head), csv_names(head, _NAMES)) for shape in _SHAPES)


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """The events of a trace; see ``LogFormat``."""
    known = Recent[_Message]()
    for record in records(lines, _NAMES, aliases()):
        events = _events(record.fields, record.line, known) if record else iter(())
        first = next(events, None)
        yield first
        yield from events


class _Message(NamedTuple):
    """What a list of messages tells of one, for the steps of it that follow."""

    message_id: str | None
    sender: str | None
    recipients: tuple[str, ...]


def _events(fields: Mapping[str, str], line: int, known: Recent[_Message]) -> Iterator[Event]:
    if fields.get("event-id"):
        return message_events(fields, line)
    if _SUMMED in fields.get("recipient-status", ""):
        return _summed(fields, line)
    if fields.get("event"):
        return _step(fields, line, known)
    return _traced(fields, line, known)


def _message(fields: Mapping[str, str]) -> _Message:
    sender = fields.get("sender-address")
    recipient = fields.get("recipient-address", "").strip().lower()
    return _Message(
        message_id(fields.get("message-id", "")),
        sender.strip("<> ").lower() if sender else None,
        (recipient,) if recipient else (),
    )


def _traced(fields: Mapping[str, str], line: int, known: Recent[_Message]) -> Iterator[Event]:
    """A message for one recipient, with its status."""
    message, trace_id = _message(fields), fields.get("message-trace-id", "").lower()
    if trace_id:
        known.put(trace_id, message)
    kind = _statuses().get(_word(fields.get("status", "")))
    if kind is not None:
        yield _event(fields, line, kind, message, fields.get("received", ""))


def _step(fields: Mapping[str, str], line: int, known: Recent[_Message]) -> Iterator[Event]:
    """One step of a message; who sent it to whom may have been told before."""
    kind = _steps().get(_word(fields["event"]))
    if kind is None:
        return
    own = _message(fields)
    before = known.get(fields.get("message-trace-id", "").lower()) or own
    message = _Message(
        own.message_id or before.message_id, own.sender or before.sender, own.recipients or before.recipients
    )
    yield _event(fields, line, kind, message, fields.get("date", ""))


def _event(fields: Mapping[str, str], line: int, kind: Kind, message: _Message, when: str) -> Event:
    words = fields.get("detail", "")
    status = read_status(words) if kind.what in _REFUSED and words else read_status("")
    host, peer = _servers(words)
    from_ip, to_ip = fields.get("from-ip"), fields.get("to-ip")
    return Event(
        what=kind.what,
        line=line,
        at=moment(when)[0],
        host=host,
        peer=status.peer or peer,
        peer_ip=status.peer_ip or (from_ip if kind.what is What.RECEIVED else to_ip) or None,
        message_id=message.message_id,
        network_message_id=fields.get("message-trace-id", "").lower() or None,
        sender=message.sender,
        recipients=message.recipients,
        reply=status.reply,
        detail=_detail(fields, kind),
    )


def _servers(words: str) -> tuple[str | None, str | None]:
    """The server that a step names as its own, and the one the message went to."""
    host = words.partition(_BY if _BY in words else _FROM)[2].partition(" ")[0].rstrip(".,").lower()
    peer = words.partition(_TO)[2].partition(" ")[0].rstrip(".,").lower() if _FROM in words else ""
    return host or None, peer or None


def _detail(fields: Mapping[str, str], kind: Kind) -> dict[str, str]:
    names = ("status", "event", "action", "detail", "data", "from-ip", "to-ip", "size")
    detail = {name.replace("-", "_"): fields[name][:_MAX_DETAIL] for name in names if fields.get(name)}
    tls = fields.get("detail", "").partition(" using ")[2].partition(" ")[0]
    if tls.startswith("TLS"):
        detail["tls"] = tls
    return {**detail, "category": kind.category} if kind.category else detail


def _summed(fields: Mapping[str, str], line: int) -> Iterator[Event]:
    """The recipients of a message, each with the words of its steps (``address##Receive, Fail``)."""
    for part in fields["recipient-status"].split(";"):
        recipient, _, words = part.partition(_SUMMED)
        kind = _steps().get(_word(words.rpartition(",")[2]))
        if kind is None:
            continue
        sender = fields.get("sender-address")
        yield Event(
            what=kind.what,
            line=line,
            at=moment(fields.get("origin-timestamp-utc", ""))[0],
            message_id=message_id(fields.get("message-id", "")),
            network_message_id=fields.get("network-message-id", "").lower() or None,
            sender=sender.strip("<> ").lower() if sender else None,
            recipients=(recipient.strip().lower(),) if recipient.strip() else (),
            detail={"status": words.strip()} | _reported(fields),
        )


def _reported(fields: Mapping[str, str]) -> dict[str, str]:
    names = {"connector": "connector-id", "directionality": "directionality", "client": "original-client-ip"}
    return {name: fields[key] for name, key in names.items() if fields.get(key)}


def _word(text: str) -> str:
    return text.replace(" ", "").lower()


@cache
def _statuses() -> dict[str, Kind]:
    return kinds_of(_data()["status"])


@cache
def _steps() -> dict[str, Kind]:
    return kinds_of(_data()["event"])


@cache
def _data() -> dict[str, Any]:
    return read_toml(data_file("logs", "exchange_trace.toml"))


FORMAT = LogFormat("exchange_trace", Role.TRANSPORT, claims, read)
