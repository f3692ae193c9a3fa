"""Reads filter logs of Proofpoint's Protection Server, joined by session, and the sendmail lines among them.

Source: https://docs.trellix.com/docs/proofpoint-messaging-security-gateway-log-format-and-field-mapping.md
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from model.events import Event, LogFormat, Role, What
from model.log_heads import is_log_of
from model.peers import detail, mailbox, message_id, peer, recipient
from model.recent import Recent
from model.resources import data_file, read_toml
from model.stamps import iso_stamp
from model.syslog import SyslogLine, syslog_line

_FILTER = re.compile(r"\b(?:rprt|info|note|warn|err) (s=\w{6,30} (?:m=|mod=|cmd=|x=|module=).*)")
_OWN_STAMP = re.compile(r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})? ?[+-]\d{4})\]")
_PAIR = re.compile(r'(?:^| )([A-Za-z_][\w.]{0,40})=("[^"]{0,4000}"|\S{0,4000})')
_QUEUED = re.compile(r"([0-9A-Za-z]{8,24}): (from|to)=")
_CODED = re.compile(r"\d{3}[ -]|[245]\.\d{1,3}\.\d{1,3} ")
_MAX_RECIPIENTS = 100
_ROOM_FOR_MESSAGES = 5_000
"""They hold recipients, and are soon done with; queue ids are kept longer."""


@dataclass(frozen=True, slots=True)
class _Message:
    """What the lines of one message, or of its session, have told so far."""

    sender: str | None = None
    recipients: tuple[str, ...] = ()
    message_id: str | None = None
    queue_id: str | None = None
    client_ip: str | None = None
    client: str | None = None
    folder: str | None = None
    judged: bool = False


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the filter log, by its pairs."""

    number: int
    at: datetime | None
    host: str | None
    fields: dict[str, str]

    def get(self, name: str) -> str:
        """A field without its quotes; empty where there is none."""
        return self.fields.get(name, "").strip('"')

    @property
    def key(self) -> str:
        """The name of the message in the session; empty for a line about the session."""
        return self.get("x") or (f"{self.get('s')}-{self.get('m')}" if self.get("m") else "")


def claims(head: str) -> bool:
    """Whether a text is a filter log."""
    return is_log_of(head, lambda line: _FILTER.search(line) is not None)


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """What the filter made of each message, and what sendmail did with it."""
    reader = _Reader()
    for number, text in enumerate(lines, 1):
        yield from reader.events(number, text.replace("\0", "")) or (None,)


class _Reader:
    """Holds the sessions (``s=``), the messages (``x=``) and the queue ids that are under way."""

    def __init__(self) -> None:
        self._sessions = Recent[_Message]()
        self._messages = Recent[_Message](_ROOM_FOR_MESSAGES)
        self._queued = Recent[_Message]()

    def events(self, number: int, text: str) -> list[Event]:
        """The events of one line."""
        filtered, own, tagged = _FILTER.search(text), _OWN_STAMP.search(text), syslog_line(text)
        at = iso_stamp(own[1]) if own else tagged.at if tagged else None
        if filtered:
            fields = dict(reversed(_PAIR.findall(filtered[1])))
            return self._filtered(_Line(number, at, tagged.host if tagged else None, fields))
        return self._of_sendmail(number, tagged) if tagged else []

    def _filtered(self, line: _Line) -> list[Event]:
        """A line of the filter log; only dispositions are events, the others tell what they are about."""
        kind = f"{line.get('mod')} {line.get('cmd')}".strip()
        known = self._known(line)
        if kind == "mail msg":
            return self._judged(line, known)
        if kind in ("session disconnect", "session throttle"):
            return self._session_ended(line, known)
        if line.get("cmd") == "send":
            self._put_into_queue(line, known)
        elif kind in ("session connect", "mail env_from", "mail env_rcpt", "session store"):
            self._keep(line, _learned(known, line, kind))
        return []

    def _known(self, line: _Line) -> _Message:
        return self._messages.get(line.key) or self._sessions.get(line.get("s")) or _Message()

    def _keep(self, line: _Line, message: _Message) -> None:
        if line.key:
            self._messages.put(line.key, message)
        else:
            self._sessions.put(line.get("s"), message)

    def _put_into_queue(self, line: _Line, known: _Message) -> None:
        """``cmd=send profile=mail qid=… rcpts=a@example.com,…``: what sendmail lines are about."""
        addresses = tuple(recipient(part) for part in line.get("rcpts").split(",") if "@" in part)
        queue_id = line.get("qid") or known.queue_id
        message = replace(
            known, recipients=addresses[:_MAX_RECIPIENTS] or known.recipients, queue_id=queue_id
        )
        self._keep(line, message)
        if queue_id:
            self._queued.put(queue_id, replace(message, recipients=()))

    def _judged(self, line: _Line, known: _Message) -> list[Event]:
        """``mod=mail cmd=msg module=… rule=… action=… hdr_mid=… qid=…``, the disposition of a message."""
        known = replace(
            known,
            message_id=message_id(line.get("hdr_mid")) or known.message_id,
            queue_id=line.get("qid") or known.queue_id,
            judged=True,
        )
        self._keep(line, known)
        session = self._sessions.get(line.get("s")) or _Message()
        self._sessions.put(line.get("s"), replace(session, judged=True))
        if known.queue_id:
            self._queued.put(known.queue_id, replace(known, recipients=()))
        what = _what(line.get("action"))
        if what is None:
            return []
        event = _event(line, What.QUARANTINED if what is What.DISCARDED and known.folder else what, known)
        return [replace(event, recipients=(address,)) for address in known.recipients] or [event]

    def _session_ended(self, line: _Line, known: _Message) -> list[Event]:
        """A session that was slowed down, or refused before it had a message to judge."""
        throttled = line.get("cmd") == "throttle"
        what = What.DEFERRED if throttled else _what(line.get("action"))
        if what is None or what is What.RECEIVED or (known.judged and not throttled):
            return []
        client = known.client or peer(line.get("helo")).name
        known = replace(known, client_ip=line.get("ip") or known.client_ip, client=client)
        event = _event(line, what, known)
        limits = detail(category="rate_limited", rate=line.get("rate"), limit=line.get("limit"))
        return [replace(event, detail={**event.detail, **(limits if throttled else {})})]

    def _of_sendmail(self, number: int, line: SyslogLine) -> list[Event]:
        """``qid: from=<…>, …, msgid=<…>, relay=…`` or ``qid: to=<…>, …, relay=…, dsn=…, stat=…``."""
        queued = _QUEUED.match(line.text)
        if queued is None:
            return []
        known = self._queued.get(queued[1]) or _Message(queue_id=queued[1])
        head, _, stat = line.text[queued.end(1) + 2 :].partition(", stat=")
        fields = dict(part.partition("=")[::2] for part in head.split(", "))
        if queued[2] == "from":
            sender = known.sender if known.sender is not None else mailbox(fields.get("from", ""))
            found = message_id(fields.get("msgid", "")) or known.message_id
            self._queued.put(queued[1], replace(known, sender=sender, message_id=found))
            return []
        event = _delivery(Event(What.NOTED, number, line.at, line.host, queue_id=queued[1]), fields, stat)
        event = replace(event, message_id=known.message_id, sender=known.sender)
        addresses = (recipient(part) for part in fields.get("to", "").split(",")[:_MAX_RECIPIENTS])
        return [replace(event, recipients=(address,)) for address in addresses if address] if stat else []


