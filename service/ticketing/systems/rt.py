"""Request Tracker 5, over REST 2.0: custom fields and a comment, which customers never get."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from service.errors import CallRefused
from service.ticketing.calls import exists, get_json, json_of, moment_of, quoted, send_json, word_of
from service.ticketing.errors import MoreNews
from service.ticketing.nouns import Change, Event, Note, Origin, Original, System, Webhook
from service.ticketing.rebuilding import Piece, reassembled
from service.ticketing.signing import check_hmac

if TYPE_CHECKING:
    from service.outgoing import Caller

REST = "/REST/2.0"
PER_PAGE = 100
MOST_PAGES = 50
MOST_PIECES = 64
NO_SUCH_FIELD = 422
_INCOMING = ("Create", "Correspond")
_OUTGOING = ("EmailRecord", "CommentEmailRecord")
_TEXTUAL = (
    *("text/plain", "text/html", "text/rfc822-headers", "message/rfc822", "message/delivery-status"),
    *("message/feedback-report", "message/disposition-notification", "message/rfc822-headers"),
    *("message/global", "message/global-headers", "message/global-delivery-status"),
    *("multipart/mixed", "multipart/report", "multipart/alternative", "multipart/related"),
)
"""The parts of a mail that are asked for; pictures and the like say nothing about its delivery."""

_BY_MAIL = re.compile(r"^X-RT-Interface:\s*Email\s*$", re.I | re.M)


@dataclass(frozen=True, slots=True)
class Rt:
    """An ``Adapter``; the mail is put together again from the attachments of a transaction."""

    name: ClassVar[str] = "rt"
    options: ClassVar[tuple[str, ...]] = ("site", "tags_field")
    """``site``: RT's ``$rtname``; ``tags_field``: a custom field that takes many values."""

    system: System

    def headers(self) -> Mapping[str, str]:
        """The token of RT's user."""
        return {"Authorization": f"token {self.system.token}"}

    def read(self, request: Webhook) -> Event | None:
        """What our scrip sends: ``{"ticket": 12, "transaction": 345, "creator": "…"}``."""
        check_hmac(request, self.system.secret)
        told = json_of(request)
        is_own = bool(self.system.user) and str(told.get("creator", "")) == self.system.user
        return Event(word_of(told, "ticket"), word_of(told, "transaction"), is_own=is_own)

    def fetch(self, caller: Caller, event: Event) -> bytes | None:
        """The mail of a transaction; those that people make on the web are none."""
        transaction = _get(caller, f"/transaction/{quoted(event.message)}")
        if transaction.get("Type") not in _INCOMING or _id_of(transaction["Creator"]) == self.system.user:
            return None
        of_this = _is("TransactionId", event.message)
        top = _search(caller, "attachments", "Headers,Content", [of_this, _is("Parent", 0)])
        root = next((_piece(each) for each in top), None)
        if root is None or not _BY_MAIL.search(root.headers):
            return None
        query = [of_this, _is("Parent", 0, ">"), _is("ContentType", _TEXTUAL, "IN")]
        below = _search(caller, "attachments", "Parent,Headers,Content", query)
        return reassembled(root, [_piece(each) for each in islice(below, MOST_PIECES)])

    def origin(self, caller: Caller, original: Original) -> Origin | None:
        """By the id of a mail that RT sent, else by the number that RT writes into its mails."""
        if original.message_id and (found := _sent_as(caller, original.message_id.strip("<>"))):
            return Origin(found, by_id=True)
        site = self.system.options.get("site", "")
        named = (
            re.search(rf"(?:^|\[){re.escape(site)} #([0-9]{{1,12}})(?:\]|$)", _numbers(original))
            if site
            else None
        )
        is_there = named is not None and exists(caller, f"{REST}/ticket/{named[1]}")
        return Origin(named[1], by_id=False) if named and is_there else None

    def has_note(self, caller: Caller, event: Event, marker: str) -> bool:
        """Looks for a comment whose subject holds the marker."""
        found = _search(caller, "attachments", "TransactionId", [_is("Subject", marker.strip("[]"), "LIKE")])
        return any(_ticket_of(caller, item)[1] == event.ticket for item in found)

    def write(self, caller: Caller, event: Event, change: Change) -> None:
        """Custom fields, queue and priority; a comment; merging, and then the fields of what was merged."""
        path = f"/ticket/{quoted(event.ticket)}"
        fields = self._fields(_get(caller, path), change)
        moved = {"Queue": change.queue, "Priority": change.priority}
        value = {"CustomFields": fields, **{name: given for name, given in moved.items() if given}}
        send_json(caller, "PUT", REST + path, value)
        if change.note:
            send_json(caller, "POST", f"{REST}{path}/comment", _comment(change.note))
        if change.merge_into and change.merge_into != event.ticket:
            send_json(caller, "PUT", REST + path, {"MergeInto": change.merge_into})
            send_json(caller, "PUT", f"{REST}/ticket/{quoted(change.merge_into)}", {"CustomFields": fields})

    def poll(self, caller: Caller, since: datetime) -> Iterator[Event]:
        """Transactions that created tickets or wrote to them."""
        moment = since.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        query = [
            _is("ObjectType", "RT::Ticket"),
            _is("Type", list(_INCOMING), "IN"),
            _is("Created", moment, ">="),
        ]
        last: object = None
        for count, item in enumerate(_search(caller, "transactions", "ObjectId,Creator,Created", query), 1):
            if _id_of(item["Creator"]) != self.system.user:
                yield Event(str(item["ObjectId"]), str(item["id"]))
            last = item.get("Created") if count >= PER_PAGE * MOST_PAGES else None
        if last:
            raise MoreNews(moment_of(last))

    def _fields(self, ticket: Mapping[str, Any], change: Change) -> dict[str, Any]:
        """The values of custom fields.

        Raises:
            CallRefused: the ticket's queue lacks one of them; RT itself would say nothing.
        """
        own = {str(each["name"]): each.get("values") or [] for each in ticket.get("CustomFields") or ()}
        values: dict[str, Any] = dict(change.tags.fields(self.system.fields))
        if tags_field := self.system.options.get("tags_field"):
            values[tags_field] = change.tags.among(tuple(map(str, own.get(tags_field, ()))))
        for name in sorted(values.keys() - own.keys()):
            raise CallRefused(
                f"the queue of the ticket has no custom field {name!r} that we may see", NO_SUCH_FIELD
            )
        return values


