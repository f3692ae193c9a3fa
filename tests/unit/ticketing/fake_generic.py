"""A ticketing system that nobody sells, for the adapter that is told by its configuration how to call one."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field, replace
from typing import Any

from service.ticketing.nouns import System
from service.ticketing.systems.generic import Generic
from tests.unit.ticketing.fake_server import FakeServer, Reply, Request
from tests.unit.ticketing.fakes import KEY, SHARED, FakeClock

GONE = Reply(404, {"error": "no such ticket"})
FORMS = {
    "tags": {"labels", "fields"},
    "queue": {"queue"},
    "priority": {"priority"},
    "note": {"text", "visibility"},
    "merge": {"into"},
}

SENT = "<desk-T7-abc@desk.example>"
OPTIONS = {
    "authorization": "X-Desk-Key: {user}:{token}",
    "ticket_at": "ticket.name",
    "message_at": "mails.0.id",
    "author_at": "by",
    "event_at": "what",
    "events": "mail_came, mail_moved",
    "read": "GET /api/tickets/{ticket}",
    "tags_at": "ticket.labels",
    "fetch": "GET /api/tickets/{ticket}/mails/{message}",
    "notes": "GET /api/tickets/{ticket}/notes",
    "tags": "PUT /api/tickets/{ticket}/tags",
    "tags_body": '{"labels": "{tags}", "fields": "{fields}"}',
    "queue": "PUT /api/tickets/{ticket}/queue",
    "queue_body": '{"queue": {"id": "{queue|number}"}}',
    "priority": "PUT /api/tickets/{ticket}/priority",
    "priority_body": '{"priority": "{priority}"}',
    "note": "PUT /api/tickets/{ticket}/note",
    "note_body": '{"text": "{title}\\n{note}", "visibility": "internal"}',
    "merge": "PUT /api/tickets/{ticket}/merge",
    "merge_body": '{"into": "{target}"}',
    "subject": "[Desk {ticket}]",
    "message_id": "<desk-{ticket}-",
    "poll": "GET /api/news?since={since}",
    "poll_at": "items",
}
SYSTEM = System(
    "desk",
    "generic",
    "https://desk.example/desk",
    user="ndr",
    token=KEY,
    secret=SHARED,
    fields={"category": "bounce"},
    options=OPTIONS,
)
NOON = FakeClock()
GENERIC = Generic(SYSTEM, NOON)
WHSEC = "whsec_" + b64encode(b"k" * 32).decode()


def configured(secret: str = SHARED, drop: tuple[str, ...] = (), **options: str) -> Generic:
    """The same system with other options."""
    kept = {name: value for name, value in OPTIONS.items() if name not in drop}
    return Generic(replace(SYSTEM, secret=secret, options={**kept, **options}), NOON)


@dataclass
class FakeGeneric:
    """Tickets, notes and mails in memory; ``done`` are the changes in the order they were made."""

    tickets: dict[str, dict[str, Any]] = field(default_factory=dict)
    mails: dict[tuple[str, str], bytes] = field(default_factory=dict)
    notes: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    news: list[dict[str, Any]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def add_ticket(self, name: str, *, labels: tuple[str, ...] = ()) -> None:
        """An open ticket."""
        self.tickets[name] = {"name": name, "state": "open", "labels": list(labels), "fields": {}}
        self.notes[name] = []

    def server(self) -> FakeServer:
        """The system on loopback, below a path of its own."""
        ticket = r"/api/tickets/([^/]+)"
        routes = (
            ("GET", ticket, lambda _, path: {"ticket": self.tickets[path[1]]} if self._has(path) else GONE),
            ("GET", rf"{ticket}/mails/([^/]+)", self._mail),
            ("GET", rf"{ticket}/notes", lambda _, path: {"notes": self.notes[path[1]]}),
            ("PUT", rf"{ticket}/(tags|queue|priority|note|merge)", self._change),
            ("GET", r"/api/news", self._news),
        )
        return FakeServer(routes, prefix="/desk", check=_check)

    def _has(self, path: re.Match[str]) -> bool:
        return path[1] in self.tickets

    def _mail(self, request: Request, path: re.Match[str]) -> Any:
        mail = self.mails.get((path[1], path[2]))
        if mail is None:
            return GONE
        if request.headers["accept"] == "application/json":
            return {"mail": {"source": mail.decode()}}
        return Reply(200, mail, {"Content-Type": "message/rfc822"})

    def _change(self, request: Request, path: re.Match[str]) -> Any:
        value, name = request.json, path[2]
        assert FORMS[name] == value.keys(), f"{name} takes {FORMS[name]}"
        if not self._has(path):
            return GONE
        self.done.append(name)
        if name == "note":
            assert value["visibility"] == "internal", "customers see it"
            self.notes[path[1]].append(value)
        else:
            self.tickets[path[1]].update(value)
        return Reply(204)

    def _news(self, request: Request, _: re.Match[str]) -> Any:
        since = request.query["since"]
        return {"items": [each for each in self.news if each["at"] >= since]}


def _check(request: Request) -> None:
    assert request.headers.get("x-desk-key") == f"ndr:{KEY}", "no key"
