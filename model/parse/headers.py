"""Reads the header block of a mail, as a client shows it: its hops and what its fields tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from ipaddress import ip_address
from itertools import islice

from model.events import Event, LogFormat, Role, What
from model.header_block import Field, Foreign, fields, is_usual
from model.header_notes import HeaderNote, header_notes, is_explained
from model.received import hops
from model.resources import data_file, read_toml
from model.stamps import epoch_stamp
from model.trail import hop_event

MAX_FIELDS = 1000
MAX_HOPS = 200

_CLAIM_LINES = 2000
_MAX_PREAMBLE = 2
_MAX_CUT = 8
_GMAIL_MARKS = 2
"""Lines of Gmail's summary, from which on a text is its view of a mail's original."""
_REPLY_CODE = re.compile(r"\b[245]\d\d[ -#]")
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,990}>")
_MAILBOX = re.compile(r"<?([^\s<>,;\"]{1,320}@[^\s<>,;\"]{1,255})>?")
_NAMED_ADDRESS = re.compile(r"([\w.-]{1,255})\[([0-9A-Fa-f.:]{2,45})\]")
_NETWORK_IDS = ("x-ms-exchange-organization-network-message-id", "x-ms-office365-filtering-correlation-id")
_WRITERS = {"x-asg-debug-id": "Barracuda"}
"""Fields that a program writes right above its own Received field, which does not name it."""
_RECIPIENT_FIELDS = ("delivered-to", "envelope-to", "x-envelope-to", "x-original-to")


def claims(head: str) -> bool:
    """Whether a text is a header block and little else: no mail with a body, no report."""
    found = list(islice(fields(head.splitlines()), _CLAIM_LINES))
    names = [part.name.lower() for part in found if isinstance(part, Field)]
    foreign = [part for part in found if isinstance(part, Foreign)]
    if not _report_names().isdisjoint(names):
        return False
    preamble = [part for part in foreign if not part.is_body and not is_usual(part.text)]
    told = ("received" in names and len(names) > 1) or sum(map(is_explained, names)) > 1
    parted = any(part.is_after_blank for part in preamble) or next(
        (part.is_after_blank for part in found if isinstance(part, Field)), False
    )
    limit = _MAX_PREAMBLE if parted else _MAX_CUT
    return told and _is_bare(foreign) and _is_short(preamble, max(limit, len(names) // 10))


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """The hops, oldest first, then a note on each field that is explained."""
    mail = _Mail()
    for part in fields(lines):
        if isinstance(part, Field) and len(mail.fields) < MAX_FIELDS:
            mail.fields.append(part)
        else:
            yield None
    yield from _received(mail)
    yield from _noted(mail)


FORMAT = LogFormat("headers", Role.HEADERS, claims, read)


@dataclass(slots=True)
class _Mail:
    """The fields of a mail's header, from the top down."""

    fields: list[Field] = field(default_factory=list)

    def first(self, *names: str) -> str | None:
        """The value of the first field of one of these names."""
        return next((each.value for each in self.fields if each.name.lower() in names), None)

    def message_id(self) -> str | None:
        """The Message-ID, with its angle brackets."""
        value = self.first("message-id") or ""
        hit = _MESSAGE_ID.search(value)
        return hit[0] if hit else (f"<{value}>" if "@" in value and " " not in value else None)

    def sender(self) -> str | None:
        """The envelope sender at the end of the way."""
        value = self.first("return-path")
        hit = _MAILBOX.search(value) if value else None
        return hit[1] if hit else ("" if value is not None and value.startswith("<") else None)

    def recipients(self) -> tuple[str, ...]:
        """The envelope recipient at the end of the way."""
        return _mailboxes(self.first(*_RECIPIENT_FIELDS) or "")[:1]


def _is_bare(foreign: list[Foreign]) -> bool:
    """Whether no body follows; Gmail shows it with the header, but puts a summary before."""
    summary = sum(is_usual(part.text) for part in foreign if not part.is_body)
    return summary >= _GMAIL_MARKS or not any(part.is_body for part in foreign)


def _is_short(preamble: list[Foreign], limit: int) -> bool:
    """Whether the lines of no field are few, as of a field that is cut, and none an SMTP reply."""
    return len(preamble) <= limit and not any(_REPLY_CODE.search(part.text) for part in preamble)


def _received(mail: _Mail) -> Iterator[Event]:
    above = [None, *mail.fields]
    pairs = [pair for pair in zip(above, mail.fields, strict=False) if pair[1].name.lower() == "received"]
    pairs = pairs[:MAX_HOPS]
    last = None
    events = []
    for (mark, told), hop in zip(reversed(pairs), hops([told.value for _, told in pairs]), strict=True):
        named = hop if hop.software or not mark else replace(hop, software=_WRITERS.get(mark.name.lower()))
        event = hop_event(named, line=told.line, after=last)
        last = hop.at or last
        network_id = mail.first(*_NETWORK_IDS)
        events.append(replace(event, message_id=mail.message_id(), network_message_id=network_id))
    if events:
        events[-1] = _at_the_end(mail, events[-1])
    yield from events


def _at_the_end(mail: _Mail, event: Event) -> Event:
    """The newest hop, with what the mailbox's server wrote of the envelope."""
    sender = mail.sender() if event.sender is None else event.sender
    return replace(event, sender=sender, recipients=event.recipients or mail.recipients())


def _noted(mail: _Mail) -> Iterator[Event | None]:
    message_id, network_id = mail.message_id(), mail.first(*_NETWORK_IDS)
    for told in mail.fields:
        notes = header_notes(told.name, told.value)
        for note in notes:
            yield _note_event(told, note, message_id, network_id)
        if not notes and told.name.lower() != "received":
            yield None


def _note_event(told: Field, note: HeaderNote, message_id: str | None, network_id: str | None) -> Event:
    detail = {"header": told.name, "field": note.field, "value": note.value, "note": note.id}
    named = _NAMED_ADDRESS.fullmatch(note.value)
    failed = told.name.lower() == "x-failed-recipients"
    return Event(
        What.NOTED,
        told.line,
        at=epoch_stamp(note.value) if told.name.lower() == "x-barracuda-start-time" else None,
        host=_authority(told),
        peer=named[1] if named else None,
        peer_ip=_address(named[2] if named else note.value),
        message_id=message_id,
        network_message_id=network_id,
        recipients=_mailboxes(told.value) if failed else (),
        detail={**detail, "cause": note.cause} if note.cause else detail,
    )


def _authority(told: Field) -> str | None:
    """The server that wrote an Authentication-Results field, where it begins with its name."""
    if "authentication-results" not in told.name.lower():
        return None
    parts = (part.strip() for part in told.value.split(";", 2))
    host = next((part.partition(" ")[0] for part in parts if not part.startswith("i=")), "")
    return host if "=" not in host and "." in host else None


def _address(text: str) -> str | None:
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError:
        return None


def _mailboxes(text: str) -> tuple[str, ...]:
    return tuple(hit[1].lower() for hit in islice(_MAILBOX.finditer(text), 100))


@cache
def _report_names() -> frozenset[str]:
    return frozenset(read_toml(data_file("logs", "headers.toml"))["report_names"])
