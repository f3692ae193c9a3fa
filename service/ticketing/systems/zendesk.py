"""Zendesk, over its Ticketing API: tags, custom ticket fields and a private comment."""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from service.clock import Clock, now
from service.errors import CallRefused
from service.ticketing.calls import GONE, get_json, json_of, moment_of, quoted, send_json, word_of
from service.ticketing.errors import BadSignature, MoreNews
from service.ticketing.nouns import TAG_PREFIX, Change, Event, Origin, Original, System, Webhook
from service.ticketing.rebuilding import rebuilt
from service.ticketing.signing import check_token
from service.ticketing.templates import pattern_of

if TYPE_CHECKING:
    from service.outgoing import Caller

API = "/api/v2"
PER_PAGE = 100
MOST_PAGES = 50
MOST_FILES = 16
TOLERANCE_S = 300
YOUNGEST_S = 61
"""Zendesk exports nothing of the last minute, and refuses to be asked for it."""

NOT_MADE = 422
CLOSED = ("closed", "deleted")
MERGED = "A report about a mail of this conversation."
ANY_NUMBER = "#{ticket}"
SIGNATURE = "x-zendesk-webhook-signature"
CREATED, ADDED = "zen:event-type:ticket.created", "zen:event-type:ticket.comment_added"
_TEXTUAL = ("text/", "message/")


