"""Reads entries of the Windows event log that bear on mail: of Exchange, of the clock, of the domain."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from model.event_entries import Entry, entries, is_header, is_label, is_row, is_xml
from model.events import Event, LogFormat, Role, What
from model.windows_events import KnownEvent, extracted, family, known_event, wording

MAX_REPLY_CHARS = 500

_SENTENCE_END = re.compile(r"[.。!?](?=\s|$)|。")
_CLAIM_LINES = 400
_OWN_FAMILIES = ("transport", "extensibility", "adaccess")
"""Sources whose errors and warnings are worth telling even where the event is not known."""
_NOT_DETAIL = ("reply", "peer", "peer_ip")


def claims(head: str) -> bool:
    """Whether a text holds entries of the event log, in any of its forms."""
    if is_xml(head):
        return True
    lines = head.splitlines()[:_CLAIM_LINES]
    parts = {part for line in lines if (part := is_label(line))}
    labelled = "provider" in parts and not parts.isdisjoint(("event_id", "instance_id"))
    if labelled and len(parts & {"log", "date", "level", "computer", "description", "task"}) > 1:
        return True
    return any(map(is_header, lines[:5])) or any(map(is_row, lines))


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """A fault, or a note, for each entry that bears on mail."""
    for entry in entries(lines):
        yield _event(entry) if entry else None


FORMAT = LogFormat("exchange_event", Role.SYSTEM, claims, read)


def _event(entry: Entry) -> Event | None:
    text = entry.text or wording(entry.provider, entry.event_id, entry.params)
    known = known_event(entry.provider, entry.event_id, text, entry.params) or _unknown(entry, text)
    if known is None:
        return None
    parts = known.parts
    return Event(
        What.FAULT if known.is_fault else What.NOTED,
        entry.line,
        at=entry.at,
        host=entry.computer,
        peer=_peer(parts.get("peer") or parts.get("target", "")),
        peer_ip=_address(parts.get("peer_ip", "")) or _address(parts.get("peer", "")),
        reply=parts.get("reply") or _opening(text),
        detail=_detail(entry, known),
    )


def _unknown(entry: Entry, text: str) -> KnownEvent | None:
    """An event of Exchange's own that nobody has described, if it is trouble."""
    if family(entry.provider) not in _OWN_FAMILIES or entry.level not in ("error", "warning", "critical"):
        return None
    return KnownEvent("", is_fault=True, category=None, causes=(), parts=extracted(text))


def _detail(entry: Entry, known: KnownEvent) -> dict[str, str]:
    told = {key: value for key, value in known.parts.items() if key not in _NOT_DETAIL}
    named = {
        "event_id": str(entry.event_id),
        "source": entry.provider,
        "level": entry.level,
        "note": known.id,
        "cause": ",".join(known.causes),
        "category": known.category or "",
        "clock": "local" if entry.is_local and entry.at else "",
    }
    return {**told, **{key: value for key, value in named.items() if value}}


def _opening(text: str) -> str:
    """The first sentences that fit."""
    if len(text) <= MAX_REPLY_CHARS:
        return text
    ends = [hit.end() for hit in _SENTENCE_END.finditer(text[: MAX_REPLY_CHARS + 1])]
    return text[: max((end for end in ends if end <= MAX_REPLY_CHARS), default=MAX_REPLY_CHARS)]


def _peer(name: str) -> str | None:
    """A host, also from a service name such as ``SMTPSVC/ex2.example.com``; no address."""
    host = name.rpartition("/")[2].strip(" \\$.\"'")
    return host if host and " " not in host and _address(host) is None else None


def _address(text: str) -> str | None:
    bare = text.strip("[] ").partition("%")[0]
    host = bare.rpartition(":")[0] if bare.count(":") == 1 else bare
    try:
        return str(ip_address(host.strip("[]")))
    except ValueError:
        return None
