"""Reads what Get-Queue and Get-QueueDigest print of Exchange's queues, as a list, a table or CSV."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from model.events import Event, LogFormat, Role, What
from model.exchange_csv import moment
from model.exchange_objects import csv_names, list_names, records, table_names
from model.exchange_status import read_status
from model.resources import data_file, read_toml

_NAMES = frozenset(
    (
        "identity",
        "delivery-type",
        "status",
        "message-count",
        "next-hop-domain",
        "last-error",
        "group-by-value",
    )
)
_DIGEST = frozenset(("group-by-value", "message-count"))
_QUEUES = (
    frozenset(("identity", "message-count", "next-hop-domain")),
    frozenset(("identity", "next-hop-domain", "last-error")),
    frozenset(("identity", "delivery-type", "message-count")),
    frozenset(("delivery-type", "next-hop-domain", "message-count")),
    frozenset(("identity", "status", "last-error")),
    frozenset(("next-hop-domain", "status", "last-error")),
    _DIGEST,
)
_CODE = re.compile(r"[45]\d\d[ -]|\[?\{L(?:ED|RT)=")


def claims(head: str) -> bool:
    """Whether a text shows queues."""
    if "Identity" not in head and "NextHopDomain" not in head and "GroupByValue" not in head:
        return False
    shown = (list_names(head), table_names(head), csv_names(head, _NAMES))
    return any(names >= own for names in shown for own in _QUEUES)


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """The events of what was printed; see ``LogFormat``."""
    for record in records(lines, _NAMES):
        yield _event(record.fields, record.line) if record else None


def _event(fields: Mapping[str, str], line: int) -> Event | None:
    error = fields.get("last-error", "") or _grouped_error(fields)
    identity = fields.get("identity", "")
    count = fields.get("message-count", "").strip()
    if not (identity or count):
        return None
    what = _what(fields, identity.lower(), error, has_messages=count != "0")
    if what is None:
        return None
    status = read_status(error)
    at, is_local = moment(fields.get("last-retry-time", "") or status.last_retry)
    clock = {"clock": "local"} if is_local else {}
    return Event(
        what=what,
        line=line,
        at=at,
        host=identity.partition("\\")[0].lower() or None,
        peer=status.peer,
        peer_ip=status.peer_ip,
        queue_id=identity or None,
        reply=status.reply,
        detail={**_detail(fields, is_error=bool(error)), **clock},
    )


def _what(fields: Mapping[str, str], identity: str, error: str, *, has_messages: bool) -> What | None:
    """What a queue shows; a queue of shadow copies shows nothing."""
    status, data = fields.get("status", "").lower(), _data()
    last = identity.rpartition("\\")[2]
    if "\\shadow\\" in identity:
        return None
    if has_messages and (status in data["status"]["held"] or last in data["queue"]["held"]):
        return What.HELD
    if has_messages and (error or status in data["status"]["stuck"] or last in data["queue"]["stuck"]):
        return What.DEFERRED
    return What.FAULT if error else None


def _grouped_error(fields: Mapping[str, str]) -> str:
    """What a digest is grouped by, where that is the last error."""
    value = fields.get("group-by-value", "")
    return value if _CODE.match(value.lstrip("{")) else ""


def _detail(fields: Mapping[str, str], *, is_error: bool) -> dict[str, str]:
    detail = {name: fields[key] for name, key in _data()["detail"].items() if fields.get(key)}
    if "group-by-value" in fields and not is_error:
        detail["next_hop"] = fields["group-by-value"]
    return detail


@cache
def _data() -> dict[str, Any]:
    return read_toml(data_file("logs", "exchange_queue.toml"))


FORMAT = LogFormat("exchange_queue", Role.TRANSPORT, claims, read)
