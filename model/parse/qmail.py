"""Reads the log of qmail-send, stamped by multilog or syslog, joined by message and delivery number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from model.events import Event, LogFormat, Role, What
from model.log_heads import is_log_of
from model.log_tables import log_table, what_table
from model.peers import NOBODY, Peer, detail, mailbox, peer, recipient
from model.recent import Recent
from model.stamps import epoch_stamp, iso_stamp
from model.syslog import syslog_line

NAME = "qmail"
_TAI64N = re.compile(r"@([0-9a-f]{16})([0-9a-f]{8}) ")
_TAI64_EPOCH = 2**62 + 10
_LOCAL = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6})\d{3} ")
_EPOCH = re.compile(r"(\d{9,11}\.\d{6}) ")
_OURS = re.compile(
    r"(?:new msg \d|end msg \d|bounce msg \d|info msg \d{1,20}: bytes |starting delivery \d{1,20}: msg |"
    r"delivery \d{1,20}: (?:success|deferral|failure): |status: (?:local \d|exiting))"
)
_QUEUE = re.compile(r" (queue\d{1,4})$")
_INFO = re.compile(r"info msg (\d{1,20}): bytes (\d{1,20}) from <(.{0,1000})> qp (\d{1,20}) uid (\d{1,20})")
_START = re.compile(r"starting delivery (\d{1,20}): msg (\d{1,20}) to (local|remote) (\S{1,1000})")
_RESULT = re.compile(r"delivery (\d{1,20}): (success|deferral|failure): (.*)")
_ABOUT = re.compile(r"(new|end|bounce) msg (\d{1,20})(?: qp (\d{1,20}))?")
_DISCARDED = re.compile(r"(?:double|triple) bounce: discarding (?:\w{1,20}/){1,3}(\d{1,20})")
_DID = re.compile(r"did_0\+[1-9]\d{0,9}\+0/")
_CHECKED = re.compile(
    r"CHKUSER rejected (rcpt|sender): from <([^:>]{0,320})[^>]{0,600}> remote <([^>]{0,600})>"
    r" rcpt <([^>]{0,320})> ?: (.*)"
)
_LISTED = re.compile(r"rblsmtpd: ([0-9A-Fa-f.:]{3,45}) pid \d{1,10}: (\d{3} .*)")
_SAID = "Remote_host_said:_"
_ADDRESS = re.compile(r"(?:Connected_to_)?(\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f:]{3,45}:[0-9a-f:]{1,45})_")
_LINE_END = re.compile(r"/(?=\d{3}[-_])")
_QUEUED_AS = re.compile(r"\b(?:queued as|qp) ([0-9A-Za-z-]{3,40})\b")


class _Line(NamedTuple):
    """A line without its stamp; ``queue`` is the name that some variants put at its end."""

    number: int
    at: datetime | None
    host: str
    queue: str
    text: str

    def key(self, number: str) -> str:
        """What the lines of this id are joined by."""
        return f"{self.host} {self.queue} {number}"


@dataclass(frozen=True, slots=True)
class _Delivery:
    """An attempt that has begun."""

    message: str
    address: str
    is_local: bool


def claims(head: str) -> bool:
    """Whether a text is a log of qmail-send."""
    return is_log_of(head, lambda words: bool(_OURS.match(_line(0, words).text)))


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """Arrivals, attempts and bounces, each with what its message number is known for."""
    reader = _Reader()
    for number, words in enumerate(lines, 1):
        yield from reader.events(_line(number, words)) or (None,)


def _line(number: int, words: str) -> _Line:
    at, host, text = _stamped(words.lstrip("\ufeff"))
    queue = _QUEUE.search(text[-20:])
    return _Line(number, at, host, queue[1] if queue else "", text[: -len(queue[0])] if queue else text)


def _stamped(words: str) -> tuple[datetime | None, str, str]:
    """The time, the host and the rest of a line."""
    label, local, epoch = _TAI64N.match(words), _LOCAL.match(words), _EPOCH.match(words)
    if label:
        seconds = int(label[1], 16) - _TAI64_EPOCH + int(label[2], 16) / 1e9
        return epoch_stamp(seconds), "", words[label.end() :]
    if local:
        return iso_stamp(local[1]), "", words[local.end() :]
    if epoch:
        return epoch_stamp(epoch[1]), "", words[epoch.end() :]
    prefix = syslog_line(words)
    if prefix is None:
        return None, "", words
    inner = _EPOCH.match(prefix.text)
    return (
        (epoch_stamp(inner[1]), prefix.host, prefix.text[inner.end() :])
        if inner
        else (prefix.at, prefix.host, prefix.text)
    )


class _Reader:
    """Joins the lines of a message and of a delivery; those longest unused are forgotten."""

    def __init__(self) -> None:
        self._senders: Recent[str] = Recent()
        self._deliveries: Recent[_Delivery] = Recent()

    def events(self, line: _Line) -> Sequence[Event]:
        """What a line tells."""
        result, info, start = _RESULT.match(line.text), _INFO.match(line.text), _START.match(line.text)
        if result:
            return self._ended(line, result[1], result[2], result[3])
        if info:
            self._senders.put(line.key(info[1]), f"<{info[3]}>")
            facts = detail(size=info[2], qp=info[4], uid=info[5])
            return [self._event(line, What.RECEIVED, info[1], facts=facts)]
        if start:
            delivery = _Delivery(start[2], recipient(start[4]), start[3] == "local")
            self._deliveries.put(line.key(start[1]), delivery)
            return ()
        return self._about(line)

    def _event(
        self,
        line: _Line,
        what: What,
        message: str = "",
        other: Peer = NOBODY,
        *,
        to: str = "",
        reply: str = "",
        facts: dict[str, str] | None = None,
    ) -> Event:
        sender = self._senders.get(line.key(message)) if message else None
        return Event(
            what,
            line.number,
            at=line.at,
            host=line.host or None,
            peer=other.name,
            peer_ip=other.ip,
            queue_id=message or None,
            sender=mailbox(sender) if sender else None,
            recipients=(to,) if to else (),
            reply=reply,
            detail=facts or {},
        )

    def _ended(self, line: _Line, number: str, result: str, report: str) -> Sequence[Event]:
        delivery = self._deliveries.pop(line.key(number)) or _Delivery("", "", _DID.match(report) is not None)
        what = what_table(NAME, "result")[result]
        if what is What.SENT and (delivery.is_local or report.startswith("did_")):
            what = What.EXPANDED if _DID.match(report) else What.DELIVERED
        reply, other, command = _said(report)
        queued_as = _QUEUED_AS.search(reply[-500:]) if what in (What.SENT, What.EXPANDED) else None
        facts = detail(
            delivery=number,
            result=result,
            command=command if what is not What.SENT else None,
            queued_as=queued_as[1] if queued_as else None,
        )
        return [
            self._event(line, what, delivery.message, other, to=delivery.address, reply=reply, facts=facts)
        ]

    def _about(self, line: _Line) -> Sequence[Event]:
        """A message begins, ends or comes back; or a client was refused."""
        about, gone = _ABOUT.match(line.text), _DISCARDED.match(line.text)
        if about and about[1] != "bounce":
            self._senders.pop(line.key(about[2]))
            return ()
        if about:
            return [self._event(line, What.NOTIFIED, about[2], facts=detail(notice_qp=about[3]))]
        if gone:
            facts = detail(reason=line.text.partition(":")[0])
            return [self._event(line, What.DISCARDED, gone[1], facts=facts)]
        checked, listed = _CHECKED.search(line.text), _LISTED.search(line.text)
        if checked:
            command = "RCPT TO" if checked[1] == "rcpt" else "MAIL FROM"
            _, name, address = f"::{checked[3]}".rsplit(":", 2)
            other, facts = peer(f"{name}[{address}]"), detail(command=command)
            to, reply = recipient(checked[4]), checked[5]
            event = self._event(line, What.REJECTED, "", other, to=to, reply=reply, facts=facts)
            return [event]
        if listed:
            other, facts = peer(f"[{listed[1]}]"), detail(command="CONNECT")
            return [self._event(line, What.REJECTED, "", other, reply=listed[2], facts=facts)]
        return ()


def _said(report: str) -> tuple[str, Peer, str | None]:
    """The other side's reply in a report, who said it, and the command that it answered."""
    own, found, said = report.removesuffix("/").partition(_SAID)
    words = said.rpartition("/Giving_up_on_")[0] or said if found else own
    reply = _LINE_END.sub(" ", words).replace("_", " ").strip("/ ")
    address = _ADDRESS.match(own)
    place = own[:300].replace("_", " ")
    command = next((name for phrase, name in log_table(NAME, "phrase").items() if phrase in place), None)
    return reply, peer(f"[{address[1]}]") if address else NOBODY, command if found else None


FORMAT = LogFormat(NAME, Role.TRANSPORT, claims, read)
