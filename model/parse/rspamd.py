"""Reads the log of rspamd: the verdict on each message, joined by its task with who came and what was said.

Source: https://rspamd.com/doc/configuration/logging.html
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
from model.stamps import iso_stamp
from model.syslog import syslog_line

_LINE = re.compile(r"<(\w{2,20})>; (\w{2,20}); ([\w.]{3,60}): ?")
_OURS = re.compile(r"<\w{2,20}>; (?:task|proxy|milter|csession|lua|main|cfg|rspamd_proxy); [\w.]{3,60}: ?\S")
_OTHERS = re.compile(r"(?:\bpostfix[\w-]{0,30}/[\w/-]{1,60}|\bsendmail|\bsm-mta)\[\d{1,9}\]: ")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?")
_CAME = re.compile(r"got connection from \[?([0-9a-fA-F.:]{3,45}?)\]?(?::\d{1,5})?$")
_FORCED_BEFORE = re.compile(
    r": set pre-result to '([a-z ]{3,30})' [^:]{0,40}: '(.{0,2000})' from ([\w.-]{1,60})\("
)
_VERDICT = re.compile(r"\(default: [TF] \(([a-z ]{3,30})\): \[([\d.-]{1,12}|nan)/([\d.-]{1,12}|nan)\] \[")
_HEADER = re.compile(r"\b(qid|from): <([^<>]{0,500})>|\b(ip): ([0-9a-fA-F.:]{3,45})")
_RECIPIENTS = re.compile(r", rcpts: <([^<>]{0,8000})>")
_FORCED = re.compile(r', forced: ([a-z ]{3,30}) "(.{0,2000})"; score=\S{1,20} \(set by ([\w.-]{1,60})\)')
_SYMBOL = re.compile(r"\b([A-Z][A-Z0-9_]{1,80})\((-?\d{1,6}\.\d{1,4})\)")
_MAX_SYMBOLS = 5
_MAX_RECIPIENTS = 500
_MANUAL = "csession"
"""A scan or a lesson that somebody asked for by hand, of no mail on its way."""


@dataclass(frozen=True, slots=True)
class _Task:
    """What the lines of one task have told so far."""

    client_ip: str | None = None
    words: str = ""
    module: str = ""


def claims(head: str) -> bool:
    """Whether a text is such a log, and not that of a mail server among whose lines it stands."""
    return _is_log(head, _OURS) and not _is_log(head, _OTHERS)


def _is_log(head: str, words: re.Pattern[str]) -> bool:
    return is_log_of(head, lambda line: words.search(line) is not None)


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """The verdicts, one event for each recipient."""
    tasks = Recent[_Task]()
    for number, text in enumerate(lines, 1):
        found: list[Event | None] = list(_events(number, text, tasks))
        yield from found or [None]


def _events(number: int, line: str, tasks: Recent[_Task]) -> Iterable[Event]:
    start = _LINE.search(line)
    if start is None or start[2] == _MANUAL:
        return ()
    tag, function, text = start[1], start[3], line[start.end() :].replace("\0", "")
    task = tasks.get(tag) or _Task()
    if function == "rspamd_task_write_log":
        at, host = _when_and_where(line[: start.start()], line)
        return _judged(Event(What.NOTED, number, at, host), text, tasks.pop(tag) or task)
    came, forced = _CAME.match(text), _FORCED_BEFORE.search(text[:3000])
    if came:
        tasks.put(tag, replace(task, client_ip=came[1]))
    if forced:
        tasks.put(tag, replace(task, words=forced[2], module=forced[3]))
    return ()


def _when_and_where(prefix: str, line: str) -> tuple[datetime | None, str | None]:
    """By rspamd's own clock, or by syslog's, which also names the host."""
    own = _STAMP.search(prefix)
    tagged = None if own else syslog_line(line)
    return iso_stamp(own[0]) if own else tagged.at if tagged else None, tagged.host if tagged else None


def _judged(event: Event, text: str, task: _Task) -> Iterable[Event]:
    """``id: <…>, qid: <…>, ip: …, from: <…>, (default: F (reject): [16.50/15.00] [A(1.00){…}]), len: …``."""
    verdict = _VERDICT.search(text[:4000])
    action = _table()["action"].get(verdict[1]) if verdict else None
    if verdict is None or action is None:
        return ()
    fields = {hit[0] or hit[2]: hit[1] or hit[3] for hit in _HEADER.findall(text[: verdict.start()])}
    length = text.find(", len: ", verdict.end())
    symbols, tail = (
        (text[verdict.end() : length], text[length:]) if length > 0 else (text[verdict.end() :], "")
    )
    forced, recipients = _FORCED.search(tail), _RECIPIENTS.search(tail)
    words, module = (forced[2], forced[3]) if forced else (task.words, task.module)
    refused = action != What.RECEIVED
    detail = {
        "action": verdict[1],
        "score": verdict[2],
        "required_score": verdict[3],
        "symbols": _heaviest(symbols),
        "module": module,
        "category": _category(verdict[1], module, symbols) if refused else "",
    }
    message_id = text.removeprefix("id: ").partition(">,")[0].strip("<> ")
    event = replace(
        event,
        what=What(action),
        peer_ip=fields.get("ip") or task.client_ip,
        message_id=f"<{message_id}>" if message_id not in ("", "undef") else None,
        queue_id=fields.get("qid") or None,
        sender=fields.get("from"),
        reply=words if refused else "",
        detail={key: value for key, value in detail.items() if value},
    )
    addresses = recipients[1].rstrip(".").lower().split(",")[:_MAX_RECIPIENTS] if recipients else []
    return [replace(event, recipients=(address,)) for address in addresses if address] or [event]


def _heaviest(symbols: str) -> str:
    """The symbols that weigh most, either way."""
    found = _SYMBOL.findall(symbols)
    ranked = sorted(((name, float(score)) for name, score in found), key=lambda pair: -abs(pair[1]))
    return ", ".join(f"{name}({score:.2f})" for name, score in ranked[:_MAX_SYMBOLS] if score)


def _category(action: str, module: str, symbols: str) -> str:
    """What forced the action says it; else a symbol, or that the score alone did it."""
    if module:
        return str(_table()["module"].get(module.lower(), ""))
    fitting = (
        entry for entry in _table()["symbol"] if entry["action"] == action and entry["text"] in symbols
    )
    return next((entry["category"] for entry in fitting), "")


@cache
def _table() -> dict[str, Any]:
    """``action`` and ``module`` by their names, and the entries of ``symbol``."""
    data = read_toml(data_file("logs", "rspamd.toml"))
    return {
        "action": {entry["name"]: entry["what"] for entry in data["action"]},
        "module": {entry["name"]: entry["category"] for entry in data["module"]},
        "symbol": data["symbol"],
    }


FORMAT = LogFormat("rspamd", Role.GATEWAY, claims, read)
