"""Reads the log of Sendmail, joined by queue id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from model.events import Event, LogFormat, Role, What
from model.log_heads import is_log_of
from model.log_lines import events_by_line
from model.log_tables import log_table, what_table
from model.peers import NOBODY, Peer, detail, mailbox, message_id, peer, recipient
from model.recent import Recent
from model.syslog import SyslogLine, syslog_line

NAME = "sendmail"
_PROGRAMS = ("sendmail", "sm-")
_ID = re.compile(r"([0-9A-Za-z]{8,20}): ")
_FIELD = re.compile(r"(?:^|, )([a-z][A-Za-z0-9]{1,14})=")
_REPLY = re.compile(r"(?:^|, )reply=(?=\d{3})")
_CODE = re.compile(r"\d{3}[ -]|\d\.\d{1,3}\.\d{1,3} ")
_QUEUED_AS = re.compile(r"\b(?:queued as |id=)([0-9A-Za-z-]{5,40})\b|\b([0-9A-Za-z]{8,20}) Message accepted")
_ANSWERED = re.compile(r"<([^<>\s]{1,320})>\.\.\. ")
_GIVEN_UP = "Cannot send message for"
_MAX_WAITING = 20
_MAX_KEPT = 500
_MAX_CHARS = 8_000


@dataclass(slots=True)
class _Mail:
    """What earlier lines told about a queue id; ``waiting`` has the last reason of each recipient."""

    message_id: str | None = None
    sender: str | None = None
    waiting: dict[str, str] = field(default_factory=dict)


class _Line(NamedTuple):
    """A line; ``queue_id`` is empty where it names none."""

    number: int
    prefix: SyslogLine
    queue_id: str
    text: str

    @property
    def key(self) -> str:
        """What the lines of this id are joined by."""
        return f"{self.prefix.host} {self.queue_id}"


def claims(head: str) -> bool:
    """Whether a text is a log with lines of Sendmail."""
    return is_log_of(head, lambda line: _line(0, line) is not None)


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """Arrivals, attempts, refusals and notices, each with what its queue id is known for."""
    return events_by_line(lines, _line, _Reader().events)


def _line(number: int, words: str) -> _Line | None:
    prefix = syslog_line(words)
    if prefix is None or not prefix.program.startswith(_PROGRAMS):
        return None
    named = _ID.match(prefix.text)
    return _Line(number, prefix, named[1] if named else "", prefix.text[named.end() if named else 0 :])


def _fields(words: str) -> dict[str, str]:
    """The equates of a line; a value ends where the next one begins."""
    words = words[:_MAX_CHARS]
    marks = [*_FIELD.finditer(words)]
    ends = [mark.start() for mark in marks] + [len(words)]
    spans = zip(marks, pairwise(ends), strict=False)
    return {mark[1]: words[mark.end() : end] for mark, (_, end) in spans}


class _Reader:
    """Joins the lines of a queue id; those longest unused are forgotten."""

    def __init__(self) -> None:
        self._mails: Recent[_Mail] = Recent(room=5_000)
        self._tls: Recent[str] = Recent(room=2_000)

    def events(self, line: _Line) -> Sequence[Event]:
        """What a line tells."""
        text = line.text
        if text.startswith("to=") and ", stat=" in text:
            return self._attempts(line)
        if text.startswith("from="):
            return self._arrived(line)
        if text.startswith(("ruleset=", "Milter: ", "milter=", "Milter (")):
            return self._judged(line)
        answered = _ANSWERED.match(text)
        if answered:
            facts = detail(action="reject", command="RCPT TO")
            to, reply = recipient(answered[1]), text[answered.end() :]
            return [self._event(line, What.REJECTED, to=to, reply=reply, facts=facts)]
        if text.startswith("STARTTLS=") and "version=" in text:
            side, version = text[9:].partition(",")[0], _fields(text).get("version", "")
            self._tls.put(f"{line.prefix.host} {line.prefix.pid} {side[:20]}", version[:20])
            return ()
        return self._notice(line) if line.queue_id and _ID.match(text) else self._session(line)

    def _mail(self, line: _Line) -> _Mail:
        return (self._mails.get(line.key) if line.queue_id else None) or _Mail()

    def _event(
        self,
        line: _Line,
        what: What,
        other: Peer = NOBODY,
        *,
        to: str = "",
        reply: str = "",
        facts: dict[str, str] | None = None,
    ) -> Event:
        mail = self._mail(line)
        return Event(
            what,
            line.number,
            at=line.prefix.at,
            host=line.prefix.host,
            peer=other.name,
            peer_ip=other.ip,
            message_id=mail.message_id,
            queue_id=line.queue_id or None,
            sender=mail.sender,
            recipients=(to,) if to else (),
            reply=reply,
            detail=facts or {},
        )

    def _arrived(self, line: _Line) -> Sequence[Event]:
        """A message came in; one without recipients was refused."""
        fields = _fields(line.text)
        mail = self._mail(line)
        mail.sender = mailbox(fields.get("from", "")[:_MAX_KEPT])
        mail.message_id = message_id(fields.get("msgid", "")[:_MAX_KEPT])
        if line.queue_id:
            self._mails.put(line.key, mail)
        if fields.get("nrcpts", "0") == "0":
            return ()
        facts = detail(
            size=fields.get("size"),
            nrcpts=fields.get("nrcpts"),
            protocol=fields.get("proto"),
            tls=self._tls.get(f"{line.prefix.host} {line.prefix.pid} server"),
        )
        return [self._event(line, What.RECEIVED, peer(fields.get("relay", "")), facts=facts)]

    def _attempts(self, line: _Line) -> Sequence[Event]:
        head, _, stat = line.text.partition(", stat=")
        said = _REPLY.search(head[:_MAX_CHARS])
        fields = _fields(head[: said.start()] if said else head)
        what, words = _outcome(stat, fields)
        reply = head[said.end() :] if said else words
        queued_as = _QUEUED_AS.search(reply[:_MAX_KEPT]) if what is What.SENT else None
        facts = detail(
            dsn=fields.get("dsn"),
            mailer=fields.get("mailer"),
            delay=fields.get("delay"),
            xdelay=fields.get("xdelay"),
            relay=fields.get("relay"),
            queued_as=next(filter(None, queued_as.groups())) if queued_as else None,
            tls=self._tls.get(f"{line.prefix.host} {line.prefix.pid} client") if "relay" in fields else None,
        )
        events = []
        for to in map(recipient, fields.get("to", "").split(",")):
            self._remember(line, to, what, reply)
            other = peer(fields.get("relay", ""))
            events.append(self._event(line, what, other, to=to, reply=reply, facts=facts))
        return events

    def _remember(self, line: _Line, to: str, what: What, reason: str) -> None:
        """Keeps why a recipient waits, for the day when its message is given up."""
        mail = self._mail(line)
        mail.waiting.pop(to, None)
        if what is What.DEFERRED and line.queue_id and len(mail.waiting) < _MAX_WAITING:
            mail.waiting[to] = reason[:_MAX_KEPT]
            self._mails.put(line.key, mail)

    def _judged(self, line: _Line) -> Sequence[Event]:
        """What a rule set or a milter decided."""
        head, found, reply = line.text.partition("reject=")
        fields = _fields(head.removeprefix("Milter: ").rstrip(", "))
        what = What.REJECTED if found else _milder(line.text)
        if what is None:
            return ()
        ruleset = fields.get("ruleset", "")
        command = log_table(NAME, "ruleset").get(ruleset) or log_table(NAME, "outbound").get(ruleset)
        if ruleset in log_table(NAME, "outbound"):
            what = What.NOTED
        argument = fields.get("arg1", "")
        to = fields.get("to", argument if command == "RCPT TO" else "")
        facts = detail(
            action="reject" if found else what.value,
            command=command or ("RCPT TO" if "to" in fields else None if ruleset else "DATA"),
            ruleset=ruleset,
            milter=fields.get("milter"),
        )
        other = peer(fields.get("relay", ""))
        return [self._event(line, what, other, to=recipient(to), reply=reply, facts=facts)]

    def _notice(self, line: _Line) -> Sequence[Event]:
        """``<new id>: DSN: User unknown``; where the message is given up, its recipients failed."""
        notice_id, _, rest = line.text.partition(": ")
        kind, _, reason = rest.partition(": ")
        if kind not in log_table(NAME, "notice"):
            return ()
        facts = detail(notice=kind, notice_id=notice_id, reason=reason)
        events = [self._event(line, What.NOTIFIED, facts=facts)]
        if reason.startswith(_GIVEN_UP):
            waiting, self._mail(line).waiting = self._mail(line).waiting, {}
            given_up = detail(reason=reason)
            events += [
                self._event(line, What.FAILED, to=to, reply=reply, facts=given_up)
                for to, reply in waiting.items()
            ]
        return events

    def _session(self, line: _Line) -> Sequence[Event]:
        """A line about a session or the server."""
        kinds = (kind for start, kind in log_table(NAME, "fault").items() if line.text.startswith(start))
        kind = next(kinds, None)
        if kind is None:
            return ()
        relay = _fields(line.text).get("relay") or line.text.partition(" from ")[2]
        facts = detail(kind=kind, command="AUTH" if kind == "auth" else None)
        return [self._event(line, What.FAULT, peer(relay), reply=line.text, facts=facts)]


def _outcome(stat: str, fields: dict[str, str]) -> tuple[What, str]:
    """What became of an attempt, and in whose words; the code of ``dsn=`` leads where they have none."""
    word, colon, rest = stat.partition(": ")
    named = what_table(NAME, "stat").get(word.split(" ")[0])
    if named is What.SENT:
        inner = stat.partition(" (")[2].removesuffix(")")
        return what_table(NAME, "mailer").get(fields.get("mailer", ""), What.SENT), inner
    dsn = fields.get("dsn", "")
    refused = What.FAILED if dsn or "mailer" in fields else What.REJECTED  # no attempt was made
    what = named or (What.DEFERRED if dsn.startswith("4") else refused)
    words = (rest if colon else "") if named is What.DEFERRED else stat
    coded = not dsn or bool(_CODE.match(words))
    return what, words if coded else f"{dsn} {words}".strip()


def _milder(text: str) -> What | None:
    """A judgement that is no refusal."""
    if text.endswith(", discard"):
        return What.DISCARDED
    return What.QUARANTINED if "quarantine=" in text or text.endswith(", quarantine") else None


FORMAT = LogFormat(NAME, Role.TRANSPORT, claims, read)
