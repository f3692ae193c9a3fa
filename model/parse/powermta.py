"""Reads the accounting files of PowerMTA: CSV whose first column is the type of the record."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence

from model.events import Event, LogFormat, Role, What
from model.log_heads import is_log_of
from model.log_tables import log_table, what_table
from model.peers import Peer, detail, diagnostic, mailbox, message_id, peer, recipient
from model.stamps import epoch_stamp, iso_stamp

NAME = "powermta"
_ROW = re.compile(r'"?(?:[dbrtf]|tq|rb|rs)"?,"?(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\d{9,10})[^,]{0,8},')
_MTA = re.compile(r"([^\s()]{1,255})? ?\(([0-9A-Fa-f.:]{2,45})\)")
_MIN_COMMAS = 5
_MAX_CHARS = 200_000


def claims(head: str) -> bool:
    """Whether a text is an accounting file; its first line may be missing."""
    return is_log_of(head, lambda line: _is_header(line) or _is_row(line))


def _is_header(line: str) -> bool:
    return line.lstrip("\ufeff").replace('"', "").startswith("type,timeLogged,")


def _is_row(line: str) -> bool:
    return _ROW.match(line) is not None and line.count(",") >= _MIN_COMMAS


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """Every record, by the columns that the last header named."""
    columns: Sequence[str] = log_table(NAME, "columns")["names"].split()
    named = False
    for number, line in enumerate(lines, 1):
        if _is_header(line):
            columns, named = _cells(line.lstrip("\ufeff")), True
            yield None
            continue
        cells = _cells(line)
        known = bool(cells) and cells[0] in what_table(NAME) and (named or _is_row(line))
        yield _event({**dict(zip(columns, cells, strict=False)), "type": cells[0]}, number) if known else None


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line[:_MAX_CHARS].replace("\0", "")]), [])
    except csv.Error:
        return []


def _event(record: dict[str, str], line: int) -> Event:
    what = what_table(NAME)[record["type"]]
    if what is What.SENT and record.get("dlvType", "smtp") not in ("smtp", ""):
        what = What.DELIVERED
    other = _peer(record, what)
    stamp = record.get("timeLogged", "")
    orig, rcpt = record.get("orig"), recipient(record.get("rcpt", ""))
    return Event(
        what,
        line,
        at=epoch_stamp(stamp) if stamp.isdigit() else iso_stamp(stamp),
        peer=other.name,
        peer_ip=other.ip,
        message_id=_message_id(record),
        queue_id=record.get("envId") or None,
        sender=mailbox(orig) if orig is not None else None,
        recipients=(rcpt,) if rcpt else (),
        reply=_reply(record),
        detail=_facts(record),
    )


def _reply(record: dict[str, str]) -> str:
    """The other side's words; without them what PowerMTA says of the status."""
    return diagnostic(record.get("dsnDiag", "")) or record.get("dsnStatus", "")


def _peer(record: dict[str, str], what: What) -> Peer:
    """The server on the other side: the source of an arrival, the destination of all else."""
    mta = record.get("srcMta" if what is What.RECEIVED else "dsnMta", "")
    both = _MTA.match(mta)
    name, ip = (both[1] or "", both[2]) if both else (mta, "")
    ip = ip or record.get("dlvDestinationIp", "") if what is not What.RECEIVED else ip
    return peer(f"{name}[{ip}]")


def _facts(record: dict[str, str]) -> dict[str, str]:
    category = "complaint" if record["type"] == "f" else None
    return detail(
        type=record["type"],
        dsn=record.get("dsnStatus", "").partition(" ")[0],
        bounce_cat=record.get("bounceCat"),
        category=category or log_table(NAME, "category").get(record.get("bounceCat", "")),
        source=record.get("dlvSourceIp"),
        vmta=record.get("vmta"),
        job=record.get("jobId"),
        queue=record.get("queue"),
        queued_at=record.get("timeQueued"),
        reporting_mta=record.get("dsnReportingMta"),
        feedback=record.get("feedbackType"),
    )


def _message_id(record: dict[str, str]) -> str | None:
    values = (value for name, value in record.items() if name.lower() == "header_message-id")
    return message_id(next(values, ""))


FORMAT = LogFormat(NAME, Role.TRANSPORT, claims, read)
