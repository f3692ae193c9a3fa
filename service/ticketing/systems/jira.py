"""Jira Service Management in the cloud: labels, custom fields, an internal comment, links for merging."""

from __future__ import annotations

import math
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from service.clock import Clock, now
from service.errors import CallRefused, SettingError
from service.ticketing.calls import GONE, get_json, json_of, moment_of, quoted, send_json, word_of
from service.ticketing.errors import MoreNews
from service.ticketing.nouns import TAG_PREFIX, Change, Event, Note, Origin, Original, System, Webhook
from service.ticketing.rebuilding import rebuilt
from service.ticketing.signing import check_hmac

if TYPE_CHECKING:
    from service.outgoing import Caller

API, DESK_API = "/rest/api/2", "/rest/servicedeskapi"
PER_PAGE = 100
MOST_PAGES = 20
MOST_FILES = 16
MOST_KEYS = 4
NOT_MADE = 400
CAME_WITHIN_S = 60
RELATES = "Relates"
_TEXTUAL = ("text/", "message/")
_KEY = re.compile(r"(?<![A-Za-z0-9_-])([A-Z][A-Z0-9_]{1,30}-[0-9]{1,12})(?![A-Za-z0-9_-])")
_PROJECT = re.compile(r"[A-Z][A-Z0-9_]{1,30}")
_SENT = re.compile(r"<JIRA\.([0-9]{1,15})\.([0-9]{10,15})(?:\.[0-9]{1,15}){0,2}@", re.I)
_LINK = re.compile(r"\[([^\[\]|\n]{1,320})\|(?:mailto|https?):[^\[\]\n]{1,2000}\]")
_MARKUP = re.compile(r"\{(?:noformat|quote|code)(?::[^{}\n]{0,80})?\}|\\(?=[-\[\]{}*_^+~!|#?<>])")


