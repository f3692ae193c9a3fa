"""Fakes of what ticketing meets: a system that answers by script, a clock that is set by hand."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from service.errors import CallRefused
from service.outgoing import Answered, Caller
from service.ticketing.calls import json_of, word_of
from service.ticketing.desks import Desk
from service.ticketing.errors import BadSignature
from service.ticketing.nouns import Change, Event, Note, Origin, Original, System, Webhook

KEY = "1-2-abc"
SHARED = "shared by both sides"

Script = Mapping[tuple[str, str], Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was made."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class FakeCaller:
    """Answers each (method, path) of a script: bytes as they are, anything else as JSON, errors raised.

    What is not in the script is refused with 404.
    """

    script: Script
    calls: list[Call] = field(default_factory=list)

    def call(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answered:
        self.calls.append(Call(method, path, body or b"", dict(headers or {})))
        if (method, path) not in self.script:
            raise CallRefused("the fake answered 404", 404)
        answer = self.script[method, path]
        if isinstance(answer, Exception):
            raise answer
        return Answered(200, {}, answer if isinstance(answer, bytes) else orjson.dumps(answer))

    def made(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]


@dataclass
class FakeClock:
    """A clock that stands still until it is moved."""

    now: datetime = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def bounce(
    recipient: str = "gone@example.net",
    *,
    returned: str = "Message-ID: <sent-1@desk.example>\nSubject: [desk #7] Your order\n",
    action: str = "failed",
    status: str = "5.1.1",
    reply: str = "550 5.1.1 User unknown",
    text: str = "",
    returned_text: str = "Dear customer\n",
) -> bytes:
    """A report as Postfix makes it; with ``returned`` empty it shows nothing of the mail that came back."""
    head = (
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.com (Mail Delivery System)\n"
        "Subject: Undelivered Mail Returned to Sender\nTo: desk@desk.example\nAuto-Submitted: auto-replied\n"
        'MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
    )
    told = f"<{recipient}>: host mx.example.net said: {reply} (in reply to RCPT TO command)\n{text}"
    parts = [
        f"Content-Type: text/plain; charset=utf-8\n\n{told}",
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.com\n\n"
        f"Final-Recipient: rfc822; {recipient}\nAction: {action}\nStatus: {status}\n"
        f"Diagnostic-Code: smtp; {reply}\n",
    ]
    if returned:
        parts.append(f"Content-Type: message/rfc822\n\n{returned}\n{returned_text}")
    return (head + "".join(f"--b\n{part}\n" for part in parts) + "--b--\n").encode()


ORDINARY = b"From: a@example.net\nTo: desk@desk.example\nSubject: A question\n\nWhen do you open?\n"


@dataclass
class FakeTicket:
    """A ticket as the fake system keeps it."""

    status: str = "open"
    tags: tuple[str, ...] = ()
    notes: list[Note] = field(default_factory=list)
    queue: str = ""
    priority: str = ""
    merged_into: str = ""


@dataclass
class FakeDesk:
    """A ticketing system in memory, and its own adapter.

    ``notify`` is called with each note that is added, as systems that mail their staff do; ``failures`` are
    raised, one for each call of ``write``; those after ``late`` only when all is written.
    """

    system: System = field(default_factory=lambda: System("desk", "fake", "https://desk.example"))
    tickets: dict[str, FakeTicket] = field(default_factory=dict)
    mails: dict[tuple[str, str], bytes] = field(default_factory=dict)
    known_ids: dict[str, str] = field(default_factory=lambda: {"<sent-1@desk.example>": "7"})
    failures: list[Exception] = field(default_factory=list)
    late: list[Exception] = field(default_factory=list)
    changes: list[tuple[str, Change]] = field(default_factory=list)
    notify: Callable[[str, Note], None] | None = None

    def receive(self, raw: bytes, ticket: str | None = None) -> Event:
        """Takes a mail as a system does: into a ticket, or a new one."""
        number = ticket or str(len(self.tickets) + 100)
        self.tickets.setdefault(number, FakeTicket())
        message = str(len(self.mails) + 1)
        self.mails[number, message] = raw
        return Event(number, message)

    def headers(self) -> Mapping[str, str]:
        return {}

    def read(self, request: Webhook) -> Event | None:
        if request.headers.get("x-token") != "right":
            raise BadSignature("The signature is missing or wrong.")
        told = json_of(request)
        return Event(word_of(told, "ticket"), word_of(told, "message"), is_own=told.get("own") is True)

    def fetch(self, caller: Caller, event: Event) -> bytes | None:
        return self.mails.get((event.ticket, event.message))

    def origin(self, caller: Caller, original: Original) -> Origin | None:
        ticket = self.known_ids.get(original.message_id or "")
        return Origin(ticket, by_id=True) if ticket else None

    def has_note(self, caller: Caller, event: Event, marker: str) -> bool:
        return any(note.marker == marker for note in self.tickets[event.ticket].notes)

    def write(self, caller: Caller, event: Event, change: Change) -> None:
        if self.failures:
            raise self.failures.pop(0)
        ticket = self.tickets[event.ticket]
        ticket.tags = change.tags.among(ticket.tags)
        ticket.queue, ticket.priority = change.queue or ticket.queue, change.priority or ticket.priority
        ticket.merged_into = change.merge_into
        self.changes.append((event.ticket, change))
        if change.note:
            ticket.notes.append(change.note)
            if self.notify:
                self.notify(event.ticket, change.note)
        if self.late:
            raise self.late.pop(0)

    def poll(self, caller: Caller, since: datetime) -> Iterator[Event]:
        return (Event(ticket, message) for ticket, message in list(self.mails))

    @property
    def notes(self) -> list[Note]:
        """All notes of all tickets."""
        return [note for ticket in self.tickets.values() for note in ticket.notes]

    def desk(self) -> Desk:
        return Desk(self.system, self, FakeCaller({}))  # type: ignore[arg-type]  # a fake is no class of adapters


def signed(body: bytes, shared: str = SHARED) -> Webhook:
    """A webhook as our own scrips and detectors sign it."""
    digest = hmac.new(shared.encode(), body, hashlib.sha256).hexdigest()
    return Webhook({"x-ndr-signature": f"sha256={digest}"}, body)
