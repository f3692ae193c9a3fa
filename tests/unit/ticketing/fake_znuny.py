"""A Znuny of three operations, written from the public description of its Generic Interface."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from typing import Any

import orjson

from service.ticketing.nouns import Webhook
from tests.unit.ticketing.fake_server import FakeServer, Reply, Request
from tests.unit.ticketing.fakes import KEY, SHARED

AGENT, SESSION = "ndr", "session-1"
QUEUES, PRIORITIES = ("Raw", "Postmaster"), ("1 very low", "3 normal", "5 very high")
FIELDS = ("BounceCategory", "BounceTags")
NOW = int(time.time())
_NOTE = {
    **{"CommunicationChannel": "Internal", "SenderType": "agent"},
    **{"IsVisibleForCustomer": 0, "NoAgentNotify": 1, "ContentType": "text/plain; charset=utf8"},
}


@dataclass
class FakeZnuny:
    """Tickets and articles in memory.

    Every change that could mail somebody, set a state or show a customer something fails the test.
    """

    webservice: str = "GenericTicketConnectorREST"
    update_route: tuple[str, str] = ("PATCH", r"/Ticket/([^/]+)")
    tickets: dict[int, dict[str, Any]] = field(default_factory=dict)
    articles: dict[int, dict[str, Any]] = field(default_factory=dict)

    def add_ticket(self, number: int, **fields: str) -> int:
        """A ticket whose number is a long one that ends in its id."""
        told = {"TicketID": str(number), "TicketNumber": f"20261124{number:08}", "State": "open"}
        kept = {**dict.fromkeys(FIELDS), **fields}
        self.tickets[number] = {**told, "Queue": "Raw", "Priority": "3 normal", "fields": kept}
        return number

    def add_article(self, ticket: int, raw: bytes = b"", **given: Any) -> int:
        """An article by a customer; of a mail Znuny keeps text, some headers, and the other parts."""
        number = len(self.articles) + 100
        told = {"ArticleID": str(number), "TicketID": str(ticket), "SenderType": "customer"}
        times = {"IncomingTime": str(NOW), "IsVisibleForCustomer": "1", "Subject": "", "Body": ""}
        self.articles[number] = {**told, **times, **_taken_apart(message_from_bytes(raw)), **given}
        return number

    def webhook(self, article: int, shared: str = SHARED, *, with_ticket: bool = True) -> Webhook:
        """What an invoker of the type Ticket::Generic sends, with basic authentication."""
        told = self.articles[article]
        event = {"Event": "ArticleCreate", "TicketID": told["TicketID"], "ArticleID": told["ArticleID"]}
        shown = {"TicketID": told["TicketID"], "Articles": [_shown(told)]} if with_ticket else {}
        coded = b64encode(f"ndr:{shared}".encode()).decode()
        return Webhook({"authorization": f"Basic {coded}"}, orjson.dumps({"Ticket": shown, "Event": event}))

    def notes(self, ticket: int) -> list[str]:
        """The bodies of a ticket's internal articles."""
        return [each["Body"] for each in self._of(ticket) if not int(each["IsVisibleForCustomer"])]

    def server(self) -> FakeServer:
        """Znuny on loopback."""
        method, route = self.update_route
        routes = (
            ("GET", r"/Ticket", self._search),
            ("GET", r"/Ticket/([^/]+)", self._get),
            (method, route, self._update),
        )
        base = rf"/nph-genericinterface\.pl/Webservice/{self.webservice}"
        whole = [(verb, base + path, answer) for verb, path, answer in routes]
        return FakeServer(whole, prefix="/znuny", check=_check)

    def _of(self, ticket: int) -> list[dict[str, Any]]:
        return [each for each in self.articles.values() if each["TicketID"] == str(ticket)]

    def _search(self, request: Request, _: re.Match[str]) -> Any:
        query = dict(request.query)
        if not _is_known(request):
            return _error("TicketSearch.AuthFail")
        assert {"Age", "Up"} == {query.pop("SortBy"), query.pop("OrderBy")}
        assert "AllTickets" == query.pop("SearchInArchive")
        assert int(query.pop("Limit")) <= 500
        ((name, value),) = query.items()
        if name == "TicketNumber":
            found = [key for key, each in self.tickets.items() if each["TicketNumber"] == value]
        else:
            assert "ArticleCreateTimeNewerMinutes" == name
            since = NOW - 60 * int(value)
            new = {each["TicketID"] for each in self.articles.values() if int(each["IncomingTime"]) > since}
            found = [key for key in self.tickets if str(key) in new]
        return {"TicketID": [str(key) for key in found]} if found else {}

    def _get(self, request: Request, path: re.Match[str]) -> Any:
        query = request.query
        assert query.keys() <= {
            *("AllArticles", "Attachments", "DynamicFields"),
            *("ArticleSenderType", "ArticleOrder", "ArticleLimit"),
        }
        ticket = self.tickets.get(int(path[1]) if path[1].isdecimal() else -1)
        if not _is_known(request):
            return _error("TicketGet.AuthFail")
        if ticket is None:
            return _error("TicketGet.AccessDenied")
        told = {name: value for name, value in ticket.items() if name != "fields"}
        if query.get("DynamicFields") == "1":
            told["DynamicField"] = [
                {"Name": name, "Value": value} for name, value in ticket["fields"].items()
            ]
        if query.get("AllArticles") == "1":
            told["Article"] = self._listed(int(path[1]), query)
        return {"Ticket": [told]}

    def _listed(self, ticket: int, query: Any) -> list[dict[str, Any]]:
        kinds = query.get("ArticleSenderType")
        found = [each for each in self._of(ticket) if kinds in (None, each["SenderType"])]
        if limit := int(query.get("ArticleLimit", 0)):
            found = (found[::-1] if query.get("ArticleOrder") == "DESC" else found)[:limit]
        return found if query.get("Attachments") == "1" else [_shown(each) for each in found]

    def _update(self, request: Request, path: re.Match[str]) -> Any:
        value = request.json
        assert value.keys() <= {"TicketID", "Ticket", "DynamicField", "Article"}, sorted(value)
        assert not path.groups() or path[1] == value["TicketID"]
        ticket = self.tickets.get(int(value["TicketID"]))
        if not _is_known(request) or ticket is None:
            return _error("TicketUpdate.AccessDenied")
        moved, fields = value.get("Ticket", {}), value.get("DynamicField", [])
        assert moved.keys() <= {"Queue", "QueueID", "Priority", "PriorityID"}, sorted(moved)
        is_known = moved.get("Queue", "Raw") in QUEUES and moved.get("Priority", "3 normal") in PRIORITIES
        if not is_known or any(each["Name"] not in FIELDS for each in fields):
            return _error("TicketUpdate.InvalidParameter")
        ticket.update(moved)
        ticket["fields"].update({each["Name"]: each["Value"] for each in fields})
        if article := value.get("Article"):
            assert {**_NOTE, "Subject": article["Subject"], "Body": article["Body"]} == article
            number = self.add_article(int(value["TicketID"]), **article)
            return {"TicketID": value["TicketID"], "ArticleID": str(number)}
        return {"TicketID": value["TicketID"], "TicketNumber": ticket["TicketNumber"]}


