"""A Jira Service Management of a few calls, written from its public API documentation."""

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

AGENT, ACCOUNT, CUSTOMER = "ndr@desk.example", "5b10ac8d", "qm:7f3e"
AT = "2026-11-24T12:00:00.123+0000"
MILLIS = round(datetime.fromisoformat(AT).timestamp() * 1000)
FIELDS: dict[str, dict[str, Any]] = {
    "customfield_10050": {"name": "Bounce category", "schema": {"type": "string"}},
    "customfield_10051": {"name": "Bounce action", "schema": {"type": "option"}},
    "customfield_10052": {"name": "Confidence", "schema": {"type": "number"}},
    "customfield_10053": {"name": "Owners", "schema": {"type": "array", "items": "option"}},
}
COMPONENTS, PRIORITIES, LINKS = ("Mail", "Postmaster"), ("Low", "Medium", "High"), ("Relates", "Duplicate")
GONE = Reply(404, {"errorMessages": ["Issue does not exist or you do not have permission to see it."]})


@dataclass
class FakeJira:
    """Issues, comments and files in memory.

    A change that notifies watchers, moves an issue to another status or shows a customer something fails the
    test.
    """

    issues: dict[str, dict[str, Any]] = field(default_factory=dict)
    comments: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=lambda: FIELDS)

    def add_issue(self, number: int, *, labels: tuple[str, ...] = (), **given: Any) -> str:
        """A customer's request of project SUP, whose id is ten thousand above its number."""
        key, author = f"SUP-{number}", {"accountId": CUSTOMER, "accountType": "customer"}
        fields = {
            "summary": "Undelivered Mail Returned to Sender",
            "description": "",
            "reporter": {**author, "emailAddress": "mailer-daemon@mx.example.com"},
            "creator": author,
            "created": AT,
            "updated": AT,
            "labels": list(labels),
            "components": [],
            "priority": {"name": "Medium"},
            "issuelinks": [],
            "attachment": [],
            **given,
        }
        self.issues[key] = {"id": str(10000 + number), "key": key, "fields": fields}
        self.comments[key] = []
        return key

    def add_comment(self, key: str, body: str, *, account: str = CUSTOMER, **given: Any) -> str:
        """A comment that a customer sees, unless told otherwise."""
        number = str(900 + sum(map(len, self.comments.values())))
        told = {"id": number, "author": {"accountId": account}, "body": body, "created": AT}
        self.comments[key].append({**told, "jsdPublic": True, **given})
        return number

    def add_file(self, key: str, name: str, kind: str, content: bytes, **given: Any) -> None:
        """A file that came with the issue, unless told otherwise."""
        number = str(300 + len(self.contents))
        self.contents[number] = content
        told = {"id": number, "filename": name, "mimeType": kind, "created": AT}
        file = {**told, "author": {"accountId": CUSTOMER}, "size": len(content), **given}
        self.issues[key]["fields"]["attachment"].append(file)

    def webhook(self, kind: str, key: str, comment: str = "", account: str = CUSTOMER) -> Webhook:
        """What Jira tells of an event."""
        author = {"accountId": account}
        value: dict[str, Any] = {"timestamp": MILLIS, "webhookEvent": kind, "issue": {"id": "1", "key": key}}
        value |= {"comment": {"id": comment, "author": author}} if comment else {"user": author}
        return signed(orjson.dumps(value))

    def notes(self, key: str) -> list[str]:
        """The bodies of an issue's internal comments."""
        return [each["body"] for each in self.comments[key] if not each["jsdPublic"]]

    def server(self) -> FakeServer:
        """Jira on loopback."""
        routes = (
            ("GET", r"/rest/api/2/myself", lambda *_: {"accountId": ACCOUNT, "emailAddress": AGENT}),
            ("GET", r"/rest/api/2/search/jql", self._search),
            ("POST", r"/rest/api/2/issueLink", self._link),
            ("GET", r"/rest/api/2/issue/([^/]+)", self._issue),
            ("PUT", r"/rest/api/2/issue/([^/]+)", self._edit),
            ("GET", r"/rest/api/2/issue/([^/]+)/editmeta", self._meta),
            ("GET", r"/rest/api/2/issue/([^/]+)/comment", self._comments),
            ("GET", r"/rest/api/2/issue/([^/]+)/comment/([^/]+)", self._comment),
            ("GET", r"/rest/api/2/attachment/content/([^/]+)", self._content),
            ("POST", r"/rest/servicedeskapi/request/([^/]+)/comment", self._add_comment),
        )
        return FakeServer(routes, check=_check)

    def _found(self, name: str) -> dict[str, Any] | None:
        return next((each for each in self.issues.values() if name in {each["id"], each["key"]}), None)

    def _issue(self, request: Request, path: re.Match[str]) -> Any:
        issue, names = self._found(path[1]), request.query["fields"].split(",")
        if issue is None:
            return GONE
        return {**issue, "fields": {name: issue["fields"][name] for name in names}}

    def _edit(self, request: Request, path: re.Match[str]) -> Any:
        assert {"notifyUsers": "false"} == request.query, "watchers are mailed"
        value, issue = request.json, self._found(path[1])
        assert value.keys() <= {"update", "fields"}
        assert not value["update"].keys() & value["fields"].keys(), "a field is either set or updated"
        if issue is None:
            return GONE
        fields = issue["fields"]
        for change in value["update"].pop("labels"):
            ((verb, label),) = change.items()
            assert " " not in label, "labels hold no blanks"
            fields["labels"] = [each for each in fields["labels"] if each != label]
            fields["labels"] += [label] if verb == "add" else []
        components = value["update"].pop("components", ())
        assert {} == value["update"]
        return self._set(fields, [each["add"] for each in components], value["fields"])

    def _set(self, fields: dict[str, Any], components: list[dict[str, str]], values: dict[str, Any]) -> Reply:
        priority = values.pop("priority", None)
        is_known = all(each.get("name") in COMPONENTS for each in components)
        if not is_known or (priority and "name" in priority and priority["name"] not in PRIORITIES):
            return Reply(400, {"errorMessages": [], "errors": {"components": "is not valid"}})
        assert all(_fits(self.shown[number]["schema"], each) for number, each in values.items())
        fields["components"] += [each for each in components if each not in fields["components"]]
        fields |= {**values, **({"priority": priority} if priority else {})}
        return Reply(204)

    def _meta(self, _: Request, path: re.Match[str]) -> Any:
        return {"fields": self.shown} if self._found(path[1]) else GONE

    def _comments(self, request: Request, path: re.Match[str]) -> Any:
        assert "-created" == request.query["orderBy"]
        if path[1] not in self.comments:
            return GONE
        start, size = int(request.query["startAt"]), int(request.query["maxResults"])
        assert size <= 100
        found = self.comments[path[1]][::-1]
        return {"startAt": start, "total": len(found), "comments": found[start : start + size]}

    def _comment(self, _: Request, path: re.Match[str]) -> Any:
        return next((each for each in self.comments.get(path[1], ()) if each["id"] == path[2]), GONE)

    def _content(self, request: Request, path: re.Match[str]) -> Any:
        if request.query.get("redirect") != "false":
            return Reply(303, headers={"Location": "https://api.media.example/file"})
        return self.contents[path[1]]

    def _add_comment(self, request: Request, path: re.Match[str]) -> Any:
        value = request.json
        assert {"body", "public"} == value.keys()
        assert value["public"] is False, "customers see it"
        if path[1] not in self.issues:
            return GONE
        self.add_comment(path[1], value["body"], account=ACCOUNT, jsdPublic=False)
        return Reply(201, {"id": "1", "public": False})

    def _link(self, request: Request, _: re.Match[str]) -> Any:
        value = request.json
        assert {"type", "inwardIssue", "outwardIssue"} == value.keys()
        first, second = self._found(value["inwardIssue"]["key"]), self._found(value["outwardIssue"]["key"])
        if first is None or second is None or value["type"]["name"] not in LINKS:
            return GONE
        first["fields"]["issuelinks"].append({"type": value["type"], "outwardIssue": {"key": second["key"]}})
        return Reply(201)

    def _search(self, request: Request, _: re.Match[str]) -> Any:
        """Answers one issue a page; the query itself is for the test to look at."""
        assert "created,updated" == request.query["fields"]
        assert 0 < int(request.query["maxResults"]) <= 100
        found = sorted(self.issues.values(), key=lambda each: each["fields"]["updated"])
        page = int(request.query.get("nextPageToken", "0"))
        more = {"nextPageToken": str(page + 1)} if page + 1 < len(found) else {}
        return {"issues": found[page : page + 1], "isLast": not more, **more}


def signed(body: bytes, shared: str = SHARED) -> Webhook:
    """A webhook as Jira signs it."""
    digest = hmac.new(shared.encode(), body, hashlib.sha256).hexdigest()
    return Webhook({"x-hub-signature": f"sha256={digest}"}, body)


def _fits(schema: dict[str, str], value: object) -> bool:
    """Whether a value has the shape that a field of a type takes."""
    if schema["type"] == "array":
        return isinstance(value, list) and all(_fits({"type": schema["items"]}, each) for each in value)
    if schema["type"] == "option":
        return isinstance(value, dict) and value.keys() == {"value"}
    return isinstance(value, float if schema["type"] == "number" else str)


def _check(request: Request) -> None:
    expected = b64encode(f"{AGENT}:{KEY}".encode()).decode()
    assert request.headers.get("authorization") == f"Basic {expected}", "no API token"
    assert request.method != "GET" or not request.body
