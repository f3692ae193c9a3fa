"""Makes events of the rows that Exchange writes of a message: on each server, and in reports of its cloud."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

from model.events import Event, What
from model.exchange_csv import addresses, kebab, message_id, moment, statuses
from model.exchange_status import read_status
from model.resources import data_file, read_toml

_REFUSED = re.compile(r"[45]\d\d[ -]")
_EACH = frozenset((What.DEFERRED, What.FAILED, What.REJECTED, What.DISCARDED, What.HELD))
"""What happens to each recipient for a reason of its own."""
_TAKEN = frozenset((What.RECEIVED, What.REJECTED))
_PASSED_ON = frozenset((What.SENT, What.DELIVERED))
_MAX_DETAIL = 1000
_SHORT = 60


class Kind(NamedTuple):
    """What an event id says, and the category it proves, or an empty string."""

    what: What
    category: str


@cache
def kinds() -> dict[str, Kind]:
    """What each event id says, by its name in upper case."""
    return kinds_of(_data()["event"])


def kinds_of(entries: Mapping[str, Mapping[str, str]]) -> dict[str, Kind]:
    """What each name in a table of data says."""
    return {name: Kind(What(entry["what"]), entry.get("category", "")) for name, entry in entries.items()}


@cache
def sources() -> frozenset[str]:
    """The components of Exchange that write events."""
    return frozenset(_data()["sources"]["names"])


@cache
def layouts() -> tuple[tuple[str, ...], ...]:
    """The columns of rows that do not say theirs, the newest first."""
    return tuple(tuple(entry["columns"]) for entry in _data()["layout"])


@cache
def aliases() -> dict[str, str]:
    """What else columns are called, to what they are called in the logs."""
    return dict(_data()["alias"])


def column(name: str) -> str:
    """What a column is called in the logs."""
    name = kebab(name)
    return aliases().get(name, name)


def message_events(fields: Mapping[str, str], line: int) -> Iterator[Event]:
    """The events of one row, one for each recipient that was refused; none where its id says nothing.

    Args:
        fields: the row by the logs' names of its columns.
        line: where it ends.
    """
    kind = kinds().get(fields.get("event-id", "").upper())
    if kind is None:
        return
    event = _event(fields, line, _what(fields, kind.what), kind.category)
    if event.what in _EACH:
        yield from _of_each(event, statuses(fields.get("recipient-status", "")))
    else:
        yield event


def _what(fields: Mapping[str, str], what: What) -> What:
    """A failure at a receive connector, whose name starts with a server's, is a refusal of the peer."""
    at_the_door = what is What.FAILED and fields.get("source", "").upper() == "SMTP"
    return What.REJECTED if at_the_door and "\\" in fields.get("connector-id", "") else what


def _event(fields: Mapping[str, str], line: int, what: What, category: str) -> Event:
    at, is_local = moment(fields.get("date-time", ""))
    host, peer, peer_ip = _sides(fields, what)
    return Event(
        what=what,
        line=line,
        at=at,
        host=host.lower() or None,
        peer=peer.lower() or None,
        peer_ip=peer_ip or None,
        message_id=message_id(fields.get("message-id", "")),
        network_message_id=fields.get("network-message-id", "").lower() or None,
        queue_id=fields.get("internal-message-id", "").lstrip("0") or None,
        sender=_sender(fields),
        recipients=addresses(fields.get("recipient-address", "")),
        detail=_detail(fields, what, category, is_local=is_local),
    )


def _sides(fields: Mapping[str, str], what: What) -> tuple[str, str, str]:
    """The server that writes, and the name and the address of the other one."""
    client, server = fields.get("client-hostname", ""), fields.get("server-hostname", "")
    if what in _TAKEN:
        own, other, other_ip = server, client, fields.get("client-ip", "")
        return (own, other, other_ip) if what is What.RECEIVED else (own or other, "", other_ip)
    if client or what in _PASSED_ON:
        return client, server, fields.get("server-ip", "")
    return server, "", ""


def _sender(fields: Mapping[str, str]) -> str | None:
    """The envelope's sender, or the one in the header where only that is told."""
    sender = fields.get("return-path", "").strip() or fields.get("sender-address", "").strip()
    return sender.strip("<>").lower() if sender else None


def _detail(fields: Mapping[str, str], what: What, category: str, *, is_local: bool) -> dict[str, str]:
    detail = {name: value for name, key in _details() if (value := fields.get(key))}
    if detail.get("reference", "")[:1] == "{":
        detail["reference"] = detail["reference"].strip("{}")
    if category:
        detail["category"] = category
    if is_local:
        detail["clock"] = "local"
    if 0 < len(fields.get("message-info", "")) < _SHORT:
        detail["message_info"] = fields["message-info"]
    if fields.get("custom-data") and what not in _TAKEN | _PASSED_ON:
        detail["custom_data"] = fields["custom-data"][:_MAX_DETAIL]
        detail.update(_verdict(fields["custom-data"]))
    return detail


def _verdict(custom: str) -> dict[str, str]:
    """The verdict and the score of the spam filter (``S:SFA=SUM|SFV=SPM|…|SCL=5|…``)."""
    if "|SFV=" not in custom:
        return {}
    marks = (("sfv", "|SFV="), ("scl", "|SCL="))
    found = {name: re.split(r"[|;]", custom.partition(mark)[2], maxsplit=1)[0] for name, mark in marks}
    return {name: value for name, value in found.items() if value}


def _of_each(event: Event, reasons: tuple[str, ...]) -> Iterator[Event]:
    recipients = event.recipients or ("",)
    for place, recipient in enumerate(recipients):
        own = reasons[place] if place < len(reasons) else reasons[0] if len(reasons) == 1 else ""
        yield _refused(replace(event, recipients=(recipient,) if recipient else ()), own)


def _refused(event: Event, reason: str) -> Event:
    status = read_status(reason)
    context = event.detail.get("source_context", "")
    last_retry = {"last_retry": status.last_retry} if status.last_retry else {}
    return replace(
        event,
        reply=status.reply or (context if _REFUSED.match(context) else ""),
        peer=status.peer or event.peer,
        peer_ip=status.peer_ip or event.peer_ip,
        detail={**event.detail, **last_retry},
    )


@cache
def _details() -> tuple[tuple[str, str], ...]:
    return tuple(_data()["detail"].items())


@cache
def _data() -> dict[str, Any]:
    return read_toml(data_file("logs", "exchange_tracking.toml"))