def _comment(note: Note) -> dict[str, str]:
    subject = f"{note.marker} {note.title}"
    return {"Subject": subject, "Content": note.text, "ContentType": "text/plain"}


def _sent_as(caller: Caller, message_id: str) -> str | None:
    """The ticket that a mail was sent from; mails that came in, or came back, do not count."""
    for item in _search(caller, "attachments", "TransactionId", [_is("MessageId", message_id)]):
        kind, ticket = _ticket_of(caller, item)
        if kind in _OUTGOING:
            return ticket
    return None


def _ticket_of(caller: Caller, attachment: Mapping[str, Any]) -> tuple[str, str]:
    """The type of the transaction that an attachment belongs to, and its ticket."""
    transaction = _get(caller, f"/transaction/{quoted(_id_of(attachment['TransactionId']))}")
    return str(transaction.get("Type")), _id_of(transaction["Object"])


def _numbers(original: Original) -> str:
    return original.headers.get("x-rt-ticket") or original.headers.get("rt-ticket") or original.subject


def _search(
    caller: Caller, what: str, fields: str, query: Sequence[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    for page in range(1, MOST_PAGES + 1):
        path = f"{REST}/{what}?fields={fields}&per_page={PER_PAGE}&orderby=id&page={page}"
        items = orjson.loads(send_json(caller, "POST", path, query))["items"]
        yield from items
        if len(items) < PER_PAGE:
            return


def _is(field: str, value: object, operator: str = "=") -> dict[str, object]:
    return {"field": field, "operator": operator, "value": value}


def _get(caller: Caller, path: str) -> dict[str, Any]:
    value: dict[str, Any] = get_json(caller, REST + path)
    return value


def _piece(attachment: Mapping[str, Any]) -> Piece:
    return Piece(
        id=str(attachment["id"]),
        parent=_id_of(attachment["Parent"]) if "Parent" in attachment else "",
        headers=str(attachment.get("Headers") or ""),
        content=str(attachment.get("Content") or "").encode("utf-8", "surrogateescape"),
    )


def _id_of(link: Any) -> str:  # noqa: ANN401  # an object with an id, or the id itself
    return str(link["id"]) if isinstance(link, Mapping) else str(link)
