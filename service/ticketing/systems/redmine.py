"""Redmine, over its REST interface: custom fields and a private note."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlencode

from service.clock import in_iso
from service.errors import CallRefused
from service.ticketing.calls import GONE, get_json, json_of, moment_of, quoted, send_json, word_of
from service.ticketing.errors import MoreNews
from service.ticketing.nouns import Change, Event, Origin, Original, System, Webhook
from service.ticketing.rebuilding import rebuilt
from service.ticketing.signing import check_hmac

if TYPE_CHECKING:
    from service.outgoing import Caller

PER_PAGE = 100
MOST_PAGES = 20
NOT_MADE = 422
_TEXTUAL = ("text/", "message/")
_SENT = re.compile(r"<redmine\.(issue|journal)-([0-9]{1,12})\.([0-9]{14})[.@]")
_NUMBER = re.compile(r"#([0-9]{1,12})\]")


@dataclass(frozen=True, slots=True)
class Redmine:
    """An ``Adapter``; Redmine keeps the words of a mail and its named parts, from which it is rebuilt."""

    name: ClassVar[str] = "redmine"
    options: ClassVar[tuple[str, ...]] = ()

    system: System

    def headers(self) -> Mapping[str, str]:
        """The key of Redmine's user."""
        return {"X-Redmine-API-Key": self.system.token}

    def read(self, request: Webhook) -> Event | None:
        """A call of your own: ``{"issue": 12}``, or ``{"issue": 12, "journal": 34}``."""
        check_hmac(request, self.system.secret)
        told = json_of(request)
        journal = word_of(told, "journal") if told.get("journal") else ""
        return Event(word_of(told, "issue"), journal)

    def fetch(self, caller: Caller, event: Event) -> bytes | None:
        """The description or the note, with the files that came at the same time."""
        issue = _issue(caller, event.ticket)
        entry = issue if not event.message else _journal(issue, event.message)
        text = str((entry or {}).get("notes" if event.message else "description") or "")
        if entry is None or not text.strip() or entry.get("private_notes") or self._is_own(caller, entry):
            return None
        files = [each for each in issue.get("attachments") or () if _came_with(each, entry)]
        headers = {"From": _author(entry), "Subject": str(issue.get("subject") or "")}
        return rebuilt(headers, text, [_part(caller, each) for each in files])

    def origin(self, caller: Caller, original: Original) -> Origin | None:
        """By the id that Redmine gave its mail, else by the issue's number in header or subject."""
        named = _NUMBER.search(original.subject)
        number = original.headers.get("x-redmine-issue-id") or (named[1] if named else "")
        sent = _SENT.search(original.message_id or "")
        number = sent[2] if sent and sent[1] == "issue" else number
        if not number.isascii() or not number.isdecimal():
            return None
        try:
            issue = _issue(caller, number)
        except CallRefused as refusal:
            if refusal.status in GONE:
                return None
            raise
        by_id = sent is not None
        return Origin(number, by_id) if sent is None or _was_sent(issue, sent) else None

    def has_note(self, caller: Caller, event: Event, marker: str) -> bool:
        """Looks at the notes of the issue."""
        return any(
            marker in str(each.get("notes")) for each in _issue(caller, event.ticket).get("journals") or ()
        )

    def write(self, caller: Caller, event: Event, change: Change) -> None:
        """One change with custom fields, project, priority and the private note; then the relation."""
        path = f"/issues/{quoted(event.ticket)}"
        value: dict[str, Any] = {
            "custom_fields": self._fields(_issue(caller, event.ticket), change),
            **({"project_id": change.queue} if change.queue else {}),
            **({"priority_id": change.priority} if change.priority else {}),
            **({"notes": change.note.text, "private_notes": True} if change.note else {}),
        }
        send_json(caller, "PUT", f"{path}.json", {"issue": value})
        if change.merge_into and change.merge_into != event.ticket:
            _relate(caller, f"{path}/relations.json", change.merge_into)

    def poll(self, caller: Caller, since: datetime) -> Iterator[Event]:
        """Issues that were changed, oldest change first; of each what is new."""
        moment = in_iso(since)
        for number in _changed(caller, moment):
            issue = _issue(caller, number)
            if str(issue.get("created_on")) >= moment:
                yield Event(number)
            for journal in issue.get("journals") or ():
                if str(journal.get("created_on")) >= moment and journal.get("notes"):
                    yield Event(number, str(journal["id"]))

    def _is_own(self, caller: Caller, entry: Mapping[str, Any]) -> bool:
        author = entry.get("user") or entry.get("author") or {}
        return bool(author.get("id") == get_json(caller, "/users/current.json")["user"]["id"])

    def _fields(self, issue: Mapping[str, Any], change: Change) -> list[dict[str, object]]:
        """The values of custom fields, by their ids.

        Raises:
            CallRefused: the issue lacks one of them; Redmine itself would say nothing.
        """
        own = {str(each["name"]): each["id"] for each in issue.get("custom_fields") or ()}
        values = change.tags.fields(self.system.fields)
        for name in sorted(values.keys() - own.keys()):
            raise CallRefused(f"the issue has no custom field {name!r} that we may see", NOT_MADE)
        return [{"id": own[name], "value": value} for name, value in values.items()]


