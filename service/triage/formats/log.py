"""Reads logs of mail servers: each recipient that failed or waits, in the server's words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from model.errors import EvidenceError
from model.events import Event, LogFormat, What
from model.evtx import is_evtx
from model.exhibits import Exhibit, events_of, format_of
from service.errors import UnreadableArchive
from service.triage.formats.records import WHOLE, Part
from service.triage.nouns import Item
from service.triage.packing import Source

FAILING = frozenset({What.FAILED, What.REJECTED, What.DEFERRED})
_NO_LOG = "headers"
"""A header block is read like a log, but is none."""
_FACTS = ("action", "status", "event", "category", "virus", "content", "rule")
"""What an event without a reply is told by."""


def claims(head: bytes) -> bool:
    """Whether a content opens like a log of a known format."""
    form = format_of(Exhibit.of("", head))
    return form is not None and form.name != _NO_LOG


def parts(_source: Source, _chunk_bytes: int) -> Iterator[Part]:
    """One part: what a line means depends on those before it."""
    yield WHOLE


def read(source: Source, _part: Part) -> Iterator[Item]:
    """An item for each recipient of each failure, refusal and delay; its id names the line.

    Where one line tells of several, or earlier lines are told of later, a number makes the id another one.

    Raises:
        UnreadableArchive: it is no log, or a Windows event log that is too large.
    """
    log = _Log(source)
    count = highest = 0
    for event in log.events():
        if event is None or event.what not in FAILING:
            continue
        for recipient in event.recipients or ("",):
            count += 1
            more = "" if event.line > highest else f".{count}"
            highest = max(highest, event.line)
            yield Item(f"{source.name}#{event.line}{more}", _words(event, recipient), "text")
    if log.failure:
        yield Item(source.name, b"", error=log.failure)


@dataclass(slots=True)
class _Log:
    """A log as a piece of evidence; ``failure`` says where its content broke off."""

    source: Source
    failure: str | None = None

    def events(self) -> Iterator[Event | None]:
        """What it tells, line by line.

        Raises:
            UnreadableArchive: it is no log, or too large.
        """
        exhibit = Exhibit(self.source.name, self._blocks)
        if is_evtx(exhibit.head()):
            self._check_size()
        try:
            yield from events_of(exhibit, self._format(exhibit))
        except EvidenceError as error:
            self.failure = str(error)

    def _blocks(self) -> Iterator[bytes]:
        try:
            yield from self.source.blocks()
        except UnreadableArchive as failure:
            self.failure = failure.reason

    def _format(self, exhibit: Exhibit) -> LogFormat:
        form = format_of(exhibit)
        if form is None:
            raise UnreadableArchive(self.failure or "no log of a known format")
        return form

    def _check_size(self) -> None:
        """A Windows event log is read whole."""
        size = 0
        for block in self.source.blocks():
            size += len(block)
            self.source.limits.check_message(size)


def _words(event: Event, recipient: str) -> bytes:
    """The reply as a program reports it: whose recipient, who said so, and on which command."""
    command = event.detail.get("command")
    words = event.reply or _told(event)
    if event.reply and _is_answer(event):
        words = f"host {event.peer}{f'[{event.peer_ip}]' if event.peer_ip else ''} said: {words}"
    if command and event.reply:
        words = f"{words} (in reply to {command} command)"
    told = f"<{recipient}>: {words}" if recipient else words
    return told.encode("utf-8", "replace")


def _is_answer(event: Event) -> bool:
    """Whether the peer itself refused, in a reply with a code."""
    return bool(event.peer) and event.what is not What.REJECTED and event.reply[:3].isdigit()


def _told(event: Event) -> str:
    """What an event without a reply says: its reason, or its facts; its category in any case."""
    names = ("reason", "category") if "reason" in event.detail else _FACTS
    facts = (event.detail[name].replace("_", " ") for name in names if name in event.detail)
    return ", ".join(facts) or event.what
