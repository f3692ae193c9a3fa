"""The frozen nouns of ticketing, and what an adapter for a ticketing system has to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from service.outgoing import Caller  # brings urllib3, which commands without calls do not need

TAG_PREFIX = "ndr-"
MARKER = re.compile(rb"\[ndr-triage [0-9a-f]{32}\]")
"""What each of our notes ends with; a mail that holds it came of one of them."""


def _no_words() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Webhook:
    """A request of a ticketing system, as it came; the names of headers are in lower case."""

    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str] = field(default_factory=_no_words)


@dataclass(frozen=True, slots=True)
class Event:
    """What a system told: this message has come to that ticket.

    Args:
        ticket: the system's number or name of the ticket.
        message: the system's number of the message (article, comment, transaction) in it; empty where the
            ticket itself is the message.
        raw: the mail, where it was delivered with the event.
        is_own: whether we made this change ourselves.
    """

    ticket: str
    message: str = ""
    raw: bytes | None = field(default=None, repr=False)
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class Original:
    """What a bounce shows of the mail that came back: header names in lower case, the first value of each."""

    message_id: str | None
    headers: Mapping[str, str] = field(default_factory=_no_words, repr=False)

    @property
    def subject(self) -> str:
        """Its subject line; empty where it is not shown."""
        return self.headers.get("subject", "")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a mail that came back was sent from.

    Args:
        ticket: the system's number or name of the ticket.
        by_id: whether the system sent a mail of that id from it. A number in a subject proves nothing:
            numbers can be counted, and anybody can write a report.
    """

    ticket: str
    by_id: bool


@dataclass(frozen=True, slots=True)
class Tags:
    """What a ticket is marked with, by axis; ``extra`` are the user's own for the category."""

    kind: str
    category: str
    permanence: str
    action: str
    fix_owner: str
    stage: str
    confidence: float
    extra: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """The tags, for systems that have free ones, such as ``ndr-category-mailbox_full``."""
        axes = ("kind", "category", "action")
        return (*(f"{TAG_PREFIX}{axis}-{getattr(self, axis)}" for axis in axes), *self.extra)

    def among(self, tags: tuple[str, ...]) -> tuple[str, ...]:
        """A ticket's tags with these: ours of an earlier bounce go, those of others stay."""
        kept = [tag for tag in tags if not tag.startswith(TAG_PREFIX) and tag not in self.words]
        return (*kept, *self.words)

    def fields(self, names: Mapping[str, str]) -> dict[str, str]:
        """The values of a system's own fields.

        Args:
            names: the field for each axis that has one, as the configuration says.
        """
        shown = {"confidence": f"{self.confidence:.2f}"}
        return {name: shown.get(axis) or str(getattr(self, axis)) for axis, name in names.items()}


AXES = ("kind", "category", "permanence", "action", "fix_owner", "stage", "confidence")
"""The axes that may have a field of their own."""


@dataclass(frozen=True, slots=True)
class Note:
    """What the people who work on a ticket read; internal, never sent to a customer.

    Args:
        title: what happened, in some words.
        body: the title again, then axes, recipients, causes, checks and fixes, as lines of plain text.
        link: where more can be read; empty for nowhere.
        result_id: 32 hex digits.
    """

    title: str
    body: str
    result_id: str
    link: str = ""

    @property
    def marker(self) -> str:
        """What tells our notes, and the mails about them, from others."""
        return f"[ndr-triage {self.result_id}]"

    @property
    def text(self) -> str:
        """The whole note as plain text; the marker at both ends, for mails that come back are cut."""
        ending = [self.link] if self.link else []
        return "\n".join([self.marker, self.body.rstrip(), "", *ending, self.marker])

    @property
    def html(self) -> str:
        """The whole note as HTML, for systems that take nothing else."""
        return f"<pre>{escape(self.text)}</pre>"


@dataclass(frozen=True, slots=True)
class Change:
    """What to do to a ticket.

    Args:
        tags: always written.
        note: added as an internal comment; ``None``: no note.
        queue: the queue, group or project to move the ticket to; empty: it stays.
        priority: the system's own word or number; empty: it stays.
        merge_into: the ticket whose mail came back, to merge this one into, or to link it with where the
            system cannot merge; empty: neither.
    """

    tags: Tags
    note: Note | None = None
    queue: str = ""
    priority: str = ""
    merge_into: str = ""


@dataclass(frozen=True, slots=True)
class Routing:
    """What the user wants for one category beside our tags."""

    tags: tuple[str, ...] = ()
    queue: str = ""
    priority: str = ""


@dataclass(frozen=True, slots=True)
class System:
    """One configured ticketing system; its secrets are never shown.

    Args:
        name: the user's name for it, part of the webhook's address.
        adapter: the name of the adapter.
        url: its base address.
        user: who we are there, for systems that want a name beside the token.
        token: how we prove it.
        secret: what its webhooks are signed with; empty: it sends none, or they are refused.
        language: of the notes.
        tag_kinds: kinds of mail that tags are written for.
        note_kinds: kinds of mail that get a note.
        merge: whether to merge onto the ticket whose mail came back.
        link: base address of links in notes.
        fields: the system's field for each axis that has one; keys are among ``AXES``.
        categories: wishes by category.
        options: what only this adapter knows.
    """

    name: str
    adapter: str
    url: str
    user: str = ""
    token: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    language: str = "en"
    tag_kinds: frozenset[str] = frozenset({"bounce", "delay", "success", "auto_reply", "complaint"})
    note_kinds: frozenset[str] = frozenset({"bounce", "complaint"})
    merge: bool = False
    link: str = ""
    fields: Mapping[str, str] = field(default_factory=_no_words)
    categories: Mapping[str, Routing] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=_no_words)


class Adapter(Protocol):
    """What is to be known about one kind of ticketing system; holds a ``System`` and nothing that changes.

    Every call goes through the caller that is handed in, with a path below ``system.url``. Errors of calls
    pass through: the ledger keeps the event and tries again after ``CallFailed``.
    """

    name: ClassVar[str]
    options: ClassVar[tuple[str, ...]]
    """Names that ``System.options`` may hold."""

    def __init__(self, system: System) -> None:
        """Keeps the system."""

    def headers(self) -> Mapping[str, str]:
        """What is sent with each call: credentials, mostly."""

    def read(self, request: Webhook) -> Event | None:
        """What a webhook tells; ``None`` where it is nothing about a new message.

        Raises:
            BadSignature: it is not signed with the system's secret, or there is none.
            BadEvent: it does not say which ticket.
        """

    def fetch(self, caller: Caller, event: Event) -> bytes | None:
        """The mail as it came in, with its headers and the returned message if the system keeps them.

        Returns:
            ``None`` when the message is no mail from outside: a remark of an agent, a note of our own.
        """

    def origin(self, caller: Caller, original: Original) -> Origin | None:
        """The ticket that the returned mail was sent from; ``None`` unless the system knows it."""

    def has_note(self, caller: Caller, event: Event, marker: str) -> bool:
        """Whether a ticket holds a note with this marker; asked only after a try that did not end."""

    def write(self, caller: Caller, event: Event, change: Change) -> None:
        """Changes a ticket, in a way that sends nothing to customers and reopens nothing.

        The order is tags, queue and priority, note, and merging last, so that a try that broke off can be
        made again: all but the note may be repeated without harm.
        """

    def poll(self, caller: Caller, since: datetime) -> Iterator[Event]:
        """Messages that came to tickets since a moment, oldest first; the same one may come again.

        Raises:
            MoreNews: at the end, there is more than one look takes.
        """
