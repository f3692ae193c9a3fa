"""Any other ticketing system: its webhooks and calls are described in the configuration."""

from __future__ import annotations

import binascii
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from service.clock import Clock, in_iso, now
from service.errors import CallRefused
from service.setting_values import webhook_secret
from service.ticketing.calls import GONE, JSON, json_of
from service.ticketing.errors import BadEvent, BadSignature
from service.ticketing.nouns import AXES, Change, Event, Origin, Original, System, Webhook
from service.ticketing.signing import HEADER, PREFIX, check_token
from service.ticketing.systems.generic_options import (
    BASE64,
    DIGESTS,
    HMAC,
    OPTIONS,
    STANDARD,
    TOKEN,
    calls_of,
    check,
)
from service.ticketing.templates import CallTemplate, Values, pattern_of

if TYPE_CHECKING:
    from service.outgoing import Caller

ANY = "*/*"
_CREDENTIALS = re.compile(r"\{(token|user|basic)\}")


@dataclass(frozen=True, slots=True)
class Generic:
    """An ``Adapter``; what is wrong with its options is said when it is made.

    Raises:
        SettingError: an option cannot be used, or one that it needs is missing.
    """

    name: ClassVar[str] = "generic"
    options: ClassVar[tuple[str, ...]] = OPTIONS

    system: System
    clock: Clock = now
    calls: Mapping[str, CallTemplate] = field(init=False, repr=False)
    subjects: tuple[re.Pattern[str] | None, re.Pattern[str] | None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check(self.system)
        object.__setattr__(self, "calls", calls_of(self.system))
        found = (pattern_of(self.system, "message_id"), pattern_of(self.system, "subject"))
        object.__setattr__(self, "subjects", found)

    def headers(self) -> Mapping[str, str]:
        """One header with the credentials, as the configuration says."""
        given = self._option("authorization", "Authorization: Bearer {token}")
        name, _, value = given.partition(": ")
        user, token = self.system.user, self.system.token
        words = {
            "token": token,
            "user": user,
            "basic": b64encode(f"{user}:{token}".encode()).decode(),
        }
        return {name: _CREDENTIALS.sub(lambda blank: words[blank[1]], value)}

    def read(self, request: Webhook) -> Event | None:
        """What the configured places of a webhook hold."""
        self._verify(request)
        return self._event(json_of(request))

    def fetch(self, caller: Caller, event: Event) -> bytes | None:
        """The mail, as the answer or at a place in it."""
        if "fetch" not in self.calls:
            return None
        place = self._option("fetch_at")
        values = {"ticket": event.ticket, "message": event.message}
        answered = self.calls["fetch"].made(caller, values, accept=JSON if place else ANY)
        if not place:
            return answered.body if answered.body.strip() else None
        return _decoded(_text_at(answered.json(), place), self._option("fetch_encoding"))

    def origin(self, caller: Caller, original: Original) -> Origin | None:
        """The ticket that the configured forms find in the id or the subject, if it can be read."""
        texts = (original.message_id or "", original.subject)
        for pattern, text, by_id in zip(self.subjects, texts, (True, False), strict=True):
            found = pattern.search(text) if pattern else None
            if found and self._exists(caller, found[1]):
                return Origin(found[1], by_id)
        return None

    def has_note(self, caller: Caller, event: Event, marker: str) -> bool:
        """Looks for the mark anywhere in what the system tells of a ticket's notes."""
        if "notes" not in self.calls:
            return False
        return marker.encode() in self.calls["notes"].made(caller, {"ticket": event.ticket}).body

    def write(self, caller: Caller, event: Event, change: Change) -> None:
        """Those of the calls that are configured and have something to do, in a fixed order."""
        values = self._values(caller, event, change)
        note = change.note
        merge_into = change.merge_into if change.merge_into != event.ticket else ""
        wanted: tuple[tuple[str, bool, Values], ...] = (
            ("tags", True, {}),
            ("queue", bool(change.queue), {"queue": change.queue}),
            ("priority", bool(change.priority), {"priority": change.priority}),
            (
                "note",
                note is not None,
                {"note": note.text, "note_html": note.html, "title": note.title} if note else {},
            ),
            ("merge", bool(merge_into), {"target": merge_into}),
        )
        for name, is_wanted, further in wanted:
            if is_wanted and name in self.calls:
                self.calls[name].made(caller, {**values, **further})

    def poll(self, caller: Caller, since: datetime) -> Iterator[Event]:
        """What the system answers, each item read as a webhook would be."""
        if "poll" not in self.calls:
            return
        answer = self.calls["poll"].made(caller, {"since": in_iso(since)}).json()
        place = self._option("poll_at")
        for item in _at(answer, place) if place else answer:
            event = self._event(item)
            if event is not None:
                yield event

    def _option(self, name: str, default: str = "") -> str:
        return self.system.options.get(name, default)

    def _verify(self, request: Webhook) -> None:
        """Wants what the configuration says.

        Raises:
            BadSignature: it is missing, another one or old, or there is no secret to check it with.
        """
        way, secret = self._option("signature", HMAC), self.system.secret
        if way == STANDARD:
            _verify_standard(request, secret, self.clock)
            return
        given = request.headers.get(self._option("signature_header", HEADER).lower(), "")
        is_usual = way == HMAC and "signature_header" not in self.system.options
        prefix = self._option("signature_prefix", PREFIX if is_usual else "")
        if way == TOKEN:
            right = secret
        else:
            digest = hmac.digest(secret.encode(), request.body, self._option("signature_digest", DIGESTS[0]))
            right = digest.hex() if way == HMAC else b64encode(digest).decode()
        expected = prefix + right if secret else ""
        is_hex = way == HMAC
        check_token(given.lower() if is_hex else given, expected.lower() if is_hex else expected)

    def _event(self, told: object) -> Event | None:
        kinds = [each.strip() for each in self._option("events").split(",") if each.strip()]
        if kinds and _text_at(told, self._option("event_at")) not in kinds:
            return None
        ticket = _text_at(told, self._option("ticket_at", "ticket"))
        if not ticket:
            raise BadEvent(f"{self._option('ticket_at', 'ticket')} is missing.")
        author = _text_at(told, self._option("author_at"))
        raw = _decoded(_text_at(told, self._option("raw_at")), self._option("raw_encoding"))
        if raw is None and "fetch" not in self.calls:
            raise BadEvent(f"{self._option('raw_at')} is missing.")
        message = _text_at(told, self._option("message_at"))
        return Event(ticket, message, raw, is_own=bool(author) and author == self.system.user)

    def _exists(self, caller: Caller, ticket: str) -> bool:
        try:
            self.calls["read"].made(caller, {"ticket": ticket})
        except CallRefused as refusal:
            if refusal.status in GONE:
                return False
            raise
        return True

    def _values(self, caller: Caller, event: Event, change: Change) -> dict[str, Any]:
        tags = change.tags
        own: tuple[str, ...] = ()
        place = self._option("tags_at")
        if place:
            found = _at(self.calls["read"].made(caller, {"ticket": event.ticket}).json(), place)
            own = tuple(str(each) for each in found or ())
        return {
            "ticket": event.ticket,
            "message": event.message,
            "tags": tags.among(own),
            "new_tags": tags.words,
            "fields": tags.fields(self.system.fields),
            **tags.fields({axis: axis for axis in AXES}),
        }


def _verify_standard(request: Webhook, secret: str, clock: Clock) -> None:
    from service.webhooks import verify  # brings urllib3, which reading a configuration does not need

    if not secret:
        check_token("", "")
    if not verify(webhook_secret(secret), request.headers, request.body, clock()):
        raise BadSignature("The signature is missing, wrong or old.")


def _at(value: object, place: str) -> Any:  # noqa: ANN401  # any JSON value
    """What lies at a place such as ``ticket.articles.0.id``; ``None`` for nothing."""
    for name in place.split("."):
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isascii() and name.isdecimal() and len(name) < 6:
            value = value[int(name)] if int(name) < len(value) else None
        else:
            return None
    return value


def _text_at(value: object, place: str) -> str:
    """The text or number at a place; empty where there is none, or no place."""
    found = _at(value, place) if place else None
    return "" if isinstance(found, bool) or not isinstance(found, str | int) else str(found).strip()


def _decoded(text: str, encoding: str) -> bytes | None:
    """The bytes of a mail.

    Raises:
        BadEvent: it is no base64.
    """
    if not text:
        return None
    if encoding != BASE64:
        return text.encode("utf-8", "surrogateescape")
    try:
        return b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise BadEvent("The mail is no base64.") from None
