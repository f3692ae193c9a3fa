"""Splits the prefix that syslog puts before a line: when, which host, which program."""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

from model.stamps import iso_stamp, syslog_stamp

_PRIORITY = re.compile(r"<\d{1,3}>(?:1 )?")
_OLD = re.compile(r"([A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d(?:\.\d{1,6})?) ([^\s:]{1,255}) ")
_NEW = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S{0,20}) ([^\s:]{1,255}) ")
_TAG = re.compile(r"([\w./-]{1,80})(?:\[(\d{1,10})\])?: ?")
_FIELDS = re.compile(r"([\w./-]{1,80}) (\d{1,10}|-) (?:\S{1,40}) (?:-|\[[^\]]{0,500}\]) (?:\ufeff)?")


class SyslogLine(NamedTuple):
    """A line without its prefix; ``at`` may lack its year (see ``model.stamps``)."""

    at: datetime | None
    host: str
    program: str
    pid: str
    text: str


def syslog_line(line: str) -> SyslogLine | None:
    """A line of syslog, RFC 3164 or 5424, or with an ISO stamp; ``None`` for anything else.

    >>> syslog_line("Nov  2 10:14:07 mx1 postfix/smtp[421]: 4Qx: to=<user@example.com>")[1:]
    ('mx1', 'postfix/smtp', '421', '4Qx: to=<user@example.com>')
    """
    line = line.lstrip("\ufeff")
    priority = _PRIORITY.match(line)
    start = priority.end() if priority else 0
    old = _OLD.match(line, start)
    head = old or _NEW.match(line, start)
    if head is None:
        return None
    tag = _TAG.match(line, head.end()) or _FIELDS.match(line, head.end())
    if tag is None:
        return None
    at = syslog_stamp(head[1]) if old else iso_stamp(head[1])
    return SyslogLine(at, head[2], tag[1], tag[2] or "", line[tag.end() :])
