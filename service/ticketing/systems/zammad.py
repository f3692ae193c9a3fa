"""Zammad, over its REST interface: free tags, fields, and an internal note."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

import orjson

from service.errors import CallRefused
from service.ticketing.calls import GONE, get_json, json_of, moment_of, quoted, send_json, word_of
from service.ticketing.errors import MoreNews
from service.ticketing.nouns import Change, Event, Note, Origin, Original, System, Tags, Webhook
from service.ticketing.signing import check_hmac

if TYPE_CHECKING:
    from service.outgoing import Caller

API = "/api/v1"
HOOK = "Ticket#"
MERGED = "merged"
PER_PAGE = 100
MOST_PAGES = 20
NOT_MADE = 422
_SENT = re.compile(r"<[0-9]{14}\.([0-9]{1,12})\.[0-9]{1,20}@")
"""The id of a mail that Zammad sent: moment, ticket, chance."""


@dataclass(frozen=True, slots=True)
class Zammad:
    """An ``Adapter``; Zammad keeps each mail as it came."""

    name: ClassVar[str] = "zammad"
    options: ClassVar[tuple[str, ...]] = ("hook",)
    """``hook``: what stands before the number in subjects."""

    system: System

    def headers(self) -> Mapping[str, str]:
        """The access token of Zammad's user; and agents are not to be mailed about what we change."""
        return {
            "Authorization": f"Token token={self.system.token}",
            "X-Zammad-Suppress-Notifications": "true",
        }

    def read(self, request: Webhook) -> Event | None:
        """What a trigger's webhook sends: the ticket, and the article that set it off."""
        check_hmac(request, self.system.secret, header="x-hub-signature", prefix="sha1=", digest="sha1")
        told = json_of(request)
        article = told.get("article")
        if not isinstance(article, dict) or not article.get("id"):
            return None
        is_own = self._is_own(article)
        if not is_own and not _came_by_mail(article):
            return None
        return Event(word_of(told, "ticket", "id"), word_of(article, "id"), is_own=is_own)

    def fetch(self, caller: Caller, event: Event) -> bytes | None:
        """The mail of an article, as it came."""
        article = _get(caller, f"/ticket_articles/{quoted(event.message)}")
        if not _came_by_mail(article) or self._is_own(article):
            return None
        return caller.call("GET", f"{API}/ticket_article_plain/{quoted(event.message)}").body or None

    def origin(self, caller: Caller, original: Original) -> Origin | None:
        """By the id that Zammad gave its mail, else by the number in the subject."""
        sent = _SENT.match(original.message_id or "")
        if sent and _has_sent(caller, sent[1], original):
            return Origin(sent[1], by_id=True)
        hook = re.escape(self.system.options.get("hook", HOOK))
        named = re.search(rf"{hook}\s{{0,2}}([0-9]{{2,48}})(?![0-9])", original.subject, re.I)
        ticket = _numbered(caller, named[1]) if named else None
        return Origin(ticket, _has_sent(caller, ticket, original)) if ticket else None

    def has_note(self, caller: Caller, event: Event, marker: str) -> bool:
        """Looks at the articles of the ticket that the article belongs to now: it may have been merged."""
        article = _get(caller, f"/ticket_articles/{quoted(event.message)}")
        return any(marker in str(each.get("body")) for each in _articles(caller, str(article["ticket_id"])))

    def write(self, caller: Caller, event: Event, change: Change) -> None:
        """Tags, then fields, group and priority, then the note, and merging last."""
        moved = {**_named("group", change.queue), **_named("priority", change.priority)}
        self._mark(caller, event.ticket, change.tags, moved)
        if change.note:
            send_json(caller, "POST", f"{API}/ticket_articles", _article(event.ticket, change.note))
        if change.merge_into and change.merge_into != event.ticket:
            self._merge(caller, event.ticket, change)

    def poll(self, caller: Caller, since: datetime) -> Iterator[Event]:
        """Tickets that were changed, oldest change first; of each the mails that are new."""
        for ticket in _changed(caller, since):
            for article in _articles(caller, ticket):
                is_new = moment_of(article["created_at"]) >= since
                if is_new and _came_by_mail(article) and not self._is_own(article):
                    yield Event(ticket, str(article["id"]))

    def _is_own(self, article: Mapping[str, Any]) -> bool:
        """Whether we wrote an article; webhooks show its author whole, articles only by login."""
        author = article.get("created_by")
        names = (author.get("login"), author.get("email")) if isinstance(author, Mapping) else (author,)
        own = self.system.user.lower()
        return bool(own) and own in {str(name).lower() for name in names}

    def _mark(self, caller: Caller, ticket: str, tags: Tags, moved: Mapping[str, object]) -> None:
        """Writes the tags, and what else there is to write to the ticket itself.

        Raises:
            CallRefused: the ticket lacks a field; Zammad itself would say nothing.
        """
        _tag(caller, ticket, tags)
        fields = tags.fields(self.system.fields)
        if not fields and not moved:
            return
        own = _ticket(caller, ticket)
        for name in sorted(fields.keys() - own.keys()):
            raise CallRefused(f"the ticket has no field {name!r} that we may see", NOT_MADE)
        send_json(caller, "PUT", f"{API}/tickets/{quoted(ticket)}", {**fields, **moved})

    def _merge(self, caller: Caller, ticket: str, change: Change) -> None:
        """Merges, unless one of both was merged before, and marks what it was merged into.

        Raises:
            CallRefused: Zammad did not merge.
        """
        parent = _ticket(caller, change.merge_into)
        if MERGED in (parent.get("state"), _ticket(caller, ticket).get("state")):
            return
        path = f"{API}/ticket_merge/{quoted(ticket)}/{quoted(str(parent['number']))}"
        if orjson.loads(send_json(caller, "PUT", path, {})).get("result") != "success":
            raise CallRefused("the tickets were not merged", NOT_MADE)
        self._mark(caller, change.merge_into, change.tags, {})