@dataclass(frozen=True, slots=True)
class Zendesk:
    """An ``Adapter``; Zendesk's interface gives no raw mail, so a comment and its files become one again."""

    name: ClassVar[str] = "zendesk"
    options: ClassVar[tuple[str, ...]] = ("subject", "user_id")
    """``subject``: how subjects show a ticket's number; ``user_id``: the number of our own user."""

    system: System
    clock: Clock = now
    subject: re.Pattern[str] | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "subject", pattern_of(self.system, "subject", ANY_NUMBER))

    def headers(self) -> Mapping[str, str]:
        """The e-mail address of our user and an API token."""
        credentials = b64encode(f"{self.system.user}/token:{self.system.token}".encode()).decode()
        return {"Authorization": f"Basic {credentials}"}

    def read(self, request: Webhook) -> Event | None:
        """An event that Zendesk tells of itself, or what a trigger sends: ``{"ticket": "{{ticket.id}}"}``."""
        self._check(request)
        told = json_of(request)
        kind = told.get("type")
        if kind is None:
            return Event(word_of(told, "ticket"))
        if kind not in (CREATED, ADDED):
            return None
        comment = word_of(told, "event", "comment", "id") if kind == ADDED else ""
        actor = str((told.get("detail") or {}).get("actor_id") or "")
        is_own = bool(actor) and actor == self.system.options.get("user_id")
        return Event(word_of(told, "detail", "id"), comment, is_own=is_own)

    def fetch(self, caller: Caller, event: Event) -> bytes | None:
        """A comment that came by mail, with those of its files that say something about a delivery."""
        comment = _comment(caller, event)
        if comment is None or _channel(comment) != "email":
            return None
        headers = {
            "From": f"<{_sender(comment)}>",
            "Subject": str(_ticket(caller, event.ticket).get("subject") or ""),
            "Message-ID": str(_system(comment).get("message_id") or ""),
        }
        files = [each for each in comment.get("attachments") or () if _is_textual(each)][:MOST_FILES]
        parts = [part for part in (self._part(caller, each) for each in files) if part]
        return rebuilt(headers, str(comment.get("plain_body") or comment.get("body") or ""), parts)

    def origin(self, caller: Caller, original: Original) -> Origin | None:
        """By the number in the subject, if Zendesk sent a mail of that id from that ticket.

        Where Zendesk does not tell what it sent, a number counts only in the form that is configured, for
        many subjects hold numbers of something else.
        """
        named = self.subject.search(original.subject) if self.subject else None
        if named is None or not named[1].isdecimal() or not _exists(caller, named[1]):
            return None
        sent = _sent_from(caller, named[1]) if original.message_id else None
        if sent is None:
            return Origin(named[1], by_id=False) if "subject" in self.system.options else None
        return Origin(named[1], by_id=True) if original.message_id in sent else None

    def has_note(self, caller: Caller, event: Event, marker: str) -> bool:
        """Looks at the comments of the ticket, newest first."""
        return any(marker in str(each.get("body")) for each in _comments(caller, event.ticket, "desc"))

    def write(self, caller: Caller, event: Event, change: Change) -> None:
        """The tags; one update with fields, group, priority and the private comment; merging last."""
        ticket = _ticket(caller, event.ticket)
        tags = [str(tag) for tag in ticket.get("tags") or ()]
        words = tuple(word.lower() for word in change.tags.words)
        if ticket.get("status") in CLOSED and set(words) <= set(tags):
            return  # merged already, and all that comes before it is done
        value = self._update(ticket, change)
        _tag(caller, event.ticket, tags, words)
        if value:
            send_json(caller, "PUT", f"{API}/tickets/{quoted(event.ticket)}", {"ticket": value})
        if change.merge_into and change.merge_into != event.ticket:
            _merge(caller, event.ticket, change.merge_into)

    def poll(self, caller: Caller, since: datetime) -> Iterator[Event]:
        """Comments that came by mail, of tickets that were changed."""
        for number in self._changed(caller, since):
            fresh: list[str] = []
            for comment in _comments(caller, number, "desc"):
                if _moment(comment) < since:
                    break
                if _channel(comment) == "email":
                    fresh.append(str(comment["id"]))
            yield from (Event(number, comment) for comment in reversed(fresh))

    def _check(self, request: Webhook) -> None:
        """Wants the signature of time and body, made a short while ago.

        Raises:
            BadSignature: it is missing, another one or old, or there is no secret to check it with.
        """
        at = request.headers.get(f"{SIGNATURE}-timestamp", "")
        digest = hmac.digest(self.system.secret.encode(), at.encode() + request.body, "sha256")
        expected = b64encode(digest).decode() if self.system.secret else ""
        check_token(request.headers.get(SIGNATURE, ""), expected)
        try:
            age_s = abs((self.clock() - moment_of(at)).total_seconds())
        except ValueError:
            raise BadSignature("The time of the signature is missing or wrong.") from None
        if age_s > TOLERANCE_S:
            raise BadSignature("The signature is old.")

    def _part(self, caller: Caller, file: Mapping[str, Any]) -> tuple[str, str, str] | None:
        """A file of a comment; ``None`` where it does not lie in Zendesk itself."""
        base = self.system.url.rstrip("/")
        address = str(file.get("content_url") or "")
        if not address.startswith(f"{base}/"):
            return None
        try:
            content = caller.call("GET", address.removeprefix(base)).body
        except CallRefused:
            return None
        kind, name = str(file.get("content_type") or "text/plain"), str(file.get("file_name") or "")
        return kind, name, content.decode("utf-8", "surrogateescape")

    def _update(self, ticket: Mapping[str, Any], change: Change) -> dict[str, Any]:
        """What one update writes.

        Raises:
            CallRefused: the ticket lacks a field; Zendesk itself would say nothing.
        """
        own = {str(each["id"]) for each in ticket.get("custom_fields") or ()}
        values = change.tags.fields(self.system.fields)
        for name in sorted(values.keys() - own):
            raise CallRefused(f"the ticket has no custom field {name!r} that we may see", NOT_MADE)
        fields = [{"id": int(name), "value": value} for name, value in values.items()]
        note = {"body": change.note.text, "public": False} if change.note else None
        update = {
            "custom_fields": fields,
            "group_id": _number(change.queue),
            "priority": change.priority,
            "comment": note,
        }
        return {name: given for name, given in update.items() if given}

    def _changed(self, caller: Caller, since: datetime) -> Iterator[str]:
        start = min(int(since.timestamp()), int(self.clock().timestamp()) - YOUNGEST_S)
        query: dict[str, object] = {"start_time": start}
        for _ in range(MOST_PAGES):
            page = get_json(caller, f"{API}/incremental/tickets/cursor?{urlencode(query)}")
            yield from (str(each["id"]) for each in page["tickets"] if each.get("status") not in CLOSED)
            if page.get("end_of_stream") or not page.get("after_cursor"):
                return
            query = {"cursor": page["after_cursor"]}
        raise MoreNews(moment_of(page["tickets"][-1]["updated_at"]))


