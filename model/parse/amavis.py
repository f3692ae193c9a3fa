"""Reads the log of amavis: what it passed and blocked, and why the next server refused it.

Source: https://gitlab.com/amavis/amavis/-/blob/master/README_FILES/README.customize
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from model.events import Event, LogFormat, Role, What
from model.log_heads import is_log_of
from model.recent import Recent
from model.resources import data_file, read_toml
from model.syslog import syslog_line

_ID = r"\((\d{4,9}-\d{2,6}(?:-\d{1,4})?)\) "
_OURS = re.compile(rf"amavisd?(?:-new)?(?:\[\d{{1,9}}\])?: {_ID}|^{_ID}(?:Passed|Blocked) [A-Z]{{3}}")
_OTHERS = re.compile(r"(?:\bpostfix[\w-]{0,30}/[\w/-]{1,60}|\bsendmail|\bsm-mta)\[\d{1,9}\]: ")
_LINE = re.compile(_ID)
_VERDICT = re.compile(r"(Passed|Blocked) ([A-Z]{3}(?:-?[A-Z]){0,40})(?:-\d{1,2})?")
_ACTIONS = re.compile(r" ?\{([\w,]{1,200})\}")
_CLIENT = re.compile(r"\[([0-9a-fA-F.:]{3,45})\](?::\d{1,5})?(?: \[([0-9a-fA-F.:]{3,45})\])? ?$")
_REFUSED = ("(!)FWD from ", "(!)FWD via SMTP: ")
_MTA = re.compile(r"(?:smtp:)?\[?([0-9a-fA-F.:]{0,45}?)\]?(?::\d{1,5})?\)(?:: )?")
_CODES = re.compile(r"[ ,]([245]\d\d(?: [245]\.\d{1,3}\.\d{1,3})?) ")
_ADDRESS = re.compile(r"<([^<>]{0,500})>,?")
_FIELD = re.compile(
    r", (quarantine|Queue-ID|Message-ID|Hits|size|queued_as): ?((?:<[^>]{0,500}>|[^,]){0,500})"
)
_TROUBLE = ("(!!)", "(!)TROUBLE", "TROUBLE")
_MAX_RECIPIENTS = 500


@dataclass(frozen=True, slots=True)
class _Line:
    """A line without its prefix."""

    number: int
    at: datetime | None
    host: str | None
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What the next server said when it did not take a message."""

    words: str
    peer_ip: str | None


def claims(head: str) -> bool:
    """Whether a text is such a log, and not that of a mail server among whose lines it stands."""
    return _is_log(head, _OURS) and not _is_log(head, _OTHERS)


def _is_log(head: str, words: re.Pattern[str]) -> bool:
    return is_log_of(head, lambda line: words.search(line) is not None)


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """The verdicts, one event for each recipient."""
    refusals = Recent[_Refusal]()
    for number, text in enumerate(lines, 1):
        line = _line(number, text)
        found: list[Event | None] = list(_events(line, refusals)) if line else []
        yield from found or [None]


def _line(number: int, text: str) -> _Line | None:
    start = _LINE.search(text)
    if start is None:
        return None
    tagged = syslog_line(text)
    at, host = (tagged.at, tagged.host) if tagged else (None, None)
    return _Line(number, at, host, start[1], text[start.end() :].replace("\0", ""))


def _events(line: _Line, refusals: Recent[_Refusal]) -> Iterable[Event]:
    verdict = _VERDICT.match(line.text)
    if verdict is not None:
        return _judged(line, verdict, refusals.pop(line.id))
    if line.text.startswith(_REFUSED):
        refusals.put(line.id, _refusal(line.text))
    if line.text.startswith(_TROUBLE):
        words = line.text.lstrip("(!) ")
        return [
            Event(What.FAULT, line.number, line.at, line.host, reply=words, detail={"amavis_id": line.id})
        ]
    return ()


