"""Znuny, over a web service of its Generic Interface: dynamic fields and an internal article."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

import orjson

from service.clock import now
from service.errors import CallFailed, CallRefused
from service.ticketing.calls import get_json, json_of, quoted, send_json, word_of
from service.ticketing.errors import MoreNews
from service.ticketing.nouns import Change, Event, Note, Origin, Original, System, Webhook
from service.ticketing.rebuilding import rebuilt
from service.ticketing.signing import HEADER, check_hmac, check_token

if TYPE_CHECKING:
    from service.outgoing import Caller

HOOK = "Ticket#"
WEBSERVICE = "GenericTicketConnectorREST"
UPDATE = "PATCH /Ticket/:TicketID"
LIMIT = 500
NOT_MADE = 422
_STATUS = {"AuthFail": 401, "AccessDenied": 403}
_TEXTUAL = ("text/", "message/")
_HEADERS = {
    **{"From": "From", "To": "To", "Subject": "Subject"},
    **{"Message-ID": "MessageID", "In-Reply-To": "InReplyTo", "References": "References"},
}


@dataclass(frozen=True, slots=True)
class Znuny:
    """An ``Adapter``; the mail is put together again from an article and its attachments."""

    name: ClassVar[str] = "znuny"
    options: ClassVar[tuple[str, ...]] = ("webservice", "update", "hook", "tags_field")
    """``webservice``: its name; ``update``: method and route of TicketUpdate; ``hook``: what stands before
    the number in subjects; ``tags_field``: a dynamic field for all tags."""

    system: System

    def headers(self) -> Mapping[str, str]:
        """Login and password of an agent; with no user the token is a session."""
        if not self.system.user:
            return {"X-OTRS-Header-SessionID": self.system.token}
        return {"X-OTRS-Header-UserLogin": self.system.user, "X-OTRS-Header-Password": self.system.token}

    def read(self, request: Webhook) -> Event | None:
        """What an invoker ``Ticket::Generic`` sends, or ``{"TicketID": 12, "ArticleID": 34}``.

        Znuny signs nothing: its basic authentication holds the secret, or the caller signs as we do.
        """
        if HEADER in request.headers:
            check_hmac(request, self.system.secret)
        else:
            check_token(_password(request.headers.get("authorization", "")), self.system.secret)
        told = json_of(request)
        event = told["Event"] if isinstance(told.get("Event"), dict) else told
        if not event.get("ArticleID"):
            return None
        article = word_of(event, "ArticleID")
        return Event(word_of(event, "TicketID"), article) if _may_be_incoming(told, article) else None

    def fetch(self, caller: Caller, event: Event) -> bytes | None:
        """The article with its attachments as a mail; what agents and Znuny itself wrote is none.

        Raises:
            CallFailed: articles came between two questions.
        """
        numbers = [str(each["ArticleID"]) for each in self._articles(caller, event.ticket) if _came(each)]
        if event.message not in numbers:
            return None
        query = {
            "ArticleSenderType": "customer",
            "ArticleOrder": "DESC",
            "ArticleLimit": len(numbers) - numbers.index(event.message),
            "Attachments": 1,
        }
        for article in self._articles(caller, event.ticket, query):
            if str(article["ArticleID"]) == event.message:
                return _mail(article)
        raise CallFailed("the ticket was changed meanwhile")

    def origin(self, caller: Caller, original: Original) -> Origin | None:
        """By the number that Znuny writes into its subjects, which proves nothing: it does not tell ids."""
        hook = re.escape(self.system.options.get("hook", HOOK))
        named = re.search(rf"{hook}[:\s]{{0,2}}([0-9]{{4,32}})(?![0-9])", original.subject, re.I)
        found = self._search(caller, {"TicketNumber": named[1]}) if named else []
        return Origin(found[0], by_id=False) if found else None

    def has_note(self, caller: Caller, event: Event, marker: str) -> bool:
        """Looks at the articles of the ticket."""
        return any(marker in str(each.get("Body")) for each in self._articles(caller, event.ticket))

    def write(self, caller: Caller, event: Event, change: Change) -> None:
        """Dynamic fields, queue and priority; then the article. Nothing is merged, as no id is proven."""
        moved = {**_named("Queue", change.queue), **_named("Priority", change.priority)}
        fields = self._fields(caller, event.ticket, change)
        value = {**({"Ticket": moved} if moved else {}), **({"DynamicField": fields} if fields else {})}
        if value:
            self._update(caller, event.ticket, value)
        if change.note:
            self._update(caller, event.ticket, {"Article": _article(change.note)})

    def poll(self, caller: Caller, since: datetime) -> Iterator[Event]:
        """Tickets with new articles; of each those that customers wrote."""
        # a time of day would need their zone
        minutes = max(1, ceil((now() - since).total_seconds() / 60) + 1)
        tickets = self._search(caller, {"ArticleCreateTimeNewerMinutes": minutes})
        for ticket in tickets:
            for article in self._articles(caller, ticket):
                if _came(article) and float(article["IncomingTime"]) >= since.timestamp():
                    yield Event(ticket, str(article["ArticleID"]))
        if len(tickets) >= LIMIT:
            raise MoreNews(None)

    def _fields(self, caller: Caller, ticket: str, change: Change) -> list[dict[str, str]]:
        """The values of dynamic fields."""
        values = change.tags.fields(self.system.fields)
        if tags_field := self.system.options.get("tags_field"):
            fields = self._ticket(caller, ticket, {"DynamicFields": 1}).get("DynamicField") or ()
            text = next((str(each.get("Value") or "") for each in fields if each["Name"] == tags_field), "")
            own = tuple(tag.strip() for tag in text.split(",") if tag.strip())
            values[tags_field] = ", ".join(change.tags.among(own))
        return [{"Name": name, "Value": value} for name, value in values.items()]

    def _ticket(
        self, caller: Caller, ticket: str, query: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        path = f"{self._base()}/Ticket/{quoted(ticket)}"
        told = _checked(get_json(caller, f"{path}?{urlencode(query)}" if query else path))
        found: dict[str, Any] = told["Ticket"][0]
        return found

    def _articles(
        self, caller: Caller, ticket: str, query: Mapping[str, object] | None = None
    ) -> list[dict[str, Any]]:
        return list(self._ticket(caller, ticket, {"AllArticles": 1, **(query or {})}).get("Article") or ())

    def _search(self, caller: Caller, query: Mapping[str, object]) -> list[str]:
        """The ids of tickets, oldest first, archived ones too."""
        whole = {**query, "SearchInArchive": "AllTickets", "SortBy": "Age", "OrderBy": "Up", "Limit": LIMIT}
        told = _checked(get_json(caller, f"{self._base()}/Ticket?{urlencode(whole)}"))
        return [str(number) for number in told.get("TicketID") or ()]

    def _update(self, caller: Caller, ticket: str, value: Mapping[str, object]) -> None:
        method, _, route = self.system.options.get("update", UPDATE).partition(" ")
        path = self._base() + route.replace(":TicketID", quoted(ticket))
        _checked(orjson.loads(send_json(caller, method, path, {"TicketID": ticket, **value})))

    def _base(self) -> str:
        return (
            f"/nph-genericinterface.pl/Webservice/{quoted(self.system.options.get('webservice', WEBSERVICE))}"
        )


def _checked(told: dict[str, Any]) -> dict[str, Any]:
    """An answer that is no error; Znuny tells of errors with the status 200.

    Raises:
        CallRefused: it is one; names Znuny's code for it.
    """
    if "Error" not in told:
        return told
    code = str(told["Error"].get("ErrorCode"))[:80]
    raise CallRefused(f"Znuny answered {code}", _STATUS.get(code.rpartition(".")[2], NOT_MADE))


def _password(authorization: str) -> str:
    """The password of basic authentication; empty where there is none."""
    scheme, _, coded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return b64decode(coded, validate=True).decode("utf-8", "replace").partition(":")[2]
    except ValueError:
        return ""


def _may_be_incoming(told: Mapping[str, Any], number: str) -> bool:
    """Whether an article came from outside; where the webhook does not show it, that is asked later."""
    ticket = told.get("Ticket")
    articles = ticket.get("Articles") if isinstance(ticket, Mapping) else None
    shown = [each for each in articles or () if isinstance(each, Mapping)]
    return all(_came(each) for each in shown if str(each.get("ArticleID")) == number and "SenderType" in each)


def _came(article: Mapping[str, Any]) -> bool:
    return article.get("SenderType") == "customer"


def _mail(article: Mapping[str, Any]) -> bytes:
    headers = {name: str(article.get(kept) or "") for name, kept in _HEADERS.items()}
    parts = [_part(each) for each in article.get("Attachment") or ()]
    return rebuilt(headers, str(article.get("Body") or ""), [part for part in parts if _is_textual(*part)])


def _part(attachment: Mapping[str, Any]) -> tuple[str, str, str]:
    kind = str(attachment.get("ContentType") or "text/plain").partition(";")[0].strip().lower()
    content = b64decode(str(attachment.get("Content") or "")).decode("utf-8", "surrogateescape")
    return kind, str(attachment.get("Filename") or ""), content


def _is_textual(kind: str, name: str, _content: str) -> bool:
    return kind.startswith(_TEXTUAL) or name.lower().endswith(".eml")


def _article(note: Note) -> dict[str, object]:
    """An article that no customer sees; it has no sender's address, where an automatic answer might go."""
    return {
        "CommunicationChannel": "Internal",
        "SenderType": "agent",
        "IsVisibleForCustomer": 0,
        "NoAgentNotify": 1,
        "Subject": note.title,
        "Body": note.text,
        "ContentType": "text/plain; charset=utf8",
    }


def _named(what: str, value: str) -> dict[str, str]:
    """A queue or priority, by name or by number."""
    if not value:
        return {}
    return {f"{what}ID" if value.isascii() and value.isdecimal() else what: value}