@dataclass(frozen=True, slots=True)
class Jira:
    """An ``Adapter``; Jira keeps the words of a mail and its files, from which it is rebuilt.

    Raises:
        SettingError: the keys of projects are none.
    """

    name: ClassVar[str] = "jira"
    options: ClassVar[tuple[str, ...]] = ("account_id", "link_type", "projects")
    """``account_id``: of our own user; ``link_type``: between a bounce and what came back; ``projects``: the
    keys of those that are polled and whose keys are looked for in subjects."""

    system: System
    clock: Clock = now

    def __post_init__(self) -> None:
        for key in self._projects():
            if not _PROJECT.fullmatch(key):
                raise SettingError(
                    f"systems.{self.system.name}.options.projects", key[:80], "keys of projects"
                )

    def headers(self) -> Mapping[str, str]:
        """The e-mail address of our user and an API token."""
        credentials = b64encode(f"{self.system.user}:{self.system.token}".encode()).decode()
        return {"Authorization": f"Basic {credentials}"}

    def read(self, request: Webhook) -> Event | None:
        """A new issue or a new comment; nothing else is a message."""
        check_hmac(request, self.system.secret, header="x-hub-signature")
        told = json_of(request)
        kind = told.get("webhookEvent")
        if kind == "jira:issue_created":
            return Event(word_of(told, "issue", "key"), is_own=self._is_named(told.get("user")))
        if kind != "comment_created":
            return None
        ticket, comment = word_of(told, "issue", "key"), word_of(told, "comment", "id")
        return Event(ticket, comment, is_own=self._is_named(told["comment"].get("author")))

    def fetch(self, caller: Caller, event: Event) -> bytes | None:
        """The description or a comment that customers see, with the files that came at the same time."""
        fields = _fields(caller, event.ticket, "summary,description,reporter,creator,created,attachment")
        if event.message:
            path = f"{API}/issue/{quoted(event.ticket)}/comment/{quoted(event.message)}"
            entry = get_json(caller, path)
            author, text = entry.get("author") or {}, entry.get("body")
        else:
            entry, author, text = fields, fields.get("creator") or {}, fields.get("description")
        if not str(text or "").strip() or entry.get("jsdPublic") is False or _is_me(caller, author):
            return None
        sender = author if event.message else fields.get("reporter") or author
        files = [each for each in fields.get("attachment") or () if _came_with(each, entry, author)]
        headers = {"From": _address(sender), "Subject": str(fields.get("summary") or "")}
        return rebuilt(headers, _plain(str(text)), [_part(caller, each) for each in files[:MOST_FILES]])

    def origin(self, caller: Caller, original: Original) -> Origin | None:
        """By the id that Jira gives its mails, else by the key of an issue in the subject."""
        ids = (original.message_id or "", original.headers.get("in-reply-to", ""))
        sent = next((found for found in map(_SENT.search, ids) if found), None)
        if sent:
            issue = _issue_or_none(caller, sent[1])
            by_id = _SENT.search(ids[0]) is not None
            return Origin(str(issue["key"]), by_id) if issue and _was_made(issue, sent) else None
        projects = self._projects()
        for key in _KEY.findall(original.subject)[:MOST_KEYS]:
            issue = (
                _issue_or_none(caller, key) if not projects or key.rpartition("-")[0] in projects else None
            )
            if issue:
                return Origin(str(issue["key"]), by_id=False)
        return None

    def has_note(self, caller: Caller, event: Event, marker: str) -> bool:
        """Looks at the comments of the issue, newest first."""
        return any(marker in str(each.get("body")) for each in _comments(caller, event.ticket))

    def write(self, caller: Caller, event: Event, change: Change) -> None:
        """One edit with labels, custom fields, component and priority; the comment; the link last."""
        path = f"{API}/issue/{quoted(event.ticket)}"
        own = _fields(caller, event.ticket, "labels,issuelinks")
        labels = [str(label) for label in own.get("labels") or ()]
        shapes = get_json(caller, f"{path}/editmeta")["fields"] if self.system.fields else {}
        value = {
            "update": {
                "labels": _label_changes(labels, change.tags.words),
                **({"components": [{"add": _named(change.queue)}]} if change.queue else {}),
            },
            "fields": {
                **_field_values(shapes, change.tags.fields(self.system.fields)),
                **({"priority": _named(change.priority)} if change.priority else {}),
            },
        }
        send_json(caller, "PUT", f"{path}?notifyUsers=false", value)
        if change.note:
            body = {"body": _comment_of(change.note), "public": False}
            send_json(caller, "POST", f"{DESK_API}/request/{quoted(event.ticket)}/comment", body)
        if change.merge_into and change.merge_into not in (event.ticket, *_linked(own)):
            self._link(caller, event.ticket, change.merge_into)

    def poll(self, caller: Caller, since: datetime) -> Iterator[Event]:
        """Issues that were changed, oldest change first; of each what is new."""
        for issue in self._changed(caller, since):
            key = str(issue["key"])
            if _moment(issue["fields"]) >= since:
                yield Event(key)
            fresh: list[str] = []
            for comment in _comments(caller, key):
                if _moment(comment) < since:
                    break
                if comment.get("jsdPublic") is not False:
                    fresh.append(str(comment["id"]))
            yield from (Event(key, comment) for comment in reversed(fresh))

    def _projects(self) -> list[str]:
        given = self.system.options.get("projects", "").split(",")
        return [key.strip() for key in given if key.strip()]

    def _is_named(self, user: object) -> bool:
        account = str(user.get("accountId") or "") if isinstance(user, Mapping) else ""
        return bool(account) and account == self.system.options.get("account_id")

    def _link(self, caller: Caller, key: str, other: str) -> None:
        value = {
            "type": {"name": self.system.options.get("link_type", RELATES)},
            "inwardIssue": {"key": key},
            "outwardIssue": {"key": other},
        }
        send_json(caller, "POST", f"{API}/issueLink", value)

    def _changed(self, caller: Caller, since: datetime) -> Iterator[dict[str, Any]]:
        """Issues by a time before now: a moment would be read in the time zone of our user's profile."""
        minutes = max(1, math.ceil((self.clock() - since).total_seconds() / 60) + 1)
        projects = ", ".join(f'"{key}"' for key in self._projects())
        within = f"project in ({projects}) AND " if projects else ""
        query = {"jql": f'{within}updated >= "-{minutes}m" ORDER BY updated ASC', "fields": "created,updated"}
        token: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            path = f"{API}/search/jql?{urlencode({**query, 'maxResults': PER_PAGE, **token})}"
            page = get_json(caller, path)
            yield from page["issues"]
            if not page.get("nextPageToken"):
                return
            token = {"nextPageToken": str(page["nextPageToken"])}
        raise MoreNews(moment_of(page["issues"][-1]["fields"]["updated"]))


def _fields(caller: Caller, key: str, names: str) -> dict[str, Any]:
    path = f"{API}/issue/{quoted(key)}?{urlencode({'fields': names})}"
    fields: dict[str, Any] = get_json(caller, path)["fields"]
    return fields


