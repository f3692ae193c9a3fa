"""Reads the log of Haraka, in its default format, joined by connection, transaction and delivery."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from model.events import Event, LogFormat, Role, What
from model.log_heads import is_log_of
from model.log_lines import events_by_line
from model.log_tables import log_table, what_table
from model.peers import NOBODY, Peer, detail, mailbox, message_id, peer, recipient
from model.recent import Recent
from model.stamps import iso_stamp
from model.syslog import syslog_line

NAME = "haraka"
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,6})?)\d{0,3}(Z?) {1,2}")
_HEAD = re.compile(
    r"\[(?:DATA|PROTOCOL|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRIT|ALERT|EMERG)\] "
    r"\[([0-9A-F-]{1,36}(?:\.\d{1,6}){0,2})\] \[([\w./-]{1,60})\] {1,2}(?:\[[\w.-]{1,60}\] )?"
)
_FIELD = re.compile(r'(?:^| )([a-z_]{2,12})=("[^"]*"?|\S{0,2000})')
_ANSWERED = re.compile(r"(?:(sender|recipient) <([^>]{0,320})>|(message|queue|queue_outbound)) ")
_HOOK = re.compile(r"hook=([a-z_]{2,30}) plugin=(\S{1,60}) ")
_REFUSED = re.compile(r"recipient (domain )?<([^>]{0,320})> (rejected|deferred): (.*)")
_TRYING = re.compile(r"Attempting to deliver to: (\S{1,300}):\d{1,5} ")
_LOST = re.compile(r"Ongoing connection failed to (\S{1,300}?):\d{1,5} : (.*)")
_DEFERRED = re.compile(r"Temp failing (\S{1,300}) for (\d{1,9}) seconds: (.*)")
_ASKED = re.compile(r"C: RCPT TO:<([^>]{1,320})>")
_QUEUED_AS = re.compile(r"(?i:\bqueued as) ([0-9A-Za-z-]{5,40})\b")
_BOUNCING, _DOUBLE = "bouncing mail: ", "Double bounce: "
_ALREADY_TOLD = ("Some recipients", "Error: Some recipients")
_ALL_TRIED = "Tried all MXs"
_MAX_RECIPIENTS = 50
_MAX_KEPT = 500


@dataclass(slots=True)
class _Transaction:
    """A message that comes in: one transaction of a connection."""

    client: Peer = NOBODY
    sender: str | None = None
    recipients: list[str] = field(default_factory=list)
    message_id: str | None = None


@dataclass(slots=True)
class _Item:
    """A delivery: the recipients of a transaction in one domain."""

    asked: list[str] = field(default_factory=list)
    refused: dict[str, What] = field(default_factory=dict)
    host: str = ""
    ip: str = ""
    error: str = ""


class _Line(NamedTuple):
    """A line; ``ids`` are those of the connection, its transaction and its delivery, as far as named."""

    number: int
    at: datetime | None
    host: str | None
    ids: tuple[str, ...]
    origin: str
    text: str

    @property
    def transaction(self) -> str:
        """The id of the transaction, which is the message's own."""
        return ".".join(self.ids[:2])


def claims(head: str) -> bool:
    """Whether a text is a log of Haraka."""
    return is_log_of(head, lambda words: _line(0, words) is not None)


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """Arrivals, attempts and refusals, each with what its ids are known for."""
    return events_by_line(lines, _line, _Reader().events)


def _line(number: int, words: str) -> _Line | None:
    words = words.lstrip("\ufeff")
    stamp = _STAMP.match(words)
    at, host = iso_stamp(stamp[1]) if stamp else None, None
    text = words[stamp.end() if stamp else 0 :]
    if not stamp:
        prefix = syslog_line(words)
        at, host, text = (prefix.at, prefix.host, prefix.text) if prefix else (None, None, text)
    head = _HEAD.match(text)
    if head is None:
        return None
    ids = tuple(head[1].split(".")) if head[1] != "-" else ()
    return _Line(number, at, host, ids, head[2], text[head.end() :])


def _fields(words: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in _FIELD.findall(words[:8_000])}


