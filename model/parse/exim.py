"""Reads the main log and the reject log of Exim, joined by message id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from model.events import Event, LogFormat, Role, What
from model.exim_words import Delivery, Refusal, delivery, fields_of, host_in, recipients_of, refusal, said_by
from model.log_heads import is_log_of
from model.log_lines import events_by_line
from model.log_tables import log_table, what_table
from model.peers import NOBODY, Peer, detail, mailbox, message_id, peer, recipient
from model.recent import Recent
from model.stamps import iso_stamp
from model.syslog import syslog_line

NAME = "exim"
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?(?: [+-]\d{4})?) (?:\[\d{1,10}\] )?")
_ID = re.compile(r"([0-9A-Za-z]{6}-[0-9A-Za-z]{6}(?:[0-9A-Za-z]{5})?-[0-9A-Za-z]{2}(?:[0-9A-Za-z]{2})?) ")
_HEADER = re.compile(r"(?:[A-Z* ] [\w-]{1,60}: |Envelope-(?:from|to): <|\t|-{20})")
_QUEUED_AS = re.compile(r"\b(?:queued as |id=)([0-9A-Za-z-]{5,40})\b")
_ATTEMPT = re.compile(r"(?:H=)?(\S{1,300} \[[0-9A-Fa-f.:]{2,45}\](?::\d{1,5})?):? (?=\S)")
_TOO_MANY = re.compile(r"Connection from (\S{1,300}(?: \[[^\]]{1,60}\])?) refused: (too many connections.*)")
_VERIFIED = re.compile(r"sender verify (?:fail|defer) for <([^>]{0,320})>: ")
_NOT_TRIED = "retry time not reached"
_GIVEN_UP = "retry timeout exceeded"
_MAX_KEPT = 500


@dataclass(frozen=True, slots=True)
class _Mail:
    """What the arrival of a message told."""

    message_id: str | None = None
    sender: str | None = None


class _Line(NamedTuple):
    """A line; ``queue_id`` is empty where it names none."""

    number: int
    at: datetime | None
    host: str
    queue_id: str
    text: str

    @property
    def key(self) -> str:
        """What the lines of this id are joined by."""
        return f"{self.host} {self.queue_id}"


def claims(head: str) -> bool:
    """Whether a text is a log of Exim; in a reject log most lines are headers of refused messages."""
    lines = head.splitlines()
    return any(map(_is_ours, lines)) and is_log_of(
        head, lambda line: _is_ours(line) or bool(_HEADER.match(line))
    )


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """Arrivals, attempts, refusals and notices, each with what its message id is known for."""
    return events_by_line(lines, _line, _Reader().events)


def _is_ours(words: str) -> bool:
    line = _line(0, words)
    return line is not None and (bool(line.queue_id) or refusal(line.text) is not None)


def _line(number: int, words: str) -> _Line | None:
    stamp = _STAMP.match(words.lstrip("\ufeff"))
    host, at, text = "", None, ""
    if stamp:
        at, text = iso_stamp(stamp[1]), words.lstrip("\ufeff")[stamp.end() :]
    else:
        prefix = syslog_line(words)
        if prefix is None or not prefix.program.startswith("exim"):
            return None
        inner = _STAMP.match(prefix.text)
        at = iso_stamp(inner[1]) if inner else prefix.at
        host, text = prefix.host, prefix.text[inner.end() if inner else 0 :]
    named = _ID.match(text)
    return _Line(number, at, host, named[1] if named else "", text[named.end() if named else 0 :])


class _Reader:
    """Joins the lines of a message id; those longest unused are forgotten."""

    def __init__(self) -> None:
        self._mails: Recent[_Mail] = Recent()
        self._reasons: Recent[str] = Recent()
        self._tried: Recent[Peer] = Recent(room=2_000)

    def events(self, line: _Line) -> Sequence[Event]:
        """What a line tells."""
        mark, _, rest = line.text.partition(" ")
        if line.queue_id and mark == "<=":
            return self._arrived(line, rest)
        if line.queue_id and mark in log_table(NAME, "mark"):
            what = what_table(NAME, "mark")[mark]
            return self._attempt(line, what, delivery(rest, failed=what is not What.SENT))
        refused = refusal(line.text)
        if refused:
            return [self._refused(line, refused)]
        if line.text.startswith("Completed"):
            self._mails.pop(line.key)
            return ()
        return self._of_queue(line) if line.queue_id else self._session(line)

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
        mail = (self._mails.get(line.key) if line.queue_id else None) or _Mail()
        return Event(
            what,
            line.number,
            at=line.at,
            host=line.host or None,
            peer=other.name,
            peer_ip=other.ip,
            message_id=mail.message_id,
            queue_id=line.queue_id or None,
            sender=mail.sender,
            recipients=(to,) if to else (),
            reply=reply,
            detail=facts or {},
        )

    def _refused(self, line: _Line, refused: Refusal) -> Event:
        facts = detail(action=refused.action, command=refused.command, login=refused.fields.get("A"))
        to, reply = refused.to, refused.reply
        event = self._event(line, What.REJECTED, refused.client, to=to, reply=reply, facts=facts)
        return _with_sender(event, refused.fields.get("F"))

    def _arrived(self, line: _Line, rest: str) -> Sequence[Event]:
        """A message came in; one from nobody that names another message is a notice about that."""
        fields = fields_of(rest)
        sender = mailbox(rest.partition(" ")[0][:_MAX_KEPT])
        self._mails.put(line.key, _Mail(message_id(fields.get("id", "")[:_MAX_KEPT]), sender))
        facts = detail(
            size=fields.get("S"), protocol=fields.get("P"), tls=fields.get("X"), login=fields.get("A")
        )
        event = self._event(line, What.RECEIVED, peer(fields.get("H", "")), facts=facts)
        event = replace(event, recipients=recipients_of(rest))
        about = fields.get("R", "")
        if sender or not _ID.match(f"{about} "):
            return [event]
        notice = detail(notice_id=line.queue_id)
        return [event, self._event(line._replace(queue_id=about), What.NOTIFIED, facts=notice)]

    def _attempt(self, line: _Line, what: What, told: Delivery) -> Sequence[Event]:
        reply, reason = told.reply, None
        what = _handed_on(told) if what is What.SENT else what
        key = f"{line.key} {told.to}"
        if what is What.DEFERRED and not reply.startswith(_NOT_TRIED):
            self._reasons.put(key, reply[:_MAX_KEPT])
        elif what is What.FAILED and reply.endswith(_GIVEN_UP):
            reply, reason = self._reasons.pop(key) or reply, _GIVEN_UP
        queued_as = _QUEUED_AS.search(told.fields.get("C", "")) if what is What.SENT else None
        facts = detail(
            router=told.fields.get("R"),
            transport=told.fields.get("T"),
            original=told.original,
            command=told.command,
            tls=told.fields.get("X"),
            reason=reason,
            queued_as=queued_as[1] if queued_as else None,
            delay=told.fields.get("QT"),
        )
        other = told.other if told.other != NOBODY else self._host_of(line, told.reply)
        event = self._event(line, what, other, to=told.to, reply=reply, facts=facts)
        return [_with_sender(event, told.fields.get("F"))]

    def _host_of(self, line: _Line, reply: str) -> Peer:
        """Who failed with these words, if a line before told: a host out of reach has its own line."""
        return self._tried.get(f"{line.key} {reply[:_MAX_KEPT]}") or NOBODY

    def _remember_host(self, line: _Line, reply: str, other: Peer) -> None:
        """Keeps which host failed with some words; nobody, if several did."""
        key = f"{line.key} {reply[:_MAX_KEPT]}"
        self._tried.put(key, other if self._tried.get(key) in (None, other) else NOBODY)

    def _of_queue(self, line: _Line) -> Sequence[Event]:
        """A message held or removed, or an attempt at one of several servers."""
        for start, name in log_table(NAME, "queue").items():
            if line.text.startswith(start):
                return [self._event(line, What(name), facts=detail(reason=line.text))]
        if line.text.endswith(": error ignored"):
            to = recipient(line.text.removesuffix(": error ignored"))
            return [self._event(line, What.DISCARDED, to=to, facts=detail(reason="error ignored"))]
        if line.text.startswith("TLS "):
            facts = detail(command="STARTTLS")
            return [self._event(line, What.NOTED, host_in(line.text), reply=line.text, facts=facts)]
        tried = _ATTEMPT.match(line.text)
        reason = line.text[tried.end() :] if tried else line.text
        reply, other, command = said_by(reason)
        if not tried and reply == reason:
            return ()
        if tried:
            other = peer(tried[1])
            self._remember_host(line, reply, other)
        return [self._event(line, What.NOTED, other, reply=reply, facts=detail(command=command))]

    def _session(self, line: _Line) -> Sequence[Event]:
        """A line about a session that names no message."""
        too_many, verified = _TOO_MANY.match(line.text), _VERIFIED.search(line.text)
        if too_many:
            facts = detail(category="rate_limited", command="CONNECT")
            return [self._event(line, What.REJECTED, peer(too_many[1]), reply=too_many[2], facts=facts)]
        if verified and line.text.startswith("H="):
            client, reason = peer(fields_of(line.text).get("H", "")), line.text[verified.end() :]
            event = self._event(line, What.NOTED, client, reply=reason, facts=detail(reason="sender verify"))
            return [_with_sender(event, verified[1])]
        kind = next((kind for words, kind in log_table(NAME, "fault").items() if words in line.text), None)
        if kind is None:
            return ()
        command = kind if kind.isupper() else None
        before, failed, after = line.text.partition(" authenticator failed for ")
        reply = after.partition(": ")[2] if failed else line.text
        facts = detail(kind=kind.lower(), command=command, mechanism=before if failed else None)
        return [self._event(line, What.FAULT, host_in(line.text), reply=reply, facts=facts)]


def _with_sender(event: Event, sender: str | None) -> Event:
    return event if sender is None else replace(event, sender=mailbox(sender))


def _handed_on(told: Delivery) -> What:
    """A server has it if one is named, but a mailbox if that server speaks LMTP; else a local program."""
    if "H" in told.fields:
        return What.DELIVERED if "lmtp" in told.fields.get("T", "").lower() else What.SENT
    return what_table(NAME, "local").get(told.place, What.DELIVERED)


FORMAT = LogFormat(NAME, Role.TRANSPORT, claims, read)
