"""A Zammad of a few calls, written from its public API documentation; it refuses what Zammad would."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from service.ticketing.nouns import Webhook
from tests.unit.ticketing.fake_server import FakeServer, Reply, Request
from tests.unit.ticketing.fakes import KEY, SHARED

AGENT, CUSTOMER = "ndr@desk.example", "mailer-daemon@mx.example.com"
GROUPS, PRIORITIES = ("Users", "Postmaster"), ("1 low", "2 normal", "3 high")
FIELDS = ("bounce_category", "bounce_action")
_CHANGEABLE = {*FIELDS, "group", "group_id", "priority", "priority_id"}
GONE = Reply(404, {"error": "Couldn't find it"})
REFUSED = Reply(422, {"error": "No value found"})


@dataclass
class FakeZammad:
    """Tickets, articles and tags in memory.

    Every change that could mail a customer, reopen a ticket or show him something fails the test. An
    unwilling one does not merge, and says so with a success, as Zammad does.
    """

    tickets: dict[int, dict[str, Any]] = field(default_factory=dict)
    articles: dict[int, dict[str, Any]] = field(default_factory=dict)
    tags: dict[int, list[str]] = field(default_factory=dict)
    mails: dict[int, bytes] = field(default_factory=dict)
    is_unwilling: bool = False

    def add_ticket(self, number: int, *, state: str = "open", tags: tuple[str, ...] = ()) -> int:
        """A ticket whose number is ten thousand above its id."""
        ticket = {
            "id": number,
            "number": str(10000 + number),
            "state": state,
            "updated_at": "2026-11-24T12:00:00.000Z",
        }
        self.tickets[number] = {**ticket, "group": "Users", "priority": "2 normal", **dict.fromkeys(FIELDS)}
        self.tags[number] = list(tags)
        return number

    def add_article(self, ticket: int, **given: Any) -> int:
        """A mail from a customer, unless told otherwise; ``raw`` is what is kept of it."""
        raw = given.pop("raw", None)
        number = len(self.articles) + 100
        told = {"id": number, "ticket_id": ticket, "type": "email", "sender": "Customer", "internal": False}
        author = {
            "created_by": CUSTOMER,
            "created_at": "2026-11-24T12:00:00.123Z",
            "message_id": None,
            "body": "",
        }
        self.articles[number] = {**told, **author, **given}
        if raw is not None:
            self.mails[number] = raw
        return number

    def webhook(self, article: int, shared: str = SHARED) -> Webhook:
        """What a trigger sends about an article."""
        told = self.articles[article]
        author = {"login": told["created_by"], "email": told["created_by"]}
        body = orjson.dumps(
            {"ticket": self.tickets[told["ticket_id"]], "article": {**told, "created_by": author}}
        )
        digest = hmac.new(shared.encode(), body, hashlib.sha1).hexdigest()
        return Webhook({"x-hub-signature": f"sha1={digest}", "x-zammad-trigger": "bounces"}, body)

    def notes(self, ticket: int) -> list[str]:
        """The bodies of a ticket's internal notes."""
        return [
            each["body"]
            for each in self.articles.values()
            if each["ticket_id"] == ticket and each["internal"]
        ]

    def server(self) -> FakeServer:
        """Zammad on loopback."""
        routes = (
            ("GET", r"/api/v1/tickets/search", self._search),
            ("GET", r"/api/v1/tickets/([^/]+)", self._ticket),
            ("PUT", r"/api/v1/tickets/([^/]+)", self._update),
            ("GET", r"/api/v1/ticket_articles/by_ticket/([^/]+)", self._by_ticket),
            ("GET", r"/api/v1/ticket_articles/([^/]+)", self._article),
            ("POST", r"/api/v1/ticket_articles", self._add_article),
            ("GET", r"/api/v1/ticket_article_plain/([^/]+)", self._plain),
            ("GET", r"/api/v1/tags", self._tags),
            ("POST", r"/api/v1/tags/add", self._tag),
            ("DELETE", r"/api/v1/tags/remove", self._untag),
            ("PUT", r"/api/v1/ticket_merge/([^/]+)/([^/]+)", self._merge),
        )
        return FakeServer(routes, check=_check)

    def _search(self, request: Request, _: re.Match[str]) -> Any:
        assert request.query.get("expand") == "true", "only the expanded answer is a list"
        size, page = int(request.query["per_page"]), int(request.query["page"])
        assert 0 < size <= 200
        tickets = sorted(self.tickets.values(), key=lambda each: each["updated_at"])
        if "query" in request.query:
            words = request.query["query"]
            found = [each for each in tickets if words in each["number"] or words in str(each.get("title"))]
        else:
            assert request.query["condition[ticket.updated_at][operator]"] == "after (absolute)"
            assert ("updated_at", "asc") == (request.query["sort_by"], request.query["order_by"])
            since = request.query["condition[ticket.updated_at][value]"]
            found = [each for each in tickets if each["updated_at"] > since]
        return found[(page - 1) * size : page * size]

    def _ticket(self, request: Request, path: re.Match[str]) -> Any:
        assert request.query == {"expand": "true"}, "names are only in the expanded answer"
        return self.tickets.get(_id(path[1]), GONE)

    def _update(self, request: Request, path: re.Match[str]) -> Any:
        value = request.json
        assert value.keys() <= _CHANGEABLE, f"{sorted(value)} may not all be changed"
        ticket = self.tickets.get(_id(path[1]))
        if ticket is None:
            return GONE
        if value.get("group", "Users") not in GROUPS or value.get("priority", "1 low") not in PRIORITIES:
            return REFUSED
        if "priority_id" in value:
            value["priority"] = PRIORITIES[value.pop("priority_id") - 1]
        ticket.update(value)
        return ticket

    def _by_ticket(self, _: Request, path: re.Match[str]) -> Any:
        if _id(path[1]) not in self.tickets:
            return GONE
        return [each for each in self.articles.values() if each["ticket_id"] == _id(path[1])]

    def _article(self, _: Request, path: re.Match[str]) -> Any:
        return self.articles.get(_id(path[1]), GONE)

    def _add_article(self, request: Request, _: re.Match[str]) -> Any:
        value = request.json
        assert value["internal"] is True, "customers see it"
        assert value["type"] == "note", "that type is sent out"
        assert value["sender"] == "Agent"
        assert value["content_type"] == "text/html"
        assert value["preferences"]["send-auto-response"] is False, "triggers would answer it"
        assert not value.keys() & {"to", "cc", "origin_by_id"}
        ticket = int(value.pop("ticket_id"))
        if ticket not in self.tickets:
            return GONE
        return Reply(201, self.articles[self.add_article(ticket, created_by=AGENT, **value)])

    def _plain(self, _: Request, path: re.Match[str]) -> Any:
        mail = self.mails.get(_id(path[1]))
        return Reply(204) if mail is None else Reply(200, mail, {"Content-Type": "message/rfc822"})

    def _tags(self, request: Request, _: re.Match[str]) -> Any:
        assert request.query["object"] == "Ticket"
        return {"tags": self.tags.get(int(request.query["o_id"]), [])}

    def _tag(self, request: Request, _: re.Match[str]) -> Any:
        ticket, tag = _of_tag(request)
        assert tag not in self.tags[ticket], "it is there already"
        self.tags[ticket].append(tag)
        return Reply(201, value=True)

    def _untag(self, request: Request, _: re.Match[str]) -> Any:
        ticket, tag = _of_tag(request)
        self.tags[ticket].remove(tag)
        return Reply(201, value=True)

    def _merge(self, _: Request, path: re.Match[str]) -> Any:
        child = self.tickets.get(_id(path[1]))
        parent = next((each for each in self.tickets.values() if each["number"] == path[2]), None)
        if child is None or parent is None or self.is_unwilling:
            return {"result": "failed", "message": "The ticket could not be found."}
        if parent["state"] == "merged" or parent is child:
            return REFUSED
        for article in self.articles.values():
            if article["ticket_id"] == child["id"]:
                article["ticket_id"] = parent["id"]
        child["state"] = "merged"
        return {"result": "success", "target_ticket": parent, "source_ticket": child}


def _check(request: Request) -> None:
    assert request.headers.get("authorization") == f"Token token={KEY}", "no access token"
    is_quiet = request.headers.get("x-zammad-suppress-notifications") == "true"
    assert request.method == "GET" or is_quiet, "agents would be mailed"
    assert request.method != "GET" or not request.body


def _of_tag(request: Request) -> tuple[int, str]:
    value = request.json
    assert {"object", "o_id", "item"} == value.keys()
    assert value["object"] == "Ticket"
    return int(value["o_id"]), value["item"]


def _id(part: str) -> int:
    return int(part) if part.isdecimal() else -1