def _issue_or_none(caller: Caller, key: str) -> dict[str, Any] | None:
    try:
        issue: dict[str, Any] = get_json(caller, f"{API}/issue/{quoted(key)}?fields=created")
    except CallRefused as refusal:
        if refusal.status in GONE:
            return None
        raise
    return issue


def _comments(caller: Caller, key: str) -> Iterator[dict[str, Any]]:
    """The comments of an issue, newest first."""
    for page in range(MOST_PAGES):
        query = urlencode({"orderBy": "-created", "maxResults": PER_PAGE, "startAt": page * PER_PAGE})
        found = get_json(caller, f"{API}/issue/{quoted(key)}/comment?{query}")["comments"]
        yield from found
        if len(found) < PER_PAGE:
            return


def _label_changes(own: list[str], words: tuple[str, ...]) -> list[dict[str, str]]:
    """Adds labels and takes away ours of an earlier bounce; those that others add meanwhile stay."""
    old = [label for label in own if label.startswith(TAG_PREFIX) and label not in words]
    return [*({"remove": label} for label in old), *({"add": word} for word in words)]


def _field_values(shapes: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, object]:
    """The values of custom fields, by their ids; they may be named by id or by name.

    Raises:
        CallRefused: the issue lacks one of them.
    """
    by_name = {str(shape.get("name")): number for number, shape in shapes.items()}
    found: dict[str, object] = {}
    for name, value in values.items():
        number = name if name in shapes else by_name.get(name)
        if number is None:
            raise CallRefused(f"the issue has no field {name!r} that we may edit", NOT_MADE)
        found[number] = _shaped(shapes[number].get("schema") or {}, value)
    return found


def _shaped(schema: Mapping[str, Any], value: str) -> object:
    """A value as a field of its type wants it."""
    kind = schema.get("type")
    if kind == "array":
        return [_shaped({"type": schema.get("items")}, value)]
    if kind == "number":
        try:
            return float(value)
        except ValueError:
            raise CallRefused("a field of numbers was given a word", NOT_MADE) from None
    return {"value": value} if kind == "option" else value


def _named(word: str) -> dict[str, str]:
    """A component or priority, by its number or name."""
    return {"id" if word.isascii() and word.isdecimal() else "name": word}


def _comment_of(note: Note) -> str:
    """A note in which Jira takes nothing for markup."""
    return "{noformat}\n" + note.text.replace("{noformat", "{ noformat") + "\n{noformat}"


def _linked(fields: Mapping[str, Any]) -> list[str]:
    links = fields.get("issuelinks") or ()
    ends = [each.get(side) or {} for each in links for side in ("inwardIssue", "outwardIssue")]
    return [str(end["key"]) for end in ends if "key" in end]


def _came_with(file: Mapping[str, Any], entry: Mapping[str, Any], author: Mapping[str, Any]) -> bool:
    """Whether a file came with an entry: stored within the same minute, by the same author."""
    is_mail = str(file.get("filename")).lower().endswith(".eml")
    is_textual = is_mail or str(file.get("mimeType")).startswith(_TEXTUAL)
    is_by_same = (file.get("author") or {}).get("accountId") == author.get("accountId")
    apart_s = abs((_moment(file) - _moment(entry)).total_seconds())
    return is_textual and is_by_same and apart_s <= CAME_WITHIN_S


def _part(caller: Caller, file: Mapping[str, Any]) -> tuple[str, str, str]:
    path = f"{API}/attachment/content/{quoted(str(file['id']))}?redirect=false"
    content = caller.call("GET", path).body.decode("utf-8", "surrogateescape")
    return str(file.get("mimeType") or "text/plain"), str(file.get("filename") or ""), content


def _is_me(caller: Caller, author: Mapping[str, Any]) -> bool:
    return bool(author.get("accountId") == get_json(caller, f"{API}/myself")["accountId"])


def _address(user: Mapping[str, Any]) -> str:
    return f"<{user.get('emailAddress') or 'unknown@jira.invalid'}>"


def _plain(text: str) -> str:
    """Text without Jira's markup for links, quoted blocks and escaped signs."""
    return _MARKUP.sub("", _LINK.sub(r"\1", text))


def _was_made(issue: Mapping[str, Any], sent: re.Match[str]) -> bool:
    """Whether Jira can have sent a mail under that id: it holds when the issue was made, in milliseconds."""
    return round(_moment(issue["fields"]).timestamp() * 1000) == int(sent[2])


def _moment(entry: Mapping[str, Any]) -> datetime:
    return moment_of(entry["created"])
