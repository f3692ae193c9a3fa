"""A Zendesk of a few calls, written from its public API documentation; it refuses what Zendesk would."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from service.ticketing.nouns import Webhook
from tests.unit.ticketing.fake_server import FakeServer, Reply, Request
from tests.unit.ticketing.fakes import KEY, SHARED

AGENT, AGENT_ID, MAILER = "ndr@desk.example", 900, "mailer-daemon@mx.example.com"
FIELDS = (360001, 360002)
GROUPS, PRIORITIES = (41, 42), ("low", "normal", "high", "urgent")
AT = "2026-11-24T12:00:00Z"
GONE = Reply(404, {"error": "RecordNotFound", "description": "Not found"})
INVALID = Reply(422, {"error": "RecordInvalid", "description": "Record validation errors"})
_CHANGEABLE = {"custom_fields", "group_id", "priority", "comment"}


@dataclass
class FakeZendesk:
    """Tickets, comments, files and sent mails in memory.

    Every change that could show a customer something or change a status fails the test. ``sent`` is ``None``
    where the account does not tell which mails it sent.
    """

    tickets: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    files: dict[str, bytes | Reply] = field(default_factory=dict)
    sent: dict[int, list[str]] | None = field(default_factory=dict)
    page: int = 100

    def add_ticket(self, number: int, *, status: str = "open", tags: tuple[str, ...] = ()) -> int:
        """A ticket with the two custom fields of the account."""
        fields = [{"id": each, "value": None} for each in FIELDS]
        told = {"id": number, "subject": "Undelivered Mail Returned to Sender", "status": status}
        usual = {"group_id": 41, "priority": None, "updated_at": AT, "custom_fields": fields}
        self.tickets[number] = {**told, **usual, "tags": list(tags)}
        self.comments[number] = []
        return number

    def add_comment(self, ticket: int, **given: Any) -> int:
        """A mail from a customer, unless told otherwise; ``files`` are names with type and address."""
        number = 5000 + sum(map(len, self.comments.values()))
        files = [
            {"file_name": name, "content_type": kind, "content_url": address}
            for name, kind, address in given.pop("files", ())
        ]
        via = {"channel": given.pop("channel", "email"), "source": {"from": {"address": MAILER}}}
        told = {"id": number, "type": "Comment", "author_id": 77, "body": "", "public": True, "via": via}
        system = {"message_id": "<report-1@mx.example.com>"}
        more = {"created_at": AT, "attachments": files, "metadata": {"system": system, "custom": {}}}
        self.comments[ticket].append({**told, **more, **given})
        return number

    def webhook(self, kind: str, ticket: int, comment: int | None = None, actor: int = 77) -> Webhook:
        """What Zendesk tells of an event, as at noon."""
        event = {"comment": {"id": str(comment), "is_public": True}} if comment else {}
        detail = {"id": str(ticket), "actor_id": str(actor), "subject": "…"}
        value = {"type": kind, "id": "cbe4028c", "time": AT, "detail": detail, "event": event}
        return signed(orjson.dumps(value))

    def notes(self, ticket: int) -> list[str]:
        """The bodies of a ticket's private comments."""
        return [each["body"] for each in self.comments[ticket] if not each["public"]]

    def values(self, ticket: int) -> dict[int, object]:
        """A ticket's custom fields."""
        return {each["id"]: each["value"] for each in self.tickets[ticket]["custom_fields"]}

    def server(self) -> FakeServer:
        """Zendesk on loopback."""
        routes = (
            ("GET", r"/api/v2/tickets/([^/]+)", self._ticket),
            ("PUT", r"/api/v2/tickets/([^/]+)", self._update),
            ("GET", r"/api/v2/tickets/([^/]+)/comments", self._comments),
            ("PUT", r"/api/v2/tickets/([^/]+)/tags", self._tag),
            ("DELETE", r"/api/v2/tickets/([^/]+)/tags", self._untag),
            ("POST", r"/api/v2/tickets/([^/]+)/merge", self._merge),
            ("GET", r"/api/v2/email_notifications", self._sent),
            ("GET", r"/api/v2/incremental/tickets/cursor", self._changed),
            ("GET", r"/attachments/token/([^/]+)/", lambda _, path: self.files[path[1]]),
        )
        return FakeServer(routes, check=_check)

    def _ticket(self, _: Request, path: re.Match[str]) -> Any:
        ticket = self.tickets.get(_id(path[1]))
        return GONE if ticket is None else {"ticket": ticket}

    def _update(self, request: Request, path: re.Match[str]) -> Any:
        value = request.json
        assert {"ticket"} == value.keys()
        told, ticket = value["ticket"], self.tickets.get(_id(path[1]))
        assert told, "an update of nothing"
        assert told.keys() <= _CHANGEABLE, f"{sorted(told)} may not all be changed"
        if ticket is None:
            return GONE
        if ticket["status"] == "closed":
            return INVALID
        if told.get("group_id", 41) not in GROUPS or told.get("priority", "low") not in PRIORITIES:
            return INVALID
        if comment := told.pop("comment", None):
            assert comment.pop("public") is False, "customers see it"
            assert {"body"} == comment.keys()
            self.add_comment(ticket["id"], public=False, channel="api", author_id=AGENT_ID, **comment)
        given = {each["id"]: each["value"] for each in told.pop("custom_fields", ())}
        ticket["custom_fields"] = [
            {"id": each["id"], "value": given.get(each["id"], each["value"])}
            for each in ticket["custom_fields"]
        ]
        ticket.update(told)
        return {"ticket": ticket}

    def _comments(self, request: Request, path: re.Match[str]) -> Any:
        if _id(path[1]) not in self.comments:
            return GONE
        assert request.query["sort_order"] in {"asc", "desc"}
        assert 0 < int(request.query["per_page"]) <= 100
        found = self.comments[_id(path[1])]
        found = found[::-1] if request.query["sort_order"] == "desc" else found
        page = int(request.query["page"])
        here = found[(page - 1) * self.page : page * self.page]
        more = f"https://desk.example/…?page={page + 1}" if page * self.page < len(found) else None
        return {"comments": here, "next_page": more, "previous_page": None, "count": len(found)}

    def _tag(self, request: Request, path: re.Match[str]) -> Any:
        """Adds; a ``POST`` would replace them."""
        value, ticket = request.json, self.tickets[_id(path[1])]
        assert {"tags"} == value.keys()
        if ticket["status"] == "closed":
            return INVALID
        ticket["tags"] += [word.lower() for word in value["tags"] if word.lower() not in ticket["tags"]]
        return {"tags": ticket["tags"]}

    def _untag(self, request: Request, path: re.Match[str]) -> Any:
        value, ticket = request.json, self.tickets[_id(path[1])]
        assert {"tags"} == value.keys()
        if ticket["status"] == "closed":
            return INVALID
        ticket["tags"] = [tag for tag in ticket["tags"] if tag not in value["tags"]]
        return {"tags": ticket["tags"]}

    def _merge(self, request: Request, path: re.Match[str]) -> Any:
        value = request.json
        public = {"source_comment_is_public", "target_comment_is_public"}
        assert {"ids", "source_comment", "target_comment", *public} == value.keys()
        assert not any(value[each] for each in public), "customers see it"
        target = self.tickets.get(_id(path[1]))
        if target is None:
            return GONE
        if target["status"] == "closed":
            return INVALID
        for number in value["ids"]:
            assert isinstance(number, int)
            self.tickets[number]["status"] = "closed"
            self.tickets[number]["merged_into"] = target["id"]
        return {"job_status": {"id": "82de0b04", "status": "queued", "total": 1}}

    def _sent(self, request: Request, _: re.Match[str]) -> Any:
        ticket = int(request.query["filter[ticket_id]"])
        if self.sent is None:
            return Reply(403, {"error": "Forbidden"})
        found = [{"ticket_id": ticket, "message_id": each} for each in self.sent.get(ticket, ())]
        return {"email_notifications": found, "meta": {"has_more": False}}

    def _changed(self, request: Request, _: re.Match[str]) -> Any:
        if "cursor" in request.query:
            assert {"cursor": "MTU3NjYx"} == request.query
            return {"tickets": self._since(0)[1:], "after_cursor": None, "end_of_stream": True}
        found = self._since(int(request.query["start_time"]))
        return {"tickets": found[:1], "after_cursor": "MTU3NjYx", "end_of_stream": len(found) < 2}

    def _since(self, seconds: int) -> list[dict[str, Any]]:
        tickets = sorted(self.tickets.values(), key=lambda each: (each["updated_at"], each["id"]))
        return [each for each in tickets if datetime.fromisoformat(each["updated_at"]).timestamp() >= seconds]


def signed(body: bytes, at: str = AT, shared: str = SHARED) -> Webhook:
    """A webhook as Zendesk signs it: base64 of the HMAC of time and body."""
    digest = hmac.new(shared.encode(), at.encode() + body, hashlib.sha256).digest()
    name = "x-zendesk-webhook-signature"
    return Webhook({name: b64encode(digest).decode(), f"{name}-timestamp": at}, body)


def _check(request: Request) -> None:
    expected = b64encode(f"{AGENT}/token:{KEY}".encode()).decode()
    assert request.headers.get("authorization") == f"Basic {expected}", "no API token"
    assert request.method != "GET" or not request.body


def _id(part: str) -> int:
    return int(part) if part.isdecimal() else -1
