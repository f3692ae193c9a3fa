"""Sends signed events to one address, and checks such signatures, after https://www.standardwebhooks.com."""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from service.clock import Clock, in_iso, now
from service.errors import SettingError
from service.settings import Settings
from service.triage.orders import Order

if TYPE_CHECKING:
    from service.outgoing import Caller  # brings urllib3

ARCHIVE_FINISHED = "archive.finished"
DIAGNOSIS_MADE = "diagnosis.made"
TOLERANCE_S = 300
MOST_SIGNATURES = 16
"""So many of one header are looked at."""

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_VERSION = "v1,"
_SECONDS = re.compile(r"[0-9]{1,12}")


def signed(secret: bytes, event_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers that say who sent a body, and when.

    Args:
        secret: that sender and receiver share.
        event_id: the same in every try to send an event; without a full stop.
        at: when this is sent.
        body: as it is sent, to the byte.
    """
    seconds = str(int(at.timestamp()))
    return {
        ID: event_id,
        TIMESTAMP: seconds,
        SIGNATURE: _VERSION + _signature(secret, event_id, seconds, body),
    }


def verify(
    secrets: bytes | Iterable[bytes],
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
    *,
    tolerance_s: int = TOLERANCE_S,
) -> bool:
    """Whether somebody who has one of the secrets sent this body a short while ago.

    Args:
        secrets: those that hold now; several while one is replaced.
        headers: of the request, by names in any case.
        body: as it came, to the byte.
        now: the time here.
        tolerance_s: by how much the sender's clock may differ.
    """
    known = {name.lower(): value for name, value in headers.items()}
    event_id, seconds = known.get(ID, ""), known.get(TIMESTAMP, "")
    if not event_id or not _SECONDS.fullmatch(seconds):
        return False
    if abs(now.timestamp() - int(seconds)) > tolerance_s:
        return False
    given = known.get(SIGNATURE, "").split(" ", MOST_SIGNATURES)[:MOST_SIGNATURES]
    shared = (secrets,) if isinstance(secrets, bytes) else tuple(secrets)
    expected = [(_VERSION + _signature(each, event_id, seconds, body)).encode() for each in shared]
    return any(hmac.compare_digest(each.encode(), right) for each in given for right in expected)


@dataclass(frozen=True, slots=True)
class Events:
    """Sends the events that the settings ask for.

    Args:
        caller: calls the receiver.
        path: of the receiver, with its query.
        secret: that it shares.
        types: of the events that are sent.
        kinds: of the diagnoses that are sent; empty: all.
        categories: of the diagnoses that are sent; empty: all.
        clock: tells when something is sent.
    """

    caller: Caller
    path: str
    secret: bytes = field(repr=False)
    types: frozenset[str] = frozenset({ARCHIVE_FINISHED})
    kinds: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    clock: Clock = now

    def archive_finished(self, order: Order) -> bool:
        """Tells that a job ended; whether anybody wants to know.

        Raises:
            CallFailed: it did not get through; later it may.
            CallRefused: the receiver does not want it.
        """
        if ARCHIVE_FINISHED not in self.types:
            return False
        at = order.finished_at or self.clock()
        self._send(ARCHIVE_FINISHED, f"archive_{order.wish.id}", at, _finished(order))
        return True

    def wants_diagnosis(self, kind: str, category: str) -> bool:
        """Whether anybody wants to know of such a diagnosis."""
        return (
            DIAGNOSIS_MADE in self.types
            and (not self.kinds or kind in self.kinds)
            and (not self.categories or category in self.categories)
        )

    def diagnosis_made(self, answer: Mapping[str, Any], at: datetime) -> bool:
        """Tells of a diagnosis; whether anybody wants to know of such a one.

        Args:
            answer: what the caller was answered; has ``id``, ``kind`` and ``category``.
            at: when.

        Raises:
            CallFailed: it did not get through; later it may.
            CallRefused: the receiver does not want it.
        """
        if not self.wants_diagnosis(answer["kind"], answer["category"]):
            return False
        self._send(DIAGNOSIS_MADE, f"diagnosis_{answer['id']}", at, answer)
        return True

    def _send(self, kind: str, event_id: str, at: datetime, told: Mapping[str, Any]) -> None:
        body = orjson.dumps({"type": kind, "timestamp": in_iso(at), "data": told})
        headers = {"Content-Type": "application/json", **signed(self.secret, event_id, self.clock(), body)}
        self.caller.call("POST", self.path, body=body, headers=headers)


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where events are sent: the base address, and the path with its query."""

    base: str
    path: str


def receiver_of(settings: Settings) -> Receiver | None:
    """Where the settings have events sent; ``None`` where they name no receiver.

    Raises:
        SettingError: there is no secret to sign with.
    """
    if not settings.webhook_url:
        return None
    if not settings.webhook_secret:
        raise SettingError("NDR_WEBHOOK_SECRET", "", "whsec_ and base64, because NDR_WEBHOOK_URL is set")
    url = urlsplit(settings.webhook_url)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return Receiver(f"{url.scheme}://{url.netloc}", path)


def events_of(settings: Settings, caller: Caller | None = None, clock: Clock = now) -> Events | None:
    """What sends events as the settings say; ``None`` where they name no receiver.

    Args:
        settings: of this process.
        caller: calls the receiver; over HTTP, each call once, where it is left out.
        clock: tells when something is sent.

    Raises:
        SettingError: there is no secret to sign with.
    """
    receiver = receiver_of(settings)
    if receiver is None:
        return None
    from service.outgoing import HttpCaller

    return Events(
        caller=caller or HttpCaller(receiver.base, pauses_s=()),
        path=receiver.path,
        secret=settings.webhook_secret,
        types=frozenset(settings.webhook_events),
        kinds=frozenset(settings.webhook_kinds),
        categories=frozenset(settings.webhook_categories),
        clock=clock,
    )


def _finished(order: Order) -> dict[str, Any]:
    """What is told of a job: counts, and nothing that stands in its mails."""
    standing = order.standing
    return {
        "id": order.wish.id,
        "name": order.wish.name,
        "state": order.state,
        "reason": order.reason,
        "items": standing.items,
        "rows": standing.rows,
        "errors": standing.errors,
        "created_at": in_iso(order.created_at),
        "finished_at": in_iso(order.finished_at) if order.finished_at else None,
        "expires_at": in_iso(order.expires_at) if order.expires_at else None,
    }


def _signature(secret: bytes, event_id: str, seconds: str, body: bytes) -> str:
    content = f"{event_id}.{seconds}.".encode() + body
    return b64encode(hmac.digest(secret, content, "sha256")).decode()
