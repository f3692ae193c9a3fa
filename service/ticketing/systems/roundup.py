"""Roundup, over its REST interface: keywords, and a message that nobody is mailed."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode, urlsplit

import orjson

from service.errors import CallFailed, CallRefused
from service.ticketing.calls import exists, get_json, json_of, quoted, send_json, word_of
from service.ticketing.errors import MoreNews
from service.ticketing.nouns import Change, Event, Note, Origin, Original, System, Webhook
from service.ticketing.rebuilding import rebuilt
from service.ticketing.signing import check_hmac

if TYPE_CHECKING:
    from service.outgoing import Caller

REST = "/rest/data"
DATE = "%Y-%m-%d.%H:%M:%S"
PER_PAGE = 100
MOST_PAGES = 50
CHANGED_MEANWHILE = 412
MAIL_TYPE = "message/rfc822"
UNKNOWN_TYPE = "application/octet-stream"
_OWN_ID = re.compile(r"\.issue([0-9]{1,12})@[^\s<>@]+>$", re.I)
_ISSUE = re.compile(r"\[issue([0-9]{1,12})\]", re.I)


@dataclass(frozen=True, slots=True)
class Roundup:
    """An ``Adapter``; the mail is put together again from a message and its files.

    A new message is mailed to all who watch an issue and wakes a resolved one. Neither happens to ours: it
    names the watchers as those who have it already, and the status is written with it.
    """

    name: ClassVar[str] = "roundup"
    options: ClassVar[tuple[str, ...]] = ()

    system: System

    def headers(self) -> Mapping[str, str]:
        """Name and password, and what Roundup wants against forged requests."""
        credentials = b64encode(f"{self.system.user}:{self.system.token}".encode()).decode()
        parts = urlsplit(self.system.url)
        return {
            "Authorization": f"Basic {credentials}",
            "X-Requested-With": "rest",
            "Origin": f"{parts.scheme}://{parts.netloc}",
            "Referer": f"{self.system.url.rstrip('/')}/",
        }

    def read(self, request: Webhook) -> Event | None:
        """What our detector sends: ``{"issue": 12, "msg": 34, "author": "…"}``."""
        check_hmac(request, self.system.secret)
        told = json_of(request)
        author = str(told.get("author", ""))
        return Event(word_of(told, "issue"), word_of(told, "msg"), is_own=author == self.system.user)

    def fetch(self, caller: Caller, event: Event) -> bytes | None:
        """The message and its files as a mail; a message that did not come by mail is none."""
        message = _attributes(caller, f"/msg/{quoted(event.message)}")
        if not message.get("messageid") or message["author"].get("username") == self.system.user:
            return None
        issue = _attributes(caller, f"/issue/{quoted(event.ticket)}")
        files = [(str(each["id"]), str(each.get("name", ""))) for each in message.get("files") or ()]
        headers = {
            "From": f"<{message['author'].get('username', 'unknown')}@roundup.invalid>",
            "Subject": str(issue.get("title") or ""),
            "Message-ID": str(message["messageid"]),
        }
        text = _content(caller, f"/msg/{quoted(event.message)}")
        return rebuilt(headers, text, [_part(caller, number, name) for number, name in files])

    def origin(self, caller: Caller, original: Original) -> Origin | None:
        """By the message's id, else by the number in the subject.

        Only an id that Roundup made proves something: mails of others keep their own.
        """
        found = self._sent_as(caller, original.message_id) if original.message_id else None
        if found:
            own = _OWN_ID.search(original.message_id or "")
            return Origin(found, by_id=own is not None and own[1] == found)
        named = _ISSUE.search(original.subject)
        is_there = named is not None and exists(caller, f"{REST}/issue/{named[1]}")
        return Origin(named[1], by_id=False) if named and is_there else None

    def has_note(self, caller: Caller, event: Event, marker: str) -> bool:
        """Looks at the messages of the issue, newest first."""
        issue = _attributes(caller, f"/issue/{quoted(event.ticket)}")
        numbers = [str(each["id"]) for each in issue.get("messages") or ()]
        return any(marker in _content(caller, f"/msg/{number}") for number in reversed(numbers))

    def write(self, caller: Caller, event: Event, change: Change) -> None:
        """One change with keywords, message and status: it happens wholly or not."""
        path = f"{REST}/issue/{quoted(event.ticket)}"
        found = get_json(caller, path + "?@verbose=2")["data"]
        issue: dict[str, Any] = found["attributes"]
        own = tuple(str(each.get("name", "")) for each in issue.get("keyword") or ())
        value: dict[str, Any] = {
            "keyword": _keywords(caller, change.tags.among(own)),
            "status": _id_of(issue.get("status")),
            **({"priority": change.priority} if change.priority else {}),
            **({"assignedto": change.queue} if change.queue else {}),
        }
        if change.merge_into and change.merge_into != event.ticket:
            value["superseder"] = [*_ids_of(issue.get("superseder")), change.merge_into]
        if change.note:
            added = self._added(caller, change.note, _ids_of(issue.get("nosy")))
            value["messages"] = [*_ids_of(issue.get("messages")), added]
        wanted = {name: given for name, given in value.items() if given is not None}
        try:
            send_json(caller, "PUT", path, wanted, headers={"If-Match": found["@etag"]})
        except CallRefused as refusal:
            if refusal.status != CHANGED_MEANWHILE:
                raise
            raise CallFailed("the issue was changed meanwhile") from refusal

    def poll(self, caller: Caller, since: datetime) -> Iterator[Event]:
        """Messages by date, each with its issue."""
        moment = since.astimezone(UTC).strftime(DATE)
        query = {"date": f"{moment};", "@sort": "date", "@fields": "messageid,date"}
        last = ""
        for count, message in enumerate(_pages(caller, f"/msg?{urlencode(query)}"), 1):
            last = str(message.get("date")) if count >= PER_PAGE * MOST_PAGES else ""
            if message.get("messageid"):
                for issue in _collection(caller, f"/issue?messages={message['id']}"):
                    yield Event(str(issue["id"]), str(message["id"]))
        if last:
            raise MoreNews(datetime.strptime(last, DATE).replace(tzinfo=UTC))

    def _added(self, caller: Caller, note: Note, watchers: list[str]) -> str:
        """A message for an issue, by us, that its watchers are not mailed."""
        value = {"content": note.text, "author": self.system.user, "date": ".", "recipients": watchers}
        return _made(caller, "/msg", value)

    def _sent_as(self, caller: Caller, message_id: str) -> str | None:
        """The issue of a message that was sent under an id."""
        query = urlencode({"messageid": message_id, "@fields": "messageid"})
        for message in _collection(caller, f"/msg?{query}"):
            if message.get("messageid") == message_id:
                issues = _collection(caller, f"/issue?messages={message['id']}")
                return next((str(issue["id"]) for issue in issues), None)
        return None


def _made(caller: Caller, path: str, value: object) -> str:
    created = orjson.loads(send_json(caller, "POST", REST + path, value))
    return str(created["data"]["id"])


def _attributes(caller: Caller, path: str) -> dict[str, Any]:
    attributes: dict[str, Any] = get_json(caller, f"{REST}{path}?@verbose=2")["data"]["attributes"]
    return attributes


def _collection(caller: Caller, path: str) -> list[dict[str, Any]]:
    collection: list[dict[str, Any]] = get_json(caller, REST + path)["data"]["collection"]
    return collection


def _pages(caller: Caller, path: str) -> Iterator[dict[str, Any]]:
    for page in range(1, MOST_PAGES + 1):
        found = _collection(caller, f"{path}&@page_size={PER_PAGE}&@page_index={page}")
        yield from found
        if len(found) < PER_PAGE:
            return


def _content(caller: Caller, path: str) -> str:
    return str(get_json(caller, f"{REST}{path}/content")["data"]["data"])


def _keywords(caller: Caller, names: tuple[str, ...]) -> list[str]:
    """The ids of keywords; those that nobody made before are made."""
    known = {str(each.get("name")): str(each["id"]) for each in _collection(caller, "/keyword?@fields=name")}
    return [known.get(name) or _made(caller, "/keyword", {"name": name}) for name in names]


def _part(caller: Caller, number: str, name: str) -> tuple[str, str, str]:
    """A file of a message; what is called ``….eml`` is a mail, whatever type it was given."""
    path = f"/file/{quoted(number)}"
    kind = MAIL_TYPE if name.lower().endswith(".eml") else _attributes(caller, path).get("type")
    return str(kind or UNKNOWN_TYPE), name, _content(caller, path)


def _id_of(link: Any) -> str | None:  # noqa: ANN401  # any JSON value
    return str(link["id"]) if isinstance(link, dict) else None


def _ids_of(links: Any) -> list[str]:  # noqa: ANN401  # any JSON value
    return [str(link["id"]) for link in links or ()]
