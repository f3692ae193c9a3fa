"""Reads the log of OpenSMTPD, of today's releases and of those before 5.9, joined by session and envelope."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from model.events import Event, LogFormat, Role, What
from model.log_heads import is_log_of
from model.log_lines import events_by_line
from model.log_tables import log_table, what_table
from model.peers import NOBODY, Peer, detail, mailbox, peer, recipient, smtp_command
from model.recent import Recent
from model.syslog import SyslogLine, syslog_line

NAME = "opensmtpd"
_PROGRAM = "smtpd"
_EVENT = re.compile(r"([0-9a-f]{8,16}) (smtp|mta|mda) (?:event=)?([a-z-]{2,20})(?: |$)")
_FIELD = re.compile(r'(?:^| )([a-z]{2,12})=("[^"\\]*(?:\\.[^"\\]*)*"?|<[^>]{0,1000}>|\S{0,1000})')
_LAST = re.compile(r' (stat|reason)=(?!")(.{0,4000})$')
_NAMED_ID = re.compile(r"for ([0-9a-f]{8,16}): ")
_IN_QUOTES = re.compile(r'([0-9a-f]{8,16}): "(.{0,1000})" => (.{0,4000})')
_CLIENT = re.compile(r"([0-9a-f]{8,16}) from host (\S{1,300}) \[([0-9A-Fa-f.:]{1,45})\]")
_RELAY = re.compile(r"(\S{1,60}) \((\S{1,300})\)")
_QUEUED_AS = re.compile(r"\b([0-9a-f]{8}) Message accepted|\bqueued as ([0-9A-Za-z-]{5,40})\b")


class _Line(NamedTuple):
    """An event of a session: ``part`` is ``smtp`` (receives), ``mta`` (sends) or ``mda`` (delivers)."""

    number: int
    prefix: SyslogLine
    session: str
    part: str
    event: str
    fields: dict[str, str]

    @property
    def key(self) -> str:
        """What the lines of this id are joined by."""
        return f"{self.prefix.host} {self.session}"


@dataclass(slots=True)
class _Session:
    """Who talks, and over what."""

    other: Peer = NOBODY
    tls: str | None = None
    login: str | None = None


def claims(head: str) -> bool:
    """Whether a text is a log with lines of OpenSMTPD."""
    return is_log_of(head, lambda line: _line(0, line) is not None)


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """Arrivals, attempts and refusals, each with what its session is known for."""
    return events_by_line(lines, _line, _Reader().events)


def _line(number: int, words: str) -> _Line | None:
    prefix = syslog_line(words)
    if prefix is None or prefix.program != _PROGRAM:
        return None
    told = _EVENT.match(prefix.text)
    if told:
        fields = _fields(prefix.text[told.end() - 1 :])
        return _Line(number, prefix, told[1], told[2], told[3], fields)
    starts = (start for start in log_table(NAME, "plain") if prefix.text.startswith(start))
    start = next(starts, None)
    return _plain(number, prefix, start) if start else None


def _plain(number: int, prefix: SyslogLine, start: str) -> _Line:
    """A line of an old release, as the event that it would be now."""
    rest, part = prefix.text[len(start) :], log_table(NAME, "plain")[start]
    if part in ("mta", "mda"):
        result, _, after = rest.partition(" ")
        named = _NAMED_ID.match(after)
        told = _plain_fields(after[named.end() :] if named else after)
        fields = told | {"result": result, "evpid": named[1] if named else ""}
        return _Line(number, prefix, fields.get("session", ""), part, "delivery", fields)
    quoted, client = _IN_QUOTES.match(rest), _CLIENT.match(rest)
    if part == "refused" and quoted:
        fields = {"command": quoted[2], "result": quoted[3]}
        return _Line(number, prefix, quoted[1], "smtp", "failed-command", fields)
    if part == "client" and client:
        fields = {"address": client[3], "host": client[2]}
        return _Line(number, prefix, client[1], "smtp", "connected", fields)
    if part == "accepted":
        message, _, after = rest.partition(" on session ")
        fields = _plain_fields(after.partition(": ")[2]) | {"evpid": message}
        return _Line(number, prefix, after.partition(":")[0], "smtp", "envelope", fields)
    session, _, reason = rest.partition(": ")
    return _Line(number, prefix, session[:16], "mta", "error", {"reason": reason})


def _fields(words: str) -> dict[str, str]:
    """The equations of a line; an unquoted ``stat=`` or ``reason=`` goes to its end."""
    last = _LAST.search(words[-5_000:])
    fields = dict(_FIELD.findall(words[:10_000])) | ({last[1]: last[2]} if last else {})
    return {name: _unquoted(value) for name, value in fields.items()}


def _plain_fields(words: str) -> dict[str, str]:
    """The equations of a line of an old release, between commas."""
    head, _, stat = words[:10_000].partition(", stat=")
    equations = (each.partition("=") for each in head.split(", "))
    return {name: value for name, _, value in equations} | {"stat": stat}


def _unquoted(value: str) -> str:
    return value[1:].removesuffix('"').replace('\\"', '"') if value.startswith('"') else value


class _Reader:
    """Joins the lines of a session; those longest unused are forgotten."""

    def __init__(self) -> None:
        self._sessions: Recent[_Session] = Recent()

    def events(self, line: _Line) -> Sequence[Event]:
        """What a line tells."""
        if line.event == "delivery":
            return self._attempt(line)
        if line.part == "smtp" and line.event in ("failed-command", "bad-input"):
            return self._refused(line)
        if line.part == "smtp" and line.event == "envelope":
            return [self._received(line)]
        if line.event == "error":
            reason = line.fields.get("reason", "")
            return [self._event(line, What.FAULT, self._session(line).other, reply=reason)]
        self._note(line)
        return ()

    def _session(self, line: _Line) -> _Session:
        return self._sessions.get(line.key) or _Session()

    def _note(self, line: _Line) -> None:
        session, fields = self._session(line), line.fields
        if line.event in ("connected", "connecting") and "address" in fields:
            session = _Session(_peer(fields["address"], fields.get("host", "")))
        elif line.event in ("tls", "starttls"):
            session.tls = fields.get("ciphers", "")[:80]
        elif line.event == "authentication" and fields.get("result", "").lower() == "ok":
            session.login = fields.get("user", "")[:300]
        else:
            return
        self._sessions.put(line.key, session)

    def _event(
        self,
        line: _Line,
        what: What,
        other: Peer,
        *,
        reply: str = "",
        facts: dict[str, str] | None = None,
    ) -> Event:
        fields = line.fields
        to = recipient(fields.get("to", ""))
        return Event(
            what,
            line.number,
            at=line.prefix.at,
            host=line.prefix.host,
            peer=other.name,
            peer_ip=other.ip,
            queue_id=fields.get("evpid") or None,
            sender=mailbox(fields["from"]) if "from" in fields else None,
            recipients=(to,) if to else (),
            reply=reply,
            detail=detail(session=line.session) | (facts or {}),
        )

    def _received(self, line: _Line) -> Event:
        session = self._session(line)
        facts = detail(tls=session.tls, login=session.login, size=line.fields.get("size"))
        return self._event(line, What.RECEIVED, session.other, facts=facts)

    def _refused(self, line: _Line) -> Sequence[Event]:
        command, reply = line.fields.get("command", "").strip(), line.fields.get("result", "")
        named = smtp_command(command) or ("CONNECT" if line.event != "bad-input" and not command else None)
        facts = detail(command=named, login=self._session(line).login)
        fields = dict(line.fields)
        if named == "RCPT TO":
            fields["to"] = command.partition(":")[2].strip().partition(" ")[0]
        elif named == "MAIL FROM":
            fields["from"] = command.partition(":")[2].strip().partition(" ")[0]
        refusal = line._replace(fields=fields)
        return [self._event(refusal, What.REJECTED, self._session(line).other, reply=reply, facts=facts)]

    def _attempt(self, line: _Line) -> Sequence[Event]:
        fields = line.fields
        what = what_table(NAME, "result").get(fields.get("result", ""))
        if what is None:
            return ()
        if what is What.SENT and line.part == "mda":
            what = What.DELIVERED
        address, host = _relay(fields.get("relay", ""))
        reply = fields.get("stat", "")
        queued_as = _QUEUED_AS.search(reply) if what is What.SENT else None
        facts = detail(
            result=fields.get("result"),
            relay=fields.get("relay"),
            source=fields.get("source"),
            rcpt=recipient(fields.get("rcpt", "").strip("<->")),
            user=fields.get("user"),
            delay=fields.get("delay"),
            tls=self._session(line).tls,
            queued_as=next(filter(None, queued_as.groups())) if queued_as else None,
        )
        other = _peer(address, host) if address else self._session(line).other
        return [self._event(line, what, other, reply=reply, facts=facts)]


def _relay(words: str) -> tuple[str, str]:
    """``192.0.2.1 (mx.example.net)`` taken apart."""
    both = _RELAY.match(words)
    return (both[1], both[2]) if both else ("", "")


def _peer(address: str, host: str) -> Peer:
    """``smtp://192.0.2.1:25`` or ``[2001:db8::1]`` and a name, which may be ``<unknown>``."""
    bare = address.rpartition("://")[2]
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    bare = bare.removeprefix("IPv6:").strip("[]")
    return peer(f"{host.strip('<>')}[{bare}]")


FORMAT = LogFormat(NAME, Role.TRANSPORT, claims, read)