def _judged(line: _Line, verdict: re.Match[str], refusal: _Refusal | None) -> Iterable[Event]:
    """One event for each recipient of a message that was passed or blocked."""
    reason, start = _reason(line.text, verdict.end())
    braces = _ACTIONS.match(line.text, start)
    actions = braces[1] if braces else ""
    envelope, _, tail = line.text[braces.end() if braces else start :].partition(" -> ")
    fields = {key: value.strip() for key, value in _FIELD.findall(tail)}
    what = _what(verdict[1], verdict[2], actions, refusal)
    event = Event(
        what=what,
        line=line.number,
        at=line.at,
        host=line.host,
        message_id=fields.get("Message-ID") or None,
        queue_id=fields.get("Queue-ID") or None,
        sender=envelope.rpartition("<")[2].rstrip("> ") if "<" in envelope else None,
        reply=refusal.words if refusal else "",
    )
    refused = what not in (What.SENT, What.RECEIVED)
    detail = {
        "action": verdict[1],
        "content": verdict[2],
        "reason": reason,
        "actions": actions,
        "category": _table()["content"].get(verdict[2], "") if refused else "",
        "score": fields.get("Hits", "").strip("-") and fields["Hits"],
        "amavis_id": line.id,
        **{key: fields.get(key, "") for key in ("quarantine", "queued_as", "size")},
    }
    event = _with_peer(event, _CLIENT.search(envelope[: max(envelope.rfind("<"), 0)]), refusal, detail)
    return [replace(event, recipients=(address,)) for address in _recipients(tail)] or [event]


def _with_peer(
    event: Event, client: re.Match[str] | None, refusal: _Refusal | None, detail: dict[str, str]
) -> Event:
    """The client is the peer of a message that went no further, the next server of any other."""
    client_ip = client[1] if client else ""
    if client and client[2] != client[1]:
        detail["origin_ip"] = client[2] or ""
    onward = event.what in (What.SENT, What.DEFERRED, What.FAILED)
    if onward:
        detail["client_ip"] = client_ip
    peer_ip = (refusal.peer_ip if refusal else "") if onward else client_ip
    return replace(
        event, peer_ip=peer_ip or None, detail={key: value for key, value in detail.items() if value}
    )


def _reason(text: str, start: int) -> tuple[str, int]:
    """The names in round brackets, and where they end; they may hold brackets and commas themselves."""
    if text[start : start + 2] != " (":
        return "", start
    arrow = text.find(" -> ", start)
    ends = (text.find(mark, start, arrow if arrow > 0 else len(text)) for mark in (") {", "), "))
    end = next((end for end in ends if end > 0), -1)
    return (text[start + 2 : end], end + 1) if end > 0 else ("", start)


def _what(verb: str, content: str, actions: str, refusal: _Refusal | None) -> What:
    """By what the braces say first; of a message that the next server refused, by what that said."""
    first, *more = actions.split(",")
    if "Quarantined" in more and first.startswith(("Discarded", "NoBounce")):
        return What.QUARANTINED
    if not actions and content == "MTA-BLOCKED" and refusal and refusal.words.startswith("4"):
        return What.DEFERRED
    known = (what for start, what in _table()["action"].items() if first.startswith(start))
    return What(next(known, _table()["default"][verb]))


def _refusal(text: str) -> _Refusal:
    """``(!)FWD from <a> -> <b>,BODY=7BIT 451 4.7.1 from MTA(smtp:[::1]:10030): 451 4.7.1 words``."""
    before, _, after = text.partition("MTA(")
    mta, codes = _MTA.match(after), _CODES.search(before.partition(" -> ")[2])
    words = after[mta.end() :].strip() if mta else ""
    if codes and not words.startswith(codes[1]):
        words = f"{codes[1]} {words.rpartition(': id=')[0] or words}".strip()
    return _Refusal(words, (mta[1] or None) if mta else None)


def _recipients(tail: str) -> tuple[str, ...]:
    """The addresses at the start, which commas without blanks separate."""
    found: list[str] = []
    start = 0
    while (hit := _ADDRESS.match(tail, start)) and len(found) < _MAX_RECIPIENTS:
        found.append(hit[1].lower())
        start = hit.end()
    return tuple(found)


@cache
def _table() -> dict[str, dict[str, Any]]:
    """``action`` by its start, ``content`` by its name, and ``default`` by its verb."""
    data = read_toml(data_file("logs", "amavis.toml"))
    return {
        "action": {entry["start"]: entry["what"] for entry in data["action"]},
        "content": {entry["name"]: entry["category"] for entry in data["content"]},
        "default": data["default"],
    }


FORMAT = LogFormat("amavis", Role.GATEWAY, claims, read)