def _learned(known: _Message, line: _Line, kind: str) -> _Message:
    """What is known after a line that is no disposition."""
    known = replace(
        known,
        client_ip=line.get("ip") or known.client_ip,
        client=peer(line.get("host")).name or known.client,
        queue_id=line.get("qid") or known.queue_id,
        folder=line.get("folder") or known.folder,
    )
    if kind == "mail env_from":
        return replace(known, sender=mailbox(line.get("value")))
    address = recipient(line.get("value")) if kind == "mail env_rcpt" else ""
    if address and len(known.recipients) < _MAX_RECIPIENTS:
        return replace(known, recipients=(*known.recipients, address))
    return known


def _event(line: _Line, what: What, known: _Message) -> Event:
    module = line.get("module")
    return Event(
        what=what,
        line=line.number,
        at=line.at,
        host=line.host,
        peer=known.client,
        peer_ip=known.client_ip,
        message_id=known.message_id,
        queue_id=known.queue_id,
        sender=known.sender,
        recipients=known.recipients,
        detail=detail(
            action=line.get("action"),
            module=module,
            rule=line.get("rule"),
            folder=known.folder,
            virus=line.get("virusname"),
            score=line.get("spamscore"),
            session=line.get("s"),
            category=_table("module").get(module) if what is not What.RECEIVED else None,
        ),
    )


def _delivery(event: Event, fields: dict[str, str], stat: str) -> Event:
    """``Sent (ok)``, ``Deferred: words`` or the words of a failure."""
    what = (
        What.SENT
        if stat.startswith("Sent")
        else What.DEFERRED
        if stat.startswith("Deferred")
        else What.FAILED
    )
    words = stat.removeprefix("Sent").removeprefix("Deferred").strip(" :")
    if what is What.SENT:
        words = words.removeprefix("(").removesuffix(")")
    dsn, relay = fields.get("dsn", ""), peer(fields.get("relay", ""))
    bare = what is What.SENT or not dsn or _CODED.match(words)
    reply = fields.get("reply") or (words if bare else f"{dsn} {words}".strip())
    return replace(
        event,
        what=what,
        peer=relay.name,
        peer_ip=relay.ip,
        reply=reply,
        detail=detail(dsn=dsn, delay=fields.get("delay"), mailer=fields.get("mailer")),
    )


def _what(action: str) -> What | None:
    """The first known action that stands in a list of them."""
    given = action.lower().split(",")
    return next((What(what) for name, what in _table("action").items() if name in given), None)


@cache
def _table(kind: str) -> dict[str, str]:
    """``action`` or ``module`` by name."""
    value = {"action": "what", "module": "category"}[kind]
    return {entry["name"]: entry[value] for entry in read_toml(data_file("logs", "proofpoint.toml"))[kind]}


FORMAT = LogFormat("proofpoint", Role.GATEWAY, claims, read)
