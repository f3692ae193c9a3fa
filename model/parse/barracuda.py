"""Reads the syslog of Barracuda's Email Security Gateway: RECV, SCAN and SEND lines, joined by message id.

Source: https://campus.barracuda.com/doc/171802918
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

from model.events import Event, LogFormat, Role, What
from model.log_heads import is_log_of
from model.recent import Recent
from model.resources import data_file, read_toml
from model.stamps import NO_YEAR, epoch_stamp, iso_stamp, syslog_stamp, with_year

_PRIORITY = re.compile(r"^\ufeff?<\d{1,3}>?")
_PROGRAM = r"(?:inbound/pass\d|outbound/smtp|scan)(?:\[\w{1,10}\])?: ?"
_LINE = re.compile(
    rf"(?:^|[\s>]){_PROGRAM}(\S{{1,300}}) (\S{{1,200}}) (\d{{1,10}}) (\d{{1,10}}) (RECV|SCAN|SEND) "
)
_CLIENT = re.compile(r"([^\[\s]{0,255})\[([0-9a-fA-F.:]{3,45})\]$")
_STAMP = re.compile(r"[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d")
_TO = re.compile(r" ?#to#([^\[\s]{0,255})(?:\[([0-9a-fA-F.:]{3,45})\])?(?::\d{1,5})?$")
_SAID = re.compile(
    r"host ([^\[\s]{1,255})\[([0-9a-fA-F.:]{3,45})\](?::\d{1,5})? (?:said|refused to talk to me): |"
    r"(?:connect to|conversation with|lost connection with) ([^\[\s]{1,255})\[([0-9a-fA-F.:]{3,45})\]"
)
_EXCHANGE_ID = re.compile(r"2\.6\.0 (<[^<>\s]{3,500}>) ")
_SUBJECT = re.compile(r" (?:SZ:\S{0,20} )?SUBJ:| SZ:", re.IGNORECASE)
_QUARTER_S = 900
_MAX_ZONE_S = 15 * 3600
_MAX_RECIPIENTS = 20


class _Line(NamedTuple):
    """What all three kinds of lines carry."""

    number: int
    at: datetime | None
    host: str | None
    client: str | None
    client_ip: str | None
    id: str
    fields: list[str]


class _Meaning(NamedTuple):
    """What a number stands for."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class _Message:
    """What the lines of one message have told so far."""

    sender: str | None = None
    recipients: tuple[str, ...] = ()
    client_ip: str | None = None
    message_id: str | None = None


def claims(head: str) -> bool:
    """Whether a text is such a syslog."""
    return is_log_of(head, lambda line: _LINE.search(line) is not None)


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """What the gateway took, refused, held and sent on."""
    reader = _Reader()
    return (reader.event(number, line) for number, line in enumerate(lines, 1))