def _check(request: Request) -> None:
    assert not {"UserLogin", "Password", "SessionID"} & request.query.keys(), "credentials in the address"
    assert request.method != "GET" or not request.body, "Znuny reads no body of a GET"


def _is_known(request: Request) -> bool:
    given = request.headers
    by_name = (given.get("x-otrs-header-userlogin"), given.get("x-otrs-header-password")) == (AGENT, KEY)
    return by_name or given.get("x-otrs-header-sessionid") == SESSION


def _error(code: str) -> Reply:
    """How the Generic Interface refuses: with a success."""
    return Reply(200, {"Error": {"ErrorCode": code, "ErrorMessage": f"{code}: not for you"}})


def _shown(article: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in article.items() if name != "Attachment"}


def _taken_apart(mail: Message) -> dict[str, Any]:
    """What is kept of a mail: the first part is the text, each other one a file; nested mails stay whole."""
    headers = (("From", "From"), ("Subject", "Subject"), ("MessageID", "Message-ID"))
    kept = {name: mail[header] or "" for name, header in headers}
    if not mail.is_multipart():
        return {**kept, "Body": mail.get_payload()}
    first, *others = mail.get_payload()
    files = [
        {
            "Filename": f"file-{number}",
            "ContentType": part["Content-Type"],
            "Content": b64encode(_content(part)).decode(),
            "FileID": str(number),
        }
        for number, part in enumerate(others, 2)
    ]
    return {**kept, "Body": first.get_payload(), "Attachment": files}


def _content(part: Message) -> bytes:
    return part.as_bytes().partition(b"\n\n")[2]