def _issue(caller: Caller, number: str) -> dict[str, Any]:
    issue: dict[str, Any] = get_json(caller, f"/issues/{quoted(number)}.json?include=journals,attachments")[
        "issue"
    ]
    return issue


def _journal(issue: Mapping[str, Any], number: str) -> dict[str, Any] | None:
    return next((each for each in issue.get("journals") or () if str(each["id"]) == number), None)


def _changed(caller: Caller, moment: str) -> Iterator[str]:
    for page in range(MOST_PAGES):
        query = {"updated_on": f">={moment}", "status_id": "*", "sort": "updated_on", "limit": PER_PAGE}
        issues = get_json(caller, f"/issues.json?{urlencode({**query, 'offset': page * PER_PAGE})}")["issues"]
        yield from (str(each["id"]) for each in issues)
        if len(issues) < PER_PAGE:
            return
    raise MoreNews(moment_of(issues[-1]["updated_on"]))


def _came_with(attachment: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Whether a file came with an entry: Redmine stores it within the same seconds, by the same author."""
    author = entry.get("user") or entry.get("author") or {}
    is_textual = str(attachment.get("content_type")).startswith(_TEXTUAL) or _is_mail(attachment)
    apart_s = abs((_moment(attachment) - _moment(entry)).total_seconds())
    return is_textual and (attachment.get("author") or {}).get("id") == author.get("id") and apart_s <= 5


def _is_mail(attachment: Mapping[str, Any]) -> bool:
    return str(attachment.get("filename")).lower().endswith(".eml")


def _part(caller: Caller, attachment: Mapping[str, Any]) -> tuple[str, str, str]:
    name = str(attachment.get("filename") or "")
    path = f"/attachments/download/{quoted(str(attachment['id']))}/{quote(name, safe='')}"
    content = caller.call("GET", path).body.decode("utf-8", "surrogateescape")
    kind = str(attachment.get("content_type") or "text/plain")
    return kind, name, content


def _author(entry: Mapping[str, Any]) -> str:
    author = entry.get("user") or entry.get("author") or {}
    return f'"{str(author.get("name", "")).replace(chr(34), "")}" <unknown@redmine.invalid>'


def _was_sent(issue: Mapping[str, Any], sent: re.Match[str]) -> bool:
    """Whether Redmine can have sent a mail under that id: it holds when the issue or note was made."""
    entry = issue if sent[1] == "issue" else _journal(issue, sent[2])
    return entry is not None and f"{_moment(entry):%Y%m%d%H%M%S}" == sent[3]


def _moment(entry: Mapping[str, Any]) -> datetime:
    return moment_of(entry["created_on"])


def _relate(caller: Caller, path: str, other: str) -> None:
    relation = {"issue_to_id": other, "relation_type": "relates"}
    try:
        send_json(caller, "POST", path, {"relation": relation})
    except CallRefused as refusal:
        if refusal.status != NOT_MADE:  # there is one already
            raise
