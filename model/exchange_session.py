"""Follows a session of an Exchange protocol log, command by command, to what became of its messages."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from model.events import Event, What
from model.exchange_csv import host_and_port, message_id
from model.resources import data_file, read_toml

_REPLY = re.compile(r"[2-5]\d\d(?:[ -]|$)")
_ADDRESS = re.compile(r"(?:MAIL FROM|RCPT TO): ?<?([^>\s]{0,1000})", re.IGNORECASE)
_QUEUED = "queued mail for delivery"
_ID_IN_REPLY = re.compile(r"<[^<>\s]{1,500}@[^<>\s]{1,500}>")
_INTERNAL_ID = re.compile(r"\[InternalId=(\d{1,20})")
_GREETED = frozenset(("EHLO", "HELO"))
_FALLBACK = "50"
"""A server that does not know EHLO says 500 or 502; HELO follows."""
_SIGN_ON = ("STARTTLS", "X-ANONYMOUSTLS", "X-EXPS", "AUTH")
_IN_PARTS = ("X-EXPS", "AUTH")
"""What the client says until the last reply to these belongs to them, unless it is another command."""
_VERB = re.compile(
    r"(?:MAIL FROM:|RCPT TO:|EHLO |HELO |BDAT |X-|XPROXY)|(?:DATA|RSET|QUIT|STARTTLS)$", re.IGNORECASE
)
_MAX_WAITING = 1_000
_MAX_REPLY = 8_192


class Line(NamedTuple):
    """One line of the log, of this session."""

    number: int
    at: datetime | None
    event: str
    data: str
    context: str


class Trouble(NamedTuple):
    """Words of an information line, and what they prove."""

    text: str
    step: str
    category: str
    waits: bool


class _Command(NamedTuple):
    step: str
    address: str = ""


class Session:
    """What is known of a session so far.

    Args:
        connector: the name of the connector, with the server's before a backslash in a receive log.
        name: the session's id.
        is_send: whether this server is the client; ``None`` until the first line tells.
    """

    def __init__(self, connector: str, name: str, *, is_send: bool | None) -> None:
        self._connector = connector
        self._name = name
        self._is_send = is_send
        self._remote: str | None = None
        self._own = connector.partition("\\")[0].lower() if "\\" in connector else ""
        self._peer = ""
        self._known: dict[str, str] = {}
        self._words = ""
        self._step = ""
        self._reply = ""
        self._waiting: deque[_Command] = deque(maxlen=_MAX_WAITING)
        self._message_id: str | None = None
        self._queue_id: str | None = None
        self._forget()

    def push(self, line: Line, remote: str) -> list[Event]:
        """What a line makes known."""
        self._remote = host_and_port(remote)[0] or self._remote
        if line.event == "-":
            return self._close(line)
        if line.event in ("<", ">"):
            return self._speech(line)
        return self._information(line)

    def _forget(self) -> None:
        """No message is on its way."""
        self._sender: str | None = None
        self._offered: list[str] = []
        self._accepted: list[str] = []
        self._is_over = True

    def _speech(self, line: Line) -> list[Event]:
        is_reply = _REPLY.match(line.data) is not None
        if self._is_send is None:
            self._is_send = (line.event == "<") is is_reply
        if (line.event == "<") is not self._is_send:
            self._command(line.data)
            return []
        if not is_reply:
            return []
        self._reply = f"{self._reply} {line.data}".strip()[:_MAX_REPLY]
        if line.data[3:4] == "-":
            return []
        reply, self._reply = self._reply, ""
        return list(self._answer(line, reply))

    def _command(self, data: str) -> None:
        if self._waiting and self._waiting[-1].step.startswith(_IN_PARTS):
            if not _VERB.match(data):
                return
            self._waiting.pop()
        verb = data[:4].upper()
        self._step = _step(data)
        if verb in _GREETED:
            self._name_client(data[5:].partition(" ")[0])
        elif verb == "MAIL":
            self._forget()
            self._sender, self._is_over = _address(data), False
        elif verb == "RSET":
            self._forget()
        elif data.startswith("XPROXYFROM"):
            self._known["original_client_ip"] = data.partition(" IP=")[2].partition(" ")[0]
        if verb == "RCPT" and len(self._offered) < _MAX_WAITING:
            self._offered.append(_address(data))
        self._waiting.append(_Command(self._step, _address(data) if verb == "RCPT" else ""))

    def _name_client(self, name: str) -> None:
        if self._is_send:
            self._own = name.lower()
        else:
            self._peer = name.lower()

    def _answer(self, line: Line, reply: str) -> Iterator[Event]:
        """What a whole reply says of the command that waits for it."""
        if reply[0] == "3":
            return
        command = self._answered(reply)
        if command.step == "CONNECT":
            self._greet(reply)
        if reply[0] == "2":
            yield from self._success(line, command, reply)
        elif command.step.startswith(("MAIL", "RCPT", "DATA", "BDAT")) or self._is_cut_short(reply):
            yield from self._refusal(line, command, reply)
        elif command.step.startswith(("CONNECT", *_GREETED, *_SIGN_ON)):
            yield from self._no_session(line, command, reply)

    def _is_cut_short(self, reply: str) -> bool:
        """Whether a server gives up in the middle of a message."""
        return reply.startswith("421") and not self._is_over

    def _answered(self, reply: str) -> _Command:
        if _QUEUED in reply.lower():  # replies before this one may not have been logged
            while self._waiting and not self._waiting[0].step.startswith(("DATA", "BDAT")):
                self._accept(self._waiting.popleft().address)
        if self._waiting:
            return self._waiting.popleft()
        return _Command(self._step or "CONNECT")

    def _accept(self, address: str) -> None:
        if address and len(self._accepted) < _MAX_WAITING:
            self._accepted.append(address)

    def _greet(self, reply: str) -> None:
        name = reply[4:].partition(" ")[0].lower()
        if not reply.startswith("220") or "." not in name or name.replace(".", "").isdigit():
            return
        if self._is_send:
            self._peer = self._peer or name
        else:
            self._own = name

    def _success(self, line: Line, command: _Command, reply: str) -> Iterator[Event]:
        self._step = self._step or "CONNECT"
        if not self._is_over:
            self._accept(command.address)
        is_taken = command.step == "DATA" or command.step.endswith("LAST") or _QUEUED in reply.lower()
        if not is_taken or self._is_over:
            return
        self._learn(reply)
        what = What.SENT if self._is_send else What.RECEIVED
        yield self._event(line, what, tuple(self._accepted or self._offered), "", {"response": reply})
        self._finish()

    def _learn(self, reply: str) -> None:
        """The ids that an Exchange server tells when it takes a message."""
        found, internal = _ID_IN_REPLY.search(reply), _INTERNAL_ID.search(reply)
        if found:
            self._message_id = self._message_id or found[0]
        if internal and not self._is_send:
            self._queue_id = internal[1]

    def _refusal(self, line: Line, command: _Command, reply: str) -> Iterator[Event]:
        if self._is_over:
            return
        if command.address:
            yield self._event(line, self._verdict(reply), (command.address,), reply, {"step": command.step})
            self._offered = [each for each in self._offered if each != command.address]
            return
        recipients = self._accepted or self._offered
        if command.step.startswith(("DATA", "BDAT")) and not recipients:
            self._finish()
            return
        for recipient in recipients or [""]:
            whom = (recipient,) if recipient else ()
            yield self._event(line, self._verdict(reply), whom, reply, {"step": command.step})
        self._finish()

    def _verdict(self, reply: str) -> What:
        if not self._is_send:
            return What.REJECTED
        return What.FAILED if reply[0] == "5" else What.DEFERRED

    def _no_session(self, line: Line, command: _Command, reply: str) -> Iterator[Event]:
        if command.step in _GREETED and reply.startswith(_FALLBACK):
            return
        detail = {"step": command.step} | _proved(command.step, reply)
        if self._words:
            detail["context"], self._words = self._words, ""
        yield self._event(line, self._fault(), (), reply, detail)

    def _fault(self) -> What:
        return What.DEFERRED if self._is_send and self._message_id else What.FAULT

    def _information(self, line: Line) -> list[Event]:
        words = f"{line.data} {line.context}".strip()
        if "InternetMessageId " in words:
            self._next_message(words)
        if words.startswith("TLS protocol "):
            self._known["tls"] = words.split(" ", 3)[2]
        trouble = next((each for each in _troubles() if each.text in words.lower()), None)
        if trouble is None:
            return []
        if trouble.waits:
            self._words = words
            return []
        detail = {"step": trouble.step, "category": trouble.category}
        return [
            self._event(line, self._fault(), (), words, {key: detail[key] for key in detail if detail[key]})
        ]

    def _next_message(self, words: str) -> None:
        before, _, name = words.partition("InternetMessageId ")
        self._message_id = message_id(name)
        record = before.partition("RecordId ")[2].partition(" ")[0]
        self._queue_id = record if record.isdigit() else None

    def _close(self, line: Line) -> list[Event]:
        """The end of a session; a message that waited for its verdict has none."""
        if not self._waiting or self._waiting[-1].step == "QUIT":
            return []
        detail = {"step": self._waiting[0].step, "context": line.context, **_cut()}
        recipients = tuple(self._accepted or self._offered)
        if self._is_over or not recipients:
            is_fault = self._is_send and line.context.startswith("Remote")
            return [self._event(line, self._fault(), (), "", detail)] if is_fault else []
        what = What.DEFERRED if self._is_send else What.FAULT
        events = [self._event(line, what, (recipient,), "", detail) for recipient in recipients]
        self._finish()
        return events

    def _finish(self) -> None:
        self._forget()
        self._message_id = self._queue_id = None

    def _event(
        self, line: Line, what: What, recipients: tuple[str, ...], reply: str, more: dict[str, str]
    ) -> Event:
        return Event(
            what=what,
            line=line.number,
            at=line.at,
            host=self._own or None,
            peer=self._peer or None,
            peer_ip=self._remote,
            message_id=self._message_id,
            queue_id=self._queue_id,
            sender=self._sender,
            recipients=recipients,
            reply=reply,
            detail={"connector": self._connector, "session": self._name, **self._known, **more},
        )


def _step(data: str) -> str:
    """A command's name: with its mechanism, and without its arguments."""
    words = data.upper().split()
    if not words:
        return ""
    if words[0] in ("X-EXPS", "AUTH"):
        return " ".join(words[:2])
    if words[0] in ("MAIL", "RCPT"):
        return "MAIL FROM" if words[0] == "MAIL" else "RCPT TO"
    return f"{words[0]} LAST" if words[0] == "BDAT" and words[-1] == "LAST" else words[0][:40]


def _address(data: str) -> str:
    hit = _ADDRESS.match(data)
    return hit[1].lower() if hit else ""


def _proved(step: str, reply: str) -> dict[str, str]:
    """The category that a refusal of a command proves."""
    for entry in _data()["refused"]:
        if step.startswith(entry["command"]) and reply.startswith(entry.get("reply", "")):
            return {"category": entry["category"]}
    return {}


@cache
def _troubles() -> tuple[Trouble, ...]:
    return tuple(
        Trouble(each["text"].lower(), each["step"], each.get("category", ""), each.get("waits", False))
        for each in _data()["trouble"]
    )


def _cut() -> dict[str, str]:
    return {"category": _data()["disconnect"]["category"]}


@cache
def _data() -> dict[str, Any]:
    return read_toml(data_file("logs", "exchange_protocol.toml"))