def _article(ticket: str, note: Note) -> dict[str, object]:
    """An article that no customer sees, and that no trigger answers with a mail."""
    return {
        "ticket_id": ticket,
        "subject": note.title,
        "body": note.html,
        "content_type": "text/html",
        "type": "note",
        "sender": "Agent",
        "internal": True,
        "preferences": {"send-auto-response": False},
    }


def _came_by_mail(article: Mapping[str, Any]) -> bool:
    return article.get("type") == "email" and article.get("sender") == "Customer"


def _has_sent(caller: Caller, ticket: str, original: Original) -> bool:
    """Whether an outgoing article of a ticket has the id of a mail."""
    return any(_was_sent_as(each, original.message_id) for each in _articles(caller, ticket))


def _was_sent_as(article: Mapping[str, Any], message_id: str | None) -> bool:
    """Whether an article is a mail that went out under an id; notes have none."""
    is_ours = article.get("sender") != "Customer"
    return bool(message_id) and is_ours and article.get("message_id") == message_id


def _named(what: str, value: str) -> dict[str, object]:
    """A group or priority, by name or by number."""
    if not value:
        return {}
    return {f"{what}_id": int(value)} if value.isascii() and value.isdecimal() else {what: value}


def _tag(caller: Caller, ticket: str, tags: Tags) -> None:
    """Adds the tags that the ticket lacks, and takes away ours that are of another bounce."""
    query = urlencode({"object": "Ticket", "o_id": ticket})
    own = tuple(map(str, _get(caller, f"/tags?{query}")["tags"]))
    wanted = tags.among(own)
    for tag in wanted:
        if tag not in own:
            send_json(caller, "POST", f"{API}/tags/add", {"object": "Ticket", "o_id": ticket, "item": tag})
    for tag in own:
        if tag not in wanted:
            value = {"object": "Ticket", "o_id": ticket, "item": tag}
            send_json(caller, "DELETE", f"{API}/tags/remove", value)


def _get(caller: Caller, path: str) -> dict[str, Any]:
    value: dict[str, Any] = get_json(caller, API + path)
    return value


def _ticket(caller: Caller, ticket: str) -> dict[str, Any]:
    return _get(caller, f"/tickets/{quoted(ticket)}?expand=true")


def _articles(caller: Caller, ticket: str) -> list[dict[str, Any]]:
    """The articles of a ticket; none where there is no such ticket."""
    try:
        articles: list[dict[str, Any]] = get_json(caller, f"{API}/ticket_articles/by_ticket/{quoted(ticket)}")
    except CallRefused as refusal:
        if refusal.status in GONE:
            return []
        raise
    return articles


def _numbered(caller: Caller, number: str) -> str | None:
    """The ticket with exactly this number; the search also finds tickets that only mention it."""
    query = urlencode({"query": number, "expand": "true", "per_page": PER_PAGE, "page": 1})
    found = get_json(caller, f"{API}/tickets/search?{query}")
    return next((str(each["id"]) for each in found if str(each.get("number")) == number), None)


def _changed(caller: Caller, since: datetime) -> Iterator[str]:
    query = {
        "condition[ticket.updated_at][operator]": "after (absolute)",
        "condition[ticket.updated_at][value]": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "sort_by": "updated_at",
        "order_by": "asc",
        "expand": "true",
        "per_page": PER_PAGE,
    }
    for page in range(1, MOST_PAGES + 1):
        found = get_json(caller, f"{API}/tickets/search?{urlencode({**query, 'page': page})}")
        yield from (str(each["id"]) for each in found)
        if len(found) < PER_PAGE:
            return
    raise MoreNews(moment_of(found[-1]["updated_at"]))