def _ticket(caller: Caller, number: str) -> dict[str, Any]:
    ticket: dict[str, Any] = get_json(caller, f"{API}/tickets/{quoted(number)}")["ticket"]
    return ticket


def _exists(caller: Caller, number: str) -> bool:
    try:
        return _ticket(caller, number).get("status") != "deleted"
    except CallRefused as refusal:
        if refusal.status in GONE:
            return False
        raise


def _comments(caller: Caller, ticket: str, order: str) -> Iterator[dict[str, Any]]:
    for page in range(1, MOST_PAGES + 1):
        query = urlencode({"sort_order": order, "per_page": PER_PAGE, "page": page})
        found = get_json(caller, f"{API}/tickets/{quoted(ticket)}/comments?{query}")
        yield from found["comments"]
        if not found.get("next_page"):
            return


def _comment(caller: Caller, event: Event) -> dict[str, Any] | None:
    """The comment that an event names, or the one that opened the ticket."""
    if not event.message:
        return next(_comments(caller, event.ticket, "asc"), None)
    found = _comments(caller, event.ticket, "desc")
    return next((each for each in found if str(each["id"]) == event.message), None)


def _sent_from(caller: Caller, ticket: str) -> set[str] | None:
    """The ids of mails that Zendesk sent from a ticket; ``None`` where it does not tell."""
    query = urlencode({"filter[ticket_id]": ticket})
    try:
        found = get_json(caller, f"{API}/email_notifications?{query}")["email_notifications"]
    except CallRefused:
        return None
    return {str(each.get("message_id")) for each in found}


def _tag(caller: Caller, number: str, own: list[str], words: tuple[str, ...]) -> None:
    """Adds tags and takes away ours of an earlier bounce; those that others add meanwhile stay."""
    path = f"{API}/tickets/{quoted(number)}/tags"
    old = [tag for tag in own if tag.startswith(TAG_PREFIX) and tag not in words]
    if old:
        send_json(caller, "DELETE", path, {"tags": old})
    if not set(words) <= set(own):
        send_json(caller, "PUT", path, {"tags": list(words)})


def _merge(caller: Caller, number: str, target: str) -> None:
    """Merges without a public word; into a closed ticket nothing can be merged."""
    if _ticket(caller, target).get("status") in CLOSED:
        return
    value = {
        "ids": [_number(number)],
        "source_comment": MERGED,
        "source_comment_is_public": False,
        "target_comment": MERGED,
        "target_comment_is_public": False,
    }
    send_json(caller, "POST", f"{API}/tickets/{quoted(target)}/merge", value)


def _number(word: str) -> int | str:
    return int(word) if word.isascii() and word.isdecimal() else word


def _channel(comment: Mapping[str, Any]) -> str:
    return str((comment.get("via") or {}).get("channel"))


def _sender(comment: Mapping[str, Any]) -> str:
    source = (comment.get("via") or {}).get("source") or {}
    return str((source.get("from") or {}).get("address") or "unknown@zendesk.invalid")


def _system(comment: Mapping[str, Any]) -> Mapping[str, Any]:
    return (comment.get("metadata") or {}).get("system") or {}


def _is_textual(file: Mapping[str, Any]) -> bool:
    is_mail = str(file.get("file_name")).lower().endswith(".eml")
    return is_mail or str(file.get("content_type")).startswith(_TEXTUAL)


def _moment(comment: Mapping[str, Any]) -> datetime:
    return moment_of(comment["created_at"])