class _Reader:
    """Holds what joins the lines of a message, and how far the clock of syslog is from that of the lines."""

    def __init__(self) -> None:
        self._messages = Recent[_Message]()
        self._near: datetime | None = None
        self._zone = timedelta()

    def event(self, number: int, text: str) -> Event | None:
        """The event of one line."""
        hit = _LINE.search(text)
        if hit is None:
            return None
        client, prefix = _CLIENT.match(hit[1]), _PRIORITY.sub("", text[: hit.start()])
        line = _Line(
            number=number,
            at=self._moment(prefix, hit[2], hit[4] if hit[4].strip("0") else hit[3]),
            host=_host(prefix),
            client=_name(client[1]) if client else None,
            client_ip=client[2] if client else None,
            id=hit[2],
            fields=text[hit.end() :].replace("\0", " ").split(" "),
        )
        if hit[5] == "SEND":
            return self._sent(line)
        return self._taken(line, hit[5].lower())

    def _taken(self, line: _Line, service: str) -> Event | None:
        """A RECV line, or a SCAN line, which also says whether it is encrypted, and the score."""
        scan = service == "scan"
        if len(line.fields) < (6 if scan else 4):
            return None
        encrypted, score = (line.fields[0], line.fields[3]) if scan else ("", "")
        sender, recipient = line.fields[1:3] if scan else line.fields[:2]
        number, reason_number, *rest = line.fields[4 if scan else 2 :]
        action, reason = _table("action").get(number), _table("reason").get(reason_number)
        if action is None:
            return None
        message, extra = self._join(line, sender, recipient), _extra(" ".join(rest), keeps_words=not scan)
        detail = {
            "service": service,
            "action": action.name,
            "reason": reason.name if reason else "",
            "reason_code": reason_number,
            "category": reason.value if reason and action.value != What.RECEIVED else "",
            "score": score.strip("-") and score,
            "extra": extra if scan else "",
            "encrypted": encrypted.strip("-"),
        }
        return Event(
            what=What(action.value),
            line=line.number,
            at=line.at,
            host=line.host,
            peer=line.client,
            peer_ip=line.client_ip,
            queue_id=line.id,
            sender=message.sender,
            recipients=_recipients(recipient) or message.recipients,
            reply="" if scan else extra,
            detail={key: value for key, value in detail.items() if value},
        )

    def _sent(self, line: _Line) -> Event | None:
        """A SEND line, whose client is always the gateway itself."""
        if len(line.fields) < 3 or (action := _table("send").get(line.fields[1])) is None:
            return None
        response, peer, peer_ip = _response(" ".join(line.fields[3:]))
        message = self._messages.get(line.id) or _Message()
        found = _EXCHANGE_ID.search(response)
        if found:
            message = _Message(message.sender, message.recipients, message.client_ip, found[1])
            self._messages.put(line.id, message)
        detail = {"service": "send", "action": action.name, "outbound_queue_id": line.fields[2]}
        return Event(
            what=What(action.value),
            line=line.number,
            at=line.at,
            host=line.host,
            peer=peer,
            peer_ip=peer_ip,
            message_id=message.message_id,
            queue_id=line.id,
            sender=message.sender,
            recipients=message.recipients,
            reply=response,
            detail=detail | ({"client_ip": message.client_ip} if message.client_ip else {}),
        )

    def _join(self, line: _Line, sender: str, recipient: str) -> _Message:
        known = self._messages.get(line.id) or _Message()
        recipients = tuple(dict.fromkeys(known.recipients + _recipients(recipient)))[:_MAX_RECIPIENTS]
        message = _Message(
            sender=sender.strip("<>") if sender not in ("-", "") else known.sender,
            recipients=recipients,
            client_ip=line.client_ip or known.client_ip,
            message_id=known.message_id,
        )
        self._messages.put(line.id, message)
        return message

    def _moment(self, prefix: str, message_id: str, epoch: str) -> datetime | None:
        """When, in UTC: a SEND line has only the local time of syslog, which other lines help to place."""
        stamp = _stamp(prefix)
        if epoch.strip("0"):
            self._near = moment = epoch_stamp(epoch)
            if moment and stamp:
                self._zone = _zone(stamp, moment)
            return moment
        near = self._near or epoch_stamp(message_id.partition("-")[0])
        if stamp is None or near is None or near.year <= NO_YEAR:
            return stamp
        placed = with_year(stamp, near)
        return placed - self._zone if placed else None


def _stamp(prefix: str) -> datetime | None:
    """The time that syslog put before the line."""
    found, words = _STAMP.search(prefix), prefix.split()
    return syslog_stamp(found[0]) if found else iso_stamp(words[0][:40]) if words else None


def _zone(stamp: datetime, moment: datetime) -> timedelta:
    """How far syslog's local time is ahead of UTC, to a quarter of an hour."""
    placed = with_year(stamp, moment)
    ahead_s = (placed - moment).total_seconds() if placed else 0
    return timedelta(seconds=round(ahead_s / _QUARTER_S) * _QUARTER_S if abs(ahead_s) < _MAX_ZONE_S else 0)


def _response(text: str) -> tuple[str, str | None, str | None]:
    """What the next server said, and which it is."""
    to = _TO.search(text[-600:])
    if to is not None:
        text = text[: len(text) - len(to[0])]
    said = _SAID.match(text)
    if said is None:
        return text.strip(), *((_name(to[1]), to[2]) if to else (None, None))
    words = text[said.end() :].strip() if said[1] else text.strip()
    return words, _name(said[1] or said[3]), said[2] or said[4]


def _extra(text: str, *, keeps_words: bool) -> str:
    """What stands behind the reason; of a SCAN line without labels only one word, the rest is a subject."""
    cut = _SUBJECT.search(f" {text}")
    if cut is not None:
        text = f" {text}"[: cut.start()]
    elif not keeps_words:
        text = text.partition(" ")[0]
    return "" if text.strip() == "-" else text.strip()


def _recipients(field: str) -> tuple[str, ...]:
    return tuple(part.strip("<>").lower() for part in field.split(",") if part.strip("<>-"))


def _name(field: str) -> str | None:
    return field.lower().rstrip(".") if field not in ("", "-", "unknown", "UNKNOWN") else None


def _host(prefix: str) -> str | None:
    """The last word before the program, unless it is part of a time."""
    words = _STAMP.split(prefix)[-1].split()
    return words[-1] if words and not words[-1].isdigit() and ":" not in words[-1] else None


@cache
def _table(kind: str) -> dict[str, _Meaning]:
    """The numbers of one kind: ``action``, ``send`` or ``reason``."""
    entries = read_toml(data_file("logs", "barracuda.toml"))[kind]
    value = "category" if kind == "reason" else "what"
    return {str(entry["code"]): _Meaning(entry["name"], entry.get(value, "")) for entry in entries}


FORMAT = LogFormat("barracuda", Role.GATEWAY, claims, read)
