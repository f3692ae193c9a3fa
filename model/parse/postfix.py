"""Reads the log of Postfix: the lines of all its daemons, joined by queue id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from model.events import Event, LogFormat, Role, What
from model.log_heads import is_log_of
from model.log_lines import events_by_line
from model.log_tables import log_table, what_table
from model.peers import NOBODY, Peer, detail, mailbox, message_id, peer, recipient, smtp_command
from model.postfix_words import acted, fields_of, host_in, is_about_content, said
from model.recent import Recent
from model.syslog import SyslogLine, syslog_line

NAME = "postfix"
_HEX_ID = re.compile(r"[0-9A-F]{5,16}")
_NO_ID = "NOQUEUE"
_QUEUED_AS = re.compile(r"\b(?:queued|forwarded) as ([0-9A-Za-z-]{5,40})\b")
_FAILED_LOGIN = re.compile(r"warning: (\S{1,300}\]): SASL ([\w-]{1,40}) authentication failed")
_LIMIT = re.compile(r"warning: Connection (?:rate|concurrency) limit exceeded: \d{1,9} from (\S{1,300}) for")
_MAX_WAITING = 50
_MAX_KEPT = 500
_STATE = ("message-id", "client", "uid")
_USUAL = ("to=<", "from=<", "message-id=", "client=", "uid=", "removed", "reject: ")
"""What a line says whose program bears a name of its own."""


@dataclass(slots=True)
class _Mail:
    """What earlier lines told about a queue id."""

    message_id: str | None = None
    sender: str | None = None
    client: Peer = NOBODY
    login: str | None = None
    is_new: bool = False


@dataclass(slots=True)
class _Waiting:
    """The recipients of a queue id that were deferred, each with the last reason."""

    reasons: dict[str, str] = field(default_factory=dict)


class _Line(NamedTuple):
    """A line of a daemon; ``queue_id`` is empty where it names none."""

    number: int
    prefix: SyslogLine
    daemon: str
    queue_id: str
    text: str

    @property
    def key(self) -> str:
        """What the lines of this id are joined by."""
        return f"{self.prefix.host} {self.queue_id}"


def claims(head: str) -> bool:
    """Whether a text is a log with lines of Postfix."""
    return is_log_of(head, lambda line: _line(0, line) is not None)


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """Attempts, refusals and notices, each with what its queue id is known for."""
    return events_by_line(lines, _line, _Reader().events)


def _line(number: int, words: str) -> _Line | None:
    prefix = syslog_line(words)
    if prefix is None:
        return None
    program, slash, daemon = prefix.program.rpartition("/")
    is_named = NAME in program
    if not slash or not (is_named or daemon in log_table(NAME, "daemon")):
        return None
    head, colon, rest = prefix.text.partition(": ")
    if colon and _is_queue_id(head) and (is_named or rest.startswith(_USUAL)):
        return _Line(number, prefix, daemon, "" if head == _NO_ID else head, rest)
    return _Line(number, prefix, daemon, "", prefix.text) if is_named else None


def _is_queue_id(word: str) -> bool:
    """Short ids are upper-case hexadecimal, long ones hold a digit; no other word before a colon does."""
    if word == _NO_ID or _HEX_ID.fullmatch(word):
        return True
    return 5 <= len(word) <= 25 and word.isalnum() and word.isascii() and any(map(str.isdigit, word))


class _Reader:
    """Joins the lines of a queue id; those longest unused are forgotten."""

    def __init__(self) -> None:
        self._mails: Recent[_Mail] = Recent()
        self._waiting: Recent[_Waiting] = Recent(room=2_000)
        self._tls: Recent[str] = Recent(room=2_000)

    def events(self, line: _Line) -> Sequence[Event]:
        """What a line tells."""
        action, colon, rest = line.text.partition(": ")
        if colon and _is_action(action, rest):
            return self._acted(line, action, rest)
        if not line.queue_id:
            return self._session(line)
        if line.text.startswith("to=<"):
            return self._attempt(line)
        if line.text.startswith("from=<"):
            return self._queued(line)
        if colon and action in log_table(NAME, "notice"):
            return [self._event(line, What.NOTIFIED, detail=detail(notice=action, notice_id=rest.strip()))]
        return self._told(line)

    def _mail(self, line: _Line) -> _Mail:
        return (self._mails.get(line.key) if line.queue_id else None) or _Mail()

    def _event(
        self,
        line: _Line,
        what: What,
        *,
        other: Peer = NOBODY,
        to: str | None = None,
        reply: str = "",
        sender: str | None = None,
        detail: dict[str, str] | None = None,
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
            sender=mail.sender if sender is None else sender,
            recipients=(recipient(to),) if to else (),
            reply=reply,
            detail={"daemon": line.daemon, **(detail or {})},
        )

    def _told(self, line: _Line) -> Sequence[Event]:
        """A line of state, or one about an attempt at one of several servers."""
        if line.text == "removed":
            self._mails.pop(line.key)
            self._waiting.pop(line.key)
            return ()
        name, equals, value = line.text.partition("=")
        if not equals or name not in _STATE:
            return self._tried_one(line)
        mail = self._mail(line)
        mail.is_new = mail.is_new or self._mails.get(line.key) is None
        if name == "message-id":
            mail.message_id = message_id(value[:_MAX_KEPT])
        elif name == "client":
            fields = fields_of(line.text)
            mail.client, mail.login = peer(fields.get("client", "")), fields.get("sasl_username")
        self._mails.put(line.key, mail)
        return ()

    def _tried_one(self, line: _Line) -> Sequence[Event]:
        words = said(line.text)
        is_failure = line.text.startswith(("lost connection with ", "conversation with ", "Cannot start TLS"))
        if words.reply == line.text and not is_failure:
            return ()
        facts = detail(command=words.command)
        return [self._event(line, What.NOTED, other=words.other, reply=words.reply, detail=facts)]

    def _queued(self, line: _Line) -> Sequence[Event]:
        """The queue manager takes a message up, or gives it up."""
        fields = fields_of(line.text)
        mail = self._mail(line)
        mail.sender = mailbox(fields.get("from", "")[:_MAX_KEPT])
        was_new, mail.is_new = mail.is_new, False
        self._mails.put(line.key, mail)
        if "status" in fields:
            return self._given_up(line, fields["status"])
        if not was_new:
            return ()
        facts = detail(size=fields.get("size"), nrcpt=fields.get("nrcpt", "").split(" ")[0], login=mail.login)
        return [self._event(line, What.RECEIVED, other=mail.client, detail=facts)]

    def _given_up(self, line: _Line, status: str) -> Sequence[Event]:
        waiting = self._waiting.pop(line.key) or _Waiting({"": ""})
        facts = detail(status=status)
        return [
            self._event(line, What.FAILED, to=address, reply=reason, detail=facts)
            for address, reason in waiting.reasons.items()
        ]

    def _attempt(self, line: _Line) -> Sequence[Event]:
        head, _, tail = line.text.partition(", status=")
        status, _, words = tail.partition(" (")
        status = status.partition(",")[0].strip()
        what = what_table(NAME, "status").get(status)
        if what is None:
            return ()
        fields = fields_of(head)
        answer = said(words.removesuffix(")"))
        relay = fields.get("relay", "")
        self._remember(line, recipient(fields.get("to", "")), what, answer.reply)
        queued_as = _QUEUED_AS.search(answer.reply[-_MAX_KEPT:]) if what is What.SENT else None
        facts = detail(
            status=status,
            dsn=fields.get("dsn"),
            delay=fields.get("delay"),
            delays=fields.get("delays"),
            relay=relay if relay != "none" else None,
            orig_to=recipient(fields.get("orig_to", "")),
            command=answer.command,
            queued_as=queued_as[1] if queued_as else None,
            tls=self._tls.get(f"{line.prefix.host} {line.prefix.pid} {relay}"),
        )
        what = _handed_on(line.daemon, answer.reply) if what is What.SENT else what
        other = peer(relay) if peer(relay) != NOBODY else answer.other
        to = fields.get("to")
        return [self._event(line, what, other=other, to=to, reply=answer.reply, detail=facts)]

    def _remember(self, line: _Line, address: str, what: What, reason: str) -> None:
        """Keeps why a recipient waits, for the day when its message expires."""
        waiting = self._waiting.get(line.key) or _Waiting()
        waiting.reasons.pop(address, None)
        if what is What.DEFERRED and len(waiting.reasons) < _MAX_WAITING:
            waiting.reasons[address] = reason[:_MAX_KEPT]
        if waiting.reasons:
            self._waiting.put(line.key, waiting)
        else:
            self._waiting.pop(line.key)

    def _acted(self, line: _Line, action: str, rest: str) -> Sequence[Event]:
        """A refusal, or another thing that a rule did."""
        act = acted(rest)
        if act is None:
            return ()
        envelope = act.envelope
        facts = detail(
            action=action,
            command=smtp_command(act.stage),
            helo=envelope.get("helo"),
            content=act.content[:_MAX_KEPT],
            login=envelope.get("sasl_username"),
        )
        what, to, sender = what_table(NAME, "action")[action], envelope.get("to"), envelope.get("from")
        return [
            self._event(line, what, other=act.client, to=to, reply=act.reply, sender=sender, detail=facts)
        ]

    def _session(self, line: _Line) -> Sequence[Event]:
        """A line about a server or a session that names no message."""
        text = line.text
        if " TLS connection established to " in text:
            return self._noted_tls(line)
        if text.startswith(("lost connection after ", "timeout after ")):
            return self._broken_off(line)
        login, limit = _FAILED_LOGIN.match(text), _LIMIT.match(text)
        if login:
            facts = detail(command="AUTH", mechanism=login[2])
            return [self._event(line, What.FAULT, other=peer(login[1]), reply=text[9:], detail=facts)]
        if limit:
            facts = detail(category="rate_limited", command="CONNECT")
            return [self._event(line, What.REJECTED, other=peer(limit[1]), reply=text[9:], detail=facts)]
        kinds = (kind for start, kind in log_table(NAME, "fault").items() if text.startswith(start))
        kind = next(kinds, None)
        if kind is None:
            return ()
        return [self._event(line, What.FAULT, other=host_in(text), reply=text, detail=detail(kind=kind))]

    def _noted_tls(self, line: _Line) -> Sequence[Event]:
        host, _, rest = line.text.partition(" established to ")[2].partition(": ")
        self._tls.put(f"{line.prefix.host} {line.prefix.pid} {host[:_MAX_KEPT]}", rest.split(" ")[0][:20])
        return ()

    def _broken_off(self, line: _Line) -> Sequence[Event]:
        before, _, host = line.text.rpartition(" from ")
        command = log_table(NAME, "dialogue").get(before.partition(" after ")[2].split(" ")[0])
        if command is None:
            return ()
        facts = detail(command=command)
        return [self._event(line, What.FAULT, other=peer(host), reply=line.text, detail=facts)]


def _is_action(action: str, rest: str) -> bool:
    """Whether this is what a rule did; a warning only where it is about a message's content."""
    return action in log_table(NAME, "action") and (
        action not in ("warning", "info") or is_about_content(rest)
    )


def _handed_on(daemon: str, reply: str) -> What:
    """What ``sent`` means: the next server has it, or a mailbox, or other queue entries."""
    if daemon == "local" and reply.startswith("forwarded as "):
        return What.EXPANDED
    if daemon == "lmtp" and "queued as" in reply:
        return What.SENT
    return what_table(NAME, "daemon").get(daemon, What.SENT)


FORMAT = LogFormat(NAME, Role.TRANSPORT, claims, read)