class _Reader:
    """Joins the lines of a connection, a transaction and a delivery; those longest unused are forgotten."""

    def __init__(self) -> None:
        self._clients: Recent[Peer] = Recent(room=3_000)
        self._transactions: Recent[_Transaction] = Recent(room=3_000)
        self._items: Recent[_Item] = Recent(room=3_000)

    def events(self, line: _Line) -> Sequence[Event]:
        """What a line tells."""
        if line.origin == "outbound" and len(line.ids) == 3:
            return self._outbound(line)
        if line.origin != "core" or not line.ids:
            return ()
        answered, hook = _ANSWERED.match(line.text), _HOOK.match(line.text)
        if answered and len(line.ids) > 1:
            return self._answered(line, answered[1] or answered[3], answered[2] or "")
        if hook:
            return self._denied(line, hook[1], hook[2])
        if line.text.startswith("connect ip="):
            self._clients.put(line.ids[0], Peer(None, _fields(line.text)["ip"] or None))
        elif line.text.startswith("disconnect ip="):
            return self._left(line)
        return ()

    def _transaction(self, line: _Line) -> _Transaction:
        known = self._transactions.get(line.transaction)
        return known or _Transaction(self._clients.get(line.ids[0]) or NOBODY)

    def _event(
        self,
        line: _Line,
        what: What,
        other: Peer,
        *,
        to: Iterable[str] = (),
        reply: str = "",
        facts: dict[str, str] | None = None,
    ) -> Event:
        transaction = self._transaction(line)
        return Event(
            what,
            line.number,
            at=line.at,
            host=line.host,
            peer=other.name,
            peer_ip=other.ip,
            message_id=transaction.message_id,
            queue_id=line.transaction if len(line.ids) > 1 else None,
            sender=transaction.sender,
            recipients=tuple(to),
            reply=reply,
            detail=facts or {},
        )

    def _answered(self, line: _Line, step: str, address: str) -> Sequence[Event]:
        """A plugin accepted or refused a sender, a recipient or a message."""
        transaction, fields = self._transaction(line), _fields(line.text)
        code = fields.get("code", "")
        if step == "sender":
            transaction = _Transaction(transaction.client, mailbox(address))
        elif step == "message":
            transaction.message_id = message_id(fields.get("mid", "")[:_MAX_KEPT])
        elif step == "recipient" and code not in log_table(NAME, "code"):
            transaction.sender = transaction.sender or mailbox(fields.get("sender", "")) or None
            if len(transaction.recipients) < _MAX_RECIPIENTS:
                transaction.recipients.append(recipient(address))
        self._transactions.put(line.transaction, transaction)
        facts = detail(code=code, command=log_table(NAME, "step")[step])
        if code in log_table(NAME, "code"):
            to = [recipient(address)] if step == "recipient" else []
            reply, what = fields.get("msg", ""), what_table(NAME, "code")[code]
            return [self._event(line, what, transaction.client, to=to, reply=reply, facts=facts)]
        if step.startswith("queue") and code == "OK":
            to = list(dict.fromkeys(transaction.recipients))
            return [self._event(line, What.RECEIVED, transaction.client, to=to, facts=detail(code=code))]
        return ()

    def _denied(self, line: _Line, hook: str, plugin: str) -> Sequence[Event]:
        """A plugin's refusal, which another plugin may still overrule."""
        words = line.text.rpartition(" retval=")[2]
        code, _, message = words.partition(" msg=")
        if code not in log_table(NAME, "code"):
            return ()
        command = log_table(NAME, "hook").get(hook)
        facts = detail(code=code, command=command, hook=hook, plugin=plugin)
        client = self._transaction(line).client
        return [self._event(line, What.NOTED, client, reply=message.strip('"'), facts=facts)]

    def _left(self, line: _Line) -> Sequence[Event]:
        """A client left; if it never came as far as a message, the last reply says why."""
        fields = _fields(line.text)
        last = fields.get("lr", "")
        if fields.get("txns") != "0" or not last.startswith(("4", "5")):
            return ()
        client = peer(f"{fields.get('rdns', '')}[{fields.get('ip', '')}]")
        return [self._event(line, What.REJECTED, client, reply=last, facts=detail(helo=fields.get("helo")))]

    def _outbound(self, line: _Line) -> Sequence[Event]:
        """A line of a delivery."""
        key = ".".join(line.ids)
        item = self._items.get(key) or _Item()
        refused, deferred = _REFUSED.match(line.text), _DEFERRED.match(line.text)
        if line.text.startswith("delivered file="):
            return self._delivered(line, item)
        if refused:
            to = self._pending(line, item, refused[2]) if refused[1] else [recipient(refused[2])]
            what = What.FAILED if refused[3] == "rejected" else What.DEFERRED
            item.refused.update(dict.fromkeys(to[:_MAX_RECIPIENTS], what))
            self._items.put(key, item)
            return self._each(line, what, item, to, refused[4], detail(command="RCPT TO"))
        if deferred or line.text.startswith(_BOUNCING):
            what = What.DEFERRED if deferred else What.FAILED
            reason = deferred[3] if deferred else line.text.removeprefix(_BOUNCING)
            wait = deferred[2] if deferred else None
            return self._put_off(line, what, item, reason, wait)
        if line.text.startswith(_DOUBLE):
            reason = line.text.removeprefix(_DOUBLE)
            return [self._event(line, What.DISCARDED, NOBODY, facts=detail(reason=reason))]
        self._note(line, item)
        self._items.put(key, item)
        return ()

    def _note(self, line: _Line, item: _Item) -> None:
        trying, lost, asked = (pattern.match(line.text[:2_000]) for pattern in (_TRYING, _LOST, _ASKED))
        if trying:
            item.ip, item.error = trying[1], ""
        elif lost:
            item.ip, item.error = lost[1], lost[2][:_MAX_KEPT]
        elif asked and recipient(asked[1]) not in item.asked and len(item.asked) < _MAX_RECIPIENTS:
            item.asked.append(recipient(asked[1]))
        elif line.text.startswith("Looking up A records for: "):
            item.host = line.text.partition(": ")[2][:_MAX_KEPT]

    def _pending(self, line: _Line, item: _Item, domain: str = "") -> list[str]:
        """The recipients of a delivery that were not refused: the n-th delivery is for the n-th domain."""
        known = item.asked or list(dict.fromkeys(self._transaction(line).recipients))
        domains = list(dict.fromkeys(each.rpartition("@")[2] for each in known))
        index = int(line.ids[2]) - 1
        if not item.asked and domain.lower() not in domains:
            domain = domains[index] if index < len(domains) else ""
            known = known if domain else []
        wanted = [each for each in known if not domain or each.endswith(f"@{domain.lower()}")]
        return [each for each in wanted or known if each not in item.refused]

    def _each(
        self,
        line: _Line,
        what: What,
        item: _Item,
        to: list[str],
        reply: str,
        facts: dict[str, str],
    ) -> list[Event]:
        """An event for each recipient, or one where none is known."""
        other = peer(f"{item.host}[{item.ip}]")
        facts = {"delivery": ".".join(line.ids), **facts}
        return [
            self._event(line, what, other, to=(each,) if each else (), reply=reply, facts=facts)
            for each in to or [""]
        ]

    def _delivered(self, line: _Line, item: _Item) -> list[Event]:
        fields = _fields(line.text)
        item.host, item.ip = fields.get("host", ""), fields.get("ip", "")
        what = What.DELIVERED if fields.get("mode") == "LMTP" else What.SENT
        reply = fields.get("response", "")
        queued_as = _QUEUED_AS.search(reply[-_MAX_KEPT:])
        facts = detail(
            file=fields.get("file"),
            tls=fields.get("tls"),
            delay=fields.get("delay"),
            queued_as=queued_as[1] if queued_as and what is What.SENT else None,
        )
        to = self._pending(line, item, fields.get("domain", ""))
        return self._each(line, what, item, to, reply, facts)

    def _put_off(
        self, line: _Line, what: What, item: _Item, reason: str, wait: str | None
    ) -> Sequence[Event]:
        """A delivery waits or is given up; what single recipients were told has been told already."""
        to = self._pending(line, item)
        if reason.startswith(_ALREADY_TOLD) and item.refused:
            item.asked = [each for each, told in item.refused.items() if told is What.DEFERRED]
            item.refused = {}
            return ()
        reply = item.error if reason.startswith(_ALL_TRIED) and item.error else reason
        facts = detail(retry_s=wait, reason=reason if reply != reason else None)
        return self._each(line, what, item, to, reply, facts)


FORMAT = LogFormat(NAME, Role.TRANSPORT, claims, read)
